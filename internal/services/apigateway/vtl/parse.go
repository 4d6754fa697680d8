package vtl

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// parser reads a template from front to back.
type parser struct {
	src    string
	pos    int
	depth  int
	macros map[string]bool // that the template defines anywhere
	t      *Template
	shared map[string]*reference // by how they read; nil shares none
}

// Error tells what is wrong with a template.
type Error struct {
	Line int
	Text string
	// Unsupported says that the template asks for what this engine refuses.
	Unsupported bool
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

func (p *parser) fail(format string, args ...any) error {
	return &Error{Line: 1 + strings.Count(p.src[:min(p.pos, len(p.src))], "\n"), Text: fmt.Sprintf(format, args...)}
}

// enter bounds the nesting of what the parser calls itself for.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxNesting {
		return p.fail("the template is nested too deeply")
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

var macroStart = regexp.MustCompile(`#\{?macro\}?\s*\(\s*([A-Za-z_][A-Za-z0-9_]*)`)

// macroNames finds the macros of a template, so that they can be called above
// where they are defined.
func macroNames(src string) map[string]bool {
	if !strings.Contains(src, "macro") { // as most have none
		return nil
	}
	names := map[string]bool{}
	for _, m := range macroStart.FindAllStringSubmatch(src, -1) {
		names[m[1]] = true
	}
	return names
}

// block reads up to the end of the source or to a directive that ends or divides
// a block ("end", "else", "elseif"), which it consumes but for its condition.
func (p *parser) block() (nodes []node, end string, err error) {
	if err := p.enter(); err != nil {
		return nil, "", err
	}
	defer p.leave()
	lit := literal{src: p.src}
	flush := func() {
		if s := lit.take(); s != "" {
			nodes = append(nodes, text(s))
		}
	}
	defer func() { nodes = slices.Clone(nodes) }() // templates stay: no room to grow
	fresh := true                                  // a token has just ended
	for p.pos < len(p.src) {
		i := strings.IndexAny(p.src[p.pos:], `\$#`)
		if fresh && i > 0 && p.setAfterBlanks(p.pos+i) { // #set takes the blanks before it
			p.pos += i
			i = 0
		}
		fresh = true
		if i < 0 {
			lit.add(p.pos, p.src[p.pos:])
			p.pos = len(p.src)
			break
		}
		lit.add(p.pos, p.src[p.pos:p.pos+i])
		p.pos += i
		start := p.pos
		switch p.src[p.pos] {
		case '\\':
			s, err := p.escape()
			if err != nil {
				return nil, "", err
			}
			lit.add(start, s)
		case '$':
			ref, err := p.reference()
			if err != nil {
				return nil, "", err
			}
			if ref == nil {
				p.pos = start + 1
				lit.add(start, "$")
				fresh = false
				continue
			}
			flush()
			nodes = append(nodes, ref)
			if ref.dotted(p.src[p.pos-1]) && strings.HasPrefix(p.src[p.pos:], "##") {
				lit.add(p.pos, "##") // which Velocity takes for no comment there
				p.pos += 2
			}
		case '#':
			n, lits, end, err := p.hash()
			if err != nil {
				return nil, "", err
			}
			lit.add(start, lits)
			fresh = lits != "#"
			if n != nil || end != "" {
				flush()
			}
			if n != nil {
				nodes = append(nodes, n)
			}
			if end != "" {
				return nodes, end, nil
			}
		}
	}
	flush()
	return nodes, "", nil
}

// setAfterBlanks tells whether there are but blanks up to a #set at a position.
func (p *parser) setAfterBlanks(at int) bool {
	for _, c := range []byte(p.src[p.pos:at]) {
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return p.setAt(at)
}

// setAt tells whether a #set with its parenthesis begins at a position.
func (p *parser) setAt(at int) bool {
	rest, ok := strings.CutPrefix(p.src[at:], "#set")
	if !ok {
		rest, ok = strings.CutPrefix(p.src[at:], "#{set}")
	}
	return ok && strings.HasPrefix(strings.TrimLeft(rest, " "), "(")
}

// literal is text between references and directives: a part of the source, which
// a template keeps anyway, or a copy where something was taken out of it.
type literal struct {
	src  string
	from int // where it begins
	text []byte
}

// add appends text that stands at a position, or stands for what stands there.
func (l *literal) add(at int, s string) {
	if len(l.text) == 0 {
		l.from = at
	}
	l.text = append(l.text, s...)
}

func (l *literal) take() string {
	defer func() { l.text = l.text[:0] }()
	if rest := l.src[l.from:]; len(rest) >= len(l.text) && rest[:len(l.text)] == string(l.text) {
		return rest[:len(l.text)]
	}
	return string(l.text)
}

// escape reads backslashes. Before a reference or a directive two of them stand
// for one, and an odd one takes away its meaning; elsewhere they are themselves.
func (p *parser) escape() (string, error) {
	n := 0
	for p.pos < len(p.src) && p.src[p.pos] == '\\' {
		n++
		p.pos++
	}
	all := strings.Repeat(`\`, n)
	if p.pos == len(p.src) {
		return all, nil
	}
	start := p.pos
	switch p.src[p.pos] {
	case '$':
		ref, err := p.reference()
		end := p.pos
		p.pos = start
		switch {
		case err != nil:
			return "", err
		case ref == nil:
			return all, nil
		case n%2 == 1:
			p.pos = end
			return all[:n/2] + p.src[start:end], nil
		}
		return all[:n/2], nil
	case '#':
		name, end := p.directiveName()
		switch {
		case name != "" && n%2 == 1 && !p.known(name): // it is text all the same
			p.pos = end
			return all + p.src[start:end], nil
		case !p.known(name):
			return all, nil
		case n%2 == 1:
			p.pos = end
			return all[:n/2] + p.src[start:end], nil
		case name == "set" || p.src[start+1] == '{' && !slices.Contains(blockWords, name):
			return all, nil // which even backslashes do not concern
		}
		return all[:n/2], nil
	}
	return all, nil
}

// blockWords are the directives that are words of the language itself.
var blockWords = []string{"if", "elseif", "else", "end", "stop"}

// directiveName looks at the name of a directive whose # is next: "if" of #if
// and #{if}, "@if" of #@if. end is where it ends.
func (p *parser) directiveName() (name string, end int) {
	i := p.pos + 1
	curly := i < len(p.src) && p.src[i] == '{'
	if curly {
		i++
	}
	start := i
	if !curly && i < len(p.src) && p.src[i] == '@' {
		i++
	}
	for i < len(p.src) && (letter(p.src[i]) || p.src[i] == '_' || i > start && (digit(p.src[i]) || p.src[i] == '@')) {
		i++
	}
	name = p.src[start:i]
	if curly {
		if i == len(p.src) || p.src[i] != '}' {
			return "", i
		}
		return name, i + 1
	}
	return name, i
}

func (p *parser) known(name string) bool {
	switch name {
	case "set", "if", "elseif", "else", "end", "foreach", "macro", "define", "break", "stop", "evaluate", "include", "parse", "literal":
		return true
	}
	return p.macros[name]
}

// hash reads what begins with #: a node, or literal text, or the end of a block.
func (p *parser) hash() (n node, lit, end string, err error) {
	rest := p.src[p.pos:]
	switch {
	case strings.HasPrefix(rest, "##"):
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			p.pos += i + 1
		} else {
			p.pos = len(p.src)
		}
		return nil, "", "", nil
	case strings.HasPrefix(rest, "#*"):
		i := strings.Index(rest[2:], "*#")
		if i < 0 {
			return nil, "", "", p.fail("a comment has no end")
		}
		p.pos += 2 + i + 2
		return nil, "", "", nil
	case strings.HasPrefix(rest, "#[["):
		i := strings.Index(rest, "]]#")
		if i < 0 {
			return nil, "", "", p.fail("#[[ without ]]#")
		}
		p.pos += i + 3
		return nil, rest[3:i], "", nil
	}
	name, after := p.directiveName()
	start := p.pos
	if name == "" || name == "@" {
		p.pos++
		if p.numberAhead() {
			_, err = p.number()
		}
		return nil, p.src[start:p.pos], "", err
	}
	p.pos = after
	switch name {
	case "end", "else":
		p.gobble()
		return nil, "", name, nil
	case "elseif":
		return nil, "", name, nil
	case "stop", "break":
		p.gobble()
		return signal{map[string]error{"stop": errStop, "break": errBreak}[name]}, "", "", nil
	}
	set := p.setAt(start)
	switch {
	case p.paren():
		if name == "set" && !set {
			return nil, "", "", p.fail("#set needs its parenthesis right after it")
		}
	case p.macros[name]: // it may be called without
		return &invoke{name: name, raw: p.src[start:p.pos]}, "", "", nil
	case p.known(name) && name != "set":
		return nil, "", "", p.fail("#%s needs its parentheses", name)
	default:
		return nil, p.src[start:p.pos], "", nil
	}
	switch name {
	case "set":
		n, err = p.set()
	case "if":
		n, err = p.branches()
	case "foreach":
		n, err = p.foreach()
	case "macro":
		err = p.macro()
	case "define":
		n, err = p.define()
	case "evaluate":
		n, err = p.evaluate()
	case "literal":
		if err = p.closing(); err == nil {
			from := p.pos
			if _, err = p.body(name); err == nil {
				raw := p.src[from:p.pos]
				return nil, raw[:strings.LastIndexByte(raw, '#')], "", nil
			}
		}
	case "include", "parse":
		p.pos = start
		err = &Error{Line: 1 + strings.Count(p.src[:start], "\n"), Text: "#" + name + ", because a template reads no files", Unsupported: true}
	default:
		n, err = p.call(name, start)
	}
	return n, "", "", err
}

// paren skips white space up to an opening parenthesis and that.
func (p *parser) paren() bool {
	i := p.pos
	for i < len(p.src) && strings.IndexByte(" \t\r\n", p.src[i]) >= 0 {
		i++
	}
	if i == len(p.src) || p.src[i] != '(' {
		return false
	}
	p.pos = i + 1
	return true
}

// closing reads a directive's closing parenthesis, with the rest of its line if
// that is empty.
func (p *parser) closing() error {
	p.space()
	if !p.take(")") {
		return p.fail("a closing parenthesis is missing")
	}
	p.gobble()
	return nil
}

// gobble skips white space with the end of the line; without that, nothing.
func (p *parser) gobble() {
	i := p.pos
	for i < len(p.src) && (p.src[i] == ' ' || p.src[i] == '\t') {
		i++
	}
	if i < len(p.src) && p.src[i] == '\r' {
		i++
		if i == len(p.src) || p.src[i] != '\n' {
			p.pos = i
			return
		}
	}
	if i < len(p.src) && p.src[i] == '\n' {
		p.pos = i + 1
	}
}

// body reads a block up to #end.
func (p *parser) body(of string) ([]node, error) {
	nodes, end, err := p.block()
	if err == nil && end != "end" {
		err = p.fail("#%s without #end", of)
	}
	return nodes, err
}

func (p *parser) set() (node, error) {
	p.space()
	if p.pos == len(p.src) || p.src[p.pos] != '$' {
		return nil, p.fail("#set needs a reference")
	}
	start := p.pos
	ref, err := p.reference()
	if err != nil {
		return nil, err
	}
	if ref == nil {
		return nil, p.fail("#set needs a reference")
	}
	simple := len(ref.steps) == 0 && p.src[start+1] != '!' && p.src[start+1] != '{'
	if n := len(ref.steps); n > 0 && ref.steps[n-1].kind == method {
		return nil, p.fail("#set cannot set the result of a method")
	}
	p.space()
	if !p.take("=") {
		return nil, p.fail("#set needs an equals sign")
	}
	v, err := p.expression()
	if err != nil {
		return nil, err
	}
	if len(ref.steps) == 0 && !simple {
		ref = nil // as Velocity sets no ${x} or $!x
	}
	return &set{ref, v}, p.closing()
}

func (p *parser) branches() (node, error) {
	b := &branch{}
	for {
		cond, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.closing(); err != nil {
			return nil, err
		}
		nodes, end, err := p.block()
		if err != nil {
			return nil, err
		}
		b.conds, b.blocks = append(b.conds, cond), append(b.blocks, nodes)
		switch end {
		case "elseif":
			if !p.paren() {
				return nil, p.fail("#elseif needs its parentheses")
			}
			continue
		case "else":
			b.otherwise, err = p.body("else")
			return b, err
		case "end":
			return b, nil
		}
		return nil, p.fail("#if without #end")
	}
}

// variable reads "$name" where a directive makes a variable.
func (p *parser) variable(of string) (string, error) {
	p.space()
	if !p.take("$") {
		return "", p.fail("#%s needs a variable", of)
	}
	p.take("!")
	curly := p.take("{")
	name := p.identifier()
	if name == "" || curly && !p.take("}") {
		return "", p.fail("#%s needs a variable", of)
	}
	return name, nil
}

func (p *parser) foreach() (node, error) {
	name, err := p.variable("foreach")
	if err != nil {
		return nil, err
	}
	p.space()
	if p.identifier() == "" { // whichever
		return nil, p.fail("#foreach needs the word in")
	}
	over, err := p.argument()
	if err != nil {
		return nil, err
	}
	if err := p.closing(); err != nil {
		return nil, err
	}
	body, err := p.body("foreach")
	return &foreach{name, over, body}, err
}

func (p *parser) define() (node, error) {
	name, err := p.variable("define")
	if err != nil {
		return nil, err
	}
	if err := p.closing(); err != nil {
		return nil, err
	}
	body, err := p.body("define")
	return &define{name, body}, err
}

func (p *parser) evaluate() (node, error) {
	e, err := p.argument()
	if err != nil {
		return nil, err
	}
	return &evaluate{e}, p.closing()
}

func (p *parser) macro() error {
	p.space()
	name := p.identifier()
	if name == "" {
		return p.fail("#macro needs a name")
	}
	m := &macro{name: name}
	for {
		p.space()
		p.take(",")
		p.space()
		if p.pos < len(p.src) && p.src[p.pos] == '$' {
			v, err := p.variable("macro")
			if err != nil {
				return err
			}
			m.params = append(m.params, v)
			continue
		}
		break
	}
	if err := p.closing(); err != nil {
		return err
	}
	body, err := p.body("macro")
	m.body = body
	if err == nil && p.t.macros[name] == nil {
		if p.t.macros == nil {
			p.t.macros = map[string]*macro{}
		}
		p.t.macros[name] = m
	}
	return err
}

// call reads the arguments of what may be a macro; which it is turns out when
// the template runs. start is where its # is.
func (p *parser) call(name string, start int) (node, error) {
	macro, withBody := strings.CutPrefix(name, "@")
	c := &invoke{name: macro, block: withBody}
	for {
		p.space()
		if len(c.args) > 0 && p.take(",") {
			p.space()
		}
		if p.pos == len(p.src) || p.src[p.pos] == ')' {
			break
		}
		var a expr
		var err error
		if w := p.identifier(); w == "" || w == "true" || w == "false" {
			p.pos -= len(w)
			a, err = p.argument()
		} else if a = (constant{w}); p.macros[macro] {
			err = p.fail("the word %s is no argument", w)
		}
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, a)
	}
	if err := p.closing(); err != nil {
		return nil, err
	}
	var err error
	if withBody {
		c.body, err = p.body(name)
	}
	c.raw = p.src[start:p.pos]
	return c, err
}
