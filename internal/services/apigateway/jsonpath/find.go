package jsonpath

import "github.com/tierra-cloud/tierra/internal/services/apigateway/vtl"

// Find returns what the path leads to: for a path that may have several results
// a list of them. ok is false if there is nothing.
func (p *Path) Find(root any) (v any, ok bool) {
	f := &finder{root: root}
	found, ok := f.walk(p, root)
	switch {
	case !ok:
		return nil, false
	case p.several:
		if found == nil {
			found = []any{}
		}
		return &vtl.List{Items: found, JSON: true}, true
	case len(found) == 0:
		return nil, false
	}
	return found[0], true
}

type finder struct {
	root any
	work int // that was done, in values looked at
}

// walk returns what a path leads to. ok is false if its beginning, as long as that
// leads to one value only, leads to none.
func (f *finder) walk(p *Path, from any) (found []any, ok bool) {
	at := []any{from}
	one := true
	for i := range p.steps {
		s := &p.steps[i]
		last := i == len(p.steps)-1
		var next []any
		for _, v := range at {
			switch {
			case one && !s.applies(v):
				return nil, false
			case s.deep:
				f.descend(s, v, &next, last, 0)
			default:
				f.step(s, v, &next, last)
			}
		}
		if s.fn != nil && len(next) == 0 && one {
			return nil, false
		}
		at, one = next, one && !s.several(last)
	}
	return at, true
}

// applies tells whether there is something for the step in a value.
func (s *step) applies(v any) bool {
	switch {
	case s.deep, s.all, s.fn != nil:
		return true
	case s.names != nil:
		m, ok := v.(*vtl.Map)
		if ok && len(s.names) == 1 {
			_, ok = m.Get(s.names[0])
		}
		return ok
	case s.filter != nil:
		if _, ok := v.(*vtl.Map); ok {
			return true
		}
	}
	_, ok := v.(*vtl.List)
	return ok
}

func (f *finder) descend(s *step, v any, out *[]any, last bool, depth int) {
	if depth > 500 || f.work > maxResults {
		return
	}
	f.step(s, v, out, last)
	switch v := v.(type) {
	case *vtl.List:
		for _, x := range v.Items {
			f.descend(s, x, out, last, depth+1)
		}
	case *vtl.Map:
		for _, k := range v.Keys() {
			x, _ := v.Get(k)
			f.descend(s, x, out, last, depth+1)
		}
	}
}

func (f *finder) step(s *step, v any, out *[]any, last bool) {
	if f.work++; f.work > maxResults {
		return
	}
	if s.fn != nil {
		if x, ok := s.fn.of(v); ok {
			*out = append(*out, x)
		}
		return
	}
	switch v := v.(type) {
	case *vtl.Map:
		switch {
		case s.all:
			for _, k := range v.Keys() {
				x, _ := v.Get(k)
				*out = append(*out, x)
			}
			f.work += v.Len()
		case s.filter != nil:
			if s.filter.holds(f, v) {
				*out = append(*out, v)
			}
		case s.names != nil:
			s.pick(v, out, last)
		}
	case *vtl.List:
		f.list(s, v.Items, out)
	}
}

// pick takes the entries that the step names: the last step of a path makes an
// object of several.
func (s *step) pick(m *vtl.Map, out *[]any, last bool) {
	var some *vtl.Map
	if last && len(s.names) > 1 {
		some = vtl.NewMap()
	}
	for _, n := range s.names {
		x, ok := m.Get(n)
		switch {
		case !ok && s.deep && some != nil:
			return // descendants have them all
		case ok && some != nil:
			some.Put(n, x)
		case ok:
			*out = append(*out, x)
		}
	}
	if some != nil {
		*out = append(*out, some)
	}
}

func (f *finder) list(s *step, items []any, out *[]any) {
	n := int64(len(items))
	one := func(i int64) {
		if i < 0 {
			i += n
		}
		if i >= 0 && i < n {
			*out = append(*out, items[i])
			f.work++
		}
	}
	switch {
	case s.all:
		*out = append(*out, items...)
		f.work += len(items)
	case s.index != nil:
		for _, i := range s.index {
			one(i)
		}
	case s.slice != nil:
		from, to := s.slice.bounds(n)
		for i := from; i < to; i++ {
			one(i)
		}
	case s.filter != nil && !s.deep: // descendants are asked one by one
		for _, x := range items {
			if s.filter.holds(f, x) {
				*out = append(*out, x)
			}
		}
	}
}

// bounds returns which of n entries a slice takes. With two bounds a negative first
// one counts on, through the end, from the beginning, as in Jayway.
func (s *slice) bounds(n int64) (from, to int64) {
	switch {
	case s.to == nil:
		if from = *s.from; from < 0 {
			from = max(0, from+n)
		}
		return from, n
	case s.from == nil:
		if to = *s.to; to < 0 {
			to += n
		}
		return 0, min(to, n)
	}
	return max(*s.from, -n), min(*s.to, n)
}
