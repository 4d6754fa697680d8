package vtl

import (
	"errors"
	"fmt"
)

// node is a part of a template that prints something.
type node interface{ render(r *run) error }

// expr is a part that has a value.
type expr interface{ eval(r *run) (any, error) }

// run is one rendering.
type run struct {
	t     *Template
	scope Scope
	vars  map[string]any
	out   []byte
	base  int // where the output begins
	left  Limits
	depth int
	loop  *loop
	frame *frame // of the macro that runs
	// macros are those that #evaluate added.
	macros map[string]*macro
}

var (
	errStop  = errors.New("#stop")
	errBreak = errors.New("#break")
)

// step counts a node.
func (r *run) step() error {
	if r.left.Steps--; r.left.Steps < 0 {
		return fmt.Errorf("%w: too many steps", ErrLimit)
	}
	return r.spend(0)
}

// spend counts memory.
func (r *run) spend(n int) error {
	if r.left.Memory -= n; r.left.Memory < 0 {
		return fmt.Errorf("%w: too much memory", ErrLimit)
	}
	return nil
}

func (r *run) print(s string) error {
	if len(r.out)-r.base+len(s) > r.left.Output {
		return fmt.Errorf("%w: more than %d bytes of output", ErrLimit, r.left.Output)
	}
	r.out = append(r.out, s...)
	return nil
}

func (r *run) all(nodes []node) error {
	for _, n := range nodes {
		if err := r.step(); err != nil {
			return err
		}
		if err := n.render(r); err != nil {
			return err
		}
	}
	return nil
}

// capture renders nodes to a string.
func (r *run) capture(nodes []node) (string, error) {
	if r.depth++; r.depth > maxDepth {
		return "", fmt.Errorf("%w: nested too deeply", ErrLimit)
	}
	defer func() { r.depth-- }()
	start := len(r.out)
	err := r.all(nodes)
	s := string(r.out[start:])
	r.out = r.out[:start]
	if err == nil {
		err = r.spend(len(s))
	}
	return s, err
}

func (r *run) lookup(name string) (any, error) {
	if r.frame != nil {
		if v, ok, err := r.frame.lookup(r, name); ok {
			return v, err
		}
	}
	if v, ok := r.vars[name]; ok {
		return v, nil
	}
	if r.loop != nil {
		switch name {
		case "foreach":
			return r.loop, nil
		case "velocityCount":
			return int64(r.loop.index + 1), nil
		case "velocityHasNext":
			return r.loop.hasNext(), nil
		}
	}
	v, _ := r.scope.Lookup(name)
	return v, nil
}

// assign sets a variable of the template, which hides the arguments of that name
// in the macros that run.
func (r *run) assign(name string, v any) {
	for f := r.frame; f != nil; f = f.outer {
		if f.local == nil {
			f.local = map[string]any{}
		}
		f.local[name] = v
	}
	if r.vars == nil {
		r.vars = map[string]any{}
	}
	r.vars[name] = v
}

// unset removes a variable of the template.
func (r *run) unset(name string) {
	delete(r.vars, name)
	for f := r.frame; f != nil; f = f.outer {
		delete(f.local, name)
	}
}

// text prints itself.
type text string

func (t text) render(r *run) error { return r.print(string(t)) }

// signal ends a loop or the template.
type signal struct{ err error }

func (s signal) render(*run) error { return s.err }

type set struct {
	to *reference // nil sets nothing
	v  expr
}

func (s *set) render(r *run) error {
	v, err := s.v.eval(r)
	if err != nil || v == nil || s.to == nil { // nothing, as of 1 / 0, is not set
		return err
	}
	return s.to.assign(r, v)
}

type branch struct {
	conds     []expr
	blocks    [][]node
	otherwise []node
}

func (b *branch) render(r *run) error {
	for i, c := range b.conds {
		ok, err := r.holds(c)
		if err != nil {
			return err
		}
		if ok {
			return r.all(b.blocks[i])
		}
	}
	return r.all(b.otherwise)
}

type foreach struct {
	name string
	over expr
	body []node
}

// loop is $foreach.
type loop struct {
	parent *loop
	index  int
	items  []any
}

func (l *loop) hasNext() bool { return l.index+1 < len(l.items) }

