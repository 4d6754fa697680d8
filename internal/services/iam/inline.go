package iam

import (
	"context"
	"maps"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
)

func (s *Service) inlineBindings() []call.Binding {
	return []call.Binding{
		bind(s, api.PutUserPolicy, userKind, func(ctx context.Context, rq *call.Authorized, in *api.PutUserPolicyRequest) (*call.None, error) {
			return s.putInline(ctx, rq, userKind, *in.UserName, *in.PolicyName, *in.PolicyDocument)
		}),
		bind(s, api.PutGroupPolicy, groupKind, func(ctx context.Context, rq *call.Authorized, in *api.PutGroupPolicyRequest) (*call.None, error) {
			return s.putInline(ctx, rq, groupKind, *in.GroupName, *in.PolicyName, *in.PolicyDocument)
		}),
		bind(s, api.PutRolePolicy, roleKind, func(ctx context.Context, rq *call.Authorized, in *api.PutRolePolicyRequest) (*call.None, error) {
			return s.putInline(ctx, rq, roleKind, *in.RoleName, *in.PolicyName, *in.PolicyDocument)
		}),
		bind(s, api.DeleteUserPolicy, userKind, func(ctx context.Context, rq *call.Authorized, in *api.DeleteUserPolicyRequest) (*call.None, error) {
			return s.deleteInline(ctx, rq, userKind, *in.UserName, *in.PolicyName)
		}),
		bind(s, api.DeleteGroupPolicy, groupKind, func(ctx context.Context, rq *call.Authorized, in *api.DeleteGroupPolicyRequest) (*call.None, error) {
			return s.deleteInline(ctx, rq, groupKind, *in.GroupName, *in.PolicyName)
		}),
		bind(s, api.DeleteRolePolicy, roleKind, func(ctx context.Context, rq *call.Authorized, in *api.DeleteRolePolicyRequest) (*call.None, error) {
			return s.deleteInline(ctx, rq, roleKind, *in.RoleName, *in.PolicyName)
		}),
		bind(s, api.GetUserPolicy, userKind, s.getUserPolicy),
		bind(s, api.GetGroupPolicy, groupKind, s.getGroupPolicy),
		bind(s, api.GetRolePolicy, roleKind, s.getRolePolicy),
		bind(s, api.ListUserPolicies, userKind, s.listUserPolicies),
		bind(s, api.ListGroupPolicies, groupKind, s.listGroupPolicies),
		bind(s, api.ListRolePolicies, roleKind, s.listRolePolicies),
	}
}

func inlineQuota(k kind) int {
	switch k {
	case userKind:
		return maxInlineUser
	case groupKind:
		return maxInlineGroup
	}
	return maxInlineRole
}

func (s *Service) putInline(ctx context.Context, rq *call.Authorized, k kind, name, policyName, doc string) (*call.None, error) {
	return done(s.changeIdentity(ctx, rq.Account(), k, name, func(_ data.Txn, id *identity) error {
		if err := notLinked(id); err != nil {
			return err
		}
		if err := checkInline(doc); err != nil {
			return err
		}
		if id.Inline == nil {
			id.Inline = map[string]string{}
		}
		id.Inline[policyName] = doc
		sum := 0
		for _, d := range id.Inline {
			sum += size(d)
		}
		if max := inlineQuota(k); sum > max {
			return api.LimitExceededException("Maximum policy size of %d bytes exceeded for %s %s", max, k, name)
		}
		return nil
	}))
}

func noInline(k kind, name string) error {
	return api.NoSuchEntityException("The %s policy with name %s cannot be found.", k, name)
}

func (s *Service) deleteInline(ctx context.Context, rq *call.Authorized, k kind, name, policyName string) (*call.None, error) {
	return done(s.changeIdentity(ctx, rq.Account(), k, name, func(_ data.Txn, id *identity) error {
		if err := notLinked(id); err != nil {
			return err
		}
		if _, ok := id.Inline[policyName]; !ok {
			return noInline(k, policyName)
		}
		delete(id.Inline, policyName)
		return nil
	}))
}

// inline reads an inline policy, encoded.
func (s *Service) inline(ctx context.Context, rq *call.Authorized, k kind, name, policyName string) (*string, error) {
	var out *string
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		id, err := theIdentity(r, rq.Account(), k, name)
		if err != nil {
			return err
		}
		doc, ok := id.Inline[policyName]
		if !ok {
			return noInline(k, policyName)
		}
		out = encode(doc)
		return nil
	})
	return out, err
}

func (s *Service) getUserPolicy(ctx context.Context, rq *call.Authorized, in *api.GetUserPolicyRequest) (*api.GetUserPolicyResponse, error) {
	doc, err := s.inline(ctx, rq, userKind, *in.UserName, *in.PolicyName)
	return &api.GetUserPolicyResponse{UserName: in.UserName, PolicyName: in.PolicyName, PolicyDocument: doc}, err
}

func (s *Service) getGroupPolicy(ctx context.Context, rq *call.Authorized, in *api.GetGroupPolicyRequest) (*api.GetGroupPolicyResponse, error) {
	doc, err := s.inline(ctx, rq, groupKind, *in.GroupName, *in.PolicyName)
	return &api.GetGroupPolicyResponse{GroupName: in.GroupName, PolicyName: in.PolicyName, PolicyDocument: doc}, err
}

func (s *Service) getRolePolicy(ctx context.Context, rq *call.Authorized, in *api.GetRolePolicyRequest) (*api.GetRolePolicyResponse, error) {
	doc, err := s.inline(ctx, rq, roleKind, *in.RoleName, *in.PolicyName)
	return &api.GetRolePolicyResponse{RoleName: in.RoleName, PolicyName: in.PolicyName, PolicyDocument: doc}, err
}

// inlineNames reads a page of the names of inline policies.
func (s *Service) inlineNames(ctx context.Context, rq *call.Authorized, k kind, name string, marker *string, max *int32) (paged[string], error) {
	var out paged[string]
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		id, err := theIdentity(r, rq.Account(), k, name)
		if err != nil {
			return err
		}
		names := slices.AppendSeq([]string{}, maps.Keys(id.Inline))
		slices.Sort(names)
		out, err = paginate(names, func(n string) string { return n }, marker, max)
		return err
	})
	return out, err
}

func (s *Service) listUserPolicies(ctx context.Context, rq *call.Authorized, in *api.ListUserPoliciesRequest) (*api.ListUserPoliciesResponse, error) {
	p, err := s.inlineNames(ctx, rq, userKind, *in.UserName, in.Marker, in.MaxItems)
	return &api.ListUserPoliciesResponse{PolicyNames: p.Items, IsTruncated: p.Truncated, Marker: p.Marker}, err
}

func (s *Service) listGroupPolicies(ctx context.Context, rq *call.Authorized, in *api.ListGroupPoliciesRequest) (*api.ListGroupPoliciesResponse, error) {
	p, err := s.inlineNames(ctx, rq, groupKind, *in.GroupName, in.Marker, in.MaxItems)
	return &api.ListGroupPoliciesResponse{PolicyNames: p.Items, IsTruncated: p.Truncated, Marker: p.Marker}, err
}

func (s *Service) listRolePolicies(ctx context.Context, rq *call.Authorized, in *api.ListRolePoliciesRequest) (*api.ListRolePoliciesResponse, error) {
	p, err := s.inlineNames(ctx, rq, roleKind, *in.RoleName, in.Marker, in.MaxItems)
	return &api.ListRolePoliciesResponse{PolicyNames: p.Items, IsTruncated: p.Truncated, Marker: p.Marker}, err
}
