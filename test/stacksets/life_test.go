package stacksets

import (
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// TestLife takes a stack set through its life in two accounts and two regions.
func TestLife(t *testing.T) {
	w := newWorld(t, time.Hour)
	w.roles()
	id := w.createSet(one, param("Value", "set"))
	name := new("set")
	both, regions := []string{admin, other}, []string{east, west}

	op := ask(w, admin, east, api.CreateStackInstances, &api.CreateStackInstancesInput{StackSetName: name, Accounts: both, Regions: regions}).OperationId
	w.same("creation", w.operation(op), `
CREATE SUCCEEDED failed=0
000000000000 eu-west-1 SUCCEEDED
000000000000 us-east-1 SUCCEEDED
111111111111 eu-west-1 SUCCEEDED
111111111111 us-east-1 SUCCEEDED`)
	w.same("instances", w.instances(), `
000000000000 eu-west-1 CURRENT SUCCEEDED
000000000000 us-east-1 CURRENT SUCCEEDED
111111111111 eu-west-1 CURRENT SUCCEEDED
111111111111 us-east-1 CURRENT SUCCEEDED`)
	for _, account := range both {
		for _, region := range regions {
			w.same("parameter", w.stored(account, region), "set in "+account+" "+region)
		}
	}
	d := ask(w, admin, east, api.DescribeStackInstance, &api.DescribeStackInstanceInput{StackSetName: &id, StackInstanceAccount: new(other), StackInstanceRegion: new(west)}).StackInstance
	if !strings.Contains(*d.StackId, ":"+west+":"+other+":stack/StackSet-set-") || *d.LastOperationId != *op {
		t.Errorf("instance %s", calltest.JSON(d))
	}

	op = ask(w, admin, east, api.UpdateStackInstances, &api.UpdateStackInstancesInput{
		StackSetName: name, Accounts: []string{other}, Regions: []string{west}, ParameterOverrides: []api.Parameter{param("Value", "own")},
	}).OperationId
	w.same("override", w.operation(op)+w.stored(other, west)+"\n"+w.stored(other, east), `
UPDATE SUCCEEDED failed=0
111111111111 eu-west-1 SUCCEEDED
own in 111111111111 eu-west-1
set in 111111111111 us-east-1`)

	ask(w, admin, east, api.UpdateStackSet, &api.UpdateStackSetInput{
		StackSetName: name, UsePreviousTemplate: new(true), Parameters: []api.Parameter{param("Value", "later")}, Tags: []api.Tag{{Key: new("team"), Value: new("blue")}},
	})
	w.same("update", w.stored(admin, east)+"\n"+w.stored(other, west), `
later in 000000000000 us-east-1
own in 111111111111 eu-west-1`)
	st := ask(w, other, west, api.DescribeStacks, &api.DescribeStacksInput{StackName: d.StackId}).Stacks[0]
	if *st.StackStatus != "UPDATE_COMPLETE" || len(st.Tags) != 1 || *st.Tags[0].Value != "blue" {
		t.Errorf("stack %s", calltest.JSON(st))
	}
	set := ask(w, admin, east, api.DescribeStackSet, &api.DescribeStackSetInput{StackSetName: name}).StackSet
	w.same("regions", strings.Join(set.Regions, " "), "eu-west-1 us-east-1")
	w.same("roles", *set.AdministrationRoleARN+" "+*set.ExecutionRoleName, "arn:aws:iam::000000000000:role/"+adminRole+" "+execRole)

	// An update of some leaves the others behind, until one of all.
	part := &api.UpdateStackSetInput{StackSetName: name, UsePreviousTemplate: new(true), Parameters: []api.Parameter{param("Value", "part")}, Accounts: []string{admin}, Regions: []string{east}}
	ask(w, admin, east, api.UpdateStackSet, part)
	w.same("in part", w.instances(), `
000000000000 eu-west-1 OUTDATED SUCCEEDED
000000000000 us-east-1 CURRENT SUCCEEDED
111111111111 eu-west-1 OUTDATED SUCCEEDED
111111111111 us-east-1 OUTDATED SUCCEEDED`)

	if _, err := calltest.Do(w.World, api.DeleteStackSet, &api.DeleteStackSetInput{StackSetName: name}); !fault.Is(err, "StackSetNotEmptyException") {
		t.Errorf("deleted with its instances: %v", err)
	}
	op = ask(w, admin, east, api.DeleteStackInstances, &api.DeleteStackInstancesInput{StackSetName: name, Accounts: both, Regions: []string{east}, RetainStacks: new(false)}).OperationId
	w.same("deletion", w.operation(op)+w.stored(admin, east), `
DELETE SUCCEEDED failed=0
000000000000 us-east-1 SUCCEEDED
111111111111 us-east-1 SUCCEEDED
none`)
	ask(w, admin, east, api.DeleteStackInstances, &api.DeleteStackInstancesInput{StackSetName: name, Accounts: both, Regions: []string{west}, RetainStacks: new(true)})
	w.same("instances", w.instances(), "")
	w.same("retained", w.stored(other, west), "own in 111111111111 eu-west-1")
	ask(w, admin, east, api.DeleteStackSet, &api.DeleteStackSetInput{StackSetName: name})
	if _, err := calltest.Do(w.World, api.ListStackInstances, &api.ListStackInstancesInput{StackSetName: name}); !fault.Is(err, "StackSetNotFoundException") {
		t.Errorf("after the deletion: %v", err)
	}
	var all []string
	for _, s := range ask(w, admin, east, api.ListStackSets, &api.ListStackSetsInput{}).Summaries {
		all = append(all, *s.StackSetName+" "+*s.Status)
	}
	w.same("sets", strings.Join(all, ","), "set DELETED")
	if opt.Val(set.Status) != "ACTIVE" {
		t.Error(*set.Status)
	}
}

// TestRoles holds that an operation acts as the administration role and the execution
// role, and says which is missing.
func TestRoles(t *testing.T) {
	w := newWorld(t, time.Hour)
	w.createSet(one)
	create := func() string {
		return w.operation(ask(w, admin, east, api.CreateStackInstances, &api.CreateStackInstancesInput{StackSetName: new("set"), Accounts: []string{other}, Regions: []string{east}}).OperationId)
	}
	w.same("without roles", create(), `
CREATE FAILED failed=1
111111111111 us-east-1 FAILED Account 000000000000 should have 'AWSCloudFormationStackSetAdministrationRole' role with trust relationship to CloudFormation service.`)
	w.role(admin, adminRole, cloudFormation)
	w.same("without the execution role", create(), `
CREATE FAILED failed=1
111111111111 us-east-1 FAILED Account 111111111111 should have 'AWSCloudFormationStackSetExecutionRole' role with trust relationship to Role 'AWSCloudFormationStackSetAdministrationRole'.`)
	w.same("instances", w.instances(), `111111111111 us-east-1 OUTDATED FAILED Account 111111111111 should have 'AWSCloudFormationStackSetExecutionRole' role with trust relationship to Role 'AWSCloudFormationStackSetAdministrationRole'.`)
	w.role(other, execRole, `{"AWS":"arn:aws:iam::`+admin+`:role/`+adminRole+`"}`)
	w.same("with both", create(), "CREATE SUCCEEDED failed=0\n111111111111 us-east-1 SUCCEEDED")
}
