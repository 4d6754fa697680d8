package cloudformation

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
)

// Stack sets: one template, made into stacks in several accounts and regions.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/what-is-cfnstacksets.html

// The roles that act if a stack set does not name others.
const (
	defaultAdminRole = "AWSCloudFormationStackSetAdministrationRole"
	defaultExecRole  = "AWSCloudFormationStackSetExecutionRole"
)

const maxSetName = 128

func (s *Service) stackSetBindings() []call.Binding {
	return slices.Concat([]call.Binding{
		call.Bind(api.CreateStackSet, onSet(s, "cloudformation:CreateStackSet", func(in *api.CreateStackSetInput) *string { return in.StackSetName },
			func(in *api.CreateStackSetInput) (map[string][]string, string) {
				return conditionKeys(in.TemplateURL, in.AdministrationRoleARN, in.Tags, nil), opt.Val(in.AdministrationRoleARN)
			}), s.createStackSet),
		call.Bind(api.UpdateStackSet, onSet(s, "cloudformation:UpdateStackSet", func(in *api.UpdateStackSetInput) *string { return in.StackSetName },
			func(in *api.UpdateStackSetInput) (map[string][]string, string) {
				return targetRegions(conditionKeys(in.TemplateURL, in.AdministrationRoleARN, in.Tags, nil), in.Regions), opt.Val(in.AdministrationRoleARN)
			}), s.updateStackSet),
		call.Bind(api.DeleteStackSet, onSet(s, "cloudformation:DeleteStackSet", func(in *api.DeleteStackSetInput) *string { return in.StackSetName }, nil), s.deleteStackSet),
		call.Bind(api.DescribeStackSet, onSet(s, "cloudformation:DescribeStackSet", func(in *api.DescribeStackSetInput) *string { return in.StackSetName }, nil), s.describeStackSet),
		call.Bind(api.ListStackSets, call.Any[api.ListStackSetsInput]("cloudformation:ListStackSets"), s.listStackSets),
		call.Bind(api.ListStackSetAutoDeploymentTargets, onSet(s, "cloudformation:ListStackSetAutoDeploymentTargets", func(in *api.ListStackSetAutoDeploymentTargetsInput) *string { return in.StackSetName }, nil), s.listStackSetAutoDeploymentTargets),
	}, s.instanceBindings(), s.setOperationBindings())
}

// setName returns the name in a stack set's id, or a name as it is.
func setName(nameOrID string) string {
	name, _, _ := strings.Cut(nameOrID, ":")
	return name
}

// callAsSelf refuses what only an organisation has.
func callAsSelf(callAs *string) error {
	if opt.Or(callAs, api.CallAsSelf) != api.CallAsSelf {
		return fault.Of(fault.Validation, "CallAs %s is not supported: there is no AWS Organizations here that could delegate", *callAs)
	}
	return nil
}

// selfManaged refuses the settings of service-managed permissions.
func selfManaged(model *string, auto *api.AutoDeployment) error {
	if opt.Or(model, api.PermissionModelsSelfManaged) != api.PermissionModelsSelfManaged {
		return fault.Of(fault.Validation, "PermissionModel %s is not supported: it needs AWS Organizations. Use SELF_MANAGED", *model)
	}
	if auto != nil && (opt.Val(auto.Enabled) || opt.Val(auto.RetainStacksOnAccountRemoval) || len(auto.DependsOn) > 0) {
		return fault.Of(fault.Validation, "AutoDeployment is only allowed with the SERVICE_MANAGED permission model")
	}
	return nil
}

func validSetName(name string) bool {
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != "" && len(name) <= maxSetName
}

