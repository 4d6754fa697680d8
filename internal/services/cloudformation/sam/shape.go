package sam

import (
	"fmt"
	"slices"
	"strconv"
)

// shape describes a value within a property: which members it has, and of what
// shape they are. The zero shape is any value.
type shape struct {
	kind     shapeKind
	members  []member
	of       *shape   // of what a table or list holds
	literals []string // what a string may be; empty: any
}

// member is one member of a record.
type member struct {
	name     string
	required bool
	shape
}

type shapeKind uint8

const (
	anything shapeKind = iota
	text
	number
	truth
	record // the members that are listed, and no others
	table  // any members, all of one shape
	list
)

// flaw is where a value does not have its shape, and why.
type flaw struct {
	path string
	kind flawKind
}

type flawKind uint8

const (
	missing flawKind = iota
	unknownMember
	mismatch
)

// flaws returns what of v is not of the shape, in the order of the members.
func (s shape) flaws(path string, v any) []flaw {
	wrong := []flaw{{path, mismatch}}
	switch s.kind {
	case text:
		t, ok := v.(string)
		if !ok || len(s.literals) > 0 && !slices.Contains(s.literals, t) {
			return wrong
		}
	case number:
		switch n := v.(type) {
		case int64, float64:
		case string:
			if _, err := strconv.ParseFloat(n, 64); err != nil {
				return wrong
			}
		default:
			return wrong
		}
	case truth:
		if _, ok := v.(bool); !ok {
			return wrong
		}
	case list:
		l, ok := v.([]any)
		if !ok {
			return wrong
		}
		var out []flaw
		for i, x := range l {
			out = append(out, s.of.flaws(fmt.Sprintf("%s.%d", path, i), x)...)
		}
		return out
	case table:
		m, ok := v.(object)
		if !ok {
			return wrong
		}
		var out []flaw
		for _, k := range keys(m) {
			out = append(out, s.of.flaws(path+"."+k, m[k])...)
		}
		return out
	case record:
		m, ok := v.(object)
		if !ok {
			return wrong
		}
		return s.record(path, m)
	}
	return nil
}

func (s shape) record(path string, m object) []flaw {
	var out []flaw
	known := map[string]bool{}
	for _, f := range s.members {
		known[f.name] = true
		at := f.name
		if path != "" {
			at = path + "." + f.name
		}
		v, has := m[f.name]
		switch {
		case v == nil && f.required:
			out = append(out, flaw{at, missing})
		case has && v != nil:
			out = append(out, f.flaws(at, v)...)
		}
	}
	for _, k := range keys(m) {
		if !known[k] {
			if path != "" {
				k = path + "." + k
			}
			out = append(out, flaw{k, unknownMember})
		}
	}
	return out
}

// fields makes the members of a record: a "*" marks what is required; they are of
// any shape.
func fields(names ...string) []member {
	out := make([]member, len(names))
	for i, n := range names {
		if n[0] == '*' {
			out[i] = member{name: n[1:], required: true}
			continue
		}
		out[i].name = n
	}
	return out
}

// with gives the member of that name a shape.
func (s shape) with(name string, of shape) shape {
	s.members = slices.Clone(s.members)
	for i := range s.members {
		if s.members[i].name == name {
			s.members[i].shape = of
		}
	}
	return s
}

func recordOf(names ...string) shape { return shape{kind: record, members: fields(names...)} }
func tableOf(s shape) shape          { return shape{kind: table, of: &s} }
func listOf(s shape) shape           { return shape{kind: list, of: &s} }
func oneOf(values ...string) shape   { return shape{kind: text, literals: values} }
