package sam

import (
	"testing"

	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// TestExpansion looks at single values of what templates become.
func TestExpansion(t *testing.T) {
	const head = `
Conditions: {Live: !Equals [a, a], Dead: !Equals [a, b]}
Mappings: {M: {a: {kind: AllAtOnce, "yes": true}}}
Resources:
  Topic: {Type: AWS::SNS::Topic}
`
	function := func(more string) string {
		return "  F: {Type: AWS::Serverless::Function, Condition: Live, DependsOn: Topic, Metadata: {a: b}, Properties: {Runtime: nodejs22.x, Handler: i.h, CodeUri: s3://b/k, Tags: {x: y}, PropagateTags: true, " + more + "}}"
	}
	for name, c := range map[string]struct {
		resources string
		path      []string // from the result
		want      string   // as JSON
	}{
		"an invocation's topic has the tags": {function("EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SNS}}}"),
			[]string{"Resources", "FEventInvokeConfigOnFailureTopic", "Properties", "Tags"}, `[{"Key":"x","Value":"y"}]`},
		"an invocation's configuration waits for the alias": {function("AutoPublishAlias: live, EventInvokeConfig: {MaximumRetryAttempts: 1}"),
			[]string{"Resources", "FEventInvokeConfig", "DependsOn"}, `["FAliaslive"]`},
		"it has destinations though none are given": {function("EventInvokeConfig: {MaximumRetryAttempts: 1}"),
			[]string{"Resources", "FEventInvokeConfig", "Properties", "DestinationConfig"}, `{}`},
		"it has the metadata of the function": {function("EventInvokeConfig: {MaximumRetryAttempts: 1}"), []string{"Resources", "FEventInvokeConfig", "Metadata"}, `{"a":"b"}`},
		"a bucket is listed too": {function("EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: S3Bucket, Destination: b}}}"),
			[]string{"Resources", "FRole", "Properties", "Policies"},
			`[{"PolicyDocument":{"Statement":[{"Action":"s3:PutObject","Effect":"Allow","Resource":{"Fn::Join":["/",["b","*"]]}},{"Action":"s3:ListBucket","Effect":"Allow","Resource":"b"}]},"PolicyName":"FEventInvokeConfigOnFailureS3Policy"}]`},
		"the role of a conditional Role has its condition alone": {function("Role: !If [Dead, !Ref AWS::NoValue, r]"), []string{"Resources", "FRole", "Condition"}, `"Dead"`},
		"a deployment's type is found in a mapping": {function("AutoPublishAlias: live, DeploymentPreference: {Type: !FindInMap [M, a, kind]}"),
			[]string{"Resources", "FDeploymentGroup", "Properties", "DeploymentConfigName"}, `{"Fn::Sub":["CodeDeployDefault.Lambda${ConfigName}",{"ConfigName":"AllAtOnce"}]}`},
		"and whether the condition passes through": {function("AutoPublishAlias: live, DeploymentPreference: {Type: x, PassthroughCondition: !FindInMap [M, a, 'yes']}"),
			[]string{"Resources", "CodeDeployServiceRole", "Condition"}, `"Live"`},
		"a deployment has the tags": {function("AutoPublishAlias: live, DeploymentPreference: {Type: x}"),
			[]string{"Resources", "ServerlessDeploymentApplication", "Properties", "Tags"}, `[{"Key":"x","Value":"y"}]`},
		"no alarms are none": {function("AutoPublishAlias: live, DeploymentPreference: {Type: x, Alarms: [!Ref AWS::NoValue]}"),
			[]string{"Resources", "FDeploymentGroup", "Properties", "AlarmConfiguration"}, `{}`},
		"a function's architecture is its own": {"  F: {Type: AWS::Serverless::Function, Properties: {Runtime: nodejs22.x, Handler: i.h, CodeUri: s3://b/k, Architectures: [arm64]}}\nGlobals: {Function: {Architectures: [x86_64]}}",
			[]string{"Resources", "F", "Properties", "Architectures"}, `["arm64"]`},
		"a rule of IoT has the tags": {function("Events: {E: {Type: IoTRule, Properties: {Sql: s}}}"), []string{"Resources", "FE", "Properties", "Tags"}, `[{"Key":"x","Value":"y"}]`},
		"the root certificate of a Kafka is read": {function("Events: {E: {Type: SelfManagedKafka, Properties: {KafkaBootstrapServers: [a], Topics: [t], SourceAccessConfigurations: [{Type: IAM_AUTH}, {Type: SERVER_ROOT_CA_CERTIFICATE, URI: u}]}}}"),
			[]string{"Resources", "FRole", "Properties", "Policies"},
			`[{"PolicyDocument":{"Statement":[{"Action":["secretsmanager:GetSecretValue"],"Effect":"Allow","Resource":"u"}],"Version":"2012-10-17"},"PolicyName":"SelfManagedKafkaExecutionRolePolicy"}]`},
		"a rule that is enabled under a condition": {"  S: {Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: s3://b/k, Events: {E: {Type: Schedule, Properties: {Schedule: rate(1 day), Enabled: !If [Live, true, false]}}}}}",
			[]string{"Resources", "SE", "Properties", "State"}, `"ENABLED"`},
		"a dynamic reference in a definition": {"  S: {Type: AWS::Serverless::StateMachine, Properties: {Definition: {A: '{{resolve:ssm:x}}', B: 'a {{resolve:ssm:x}}'}}}",
			[]string{"Resources", "S", "Properties", "DefinitionSubstitutions"}, `{"definition_substitution_1":"{{resolve:ssm:x}}"}`},
		"a path of a domain that is kept as it is": {"  A: {Type: AWS::Serverless::Api, Properties: {StageName: s, Domain: {DomainName: d, CertificateArn: c, BasePath: [/a-b], NormalizeBasePath: false}}}",
			[]string{"Resources", "AabBasePathMapping", "Properties", "BasePath"}, `"/a-b"`},
		"settings of a route under a condition": {function("Events: {E: {Type: HttpApi, Properties: {Path: /a, Method: get, RouteSettings: {ThrottlingBurstLimit: 3}}}}"),
			[]string{"Resources", "ServerlessHttpApiApiGatewayDefaultStage", "Properties", "RouteSettings"}, `{"GET /a":{"Fn::If":["Live",{"ThrottlingBurstLimit":3},{"Ref":"AWS::NoValue"}]}}`},
		"the parts of an API of AppSync have its metadata": {"  G: {Type: AWS::Serverless::GraphQLApi, Metadata: {a: b}, Properties: {SchemaInline: x, Auth: {Type: AWS_IAM}}}",
			[]string{"Resources", "GSchema", "Metadata"}, `{"a":"b"}`},
		"a reference in code that no version is published of": {"  F: {Type: AWS::Serverless::Function, Properties: {Runtime: nodejs22.x, Handler: i.h, InlineCode: !Sub '${AWS::Region}'}}",
			[]string{"Resources", "F", "Properties", "Code", "ZipFile"}, `{"Fn::Sub":"${AWS::Region}"}`},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := Transform(load(t, head+c.resources), Input{Region: "us-east-1", Partition: "aws"})
			if err != nil {
				t.Fatal(err)
			}
			var at any = out
			for _, k := range c.path {
				m, _ := at.(object)
				at = m[k]
			}
			if got := template.JSON(at); got != c.want {
				t.Errorf("%v is %s, not %s", c.path, got, c.want)
			}
		})
	}
}
