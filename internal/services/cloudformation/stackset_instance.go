package cloudformation

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// The stacks of a stack set: which there are to be, and what is said of them.

func (s *Service) instanceBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateStackInstances, inRegions(s, "cloudformation:CreateStackInstances", func(in *api.CreateStackInstancesInput) *string { return in.StackSetName }, func(in *api.CreateStackInstancesInput) []string { return in.Regions }), s.createStackInstances),
		call.Bind(api.UpdateStackInstances, inRegions(s, "cloudformation:UpdateStackInstances", func(in *api.UpdateStackInstancesInput) *string { return in.StackSetName }, func(in *api.UpdateStackInstancesInput) []string { return in.Regions }), s.updateStackInstances),
		call.Bind(api.DeleteStackInstances, inRegions(s, "cloudformation:DeleteStackInstances", func(in *api.DeleteStackInstancesInput) *string { return in.StackSetName }, func(in *api.DeleteStackInstancesInput) []string { return in.Regions }), s.deleteStackInstances),
		call.Bind(api.ImportStacksToStackSet, onSet(s, "cloudformation:ImportStacksToStackSet", func(in *api.ImportStacksToStackSetInput) *string { return in.StackSetName }, nil), s.importStacksToStackSet),
		call.Bind(api.DetectStackSetDrift, onSet(s, "cloudformation:DetectStackSetDrift", func(in *api.DetectStackSetDriftInput) *string { return in.StackSetName }, nil), s.detectStackSetDrift),
		call.Bind(api.DescribeStackInstance, onSet(s, "cloudformation:DescribeStackInstance", func(in *api.DescribeStackInstanceInput) *string { return in.StackSetName }, nil), s.describeStackInstance),
		call.Bind(api.ListStackInstances, onSet(s, "cloudformation:ListStackInstances", func(in *api.ListStackInstancesInput) *string { return in.StackSetName }, nil), s.listStackInstances),
		call.Bind(api.ListStackInstanceResourceDrifts, onSet(s, "cloudformation:ListStackInstanceResourceDrifts", func(in *api.ListStackInstanceResourceDriftsInput) *string { return in.StackSetName }, nil), s.listStackInstanceResourceDrifts),
	}
}

// accounts reads which accounts a request means.
func (s *Service) accounts(ctx context.Context, rq *call.Authorized, list []string, to *api.DeploymentTargets) ([]string, error) {
	if to != nil {
		switch {
		case len(list) > 0:
			return nil, fault.Of(fault.Validation, "Accounts and DeploymentTargets cannot be specified together")
		case len(to.OrganizationalUnitIds) > 0:
			return nil, fault.Of(fault.Validation, "StackSets with SELF_MANAGED permission model can only have accounts as target")
		case opt.Or(to.AccountFilterType, api.AccountFilterTypeNone) != api.AccountFilterTypeNone:
			return nil, fault.Of(fault.Validation, "AccountFilterType %s is only allowed with organizational units", *to.AccountFilterType)
		case to.AccountsUrl != nil && len(to.Accounts) > 0:
			return nil, fault.Of(fault.Validation, "Accounts and AccountsUrl cannot be specified together")
		}
		list = to.Accounts
		if to.AccountsUrl != nil {
			var err error
			if list, err = s.listAt(ctx, rq, *to.AccountsUrl, "AccountsUrl"); err != nil {
				return nil, err
			}
		}
	}
	for _, a := range list {
		if len(a) != 12 || strings.Trim(a, "0123456789") != "" {
			return nil, fault.Of(fault.Validation, "Account %s is not valid", a)
		}
	}
	return unique(list), nil
}

// listAt reads an object in S3 that lists something, by commas or line by line.
func (s *Service) listAt(ctx context.Context, rq *call.Authorized, address, member string) ([]string, error) {
	const most = 1 << 20
	text, err := s.object(ctx, rq, address, most, member, member)
	return strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(", \t\r\n", c) }), err
}

