package stacksets

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// inWay makes the template fail in an account and a region: its parameter is there.
func (w *world) inWay(account, region string) {
	ask(w, account, region, ssm.PutParameter, &ssm.PutParameterRequest{Name: new("/set/p"), Type: new("String"), Value: new("in the way")})
}

// TestTolerance holds how far an operation goes when stacks fail, and that it is taken up
// where they did.
func TestTolerance(t *testing.T) {
	name, both, regions := new("set"), []string{admin, other}, []string{west, east, "ap-south-1"}
	create := func(w *world, p *api.StackSetOperationPreferences) string {
		return w.operation(ask(w, admin, east, api.CreateStackInstances, &api.CreateStackInstancesInput{StackSetName: name, Accounts: both, Regions: regions, OperationPreferences: p}).OperationId)
	}
	const why = "ResourceLogicalId:P, ResourceType:AWS::SSM::Parameter, ResourceStatusReason:"
	short := func(text string) string {
		var out []string
		for _, l := range strings.Split(strings.TrimSpace(text), "\n") {
			if head, _, cut := strings.Cut(l, why); cut {
				l = head + "why"
			}
			out = append(out, l)
		}
		return strings.Join(out, "\n")
	}
	for _, c := range []struct {
		name  string
		prefs *api.StackSetOperationPreferences
		want  string
	}{
		{"one after the other, none may fail", nil, `
CREATE FAILED failed=1
000000000000 ap-south-1 CANCELLED Cancelled since failure tolerance has exceeded
000000000000 eu-west-1 SUCCEEDED
000000000000 us-east-1 FAILED why
111111111111 ap-south-1 CANCELLED Cancelled since failure tolerance has exceeded
111111111111 eu-west-1 SUCCEEDED
111111111111 us-east-1 CANCELLED Cancelled since failure tolerance has exceeded`},
		{"in another order", &api.StackSetOperationPreferences{RegionOrder: []string{"ap-south-1", east, west}}, `
CREATE FAILED failed=1
000000000000 ap-south-1 SUCCEEDED
000000000000 eu-west-1 CANCELLED Cancelled since failure tolerance has exceeded
000000000000 us-east-1 FAILED why
111111111111 ap-south-1 SUCCEEDED
111111111111 eu-west-1 CANCELLED Cancelled since failure tolerance has exceeded
111111111111 us-east-1 CANCELLED Cancelled since failure tolerance has exceeded`},
		{"half may fail", &api.StackSetOperationPreferences{FailureTolerancePercentage: new(int32(50)), MaxConcurrentPercentage: new(int32(100))}, `
CREATE SUCCEEDED failed=1
000000000000 ap-south-1 SUCCEEDED
000000000000 eu-west-1 SUCCEEDED
000000000000 us-east-1 FAILED why
111111111111 ap-south-1 SUCCEEDED
111111111111 eu-west-1 SUCCEEDED
111111111111 us-east-1 SUCCEEDED`},
		{"regions at once", &api.StackSetOperationPreferences{RegionConcurrencyType: new("PARALLEL")}, `
CREATE FAILED failed=1
000000000000 ap-south-1 SUCCEEDED
000000000000 eu-west-1 SUCCEEDED
000000000000 us-east-1 FAILED why
111111111111 ap-south-1 SUCCEEDED
111111111111 eu-west-1 SUCCEEDED
111111111111 us-east-1 CANCELLED Cancelled since failure tolerance has exceeded`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, time.Hour)
			w.roles()
			w.createSet(one)
			w.inWay(admin, east)
			w.same("operation", short(create(w, c.prefs)), c.want)
			w.same("the other", w.stored(admin, east), "in the way")
			ask(w, admin, east, ssm.DeleteParameter, &ssm.DeleteParameterRequest{Name: new("/set/p")})
			op := ask(w, admin, east, api.UpdateStackInstances, &api.UpdateStackInstancesInput{StackSetName: name, Accounts: both, Regions: regions}).OperationId
			if text := w.operation(op); !strings.HasPrefix(text, "UPDATE SUCCEEDED failed=0") || strings.Count(w.instances(), "CURRENT SUCCEEDED") != 6 {
				t.Errorf("again:\n%s%s", text, w.instances())
			}
			w.same("value", w.stored(admin, east), "plain in 000000000000 us-east-1")
			left := 0
			for _, st := range ask(w, admin, east, api.ListStacks, &api.ListStacksInput{}).StackSummaries {
				if *st.StackStatus != "DELETE_COMPLETE" {
					left++
				}
			}
			if left != 1 {
				t.Errorf("%d stacks are left in one place", left)
			}
		})
	}
}

// waiting is a template whose stack waits for a signal.
const waiting = `
Resources:
  Wait: {Type: AWS::CloudFormation::WaitCondition, CreationPolicy: {ResourceSignal: {Timeout: PT1H}}}
`

