package cbor

import (
	"math"
	"reflect"
	"slices"

	"github.com/tierra-cloud/tierra/internal/edge/protocol/scalar"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/stamp"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Decode reads a CBOR text into dst, of shape number shape. Members that the
// shape does not have are passed over, of a member that is there twice the last
// one counts, and null is the same as absence. What is wrong with the text is an
// *Error.
func Decode(text []byte, s *model.Service, shape int, dst reflect.Value) error {
	d := decoder{reader: reader{data: text}, s: s}
	h, err := d.item()
	if err != nil {
		return err
	}
	if !h.null() {
		if err := d.value(h, shape, dst); err != nil {
			return err
		}
	}
	if d.pos != len(text) {
		return errForm
	}
	return nil
}

type decoder struct {
	reader
	s *model.Service
}

// key reads a map's key.
func (d *decoder) key() ([]byte, error) {
	h, err := d.item()
	if err != nil {
		return nil, err
	}
	if h.major != textString {
		return nil, &Error{"The key of a CBOR map is not a text string"}
	}
	return d.bytes(h)
}

func (d *decoder) structure(h head, sh *model.Shape, dst reflect.Value) error {
	if h.major != dict {
		return d.unexpected(h, "a Structure")
	}
	if err := d.open(h); err != nil {
		return err
	}
	fields := value.Struct(dst, sh)
	for n := uint64(0); d.more(h, n); n++ {
		k, err := d.key()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(sh.Members, func(m model.Member) bool { return m.Name == string(k) })
		c, err := d.item()
		if err != nil {
			return err
		}
		switch {
		case i < 0:
			err = d.skip(c)
		case c.null():
			fields.Drop(i)
		default:
			t := fields.Target(i)
			if err = d.value(c, sh.Members[i].Shape, t); err == nil {
				fields.Keep(i, t)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// value reads the value that is not null and whose head was read.
func (d *decoder) value(h head, shape int, dst reflect.Value) error {
	sh := &d.s.Shapes[shape]
	switch sh.Kind {
	case model.Structure:
		return d.structure(h, sh, dst)
	case model.List:
		return d.list(h, sh, dst)
	case model.Map:
		return d.dict(h, sh, dst)
	case model.String:
		if h.major != textString {
			return d.unexpected(h, "a String")
		}
		b, err := d.bytes(h)
		if err != nil {
			return err
		}
		value.SetString(dst, string(b))
	case model.Blob:
		if h.major != byteString {
			return d.unexpected(h, "a Blob")
		}
		b, err := d.bytes(h)
		if err != nil {
			return err
		}
		value.SetBytes(dst, append([]byte{}, b...))
	case model.Boolean:
		if h.major != simple || h.info != trueValue && h.info != falseValue {
			return d.unexpected(h, "a Boolean")
		}
		value.SetBool(dst, h.info == trueValue)
	case model.Integer, model.Long:
		return d.integer(h, sh, dst)
	case model.Float, model.Double:
		f, ok := number(h)
		if !ok {
			return d.unexpected(h, scalar.Noun(sh.Kind))
		}
		value.SetFloat(dst, sh.Kind, f)
	case model.Timestamp:
		return d.timestamp(h, dst)
	default:
		return &Error{"Unexpected field type"}
	}
	return nil
}

func (d *decoder) list(h head, sh *model.Shape, dst reflect.Value) error {
	if h.major != array {
		return d.unexpected(h, "a List")
	}
	if err := d.open(h); err != nil {
		return err
	}
	seq := value.List(dst)
	for n := uint64(0); d.more(h, n); n++ {
		c, err := d.item()
		if err != nil {
			return err
		}
		t := seq.Next()
		if c.null() {
			if k := t.Kind(); k != reflect.Struct && k != reflect.Interface {
				return &Error{"Null can not be an element of a list"}
			}
			continue
		}
		if err := d.value(c, sh.Elem, t); err != nil {
			return err
		}
	}
	seq.Done()
	return nil
}

func (d *decoder) dict(h head, sh *model.Shape, dst reflect.Value) error {
	if h.major != dict {
		return d.unexpected(h, "a Map")
	}
	if err := d.open(h); err != nil {
		return err
	}
	entries := value.Map(dst)
	for n := uint64(0); d.more(h, n); n++ {
		b, err := d.key()
		if err != nil {
			return err
		}
		k := string(b)
		c, err := d.item()
		if err != nil {
			return err
		}
		t := entries.Next()
		if !c.null() {
			if err := d.value(c, sh.Elem, t); err != nil {
				return err
			}
		} else if kind := t.Kind(); kind != reflect.Struct && kind != reflect.Interface {
			continue
		}
		entries.Keep(k)
	}
	return nil
}

// number returns the value of an integer or floating-point item.
func number(h head) (float64, bool) {
	switch {
	case h.isFloat():
		return h.float(), true
	case h.major == unsigned:
		return float64(h.arg), true
	case h.major == negative:
		return -1 - float64(h.arg), true
	}
	return 0, false
}

func (d *decoder) integer(h head, sh *model.Shape, dst reflect.Value) error {
	n, ok := h.integer()
	if h.isFloat() { // whole numbers may be written as floats
		f := h.float()
		n, ok = int64(f), f == math.Trunc(f) && math.Abs(f) <= 1<<53
	} else if h.major != unsigned && h.major != negative {
		return d.unexpected(h, scalar.Noun(sh.Kind))
	}
	if !ok || !value.SetInt(dst, sh.Kind, n) {
		return &Error{"A number is out of the range of " + scalar.Noun(sh.Kind)}
	}
	return nil
}

// timestamp reads seconds since 1970, which tag 1 marks; tags were passed over.
func (d *decoder) timestamp(h head, dst reflect.Value) error {
	if n, ok := h.integer(); ok {
		t, err := stamp.FromSeconds(float64(n))
		if err != nil {
			return &Error{"A number is out of the range of a Timestamp"}
		}
		value.SetTime(dst, t)
		return nil
	}
	f, ok := number(h)
	if !ok {
		return d.unexpected(h, "a Timestamp")
	}
	t, err := stamp.FromSeconds(f)
	if err != nil {
		return &Error{"A number is out of the range of a Timestamp"}
	}
	value.SetTime(dst, t)
	return nil
}

// unexpected words the error of an item that has another type than the shape,
// provided that it is well-formed.
func (d *decoder) unexpected(h head, want string) error {
	if err := d.skip(h); err != nil {
		return err
	}
	got := [...]string{"A number", "A number", "A byte string", "A text string", "A list", "A map", "A tag", "A simple value"}[h.major]
	return &Error{got + " can not be converted to " + want}
}
