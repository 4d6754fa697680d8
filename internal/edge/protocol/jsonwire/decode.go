package jsonwire

import (
	"encoding/base64"
	"math"
	"reflect"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/edge/protocol/scalar"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/stamp"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Decode reads a JSON text into dst, of shape number shape. Members that the
// shape does not have are passed over, of a member that is there twice the last
// one counts, and null is the same as absence. What is wrong with the text is an
// *Error.
func Decode(text []byte, s *model.Service, shape int, dst reflect.Value) error {
	d := decoder{scanner: scanner{data: text}, s: s}
	if d.peek() == 'n' && s.Shapes[shape].Kind != model.Document {
		return d.end(d.word("null"))
	}
	return d.end(d.value(nil, shape, dst))
}

// DecodeBody reads those members of a structure that are bound to the body of
// an HTTP message.
func DecodeBody(text []byte, s *model.Service, sh *model.Shape, fields *value.Fields) error {
	d := decoder{scanner: scanner{data: text}, s: s}
	if d.peek() == 'n' {
		return d.end(d.word("null"))
	}
	return d.end(d.members(sh, fields, true))
}

// end checks that nothing follows.
func (d *decoder) end(err error) error {
	if err == nil && (d.peek() != 0 || d.pos < len(d.data)) {
		return errToken
	}
	return err
}

// Document reads a JSON text of no particular shape.
func Document(text []byte) (any, error) {
	s := scanner{data: text}
	v, err := s.document()
	if err != nil {
		return nil, err
	}
	if s.peek() != 0 || s.pos < len(text) {
		return nil, errToken
	}
	return v, nil
}

type decoder struct {
	scanner
	s *model.Service
}

func (d *decoder) members(sh *model.Shape, fields *value.Fields, bodyOnly bool) error {
	if d.peek() != '{' {
		return d.unexpected("a Structure")
	}
	if err := d.open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.more(first, '}')
		if err != nil || !more {
			return err
		}
		k, err := d.key()
		if err != nil {
			return err
		}
		i := member(sh, k)
		if i < 0 || bodyOnly && sh.Members[i].Location != model.Body {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		m := &sh.Members[i]
		t := fields.Target(i)
		if d.peek() == 'n' && d.s.Shapes[m.Shape].Kind != model.Document {
			if err := d.word("null"); err != nil {
				return err
			}
			fields.Drop(i)
			continue
		}
		if err := d.value(m, m.Shape, t); err != nil {
			return err
		}
		fields.Keep(i, t)
	}
}

// member finds the member with that wire name, or -1.
func member(sh *model.Shape, name []byte) int {
	for i := range sh.Members {
		m := &sh.Members[i]
		wire := m.Wire
		if wire == "" {
			wire = m.Name
		}
		if len(wire) == len(name) && wire == string(name) {
			return i
		}
	}
	return -1
}

// value reads a value that is not null; m is the member that it is of, if any.
func (d *decoder) value(m *model.Member, shape int, dst reflect.Value) error {
	sh := &d.s.Shapes[shape]
	switch sh.Kind {
	case model.Structure:
		fields := value.Struct(dst, sh)
		return d.members(sh, &fields, false)
	case model.List:
		return d.list(sh, dst)
	case model.Map:
		return d.dict(sh, dst)
	case model.Document:
		v, err := d.document()
		if err != nil {
			return err
		}
		value.SetAny(dst, v)
		return nil
	}
	return d.scalar(m, sh, dst)
}

func (d *decoder) list(sh *model.Shape, dst reflect.Value) error {
	if d.peek() != '[' {
		return d.unexpected("a List")
	}
	if err := d.open(); err != nil {
		return err
	}
	seq := value.List(dst)
	for first := true; ; first = false {
		more, err := d.more(first, ']')
		if err != nil {
			return err
		}
		if !more {
			seq.Done()
			return nil
		}
		t := seq.Next()
		if d.peek() == 'n' && d.s.Shapes[sh.Elem].Kind != model.Document {
			if err := d.word("null"); err != nil {
				return err
			}
			// A list that can hold null is dynamic; an empty structure is how
			// services read null where they expect a structure.
			if k := t.Kind(); k != reflect.Struct && k != reflect.Interface {
				return &Error{"NULL_VALUE can not be an element of a list"}
			}
			continue
		}
		if err := d.value(nil, sh.Elem, t); err != nil {
			return err
		}
	}
}

func (d *decoder) dict(sh *model.Shape, dst reflect.Value) error {
	if d.peek() != '{' {
		return d.unexpected("a Map")
	}
	if err := d.open(); err != nil {
		return err
	}
	dict := value.Map(dst)
	for first := true; ; first = false {
		more, err := d.more(first, '}')
		if err != nil || !more {
			return err
		}
		b, err := d.key()
		if err != nil {
			return err
		}
		k := string(b)
		t := dict.Next()
		if d.peek() == 'n' && d.s.Shapes[sh.Elem].Kind != model.Document {
			if err := d.word("null"); err != nil {
				return err
			}
			if kind := t.Kind(); kind != reflect.Struct && kind != reflect.Interface {
				continue
			}
		} else if err := d.value(nil, sh.Elem, t); err != nil {
			return err
		}
		dict.Keep(k)
	}
}

func (d *decoder) scalar(m *model.Member, sh *model.Shape, dst reflect.Value) error {
	c := d.peek()
	switch sh.Kind {
	case model.String:
		if c != '"' {
			return d.unexpected("a String")
		}
		b, err := d.text()
		if err != nil {
			return err
		}
		value.SetString(dst, string(b))
		return nil
	case model.Boolean:
		if c != 't' && c != 'f' {
			return d.unexpected("a Boolean")
		}
		if c == 't' {
			value.SetBool(dst, true)
			return d.word("true")
		}
		value.SetBool(dst, false)
		return d.word("false")
	case model.Blob:
		if c != '"' {
			return d.unexpected("a Blob")
		}
		b, err := d.text()
		if err != nil {
			return err
		}
		blob := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
		n, err := base64.StdEncoding.Decode(blob, b)
		if err != nil {
			return &Error{"STRING_VALUE can not be decoded as base64"}
		}
		value.SetBytes(dst, blob[:n])
		return nil
	case model.Integer, model.Long:
		return d.integer(sh, dst, c)
	case model.Float, model.Double:
		f, err := d.float(sh, c)
		if err != nil {
			return err
		}
		value.SetFloat(dst, sh.Kind, f)
		return nil
	case model.Timestamp:
		return d.timestamp(m, sh, dst, c)
	}
	return &Error{"Unexpected field type"}
}

func (d *decoder) integer(sh *model.Shape, dst reflect.Value, c byte) error {
	if !numeric(c) {
		return d.unexpected(scalar.Noun(sh.Kind))
	}
	b, whole, err := d.number()
	if err != nil {
		return err
	}
	var n int64
	if whole {
		n, err = strconv.ParseInt(string(b), 10, 64)
	} else {
		// 1.0 and 1e3 are whole numbers as well.
		var f float64
		f, err = strconv.ParseFloat(string(b), 64)
		n = int64(f)
		if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return &Error{"DECIMAL_VALUE can not be converted to " + scalar.Noun(sh.Kind)}
		}
	}
	if err != nil || !value.SetInt(dst, sh.Kind, n) {
		return &Error{"NUMBER_VALUE is out of the range of " + scalar.Noun(sh.Kind)}
	}
	return nil
}

