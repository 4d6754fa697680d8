package sam

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// app is a template with a bit of everything.
const app = `
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: v1}
Conditions:
  Active: !Equals [!Ref Stage, v1]
Globals:
  Function: {Runtime: nodejs22.x, Timeout: 5, Environment: {Variables: {TABLE: !Ref Table}}, Tags: {team: a}}
  Api: {Cors: "'*'"}
Resources:
  Table: {Type: AWS::Serverless::SimpleTable, Properties: {PrimaryKey: {Name: id, Type: String}}}
  Layer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: s3://b/l.zip, RetentionPolicy: Delete}}
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: !Ref Stage
      OpenApiVersion: 3.0.1
      Models: {M: {type: object}}
      EndpointConfiguration: {Type: REGIONAL}
      GatewayResponses: {DEFAULT_4XX: {StatusCode: 404, ResponseParameters: {Headers: {X: "'y'"}}}}
      Auth:
        DefaultAuthorizer: A
        ApiKeyRequired: true
        UsagePlan: {CreateUsagePlan: PER_API}
        ResourcePolicy: {IpRangeWhitelist: [1.2.3.4], SourceVpcBlacklist: [vpc-1], CustomStatements: [{Action: x}]}
        Authorizers: {A: {FunctionArn: !GetAtt F.Arn, FunctionPayloadType: REQUEST, Identity: {Headers: [H], ReauthorizeEvery: 0}}}
  H:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageName: !Ref Stage
      Name: n
      Tags: {a: b}
      CorsConfiguration: {AllowOrigins: ["*"], MaxAge: 3}
      Domain: {DomainName: a.example, CertificateArn: c, BasePath: [/a, b], MutualTlsAuthentication: {TruststoreUri: u}, Route53: {HostedZoneId: z, IpV6: true}}
      Auth:
        DefaultAuthorizer: J
        EnableIamAuthorizer: true
        Authorizers:
          J: {JwtConfiguration: {Issuer: i, Audience: [a]}, IdentitySource: $request.header.A, AuthorizationScopes: [s]}
          L: {FunctionArn: !GetAtt F.Arn, AuthorizerPayloadFormatVersion: 2.0, Identity: {Headers: [H], ReauthorizeEvery: 0}, EnableFunctionDefaultPermissions: true}
  F:
    Type: AWS::Serverless::Function
    Condition: Active
    Properties:
      Handler: i.h
      CodeUri: s3://b/k.zip?versionId=3
      AutoPublishAlias: live
      AutoPublishAliasAllProperties: true
      EventInvokeConfig: {MaximumRetryAttempts: 1, DestinationConfig: {OnSuccess: {Type: SQS}, OnFailure: {Type: S3Bucket, Destination: "arn:aws:s3:::b"}}}
      DeploymentPreference: {Type: AllAtOnce, PassthroughCondition: true, Alarms: [a], Hooks: {PreTraffic: !Ref F}}
      Layers: [!Ref Layer, x]
      FunctionUrlConfig: {AuthType: NONE, Cors: {AllowOrigins: ["*"]}}
      DeadLetterQueue: {Type: SQS, TargetArn: arn}
      Policies: [AWSLambdaRole, DynamoDBCrudPolicy: {TableName: !Ref Table}, {Statement: [{Effect: Allow, Action: x, Resource: "*"}]}, !If [Active, S3ReadPolicy: {BucketName: b}, !Ref AWS::NoValue]]
      Events:
        Implicit: {Type: Api, Properties: {Path: "/a/{id+}", Method: any, RequestParameters: [method.request.header.X: {Required: true, Caching: true}]}}
        Explicit: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /b, Method: GET, Auth: {Authorizer: NONE, ApiKeyRequired: false}, RequestModel: {Model: M, ValidateBody: true}, TimeoutInMillis: 3}}
        Http: {Type: HttpApi, Properties: {Path: "/a/{id+}", Method: any, TimeoutInMillis: 3}}
        Rest: {Type: HttpApi}
        Route: {Type: HttpApi, Properties: {ApiId: !Ref H, Path: /r, Method: POST, PayloadFormatVersion: "1.0", Auth: {Authorizer: L, AuthorizationScopes: [t]}, RouteSettings: {ThrottlingRateLimit: 3}}}
        Bucket: {Type: S3, Properties: {Bucket: !Ref Bucket, Events: [s3:ObjectCreated:*]}}
        Tick: {Type: Schedule, Properties: {Schedule: rate(1 minute), Enabled: true}}
        Queue: {Type: SQS, Properties: {Queue: arn, BatchSize: 3, DestinationConfig: {OnFailure: {Type: SNS, Destination: d}}}}
        Topic: {Type: SNS, Properties: {Topic: !Ref T}}
        Msk: {Type: MSK, Properties: {Stream: a, Topics: [t], StartingPosition: LATEST, ConsumerGroupId: c, SchemaRegistryConfig: {SchemaRegistryURI: "arn:aws:glue:r:a:registry/x", EventRecordFormat: JSON, SchemaValidationConfigs: [{Attribute: KEY}], AccessConfigs: [{Type: BASIC_AUTH, URI: u}]}}}
        Kafka: {Type: SelfManagedKafka, Properties: {KafkaBootstrapServers: [a], Topics: [t], SourceAccessConfigurations: [{Type: VPC_SUBNET, URI: u}, {Type: VPC_SECURITY_GROUP, URI: u}]}}
        Mq: {Type: MQ, Properties: {Broker: a, Queues: [q], SourceAccessConfigurations: [{Type: BASIC_AUTH, URI: u}], SecretsManagerKmsKeyId: k}}
        Docs: {Type: DocumentDB, Properties: {Cluster: a, DatabaseName: d, SourceAccessConfigurations: [{Type: BASIC_AUTH, URI: u}]}}
        Thing: {Type: IoTRule, Properties: {Sql: s}}
  Bucket:
    Type: AWS::S3::Bucket
    Connectors: {C: {Properties: {Destination: {Id: F}, Permissions: [Write]}}}
  Con: {Type: AWS::Serverless::Connector, Properties: {Source: {Id: F}, Destination: [{Id: Table}, {Id: Bucket}], Permissions: [Read, Write]}}
  T: {Type: AWS::SNS::Topic}
  W:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      Auth: {AuthType: CUSTOM, AuthArn: a, IdentitySource: [i]}
      Routes: {$connect: {FunctionArn: !GetAtt F.Arn}, send: {FunctionArn: !GetAtt F.Arn, IntegrationTimeout: 3}}
  Cap: {Type: AWS::Serverless::CapacityProvider, Properties: {VpcConfig: {SubnetIds: [s]}, ScalingConfig: {AverageCPUUtilization: 70}, InstanceRequirements: {AllowedTypes: [t]}}}
  Nested: {Type: AWS::Serverless::Application, Properties: {Location: "https://b.s3.amazonaws.com/t", Parameters: {a: b}}}
  S:
    Type: AWS::Serverless::StateMachine
    Condition: Active
    Properties:
      Definition: {StartAt: A, States: {A: {Type: Task, Resource: !GetAtt F.Arn, End: true, X: [1, a]}}}
      AutoPublishAlias: live
      UseAliasAsEventTarget: true
      Tracing: {Enabled: true}
      Policies: [LambdaInvokePolicy: {FunctionName: !Ref F}]
      Events:
        Start: {Type: Api, Properties: {Path: /s, Method: post}}
        Tick: {Type: Schedule, Properties: {Schedule: rate(1 minute), DeadLetterConfig: {Type: SQS}}}
        Tock: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute), DeadLetterConfig: {Arn: a}}}
        Bus: {Type: EventBridgeRule, Properties: {Pattern: {source: [a]}}}
Outputs:
  Alias: {Value: !Ref F.Alias}
  Url: {Value: !Sub "https://${Api}.x/${Api.Stage}/"}
`

