package stacks

import (
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

const inner = `
Parameters: {Days: {Type: Number}}
Resources:
  Group: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: !Ref Days}}
Outputs:
  Name: {Value: !Ref Group}
`

func outer(days, after string) *string {
	return new(`
Resources:
  Inner: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: "https://s3.amazonaws.com/templates/inner.yaml", Parameters: {Days: ` + days + `}}}
  After: {Type: AWS::Logs::LogStream, Properties: {LogGroupName: !GetAtt Inner.Outputs.Name, LogStreamName: "` + after + `"}}
Outputs:
  Name: {Value: !GetAtt Inner.Outputs.Name}
  Stack: {Value: !Ref Inner}
`)
}

func TestNested(t *testing.T) {
	w, _, _ := world(t, mem.New(), memblob.New(), time.Hour)
	calltest.Must(t, w, s3.CreateBucket, &s3.CreateBucketRequest{Bucket: new("templates")})
	calltest.Must(t, w, s3.PutObject, &s3.PutObjectRequest{Bucket: new("templates"), Key: new("inner.yaml"), Body: io.NopCloser(strings.NewReader(inner))})
	retention := func() (days []int32) {
		for _, g := range calltest.Must(t, w, logs.DescribeLogGroups, &logs.DescribeLogGroupsRequest{}).LogGroups {
			days = append(days, opt.Val(g.RetentionInDays))
		}
		return days
	}
	expect := func(what, want string, days ...int32) {
		t.Helper()
		if got := status(t, w); !strings.HasPrefix(got, want) {
			t.Errorf("%s: it ended as %s\n%s", what, got, reasons(t, w))
		}
		if got := retention(); len(got) != len(days) || len(days) > 0 && got[0] != days[0] {
			t.Errorf("%s: log groups with a retention of %v", what, got)
		}
	}
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: outer("7", "a"), Tags: []api.Tag{{Key: new("k"), Value: new("v")}}})
	expect("create", "CREATE_COMPLETE Name=s-Inner-", 7)
	for _, st := range calltest.Must(t, w, api.DescribeStacks, &api.DescribeStacksInput{}).Stacks {
		if nested := strings.HasPrefix(*st.StackName, "s-Inner-"); nested != (st.ParentId != nil) || nested && (*st.ParentId != *st.RootId || len(st.Tags) != 1) {
			t.Errorf("stack %s: parent %v, tags %v", *st.StackName, st.ParentId, st.Tags)
		}
	}
	calltest.Must(t, w, api.UpdateStack, &api.UpdateStackInput{StackName: new("s"), TemplateBody: outer("14", "a")})
	expect("update", "UPDATE_COMPLETE", 14)
	calltest.Must(t, w, api.UpdateStack, &api.UpdateStackInput{StackName: new("s"), TemplateBody: outer("30", "a:b")})
	expect("update that fails after the nested one's", "UPDATE_ROLLBACK_COMPLETE", 14)
	calltest.Must(t, w, api.UpdateStack, &api.UpdateStackInput{StackName: new("s"), TemplateBody: outer("2", "a")})
	expect("update of the nested one that fails", "UPDATE_ROLLBACK_COMPLETE", 14)
	if !strings.Contains(reasons(t, w), "Inner: Properties validation failed") && !strings.Contains(reasons(t, w), "Inner: ") {
		t.Errorf("reasons %s", reasons(t, w))
	}
	calltest.Must(t, w, api.DeleteStack, &api.DeleteStackInput{StackName: new("s")})
	expect("delete", "gone")
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: outer("7", "a:b")})
	expect("create that fails after the nested one", "ROLLBACK_COMPLETE")
	if out := calltest.Must(t, w, api.DescribeStacks, &api.DescribeStacksInput{}); len(out.Stacks) != 1 {
		t.Errorf("%d stacks are left", len(out.Stacks))
	}
}

