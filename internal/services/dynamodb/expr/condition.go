package expr

import (
	"bytes"
	"strconv"
	"strings"
)

// Condition is a condition or filter.
type Condition interface {
	// Holds evaluates the condition over an item in normal form; a nil item is
	// one that does not exist.
	Holds(item Item) bool
	paths(yield func(Path))
}

// Uses reports whether a document path of c begins with the named attribute.
func Uses(c Condition, name string) (used bool) {
	c.paths(func(p Path) { used = used || p.Top() == name })
	return used
}

// operand is a side of a comparison or an argument of a function.
type operand interface {
	// value returns nil if there is none.
	value(item Item) *Value
	paths(yield func(Path))
}

type (
	pathOperand  struct{ path Path }
	valueOperand struct{ v *Value }
	sizeOperand  struct{ of operand }
)

func (o pathOperand) value(item Item) *Value { return o.path.find(item) }
func (o pathOperand) paths(yield func(Path)) { yield(o.path) }
func (o valueOperand) value(Item) *Value     { return o.v }
func (o valueOperand) paths(func(Path))      {}
func (o sizeOperand) paths(yield func(Path)) { o.of.paths(yield) }
func (o sizeOperand) value(item Item) *Value {
	v := o.of.value(item)
	if v == nil {
		return nil
	}
	n := 0
	switch {
	case v.S != nil:
		n = len(*v.S)
	case v.B != nil:
		n = len(v.B)
	case v.M != nil:
		n = len(v.M)
	case v.L != nil:
		n = len(v.L)
	case v.SS != nil:
		n = len(v.SS)
	case v.NS != nil:
		n = len(v.NS)
	case v.BS != nil:
		n = len(v.BS)
	default:
		return nil
	}
	s := strconv.Itoa(n)
	return &Value{N: &s}
}

type (
	and struct{ left, right Condition }
	or  struct{ left, right Condition }
	not struct{ of Condition }
	// compare is one of = <> < <= > >=.
	compare struct {
		op          string
		left, right operand
	}
	between struct{ of, low, high operand }
	in      struct {
		of  operand
		any []operand
	}
	exists struct {
		path Path
		want bool
	}
	hasType struct {
		of   operand
		name string
	}
	beginsWith struct{ of, prefix operand }
	contains   struct{ of, part operand }
)

func (c and) Holds(item Item) bool { return c.left.Holds(item) && c.right.Holds(item) }
func (c or) Holds(item Item) bool  { return c.left.Holds(item) || c.right.Holds(item) }
func (c not) Holds(item Item) bool { return !c.of.Holds(item) }

func (c compare) Holds(item Item) bool {
	a, b := c.left.value(item), c.right.value(item)
	switch {
	case c.op == "<>":
		// What is not there differs from everything.
		return a == nil || b == nil || !Equal(a, b)
	case a == nil || b == nil:
		return false
	case c.op == "=":
		return Equal(a, b)
	}
	d, ok := Compare(a, b)
	return ok && holds(c.op, d)
}

func holds(op string, d int) bool {
	switch op {
	case "<":
		return d < 0
	case "<=":
		return d <= 0
	case ">":
		return d > 0
	}
	return d >= 0
}

func (c between) Holds(item Item) bool {
	v, low, high := c.of.value(item), c.low.value(item), c.high.value(item)
	if v == nil || low == nil || high == nil {
		return false
	}
	d, ok := Compare(v, low)
	e, ok2 := Compare(v, high)
	return ok && ok2 && d >= 0 && e <= 0
}

func (c in) Holds(item Item) bool {
	v := c.of.value(item)
	if v == nil {
		return false
	}
	for _, o := range c.any {
		if w := o.value(item); w != nil && Equal(v, w) {
			return true
		}
	}
	return false
}

func (c exists) Holds(item Item) bool { return (c.path.find(item) != nil) == c.want }

func (c hasType) Holds(item Item) bool {
	v := c.of.value(item)
	return v != nil && TypeOf(v) == c.name
}

func (c beginsWith) Holds(item Item) bool {
	v, prefix := c.of.value(item), c.prefix.value(item)
	if v == nil || prefix == nil {
		return false
	}
	switch {
	case v.S != nil && prefix.S != nil:
		return strings.HasPrefix(*v.S, *prefix.S)
	case v.B != nil && prefix.B != nil:
		return bytes.HasPrefix(v.B, prefix.B)
	}
	return false
}

func (c contains) Holds(item Item) bool {
	v, part := c.of.value(item), c.part.value(item)
	return v != nil && part != nil && Contains(v, part)
}

// Contains reports whether a string, a binary, a set or a list contains part.
func Contains(v, part *Value) bool {
	switch {
	case v.S != nil:
		return part.S != nil && strings.Contains(*v.S, *part.S)
	case v.B != nil:
		return part.B != nil && bytes.Contains(v.B, part.B)
	case v.SS != nil && part.S != nil:
		return has(v.SS, *part.S)
	case v.NS != nil && part.N != nil:
		return has(v.NS, *part.N)
	case v.BS != nil && part.B != nil:
		for _, b := range v.BS {
			if bytes.Equal(b, part.B) {
				return true
			}
		}
	case v.L != nil:
		for i := range v.L {
			if Equal(&v.L[i], part) {
				return true
			}
		}
	}
	return false
}

func has(set []string, s string) bool {
	for _, x := range set {
		if x == s {
			return true
		}
	}
	return false
}

func (c and) paths(yield func(Path))        { c.left.paths(yield); c.right.paths(yield) }
func (c or) paths(yield func(Path))         { c.left.paths(yield); c.right.paths(yield) }
func (c not) paths(yield func(Path))        { c.of.paths(yield) }
func (c compare) paths(yield func(Path))    { c.left.paths(yield); c.right.paths(yield) }
func (c exists) paths(yield func(Path))     { yield(c.path) }
func (c hasType) paths(yield func(Path))    { c.of.paths(yield) }
func (c beginsWith) paths(yield func(Path)) { c.of.paths(yield); c.prefix.paths(yield) }
func (c contains) paths(yield func(Path))   { c.of.paths(yield); c.part.paths(yield) }
func (c between) paths(yield func(Path)) {
	c.of.paths(yield)
	c.low.paths(yield)
	c.high.paths(yield)
}
func (c in) paths(yield func(Path)) {
	c.of.paths(yield)
	for _, o := range c.any {
		o.paths(yield)
	}
}