func load(t testing.TB, text string) map[string]any {
	n, err := template.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return n.Value().(map[string]any)
}

// TestMutations changes values of templates at random: the transform may refuse
// what comes of it, and must not fail otherwise.
func TestMutations(t *testing.T) {
	texts := []string{app}
	if dir := filepath.Join(os.Getenv("TIERRA_CONFORMANCE"), "sam", "input"); os.Getenv("TIERRA_CONFORMANCE") != "" {
		paths, _ := filepath.Glob(filepath.Join(dir, "*.yaml"))
		for _, p := range paths {
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(b))
		}
	}
	rounds := 800 / len(texts)
	r := rand.New(rand.NewPCG(1, 2))
	if _, err := Transform(load(t, app), Input{Region: "us-east-1", Partition: "aws"}); err != nil {
		t.Fatalf("the template itself: %v", err)
	}
	for _, text := range texts {
		doc := load(t, text)
		for range max(rounds, 4) {
			m := clone(doc).(object)
			for range 1 + r.IntN(2) {
				mutate(r, m)
			}
			func() {
				defer func() {
					if p := recover(); p != nil {
						t.Fatalf("%v\n%s", p, template.JSON(m))
					}
				}()
				_, _ = Transform(m, Input{Region: "us-east-1", Partition: "aws"})
			}()
		}
	}
}

