package proxy

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Response is what a function returned. Its memory is used again by Parse.
type Response struct {
	Status  int
	Headers []Header // names as the function spelled them; one line each
	Body    []byte
	Base64  bool

	multi []Header
	// tmp and keys are the scanner's.
	tmp, keys []byte
}

// ErrMalformed says that a function returned something that is not a response.
// No member has to be there, but no other may.
var ErrMalformed = errors.New("malformed Lambda proxy response")

// maxHeaders bounds the header lines of a response.
const maxHeaders = 1000

// Parse reads a function's response in one pass.
func (r *Response) Parse(payload []byte) error {
	r.Status, r.Base64 = 200, false
	r.Headers, r.multi, r.Body = r.Headers[:0], r.multi[:0], r.Body[:0]
	s := scanner{b: payload, tmp: r.tmp, keys: r.keys}
	defer func() { r.tmp, r.keys = s.tmp, s.keys }()
	if !s.object(func(key []byte) bool {
		switch string(key) {
		case "statusCode":
			return s.status(&r.Status)
		case "isBase64Encoded":
			return s.boolean(&r.Base64)
		case "body":
			if s.null() {
				return true
			}
			r.Body = r.Body[:0]
			return s.text(&r.Body)
		case "headers":
			r.Headers = r.Headers[:0]
			return s.headers(&r.Headers, false)
		case "multiValueHeaders":
			r.multi = r.multi[:0]
			return s.headers(&r.multi, true)
		}
		return false
	}) || !s.end() {
		return ErrMalformed
	}
	r.merge()
	return nil
}

// merge puts both kinds of headers together: of a name that is in both, only
// the values of multiValueHeaders count.
func (r *Response) merge() {
	if len(r.multi) == 0 {
		return
	}
	var names map[string]bool
	if len(r.Headers) > 0 {
		names = make(map[string]bool, len(r.multi))
		for _, m := range r.multi {
			names[lower(m.Name)] = true
		}
	}
	kept := r.Headers[:0]
	for _, h := range r.Headers {
		if !names[lower(h.Name)] {
			kept = append(kept, h)
		}
	}
	r.Headers = append(kept, r.multi...)
}

func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// scanner reads JSON of a known shape. Its methods return false for what is not
// of that shape, or not JSON.
type scanner struct {
	b    []byte
	i    int
	tmp  []byte // a decoded key or value
	keys []byte
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// next skips white space and takes c if it follows.
func (s *scanner) next(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) end() bool {
	s.space()
	return s.i == len(s.b)
}

// word takes a literal.
func (s *scanner) word(w string) bool {
	s.space()
	if len(s.b)-s.i >= len(w) && string(s.b[s.i:s.i+len(w)]) == w {
		s.i += len(w)
		return true
	}
	return false
}

func (s *scanner) null() bool { return s.word("null") }

func (s *scanner) boolean(into *bool) bool {
	switch {
	case s.word("true"):
		*into = true
	case s.word("false"), s.null():
		*into = false
	default:
		return false
	}
	return true
}

// object reads an object, calling member with each key; member reads the value.
// The key is valid until the next string is read.
func (s *scanner) object(member func(key []byte) bool) bool {
	if !s.next('{') {
		return false
	}
	if s.next('}') {
		return true
	}
	for {
		s.space()
		s.keys = s.keys[:0]
		if !s.text(&s.keys) || !s.next(':') || !member(s.keys) {
			return false
		}
		if s.next(',') {
			continue
		}
		return s.next('}')
	}
}

// status reads a status code: a number or digits in a string, 200 to 599.
func (s *scanner) status(into *int) bool {
	s.space()
	if s.null() {
		return true
	}
	quoted := s.next('"')
	start := s.i
	n := 0
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' && s.i-start < 4 {
		n = n*10 + int(s.b[s.i]-'0')
		s.i++
	}
	if s.i-start != 3 || n < 200 || n > 599 {
		return false
	}
	if quoted {
		if s.i >= len(s.b) || s.b[s.i] != '"' {
			return false
		}
		s.i++
	} else if s.i < len(s.b) && s.b[s.i] == '.' { // 200.0, as some languages write it
		s.i++
		zeros := s.i
		for s.i < len(s.b) && s.b[s.i] == '0' {
			s.i++
		}
		if s.i == zeros {
			return false
		}
	}
	*into = n
	return true
}

