package jsonpath

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/vtl"
)

// condition is a filter's: @ is the value that it is asked about.
type condition interface{ holds(f *finder, at any) bool }

type logical struct {
	or   bool
	x, y condition
}

func (l logical) holds(f *finder, at any) bool {
	if l.x.holds(f, at) == l.or {
		return l.or
	}
	return l.y.holds(f, at)
}

type negation struct{ x condition }

func (n negation) holds(f *finder, at any) bool { return !n.x.holds(f, at) }

// operand is a constant or a path.
type operand struct {
	v    any
	path *Path
	here bool // the path begins at @
}

func (o *operand) value(f *finder, at any) (any, bool) {
	if o.path == nil {
		return o.v, true
	}
	from := f.root
	if o.here {
		from = at
	}
	found, ok := f.walk(o.path, from)
	switch {
	case !ok:
		return nil, false
	case o.path.several:
		return &vtl.List{Items: found}, len(found) > 0
	case len(found) == 0:
		return nil, false
	}
	return found[0], true
}

type exists struct{ o *operand }

func (e exists) holds(f *finder, at any) bool { _, ok := e.o.value(f, at); return ok }

type comparison struct {
	op   string
	x, y *operand
	re   *regexp.Regexp
}

func (c comparison) holds(f *finder, at any) bool {
	x, ok1 := c.x.value(f, at)
	if c.re != nil {
		s, ok := x.(string)
		if _, number := float(x); number {
			s, ok = vtl.String(x), true
		}
		return ok && c.re.MatchString(s)
	}
	y, ok2 := c.y.value(f, at)
	switch c.op {
	case "==":
		return ok1 == ok2 && same(x, y)
	case "!=":
		return ok1 != ok2 || !same(x, y)
	case "===":
		return ok1 == ok2 && fmt.Sprintf("%T", x) == fmt.Sprintf("%T", y) && same(x, y)
	case "!==":
		return ok1 != ok2 || fmt.Sprintf("%T", x) != fmt.Sprintf("%T", y) || !same(x, y)
	case "in":
		return ok1 && within(x, y)
	case "nin":
		return ok1 && !within(x, y)
	case "contains":
		if s, ok := x.(string); ok {
			t, ok := y.(string)
			return ok && strings.Contains(s, t)
		}
		return within(y, x)
	case "size":
		n, ok := size(x)
		return ok && same(n, y)
	case "empty":
		n, ok := size(x)
		return ok && (n == 0) == (y == true)
	case "subsetof", "anyof", "noneof", "all":
		return ok1 && c.sets(x, y)
	}
	n, known := order(x, y)
	switch {
	case !known:
		return false
	case c.op == "<":
		return n < 0
	case c.op == "<=":
		return n <= 0
	case c.op == ">":
		return n > 0
	}
	return n >= 0
}

// sets compares two lists as sets.
func (c comparison) sets(x, y any) bool {
	a, ok1 := x.(*vtl.List)
	b, ok2 := y.(*vtl.List)
	if !ok1 || !ok2 {
		return false
	}
	if c.op == "all" { // of the right are in the left
		a, b = b, a
	}
	n := 0
	for _, v := range a.Items {
		if within(v, b) {
			n++
		}
	}
	switch c.op {
	case "anyof":
		return n > 0
	case "noneof":
		return n == 0
	}
	return n == len(a.Items)
}

func within(x, list any) bool {
	l, _ := list.(*vtl.List)
	return l != nil && slices.ContainsFunc(l.Items, func(y any) bool { return same(x, y) })
}

