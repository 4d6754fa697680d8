// Package accesslog writes access logs in the formats that their owners choose:
// any text, JSON, XML, CSV or the Common Log Format, with variables of $context.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
package accesslog

import (
	"errors"
	"strings"
)

// MaxFormat is how long a format may be, in bytes.
const MaxFormat = 3 << 10

// The mistakes of formats.
var (
	//lint:ignore ST1005 AWS's words
	ErrLines = errors.New("Access Log format must be single line, new line character is allowed only at end of the format")
	//lint:ignore ST1005 AWS's words
	ErrRequest = errors.New("Access Log format must contain at least $context.requestId or $context.extendedRequestId")
	//lint:ignore ST1005 AWS's words
	ErrLong = errors.New("Access Log format must not be longer than 3072 bytes")
)

// Format is a format compiled. It may be used by several goroutines.
type Format struct{ parts []part }

// part is a text and the variable behind it.
type part struct {
	text, name string
	// quoted says that the variable stands between double quotes: what would end
	// them is escaped, so that callers cannot write what is not theirs.
	quoted bool
}

const prefix = "context."

// Parse compiles a format. A variable is $context.name or ${context.name}; what
// is none stays as it is. The error is one of the mistakes above.
func Parse(text string) (*Format, error) {
	if len(text) > MaxFormat {
		return nil, ErrLong
	}
	text = strings.TrimRight(text, "\r\n")
	if strings.ContainsAny(text, "\r\n") {
		return nil, ErrLines
	}
	f := &Format{}
	identified, quoted, rest := false, false, text
	var plain strings.Builder
	take := func(s string) {
		for i := 0; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case '"':
				quoted = !quoted
			}
		}
		plain.WriteString(s)
	}
	for rest != "" {
		i := strings.IndexByte(rest, '$')
		if i < 0 {
			break
		}
		name, size := variable(rest[i:])
		if name == "" {
			take(rest[:i+1])
			rest = rest[i+1:]
			continue
		}
		take(rest[:i])
		f.parts = append(f.parts, part{plain.String(), name, quoted})
		plain.Reset()
		identified = identified || name == "requestId" || name == "extendedRequestId"
		rest = rest[i+size:]
	}
	if !identified {
		return nil, ErrRequest
	}
	if take(rest); plain.Len() > 0 {
		f.parts = append(f.parts, part{text: plain.String()})
	}
	return f, nil
}

// variable reads the variable that s begins with: its name without "context."
// and its size in s; "" if there is none.
func variable(s string) (name string, size int) {
	s, size = s[1:], 1
	braced := strings.HasPrefix(s, "{")
	if braced {
		s, size = s[1:], 2
	}
	if !strings.HasPrefix(s, prefix) {
		return "", 0
	}
	s, size = s[len(prefix):], size+len(prefix)
	n := 0
	for n < len(s) && named(s[n]) {
		n++
	}
	if braced {
		if n == 0 || n == len(s) || s[n] != '}' {
			return "", 0
		}
		return s[:n], size + n + 1
	}
	name = strings.TrimRight(s[:n], ".-") // a full stop or a hyphen behind it is text
	return name, size + len(name)
}

func named(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-'
}

// Append appends a line, without an end of line. value returns the value of a
// variable ("identity.sourceIp"); one that has none is written as "-".
func (f *Format) Append(dst []byte, value func(name string) string) []byte {
	for i := range f.parts {
		p := &f.parts[i]
		dst = append(dst, p.text...)
		if p.name == "" {
			continue
		}
		v := value(p.name)
		switch {
		case v == "":
			dst = append(dst, '-')
		case p.quoted:
			dst = escape(dst, v)
		default:
			dst = line(dst, v)
		}
	}
	return dst
}

const digits = "0123456789abcdef"

// escape appends v as it may stand between double quotes.
func escape(dst []byte, v string) []byte {
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// line appends v in one line.
func line(dst []byte, v string) []byte {
	for i := 0; i < len(v); i++ {
		if c := v[i]; c >= ' ' || c == '\t' {
			dst = append(dst, c)
		} else {
			dst = append(dst, ' ')
		}
	}
	return dst
}
