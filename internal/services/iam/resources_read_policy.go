package iam

import (
	"context"
	"reflect"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// readInline reads the holders that are known of an inline policy: who else has a
// policy of its name has one of their own. A document that differs from the known one
// is what the policy is read as.
func readInline(ctx context.Context, rq *resource.Request, id string, known *policyProps) (*policyProps, resource.State, error) {
	d, p := deploy{ctx, rq}, &policyProps{PolicyName: known.PolicyName}
	read := func(names []string, get func(name string) (*string, error)) (has []string, err error) {
		for _, name := range names {
			text, err := get(name)
			if fault.Is(err, "NoSuchEntity") {
				continue
			}
			if err != nil {
				return nil, err
			}
			doc, err := parsed(text)
			if err != nil {
				return nil, err
			}
			if p.PolicyDocument == nil || !reflect.DeepEqual(doc, known.PolicyDocument) {
				p.PolicyDocument = doc
			}
			has = append(has, name)
		}
		return has, nil
	}
	var err error
	if p.Roles, err = read(known.Roles, func(name string) (*string, error) {
		o, err := run(d, api.GetRolePolicy, &api.GetRolePolicyRequest{RoleName: &name, PolicyName: &p.PolicyName})
		if err != nil {
			return nil, err
		}
		return o.PolicyDocument, nil
	}); err != nil {
		return nil, resource.State{}, err
	}
	if p.Users, err = read(known.Users, func(name string) (*string, error) {
		o, err := run(d, api.GetUserPolicy, &api.GetUserPolicyRequest{UserName: &name, PolicyName: &p.PolicyName})
		if err != nil {
			return nil, err
		}
		return o.PolicyDocument, nil
	}); err != nil {
		return nil, resource.State{}, err
	}
	if p.Groups, err = read(known.Groups, func(name string) (*string, error) {
		o, err := run(d, api.GetGroupPolicy, &api.GetGroupPolicyRequest{GroupName: &name, PolicyName: &p.PolicyName})
		if err != nil {
			return nil, err
		}
		return o.PolicyDocument, nil
	}); err != nil {
		return nil, resource.State{}, err
	}
	if p.PolicyDocument == nil { // nobody has it any more
		return nil, resource.State{}, nil
	}
	return p, resource.State{ID: id, Attributes: map[string]any{"Id": id}}, nil
}

// readKey reads a key without its secret, which is told once. Serial is no property of
// the key itself: it says that another key is wanted, and stays as it is known.
func readKey(ctx context.Context, rq *resource.Request, id string, known *keyProps) (*keyProps, resource.State, error) {
	d, user := deploy{ctx, rq}, known.UserName
	if user == "" { // only its id is known
		users, err := listUsers(ctx, rq, nil)
		if err != nil {
			return nil, resource.State{}, err
		}
		for _, name := range users {
			p, st, err := readKey(ctx, rq, id, &keyProps{UserName: name})
			if p != nil || err != nil {
				return p, st, err
			}
		}
		return nil, resource.State{}, nil
	}
	keys, err := all(d, api.ListAccessKeys, &api.ListAccessKeysRequest{UserName: &user},
		func(o *api.ListAccessKeysResponse) ([]api.AccessKeyMetadata, *string) {
			return o.AccessKeyMetadata, o.Marker
		},
		func(in *api.ListAccessKeysRequest, m *string) { in.Marker = m })
	if err != nil {
		return absent[keyProps](nil, resource.State{}, err)
	}
	for _, k := range keys {
		if *k.AccessKeyId == id {
			return &keyProps{Serial: known.Serial, Status: k.Status, UserName: user}, resource.State{ID: id}, nil
		}
	}
	return nil, resource.State{}, nil
}

// readAddition reads which of the known users are still in the group.
func readAddition(ctx context.Context, rq *resource.Request, id string, known *additionProps) (*additionProps, resource.State, error) {
	members, err := all(deploy{ctx, rq}, api.GetGroup, &api.GetGroupRequest{GroupName: &known.GroupName},
		func(o *api.GetGroupResponse) ([]api.User, *string) { return o.Users, o.Marker },
		func(in *api.GetGroupRequest, m *string) { in.Marker = m })
	if err != nil {
		return absent[additionProps](nil, resource.State{}, err)
	}
	p := &additionProps{GroupName: known.GroupName}
	for _, u := range known.Users {
		if slices.ContainsFunc(members, func(m api.User) bool { return *m.UserName == u }) {
			p.Users = append(p.Users, u)
		}
	}
	if len(p.Users) == 0 && len(known.Users) > 0 {
		return nil, resource.State{}, nil
	}
	return p, resource.State{ID: id}, nil
}

func readLinked(ctx context.Context, rq *resource.Request, name string, known *linkedProps) (*linkedProps, resource.State, error) {
	out, err := run(deploy{ctx, rq}, api.GetRole, &api.GetRoleRequest{RoleName: &name})
	if err != nil {
		return absent[linkedProps](nil, resource.State{}, err)
	}
	p := &linkedProps{AWSServiceName: known.AWSServiceName, CustomSuffix: known.CustomSuffix, Description: out.Role.Description}
	return p, resource.State{ID: name, Attributes: map[string]any{"RoleName": name}}, nil
}
