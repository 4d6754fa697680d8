package deployers

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	apigatewaytypes "github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestTerraformCalls makes the calls by which Terraform's AWS provider makes, reads
// back and destroys resources, in its order, with the SDK that it uses. The
// provider itself is too large to be fetched for a test. What it reads of a new
// resource must be there, or be missing with the very code that it takes for
// "not configured": any other is an error of the whole plan.
func TestTerraformCalls(t *testing.T) {
	t.Parallel()
	p := harness.Serve(t, "")
	c := p.Credentials()
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(c.Region), config.WithBaseEndpoint(p.URL),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKey, c.Secret, "")))
	if err != nil {
		t.Fatal(err)
	}
	x := &terraform{T: t, cfg: cfg}
	t.Run("provider", func(t *testing.T) { x.on(t).provider() })
	t.Run("aws_s3_bucket", func(t *testing.T) { x.on(t).bucket() })
	t.Run("aws_dynamodb_table", func(t *testing.T) { x.on(t).table() })
	t.Run("aws_iam_role", func(t *testing.T) { x.on(t).role() })
	t.Run("aws_iam_policy", func(t *testing.T) { x.on(t).policy() })
	t.Run("aws_lambda_function", func(t *testing.T) { x.on(t).function() })
	t.Run("aws_api_gateway", func(t *testing.T) { x.on(t).api() })
	t.Run("aws_cloudwatch_log_group", func(t *testing.T) { x.on(t).logGroup() })
	t.Run("aws_ssm_parameter", func(t *testing.T) { x.on(t).parameter() })
	t.Run("aws_secretsmanager_secret", func(t *testing.T) { x.on(t).secret() })
	t.Run("aws_kms_key", func(t *testing.T) { x.on(t).key() })
}

type terraform struct {
	*testing.T
	cfg aws.Config
}

func (x *terraform) on(t *testing.T) *terraform { return &terraform{t, x.cfg} }

// does makes a call, which must succeed.
func does[I, O, F any](x *terraform, f func(context.Context, *I, ...F) (*O, error), in *I) *O {
	x.Helper()
	out, err := f(context.Background(), in)
	if err != nil {
		x.Fatalf("%T: %v", in, err)
	}
	return out
}

// lacks makes a call that must fail with the code.
func lacks[I, O, F any](x *terraform, code string, f func(context.Context, *I, ...F) (*O, error), in *I) {
	x.Helper()
	_, err := f(context.Background(), in)
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		x.Errorf("%T: %v, want %s", in, err, code)
	}
}

func (x *terraform) provider() {
	does(x, sts.NewFromConfig(x.cfg).GetCallerIdentity, &sts.GetCallerIdentityInput{})
}

