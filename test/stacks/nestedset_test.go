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
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// TestNestedChangeSets asks what a change does to the stacks in a stack, at a creation
// and at an update, and executes the root.
func TestNestedChangeSets(t *testing.T) {
	w, _, _ := world(t, mem.New(), memblob.New(), time.Hour)
	calltest.Must(t, w, s3.CreateBucket, &s3.CreateBucketRequest{Bucket: new("templates")})
	calltest.Must(t, w, s3.PutObject, &s3.PutObjectRequest{Bucket: new("templates"), Key: new("inner.yaml"), Body: io.NopCloser(strings.NewReader(inner))})
	root := func(kind, days string) (id string, nested *api.DescribeChangeSetOutput) {
		t.Helper()
		out := calltest.Must(t, w, api.CreateChangeSet, &api.CreateChangeSetInput{StackName: new("s"), ChangeSetName: new("set" + days), ChangeSetType: &kind,
			TemplateBody: outer(days, "a"), IncludeNestedStacks: new(true)})
		d := calltest.Must(t, w, api.DescribeChangeSet, &api.DescribeChangeSetInput{ChangeSetName: out.Id})
		if !opt.Val(d.IncludeNestedStacks) {
			t.Error("the root does not say that it has nested ones")
		}
		for _, c := range d.Changes {
			if *c.ResourceChange.LogicalResourceId == "Inner" {
				nested = calltest.Must(t, w, api.DescribeChangeSet, &api.DescribeChangeSetInput{ChangeSetName: c.ResourceChange.ChangeSetId, IncludePropertyValues: new(true)})
			}
		}
		if nested == nil || *nested.RootChangeSetId != *out.Id || *nested.ParentChangeSetId != *out.Id {
			t.Fatalf("the nested change set is %+v", nested)
		}
		if _, err := calltest.Do(w, api.ExecuteChangeSet, &api.ExecuteChangeSetInput{ChangeSetName: nested.ChangeSetId}); err == nil || !strings.Contains(err.Error(), "nested change set") {
			t.Errorf("executing the nested one: %v", err)
		}
		return *out.Id, nested
	}
	execute := func(id string, nested *api.DescribeChangeSetOutput, want string) {
		t.Helper()
		calltest.Must(t, w, api.ExecuteChangeSet, &api.ExecuteChangeSetInput{ChangeSetName: &id})
		if got := status(t, w); !strings.HasPrefix(got, want) {
			t.Fatalf("it ended as %s\n%s", got, reasons(t, w))
		}
		if _, err := calltest.Do(w, api.DescribeChangeSet, &api.DescribeChangeSetInput{ChangeSetName: nested.ChangeSetId}); err == nil {
			t.Error("the nested change set is still there")
		}
	}
	id, nested := root("CREATE", "7")
	if c := nested.Changes; len(c) != 1 || *c[0].ResourceChange.Action != "Add" || *c[0].ResourceChange.LogicalResourceId != "Group" {
		t.Errorf("the nested changes are %+v", c)
	}
	execute(id, nested, "CREATE_COMPLETE")
	id, nested = root("UPDATE", "14")
	if c := nested.Changes; len(c) != 1 || *c[0].ResourceChange.Action != "Modify" || !strings.Contains(*c[0].ResourceChange.AfterContext, `"14"`) {
		t.Errorf("the nested changes are %+v", c)
	}
	execute(id, nested, "UPDATE_COMPLETE")

	// What is wrong with a nested stack is said before anything is done.
	bad := outer("nonsense", "a")
	_, err := calltest.Do(w, api.CreateChangeSet, &api.CreateChangeSetInput{StackName: new("s"), ChangeSetName: new("bad"), TemplateBody: bad, IncludeNestedStacks: new(true)})
	if err == nil || !strings.Contains(err.Error(), "Nested change set of Inner was not successfully created: Parameter 'Days' must be a number") {
		t.Errorf("a nested stack that cannot be: %v", err)
	}
	id, nested = root("UPDATE", "30")
	calltest.Must(t, w, api.DeleteChangeSet, &api.DeleteChangeSetInput{ChangeSetName: &id})
	if _, err := calltest.Do(w, api.DescribeChangeSet, &api.DescribeChangeSetInput{ChangeSetName: nested.ChangeSetId}); err == nil {
		t.Error("the nested change set outlived its root")
	}
}

// TestChangeSetHooks asks for the hooks of a change set: there are none, and none of a
// change set that there is not.
func TestChangeSetHooks(t *testing.T) {
	w, _, _ := world(t, mem.New(), memblob.New(), time.Hour)
	set := calltest.Must(t, w, api.CreateChangeSet, &api.CreateChangeSetInput{
		StackName: new("s"), ChangeSetName: new("c"), ChangeSetType: new(api.ChangeSetTypeCreate), TemplateBody: new("Resources: {Group: {Type: AWS::Logs::LogGroup}}"),
	})
	out := calltest.Must(t, w, api.DescribeChangeSetHooks, &api.DescribeChangeSetHooksInput{ChangeSetName: set.Id})
	if *out.ChangeSetId != *set.Id || *out.StackName != "s" || *out.Status != api.ChangeSetHooksStatusPlanned || out.Hooks == nil || len(out.Hooks) > 0 {
		t.Errorf("%s", calltest.JSON(out))
	}
	if _, err := calltest.Do(w, api.DescribeChangeSetHooks, &api.DescribeChangeSetHooksInput{ChangeSetName: new("d"), StackName: new("s")}); !fault.Is(err, "ChangeSetNotFound") {
		t.Errorf("another: %v", err)
	}
}
