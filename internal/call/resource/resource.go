// Package resource is how a room offers CloudFormation resource types.
//
// A type's properties are a Go struct whose tags say what CloudFormation's
// documentation says of them:
//
//	type bucket struct {
//		BucketName *string `cfn:"BucketName,replace"`
//		Tags       []Tag   `cfn:"Tags"`
//	}
//
// The flags are: required; replace (an update makes a new resource);
// meaningless (a setting that has no meaning on this platform: it is accepted,
// and the deployment says so); refused (a property of AWS's that is not honoured:
// the field is blank, and only a value that turns nothing on is taken). A property
// that has no field is refused as one that AWS does not have, so nothing can be
// stored that does not act.
package resource

import (
	"context"
	"fmt"
	"reflect"

	"github.com/tierra-cloud/tierra/internal/call"
)

// Provider is a room that has resource types.
type Provider interface {
	ResourceTypes() []Type
}

// Type is a resource type. Make it with Define.
type Type struct {
	Name       string // "AWS::S3::Bucket"
	Properties []Property
	// Attributes are the names that Fn::GetAtt takes, besides those that begin
	// with one of them and a dot. AnyAttribute stands for all names.
	Attributes []string

	// Identifier are the properties or attributes that together name a resource of
	// the type: its primary identifier, in AWS's order.
	Identifier []string

	waits      bool
	writeOnly  []string
	shape      reflect.Type
	read       func(ctx context.Context, rq *Request, id string, props map[string]any) (map[string]any, State, error)
	amend      func(ctx context.Context, rq *Request, id string, old, props map[string]any) (State, error)
	removeRead func(ctx context.Context, rq *Request, id string, props map[string]any) error
	list       func(ctx context.Context, rq *Request, props map[string]any) ([]string, error)
	create     func(ctx context.Context, rq *Request, props map[string]any) (State, error)
	update     func(ctx context.Context, rq *Request, id string, old, props map[string]any) (State, error)
	remove     func(ctx context.Context, rq *Request, id string, props map[string]any) error
	find       func(ctx context.Context, rq *Request, props map[string]any) ([]State, error)
	adopt      func(ctx context.Context, rq *Request, found State, props map[string]any) (State, error)
	check      func(props map[string]any) []Problem
}

// Property describes one property, also nested ones by their path ("Cors.Rules").
type Property struct {
	Name        string
	Required    bool
	Replace     bool
	Meaningless bool
}

// Request is the context in which a resource is made, changed or removed.
type Request struct {
	Caller call.Caller
	// As is the principal of the stack: who deploys it, or the stack's role.
	As call.As
	// Account and Region are the stack's.
	Account, Region string
	StackName       string
	StackID         string
	LogicalID       string
	Type            string // as the template names it
	// Token is unique to this step and the same when it is repeated after a
	// crash: use it for client tokens, and to derive generated names.
	Token string
	// StackTags are the tags to put on every resource that takes tags.
	StackTags map[string]string
	// Resolve puts values in the place of what refers to them, dynamic references,
	// just before a handler acts; hide takes them out of its error. Nil leaves
	// properties as they are.
	Resolve func(ctx context.Context, props map[string]any) (resolved map[string]any, hide func(error) error, err error)
	// Name makes a physical name of at most max characters from the stack's
	// name, the logical id and the token, as CloudFormation does.
	Name func(max int) string
}

// State is a resource that exists.
type State struct {
	ID         string         // the physical id, which is what Ref gives unless Ref is set
	Ref        string         // what Ref gives, if it differs from the id
	Attributes map[string]any // what Fn::GetAtt gives
	// NoEcho says that the attributes are secrets, which events do not show.
	NoEcho bool
}

// AnyAttribute, as one of a type's Attributes, stands for every name.
const AnyAttribute = "*"

// Open are the properties of a type that takes any.
type Open map[string]any

// Problem is a property that is wrong: where, and what was expected.
type Problem struct {
	Path []string // property names and list indexes, from the resource's Properties down
	Text string
}

