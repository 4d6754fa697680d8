// Package jsonpath is Jayway's JSONPath, as API Gateway has it: names, indexes,
// slices, unions, wildcards, descendants, filters and functions, but for append(),
// concat() and functions of several paths, which are errors. It reads values of
// package vtl.
// https://github.com/json-path/JsonPath
package jsonpath

import (
	"fmt"
	"strconv"
	"strings"
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
	fn     *function
}

// several tells whether the step may lead to several values; last says that it is
// the path's last, where several names make one object of them.
func (s *step) several(last bool) bool {
	return s.deep || s.all || s.slice != nil || s.filter != nil || len(s.index) > 1 || len(s.names) > 1 && !last
}

type slice struct{ from, to *int64 }

// Parse reads a path. A path without "$" begins at the root as well.
func Parse(s string) (*Path, error) {
	p := &parser{src: strings.TrimSpace(s)}
	if !p.take("$") && !p.take("@") && p.src != "" && p.src[0] != '[' {
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
			s.deep = true
			if p.pos < len(p.src) && p.src[p.pos] == '[' {
				p.pos++
				if err := p.bracket(&s); err != nil {
					return nil, err
				}
				break
			}
			if err := p.name(&s); err != nil {
				return nil, err
			}
		case p.take(".["), p.take("["):
			if err := p.bracket(&s); err != nil {
				return nil, err
			}
		case p.take("."):
			if err := p.name(&s); err != nil {
				return nil, err
			}
		default:
			return path.finish(), nil
		}
		path.steps = append(path.steps, s)
	}
	return path.finish(), nil
}

func (p *Path) finish() *Path {
	for i := range p.steps {
		p.several = p.several || p.steps[i].several(i == len(p.steps)-1)
	}
	return p
}

func (p *parser) name(s *step) error {
	if p.take("*") {
		s.all = true
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
	if p.take("(") {
		return p.function(n, s)
	}
	s.names = []string{n}
	return nil
}

func (p *parser) bracket(s *step) error {
	p.space()
	switch {
	case p.take("*"):
		s.all = true
	case p.take("?("):
		c, err := p.or()
		if err != nil {
			return err
		}
		s.filter = c
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
	default:
		if err := p.numbers(s); err != nil {
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

func (p *parser) numbers(s *step) error {
	n, err := p.number()
	if err != nil {
		return err
	}
	if p.take(":") {
		to, err := p.number()
		if err == nil && n == nil && to == nil {
			return p.fail("a slice has no bound")
		}
		if s.slice = (&slice{n, to}); err == nil && p.take(":") {
			_, err = p.number() // a width, which Jayway takes and does not heed
		}
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
		s.index = append(s.index, *n)
	}
	return nil
}
