package vtl

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// List is a Java ArrayList. A template that has it may change it.
type List struct {
	Items []any
	// JSON says that it prints as JSON, as the arrays of json-smart do.
	JSON  bool
	view  *view // for the keys, values or entries of a map, which are no list
	fixed bool  // an array, whose length stays
}

// Map is a Java LinkedHashMap: it keeps the order in which its keys were put. A
// template that has it may change it. Keys that are no strings, as only a template
// makes, stand for themselves as texts that no JSON text would have; see Key.
type Map struct {
	keys []string
	m    map[string]any
	odd  map[string]any // keys that are neither strings, whole numbers nor booleans
}

// NewMap makes an empty map.
func NewMap() *Map { return &Map{m: map[string]any{}} }

// Put sets an entry.
func (m *Map) Put(key string, v any) {
	if _, ok := m.m[key]; !ok {
		m.keys = append(m.keys, key)
	}
	m.m[key] = v
}

// Get returns an entry's value.
func (m *Map) Get(key string) (any, bool) { v, ok := m.m[key]; return v, ok }

// Remove removes an entry and returns its value.
func (m *Map) Remove(key string) any {
	v, ok := m.m[key]
	if ok {
		delete(m.m, key)
		m.keys = slices.DeleteFunc(m.keys, func(k string) bool { return k == key })
	}
	return v
}

// Keys returns the keys in order. The caller does not change them.
func (m *Map) Keys() []string { return m.keys }

// Len returns how many entries there are.
func (m *Map) Len() int { return len(m.keys) }

// Key returns the value that a key of Keys stands for: it itself, but for what a
// template made of numbers and the like.
func (m *Map) Key(k string) any {
	if k == "" || k[0] != 0 {
		return k
	}
	switch v, ok := m.odd[k]; {
	case ok:
		return v
	case k == "\x00true", k == "\x00false":
		return k == "\x00true"
	}
	n, err := strconv.ParseInt(k[1:], 10, 64)
	if err != nil {
		return k
	}
	return n
}

// key returns what stands for a key; one that is to be put is remembered.
func (m *Map) key(r *run, v any, put bool) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case nil:
		return "", nil
	case int64:
		return "\x00" + strconv.FormatInt(v, 10), nil
	case bool:
		return "\x00" + strconv.FormatBool(v), nil
	}
	s, err := r.str(v)
	if err != nil {
		return "", err
	}
	s = fmt.Sprintf("\x00%T %s", v, s)
	if put {
		if m.odd == nil {
			m.odd = map[string]any{}
		}
		m.odd[s] = v
	}
	return s, nil
}

func (m *Map) values() []any {
	all := make([]any, len(m.keys))
	for i, k := range m.keys {
		all[i] = m.m[k]
	}
	return all
}

// entry is one entry of a map.
type entry struct {
	of  *Map
	key string
}

// MaxText is how many bytes of text, or of JSON, are made of one value.
const MaxText = 10 << 20

// String returns a value as Java's toString does: nil is "null". A value that is
// too long is cut short; see Text.
func String(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	p := printer{left: MaxText}
	p.value(v, 0)
	return string(p.b)
}

// Text is String for values of any size: one longer than MaxText is ErrLimit.
func Text(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	p := printer{left: MaxText}
	if p.value(v, 0); p.left < 0 {
		return "", fmt.Errorf("%w: a value is too long to be printed", ErrLimit)
	}
	return string(p.b), nil
}

// str is String within the limits; nil is "", as everywhere in a template, and
// the block of a #define is rendered.
func (r *run) str(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case *define:
		return r.capture(v.body)
	}
	p := printer{left: min(r.left.Memory, r.left.Output)}
	p.value(v, 0)
	if p.left < 0 {
		return "", fmt.Errorf("%w: a value is too long to be printed", ErrLimit)
	}
	return string(p.b), r.spend(len(p.b))
}

type printer struct {
	b    []byte
	left int
}

func (p *printer) add(s string) {
	if p.left -= len(s); p.left >= 0 {
		p.b = append(p.b, s...)
	}
}

func (p *printer) value(v any, depth int) {
	if p.left < 0 {
		return
	}
	if depth > maxDepth {
		p.add("...")
		return
	}
	switch v := v.(type) {
	case nil:
		p.add("null")
	case string:
		p.add(v)
	case bool:
		p.add(strconv.FormatBool(v))
	case int64:
		p.add(strconv.FormatInt(v, 10))
	case float64:
		p.add(formatDouble(v))
	case *big.Int:
		p.add(v.String())
	case *List:
		if v.JSON {
			limit := p.left
			b := webJSON.value(nil, v, depth, limit)
			p.add(string(b))
			return
		}
		if v.view != nil {
			v.refresh()
		}
		p.add("[")
		for i, x := range v.Items {
			if i > 0 {
				p.add(", ")
			}
			if x == any(v) {
				p.add("(this Collection)")
				continue
			}
			p.value(x, depth+1)
			if p.left < 0 {
				return
			}
		}
		p.add("]")
	case *Map:
		p.add("{")
		for i, k := range v.keys {
			if i > 0 {
				p.add(", ")
			}
			p.value(v.Key(k), depth+1)
			p.add("=")
			if v.m[k] == any(v) {
				p.add("(this Map)")
				continue
			}
			p.value(v.m[k], depth+1)
			if p.left < 0 {
				return
			}
		}
		p.add("}")
	case *entry:
		p.value(v.of.Key(v.key), depth+1)
		p.add("=")
		p.value(v.of.m[v.key], depth+1)
	case Mapped:
		p.value(v.Map(), depth)
	case fmt.Stringer:
		p.add(v.String())
	}
}