// Handlers are the life of a resource type whose properties are a P. They call
// the room's own operations through rq.Caller as rq.As, so that a stack can do
// no more than who deploys it, and return once the resource can be used.
type Handlers[P any] struct {
	Create func(ctx context.Context, rq *Request, p *P) (State, error)
	// Update changes a resource in place; nil means that every change replaces.
	Update func(ctx context.Context, rq *Request, id string, old, p *P) (State, error)
	// Delete removes the resource. One that is gone already is not an error.
	Delete func(ctx context.Context, rq *Request, id string, p *P) error
	// Find returns everything there is that Create could have made of p: what has
	// the name that p or rq.Name gives, or, where the room gives the ids, all that
	// looks like it. It changes nothing. The engine asks before the first attempt
	// at a creation and again when a crash interrupted it: what is new then was
	// made by the creation, and is completed with Update, told that nothing of p is
	// set yet. A type needs no Find if its Create can be repeated: if all that it
	// does is to put, or to make what a generated name of this step alone names.
	Find func(ctx context.Context, rq *Request, p *P) ([]State, error)
	// Check finds what is wrong with properties whose values are all known.
	Check func(p *P) []Problem
	// Identifier names a resource among those of its type, as the type's schema says
	// ("BucketName", or "RestApiId" and "ResourceId"): the one that is no property, or
	// else the last, is or leads to the physical id. A type that reads has one.
	Identifier []string
	// Read returns what a resource is now: its properties, as far as they can be
	// read back, and its state. p holds what is known of it, at least the properties
	// in Identifier. Nil properties say that there is none.
	Read func(ctx context.Context, rq *Request, id string, p *P) (*P, State, error)
	// WriteOnly are the properties that Read never returns.
	WriteOnly []string
	// List returns the identifiers of all resources, or of those that p names a
	// part of.
	List func(ctx context.Context, rq *Request, p *P) ([]string, error)
	// Attributes are the names that Fn::GetAtt takes.
	Attributes []string
	// Waits says that Create waits for somebody outside the platform. It is broken
	// off, its context cancelled, when another resource of the operation fails.
	Waits bool
}

// Define makes a Type of a property struct and its handlers.
func Define[P any](name string, h Handlers[P]) Type {
	if h.Create == nil || h.Delete == nil {
		panic("resource: " + name + " lacks a handler")
	}
	if h.Read != nil && len(h.Identifier) == 0 {
		panic("resource: " + name + " is read and has no identifier")
	}
	var zero P
	t := Type{
		Name: name, Properties: properties(zero), Attributes: h.Attributes, waits: h.Waits,
		Identifier: h.Identifier, writeOnly: h.WriteOnly, shape: reflect.TypeOf(zero),
	}
	read := func(props map[string]any) (*P, error) {
		p := new(P)
		if bad := decode(props, p); len(bad) > 0 {
			return nil, fmt.Errorf("properties of %s: %s", name, bad[0])
		}
		return p, nil
	}
	t.check = func(props map[string]any) []Problem {
		p := new(P)
		bad := decode(props, p)
		if len(bad) == 0 && h.Check != nil {
			bad = h.Check(p)
		}
		return bad
	}
	t.create = func(ctx context.Context, rq *Request, props map[string]any) (State, error) {
		p, err := read(props)
		if err != nil {
			return State{}, err
		}
		return h.Create(ctx, rq, p)
	}
	if h.Update != nil {
		t.update = func(ctx context.Context, rq *Request, id string, old, props map[string]any) (State, error) {
			p, err := read(props)
			if err != nil {
				return State{}, err
			}
			o, err := read(old)
			if err != nil {
				return State{}, err
			}
			return h.Update(ctx, rq, id, o, p)
		}
	}
	// What is known of a resource may be less than its type requires.
	partly := func(props map[string]any) *P {
		p := new(P)
		_ = decode(props, p)
		return p
	}
	t.removeRead = func(ctx context.Context, rq *Request, id string, props map[string]any) error {
		return h.Delete(ctx, rq, id, partly(props))
	}
	if h.Update != nil {
		t.amend = func(ctx context.Context, rq *Request, id string, old, props map[string]any) (State, error) {
			return h.Update(ctx, rq, id, partly(old), partly(props))
		}
	}
	if h.Read != nil {
		t.read = func(ctx context.Context, rq *Request, id string, props map[string]any) (map[string]any, State, error) {
			p, st, err := h.Read(ctx, rq, id, partly(props))
			if p == nil || err != nil {
				return nil, State{}, err
			}
			m, _ := encode(reflect.ValueOf(p)).(map[string]any)
			return t.Readable(m), st, nil
		}
	}
	if h.List != nil {
		t.list = func(ctx context.Context, rq *Request, props map[string]any) ([]string, error) {
			return h.List(ctx, rq, partly(props))
		}
	}
	if h.Find != nil {
		t.find = func(ctx context.Context, rq *Request, props map[string]any) ([]State, error) {
			p, err := read(props)
			if err != nil {
				return nil, err
			}
			return h.Find(ctx, rq, p)
		}
		t.adopt = func(ctx context.Context, rq *Request, found State, props map[string]any) (State, error) {
			if h.Update == nil {
				return found, nil // its creation is one operation: it is whole
			}
			p, err := read(props)
			if err != nil {
				return found, err
			}
			st, err := h.Update(ctx, rq, found.ID, new(P), p)
			if st.ID == "" {
				st.ID = found.ID
			}
			return st, err
		}
	}
	t.remove = func(ctx context.Context, rq *Request, id string, props map[string]any) error {
		p, err := read(props)
		if err != nil {
			return err
		}
		return h.Delete(ctx, rq, id, p)
	}
	return t
}

