// Package jsonwire reads and writes shapes as JSON.
// https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html#shape-serialization
package jsonwire

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// Error says what is wrong with a JSON text, in the words of AWS's services.
type Error struct{ Message string }

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Fault makes a fault of what is wrong with a JSON text; other errors stay as
// they are.
func Fault(err error) error {
	var bad *Error
	if errors.As(err, &bad) {
		return fault.Of(fault.Serialization, "%s", bad.Message)
	}
	return err
}

var (
	errToken = &Error{"Unexpected token received from parser"}
	errDepth = &Error{"The JSON text is nested too deeply"}
	errUTF8  = &Error{"The JSON text is not valid UTF-8"}
)

// maxDepth bounds nesting: deeper than any shape that a service takes.
const maxDepth = 512

// scanner reads tokens of a JSON text (RFC 8259).
type scanner struct {
	data []byte
	pos  int
	// depth counts the arrays and objects that are open.
	depth int
	// scratch holds the last string with escapes.
	scratch []byte
}

// peek skips white space and returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// open goes into an array or object whose first byte is next.
func (s *scanner) open() error {
	s.pos++
	s.depth++
	if s.depth > maxDepth {
		return errDepth
	}
	return nil
}

// more steps to the next element: first says that none was read yet. It reports
// false when it has consumed the closing byte.
func (s *scanner) more(first bool, end byte) (bool, error) {
	c := s.peek()
	if c == end {
		s.pos++
		s.depth--
		return false, nil
	}
	if first {
		return true, nil
	}
	if c != ',' {
		return false, errToken
	}
	s.pos++
	return true, nil
}

// key reads an object's key and the colon. The bytes are valid until the next
// string is read.
func (s *scanner) key() ([]byte, error) {
	if s.peek() != '"' {
		return nil, errToken
	}
	k, err := s.text()
	if err != nil {
		return nil, err
	}
	if s.peek() != ':' {
		return nil, errToken
	}
	s.pos++
	return k, nil
}

// word consumes a literal.
func (s *scanner) word(w string) error {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(w)) {
		return errToken
	}
	s.pos += len(w)
	return nil
}

// text reads a string whose quotation mark is next. The bytes are valid until
// the next string is read.
func (s *scanner) text() ([]byte, error) {
	start := s.pos + 1
	ascii := true
	for i := start; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			b := s.data[start:i]
			if !ascii && !utf8.Valid(b) {
				return nil, errUTF8
			}
			return b, nil
		case c == '\\':
			return s.escaped(start, i)
		case c < ' ':
			return nil, errToken
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, errToken
}

// escaped reads a string from its first backslash, at i, on.
func (s *scanner) escaped(start, i int) ([]byte, error) {
	b := append(s.scratch[:0], s.data[start:i]...)
	for i < len(s.data) {
		c := s.data[i]
		switch {
		case c == '"':
			s.pos, s.scratch = i+1, b
			if !utf8.Valid(b) {
				return nil, errUTF8
			}
			return b, nil
		case c < ' ':
			return nil, errToken
		case c != '\\':
			b = append(b, c)
			i++
			continue
		}
		if i+1 >= len(s.data) {
			return nil, errToken
		}
		switch e := s.data[i+1]; e {
		case '"', '\\', '/':
			b = append(b, e)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, ok := s.hex(i + 2)
			if !ok {
				return nil, errToken
			}
			i += 6
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if i+1 < len(s.data) && s.data[i] == '\\' && s.data[i+1] == 'u' {
					if low, ok := s.hex(i + 2); ok {
						pair = utf16.DecodeRune(r, low)
					}
				}
				if pair != utf8.RuneError {
					i += 6
				}
				r = pair // half a pair becomes the replacement character
			}
			b = utf8.AppendRune(b, r)
			continue
		default:
			return nil, errToken
		}
		i += 2
	}
	return nil, errToken
}

func (s *scanner) hex(i int) (rune, bool) {
	if i+4 > len(s.data) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.data[i:i+4]), 16, 32)
	return rune(n), err == nil && s.data[i] != '+' && s.data[i] != '_'
}

// number reads a number; integer says that it has neither fraction nor exponent.
func (s *scanner) number() (b []byte, integer bool, err error) {
	start := s.pos
	digits := func() bool {
		from := s.pos
		for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
			s.pos++
		}
		return s.pos > from
	}
	at := func(c byte) bool { return s.pos < len(s.data) && s.data[s.pos] == c }
	if at('-') {
		s.pos++
	}
	if at('0') {
		s.pos++
	} else if !digits() {
		return nil, false, errToken
	}
	integer = true
	if at('.') {
		integer = false
		s.pos++
		if !digits() {
			return nil, false, errToken
		}
	}
	if at('e') || at('E') {
		integer = false
		s.pos++
		if at('+') || at('-') {
			s.pos++
		}
		if !digits() {
			return nil, false, errToken
		}
	}
	return s.data[start:s.pos], integer, nil
}

// skip passes over a value of any type.
func (s *scanner) skip() error {
	switch c := s.peek(); c {
	case '{', '[':
		if err := s.open(); err != nil {
			return err
		}
		end := c + 2
		for first := true; ; first = false {
			more, err := s.more(first, end)
			if err != nil || !more {
				return err
			}
			if c == '{' {
				if _, err := s.key(); err != nil {
					return err
				}
			}
			if err := s.skip(); err != nil {
				return err
			}
		}
	case '"':
		_, err := s.text()
		return err
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		_, _, err := s.number()
		return err
	}
}

// document reads a value of any type into Go's common types.
func (s *scanner) document() (any, error) {
	switch c := s.peek(); c {
	case '{':
		if err := s.open(); err != nil {
			return nil, err
		}
		m := map[string]any{}
		for first := true; ; first = false {
			more, err := s.more(first, '}')
			if err != nil || !more {
				return m, err
			}
			b, err := s.key()
			if err != nil {
				return nil, err
			}
			k := string(b)
			if m[k], err = s.document(); err != nil {
				return nil, err
			}
		}
	case '[':
		if err := s.open(); err != nil {
			return nil, err
		}
		l := []any{}
		for first := true; ; first = false {
			more, err := s.more(first, ']')
			if err != nil || !more {
				return l, err
			}
			v, err := s.document()
			if err != nil {
				return nil, err
			}
			l = append(l, v)
		}
	case '"':
		b, err := s.text()
		return string(b), err
	case 't':
		return true, s.word("true")
	case 'f':
		return false, s.word("false")
	case 'n':
		return nil, s.word("null")
	default:
		b, _, err := s.number()
		if err != nil {
			return nil, err
		}
		f, err := strconv.ParseFloat(string(b), 64)
		if err != nil {
			return nil, &Error{"NUMBER_VALUE is out of range"}
		}
		return f, nil
	}
}
