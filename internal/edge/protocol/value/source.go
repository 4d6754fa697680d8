package value

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Deref follows pointers and interfaces. Of what is absent (nil) it returns the
// zero Value.
func Deref(v reflect.Value) reflect.Value {
	for {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if v.IsNil() {
				return reflect.Value{}
			}
			v = v.Elem()
		case reflect.Slice, reflect.Map, reflect.Func:
			if v.IsNil() {
				return reflect.Value{}
			}
			return v
		default:
			return v
		}
	}
}

// Source is a structure whose members are read.
type Source struct {
	sh *model.Shape
	v  reflect.Value
	m  map[string]any
	f  *fault.Fault
}

// Open begins to read a structure of shape sh; v is what Deref returned, or the
// zero Value for a structure without members.
func Open(v reflect.Value, sh *model.Shape) (Source, error) {
	switch v.Kind() {
	case reflect.Invalid:
		return Source{sh: sh, m: map[string]any{}}, nil
	case reflect.Struct:
		if f, ok := v.Interface().(fault.Fault); ok {
			return Source{sh: sh, f: &f}, nil
		}
		if v.NumField() != len(sh.Members) {
			return Source{}, wrong(v, sh)
		}
		return Source{sh: sh, v: v}, nil
	case reflect.Map:
		if m, ok := v.Interface().(map[string]any); ok {
			return Source{sh: sh, m: m}, nil
		}
	}
	return Source{}, wrong(v, sh)
}

// OfFault reads the members of f's shape sh.
func OfFault(f *fault.Fault, sh *model.Shape) Source { return Source{sh: sh, f: f} }

// Field returns member i as it stands in the structure.
func (s *Source) Field(i int) reflect.Value {
	switch {
	case s.f != nil:
		name := s.sh.Members[i].Name
		if v, ok := s.f.Fields[name]; ok {
			return reflect.ValueOf(v)
		}
		if strings.EqualFold(name, "message") && s.f.Message != "" {
			return reflect.ValueOf(s.f.Message)
		}
		return reflect.Value{}
	case s.m != nil:
		return reflect.ValueOf(s.m[s.sh.Members[i].Name])
	}
	return s.v.Field(i)
}

// Member returns member i, or the zero Value if it is absent. Not for streams:
// see Reader and Events.
func (s *Source) Member(i int) reflect.Value { return Deref(s.Field(i)) }

// Reader returns member i, a streaming blob, or nil if it is absent.
func (s *Source) Reader(i int) io.ReadCloser {
	if v := s.Field(i); v.IsValid() {
		r, _ := v.Interface().(io.ReadCloser)
		return r
	}
	return nil
}

// Events returns member i, an event stream, or nil if it is absent.
func (s *Source) Events(i int) model.EventStream {
	v := s.Member(i)
	if !v.IsValid() {
		return nil
	}
	e, _ := v.Interface().(model.EventStream)
	return e
}

// Keys returns the keys of a map in order.
func Keys(m reflect.Value) []string {
	keys := make([]string, 0, m.Len())
	for it := m.MapRange(); it.Next(); {
		keys = append(keys, it.Key().String())
	}
	slices.Sort(keys)
	return keys
}

// Entry returns the value under key, as Deref does.
func Entry(m reflect.Value, key string) reflect.Value {
	return Deref(m.MapIndex(reflect.ValueOf(key)))
}

// Check returns an error unless v is a Go value that a shape of that kind has.
// Structures and documents are not looked at.
func Check(v reflect.Value, sh *model.Shape) error {
	ok := true
	switch sh.Kind {
	case model.List:
		ok = v.Kind() == reflect.Slice
	case model.Map:
		ok = v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String
	case model.String:
		ok = v.Kind() == reflect.String
	case model.Integer, model.Long:
		ok = v.CanInt()
	case model.Float, model.Double:
		ok = v.CanFloat()
	case model.Boolean:
		ok = v.Kind() == reflect.Bool
	case model.Blob:
		ok = v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8
	case model.Timestamp:
		ok = v.Type() == timeType
	}
	if !ok {
		return wrong(v, sh)
	}
	return nil
}

var timeType = reflect.TypeFor[time.Time]()

// Time returns the timestamp that v holds.
func Time(v reflect.Value) time.Time {
	if v.CanAddr() {
		return *v.Addr().Interface().(*time.Time)
	}
	return v.Interface().(time.Time)
}

func wrong(v reflect.Value, sh *model.Shape) error {
	return fmt.Errorf("value: %s is not a value of shape %s", v.Type(), sh.Name)
}

// Of returns the value that a codec was given.
func Of(v any) reflect.Value { return reflect.ValueOf(v) }
