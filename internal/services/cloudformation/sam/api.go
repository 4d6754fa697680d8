package sam

import "strings"

// api is AWS::Serverless::Api.
func (m *macro) api() {
	p := m.props
	for _, name := range []string{"BinaryMediaTypes", "Auth"} {
		if p[name] != nil {
			p[name] = m.t.resolve(p[name])
		}
	}
	if truthy(p["DefinitionUri"]) && truthy(p["DefinitionBody"]) {
		refuse(m.id, "Specify either 'DefinitionUri' or 'DefinitionBody' property and not both.")
	}
	if truthy(p["DefinitionUri"]) && truthy(p["MergeDefinitions"]) {
		refuse(m.id, "Cannot set 'MergeDefinitions' to True when using `DefinitionUri`.")
	}
	if v := p["OpenApiVersion"]; truthy(v) && !openAPI3(v) && !strings.HasPrefix(plain(v), "2.") {
		refuse(m.id, "The OpenApiVersion value must be of the format '3.0.0'.")
	}
	if p["AlwaysDeploy"] == true {
		refuseProperty(m.id, "AlwaysDeploy", "property AlwaysDeploy of %s is not supported yet.", m.res["Type"])
	}
	body, _ := p["DefinitionBody"].(object)
	rest := object{"BinaryMediaTypes": p["BinaryMediaTypes"], "MinimumCompressionSize": p["MinimumCompressionSize"]}
	if truthy(p["EndpointConfiguration"]) {
		m.endpoint(rest, p["EndpointConfiguration"])
	}
	m.cors(body)
	m.auth(body)
	m.gatewayResponses(body)
	if truthy(p["BinaryMediaTypes"]) && body != nil {
		body[binaryTypes] = unescape(p["BinaryMediaTypes"])
	}
	m.models(body)
	if v := p["DisableExecuteApiEndpoint"]; v != nil {
		m.needsBody(body, "DisableExecuteApiEndpoint works only within 'DefinitionBody' property.")
		disableEndpoint(body, v)
	}
	var definition any
	switch {
	case truthy(p["DefinitionUri"]):
		if path, ok := m.t.localPath(p["DefinitionUri"]); ok {
			rest["BodyS3Location"], definition = path, path
			break
		}
		bucket, key, version := m.t.s3Object(m.id, m.id, p["DefinitionUri"], "DefinitionUri")
		at := object{"Bucket": bucket, "Key": key}
		if version != nil {
			at["Version"] = version
		}
		rest["BodyS3Location"], definition = at, at
	case len(body) > 0:
		finish(body, p["OpenApiVersion"])
		rest["Body"], definition = body, body
	}
	for _, name := range []string{"FailOnWarnings", "Name", "Description", "Mode", "ApiKeySourceType", "Policy", "SecurityPolicy", "EndpointAccessMode"} {
		rest[name] = or(p[name])
	}
	m.add(m.id, "AWS::ApiGateway::RestApi", m.own(), rest)
	stage := m.stage(definition)
	m.domain(stage)
	m.authorizerPermissions()
	m.usagePlan(stage)
	m.propagate()
}

// stage makes the deployment and the stage. A deployment is a snapshot, so that
// its logical id carries a hash of the definition.
func (m *macro) stage(definition any) string {
	p := m.props
	deployment := object{"RestApiId": ref(m.id)}
	if !truthy(p["OpenApiVersion"]) {
		deployment["StageName"] = "Stage"
	}
	id := m.id + "Deployment"
	if truthy(definition) {
		parts := []any{definition}
		if v := p["OpenApiVersion"]; truthy(v) {
			parts = append(parts, plain(v))
		}
		parts = append(parts, m.functionNames()...)
		sum := digest(parts)
		id += sum[:10]
		deployment["Description"] = "RestApi deployment id: " + sum
	}
	m.add(id, "AWS::ApiGateway::Deployment", m.passed(), deployment)
	name, _ := p["StageName"].(string)
	stage := hashed(m.id+"Stage", name)
	if alphanumeric(name) {
		stage = m.id + name + "Stage"
	}
	props := object{"RestApiId": ref(m.id), "DeploymentId": ref(id)}
	for _, same := range []string{"StageName", "CacheClusterEnabled", "CacheClusterSize", "Variables", "MethodSettings", "AccessLogSetting", "CanarySetting", "TracingEnabled"} {
		props[same] = p[same]
	}
	if tags, ok := p["Tags"].(object); ok {
		props["Tags"] = tagList(tags)
	}
	m.add(stage, "AWS::ApiGateway::Stage", m.passed(), props)
	return stage
}

// functionNames are the names of the functions behind the API: a function that is
// named anew is deployed anew.
func (m *macro) functionNames() []any {
	var out []any
	for _, id := range keys(m.t.src) {
		r, ok := m.t.src[id].(object)
		if kind, _ := typeOf(r); !ok || kind != prefix+"Function" {
			continue
		}
		props := properties(r)
		name := m.t.resolve(props["FunctionName"])
		events, _ := props["Events"].(object)
		for _, e := range keys(events) {
			ev, _ := events[e].(object)
			ep, _ := ev["Properties"].(object)
			if ev["Type"] == "Api" && apiOf(ep["RestApiId"]) == m.id && truthy(name) {
				out = append(out, name)
			}
		}
	}
	return out
}

func (m *macro) needsBody(body object, text string) {
	if len(body) == 0 {
		refuse(m.id, "%s", text)
	}
}

