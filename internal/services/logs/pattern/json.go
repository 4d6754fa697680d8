package pattern

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// condition decides about a decoded JSON object.
type condition func(doc any) bool

// maxDepth bounds the nesting of parentheses.
const maxDepth = 64

func compileJSON(s string) (*Pattern, error) {
	p := jsonParser{lexer: lexer{in: s, pos: 1}}
	cond, err := p.or()
	if err != nil {
		return nil, err
	}
	if err := p.expect("}"); err != nil {
		return nil, err
	}
	if p.space(); !p.end() {
		return nil, p.unexpected("nothing may follow the closing brace")
	}
	return &Pattern{
		match: func(m string) bool {
			doc, ok := object(m)
			return ok && cond(doc)
		},
		extract: func(m string) map[string]string {
			doc, ok := object(m)
			if !ok {
				return nil
			}
			out := map[string]string{}
			for _, sel := range p.selectors {
				if v, ok := sel.in(doc); ok {
					out[sel.text] = text(v)
				}
			}
			return out
		},
	}, nil
}

// object decodes a message that is a JSON object; numbers keep their digits.
func object(m string) (any, bool) {
	m = strings.TrimSpace(m)
	if !strings.HasPrefix(m, "{") {
		return nil, false
	}
	var doc map[string]any
	dec := json.NewDecoder(strings.NewReader(m))
	dec.UseNumber()
	if dec.Decode(&doc) != nil || dec.More() {
		return nil, false
	}
	return doc, true
}

type jsonParser struct {
	lexer
	selectors []selector
}

func (p *jsonParser) or() (condition, error) {
	left, err := p.and()
	for err == nil && p.take("||") {
		var right condition
		l := left
		if right, err = p.and(); err == nil {
			left = func(doc any) bool { return l(doc) || right(doc) }
		}
	}
	return left, err
}

func (p *jsonParser) and() (condition, error) {
	left, err := p.primary()
	for err == nil && p.take("&&") {
		var right condition
		l := left
		if right, err = p.primary(); err == nil {
			left = func(doc any) bool { return l(doc) && right(doc) }
		}
	}
	return left, err
}

func (p *jsonParser) primary() (condition, error) {
	if p.take("(") {
		if p.depth++; p.depth > maxDepth {
			return nil, errors.New("the parentheses are nested too deeply")
		}
		c, err := p.or()
		if err != nil {
			return nil, err
		}
		p.depth--
		return c, p.expect(")")
	}
	sel, err := p.selector()
	if err != nil {
		return nil, err
	}
	p.selectors = append(p.selectors, sel)
	switch {
	case p.takeWord("NOT"):
		if !p.takeWord("EXISTS") {
			return nil, p.unexpected("expected EXISTS")
		}
		return func(doc any) bool { _, ok := sel.in(doc); return !ok }, nil
	case p.takeWord("EXISTS"):
		return func(doc any) bool { _, ok := sel.in(doc); return ok }, nil
	case p.takeWord("IS"):
		return p.is(sel)
	}
	op := p.operator()
	if op == "" {
		return nil, p.unexpected("expected a comparison")
	}
	holds, err := p.comparison(op, " \t\r\n()&|}")
	if err != nil {
		return nil, err
	}
	return func(doc any) bool {
		return sel.some(doc, func(v any) bool {
			switch v.(type) {
			case nil, map[string]any, []any:
				return false
			}
			return holds(text(v))
		})
	}, nil
}

func (p *jsonParser) is(sel selector) (condition, error) {
	var want any
	switch {
	case p.takeWord("NULL"):
	case p.takeWord("TRUE"):
		want = true
	case p.takeWord("FALSE"):
		want = false
	default:
		return nil, p.unexpected("expected NULL, TRUE or FALSE")
	}
	return func(doc any) bool {
		return sel.some(doc, func(v any) bool {
			switch v.(type) {
			case nil, bool:
				return v == want
			}
			return false
		})
	}, nil
}

// selector is $.a.b[0]['c d'][*].
type selector struct {
	text  string
	steps []step
}

type step struct {
	name  string
	index int // of an array: used if name is "" and not all
	all   bool
}

func (p *jsonParser) selector() (selector, error) {
	p.space()
	start := p.pos
	if !p.take("$") {
		return selector{}, p.unexpected("expected a property selector such as $.name")
	}
	var s selector
	for {
		switch p.peek() {
		case '.':
			p.pos++
			if p.peek() == '[' { // $.['name']
				continue
			}
			name := p.name()
			if name == "" {
				return s, p.unexpected("expected a name")
			}
			s.steps = append(s.steps, step{name: name})
		case '[':
			p.pos++
			st, err := p.bracket()
			if err != nil {
				return s, err
			}
			s.steps = append(s.steps, st)
		default:
			if len(s.steps) == 0 {
				return s, p.unexpected("expected a property selector such as $.name")
			}
			s.text = p.in[start:p.pos]
			return s, nil
		}
	}
}

func (p *jsonParser) name() string {
	start := p.pos
	for !p.end() && strings.IndexByte(" \t\r\n.[]()=!<>&|{}\"'", p.in[p.pos]) < 0 {
		p.pos++
	}
	return p.in[start:p.pos]
}

func (p *jsonParser) bracket() (step, error) {
	switch c := p.peek(); {
	case c == '*':
		p.pos++
		return step{all: true}, p.expect("]")
	case c == '\'' || c == '"':
		i := strings.IndexByte(p.in[p.pos+1:], c)
		if i < 1 {
			return step{}, p.unexpected("expected a quoted name")
		}
		name := p.in[p.pos+1 : p.pos+1+i]
		p.pos += i + 2
		return step{name: name}, p.expect("]")
	}
	start := p.pos
	for !p.end() && p.in[p.pos] >= '0' && p.in[p.pos] <= '9' {
		p.pos++
	}
	n, err := strconv.Atoi(p.in[start:p.pos])
	if err != nil {
		return step{}, p.unexpected("expected an index")
	}
	return step{index: n}, p.expect("]")
}

// in returns the first value that the selector stands for.
func (s *selector) in(doc any) (v any, ok bool) {
	s.some(doc, func(x any) bool { v, ok = x, true; return true })
	return v, ok
}

// some reports whether f holds for a value that the selector stands for.
func (s *selector) some(doc any, f func(any) bool) bool { return walk(doc, s.steps, f) }

func walk(v any, steps []step, f func(any) bool) bool {
	if len(steps) == 0 {
		return f(v)
	}
	st, rest := steps[0], steps[1:]
	if st.name != "" {
		m, _ := v.(map[string]any)
		x, ok := m[st.name]
		return ok && walk(x, rest, f)
	}
	list, _ := v.([]any)
	if st.all {
		for _, x := range list {
			if walk(x, rest, f) {
				return true
			}
		}
		return false
	}
	return st.index < len(list) && walk(list[st.index], rest, f)
}

// text is a value as comparisons and extractions see it.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case nil:
		return "null"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
