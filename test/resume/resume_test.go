// Package resume holds that a stack operation survives a crash: at every single
// commit of the store, the disk is kept as a power failure would leave it, and a
// new server goes on from there.
package resume

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
	"github.com/tierra-cloud/tierra/internal/data/faulty"
	"github.com/tierra-cloud/tierra/internal/data/pebble"
	"github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/gen/apigateway"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	gateways "github.com/tierra-cloud/tierra/internal/services/apigateway"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation"
	tables "github.com/tierra-cloud/tierra/internal/services/dynamodb"
	identities "github.com/tierra-cloud/tierra/internal/services/iam"
	functions "github.com/tierra-cloud/tierra/internal/services/lambda"
	groups "github.com/tierra-cloud/tierra/internal/services/logs"
	buckets "github.com/tierra-cloud/tierra/internal/services/s3"
	sessions "github.com/tierra-cloud/tierra/internal/services/sts"
)

// one has one of each of the types whose names or ids could get in the way of a
// second attempt, half of them with names that the template chooses.
const one = `
Resources:
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: chosen-bucket, Tags: [{Key: k, Value: v}], VersioningConfiguration: {Status: Enabled}}}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: chosen-table
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      TimeToLiveSpecification: {AttributeName: end, Enabled: true}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: chosen-role
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}
      Policies: [{PolicyName: p, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}]
  Policy:
    Type: AWS::IAM::Policy
    Properties: {PolicyName: q, Roles: [!Ref Role], PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties: {ManagedPolicyName: chosen-policy, Roles: [!Ref Role], PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}
  User: {Type: AWS::IAM::User, Properties: {UserName: chosen-user}}
  Key: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref User, Status: Inactive}}
  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: chosen-group, RetentionInDays: 7}}
  Stream: {Type: AWS::Logs::LogStream, Properties: {LogGroupName: !Ref Group, LogStreamName: chosen-stream}}
  Function:
    Type: AWS::Lambda::Function
    Properties: {FunctionName: chosen-function, Runtime: nodejs22.x, Handler: index.handler, Role: !GetAtt Role.Arn, Code: {ZipFile: "exports.handler = async () => 1"}}
  Version: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Function}}
  Alias: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref Function, FunctionVersion: !GetAtt Version.Version, Name: live}}
  Permission: {Type: AWS::Lambda::Permission, Properties: {FunctionName: !Ref Alias, Action: lambda:InvokeFunction, Principal: apigateway.amazonaws.com}}
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: twins, Description: one}}
  Twin: {Type: AWS::ApiGateway::RestApi, Properties: {Name: twins, Description: two}}
  Path: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: a}}
  Method:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !Ref Path
      HttpMethod: GET
      MethodResponses: [{StatusCode: "200"}]
      Integration: {Type: MOCK, RequestTemplates: {application/json: '{"statusCode": 200}'}, IntegrationResponses: [{StatusCode: "200"}]}
  Model: {Type: AWS::ApiGateway::Model, Properties: {RestApiId: !Ref Api, Name: Thing, Schema: {type: object}}}
  Deployment: {Type: AWS::ApiGateway::Deployment, DependsOn: Method, Properties: {RestApiId: !Ref Api}}
  Stage: {Type: AWS::ApiGateway::Stage, Properties: {RestApiId: !Ref Api, DeploymentId: !Ref Deployment, StageName: live}}
Outputs:
  Secret: {Value: !GetAtt Key.SecretAccessKey}
  Key: {Value: !Ref Key}
`

// recorder keeps what a power failure would leave after every commit.
type recorder struct {
	data.Store
	disk *faulty.Disk
	mu   sync.Mutex
	left []*faulty.Disk
}

func (r *recorder) Update(ctx context.Context, f func(data.Txn) error) error {
	err := r.Store.Update(ctx, f)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = append(r.left, r.disk.Crash(0))
	return err
}

// server is the rooms over one disk. seed makes its ids differ from those of the
// server before it.
type server struct {
	*calltest.World
	engine *cloudformation.Service
}

