package sam

import (
	"fmt"
	"net/url"
	"regexp"
	"sort"
	"strings"
)

// function is AWS::Serverless::Function.
func (m *macro) function() {
	p := m.props
	m.together()
	m.deadLetters()
	m.tenancy()
	fn := m.lambda()
	target := target{id: m.id, name: ref(m.id), arn: getAtt(m.id, "Arn")}
	if truthy(p["ProvisionedConcurrencyConfig"]) && !truthy(p["AutoPublishAlias"]) {
		refuse(m.id, "To set ProvisionedConcurrencyConfig AutoPublishALias must be defined on the function")
	}
	if truthy(p["AutoPublishAlias"]) {
		// With AWS, references to parameters in the code are replaced where a
		// version is published.
		properties(fn)["Code"] = m.t.resolve(properties(fn)["Code"])
		alias := m.alias(fn)
		target.alias, target.name, target.arn = alias, ref(alias), ref(alias)
	}
	m.deploymentPreference(target.alias)
	if config, ok := p["FunctionUrlConfig"].(object); ok && len(config) > 0 {
		m.functionURL(config, target)
	}
	r := m.role()
	generated := false
	props := properties(fn)
	if f, ok := p["Role"].(object); ok && len(f) == 1 {
		if _, isIf := f["Fn::If"]; isIf {
			if _, ok := branches(f); !ok {
				refuse(m.id, "Malformed 'Role' property: Fn::If requires 3 arguments.")
			}
		}
	}
	if list, ok := branches(p["Role"]); p["Role"] == nil {
		props["Role"], generated = getAtt(r.id, "Arn"), true
	} else if ok && (isNoValue(list[1]) || isNoValue(list[2])) {
		m.conditionalRole(r, props, list)
		generated = true
	}
	m.invokeConfig(target, r)
	m.events(target, r)
	if generated {
		m.writeRole(r)
		if c, ok := props["__roleCondition"]; ok {
			m.t.out[r.id].(object)["Condition"] = c
			delete(props, "__roleCondition")
		}
	}
	m.propagate()
}

// conditionalRole is for a Role that is given only under a condition: otherwise
// the function gets one of its own.
func (m *macro) conditionalRole(r *role, props object, list []any) {
	if isNoValue(list[1]) && isNoValue(list[2]) {
		props["Role"] = getAtt(r.id, "Arn")
		return
	}
	condition, _ := list[0].(string)
	own := getAtt(r.id, "Arn")
	if isNoValue(list[1]) {
		props["Role"] = object{"Fn::If": []any{condition, own, list[2]}}
	} else {
		props["Role"] = object{"Fn::If": []any{condition, list[1], own}}
		conditions := m.t.conditions()
		name := "NOT" + condition
		conditions[name] = object{"Fn::Not": []any{object{"Condition": condition}}}
		condition = name
	}
	props["__roleCondition"] = condition
}

// conditions returns the template's Conditions, made if there are none.
func (t *transform) conditions() object {
	c, ok := t.doc["Conditions"].(object)
	if !ok {
		c = object{}
		t.doc["Conditions"] = c
	}
	return c
}

// together refuses properties that exclude each other, and those that another one
// is missing for.
func (m *macro) together() {
	p := m.props
	for _, other := range []string{"ProvisionedConcurrencyConfig", "VpcConfig"} {
		if p["CapacityProviderConfig"] != nil && p[other] != nil {
			refuse(m.id, "Cannot specify 'CapacityProviderConfig' and '%s' together.", other)
		}
	}
	for _, pair := range [][2]string{{"FunctionScalingConfig", "CapacityProviderConfig"}, {"VersionDeletionPolicy", "AutoPublishAlias"}} {
		if p[pair[0]] != nil && p[pair[1]] == nil {
			refuse(m.id, "'%s' requires '%s'.", pair[0], pair[1])
		}
	}
}

