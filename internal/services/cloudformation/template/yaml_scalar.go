package template

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// plainScalar reads an unquoted scalar, whose lines fold into one.
func (y *yamlReader) plainScalar(parent int) (*Node, error) {
	pos := y.pos()
	switch c := y.peek(0); c {
	case '%', '@', '`', '&', '!', '|', '>', '#', ',', ']', '}':
		return nil, y.fail("a value cannot begin with '%c'", c)
	case '-', '?', ':':
		if space(y.peek(1)) || y.flow > 0 && flowMark(y.peek(1)) {
			return nil, y.fail("a value cannot begin with '%c'", c)
		}
	}
	var b strings.Builder
	for {
		from, last := y.i, y.i
		for c := y.peek(0); c != '\n' && !y.end(); c = y.peek(0) {
			if c == ':' && (space(y.peek(1)) || y.flow > 0 && flowMark(y.peek(1))) ||
				c == '#' && y.i > from && blank(y.s[y.i-1]) || y.flow > 0 && flowMark(c) {
				break
			}
			y.advance(1)
			if !blank(c) {
				last = y.i
			}
		}
		b.WriteString(y.s[from:last])
		if c := y.peek(0); c != '\n' && !y.end() {
			break // a comment, a colon or a bracket ends it
		}
		// Does it go on in the next line that is not empty?
		save := *y
		breaks := 0
		for y.peek(0) == '\n' {
			y.newline()
			breaks++
			y.gap()
		}
		if y.end() || y.flow == 0 && y.col() <= parent || y.peek(0) == '#' || y.atMarker() ||
			y.flow > 0 && flowMark(y.peek(0)) || y.peek(0) == ':' && (space(y.peek(1)) || y.flow > 0 && flowMark(y.peek(1))) {
			*y = save
			break
		}
		fold(&b, breaks)
	}
	return &Node{Pos: pos, scalar: plain(b.String()), text: b.String(), size: 1}, nil
}

func (y *yamlReader) atMarker() bool { return y.marker("---") || y.marker("...") }

// fold writes what so many line breaks become within a scalar.
func fold(b *strings.Builder, breaks int) {
	if breaks == 1 {
		b.WriteByte(' ')
	}
	for ; breaks > 1; breaks-- {
		b.WriteByte('\n')
	}
}

// quoted reads a scalar in single or double quotes.
func (y *yamlReader) quoted(quote byte) (*Node, error) {
	pos := y.pos()
	y.advance(1)
	var b strings.Builder
	for {
		c := y.peek(0)
		switch {
		case y.end() || y.atMarker():
			return nil, formatError(pos, "YAML not well-formed: the quote is not closed.")
		case c == quote && quote == '\'' && y.peek(1) == '\'':
			b.WriteByte('\'')
			y.advance(2)
		case c == quote:
			y.advance(1)
			return &Node{Pos: pos, scalar: b.String(), text: b.String(), size: 1}, nil
		case c == '\\' && quote == '"':
			if err := y.escape(&b); err != nil {
				return nil, err
			}
		case c == '\n' || blank(c):
			from, breaks := y.i, 0
			for blank(y.peek(0)) || y.peek(0) == '\n' {
				if y.peek(0) == '\n' {
					y.newline()
					breaks++
				} else {
					y.i++
				}
			}
			if breaks == 0 {
				b.WriteString(y.s[from:y.i])
			}
			fold(&b, breaks)
		default:
			b.WriteByte(c)
			y.advance(1)
		}
	}
}

// escapes are the characters after a backslash that stand for one other.
var escapes = map[byte]string{
	'0': "\x00", 'a': "\a", 'b': "\b", 't': "\t", '\t': "\t", 'n': "\n", 'v': "\v", 'f': "\f", 'r': "\r", 'e': "\x1b",
	' ': " ", '"': "\"", '/': "/", '\\': "\\", 'N': "\u0085", '_': "\u00a0", 'L': "\u2028", 'P': "\u2029",
}

func (y *yamlReader) escape(b *strings.Builder) error {
	c := y.peek(1)
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	switch {
	case c == '\n': // the line goes on
		y.advance(1)
		y.newline()
		y.gap()
		return nil
	case digits > 0:
		if y.i+2+digits <= len(y.s) {
			if r, err := strconv.ParseUint(y.s[y.i+2:y.i+2+digits], 16, 32); err == nil && r <= utf8.MaxRune {
				b.WriteRune(rune(r))
				y.advance(2 + digits)
				return nil
			}
		}
	default:
		if s, ok := escapes[c]; ok {
			b.WriteString(s)
			y.advance(2)
			return nil
		}
	}
	return y.fail("an unknown escape in a quoted value")
}

// literal reads a block scalar, | or >.
func (y *yamlReader) literal(parent int) (*Node, error) {
	pos := y.pos()
	folded := y.peek(0) == '>'
	y.advance(1)
	chomp, indent := byte(0), 0
	for c := y.peek(0); !space(c); c = y.peek(0) {
		switch {
		case (c == '+' || c == '-') && chomp == 0:
			chomp = c
		case c >= '1' && c <= '9' && indent == 0:
			indent = max(parent, 0) + int(c-'0')
		default:
			return nil, y.fail("unexpected '%c' after a block scalar's sign", c)
		}
		y.advance(1)
	}
	y.gap()
	if y.peek(0) == '#' {
		for !y.end() && y.peek(0) != '\n' {
			y.i++
		}
	}
	if !y.end() && y.peek(0) != '\n' {
		return nil, y.fail("unexpected text after a block scalar's sign")
	}
	if !y.end() {
		y.newline()
	}
	breaks, deepest := y.breaks(indent)
	if indent == 0 {
		indent = max(parent+1, 1, deepest)
	}
	var b strings.Builder
	feed := false // the last line ended with a line break
	for y.indentTo(indent) && !y.end() && !y.atMarker() {
		b.WriteString(strings.Repeat("\n", breaks))
		bare := !blank(y.peek(0))
		from := y.i
		for !y.end() && y.peek(0) != '\n' {
			y.i++
		}
		b.WriteString(y.s[from:y.i])
		feed = !y.end()
		if feed {
			y.newline()
		}
		breaks, _ = y.breaks(indent)
		if !y.indentTo(indent) || y.end() || y.atMarker() {
			break
		}
		if folded && bare && !blank(y.peek(0)) {
			if breaks == 0 {
				b.WriteByte(' ')
			}
		} else {
			b.WriteByte('\n')
		}
	}
	if chomp != '-' && feed {
		b.WriteByte('\n')
	}
	if chomp == '+' {
		b.WriteString(strings.Repeat("\n", breaks))
	}
	y.i, y.fresh = y.start, true
	return &Node{Pos: pos, scalar: b.String(), text: b.String(), size: 1}, nil
}

// breaks steps over empty lines; deepest is the deepest indentation seen if the
// scalar's indent is not known yet (0).
func (y *yamlReader) breaks(indent int) (n, deepest int) {
	for {
		i := y.start
		for i < len(y.s) && y.s[i] == ' ' && (indent == 0 || i-y.start < indent) {
			i++
		}
		deepest = max(deepest, i-y.start)
		if i >= len(y.s) || y.s[i] != '\n' {
			return n, deepest
		}
		y.i = i
		y.newline()
		n++
	}
}

// indentTo steps to the column indent and reports whether only spaces stand before it.
func (y *yamlReader) indentTo(indent int) bool {
	end := y.start + indent
	if end > len(y.s) || strings.Trim(y.s[y.start:end], " ") != "" {
		return false
	}
	y.i = end
	return true
}
