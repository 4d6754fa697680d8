// Package jsonpath is the part of Jayway's JSONPath that API Gateway's users
// rely on: names, indexes, slices, unions, wildcards, descendants, filters and
// length(). It reads values of package vtl.
// https://github.com/json-path/JsonPath
package jsonpath

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/vtl"
)

// Path is a parsed path. It is safe for concurrent use.
type Path struct {
	steps []step
	// several says that the path may have several results, which are a list then.
	several bool
}

// limits of paths, and of what one may find.
const (
	maxDepth   = 50
	maxResults = 100_000
)

type step struct {
	deep   bool // ".."
	names  []string
	index  []int64
	all    bool
	slice  *slice
	filter condition
	length bool
}

type slice struct{ from, to *int64 }

// Parse reads a path. A path without "$" begins at the root as well.
func Parse(s string) (*Path, error) {
	p := &parser{src: strings.TrimSpace(s)}
	if !p.take("$") && p.src != "" && p.src[0] != '[' {
		p.src = "." + p.src
	}
	path, err := p.path()
	if err == nil && p.pos < len(p.src) {
		err = p.fail("%.20q is not expected", p.src[p.pos:])
	}
	return path, err
}

type parser struct {
	src   string
	pos   int
	depth int
}

func (p *parser) fail(format string, args ...any) error {
	return fmt.Errorf("the JSONPath %q: %s", p.src, fmt.Sprintf(format, args...))
}

func (p *parser) take(s string) bool {
	if strings.HasPrefix(p.src[p.pos:], s) {
		p.pos += len(s)
		return true
	}
	return false
}

func (p *parser) space() {
	for p.take(" ") {
	}
}

func (p *parser) path() (*Path, error) {
	path := &Path{}
	for p.pos < len(p.src) {
		var s step
		switch {
		case p.take(".."):
			s.deep, path.several = true, true
			if p.pos < len(p.src) && p.src[p.pos] == '[' {
				p.pos++
				if err := p.bracket(&s, path); err != nil {
					return nil, err
				}
				break
			}
			if err := p.name(&s, path); err != nil {
				return nil, err
			}
		case p.take("."):
			if err := p.name(&s, path); err != nil {
				return nil, err
			}
		case p.take("["):
			if err := p.bracket(&s, path); err != nil {
				return nil, err
			}
		default:
			return path, nil
		}
		path.steps = append(path.steps, s)
	}
	return path, nil
}

func (p *parser) name(s *step, path *Path) error {
	if p.take("*") {
		s.all, path.several = true, true
		return nil
	}
	i := p.pos
	for i < len(p.src) && strings.IndexByte(".[]()=!<>&|, ", p.src[i]) < 0 {
		i++
	}
	n := p.src[p.pos:i]
	if n == "" {
		return p.fail("a name is missing")
	}
	p.pos = i
	if (n == "length" || n == "size") && p.take("()") {
		s.length = true
		return nil
	}
	s.names = []string{n}
	return nil
}

func (p *parser) bracket(s *step, path *Path) error {
	p.space()
	switch {
	case p.take("*"):
		s.all, path.several = true, true
	case p.take("?("):
		c, err := p.or()
		if err != nil {
			return err
		}
		s.filter, path.several = c, true
		if p.space(); !p.take(")") {
			return p.fail("a filter has no end")
		}
	case p.pos < len(p.src) && (p.src[p.pos] == '\'' || p.src[p.pos] == '"'):
		for {
			n, err := p.quoted()
			if err != nil {
				return err
			}
			s.names = append(s.names, n)
			if p.space(); !p.take(",") {
				break
			}
			p.space()
		}
		path.several = path.several || len(s.names) > 1
	default:
		if err := p.numbers(s, path); err != nil {
			return err
		}
	}
	if p.space(); !p.take("]") {
		return p.fail("a bracket has no end")
	}
	return nil
}