// tenancy refuses what functions that isolate tenants cannot have.
func (m *macro) tenancy() {
	p := m.props
	if !truthy(p["TenancyConfig"]) {
		return
	}
	for _, other := range [][2]string{
		{"ProvisionedConcurrencyConfig", "Provisioned concurrency"}, {"FunctionUrlConfig", "Function URL"}, {"SnapStart", "SnapStart"},
	} {
		if truthy(p[other[0]]) {
			refuse(m.id, "%s is not supported for functions enabled with tenancy configuration.", other[1])
		}
	}
	events, _ := p["Events"].(object)
	for _, name := range keys(events) {
		e, _ := events[name].(object)
		if kind := e["Type"]; kind != "Api" && kind != "HttpApi" {
			refuse(m.id, "Event source '%s' is not supported for functions enabled with tenancy configuration. Only Api and HttpApi event sources are supported.", plain(kind))
		}
	}
}

func (m *macro) deadLetters() {
	dlq, ok := m.props["DeadLetterQueue"].(object)
	if !ok || len(dlq) == 0 {
		return
	}
	if !truthy(dlq["Type"]) || !truthy(dlq["TargetArn"]) {
		refuse(m.id, "'DeadLetterQueue' requires Type and TargetArn properties to be specified.")
	}
	if _, ok := dlq["Type"].(string); !ok {
		refuseProperty(m.id, "DeadLetterQueue", "Property 'DeadLetterQueue.Type' should be a string.")
	}
	if t := dlq["Type"]; t != "SQS" && t != "SNS" {
		refuse(m.id, "'DeadLetterQueue' requires Type of ['SQS', 'SNS']")
	}
}

// traced reports whether a function takes part in X-Ray.
func (m *macro) traced() bool {
	return truthy(m.props["Tracing"]) && m.t.resolve(m.props["Tracing"]) != "Disabled"
}

func (m *macro) functionTags() []any {
	tags, _ := m.props["Tags"].(object)
	for _, reserved := range []string{"lambda:createdBy", "serverlessrepo:applicationId", "serverlessrepo:semanticVersion"} {
		if _, has := tags[reserved]; has {
			refuse(m.id, "%s is a reserved Tag key name and cannot be set on your resource. Please change the tag key in the input.", reserved)
		}
	}
	return append([]any{object{"Key": "lambda:createdBy", "Value": "SAM"}}, tagList(tags)...)
}

// lambda makes the AWS::Lambda::Function.
func (m *macro) lambda() object {
	p := m.props
	props := object{"Code": m.code(), "Tags": m.functionTags(), "FunctionName": or(p["FunctionName"])}
	for _, same := range []string{
		"Handler", "Runtime", "Description", "MemorySize", "Timeout", "VpcConfig", "Role", "Environment", "KmsKeyArn", "ReservedConcurrentExecutions",
		"Layers", "FileSystemConfigs", "ImageConfig", "PackageType", "Architectures", "SnapStart", "EphemeralStorage", "CodeSigningConfigArn",
		"RuntimeManagementConfig", "LoggingConfig", "TenancyConfig", "RecursiveLoop", "DurableConfig", "PublishToLatestPublished", "FunctionScalingConfig",
	} {
		props[same] = p[same]
	}
	props["CapacityProviderConfig"] = m.capacity()
	if m.traced() {
		props["TracingConfig"] = object{"Mode": p["Tracing"]}
	}
	if dlq, ok := p["DeadLetterQueue"].(object); ok {
		props["DeadLetterConfig"] = object{"TargetArn": dlq["TargetArn"]}
	}
	if p["PackageType"] == "Image" {
		if truthy(p["Handler"]) || truthy(p["Runtime"]) || truthy(p["Layers"]) {
			refuse(m.id, "Runtime, Handler, Layers cannot be present when PackageType is of type `Image`")
		}
	} else {
		if !truthy(p["Handler"]) || !truthy(p["Runtime"]) {
			refuse(m.id, "Runtime and Handler needs to be present when PackageType is of type `Zip`")
		}
		if truthy(p["ImageConfig"]) {
			refuse(m.id, "ImageUri or ImageConfig cannot be present when PackageType is of type `Zip`")
		}
	}
	return m.add(m.id, "AWS::Lambda::Function", m.own(), props)
}