// formatDouble is Java's Double.toString.
func formatDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if a := math.Abs(f); a == 0 || a >= 1e-3 && a < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	s := strconv.FormatFloat(f, 'E', -1, 64)
	m, e, _ := strings.Cut(s, "E")
	if !strings.Contains(m, ".") {
		m += ".0"
	}
	n, _ := strconv.Atoi(e)
	return m + "E" + strconv.Itoa(n)
}

func number(v any) bool {
	switch v.(type) {
	case int64, float64, *big.Int:
		return true
	}
	return false
}

func toFloat(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	}
	return math.NaN()
}

func toBig(v any) *big.Int {
	switch v := v.(type) {
	case int64:
		return big.NewInt(v)
	case *big.Int:
		return v
	}
	return new(big.Int)
}

// compare compares numbers.
func compare(x, y any) (int, bool) {
	if !number(x) || !number(y) {
		return 0, false
	}
	a, ok1 := x.(int64)
	b, ok2 := y.(int64)
	if ok1 && ok2 {
		switch {
		case a < b:
			return -1, true
		case a > b:
			return 1, true
		}
		return 0, true
	}
	_, f1 := x.(float64)
	_, f2 := y.(float64)
	if !f1 && !f2 {
		return toBig(x).Cmp(toBig(y)), true
	}
	switch a, b := toFloat(x), toFloat(y); {
	case a < b:
		return -1, true
	case a > b:
		return 1, true
	case a == b:
		return 0, true
	}
	return 0, false
}

// same is the operator ==: numbers by value, values of one class by equals, and
// others by how they print.
func (r *run) same(x, y any) (bool, error) {
	if x == nil || y == nil {
		return x == y, nil
	}
	if c, ok := compare(x, y); ok {
		return c == 0, nil
	}
	if a, ok := x.(string); ok {
		if b, ok := y.(string); ok {
			return a == b, nil
		}
	}
	if eq, known := r.equals(x, y, 0); known {
		return eq, r.spend(0)
	}
	a, err := r.str(x)
	if err != nil {
		return false, err
	}
	b, err := r.str(y)
	return a == b, err
}

// equals is Java's equals; known is false if the values are of different classes.
func (r *run) equals(x, y any, depth int) (eq, known bool) {
	// Values may share parts, so that comparing them takes more than they do.
	if r.left.Memory -= 16; depth > maxDepth || r.left.Memory < 0 {
		return false, true
	}
	switch a := x.(type) {
	case nil:
		return y == nil, y == nil
	case string:
		b, ok := y.(string)
		return ok && a == b, ok
	case bool:
		b, ok := y.(bool)
		return ok && a == b, ok
	case char:
		b, ok := y.(char)
		return ok && a == b, ok
	case int64, float64, *big.Int:
		c, ok := compare(x, y)
		_, f1 := x.(float64)
		_, f2 := y.(float64)
		return ok && c == 0 && f1 == f2, number(y)
	case *List:
		b, ok := y.(*List)
		if !ok || len(a.Items) != len(b.Items) {
			return false, ok
		}
		for i := range a.Items {
			if eq, _ := r.equals(a.Items[i], b.Items[i], depth+1); !eq {
				return false, true
			}
		}
		return true, true
	case *Map:
		b, ok := y.(*Map)
		if !ok || len(a.keys) != len(b.keys) {
			return false, ok
		}
		for k, v := range a.m {
			w, ok := b.m[k]
			if eq, _ := r.equals(v, w, depth+1); !ok || !eq {
				return false, true
			}
		}
		return true, true
	}
	return false, false
}

// maxBits bounds whole numbers: products of products grow without end.
const maxBits = 4096

// arithmetic computes as Velocity does: whole numbers stay whole and never
// overflow; what cannot be computed is nothing.
func arithmetic(op operator, x, y any) any {
	if !number(x) || !number(y) {
		return nil
	}
	_, f1 := x.(float64)
	_, f2 := y.(float64)
	if f1 || f2 {
		a, b := toFloat(x), toFloat(y)
		switch op {
		case plus:
			return a + b
		case minus:
			return a - b
		case times:
			return a * b
		case divide:
			if b != 0 {
				return a / b
			}
		case modulo:
			if b != 0 {
				return math.Mod(a, b)
			}
		}
		return nil
	}
	a, ok1 := x.(int64)
	b, ok2 := y.(int64)
	small := ok1 && ok2 && a > math.MinInt32 && a <= math.MaxInt32 && b > math.MinInt32 && b <= math.MaxInt32
	if small {
		switch op {
		case plus:
			return a + b
		case minus:
			return a - b
		case times:
			return a * b
		case divide:
			if b != 0 {
				return a / b
			}
		case modulo:
			if b != 0 {
				return a % b
			}
		}
		return nil
	}
	p, q, z := toBig(x), toBig(y), new(big.Int)
	switch op {
	case plus:
		z.Add(p, q)
	case minus:
		z.Sub(p, q)
	case times:
		z.Mul(p, q)
	case divide:
		if q.Sign() == 0 {
			return nil
		}
		z.Quo(p, q)
	case modulo:
		if q.Sign() == 0 {
			return nil
		}
		z.Rem(p, q)
	}
	if z.IsInt64() {
		return z.Int64()
	}
	if z.BitLen() > maxBits {
		return nil
	}
	return z
}
