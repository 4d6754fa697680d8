package sam

import (
	"fmt"
	"strings"
)

const graphQLProperties propertyKinds = "Name=any Tags=any XrayEnabled=any *Auth=any SchemaInline=any SchemaUri=any Logging=bool|map DataSources=any Functions=any Resolvers=any " +
	"ApiKeys=any DomainName=any Cache=any Visibility=any OwnerContact=any IntrospectionConfig=any QueryDepthLimit=any ResolverCountLimit=any"

// graphQLShape is what the properties look like inside.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-graphqlapi.html
func graphQLShape() shape {
	runtime := recordOf("*Name", "*Version")
	sync := recordOf("ConflictDetection", "ConflictHandler", "LambdaConflictHandlerConfig").with("LambdaConflictHandlerConfig", recordOf("*LambdaConflictHandlerArn"))
	provider := func(more ...string) shape {
		return recordOf(append([]string{"*Type", "LambdaAuthorizer", "OpenIDConnect", "UserPool"}, more...)...).
			with("Type", shape{kind: text}).
			with("LambdaAuthorizer", recordOf("AuthorizerResultTtlInSeconds", "*AuthorizerUri", "IdentityValidationExpression")).
			with("OpenIDConnect", recordOf("AuthTTL", "ClientId", "IatTTL", "Issuer")).
			with("UserPool", recordOf("AppIdClientRegex", "AwsRegion", "DefaultAction", "*UserPoolId"))
	}
	permissions := listOf(oneOf("Read", "Write"))
	return recordOf("*Auth", "Tags", "Name", "XrayEnabled", "SchemaInline", "SchemaUri", "Logging", "DataSources", "Functions", "Resolvers", "ApiKeys", "DomainName",
		"Cache", "Visibility", "OwnerContact", "IntrospectionConfig", "QueryDepthLimit", "ResolverCountLimit").
		with("Auth", provider("Additional").with("Additional", listOf(provider()))).
		with("XrayEnabled", shape{kind: truth}).
		with("DataSources", recordOf("DynamoDb", "Lambda").
			with("DynamoDb", tableOf(recordOf("*TableName", "ServiceRoleArn", "TableArn", "Permissions", "Name", "Description", "Region", "DeltaSync", "UseCallerCredentials", "Versioned").
				with("Permissions", permissions).with("DeltaSync", recordOf("*BaseTableTTL", "*DeltaSyncTableName", "*DeltaSyncTableTTL")))).
			with("Lambda", tableOf(recordOf("*FunctionArn", "ServiceRoleArn", "Name", "Description")))).
		with("Functions", tableOf(recordOf("DataSource", "Runtime", "InlineCode", "CodeUri", "Description", "MaxBatchSize", "Name", "Id", "Sync").
			with("Runtime", runtime).with("Sync", sync))).
		with("Resolvers", tableOf(tableOf(recordOf("FieldName", "InlineCode", "CodeUri", "MaxBatchSize", "Pipeline", "Runtime", "Sync", "Caching").
			with("Pipeline", listOf(shape{kind: text})).with("Runtime", runtime).with("Sync", sync).with("Caching", recordOf("*Ttl", "CachingKeys"))))).
		with("ApiKeys", tableOf(recordOf("ApiKeyId", "Description", "ExpiresOn"))).
		with("DomainName", recordOf("*CertificateArn", "*DomainName", "Description")).
		with("Cache", recordOf("*ApiCachingBehavior", "*Ttl", "*Type", "AtRestEncryptionEnabled", "TransitEncryptionEnabled"))
}

