package sam

import "strings"

// globalNames are the properties that the Globals section may set, by type.
var globalNames = map[string]string{
	"Function": "Handler Runtime CodeUri DeadLetterQueue Description MemorySize Timeout VpcConfig Environment Tags PropagateTags Tracing KmsKeyArn " +
		"AutoPublishAlias AutoPublishAliasAllProperties Layers DeploymentPreference RolePath PermissionsBoundary ReservedConcurrentExecutions " +
		"ProvisionedConcurrencyConfig AssumeRolePolicyDocument EventInvokeConfig FileSystemConfigs CodeSigningConfigArn Architectures SnapStart " +
		"EphemeralStorage FunctionUrlConfig RuntimeManagementConfig LoggingConfig RecursiveLoop SourceKMSKeyArn TenancyConfig DurableConfig " +
		"CapacityProviderConfig FunctionScalingConfig PublishToLatestPublished VersionDeletionPolicy",
	"Api": "Auth Name DefinitionUri CacheClusterEnabled CacheClusterSize MergeDefinitions Variables EndpointConfiguration MethodSettings BinaryMediaTypes " +
		"MinimumCompressionSize Cors GatewayResponses AccessLogSetting CanarySetting TracingEnabled OpenApiVersion Domain AlwaysDeploy PropagateTags " +
		"SecurityPolicy EndpointAccessMode",
	"HttpApi":      "Auth AccessLogSettings StageVariables Tags CorsConfiguration DefaultRouteSettings Domain RouteSettings FailOnWarnings PropagateTags",
	"SimpleTable":  "SSESpecification",
	"StateMachine": "PropagateTags",
	"LayerVersion": "PublishLambdaVersion",
	"WebSocketApi": "AccessLogSettings ApiKeySelectionExpression DefaultRouteSettings DisableExecuteApiEndpoint DisableSchemaValidation Domain " +
		"FailOnWarnings IpAddressType PropagateTags RouteSelectionExpression RouteSettings StageVariables Tags",
	"CapacityProvider": "VpcConfig OperatorRole Tags InstanceRequirements ScalingConfig KmsKeyArn PropagateTags",
}

// globals merges the Globals section into the resources: maps are merged, lists
// joined, and otherwise a resource's own value wins.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
func (t *transform) globals() {
	section, has := t.doc["Globals"]
	if !has {
		t.openAPI()
		return
	}
	all, ok := section.(object)
	if !ok {
		panic(Problem{Text: "'Globals' section is invalid. It must be a non-empty dictionary"})
	}
	for _, kind := range t.keys(all, "Globals") {
		names, known := globalNames[kind]
		if !known {
			panic(Problem{Text: "'Globals' section is invalid. '" + kind + "' is not supported. Must be one of the following values - ['Api', 'CapacityProvider', 'Function', 'HttpApi', 'LayerVersion', 'SimpleTable', 'StateMachine', 'WebSocketApi']"})
		}
		values, ok := all[kind].(object)
		if !ok {
			panic(Problem{Text: "'Globals' section is invalid. Value of ${section} must be a dictionary"})
		}
		for _, name := range t.keys(values, "Globals", kind) {
			if !strings.Contains(" "+names+" ", " "+name+" ") {
				panic(Problem{Text: "'Globals' section is invalid. '" + name + "' is not a supported property of '" + kind + "'. Must be one of the following values - ['" + strings.Join(strings.Fields(names), "', '") + "']"})
			}
		}
	}
	for _, id := range t.ids() {
		r, _ := t.src[id].(object)
		kind, _ := typeOf(r)
		values, ok := all[strings.TrimPrefix(kind, prefix)].(object)
		if ok && strings.HasPrefix(kind, prefix) {
			shared := globalsFor(id, r, values)
			if kind == prefix+"Function" && properties(r)["Architectures"] != nil {
				delete(shared, "Architectures") // a function has one: the lists are not joined
			}
			r["Properties"] = merge(shared, properties(r))
		}
	}
	for _, r := range t.src {
		if m, ok := r.(object); ok {
			delete(m, "IgnoreGlobals")
		}
	}
	t.openAPI()
}

// globalsFor leaves out what a resource ignores: all ("*") or the properties it lists.
func globalsFor(id string, r, values object) object {
	out := clone(values).(object)
	ignore := r["IgnoreGlobals"]
	if !truthy(ignore) {
		return out
	}
	if ignore == "*" {
		return object{}
	}
	list, ok := ignore.([]any)
	if !ok {
		refuse(id, "Resource %s has invalid resource attribute 'IgnoreGlobals'.", id)
	}
	for _, n := range list {
		name, _ := n.(string)
		if _, has := out[name]; !has {
			refuse(id, "Resource %s has invalid resource attribute 'IgnoreGlobals' on item '%s'.", id, plain(n))
		}
		delete(out, name)
	}
	return out
}

func merge(global, local any) any {
	if intrinsic(global) || intrinsic(local) {
		return local
	}
	switch l := local.(type) {
	case object:
		g, ok := global.(object)
		if !ok {
			return local
		}
		out := clone(g).(object)
		for k, v := range l {
			if old, both := out[k]; both {
				out[k] = merge(old, v)
			} else {
				out[k] = v
			}
		}
		return out
	case []any:
		if g, ok := global.([]any); ok {
			return append(clone(g).([]any), l...)
		}
	}
	return local
}

// openAPI turns the definitions that the transform manages into OpenAPI 3 where
// OpenApiVersion asks for it.
func (t *transform) openAPI() {
	for _, r := range t.src {
		if kind, _ := typeOf(r); kind != prefix+"Api" {
			continue
		}
		props := properties(r.(object))
		v, has := props["OpenApiVersion"]
		if _, mine := props[managed]; !has || !mine || !openAPI3(v) {
			continue
		}
		props["OpenApiVersion"] = plain(v)
		if body, ok := props["DefinitionBody"].(object); ok {
			body["openapi"] = props["OpenApiVersion"]
			delete(body, "swagger")
		}
	}
}