// code is where a function's code is.
func (m *macro) code() any {
	p := m.props
	var code any
	switch kind := p["PackageType"]; kind {
	case nil, "", "Zip":
		switch {
		case p["InlineCode"] != nil:
			code = object{"ZipFile": p["InlineCode"]}
		case p["CodeUri"] != nil:
			code = m.s3Location(p["CodeUri"], "CodeUri")
		default:
			refuse(m.id, "Only one of 'InlineCode' or 'CodeUri' can be set.")
		}
		if truthy(p["SourceKMSKeyArn"]) {
			if at, ok := code.(object); ok {
				at["SourceKMSKeyArn"] = p["SourceKMSKeyArn"]
			}
		}
	case "Image":
		if !truthy(p["ImageUri"]) {
			refuse(m.id, "'ImageUri' must be set.")
		}
		code = object{"ImageUri": p["ImageUri"]}
	default:
		refuse(m.id, "invalid 'PackageType' : %s", plain(kind))
	}
	return code
}

// s3Location reads an s3:// address or an object with Bucket and Key.
func (m *macro) s3Location(v any, name string) any { return m.s3LocationOf(m.id, v, name) }

// s3LocationOf is s3Location where messages have another id than the template.
func (m *macro) s3LocationOf(shown string, v any, name string) any {
	if path, ok := m.t.localPath(v); ok {
		return path
	}
	bucket, key, version := m.t.s3Object(m.id, shown, v, name)
	out := object{"S3Bucket": bucket, "S3Key": key}
	if version != nil {
		out["S3ObjectVersion"] = version
	}
	return out
}

// localPath reads a path of this disk, where such are let through.
func (t *transform) localPath(v any) (string, bool) {
	s, ok := v.(string)
	return s, ok && t.in.Local && s != "" && !strings.Contains(s, "://")
}

func (t *transform) s3Object(id, shown string, v any, name string) (bucket, key, version any) {
	refuseProperty := func(id, name, format string, args ...any) {
		panic(Problem{ID: id, Shown: shown, Text: fmt.Sprintf(format, args...), Path: []string{"Properties", name}})
	}
	switch v := v.(type) {
	case object:
		if !truthy(v["Bucket"]) || !truthy(v["Key"]) {
			refuseProperty(id, name, "'%s' requires Bucket and Key properties to be specified.", name)
		}
		return v["Bucket"], v["Key"], v["Version"]
	case string:
		u, err := url.Parse(v)
		if err != nil || u.Scheme != "s3" || u.Host == "" || strings.Trim(u.Path, "/") == "" {
			refuseProperty(id, name, "'%s' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter.", name)
		}
		if ids := u.Query()["versionId"]; len(ids) == 1 {
			version = ids[0]
		}
		return u.Host, strings.TrimLeft(u.Path, "/"), version
	}
	refuseProperty(id, name, "'%s' must be of type dict or string.", name)
	return nil, nil, nil
}