func (x *terraform) bucket() {
	c := s3.NewFromConfig(x.cfg, func(o *s3.Options) { o.UsePathStyle = true })
	name := aws.String("terraform-bucket")
	does(x, c.CreateBucket, &s3.CreateBucketInput{Bucket: name})
	does(x, c.HeadBucket, &s3.HeadBucketInput{Bucket: name})
	lacks(x, "NoSuchTagSet", c.GetBucketTagging, &s3.GetBucketTaggingInput{Bucket: name})
	does(x, c.PutBucketTagging, &s3.PutBucketTaggingInput{Bucket: name, Tagging: &s3types.Tagging{TagSet: []s3types.Tag{{Key: name, Value: name}}}})
	does(x, c.GetBucketTagging, &s3.GetBucketTaggingInput{Bucket: name})
	lacks(x, "NoSuchBucketPolicy", c.GetBucketPolicy, &s3.GetBucketPolicyInput{Bucket: name})
	does(x, c.GetBucketAcl, &s3.GetBucketAclInput{Bucket: name})
	lacks(x, "NoSuchCORSConfiguration", c.GetBucketCors, &s3.GetBucketCorsInput{Bucket: name})
	lacks(x, "NoSuchWebsiteConfiguration", c.GetBucketWebsite, &s3.GetBucketWebsiteInput{Bucket: name})
	does(x, c.GetBucketVersioning, &s3.GetBucketVersioningInput{Bucket: name})
	does(x, c.GetBucketAccelerateConfiguration, &s3.GetBucketAccelerateConfigurationInput{Bucket: name})
	does(x, c.GetBucketRequestPayment, &s3.GetBucketRequestPaymentInput{Bucket: name})
	does(x, c.GetBucketLogging, &s3.GetBucketLoggingInput{Bucket: name})
	lacks(x, "NoSuchLifecycleConfiguration", c.GetBucketLifecycleConfiguration, &s3.GetBucketLifecycleConfigurationInput{Bucket: name})
	lacks(x, "ReplicationConfigurationNotFoundError", c.GetBucketReplication, &s3.GetBucketReplicationInput{Bucket: name})
	does(x, c.GetBucketEncryption, &s3.GetBucketEncryptionInput{Bucket: name})
	lacks(x, "ObjectLockConfigurationNotFoundError", c.GetObjectLockConfiguration, &s3.GetObjectLockConfigurationInput{Bucket: name})
	does(x, c.GetBucketLocation, &s3.GetBucketLocationInput{Bucket: name})
	does(x, c.PutBucketVersioning, &s3.PutBucketVersioningInput{Bucket: name, VersioningConfiguration: &s3types.VersioningConfiguration{Status: "Enabled"}})
	does(x, c.GetPublicAccessBlock, &s3.GetPublicAccessBlockInput{Bucket: name})
	does(x, c.GetBucketOwnershipControls, &s3.GetBucketOwnershipControlsInput{Bucket: name})
	does(x, c.DeleteBucket, &s3.DeleteBucketInput{Bucket: name})
	lacks(x, "NotFound", c.HeadBucket, &s3.HeadBucketInput{Bucket: name})
}

func (x *terraform) table() {
	c := dynamodb.NewFromConfig(x.cfg)
	name := aws.String("terraform-table")
	made := does(x, c.CreateTable, &dynamodb.CreateTableInput{
		TableName: name, BillingMode: "PAY_PER_REQUEST", Tags: []dynamodbtypes.Tag{{Key: name, Value: name}},
		AttributeDefinitions: []dynamodbtypes.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: "S"}},
		KeySchema:            []dynamodbtypes.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: "HASH"}},
	})
	does(x, c.DescribeTable, &dynamodb.DescribeTableInput{TableName: name})
	does(x, c.DescribeContinuousBackups, &dynamodb.DescribeContinuousBackupsInput{TableName: name})
	does(x, c.DescribeTimeToLive, &dynamodb.DescribeTimeToLiveInput{TableName: name})
	does(x, c.ListTagsOfResource, &dynamodb.ListTagsOfResourceInput{ResourceArn: made.TableDescription.TableArn})
	does(x, c.UpdateTimeToLive, &dynamodb.UpdateTimeToLiveInput{TableName: name, TimeToLiveSpecification: &dynamodbtypes.TimeToLiveSpecification{AttributeName: aws.String("end"), Enabled: aws.Bool(true)}})
	does(x, c.DeleteTable, &dynamodb.DeleteTableInput{TableName: name})
	lacks(x, "ResourceNotFoundException", c.DescribeTable, &dynamodb.DescribeTableInput{TableName: name})
}

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

