package stacks

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"github.com/tierra-cloud/tierra/tierratest"
)

// everything has a resource of most types of the rooms for APIs, functions and what
// they stand on.
const everything = `
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: [lambda.amazonaws.com, apigateway.amazonaws.com]}, Action: sts:AssumeRole}]}
      ManagedPolicyArns: ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]
  Inline:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: inline
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}
      Roles: [!Ref Role]
  User: {Type: AWS::IAM::User}
  Group: {Type: AWS::IAM::Group}
  Joined: {Type: AWS::IAM::UserToGroupAddition, Properties: {GroupName: !Ref Group, Users: [!Ref User]}}
  Access: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref User, Status: Inactive}}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: {ZipFile: "def handler(e, c): return e"}
      MemorySize: 256
      Timeout: 7
      Environment: {Variables: {NAME: value}}
      EphemeralStorage: {Size: 1024}
      Description: A function.
      ReservedConcurrentExecutions: 3
      LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: DEBUG}
      TracingConfig: {Mode: PassThrough}
      RecursiveLoop: Allow
      Tags: [{Key: own, Value: x}]
  Version: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Function, Description: first}}
  Alias: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref Function, Name: live, FunctionVersion: !GetAtt Version.Version}}
  Permission:
    Type: AWS::Lambda::Permission
    Properties: {FunctionName: !Ref Alias, Action: lambda:InvokeFunction, Principal: apigateway.amazonaws.com, SourceAccount: !Ref AWS::AccountId}
  Other:
    Type: AWS::Lambda::Permission
    Properties: {FunctionName: !Ref Function, Action: lambda:InvokeFunction, Principal: !Ref AWS::AccountId}
  Url:
    Type: AWS::Lambda::Url
    Properties: {TargetFunctionArn: !Ref Function, Qualifier: live, AuthType: AWS_IAM, Cors: {AllowOrigins: ["*"], MaxAge: 60}}
    DependsOn: Alias
  Async: {Type: AWS::Lambda::EventInvokeConfig, Properties: {FunctionName: !Ref Function, Qualifier: $LATEST, MaximumRetryAttempts: 1}}
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties:
      Name: api
      Description: An API.
      BinaryMediaTypes: [image/png]
      MinimumCompressionSize: 1000
      EndpointConfiguration: {Types: [REGIONAL]}
      Policy: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: "*", Action: execute-api:Invoke, Resource: "*"}]}
      Tags: [{Key: own, Value: x}]
  Items: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: items}}
  Validator: {Type: AWS::ApiGateway::RequestValidator, Properties: {RestApiId: !Ref Api, Name: both, ValidateRequestBody: true, ValidateRequestParameters: true}}
  Model: {Type: AWS::ApiGateway::Model, Properties: {RestApiId: !Ref Api, Name: Item, ContentType: application/json, Schema: {type: object, properties: {name: {type: string}}}}}
  Authorizer:
    Type: AWS::ApiGateway::Authorizer
    Properties:
      RestApiId: !Ref Api
      Name: gate
      Type: TOKEN
      IdentitySource: method.request.header.Authorization
      AuthorizerResultTtlInSeconds: 60
      AuthorizerUri: !Sub arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}/invocations
  Get:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !Ref Items
      HttpMethod: GET
      AuthorizationType: CUSTOM
      AuthorizerId: !Ref Authorizer
      ApiKeyRequired: true
      RequestValidatorId: !Ref Validator
      RequestModels: {application/json: !Ref Model}
      RequestParameters: {method.request.querystring.q: true}
      MethodResponses: [{StatusCode: "200", ResponseParameters: {method.response.header.X: true}}, {StatusCode: "404"}]
      Integration:
        Type: MOCK
        RequestTemplates: {application/json: '{"statusCode": 200}'}
        IntegrationResponses: [{StatusCode: "200", ResponseParameters: {method.response.header.X: "'x'"}}, {StatusCode: "404", SelectionPattern: "404"}]
  Denied: {Type: AWS::ApiGateway::GatewayResponse, Properties: {RestApiId: !Ref Api, ResponseType: ACCESS_DENIED, StatusCode: "404"}}
  Part: {Type: AWS::ApiGateway::DocumentationPart, Properties: {RestApiId: !Ref Api, Location: {Type: API}, Properties: '{"description":"d"}'}}
  Documents: {Type: AWS::ApiGateway::DocumentationVersion, Properties: {RestApiId: !Ref Api, DocumentationVersion: "1"}, DependsOn: Part}
  Deployment: {Type: AWS::ApiGateway::Deployment, Properties: {RestApiId: !Ref Api, Description: d}, DependsOn: Get}
  Stage:
    Type: AWS::ApiGateway::Stage
    Properties:
      RestApiId: !Ref Api
      StageName: prod
      DeploymentId: !Ref Deployment
      Variables: {a: b}
      DocumentationVersion: !Ref Documents
      MethodSettings:
        - {ResourcePath: "/*", HttpMethod: "*", ThrottlingRateLimit: 10, ThrottlingBurstLimit: 20}
        - {ResourcePath: /items, HttpMethod: GET, MetricsEnabled: true}
  Key: {Type: AWS::ApiGateway::ApiKey, Properties: {Name: key, Enabled: true, Value: a-key-of-twenty-letters}}
  Plan:
    Type: AWS::ApiGateway::UsagePlan
    Properties: {UsagePlanName: plan, ApiStages: [{ApiId: !Ref Api, Stage: !Ref Stage}], Quota: {Limit: 5, Period: DAY}, Throttle: {RateLimit: 5, BurstLimit: 6}}
  Planned: {Type: AWS::ApiGateway::UsagePlanKey, Properties: {UsagePlanId: !Ref Plan, KeyId: !Ref Key, KeyType: API_KEY}}
  Certificate: {Type: AWS::CertificateManager::Certificate, Properties: {DomainName: api.example.test, SubjectAlternativeNames: [other.example.test], ValidationMethod: DNS}}
  Domain:
    Type: AWS::ApiGateway::DomainName
    Properties: {DomainName: api.example.test, RegionalCertificateArn: !Ref Certificate, EndpointConfiguration: {Types: [REGIONAL]}}
  Mapping: {Type: AWS::ApiGateway::BasePathMapping, Properties: {DomainName: !Ref Domain, BasePath: v1, RestApiId: !Ref Api, Stage: !Ref Stage}}
  Bare: {Type: AWS::ApiGateway::BasePathMapping, Properties: {DomainName: !Ref Domain, RestApiId: !Ref Api, Stage: !Ref Stage}}
  Images:
    Type: AWS::ECR::Repository
    Properties:
      RepositoryName: images
      ImageTagMutability: IMMUTABLE
      LifecyclePolicy: {LifecyclePolicyText: '{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5}, "action": {"type": "expire"}}]}'}
      Tags: [{Key: own, Value: x}]
`

