package iam

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// all collects a paginated listing.
func all[I, O, T any](d deploy, op call.Op[I, O], in *I, page func(*O) (items []T, next *string), marker func(*I, *string)) ([]T, error) {
	var out []T
	for {
		o, err := run(d, op, in)
		if err != nil {
			return nil, err
		}
		items, next := page(o)
		out = append(out, items...)
		if next == nil {
			return out, nil
		}
		marker(in, next)
	}
}

// parsed reads a policy document as the API gives it: URL-encoded.
func parsed(text *string) (doc any, err error) {
	plain, err := url.QueryUnescape(opt.Val(text))
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal([]byte(plain), &doc)
	return doc, err
}

func tagsOf(list []api.Tag) (out []tagProps) {
	for _, t := range list {
		out = append(out, tagProps{opt.Val(t.Key), opt.Val(t.Value)})
	}
	return out
}

func boundary(b *api.AttachedPermissionsBoundary) *string {
	if b == nil {
		return nil
	}
	return b.PermissionsBoundaryArn
}

func arns(list []api.AttachedPolicy) (out []string) {
	for _, p := range list {
		out = append(out, *p.PolicyArn)
	}
	return out
}

// documents reads the inline policies of an identity.
func documents(names []string, get func(name string) (*string, error)) (out []namedDocument, err error) {
	for _, name := range names {
		text, err := get(name)
		if err != nil {
			return nil, err
		}
		doc, err := parsed(text)
		if err != nil {
			return nil, err
		}
		out = append(out, namedDocument{name, doc})
	}
	return out, nil
}

// absent turns "there is none" into no properties.
func absent[P any](p *P, st resource.State, err error) (*P, resource.State, error) {
	if err != nil {
		return nil, resource.State{}, gone(err)
	}
	return p, st, nil
}

func readRole(ctx context.Context, rq *resource.Request, name string, _ *roleProps) (*roleProps, resource.State, error) {
	d := deploy{ctx, rq}
	out, err := run(d, api.GetRole, &api.GetRoleRequest{RoleName: &name})
	if err != nil {
		return absent[roleProps](nil, resource.State{}, err)
	}
	r := out.Role
	p := &roleProps{
		Description: r.Description, MaxSessionDuration: r.MaxSessionDuration, Path: r.Path, PermissionsBoundary: boundary(r.PermissionsBoundary),
		RoleName: &name, Tags: tagsOf(r.Tags),
	}
	if p.AssumeRolePolicyDocument, err = parsed(r.AssumeRolePolicyDocument); err != nil {
		return nil, resource.State{}, err
	}
	attached, err := all(d, api.ListAttachedRolePolicies, &api.ListAttachedRolePoliciesRequest{RoleName: &name},
		func(o *api.ListAttachedRolePoliciesResponse) ([]api.AttachedPolicy, *string) {
			return o.AttachedPolicies, o.Marker
		},
		func(in *api.ListAttachedRolePoliciesRequest, m *string) { in.Marker = m })
	if err != nil {
		return absent[roleProps](nil, resource.State{}, err)
	}
	p.ManagedPolicyArns = arns(attached)
	names, err := all(d, api.ListRolePolicies, &api.ListRolePoliciesRequest{RoleName: &name},
		func(o *api.ListRolePoliciesResponse) ([]string, *string) { return o.PolicyNames, o.Marker },
		func(in *api.ListRolePoliciesRequest, m *string) { in.Marker = m })
	if err != nil {
		return absent[roleProps](nil, resource.State{}, err)
	}
	p.Policies, err = documents(names, func(policy string) (*string, error) {
		o, err := run(d, api.GetRolePolicy, &api.GetRolePolicyRequest{RoleName: &name, PolicyName: &policy})
		if err != nil {
			return nil, err
		}
		return o.PolicyDocument, nil
	})
	return absent(p, resource.State{ID: name, Attributes: map[string]any{"Arn": *r.Arn, "RoleId": *r.RoleId}}, err)
}

func listRoles(ctx context.Context, rq *resource.Request, _ *roleProps) (out []string, err error) {
	roles, err := all(deploy{ctx, rq}, api.ListRoles, &api.ListRolesRequest{},
		func(o *api.ListRolesResponse) ([]api.Role, *string) { return o.Roles, o.Marker },
		func(in *api.ListRolesRequest, m *string) { in.Marker = m })
	for _, r := range roles {
		out = append(out, *r.RoleName)
	}
	return out, err
}