func (m *macro) endpoint(rest object, v any) {
	config, ok := v.(object)
	if !ok || !truthy(config["Type"]) {
		rest["EndpointConfiguration"], rest["Parameters"] = object{"Types": []any{v}}, object{"endpointConfigurationTypes": v}
		return
	}
	out := object{"Types": []any{config["Type"]}}
	_, upper := config["VPCEndpointIds"]
	_, mixed := config["VpcEndpointIds"]
	switch {
	case upper && mixed:
		refuse(m.id, "'VPCEndpointIds' and 'VpcEndpointIds' cannot be used together in EndpointConfiguration.")
	case upper:
		out["VpcEndpointIds"] = or(config["VPCEndpointIds"])
	case mixed:
		out["VpcEndpointIds"] = or(config["VpcEndpointIds"])
	}
	if v, has := config["IpAddressType"]; has {
		out["IpAddressType"] = v
	}
	rest["EndpointConfiguration"], rest["Parameters"] = out, object{"endpointConfigurationTypes": config["Type"]}
}

func (m *macro) cors(body object) {
	v := m.props["Cors"]
	if !truthy(v) {
		return
	}
	m.needsBody(body, "Cors works only with inline Swagger specified in 'DefinitionBody' property.")
	c := corsConfig{origin: v}
	if config, ok := v.(object); ok && !intrinsic(v) {
		for _, k := range keys(config) {
			if !strings.Contains(" AllowMethods AllowHeaders AllowOrigin MaxAge AllowCredentials ", " "+k+" ") {
				refuse(m.id, "Invalid key '%s' for 'Cors' property.", k)
			}
		}
		c = corsConfig{"'*'", config["AllowHeaders"], config["AllowMethods"], config["MaxAge"], config["AllowCredentials"]}
		if o, has := config["AllowOrigin"]; has {
			c.origin = o
		}
	}
	if !validDefinition(body) {
		refuse(m.id, "Unable to add Cors configuration because 'DefinitionBody' does not contain a valid Swagger definition.")
	}
	if c.credentials == true && c.origin == "'*'" {
		refuse(m.id, "Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is \"'*'\" or not set")
	}
	newEditor(body).cors(c)
}

func (m *macro) gatewayResponses(body object) {
	all, _ := m.props["GatewayResponses"].(object)
	if len(all) == 0 {
		return
	}
	m.needsBody(body, "GatewayResponses works only with inline Swagger specified in 'DefinitionBody' property.")
	out := child(body, gatewayAns)
	for _, kind := range keys(all) {
		r, ok := all[kind].(object)
		if intrinsic(all[kind]) {
			refuse(m.id, "Unable to set GatewayResponses attribute because intrinsic functions are not supported for this field.")
		}
		if !ok {
			refuse(m.id, "Invalid property type '%s' for GatewayResponses. Expected an object of type 'GatewayResponse'.", pythonType(all[kind]))
		}
		for _, k := range keys(r) {
			if k != "ResponseParameters" && k != "ResponseTemplates" && k != "StatusCode" {
				refuse(m.id, "Invalid property '%s' in 'GatewayResponses' property '%s'.", k, kind)
			}
		}
		params := object{}
		given, ok := r["ResponseParameters"].(object)
		if !ok && r["ResponseParameters"] != nil {
			refuse(m.id, "Property 'GatewayResponses.%s.ResponseParameters' should be a map.", kind)
		}
		for _, group := range keys(given) {
			where, ok := map[string]string{"Headers": "header.", "Paths": "path.", "QueryStrings": "querystring."}[group]
			if !ok {
				refuse(m.id, "Invalid gateway response parameter '%s'", group)
			}
			values, _ := given[group].(object)
			for k, v := range values {
				params["gatewayresponse."+where+k] = v
			}
		}
		one := object{"responseParameters": params, "responseTemplates": object{}}
		if v, ok := r["ResponseTemplates"].(object); ok {
			one["responseTemplates"] = v
		}
		if code := r["StatusCode"]; truthy(code) {
			text := plain(code)
			if text == "" || len(text) > 3 || strings.Trim(text, "0123456789") != "" {
				refuse(m.id, "Property 'StatusCode' must be numeric")
			}
			one["statusCode"] = text
		}
		out[kind] = one
	}
}

func (m *macro) models(body object) {
	models, _ := m.props["Models"].(object)
	if len(models) == 0 {
		return
	}
	m.needsBody(body, "Models works only with inline Swagger specified in 'DefinitionBody' property.")
	if !validDefinition(body) {
		refuse(m.id, "Unable to add Models definitions because 'DefinitionBody' does not contain a valid Swagger definition.")
	}
	out := child(body, "definitions")
	for _, name := range keys(models) {
		schema, ok := models[name].(object)
		if !ok {
			refuse(m.id, "Invalid value for 'Models' property")
		}
		if !truthy(schema["type"]) {
			panic(Problem{Text: "Structure of the SAM template is invalid. 'Models' schema is missing 'type'."})
		}
		out[strings.ToLower(name)] = schema
	}
	finish(body, m.props["OpenApiVersion"])
}

// unescape turns ~1 into / in media types, as JSON pointers write it.
func unescape(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "~1", "/")
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = unescape(x)
		}
		return out
	case object:
		out := make(object, len(v))
		for k, x := range v {
			out[strings.ReplaceAll(k, "~1", "/")] = unescape(x)
		}
		return out
	}
	return v
}

func disableEndpoint(body object, v any) {
	if !openAPI3(body["openapi"]) {
		child(body, endpointConf)["disableExecuteApiEndpoint"] = v
		return
	}
	servers, ok := body["servers"].([]any)
	if !ok {
		servers = []any{object{}}
		body["servers"] = servers
	}
	for _, s := range servers {
		if one, ok := s.(object); ok {
			child(one, endpointConf)["disableExecuteApiEndpoint"] = v
		}
	}
}
