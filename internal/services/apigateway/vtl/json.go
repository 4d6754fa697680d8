package vtl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseJSON reads a JSON text into values of this package; objects keep their order.
func ParseJSON(text []byte) (any, error) { return parseJSON(text, false) }

// ParseDocument is ParseJSON for lists that print as JSON.
func ParseDocument(text []byte) (any, error) { return parseJSON(text, true) }

func parseJSON(text []byte, document bool) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := readJSON(d, document, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the JSON text")
	}
	return v, nil
}

func readJSON(d *json.Decoder, document bool, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if depth > 500 {
		return nil, errors.New("the JSON text is nested too deeply")
	}
	switch t := t.(type) {
	case json.Number:
		return jsonNumber(string(t)), nil
	case json.Delim:
		if t == '[' {
			l := &List{JSON: document}
			for d.More() {
				v, err := readJSON(d, document, depth+1)
				if err != nil {
					return nil, err
				}
				l.Items = append(l.Items, v)
			}
			_, err := d.Token()
			return l, err
		}
		m := NewMap()
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := readJSON(d, document, depth+1)
			if err != nil {
				return nil, err
			}
			key, ok := k.(string)
			if !ok {
				return nil, fmt.Errorf("%v is no name", k)
			}
			m.Put(key, v)
		}
		_, err := d.Token()
		return m, err
	}
	return t, nil
}

func jsonNumber(s string) any {
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
		if n, ok := new(big.Int).SetString(s, 10); ok && len(s) < maxBits/4 {
			return n
		}
	}
	f, _ := strconv.ParseFloat(s, 64) // beyond its range it is infinite, as in Java
	return f
}

// AppendJSON appends a value as JSON. What JSON cannot hold is a string. A value
// that contains itself, or is longer than MaxText, is ErrLimit.
func AppendJSON(dst []byte, v any) ([]byte, error) {
	limit := len(dst) + MaxText
	dst = plainJSON.value(dst, v, 0, limit)
	if len(dst) > limit {
		return nil, fmt.Errorf("%w: a value is too long for JSON", ErrLimit)
	}
	return dst, nil
}

// jsonStyle is how strings are written in JSON.
type jsonStyle bool

const (
	plainJSON jsonStyle = false
	// webJSON escapes what json-smart does in arrays that are printed: slashes, the
	// control characters from 7F to 9F, and U+2000 to U+20FF.
	webJSON jsonStyle = true
)

func (st jsonStyle) value(dst []byte, v any, depth, limit int) []byte {
	if len(dst) > limit {
		return dst
	}
	if depth > 500 { // as only a value is that contains itself
		return append(dst, make([]byte, limit+1-len(dst))...)
	}
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case *big.Int:
		return v.Append(dst, 10)
	case float64:
		if v-v == 0 {
			return append(dst, formatDouble(v)...)
		}
	case *List:
		dst = append(dst, '[')
		for i, x := range v.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst = st.value(dst, x, depth+1, limit); len(dst) > limit {
				return dst
			}
		}
		return append(dst, ']')
	case *Map:
		dst = append(dst, '{')
		for i, k := range v.keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(st.text(dst, String(v.Key(k))), ':')
			if dst = st.value(dst, v.m[k], depth+1, limit); len(dst) > limit {
				return dst
			}
		}
		return append(dst, '}')
	}
	return st.text(dst, String(v))
}

func (st jsonStyle) text(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', byte(c))
		case c == '/' && st == webJSON:
			dst = append(dst, `\/`...)
		case c == '\b':
			dst = append(dst, `\b`...)
		case c == '\f':
			dst = append(dst, `\f`...)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case st == webJSON && (c >= 0x7F && c <= 0x9F || c >= 0x2000 && c <= 0x20FF):
			dst = append(dst, '\\', 'u', hex[c>>12], hex[c>>8&15], hex[c>>4&15], hex[c&15])
		default:
			dst = utf8.AppendRune(dst, c)
		}
	}
	return append(dst, '"')
}
