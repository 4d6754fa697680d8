package cloudformation_test

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation"
)

// world is a board with the room and the shop on it. Its operations answer once
// they have ended, because the fake clock does not move by itself.
func world(store data.Store, s *shop) (*calltest.World, *cloudformation.Service) {
	w := calltest.New()
	room := cloudformation.New(cloudformation.Deps{
		Store: store, Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Types: s.ResourceTypes, Linger: time.Hour,
	})
	w.Plug(room)
	return w, room
}

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
var tokens = regexp.MustCompile(`RequestToken: [0-9a-f]+`)
var lids = regexp.MustCompile(`lid\|[0-9a-f]{4}`)
var names = regexp.MustCompile(`-[A-Z0-9]{12}\b`)

// scrub takes out what differs from run to run.
func scrub(s string) string {
	s = lids.ReplaceAllString(s, "lid|*")
	return names.ReplaceAllString(tokens.ReplaceAllString(uuids.ReplaceAllString(s, "UUID"), "RequestToken: T"), "-*")
}

func TestScripts(t *testing.T) {
	paths, _ := filepath.Glob("testdata/*.txt")
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := newShop()
			w, room := world(mem.New(), s)
			t.Cleanup(func() { _ = room.Stop(context.Background()) })
			calltest.Script(t, path, w, commands(w, s))
		})
	}
}

