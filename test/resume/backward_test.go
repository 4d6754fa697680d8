package resume

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
	"github.com/tierra-cloud/tierra/internal/data/faulty"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// some are resources of several rooms, the last of which a parameter lets fail.
const some = `
Parameters: {Stream: {Type: String}, Name: {Type: String}}
Resources:
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub "${Name}-bucket", Tags: [{Key: k, Value: !Ref Name}]}}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      Tags: [{Key: k, Value: !Ref Name}]
  Role:
    Type: AWS::IAM::Role
    Properties:
      Description: !Ref Name
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}
      Policies: [{PolicyName: p, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:*", Resource: !GetAtt Bucket.Arn}]}}]
  User: {Type: AWS::IAM::User}
  Key: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref User}}
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: twins, Description: !Ref Name}}
  Path: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: !Ref Name}}
  Group: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 7}}
  Stream: {Type: AWS::Logs::LogStream, Properties: {LogGroupName: !Ref Group, LogStreamName: !Ref Stream}, DependsOn: [Bucket, Table, Role, Key, Path]}
`

// A name of a log stream, and one that is refused when the stream is made.
const (
	right = "a"
	wrong = "a:b"
)

// killed runs an operation that act begins, and again from what every commit leaves
// on the disk; each must end as the first did.
func killed(t *testing.T, before, act func(t *testing.T, s *server), look func(t *testing.T, s *server) string, want string) {
	disk, blobs := faulty.NewDisk(1), memblob.New()
	s, rec := open(t, disk, blobs, 1)
	before(t, s)
	rec.mu.Lock()
	rec.left = nil
	rec.mu.Unlock()
	act(t, s)
	whole := look(t, s)
	if !strings.HasPrefix(whole, want) {
		failures(t, s)
		t.Fatalf("it ended as %s, not %s", whole, want)
	}
	left := rec.left
	t.Logf("%d commits; %s", len(left), whole)
	begun := 0
	for i, d := range left {
		s, rec := open(t, d, blobs, byte(2+i%200))
		was := look(t, s)
		s.settled(t)
		got := look(t, s)
		switch {
		case got == whole:
			begun++
		case begun == 0 && got == was: // killed before the operation was accepted
		default:
			failures(t, s)
			t.Errorf("killed at commit %d it ended as %s", i, got)
		}
		if err := rec.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if begun == 0 {
		t.Error("no operation was taken up")
	}
}

func stack(t *testing.T, s *server) string {
	t.Helper()
	out, err := calltest.Do(s.World, api.DescribeStacks, &api.DescribeStacksInput{StackName: new("s")})
	if err != nil {
		return "GONE\n"
	}
	return *out.Stacks[0].StackStatus + "\n"
}

func parameters(stream, name string) []api.Parameter {
	return []api.Parameter{{ParameterKey: new("Stream"), ParameterValue: &stream}, {ParameterKey: new("Name"), ParameterValue: &name}}
}

// create makes the stack of some.
func create(t *testing.T, s *server, stream string) {
	t.Helper()
	calltest.Must(t, s.World, api.CreateStack, &api.CreateStackInput{
		StackName: new("s"), TemplateBody: new(some), Parameters: parameters(stream, "chosen"), Capabilities: []string{api.CapabilityCapabilityIam},
	})
}

// everything is the stack's status, and what there is in the rooms.
func everything(t *testing.T, s *server) string {
	text := stack(t, s) + s.inventory(t)
	for _, b := range calltest.Must(t, s.World, s3.ListBuckets, &s3.ListBucketsRequest{}).Buckets {
		text += *b.Name + "\n"
	}
	for _, r := range calltest.Must(t, s.World, iam.ListRoles, &iam.ListRolesRequest{}).Roles {
		text += "role of " + opt.Val(r.Description) + "\n"
	}
	for _, g := range calltest.Must(t, s.World, logs.DescribeLogGroups, &logs.DescribeLogGroupsRequest{}).LogGroups {
		text += fmt.Sprintln("retention", opt.Val(g.RetentionInDays))
	}
	return text
}

// TestDeleteSurvives kills the server at every commit of a stack's deletion.
func TestDeleteSurvives(t *testing.T) {
	killed(t, func(t *testing.T, s *server) { create(t, s, right) }, func(t *testing.T, s *server) {
		calltest.Must(t, s.World, api.DeleteStack, &api.DeleteStackInput{StackName: new("s")})
	}, everything, "GONE\nbuckets 0\ntables 0\nroles 0")
}

// TestRollbackSurvives kills the server at every commit of a creation that fails and
// is taken back.
func TestRollbackSurvives(t *testing.T) {
	killed(t, func(*testing.T, *server) {}, func(t *testing.T, s *server) { create(t, s, wrong) }, everything, "ROLLBACK_COMPLETE\nbuckets 0\ntables 0\nroles 0")
}

// TestUpdateRollbackSurvives kills the server at every commit of an update that
// replaces, changes, fails, and is taken back.
func TestUpdateRollbackSurvives(t *testing.T) {
	killed(t, func(t *testing.T, s *server) { create(t, s, right) }, func(t *testing.T, s *server) {
		calltest.Must(t, s.World, api.UpdateStack, &api.UpdateStackInput{
			StackName: new("s"), UsePreviousTemplate: new(true), Parameters: parameters(wrong, "other"), Capabilities: []string{api.CapabilityCapabilityIam},
		})
	}, everything, "UPDATE_ROLLBACK_COMPLETE\nbuckets 1\n")
}

// TestImportSurvives kills the server at every commit of an import, and of one that
// is let go of because the last resource is not there.
func TestImportSurvives(t *testing.T) {
	exist := func(t *testing.T, s *server) {
		calltest.Must(t, s.World, s3.CreateBucket, &s3.CreateBucketRequest{Bucket: new("there")})
		calltest.Must(t, s.World, logs.CreateLogGroup, &logs.CreateLogGroupRequest{LogGroupName: new("there")})
		calltest.Must(t, s.World, dynamodb.CreateTable, &dynamodb.CreateTableInput{
			TableName: new("there"), BillingMode: new(dynamodb.BillingModePayPerRequest),
			AttributeDefinitions: []dynamodb.AttributeDefinition{{AttributeName: new("pk"), AttributeType: new("S")}},
			KeySchema:            []dynamodb.KeySchemaElement{{AttributeName: new("pk"), KeyType: new("HASH")}},
		})
	}
	take := func(group string) func(t *testing.T, s *server) {
		return func(t *testing.T, s *server) {
			calltest.Must(t, s.World, api.CreateChangeSet, &api.CreateChangeSetInput{
				StackName: new("s"), ChangeSetName: new("c"), ChangeSetType: new(api.ChangeSetTypeImport), TemplateBody: new(`
Resources:
  Bucket: {Type: AWS::S3::Bucket, DeletionPolicy: Delete, Properties: {BucketName: there}}
  Table: {Type: AWS::DynamoDB::Table, DeletionPolicy: Delete, Properties: {TableName: there, BillingMode: PAY_PER_REQUEST, AttributeDefinitions: [{AttributeName: pk, AttributeType: S}], KeySchema: [{AttributeName: pk, KeyType: HASH}]}}
  ZGroup: {Type: AWS::Logs::LogGroup, DeletionPolicy: Delete, DependsOn: [Bucket, Table], Properties: {LogGroupName: ` + group + `}}
`),
				ResourcesToImport: []api.ResourceToImport{
					{LogicalResourceId: new("Bucket"), ResourceType: new("AWS::S3::Bucket"), ResourceIdentifier: map[string]string{"BucketName": "there"}},
					{LogicalResourceId: new("Table"), ResourceType: new("AWS::DynamoDB::Table"), ResourceIdentifier: map[string]string{"TableName": "there"}},
					{LogicalResourceId: new("ZGroup"), ResourceType: new("AWS::Logs::LogGroup"), ResourceIdentifier: map[string]string{"LogGroupName": group}},
				},
			})
		}
	}
	look := func(t *testing.T, s *server) string {
		text := stack(t, s)
		if out, err := calltest.Do(s.World, api.ListStackResources, &api.ListStackResourcesInput{StackName: new("s")}); err == nil {
			for _, r := range out.StackResourceSummaries {
				text += *r.LogicalResourceId + " " + opt.Val(r.PhysicalResourceId) + " " + *r.ResourceStatus + "\n"
			}
		}
		return text + s.inventory(t)
	}
	for _, c := range []struct{ group, want string }{
		{"there", "IMPORT_COMPLETE\nBucket there IMPORT_COMPLETE\nTable there IMPORT_COMPLETE\nZGroup there IMPORT_COMPLETE\nbuckets 1\ntables 1"},
		{"nowhere", "IMPORT_ROLLBACK_COMPLETE\nbuckets 1\ntables 1"},
	} {
		t.Run(c.group, func(t *testing.T) {
			killed(t, func(t *testing.T, s *server) {
				exist(t, s)
				take(c.group)(t, s)
			}, func(t *testing.T, s *server) {
				calltest.Must(t, s.World, api.ExecuteChangeSet, &api.ExecuteChangeSetInput{StackName: new("s"), ChangeSetName: new("c")})
			}, look, c.want)
		})
	}
}
