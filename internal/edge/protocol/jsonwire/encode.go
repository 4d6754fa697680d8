package jsonwire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/tierra-cloud/tierra/internal/edge/protocol/scalar"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/stamp"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Append writes v, of shape number shape, as JSON.
func Append(b []byte, s *model.Service, shape int, v reflect.Value) ([]byte, error) {
	e := encoder{s}
	return e.value(b, nil, shape, value.Deref(v))
}

// AppendMembers writes the members for which keep answers true as a JSON object.
func AppendMembers(b []byte, s *model.Service, sh *model.Shape, src *value.Source, keep func(*model.Member) bool) ([]byte, error) {
	e := encoder{s}
	return e.members(append(b, '{'), sh, src, keep)
}

// AppendEvent writes a structure that stands alone in the frame of an event
// stream. JSON has no names for documents.
func AppendEvent(b []byte, s *model.Service, sh *model.Shape, _ string, src *value.Source, keep func(*model.Member) bool) ([]byte, error) {
	return AppendMembers(b, s, sh, src, keep)
}

// AppendFault writes a fault's object: first head, which holds members or
// nothing, then those that the fault's shape has. sh may be nil.
func AppendFault(b []byte, s *model.Service, sh *model.Shape, src *value.Source, head func([]byte) []byte, keep func(*model.Member) bool) ([]byte, error) {
	b = head(append(b, '{'))
	if sh == nil {
		return append(b, '}'), nil
	}
	e := encoder{s}
	return e.members(b, sh, src, keep)
}

type encoder struct{ s *model.Service }

// members writes members and the closing brace; b ends with an opening brace or
// with a member.
func (e encoder) members(b []byte, sh *model.Shape, src *value.Source, keep func(*model.Member) bool) ([]byte, error) {
	for i := range sh.Members {
		m := &sh.Members[i]
		if keep != nil && !keep(m) {
			continue
		}
		if k := e.s.Shapes[m.Shape].Kind; k == model.Events {
			continue
		}
		v := src.Member(i)
		if !v.IsValid() {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = AppendString(b, m.WireName())
		b = append(b, ':')
		var err error
		if b, err = e.value(b, m, m.Shape, v); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

func (e encoder) value(b []byte, m *model.Member, shape int, v reflect.Value) ([]byte, error) {
	sh := &e.s.Shapes[shape]
	if !v.IsValid() {
		return append(b, "null"...), nil
	}
	if err := value.Check(v, sh); err != nil {
		return b, err
	}
	var err error
	switch sh.Kind {
	case model.Structure:
		src, err := value.Open(v, sh)
		if err != nil {
			return b, err
		}
		return e.members(append(b, '{'), sh, &src, nil)
	case model.List:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = e.value(b, nil, sh.Elem, value.Deref(v.Index(i))); err != nil {
				return b, err
			}
		}
		return append(b, ']'), nil
	case model.Map:
		b = append(b, '{')
		for i, k := range value.Keys(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendString(b, k)
			b = append(b, ':')
			if b, err = e.value(b, nil, sh.Elem, value.Entry(v, k)); err != nil {
				return b, err
			}
		}
		return append(b, '}'), nil
	case model.String:
		return AppendString(b, v.String()), nil
	case model.Integer, model.Long:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case model.Float, model.Double:
		f := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			b = append(b, '"')
			b = scalar.AppendFloat(b, f, sh.Kind)
			return append(b, '"'), nil
		}
		return scalar.AppendFloat(b, f, sh.Kind), nil
	case model.Boolean:
		return strconv.AppendBool(b, v.Bool()), nil
	case model.Blob:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"'), nil
	case model.Timestamp:
		f := stamp.Format(m, sh, model.Unix)
		if f == model.Unix {
			return stamp.Append(b, value.Time(v), f), nil
		}
		b = append(b, '"')
		b = stamp.Append(b, value.Time(v), f)
		return append(b, '"'), nil
	case model.Document:
		return AppendDocument(b, v.Interface())
	}
	return b, fmt.Errorf("jsonwire: shape %s cannot be written", sh.Name)
}

// AppendDocument writes a value of no particular shape.
func AppendDocument(b []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return b, fmt.Errorf("jsonwire: document: %w", err)
	}
	return append(b, text...), nil
}

const hexDigits = "0123456789abcdef"

// AppendString writes a string. What is not UTF-8 in it becomes the replacement
// character.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(b, s[from:i]...)
				b = append(b, "\ufffd"...)
				from = i + 1
			}
			i += n
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}