func size(v any) (int64, bool) {
	switch v := v.(type) {
	case string:
		return int64(utf8.RuneCountInString(v)), true
	case *vtl.List:
		return int64(len(v.Items)), true
	}
	return 0, false
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func order(x, y any) (int, bool) {
	a, ok1 := float(x)
	b, ok2 := float(y)
	if ok1 && ok2 {
		switch {
		case a < b:
			return -1, true
		case a > b:
			return 1, true
		}
		return 0, true
	}
	s, ok1 := x.(string)
	t, ok2 := y.(string)
	return strings.Compare(s, t), ok1 && ok2
}

func same(x, y any) bool {
	if n, ok := order(x, y); ok {
		return n == 0
	}
	for range 2 { // a string that reads as a number is one
		if s, ok := y.(string); ok {
			if a, ok := float(x); ok {
				b, err := strconv.ParseFloat(s, 64)
				return err == nil && a == b
			}
		}
		x, y = y, x
	}
	switch x.(type) {
	case *vtl.List, *vtl.Map:
		a, err := vtl.AppendJSON(nil, x)
		if err != nil {
			return false
		}
		b, err := vtl.AppendJSON(nil, y)
		return err == nil && string(a) == string(b)
	}
	switch y.(type) {
	case *vtl.List, *vtl.Map:
		return false
	}
	return x == y
}

var operators = []string{
	"===", "!==", "==", "!=", "<=", ">=", "<", ">", "=~", "in", "nin", "contains", "size", "empty", "subsetof", "anyof", "noneof", "all",
}

// takeOperator takes an operator; words need a space or a bracket after them.
func (p *parser) takeOperator(op string) bool {
	if op[0] < 'a' {
		return p.take(op)
	}
	rest := p.src[p.pos:]
	if len(rest) <= len(op) || !strings.EqualFold(rest[:len(op)], op) || strings.IndexByte(" ['\"$@", rest[len(op)]) < 0 {
		return false
	}
	p.pos += len(op)
	return true
}

func (p *parser) or() (condition, error)  { return p.joined("||", true, p.and) }
func (p *parser) and() (condition, error) { return p.joined("&&", false, p.not) }

func (p *parser) joined(sign string, or bool, next func() (condition, error)) (condition, error) {
	x, err := next()
	for err == nil {
		if p.space(); !p.take(sign) {
			return x, nil
		}
		var y condition
		if y, err = next(); err == nil {
			x = logical{or, x, y}
		}
	}
	return nil, err
}

func (p *parser) not() (condition, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("it is nested too deeply")
	}
	defer func() { p.depth-- }()
	p.space()
	switch {
	case p.take("!"):
		x, err := p.not()
		return negation{x}, err
	case p.take("("):
		x, err := p.or()
		if err != nil {
			return nil, err
		}
		if p.space(); !p.take(")") {
			return nil, p.fail("a parenthesis has no end")
		}
		return x, nil
	}
	x, err := p.operand()
	if err != nil {
		return nil, err
	}
	p.space()
	for _, op := range operators {
		if !p.takeOperator(op) {
			continue
		}
		c := comparison{op: op, x: x}
		p.space()
		if op == "=~" {
			c.re, err = p.regexp()
			return c, err
		}
		c.y, err = p.operand()
		return c, err
	}
	return exists{x}, nil
}

func (p *parser) regexp() (*regexp.Regexp, error) {
	if !p.take("/") {
		return nil, p.fail("a regular expression is missing")
	}
	end := strings.IndexByte(p.src[p.pos:], '/')
	if end < 0 {
		return nil, p.fail("a regular expression has no end")
	}
	text, err := vtl.Pattern(p.src[p.pos : p.pos+end])
	if err != nil {
		return nil, err
	}
	p.pos += end + 1
	text = `\A(?:` + text + `)\z`
	if p.take("i") {
		text = "(?i)" + text
	}
	return regexp.Compile(text)
}

func (p *parser) operand() (*operand, error) {
	p.space()
	here := p.take("@")
	if here || p.take("$") {
		if p.depth++; p.depth > maxDepth {
			return nil, p.fail("it is nested too deeply")
		}
		defer func() { p.depth-- }()
		path, err := p.path()
		return &operand{path: path, here: here}, err
	}
	if p.pos == len(p.src) {
		return nil, p.fail("a value is missing")
	}
	switch c := p.src[p.pos]; {
	case c == '\'' || c == '"':
		s, err := p.quoted()
		return &operand{v: s}, err
	case p.take("true"):
		return &operand{v: true}, nil
	case p.take("false"):
		return &operand{v: false}, nil
	case p.take("null"):
		return &operand{}, nil
	case c == '[':
		p.pos++
		l := &vtl.List{}
		for {
			if p.space(); p.take("]") {
				return &operand{v: l}, nil
			}
			if len(l.Items) > 0 && !p.take(",") {
				return nil, p.fail("a list has no end")
			}
			if p.space(); p.pos < len(p.src) && strings.IndexByte("[@$", p.src[p.pos]) >= 0 {
				return nil, p.fail("a list holds constants only")
			}
			x, err := p.operand()
			if err != nil {
				return nil, err
			}
			l.Items = append(l.Items, x.v)
		}
	}
	i := p.pos
	for i < len(p.src) && strings.IndexByte("+-.eE0123456789", p.src[i]) >= 0 {
		i++
	}
	text := p.src[p.pos:i]
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		p.pos = i
		return &operand{v: n}, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, p.fail("%.20q is no value", p.src[p.pos:])
	}
	p.pos = i
	return &operand{v: n}, nil
}