var aliasName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// alias publishes a version whose logical id changes with the code, and points an
// alias to it.
func (m *macro) alias(fn object) string {
	p := m.props
	name, ok := m.t.resolve(p["AutoPublishAlias"]).(string)
	if !ok {
		refuse(m.id, "'AutoPublishAlias' must be a string or a Ref to a template parameter")
	}
	if !aliasName.MatchString(name) || strings.Trim(name, "0123456789") == "" {
		refuse(m.id, "AutoPublishAlias name ('%s') must contain only alphanumeric characters, hyphens, or underscores matching (?!^[0-9]+$)([a-zA-Z0-9-_]+) pattern.", name)
	}
	props := properties(fn)
	sha := ""
	if truthy(p["AutoPublishCodeSha256"]) {
		if sha, ok = m.t.resolve(p["AutoPublishCodeSha256"]).(string); !ok {
			refuse(m.id, "AutoPublishCodeSha256 must be a string")
		}
		switch d := m.t.resolve(p["Description"]).(type) {
		case nil:
			props["Description"] = sha
		case string:
			props["Description"] = strings.TrimPrefix(d+" "+sha, " ")
		default:
			props["Description"] = object{"Fn::Join": []any{" ", []any{d, sha}}}
		}
	}
	version := m.id + "Version"
	if sha != "" {
		version += sha[:min(10, len(sha))]
	} else {
		version = hashed(version, m.published(props))
	}
	attributes := m.passed()
	if _, has := attributes["DeletionPolicy"]; !has {
		attributes["DeletionPolicy"] = "Retain"
		if p["CapacityProviderConfig"] != nil {
			attributes["DeletionPolicy"] = "Delete"
		}
		if v := p["VersionDeletionPolicy"]; v != nil {
			attributes["DeletionPolicy"] = v
		}
	}
	m.add(version, "AWS::Lambda::Version", attributes, object{
		"FunctionName": ref(m.id), "Description": p["VersionDescription"], "FunctionScalingConfig": p["FunctionScalingConfig"],
	})
	id := m.id + "Alias" + strings.NewReplacer("-", "D", "_", "U").Replace(name)
	m.add(id, "AWS::Lambda::Alias", m.passed(), object{
		"Name": name, "FunctionName": ref(m.id), "FunctionVersion": getAtt(version, "Version"),
		"ProvisionedConcurrencyConfig": or(p["ProvisionedConcurrencyConfig"]),
	})
	return id
}

// published is what a new version is published for when it changes.
func (m *macro) published(props object) object {
	if m.props["AutoPublishAliasAllProperties"] == true {
		out := object{}
		for k, v := range props {
			if v != nil {
				out[k] = v
			}
		}
		layers, _ := props["Layers"].([]any)
		for _, l := range layers {
			one, _ := l.(object)
			id, _ := one["Ref"].(string)
			if layer, ok := m.t.src[id].(object); ok && truthy(properties(layer)["PublishLambdaVersion"]) {
				out[id] = properties(layer)
			}
		}
		return out
	}
	out := m.t.resolve(props["Code"]).(object)
	if env, ok := props["Environment"].(object); ok {
		for k, v := range env {
			out[k] = v
		}
	}
	if truthy(props["MemorySize"]) {
		out["MemorySize"] = props["MemorySize"]
	}
	if snap, ok := props["SnapStart"].(object); ok && snap["ApplyOn"] != nil && snap["ApplyOn"] != "None" {
		out["SnapStart"] = snap
	}
	return out
}

// target is what an event source invokes: the function, or its alias.
type target struct {
	id        string
	alias     string
	name, arn object
}

func (m *macro) functionURL(config object, to target) {
	auth := config["AuthType"]
	if !intrinsic(config) && !intrinsic(auth) && auth != "AWS_IAM" && auth != "NONE" {
		refuse(m.id, "AuthType is required to configure function property `FunctionUrlConfig`. Please provide either AWS_IAM or NONE.")
	}
	if cors, ok := config["Cors"].(object); ok && !intrinsic(cors) {
		kinds := map[string]string{"AllowOrigins": "list", "AllowMethods": "list", "AllowHeaders": "list", "ExposeHeaders": "list", "AllowCredentials": "bool", "MaxAge": "int"}
		for _, k := range keys(cors) {
			if kinds[k] == "" {
				refuse(m.id, "%s is not a valid property for configuring Cors.", k)
			}
			if !intrinsic(cors[k]) && !fits(cors[k], kinds[k]) {
				refuse(m.id, "%s must be of type %s.", k, kinds[k])
			}
		}
	}
	on := to.name
	if to.alias != "" {
		on = to.arn
	}
	m.add(m.id+"Url", "AWS::Lambda::Url", m.passed(), object{
		"Cors": or(config["Cors"]), "AuthType": auth, "TargetFunctionArn": on, "InvokeMode": config["InvokeMode"],
	})
	if auth == "NONE" {
		m.add(m.id+"UrlPublicPermissions", "AWS::Lambda::Permission", m.passed(), object{
			"Action": "lambda:InvokeFunctionUrl", "FunctionName": on, "Principal": "*", "FunctionUrlAuthType": auth,
		})
		m.add(m.id+"URLInvokeAllowPublicAccess", "AWS::Lambda::Permission", m.passed(), object{
			"Action": "lambda:InvokeFunction", "FunctionName": on, "Principal": "*", "InvokedViaFunctionUrl": true,
		})
	}
}

