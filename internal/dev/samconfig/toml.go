package samconfig

import (
	"fmt"
	"strconv"
	"strings"
)

// parse reads the part of TOML that these files are written in: tables, and keys
// with strings, numbers, booleans and arrays of those. Values are string, int64,
// float64, bool or []any; a table's name is kept as it is written.
// https://toml.io/en/v1.0.0
func parse(text string) (map[string]map[string]any, error) {
	p := &parser{s: text, line: 1}
	out := map[string]map[string]any{"": {}}
	table := ""
	for {
		p.skip(true)
		if p.s == "" {
			return out, nil
		}
		if p.s[0] == '[' {
			name, err := p.header()
			if err != nil {
				return nil, err
			}
			if table = name; out[table] == nil {
				out[table] = map[string]any{}
			}
			continue
		}
		key, err := p.key("=")
		if err != nil {
			return nil, err
		}
		if _, twice := out[table][key]; twice {
			return nil, p.bad("the key %s is there twice", key)
		}
		if out[table][key], err = p.value(); err != nil {
			return nil, err
		}
		p.skip(false)
		if p.s != "" && p.s[0] != '\n' && p.s[0] != '\r' {
			return nil, p.bad("there is more after the value of %s", key)
		}
	}
}

type parser struct {
	s    string // what is left
	line int
}

func (p *parser) bad(format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{p.line}, args...)...)
}

// skip passes over spaces and comments, and over ends of lines if lines is set.
func (p *parser) skip(lines bool) {
	for p.s != "" {
		switch c := p.s[0]; {
		case c == ' ' || c == '\t':
		case c == '#':
			i := strings.IndexByte(p.s, '\n')
			if i < 0 {
				i = len(p.s)
			}
			p.s = p.s[i:]
			continue
		case lines && (c == '\n' || c == '\r'):
			if c == '\n' {
				p.line++
			}
		default:
			return
		}
		p.s = p.s[1:]
	}
}

func (p *parser) header() (string, error) {
	if strings.HasPrefix(p.s, "[[") {
		return "", p.bad("arrays of tables are not read")
	}
	p.s = p.s[1:]
	return p.key("]")
}

// key reads a key, dotted or not, and what ends it.
func (p *parser) key(end string) (string, error) {
	var parts []string
	for {
		p.skip(false)
		part := ""
		if p.s != "" && (p.s[0] == '"' || p.s[0] == '\'') {
			v, err := p.text()
			if err != nil {
				return "", err
			}
			part = v
		} else {
			i := 0
			for i < len(p.s) && (p.s[i] == '_' || p.s[i] == '-' || p.s[i] >= '0' && p.s[i] <= '9' || p.s[i]|0x20 >= 'a' && p.s[i]|0x20 <= 'z') {
				i++
			}
			part, p.s = p.s[:i], p.s[i:]
		}
		if part == "" {
			return "", p.bad("a key is missing")
		}
		parts = append(parts, part)
		p.skip(false)
		if strings.HasPrefix(p.s, ".") {
			p.s = p.s[1:]
			continue
		}
		if !strings.HasPrefix(p.s, end) {
			return "", p.bad("%q is missing after %s", end, strings.Join(parts, "."))
		}
		p.s = p.s[len(end):]
		return strings.Join(parts, "."), nil
	}
}

func (p *parser) value() (any, error) {
	p.skip(false)
	switch {
	case p.s == "":
		return nil, p.bad("a value is missing")
	case p.s[0] == '"' || p.s[0] == '\'':
		return p.text()
	case p.s[0] == '[':
		return p.array()
	}
	i := strings.IndexAny(p.s, " \t\r\n,]#")
	if i < 0 {
		i = len(p.s)
	}
	word := p.s[:i]
	p.s = p.s[i:]
	switch word {
	case "true", "false":
		return word == "true", nil
	}
	if n, err := strconv.ParseInt(strings.ReplaceAll(word, "_", ""), 0, 64); err == nil {
		return n, nil
	}
	if f, err := strconv.ParseFloat(word, 64); err == nil {
		return f, nil
	}
	return nil, p.bad("%q is not a value that is read here", word)
}

func (p *parser) array() (any, error) {
	p.s = p.s[1:]
	out := []any{}
	for {
		p.skip(true)
		if strings.HasPrefix(p.s, "]") {
			p.s = p.s[1:]
			return out, nil
		}
		if strings.HasPrefix(p.s, "[") {
			return nil, p.bad("arrays of arrays are not read")
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		p.skip(true)
		if strings.HasPrefix(p.s, ",") {
			p.s = p.s[1:]
		} else if !strings.HasPrefix(p.s, "]") {
			return nil, p.bad("an array is not closed")
		}
	}
}

// text reads a string in one of TOML's four forms.
func (p *parser) text() (string, error) {
	quote := p.s[:1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(p.s, long) {
		end := strings.Index(p.s[3:], long)
		if end < 0 {
			return "", p.bad("a string is not closed")
		}
		body := p.s[3 : 3+end]
		p.s = p.s[end+6:]
		p.line += strings.Count(body, "\n")
		body = strings.TrimPrefix(strings.TrimPrefix(body, "\r"), "\n")
		if quote == "'" {
			return body, nil
		}
		return p.unescape(body)
	}
	for i := 1; i < len(p.s) && p.s[i] != '\n'; i++ {
		switch {
		case p.s[i] == '\\' && quote == `"`:
			i++
		case p.s[i] == quote[0]:
			body := p.s[1:i]
			p.s = p.s[i+1:]
			if quote == "'" {
				return body, nil
			}
			return p.unescape(body)
		}
	}
	return "", p.bad("a string is not closed")
}

func (p *parser) unescape(s string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		c := s[i+1]
		s = s[i+2:]
		if plain := strings.IndexByte(`"\btnfre`, c); plain >= 0 {
			b.WriteByte("\"\\\b\t\n\f\r\x1b"[plain])
			continue
		}
		digits := map[byte]int{'u': 4, 'U': 8}[c]
		if c == '\n' || c == '\r' || c == ' ' || c == '\t' { // a line's end that is no part of the text
			s = strings.TrimLeft(s, " \t\r\n")
			continue
		}
		if digits == 0 || len(s) < digits {
			return "", p.bad(`\%c is no escape`, c)
		}
		n, err := strconv.ParseUint(s[:digits], 16, 32)
		if err != nil {
			return "", p.bad(`\%c%s is no escape`, c, s[:digits])
		}
		b.WriteRune(rune(n))
		s = s[digits:]
	}
}