// setTemplate is the template that a request gives to a stack set, with its parameters,
// tags and capabilities, checked as far as it can be without a place to make it in.
func (s *Service) setTemplate(body string, params []api.Parameter, tags []api.Tag, capabilities []string, prior *setSpec) (*setSpec, error) {
	spec := &setSpec{V: version, Body: body, Capabilities: capabilities}
	t, err := readOriginal(body)
	if err != nil {
		return nil, err
	}
	if spec.Tags, err = tagsOf(tags); err != nil {
		return nil, err
	}
	var was *specRecord
	if prior != nil {
		was = &specRecord{Params: prior.Params}
		if tags == nil {
			spec.Tags = prior.Tags
		}
	}
	given, err := givenParams(params, was, t)
	if err != nil {
		return nil, err
	}
	if spec.Params, err = intrinsic.Values(t, given); err != nil {
		return nil, invalid(err)
	}
	for k, p := range t.Parameters {
		if p.NoEcho {
			spec.Hidden = append(spec.Hidden, k)
		}
	}
	slices.Sort(spec.Hidden)
	return spec, missingCapabilities(t, t.Transforms, capabilities, true)
}

func (s *Service) createStackSet(ctx context.Context, rq *call.Authorized, in *api.CreateStackSetInput) (*api.CreateStackSetOutput, error) {
	sc, name := scopeOf(rq.Decoded), opt.Val(in.StackSetName)
	if err := cmp.Or(callAsSelf(in.CallAs), selfManaged(in.PermissionModel, in.AutoDeployment)); err != nil {
		return nil, err
	}
	if !validSetName(name) {
		return nil, fault.Of(fault.Validation, "1 validation error detected: Value '%s' at 'stackSetName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]* and have length less than or equal to %d", name, maxSetName)
	}
	if in.AdministrationRoleARN != nil {
		if err := checkAdminRole(sc, *in.AdministrationRoleARN); err != nil {
			return nil, err
		}
	}
	body, params, err := s.newSetBody(ctx, rq, in)
	if err != nil {
		return nil, err
	}
	spec, err := s.setTemplate(body, params, in.Tags, in.Capabilities, nil)
	if err != nil {
		return nil, err
	}
	set := &setRecord{
		V: version, scope: sc, ID: name + ":" + s.d.IDs.UUID(), Name: name, Status: api.StackSetStatusActive, Description: opt.Val(in.Description),
		Created: s.d.Clock.Now(), Spec: 1, Token: opt.Val(in.ClientRequestToken),
		AdminRole: opt.Or(in.AdministrationRoleARN, arn.Make("iam", "", sc.Account, "role/"+defaultAdminRole)), ExecRole: opt.Or(in.ExecutionRoleName, defaultExecRole),
	}
	if in.ManagedExecution != nil {
		set.Managed = opt.Val(in.ManagedExecution.Active)
	}
	err = s.d.Store.Update(ctx, func(tx data.Txn) error {
		old, err := sc.findSet(tx, name)
		if err != nil {
			return err
		}
		if old != nil {
			if set.Token != "" && set.Token == old.Token {
				set = old
				return nil
			}
			return api.NameAlreadyExistsException("The Name (%s) you are attempting to use already exists", name)
		}
		if err := tx.Put(sc.setNameKey(name), []byte(set.ID)); err != nil {
			return err
		}
		if err := put(tx, sc.setSpecKey(set.ID, set.Spec), spec); err != nil {
			return err
		}
		return put(tx, sc.setKey(set.ID), set)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateStackSetOutput{StackSetId: new(set.ID)}, nil
}

// checkAdminRole refuses an administration role that CloudFormation could not assume
// for this account.
func checkAdminRole(sc scope, role string) error {
	a, ok := arn.Parse(role)
	if !ok || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") {
		return fault.Of(fault.Validation, "Role ARN %s is not valid", role)
	}
	if a.Account != sc.Account {
		return fault.Of(fault.Validation, "Cross-account pass role is not allowed: %s", role)
	}
	return nil
}

// newSetBody is the text of a new stack set's template, and its parameters: as they were
// sent, or those of a stack.
func (s *Service) newSetBody(ctx context.Context, rq *call.Authorized, in *api.CreateStackSetInput) (string, []api.Parameter, error) {
	if in.StackId == nil {
		body, err := s.body(ctx, rq, in.TemplateBody, in.TemplateURL)
		return body, in.Parameters, err
	}
	if in.TemplateBody != nil || in.TemplateURL != nil {
		return "", nil, fault.Of(fault.Validation, "You cannot specify both StackId and Template Body/Template URL.")
	}
	if a, ok := arn.Parse(*in.StackId); ok && (a.Account != rq.Account() || a.Region != rq.Region()) {
		return "", nil, fault.Of(fault.Validation, "StackId %s is not in this account and region", *in.StackId)
	}
	got, err := call.Do(ctx, s.d.Caller, rq.As(), api.GetTemplate, &api.GetTemplateInput{StackName: in.StackId})
	if err != nil {
		return "", nil, err
	}
	params := in.Parameters
	if params == nil {
		_, spec, _, err := s.present(ctx, scopeOf(rq.Decoded), *in.StackId)
		if err != nil {
			return "", nil, err
		}
		if spec != nil {
			params = parameterList(spec.Params)
		}
	}
	return opt.Val(got.TemplateBody), params, nil
}

// parameterList turns values into parameters.
func parameterList(values map[string]string) (out []api.Parameter) {
	for _, k := range slices.Sorted(maps.Keys(values)) {
		out = append(out, api.Parameter{ParameterKey: &k, ParameterValue: new(values[k])})
	}
	return out
}

func (s *Service) deleteStackSet(ctx context.Context, rq *call.Authorized, in *api.DeleteStackSetInput) (*api.DeleteStackSetOutput, error) {
	if err := callAsSelf(in.CallAs); err != nil {
		return nil, err
	}
	sc := scopeOf(rq.Decoded)
	return &api.DeleteStackSetOutput{}, s.d.Store.Update(ctx, func(tx data.Txn) error {
		set, err := sc.findSet(tx, opt.Val(in.StackSetName))
		if err != nil || set == nil || set.Status == api.StackSetStatusDeleted {
			return err // what is not there is none to complain of
		}
		open, err := sc.openSetOps(tx, set.ID)
		if err != nil {
			return err
		}
		if len(open) > 0 {
			return inProgress(set)
		}
		instances := sc.key("instance", set.ID)
		for _, err := range tx.Scan(instances, data.PrefixEnd(instances), false) {
			if err != nil {
				return err
			}
			return api.StackSetNotEmptyException("StackSet is not empty")
		}
		set.Status = api.StackSetStatusDeleted
		if err := tx.Delete(sc.setNameKey(set.Name)); err != nil {
			return err
		}
		if err := sc.forgetHistory(tx, set.ID); err != nil {
			return err
		}
		return put(tx, sc.setKey(set.ID), set)
	})
}

// inProgress is the answer while another operation is under way.
func inProgress(set *setRecord) error {
	return api.OperationInProgressException("Another Operation on StackSet %s is in progress", set.arn())
}

func (s *Service) describeStackSet(ctx context.Context, rq *call.Authorized, in *api.DescribeStackSetInput) (*api.DescribeStackSetOutput, error) {
	if err := callAsSelf(in.CallAs); err != nil {
		return nil, err
	}
	sc, out := scopeOf(rq.Decoded), &api.DescribeStackSetOutput{}
	return out, s.view(ctx, func(rd data.Reader) error {
		set, err := sc.findSet(rd, opt.Val(in.StackSetName))
		if err == nil && set == nil {
			err = api.StackSetNotFoundException("StackSet %s not found", opt.Val(in.StackSetName))
		}
		if err != nil {
			return err
		}
		spec, err := get[setSpec](rd, sc.setSpecKey(set.ID, set.Spec))
		if err != nil {
			return err
		}
		instances, err := list[instanceRecord](rd, sc.key("instance", set.ID))
		if err != nil {
			return err
		}
		regions := []string{}
		for _, i := range instances {
			if !contains(regions, i.Region) {
				regions = append(regions, i.Region)
			}
		}
		slices.Sort(regions)
		out.StackSet = &api.StackSet{
			StackSetName: new(set.Name), StackSetId: new(set.ID), StackSetARN: new(set.arn()), Description: opt.NonZero(set.Description), Status: new(set.Status),
			AdministrationRoleARN: new(set.AdminRole), ExecutionRoleName: new(set.ExecRole), PermissionModel: new(api.PermissionModelsSelfManaged),
			OrganizationalUnitIds: []string{}, Regions: regions, ManagedExecution: &api.ManagedExecution{Active: new(set.Managed)},
			StackSetDriftDetectionDetails: set.Drift.describe(), Tags: []api.Tag{}, Parameters: []api.Parameter{}, Capabilities: []string{},
		}
		if spec != nil {
			out.StackSet.TemplateBody, out.StackSet.Tags = new(spec.Body), tagList(spec.Tags)
			out.StackSet.Capabilities = append(out.StackSet.Capabilities, spec.Capabilities...)
			out.StackSet.Parameters = append(out.StackSet.Parameters, shownParams(&specRecord{Params: spec.Params, Hidden: spec.Hidden})...)
		}
		return nil
	})
}

// setsPerPage is how many entries one answer about stack sets has at most.
const setsPerPage = 100

func (s *Service) listStackSets(ctx context.Context, rq *call.Authorized, in *api.ListStackSetsInput) (*api.ListStackSetsOutput, error) {
	if err := callAsSelf(in.CallAs); err != nil {
		return nil, err
	}
	sc, out := scopeOf(rq.Decoded), &api.ListStackSetsOutput{Summaries: []api.StackSetSummary{}}
	return out, s.view(ctx, func(rd data.Reader) (err error) {
		all, next, err := filtered(rd, sc.key("set"), in.NextToken, in.MaxResults, func(set *setRecord) bool {
			return in.Status == nil || *in.Status == set.Status
		})
		for _, set := range all {
			d := api.StackSetSummary{
				StackSetName: new(set.Name), StackSetId: new(set.ID), Description: opt.NonZero(set.Description), Status: new(set.Status),
				PermissionModel: new(api.PermissionModelsSelfManaged), ManagedExecution: &api.ManagedExecution{Active: new(set.Managed)},
				DriftStatus: new(api.StackSetDriftStatusNotChecked),
			}
			if set.Drift != nil {
				d.DriftStatus, d.LastDriftCheckTimestamp = new(set.Drift.Status), instant(set.Drift.At)
			}
			out.Summaries = append(out.Summaries, d)
		}
		out.NextToken = next
		return err
	})
}

// filtered reads a page of the records below a prefix that are wanted.
func filtered[T any](rd data.Reader, prefix []byte, token *string, most *int32, wanted func(*T) bool) (out []*T, next *string, err error) {
	n := int(opt.Or(most, setsPerPage))
	for {
		page, next, err := pageOf[T](rd, prefix, token, n-len(out))
		if err != nil {
			return nil, nil, err
		}
		for _, x := range page {
			if wanted(x) {
				out = append(out, x)
			}
		}
		if next == nil || len(out) == n {
			return out, next, nil
		}
		token = next
	}
}

func (s *Service) listStackSetAutoDeploymentTargets(ctx context.Context, rq *call.Authorized, in *api.ListStackSetAutoDeploymentTargetsInput) (*api.ListStackSetAutoDeploymentTargetsOutput, error) {
	if err := callAsSelf(in.CallAs); err != nil {
		return nil, err
	}
	sc := scopeOf(rq.Decoded)
	err := s.view(ctx, func(rd data.Reader) error {
		_, err := sc.activeSet(rd, opt.Val(in.StackSetName))
		return err
	})
	// Only service-managed stack sets deploy by themselves.
	return &api.ListStackSetAutoDeploymentTargetsOutput{Summaries: []api.StackSetAutoDeploymentTargetSummary{}}, err
}

func (d *setDrift) describe() *api.StackSetDriftDetectionDetails {
	if d == nil {
		return &api.StackSetDriftDetectionDetails{
			DriftStatus: new(api.StackSetDriftStatusNotChecked), TotalStackInstancesCount: new(int32(0)), DriftedStackInstancesCount: new(int32(0)),
			InSyncStackInstancesCount: new(int32(0)), InProgressStackInstancesCount: new(int32(0)), FailedStackInstancesCount: new(int32(0)),
		}
	}
	return &api.StackSetDriftDetectionDetails{
		DriftStatus: new(d.Status), DriftDetectionStatus: opt.NonZero(d.Detection), LastDriftCheckTimestamp: instant(d.At),
		TotalStackInstancesCount: new(d.Total), DriftedStackInstancesCount: new(d.Drifted), InSyncStackInstancesCount: new(d.InSync),
		InProgressStackInstancesCount: new(d.Running), FailedStackInstancesCount: new(d.Failures),
	}
}