func readUser(ctx context.Context, rq *resource.Request, name string, _ *userProps) (*userProps, resource.State, error) {
	d := deploy{ctx, rq}
	out, err := run(d, api.GetUser, &api.GetUserRequest{UserName: &name})
	if err != nil {
		return absent[userProps](nil, resource.State{}, err)
	}
	u := out.User
	p := &userProps{Path: u.Path, PermissionsBoundary: boundary(u.PermissionsBoundary), Tags: tagsOf(u.Tags), UserName: &name}
	attached, err := all(d, api.ListAttachedUserPolicies, &api.ListAttachedUserPoliciesRequest{UserName: &name},
		func(o *api.ListAttachedUserPoliciesResponse) ([]api.AttachedPolicy, *string) {
			return o.AttachedPolicies, o.Marker
		},
		func(in *api.ListAttachedUserPoliciesRequest, m *string) { in.Marker = m })
	if err != nil {
		return absent[userProps](nil, resource.State{}, err)
	}
	p.ManagedPolicyArns = arns(attached)
	groups, err := all(d, api.ListGroupsForUser, &api.ListGroupsForUserRequest{UserName: &name},
		func(o *api.ListGroupsForUserResponse) ([]api.Group, *string) { return o.Groups, o.Marker },
		func(in *api.ListGroupsForUserRequest, m *string) { in.Marker = m })
	if err != nil {
		return absent[userProps](nil, resource.State{}, err)
	}
	for _, g := range groups {
		p.Groups = append(p.Groups, *g.GroupName)
	}
	names, err := all(d, api.ListUserPolicies, &api.ListUserPoliciesRequest{UserName: &name},
		func(o *api.ListUserPoliciesResponse) ([]string, *string) { return o.PolicyNames, o.Marker },
		func(in *api.ListUserPoliciesRequest, m *string) { in.Marker = m })
	if err != nil {
		return absent[userProps](nil, resource.State{}, err)
	}
	p.Policies, err = documents(names, func(policy string) (*string, error) {
		o, err := run(d, api.GetUserPolicy, &api.GetUserPolicyRequest{UserName: &name, PolicyName: &policy})
		if err != nil {
			return nil, err
		}
		return o.PolicyDocument, nil
	})
	return absent(p, resource.State{ID: name, Attributes: map[string]any{"Arn": *u.Arn}}, err)
}

func listUsers(ctx context.Context, rq *resource.Request, _ *userProps) (out []string, err error) {
	users, err := all(deploy{ctx, rq}, api.ListUsers, &api.ListUsersRequest{},
		func(o *api.ListUsersResponse) ([]api.User, *string) { return o.Users, o.Marker },
		func(in *api.ListUsersRequest, m *string) { in.Marker = m })
	for _, u := range users {
		out = append(out, *u.UserName)
	}
	return out, err
}

func readGroup(ctx context.Context, rq *resource.Request, name string, _ *groupProps) (*groupProps, resource.State, error) {
	d := deploy{ctx, rq}
	out, err := run(d, api.GetGroup, &api.GetGroupRequest{GroupName: &name})
	if err != nil {
		return absent[groupProps](nil, resource.State{}, err)
	}
	p := &groupProps{GroupName: &name, Path: out.Group.Path}
	attached, err := all(d, api.ListAttachedGroupPolicies, &api.ListAttachedGroupPoliciesRequest{GroupName: &name},
		func(o *api.ListAttachedGroupPoliciesResponse) ([]api.AttachedPolicy, *string) {
			return o.AttachedPolicies, o.Marker
		},
		func(in *api.ListAttachedGroupPoliciesRequest, m *string) { in.Marker = m })
	if err != nil {
		return absent[groupProps](nil, resource.State{}, err)
	}
	p.ManagedPolicyArns = arns(attached)
	names, err := all(d, api.ListGroupPolicies, &api.ListGroupPoliciesRequest{GroupName: &name},
		func(o *api.ListGroupPoliciesResponse) ([]string, *string) { return o.PolicyNames, o.Marker },
		func(in *api.ListGroupPoliciesRequest, m *string) { in.Marker = m })
	if err != nil {
		return absent[groupProps](nil, resource.State{}, err)
	}
	p.Policies, err = documents(names, func(policy string) (*string, error) {
		o, err := run(d, api.GetGroupPolicy, &api.GetGroupPolicyRequest{GroupName: &name, PolicyName: &policy})
		if err != nil {
			return nil, err
		}
		return o.PolicyDocument, nil
	})
	return absent(p, resource.State{ID: name, Attributes: map[string]any{"Arn": *out.Group.Arn}}, err)
}

