package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

func (s *Service) simulateBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.SimulatePrincipalPolicy, call.Allow("iam:SimulatePrincipalPolicy", func(_ *call.Decoded, in *api.SimulatePrincipalPolicyRequest) string {
			return *in.PolicySourceArn
		}), s.simulatePrincipalPolicy),
		bindAny(api.SimulateCustomPolicy, s.simulateCustomPolicy),
	}
}

// simulation is a question to the policy language, with what its policies are called.
type simulation struct {
	principal policy.Principal
	sets      policy.Sets
	names     map[*policy.Policy]source
	context   policy.Keys
	owner     string
}

// Kinds of sources, as results name them.
const (
	fromUser     = "user"
	fromGroup    = "group"
	fromRole     = "role"
	fromManaged  = "IAM Policy"
	fromInput    = "IAM Policy"
	fromResource = "resource"
)

func (m *simulation) add(list ...source) (out []*policy.Policy) {
	for _, x := range list {
		m.names[x.policy] = x
		out = append(out, x.policy)
	}
	return out
}

// given parses policies that came with the request.
func given(docs []string, prefix string) ([]source, error) {
	var all []source
	for i, d := range docs {
		p, err := policy.Parse([]byte(d))
		if err == nil {
			err = policy.ValidateIdentity(p)
		}
		if err != nil {
			return nil, api.InvalidInputException("%s.%d: %s", prefix, i+1, err)
		}
		all = append(all, source{fmt.Sprintf("%s.%d", prefix, i+1), fromInput, p})
	}
	return all, nil
}

// question is what both operations have in common.
type question struct {
	policies, boundaries, actions, resources []string
	resourcePolicy, owner, caller, handling  *string
	entries                                  []api.ContextEntry
	marker                                   *string
	max                                      *int32
}

func (s *Service) simulatePrincipalPolicy(ctx context.Context, rq *call.Authorized, in *api.SimulatePrincipalPolicyRequest) (*api.SimulatePolicyResponse, error) {
	m := &simulation{names: map[*policy.Policy]source{}}
	if err := s.d.Store.View(ctx, func(r data.Reader) error { return s.sourceOf(r, rq.Account(), *in.PolicySourceArn, m) }); err != nil {
		return nil, err
	}
	return s.answer(m, question{
		in.PolicyInputList, in.PermissionsBoundaryPolicyInputList, in.ActionNames, in.ResourceArns,
		in.ResourcePolicy, in.ResourceOwner, in.CallerArn, in.ResourceHandlingOption, in.ContextEntries, in.Marker, in.MaxItems,
	})
}

func (s *Service) simulateCustomPolicy(_ context.Context, rq *call.Authorized, in *api.SimulateCustomPolicyRequest) (*api.SimulatePolicyResponse, error) {
	m := &simulation{names: map[*policy.Policy]source{}}
	m.principal = policy.Principal{Kind: policy.User, Account: rq.Account(), ARN: arnOf(rq.Account(), userKind, "/", "simulated")}
	return s.answer(m, question{
		in.PolicyInputList, in.PermissionsBoundaryPolicyInputList, in.ActionNames, in.ResourceArns,
		in.ResourcePolicy, in.ResourceOwner, in.CallerArn, in.ResourceHandlingOption, in.ContextEntries, in.Marker, in.MaxItems,
	})
}

// sourceOf takes over the policies of a user, group or role.
func (s *Service) sourceOf(r data.Reader, account, sourceARN string, m *simulation) error {
	a, ok := arn.Parse(sourceARN)
	which, _, slash := strings.Cut(a.Resource, "/")
	k := kind(which)
	if !ok || a.Service != "iam" || !slash || a.Account != account || k != userKind && k != groupKind && k != roleKind {
		return api.InvalidInputException("Invalid Entity Arn: %s does not clearly define entity type and name.", sourceARN)
	}
	id, err := byARN(r, account, k, lastName(a), sourceARN)
	if err != nil {
		return err
	}
	if id == nil {
		return api.NoSuchEntityException("The %s with ARN %s cannot be found.", k, sourceARN)
	}
	switch k {
	case userKind:
		m.principal = userOf(account, id)
	case roleKind:
		m.principal = policy.Principal{
			Kind: policy.Role, Account: account, RoleARN: sourceARN, UserID: id.ID + ":simulated",
			ARN: arn.Make("sts", "", account, "assumed-role/"+id.Name+"/simulated"),
		}
	default: // a group is nobody; its policies are asked for some user of it
		m.principal = policy.Principal{Kind: policy.User, Account: account, ARN: arnOf(account, userKind, "/", "simulated")}
	}
	groups, err := groupsOf(r, account, id)
	if err != nil {
		return err
	}
	from := map[kind]string{userKind: fromUser, groupKind: fromGroup, roleKind: fromRole}[k]
	for i, holder := range append([]*identity{id}, groups...) {
		if i > 0 {
			from = fromGroup
		}
		list, err := s.policiesOf(r, account, holder)
		if err != nil {
			return err
		}
		for j, x := range list {
			if x.kind == "" { // inline
				list[j].name, list[j].kind = from+"_"+holder.Name+"_"+x.name, from
			}
		}
		m.sets.Identity = append(m.sets.Identity, m.add(list...)...)
	}
	if id.Boundary == "" {
		return nil
	}
	p, err := s.thePolicy(r, account, id.Boundary)
	if err != nil {
		return err
	}
	boundary, err := parseStored(p.active().Document)
	if err != nil {
		return err
	}
	m.sets.Boundary, m.sets.HasBoundary = m.add(source{p.Name, fromManaged, boundary})[0], true
	return nil
}

