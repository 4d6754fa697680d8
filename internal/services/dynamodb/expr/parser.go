package expr

import (
	"strconv"
	"strings"
)

// The kinds of expression, as messages name them.
const (
	kindCondition    = "ConditionExpression"
	kindFilter       = "FilterExpression"
	kindKeyCondition = "KeyConditionExpression"
	kindUpdate       = "UpdateExpression"
	kindProjection   = "ProjectionExpression"
)

// parser reads one expression. Its methods return the bare text of what is
// wrong; the exported functions put the kind of expression before it.
type parser struct {
	src   string
	toks  []token
	at    int
	scope *Scope
	ops   int // operators and functions so far
}

func newParser(src string, scope *Scope) (*parser, error) {
	if len(src) > maxExpression {
		return nil, errorf("Expression size has exceeded the maximum allowed size; expression size: %d", len(src))
	}
	if strings.Trim(src, " \t\r\n") == "" {
		return nil, errorf("The expression can not be empty;")
	}
	return &parser{src: src, toks: scan(src), scope: scope}, nil
}

// invalid puts the kind of expression before an error.
func invalid(kind string, err error) error {
	if err == nil {
		return nil
	}
	return errorf("Invalid %s: %s", kind, err.Error())
}

func (p *parser) peek() token { return p.toks[p.at] }

func (p *parser) next() token {
	t := p.toks[p.at]
	if t.kind != tokEnd {
		p.at++
	}
	return t
}

func (p *parser) accept(punct string) bool {
	if p.peek().punct(punct) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(punct string) error {
	if !p.accept(punct) {
		return p.unexpected()
	}
	return nil
}

func (p *parser) keyword(word string) bool {
	if p.peek().is(word) {
		p.at++
		return true
	}
	return false
}

// unexpected is the error for the token that comes next.
func (p *parser) unexpected() error {
	t := p.peek()
	from, to := t.start, len(p.src)
	if p.at > 0 {
		from = p.toks[p.at-1].start
	}
	if p.at+1 < len(p.toks) {
		n := p.toks[p.at+1]
		if to = n.start; n.kind != tokEnd {
			to += len(n.text)
		}
	}
	return errorf("Syntax error; token: \"%s\", near: \"%s\"", t.text, strings.TrimSpace(p.src[from:to]))
}

// operator counts one operator or function against the limit.
func (p *parser) operator() error {
	if p.ops++; p.ops > maxOperators {
		return errorf("The expression contains too many operators; operator count: %d", p.ops)
	}
	return nil
}

// path reads a document path.
func (p *parser) path() (Path, error) {
	t := p.peek()
	if t.kind != tokWord && t.kind != tokName {
		return nil, p.unexpected()
	}
	p.at++
	name, err := p.attribute(t)
	if err != nil {
		return nil, err
	}
	path := Path{{name, -1}}
	for {
		switch {
		case p.accept("."):
			t := p.peek()
			if t.kind != tokWord && t.kind != tokName {
				return nil, p.unexpected()
			}
			p.at++
			name, err := p.attribute(t)
			if err != nil {
				return nil, err
			}
			path = append(path, step{name, -1})
		case p.accept("["):
			t := p.peek()
			if t.kind != tokInteger {
				return nil, p.unexpected()
			}
			index, err := strconv.ParseInt(t.text, 10, 32)
			if err != nil {
				return nil, errorf("List index is not within the allowable range; index: [%s]", t.text)
			}
			p.at++
			if err := p.expect("]"); err != nil {
				return nil, err
			}
			path = append(path, step{index: int(index)})
		default:
			if len(path) > MaxDepth {
				return nil, errorf("The document path has too many nesting elements; nesting levels: %d", len(path))
			}
			return path, nil
		}
	}
}

func (p *parser) attribute(t token) (string, error) {
	if t.kind == tokName {
		return p.scope.name(t.text)
	}
	if Reserved(t.text) {
		return "", errorf("Attribute name is a reserved keyword; reserved keyword: %s", t.text)
	}
	return t.text, nil
}

// Projection reads a projection expression.
func (s *Scope) Projection(src string) (*Projection, error) {
	p, err := newParser(src, s)
	if err != nil {
		return nil, invalid(kindProjection, err)
	}
	var out Projection
	for {
		path, err := p.path()
		if err != nil {
			return nil, invalid(kindProjection, err)
		}
		out.Paths = append(out.Paths, path)
		if !p.accept(",") {
			break
		}
	}
	if p.peek().kind != tokEnd {
		return nil, invalid(kindProjection, p.unexpected())
	}
	return &out, invalid(kindProjection, disjoint(out.Paths))
}
