package sam

import "strings"

// Kinds of values that a property takes; intrinsic functions are taken for all
// but those with a "!".
//
//	any str int bool map list  str|map  str|list
//
// A "*" before the name says that the property is required.
type propertyKinds map[string]string

var functionProperties = propertyKinds{
	"FunctionName": "str|map", "Handler": "any", "Runtime": "any", "CodeUri": "any", "ImageUri": "any", "PackageType": "any", "InlineCode": "any",
	"DeadLetterQueue": "map", "Description": "any", "MemorySize": "any", "Timeout": "any", "VpcConfig": "any", "Role": "str",
	"AssumeRolePolicyDocument": "map", "Policies": "str|map|list", "RolePath": "any", "PermissionsBoundary": "str", "Environment": "map",
	"Events": "map", "Tags": "map", "PropagateTags": "bool", "Tracing": "str|map", "KmsKeyArn": "any", "ReservedConcurrentExecutions": "any",
	"Layers": "list", "EphemeralStorage": "any", "AutoPublishAlias": "str", "AutoPublishCodeSha256": "str", "AutoPublishAliasAllProperties": "bool",
	"VersionDescription": "any", "ProvisionedConcurrencyConfig": "any", "FileSystemConfigs": "any", "ImageConfig": "any", "CodeSigningConfigArn": "any",
	"Architectures": "any", "SnapStart": "map", "FunctionUrlConfig": "map", "RuntimeManagementConfig": "any", "LoggingConfig": "any",
	"RecursiveLoop": "any", "SourceKMSKeyArn": "any", "VersionDeletionPolicy": "str", "PublishToLatestPublished": "any", "TenancyConfig": "any",
	"DurableConfig": "map", "DeploymentPreference": "map", "CapacityProviderConfig": "map", "FunctionScalingConfig": "any", "EventInvokeConfig": "map",
}

var apiProperties = propertyKinds{
	managed: "bool", "Name": "str|map", "*StageName": "str|map", "Tags": "map", "PropagateTags": "bool", "DefinitionBody": "map",
	"DefinitionUri": "str|map", "MergeDefinitions": "bool", "CacheClusterEnabled": "bool", "CacheClusterSize": "str", "Variables": "map",
	"EndpointConfiguration": "str|map", "MethodSettings": "list", "BinaryMediaTypes": "list", "MinimumCompressionSize": "int", "Cors": "str|map",
	"Auth": "map", "GatewayResponses": "map", "AccessLogSetting": "map", "CanarySetting": "map", "TracingEnabled": "bool", "OpenApiVersion": "str",
	"Models": "map", "FailOnWarnings": "bool", "Description": "str", "Mode": "str", "DisableExecuteApiEndpoint": "bool",
	"ApiKeySourceType": "str", "Policy": "str|map", "SecurityPolicy": "str", "EndpointAccessMode": "str", "Domain": "map",
}

var httpAPIProperties = propertyKinds{
	managed: "bool", "Name": "any", "StageName": "str|map", "Tags": "map", "DefinitionBody": "map", "DefinitionUri": "str|map", "StageVariables": "map",
	"CorsConfiguration": "bool|map", "AccessLogSettings": "map", "DefaultRouteSettings": "map", "Auth": "map", "RouteSettings": "map", "Domain": "map",
	"FailOnWarnings": "bool", "Description": "str", "DisableExecuteApiEndpoint": "bool", "PropagateTags": "bool",
}

var connectorProperties = propertyKinds{"*Source": "map", "*Destination": "map|list", "*Permissions": "list"}

var tableProperties = propertyKinds{
	"PointInTimeRecoverySpecification": "any", "PrimaryKey": "map", "ProvisionedThroughput": "map", "TableName": "str|map", "Tags": "map", "SSESpecification": "map",
}

var layerProperties = propertyKinds{
	"LayerName": "str|map", "Description": "str", "PublishLambdaVersion": "bool", "*ContentUri": "str|map", "CompatibleArchitectures": "list",
	"CompatibleRuntimes": "list", "LicenseInfo": "str", "RetentionPolicy": "str",
}

// later are the properties of SAM that are not supported yet, as opposed to those
// that SAM does not know.
var later = map[string]string{
	"AlwaysDeploy": "Api",
}

// check refuses properties that are unknown, missing or of the wrong type.
func (m *macro) check(kinds propertyKinds) {
	kind := m.res["Type"].(string)
	for _, name := range keys(m.props) {
		k, ok := kinds[name]
		if !ok {
			k, ok = kinds["*"+name]
		}
		if !ok {
			if strings.Contains(" "+later[name]+" ", " "+strings.TrimPrefix(kind, prefix)+" ") {
				refuseProperty(m.id, name, "property %s of %s is not supported yet.", name, kind)
			}
			refuseProperty(m.id, name, "property %s not defined for resource of type %s", name, kind)
		}
		if v := m.props[name]; v != nil && !intrinsic(v) && !fits(v, k) {
			refuseProperty(m.id, name, "Type of property '%s' is invalid.", name)
		}
	}
	for name := range kinds {
		if name, required := strings.CutPrefix(name, "*"); required && m.props[name] == nil {
			refuse(m.id, "Missing required property '%s'.", name)
		}
	}
}

func fits(v any, kinds string) bool {
	for _, k := range strings.Split(kinds, "|") {
		switch v.(type) {
		case object:
			if k == "map" || k == "any" {
				return true
			}
		case []any:
			if k == "list" || k == "any" {
				return true
			}
		case string:
			if k == "str" || k == "any" {
				return true
			}
		case bool:
			if k == "bool" || k == "any" || k == "int" {
				return true
			}
		case int64:
			if k == "int" || k == "any" {
				return true
			}
		default:
			if k == "any" {
				return true
			}
		}
	}
	return false
}
