package cloudformation_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation"
)

const waiting = `
Resources:
  W:
    Type: AWS::CloudFormation::WaitCondition
    CreationPolicy: {ResourceSignal: {Count: 2, Timeout: PT1H30M}}
  B: {Type: Test::Shop::Box, DependsOn: W, Properties: {Name: b, Size: 1}}
`

// TestCreationPolicy lets the signals of a resource come, fail, and stay away; in
// one case the server is started anew between the two.
func TestCreationPolicy(t *testing.T) {
	for how, want := range map[string]string{
		"come":    "CREATE_COMPLETE\nB CREATE_COMPLETE true\nW CREATE_COMPLETE true\nb size=1\n",
		"restart": "CREATE_COMPLETE\nB CREATE_COMPLETE true\nW CREATE_COMPLETE true\nb size=1\n",
		"fail":    "Received 1 FAILURE signal(s) out of 2.",
		"late":    "Failed to receive 1 resource signal(s) within the specified duration",
	} {
		s, store := newShop(), mem.New()
		w := calltest.New()
		deps := cloudformation.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Types: s.ResourceTypes}
		room := cloudformation.New(deps)
		w.Plug(room)
		calltest.Must(t, w, api.CreateStack, &api.CreateStackInput{StackName: new("s"), TemplateBody: new(waiting)})
		w.Clock.Sleepers(1)
		signal := func(id, status string) error {
			_, err := calltest.Do(w, api.SignalResource, &api.SignalResourceInput{StackName: new("s"), LogicalResourceId: new("W"), UniqueId: &id, Status: &status})
			return err
		}
		if err := signal("one", "SUCCESS"); err != nil {
			t.Fatal(err)
		}
		if err := signal("one", "SUCCESS"); err == nil || !strings.Contains(err.Error(), "already exists") {
			t.Errorf("the same signal again: %v", err)
		}
		switch how {
		case "come":
			if err := signal("two", "SUCCESS"); err != nil {
				t.Fatal(err)
			}
		case "fail":
			if err := signal("two", "FAILURE"); err != nil {
				t.Fatal(err)
			}
		case "restart":
			if err := room.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			w = calltest.New()
			deps.Clock, deps.IDs, deps.Caller = w.Clock, w.IDs, w.Board
			room = cloudformation.New(deps)
			w.Plug(room)
			if err := room.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
			w.Clock.Sleepers(1)
			if err := signal("two", "SUCCESS"); err != nil {
				t.Fatal(err)
			}
		case "late":
			w.Clock.Advance(90 * time.Minute)
		}
		room.Settle()
		if got := state(t, w, s); strings.HasPrefix(want, "CREATE") {
			if got != want {
				t.Errorf("%s: it ended as %s", how, got)
			}
			if err := signal("three", "SUCCESS"); err == nil || !strings.Contains(err.Error(), "is in CREATE_COMPLETE state and cannot be signaled") {
				t.Errorf("a signal too many: %v", err)
			}
			continue
		} else if !strings.HasPrefix(got, "ROLLBACK_COMPLETE") {
			t.Errorf("%s: it ended as %s", how, got)
		}
		reasons := ""
		for _, e := range calltest.Must(t, w, api.DescribeStackEvents, &api.DescribeStackEventsInput{StackName: new("s")}).StackEvents {
			reasons += opt.Val(e.ResourceStatusReason) + "\n"
		}
		if !strings.Contains(reasons, want) || !strings.Contains(reasons, "Received SUCCESS signal with UniqueId one") {
			t.Errorf("%s: the events say\n%s", how, reasons)
		}
	}
}
