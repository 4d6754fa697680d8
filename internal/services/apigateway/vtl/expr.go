package vtl

import (
	"math/big"
	"strconv"
	"strings"
)

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// space skips white space.
func (p *parser) space() {
	for p.pos < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.pos]) >= 0 {
		p.pos++
	}
}

func (p *parser) take(s string) bool {
	if strings.HasPrefix(p.src[p.pos:], s) {
		p.pos += len(s)
		return true
	}
	return false
}

// identifier reads a name, or "".
func (p *parser) identifier() string {
	i := p.pos
	for i < len(p.src) && (letter(p.src[i]) || p.src[i] == '_' || i > p.pos && (digit(p.src[i]) || p.src[i] == '-')) {
		i++
	}
	name := p.src[p.pos:i]
	p.pos = i
	return name
}

// reference reads a reference whose $ is next; nil, with no error, if what
// follows is none.
func (p *parser) reference() (*reference, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	start := p.pos
	p.pos++
	p.take("!") // a quiet reference prints as any other here
	formal := p.take("{")
	ref := &reference{name: p.identifier()}
	if ref.name == "" {
		p.pos = start
		return nil, nil
	}
	for p.pos < len(p.src) {
		before := p.pos
		switch p.src[p.pos] {
		case '.':
			p.pos++
			if p.pos == len(p.src) || !letter(p.src[p.pos]) {
				p.pos = before
				goto done
			}
			s := step{kind: property, name: p.identifier()}
			if p.take("(") {
				s.kind = method
				for !p.take(")") {
					if len(s.args) > 0 && !p.take(",") {
						return nil, p.fail("the arguments of %s have no end", s.name)
					}
					a, err := p.argument()
					if err != nil {
						return nil, err
					}
					s.args = append(s.args, a)
					p.space()
				}
			}
			ref.steps = append(ref.steps, s)
		case '[':
			p.pos++
			i, err := p.position()
			if err != nil {
				return nil, err
			}
			ref.steps = append(ref.steps, step{kind: index, args: []expr{i}})
		default:
			goto done
		}
	}
done:
	if formal {
		if p.take("|") {
			alt, err := p.expression()
			if err != nil {
				return nil, err
			}
			ref.otherwise = alt
			p.space()
		}
		if !p.take("}") {
			return nil, p.fail("a reference has no closing brace")
		}
	}
	return p.share(p.src[start:p.pos], ref), nil
}

// share returns the reference that read the same before, if there is one. What is
// in a string of a macro's call depends on the template.
func (p *parser) share(text string, ref *reference) *reference {
	if p.shared == nil || strings.Contains(text, "#") {
		return ref
	}
	if was := p.shared[text]; was != nil {
		return was
	}
	p.shared[text] = ref
	return ref
}

// operators by how strongly they bind, the weakest first.
var operators = [][]struct {
	sign, word string
	op         operator
}{
	{{"||", "or", or}},
	{{"&&", "and", and}},
	{{"==", "eq", equal}, {"!=", "ne", unequal}},
	{{"<=", "le", atMost}, {">=", "ge", atLeast}, {"<", "lt", less}, {">", "gt", greater}},
	{{"+", "", plus}, {"-", "", minus}},
	{{"*", "", times}, {"/", "", divide}, {"%", "", modulo}},
}

func (p *parser) expression() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	return p.binary(0)
}

func (p *parser) binary(level int) (expr, error) {
	if level == len(operators) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	if err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		if n > 10*maxNesting { // each adds to the depth of the tree
			return nil, p.fail("the expression has too many operators")
		}
		op, ok := p.operator(level)
		if !ok {
			return left, nil
		}
		right, err := p.binary(level + 1)
		if err != nil {
			return nil, err
		}
		left = &binary{op, left, right}
	}
}

func (p *parser) operator(level int) (operator, bool) {
	start := p.pos
	p.space()
	for _, o := range operators[level] {
		if p.take(o.sign) {
			if o.op == minus && p.numberAhead() { // "-1" is a number wherever it stands
				break
			}
			return o.op, true
		}
		if o.word != "" && p.word(o.word) {
			return o.op, true
		}
	}
	p.pos = start
	return 0, false
}

// word takes a word that ends there.
func (p *parser) word(w string) bool {
	if !strings.HasPrefix(p.src[p.pos:], w) {
		return false
	}
	if i := p.pos + len(w); i < len(p.src) && (letter(p.src[i]) || digit(p.src[i]) || p.src[i] == '_') {
		return false
	}
	p.pos += len(w)
	return true
}

func (p *parser) unary() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	p.space()
	if p.pos == len(p.src) {
		return nil, p.fail("an expression is missing")
	}
	switch c := p.src[p.pos]; {
	case c == '!' || c == 'n' && p.word("not"):
		if c == '!' {
			p.pos++
		}
		x, err := p.unary()
		return &not{x}, err
	case c == '(':
		p.pos++
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		p.space()
		if !p.take(")") {
			return nil, p.fail("a closing parenthesis is missing")
		}
		return x, nil
	}
	return p.operand()
}

// argument reads what may stand in a list, a map, or the arguments of a method
// or a macro: there are no operators there.
func (p *parser) argument() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	p.space()
	if p.pos == len(p.src) {
		return nil, p.fail("an argument is missing")
	}
	return p.operand()
}

func (p *parser) operand() (expr, error) {
	switch c := p.src[p.pos]; {
	case c == '$':
		ref, err := p.reference()
		if err == nil && ref == nil {
			err = p.fail("a reference is incomplete")
		}
		return ref, err
	case c == '[':
		return p.list()
	case c == '{':
		return p.dict()
	case c == '"' || c == '\'':
		return p.quoted(c)
	case digit(c) || c == '-' || c == '.':
		return p.number()
	case p.word("true"):
		return constant{true}, nil
	case p.word("false"):
		return constant{false}, nil
	}
	return nil, p.fail("%.20q is no expression", p.src[p.pos:])
}