// signal lets an instance's stack go on, once it waits.
func (w *world) signal(account, region string) {
	w.Helper()
	var stack *string
	w.eventually("the stack in "+account+" "+region, func() bool {
		for _, st := range ask(w, account, region, api.ListStacks, &api.ListStacksInput{StackStatusFilter: []string{"CREATE_IN_PROGRESS"}}).StackSummaries {
			stack = st.StackName
			_, err := call.Do(context.Background(), w.Board, root(account, region), api.SignalResource, &api.SignalResourceInput{
				StackName: stack, LogicalResourceId: new("Wait"), UniqueId: new("a"), Status: new("SUCCESS"),
			})
			return err == nil
		}
		return false
	})
}

func (w *world) ends(id *string, want string) {
	w.Helper()
	w.eventually(*id+" "+want, func() bool { return strings.Contains(strings.SplitN(w.operation(id), "\n", 2)[0], " "+want+" ") })
}

// TestOneAtATime holds that a stack set has one operation at a time, that it can be
// stopped, and that managed execution lets what does not conflict run at once.
func TestOneAtATime(t *testing.T) {
	w := newWorld(t, 0)
	w.roles()
	w.createSet(waiting)
	name := new("set")
	create := func(region string) (*string, error) {
		out, err := calltest.Do(w.World, api.CreateStackInstances, &api.CreateStackInstancesInput{StackSetName: name, Accounts: []string{admin, other}, Regions: []string{region}})
		if err != nil {
			return nil, err
		}
		return out.OperationId, nil
	}
	first, err := create(east)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := create(west); !fault.Is(err, "OperationInProgressException") {
		t.Errorf("a second operation: %v", err)
	}
	if _, err := calltest.Do(w.World, api.DeleteStackSet, &api.DeleteStackSetInput{StackSetName: name}); !fault.Is(err, "OperationInProgressException") {
		t.Errorf("the set's deletion: %v", err)
	}
	w.eventually("the first stack", func() bool {
		return len(ask(w, admin, east, api.ListStacks, &api.ListStacksInput{StackStatusFilter: []string{"CREATE_IN_PROGRESS"}}).StackSummaries) == 1
	})
	ask(w, admin, east, api.StopStackSetOperation, &api.StopStackSetOperationInput{StackSetName: name, OperationId: first})
	w.ends(first, "STOPPING")
	w.signal(admin, east)
	w.ends(first, "STOPPED")
	w.same("stopped", w.operation(first), `
CREATE STOPPED failed=0
000000000000 us-east-1 SUCCEEDED
111111111111 us-east-1 CANCELLED Cancelled since the operation was stopped`)
	if _, err := calltest.Do(w.World, api.StopStackSetOperation, &api.StopStackSetOperationInput{StackSetName: name, OperationId: first}); !fault.Is(err, "InvalidOperationException") {
		t.Errorf("stopped twice: %v", err)
	}

	up := ask(w, admin, east, api.UpdateStackSet, &api.UpdateStackSetInput{StackSetName: name, UsePreviousTemplate: new(true), ManagedExecution: &api.ManagedExecution{Active: new(true)}, Accounts: []string{admin}, Regions: []string{east}}).OperationId
	w.ends(up, "SUCCEEDED")
	a, err := create(west)
	if err != nil {
		t.Fatal(err)
	}
	b, err := create(west) // the same places: it waits
	if err != nil {
		t.Fatal(err)
	}
	c, err := create("ap-south-1") // other places: it does not
	if err != nil {
		t.Fatal(err)
	}
	w.ends(b, "QUEUED")
	w.signal(admin, "ap-south-1")
	w.signal(other, "ap-south-1")
	w.ends(c, "SUCCEEDED")
	w.ends(b, "QUEUED")
	w.signal(admin, west)
	w.signal(other, west)
	w.ends(a, "SUCCEEDED")
	w.ends(b, "SUCCEEDED") // it finds nothing to do
}

// TestAgain holds that an operation id stands for one request.
func TestAgain(t *testing.T) {
	w := newWorld(t, time.Hour)
	w.roles()
	w.createSet(one)
	in := &api.CreateStackInstancesInput{StackSetName: new("set"), Accounts: []string{admin}, Regions: []string{east}, OperationId: new("mine")}
	ask(w, admin, east, api.CreateStackInstances, in)
	ask(w, admin, east, api.CreateStackInstances, in)
	if n := len(ask(w, admin, east, api.ListStackSetOperations, &api.ListStackSetOperationsInput{StackSetName: new("set")}).Summaries); n != 1 {
		t.Errorf("%d operations", n)
	}
	in.Regions = []string{west}
	if _, err := calltest.Do(w.World, api.CreateStackInstances, in); !fault.Is(err, "OperationIdAlreadyExistsException") {
		t.Errorf("another request: %v", err)
	}
}
