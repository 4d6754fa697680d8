package pattern

import (
	"math"
	"strconv"
	"strings"
)

// operators in the order in which they are tried.
var operators = [...]string{"!=", "<=", ">=", "=", "<", ">"}

// operator reads a comparison operator, "" if there is none.
func (l *lexer) operator() string {
	for _, op := range operators {
		if l.take(op) {
			return op
		}
	}
	return ""
}

// comparison reads what stands after an operator and returns the test that a
// field's text has to pass.
func (l *lexer) comparison(op, stop string) (test, error) {
	l.space()
	value, kind, err := l.word(stop)
	if err != nil {
		return nil, err
	}
	if kind == plain && value == "" {
		return nil, l.unexpected("expected a value")
	}
	var equal test
	switch {
	case kind == regex:
		re, err := l.regexp(value)
		if err != nil {
			return nil, err
		}
		equal = re.MatchString
	case kind == plain && isNumber(value):
		want, _ := strconv.ParseFloat(value, 64)
		return func(s string) bool {
			x, err := strconv.ParseFloat(s, 64)
			if err != nil || math.IsNaN(x) {
				return op == "!="
			}
			return ordered(op, x, want)
		}, nil
	default:
		equal = func(s string) bool { return wild(value, s) }
	}
	switch op {
	case "=":
		return equal, nil
	case "!=":
		return func(s string) bool { return !equal(s) }, nil
	}
	return nil, l.unexpected("only numbers can be compared with " + op)
}

func ordered(op string, x, y float64) bool {
	switch op {
	case "=":
		return x == y
	case "!=":
		return x != y
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}

// isNumber reports whether s is an integer or decimal, with an exponent perhaps.
func isNumber(s string) bool {
	if s == "" || strings.IndexByte("+-.0123456789", s[0]) < 0 {
		return false
	}
	x, err := strconv.ParseFloat(s, 64)
	return err == nil && !math.IsNaN(x) && !math.IsInf(x, 0)
}

// wild matches s with a pattern in which * stands for any text.
func wild(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for {
		var piece string
		piece, rest, star = strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, piece)
		}
		i := strings.Index(s, piece)
		if i < 0 {
			return false
		}
		s = s[i+len(piece):]
	}
}
