package pattern

import (
	"errors"
	"strconv"
	"strings"
)

// column is one entry of a field pattern: a name and what the field has to pass.
type column struct {
	name string
	test test // nil: anything
}

// fieldPattern has columns before and after the ellipsis, if there is one.
type fieldPattern struct {
	head, tail []column
	ellipsis   bool
}

func compileFields(s string) (*Pattern, error) {
	l := lexer{in: s, pos: 1}
	var p fieldPattern
	for {
		if l.take("...") {
			if p.ellipsis {
				return nil, errors.New("a pattern has at most one ellipsis")
			}
			p.ellipsis = true
		} else {
			c, err := l.column()
			if err != nil {
				return nil, err
			}
			if p.ellipsis {
				p.tail = append(p.tail, c)
			} else {
				p.head = append(p.head, c)
			}
		}
		if l.take("]") {
			break
		}
		if err := l.expect(","); err != nil {
			return nil, err
		}
	}
	if l.space(); !l.end() {
		return nil, l.unexpected("nothing may follow the closing bracket")
	}
	return &Pattern{match: p.match, extract: p.extract}, nil
}

const fieldStop = " \t\r\n,]()&|=!<>"

// column reads "name", "name = value" or "name = a || name = b && …".
func (l *lexer) column() (column, error) {
	l.space()
	var c column
	if l.peek() == '(' || strings.IndexByte("=!<>", l.peek()) < 0 || l.end() {
		start := l.pos
		paren := l.take("(")
		name, k, err := l.word(fieldStop)
		if err != nil || k != plain || name == "" {
			return c, l.unexpected("expected the name of a field")
		}
		c.name = name
		l.space()
		if !paren && l.operatorAhead() == "" {
			return c, nil
		}
		l.pos = start
	}
	t, err := l.fieldOr(c.name)
	c.test = t
	return c, err
}

func (l *lexer) operatorAhead() string {
	at := l.pos
	defer func() { l.pos = at }()
	return l.operator()
}

func (l *lexer) fieldOr(name string) (test, error) {
	left, err := l.fieldAnd(name)
	for err == nil && l.take("||") {
		var right test
		a := left
		if right, err = l.fieldAnd(name); err == nil {
			left = func(s string) bool { return a(s) || right(s) }
		}
	}
	return left, err
}

func (l *lexer) fieldAnd(name string) (test, error) {
	left, err := l.fieldPrimary(name)
	for err == nil && l.take("&&") {
		var right test
		a := left
		if right, err = l.fieldPrimary(name); err == nil {
			left = func(s string) bool { return a(s) && right(s) }
		}
	}
	return left, err
}

func (l *lexer) fieldPrimary(name string) (test, error) {
	if l.take("(") {
		if l.depth++; l.depth > maxDepth {
			return nil, errors.New("the parentheses are nested too deeply")
		}
		t, err := l.fieldOr(name)
		if err != nil {
			return nil, err
		}
		l.depth--
		return t, l.expect(")")
	}
	l.space()
	if l.operatorAhead() == "" {
		if word, _, err := l.word(fieldStop); err != nil || word != name {
			return nil, l.unexpected("expected a condition on " + strconv.Quote(name))
		}
	}
	op := l.operator()
	if op == "" {
		return nil, l.unexpected("expected a comparison")
	}
	return l.comparison(op, " \t\r\n,]()&|")
}

func (p *fieldPattern) match(m string) bool {
	head, tail, ok := p.assign(split(m))
	return ok && pass(p.head, head) && pass(p.tail, tail)
}

// assign gives each column its field.
func (p *fieldPattern) assign(f []string) (head, tail []string, ok bool) {
	n := len(p.head) + len(p.tail)
	if len(f) < n || len(f) > n && !p.ellipsis {
		return nil, nil, false
	}
	return f[:len(p.head)], f[len(f)-len(p.tail):], true
}

func pass(columns []column, values []string) bool {
	for i, c := range columns {
		if c.test != nil && !c.test(values[i]) {
			return false
		}
	}
	return true
}

func (p *fieldPattern) extract(m string) map[string]string {
	f := split(m)
	head, tail, ok := p.assign(f)
	if !ok {
		return nil
	}
	out := map[string]string{}
	add := func(at int, columns []column, values []string) {
		for i, c := range columns {
			if c.name != "" {
				out["$"+c.name] = values[i]
			} else {
				out["$"+strconv.Itoa(at+i+1)] = values[i]
			}
		}
	}
	add(0, p.head, head)
	add(len(f)-len(tail), p.tail, tail)
	return out
}

// split takes a message apart at spaces; what stands in quotation marks or in
// square brackets is one field, without them.
func split(m string) []string {
	var out []string
	for i := 0; i < len(m); {
		switch c := m[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
			continue
		case '"', '[':
			closing := byte('"')
			if c == '[' {
				closing = ']'
			}
			if j := strings.IndexByte(m[i+1:], closing); j >= 0 {
				out = append(out, m[i+1:i+1+j])
				i += j + 2
				continue
			}
		}
		j := strings.IndexAny(m[i:], " \t\n\r")
		if j < 0 {
			j = len(m) - i
		}
		out = append(out, m[i:i+j])
		i += j
	}
	return out
}
