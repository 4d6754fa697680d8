package sam

import (
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// TestWording is what is said about templates that are wrong: AWS's words, in the
// order in which the template has the resources.
func TestWording(t *testing.T) {
	const start = "Invalid Serverless Application Specification document. Number of errors found: "
	function := func(more string) string {
		return "{F: {Type: AWS::Serverless::Function, Properties: {Runtime: nodejs22.x, Handler: i.h, InlineCode: x, " + more + "}}}"
	}
	for _, c := range []struct{ resources, want string }{
		{"{}", "1. Structure of the SAM template is invalid. 'Resources' section is required"},
		{"{A: 3}", "1. Structure of the SAM template is invalid. All 'Resources' must be Objects. If you're using YAML, this may be an indentation issue."},
		{"{A: {Type: AWS::Serverless::Function, Properties: []}}", "1. Resource with id [A] is invalid. Attribute 'Properties' should be a map."},
		{"{Z: {Type: AWS::Serverless::Function}, A: {Type: AWS::Serverless::Function, Properties: {Foo: x}}}",
			"2. Resource with id [Z] is invalid. Only one of 'InlineCode' or 'CodeUri' can be set. Resource with id [A] is invalid. property Foo not defined for resource of type AWS::Serverless::Function"},
		{function("Role: 3"), "1. Resource with id [F] is invalid. Property 'Role' should be a string."},
		{function("Tags: x"), "1. Resource with id [F] is invalid. Property 'Tags' should be a map."},
		{function("Layers: x"), "1. Resource with id [F] is invalid. Type of property 'Layers' is invalid."},
		{function("Policies: [S3ReadPolicy: {}]"), "1. Resource with id [F] is invalid. Following required parameters of template 'S3ReadPolicy' don't have values: ['BucketName']"},
		{function("Events: {E: {Type: Foo}}"), "1. Resource with id [F] is invalid. Event with id [E] is invalid. Resource dict has missing or invalid value for key Type. Event Type is: Foo."},
		{function("Events: {E: {Type: SQS}}"), "1. Resource with id [FE] is invalid. Missing required property 'Queue'."},
		{function("Events: {E: {Type: Api, Properties: {Path: /a}}}"), "1. Resource with id [F] is invalid. Event with id [E] is invalid. Property 'Method' is required."},
		{function("Events: {E: {Type: Schedule, Properties: {Schedule: x, DeadLetterConfig: {Type: SNS}}}}"),
			"1. Resource with id [F] is invalid. Event with id [FE] is invalid. The only valid value for 'Type' property of DeadLetterConfig is 'SQS'."},
		{"{A: {Type: AWS::Serverless::Api, Properties: {}}}", "1. Resource with id [A] is invalid. Missing required property 'StageName'."},
		{"{A: {Type: AWS::Serverless::Api, Properties: {StageName: x, Domain: {DomainName: a}}}}", "1. Resource with id [A] is invalid. Property 'Domain.CertificateArn' is required."},
		{"{A: {Type: AWS::Serverless::GraphQLApi, Properties: {SchemaInline: x, Auth: {Type: API_KEY}, Functions: {F: {DataSource: D, InlineCode: x}}}}}",
			"1. Resource with id [F] is invalid. 'Runtime' must be defined as a property in F."},
		{"{C: {Type: AWS::Serverless::Connector, Properties: {Source: {Id: F}, Destination: {Id: B}, Permissions: [Read]}}, B: {Type: AWS::S3::Bucket}, F: {Type: AWS::Serverless::Function}}",
			"2. Resource with id [F] is invalid. Only one of 'InlineCode' or 'CodeUri' can be set. Resource with id [C] is invalid. " +
				"Unable to create connector from AWS::Serverless::Function to AWS::S3::Bucket; it's not supported or the template is invalid."},
		{strings.Replace(function("Tags: {}"), "{F:", "{FRole: {Type: AWS::SNS::Topic}, F:", 1), "1. Transforming resource with id [F] attempts to create a new resource with id [FRole] " +
			"and type \"AWS::IAM::Role\". A resource with that id already exists within this template. Please use a different id for that resource."},
		{function("FunctionScalingConfig: {MinExecutionEnvironments: 1}"), "1. Resource with id [F] is invalid. 'FunctionScalingConfig' requires 'CapacityProviderConfig'."},
		{function("CapacityProviderConfig: {Arn: a}, VpcConfig: {SubnetIds: [s]}"), "1. Resource with id [F] is invalid. Cannot specify 'CapacityProviderConfig' and 'VpcConfig' together."},
		{function("TenancyConfig: {TenantIsolationMode: PER_TENANT}, FunctionUrlConfig: {AuthType: NONE}"),
			"1. Resource with id [F] is invalid. Function URL is not supported for functions enabled with tenancy configuration."},
		{function("TenancyConfig: {TenantIsolationMode: PER_TENANT}, Events: {E: {Type: SQS, Properties: {Queue: q}}}"),
			"1. Resource with id [F] is invalid. Event source 'SQS' is not supported for functions enabled with tenancy configuration. Only Api and HttpApi event sources are supported."},
		{function("Role: {'Fn::If': [A, b]}"), "1. Resource with id [F] is invalid. Malformed 'Role' property: Fn::If requires 3 arguments."},
		{function("VersionDeletionPolicy: Keep, AutoPublishAlias: a"), "1. Resource with id [F] is invalid. Property 'VersionDeletionPolicy' should be a one of the strings: 'Delete' or 'Retain'."},
		// What is unknown is told before what is wrong.
		{function("Zoo: x, Role: 3"), "1. Resource with id [F] is invalid. property Zoo not defined for resource of type AWS::Serverless::Function"},
		// The events are looked at before the function.
		{"{F: {Type: AWS::Serverless::Function, Properties: {Events: {E: {Type: S3, Properties: {Bucket: {Ref: B}, Events: x}}}}}}",
			"1. Resource with id [F] is invalid. Event with id [E] is invalid. S3 events must reference an S3 bucket in the same template."},
		// One wrong event of a REST API a function, and nothing else of the template, is told.
		{"{F: {Type: AWS::Serverless::Function, Properties: {Events: {E: {Type: Api, Properties: {Path: /a, Method: get, RestApiId: Z}}, D: {Type: Api, Properties: {Path: /b, Method: get, RestApiId: Z}}}}}}",
			"1. Resource with id [F] is invalid. Event with id [E] is invalid. RestApiId must be a valid reference to an 'AWS::Serverless::Api' resource in same template."},
		{"{L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: {Bucket: b}}}}",
			"1. Resource with id [L5564cb7d7e] is invalid. 'ContentUri' requires Bucket and Key properties to be specified."},
		{"{W: {Type: AWS::Serverless::WebSocketApi, Properties: {RouteSelectionExpression: x, Routes: {a: {}}}}}", "1. Resource with id [W] is invalid. Route must have associated function."},
		{"{W: {Type: AWS::Serverless::WebSocketApi, Properties: {RouteSelectionExpression: x, StageName: $default, Routes: {a: {FunctionArn: f}}}}}",
			"1. Resource with id [W] is invalid. Stages cannot be named $default for WebSocket APIs."},
		{"{C: {Type: AWS::Serverless::Connector, Properties: {Source: {Id: X}, Destination: {Id: Y}, Permissions: [Read]}}}", "1. Resource with id [C] is invalid. Unable to find resource with logical ID 'Y'."},
		{"{C: {Type: AWS::Serverless::Connector, Properties: {Source: {Id: X, Arn: a}, Destination: {Arn: b}, Permissions: [Read]}}}", "1. Resource with id [C] is invalid. 'Type' is missing or not a string."},
		{"{B: {Type: AWS::S3::Bucket, Connectors: {C: x, D: {}}}}",
			"2. Resource with id [BC] is invalid. B.BC should be a map. Resource with id [B] is invalid. Attribute 'Connectors.D.Properties' should be a map."},
		{function("Events: {K: {Type: SelfManagedKafka, Properties: {KafkaBootstrapServers: [a], Topics: [t]}}}"),
			"1. Resource with id [F] is invalid. Event with id [K] is invalid. No SourceAccessConfigurations for self managed kafka event provided."},
		{function("Events: {K: {Type: SelfManagedKafka, Properties: {KafkaBootstrapServers: [a], Topics: [t, u]}}}"),
			"1. Resource with id [F] is invalid. Event with id [K] is invalid. Topics for self managed kafka only supports single configuration entry."},
		{function("Events: {Q: {Type: MQ, Properties: {Broker: b, SourceAccessConfigurations: [{Type: VIRTUAL_HOST, URI: /}]}}}"),
			"1. Resource with id [F] is invalid. Event with id [Q] is invalid. No BASIC_AUTH property specified in SourceAccessConfigurations."},
		{function("Events: {Q: {Type: MQ, Properties: {Broker: b, SourceAccessConfigurations: [{Type: X, URI: /}]}}}"),
			"1. Resource with id [F] is invalid. Event with id [Q] is invalid. Invalid property Type specified in SourceAccessConfigurations. The supported values are: ['BASIC_AUTH', 'VIRTUAL_HOST']."},
		{function("Events: {K: {Type: MSK, Properties: {Stream: s, StartingPosition: LATEST, SchemaRegistryConfig: {SchemaRegistryURI: u}}}}"),
			"1. Resource with id [F] is invalid. Event with id [K] is invalid. Missing required field EventRecordFormat in SchemaRegistryConfig"},
		{function("Events: {Q: {Type: SQS, Properties: {Queue: q, FilterCriteria: {Filter: []}}}}"), "1. Resource with id [F] is invalid. Event with id [Q] is invalid. FilterCriteria field has a wrong format"},
		{function("AutoPublishAlias: a, DeploymentPreference: {Type: x, Alarms: a}"), "1. Resource with id [F] is invalid. Alarms must be a list"},
		{function("AutoPublishAlias: a, DeploymentPreference: {Type: x, PassthroughCondition: maybe}"), "1. Resource with id [F] is invalid. Invalid value for property PassthroughCondition."},
		{function("EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SQS, Destination: {'Fn::If': [a]}}}}"),
			"1. Resource with id [FEventInvokeConfig] is invalid. Malformed 'Destination' property: Fn::If requires 3 arguments."},
		{"{W: {Type: AWS::Serverless::WebSocketApi, Properties: {RouteSelectionExpression: x, Auth: {AuthType: NONE, Name: n}, Routes: {$connect: {FunctionArn: f}}}}}",
			"1. Resource with id [W] is invalid. No additional configurations supported for AuthType NONE."},
		{"{W: {Type: AWS::Serverless::WebSocketApi, Properties: {RouteSelectionExpression: x, Routes: {a: {FunctionArn: f, RequestParameters: {x: {}}}}}}}",
			"1. Resource with id [W] is invalid. Request parameters are only supported for the $connect route in WebSocket APIs."},
		// The first that the text has.
		{function("Zoo: x, Alp: y"), "1. Resource with id [F] is invalid. property Zoo not defined for resource of type AWS::Serverless::Function"},
		{function("Events: {Z: {Type: Foo}, A: {Type: Bar}}"), "1. Resource with id [F] is invalid. Event with id [Z] is invalid. Resource dict has missing or invalid value for key Type. Event Type is: Foo."},
		{"{T: {Type: AWS::Serverless::SimpleTable, Properties: {PrimaryKey: {Name: [a], Type: String}}}}", "1. Resource with id [T] is invalid. Type of property 'PrimaryKey' is invalid."},
		{function("Role: r}, IgnoreGlobals: x, Metadata: {"), "1. Resource with id [F] is invalid. Resource F has invalid resource attribute 'IgnoreGlobals'."},
		{function("Role: r}, IgnoreGlobals: [Tags], Metadata: {"), "1. Resource with id [F] is invalid. Resource F has invalid resource attribute 'IgnoreGlobals' on item 'Tags'."},
	} {
		text := "Globals: {Function: {Timeout: 3}}\nResources: " + c.resources
		_, err := Transform(load(t, text), Input{Region: "us-east-1", Partition: "aws", Keys: keysOf(t, text)})
		if err == nil {
			t.Errorf("%s is taken", c.resources)
		} else if err.Error() != start+c.want {
			t.Errorf("%s:\n got %v\nwant %s%s", c.resources, err, start, c.want)
		}
	}
}

// keysOf are the keys of the maps of a text in its order.
func keysOf(t *testing.T, text string) func(...string) []string {
	n, err := template.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return n.Keys
}