// graphQL is AWS::Serverless::GraphQLApi.
func (m *macro) graphQL() {
	p := m.props
	for _, k := range []string{"SchemaInline", "SchemaUri"} {
		if _, ok := p[k].(string); !ok && p[k] != nil {
			refuseProperty(m.id, k, "Property '%s' should be a string.", k)
		}
	}
	for _, k := range []string{"Auth", "Tags", "DataSources", "Functions", "Resolvers", "ApiKeys", "DomainName", "Cache"} {
		if _, ok := p[k].(object); !ok && p[k] != nil {
			refuseProperty(m.id, k, "Property '%s' should be a map.", k)
		}
	}
	for _, f := range graphQLShape().flaws("", p) {
		refuse(m.id, "Property '%s' is invalid.", f.path)
	}
	g := &graph{macro: m, api: getAtt(m.id, "ApiId"), sources: map[string]string{}, functions: map[string]any{}}
	tags, _ := p["Tags"].(object)
	props := pick(p, "XrayEnabled", "Visibility", "OwnerContact", "IntrospectionConfig", "QueryDepthLimit", "ResolverCountLimit")
	props["Tags"] = append(tagList(tags), object{"Key": "graphqlapi:createdBy", "Value": "SAM"})
	if props["Name"] = p["Name"]; !truthy(p["Name"]) {
		props["Name"] = m.id
	}
	g.auth(props)
	g.logging(props)
	g.make("", "GraphQLApi", props)
	g.schema()
	g.cache()
	g.domainName()
	keysOf, _ := p["ApiKeys"].(object)
	for _, name := range keys(keysOf) {
		k := keysOf[name].(object)
		g.make(name, "ApiKey", object{"ApiId": g.api, "ApiKeyId": k["ApiKeyId"], "Description": k["Description"], "Expires": k["ExpiresOn"]})
	}
	g.dataSources()
	g.pipelineFunctions()
	g.resolvers()
}

// graph is the work on one GraphQL API.
type graph struct {
	*macro
	api object
	// sources maps the names of data sources to their logical ids.
	sources map[string]string
	// functions maps the names of functions to their ids in the service.
	functions map[string]any
}

// make adds a resource of AppSync.
func (g *graph) make(suffix, kind string, props object) string {
	id := g.id + suffix
	if letters(id) != id {
		refuse(id, "Logical ids must be alphanumeric.")
	}
	g.add(id, "AWS::AppSync::"+kind, g.own(), props)
	return id
}

// serve makes a role for AppSync.
func (g *graph) serve(suffix string, policies ...any) object {
	props := object{"AssumeRolePolicyDocument": trust("appsync.amazonaws.com")}
	if len(policies) > 0 {
		props["ManagedPolicyArns"] = policies
	}
	g.add(g.id+suffix, "AWS::IAM::Role", g.own(), props)
	return getAtt(g.id+suffix, "Arn")
}

// link connects two of the API's resources as a connector does.
func (g *graph) link(name string, source, destination object, permissions ...any) {
	c := &macro{t: g.t, id: g.id + name, res: object{}, props: object{"Permissions": permissions}, made: map[string]string{}}
	end := func(which string, v object) end {
		return end{which: which, given: v, kind: v["Type"].(string), t: g.t}
	}
	c.connect(end("Source", source), end("Destination", destination), "")
}

func (g *graph) auth(props object) {
	auth := g.props["Auth"].(object)
	authorizers := 0
	provider := func(p object, first bool) object {
		kind := p["Type"]
		out := object{"AuthenticationType": kind}
		for _, x := range [][3]string{
			{"AWS_LAMBDA", "LambdaAuthorizer", "LambdaAuthorizerConfig"},
			{"OPENID_CONNECT", "OpenIDConnect", "OpenIDConnectConfig"},
			{"AMAZON_COGNITO_USER_POOLS", "UserPool", "UserPoolConfig"},
		} {
			if kind != x[0] {
				continue
			}
			config, ok := p[x[1]].(object)
			if !ok {
				refuseProperty(g.id, "Auth", "'%s' must be defined if type is '%s'.", x[1], x[0])
			}
			config = clone(config).(object)
			if !first {
				delete(config, "DefaultAction")
			}
			out[x[2]] = config
			if kind == "AWS_LAMBDA" {
				authorizers++
				g.link(fmt.Sprintf("ToLambdaAuthConnector%d", authorizers),
					object{"Type": "AWS::AppSync::GraphQLApi", "ResourceId": g.api},
					object{"Type": "AWS::Lambda::Function", "Arn": config["AuthorizerUri"]}, "Write")
			}
		}
		return out
	}
	const kinds = " AWS_IAM API_KEY AWS_LAMBDA OPENID_CONNECT AMAZON_COGNITO_USER_POOLS "
	check := func(p object, path string) {
		if !strings.Contains(kinds, " "+plain(p["Type"])+" ") {
			refuseProperty(g.id, "Auth", "Property '%s' is invalid.", path)
		}
	}
	additional, _ := auth["Additional"].([]any)
	check(auth, "Auth.Type")
	for i, x := range additional {
		check(x.(object), fmt.Sprintf("Auth.Additional.%d.Type", i))
	}
	for k, v := range provider(auth, true) {
		props[k] = v
	}
	var more []any
	for _, x := range additional {
		more = append(more, provider(x.(object), false))
	}
	if more != nil {
		props["AdditionalAuthenticationProviders"] = more
	}
}