func open(t *testing.T, disk *faulty.Disk, blobs blob.Store, seed byte) (*server, *recorder) {
	t.Helper()
	store, err := pebble.Open("store", pebble.Options{FS: disk.FS()})
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorder{Store: store, disk: disk}
	s := &server{World: calltest.New()}
	s.IDs = ids.From(rand.NewChaCha8([32]byte{seed}))
	s.Board.IDs = s.IDs
	key := sha256.Sum256([]byte("key"))
	who, err := identities.New(identities.Deps{Store: rec, Clock: s.Clock, IDs: s.IDs, SessionKey: key[:], Root: identities.Root{Account: calltest.Account, AccessKey: "AKIAROOT", Secret: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	s.Gate.Identities = who
	catalog, err := runtime.NewCatalog(runtime.CatalogConfig{Dir: t.TempDir(), Path: os.Getenv("PATH")})
	if err != nil {
		t.Fatal(err)
	}
	run, err := functions.New(functions.Deps{Store: rec, Blobs: blobs, Clock: s.Clock, IDs: s.IDs, Caller: s.Board, Key: key[:], CodeDir: t.TempDir(), Runtimes: catalog})
	if err != nil {
		t.Fatal(err)
	}
	s.engine = cloudformation.New(cloudformation.Deps{Store: rec, Clock: s.Clock, IDs: s.IDs, Caller: s.Board, Types: s.types, Linger: time.Hour, Identities: who})
	s.Plug(who, run, sessions.New(sessions.Deps{Clock: s.Clock, Mint: who}),
		groups.New(groups.Deps{Store: rec, Clock: s.Clock, IDs: s.IDs}),
		buckets.New(buckets.Deps{Store: rec, Blobs: blobs, Clock: s.Clock, IDs: s.IDs, Caller: s.Board, Host: "localhost:4566", Key: key[:]}),
		tables.New(tables.Deps{Store: rec, Clock: s.Clock, IDs: s.IDs, Caller: s.Board}),
		gateways.New(gateways.Deps{Store: rec, Clock: s.Clock, IDs: s.IDs, Caller: s.Board}),
		s.engine)
	return s, rec
}

func (s *server) types() (all []resource.Type) {
	for _, r := range s.Services() {
		if p, ok := r.(resource.Provider); ok {
			all = append(all, p.ResourceTypes()...)
		}
	}
	return all
}

// settled waits until the stack's operation has ended: one that answers after it
// lingers for it.
func (s *server) settled(t *testing.T) {
	t.Helper()
	if err := s.engine.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.engine.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// inventory counts what there is in all rooms, and tells what tells halves from wholes.
func (s *server) inventory(t *testing.T) string {
	var b strings.Builder
	say := func(what string, n any) { fmt.Fprintf(&b, "%s %v\n", what, n) }
	say("buckets", len(calltest.Must(t, s.World, s3.ListBuckets, &s3.ListBucketsRequest{}).Buckets))
	say("tables", len(calltest.Must(t, s.World, dynamodb.ListTables, &dynamodb.ListTablesInput{}).TableNames))
	say("roles", len(calltest.Must(t, s.World, iam.ListRoles, &iam.ListRolesRequest{}).Roles))
	say("policies", len(calltest.Must(t, s.World, iam.ListPolicies, &iam.ListPoliciesRequest{Scope: new("Local")}).Policies))
	say("groups", len(calltest.Must(t, s.World, logs.DescribeLogGroups, &logs.DescribeLogGroupsRequest{}).LogGroups))
	for _, u := range calltest.Must(t, s.World, iam.ListUsers, &iam.ListUsersRequest{}).Users {
		for _, k := range calltest.Must(t, s.World, iam.ListAccessKeys, &iam.ListAccessKeysRequest{UserName: u.UserName}).AccessKeyMetadata {
			say("key of "+*u.UserName, *k.Status)
		}
	}
	if p, err := calltest.Do(s.World, iam.ListRolePolicies, &iam.ListRolePoliciesRequest{RoleName: new("chosen-role")}); err == nil {
		say("policies of the role", p.PolicyNames)
	}
	if v, err := calltest.Do(s.World, s3.GetBucketVersioning, &s3.GetBucketVersioningRequest{Bucket: new("chosen-bucket")}); err == nil {
		say("versioning", opt.Val(v.Status))
	}
	if v, err := calltest.Do(s.World, dynamodb.DescribeTimeToLive, &dynamodb.DescribeTimeToLiveInput{TableName: new("chosen-table")}); err == nil {
		say("time to live", opt.Val(v.TimeToLiveDescription.AttributeName))
	}
	for _, f := range calltest.Must(t, s.World, lambda.ListFunctions, &lambda.ListFunctionsRequest{}).Functions {
		say("versions", len(calltest.Must(t, s.World, lambda.ListVersionsByFunction, &lambda.ListVersionsByFunctionRequest{FunctionName: f.FunctionName}).Versions))
		say("aliases", len(calltest.Must(t, s.World, lambda.ListAliases, &lambda.ListAliasesRequest{FunctionName: f.FunctionName}).Aliases))
	}
	var apis []string
	for _, a := range calltest.Must(t, s.World, apigateway.GetRestApis, &apigateway.GetRestApisRequest{}).Items {
		line := opt.Val(a.Name) + " " + opt.Val(a.Description)
		line += fmt.Sprint(" deployments ", len(calltest.Must(t, s.World, apigateway.GetDeployments, &apigateway.GetDeploymentsRequest{RestApiId: a.Id}).Items))
		line += fmt.Sprint(" resources ", len(calltest.Must(t, s.World, apigateway.GetResources, &apigateway.GetResourcesRequest{RestApiId: a.Id}).Items))
		line += fmt.Sprint(" stages ", len(calltest.Must(t, s.World, apigateway.GetStages, &apigateway.GetStagesRequest{RestApiId: a.Id}).Item))
		apis = append(apis, line)
	}
	// The twins may come in either order.
	if len(apis) == 2 && apis[0] > apis[1] {
		apis[0], apis[1] = apis[1], apis[0]
	}
	say("apis", strings.Join(apis, "; "))
	return b.String()
}

// failures logs why resources failed.
func failures(t *testing.T, s *server) {
	for _, e := range calltest.Must(t, s.World, api.DescribeStackEvents, &api.DescribeStackEventsInput{StackName: new("s")}).StackEvents {
		if strings.HasSuffix(*e.ResourceStatus, "FAILED") {
			t.Logf("%s %s: %s", *e.LogicalResourceId, *e.ResourceStatus, opt.Val(e.ResourceStatusReason))
		}
	}
}

// TestCreateSurvives kills the server at every commit of a stack's creation.
func TestCreateSurvives(t *testing.T) {
	disk, blobs := faulty.NewDisk(1), memblob.New()
	s, rec := open(t, disk, blobs, 1)
	empty := s.inventory(t)
	caps := []string{api.CapabilityCapabilityNamedIam}
	calltest.Must(t, s.World, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: new(one), Capabilities: caps})
	status := func(s *server) string {
		st := calltest.Must(t, s.World, api.DescribeStacks, &api.DescribeStacksInput{StackName: new("s")}).Stacks[0]
		return *st.StackStatus + " " + opt.Val(st.StackStatusReason) + fmt.Sprint(" outputs ", len(st.Outputs))
	}
	want, whole := status(s), s.inventory(t)
	if !strings.HasPrefix(want, "CREATE_COMPLETE") {
		failures(t, s)
		t.Fatal(want)
	}
	left := rec.left
	t.Logf("%d commits; %s\n%s", len(left), want, whole)
	begun := false
	for i, d := range left {
		s, rec := open(t, d, blobs, byte(2+i%200))
		if !begun {
			if _, err := calltest.Do(s.World, api.DescribeStacks, &api.DescribeStacksInput{StackName: new("s")}); err != nil {
				_ = rec.Close()
				continue // killed before the stack was accepted
			}
			begun = true
		}
		s.settled(t)
		if got := status(s); got != want {
			failures(t, s)
			t.Errorf("killed at commit %d it ended as %s", i, got)
		}
		if got := s.inventory(t); got != whole {
			t.Errorf("killed at commit %d there is\n%s", i, got)
		}
		if i%10 == 0 {
			calltest.Must(t, s.World, api.DeleteStack, &api.DeleteStackInput{StackName: new("s")})
			if got := s.inventory(t); got != empty {
				t.Errorf("killed at commit %d, deleted, there is left\n%s", i, got)
			}
		}
		if err := rec.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !begun {
		t.Error("the stack was never found")
	}
}

var _ call.Service = (*cloudformation.Service)(nil)
