package template

import (
	"strings"
	"unicode/utf8"
)

// parseYAML reads a YAML template: one document of block and flow collections,
// scalars of every style, tags, anchors and merge keys.
//
// The reader is our own because a template's errors are to name lines and
// columns, the short forms are tags, and the libraries at hand either refuse
// keys such as Fn::Join in flow maps or give no places.
func parseYAML(text []byte) (*Node, error) {
	if !utf8.Valid(text) {
		return nil, formatError(Pos{}, "YAML not well-formed: the text is not UTF-8.")
	}
	s := strings.ReplaceAll(string(text), "\r\n", "\n")
	y := &yamlReader{s: strings.ReplaceAll(s, "\r", "\n"), line: 1, anchors: map[string]*Node{}}
	if err := y.directives(); err != nil {
		return nil, err
	}
	n, err := y.block(-1, place{compact: true}, 0)
	if err != nil {
		return nil, err
	}
	if err := y.skip(); err != nil {
		return nil, err
	}
	if y.marker("...") {
		y.advance(3)
		if err := y.skip(); err != nil {
			return nil, err
		}
	}
	if !y.end() {
		if y.marker("---") {
			return nil, y.fail("there is more than one document")
		}
		return nil, y.fail("text after the template")
	}
	return n, nil
}

// yamlReader stands at offset i of s, in a line that began at start.
type yamlReader struct {
	s              string
	i, line, start int
	fresh          bool // only white space stands before i in its line
	flow           int  // depth of brackets
	anchors        map[string]*Node
}

func (y *yamlReader) end() bool { return y.i >= len(y.s) }

// peek returns the byte k places on, 0 behind the end.
func (y *yamlReader) peek(k int) byte {
	if y.i+k < len(y.s) {
		return y.s[y.i+k]
	}
	return 0
}

func (y *yamlReader) col() int { return y.i - y.start }

func (y *yamlReader) pos() Pos {
	return Pos{y.line, utf8.RuneCountInString(y.s[y.start:y.i]) + 1}
}

func (y *yamlReader) fail(format string, args ...any) error {
	return formatError(y.pos(), "YAML not well-formed: "+format+".", args...)
}

func (y *yamlReader) advance(n int) {
	y.i += n
	y.fresh = false
}

// newline steps over a line break.
func (y *yamlReader) newline() {
	y.i++
	y.line, y.start, y.fresh = y.line+1, y.i, true
}

func blank(c byte) bool    { return c == ' ' || c == '\t' }
func space(c byte) bool    { return c == ' ' || c == '\t' || c == '\n' || c == 0 }
func flowMark(c byte) bool { return c == ',' || c == '[' || c == ']' || c == '{' || c == '}' }
func (y *yamlReader) gap() {
	for blank(y.peek(0)) {
		y.i++
	}
}
func (y *yamlReader) bol() bool { return y.i == y.start }

// marker reports whether a document marker stands here.
func (y *yamlReader) marker(m string) bool {
	return y.bol() && y.flow == 0 && strings.HasPrefix(y.s[y.i:], m) && space(y.peek(3))
}

// skip steps over white space, line breaks and comments.
func (y *yamlReader) skip() error {
	for {
		tab := false
		for blank(y.peek(0)) {
			tab = tab || y.peek(0) == '\t'
			y.i++
		}
		switch c := y.peek(0); {
		case c == '#' && (y.i == 0 || space(y.s[y.i-1])):
			for !y.end() && y.peek(0) != '\n' {
				y.i++
			}
		case c == '\n':
			y.newline()
		case tab && y.fresh && y.flow == 0 && !y.end():
			return y.fail("a tab cannot indent")
		default:
			return nil
		}
	}
}

func (y *yamlReader) directives() error {
	y.fresh = true
	for {
		if err := y.skip(); err != nil {
			return err
		}
		if y.bol() && y.peek(0) == '%' {
			for !y.end() && y.peek(0) != '\n' {
				y.i++
			}
			continue
		}
		if y.marker("---") {
			y.advance(3)
		}
		return nil
	}
}

// place says where a block node may stand.
type place struct {
	value   bool // after a key: a sequence may stand at the key's own column
	compact bool // a collection may begin in the line: after "- ", or at the start
}