// events makes what a function's events stand for.
func (m *macro) events(to target, r *role) {
	m.eachEvent(func(name, kind string, props object) {
		ev := &event{macro: m, name: name, id: m.id + name, kind: kind, props: props, to: to, role: r}
		ev.transform()
	})
}

// eachEvent calls f for the resource's events, in the order of their paths.
func (m *macro) eachEvent(f func(name, kind string, props object)) {
	events, _ := m.props["Events"].(object)
	names := keys(events)
	path := func(name string) string {
		e, _ := events[name].(object)
		if p, ok := e["Properties"].(object); ok {
			if s, ok := p["Path"].(string); ok {
				return s
			}
		}
		return name
	}
	sort.SliceStable(names, func(i, j int) bool { return path(names[i]) < path(names[j]) })
	for _, name := range names {
		e := events[name].(object) // linkEvents has looked at it
		kind, _ := e["Type"].(string)
		props, _ := e["Properties"].(object)
		if props == nil {
			props = object{}
		}
		f(name, kind, props)
	}
}

// linkEvents looks at the events for what can be told before the resource itself is
// worked on: their types, their properties, and that what they refer to is there.
func (m *macro) linkEvents() {
	events, _ := m.props["Events"].(object)
	names := m.t.keys(events, "Resources", m.id, "Properties", "Events")
	if m.t.hashed {
		names = hashOrder(names)
	}
	kinds := eventProperties
	if m.res["Type"] == prefix+"StateMachine" {
		kinds = machineEventProperties
	}
	for _, name := range names {
		given, ok := events[name].(object)
		if !ok {
			refuseEvent(m.id, name, "'%s' object has no attribute 'get'", pythonType(events[name]))
		}
		e := &event{macro: m, name: name, id: m.id + name}
		if e.kind, _ = given["Type"].(string); kinds(e.kind) == "" {
			spell := python
			if m.t.hashed {
				spell = unicode
			}
			refuseEvent(m.id, name, "Resource dict has missing or invalid value for key Type. Event Type is: %s.", spell(given["Type"]))
		}
		props, ok := given["Properties"].(object)
		if _, has := given["Properties"]; has && !ok {
			panic(Problem{ID: m.id, Shown: e.id, Text: "Properties of a resource must be an object.", Path: []string{"Properties", "Events", name}})
		}
		if e.props = props; props == nil {
			e.props = object{}
		}
		if !alphanumeric(e.id) {
			panic(Problem{ID: m.id, Shown: e.id, Text: "Logical ids must be alphanumeric.", Path: []string{"Properties", "Events", name}})
		}
		e.check(kinds(e.kind))
		switch e.kind {
		case "S3":
			e.linkedBucket()
		case "Cognito":
			e.linkedPool()
		case "Api":
			e.linkedAPI()
		}
	}
}

// linkedAPI refuses an API that is not there.
func (e *event) linkedAPI() {
	id, ok := apiOf(e.props["RestApiId"]).(string)
	if !ok {
		return
	}
	api, ok := e.t.src[id].(object)
	if !ok {
		e.fail("RestApiId property of Api event must reference a valid resource in the same template.")
	}
	props, ok := api["Properties"].(object)
	if _, has := api["Properties"]; has && !ok {
		panic(Problem{ID: e.macro.id, Shown: id, Text: "Attribute 'Properties' should be a map."})
	}
	if props["StageName"] == "" {
		panic(Problem{ID: e.macro.id, Shown: id, Text: "StageName cannot be empty."})
	}
}
