package expr

import (
	"bytes"
	"maps"
	"slices"
	"sort"
)

// Update is a change to an item. All its parts see the item as it was before.
type Update struct {
	sets    []assignment
	removes []Path
	adds    []assignment
	deletes []assignment
}

// assignment is the part of an update that gives a path a value.
type assignment struct {
	path Path
	rhs  source
}

// source computes the value of an assignment.
type source interface {
	compute(item Item) (*Value, error)
}

type (
	valueSource struct{ v *Value }
	pathSource  struct{ path Path }
	ifNotExists struct {
		path Path
		or   source
	}
	listAppend struct{ left, right source }
	arithmetic struct {
		minus       bool
		left, right source
	}
)

func wrongType() error {
	return errorf("An operand in the update expression has an incorrect data type")
}

func (s valueSource) compute(Item) (*Value, error) { return s.v, nil }

func (s pathSource) compute(item Item) (*Value, error) {
	v := s.path.find(item)
	if v == nil {
		return nil, errorf("The provided expression refers to an attribute that does not exist in the item")
	}
	return v, nil
}

func (s ifNotExists) compute(item Item) (*Value, error) {
	if v := s.path.find(item); v != nil {
		return v, nil
	}
	return s.or.compute(item)
}

func (s listAppend) compute(item Item) (*Value, error) {
	l, err := s.left.compute(item)
	if err != nil {
		return nil, err
	}
	r, err := s.right.compute(item)
	if err != nil {
		return nil, err
	}
	if l.L == nil || r.L == nil {
		return nil, wrongType()
	}
	return &Value{L: slices.Concat([]Value{}, l.L, r.L)}, nil
}

func (s arithmetic) compute(item Item) (*Value, error) {
	l, err := s.left.compute(item)
	if err != nil {
		return nil, err
	}
	r, err := s.right.compute(item)
	if err != nil {
		return nil, err
	}
	if l.N == nil || r.N == nil {
		return nil, wrongType()
	}
	return addNumbers(*l.N, *r.N, s.minus)
}

func addNumbers(a, b string, minus bool) (*Value, error) {
	x, err := ParseNumber(a)
	if err != nil {
		return nil, err
	}
	y, err := ParseNumber(b)
	if err != nil {
		return nil, err
	}
	if minus {
		x, err = x.Sub(y)
	} else {
		x, err = x.Add(y)
	}
	if err != nil {
		return nil, err
	}
	sum := x.String()
	return &Value{N: &sum}, nil
}

// Paths returns the document paths that the update changes.
func (u *Update) Paths() []Path {
	var out []Path
	for _, list := range [][]assignment{u.sets, u.adds, u.deletes} {
		for _, a := range list {
			out = append(out, a.path)
		}
	}
	return append(out, u.removes...)
}

// OnlyRemoves reports whether the update can do nothing but take something away.
// Of an item that does not exist it then makes none.
func (u *Update) OnlyRemoves() bool {
	return len(u.sets)+len(u.adds) == 0 && len(u.removes)+len(u.deletes) > 0
}

// Apply returns item with the update made; item itself stays as it is. A nil
// item is one that does not exist.
func (u *Update) Apply(item Item) (Item, error) {
	out := maps.Clone(item)
	if out == nil {
		out = Item{}
	}
	// Elements that are set beyond a list's end are appended in the order of
	// their indexes, so those with smaller indexes go first.
	sets := slices.Clone(u.sets)
	sort.SliceStable(sets, func(i, j int) bool { return lastIndex(sets[i].path) < lastIndex(sets[j].path) })
	for _, a := range sets {
		v, err := a.rhs.compute(item)
		if err != nil {
			return nil, err
		}
		if err := edit(out, a.path, func(*Value) (*Value, error) { return v, nil }); err != nil {
			return nil, err
		}
	}
	for _, a := range u.adds {
		if err := a.merge(item, out, added); err != nil {
			return nil, err
		}
	}
	for _, a := range u.deletes {
		if err := a.merge(item, out, removed); err != nil {
			return nil, err
		}
	}
	// Removing from a list moves what comes after, so larger indexes go first.
	removes := slices.Clone(u.removes)
	sort.SliceStable(removes, func(i, j int) bool { return lastIndex(removes[i]) > lastIndex(removes[j]) })
	for _, p := range removes {
		if err := edit(out, p, func(*Value) (*Value, error) { return nil, nil }); err != nil {
			return nil, err
		}
	}
	for _, v := range out {
		if depth(&v) > MaxDepth {
			return nil, tooDeep()
		}
	}
	return out, nil
}

