package iam

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// ResourceTypes implements resource.Provider.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_IAM.html
func (s *Service) ResourceTypes() []resource.Type {
	return append(heldTypes(), []resource.Type{
		resource.Define("AWS::IAM::Role", resource.Handlers[roleProps]{
			Create: createRole, Find: leftRole, Update: updateRole, Delete: deleteRole, Check: checkRole, Attributes: []string{"Arn", "RoleId"},
			Identifier: []string{"RoleName"}, Read: readRole, List: listRoles,
		}),
		resource.Define("AWS::IAM::User", resource.Handlers[userProps]{
			Create: createUser, Find: leftUser, Update: updateUser, Delete: deleteUser, Check: checkUser, Attributes: []string{"Arn"},
			Identifier: []string{"UserName"}, Read: readUser, List: listUsers,
		}),
		resource.Define("AWS::IAM::Group", resource.Handlers[groupProps]{
			Create: createGroup, Find: leftGroup, Update: updateGroup, Delete: deleteGroup, Check: checkGroup, Attributes: []string{"Arn"},
			Identifier: []string{"GroupName"}, Read: readGroup, List: listGroups,
		}),
		resource.Define("AWS::IAM::Policy", resource.Handlers[policyProps]{
			Create: createInline, Update: updateInline, Delete: deleteInline, Check: checkInlineProps, Attributes: []string{"Id"},
			Identifier: []string{"Id"}, Read: readInline,
		}),
		resource.Define("AWS::IAM::ManagedPolicy", resource.Handlers[managedProps]{
			Create: createManaged, Find: leftManaged, Update: updateManaged, Delete: deleteManaged, Check: checkManagedProps,
			Attributes: []string{"PolicyArn", "PolicyId", "DefaultVersionId", "CreateDate", "UpdateDate", "IsAttachable", "AttachmentCount", "PermissionsBoundaryUsageCount"},
			Identifier: []string{"PolicyArn"}, Read: readManaged, List: listManaged,
		}),
		resource.Define("AWS::IAM::AccessKey", resource.Handlers[keyProps]{
			Create: createKey, Find: leftKeys, Update: s.updateKey, Delete: deleteKey, Attributes: []string{"SecretAccessKey"},
			Identifier: []string{"Id"}, Read: readKey,
		}),
		resource.Define("AWS::IAM::InstanceProfile", resource.Handlers[profileProps]{
			Create: createProfile, Find: leftProfile, Update: updateProfile, Delete: deleteProfile, Attributes: []string{"Arn"},
			Identifier: []string{"InstanceProfileName"}, Read: readProfile, List: listProfiles,
		}),
		resource.Define("AWS::IAM::UserToGroupAddition", resource.Handlers[additionProps]{
			Create: createAddition, Update: updateAddition, Delete: deleteAddition,
			Identifier: []string{"Id"}, Read: readAddition,
		}),
		resource.Define("AWS::IAM::ServiceLinkedRole", resource.Handlers[linkedProps]{
			Create: createLinked, Update: updateLinked, Delete: deleteLinked, Attributes: []string{"RoleName"},
			Identifier: []string{"RoleName"}, Read: readLinked,
		}),
	}...)
}

type namedDocument struct {
	PolicyName     string `cfn:"PolicyName,required"`
	PolicyDocument any    `cfn:"PolicyDocument,required"`
}

type tagProps struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

type roleProps struct {
	AssumeRolePolicyDocument any             `cfn:"AssumeRolePolicyDocument,required"`
	Description              *string         `cfn:"Description"`
	ManagedPolicyArns        []string        `cfn:"ManagedPolicyArns"`
	MaxSessionDuration       *int32          `cfn:"MaxSessionDuration"`
	Path                     *string         `cfn:"Path,replace"`
	PermissionsBoundary      *string         `cfn:"PermissionsBoundary"`
	Policies                 []namedDocument `cfn:"Policies"`
	RoleName                 *string         `cfn:"RoleName,replace"`
	Tags                     []tagProps      `cfn:"Tags"`
}

type userProps struct {
	Groups              []string        `cfn:"Groups"`
	ManagedPolicyArns   []string        `cfn:"ManagedPolicyArns"`
	Path                *string         `cfn:"Path"`
	PermissionsBoundary *string         `cfn:"PermissionsBoundary"`
	Policies            []namedDocument `cfn:"Policies"`
	Tags                []tagProps      `cfn:"Tags"`
	UserName            *string         `cfn:"UserName,replace"`

	_ any `cfn:"LoginProfile,refused"`
}

type groupProps struct {
	GroupName         *string         `cfn:"GroupName,replace"`
	ManagedPolicyArns []string        `cfn:"ManagedPolicyArns"`
	Path              *string         `cfn:"Path"`
	Policies          []namedDocument `cfn:"Policies"`
}