func (g *graph) logging(props object) {
	config := object{}
	switch v := g.props["Logging"].(type) {
	case bool:
		if !v {
			return
		}
	case object:
		config = clone(v).(object)
	}
	if config["FieldLogLevel"] == nil {
		config["FieldLogLevel"] = "ALL"
	}
	if config["CloudWatchLogsRoleArn"] == nil {
		config["CloudWatchLogsRoleArn"] = g.serve("CloudWatchRole", sub("arn:${AWS::Partition}:iam::aws:policy/service-role/AWSAppSyncPushToCloudWatchLogs", nil))
	}
	props["LogConfig"] = config
}

// oneText refuses both or none of an inline text and its location, and enters
// that which is there.
func (g *graph) oneText(id string, from object, inline, uri string, props object, property string) {
	switch {
	case truthy(from[inline]) && truthy(from[uri]):
		refuse(id, "Both '%s' and '%s' cannot be defined at the same time.", inline, uri)
	case truthy(from[inline]):
		props[property] = from[inline]
	case truthy(from[uri]):
		props[property+"S3Location"] = from[uri]
	default:
		refuse(id, "One of '%s' or '%s' must be set.", inline, uri)
	}
}

func (g *graph) schema() {
	props := object{"ApiId": g.api}
	g.oneText(g.id, g.props, "SchemaInline", "SchemaUri", props, "Definition")
	g.make("Schema", "GraphQLSchema", props)
}

func (g *graph) cache() {
	if c, ok := g.props["Cache"].(object); ok {
		props := clone(c).(object)
		props["ApiId"] = g.api
		g.make("ApiCache", "ApiCache", props)
	}
}

func (g *graph) domainName() {
	if d, ok := g.props["DomainName"].(object); ok {
		id := g.make("DomainName", "DomainName", clone(d).(object))
		g.make("DomainNameApiAssociation", "DomainNameApiAssociation", object{"ApiId": g.api, "DomainName": ref(id)})
	}
}

func (g *graph) dataSources() {
	all, _ := g.props["DataSources"].(object)
	tables, _ := all["DynamoDb"].(object)
	for _, name := range keys(tables) {
		d := tables[name].(object)
		region := d["Region"]
		if !truthy(region) {
			region = ref("AWS::Region")
		}
		config := object{"AwsRegion": region, "TableName": d["TableName"]}
		for from, to := range map[string]string{"UseCallerCredentials": "UseCallerCredentials", "Versioned": "Versioned", "DeltaSync": "DeltaSyncConfig"} {
			if d[from] != nil {
				config[to] = d[from]
			}
		}
		arn := d["TableArn"]
		if !truthy(arn) {
			arn = sub("arn:${AWS::Partition}:dynamodb:${__Region__}:${AWS::AccountId}:table/${__TableName__}", object{"__TableName__": d["TableName"], "__Region__": region})
		}
		permissions, _ := d["Permissions"].([]any)
		if len(permissions) == 0 {
			permissions = []any{"Read", "Write"}
		}
		g.dataSource(name, "DynamoDBDataSource", "ToTableConnector", d, object{"Type": "AMAZON_DYNAMODB", "DynamoDBConfig": config},
			object{"Type": "AWS::DynamoDB::Table", "Arn": arn}, permissions...)
	}
	functions, _ := all["Lambda"].(object)
	for _, name := range keys(functions) {
		d := functions[name].(object)
		g.dataSource(name, "LambdaDataSource", "ToLambdaConnector", d, object{"Type": "AWS_LAMBDA", "LambdaConfig": object{"LambdaFunctionArn": d["FunctionArn"]}},
			object{"Type": "AWS::Lambda::Function", "Arn": d["FunctionArn"]}, "Write")
	}
}

func (g *graph) dataSource(name, suffix, connector string, d, props, destination object, permissions ...any) {
	suffix = name + suffix
	props["ApiId"], props["Description"], props["Name"] = g.api, d["Description"], d["Name"]
	if !truthy(props["Name"]) {
		props["Name"] = name
	}
	if props["ServiceRoleArn"] = d["ServiceRoleArn"]; !truthy(props["ServiceRoleArn"]) {
		props["ServiceRoleArn"] = g.serve(suffix + "Role")
		g.link(suffix+connector, object{"Type": "AWS::AppSync::DataSource", "RoleName": ref(g.id + suffix + "Role")}, destination, permissions...)
	}
	id := g.make(suffix, "DataSource", props)
	if g.sources[name] == "" {
		g.sources[name] = id
	}
}

