package expr

import (
	"sort"
	"strconv"
	"strings"
)

// step is one step of a path: into a map by name, or into a list by index.
type step struct {
	name  string
	index int // -1 for a name
}

// Path leads to a value within an item: "a.b[3].c". The first step is a name.
type Path []step

// Top returns the attribute in which the path begins.
func (p Path) Top() string { return p[0].name }

// Nested reports whether the path leads into an attribute.
func (p Path) Nested() bool { return len(p) > 1 }

// String writes the path as AWS's messages do: "[a, b, [3], c]".
func (p Path) String() string {
	parts := make([]string, len(p))
	for i, s := range p {
		if parts[i] = s.name; s.index >= 0 {
			parts[i] = "[" + strconv.Itoa(s.index) + "]"
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Attribute returns the path of a whole attribute.
func Attribute(name string) Path { return Path{{name, -1}} }

// find returns the value at p; nil if there is none.
func (p Path) find(item Item) *Value {
	v, ok := item[p[0].name]
	if !ok {
		return nil
	}
	for _, s := range p[1:] {
		if s.index >= 0 {
			if s.index >= len(v.L) {
				return nil
			}
			v = v.L[s.index]
			continue
		}
		if v.M == nil {
			return nil
		}
		if v, ok = v.M[s.name]; !ok {
			return nil
		}
	}
	return &v
}

// disjoint checks that no two paths overlap, and that none goes by name where
// another goes by index.
func disjoint(paths []Path) error {
	for i, p := range paths {
		for _, q := range paths[:i] {
			same := 0
			for same < len(p) && same < len(q) && p[same] == q[same] {
				same++
			}
			switch {
			case same == len(p) || same == len(q):
				return errorf("Two document paths overlap with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", q, p)
			case (p[same].index < 0) != (q[same].index < 0):
				return errorf("Two document paths conflict with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", q, p)
			}
		}
	}
	return nil
}

// Projection is a set of disjoint paths.
type Projection struct{ Paths []Path }

// Apply returns what item has at the projection's paths. Lists keep the order of
// the elements that were asked for, without gaps.
func (p *Projection) Apply(item Item) Item {
	root := &fragment{}
	for _, path := range p.Paths {
		if v := path.find(item); v != nil {
			root.add(path, v)
		}
	}
	out := make(Item, len(root.names))
	for name, f := range root.names {
		out[name] = f.value()
	}
	return out
}

// fragment is a part of a document: a whole value, or some members of a map or list.
type fragment struct {
	whole   *Value
	names   map[string]*fragment
	indexes map[int]*fragment
}

func (f *fragment) add(path Path, v *Value) {
	for _, s := range path {
		var next *fragment
		if s.index >= 0 {
			if f.indexes == nil {
				f.indexes = map[int]*fragment{}
			}
			if next = f.indexes[s.index]; next == nil {
				next = &fragment{}
				f.indexes[s.index] = next
			}
		} else {
			if f.names == nil {
				f.names = map[string]*fragment{}
			}
			if next = f.names[s.name]; next == nil {
				next = &fragment{}
				f.names[s.name] = next
			}
		}
		f = next
	}
	f.whole = v
}

func (f *fragment) value() Value {
	if f.whole != nil {
		return *f.whole
	}
	if f.names != nil {
		m := make(map[string]Value, len(f.names))
		for k, e := range f.names {
			m[k] = e.value()
		}
		return Value{M: m}
	}
	order := make([]int, 0, len(f.indexes))
	for i := range f.indexes {
		order = append(order, i)
	}
	sort.Ints(order)
	l := make([]Value, len(order))
	for i, at := range order {
		l[i] = f.indexes[at].value()
	}
	return Value{L: l}
}
