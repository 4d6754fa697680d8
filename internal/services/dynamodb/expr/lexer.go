package expr

import "strings"

// kind is the kind of a token.
type kind uint8

const (
	tokEnd kind = iota
	tokWord
	tokName  // #name
	tokValue // :value
	tokInteger
	tokPunct // one of ( ) [ ] . , + - = < > <= >= <>
)

type token struct {
	kind  kind
	text  string
	start int // offset into the source
}

// is reports whether t is the given keyword, in any case.
func (t token) is(keyword string) bool {
	return t.kind == tokWord && strings.EqualFold(t.text, keyword)
}

func (t token) punct(p string) bool { return t.kind == tokPunct && t.text == p }

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

func letterOrDigit(c byte) bool { return letter(c) || isDigit(c) }

// scan cuts src into tokens. The last is tokEnd. A byte that begins no token
// ends the scan as a token of its own, which no rule of the grammar takes.
func scan(src string) []token {
	toks := make([]token, 0, 16)
	for i := 0; ; {
		for i < len(src) && strings.IndexByte(" \t\r\n", src[i]) >= 0 {
			i++
		}
		if i == len(src) {
			return append(toks, token{kind: tokEnd, text: "<EOF>", start: i})
		}
		start, c := i, src[i]
		t := token{start: start}
		i++
		switch {
		case letter(c):
			t.kind = tokWord
			for i < len(src) && letterOrDigit(src[i]) {
				i++
			}
		case c == '#' || c == ':':
			if t.kind = tokName; c == ':' {
				t.kind = tokValue
			}
			for i < len(src) && letterOrDigit(src[i]) {
				i++
			}
			if i == start+1 {
				t.kind = tokPunct
			}
		case isDigit(c):
			t.kind = tokInteger
			for i < len(src) && isDigit(src[i]) {
				i++
			}
		case c == '<' || c == '>':
			t.kind = tokPunct
			if i < len(src) && (src[i] == '=' || c == '<' && src[i] == '>') {
				i++
			}
		default:
			t.kind = tokPunct
		}
		t.text = src[start:i]
		toks = append(toks, t)
	}
}
