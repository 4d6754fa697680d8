package policy

import (
	"strings"
	"unicode/utf8"
)

// pattern is a text with wildcards and variables, taken apart beforehand.
type pattern struct {
	shape     shape
	variables bool   // some piece is a variable
	text      string // of exact and prefix
	pieces    []piece
}

type shape uint8

const (
	mixed    shape = iota
	exact          // text alone
	prefix         // text, then *
	anything       // * alone
)

type piece struct {
	kind     pieceKind
	text     string // a literal; of a variable, its default
	fallback bool   // the variable has a default
	key      key
}

type pieceKind uint8

const (
	literal pieceKind = iota
	star
	question
	variable
)

// compilePattern takes text apart. Without wildcards * and ? are literal, without
// variables so is ${.
func compilePattern(text string, wildcards, variables bool) (pattern, error) {
	var p pattern
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			p.pieces = append(p.pieces, piece{kind: literal, text: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '*' && wildcards:
			flush()
			if n := len(p.pieces); n == 0 || p.pieces[n-1].kind != star {
				p.pieces = append(p.pieces, piece{kind: star})
			}
		case c == '?' && wildcards:
			flush()
			p.pieces = append(p.pieces, piece{kind: question})
		case c == '$' && variables && strings.HasPrefix(text[i:], "${"):
			v, size, err := parseVariable(text[i:])
			if err != nil {
				return pattern{}, err
			}
			if size == 0 { // never closed: ordinary text
				lit.WriteByte(c)
				continue
			}
			if v.kind == literal {
				lit.WriteString(v.text)
			} else {
				flush()
				p.pieces = append(p.pieces, v)
				p.variables = true
			}
			i += size - 1
		default:
			lit.WriteByte(c)
		}
	}
	flush()
	switch {
	case len(p.pieces) == 0:
		p.shape = exact
	case len(p.pieces) == 1 && p.pieces[0].kind == literal:
		p.shape, p.text = exact, p.pieces[0].text
	case len(p.pieces) == 1 && p.pieces[0].kind == star:
		p.shape = anything
	case len(p.pieces) == 2 && p.pieces[0].kind == literal && p.pieces[1].kind == star:
		p.shape, p.text = prefix, p.pieces[0].text
	}
	return p, nil
}

// match reports whether p describes all of s. Before the byte offset bound no
// wildcard matches a colon, which is how ARNs are compared part by part.
func (p *pattern) match(e *evaluation, s string, bound int) bool {
	switch p.shape {
	case anything:
		return true
	case exact:
		return s == p.text
	case prefix:
		if bound == 0 || len(p.text) >= bound {
			return strings.HasPrefix(s, p.text)
		}
	}
	return p.walk(e, s, bound, false)
}

// matchFold is match for patterns in lower case without variables; ASCII letters
// of s match in either case.
func (p *pattern) matchFold(s string) bool {
	switch p.shape {
	case anything:
		return true
	case exact:
		return len(s) == len(p.text) && hasPrefixFold(s, p.text)
	case prefix:
		return hasPrefixFold(s, p.text)
	}
	return p.walk(nil, s, 0, true)
}

// walk matches piece by piece. After a mismatch only the last * takes more: what
// an earlier one could take, the last one can as well.
func (p *pattern) walk(e *evaluation, s string, bound int, fold bool) bool {
	at, pos := 0, 0
	lastStar, taken := -1, 0
	for {
		if at == len(p.pieces) {
			if pos == len(s) || lastStar == at-1 && lastStar >= 0 && pos >= bound {
				return true
			}
		} else if q := &p.pieces[at]; q.kind == star {
			lastStar, taken = at, pos
			at++
			continue
		} else if n := q.take(e, s, pos, bound, fold); n >= 0 {
			pos += n
			at++
			continue
		}
		if lastStar < 0 || taken == len(s) || s[taken] == ':' && taken < bound {
			return false
		}
		taken += width(s, taken)
		at, pos = lastStar+1, taken
	}
}

// take returns how many bytes of s[pos:] the piece matches, -1 if it does not.
func (q *piece) take(e *evaluation, s string, pos, bound int, fold bool) int {
	want := q.text
	switch q.kind {
	case question:
		if pos == len(s) || s[pos] == ':' && pos < bound {
			return -1
		}
		return width(s, pos)
	case variable:
		var ok bool
		if want, ok = e.variable(q); !ok {
			return -1
		}
	}
	if fold && hasPrefixFold(s[pos:], want) || !fold && strings.HasPrefix(s[pos:], want) {
		return len(want)
	}
	return -1
}

// resolves reports whether every variable of p has a value in this request.
func (p *pattern) resolves(e *evaluation) bool {
	if !p.variables {
		return true
	}
	for i := range p.pieces {
		if p.pieces[i].kind == variable {
			if _, ok := e.variable(&p.pieces[i]); !ok {
				return false
			}
		}
	}
	return true
}

// expand puts the variables' values in; only for patterns without wildcards.
func (p *pattern) expand(e *evaluation) (string, bool) {
	if p.shape == exact {
		return p.text, true
	}
	var b strings.Builder
	for i := range p.pieces {
		q := &p.pieces[i]
		if q.kind == literal {
			b.WriteString(q.text)
			continue
		}
		v, ok := e.variable(q)
		if !ok {
			return "", false
		}
		b.WriteString(v)
	}
	return b.String(), true
}

func width(s string, i int) int {
	if s[i] < utf8.RuneSelf {
		return 1
	}
	_, n := utf8.DecodeRuneInString(s[i:])
	return n
}

// hasPrefixFold compares with a lower-case prefix, ignoring the case of s's ASCII letters.
func hasPrefixFold(s, lower string) bool {
	if len(s) < len(lower) {
		return false
	}
	for i := range len(lower) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