func (p *parser) quoted() (string, error) {
	if p.pos == len(p.src) || p.src[p.pos] != '\'' && p.src[p.pos] != '"' {
		return "", p.fail("a quotation mark is missing")
	}
	mark := p.src[p.pos]
	var b strings.Builder
	for i := p.pos + 1; i < len(p.src); i++ {
		switch c := p.src[i]; {
		case c == '\\' && i+1 < len(p.src):
			i++
			b.WriteByte(p.src[i])
		case c == mark:
			p.pos = i + 1
			return b.String(), nil
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail("a string has no end")
}

func (p *parser) number() (*int64, error) {
	p.space()
	i := p.pos
	for i < len(p.src) && (p.src[i] >= '0' && p.src[i] <= '9' || p.src[i] == '-') {
		i++
	}
	if i == p.pos {
		return nil, nil
	}
	n, err := strconv.ParseInt(p.src[p.pos:i], 10, 32)
	if err != nil {
		return nil, p.fail("%q is no index", p.src[p.pos:i])
	}
	p.pos = i
	p.space()
	return &n, nil
}

func (p *parser) numbers(s *step, path *Path) error {
	n, err := p.number()
	if err != nil {
		return err
	}
	if p.take(":") {
		to, err := p.number()
		s.slice, path.several = &slice{n, to}, true
		return err
	}
	if n == nil {
		return p.fail("an index is missing")
	}
	s.index = []int64{*n}
	for p.take(",") {
		if n, err = p.number(); err != nil {
			return err
		}
		if n == nil {
			return p.fail("an index is missing")
		}
		s.index, path.several = append(s.index, *n), true
	}
	return nil
}

// Find returns what the path leads to: for a path that may have several results
// a list of them. ok is false if there is nothing.
func (p *Path) Find(root any) (v any, ok bool) {
	f := &finder{root: root}
	found := f.walk(p, root)
	if p.several {
		if found == nil {
			found = []any{}
		}
		return &vtl.List{Items: found}, true
	}
	if len(found) == 0 {
		return nil, false
	}
	return found[0], true
}

type finder struct {
	root any
	work int // that was done, in values looked at
}

func (f *finder) walk(p *Path, from any) []any {
	at := []any{from}
	for i := range p.steps {
		s := &p.steps[i]
		var next []any
		for _, v := range at {
			if s.deep {
				f.descend(s, v, &next, 0)
			} else {
				f.step(s, v, &next)
			}
		}
		at = next
	}
	return at
}

func (f *finder) descend(s *step, v any, out *[]any, depth int) {
	if depth > 500 || f.work > maxResults {
		return
	}
	f.step(s, v, out)
	switch v := v.(type) {
	case *vtl.List:
		for _, x := range v.Items {
			f.descend(s, x, out, depth+1)
		}
	case *vtl.Map:
		for _, k := range v.Keys() {
			x, _ := v.Get(k)
			f.descend(s, x, out, depth+1)
		}
	}
}

func (f *finder) step(s *step, v any, out *[]any) {
	if f.work++; f.work > maxResults {
		return
	}
	switch v := v.(type) {
	case *vtl.Map:
		switch {
		case s.length:
			*out = append(*out, int64(v.Len()))
		case s.all:
			for _, k := range v.Keys() {
				x, _ := v.Get(k)
				*out = append(*out, x)
			}
			f.work += v.Len()
		case s.filter != nil:
			if s.deep {
				return
			}
			if s.filter.holds(f, v) {
				*out = append(*out, v)
			}
		case len(s.names) == 1:
			if x, ok := v.Get(s.names[0]); ok {
				*out = append(*out, x)
			}
		case len(s.names) > 1: // those names of the object as one
			m := vtl.NewMap()
			for _, n := range s.names {
				if x, ok := v.Get(n); ok {
					m.Put(n, x)
				}
			}
			*out = append(*out, m)
		}
	case *vtl.List:
		f.list(s, v.Items, out)
	case string:
		if s.length {
			*out = append(*out, int64(len([]rune(v))))
		}
	}
}

func (f *finder) list(s *step, items []any, out *[]any) {
	n := int64(len(items))
	switch {
	case s.length:
		*out = append(*out, n)
	case s.all:
		*out = append(*out, items...)
		f.work += len(items)
	case s.index != nil:
		for _, i := range s.index {
			if i < 0 {
				i += n
			}
			if i >= 0 && i < n {
				*out = append(*out, items[i])
			}
		}
	case s.slice != nil:
		bound := func(b *int64, otherwise int64) int64 {
			if b == nil {
				return otherwise
			}
			i := *b
			if i < 0 {
				i += n
			}
			return max(0, min(i, n))
		}
		if from, to := bound(s.slice.from, 0), bound(s.slice.to, n); from < to {
			*out = append(*out, items[from:to]...)
			f.work += int(to - from)
		}
	case s.filter != nil:
		for _, x := range items {
			if s.filter.holds(f, x) {
				*out = append(*out, x)
			}
		}
	}
}