// commands are those of the scripts besides the operations themselves:
//
//	create STACK [K=V...]     CreateStack with the template below it
//	update STACK [K=V...]     UpdateStack
//	plan STACK NAME TYPE      CreateChangeSet, and what it would change
//	import STACK NAME ID=BOX  CreateChangeSet of the type IMPORT, and what it would change
//	drift STACK               DetectStackDrift, and what it found
//	execute STACK NAME        ExecuteChangeSet
//	delete STACK              DeleteStack
//	force STACK               DeleteStack of the mode FORCE_DELETE_STACK
//	rollback STACK            RollbackStack
//	operations STACK          the stack's own events by operation, oldest first
//	failures STACK            DescribeEvents of those that failed
//	events STACK              all events, oldest first
//	resources STACK           the resources and their states
//	properties STACK          the properties that the events show, oldest first
//	outputs STACK
//	shop                      what is in the shop
//	set BOX [size=N] [note=S] changes or makes a box behind the stack's back; takes it away
//
// K=V are parameters; K beginning with "tag:" are tags, "cap" is a capability,
// "failure" the setting OnFailure, "disable" DisableRollback.
func commands(w *calltest.World, s *shop) map[string]func(*testing.T, *datadriven.TestData) string {
	status := func(stack string, err error) string {
		if err != nil {
			if f := fault.As(err); f != nil {
				return scrub(f.Code + ": " + f.Message + "\n")
			}
			return "internal: " + err.Error() + "\n"
		}
		out, err := calltest.Do(w, api.DescribeStacks, &api.DescribeStacksInput{StackName: &stack})
		if err != nil {
			return "gone\n"
		}
		st := out.Stacks[0]
		text := *st.StackStatus
		if r := opt.Val(st.StackStatusReason); r != "" {
			text += " " + r
		}
		return scrub(strings.TrimSpace(text) + "\n")
	}
	return map[string]func(*testing.T, *datadriven.TestData) string{
		"create": func(t *testing.T, d *datadriven.TestData) string {
			o := options(d)
			in := &api.CreateStackInput{StackName: &o.name, TemplateBody: &d.Input, Parameters: o.params, Tags: o.tags, Capabilities: o.caps, OnFailure: opt.NonZero(o.failure), DisableRollback: opt.NonZero(o.disable)}
			_, err := calltest.Do(w, api.CreateStack, in)
			return status(o.name, err)
		},
		"update": func(t *testing.T, d *datadriven.TestData) string {
			o := options(d)
			in := &api.UpdateStackInput{StackName: &o.name, TemplateBody: &d.Input, Parameters: o.params, Tags: o.tags, Capabilities: o.caps, DisableRollback: opt.NonZero(o.disable)}
			_, err := calltest.Do(w, api.UpdateStack, in)
			return status(o.name, err)
		},
		"delete": func(t *testing.T, d *datadriven.TestData) string {
			o := options(d)
			_, err := calltest.Do(w, api.DeleteStack, &api.DeleteStackInput{StackName: &o.name})
			return status(o.name, err)
		},
		"force": func(t *testing.T, d *datadriven.TestData) string {
			o := options(d)
			_, err := calltest.Do(w, api.DeleteStack, &api.DeleteStackInput{StackName: &o.name, DeletionMode: new(api.DeletionModeForceDeleteStack)})
			return status(o.name, err)
		},
		"rollback": func(t *testing.T, d *datadriven.TestData) string {
			o := options(d)
			_, err := calltest.Do(w, api.RollbackStack, &api.RollbackStackInput{StackName: &o.name})
			return status(o.name, err)
		},
		"operations": func(t *testing.T, d *datadriven.TestData) string {
			out := calltest.Must(t, w, api.DescribeEvents, &api.DescribeEventsInput{StackName: &d.CmdArgs[0].Key})
			var b strings.Builder
			last := ""
			for _, e := range slices.Backward(out.OperationEvents) {
				if *e.OperationId != last {
					last = *e.OperationId
					one := calltest.Must(t, w, api.DescribeEvents, &api.DescribeEventsInput{OperationId: &last})
					fmt.Fprintf(&b, "%s: %d events\n", *e.OperationType, len(one.OperationEvents))
				}
				if *e.EventType == api.EventTypeStackEvent {
					fmt.Fprintf(&b, "  %s %s\n", *e.OperationStatus, *e.ResourceStatus)
				}
			}
			for _, o := range calltest.Must(t, w, api.DescribeStacks, &api.DescribeStacksInput{StackName: &d.CmdArgs[0].Key}).Stacks[0].LastOperations {
				fmt.Fprintf(&b, "last %s\n", *o.OperationType)
			}
			return b.String()
		},
		"failures": func(t *testing.T, d *datadriven.TestData) string {
			out := calltest.Must(t, w, api.DescribeEvents, &api.DescribeEventsInput{StackName: &d.CmdArgs[0].Key, Filters: &api.EventFilter{FailedEvents: new(true)}})
			var b strings.Builder
			for _, e := range out.OperationEvents {
				fmt.Fprintf(&b, "%s %s %s\n", *e.EventType, *e.LogicalResourceId, *e.ResourceStatus)
			}
			return b.String()
		},
		"plan": func(t *testing.T, d *datadriven.TestData) string {
			o := options(d)
			set, kind := d.CmdArgs[1].Key, d.CmdArgs[2].Key
			out, err := calltest.Do(w, api.CreateChangeSet, &api.CreateChangeSetInput{
				StackName: &o.name, ChangeSetName: &set, ChangeSetType: &kind, TemplateBody: &d.Input, Parameters: o.params, Tags: o.tags, Capabilities: o.caps,
				ImportExistingResources: new(len(d.CmdArgs) > 3 && d.CmdArgs[3].Key == "existing"),
			})
			if err != nil {
				return status(o.name, err)
			}
			return scrub(changes(t, w, *out.Id))
		},
		"import": func(t *testing.T, d *datadriven.TestData) string {
			in := &api.CreateChangeSetInput{
				StackName: &d.CmdArgs[0].Key, ChangeSetName: &d.CmdArgs[1].Key, ChangeSetType: new(api.ChangeSetTypeImport), TemplateBody: &d.Input,
			}
			for _, a := range d.CmdArgs[2:] {
				kind := "Test::Shop::Box"
				if a.Key == "L" {
					kind = "Test::Shop::Lid"
				}
				in.ResourcesToImport = append(in.ResourcesToImport, api.ResourceToImport{
					LogicalResourceId: &a.Key, ResourceType: &kind, ResourceIdentifier: map[string]string{"Name": a.Vals[0]},
				})
			}
			out, err := calltest.Do(w, api.CreateChangeSet, in)
			if err != nil {
				return status("", err)
			}
			return scrub(changes(t, w, *out.Id))
		},
		"drift": func(t *testing.T, d *datadriven.TestData) string {
			stack := &d.CmdArgs[0].Key
			found := calltest.Must(t, w, api.DetectStackDrift, &api.DetectStackDriftInput{StackName: stack})
			st := calltest.Must(t, w, api.DescribeStackDriftDetectionStatus, &api.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: found.StackDriftDetectionId})
			var b strings.Builder
			fmt.Fprintf(&b, "%s %s drifted=%d\n", *st.DetectionStatus, *st.StackDriftStatus, *st.DriftedStackResourceCount)
			all := calltest.Must(t, w, api.DescribeStackResourceDrifts, &api.DescribeStackResourceDriftsInput{StackName: stack})
			for _, r := range all.StackResourceDrifts {
				fmt.Fprintf(&b, "%s %s %s %s\n", *r.LogicalResourceId, *r.StackResourceDriftStatus, opt.Val(r.ExpectedProperties), opt.Val(r.ActualProperties))
				for _, x := range r.PropertyDifferences {
					fmt.Fprintf(&b, "  %s %s %s -> %s\n", *x.PropertyPath, *x.DifferenceType, *x.ExpectedValue, *x.ActualValue)
				}
			}
			now := calltest.Must(t, w, api.DescribeStacks, &api.DescribeStacksInput{StackName: stack}).Stacks[0]
			fmt.Fprintf(&b, "stack %s\n", *now.DriftInformation.StackDriftStatus)
			return b.String()
		},
		"events": func(t *testing.T, d *datadriven.TestData) string {
			out := calltest.Must(t, w, api.DescribeStackEvents, &api.DescribeStackEventsInput{StackName: &d.CmdArgs[0].Key})
			var b strings.Builder
			for i := len(out.StackEvents) - 1; i >= 0; i-- {
				e := out.StackEvents[i]
				if i > 0 && !e.Timestamp.Before(*out.StackEvents[i-1].Timestamp) {
					t.Errorf("event %d is not before the next", i)
				}
				fmt.Fprintf(&b, "%s %s", *e.LogicalResourceId, *e.ResourceStatus)
				if r := opt.Val(e.ResourceStatusReason); r != "" {
					b.WriteString(" | " + strings.TrimSpace(r))
				}
				b.WriteByte('\n')
			}
			return scrub(b.String())
		},
		"properties": func(t *testing.T, d *datadriven.TestData) string {
			out := calltest.Must(t, w, api.DescribeStackEvents, &api.DescribeStackEventsInput{StackName: &d.CmdArgs[0].Key})
			var b strings.Builder
			for _, e := range slices.Backward(out.StackEvents) {
				if e.ResourceProperties != nil {
					fmt.Fprintf(&b, "%s %s\n", *e.LogicalResourceId, *e.ResourceProperties)
				}
			}
			return scrub(b.String())
		},
		"resources": func(t *testing.T, d *datadriven.TestData) string {
			out, err := calltest.Do(w, api.ListStackResources, &api.ListStackResourcesInput{StackName: &d.CmdArgs[0].Key})
			if err != nil {
				return status("", err)
			}
			var b strings.Builder
			for _, r := range out.StackResourceSummaries {
				fmt.Fprintf(&b, "%s %s %s\n", *r.LogicalResourceId, opt.Or(r.PhysicalResourceId, "-"), *r.ResourceStatus)
			}
			return scrub(b.String())
		},
		"outputs": func(t *testing.T, d *datadriven.TestData) string {
			out := calltest.Must(t, w, api.DescribeStacks, &api.DescribeStacksInput{StackName: &d.CmdArgs[0].Key})
			var b strings.Builder
			for _, o := range out.Stacks[0].Outputs {
				fmt.Fprintf(&b, "%s=%s", *o.OutputKey, *o.OutputValue)
				if o.ExportName != nil {
					b.WriteString(" export " + *o.ExportName)
				}
				b.WriteByte('\n')
			}
			return scrub(b.String())
		},
		"execute": func(t *testing.T, d *datadriven.TestData) string {
			_, err := calltest.Do(w, api.ExecuteChangeSet, &api.ExecuteChangeSetInput{StackName: &d.CmdArgs[0].Key, ChangeSetName: &d.CmdArgs[1].Key})
			return status(d.CmdArgs[0].Key, err)
		},
		"set": func(_ *testing.T, d *datadriven.TestData) string {
			return s.set(d.CmdArgs[0].Key, d.CmdArgs[1:])
		},
		"shop": func(*testing.T, *datadriven.TestData) string { return scrub(s.list()) },
	}
}

