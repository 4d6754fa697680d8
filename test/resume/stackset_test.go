package resume

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// grouped is the template of a stack set.
const grouped = `
Parameters: {Days: {Type: Number, Default: 7}}
Resources:
  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: chosen, RetentionInDays: !Ref Days}}
`

// places are where its stacks are.
func places() (accounts, regions []string) {
	return []string{calltest.Account, "111111111111"}, []string{"us-east-1", "eu-west-1"}
}

// in calls an operation as the root of an account in a region.
func in[I, O any](t *testing.T, s *server, account, region string, op call.Op[I, O], rq *I) *O {
	t.Helper()
	as := call.AsIdentity(call.Identity{Principal: policy.Principal{Kind: policy.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account}}, region)
	out, err := call.Do(context.Background(), s.Board, as, op, rq)
	if err != nil {
		t.Fatalf("%s: %v", op.Operation().Name, err)
	}
	return out
}

// newSet makes a stack set with the roles that act for it.
func newSet(t *testing.T, s *server) {
	accounts, _ := places()
	role := func(account, name, trusts string) {
		in(t, s, account, "us-east-1", iam.CreateRole, &iam.CreateRoleRequest{RoleName: &name, AssumeRolePolicyDocument: new(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + trusts + `,"Action":"sts:AssumeRole"}]}`)})
		in(t, s, account, "us-east-1", iam.PutRolePolicy, &iam.PutRolePolicyRequest{RoleName: &name, PolicyName: new("all"), PolicyDocument: new(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)})
	}
	role(calltest.Account, "AWSCloudFormationStackSetAdministrationRole", `{"Service":"cloudformation.amazonaws.com"}`)
	for _, a := range accounts {
		role(a, "AWSCloudFormationStackSetExecutionRole", `{"AWS":"arn:aws:iam::`+calltest.Account+`:root"}`)
	}
	calltest.Must(t, s.World, api.CreateStackSet, &api.CreateStackSetInput{StackSetName: new("set"), TemplateBody: new(grouped)})
}

func fill(t *testing.T, s *server) {
	accounts, regions := places()
	calltest.Must(t, s.World, api.CreateStackInstances, &api.CreateStackInstancesInput{StackSetName: new("set"), Accounts: accounts, Regions: regions})
}

// setState is how the set's latest operation ended and how its instances stand, with what there is at each
// place: no more than the instances' own.
func setState(t *testing.T, s *server) string {
	text := ""
	if ops := calltest.Must(t, s.World, api.ListStackSetOperations, &api.ListStackSetOperationsInput{StackSetName: new("set")}).Summaries; len(ops) > 0 {
		text = fmt.Sprintf("%s %s, %d failed\n", *ops[0].Action, *ops[0].Status, *ops[0].StatusDetails.FailedStackInstancesCount)
	}
	for _, i := range calltest.Must(t, s.World, api.ListStackInstances, &api.ListStackInstancesInput{StackSetName: new("set")}).Summaries {
		reason, _, _ := strings.Cut(opt.Val(i.StatusReason), " (RequestToken")
		text += *i.Account + " " + *i.Region + " " + *i.Status + " " + *i.StackInstanceStatus.DetailedStatus + " " + reason + "\n"
	}
	accounts, regions := places()
	for _, a := range accounts {
		for _, r := range regions {
			text += a + " " + r
			for _, st := range in(t, s, a, r, api.DescribeStacks, &api.DescribeStacksInput{}).Stacks {
				text += " " + *st.StackStatus
			}
			for _, g := range in(t, s, a, r, logs.DescribeLogGroups, &logs.DescribeLogGroupsRequest{}).LogGroups {
				text += fmt.Sprint(" ", opt.Val(g.RetentionInDays))
			}
			text += "\n"
		}
	}
	return text
}

// TestStackSetSurvives kills the server at every commit of the operations on a stack set.
func TestStackSetSurvives(t *testing.T) {
	accounts, regions := places()
	filled := func(t *testing.T, s *server) { newSet(t, s); fill(t, s) }
	days := func(n string) []api.Parameter {
		return []api.Parameter{{ParameterKey: new("Days"), ParameterValue: &n}}
	}
	for _, c := range []struct {
		name        string
		before, act func(t *testing.T, s *server)
		want        string
	}{
		{"creation", newSet, fill, "CREATE SUCCEEDED"},
		{"creation that fails", func(t *testing.T, s *server) {
			newSet(t, s)
			in(t, s, accounts[1], regions[0], logs.CreateLogGroup, &logs.CreateLogGroupRequest{LogGroupName: new("chosen")})
		}, fill, "CREATE FAILED, 1 failed"},
		{"creation after one that failed", func(t *testing.T, s *server) {
			newSet(t, s)
			in(t, s, accounts[0], regions[0], logs.CreateLogGroup, &logs.CreateLogGroupRequest{LogGroupName: new("chosen")})
			fill(t, s)
			in(t, s, accounts[0], regions[0], logs.DeleteLogGroup, &logs.DeleteLogGroupRequest{LogGroupName: new("chosen")})
		}, fill, "CREATE SUCCEEDED"},
		{"update", filled, func(t *testing.T, s *server) {
			calltest.Must(t, s.World, api.UpdateStackSet, &api.UpdateStackSetInput{StackSetName: new("set"), UsePreviousTemplate: new(true), Parameters: days("14"),
				OperationPreferences: &api.StackSetOperationPreferences{RegionConcurrencyType: new(api.RegionConcurrencyTypeParallel)}})
		}, "UPDATE SUCCEEDED"},
		{"override", filled, func(t *testing.T, s *server) {
			calltest.Must(t, s.World, api.UpdateStackInstances, &api.UpdateStackInstancesInput{StackSetName: new("set"), Accounts: accounts, Regions: regions[:1], ParameterOverrides: days("30")})
		}, "UPDATE SUCCEEDED"},
		{"deletion", filled, func(t *testing.T, s *server) {
			calltest.Must(t, s.World, api.DeleteStackInstances, &api.DeleteStackInstancesInput{StackSetName: new("set"), Accounts: accounts, Regions: regions, RetainStacks: new(false)})
		}, "DELETE SUCCEEDED"},
	} {
		t.Run(c.name, func(t *testing.T) { killed(t, c.before, c.act, setState, c.want) })
	}
}