// block reads a block node whose parent's column is parent.
func (y *yamlReader) block(parent int, at place, depth int) (*Node, error) {
	if err := y.skip(); err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, y.tooDeep()
	}
	if y.end() || y.marker("---") || y.marker("...") {
		return &Node{Pos: y.pos(), size: 1}, nil
	}
	dash := y.peek(0) == '-' && space(y.peek(1))
	if y.fresh && y.col() <= parent && !(at.value && dash && y.col() == parent) {
		return &Node{Pos: y.pos(), size: 1}, nil
	}
	collection := y.fresh || at.compact
	col, pos, line := y.col(), y.pos(), y.line
	switch {
	case dash:
		if !collection {
			return nil, y.fail("a sequence cannot begin here")
		}
		return y.sequence(col, depth)
	case y.peek(0) == '?' && space(y.peek(1)) && collection:
		return y.mapping(col, pos, nil, depth)
	case y.peek(0) == '|' || y.peek(0) == '>':
		return y.literal(parent)
	}
	p, err := y.properties()
	if err != nil {
		return nil, err
	}
	if p.any() {
		if c := y.peek(0); c == '\n' || c == 0 || c == '#' {
			// The properties are of what stands on the next lines.
			n, err := y.block(parent, place{value: at.value}, depth+1)
			if err != nil {
				return nil, err
			}
			return y.apply(p, n)
		}
		if c := y.peek(0); c == '|' || c == '>' {
			n, err := y.literal(parent)
			if err != nil {
				return nil, err
			}
			return y.apply(p, n)
		}
	}
	n, err := y.atom(parent, depth)
	if err != nil {
		return nil, err
	}
	y.gap()
	if y.peek(0) != ':' || !space(y.peek(1)) {
		return y.apply(p, n)
	}
	if !collection || y.line != line {
		return nil, y.fail("mapping values are not allowed here")
	}
	if n, err = y.apply(p, n); err != nil {
		return nil, err
	}
	return y.mapping(col, pos, n, depth)
}

func (y *yamlReader) tooDeep() error {
	return formatError(y.pos(), "the template is nested more than %d levels deep", maxDepth)
}

func (y *yamlReader) sequence(col, depth int) (*Node, error) {
	out := &Node{Kind: List, Pos: y.pos()}
	for {
		y.advance(1)
		x, err := y.block(col, place{compact: true}, depth+1)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, x)
		if err := y.skip(); err != nil {
			return nil, err
		}
		switch {
		case y.end() || y.marker("---") || y.marker("...") || y.fresh && y.col() < col:
			return build(out)
		case !y.fresh || y.col() > col:
			return nil, y.fail("unexpected text in a sequence")
		case y.peek(0) != '-' || !space(y.peek(1)):
			return build(out) // the sequence stood at its key's own column
		}
	}
}

// mapping reads a block mapping at col; first is its first key if that has been
// read, and y stands at the colon.
func (y *yamlReader) mapping(col int, pos Pos, first *Node, depth int) (*Node, error) {
	m := newMapping(pos)
	keyPos := pos
	for {
		if first == nil && y.peek(0) == '?' && space(y.peek(1)) {
			y.advance(1)
			var err error
			if first, err = y.block(col, place{compact: true}, depth+1); err != nil {
				return nil, err
			}
			if err := y.skip(); err != nil {
				return nil, err
			}
			if y.peek(0) != ':' || y.col() != col {
				return nil, y.fail("a key has no value")
			}
		}
		if first == nil {
			line := y.line
			p, err := y.properties()
			if err != nil {
				return nil, err
			}
			if first, err = y.atom(col, depth); err != nil {
				return nil, err
			}
			if first, err = y.apply(p, first); err != nil {
				return nil, err
			}
			y.gap()
			if y.peek(0) != ':' || !space(y.peek(1)) || y.line != line {
				return nil, formatError(keyPos, "YAML not well-formed: a key without a colon.")
			}
		}
		y.advance(1)
		value, err := y.block(col, place{value: true}, depth+1)
		if err != nil {
			return nil, err
		}
		if err := m.add(first, keyPos, value); err != nil {
			return nil, err
		}
		if err := y.skip(); err != nil {
			return nil, err
		}
		if y.end() || y.marker("---") || y.marker("...") || y.fresh && y.col() < col {
			return m.done()
		}
		if !y.fresh || y.col() > col {
			return nil, y.fail("mapping values are not allowed here")
		}
		first, keyPos = nil, y.pos()
	}
}

// atom reads what can stand in a line: a quoted or plain scalar, a bracketed
// collection, an alias. Further lines of it are indented by more than parent.
func (y *yamlReader) atom(parent, depth int) (*Node, error) {
	switch c := y.peek(0); c {
	case '[', '{':
		return y.bracket(depth)
	case '"', '\'':
		return y.quoted(c)
	case '*':
		pos := y.pos()
		y.advance(1)
		name := y.name()
		n := y.anchors[name]
		if n == nil {
			return nil, formatError(pos, "YAML not well-formed: the alias *%s has no value before it.", name)
		}
		return n, nil
	default:
		return y.plainScalar(parent)
	}
}

// name reads the name of an anchor, an alias or a tag.
func (y *yamlReader) name() string {
	from := y.i
	for !space(y.peek(0)) && !flowMark(y.peek(0)) {
		y.advance(1)
	}
	return y.s[from:y.i]
}
