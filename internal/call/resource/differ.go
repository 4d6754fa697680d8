package resource

import (
	"encoding/json"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// Difference is a property that is not what it was set to.
type Difference struct {
	Path             string // "/Tags/0/Value"
	Kind             string // Add, Remove or NotEqual
	Expected, Actual any    // nil where there is none
}

// The kinds of differences, as AWS names them.
const (
	Added    = "ADD"
	Removed  = "REMOVE"
	NotEqual = "NOT_EQUAL"
)

// Differences compares the properties that a resource was given with those that
// Read found. Only what was set is compared; in lists, and in objects whose keys are
// the user's own, what came in addition counts too. Tags of the whole stack are
// nobody's difference.
func (t *Type) Differences(expected, actual map[string]any, stackTags map[string]string) []Difference {
	var out []Difference
	for _, name := range sortedNames(expected) {
		if contains(t.writeOnly, name) || refuses(t.shape, name) {
			continue
		}
		want, is := expected[name], actual[name]
		if name == "Tags" {
			want, is = withoutStackTags(want, stackTags, nil), withoutStackTags(is, stackTags, want)
		}
		out = append(out, differ("/"+name, want, is, typeOf(t.shape, name))...)
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func sortedNames(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// typeOf returns the type of a struct's property, nil if t is no struct or has none.
func typeOf(t reflect.Type, name string) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range fields(t) {
		if f.Name == name {
			return t.Field(f.index).Type
		}
	}
	return nil
}

// withoutStackTags leaves out the tags that come from the stack or from AWS, but
// for those that were set.
func withoutStackTags(v any, stack map[string]string, set any) any {
	own := map[string]bool{}
	if l, ok := set.([]any); ok {
		for _, x := range l {
			if m, ok := x.(map[string]any); ok {
				k, _ := scalarText(m["Key"])
				own[k] = true
			}
		}
	}
	foreign := func(k string) bool {
		_, stacks := stack[k]
		return !own[k] && (stacks && set != nil || strings.HasPrefix(k, "aws:"))
	}
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, x := range v {
			m, _ := x.(map[string]any)
			if k, ok := scalarText(m["Key"]); !ok || !foreign(k) {
				out = append(out, x)
			}
		}
		return out
	case map[string]any:
		setMap, _ := set.(map[string]any)
		out := map[string]any{}
		for k, x := range v {
			if _, mine := setMap[k]; mine || !foreign(k) {
				out[k] = x
			}
		}
		return out
	}
	return v
}

func differ(path string, want, is any, shape reflect.Type) []Difference {
	for shape != nil && shape.Kind() == reflect.Pointer {
		shape = shape.Elem()
	}
	want, is = document(want, shape), document(is, shape)
	if same(want, is) {
		return nil
	}
	switch w := want.(type) {
	case map[string]any:
		i, ok := is.(map[string]any)
		if !ok {
			break
		}
		var out []Difference
		for _, k := range sortedNames(w) {
			if refuses(shape, k) {
				continue // it says nothing, or would not be there
			}
			out = append(out, differ(path+"/"+k, w[k], i[k], typeOf(shape, k))...)
		}
		if shape == nil || shape.Kind() != reflect.Struct { // the keys are the user's own
			for _, k := range sortedNames(i) {
				if _, known := w[k]; !known {
					out = append(out, Difference{path + "/" + k, Added, nil, i[k]})
				}
			}
		}
		return out
	case []any:
		i, ok := is.([]any)
		if !ok {
			break
		}
		var element reflect.Type
		if shape != nil && shape.Kind() == reflect.Slice {
			element = shape.Elem()
		}
		return differLists(path, w, i, element)
	}
	if is == nil {
		if zero(want) {
			return nil // what was set to nothing is not there
		}
		return []Difference{{path, Removed, want, nil}}
	}
	return []Difference{{path, NotEqual, want, is}}
}

// differLists compares without regard to order: what both have is no difference.
func differLists(path string, want, is []any, element reflect.Type) []Difference {
	taken := make([]bool, len(is))
	var missing []int
	for i, w := range want {
		found := false
		for j, x := range is {
			if !taken[j] && len(differ("", w, x, element)) == 0 {
				taken[j], found = true, true
				break
			}
		}
		if !found {
			missing = append(missing, i)
		}
	}
	var out []Difference
	for _, i := range missing {
		at := path + "/" + strconv.Itoa(i)
		if j := partner(want[i], is, taken); j >= 0 {
			taken[j] = true
			out = append(out, differ(at, want[i], is[j], element)...)
			continue
		}
		out = append(out, Difference{at, Removed, want[i], nil})
	}
	for j, x := range is {
		if !taken[j] {
			out = append(out, Difference{path + "/" + strconv.Itoa(j), Added, nil, x})
		}
	}
	return out
}

// partner finds the element that is meant to be the same, by what names it.
func partner(want any, is []any, taken []bool) int {
	w, _ := want.(map[string]any)
	for _, name := range []string{"Key", "PolicyName", "IndexName", "AttributeName", "Id", "Name"} {
		k, ok := scalarText(w[name])
		if !ok {
			continue
		}
		for j, x := range is {
			m, _ := x.(map[string]any)
			if s, ok := scalarText(m[name]); ok && s == k && !taken[j] {
				return j
			}
		}
	}
	return -1
}

// document reads the JSON text that may stand in the place of an object, where a
// property may be either.
func document(v any, shape reflect.Type) any {
	s, ok := v.(string)
	if !ok || shape == nil || shape.Kind() != reflect.Interface || !strings.HasPrefix(strings.TrimSpace(s), "{") {
		return v
	}
	var m map[string]any
	if json.Unmarshal([]byte(s), &m) != nil {
		return v
	}
	return m
}

func zero(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	case string:
		return v == ""
	}
	return v == nil
}

// same compares values as CloudFormation does: 5 is "5", a list of one is the one.
func same(a, b any) bool {
	if x, ok := scalarText(a); ok {
		if l, one := b.([]any); one && len(l) == 1 {
			b = l[0]
		}
		y, ok := scalarText(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case []any:
		l, ok := b.([]any)
		if !ok {
			return len(a) == 1 && b != nil && same(a[0], b)
		}
		if len(a) != len(l) {
			return false
		}
		for i := range a {
			if !same(a[i], l[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok || len(a) != len(m) {
			return false
		}
		for k, x := range a {
			if y, ok := m[k]; !ok || !same(x, y) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}