// TestNothingDrifts deploys resources of most types and finds each of them as its
// template says.
func TestNothingDrifts(t *testing.T) {
	s := tierratest.Start(t)
	s.DeployStack(t, "all", everything)
	key, secret := s.Credentials()
	ctx := context.Background()
	client := cloudformation.New(cloudformation.Options{
		Region: s.Region(), BaseEndpoint: aws.String(s.Endpoint()), HTTPClient: s.HTTP(), Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
	})
	name := aws.String("all")
	if _, err := client.DetectStackDrift(ctx, &cloudformation.DetectStackDriftInput{StackName: name}); err != nil {
		t.Fatal(err)
	}
	out, err := client.DescribeStackResourceDrifts(ctx, &cloudformation.DescribeStackResourceDriftsInput{StackName: name, MaxResults: aws.Int32(100)})
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, r := range out.StackResourceDrifts {
		has[*r.LogicalResourceId] = true
		if r.StackResourceDriftStatus != "IN_SYNC" {
			t.Errorf("%s (%s) is %s", *r.LogicalResourceId, *r.ResourceType, r.StackResourceDriftStatus)
		}
		for _, d := range r.PropertyDifferences {
			t.Errorf("  %s %s %s -> %s", *d.PropertyPath, d.DifferenceType, *d.ExpectedValue, *d.ActualValue)
		}
	}
	if len(has) < 32 {
		t.Errorf("only %d resources were looked at: %v", len(has), has)
	}
}
