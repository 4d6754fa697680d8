package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) attachmentBindings() []call.Binding {
	return []call.Binding{
		bind(s, api.AttachUserPolicy, userKind, func(ctx context.Context, rq *call.Authorized, in *api.AttachUserPolicyRequest) (*call.None, error) {
			return s.attach(ctx, rq, userKind, *in.UserName, *in.PolicyArn)
		}),
		bind(s, api.AttachGroupPolicy, groupKind, func(ctx context.Context, rq *call.Authorized, in *api.AttachGroupPolicyRequest) (*call.None, error) {
			return s.attach(ctx, rq, groupKind, *in.GroupName, *in.PolicyArn)
		}),
		bind(s, api.AttachRolePolicy, roleKind, func(ctx context.Context, rq *call.Authorized, in *api.AttachRolePolicyRequest) (*call.None, error) {
			return s.attach(ctx, rq, roleKind, *in.RoleName, *in.PolicyArn)
		}),
		bind(s, api.DetachUserPolicy, userKind, func(ctx context.Context, rq *call.Authorized, in *api.DetachUserPolicyRequest) (*call.None, error) {
			return s.detach(ctx, rq, userKind, *in.UserName, *in.PolicyArn)
		}),
		bind(s, api.DetachGroupPolicy, groupKind, func(ctx context.Context, rq *call.Authorized, in *api.DetachGroupPolicyRequest) (*call.None, error) {
			return s.detach(ctx, rq, groupKind, *in.GroupName, *in.PolicyArn)
		}),
		bind(s, api.DetachRolePolicy, roleKind, func(ctx context.Context, rq *call.Authorized, in *api.DetachRolePolicyRequest) (*call.None, error) {
			return s.detach(ctx, rq, roleKind, *in.RoleName, *in.PolicyArn)
		}),
		bind(s, api.ListAttachedUserPolicies, userKind, s.listAttachedUserPolicies),
		bind(s, api.ListAttachedGroupPolicies, groupKind, s.listAttachedGroupPolicies),
		bind(s, api.ListAttachedRolePolicies, roleKind, s.listAttachedRolePolicies),
		bind(s, api.ListEntitiesForPolicy, policyKind, s.listEntitiesForPolicy),
	}
}

