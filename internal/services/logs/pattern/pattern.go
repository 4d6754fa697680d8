package pattern

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// MaxLength is the greatest length of a pattern, in bytes.
const MaxLength = 1024

// maxRegexps bounds the regular expressions in one pattern.
const maxRegexps = 2

// Pattern is a compiled filter pattern. It is safe for concurrent use.
type Pattern struct {
	match   func(message string) bool
	extract func(message string) map[string]string
}

// Match reports whether the message passes.
func (p *Pattern) Match(message string) bool { return p.match(message) }

// Extract returns what the pattern's fields stand for in a message that
// matches: "$name" of a field pattern, "$.path" of a JSON pattern.
func (p *Pattern) Extract(message string) map[string]string {
	if p.extract == nil {
		return nil
	}
	return p.extract(message)
}

// Compile reads a pattern. The empty pattern matches everything. The error says
// what is wrong, for the caller's eyes.
func Compile(s string) (*Pattern, error) {
	if len(s) > MaxLength {
		return nil, fmt.Errorf("the pattern has %d bytes; at most %d are allowed", len(s), MaxLength)
	}
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return &Pattern{match: func(string) bool { return true }}, nil
	case s[0] == '{':
		return compileJSON(s)
	case s[0] == '[':
		return compileFields(s)
	}
	return compileTerms(s)
}

// terms is the form without brackets.
type terms struct {
	all, any, none []test
}

// test decides about one string: a substring, a whole value or a regular expression.
type test func(string) bool

func compileTerms(s string) (*Pattern, error) {
	var t terms
	l := lexer{in: s}
	for l.space(); !l.end(); l.space() {
		list := &t.all
		switch l.peek() {
		case '?':
			list = &t.any
			l.pos++
		case '-':
			list = &t.none
			l.pos++
		}
		word, kind, err := l.word(" \t\n\r")
		if err != nil {
			return nil, err
		}
		if word == "" {
			return nil, errors.New("a term is empty")
		}
		if kind == regex {
			re, err := l.regexp(word)
			if err != nil {
				return nil, err
			}
			*list = append(*list, re.MatchString)
			continue
		}
		*list = append(*list, func(m string) bool { return strings.Contains(m, word) })
	}
	if len(t.all)+len(t.none) > 0 {
		t.any = nil
	}
	return &Pattern{match: t.match}, nil
}

func (t *terms) match(m string) bool {
	for _, f := range t.all {
		if !f(m) {
			return false
		}
	}
	for _, f := range t.none {
		if f(m) {
			return false
		}
	}
	if len(t.any) == 0 {
		return true
	}
	for _, f := range t.any {
		if f(m) {
			return true
		}
	}
	return false
}

// allowedInRegexp are the characters besides letters and digits that AWS takes.
const allowedInRegexp = `:_#=@/;,-^$?[]{}|\*+. ` + "\t"

func (l *lexer) regexp(s string) (*regexp.Regexp, error) {
	if l.regexps++; l.regexps > maxRegexps {
		return nil, fmt.Errorf("at most %d regular expressions are allowed", maxRegexps)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte(allowedInRegexp, c) >= 0 {
			continue
		}
		return nil, fmt.Errorf("the character %q is not allowed in a regular expression", c)
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, errors.New("the regular expression is not valid")
	}
	return re, nil
}