// headers reads an object of scalars, or of lists of scalars if many.
func (s *scanner) headers(into *[]Header, many bool) bool {
	if s.null() {
		return true
	}
	return s.object(func(key []byte) bool {
		name := headerName(key)
		one := func() bool {
			if len(*into) >= maxHeaders {
				return false
			}
			v, ok, absent := s.scalar()
			if ok && !absent {
				*into = append(*into, Header{name, v})
			}
			return ok
		}
		if !many || !s.next('[') {
			return one()
		}
		if s.next(']') {
			return true
		}
		for {
			if !one() {
				return false
			}
			if !s.next(',') {
				return s.next(']')
			}
		}
	})
}

// headerName spares the most common names an allocation.
func headerName(key []byte) string {
	switch string(key) {
	case "Content-Type":
		return "Content-Type"
	case "content-type":
		return "content-type"
	case "Access-Control-Allow-Origin":
		return "Access-Control-Allow-Origin"
	case "Cache-Control":
		return "Cache-Control"
	}
	return string(key)
}

// scalar reads a string, number or boolean as text; null is absent.
func (s *scanner) scalar() (text string, ok, absent bool) {
	s.space()
	if s.i >= len(s.b) {
		return "", false, false
	}
	switch c := s.b[s.i]; {
	case c == '"':
		s.tmp = s.tmp[:0]
		if !s.text(&s.tmp) {
			return "", false, false
		}
		if string(s.tmp) == "application/json" {
			return "application/json", true, false
		}
		return string(s.tmp), true, false
	case s.word("true"):
		return "true", true, false
	case s.word("false"):
		return "false", true, false
	case s.null():
		return "", true, true
	case c == '-' || c >= '0' && c <= '9':
		start := s.i
		if !s.number() {
			return "", false, false
		}
		return string(s.b[start:s.i]), true, false
	}
	return "", false, false
}

// number skips a JSON number.
func (s *scanner) number() bool {
	digits := func() bool {
		start := s.i
		for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
			s.i++
		}
		return s.i > start
	}
	if s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if !digits() {
		return false
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if !digits() {
			return false
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		return digits()
	}
	return true
}

// text reads a string, appending what it says to into.
func (s *scanner) text(into *[]byte) bool {
	if !s.next('"') {
		return false
	}
	dst := *into
	start := s.i
	for s.i < len(s.b) {
		c := s.b[s.i]
		if plain[c] || c >= utf8.RuneSelf {
			s.i++
			continue
		}
		dst = append(dst, s.b[start:s.i]...)
		s.i++
		if c == '"' {
			*into = dst
			return true
		}
		if c != '\\' || s.i >= len(s.b) {
			return false // a raw control character, or the end
		}
		c = s.b[s.i]
		s.i++
		switch c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, ok := s.hex()
			if !ok {
				return false
			}
			if utf16.IsSurrogate(r) {
				mark := s.i
				low := rune(utf8.RuneError)
				if s.i+1 < len(s.b) && s.b[s.i] == '\\' && s.b[s.i+1] == 'u' {
					s.i += 2
					if low, ok = s.hex(); !ok {
						return false
					}
				}
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					s.i = mark
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			return false
		}
		start = s.i
	}
	return false
}

func (s *scanner) hex() (rune, bool) {
	if s.i+4 > len(s.b) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.b[s.i:s.i+4]), 16, 16)
	if err != nil {
		return 0, false
	}
	s.i += 4
	return rune(n), true
}