// Property implements Object.
func (l *loop) Property(name string) any {
	switch name {
	case "index":
		return int64(l.index)
	case "count":
		return int64(l.index + 1)
	case "hasNext":
		return l.hasNext()
	case "first":
		return l.index == 0
	case "last":
		return !l.hasNext()
	case "parent":
		if l.parent != nil {
			return l.parent
		}
	case "topmost":
		for l.parent != nil {
			l = l.parent
		}
		return l
	}
	return nil
}

// Call implements Object.
func (l *loop) Call(name string, args []any) (any, bool, error) {
	if len(args) != 0 {
		return nil, false, nil
	}
	switch name {
	case "getIndex", "getCount", "getHasNext", "hasNext", "isFirst", "isLast", "getParent":
		for _, p := range []string{"get", "is"} {
			if len(name) > len(p) && name[:len(p)] == p {
				name = string(name[len(p)]|0x20) + name[len(p)+1:]
				break
			}
		}
		return l.Property(name), true, nil
	}
	return nil, false, nil
}

// Set implements Object.
func (*loop) Set(string, any) bool { return false }

func (f *foreach) render(r *run) error {
	v, err := f.over.eval(r)
	if err != nil {
		return err
	}
	if m, ok := v.(Mapped); ok {
		v = m.Map()
	}
	var items []any
	size := func() int { return len(items) }
	switch v := v.(type) {
	case *List:
		if v.view != nil {
			v.refresh()
			size = v.view.of.Len
		} else {
			size = func() int { return len(v.Items) }
		}
		items = append(items, v.Items...) // a loop may change what it goes over
	case *Map:
		items, size = v.values(), v.Len
	case *iterator:
		items, v.next = v.items[v.next:], len(v.items)
	}
	if err := r.spend(16 * len(items)); err != nil {
		return err
	}
	if len(items) > r.left.Loop {
		return fmt.Errorf("%w: more than %d turns of a #foreach", ErrLimit, r.left.Loop)
	}
	if r.depth++; r.depth > maxDepth {
		return fmt.Errorf("%w: nested too deeply", ErrLimit)
	}
	outer := r.loop
	defer func() { r.loop = outer; r.depth-- }()
	l := &loop{parent: outer, items: items}
	was, err := r.lookup(f.name)
	if err != nil {
		return err
	}
	for i, x := range items {
		l.index, r.loop = i, l
		r.assign(f.name, x)
		if err = r.step(); err == nil {
			err = r.all(f.body)
		}
		if n := size(); err == nil && n != len(items) { // Java's iterators notice
			if l, ok := v.(*List); ok && l.view == nil && n == i+1 || (!ok || l.view != nil) && i+1 == len(items) {
				break
			}
			err = fmt.Errorf("#foreach: what $%s is taken from was changed on the way", f.name)
		}
		if err != nil {
			break
		}
	}
	if was != nil {
		r.assign(f.name, was)
	} else {
		r.unset(f.name)
	}
	if errors.Is(err, errBreak) {
		return nil
	}
	return err
}

// define makes a variable that renders a block whenever it is printed.
type define struct {
	name string
	body []node
}

func (d *define) render(r *run) error { r.assign(d.name, d); return nil }

type evaluate struct{ text expr }

func (e *evaluate) render(r *run) error {
	v, err := e.text.eval(r)
	if err != nil {
		return err
	}
	src, err := r.str(v)
	if err != nil {
		return err
	}
	// Compiling takes more than a node's time.
	if r.left.Steps -= len(src) / 8; r.left.Steps < 0 {
		return fmt.Errorf("%w: too many steps", ErrLimit)
	}
	if err := r.spend(16 * len(src)); err != nil {
		return err
	}
	t, err := Compile(src)
	if err != nil {
		return fmt.Errorf("#evaluate: %w", err)
	}
	for name, m := range t.macros {
		if r.macros == nil {
			r.macros = map[string]*macro{}
		}
		r.macros[name] = m
	}
	if r.depth++; r.depth > maxDepth {
		return fmt.Errorf("%w: nested too deeply", ErrLimit)
	}
	defer func() { r.depth-- }()
	if err := r.all(t.nodes); !errors.Is(err, errBreak) {
		return err
	}
	return nil
}
