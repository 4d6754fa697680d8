package iam

import (
	"context"
	"slices"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// handle are the operations on the policies of one kind of identity.
type handle struct {
	put    func(d deploy, name, policy, doc string) error
	drop   func(d deploy, name, policy string) error
	attach func(d deploy, name, arn string) error
	detach func(d deploy, name, arn string) error
}

var (
	userHandle = handle{
		put: func(d deploy, name, policy, doc string) error {
			return ran(d, api.PutUserPolicy, &api.PutUserPolicyRequest{UserName: &name, PolicyName: &policy, PolicyDocument: &doc})
		},
		drop: func(d deploy, name, policy string) error {
			return ran(d, api.DeleteUserPolicy, &api.DeleteUserPolicyRequest{UserName: &name, PolicyName: &policy})
		},
		attach: func(d deploy, name, arn string) error {
			return ran(d, api.AttachUserPolicy, &api.AttachUserPolicyRequest{UserName: &name, PolicyArn: &arn})
		},
		detach: func(d deploy, name, arn string) error {
			return ran(d, api.DetachUserPolicy, &api.DetachUserPolicyRequest{UserName: &name, PolicyArn: &arn})
		},
	}
	groupHandle = handle{
		put: func(d deploy, name, policy, doc string) error {
			return ran(d, api.PutGroupPolicy, &api.PutGroupPolicyRequest{GroupName: &name, PolicyName: &policy, PolicyDocument: &doc})
		},
		drop: func(d deploy, name, policy string) error {
			return ran(d, api.DeleteGroupPolicy, &api.DeleteGroupPolicyRequest{GroupName: &name, PolicyName: &policy})
		},
		attach: func(d deploy, name, arn string) error {
			return ran(d, api.AttachGroupPolicy, &api.AttachGroupPolicyRequest{GroupName: &name, PolicyArn: &arn})
		},
		detach: func(d deploy, name, arn string) error {
			return ran(d, api.DetachGroupPolicy, &api.DetachGroupPolicyRequest{GroupName: &name, PolicyArn: &arn})
		},
	}
	roleHandle = handle{
		put: func(d deploy, name, policy, doc string) error {
			return ran(d, api.PutRolePolicy, &api.PutRolePolicyRequest{RoleName: &name, PolicyName: &policy, PolicyDocument: &doc})
		},
		drop: func(d deploy, name, policy string) error {
			return ran(d, api.DeleteRolePolicy, &api.DeleteRolePolicyRequest{RoleName: &name, PolicyName: &policy})
		},
		attach: func(d deploy, name, arn string) error {
			return ran(d, api.AttachRolePolicy, &api.AttachRolePolicyRequest{RoleName: &name, PolicyArn: &arn})
		},
		detach: func(d deploy, name, arn string) error {
			return ran(d, api.DetachRolePolicy, &api.DetachRolePolicyRequest{RoleName: &name, PolicyArn: &arn})
		},
	}
)

// holders are the identities that a policy is for.
type holders struct{ groups, roles, users []string }

// each calls f for all of h that are not in but.
func (h holders) each(but holders, f func(handle, string) error) error {
	for _, x := range []struct {
		h         handle
		list, but []string
	}{{groupHandle, h.groups, but.groups}, {roleHandle, h.roles, but.roles}, {userHandle, h.users, but.users}} {
		for _, name := range x.list {
			if !slices.Contains(x.but, name) {
				if err := f(x.h, name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

type policyProps struct {
	Groups         []string `cfn:"Groups"`
	PolicyDocument any      `cfn:"PolicyDocument,required"`
	PolicyName     string   `cfn:"PolicyName,required"`
	Roles          []string `cfn:"Roles"`
	Users          []string `cfn:"Users"`
}

func (p *policyProps) holders() holders { return holders{p.Groups, p.Roles, p.Users} }

func checkInlineProps(p *policyProps) []resource.Problem {
	bad := checkDocument(p.PolicyDocument, policy.ValidateIdentity, "PolicyDocument")
	if p.Groups == nil && p.Roles == nil && p.Users == nil {
		bad = append(bad, resource.Problem{Text: "At least one of [Groups,Roles,Users] must be non-empty."})
	}
	return bad
}

func (d deploy) putAll(p *policyProps) error {
	doc, err := document(p.PolicyDocument)
	if err != nil {
		return err
	}
	return p.holders().each(holders{}, func(h handle, name string) error { return h.put(d, name, p.PolicyName, doc) })
}

func createInline(ctx context.Context, rq *resource.Request, p *policyProps) (resource.State, error) {
	id := rq.Name(128)
	return resource.State{ID: id, Attributes: map[string]any{"Id": id}}, deploy{ctx, rq}.putAll(p)
}

func updateInline(ctx context.Context, rq *resource.Request, id string, old, p *policyProps) (resource.State, error) {
	d := deploy{ctx, rq}
	st := resource.State{ID: id, Attributes: map[string]any{"Id": id}}
	if err := d.putAll(p); err != nil {
		return st, err
	}
	kept := p.holders()
	if old.PolicyName != p.PolicyName {
		kept = holders{}
	}
	return st, old.holders().each(kept, func(h handle, name string) error { return gone(h.drop(d, name, old.PolicyName)) })
}

func deleteInline(ctx context.Context, rq *resource.Request, _ string, p *policyProps) error {
	d := deploy{ctx, rq}
	return p.holders().each(holders{}, func(h handle, name string) error { return gone(h.drop(d, name, p.PolicyName)) })
}

type managedProps struct {
	Description       *string  `cfn:"Description,replace"`
	Groups            []string `cfn:"Groups"`
	ManagedPolicyName *string  `cfn:"ManagedPolicyName,replace"`
	Path              *string  `cfn:"Path,replace"`
	PolicyDocument    any      `cfn:"PolicyDocument,required"`
	Roles             []string `cfn:"Roles"`
	Users             []string `cfn:"Users"`
}

func (p *managedProps) holders() holders { return holders{p.Groups, p.Roles, p.Users} }

func checkManagedProps(p *managedProps) []resource.Problem {
	return checkDocument(p.PolicyDocument, policy.ValidateManaged, "PolicyDocument")
}

func createManaged(ctx context.Context, rq *resource.Request, p *managedProps) (resource.State, error) {
	d := deploy{ctx, rq}
	name, path := opt.Val(p.ManagedPolicyName), opt.Or(p.Path, "/")
	if p.ManagedPolicyName == nil {
		name = rq.Name(128)
	}
	doc, err := document(p.PolicyDocument)
	if err != nil {
		return resource.State{}, err
	}
	arn := arnOf(rq.Account, policyKind, path, name)
	err = ran(d, api.CreatePolicy, &api.CreatePolicyRequest{PolicyName: &name, Path: &path, Description: p.Description, PolicyDocument: &doc})
	if again(err, p.ManagedPolicyName) != nil {
		return resource.State{}, err
	}
	if err := d.attachAll(arn, holders{}, p.holders()); err != nil {
		return resource.State{ID: arn}, err
	}
	return d.managedState(arn)
}

// attachAll takes a managed policy from its old holders to the new.
func (d deploy) attachAll(arn string, old, now holders) error {
	if err := old.each(now, func(h handle, name string) error { return gone(h.detach(d, name, arn)) }); err != nil {
		return err
	}
	return now.each(holders{}, func(h handle, name string) error { return h.attach(d, name, arn) })
}

func (d deploy) managedState(arn string) (resource.State, error) {
	out, err := run(d, api.GetPolicy, &api.GetPolicyRequest{PolicyArn: &arn})
	if err != nil {
		return resource.State{ID: arn}, err
	}
	return resource.State{ID: arn, Attributes: map[string]any{
		"PolicyArn": arn, "PolicyId": *out.Policy.PolicyId, "DefaultVersionId": *out.Policy.DefaultVersionId,
		"CreateDate": out.Policy.CreateDate.Format(time.RFC3339), "UpdateDate": out.Policy.UpdateDate.Format(time.RFC3339), "IsAttachable": true,
		"AttachmentCount": opt.Val(out.Policy.AttachmentCount), "PermissionsBoundaryUsageCount": opt.Val(out.Policy.PermissionsBoundaryUsageCount),
	}}, nil
}

// versions lists a policy's versions that are not the default, the oldest last.
func (d deploy) versions(arn string) ([]api.PolicyVersion, error) {
	out, err := run(d, api.ListPolicyVersions, &api.ListPolicyVersionsRequest{PolicyArn: &arn})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(out.Versions, func(v api.PolicyVersion) bool { return *v.IsDefaultVersion }), nil
}

func updateManaged(ctx context.Context, rq *resource.Request, arn string, old, p *managedProps) (resource.State, error) {
	d := deploy{ctx, rq}
	st := resource.State{ID: arn}
	doc, err := document(p.PolicyDocument)
	if err != nil {
		return st, err
	}
	before, err := document(old.PolicyDocument)
	if err != nil {
		return st, err
	}
	if doc != before {
		spare, err := d.versions(arn)
		if err != nil {
			return st, err
		}
		if len(spare) >= maxVersions-1 { // the oldest makes room
			last := spare[len(spare)-1].VersionId
			if err := ran(d, api.DeletePolicyVersion, &api.DeletePolicyVersionRequest{PolicyArn: &arn, VersionId: last}); err != nil {
				return st, err
			}
		}
		if err := ran(d, api.CreatePolicyVersion, &api.CreatePolicyVersionRequest{PolicyArn: &arn, PolicyDocument: &doc, SetAsDefault: new(true)}); err != nil {
			return st, err
		}
	}
	if err := d.attachAll(arn, old.holders(), p.holders()); err != nil {
		return st, err
	}
	return d.managedState(arn)
}

func deleteManaged(ctx context.Context, rq *resource.Request, arn string, p *managedProps) error {
	d := deploy{ctx, rq}
	if err := d.attachAll(arn, p.holders(), holders{}); err != nil {
		return err
	}
	spare, err := d.versions(arn)
	if err != nil {
		return gone(err)
	}
	for _, v := range spare {
		if err := gone(ran(d, api.DeletePolicyVersion, &api.DeletePolicyVersionRequest{PolicyArn: &arn, VersionId: v.VersionId})); err != nil {
			return err
		}
	}
	return gone(ran(d, api.DeletePolicy, &api.DeletePolicyRequest{PolicyArn: &arn}))
}

type keyProps struct {
	Serial   *int64  `cfn:"Serial,replace"`
	Status   *string `cfn:"Status"`
	UserName string  `cfn:"UserName,required,replace"`
}

func (d deploy) setStatus(p *keyProps, id string) error {
	return ran(d, api.UpdateAccessKey, &api.UpdateAccessKeyRequest{
		UserName: &p.UserName, AccessKeyId: &id, Status: new(opt.Or(p.Status, api.StatusTypeActive)),
	})
}

func createKey(ctx context.Context, rq *resource.Request, p *keyProps) (resource.State, error) {
	d := deploy{ctx, rq}
	out, err := run(d, api.CreateAccessKey, &api.CreateAccessKeyRequest{UserName: &p.UserName})
	if err != nil {
		return resource.State{}, err
	}
	st := resource.State{ID: *out.AccessKey.AccessKeyId, Attributes: map[string]any{"SecretAccessKey": *out.AccessKey.SecretAccessKey}}
	if p.Status != nil {
		err = d.setStatus(p, st.ID)
	}
	return st, err
}

// updateKey reads the secret from the store, because no operation tells it twice
// and the stack, which was told it, must not lose it.
func (s *Service) updateKey(ctx context.Context, rq *resource.Request, id string, _, p *keyProps) (resource.State, error) {
	st := resource.State{ID: id}
	if err := (deploy{ctx, rq}).setStatus(p, id); err != nil {
		return st, err
	}
	return st, s.d.Store.View(ctx, func(r data.Reader) error {
		u, err := theIdentity(r, rq.Account, userKind, p.UserName)
		if err != nil {
			return err
		}
		for _, k := range u.Keys {
			if k.ID == id {
				secret, err := s.openSecret(id, k.Secret)
				st.Attributes = map[string]any{"SecretAccessKey": secret}
				return err
			}
		}
		return nil
	})
}

func deleteKey(ctx context.Context, rq *resource.Request, id string, p *keyProps) error {
	return gone(ran(deploy{ctx, rq}, api.DeleteAccessKey, &api.DeleteAccessKeyRequest{UserName: &p.UserName, AccessKeyId: &id}))
}

type profileProps struct {
	InstanceProfileName *string  `cfn:"InstanceProfileName,replace"`
	Path                *string  `cfn:"Path,replace"`
	Roles               []string `cfn:"Roles,required"`
}

func createProfile(ctx context.Context, rq *resource.Request, p *profileProps) (resource.State, error) {
	d := deploy{ctx, rq}
	name := opt.Val(p.InstanceProfileName)
	if p.InstanceProfileName == nil {
		name = rq.Name(128)
	}
	err := ran(d, api.CreateInstanceProfile, &api.CreateInstanceProfileRequest{InstanceProfileName: &name, Path: p.Path})
	if again(err, p.InstanceProfileName) != nil {
		return resource.State{}, err
	}
	return d.settleProfile(name, p)
}

func (d deploy) settleProfile(name string, p *profileProps) (resource.State, error) {
	st := resource.State{ID: name}
	out, err := run(d, api.GetInstanceProfile, &api.GetInstanceProfileRequest{InstanceProfileName: &name})
	if err != nil {
		return st, err
	}
	st.Attributes = map[string]any{"Arn": *out.InstanceProfile.Arn}
	var has []string
	for _, r := range out.InstanceProfile.Roles {
		has = append(has, *r.RoleName)
		if !slices.Contains(p.Roles, *r.RoleName) {
			if err := gone(ran(d, api.RemoveRoleFromInstanceProfile, &api.RemoveRoleFromInstanceProfileRequest{InstanceProfileName: &name, RoleName: r.RoleName})); err != nil {
				return st, err
			}
		}
	}
	for _, r := range p.Roles {
		if !slices.Contains(has, r) {
			if err := ran(d, api.AddRoleToInstanceProfile, &api.AddRoleToInstanceProfileRequest{InstanceProfileName: &name, RoleName: &r}); err != nil {
				return st, err
			}
		}
	}
	return st, nil
}

func updateProfile(ctx context.Context, rq *resource.Request, name string, _, p *profileProps) (resource.State, error) {
	return deploy{ctx, rq}.settleProfile(name, p)
}

func deleteProfile(ctx context.Context, rq *resource.Request, name string, _ *profileProps) error {
	d := deploy{ctx, rq}
	if _, err := d.settleProfile(name, &profileProps{}); err != nil {
		return gone(err)
	}
	return gone(ran(d, api.DeleteInstanceProfile, &api.DeleteInstanceProfileRequest{InstanceProfileName: &name}))
}

type additionProps struct {
	GroupName string   `cfn:"GroupName,required"`
	Users     []string `cfn:"Users,required"`
}

func createAddition(ctx context.Context, rq *resource.Request, p *additionProps) (resource.State, error) {
	return updateAddition(ctx, rq, rq.Name(128), &additionProps{}, p)
}

func updateAddition(ctx context.Context, rq *resource.Request, id string, old, p *additionProps) (resource.State, error) {
	d := deploy{ctx, rq}
	st := resource.State{ID: id}
	for _, u := range p.Users {
		if err := ran(d, api.AddUserToGroup, &api.AddUserToGroupRequest{GroupName: &p.GroupName, UserName: &u}); err != nil {
			return st, err
		}
	}
	if old.GroupName != p.GroupName {
		return st, d.removeUsers(old.GroupName, old.Users, nil)
	}
	return st, d.removeUsers(p.GroupName, old.Users, p.Users)
}

func (d deploy) removeUsers(group string, users, but []string) error {
	for _, u := range users {
		if slices.Contains(but, u) {
			continue
		}
		if err := gone(ran(d, api.RemoveUserFromGroup, &api.RemoveUserFromGroupRequest{GroupName: &group, UserName: &u})); err != nil {
			return err
		}
	}
	return nil
}

func deleteAddition(ctx context.Context, rq *resource.Request, _ string, p *additionProps) error {
	return deploy{ctx, rq}.removeUsers(p.GroupName, p.Users, nil)
}

type linkedProps struct {
	AWSServiceName string  `cfn:"AWSServiceName,required,replace"`
	CustomSuffix   *string `cfn:"CustomSuffix,replace"`
	Description    *string `cfn:"Description"`
}

func createLinked(ctx context.Context, rq *resource.Request, p *linkedProps) (resource.State, error) {
	out, err := run(deploy{ctx, rq}, api.CreateServiceLinkedRole, &api.CreateServiceLinkedRoleRequest{
		AWSServiceName: &p.AWSServiceName, CustomSuffix: p.CustomSuffix, Description: p.Description,
	})
	if err != nil {
		return resource.State{}, err
	}
	return resource.State{ID: *out.Role.RoleName, Attributes: map[string]any{"RoleName": *out.Role.RoleName}}, nil
}

func updateLinked(ctx context.Context, rq *resource.Request, name string, _, p *linkedProps) (resource.State, error) {
	err := ran(deploy{ctx, rq}, api.UpdateRole, &api.UpdateRoleRequest{RoleName: &name, Description: new(opt.Val(p.Description))})
	return resource.State{ID: name, Attributes: map[string]any{"RoleName": name}}, err
}

func deleteLinked(ctx context.Context, rq *resource.Request, name string, _ *linkedProps) error {
	return gone(ran(deploy{ctx, rq}, api.DeleteServiceLinkedRole, &api.DeleteServiceLinkedRoleRequest{RoleName: &name}))
}
