package vtl

import "fmt"

type stepKind uint8

const (
	property stepKind = iota
	method
	index
)

// step goes from a value to a part of it.
type step struct {
	kind stepKind
	name string
	args []expr
}

// reference is $name with steps.
type reference struct {
	name      string
	steps     []step
	otherwise expr
}

// dotted tells whether a reference that ends in a character has no braces, and a
// property as its last name.
func (ref *reference) dotted(last byte) bool {
	for i := len(ref.steps) - 1; i >= 0 && last != '}'; i-- {
		if k := ref.steps[i].kind; k != index {
			return k == property
		}
	}
	return false
}

func (ref *reference) render(r *run) error {
	v, err := ref.eval(r)
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		return r.print(v)
	case *define:
		if r.depth++; r.depth > maxDepth {
			return fmt.Errorf("%w: definitions name each other too deeply", ErrLimit)
		}
		defer func() { r.depth-- }()
		if err := r.all(v.body); err != errBreak { //nolint:errorlint // it is never wrapped
			return err
		}
		return nil
	}
	s, err := r.str(v)
	if err != nil {
		return err
	}
	return r.print(s)
}

// eval implements expr. What is not there is the empty string.
func (ref *reference) eval(r *run) (any, error) {
	v, err := ref.walk(r, ref.steps)
	if err != nil {
		return nil, err
	}
	if ref.otherwise != nil && (v == nil || v == "" || !truth(v)) {
		return ref.otherwise.eval(r)
	}
	if v == nil {
		return "", nil
	}
	return v, nil
}

func (ref *reference) walk(r *run, steps []step) (any, error) {
	v, err := r.lookup(ref.name)
	if err != nil {
		return nil, err
	}
	for i := range steps {
		s := &steps[i]
		if err := r.step(); err != nil {
			return nil, err
		}
		if v, err = s.from(r, v); err != nil {
			return nil, fmt.Errorf("$%s: %w", ref.name, err)
		}
	}
	return v, nil
}

func (s *step) from(r *run, v any) (any, error) {
	if v == nil {
		return nil, nil // and no argument is computed
	}
	if d, ok := v.(*define); ok {
		if s.kind == method && s.name == "toString" && len(s.args) == 0 {
			return r.capture(d.body)
		}
		return nil, nil
	}
	if s.kind == property {
		return r.property(v, s.name)
	}
	var few [4]any
	args := few[:0]
	for _, a := range s.args {
		x, err := a.eval(r)
		if err != nil {
			return nil, err
		}
		args = append(args, x)
	}
	if s.kind == index {
		return r.index(v, args[0])
	}
	return r.call(v, s.name, args)
}

// assign sets what the reference names.
func (ref *reference) assign(r *run, v any) error {
	if len(ref.steps) == 0 {
		r.assign(ref.name, v)
		return nil
	}
	last := ref.steps[len(ref.steps)-1]
	in, err := ref.walk(r, ref.steps[:len(ref.steps)-1])
	if err != nil {
		return err
	}
	var key any = last.name
	if last.kind == index {
		if key, err = last.args[0].eval(r); err != nil {
			return err
		}
	}
	if err := r.spend(16); err != nil {
		return err
	}
	switch in := in.(type) {
	case *Map:
		k, err := in.key(r, key, true)
		if err != nil {
			return err
		}
		in.Put(k, v)
	case *List:
		n, ok := key.(int64)
		if ok && n < 0 {
			n += int64(len(in.Items))
		}
		if !ok || n < 0 || n >= int64(len(in.Items)) {
			return fmt.Errorf("$%s: there is no entry %s to set", ref.name, String(key))
		}
		in.Items[n] = v
	case Object:
		if !in.Set(String(key), v) {
			return fmt.Errorf("$%s: %s cannot be set", ref.name, String(key))
		}
	}
	return nil
}

type constant struct{ v any }

func (c constant) eval(*run) (any, error) { return c.v, nil }

// interpolated is a string with references and directives.
type interpolated struct{ nodes []node }

func (s *interpolated) eval(r *run) (any, error) { return r.capture(s.nodes) }

type listOf struct{ items []expr }

