package sam

import "strings"

// propertyKinds says of what kind the value of each property has to be, in the order
// in which they are looked at:
//
//	any str int bool map list  of that type
//	strs items maps            a list of strings, of strings or maps, of maps
//	table strings records      a map of anything, of strings, of maps
//	enum:A:B                   one of these strings
//	str|map                    one of several kinds
//
// A "*" before the name says that the property is required, a "!" before the kind
// that no intrinsic function is taken for the value.
type propertyKinds string

const functionProperties propertyKinds = "FunctionName=str|map Handler=any Runtime=any CodeUri=any ImageUri=any PackageType=any InlineCode=any DeadLetterQueue=map Description=any " +
	"MemorySize=any Timeout=any VpcConfig=any Role=str AssumeRolePolicyDocument=map Policies=str|map|items RolePath=any PermissionsBoundary=str " +
	"Environment=table Events=records Tags=map PropagateTags=bool Tracing=str|map KmsKeyArn=any DeploymentPreference=map " +
	"ReservedConcurrentExecutions=any Layers=items EventInvokeConfig=map EphemeralStorage=any AutoPublishAlias=str| AutoPublishCodeSha256=str| " +
	"AutoPublishAliasAllProperties=!bool VersionDescription=any ProvisionedConcurrencyConfig=any FileSystemConfigs=any ImageConfig=any " +
	"CodeSigningConfigArn=any Architectures=any SnapStart=map FunctionUrlConfig=map RuntimeManagementConfig=any LoggingConfig=any " +
	"RecursiveLoop=any SourceKMSKeyArn=any CapacityProviderConfig=map FunctionScalingConfig=map VersionDeletionPolicy=enum:Delete:Retain " +
	"PublishToLatestPublished=any TenancyConfig=any DurableConfig=map"

const apiProperties propertyKinds = "__MANAGE_SWAGGER=any Name=str|map *StageName=str|map Tags=map PropagateTags=bool DefinitionBody=map DefinitionUri=str|map " +
	"MergeDefinitions=!bool CacheClusterEnabled=bool CacheClusterSize=str Variables=map EndpointConfiguration=str|map MethodSettings=list " +
	"BinaryMediaTypes=list MinimumCompressionSize=int Cors=str|map Auth=map GatewayResponses=map AccessLogSetting=map CanarySetting=map " +
	"TracingEnabled=bool OpenApiVersion=str Models=map Domain=map FailOnWarnings=bool Description=str Mode=str DisableExecuteApiEndpoint=bool " +
	"ApiKeySourceType=str AlwaysDeploy=!bool Policy=str|map SecurityPolicy=str EndpointAccessMode=str"

const httpAPIProperties propertyKinds = "__MANAGE_SWAGGER=any Name=any StageName=str|map Tags=map PropagateTags=bool DefinitionBody=map DefinitionUri=str|map StageVariables=map " +
	"CorsConfiguration=bool|map AccessLogSettings=map DefaultRouteSettings=map Auth=map RouteSettings=map Domain=map FailOnWarnings=bool " +
	"Description=str DisableExecuteApiEndpoint=bool"

const connectorProperties propertyKinds = "*Source=table *Destination=map|maps *Permissions=strs"

const tableProperties propertyKinds = "PointInTimeRecoverySpecification=any PrimaryKey=strings ProvisionedThroughput=table TableName=str|map Tags=map SSESpecification=map"

const layerProperties propertyKinds = "LayerName=str|map Description=str PublishLambdaVersion=bool *ContentUri=str|map CompatibleArchitectures=items CompatibleRuntimes=items " +
	"LicenseInfo=str RetentionPolicy=str"

// check refuses properties that are unknown, missing or of the wrong kind.
func (m *macro) check(kinds propertyKinds) {
	kinds.check(m.props, m.t.keys(m.props, "Resources", m.id, "Properties"), m.res["Type"].(string), func(name, text string) { refuseProperty(m.id, name, "%s", text) })
}

func (kinds propertyKinds) check(props object, order []string, of string, refuse func(name, text string)) {
	known := " " + strings.ReplaceAll(string(kinds), "*", "")
	for _, name := range order {
		if !strings.Contains(known, " "+name+"=") {
			refuse(name, "property "+name+" not defined for resource of type "+of)
		}
	}
	for one := range strings.FieldsSeq(string(kinds)) {
		name, k, _ := strings.Cut(one, "=")
		name, required := strings.CutPrefix(name, "*")
		k, plain := strings.CutPrefix(k, "!")
		v := props[name]
		switch {
		case !plain && computed(v):
		case v == nil && required:
			refuse("", "Missing required property '"+name+"'.")
		case v == nil || fits(v, k):
		case k == "str":
			refuse(name, "Property '"+name+"' should be a string.")
		case k == "map":
			refuse(name, "Property '"+name+"' should be a map.")
		case strings.HasPrefix(k, "enum:"):
			refuse(name, "Property '"+name+"' should be a one of the strings: '"+strings.Join(strings.Split(k, ":")[1:], "' or '")+"'.")
		default:
			refuse(name, "Type of property '"+name+"' is invalid.")
		}
	}
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
		return kind == "map" || kind == "table" || kind == "records" && all(v, "map") || kind == "strings" && all(v, "str")
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
		return kind == "str" || strings.HasPrefix(kind, "enum:") && strings.Contains(kind+":", ":"+v+":")
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