func (d *decoder) float(sh *model.Shape, c byte) (float64, error) {
	if c == '"' {
		at := *d
		b, err := d.text()
		if err != nil {
			return 0, err
		}
		switch string(b) {
		case "NaN":
			return math.NaN(), nil
		case "Infinity":
			return math.Inf(1), nil
		case "-Infinity":
			return math.Inf(-1), nil
		}
		*d = at
	}
	if !numeric(c) {
		return 0, d.unexpected(scalar.Noun(sh.Kind))
	}
	b, _, err := d.number()
	if err != nil {
		return 0, err
	}
	bits := 64
	if sh.Kind == model.Float {
		bits = 32
	}
	f, err := strconv.ParseFloat(string(b), bits)
	if err != nil {
		return 0, &Error{"NUMBER_VALUE is out of the range of " + scalar.Noun(sh.Kind)}
	}
	return f, nil
}

func (d *decoder) timestamp(m *model.Member, sh *model.Shape, dst reflect.Value, c byte) error {
	f := stamp.Format(m, sh, model.Unix)
	var b []byte
	var err error
	switch {
	case f == model.Unix && numeric(c):
		b, _, err = d.number()
	case f != model.Unix && c == '"':
		b, err = d.text()
	default:
		return d.unexpected("a Timestamp")
	}
	if err != nil {
		return err
	}
	t, err := stamp.Parse(string(b), f)
	if err != nil {
		return &Error{"The value can not be converted to a Timestamp"}
	}
	value.SetTime(dst, t)
	return nil
}

func numeric(c byte) bool { return c == '-' || c >= '0' && c <= '9' }

// unexpected words the error of a value that has another type than the shape,
// provided that it is a value at all.
func (d *decoder) unexpected(want string) error {
	c := d.peek()
	if err := d.skip(); err != nil {
		return err
	}
	got := "NUMBER_VALUE"
	switch c {
	case '{':
		return &Error{"Start of structure or map found where not expected."}
	case '[':
		return &Error{"Start of list found where not expected"}
	case '"':
		got = "STRING_VALUE"
	case 't':
		got = "TRUE_VALUE"
	case 'f':
		got = "FALSE_VALUE"
	}
	return &Error{got + " can not be converted to " + want}
}