const logging = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}`

func (x *terraform) role() {
	c := iam.NewFromConfig(x.cfg)
	name := aws.String("terraform-role")
	does(x, c.CreateRole, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(trust), Path: aws.String("/"), MaxSessionDuration: aws.Int32(3600)})
	does(x, c.GetRole, &iam.GetRoleInput{RoleName: name})
	does(x, c.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: name, PolicyName: name, PolicyDocument: aws.String(logging)})
	does(x, c.GetRolePolicy, &iam.GetRolePolicyInput{RoleName: name, PolicyName: name})
	does(x, c.ListRolePolicies, &iam.ListRolePoliciesInput{RoleName: name})
	does(x, c.AttachRolePolicy, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: aws.String("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")})
	does(x, c.ListAttachedRolePolicies, &iam.ListAttachedRolePoliciesInput{RoleName: name})
	does(x, c.UpdateAssumeRolePolicy, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String(trust)})
	does(x, c.DetachRolePolicy, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: aws.String("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")})
	does(x, c.DeleteRolePolicy, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: name})
	does(x, c.ListInstanceProfilesForRole, &iam.ListInstanceProfilesForRoleInput{RoleName: name})
	does(x, c.DeleteRole, &iam.DeleteRoleInput{RoleName: name})
	lacks(x, "NoSuchEntity", c.GetRole, &iam.GetRoleInput{RoleName: name})
}

func (x *terraform) policy() {
	c := iam.NewFromConfig(x.cfg)
	made := does(x, c.CreatePolicy, &iam.CreatePolicyInput{PolicyName: aws.String("terraform-policy"), PolicyDocument: aws.String(logging)})
	arn := made.Policy.Arn
	got := does(x, c.GetPolicy, &iam.GetPolicyInput{PolicyArn: arn})
	does(x, c.GetPolicyVersion, &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: got.Policy.DefaultVersionId})
	does(x, c.CreatePolicyVersion, &iam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: aws.String(logging), SetAsDefault: true})
	for _, v := range does(x, c.ListPolicyVersions, &iam.ListPolicyVersionsInput{PolicyArn: arn}).Versions {
		if !v.IsDefaultVersion {
			does(x, c.DeletePolicyVersion, &iam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: v.VersionId})
		}
	}
	does(x, c.DeletePolicy, &iam.DeletePolicyInput{PolicyArn: arn})
}

func (x *terraform) function() {
	roles := iam.NewFromConfig(x.cfg)
	name := aws.String("terraform-function")
	role := does(x, roles.CreateRole, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(trust)}).Role.Arn
	var code bytes.Buffer
	z := zip.NewWriter(&code)
	f, err := z.Create("bootstrap")
	if err != nil {
		x.Fatal(err)
	}
	_, _ = f.Write([]byte("#!/bin/sh\n"))
	if err := z.Close(); err != nil {
		x.Fatal(err)
	}
	c := lambda.NewFromConfig(x.cfg)
	does(x, c.CreateFunction, &lambda.CreateFunctionInput{
		FunctionName: name, Role: role, Runtime: "provided.al2023", Handler: aws.String("bootstrap"), Code: &lambdatypes.FunctionCode{ZipFile: code.Bytes()},
		MemorySize: aws.Int32(128), Timeout: aws.Int32(3), Publish: true, PackageType: "Zip", TracingConfig: &lambdatypes.TracingConfig{Mode: "PassThrough"},
		EphemeralStorage: &lambdatypes.EphemeralStorage{Size: aws.Int32(512)}, Architectures: []lambdatypes.Architecture{"x86_64"},
		LoggingConfig: &lambdatypes.LoggingConfig{LogFormat: "Text"}, Tags: map[string]string{"a": "b"},
	})
	got := does(x, c.GetFunction, &lambda.GetFunctionInput{FunctionName: name})
	does(x, c.ListVersionsByFunction, &lambda.ListVersionsByFunctionInput{FunctionName: name, MaxItems: aws.Int32(50)})
	does(x, c.GetFunctionCodeSigningConfig, &lambda.GetFunctionCodeSigningConfigInput{FunctionName: name})
	does(x, c.GetFunctionConcurrency, &lambda.GetFunctionConcurrencyInput{FunctionName: name})
	does(x, c.ListTags, &lambda.ListTagsInput{Resource: got.Configuration.FunctionArn})
	does(x, c.UpdateFunctionConfiguration, &lambda.UpdateFunctionConfigurationInput{FunctionName: name, Timeout: aws.Int32(4)})
	does(x, c.UpdateFunctionCode, &lambda.UpdateFunctionCodeInput{FunctionName: name, ZipFile: code.Bytes(), DryRun: false})
	does(x, c.AddPermission, &lambda.AddPermissionInput{FunctionName: name, StatementId: name, Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com")})
	does(x, c.GetPolicy, &lambda.GetPolicyInput{FunctionName: name})
	does(x, c.RemovePermission, &lambda.RemovePermissionInput{FunctionName: name, StatementId: name})
	does(x, c.CreateAlias, &lambda.CreateAliasInput{FunctionName: name, Name: aws.String("live"), FunctionVersion: aws.String("1")})
	does(x, c.GetAlias, &lambda.GetAliasInput{FunctionName: name, Name: aws.String("live")})
	lacks(x, "ResourceNotFoundException", c.GetProvisionedConcurrencyConfig, &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: name, Qualifier: aws.String("none")})
	does(x, c.DeleteFunction, &lambda.DeleteFunctionInput{FunctionName: name})
	lacks(x, "ResourceNotFoundException", c.GetFunction, &lambda.GetFunctionInput{FunctionName: name})
}

func (x *terraform) api() {
	c := apigateway.NewFromConfig(x.cfg)
	api := does(x, c.CreateRestApi, &apigateway.CreateRestApiInput{Name: aws.String("terraform"), EndpointConfiguration: &apigatewaytypes.EndpointConfiguration{Types: []apigatewaytypes.EndpointType{"REGIONAL"}}})
	does(x, c.GetRestApi, &apigateway.GetRestApiInput{RestApiId: api.Id})
	root := does(x, c.GetResources, &apigateway.GetResourcesInput{RestApiId: api.Id}).Items[0].Id
	r := does(x, c.CreateResource, &apigateway.CreateResourceInput{RestApiId: api.Id, ParentId: root, PathPart: aws.String("hello")})
	does(x, c.GetResource, &apigateway.GetResourceInput{RestApiId: api.Id, ResourceId: r.Id})
	get := aws.String("GET")
	does(x, c.PutMethod, &apigateway.PutMethodInput{RestApiId: api.Id, ResourceId: r.Id, HttpMethod: get, AuthorizationType: aws.String("NONE")})
	does(x, c.GetMethod, &apigateway.GetMethodInput{RestApiId: api.Id, ResourceId: r.Id, HttpMethod: get})
	does(x, c.PutIntegration, &apigateway.PutIntegrationInput{RestApiId: api.Id, ResourceId: r.Id, HttpMethod: get, Type: "MOCK", RequestTemplates: map[string]string{"application/json": `{"statusCode": 200}`}})
	does(x, c.GetIntegration, &apigateway.GetIntegrationInput{RestApiId: api.Id, ResourceId: r.Id, HttpMethod: get})
	does(x, c.PutMethodResponse, &apigateway.PutMethodResponseInput{RestApiId: api.Id, ResourceId: r.Id, HttpMethod: get, StatusCode: aws.String("200")})
	does(x, c.GetMethodResponse, &apigateway.GetMethodResponseInput{RestApiId: api.Id, ResourceId: r.Id, HttpMethod: get, StatusCode: aws.String("200")})
	does(x, c.PutIntegrationResponse, &apigateway.PutIntegrationResponseInput{RestApiId: api.Id, ResourceId: r.Id, HttpMethod: get, StatusCode: aws.String("200")})
	does(x, c.GetIntegrationResponse, &apigateway.GetIntegrationResponseInput{RestApiId: api.Id, ResourceId: r.Id, HttpMethod: get, StatusCode: aws.String("200")})
	d := does(x, c.CreateDeployment, &apigateway.CreateDeploymentInput{RestApiId: api.Id})
	does(x, c.GetDeployment, &apigateway.GetDeploymentInput{RestApiId: api.Id, DeploymentId: d.Id})
	live := aws.String("live")
	does(x, c.CreateStage, &apigateway.CreateStageInput{RestApiId: api.Id, DeploymentId: d.Id, StageName: live, Variables: map[string]string{"a": "b"}})
	does(x, c.GetStage, &apigateway.GetStageInput{RestApiId: api.Id, StageName: live})
	does(x, c.UpdateStage, &apigateway.UpdateStageInput{RestApiId: api.Id, StageName: live, PatchOperations: []apigatewaytypes.PatchOperation{{Op: "replace", Path: aws.String("/description"), Value: live}}})
	does(x, c.DeleteStage, &apigateway.DeleteStageInput{RestApiId: api.Id, StageName: live})
	does(x, c.DeleteDeployment, &apigateway.DeleteDeploymentInput{RestApiId: api.Id, DeploymentId: d.Id})
	does(x, c.DeleteRestApi, &apigateway.DeleteRestApiInput{RestApiId: api.Id})
	lacks(x, "NotFoundException", c.GetRestApi, &apigateway.GetRestApiInput{RestApiId: api.Id})
}

func (x *terraform) logGroup() {
	c := cloudwatchlogs.NewFromConfig(x.cfg)
	name := aws.String("/terraform/group")
	does(x, c.CreateLogGroup, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name, LogGroupClass: "STANDARD", Tags: map[string]string{"a": "b"}})
	does(x, c.PutRetentionPolicy, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Int32(14)})
	groups := does(x, c.DescribeLogGroups, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: name}).LogGroups
	if len(groups) != 1 || *groups[0].RetentionInDays != 14 {
		x.Fatalf("groups: %v", groups)
	}
	does(x, c.ListTagsForResource, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: groups[0].LogGroupArn})
	does(x, c.DeleteLogGroup, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: name})
}

func (x *terraform) parameter() {
	c := ssm.NewFromConfig(x.cfg)
	name := aws.String("/terraform/parameter")
	does(x, c.PutParameter, &ssm.PutParameterInput{Name: name, Value: name, Type: "String", Tier: "Standard", Tags: []ssmtypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
	does(x, c.GetParameter, &ssm.GetParameterInput{Name: name, WithDecryption: aws.Bool(true)})
	does(x, c.DescribeParameters, &ssm.DescribeParametersInput{ParameterFilters: []ssmtypes.ParameterStringFilter{{Key: aws.String("Name"), Option: aws.String("Equals"), Values: []string{*name}}}})
	does(x, c.ListTagsForResource, &ssm.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: name})
	does(x, c.DeleteParameter, &ssm.DeleteParameterInput{Name: name})
	lacks(x, "ParameterNotFound", c.GetParameter, &ssm.GetParameterInput{Name: name})
}

func (x *terraform) secret() {
	c := secretsmanager.NewFromConfig(x.cfg)
	name := aws.String("terraform-secret")
	made := does(x, c.CreateSecret, &secretsmanager.CreateSecretInput{Name: name, Description: name})
	does(x, c.DescribeSecret, &secretsmanager.DescribeSecretInput{SecretId: made.ARN})
	does(x, c.GetResourcePolicy, &secretsmanager.GetResourcePolicyInput{SecretId: made.ARN})
	v := does(x, c.PutSecretValue, &secretsmanager.PutSecretValueInput{SecretId: made.ARN, SecretString: name})
	does(x, c.GetSecretValue, &secretsmanager.GetSecretValueInput{SecretId: made.ARN, VersionId: v.VersionId})
	does(x, c.DeleteSecret, &secretsmanager.DeleteSecretInput{SecretId: made.ARN, RecoveryWindowInDays: aws.Int64(7)})
}

func (x *terraform) key() {
	c := kms.NewFromConfig(x.cfg)
	id := does(x, c.CreateKey, &kms.CreateKeyInput{Description: aws.String("terraform"), KeyUsage: "ENCRYPT_DECRYPT", KeySpec: "SYMMETRIC_DEFAULT"}).KeyMetadata.KeyId
	does(x, c.DescribeKey, &kms.DescribeKeyInput{KeyId: id})
	does(x, c.GetKeyPolicy, &kms.GetKeyPolicyInput{KeyId: id, PolicyName: aws.String("default")})
	does(x, c.GetKeyRotationStatus, &kms.GetKeyRotationStatusInput{KeyId: id})
	does(x, c.ListResourceTags, &kms.ListResourceTagsInput{KeyId: id})
	does(x, c.CreateAlias, &kms.CreateAliasInput{AliasName: aws.String("alias/terraform"), TargetKeyId: id})
	does(x, c.ListAliases, &kms.ListAliasesInput{})
	does(x, c.DeleteAlias, &kms.DeleteAliasInput{AliasName: aws.String("alias/terraform")})
	does(x, c.ScheduleKeyDeletion, &kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(30)})
}