// Check finds what is wrong with a resource's properties. Values that are not
// known yet are Unknown{} and are taken to be right.
func (t *Type) Check(props map[string]any) []Problem { return t.check(props) }

// Create makes the resource.
func (t *Type) Create(ctx context.Context, rq *Request, props map[string]any) (State, error) {
	props, hide, err := rq.resolve(ctx, props)
	if err != nil {
		return State{}, err
	}
	st, err := t.create(ctx, rq, props)
	return st, hide(err)
}

// resolve is rq.Resolve, if there is one.
func (rq *Request) resolve(ctx context.Context, props map[string]any) (map[string]any, func(error) error, error) {
	if rq.Resolve == nil {
		return props, func(err error) error { return err }, nil
	}
	return rq.Resolve(ctx, props)
}

// Finds reports whether the type can find what an interrupted creation made.
func (t *Type) Finds() bool { return t.find != nil }

// Waits reports whether a creation waits for somebody outside the platform.
func (t *Type) Waits() bool { return t.waits }

// Find returns what there is that Create could have made; ask Finds first.
func (t *Type) Find(ctx context.Context, rq *Request, props map[string]any) ([]State, error) {
	props, hide, err := rq.resolve(ctx, props)
	if err != nil {
		return nil, err
	}
	found, err := t.find(ctx, rq, props)
	return found, hide(err)
}

// Adopt completes what an interrupted creation made and Find found.
func (t *Type) Adopt(ctx context.Context, rq *Request, found State, props map[string]any) (State, error) {
	props, hide, err := rq.resolve(ctx, props)
	if err != nil {
		return found, err
	}
	st, err := t.adopt(ctx, rq, found, props)
	return st, hide(err)
}

// InPlace reports whether a change of the named properties can be made without
// a new resource.
func (t *Type) InPlace(changed []string) bool {
	if t.update == nil {
		return len(changed) == 0
	}
	for _, c := range changed {
		for _, p := range t.Properties {
			if p.Name == c && p.Replace {
				return false
			}
		}
	}
	return true
}

// Update changes the resource in place; ask InPlace first.
func (t *Type) Update(ctx context.Context, rq *Request, id string, old, props map[string]any) (State, error) {
	props, hide, err := rq.resolve(ctx, props)
	if err != nil {
		return State{ID: id}, err
	}
	// What is referred to may have changed since: the old properties stay as they
	// were written, so that they differ, unless they cannot be read like that.
	if len(t.check(old)) > 0 {
		if was, _, err := rq.resolve(ctx, old); err == nil {
			old = was
		}
	}
	st, err := t.update(ctx, rq, id, old, props)
	return st, hide(err)
}

// Delete removes the resource.
func (t *Type) Delete(ctx context.Context, rq *Request, id string, props map[string]any) error {
	// A value that is gone must not keep the resource from going.
	if resolved, hide, err := rq.resolve(ctx, props); err == nil {
		return hide(t.remove(ctx, rq, id, resolved))
	}
	return t.remove(ctx, rq, id, props)
}
