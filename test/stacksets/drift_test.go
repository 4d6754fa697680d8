package stacksets

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/ssm"
)

// TestDrift changes what a stack of a set made, and finds just that.
func TestDrift(t *testing.T) {
	w := newWorld(t, time.Hour)
	w.roles()
	w.createSet(one)
	name := new("set")
	ask(w, admin, east, api.CreateStackInstances, &api.CreateStackInstancesInput{StackSetName: name, Accounts: []string{admin, other}, Regions: []string{east}})
	detect := func() string {
		op := ask(w, admin, east, api.DetectStackSetDrift, &api.DetectStackSetDriftInput{StackSetName: name}).OperationId
		d := ask(w, admin, east, api.DescribeStackSetOperation, &api.DescribeStackSetOperationInput{StackSetName: name, OperationId: op}).StackSetOperation.StackSetDriftDetectionDetails
		text := fmt.Sprintf("%s %s total=%d drifted=%d in sync=%d failed=%d\n", *d.DriftStatus, *d.DriftDetectionStatus, *d.TotalStackInstancesCount, *d.DriftedStackInstancesCount, *d.InSyncStackInstancesCount, *d.FailedStackInstancesCount)
		for _, i := range ask(w, admin, east, api.ListStackInstances, &api.ListStackInstancesInput{StackSetName: name}).Summaries {
			text += *i.Account + " " + *i.Status + " " + *i.DriftStatus
			for _, r := range ask(w, admin, east, api.ListStackInstanceResourceDrifts, &api.ListStackInstanceResourceDriftsInput{StackSetName: name, OperationId: op, StackInstanceAccount: i.Account, StackInstanceRegion: i.Region}).Summaries {
				text += " " + *r.LogicalResourceId + " " + *r.StackResourceDriftStatus
				for _, p := range r.PropertyDifferences {
					text += " " + *p.PropertyPath + "=" + *p.ActualValue
				}
			}
			text += "\n"
		}
		return text
	}
	w.same("before", detect(), `
IN_SYNC COMPLETED total=2 drifted=0 in sync=2 failed=0
000000000000 CURRENT IN_SYNC P IN_SYNC
111111111111 CURRENT IN_SYNC P IN_SYNC`)
	ask(w, other, east, ssm.PutParameter, &ssm.PutParameterRequest{Name: new("/set/p"), Type: new("String"), Value: new("by hand"), Overwrite: new(true)})
	w.same("after", detect(), `
DRIFTED COMPLETED total=2 drifted=1 in sync=1 failed=0
000000000000 CURRENT IN_SYNC P IN_SYNC
111111111111 CURRENT DRIFTED P MODIFIED /Value=by hand`)
	set := ask(w, admin, east, api.DescribeStackSet, &api.DescribeStackSetInput{StackSetName: name}).StackSet
	if *set.StackSetDriftDetectionDetails.DriftStatus != "DRIFTED" {
		t.Error(calltest.JSON(set.StackSetDriftDetectionDetails))
	}
}

// TestImport makes stacks that exist instances of a stack set.
func TestImport(t *testing.T) {
	w := newWorld(t, time.Hour)
	w.roles()
	stack := func(account, region, body string, params ...api.Parameter) string {
		return *ask(w, account, region, api.CreateStack, &api.CreateStackInput{StackName: new("mine"), TemplateBody: &body, Parameters: params}).StackId
	}
	here := stack(admin, east, one, param("Value", "first"))
	there := stack(other, west, strings.ReplaceAll(one, "Resources:\n", "# the same\nResources:\n"), param("Value", "own"))
	another := stack(other, east, strings.ReplaceAll(one, "plain", "another"))
	ask(w, admin, east, api.CreateStackSet, &api.CreateStackSetInput{StackSetName: new("set"), StackId: &here})
	op := ask(w, admin, east, api.ImportStacksToStackSet, &api.ImportStacksToStackSetInput{
		StackSetName: new("set"), StackIds: []string{here, there, another}, OperationPreferences: &api.StackSetOperationPreferences{FailureToleranceCount: new(int32(1)), MaxConcurrentCount: new(int32(2))},
	}).OperationId
	w.same("import", w.operation(op), `
CREATE SUCCEEDED failed=1
000000000000 us-east-1 SUCCEEDED
111111111111 eu-west-1 SUCCEEDED
111111111111 us-east-1 FAILED Stack `+another+` cannot be imported: its template is not that of the stack set`)
	w.same("instances", w.instances(), `
000000000000 us-east-1 CURRENT SUCCEEDED
111111111111 eu-west-1 CURRENT SUCCEEDED`)
	ask(w, admin, east, api.UpdateStackSet, &api.UpdateStackSetInput{StackSetName: new("set"), UsePreviousTemplate: new(true), Parameters: []api.Parameter{param("Value", "second")}})
	w.same("values", w.stored(admin, east)+"\n"+w.stored(other, west)+"\n"+w.stored(other, east), `
second in 000000000000 us-east-1
own in 111111111111 eu-west-1
another in 111111111111 us-east-1`)
	ask(w, admin, east, api.CreateStackSet, &api.CreateStackSetInput{StackSetName: new("thief"), StackId: &here})
	op = ask(w, admin, east, api.ImportStacksToStackSet, &api.ImportStacksToStackSetInput{StackSetName: new("thief"), StackIds: []string{here}}).OperationId
	r := ask(w, admin, east, api.ListStackSetOperationResults, &api.ListStackSetOperationResultsInput{StackSetName: new("thief"), OperationId: op}).Summaries
	if len(r) != 1 || *r[0].Status != "FAILED" || !strings.Contains(*r[0].StatusReason, "belongs to another stack set") {
		t.Error(calltest.JSON(r))
	}
}
