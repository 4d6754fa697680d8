package cloudcontrol

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// maxPatch is how many operations a patch document may have.
const maxPatch = 500

// patchOperation is one operation of a JSON Patch.
type patchOperation struct {
	Op    string          `json:"op"`
	Path  *string         `json:"path"`
	From  *string         `json:"from"`
	Value json.RawMessage `json:"value"`
}

// applyPatch returns doc changed as a JSON Patch says; doc stays as it is.
// https://www.rfc-editor.org/rfc/rfc6902
func applyPatch(doc map[string]any, text string) (map[string]any, error) {
	var ops []patchOperation
	if err := json.Unmarshal([]byte(text), &ops); err != nil {
		return nil, errors.New("the patch document is not a list of JSON Patch operations")
	}
	if len(ops) > maxPatch {
		return nil, fmt.Errorf("the patch document has more than %d operations", maxPatch)
	}
	var root any = clone(doc)
	for i, op := range ops {
		next, err := op.apply(root)
		if err != nil {
			return nil, fmt.Errorf("operation %d (%s): %w", i, op.Op, err)
		}
		root = next
	}
	out, ok := root.(map[string]any)
	if !ok {
		return nil, errors.New("the patched model is not an object")
	}
	return out, nil
}

func (op *patchOperation) apply(root any) (any, error) {
	if op.Path == nil {
		return nil, errors.New("it has no path")
	}
	path, err := pointer(*op.Path)
	if err != nil {
		return nil, err
	}
	value := func() (v any, err error) {
		if op.Value == nil {
			return nil, errors.New("it has no value")
		}
		err = json.Unmarshal(op.Value, &v)
		return v, err
	}
	from := func() ([]string, error) {
		if op.From == nil {
			return nil, errors.New("it has no from")
		}
		return pointer(*op.From)
	}
	switch op.Op {
	case "add", "replace", "test":
		v, err := value()
		if err != nil {
			return nil, err
		}
		if op.Op == "add" {
			return edit(root, path, insertion(v))
		}
		is, err := find(root, path)
		if err != nil {
			return nil, err
		}
		if op.Op == "replace" {
			return edit(root, path, replacement(v))
		}
		if !reflect.DeepEqual(canonical(is), canonical(v)) {
			return nil, errors.New("the value is another")
		}
		return root, nil
	case "remove":
		return edit(root, path, removal)
	case "copy", "move":
		at, err := from()
		if err != nil {
			return nil, err
		}
		v, err := find(root, at)
		if err != nil {
			return nil, err
		}
		v = clone(v)
		if op.Op == "move" {
			if *op.Path != *op.From && strings.HasPrefix(*op.Path+"/", *op.From+"/") {
				return nil, errors.New("a value cannot be moved into itself")
			}
			if root, err = edit(root, at, removal); err != nil {
				return nil, err
			}
		}
		return edit(root, path, insertion(v))
	}
	return nil, errors.New("there is no such operation")
}

// pointer reads a JSON Pointer.
func pointer(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != '/' {
		return nil, fmt.Errorf("%q is no JSON pointer", s)
	}
	parts := strings.Split(s[1:], "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(p, "~1", "/"), "~0", "~")
	}
	return parts, nil
}

// canonical is a value as JSON has it: numbers of one kind.
func canonical(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	_ = json.Unmarshal(b, &out) // it was just written
	return out
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = clone(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = clone(x)
		}
		return out
	}
	return v
}

var errNoValue = errors.New("there is nothing at the path")

func find(v any, path []string) (any, error) {
	for _, p := range path {
		switch in := v.(type) {
		case map[string]any:
			x, ok := in[p]
			if !ok {
				return nil, errNoValue
			}
			v = x
		case []any:
			i, err := index(p, len(in))
			if err != nil || i == len(in) {
				return nil, errNoValue
			}
			v = in[i]
		default:
			return nil, errNoValue
		}
	}
	return v, nil
}

// index reads the index of a list of n elements; n itself is the place after them.
func index(s string, n int) (int, error) {
	if s == "-" {
		return n, nil
	}
	i, err := strconv.Atoi(s)
	if err != nil || i < 0 || i > n || len(s) > 1 && s[0] == '0' || s[0] == '+' || s[0] == '-' {
		return 0, fmt.Errorf("%q is no index of a list of %d", s, n)
	}
	return i, nil
}

// change is what is done at the end of a path: to a whole, a member, an element.
type change struct {
	whole   func() (any, error)
	member  func(m map[string]any, key string) error
	element func(l []any, i int) ([]any, error)
}

// edit carries a change out at a path and returns the new root.
func edit(v any, path []string, c change) (any, error) {
	if len(path) == 0 {
		return c.whole()
	}
	switch in := v.(type) {
	case map[string]any:
		if len(path) == 1 {
			return in, c.member(in, path[0])
		}
		x, ok := in[path[0]]
		if !ok {
			return nil, errNoValue
		}
		x, err := edit(x, path[1:], c)
		if err == nil {
			in[path[0]] = x
		}
		return in, err
	case []any:
		i, err := index(path[0], len(in))
		if err != nil {
			return nil, err
		}
		if len(path) == 1 {
			return c.element(in, i)
		}
		if i == len(in) {
			return nil, errNoValue
		}
		in[i], err = edit(in[i], path[1:], c)
		return in, err
	}
	return nil, errNoValue
}

func insertion(v any) change {
	return change{
		whole:   func() (any, error) { return v, nil },
		member:  func(m map[string]any, key string) error { m[key] = v; return nil },
		element: func(l []any, i int) ([]any, error) { return append(l[:i:i], append([]any{v}, l[i:]...)...), nil },
	}
}

func replacement(v any) change {
	c := insertion(v)
	c.element = func(l []any, i int) ([]any, error) {
		if i == len(l) {
			return nil, errNoValue
		}
		l[i] = v
		return l, nil
	}
	return c
}

var removal = change{
	whole: func() (any, error) { return nil, errors.New("the whole model cannot be removed") },
	member: func(m map[string]any, key string) error {
		if _, ok := m[key]; !ok {
			return errNoValue
		}
		delete(m, key)
		return nil
	},
	element: func(l []any, i int) ([]any, error) {
		if i == len(l) {
			return nil, errNoValue
		}
		return append(l[:i:i], l[i+1:]...), nil
	},
}