func lastIndex(p Path) int { return p[len(p)-1].index }

func depth(v *Value) int {
	d := 0
	for _, e := range v.M {
		d = max(d, depth(&e))
	}
	for i := range v.L {
		d = max(d, depth(&v.L[i]))
	}
	return d + 1
}

func (a assignment) merge(item, out Item, combine func(old, arg *Value) (*Value, error)) error {
	arg, err := a.rhs.compute(item)
	if err != nil {
		return err
	}
	return edit(out, a.path, func(old *Value) (*Value, error) { return combine(old, arg) })
}

func badPath() error {
	return errorf("The document path provided in the update expression is invalid for update")
}

// edit replaces the value at path by what change makes of it: nil, to and fro,
// means none. The containers on the way are copied.
func edit(item Item, path Path, change func(old *Value) (*Value, error)) error {
	top := path[0].name
	var old *Value
	if v, ok := item[top]; ok {
		old = &v
	}
	v, err := editValue(old, path[1:], change)
	switch {
	case err != nil:
		return err
	case v == nil:
		delete(item, top)
	default:
		item[top] = *v
	}
	return nil
}

func editValue(v *Value, path Path, change func(*Value) (*Value, error)) (*Value, error) {
	if len(path) == 0 {
		return change(v)
	}
	if v == nil {
		return nil, badPath()
	}
	s := path[0]
	if s.index < 0 {
		if v.M == nil {
			return nil, badPath()
		}
		m := maps.Clone(v.M)
		if err := edit(m, path, change); err != nil {
			return nil, err
		}
		return &Value{M: m}, nil
	}
	if v.L == nil {
		return nil, badPath()
	}
	var old *Value
	if s.index < len(v.L) {
		old = &v.L[s.index]
	}
	e, err := editValue(old, path[1:], change)
	if err != nil {
		return nil, err
	}
	l := slices.Clone(v.L)
	switch {
	case e != nil && old != nil:
		l[s.index] = *e
	case e != nil:
		l = append(l, *e)
	case old != nil:
		l = slices.Delete(l, s.index, s.index+1)
	}
	if l == nil {
		l = []Value{}
	}
	return &Value{L: l}, nil
}

// added is what ADD makes of an attribute: a sum, or a union of sets.
func added(old, arg *Value) (*Value, error) {
	if old == nil {
		return arg, nil
	}
	switch {
	case old.N != nil && arg.N != nil:
		return addNumbers(*old.N, *arg.N, false)
	case old.SS != nil && arg.SS != nil:
		set := slices.Concat(old.SS, arg.SS)
		slices.Sort(set)
		return &Value{SS: slices.Compact(set)}, nil
	case old.NS != nil && arg.NS != nil:
		set := make([]Number, 0, len(old.NS)+len(arg.NS))
		for _, s := range slices.Concat(old.NS, arg.NS) {
			n, err := ParseNumber(s)
			if err != nil {
				return nil, err
			}
			set = append(set, n)
		}
		slices.SortFunc(set, Number.Compare)
		return &Value{NS: numberTexts(slices.Compact(set))}, nil
	case old.BS != nil && arg.BS != nil:
		set := slices.Concat(old.BS, arg.BS)
		slices.SortFunc(set, bytes.Compare)
		return &Value{BS: slices.CompactFunc(set, bytes.Equal)}, nil
	}
	return nil, wrongType()
}

// removed is what DELETE makes of an attribute: a difference of sets.
func removed(old, arg *Value) (*Value, error) {
	if old == nil {
		return nil, nil
	}
	switch {
	case old.SS != nil && arg.SS != nil:
		if set := without(old.SS, arg.SS); len(set) > 0 {
			return &Value{SS: set}, nil
		}
		return nil, nil
	case old.NS != nil && arg.NS != nil:
		if set := without(old.NS, arg.NS); len(set) > 0 {
			return &Value{NS: set}, nil
		}
		return nil, nil
	case old.BS != nil && arg.BS != nil:
		set := slices.DeleteFunc(slices.Clone(old.BS), func(b []byte) bool {
			return slices.ContainsFunc(arg.BS, func(x []byte) bool { return bytes.Equal(b, x) })
		})
		if len(set) > 0 {
			return &Value{BS: set}, nil
		}
		return nil, nil
	}
	return nil, wrongType()
}

func without(set, drop []string) []string {
	return slices.DeleteFunc(slices.Clone(set), func(s string) bool { return slices.Contains(drop, s) })
}