// mutate replaces one value somewhere in v.
func mutate(r *rand.Rand, v any) {
	values := []any{nil, "x", "", int64(7), true, []any{}, []any{"a", object{"b": "c"}}, object{}, object{"k": "v"}, ref("Stage"), noValue(),
		object{"Fn::If": []any{"On", "a"}}, object{"Fn::If": []any{"On", object{"a": "b"}, noValue()}}, object{"Fn::If": "x"}}
	for {
		switch c := v.(type) {
		case object:
			if len(c) == 0 {
				return
			}
			k := keys(c)[r.IntN(len(c))]
			if r.IntN(6) == 0 {
				c[k] = values[r.IntN(len(values))]
				return
			}
			v = c[k]
		case []any:
			if len(c) == 0 {
				return
			}
			i := r.IntN(len(c))
			if r.IntN(4) == 0 {
				c[i] = values[r.IntN(len(values))]
				return
			}
			v = c[i]
		default:
			return
		}
	}
}

// FuzzTransform hands over any template at all: it is expanded or refused.
func FuzzTransform(f *testing.F) {
	f.Add([]byte(app))
	f.Add([]byte("Resources: {A: {Type: AWS::Serverless::GraphQLApi, Properties: {SchemaInline: x, Auth: {Type: API_KEY}, Functions: {F: {Id: a}}, Resolvers: {Query: {q: {Pipeline: [F]}}}}}}"))
	f.Add([]byte("Globals: {Function: {Tags: {a: b}}}\nResources: {A: {Type: AWS::Serverless::Function, IgnoreGlobals: '*', Properties: {Events: {E: {Type: Api}}}}}"))
	f.Add([]byte("Resources: {A: {Type: AWS::Serverless::Connector, Properties: {Source: {Id: A}, Destination: [{Id: A}], Permissions: [Read]}}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > template.MaxBody {
			t.Skip("longer than a template may be")
		}
		n, err := template.Parse(text)
		if err != nil {
			return
		}
		doc, ok := n.Value().(map[string]any)
		if !ok {
			return
		}
		before := template.JSON(doc)
		in := Input{Region: "us-east-1", Partition: "aws"}
		got, err := Transform(doc, in)
		if template.JSON(doc) != before {
			t.Error("the template handed over was changed")
		}
		if again, err2 := Transform(doc, in); (err == nil) != (err2 == nil) || err == nil && template.JSON(got) != template.JSON(again) {
			t.Error("the same template came out in two ways")
		}
	})
}
