package pattern

import (
	"errors"
	"fmt"
	"strings"
)

// lexer reads a pattern from left to right.
type lexer struct {
	in      string
	pos     int
	regexps int // how many there were
	depth   int // of parentheses
}

// kind says how a word was written.
type kind uint8

const (
	plain kind = iota
	quoted
	regex
)

func (l *lexer) end() bool { return l.pos >= len(l.in) }

// peek returns the next byte, 0 at the end.
func (l *lexer) peek() byte {
	if l.end() {
		return 0
	}
	return l.in[l.pos]
}

func (l *lexer) space() {
	for !l.end() && strings.IndexByte(" \t\r\n", l.in[l.pos]) >= 0 {
		l.pos++
	}
}

// take skips spaces and then the token if it comes next.
func (l *lexer) take(token string) bool {
	l.space()
	if strings.HasPrefix(l.in[l.pos:], token) {
		l.pos += len(token)
		return true
	}
	return false
}

// takeWord is take for a keyword, in any case, that ends at a boundary.
func (l *lexer) takeWord(token string) bool {
	l.space()
	rest := l.in[l.pos:]
	if len(rest) < len(token) || !strings.EqualFold(rest[:len(token)], token) {
		return false
	}
	if len(rest) > len(token) && strings.IndexByte(" \t\r\n)}&|", rest[len(token)]) < 0 {
		return false
	}
	l.pos += len(token)
	return true
}

func (l *lexer) expect(token string) error {
	if l.take(token) {
		return nil
	}
	return l.unexpected("expected " + token)
}

func (l *lexer) unexpected(what string) error {
	if l.end() {
		return fmt.Errorf("%s, but the pattern ends", what)
	}
	return fmt.Errorf("%s at character %d (%.10q)", what, l.pos+1, l.in[l.pos:])
}

// word reads a quoted string, a %regular expression% or what comes before one
// of the stop characters.
func (l *lexer) word(stop string) (string, kind, error) {
	switch l.peek() {
	case '"':
		return l.quoted()
	case '%':
		i := strings.IndexByte(l.in[l.pos+1:], '%')
		if i < 0 {
			return "", regex, errors.New("the regular expression does not end with %")
		}
		s := l.in[l.pos+1 : l.pos+1+i]
		l.pos += i + 2
		return s, regex, nil
	}
	start := l.pos
	for !l.end() && strings.IndexByte(stop, l.in[l.pos]) < 0 {
		l.pos++
	}
	return l.in[start:l.pos], plain, nil
}

func (l *lexer) quoted() (string, kind, error) {
	var b strings.Builder
	for l.pos++; !l.end(); l.pos++ {
		c := l.in[l.pos]
		switch {
		case c == '"':
			l.pos++
			return b.String(), quoted, nil
		case c == '\\' && l.pos+1 < len(l.in) && (l.in[l.pos+1] == '"' || l.in[l.pos+1] == '\\'):
			l.pos++
			c = l.in[l.pos]
		}
		b.WriteByte(c)
	}
	return "", quoted, errors.New("a quotation mark is not closed")
}
