package cbor

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"

	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Append writes v, of shape number shape.
func Append(b []byte, s *model.Service, shape int, v reflect.Value) ([]byte, error) {
	return encoder{s}.value(b, shape, value.Deref(v))
}

// AppendMembers writes members of a structure as the inside of a map: between
// AppendOpen and AppendEnd.
func AppendMembers(b []byte, s *model.Service, sh *model.Shape, src *value.Source) ([]byte, error) {
	return encoder{s}.members(b, sh, src)
}

// AppendOpen begins a map of unknown length.
func AppendOpen(b []byte) []byte { return append(b, dict<<5|indefinite) }

// AppendEnd ends it.
func AppendEnd(b []byte) []byte { return append(b, breakByte) }

// AppendString writes a text string.
func AppendString(b []byte, s string) []byte {
	return append(appendHead(b, textString, uint64(len(s))), s...)
}

func appendHead(b []byte, major byte, arg uint64) []byte {
	major <<= 5
	switch {
	case arg < 24:
		return append(b, major|byte(arg))
	case arg <= math.MaxUint8:
		return append(b, major|24, byte(arg))
	case arg <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(arg))
	case arg <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), arg)
}

func appendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendHead(b, negative, uint64(-1-n))
	}
	return appendHead(b, unsigned, uint64(n))
}

func appendDouble(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, simple<<5|double), math.Float64bits(f))
}

type encoder struct{ s *model.Service }

func (e encoder) members(b []byte, sh *model.Shape, src *value.Source) ([]byte, error) {
	for i := range sh.Members {
		v := src.Member(i)
		if !v.IsValid() {
			continue
		}
		var err error
		b = AppendString(b, sh.Members[i].Name)
		if b, err = e.value(b, sh.Members[i].Shape, v); err != nil {
			return b, err
		}
	}
	return b, nil
}

func (e encoder) value(b []byte, shape int, v reflect.Value) ([]byte, error) {
	if !v.IsValid() {
		return append(b, simple<<5|nullValue), nil
	}
	sh := &e.s.Shapes[shape]
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
		b, err = e.members(AppendOpen(b), sh, &src)
		return AppendEnd(b), err
	case model.List:
		b = appendHead(b, array, uint64(v.Len()))
		for i := range v.Len() {
			if b, err = e.value(b, sh.Elem, value.Deref(v.Index(i))); err != nil {
				return b, err
			}
		}
		return b, nil
	case model.Map:
		b = appendHead(b, dict, uint64(v.Len()))
		for _, k := range value.Keys(v) {
			b = AppendString(b, k)
			if b, err = e.value(b, sh.Elem, value.Entry(v, k)); err != nil {
				return b, err
			}
		}
		return b, nil
	case model.String:
		return AppendString(b, v.String()), nil
	case model.Blob:
		return append(appendHead(b, byteString, uint64(v.Len())), v.Bytes()...), nil
	case model.Boolean:
		if v.Bool() {
			return append(b, simple<<5|trueValue), nil
		}
		return append(b, simple<<5|falseValue), nil
	case model.Integer, model.Long:
		return appendInt(b, v.Int()), nil
	case model.Float:
		return binary.BigEndian.AppendUint32(append(b, simple<<5|single), math.Float32bits(float32(v.Float()))), nil
	case model.Double:
		return appendDouble(b, v.Float()), nil
	case model.Timestamp:
		ms := value.Time(v).UnixMilli()
		b = append(b, tag<<5|1) // epoch-based date and time
		if ms%1000 == 0 {
			return appendInt(b, ms/1000), nil
		}
		return appendDouble(b, float64(ms)/1000), nil
	}
	return b, fmt.Errorf("cbor: shape %s cannot be written", sh.Name)
}