func runtimeOf(v any) any {
	r, ok := v.(object)
	if !ok {
		return nil
	}
	return object{"Name": r["Name"], "RuntimeVersion": r["Version"]}
}

func (g *graph) pipelineFunctions() {
	all, _ := g.props["Functions"].(object)
	for _, name := range keys(all) {
		f := all[name].(object)
		if id := f["Id"]; truthy(id) {
			if len(f) > 1 {
				refuse(name, "'Id' cannot be defined with other properties in Function.")
			}
			g.functions[name] = id
			continue
		}
		props := object{"ApiId": g.api, "Name": f["Name"], "Description": f["Description"], "MaxBatchSize": f["MaxBatchSize"], "SyncConfig": f["Sync"], "Runtime": runtimeOf(f["Runtime"])}
		if !truthy(props["Name"]) {
			props["Name"] = name
		}
		g.oneText(name, f, "InlineCode", "CodeUri", props, "Code")
		if f["Runtime"] == nil {
			refuse(name, "'Runtime' must be defined as a property in %s.", name)
		}
		props["DataSourceName"] = g.sourceOf(name, f["DataSource"])
		g.functions[name] = getAtt(g.make(name, "FunctionConfiguration", props), "FunctionId")
	}
}

// sourceOf returns the name of a function's data source: one of the API's, one that
// does nothing ("None"), or one of elsewhere.
func (g *graph) sourceOf(function string, v any) any {
	name, ok := v.(string)
	switch {
	case !truthy(v):
		refuse(function, "'DataSource' must be set.")
	case !ok:
		return v
	case g.sources[name] != "":
		return getAtt(g.sources[name], "Name")
	case strings.EqualFold(name, "none"):
		id := g.id + "NoneDataSource"
		if g.t.out[id] == nil {
			g.make("NoneDataSource", "DataSource", object{"ApiId": g.api, "Name": id, "Type": "NONE"})
		}
		return getAtt(id, "Name")
	}
	refuse(function, "Either define DataSource '%s' in 'DataSources' or use intrinsic function like GetAtt, ImportValue, Sub or another one to reference a DataSource defined outside of this GraphQLApi resource.", name)
	return nil
}

// through is what a resolver does that has no code of its own: nothing besides its
// functions.
const through = "\nexport function request(ctx) {\n    return {};\n}\n\nexport function response(ctx) {\n    return ctx.prev.result;\n}\n"

func (g *graph) resolvers() {
	all, _ := g.props["Resolvers"].(object)
	for _, kind := range keys(all) {
		fields := all[kind].(object)
		for _, name := range keys(fields) {
			r := fields[name].(object)
			pipeline, _ := r["Pipeline"].([]any)
			if len(pipeline) == 0 {
				refuse(name, "Resolver '%s' must have Pipeline defined. Unit resolvers are not supported. If you need a Unit resolver you can use AppSync resource.", name)
			}
			var functions []any
			for _, f := range pipeline {
				id := g.functions[f.(string)]
				if id == nil {
					refuse(name, "Function '%s' does not exist.", f)
				}
				functions = append(functions, id)
			}
			props := object{
				"ApiId": g.api, "TypeName": kind, "FieldName": r["FieldName"], "Kind": "PIPELINE", "PipelineConfig": object{"Functions": functions},
				"MaxBatchSize": r["MaxBatchSize"], "SyncConfig": r["Sync"], "CachingConfig": r["Caching"], "Runtime": runtimeOf(r["Runtime"]),
			}
			if !truthy(props["FieldName"]) {
				props["FieldName"] = name
			}
			if !truthy(r["InlineCode"]) && !truthy(r["CodeUri"]) {
				props["Code"], props["Runtime"] = through, object{"Name": "APPSYNC_JS", "RuntimeVersion": "1.0.0"}
			} else {
				g.oneText(name, r, "InlineCode", "CodeUri", props, "Code")
				if r["Runtime"] == nil {
					refuse(name, "'Runtime' must be defined as a property in %s.", name)
				}
			}
			id := g.make(kind+name, "Resolver", props)
			g.t.out[id].(object)["DependsOn"] = []any{g.id + "Schema"}
		}
	}
}
