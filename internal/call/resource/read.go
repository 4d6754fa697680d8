package resource

import (
	"context"
	"reflect"
	"slices"
	"strings"
)

// Reads reports whether the type can read back what it made.
func (t *Type) Reads() bool { return t.read != nil }

// Lists reports whether the type can list what there is.
func (t *Type) Lists() bool { return t.list != nil }

// Read returns the properties of a resource as they are, and what it gives; nil
// properties if there is no such resource. id is its physical id, props are what is
// known of it: at least the properties among Identifier.
func (t *Type) Read(ctx context.Context, rq *Request, id string, props map[string]any) (map[string]any, State, error) {
	return t.read(ctx, rq, id, props)
}

// List returns the identifiers of all resources of the type: the values of
// Identifier with "|" between them. props are what a listing takes (the API of its
// stages, say).
func (t *Type) List(ctx context.Context, rq *Request, props map[string]any) ([]string, error) {
	return t.list(ctx, rq, props)
}

// Identified takes an identifier apart: the physical id, as far as Read needs it,
// and the properties that are in it. ok is false if it has the wrong form.
func (t *Type) Identified(identifier string) (id string, props map[string]any, ok bool) {
	parts := strings.Split(identifier, "|")
	if len(t.Identifier) == 1 {
		parts = []string{identifier}
	}
	if len(parts) != len(t.Identifier) || len(parts) == 0 {
		return "", nil, false
	}
	props, id = map[string]any{}, parts[len(parts)-1]
	for i, name := range t.Identifier {
		if parts[i] == "" {
			return "", nil, false
		}
		if t.property(name) {
			props[name] = parts[i]
		} else {
			id = parts[i] // what only the resource gives is its physical id
		}
	}
	return id, props, true
}

// Within returns the properties of an identifier that name what a resource is part of:
// all but the one that names the resource itself.
func (t *Type) Within() []string {
	own := len(t.Identifier) - 1
	for i, name := range t.Identifier {
		if !t.property(name) {
			own = i
		}
	}
	return slices.Concat(t.Identifier[:own], t.Identifier[own+1:])
}

// IdentifierOf returns the identifier of a resource whose properties and state are known.
func (t *Type) IdentifierOf(st State, props map[string]any) string {
	parts := make([]string, len(t.Identifier))
	for i, name := range t.Identifier {
		if s, ok := scalarText(props[name]); ok && t.property(name) {
			parts[i] = s
		} else {
			parts[i] = st.ID
		}
	}
	return strings.Join(parts, "|")
}

func (t *Type) property(name string) bool {
	for _, p := range t.Properties {
		if p.Name == name {
			return true
		}
	}
	return false
}

// encode turns a property struct into what a template would say of it. What is not
// set is left out.
func encode(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if v.Kind() == reflect.Interface {
			return v.Interface()
		}
		return encode(v.Elem())
	case reflect.Struct:
		out := map[string]any{}
		for _, f := range fields(v.Type()) {
			x := v.Field(f.index)
			if x.Kind() == reflect.String && x.Len() == 0 {
				continue
			}
			if e := encode(x); e != nil {
				out[f.Name] = e
			}
		}
		return out
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = encode(v.Index(i))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		out := map[string]any{}
		for _, k := range v.MapKeys() {
			out[k.String()] = encode(v.MapIndex(k))
		}
		return out
	case reflect.Int, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	}
	return v.Interface()
}

// Updates reports whether the type can change a resource in place.
func (t *Type) Updates() bool { return t.update != nil }

// CheckRead finds what is wrong with properties that Read gave and somebody changed.
// What Read never gives need not be there.
func (t *Type) CheckRead(props map[string]any) []Problem {
	with := map[string]any{}
	for _, name := range t.writeOnly {
		with[name] = Unknown{}
	}
	for k, v := range props {
		with[k] = v
	}
	return t.check(with)
}

// Amend is Update for properties that Read gave.
func (t *Type) Amend(ctx context.Context, rq *Request, id string, old, props map[string]any) (State, error) {
	return t.amend(ctx, rq, id, old, props)
}

// DeleteRead is Delete for properties that Read gave.
func (t *Type) DeleteRead(ctx context.Context, rq *Request, id string, props map[string]any) error {
	return t.removeRead(ctx, rq, id, props)
}

// Readable returns the properties without those that Read never gives.
func (t *Type) Readable(props map[string]any) map[string]any {
	out := make(map[string]any, len(props))
	for k, v := range props {
		if !contains(t.writeOnly, k) {
			out[k] = v
		}
	}
	return out
}
