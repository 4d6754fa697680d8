package iam

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// AWS::IAM::RolePolicy, UserPolicy and GroupPolicy: an inline policy of one identity.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-rolepolicy.html
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-userpolicy.html
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-grouppolicy.html

type rolePolicyProps struct {
	PolicyDocument any    `cfn:"PolicyDocument,required"`
	PolicyName     string `cfn:"PolicyName,required,replace"`
	RoleName       string `cfn:"RoleName,required,replace"`
}

type userPolicyProps struct {
	PolicyDocument any    `cfn:"PolicyDocument,required"`
	PolicyName     string `cfn:"PolicyName,required,replace"`
	UserName       string `cfn:"UserName,required,replace"`
}

type groupPolicyProps struct {
	PolicyDocument any    `cfn:"PolicyDocument,required"`
	GroupName      string `cfn:"GroupName,required,replace"`
	PolicyName     string `cfn:"PolicyName,required,replace"`
}

// held is what such a policy says: its name, whose it is, and its document.
type held struct {
	policy, holder string
	document       any
}

// keeper is how the policies of one kind of identity are kept.
type keeper[P any] struct {
	handle
	holder string // the property that names the identity
	of     func(*P) held
	make   func(held) *P
	get    func(d deploy, name, policy string) (*string, error)
	names  func(d deploy, name string) ([]string, error)
	all    func(d deploy) ([]string, error)
}

func (x keeper[P]) put(ctx context.Context, rq *resource.Request, p *P) (resource.State, error) {
	h := x.of(p)
	doc, err := document(h.document)
	if err != nil {
		return resource.State{}, err
	}
	return resource.State{ID: h.policy}, x.handle.put(deploy{ctx, rq}, h.holder, h.policy, doc)
}

// find returns the policy of the name, whoever made it.
func (x keeper[P]) find(ctx context.Context, rq *resource.Request, p *P) ([]resource.State, error) {
	h := x.of(p)
	_, err := x.get(deploy{ctx, rq}, h.holder, h.policy)
	return found(h.policy, err)
}

// create makes the policy, and none in the place of another's.
func (x keeper[P]) create(ctx context.Context, rq *resource.Request, p *P) (resource.State, error) {
	switch has, err := x.find(ctx, rq, p); {
	case err != nil:
		return resource.State{}, err
	case len(has) > 0:
		h := x.of(p)
		return resource.State{}, fault.New("AlreadyExists", 409, "%s|%s already exists", h.policy, h.holder)
	}
	return x.put(ctx, rq, p)
}

func (x keeper[P]) define(name string) resource.Type {
	return resource.Define(name, resource.Handlers[P]{
		Create: x.create, Find: x.find,
		Update: func(ctx context.Context, rq *resource.Request, _ string, _, p *P) (resource.State, error) {
			return x.put(ctx, rq, p)
		},
		Delete: func(ctx context.Context, rq *resource.Request, _ string, p *P) error {
			h := x.of(p)
			return gone(x.drop(deploy{ctx, rq}, h.holder, h.policy))
		},
		Check: func(p *P) []resource.Problem {
			return checkDocument(x.of(p).document, policy.ValidateIdentity, "PolicyDocument")
		},
		Identifier: []string{"PolicyName", x.holder},
		Read: func(ctx context.Context, rq *resource.Request, _ string, known *P) (*P, resource.State, error) {
			h := x.of(known)
			text, err := x.get(deploy{ctx, rq}, h.holder, h.policy)
			if err != nil {
				return absent[P](nil, resource.State{}, err)
			}
			if h.document, err = parsed(text); err != nil {
				return nil, resource.State{}, err
			}
			return x.make(h), resource.State{ID: h.policy}, nil
		},
		List: func(ctx context.Context, rq *resource.Request, known *P) (ids []string, err error) {
			d := deploy{ctx, rq}
			holders := []string{x.of(known).holder}
			if holders[0] == "" {
				if holders, err = x.all(d); err != nil {
					return nil, err
				}
			}
			for _, holder := range holders {
				names, err := x.names(d, holder)
				if err != nil {
					return nil, gone(err)
				}
				for _, name := range names {
					ids = append(ids, name+"|"+holder)
				}
			}
			return ids, nil
		},
	})
}