// dropUses forgets an identity's uses of policies; putUses notes them.
func dropUses(t data.Txn, account string, k kind, id *identity) error {
	for _, key := range useKeys(account, k, id) {
		if err := t.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

func putUses(t data.Txn, account string, k kind, id *identity) error {
	for _, key := range useKeys(account, k, id) {
		if err := t.Put(key, nil); err != nil {
			return err
		}
	}
	return nil
}

func useKeys(account string, k kind, id *identity) [][]byte {
	var keys [][]byte
	for _, p := range id.Attached {
		keys = append(keys, useKey(account, asPolicy, p, k, id.Name))
	}
	if id.Boundary != "" {
		keys = append(keys, useKey(account, asBoundary, id.Boundary, k, id.Name))
	}
	return keys
}

func (s *Service) attach(ctx context.Context, rq *call.Authorized, k kind, name, policyARN string) (*call.None, error) {
	account := rq.Account()
	return done(s.changeIdentity(ctx, account, k, name, func(t data.Txn, id *identity) error {
		if err := notLinked(id); err != nil {
			return err
		}
		p, err := s.policyByARN(t, account, policyARN)
		if err != nil {
			return err
		}
		if p == nil {
			return api.NoSuchEntityException("Policy %s does not exist or is not attachable.", policyARN)
		}
		if slices.Contains(id.Attached, policyARN) {
			return nil
		}
		what, quota := "User", maxAttached
		switch k {
		case groupKind:
			what = "Group"
		case roleKind:
			what, quota = "Role", maxAttachedRole
		}
		if len(id.Attached) >= quota {
			return api.LimitExceededException("Cannot exceed quota for PoliciesPer%s: %d", what, quota)
		}
		id.Attached = append(id.Attached, policyARN)
		return t.Put(useKey(account, asPolicy, policyARN, k, id.Name), nil)
	}))
}

func (s *Service) detach(ctx context.Context, rq *call.Authorized, k kind, name, policyARN string) (*call.None, error) {
	account := rq.Account()
	return done(s.changeIdentity(ctx, account, k, name, func(t data.Txn, id *identity) error {
		if err := notLinked(id); err != nil {
			return err
		}
		if !slices.Contains(id.Attached, policyARN) {
			return api.NoSuchEntityException("Policy %s was not found.", policyARN)
		}
		id.Attached = without(id.Attached, policyARN)
		return t.Delete(useKey(account, asPolicy, policyARN, k, id.Name))
	}))
}

// attachedOut are an identity's attached policies.
func (s *Service) attachedOut(r data.Reader, account string, id *identity) ([]*managed, error) {
	var all []*managed
	for _, a := range id.Attached {
		p, err := s.thePolicy(r, account, a)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// attached reads a page of an identity's attached policies.
func (s *Service) attached(ctx context.Context, rq *call.Authorized, k kind, name string, prefix, marker *string, max *int32) (paged[api.AttachedPolicy], error) {
	out := paged[api.AttachedPolicy]{Items: []api.AttachedPolicy{}}
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		id, err := theIdentity(r, rq.Account(), k, name)
		if err != nil {
			return err
		}
		all, err := s.attachedOut(r, rq.Account(), id)
		if err != nil {
			return err
		}
		arn := func(p *managed) string { return p.policyARN(rq.Account()) }
		slices.SortFunc(all, func(a, b *managed) int { return strings.Compare(arn(a), arn(b)) })
		p, err := paginate(underPath(all, prefix), arn, marker, max)
		out.Truncated, out.Marker = p.Truncated, p.Marker
		for _, p := range p.Items {
			out.Items = append(out.Items, api.AttachedPolicy{PolicyName: &p.Name, PolicyArn: new(arn(p))})
		}
		return err
	})
	return out, err
}

func (s *Service) listAttachedUserPolicies(ctx context.Context, rq *call.Authorized, in *api.ListAttachedUserPoliciesRequest) (*api.ListAttachedUserPoliciesResponse, error) {
	p, err := s.attached(ctx, rq, userKind, *in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	return &api.ListAttachedUserPoliciesResponse{AttachedPolicies: p.Items, IsTruncated: p.Truncated, Marker: p.Marker}, err
}

func (s *Service) listAttachedGroupPolicies(ctx context.Context, rq *call.Authorized, in *api.ListAttachedGroupPoliciesRequest) (*api.ListAttachedGroupPoliciesResponse, error) {
	p, err := s.attached(ctx, rq, groupKind, *in.GroupName, in.PathPrefix, in.Marker, in.MaxItems)
	return &api.ListAttachedGroupPoliciesResponse{AttachedPolicies: p.Items, IsTruncated: p.Truncated, Marker: p.Marker}, err
}

func (s *Service) listAttachedRolePolicies(ctx context.Context, rq *call.Authorized, in *api.ListAttachedRolePoliciesRequest) (*api.ListAttachedRolePoliciesResponse, error) {
	p, err := s.attached(ctx, rq, roleKind, *in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	return &api.ListAttachedRolePoliciesResponse{AttachedPolicies: p.Items, IsTruncated: p.Truncated, Marker: p.Marker}, err
}

// use is one use of a policy.
type use struct {
	kind kind
	id   *identity
}

func (u use) order() string { return string(u.kind) + "/" + strings.ToLower(u.id.Name) }

func (s *Service) listEntitiesForPolicy(ctx context.Context, rq *call.Authorized, in *api.ListEntitiesForPolicyRequest) (*api.ListEntitiesForPolicyResponse, error) {
	account := rq.Account()
	out := &api.ListEntitiesForPolicyResponse{PolicyGroups: []api.PolicyGroup{}, PolicyUsers: []api.PolicyUser{}, PolicyRoles: []api.PolicyRole{}}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		if _, err := s.thePolicy(r, account, *in.PolicyArn); err != nil {
			return err
		}
		uses, err := s.uses(r, account, in)
		if err != nil {
			return err
		}
		p, err := paginate(uses, use.order, in.Marker, in.MaxItems)
		out.IsTruncated, out.Marker = p.Truncated, p.Marker
		for _, u := range p.Items {
			switch u.kind {
			case userKind:
				out.PolicyUsers = append(out.PolicyUsers, api.PolicyUser{UserName: &u.id.Name, UserId: &u.id.ID})
			case groupKind:
				out.PolicyGroups = append(out.PolicyGroups, api.PolicyGroup{GroupName: &u.id.Name, GroupId: &u.id.ID})
			default:
				out.PolicyRoles = append(out.PolicyRoles, api.PolicyRole{RoleName: &u.id.Name, RoleId: &u.id.ID})
			}
		}
		return err
	})
}

// uses reads who uses a policy, in order and without repetition.
func (s *Service) uses(r data.Reader, account string, in *api.ListEntitiesForPolicyRequest) ([]use, error) {
	filter := map[string]kind{"User": userKind, "Group": groupKind, "Role": roleKind}[opt.Val(in.EntityFilter)]
	var all []use
	for usage, how := range map[string]string{"PermissionsPolicy": asPolicy, "PermissionsBoundary": asBoundary} {
		if f := opt.Val(in.PolicyUsageFilter); f != "" && f != usage {
			continue
		}
		found, err := suffixes(r, usePrefix(account, how, *in.PolicyArn), 2)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			k := kind(f[0])
			id, err := read[identity](r, thingKey(account, k, f[1]))
			if err != nil {
				return nil, err
			}
			if id != nil && (filter == "" || filter == k) && strings.HasPrefix(id.Path, opt.Val(in.PathPrefix)) {
				all = append(all, use{k, id})
			}
		}
	}
	switch opt.Val(in.EntityFilter) {
	case "LocalManagedPolicy", "AWSManagedPolicy":
		all = nil
	}
	slices.SortFunc(all, func(a, b use) int { return strings.Compare(a.order(), b.order()) })
	return slices.CompactFunc(all, func(a, b use) bool { return a.order() == b.order() }), nil
}
