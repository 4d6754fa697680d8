package jsonpath

import (
	"math"
	"slices"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/vtl"
)

// function is a function at the end of a path.
type function struct {
	name string
	at   int64 // the argument of index
}

var functions = []string{"length", "size", "keys", "min", "max", "avg", "sum", "stddev", "first", "last", "index"}

// function reads the arguments of a function after its opening parenthesis.
func (p *parser) function(name string, s *step) error {
	if !slices.Contains(functions, name) {
		return p.fail("the function %s is not known", name)
	}
	s.fn = &function{name: name}
	if name == "index" {
		n, err := p.number()
		if err != nil {
			return err
		}
		if n == nil {
			return p.fail("index needs a number")
		}
		s.fn.at = *n
	}
	if p.space(); !p.take(")") {
		return p.fail("the function %s has no closing parenthesis", name)
	}
	return nil
}

// of applies the function. What has no length has none, which is a result; ok is
// false for a list that has nothing to compute with.
func (fn *function) of(v any) (x any, ok bool) {
	l, _ := v.(*vtl.List)
	m, _ := v.(*vtl.Map)
	switch fn.name {
	case "length", "size":
		switch {
		case l != nil:
			return int64(len(l.Items)), true
		case m != nil:
			return int64(m.Len()), true
		}
		return nil, true
	case "keys":
		if m == nil {
			return nil, true
		}
		keys := &vtl.List{}
		for _, k := range m.Keys() {
			keys.Items = append(keys.Items, k)
		}
		return keys, true
	}
	if l == nil {
		return nil, false
	}
	switch at := fn.at; fn.name {
	case "first", "last", "index":
		if fn.name == "last" {
			at = -1
		}
		if at < 0 {
			at += int64(len(l.Items))
		}
		if at < 0 || at >= int64(len(l.Items)) {
			return nil, false
		}
		return l.Items[at], true
	}
	return fn.aggregate(l.Items)
}

// aggregate computes with the numbers among some values.
func (fn *function) aggregate(items []any) (any, bool) {
	n, sum, squares, least, most := 0.0, 0.0, 0.0, math.Inf(1), math.Inf(-1)
	for _, x := range items {
		if f, ok := float(x); ok {
			n++
			sum += f
			squares += f * f
			least, most = min(least, f), max(most, f)
		}
	}
	if n == 0 {
		return nil, false
	}
	switch fn.name {
	case "min":
		return least, true
	case "max":
		return most, true
	case "avg":
		return sum / n, true
	case "stddev":
		return math.Sqrt(squares/n - sum*sum/n/n), true
	}
	return sum, true
}
