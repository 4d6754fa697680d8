package cloudformation

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// AWS::CloudFormation::StackSet: a stack set with its instances.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stackset.html

type setProperties struct {
	StackSetName          string              `cfn:"StackSetName,required,replace"`
	PermissionModel       string              `cfn:"PermissionModel,required,replace"`
	AdministrationRoleARN *string             `cfn:"AdministrationRoleARN"`
	ExecutionRoleName     *string             `cfn:"ExecutionRoleName"`
	Description           *string             `cfn:"Description"`
	TemplateBody          *string             `cfn:"TemplateBody"`
	TemplateURL           *string             `cfn:"TemplateURL"`
	Parameters            []setParameter      `cfn:"Parameters"`
	Capabilities          []string            `cfn:"Capabilities"`
	Tags                  []nestedTag         `cfn:"Tags"`
	OperationPreferences  *setPreferences     `cfn:"OperationPreferences"`
	ManagedExecution      *setManaged         `cfn:"ManagedExecution"`
	AutoDeployment        *setAutoDeployment  `cfn:"AutoDeployment"`
	CallAs                *string             `cfn:"CallAs"`
	StackInstancesGroup   []setInstancesGroup `cfn:"StackInstancesGroup"`
}

type setParameter struct {
	ParameterKey   string `cfn:"ParameterKey,required"`
	ParameterValue string `cfn:"ParameterValue,required"`
}

type setPreferences struct {
	RegionConcurrencyType      *string  `cfn:"RegionConcurrencyType"`
	RegionOrder                []string `cfn:"RegionOrder"`
	FailureToleranceCount      *int32   `cfn:"FailureToleranceCount"`
	FailureTolerancePercentage *int32   `cfn:"FailureTolerancePercentage"`
	MaxConcurrentCount         *int32   `cfn:"MaxConcurrentCount"`
	MaxConcurrentPercentage    *int32   `cfn:"MaxConcurrentPercentage"`
	ConcurrencyMode            *string  `cfn:"ConcurrencyMode"`
}

func (p *setPreferences) input() *api.StackSetOperationPreferences {
	if p == nil {
		return nil
	}
	return new(api.StackSetOperationPreferences(*p))
}

type setManaged struct {
	Active *bool `cfn:"Active"`
}

type setAutoDeployment struct {
	Enabled                      *bool    `cfn:"Enabled"`
	RetainStacksOnAccountRemoval *bool    `cfn:"RetainStacksOnAccountRemoval"`
	DependsOn                    []string `cfn:"DependsOn"`
}

func (p *setAutoDeployment) input() *api.AutoDeployment {
	if p == nil {
		return nil
	}
	return new(api.AutoDeployment(*p))
}

type setInstancesGroup struct {
	DeploymentTargets  setTargets     `cfn:"DeploymentTargets,required"`
	Regions            []string       `cfn:"Regions,required"`
	ParameterOverrides []setParameter `cfn:"ParameterOverrides"`
}

type setTargets struct {
	Accounts              []string `cfn:"Accounts"`
	AccountsURL           *string  `cfn:"AccountsUrl"`
	OrganizationalUnitIDs []string `cfn:"OrganizationalUnitIds"`
	AccountFilterType     *string  `cfn:"AccountFilterType"`
}

// checkSet finds the settings that only an organisation has.
func checkSet(p *setProperties) (bad []resource.Problem) {
	say := func(err error, path ...string) {
		if err != nil {
			bad = append(bad, resource.Problem{Path: path, Text: said(err)})
		}
	}
	say(selfManaged(&p.PermissionModel, nil), "PermissionModel")
	say(selfManaged(nil, p.AutoDeployment.input()), "AutoDeployment")
	say(callAsSelf(p.CallAs), "CallAs")
	for i, g := range p.StackInstancesGroup {
		at := []string{"StackInstancesGroup", fmt.Sprint(i), "DeploymentTargets"}
		switch t := g.DeploymentTargets; {
		case len(t.OrganizationalUnitIDs) > 0:
			bad = append(bad, resource.Problem{Path: append(at, "OrganizationalUnitIds"), Text: "StackSets with SELF_MANAGED permission model can only have accounts as target"})
		case t.AccountsURL != nil:
			bad = append(bad, resource.Problem{Path: append(at, "AccountsUrl"), Text: "AccountsUrl is not supported in a template: name the Accounts"})
		case len(t.Accounts) == 0:
			bad = append(bad, resource.Problem{Path: append(at, "Accounts"), Text: "Accounts cannot be empty"})
		}
	}
	return bad
}

