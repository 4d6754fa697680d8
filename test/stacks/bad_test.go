package stacks

import (
	"io"
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

// TestBucketNotEmpty deletes a stack whose bucket holds an object: the stack stays as
// DELETE_FAILED with the bucket alone, and goes once the bucket is empty.
func TestBucketNotEmpty(t *testing.T) {
	w, _, _ := world(t, mem.New(), memblob.New(), time.Hour)
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: new(`
Resources:
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: full}}
  Group: {Type: AWS::Logs::LogGroup}`)})
	calltest.Must(t, w, s3.PutObject, &s3.PutObjectRequest{Bucket: new("full"), Key: new("k"), Body: io.NopCloser(strings.NewReader("x"))})
	calltest.Must(t, w, api.DeleteStack, &api.DeleteStackInput{StackName: new("s")})
	if got := status(t, w); got != "DELETE_FAILED" || !strings.Contains(reasons(t, w), "The bucket you tried to delete is not empty") {
		t.Errorf("it ended as %s\n%s", got, reasons(t, w))
	}
	if n := len(calltest.Must(t, w, logs.DescribeLogGroups, &logs.DescribeLogGroupsRequest{}).LogGroups); n != 0 {
		t.Errorf("%d log groups are left", n)
	}
	calltest.Must(t, w, s3.DeleteObject, &s3.DeleteObjectRequest{Bucket: new("full"), Key: new("k")})
	calltest.Must(t, w, api.DeleteStack, &api.DeleteStackInput{StackName: new("s")})
	if got := status(t, w); got != "gone" {
		t.Errorf("it ended as %s", got)
	}
}

// TestTwoUpdates asks for a second update while the first waits: it is refused, and
// the first goes on.
func TestTwoUpdates(t *testing.T) {
	w, p, room := world(t, mem.New(), memblob.New(), 0)
	asked := make(chan bool, 4)
	p.answer = func(map[string]any) map[string]any { asked <- true; return nil }
	body := func(size string) *string {
		return new("Resources: {C: {Type: AWS::CloudFormation::CustomResource, Properties: {ServiceToken: '" + function + "', ServiceTimeout: 30, Size: " + size + "}}}")
	}
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: body("1"), DisableRollback: new(true)})
	<-asked
	_, err := calltest.Do(w, api.UpdateStack, &api.UpdateStackInput{StackName: new("s"), TemplateBody: body("2")})
	if err == nil || !strings.HasSuffix(err.Error(), "is in CREATE_IN_PROGRESS state and can not be updated.") {
		t.Errorf("the second: %v", err)
	}
	_, err = calltest.Do(w, api.CreateChangeSet, &api.CreateChangeSetInput{StackName: new("s"), ChangeSetName: new("c"), TemplateBody: body("2")})
	if err == nil || !strings.HasSuffix(err.Error(), "is in CREATE_IN_PROGRESS state and can not be updated.") {
		t.Errorf("a change set: %v", err)
	}
	settle(w, room)
	if got := status(t, w); got != "CREATE_FAILED" {
		t.Errorf("it ended as %s", got)
	}
}

// TestNestedProtected: a nested stack is protected by its root against its own deletion.
func TestNestedProtected(t *testing.T) {
	w, _, _ := world(t, mem.New(), memblob.New(), time.Hour)
	calltest.Must(t, w, s3.CreateBucket, &s3.CreateBucketRequest{Bucket: new("templates")})
	calltest.Must(t, w, s3.PutObject, &s3.PutObjectRequest{Bucket: new("templates"), Key: new("inner.yaml"), Body: io.NopCloser(strings.NewReader(inner))})
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: outer("7", "a"), EnableTerminationProtection: new(true)})
	nested := calltest.Must(t, w, api.DescribeStackResource, &api.DescribeStackResourceInput{StackName: new("s"), LogicalResourceId: new("Inner")}).StackResourceDetail.PhysicalResourceId
	if _, err := calltest.Do(w, api.DeleteStack, &api.DeleteStackInput{StackName: nested}); err == nil || !strings.Contains(err.Error(), "cannot be deleted while TerminationProtection is enabled") {
		t.Errorf("deleting the nested stack: %v", err)
	}
	if _, err := calltest.Do(w, api.UpdateTerminationProtection, &api.UpdateTerminationProtectionInput{StackName: nested, EnableTerminationProtection: new(false)}); err == nil || !strings.Contains(err.Error(), "root stack") {
		t.Errorf("taking its protection away: %v", err)
	}
	calltest.Must(t, w, api.UpdateTerminationProtection, &api.UpdateTerminationProtectionInput{StackName: new("s"), EnableTerminationProtection: new(false)})
	calltest.Must(t, w, api.DeleteStack, &api.DeleteStackInput{StackName: new("s")})
	if got := status(t, w); got != "gone" {
		t.Errorf("it ended as %s\n%s", got, reasons(t, w))
	}
}
