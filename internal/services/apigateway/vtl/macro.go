package vtl

import (
	"errors"
	"fmt"
)

type macro struct {
	name   string
	params []string
	body   []node
}

// maxCalls is how deeply macros may call each other, as in Velocity.
const maxCalls = 20

// frame is a call of a macro. Arguments are computed whenever they are used.
type frame struct {
	of    *macro
	call  *invoke
	outer *frame // of the macro that calls
	depth int
	// local are values that hide arguments: those that were computed at the call,
	// and what was set since.
	local map[string]any
}

// lookup returns an argument, or what hides it; ok is false if there is none.
func (f *frame) lookup(r *run, name string) (v any, ok bool, err error) {
	for ; f != nil; f = f.outer {
		if v := f.local[name]; v != nil {
			return v, true, nil
		}
		for i, p := range f.of.params {
			if p == name && i < len(f.call.args) {
				v, err := f.argument(r, f.call.args[i])
				return v, true, err
			}
		}
	}
	return nil, false, nil
}

// argument computes an argument where the macro is called.
func (f *frame) argument(r *run, a expr) (any, error) {
	if err := r.step(); err != nil {
		return nil, err
	}
	inner := r.frame
	r.frame = f.outer
	defer func() { r.frame = inner }()
	if ref, ok := a.(*reference); ok && len(ref.steps) == 0 && ref.otherwise == nil {
		return r.lookup(ref.name) // a block stays one
	}
	return a.eval(r)
}

// invoke calls a macro.
type invoke struct {
	name  string
	args  []expr
	block bool // body is a block to call it with
	body  []node
	raw   string // how it reads
}

func (c *invoke) render(r *run) error {
	m := r.t.macros[c.name]
	if m == nil {
		m = r.macros[c.name]
	}
	if m == nil { // it is text
		return r.print(c.raw)
	}
	f := &frame{of: m, call: c, outer: r.frame, depth: 1}
	if f.outer != nil {
		f.depth += f.outer.depth
	}
	if r.depth++; r.depth > maxDepth || f.depth > maxCalls {
		return fmt.Errorf("%w: macros call each other too deeply", ErrLimit)
	}
	if c.block {
		f.local = map[string]any{"bodyContent": &define{"bodyContent", c.body}}
	}
	r.frame = f
	defer func() { r.frame = f.outer; r.depth-- }()
	if err := r.all(m.body); !errors.Is(err, errBreak) {
		return err
	}
	return nil
}