func unique(list []string) []string {
	var out []string
	for _, x := range list {
		if !contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// where are all targets in the accounts and regions.
func where(accounts, regions []string) (out []target) {
	for _, r := range regions {
		for _, a := range accounts {
			out = append(out, target{a, r})
		}
	}
	return out
}

// setOverrides reads the parameters of instances. The keys must be the stack set's.
func setOverrides(list []api.Parameter, spec *setSpec) (*overrides, error) {
	if list == nil {
		return nil, nil
	}
	o := &overrides{Values: map[string]string{}}
	for _, p := range list {
		k := opt.Val(p.ParameterKey)
		_, known := spec.Params[k]
		_, twice := o.Values[k]
		switch {
		case !known:
			return nil, fault.Of(fault.Validation, "Parameter overrides: [%s] do not exist in the template", k)
		case twice || contains(o.Keep, k):
			return nil, fault.Of(fault.Validation, "Duplicate parameter key: %s", k)
		case opt.Val(p.UsePreviousValue):
			o.Keep = append(o.Keep, k)
		case p.ParameterValue == nil:
			return nil, fault.Of(fault.Validation, "Parameters: [%s] must have values", k)
		default:
			o.Values[k] = *p.ParameterValue
		}
	}
	return o, nil
}

// pending notes in an instance that an operation is to act on it.
func (op *setOperation) pending(i *instanceRecord) {
	i.Op, i.Detail, i.Reason = op.ID, api.StackInstanceDetailedStatusPending, ""
	if i.Status != api.StackInstanceStatusInoperable && op.Action != api.StackSetOperationActionDetectDrift {
		i.Status = api.StackInstanceStatusOutdated
	}
}

// needed refuses a request without accounts or regions.
func needed(accounts, regions []string) error {
	switch {
	case len(accounts) == 0:
		return fault.Of(fault.Validation, "Accounts cannot be empty")
	case len(regions) == 0:
		return fault.Of(fault.Validation, "Regions cannot be empty")
	}
	return nil
}

// aim notes for which accounts and regions the operation is, and what their stacks
// have instead of the set's parameters.
func (op *setOperation) aim(tx data.Txn, sc scope, set *setRecord, accounts, regions []string, overrides []api.Parameter) error {
	op.Accounts, op.Regions = accounts, unique(regions)
	spec, err := get[setSpec](tx, sc.setSpecKey(set.ID, set.Spec))
	if err != nil {
		return err
	}
	op.Overrides, err = setOverrides(overrides, spec)
	return err
}

func (s *Service) createStackInstances(ctx context.Context, rq *call.Authorized, in *api.CreateStackInstancesInput) (*api.CreateStackInstancesOutput, error) {
	sc := scopeOf(rq.Decoded)
	accounts, err := s.accounts(ctx, rq, in.Accounts, in.DeploymentTargets)
	if err := cmp.Or(err, needed(accounts, in.Regions)); err != nil {
		return nil, err
	}
	id, err := s.beginSet(ctx, rq, setWork{
		name: opt.Val(in.StackSetName), id: in.OperationId, callAs: in.CallAs, prefs: in.OperationPreferences, in: in, action: api.StackSetOperationActionCreate,
		targets: func(tx data.Txn, set *setRecord, op *setOperation) ([]target, error) {
			if err := op.aim(tx, sc, set, accounts, in.Regions, in.ParameterOverrides); err != nil {
				return nil, err
			}
			all := where(accounts, op.Regions)
			for _, t := range all {
				i, err := get[instanceRecord](tx, sc.instanceKey(set.ID, t))
				if err != nil {
					return nil, err
				}
				if i == nil {
					i = &instanceRecord{V: version, target: t, Set: set.ID}
				}
				op.pending(i)
				if err := put(tx, sc.instanceKey(set.ID, t), i); err != nil {
					return nil, err
				}
			}
			return all, nil
		},
	})
	return &api.CreateStackInstancesOutput{OperationId: id}, err
}

// present finds the instances among targets; missing ones are left out, or refused.
func (op *setOperation) present(tx data.Txn, sc scope, all []target, strict bool) (out []target, err error) {
	for _, t := range all {
		i, err := get[instanceRecord](tx, sc.instanceKey(op.Set, t))
		if err != nil {
			return nil, err
		}
		if i == nil {
			if strict {
				return nil, noInstance(op.Set, t)
			}
			continue
		}
		op.pending(i)
		if err := put(tx, sc.instanceKey(op.Set, t), i); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func noInstance(set string, t target) error {
	return api.StackInstanceNotFoundException("Stack instance for StackSet %s in account %s and region %s not found", setName(set), t.Account, t.Region)
}

func (s *Service) updateStackInstances(ctx context.Context, rq *call.Authorized, in *api.UpdateStackInstancesInput) (*api.UpdateStackInstancesOutput, error) {
	sc := scopeOf(rq.Decoded)
	accounts, err := s.accounts(ctx, rq, in.Accounts, in.DeploymentTargets)
	if err := cmp.Or(err, needed(accounts, in.Regions)); err != nil {
		return nil, err
	}
	id, err := s.beginSet(ctx, rq, setWork{
		name: opt.Val(in.StackSetName), id: in.OperationId, callAs: in.CallAs, prefs: in.OperationPreferences, in: in, action: api.StackSetOperationActionUpdate,
		targets: func(tx data.Txn, set *setRecord, op *setOperation) ([]target, error) {
			if err := op.aim(tx, sc, set, accounts, in.Regions, in.ParameterOverrides); err != nil {
				return nil, err
			}
			return op.present(tx, sc, where(accounts, op.Regions), true)
		},
	})
	return &api.UpdateStackInstancesOutput{OperationId: id}, err
}

func (s *Service) deleteStackInstances(ctx context.Context, rq *call.Authorized, in *api.DeleteStackInstancesInput) (*api.DeleteStackInstancesOutput, error) {
	sc := scopeOf(rq.Decoded)
	accounts, err := s.accounts(ctx, rq, in.Accounts, in.DeploymentTargets)
	if err := cmp.Or(err, needed(accounts, in.Regions)); err != nil {
		return nil, err
	}
	id, err := s.beginSet(ctx, rq, setWork{
		name: opt.Val(in.StackSetName), id: in.OperationId, callAs: in.CallAs, prefs: in.OperationPreferences, in: in, action: api.StackSetOperationActionDelete,
		targets: func(tx data.Txn, _ *setRecord, op *setOperation) ([]target, error) {
			op.Accounts, op.Regions, op.Retain = accounts, unique(in.Regions), opt.Val(in.RetainStacks)
			return op.present(tx, sc, where(accounts, op.Regions), false)
		},
	})
	return &api.DeleteStackInstancesOutput{OperationId: id}, err
}

// everywhere are the targets of all instances of a stack set that can be worked on.
func (op *setOperation) everywhere(tx data.Txn, sc scope) ([]target, error) {
	all, err := list[instanceRecord](tx, sc.key("instance", op.Set))
	if err != nil {
		return nil, err
	}
	var out []target
	for _, i := range all {
		if i.Status != api.StackInstanceStatusInoperable {
			out = append(out, i.target)
			op.Regions = append(op.Regions, i.Region)
		}
	}
	op.Regions = unique(slices.Sorted(slices.Values(op.Regions)))
	return op.present(tx, sc, out, true)
}

// updateStackSet changes what the stacks are made of, and updates all of them, or those
// that the request names; the others are outdated then.
func (s *Service) updateStackSet(ctx context.Context, rq *call.Authorized, in *api.UpdateStackSetInput) (*api.UpdateStackSetOutput, error) {
	sc := scopeOf(rq.Decoded)
	if err := cmp.Or(callAsSelf(in.CallAs), selfManaged(in.PermissionModel, in.AutoDeployment)); err != nil {
		return nil, err
	}
	accounts, err := s.accounts(ctx, rq, in.Accounts, in.DeploymentTargets)
	if err != nil {
		return nil, err
	}
	if (len(accounts) > 0) != (len(in.Regions) > 0) {
		return nil, fault.Of(fault.Validation, "If you specify accounts, you must also specify regions, and vice versa")
	}
	if in.AdministrationRoleARN != nil {
		if err := checkAdminRole(sc, *in.AdministrationRoleARN); err != nil {
			return nil, err
		}
	}
	var body string
	if opt.Val(in.UsePreviousTemplate) {
		if in.TemplateBody != nil || in.TemplateURL != nil {
			return nil, fault.Of(fault.Validation, "You cannot specify both usePreviousTemplate and Template Body/Template URL.")
		}
	} else if body, err = s.body(ctx, rq, in.TemplateBody, in.TemplateURL); err != nil {
		return nil, err
	}
	id, err := s.beginSet(ctx, rq, setWork{
		name: opt.Val(in.StackSetName), id: in.OperationId, callAs: in.CallAs, prefs: in.OperationPreferences, in: in, action: api.StackSetOperationActionUpdate,
		targets: func(tx data.Txn, set *setRecord, op *setOperation) ([]target, error) {
			prior, err := get[setSpec](tx, sc.setSpecKey(set.ID, set.Spec))
			if err != nil {
				return nil, err
			}
			text := body
			if opt.Val(in.UsePreviousTemplate) {
				text = prior.Body
			}
			spec, err := s.setTemplate(text, in.Parameters, in.Tags, in.Capabilities, prior)
			if err != nil {
				return nil, err
			}
			set.Spec++
			if in.Description != nil {
				set.Description = *in.Description
			}
			set.AdminRole, set.ExecRole = opt.Or(in.AdministrationRoleARN, set.AdminRole), opt.Or(in.ExecutionRoleName, set.ExecRole)
			if in.ManagedExecution != nil && in.ManagedExecution.Active != nil {
				set.Managed = *in.ManagedExecution.Active
			}
			if err := put(tx, sc.setSpecKey(set.ID, set.Spec), spec); err != nil {
				return nil, err
			}
			if err := outdate(tx, sc, set); err != nil {
				return nil, err
			}
			if len(accounts) == 0 {
				return op.everywhere(tx, sc)
			}
			op.Accounts, op.Regions = accounts, unique(in.Regions)
			return op.present(tx, sc, where(accounts, op.Regions), true)
		},
	})
	return &api.UpdateStackSetOutput{OperationId: id}, err
}

// outdate notes that no instance is what the stack set says any more.
func outdate(tx data.Txn, sc scope, set *setRecord) error {
	all, err := list[instanceRecord](tx, sc.key("instance", set.ID))
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.Status == api.StackInstanceStatusCurrent {
			i.Status = api.StackInstanceStatusOutdated
			if err := put(tx, sc.instanceKey(set.ID, i.target), i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) describeStackInstance(ctx context.Context, rq *call.Authorized, in *api.DescribeStackInstanceInput) (*api.DescribeStackInstanceOutput, error) {
	if err := callAsSelf(in.CallAs); err != nil {
		return nil, err
	}
	sc, out := scopeOf(rq.Decoded), &api.DescribeStackInstanceOutput{}
	return out, s.view(ctx, func(rd data.Reader) error {
		set, err := sc.activeSet(rd, opt.Val(in.StackSetName))
		if err != nil {
			return err
		}
		t := target{opt.Val(in.StackInstanceAccount), opt.Val(in.StackInstanceRegion)}
		i, err := get[instanceRecord](rd, sc.instanceKey(set.ID, t))
		if err == nil && i == nil {
			err = noInstance(set.ID, t)
		}
		if err != nil {
			return err
		}
		spec, err := get[setSpec](rd, sc.setSpecKey(set.ID, set.Spec))
		if err != nil {
			return err
		}
		d := i.summary()
		out.StackInstance = &api.StackInstance{
			StackSetId: d.StackSetId, Account: d.Account, Region: d.Region, StackId: d.StackId, Status: d.Status, StackInstanceStatus: d.StackInstanceStatus,
			StatusReason: d.StatusReason, DriftStatus: d.DriftStatus, LastDriftCheckTimestamp: d.LastDriftCheckTimestamp, LastOperationId: d.LastOperationId,
			ParameterOverrides: append([]api.Parameter{}, shownParams(&specRecord{Params: i.Overrides, Hidden: spec.Hidden})...),
		}
		return nil
	})
}

func (i *instanceRecord) summary() api.StackInstanceSummary {
	return api.StackInstanceSummary{
		StackSetId: new(i.Set), Account: new(i.Account), Region: new(i.Region), StackId: opt.NonZero(i.Stack), Status: new(i.Status),
		StackInstanceStatus: &api.StackInstanceComprehensiveStatus{DetailedStatus: new(i.Detail)}, StatusReason: opt.NonZero(i.Reason),
		DriftStatus: new(i.drift()), LastDriftCheckTimestamp: instant(i.DriftAt), LastOperationId: new(i.Op),
	}
}

func (i *instanceRecord) drift() string { return cmp.Or(i.Drift, api.StackDriftStatusNotChecked) }

func (s *Service) listStackInstances(ctx context.Context, rq *call.Authorized, in *api.ListStackInstancesInput) (*api.ListStackInstancesOutput, error) {
	if err := callAsSelf(in.CallAs); err != nil {
		return nil, err
	}
	sc, out := scopeOf(rq.Decoded), &api.ListStackInstancesOutput{Summaries: []api.StackInstanceSummary{}}
	return out, s.view(ctx, func(rd data.Reader) error {
		set, err := sc.activeSet(rd, opt.Val(in.StackSetName))
		if err != nil {
			return err
		}
		all, next, err := filtered(rd, sc.key("instance", set.ID), in.NextToken, in.MaxResults, func(i *instanceRecord) bool {
			for _, f := range in.Filters {
				is := map[string]string{
					api.StackInstanceFilterNameDetailedStatus: i.Detail, api.StackInstanceFilterNameLastOperationId: i.Op, api.StackInstanceFilterNameDriftStatus: i.drift(),
				}[opt.Val(f.Name)]
				if is != opt.Val(f.Values) {
					return false
				}
			}
			return opt.Or(in.StackInstanceAccount, i.Account) == i.Account && opt.Or(in.StackInstanceRegion, i.Region) == i.Region
		})
		for _, i := range all {
			out.Summaries = append(out.Summaries, i.summary())
		}
		out.NextToken = next
		return err
	})
}