func (s *Service) stackSetType() resource.Type {
	return resource.Define("AWS::CloudFormation::StackSet", resource.Handlers[setProperties]{
		Create: s.makeSet, Update: s.alterSet, Delete: s.dropSet, Check: checkSet, Attributes: []string{"StackSetId"},
		Identifier: []string{"StackSetId"}, Read: s.readSet, List: listSets, WriteOnly: []string{"TemplateURL", "OperationPreferences", "CallAs"},
	})
}

func setState(id string) resource.State {
	return resource.State{ID: id, Attributes: map[string]any{"StackSetId": id}}
}

func setParameters(list []setParameter) (out []api.Parameter) {
	for _, p := range list {
		out = append(out, api.Parameter{ParameterKey: new(p.ParameterKey), ParameterValue: new(p.ParameterValue)})
	}
	return out
}

func (p *setProperties) tags(rq *resource.Request) []api.Tag {
	return (&nestedProperties{Tags: p.Tags}).tags(rq)
}

func (p *setProperties) managed() *api.ManagedExecution {
	if p.ManagedExecution == nil {
		return nil
	}
	return &api.ManagedExecution{Active: p.ManagedExecution.Active}
}

func (s *Service) makeSet(ctx context.Context, rq *resource.Request, p *setProperties) (resource.State, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.CreateStackSet, &api.CreateStackSetInput{
		StackSetName: &p.StackSetName, PermissionModel: &p.PermissionModel, AdministrationRoleARN: p.AdministrationRoleARN, ExecutionRoleName: p.ExecutionRoleName,
		Description: p.Description, TemplateBody: p.TemplateBody, TemplateURL: p.TemplateURL, Parameters: setParameters(p.Parameters), Capabilities: p.Capabilities,
		Tags: p.tags(rq), ManagedExecution: p.managed(), AutoDeployment: p.AutoDeployment.input(), CallAs: p.CallAs, ClientRequestToken: &rq.Token,
	})
	if err != nil {
		return resource.State{}, err
	}
	return setState(*out.StackSetId), s.placeInstances(ctx, rq, *out.StackSetId, nil, p)
}

func (s *Service) alterSet(ctx context.Context, rq *resource.Request, id string, old, p *setProperties) (resource.State, error) {
	// First goes what is not to be updated any more.
	if err := s.dropInstances(ctx, rq, id, old, p); err != nil {
		return setState(id), err
	}
	admin, exec := p.AdministrationRoleARN, p.ExecutionRoleName
	if admin == nil && old.AdministrationRoleARN != nil {
		admin = new(arn.Make("iam", "", rq.Account, "role/"+defaultAdminRole))
	}
	if exec == nil && old.ExecutionRoleName != nil {
		exec = new(defaultExecRole)
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateStackSet, &api.UpdateStackSetInput{
		StackSetName: &id, AdministrationRoleARN: admin, ExecutionRoleName: exec, Description: p.Description,
		TemplateBody: p.TemplateBody, TemplateURL: p.TemplateURL, Parameters: setParameters(p.Parameters), Capabilities: p.Capabilities, Tags: p.tags(rq),
		ManagedExecution: p.managed(), OperationPreferences: p.OperationPreferences.input(), OperationId: new(rq.Token + "-update"),
	})
	if err := s.setDone(ctx, rq, id, err, func() *string { return out.OperationId }); err != nil {
		return setState(id), err
	}
	return setState(id), s.placeInstances(ctx, rq, id, old, p)
}

// setDone waits for the end of an operation that a request began, which must succeed.
func (s *Service) setDone(ctx context.Context, rq *resource.Request, set string, err error, began func() *string) error {
	if err != nil {
		return err
	}
	sc, id := scope{rq.Account, rq.Region}, *began()
	seq := int64(0)
	for {
		// First the job: one that ends now must be found to have ended.
		s.plane.mu.Lock()
		job := s.plane.jobs[set+"/"+padded(seq)]
		s.plane.mu.Unlock()
		var op *setOperation
		var reasons []string
		err := s.view(ctx, func(rd data.Reader) error {
			if op, err = sc.findSetOp(rd, set, id); err != nil || op == nil || !op.ended() {
				return err
			}
			all, err := list[resultRecord](rd, sc.results(set, op.Seq))
			for _, r := range all {
				if r.Status == api.StackSetOperationResultStatusFailed && !contains(reasons, r.Reason) {
					reasons = append(reasons, r.Reason)
				}
			}
			return err
		})
		switch {
		case err != nil:
			return err
		case op == nil || op.ended() && op.Status != api.StackSetOperationStatusSucceeded:
			return &saidError{fmt.Sprintf("Stack set operation [%s] was unexpectedly stopped or failed. status reason(s): [%s]", id, strings.Join(reasons, ", "))}
		case op.ended():
			return nil
		}
		if seq == 0 {
			seq = op.Seq
			continue
		}
		var later <-chan time.Time
		if job == nil { // it waits for others, or for the start to take it up
			later = s.d.Clock.After(nestedLook)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-job:
		case <-later:
		}
	}
}