func heldTypes() []resource.Type {
	roles := keeper[rolePolicyProps]{
		handle: roleHandle, holder: "RoleName",
		of:   func(p *rolePolicyProps) held { return held{p.PolicyName, p.RoleName, p.PolicyDocument} },
		make: func(h held) *rolePolicyProps { return &rolePolicyProps{h.document, h.policy, h.holder} },
		get: func(d deploy, name, policy string) (*string, error) {
			o, err := run(d, api.GetRolePolicy, &api.GetRolePolicyRequest{RoleName: &name, PolicyName: &policy})
			if err != nil {
				return nil, err
			}
			return o.PolicyDocument, nil
		},
		names: func(d deploy, name string) ([]string, error) {
			return all(d, api.ListRolePolicies, &api.ListRolePoliciesRequest{RoleName: &name},
				func(o *api.ListRolePoliciesResponse) ([]string, *string) { return o.PolicyNames, o.Marker },
				func(in *api.ListRolePoliciesRequest, m *string) { in.Marker = m })
		},
		all: func(d deploy) ([]string, error) { return listRoles(d.ctx, d.rq, nil) },
	}
	users := keeper[userPolicyProps]{
		handle: userHandle, holder: "UserName",
		of:   func(p *userPolicyProps) held { return held{p.PolicyName, p.UserName, p.PolicyDocument} },
		make: func(h held) *userPolicyProps { return &userPolicyProps{h.document, h.policy, h.holder} },
		get: func(d deploy, name, policy string) (*string, error) {
			o, err := run(d, api.GetUserPolicy, &api.GetUserPolicyRequest{UserName: &name, PolicyName: &policy})
			if err != nil {
				return nil, err
			}
			return o.PolicyDocument, nil
		},
		names: func(d deploy, name string) ([]string, error) {
			return all(d, api.ListUserPolicies, &api.ListUserPoliciesRequest{UserName: &name},
				func(o *api.ListUserPoliciesResponse) ([]string, *string) { return o.PolicyNames, o.Marker },
				func(in *api.ListUserPoliciesRequest, m *string) { in.Marker = m })
		},
		all: func(d deploy) ([]string, error) { return listUsers(d.ctx, d.rq, nil) },
	}
	groups := keeper[groupPolicyProps]{
		handle: groupHandle, holder: "GroupName",
		of:   func(p *groupPolicyProps) held { return held{p.PolicyName, p.GroupName, p.PolicyDocument} },
		make: func(h held) *groupPolicyProps { return &groupPolicyProps{h.document, h.holder, h.policy} },
		get: func(d deploy, name, policy string) (*string, error) {
			o, err := run(d, api.GetGroupPolicy, &api.GetGroupPolicyRequest{GroupName: &name, PolicyName: &policy})
			if err != nil {
				return nil, err
			}
			return o.PolicyDocument, nil
		},
		names: func(d deploy, name string) ([]string, error) {
			return all(d, api.ListGroupPolicies, &api.ListGroupPoliciesRequest{GroupName: &name},
				func(o *api.ListGroupPoliciesResponse) ([]string, *string) { return o.PolicyNames, o.Marker },
				func(in *api.ListGroupPoliciesRequest, m *string) { in.Marker = m })
		},
		all: func(d deploy) ([]string, error) { return listGroups(d.ctx, d.rq, nil) },
	}
	return []resource.Type{roles.define("AWS::IAM::RolePolicy"), users.define("AWS::IAM::UserPolicy"), groups.define("AWS::IAM::GroupPolicy")}
}
