package iam

import (
	"context"
	"reflect"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// IAM's operations are all of one pattern: the action is the operation's name,
// and the input's members say what it is about. So there is one access rule,
// which follows the service authorization reference for IAM:
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html

// input reads members of an input by their names in the model.
type input struct{ v reflect.Value }

func inputOf(in any) input { return input{reflect.ValueOf(in).Elem()} }

func (i input) text(member string) string {
	f := i.v.FieldByName(member)
	if !f.IsValid() {
		return ""
	}
	if p, ok := f.Interface().(*string); ok && p != nil {
		return *p
	}
	return ""
}

func (i input) tags() []api.Tag {
	if f := i.v.FieldByName("Tags"); f.IsValid() {
		t, _ := f.Interface().([]api.Tag)
		return t
	}
	return nil
}

func (i input) tagKeys() []string {
	if f := i.v.FieldByName("TagKeys"); f.IsValid() {
		t, _ := f.Interface().([]string)
		return t
	}
	return nil
}

// nameMember is the member that names a thing of the kind.
func (k kind) nameMember() string {
	switch k {
	case userKind:
		return "UserName"
	case groupKind:
		return "GroupName"
	case roleKind:
		return "RoleName"
	case policyKind:
		return "PolicyName"
	}
	return "InstanceProfileName"
}

// bind binds an operation on one thing of the kind, which exists or will.
func bind[I, O any](s *Service, op call.Op[I, O], k kind, h call.Handler[I, O]) call.Binding {
	action := "iam:" + op.Operation().Name
	return call.Bind(op, call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		need, err := s.need(ctx, rq, action, k, inputOf(in))
		return []call.Need{need}, err
	}, action), h)
}

// bindList binds a listing of things of the kind, which is about their path.
func bindList[I, O any](op call.Op[I, O], k kind, h call.Handler[I, O]) call.Binding {
	return call.Bind(op, call.Allow("iam:"+op.Operation().Name, func(rq *call.Decoded, in *I) string {
		prefix := inputOf(in).text("PathPrefix")
		if prefix == "" {
			prefix = "/"
		}
		return arnOf(rq.Account(), k, prefix, "")
	}), h)
}

// bindAny binds an operation that is about the account.
func bindAny[I, O any](op call.Op[I, O], h call.Handler[I, O]) call.Binding {
	return call.Bind(op, call.Any[I]("iam:"+op.Operation().Name), h)
}

func (s *Service) need(ctx context.Context, rq *call.Decoded, action string, k kind, in input) (call.Need, error) {
	n := call.Need{Action: action, Keys: map[string][]string{}}
	requested(n.Keys, in)
	if policyARN := in.text("PolicyArn"); policyARN != "" && k == policyKind {
		n.Resource = policyARN
		err := s.d.Store.View(ctx, func(r data.Reader) error {
			p, err := s.policyByARN(r, rq.Account(), policyARN)
			if p != nil {
				resourceTags(n.Keys, p.Tags)
			}
			return err
		})
		return n, err
	}
	name := in.text(k.nameMember())
	if p := rq.Principal(); name == "" && k == userKind {
		if p.Kind != policy.User { // root and sessions of roles are about themselves
			n.Resource = p.ARN
			return n, nil
		}
		name = p.UserName
	}
	path := in.text("Path")
	if path == "" {
		path = "/"
	}
	if in.v.FieldByName("Path").IsValid() { // the operation makes the thing
		n.Resource = arnOf(rq.Account(), k, path, name)
		return n, nil
	}
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		b, ok, err := r.Get(thingKey(rq.Account(), k, name))
		if err != nil || !ok {
			return err
		}
		t, err := decode[identity](b) // the head and the boundary are what counts here
		if err != nil || t.Name != name {
			return err
		}
		path = t.Path
		resourceTags(n.Keys, t.Tags)
		if _, set := n.Keys["iam:permissionsboundary"]; !set && t.Boundary != "" {
			n.Keys["iam:permissionsboundary"] = []string{t.Boundary}
		}
		return nil
	})
	n.Resource = arnOf(rq.Account(), k, path, name)
	return n, err
}

// requested offers the condition keys that follow from the input.
func requested(keys map[string][]string, in input) {
	if b := in.text("PermissionsBoundary"); b != "" {
		keys["iam:permissionsboundary"] = []string{b}
	}
	if p := in.text("PolicyArn"); p != "" {
		keys["iam:policyarn"] = []string{p}
	}
	if svc := in.text("AWSServiceName"); svc != "" {
		keys["iam:awsservicename"] = []string{svc}
	}
	names := in.tagKeys()
	for _, t := range in.tags() {
		if t.Key != nil && t.Value != nil {
			keys["aws:requesttag/"+strings.ToLower(*t.Key)] = []string{*t.Value}
			names = append(names, *t.Key)
		}
	}
	if len(names) > 0 {
		keys["aws:tagkeys"] = names
	}
}

func resourceTags(keys map[string][]string, tags []tag) {
	for _, t := range tags {
		k := strings.ToLower(t.Key)
		keys["aws:resourcetag/"+k] = []string{t.Value}
		keys["iam:resourcetag/"+k] = []string{t.Value}
	}
}

// isAccount reports whether s is an account's number.
func isAccount(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// lastName is the name in an ARN's resource, behind kind and path.
func lastName(a arn.ARN) string { return a.Resource[strings.LastIndexByte(a.Resource, '/')+1:] }

// ownName is the user that an operation without UserName is about: the caller.
func ownName(rq *call.Authorized, given *string) (string, error) {
	if given != nil {
		return *given, nil
	}
	p := rq.Principal()
	if p.Kind != policy.User {
		return "", fault.Of(fault.Validation, "Must specify userName when calling with non-User credentials")
	}
	return p.UserName, nil
}