// placed are the instances that properties ask for, with their parameters.
func (p *setProperties) placed() map[target]map[string]string {
	out := map[target]map[string]string{}
	if p == nil {
		return out
	}
	for _, g := range p.StackInstancesGroup {
		values := map[string]string{}
		for _, o := range g.ParameterOverrides {
			values[o.ParameterKey] = o.ParameterValue
		}
		for _, t := range where(g.DeploymentTargets.Accounts, g.Regions) {
			out[t] = values
		}
	}
	return out
}

// group puts targets together that are to get the same: what is one operation has the
// same accounts in each of its regions.
func group(all map[target]map[string]string) (out []setInstancesGroup) {
	accounts := map[string][]string{} // by region and parameters
	values, regions := map[string]map[string]string{}, map[string]string{}
	for t, v := range all {
		k := t.Region + "\x00" + fmt.Sprint(parametersOf(v))
		accounts[k], values[k], regions[k] = append(accounts[k], t.Account), v, t.Region
	}
	for _, k := range slices.Sorted(maps.Keys(accounts)) {
		slices.Sort(accounts[k])
		over := parametersOf(values[k])
		i := slices.IndexFunc(out, func(g setInstancesGroup) bool {
			return slices.Equal(g.DeploymentTargets.Accounts, accounts[k]) && slices.Equal(g.ParameterOverrides, over)
		})
		if i >= 0 {
			out[i].Regions = append(out[i].Regions, regions[k])
			continue
		}
		out = append(out, setInstancesGroup{DeploymentTargets: setTargets{Accounts: accounts[k]}, Regions: []string{regions[k]}, ParameterOverrides: over})
	}
	return out
}

func parametersOf(values map[string]string) (out []setParameter) {
	for _, k := range slices.Sorted(maps.Keys(values)) {
		out = append(out, setParameter{k, values[k]})
	}
	return out
}

// placeInstances makes the instances that are asked for and were not, and changes those
// whose parameters changed.
func (s *Service) placeInstances(ctx context.Context, rq *resource.Request, id string, old, p *setProperties) error {
	before, fresh, changed := old.placed(), map[target]map[string]string{}, map[target]map[string]string{}
	for t, v := range p.placed() {
		if was, is := before[t]; !is {
			fresh[t] = v
		} else if !maps.Equal(was, v) {
			changed[t] = v
		}
	}
	for n, g := range group(fresh) {
		if err := s.placeGroup(ctx, rq, id, fmt.Sprintf("%s-create-%d", rq.Token, n), g, p); err != nil {
			return err
		}
	}
	for n, g := range group(changed) {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateStackInstances, &api.UpdateStackInstancesInput{
			StackSetName: &id, Accounts: g.DeploymentTargets.Accounts, Regions: g.Regions, ParameterOverrides: append([]api.Parameter{}, setParameters(g.ParameterOverrides)...),
			OperationPreferences: p.OperationPreferences.input(), OperationId: new(fmt.Sprintf("%s-change-%d", rq.Token, n)),
		})
		if fault.Is(err, "StackInstanceNotFoundException") { // an earlier attempt did not make it
			err = s.placeGroup(ctx, rq, id, fmt.Sprintf("%s-again-%d", rq.Token, n), g, p)
			if err == nil {
				continue
			}
		}
		if err := s.setDone(ctx, rq, id, err, func() *string { return out.OperationId }); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) placeGroup(ctx context.Context, rq *resource.Request, id, op string, g setInstancesGroup, p *setProperties) error {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.CreateStackInstances, &api.CreateStackInstancesInput{
		StackSetName: &id, Accounts: g.DeploymentTargets.Accounts, Regions: g.Regions, ParameterOverrides: append([]api.Parameter{}, setParameters(g.ParameterOverrides)...),
		OperationPreferences: p.OperationPreferences.input(), OperationId: &op,
	})
	return s.setDone(ctx, rq, id, err, func() *string { return out.OperationId })
}

