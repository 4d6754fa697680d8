package stacksets

import (
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
)

// asResource is a template with a stack set in it; %s are its regions and the value in
// the other account.
func asResource(value, regions, own string) string {
	return `
Resources:
  Set:
    Type: AWS::CloudFormation::StackSet
    Properties:
      StackSetName: set
      PermissionModel: SELF_MANAGED
      Parameters: [{ParameterKey: Value, ParameterValue: ` + value + `}]
      Tags: [{Key: team, Value: blue}]
      OperationPreferences: {RegionConcurrencyType: PARALLEL, MaxConcurrentPercentage: 100, FailureToleranceCount: 0}
      StackInstancesGroup:
        - {DeploymentTargets: {Accounts: ["` + admin + `"]}, Regions: [` + regions + `]}
        - {DeploymentTargets: {Accounts: ["` + other + `"]}, Regions: [` + east + `], ParameterOverrides: [{ParameterKey: Value, ParameterValue: ` + own + `}]}
      TemplateBody: |
        Parameters:
          Value: {Type: String}
        Resources:
          P: {Type: AWS::SSM::Parameter, Properties: {Name: /set/p, Type: String, Value: !Ref Value}}
Outputs:
  Set: {Value: !Ref Set}
`
}

// TestResource takes a stack set in a template through its life.
func TestResource(t *testing.T) {
	w := newWorld(t, time.Hour)
	w.roles()
	stack := new("s")
	status := func() string {
		st := ask(w, admin, east, api.DescribeStacks, &api.DescribeStacksInput{StackName: stack}).Stacks[0]
		if text := *st.StackStatus; text == "CREATE_COMPLETE" || text == "UPDATE_COMPLETE" {
			return text
		}
		return calltest.JSON(ask(w, admin, east, api.DescribeStackEvents, &api.DescribeStackEventsInput{StackName: stack}))
	}
	ask(w, admin, east, api.CreateStack, &api.CreateStackInput{StackName: stack, TemplateBody: new(asResource("one", east+", "+west, "own"))})
	w.same("status", status(), "CREATE_COMPLETE")
	w.same("values", w.stored(admin, east)+" "+w.stored(admin, west)+" "+w.stored(other, east)+" "+w.stored(other, west), "one one own none")

	drift := func() string {
		ask(w, admin, east, api.DetectStackDrift, &api.DetectStackDriftInput{StackName: stack})
		text := ""
		for _, r := range ask(w, admin, east, api.DescribeStackResourceDrifts, &api.DescribeStackResourceDriftsInput{StackName: stack}).StackResourceDrifts {
			text += *r.StackResourceDriftStatus
			for _, d := range r.PropertyDifferences {
				text += " " + *d.PropertyPath + " " + *d.DifferenceType
			}
		}
		return text
	}
	w.same("drift", drift(), "IN_SYNC")

	ask(w, admin, east, api.UpdateStack, &api.UpdateStackInput{StackName: stack, TemplateBody: new(asResource("two", west, "other"))})
	w.same("status", status(), "UPDATE_COMPLETE")
	w.same("values", w.stored(admin, east)+" "+w.stored(admin, west)+" "+w.stored(other, east)+" "+w.stored(other, west), "none two other none")

	ask(w, admin, east, api.DeleteStackInstances, &api.DeleteStackInstancesInput{StackSetName: new("set"), Accounts: []string{other}, Regions: []string{east}, RetainStacks: new(false)})
	w.same("drift", drift(), "MODIFIED /StackInstancesGroup/1 REMOVE")

	// An update that fails goes back.
	ask(w, admin, east, api.UpdateStack, &api.UpdateStackInput{StackName: stack, TemplateBody: new(asResource("x", "ap-south-1", "y") + "  Bad: {Value: !GetAtt Set.StackSetId, Export: {Name: a}}\n"), Tags: []api.Tag{{Key: new("k"), Value: new("v")}}})
	w.same("values", w.stored(admin, west)+" "+w.stored(admin, "ap-south-1")+" "+w.stored(other, east), "none x y")

	ask(w, admin, east, api.DeleteStack, &api.DeleteStackInput{StackName: stack})
	w.same("values", w.stored(admin, "ap-south-1")+" "+w.stored(other, east), "none none")
	if n := len(ask(w, admin, east, api.ListStackSets, &api.ListStackSetsInput{Status: new("ACTIVE")}).Summaries); n != 0 {
		t.Errorf("%d stack sets are left", n)
	}

	// Without roles it fails, and leaves nothing.
	bare := newWorld(t, time.Hour)
	ask(bare, admin, east, api.CreateStack, &api.CreateStackInput{StackName: stack, TemplateBody: new(asResource("one", east, "own"))})
	st := ask(bare, admin, east, api.DescribeStacks, &api.DescribeStacksInput{StackName: stack}).Stacks[0]
	if *st.StackStatus != "ROLLBACK_COMPLETE" {
		t.Errorf("without roles: %s", *st.StackStatus)
	}
	if n := len(ask(bare, admin, east, api.ListStackSets, &api.ListStackSetsInput{Status: new("ACTIVE")}).Summaries); n != 0 {
		t.Errorf("%d stack sets are left", n)
	}
	for _, bad := range []string{"PermissionModel: SERVICE_MANAGED", "CallAs: DELEGATED_ADMIN\n      PermissionModel: SELF_MANAGED", "AutoDeployment: {Enabled: true}\n      PermissionModel: SELF_MANAGED"} {
		_, err := calltest.Do(w.World, api.CreateStack, &api.CreateStackInput{StackName: new("bad"), TemplateBody: new("Resources:\n  S:\n    Type: AWS::CloudFormation::StackSet\n    Properties:\n      StackSetName: x\n      " + bad + "\n")})
		if err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
