package stacks

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
)

const settled = `
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: drifting
      VersioningConfiguration: {Status: Enabled}
      BucketEncryption: {ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: AES256}}]}
      OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced}]}
      PublicAccessBlockConfiguration: {BlockPublicPolicy: false}
      WebsiteConfiguration: {IndexDocument: index.html}
      CorsConfiguration: {CorsRules: [{AllowedMethods: [GET], AllowedOrigins: ["*"], MaxAge: 60}]}
      LifecycleConfiguration: {Rules: [{Status: Enabled, ExpirationInDays: 7}]}
      Tags: [{Key: b, Value: "2"}, {Key: a, Value: "1"}]
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: "*", Action: s3:GetObject, Resource: !Sub "${Bucket.Arn}/*"}]}
  Group: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 7, Tags: [{Key: own, Value: x}]}}
  Stream: {Type: AWS::Logs::LogStream, Properties: {LogGroupName: !Ref Group}}
`

// TestDrift changes resources behind a stack's back: nothing has drifted before, and
// just that after.
func TestDrift(t *testing.T) {
	w, _, _ := world(t, mem.New(), memblob.New(), time.Hour)
	name := new("s")
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: name, TemplateBody: new(settled), Tags: []api.Tag{{Key: new("stack"), Value: new("tag")}}})
	if got := status(t, w); got != "CREATE_COMPLETE" {
		t.Fatalf("it ended as %s\n%s", got, reasons(t, w))
	}
	drift := func() string {
		calltest.Must(t, w, api.DetectStackDrift, &api.DetectStackDriftInput{StackName: name})
		var b strings.Builder
		for _, r := range calltest.Must(t, w, api.DescribeStackResourceDrifts, &api.DescribeStackResourceDriftsInput{StackName: name}).StackResourceDrifts {
			fmt.Fprintf(&b, "%s %s\n", *r.LogicalResourceId, *r.StackResourceDriftStatus)
			for _, d := range r.PropertyDifferences {
				fmt.Fprintf(&b, "  %s %s %s -> %s\n", *d.PropertyPath, *d.DifferenceType, *d.ExpectedValue, *d.ActualValue)
			}
		}
		return b.String()
	}
	if got, want := drift(), "Bucket IN_SYNC\nGroup IN_SYNC\nPolicy IN_SYNC\nStream IN_SYNC\n"; got != want {
		t.Errorf("at first:\n%s", got)
	}
	group := *calltest.Must(t, w, api.DescribeStackResource, &api.DescribeStackResourceInput{StackName: name, LogicalResourceId: new("Group")}).StackResourceDetail.PhysicalResourceId
	stream := *calltest.Must(t, w, api.DescribeStackResource, &api.DescribeStackResourceInput{StackName: name, LogicalResourceId: new("Stream")}).StackResourceDetail.PhysicalResourceId
	calltest.Must(t, w, logs.PutRetentionPolicy, &logs.PutRetentionPolicyRequest{LogGroupName: &group, RetentionInDays: new(int32(14))})
	calltest.Must(t, w, logs.DeleteLogStream, &logs.DeleteLogStreamRequest{LogGroupName: &group, LogStreamName: &stream})
	calltest.Must(t, w, s3.PutBucketTagging, &s3.PutBucketTaggingRequest{Bucket: new("drifting"), Tagging: &s3.Tagging{TagSet: []s3.Tag{
		{Key: new("a"), Value: new("1")}, {Key: new("c"), Value: new("3")},
	}}})
	calltest.Must(t, w, s3.DeleteBucketWebsite, &s3.DeleteBucketWebsiteRequest{Bucket: new("drifting")})
	want := `Bucket MODIFIED
  /Tags/0 REMOVE {"Key":"b","Value":"2"} -> null
  /Tags/1 ADD null -> {"Key":"c","Value":"3"}
  /WebsiteConfiguration REMOVE {"IndexDocument":"index.html"} -> null
Group MODIFIED
  /RetentionInDays NOT_EQUAL 7 -> 14
Policy IN_SYNC
Stream DELETED
`
	if got := drift(); got != want {
		t.Errorf("after the changes:\n%s", got)
	}
}