// dropInstances deletes the instances that were asked for and are not.
func (s *Service) dropInstances(ctx context.Context, rq *resource.Request, id string, old, p *setProperties) error {
	gone, now := old.placed(), p.placed()
	maps.DeleteFunc(gone, func(t target, _ map[string]string) bool { _, stays := now[t]; return stays })
	for t := range gone {
		gone[t] = nil
	}
	return s.dropGroups(ctx, rq, id, gone, cmp.Or(p, old).OperationPreferences)
}

func (s *Service) dropGroups(ctx context.Context, rq *resource.Request, id string, gone map[target]map[string]string, prefs *setPreferences) error {
	for n, g := range group(gone) {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteStackInstances, &api.DeleteStackInstancesInput{
			StackSetName: &id, Accounts: g.DeploymentTargets.Accounts, Regions: g.Regions, RetainStacks: new(false),
			OperationPreferences: prefs.input(), OperationId: new(fmt.Sprintf("%s-delete-%d", rq.Token, n)),
		})
		if err := s.setDone(ctx, rq, id, err, func() *string { return out.OperationId }); err != nil {
			return err
		}
	}
	return nil
}

// dropSet deletes a stack set with all of its instances.
func (s *Service) dropSet(ctx context.Context, rq *resource.Request, id string, p *setProperties) error {
	gone := map[target]map[string]string{}
	in := &api.ListStackInstancesInput{StackSetName: &id}
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.ListStackInstances, in)
		if fault.Is(err, "StackSetNotFoundException") {
			return nil
		}
		if err != nil {
			return err
		}
		for _, i := range out.Summaries {
			gone[target{*i.Account, *i.Region}] = nil
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if err := s.dropGroups(ctx, rq, id, gone, p.OperationPreferences); err != nil {
		return err
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteStackSet, &api.DeleteStackSetInput{StackSetName: &id})
	return err
}

// readSet reads a stack set. Of its parameters those are its own that p sets, or all if p
// says nothing of them.
func (s *Service) readSet(ctx context.Context, rq *resource.Request, id string, p *setProperties) (*setProperties, resource.State, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeStackSet, &api.DescribeStackSetInput{StackSetName: &id})
	if fault.Is(err, "StackSetNotFoundException") || err == nil && opt.Val(out.StackSet.Status) == api.StackSetStatusDeleted {
		return nil, resource.State{}, nil
	}
	if err != nil {
		return nil, resource.State{}, err
	}
	set, sc := out.StackSet, scope{rq.Account, rq.Region}
	is := &setProperties{
		StackSetName: *set.StackSetName, PermissionModel: *set.PermissionModel, AdministrationRoleARN: set.AdministrationRoleARN, ExecutionRoleName: set.ExecutionRoleName,
		Description: set.Description, TemplateBody: set.TemplateBody, Capabilities: set.Capabilities, ManagedExecution: &setManaged{Active: set.ManagedExecution.Active},
	}
	if p.TemplateBody != nil && sameTemplate(*p.TemplateBody, opt.Val(set.TemplateBody)) {
		is.TemplateBody = p.TemplateBody
	}
	for _, t := range set.Tags {
		is.Tags = append(is.Tags, nestedTag{*t.Key, *t.Value})
	}
	given := map[string]int{}
	for n, x := range p.Parameters {
		given[x.ParameterKey] = n
	}
	for _, x := range set.Parameters {
		v := setParameter{*x.ParameterKey, *x.ParameterValue}
		n, ok := given[v.ParameterKey]
		if ok && v.ParameterValue == hidden {
			v.ParameterValue = p.Parameters[n].ParameterValue
		}
		if ok || p.Parameters == nil {
			is.Parameters = append(is.Parameters, v)
		}
	}
	slices.SortStableFunc(is.Parameters, func(a, b setParameter) int { return given[a.ParameterKey] - given[b.ParameterKey] })
	now := map[target]map[string]string{}
	err = s.view(ctx, func(rd data.Reader) error {
		all, err := list[instanceRecord](rd, sc.key("instance", id))
		for _, i := range all {
			now[i.target] = i.Overrides
		}
		return err
	})
	if is.StackInstancesGroup = group(now); maps.EqualFunc(now, p.placed(), maps.Equal) {
		is.StackInstancesGroup = p.StackInstancesGroup
	}
	return is, setState(id), err
}

func listSets(ctx context.Context, rq *resource.Request, _ *setProperties) (ids []string, err error) {
	in := &api.ListStackSetsInput{Status: new(api.StackSetStatusActive)}
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.ListStackSets, in)
		if err != nil {
			return nil, err
		}
		for _, s := range out.Summaries {
			ids = append(ids, *s.StackSetId)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return ids, nil
		}
	}
}
