// Package value lets codecs fill and read Go values by the shapes of a model,
// be they generated structs or dynamic values.
//
// A target is a settable reflect.Value: a field of a generated struct, an
// element, or an interface (for dynamic values). Setting an already set target
// replaces it.
package value

import (
	"fmt"
	"reflect"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Into returns the target that a pointer points to.
func Into(p any) reflect.Value { return reflect.ValueOf(p).Elem() }

// Fields are the members of a structure that is being filled.
type Fields struct {
	sh *model.Shape
	v  reflect.Value  // of a generated struct
	m  map[string]any // of a dynamic one
}

// Struct begins to fill a structure.
func Struct(dst reflect.Value, sh *model.Shape) Fields {
	switch dst.Kind() {
	case reflect.Pointer:
		p := reflect.New(dst.Type().Elem())
		dst.Set(p)
		if f, ok := p.Interface().(*fault.Fault); ok {
			f.Shape, f.Fields = sh.Name, map[string]any{}
			if e := sh.Error; e != nil {
				f.Code, f.Status, f.Sender = e.Code, e.Status, e.Sender
			}
			return Fields{sh: sh, m: f.Fields}
		}
		return Fields{sh: sh, v: p.Elem()}
	case reflect.Struct:
		return Fields{sh: sh, v: dst}
	}
	m := map[string]any{}
	dst.Set(reflect.ValueOf(m))
	return Fields{sh: sh, m: m}
}

// Target returns the target of member i. When it is set, call Keep.
func (f *Fields) Target(i int) reflect.Value {
	if f.m == nil {
		return f.v.Field(i)
	}
	return reflect.New(anyType).Elem()
}

// Keep takes the target that Target returned for member i into the structure.
func (f *Fields) Keep(i int, target reflect.Value) {
	if f.m != nil {
		f.m[f.sh.Members[i].Name] = target.Interface()
	}
}

// Drop makes member i absent again.
func (f *Fields) Drop(i int) {
	if f.m != nil {
		delete(f.m, f.sh.Members[i].Name)
		return
	}
	f.v.Field(i).SetZero()
}

// Seq is a list that is being filled.
type Seq struct {
	dst, v reflect.Value
	n      int
}

var (
	anyType  = reflect.TypeFor[any]()
	listType = reflect.TypeFor[[]any]()
	mapType  = reflect.TypeFor[map[string]any]()
)

// List begins to fill a list; it is empty, not nil, if nothing follows.
func List(dst reflect.Value) Seq {
	q := Seq{dst: dst, v: dst}
	if dst.Kind() == reflect.Interface {
		q.v = reflect.New(listType).Elem()
	}
	q.v.Set(reflect.MakeSlice(q.v.Type(), 0, 0))
	return q
}

// Next returns the target of the next element.
func (q *Seq) Next() reflect.Value {
	q.v.Grow(1)
	q.n++
	q.v.SetLen(q.n)
	e := q.v.Index(q.n - 1)
	e.SetZero()
	return e
}

// Done ends the list.
func (q *Seq) Done() {
	if q.dst.Kind() == reflect.Interface {
		q.dst.Set(q.v)
	}
}

// Dict is a map that is being filled.
type Dict struct{ m, elem reflect.Value }

// Map begins to fill a map; it is empty, not nil, if nothing follows.
func Map(dst reflect.Value) Dict {
	t := dst.Type()
	if dst.Kind() == reflect.Interface {
		t = mapType
	}
	m := reflect.MakeMap(t)
	dst.Set(m)
	return Dict{m: m, elem: reflect.New(t.Elem()).Elem()}
}

// Next returns the target of the next entry's value. It is valid until the
// following call.
func (d *Dict) Next() reflect.Value {
	d.elem.SetZero()
	return d.elem
}

// Keep enters the value that Next's target was set to.
func (d *Dict) Keep(key string) { d.m.SetMapIndex(reflect.ValueOf(key), d.elem) }

// SetString sets a string.
func SetString(dst reflect.Value, s string) {
	switch p := dst.Addr().Interface().(type) {
	case **string:
		*p = &s
	case *string:
		*p = s
	case *any:
		*p = s
	default:
		mismatch(dst, "a string")
	}
}

// SetBool sets a boolean.
func SetBool(dst reflect.Value, b bool) {
	switch p := dst.Addr().Interface().(type) {
	case **bool:
		*p = &b
	case *bool:
		*p = b
	case *any:
		*p = b
	default:
		mismatch(dst, "a boolean")
	}
}

// SetInt sets an integer of kind model.Integer or model.Long; it reports whether
// n is in that kind's range.
func SetInt(dst reflect.Value, k model.Kind, n int64) bool {
	if k == model.Long {
		switch p := dst.Addr().Interface().(type) {
		case **int64:
			*p = &n
		case *int64:
			*p = n
		case *any:
			*p = n
		default:
			mismatch(dst, "a long")
		}
		return true
	}
	i := int32(n)
	if int64(i) != n {
		return false
	}
	switch p := dst.Addr().Interface().(type) {
	case **int32:
		*p = &i
	case *int32:
		*p = i
	case *any:
		*p = i
	default:
		mismatch(dst, "an integer")
	}
	return true
}

// SetFloat sets a number of kind model.Float or model.Double.
func SetFloat(dst reflect.Value, k model.Kind, f float64) {
	g := float32(f)
	switch p := dst.Addr().Interface().(type) {
	case **float64:
		*p = &f
	case *float64:
		*p = f
	case **float32:
		*p = &g
	case *float32:
		*p = g
	case *any:
		if k == model.Float {
			*p = g
		} else {
			*p = f
		}
	default:
		mismatch(dst, "a floating-point number")
	}
}

// SetTime sets a timestamp.
func SetTime(dst reflect.Value, t time.Time) {
	switch p := dst.Addr().Interface().(type) {
	case **time.Time:
		*p = &t
	case *time.Time:
		*p = t
	case *any:
		*p = t
	default:
		mismatch(dst, "a timestamp")
	}
}

// SetBytes sets a blob; b is kept.
func SetBytes(dst reflect.Value, b []byte) {
	switch p := dst.Addr().Interface().(type) {
	case *[]byte:
		*p = b
	case *any:
		*p = b
	default:
		mismatch(dst, "a blob")
	}
}

// SetAny sets a value as it is: a document, a stream.
func SetAny(dst reflect.Value, v any) {
	if v == nil {
		dst.SetZero()
		return
	}
	dst.Set(reflect.ValueOf(v))
}

// mismatch panics: the Go types and the tables were not generated together.
func mismatch(dst reflect.Value, want string) {
	panic(fmt.Sprintf("value: the model wants %s, the type is %s", want, dst.Type()))
}