func (l *listOf) eval(r *run) (any, error) {
	if err := r.spend(16 * (len(l.items) + 1)); err != nil {
		return nil, err
	}
	v := &List{Items: make([]any, len(l.items))}
	for i, x := range l.items {
		var err error
		if v.Items[i], err = x.eval(r); err != nil {
			return nil, err
		}
	}
	return v, nil
}

type rangeOf struct{ from, to expr }

func (x *rangeOf) eval(r *run) (any, error) {
	a, err := x.from.eval(r)
	if err != nil {
		return nil, err
	}
	b, err := x.to.eval(r)
	if err != nil {
		return nil, err
	}
	if !number(a) || !number(b) {
		return nil, nil
	}
	from, to := intValue(a), intValue(b)
	by, n := int64(1), uint64(to)-uint64(from)
	if to < from {
		by, n = -1, uint64(from)-uint64(to)
	}
	if n > 1<<20 {
		return nil, fmt.Errorf("%w: the range [%d..%d] is too long", ErrLimit, from, to)
	}
	if err := r.spend(16 * int(n+1)); err != nil {
		return nil, err
	}
	v := &List{Items: make([]any, n+1)}
	for i := range v.Items {
		v.Items[i] = from + by*int64(i)
	}
	return v, nil
}

type mapOf struct{ keys, values []expr }

func (m *mapOf) eval(r *run) (any, error) {
	if err := r.spend(16 * (len(m.keys) + 1)); err != nil {
		return nil, err
	}
	v := NewMap()
	for i := range m.keys {
		k, err := m.keys[i].eval(r)
		if err != nil {
			return nil, err
		}
		key, err := v.key(r, k, true)
		if err != nil {
			return nil, err
		}
		x, err := m.values[i].eval(r)
		if err != nil {
			return nil, err
		}
		v.Put(key, x)
	}
	return v, nil
}

type not struct{ x expr }

func (n *not) eval(r *run) (any, error) {
	ok, err := r.holds(n.x)
	return !ok, err
}

type operator uint8

const (
	or operator = iota
	and
	equal
	unequal
	less
	atMost
	greater
	atLeast
	plus
	minus
	times
	divide
	modulo
)

type binary struct {
	op          operator
	left, right expr
}

func (b *binary) eval(r *run) (any, error) {
	if err := r.step(); err != nil {
		return nil, err
	}
	if b.op == or || b.op == and {
		ok, err := r.holds(b.left)
		if err != nil || ok == (b.op == or) {
			return ok, err
		}
		return r.holds(b.right)
	}
	x, err := b.left.eval(r)
	if err != nil {
		return nil, err
	}
	y, err := b.right.eval(r)
	if err != nil {
		return nil, err
	}
	switch b.op {
	case equal:
		return r.same(x, y)
	case unequal:
		same, err := r.same(x, y)
		return !same, err
	case less, atMost, greater, atLeast:
		c, ok := compare(x, y)
		switch b.op {
		case less:
			return ok && c < 0, nil
		case atMost:
			return ok && c <= 0, nil
		case greater:
			return ok && c > 0, nil
		}
		return ok && c >= 0, nil
	case plus:
		_, s1 := x.(string)
		_, s2 := y.(string)
		if s1 || s2 {
			a, err := r.str(x)
			if err != nil {
				return nil, err
			}
			c, err := r.str(y)
			if err != nil {
				return nil, err
			}
			return a + c, r.spend(len(a) + len(c))
		}
	}
	return arithmetic(b.op, x, y), nil
}

// holds tells whether a condition does. In Velocity only references, booleans and
// what computes a boolean ever do: no other constant and no arithmetic.
func (r *run) holds(cond expr) (bool, error) {
	switch x := cond.(type) {
	case *reference, *not:
	case *binary:
		if x.op >= plus {
			return false, nil
		}
	case constant:
		return x.v == true, nil
	default:
		return false, nil
	}
	v, err := cond.eval(r)
	return truth(v), err
}

// truth tells whether a value is taken for true: everything that is there is, but
// for the boolean false.
func truth(v any) bool {
	b, ok := v.(bool)
	return v != nil && (!ok || b)
}