// answer asks every action on every resource.
func (s *Service) answer(m *simulation, q question) (*api.SimulatePolicyResponse, error) {
	if q.handling != nil {
		return nil, api.InvalidInputException("ResourceHandlingOption is for EC2's actions, which are not here.")
	}
	if err := m.take(q); err != nil {
		return nil, err
	}
	resources := q.resources
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	var all []api.EvaluationResult
	for _, action := range q.actions {
		for _, r := range resources {
			all = append(all, m.ask(action, r))
		}
	}
	// Results keep the order of the question; their place in it is the marker.
	places := make([]int, len(all))
	for i := range places {
		places[i] = i
	}
	p, err := paginate(places, func(i int) string { return fmt.Sprintf("%08d", i) }, q.marker, q.max)
	out := &api.SimulatePolicyResponse{EvaluationResults: []api.EvaluationResult{}, IsTruncated: p.Truncated, Marker: p.Marker}
	for _, i := range p.Items {
		out.EvaluationResults = append(out.EvaluationResults, all[i])
	}
	return out, err
}

// take adds what came with the request to what is asked.
func (m *simulation) take(q question) error {
	more, err := given(q.policies, "PolicyInputList")
	if err != nil {
		return err
	}
	m.sets.Identity = append(m.sets.Identity, m.add(more...)...)
	bounds, err := given(q.boundaries, "PermissionsBoundaryPolicyInputList")
	switch {
	case err != nil:
		return err
	case len(bounds) > 1:
		return api.InvalidInputException("PermissionsBoundaryPolicyInputList can hold one policy.")
	case len(bounds) == 1:
		m.sets.Boundary, m.sets.HasBoundary = m.add(bounds[0])[0], true
	}
	if q.caller != nil {
		a, ok := arn.Parse(*q.caller)
		if !ok || !strings.HasPrefix(a.Resource, "user/") {
			return api.InvalidInputException("CallerArn %s is not the ARN of a user.", *q.caller)
		}
		m.principal = policy.Principal{Kind: policy.User, Account: a.Account, ARN: *q.caller, UserName: lastName(a)}
	}
	if q.owner != nil {
		a, ok := arn.Parse(*q.owner)
		if m.owner = a.Account; !ok {
			m.owner = *q.owner
		}
		if !isAccount(m.owner) {
			return api.InvalidInputException("ResourceOwner %s names no account.", *q.owner)
		}
	}
	if q.resourcePolicy != nil {
		if q.caller == nil && m.principal.UserID == "" {
			return api.InvalidInputException("CallerArn is required with ResourcePolicy.")
		}
		p, err := policy.Parse([]byte(*q.resourcePolicy))
		if err == nil {
			err = policy.ValidateResource(p)
		}
		if err != nil {
			return api.InvalidInputException("ResourcePolicy: %s", err)
		}
		m.sets.Resource = m.add(source{"ResourcePolicy", fromResource, p})[0]
	}
	m.context = policy.Keys{}
	for _, e := range q.entries {
		m.context.Set(opt.Val(e.ContextKeyName), e.ContextKeyValues...)
	}
	return nil
}

// ask evaluates one action on one resource.
func (m *simulation) ask(action, resource string) api.EvaluationResult {
	missing := []string{}
	rq := policy.Request{
		Principal: m.principal, Action: action, Resource: resource, ResourceAccount: m.owner,
		Context: policy.ContextFunc(func(key string) []string {
			v := m.context.Lookup(key)
			if v == nil && !slices.Contains(missing, key) {
				missing = append(missing, key)
			}
			return v
		}),
	}
	d := policy.Evaluate(&rq, &m.sets)
	out := api.EvaluationResult{
		EvalActionName: &action, EvalResourceName: &resource, EvalDecision: new("implicitDeny"),
		MatchedStatements: []api.Statement{}, MissingContextValues: missing,
	}
	switch {
	case d.Allowed:
		out.EvalDecision = new("allowed")
	case d.Reason.Explicit():
		out.EvalDecision = new("explicitDeny")
	}
	if from, ok := m.names[d.Policy]; ok {
		out.MatchedStatements = append(out.MatchedStatements, api.Statement{SourcePolicyId: &from.name, SourcePolicyType: &from.kind})
	}
	if m.sets.HasBoundary {
		allowed := d.Reason != policy.NoBoundaryAllow && d.Reason != policy.ExplicitBoundaryDeny
		if allowed && !d.Allowed { // something else decided first: ask the boundary alone
			alone := policy.Sets{Identity: []*policy.Policy{m.sets.Boundary}}
			allowed = policy.Evaluate(&rq, &alone).Allowed
		}
		out.PermissionsBoundaryDecisionDetail = &api.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: &allowed}
	}
	return out
}