// TestWait lets a stack wait for two signals, over a restart.
func TestWait(t *testing.T) {
	const body = `
Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Wait: {Type: AWS::CloudFormation::WaitCondition, Properties: {Handle: !Ref Handle, Timeout: "100", Count: 2}}
Outputs:
  Data: {Value: !GetAtt Wait.Data}
`
	for _, c := range []struct {
		name    string
		signals []map[string]any
		want    string
		reason  string
	}{
		{"both", []map[string]any{{"Status": "SUCCESS", "UniqueId": "a", "Data": "one"}, {"Status": "SUCCESS", "UniqueId": "b", "Data": "two"}}, `CREATE_COMPLETE Data={"a":"one","b":"two"}`, ""},
		{"the same twice", []map[string]any{{"Status": "SUCCESS", "UniqueId": "a"}, {"Status": "SUCCESS", "UniqueId": "a"}}, "ROLLBACK_COMPLETE", "Wait: WaitCondition timed out. Received 1 conditions when expecting 2\n"},
		{"a failure", []map[string]any{{"Status": "FAILURE", "UniqueId": "a", "Reason": "no"}}, "ROLLBACK_COMPLETE", "Wait: WaitCondition received failed message: 'no' for uniqueId: a\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, blobs := mem.New(), memblob.New()
			w, p, room := world(t, store, blobs, 0)
			calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: new(body)})
			handle := ""
			for handle == "" {
				runtime.Gosched()
				for _, r := range calltest.Must(t, w, api.DescribeStackResources, &api.DescribeStackResourcesInput{StackName: new("s")}).StackResources {
					if *r.LogicalResourceId == "Handle" {
						handle = opt.Val(r.PhysicalResourceId)
					}
				}
			}
			for i, s := range c.signals {
				if i == 1 {
					if err := room.Stop(context.Background()); err != nil {
						t.Fatal(err)
					}
					w, p, room = world(t, store, blobs, 0)
					if err := room.Start(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
				if err := p.put(context.Background(), handle, s); err != nil {
					t.Fatal(err)
				}
			}
			settle(w, room)
			if got := status(t, w); got != c.want || reasons(t, w) != c.reason {
				t.Errorf("it ended as %s: %s", got, reasons(t, w))
			}
		})
	}
}

// TestNestedRead: a nested stack is read back as its template says, drifts when it is
// updated by itself, and a stack that exists can be taken in as a nested one.
func TestNestedRead(t *testing.T) {
	w, _, _ := world(t, mem.New(), memblob.New(), time.Hour)
	calltest.Must(t, w, s3.CreateBucket, &s3.CreateBucketRequest{Bucket: new("templates")})
	calltest.Must(t, w, s3.PutObject, &s3.PutObjectRequest{Bucket: new("templates"), Key: new("inner.yaml"), Body: io.NopCloser(strings.NewReader(inner))})
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: outer("7", "a"), Tags: []api.Tag{{Key: new("k"), Value: new("v")}}})
	drift := func() string {
		calltest.Must(t, w, api.DetectStackDrift, &api.DetectStackDriftInput{StackName: new("s")})
		for _, r := range calltest.Must(t, w, api.DescribeStackResourceDrifts, &api.DescribeStackResourceDriftsInput{StackName: new("s")}).StackResourceDrifts {
			if *r.LogicalResourceId == "Inner" {
				return *r.StackResourceDriftStatus
			}
		}
		return "none"
	}
	if got := drift(); got != "IN_SYNC" {
		t.Errorf("at first it is %s", got)
	}
	nested := calltest.Must(t, w, api.DescribeStackResource, &api.DescribeStackResourceInput{StackName: new("s"), LogicalResourceId: new("Inner")}).StackResourceDetail.PhysicalResourceId
	calltest.Must(t, w, api.UpdateStack, &api.UpdateStackInput{StackName: nested, UsePreviousTemplate: new(true), Parameters: []api.Parameter{{ParameterKey: new("Days"), ParameterValue: new("14")}}})
	if got := drift(); got != "MODIFIED" {
		t.Errorf("after an update of its own it is %s", got)
	}
	alone := calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("alone"), TemplateBody: new(inner), Parameters: []api.Parameter{{ParameterKey: new("Days"), ParameterValue: new("3")}}}).StackId
	calltest.Must(t, w, api.CreateChangeSet, &api.CreateChangeSetInput{
		StackName: new("taker"), ChangeSetName: new("c"), ChangeSetType: new(api.ChangeSetTypeImport),
		TemplateBody:      new(`Resources: {In: {Type: AWS::CloudFormation::Stack, DeletionPolicy: Delete, Properties: {TemplateURL: "https://s3.amazonaws.com/templates/inner.yaml", Parameters: {Days: 3}}}}`),
		ResourcesToImport: []api.ResourceToImport{{LogicalResourceId: new("In"), ResourceType: new("AWS::CloudFormation::Stack"), ResourceIdentifier: map[string]string{"StackId": *alone}}},
	})
	calltest.Must(t, w, api.ExecuteChangeSet, &api.ExecuteChangeSetInput{StackName: new("taker"), ChangeSetName: new("c")})
	taker := calltest.Must(t, w, api.DescribeStacks, &api.DescribeStacksInput{StackName: new("taker")}).Stacks[0]
	taken := calltest.Must(t, w, api.DescribeStacks, &api.DescribeStacksInput{StackName: alone}).Stacks[0]
	if *taker.StackStatus != api.StackStatusImportComplete || opt.Val(taken.ParentId) != *taker.StackId || opt.Val(taken.RootId) != *taker.StackId {
		t.Errorf("%s; the stack is nested in %v", *taker.StackStatus, opt.Val(taken.ParentId))
	}
	calltest.Must(t, w, api.DeleteStack, &api.DeleteStackInput{StackName: new("taker")})
	if got := *calltest.Must(t, w, api.DescribeStacks, &api.DescribeStacksInput{StackName: alone}).Stacks[0].StackStatus; got != api.StackStatusDeleteComplete {
		t.Errorf("it is %s after its taker", got)
	}
}

