package stacksets

import (
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// TestRefused holds what is refused, and that it changes nothing.
func TestRefused(t *testing.T) {
	w := newWorld(t, time.Hour)
	w.roles()
	w.createSet(one)
	name, body, here, regions := new("set"), new(one), []string{admin}, []string{east}
	const role = "Resources: {R: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}}"
	create := func(in api.CreateStackSetInput) error {
		if in.StackSetName == nil {
			in.StackSetName = new("new")
		}
		_, err := calltest.Do(w.World, api.CreateStackSet, &in)
		return err
	}
	place := func(in api.CreateStackInstancesInput) error {
		in.StackSetName = name
		_, err := calltest.Do(w.World, api.CreateStackInstances, &in)
		return err
	}
	for what, c := range map[string]struct {
		err  error
		want string
	}{
		"the name is taken":     {create(api.CreateStackSetInput{StackSetName: name, TemplateBody: body}), "NameAlreadyExists"},
		"a bad name":            {create(api.CreateStackSetInput{StackSetName: new("a_b"), TemplateBody: body}), "stackSetName"},
		"no template":           {create(api.CreateStackSetInput{}), "Either Template URL or Template Body must be specified."},
		"a bad template":        {create(api.CreateStackSetInput{TemplateBody: new("Resources: []")}), "Resources"},
		"service-managed":       {create(api.CreateStackSetInput{TemplateBody: body, PermissionModel: new("SERVICE_MANAGED")}), "SERVICE_MANAGED is not supported"},
		"delegated":             {create(api.CreateStackSetInput{TemplateBody: body, CallAs: new("DELEGATED_ADMIN")}), "DELEGATED_ADMIN is not supported"},
		"automatic deployment":  {create(api.CreateStackSetInput{TemplateBody: body, AutoDeployment: &api.AutoDeployment{Enabled: new(true)}}), "AutoDeployment"},
		"capabilities":          {create(api.CreateStackSetInput{TemplateBody: new(role)}), "Requires capabilities : [CAPABILITY_IAM]"},
		"a foreign admin role":  {create(api.CreateStackSetInput{TemplateBody: body, AdministrationRoleARN: new("arn:aws:iam::" + other + ":role/admin")}), "Cross-account pass role is not allowed"},
		"an unknown parameter":  {create(api.CreateStackSetInput{TemplateBody: body, Parameters: []api.Parameter{param("No", "x")}}), "No"},
		"no accounts":           {place(api.CreateStackInstancesInput{Regions: regions}), "Accounts cannot be empty"},
		"no regions":            {place(api.CreateStackInstancesInput{Accounts: here, Regions: []string{}}), "egions"},
		"units":                 {place(api.CreateStackInstancesInput{Regions: regions, DeploymentTargets: &api.DeploymentTargets{OrganizationalUnitIds: []string{"r-abcd"}}}), "can only have accounts as target"},
		"both kinds of targets": {place(api.CreateStackInstancesInput{Regions: regions, Accounts: here, DeploymentTargets: &api.DeploymentTargets{Accounts: here}}), "together"},
		"an override":           {place(api.CreateStackInstancesInput{Regions: regions, Accounts: here, ParameterOverrides: []api.Parameter{param("No", "x")}}), "do not exist in the template"},
		"two tolerances":        {place(api.CreateStackInstancesInput{Regions: regions, Accounts: here, OperationPreferences: &api.StackSetOperationPreferences{FailureToleranceCount: new(int32(1)), FailureTolerancePercentage: new(int32(1))}}), "together"},
		"an instance that is not": {func() error {
			_, err := calltest.Do(w.World, api.UpdateStackInstances, &api.UpdateStackInstancesInput{StackSetName: name, Accounts: here, Regions: regions})
			return err
		}(), "not found"},
		"a set that is not": {func() error {
			_, err := calltest.Do(w.World, api.DescribeStackSet, &api.DescribeStackSetInput{StackSetName: new("none")})
			return err
		}(), "StackSet none not found"},
		"an operation that is not": {func() error {
			_, err := calltest.Do(w.World, api.DescribeStackSetOperation, &api.DescribeStackSetOperationInput{StackSetName: name, OperationId: new("none")})
			return err
		}(), "not found"},
	} {
		if f := fault.As(c.err); f == nil || !strings.Contains(f.Code+" "+f.Message, c.want) {
			t.Errorf("%s: %v", what, c.err)
		}
	}
	if n := len(ask(w, admin, east, api.ListStackSetOperations, &api.ListStackSetOperationsInput{StackSetName: name}).Summaries); n != 0 {
		t.Errorf("%d operations", n)
	}
	w.same("instances", w.instances(), "")
}

// TestAccess holds that policies decide who does what to which stack set, in which
// regions, and that the execution role can do no more than it may.
func TestAccess(t *testing.T) {
	w := newWorld(t, time.Hour)
	w.roles()
	id := w.createSet(one)
	w.role(admin, "operator", cloudFormation)
	ask(w, admin, east, iam.PutRolePolicy, &iam.PutRolePolicyRequest{RoleName: new("operator"), PolicyName: new("all"), PolicyDocument: new(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["cloudformation:CreateStackInstances","cloudformation:DeleteStackInstances"],"Resource":"arn:aws:cloudformation:*:*:stackset/set:*","Condition":{"ForAllValues:StringEquals":{"cloudformation:TargetRegion":["us-east-1"]}}},
		{"Effect":"Allow","Action":"cloudformation:CreateStackSet","Resource":"*"}]}`)})
	w.As = call.AsRole("arn:aws:iam::"+admin+":role/operator", "me", "cloudformation.amazonaws.com", east)
	in := &api.CreateStackInstancesInput{StackSetName: &id, Accounts: []string{other}, Regions: []string{east}}
	calltest.Must(t, w.World, api.CreateStackInstances, in)
	in.Regions = []string{east, west}
	denied := func(what string, err error) {
		t.Helper()
		if f := fault.As(err); f == nil || f.Common != fault.AccessDenied {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := calltest.Do(w.World, api.CreateStackInstances, in)
	denied("in another region", err)
	_, err = calltest.Do(w.World, api.DescribeStackSet, &api.DescribeStackSetInput{StackSetName: &id})
	denied("another operation", err)
	_, err = calltest.Do(w.World, api.CreateStackSet, &api.CreateStackSetInput{StackSetName: new("mine"), TemplateBody: new(one), AdministrationRoleARN: new("arn:aws:iam::" + admin + ":role/" + adminRole)})
	denied("passing a role on", err)

	ask(w, other, east, iam.PutRolePolicy, &iam.PutRolePolicyRequest{RoleName: new(execRole), PolicyName: new("all"), PolicyDocument: new(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudformation:*","Resource":"*"}]}`)})
	op := calltest.Must(t, w.World, api.DeleteStackInstances, &api.DeleteStackInstancesInput{StackSetName: &id, Accounts: []string{other}, Regions: []string{east}, RetainStacks: new(false)}).OperationId
	if text := w.operation(op); !strings.Contains(text, "assumed-role/"+execRole) || !strings.Contains(text, "ssm:DeleteParameter") {
		t.Errorf("the role may not delete it, but\n%s", text)
	}
	if text := w.instances(); !strings.Contains(text, "INOPERABLE INOPERABLE") {
		t.Error(text)
	}
}
