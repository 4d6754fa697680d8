package resource

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Unknown stands for a value that is not known before other resources exist.
type Unknown struct{}

// String makes a problem readable.
func (p Problem) String() string {
	if len(p.Path) == 0 {
		return p.Text
	}
	return strings.Join(p.Path, ".") + ": " + p.Text
}

type field struct {
	Property
	refused bool
	index   int
}

// fields reads the tags of a property struct, without those of refused properties.
func fields(t reflect.Type) []field {
	return slices.DeleteFunc(tagged(t), func(f field) bool { return f.refused })
}

// refuses reports whether a struct says of a property that it is not honoured.
func refuses(t reflect.Type, name string) bool {
	return t != nil && t.Kind() == reflect.Struct && slices.ContainsFunc(tagged(t), func(f field) bool { return f.refused && f.Name == name })
}

func tagged(t reflect.Type) []field {
	out := make([]field, 0, t.NumField())
	for i := 0; i < t.NumField(); i++ {
		tag, ok := t.Field(i).Tag.Lookup("cfn")
		if !ok {
			continue
		}
		parts := strings.Split(tag, ",")
		f := field{Property: Property{Name: parts[0]}, index: i}
		for _, flag := range parts[1:] {
			switch flag {
			case "required":
				f.Required = true
			case "replace":
				f.Replace = true
			case "meaningless":
				f.Meaningless = true
			case "refused":
				f.refused = true
			default:
				panic("resource: unknown flag " + flag + " on " + t.Name() + "." + t.Field(i).Name)
			}
		}
		out = append(out, f)
	}
	return out
}

func properties(v any) []Property {
	if _, open := v.(Open); open {
		return nil
	}
	var out []Property
	for _, f := range fields(reflect.TypeOf(v)) {
		out = append(out, f.Property)
	}
	return out
}

func decode(props map[string]any, into any) []Problem {
	if open, ok := into.(*Open); ok {
		*open = props
		return nil
	}
	d := decoder{}
	d.structure(props, reflect.ValueOf(into).Elem(), nil)
	return d.bad
}

type decoder struct{ bad []Problem }

func (d *decoder) fail(path []string, format string, args ...any) {
	d.bad = append(d.bad, Problem{append([]string(nil), path...), fmt.Sprintf(format, args...)})
}

func (d *decoder) structure(props map[string]any, v reflect.Value, path []string) {
	known := map[string]bool{}
	var names []string
	for _, f := range fields(v.Type()) {
		known[f.Name] = true
		names = append(names, f.Name)
		x, ok := props[f.Name]
		if !ok || x == nil {
			if f.Required {
				d.fail(path, "required key [%s] not found", f.Name)
			}
			continue
		}
		d.value(x, v.Field(f.index), append(path, f.Name))
	}
	var extra []string
	for k := range props {
		if !known[k] {
			extra = append(extra, k)
		}
	}
	sort.Strings(extra)
	for _, k := range extra {
		if refuses(v.Type(), k) {
			if !off(props[k]) {
				d.fail(append(path, k), "[%s] is not supported by this version of Tierra", k)
			}
			continue
		}
		d.fail(append(path, k), "extraneous key [%s] is not permitted (known here: %s)", k, strings.Join(names, ", "))
	}
}

// off reports whether a value turns nothing on: a setting that is not honoured may
// say that it is not wanted.
func off(x any) bool {
	switch x := x.(type) {
	case nil, Unknown:
		return true
	case bool:
		return !x
	case string:
		return x == "" || strings.EqualFold(x, "false")
	case []any:
		return len(x) == 0
	case map[string]any:
		for _, v := range x {
			if !off(v) {
				return false
			}
		}
		return true
	}
	return false
}

// value converts as CloudFormation does: numbers and booleans may be written as
// strings and the other way round.
func (d *decoder) value(x any, v reflect.Value, path []string) {
	if _, unknown := x.(Unknown); unknown {
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Interface:
		v.Set(reflect.ValueOf(x))
	case reflect.Struct:
		m, ok := x.(map[string]any)
		if !ok {
			d.fail(path, "expected type: Object, found: %s", typeName(x))
			return
		}
		d.structure(m, v, path)
	case reflect.Slice:
		l, ok := x.([]any)
		if !ok {
			d.fail(path, "expected type: Array, found: %s", typeName(x))
			return
		}
		s := reflect.MakeSlice(v.Type(), len(l), len(l))
		for i := range l {
			d.value(l[i], s.Index(i), append(path, strconv.Itoa(i)))
		}
		v.Set(s)
	case reflect.Map:
		m, ok := x.(map[string]any)
		if !ok {
			d.fail(path, "expected type: Object, found: %s", typeName(x))
			return
		}
		out := reflect.MakeMapWithSize(v.Type(), len(m))
		for k, e := range m {
			ev := reflect.New(v.Type().Elem()).Elem()
			d.value(e, ev, append(path, k))
			out.SetMapIndex(reflect.ValueOf(k).Convert(v.Type().Key()), ev)
		}
		v.Set(out)
	default:
		d.scalar(x, v, path)
	}
}

func (d *decoder) scalar(x any, v reflect.Value, path []string) {
	s, ok := scalarText(x)
	if !ok {
		d.fail(path, "expected type: %s, found: %s", kindName(v.Kind()), typeName(x))
		return
	}
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		var b bool
		switch strings.ToLower(s) {
		case "true":
			b = true
		case "false":
		default:
			err = strconv.ErrSyntax
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(s, 10, v.Type().Bits())
		v.SetInt(n)
	case reflect.Float32, reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(s, v.Type().Bits())
		v.SetFloat(f)
	default:
		err = fmt.Errorf("no conversion")
	}
	if err != nil {
		d.fail(path, "expected type: %s, found: %s", kindName(v.Kind()), typeName(x))
	}
}

func scalarText(x any) (string, bool) {
	switch x := x.(type) {
	case string:
		return x, true
	case bool:
		return strconv.FormatBool(x), true
	case int:
		return strconv.Itoa(x), true
	case int64:
		return strconv.FormatInt(x, 10), true
	case uint64:
		return strconv.FormatUint(x, 10), true
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64), true
	case json.Number:
		return x.String(), true
	}
	return "", false
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "String"
	case reflect.Bool:
		return "Boolean"
	case reflect.Float32, reflect.Float64:
		return "Number"
	}
	return "Integer"
}

func typeName(x any) string {
	switch x.(type) {
	case nil:
		return "Null"
	case string:
		return "String"
	case bool:
		return "Boolean"
	case map[string]any:
		return "JSONObject"
	case []any:
		return "JSONArray"
	}
	return "Number"
}