// TestForcedNested deletes a stack by force whose nested stack cannot be deleted: what
// can go goes, what cannot stays, and no stack is left.
func TestForcedNested(t *testing.T) {
	w, _, _ := world(t, mem.New(), memblob.New(), time.Hour)
	put := func(bucket, key, body string) {
		calltest.Must(t, w, s3.PutObject, &s3.PutObjectRequest{Bucket: &bucket, Key: &key, Body: io.NopCloser(strings.NewReader(body))})
	}
	calltest.Must(t, w, s3.CreateBucket, &s3.CreateBucketRequest{Bucket: new("templates")})
	put("templates", "inner.yaml", `
Resources:
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: kept}}
  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: group}}
`)
	calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: new(`
Resources:
  Inner: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: "https://s3.amazonaws.com/templates/inner.yaml"}}
  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: outer}}
`)})
	if got := status(t, w); got != "CREATE_COMPLETE" {
		t.Fatalf("%s: %s", got, reasons(t, w))
	}
	put("kept", "a", "a")
	calltest.Must(t, w, api.DeleteStack, &api.DeleteStackInput{StackName: new("s")})
	if got := status(t, w); got != "DELETE_FAILED" {
		t.Fatalf("a deletion of what is not empty: %s", got)
	}
	calltest.Must(t, w, api.DeleteStack, &api.DeleteStackInput{StackName: new("s"), DeletionMode: new(api.DeletionModeForceDeleteStack)})
	if got := status(t, w); got != "gone" {
		t.Errorf("by force: %s: %s", got, reasons(t, w))
	}
	if out := calltest.Must(t, w, api.DescribeStacks, &api.DescribeStacksInput{}); len(out.Stacks) != 0 {
		t.Errorf("%d stacks are left", len(out.Stacks))
	}
	if out := calltest.Must(t, w, logs.DescribeLogGroups, &logs.DescribeLogGroupsRequest{}); len(out.LogGroups) != 0 {
		t.Errorf("%d log groups are left", len(out.LogGroups))
	}
	calltest.Must(t, w, s3.HeadObject, &s3.HeadObjectRequest{Bucket: new("kept"), Key: new("a")})
}
