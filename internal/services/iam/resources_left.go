package iam

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// What an interrupted creation may have made, for resource.Handlers.Find.

// found is the resource with an id, unless err says that there is none.
func found(id string, err error) ([]resource.State, error) {
	if err != nil {
		return nil, gone(err)
	}
	return []resource.State{{ID: id}}, nil
}

// nameOf returns a name, or the one that the platform gives.
func nameOf(rq *resource.Request, name *string, most int) string {
	if name != nil {
		return *name
	}
	return rq.Name(most)
}

func leftRole(ctx context.Context, rq *resource.Request, p *roleProps) ([]resource.State, error) {
	name := nameOf(rq, p.RoleName, 64)
	return found(name, ran(deploy{ctx, rq}, api.GetRole, &api.GetRoleRequest{RoleName: &name}))
}

func leftUser(ctx context.Context, rq *resource.Request, p *userProps) ([]resource.State, error) {
	name := nameOf(rq, p.UserName, 64)
	return found(name, ran(deploy{ctx, rq}, api.GetUser, &api.GetUserRequest{UserName: &name}))
}

func leftGroup(ctx context.Context, rq *resource.Request, p *groupProps) ([]resource.State, error) {
	name := nameOf(rq, p.GroupName, 128)
	return found(name, ran(deploy{ctx, rq}, api.GetGroup, &api.GetGroupRequest{GroupName: &name}))
}

func leftManaged(ctx context.Context, rq *resource.Request, p *managedProps) ([]resource.State, error) {
	arn := arnOf(rq.Account, policyKind, opt.Or(p.Path, "/"), nameOf(rq, p.ManagedPolicyName, 128))
	return found(arn, ran(deploy{ctx, rq}, api.GetPolicy, &api.GetPolicyRequest{PolicyArn: &arn}))
}

func leftProfile(ctx context.Context, rq *resource.Request, p *profileProps) ([]resource.State, error) {
	name := nameOf(rq, p.InstanceProfileName, 128)
	return found(name, ran(deploy{ctx, rq}, api.GetInstanceProfile, &api.GetInstanceProfileRequest{InstanceProfileName: &name}))
}

// leftKeys finds all keys of the user: an id says nothing of who made it.
func leftKeys(ctx context.Context, rq *resource.Request, p *keyProps) ([]resource.State, error) {
	out, err := run(deploy{ctx, rq}, api.ListAccessKeys, &api.ListAccessKeysRequest{UserName: &p.UserName})
	if err != nil {
		return nil, gone(err)
	}
	var all []resource.State
	for _, k := range out.AccessKeyMetadata {
		all = append(all, resource.State{ID: *k.AccessKeyId})
	}
	return all, nil
}
