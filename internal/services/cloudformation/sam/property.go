package sam

import (
	"sort"
	"strings"
)

// propertyKinds says of what kind the value of each property has to be:
//
//	any str int bool map list  of that type
//	strs items maps            a list of strings, of strings or maps, of maps
//	table records              a map of anything, a map of maps
//	str|map                    one of several kinds
//
// A "*" before the name says that the property is required ("**": it is missed
// before others), a "!" before the kind that no intrinsic function is taken for the
// value.
type propertyKinds map[string]string

var functionProperties = propertyKinds{
	"FunctionName": "str|map", "Handler": "any", "Runtime": "any", "CodeUri": "any", "ImageUri": "any", "PackageType": "any", "InlineCode": "any",
	"DeadLetterQueue": "map", "Description": "any", "MemorySize": "any", "Timeout": "any", "VpcConfig": "any", "Role": "str",
	"AssumeRolePolicyDocument": "map", "Policies": "str|map|items", "RolePath": "any", "PermissionsBoundary": "str", "Environment": "table",
	"Events": "records", "Tags": "map", "PropagateTags": "bool", "Tracing": "str|map", "KmsKeyArn": "any", "ReservedConcurrentExecutions": "any",
	"Layers": "items", "EphemeralStorage": "any", "AutoPublishAlias": "str|", "AutoPublishCodeSha256": "str|", "AutoPublishAliasAllProperties": "!bool",
	"VersionDescription": "any", "ProvisionedConcurrencyConfig": "any", "FileSystemConfigs": "any", "ImageConfig": "any", "CodeSigningConfigArn": "any",
	"Architectures": "any", "SnapStart": "map", "FunctionUrlConfig": "map", "RuntimeManagementConfig": "any", "LoggingConfig": "any",
	"RecursiveLoop": "any", "SourceKMSKeyArn": "any", "VersionDeletionPolicy": "any", "PublishToLatestPublished": "any", "TenancyConfig": "any",
	"DurableConfig": "map", "DeploymentPreference": "map", "CapacityProviderConfig": "map", "FunctionScalingConfig": "map", "EventInvokeConfig": "map",
}

var apiProperties = propertyKinds{
	managed: "any", "Name": "str|map", "*StageName": "str|map", "Tags": "map", "PropagateTags": "bool", "DefinitionBody": "map",
	"DefinitionUri": "str|map", "MergeDefinitions": "!bool", "CacheClusterEnabled": "bool", "CacheClusterSize": "str", "Variables": "map",
	"EndpointConfiguration": "str|map", "MethodSettings": "list", "BinaryMediaTypes": "list", "MinimumCompressionSize": "int", "Cors": "str|map",
	"Auth": "map", "GatewayResponses": "map", "AccessLogSetting": "map", "CanarySetting": "map", "TracingEnabled": "bool", "OpenApiVersion": "str",
	"Models": "map", "FailOnWarnings": "bool", "Description": "str", "Mode": "str", "DisableExecuteApiEndpoint": "bool",
	"ApiKeySourceType": "str", "Policy": "str|map", "SecurityPolicy": "str", "EndpointAccessMode": "str", "Domain": "map", "AlwaysDeploy": "!bool",
}

var httpAPIProperties = propertyKinds{
	managed: "any", "Name": "any", "StageName": "str|map", "Tags": "map", "DefinitionBody": "map", "DefinitionUri": "str|map", "StageVariables": "map",
	"CorsConfiguration": "bool|map", "AccessLogSettings": "map", "DefaultRouteSettings": "map", "Auth": "map", "RouteSettings": "map", "Domain": "map",
	"FailOnWarnings": "bool", "Description": "str", "DisableExecuteApiEndpoint": "bool", "PropagateTags": "bool",
}

var connectorProperties = propertyKinds{"**Source": "table", "*Destination": "map|maps", "*Permissions": "strs"}

var tableProperties = propertyKinds{
	"PointInTimeRecoverySpecification": "any", "PrimaryKey": "table", "ProvisionedThroughput": "table", "TableName": "str|map", "Tags": "map", "SSESpecification": "map",
}

var layerProperties = propertyKinds{
	"LayerName": "str|map", "Description": "str", "PublishLambdaVersion": "bool", "*ContentUri": "str|map", "CompatibleArchitectures": "items",
	"CompatibleRuntimes": "items", "LicenseInfo": "str", "RetentionPolicy": "str",
}

// check refuses properties that are unknown, missing or of the wrong kind.
func (m *macro) check(kinds propertyKinds) {
	kinds.check(m.props, m.res["Type"].(string), func(name, text string) { refuseProperty(m.id, name, "%s", text) })
}

func (kinds propertyKinds) check(props object, of string, refuse func(name, text string)) {
	for _, name := range keys(props) {
		k, ok := kinds[name]
		if !ok {
			if k, ok = kinds["*"+name]; !ok {
				k, ok = kinds["**"+name]
			}
			if !ok {
				refuse(name, "property "+name+" not defined for resource of type "+of)
			}
		}
		k, plain := strings.CutPrefix(k, "!")
		if v := props[name]; v == nil || fits(v, k) || !plain && computed(v) {
			continue
		}
		switch k {
		case "str":
			refuse(name, "Property '"+name+"' should be a string.")
		case "map":
			refuse(name, "Property '"+name+"' should be a map.")
		}
		refuse(name, "Type of property '"+name+"' is invalid.")
	}
	for _, name := range kinds.required() {
		if props[name] == nil {
			refuse("", "Missing required property '"+name+"'.")
		}
	}
}

// required are the names of the properties that have to be there, in the order in
// which they are missed.
func (kinds propertyKinds) required() []string {
	var out []string
	for name := range kinds {
		if name[0] == '*' {
			out = append(out, name)
		}
	}
	sort.Strings(out) // "**" comes before "*"
	for i := range out {
		out[i] = strings.TrimLeft(out[i], "*")
	}
	return out
}

// computed reports what may be an intrinsic function: only CloudFormation knows
// all of them.
func computed(v any) bool {
	m, ok := v.(object)
	return ok && len(m) == 1
}

func fits(v any, kinds string) bool {
	for _, k := range strings.Split(kinds, "|") {
		if k == "any" || fitsOne(v, k) {
			return true
		}
	}
	return false
}

func fitsOne(v any, kind string) bool {
	switch v := v.(type) {
	case object:
		return kind == "map" || kind == "table" || kind == "records" && all(v, "map")
	case []any:
		switch kind {
		case "list":
			return true
		case "strs", "items", "maps":
			for _, x := range v {
				_, str := x.(string)
				_, isMap := x.(object)
				if !(str && kind != "maps" || isMap && kind != "strs") {
					return false
				}
			}
			return true
		}
	case string:
		return kind == "str"
	case bool:
		return kind == "bool" || kind == "int"
	case int64:
		return kind == "int"
	}
	return false
}

func all(m object, kind string) bool {
	for _, v := range m {
		if !fitsOne(v, kind) {
			return false
		}
	}
	return true
}