// deploy is one step of a stack.
type deploy struct {
	ctx context.Context
	rq  *resource.Request
}

// run calls an operation of the room as who deploys.
func run[I, O any](d deploy, op call.Op[I, O], in *I) (*O, error) {
	return call.Do(d.ctx, d.rq.Caller, d.rq.As, op, in)
}

// ran is run for who does not need the answer.
func ran[I, O any](d deploy, op call.Op[I, O], in *I) error {
	_, err := run(d, op, in)
	return err
}

// gone lets pass that something is not there any more.
func gone(err error) error {
	if fault.Is(err, "NoSuchEntity") {
		return nil
	}
	return err
}

// again lets pass that something is there, if its name was generated: then an
// earlier attempt at this very step made it.
func again(err error, given *string) error {
	if given == nil && fault.Is(err, "EntityAlreadyExists") {
		return nil
	}
	return err
}

// firstError runs steps until one fails.
func firstError(steps ...func() error) error {
	for _, f := range steps {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// document writes a policy that a template holds as an object, or as text.
func document(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", fmt.Errorf("write a policy document: %w", err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// known reports whether nothing in a value waits for another resource.
func known(v any) bool {
	switch v := v.(type) {
	case resource.Unknown, nil:
		return false
	case map[string]any:
		for _, x := range v {
			if !known(x) {
				return false
			}
		}
	case []any:
		return !slices.ContainsFunc(v, func(x any) bool { return !known(x) })
	}
	return true
}

// checkDocument finds what is wrong with a document whose values are all known.
func checkDocument(v any, validate func(*policy.Policy) error, path ...string) []resource.Problem {
	if !known(v) {
		return nil
	}
	doc, err := document(v)
	var p *policy.Policy
	if err == nil {
		p, err = policy.Parse([]byte(doc))
	}
	if err == nil {
		err = validate(p)
	}
	if err != nil {
		return []resource.Problem{{Path: path, Text: err.Error()}}
	}
	return nil
}

func checkDocuments(list []namedDocument) (bad []resource.Problem) {
	for i, x := range list {
		bad = append(bad, checkDocument(x.PolicyDocument, policy.ValidateIdentity, "Policies", fmt.Sprint(i), "PolicyDocument")...)
	}
	return bad
}

func checkRole(p *roleProps) []resource.Problem {
	return append(checkDocument(p.AssumeRolePolicyDocument, policy.ValidateTrust, "AssumeRolePolicyDocument"), checkDocuments(p.Policies)...)
}

func checkUser(p *userProps) []resource.Problem { return checkDocuments(p.Policies) }

func checkGroup(p *groupProps) []resource.Problem { return checkDocuments(p.Policies) }

// wantedTags are a resource's tags: the stack's, then its own.
func (d deploy) wantedTags(own []tagProps) map[string]string {
	all := map[string]string{}
	for k, v := range d.rq.StackTags {
		if !strings.HasPrefix(strings.ToLower(k), "aws:") {
			all[k] = v
		}
	}
	for _, t := range own {
		all[t.Key] = t.Value
	}
	return all
}

func apiTags(m map[string]string) (out []api.Tag) {
	for k, v := range m {
		out = append(out, api.Tag{Key: &k, Value: &v})
	}
	slices.SortFunc(out, func(a, b api.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return out
}

// changedTags are the tags to put and the keys to drop.
func changedTags(has []api.Tag, want map[string]string) (put []api.Tag, drop []string) {
	left := map[string]string{}
	for k, v := range want {
		left[k] = v
	}
	for _, t := range has {
		v, ok := want[*t.Key]
		if !ok {
			drop = append(drop, *t.Key)
		} else if v == opt.Val(t.Value) {
			delete(left, *t.Key)
		}
	}
	return apiTags(left), drop
}

// settle brings an identity's inline and attached policies from old to new.
func (d deploy) settle(h handle, name string, old, now []namedDocument, oldARNs, nowARNs []string) error {
	kept := map[string]bool{}
	for _, x := range now {
		kept[x.PolicyName] = true
		doc, err := document(x.PolicyDocument)
		if err != nil {
			return err
		}
		if err := h.put(d, name, x.PolicyName, doc); err != nil {
			return err
		}
	}
	for _, x := range old {
		if !kept[x.PolicyName] {
			if err := gone(h.drop(d, name, x.PolicyName)); err != nil {
				return err
			}
		}
	}
	for _, a := range oldARNs {
		if !slices.Contains(nowARNs, a) {
			if err := gone(h.detach(d, name, a)); err != nil {
				return err
			}
		}
	}
	for _, a := range nowARNs {
		if err := h.attach(d, name, a); err != nil {
			return err
		}
	}
	return nil
}

func createRole(ctx context.Context, rq *resource.Request, p *roleProps) (resource.State, error) {
	d := deploy{ctx, rq}
	name := opt.Val(p.RoleName)
	if p.RoleName == nil {
		name = rq.Name(64)
	}
	trust, err := document(p.AssumeRolePolicyDocument)
	if err != nil {
		return resource.State{}, err
	}
	err = ran(d, api.CreateRole, &api.CreateRoleRequest{
		RoleName: &name, AssumeRolePolicyDocument: &trust, Description: p.Description, Path: p.Path,
		MaxSessionDuration: p.MaxSessionDuration, PermissionsBoundary: p.PermissionsBoundary, Tags: apiTags(d.wantedTags(p.Tags)),
	})
	if again(err, p.RoleName) != nil {
		return resource.State{}, err
	}
	made := resource.State{ID: name}
	if err := d.settle(roleHandle, name, nil, p.Policies, nil, p.ManagedPolicyArns); err != nil {
		return made, err
	}
	return d.roleState(name)
}

func (d deploy) roleState(name string) (resource.State, error) {
	out, err := run(d, api.GetRole, &api.GetRoleRequest{RoleName: &name})
	if err != nil {
		return resource.State{ID: name}, err
	}
	return resource.State{ID: name, Attributes: map[string]any{"Arn": *out.Role.Arn, "RoleId": *out.Role.RoleId}}, nil
}

func updateRole(ctx context.Context, rq *resource.Request, name string, old, p *roleProps) (resource.State, error) {
	d := deploy{ctx, rq}
	trust, err := document(p.AssumeRolePolicyDocument)
	if err != nil {
		return resource.State{ID: name}, err
	}
	err = firstError(
		func() error {
			return ran(d, api.UpdateAssumeRolePolicy, &api.UpdateAssumeRolePolicyRequest{RoleName: &name, PolicyDocument: &trust})
		},
		func() error {
			return ran(d, api.UpdateRole, &api.UpdateRoleRequest{
				RoleName: &name, Description: new(opt.Val(p.Description)), MaxSessionDuration: new(opt.Or(p.MaxSessionDuration, defaultMaxSession)),
			})
		},
		func() error {
			switch {
			case p.PermissionsBoundary != nil:
				return ran(d, api.PutRolePermissionsBoundary, &api.PutRolePermissionsBoundaryRequest{RoleName: &name, PermissionsBoundary: p.PermissionsBoundary})
			case old.PermissionsBoundary != nil:
				return gone(ran(d, api.DeleteRolePermissionsBoundary, &api.DeleteRolePermissionsBoundaryRequest{RoleName: &name}))
			}
			return nil
		},
		func() error {
			return d.settle(roleHandle, name, old.Policies, p.Policies, old.ManagedPolicyArns, p.ManagedPolicyArns)
		},
		func() error {
			has, err := run(d, api.ListRoleTags, &api.ListRoleTagsRequest{RoleName: &name})
			if err != nil {
				return err
			}
			put, drop := changedTags(has.Tags, d.wantedTags(p.Tags))
			if len(drop) > 0 {
				err = ran(d, api.UntagRole, &api.UntagRoleRequest{RoleName: &name, TagKeys: drop})
			}
			if err == nil && len(put) > 0 {
				err = ran(d, api.TagRole, &api.TagRoleRequest{RoleName: &name, Tags: put})
			}
			return err
		},
	)
	if err != nil {
		return resource.State{ID: name}, err
	}
	return d.roleState(name)
}

func deleteRole(ctx context.Context, rq *resource.Request, name string, p *roleProps) error {
	d := deploy{ctx, rq}
	return firstError(
		func() error { return gone(d.settle(roleHandle, name, p.Policies, nil, p.ManagedPolicyArns, nil)) },
		func() error { return gone(ran(d, api.DeleteRole, &api.DeleteRoleRequest{RoleName: &name})) },
	)
}

func createUser(ctx context.Context, rq *resource.Request, p *userProps) (resource.State, error) {
	d := deploy{ctx, rq}
	name := opt.Val(p.UserName)
	if p.UserName == nil {
		name = rq.Name(64)
	}
	err := ran(d, api.CreateUser, &api.CreateUserRequest{
		UserName: &name, Path: p.Path, PermissionsBoundary: p.PermissionsBoundary, Tags: apiTags(d.wantedTags(p.Tags)),
	})
	if again(err, p.UserName) != nil {
		return resource.State{}, err
	}
	return d.settleUser(name, &userProps{}, p)
}

// settleUser brings a user's policies and groups from old to new.
func (d deploy) settleUser(name string, old, p *userProps) (resource.State, error) {
	made := resource.State{ID: name}
	if err := d.settle(userHandle, name, old.Policies, p.Policies, old.ManagedPolicyArns, p.ManagedPolicyArns); err != nil {
		return made, err
	}
	for _, g := range old.Groups {
		if !slices.Contains(p.Groups, g) {
			if err := gone(ran(d, api.RemoveUserFromGroup, &api.RemoveUserFromGroupRequest{UserName: &name, GroupName: &g})); err != nil {
				return made, err
			}
		}
	}
	for _, g := range p.Groups {
		if err := ran(d, api.AddUserToGroup, &api.AddUserToGroupRequest{UserName: &name, GroupName: &g}); err != nil {
			return made, err
		}
	}
	out, err := run(d, api.GetUser, &api.GetUserRequest{UserName: &name})
	if err != nil {
		return made, err
	}
	made.Attributes = map[string]any{"Arn": *out.User.Arn}
	return made, nil
}

func updateUser(ctx context.Context, rq *resource.Request, name string, old, p *userProps) (resource.State, error) {
	d := deploy{ctx, rq}
	err := firstError(
		func() error {
			return ran(d, api.UpdateUser, &api.UpdateUserRequest{UserName: &name, NewPath: new(opt.Or(p.Path, "/"))})
		},
		func() error {
			switch {
			case p.PermissionsBoundary != nil:
				return ran(d, api.PutUserPermissionsBoundary, &api.PutUserPermissionsBoundaryRequest{UserName: &name, PermissionsBoundary: p.PermissionsBoundary})
			case old.PermissionsBoundary != nil:
				return gone(ran(d, api.DeleteUserPermissionsBoundary, &api.DeleteUserPermissionsBoundaryRequest{UserName: &name}))
			}
			return nil
		},
		func() error {
			has, err := run(d, api.ListUserTags, &api.ListUserTagsRequest{UserName: &name})
			if err != nil {
				return err
			}
			put, drop := changedTags(has.Tags, d.wantedTags(p.Tags))
			if len(drop) > 0 {
				err = ran(d, api.UntagUser, &api.UntagUserRequest{UserName: &name, TagKeys: drop})
			}
			if err == nil && len(put) > 0 {
				err = ran(d, api.TagUser, &api.TagUserRequest{UserName: &name, Tags: put})
			}
			return err
		},
	)
	if err != nil {
		return resource.State{ID: name}, err
	}
	return d.settleUser(name, old, p)
}

func deleteUser(ctx context.Context, rq *resource.Request, name string, p *userProps) error {
	d := deploy{ctx, rq}
	for _, g := range p.Groups {
		if err := gone(ran(d, api.RemoveUserFromGroup, &api.RemoveUserFromGroupRequest{UserName: &name, GroupName: &g})); err != nil {
			return err
		}
	}
	return firstError(
		func() error { return d.settle(userHandle, name, p.Policies, nil, p.ManagedPolicyArns, nil) },
		func() error { return gone(ran(d, api.DeleteUser, &api.DeleteUserRequest{UserName: &name})) },
	)
}

func createGroup(ctx context.Context, rq *resource.Request, p *groupProps) (resource.State, error) {
	d := deploy{ctx, rq}
	name := opt.Val(p.GroupName)
	if p.GroupName == nil {
		name = rq.Name(128)
	}
	err := ran(d, api.CreateGroup, &api.CreateGroupRequest{GroupName: &name, Path: p.Path})
	if again(err, p.GroupName) != nil {
		return resource.State{}, err
	}
	return d.settleGroup(name, &groupProps{}, p)
}

func (d deploy) settleGroup(name string, old, p *groupProps) (resource.State, error) {
	made := resource.State{ID: name}
	if err := d.settle(groupHandle, name, old.Policies, p.Policies, old.ManagedPolicyArns, p.ManagedPolicyArns); err != nil {
		return made, err
	}
	out, err := run(d, api.GetGroup, &api.GetGroupRequest{GroupName: &name})
	if err != nil {
		return made, err
	}
	made.Attributes = map[string]any{"Arn": *out.Group.Arn}
	return made, nil
}

func updateGroup(ctx context.Context, rq *resource.Request, name string, old, p *groupProps) (resource.State, error) {
	d := deploy{ctx, rq}
	if err := ran(d, api.UpdateGroup, &api.UpdateGroupRequest{GroupName: &name, NewPath: new(opt.Or(p.Path, "/"))}); err != nil {
		return resource.State{ID: name}, err
	}
	return d.settleGroup(name, old, p)
}

func deleteGroup(ctx context.Context, rq *resource.Request, name string, p *groupProps) error {
	d := deploy{ctx, rq}
	return firstError(
		func() error { return d.settle(groupHandle, name, p.Policies, nil, p.ManagedPolicyArns, nil) },
		func() error { return gone(ran(d, api.DeleteGroup, &api.DeleteGroupRequest{GroupName: &name})) },
	)
}