func listGroups(ctx context.Context, rq *resource.Request, _ *groupProps) (out []string, err error) {
	groups, err := all(deploy{ctx, rq}, api.ListGroups, &api.ListGroupsRequest{},
		func(o *api.ListGroupsResponse) ([]api.Group, *string) { return o.Groups, o.Marker },
		func(in *api.ListGroupsRequest, m *string) { in.Marker = m })
	for _, g := range groups {
		out = append(out, *g.GroupName)
	}
	return out, err
}

func readManaged(ctx context.Context, rq *resource.Request, arn string, _ *managedProps) (*managedProps, resource.State, error) {
	d := deploy{ctx, rq}
	out, err := run(d, api.GetPolicy, &api.GetPolicyRequest{PolicyArn: &arn})
	if err != nil {
		return absent[managedProps](nil, resource.State{}, err)
	}
	v, err := run(d, api.GetPolicyVersion, &api.GetPolicyVersionRequest{PolicyArn: &arn, VersionId: out.Policy.DefaultVersionId})
	if err != nil {
		return absent[managedProps](nil, resource.State{}, err)
	}
	p := &managedProps{Description: out.Policy.Description, ManagedPolicyName: out.Policy.PolicyName, Path: out.Policy.Path}
	if p.PolicyDocument, err = parsed(v.PolicyVersion.Document); err != nil {
		return nil, resource.State{}, err
	}
	held, err := run(d, api.ListEntitiesForPolicy, &api.ListEntitiesForPolicyRequest{PolicyArn: &arn})
	if err != nil {
		return absent[managedProps](nil, resource.State{}, err)
	}
	for _, x := range held.PolicyGroups {
		p.Groups = append(p.Groups, *x.GroupName)
	}
	for _, x := range held.PolicyRoles {
		p.Roles = append(p.Roles, *x.RoleName)
	}
	for _, x := range held.PolicyUsers {
		p.Users = append(p.Users, *x.UserName)
	}
	st, err := d.managedState(arn)
	return absent(p, st, err)
}

func listManaged(ctx context.Context, rq *resource.Request, _ *managedProps) (out []string, err error) {
	policies, err := all(deploy{ctx, rq}, api.ListPolicies, &api.ListPoliciesRequest{Scope: new(api.PolicyScopeTypeLocal)},
		func(o *api.ListPoliciesResponse) ([]api.Policy, *string) { return o.Policies, o.Marker },
		func(in *api.ListPoliciesRequest, m *string) { in.Marker = m })
	for _, p := range policies {
		out = append(out, *p.Arn)
	}
	return out, err
}

func readProfile(ctx context.Context, rq *resource.Request, name string, _ *profileProps) (*profileProps, resource.State, error) {
	out, err := run(deploy{ctx, rq}, api.GetInstanceProfile, &api.GetInstanceProfileRequest{InstanceProfileName: &name})
	if err != nil {
		return absent[profileProps](nil, resource.State{}, err)
	}
	p := &profileProps{InstanceProfileName: &name, Path: out.InstanceProfile.Path}
	for _, r := range out.InstanceProfile.Roles {
		p.Roles = append(p.Roles, *r.RoleName)
	}
	return p, resource.State{ID: name, Attributes: map[string]any{"Arn": *out.InstanceProfile.Arn}}, nil
}

func listProfiles(ctx context.Context, rq *resource.Request, _ *profileProps) (out []string, err error) {
	profiles, err := all(deploy{ctx, rq}, api.ListInstanceProfiles, &api.ListInstanceProfilesRequest{},
		func(o *api.ListInstanceProfilesResponse) ([]api.InstanceProfile, *string) {
			return o.InstanceProfiles, o.Marker
		},
		func(in *api.ListInstanceProfilesRequest, m *string) { in.Marker = m })
	for _, p := range profiles {
		out = append(out, *p.InstanceProfileName)
	}
	return out, err
}