func changes(t *testing.T, w *calltest.World, id string) string {
	out := calltest.Must(t, w, api.DescribeChangeSet, &api.DescribeChangeSetInput{ChangeSetName: &id, IncludePropertyValues: new(true)})
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", *out.Status, opt.Val(out.StatusReason))
	for _, c := range out.Changes {
		r := c.ResourceChange
		fmt.Fprintf(&b, "%s %s", *r.Action, *r.LogicalResourceId)
		if r.Replacement != nil {
			fmt.Fprintf(&b, " replacement=%s", *r.Replacement)
		}
		b.WriteByte('\n')
		for _, d := range r.Details {
			fmt.Fprintf(&b, "  %s %s recreation=%s %s %s %s: %q -> %q\n", *d.Target.Attribute, opt.Val(d.Target.Name), *d.Target.RequiresRecreation,
				*d.Evaluation, opt.Val(d.ChangeSource), opt.Val(d.CausingEntity), opt.Val(d.Target.BeforeValue), opt.Val(d.Target.AfterValue))
		}
	}
	return b.String()
}

type opts struct {
	name, failure string
	disable       bool
	params        []api.Parameter
	tags          []api.Tag
	caps          []string
}

func options(d *datadriven.TestData) opts {
	o := opts{name: d.CmdArgs[0].Key}
	for _, a := range d.CmdArgs[1:] {
		if len(a.Vals) == 0 {
			continue
		}
		k, v := a.Key, strings.Join(a.Vals, ",")
		switch {
		case k == "cap":
			o.caps = a.Vals
		case k == "failure":
			o.failure = v
		case k == "disable":
			o.disable = true
		case strings.HasPrefix(k, "tag:"):
			o.tags = append(o.tags, api.Tag{Key: new(k[4:]), Value: new(v)})
		default:
			o.params = append(o.params, api.Parameter{ParameterKey: new(k), ParameterValue: new(v)})
		}
	}
	return o
}

var _ call.Service = (*cloudformation.Service)(nil)