// position reads what stands in the brackets of $x[...], with the closing one.
func (p *parser) position() (expr, error) {
	p.space()
	if p.pos < len(p.src) && strings.IndexByte("[{", p.src[p.pos]) >= 0 {
		return nil, p.fail("%.20q is no index", p.src[p.pos:])
	}
	i, err := p.argument()
	if err != nil {
		return nil, err
	}
	if c, ok := i.(constant); ok {
		if _, ok := c.v.(float64); ok {
			return nil, p.fail("an index is no fraction")
		}
	}
	p.space()
	if !p.take("]") {
		return nil, p.fail("an index has no end")
	}
	return i, nil
}

// numberAhead tells whether digits are next, or a point and digits.
func (p *parser) numberAhead() bool {
	rest := strings.TrimPrefix(p.src[p.pos:], ".")
	return rest != "" && digit(rest[0])
}

func (p *parser) number() (expr, error) {
	i := p.pos
	digits := func() int {
		from := i
		for i < len(p.src) && digit(p.src[i]) {
			i++
		}
		return i - from
	}
	at := func(c byte) bool { return i < len(p.src) && p.src[i] == c }
	if at('-') {
		i++
	}
	n := digits()
	whole := true
	if at('.') && !(n > 0 && strings.HasPrefix(p.src[i:], "..")) { // which is that of a range
		i++
		n += digits()
		whole = false
	}
	if n == 0 {
		return nil, p.fail("%.20q is no expression", p.src[p.pos:])
	}
	if at('e') || at('E') {
		before := i
		i++
		if at('-') || at('+') {
			i++
		}
		if digits() == 0 {
			i = before
		} else {
			whole = false
		}
	}
	s := p.src[p.pos:i]
	p.pos = i
	if whole {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return constant{n}, nil
		}
		if len(s) > 1000 {
			return nil, p.fail("a number has too many digits")
		}
		n, _ := new(big.Int).SetString(s, 10)
		return constant{n}, nil
	}
	f, _ := strconv.ParseFloat(s, 64) // beyond its range it is infinite, as in Java
	return constant{f}, nil
}

// quoted reads a string literal; a doubled quotation mark stands for one.
func (p *parser) quoted(mark byte) (expr, error) {
	start := p.pos + 1
	i := start
	for {
		j := strings.IndexByte(p.src[i:], mark)
		if j < 0 {
			return nil, p.fail("a string has no end")
		}
		i += j + 1
		if i < len(p.src) && p.src[i] == mark {
			i++
			continue
		}
		break
	}
	s := strings.ReplaceAll(p.src[start:i-1], string(mark)+string(mark), string(mark))
	line := p.pos
	p.pos = i
	if mark == '\'' {
		return constant{s}, nil
	}
	s = unescapeUnicode(s)
	if !strings.ContainsAny(s, "$#") {
		return constant{s}, nil
	}
	in := &parser{src: s, macros: p.macros, t: p.t, depth: p.depth, shared: p.shared}
	nodes, end, err := in.block()
	if err == nil && end != "" {
		err = in.fail("#%s without a beginning", end)
	}
	if err != nil {
		p.pos = line
		return nil, p.fail("in a string: %v", err)
	}
	return &interpolated{nodes}, nil
}

// unescapeUnicode replaces \u and four hexadecimal digits.
func unescapeUnicode(s string) string {
	if !strings.Contains(s, `\u`) {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, `\u`)
		if i < 0 || i+6 > len(s) {
			b.WriteString(s)
			return b.String()
		}
		n, err := strconv.ParseUint(s[i+2:i+6], 16, 16)
		if err != nil {
			b.WriteString(s[:i+2])
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		b.WriteRune(rune(n))
		s = s[i+6:]
	}
}

// list reads [a, b] or the range [a..b].
func (p *parser) list() (expr, error) {
	p.pos++
	l := &listOf{}
	if p.take("]") {
		return l, nil
	}
	for {
		x, err := p.argument()
		if err != nil {
			return nil, err
		}
		p.space()
		if len(l.items) == 0 && bound(x) && p.take("..") {
			to, err := p.argument()
			if err != nil {
				return nil, err
			}
			p.space()
			if !bound(to) || !p.take("]") {
				return nil, p.fail("a range has no end")
			}
			return &rangeOf{x, to}, nil
		}
		l.items = append(l.items, x)
		if p.take("]") {
			return l, nil
		}
		if !p.take(",") {
			return nil, p.fail("a list has no end")
		}
	}
}

// bound tells whether a range may begin or end with x.
func bound(x expr) bool {
	switch x := x.(type) {
	case *reference:
		return true
	case constant:
		switch x.v.(type) {
		case int64, *big.Int:
			return true
		}
	}
	return false
}

func (p *parser) dict() (expr, error) {
	p.pos++
	m := &mapOf{}
	if p.space(); p.take("}") {
		return m, nil
	}
	for {
		k, err := p.argument()
		if err != nil {
			return nil, err
		}
		p.space()
		if !p.take(":") {
			return nil, p.fail("a map's key has no value")
		}
		v, err := p.argument()
		if err != nil {
			return nil, err
		}
		m.keys, m.values = append(m.keys, k), append(m.values, v)
		p.space()
		if p.take("}") {
			return m, nil
		}
		if !p.take(",") {
			return nil, p.fail("a map has no end")
		}
	}
}
