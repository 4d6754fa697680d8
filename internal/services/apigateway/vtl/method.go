package vtl

import (
	"errors"
	"fmt"
	"math"
	"math/big"
)

// property returns what $v.name is.
func (r *run) property(v any, name string) (any, error) {
	switch v := v.(type) {
	case *Map:
		if x, ok := v.m[name]; ok {
			return x, nil
		}
		if name == "empty" {
			return len(v.keys) == 0, nil
		}
		return nil, nil
	case Object:
		return v.Property(name), nil
	case *entry:
		switch name {
		case "key":
			return v.key, nil
		case "value":
			return v.of.m[v.key], nil
		}
	case *List:
		if name == "empty" {
			return len(v.Items) == 0, nil
		}
	case string:
		if name == "empty" {
			return v == "", nil
		}
	}
	return nil, nil
}

// index returns what $v[i] is.
func (r *run) index(v, i any) (any, error) {
	switch v := v.(type) {
	case *List:
		n, ok := i.(int64)
		if !ok {
			return nil, nil
		}
		if n < 0 {
			n += int64(len(v.Items))
		}
		if n < 0 || n >= int64(len(v.Items)) {
			return nil, outOfBounds(n, len(v.Items))
		}
		return v.Items[n], nil
	case *Map:
		k, err := r.str(i)
		return v.m[k], err
	case Object:
		return v.Property(String(i)), nil
	}
	return nil, nil
}

func outOfBounds(n int64, size int) error {
	return fmt.Errorf("index %d is out of bounds for %d entries", n, size)
}

// call calls a method. One that is not there gives nothing.
func (r *run) call(v any, name string, args []any) (any, error) {
	for i, a := range args {
		if d, ok := a.(*define); ok {
			s, err := r.capture(d.body)
			if err != nil {
				return nil, err
			}
			args[i] = s
		}
	}
	if o, ok := v.(Object); ok {
		x, known, err := o.Call(name, args)
		if known || err != nil {
			if s, ok := x.(string); ok && err == nil {
				err = r.spend(len(s))
			}
			return x, err
		}
	}
	switch name {
	case "toString":
		if len(args) == 0 && v != nil {
			return r.str(v)
		}
	case "equals":
		if len(args) == 1 && v != nil {
			eq, known := r.equals(v, args[0], 0)
			return eq && known, r.spend(0)
		}
	case "hashCode":
		if s, ok := v.(string); ok && len(args) == 0 {
			return hashCode(s), nil
		}
	}
	switch v := v.(type) {
	case string:
		return r.stringMethod(v, name, args)
	case *List:
		return r.listMethod(v, name, args)
	case *Map:
		return r.mapMethod(v, name, args)
	case *entry:
		switch name {
		case "getKey":
			return v.key, nil
		case "getValue":
			return v.of.m[v.key], nil
		case "setValue":
			if len(args) == 1 {
				old := v.of.m[v.key]
				v.of.Put(v.key, args[0])
				return old, nil
			}
		}
	case *iterator:
		switch name {
		case "hasNext":
			return v.next < len(v.items), nil
		case "next":
			if v.next >= len(v.items) {
				return nil, errors.New("an iterator has no next entry")
			}
			v.next++
			return v.items[v.next-1], nil
		}
	case bool:
		if name == "booleanValue" {
			return v, nil
		}
	case int64, float64, *big.Int:
		return numberMethod(v, name, args), nil
	}
	return nil, nil
}

// hashCode is that of Java's strings.
func hashCode(s string) int64 {
	h := int32(0)
	for _, u := range units(s) {
		h = 31*h + int32(u)
	}
	return int64(h)
}

func numberMethod(v any, name string, args []any) any {
	if len(args) == 1 {
		if name == "compareTo" {
			if c, ok := compare(v, args[0]); ok {
				return int64(c)
			}
		}
		// Static methods of Integer and the like can be called on their values.
		if s, ok := args[0].(string); ok {
			switch name {
			case "parseInt", "parseLong", "valueOf":
				return parseNumber(s)
			}
		}
		return nil
	}
	if len(args) != 0 {
		return nil
	}
	switch name {
	case "intValue", "longValue", "shortValue", "byteValue":
		n, ok := v.(int64)
		switch f, isFloat := v.(float64); {
		case isFloat && f == f:
			n = int64(math.Max(math.MinInt64, math.Min(math.MaxInt64, math.Trunc(f))))
		case !ok && !isFloat:
			n = int64(toBig(v).Uint64()) //nolint:gosec // Java narrows the same way
		}
		switch name {
		case "intValue":
			if _, isFloat := v.(float64); isFloat {
				return max(math.MinInt32, min(math.MaxInt32, n))
			}
			return int64(int32(n))
		case "shortValue":
			return int64(int16(n))
		case "byteValue":
			return int64(int8(n))
		}
		return n
	case "doubleValue", "floatValue":
		return toFloat(v)
	case "isNaN":
		f, ok := v.(float64)
		return ok && math.IsNaN(f)
	case "isInfinite":
		f, ok := v.(float64)
		return ok && math.IsInf(f, 0)
	}
	return nil
}

func parseNumber(s string) any {
	p := &parser{src: s}
	if s == "" || !digit(s[0]) && s[0] != '-' || s == "-" || s[0] == '-' && !digit(s[1]) {
		return nil
	}
	e, err := p.number()
	if err != nil || p.pos != len(s) {
		return nil
	}
	return e.(constant).v
}

// iterator is a Java Iterator.
type iterator struct {
	items []any
	next  int
}

func (r *run) listMethod(l *List, name string, args []any) (any, error) {
	var a any
	if len(args) > 0 {
		a = args[0]
	}
	find := func(x any) int {
		for i, y := range l.Items {
			if eq, known := r.equals(x, y, 0); eq && known {
				return i
			}
		}
		return -1
	}
	at := func(limit int) (int, error) {
		n, ok := a.(int64)
		if !ok || n < 0 || n >= int64(limit) {
			return 0, fmt.Errorf("%s: index %s is out of bounds for %d entries", name, String(a), len(l.Items))
		}
		return int(n), nil
	}
	if err := r.spend(len(l.Items) / 8); err != nil {
		return nil, err
	}
	switch len(args) {
	case 0:
		switch name {
		case "size", "length":
			return int64(len(l.Items)), nil
		case "isEmpty":
			return len(l.Items) == 0, nil
		case "clear":
			l.Items = nil
			return nil, nil
		case "iterator", "listIterator":
			if err := r.spend(16 * len(l.Items)); err != nil {
				return nil, err
			}
			return &iterator{items: append([]any(nil), l.Items...)}, nil
		case "toArray", "clone":
			if err := r.spend(16 * len(l.Items)); err != nil {
				return nil, err
			}
			return &List{append([]any(nil), l.Items...)}, nil
		}
	case 1:
		switch name {
		case "get":
			i, err := at(len(l.Items))
			if err != nil {
				return nil, err
			}
			return l.Items[i], nil
		case "add":
			l.Items = append(l.Items, a)
			return true, r.spend(16)
		case "addAll":
			more := items(a)
			if err := r.spend(16 * len(more)); err != nil {
				return nil, err
			}
			l.Items = append(l.Items, more...)
			return len(more) > 0, nil
		case "contains":
			return find(a) >= 0, nil
		case "containsAll":
			for _, x := range items(a) {
				if err := r.spend(len(l.Items) / 8); err != nil {
					return nil, err
				}
				if find(x) < 0 {
					return false, nil
				}
			}
			return true, nil
		case "indexOf":
			return int64(find(a)), nil
		case "lastIndexOf":
			for i := len(l.Items) - 1; i >= 0; i-- {
				if eq, known := r.equals(a, l.Items[i], 0); eq && known {
					return int64(i), nil
				}
			}
			return int64(-1), nil
		case "remove":
			if _, byIndex := a.(int64); byIndex {
				i, err := at(len(l.Items))
				if err != nil {
					return nil, err
				}
				old := l.Items[i]
				l.Items = append(l.Items[:i:i], l.Items[i+1:]...)
				return old, r.spend(16 * len(l.Items))
			}
			i := find(a)
			if i >= 0 {
				l.Items = append(l.Items[:i:i], l.Items[i+1:]...)
			}
			return i >= 0, r.spend(16 * len(l.Items))
		case "removeAll", "retainAll":
			others := &List{items(a)}
			var kept []any
			for _, x := range l.Items {
				in, err := r.listMethod(others, "contains", []any{x})
				if err != nil {
					return nil, err
				}
				if in == (name == "retainAll") {
					kept = append(kept, x)
				}
			}
			changed := len(kept) != len(l.Items)
			l.Items = kept
			return changed, nil
		}
	case 2:
		switch name {
		case "set", "add":
			limit := len(l.Items)
			if name == "add" {
				limit++
			}
			i, err := at(limit)
			if err != nil {
				return nil, err
			}
			if name == "set" {
				old := l.Items[i]
				l.Items[i] = args[1]
				return old, nil
			}
			l.Items = append(l.Items[:i:i], append([]any{args[1]}, l.Items[i:]...)...)
			return nil, r.spend(16 * len(l.Items))
		case "subList":
			to, ok := args[1].(int64)
			i, err := at(len(l.Items) + 1)
			if err != nil || !ok || to < int64(i) || to > int64(len(l.Items)) {
				return nil, fmt.Errorf("subList: %s to %s is out of bounds for %d entries", String(a), String(args[1]), len(l.Items))
			}
			return &List{append([]any(nil), l.Items[i:to]...)}, r.spend(16 * int(to))
		}
	}
	return nil, nil
}

// items returns what a collection holds.
func items(v any) []any {
	switch v := v.(type) {
	case *List:
		return v.Items
	case *Map:
		return v.values()
	}
	return nil
}

func (r *run) mapMethod(m *Map, name string, args []any) (any, error) {
	if err := r.spend(len(m.keys) / 8); err != nil {
		return nil, err
	}
	key := ""
	if len(args) > 0 {
		if _, isMap := args[0].(*Map); !isMap {
			var err error
			if key, err = r.str(args[0]); err != nil {
				return nil, err
			}
		}
	}
	all := func(each func(k string) any) (any, error) {
		l := &List{Items: make([]any, len(m.keys))}
		for i, k := range m.keys {
			l.Items[i] = each(k)
		}
		return l, r.spend(16 * len(m.keys))
	}
	switch len(args) {
	case 0:
		switch name {
		case "size":
			return int64(len(m.keys)), nil
		case "isEmpty":
			return len(m.keys) == 0, nil
		case "keySet":
			return all(func(k string) any { return k })
		case "values":
			return all(func(k string) any { return m.m[k] })
		case "entrySet":
			return all(func(k string) any { return &entry{m, k} })
		case "clear":
			m.keys, m.m = nil, map[string]any{}
			return nil, nil
		}
	case 1:
		switch name {
		case "get":
			return m.m[key], nil
		case "containsKey":
			_, ok := m.m[key]
			return ok, nil
		case "containsValue":
			for _, v := range m.m {
				if eq, known := r.equals(args[0], v, 0); eq && known {
					return true, nil
				}
			}
			return false, nil
		case "remove":
			return m.Remove(key), nil
		case "putAll":
			if o, ok := args[0].(*Map); ok {
				if err := r.spend(32 * len(o.keys)); err != nil {
					return nil, err
				}
				for _, k := range append([]string(nil), o.keys...) {
					m.Put(k, o.m[k])
				}
			}
			return nil, nil
		}
	case 2:
		old, had := m.m[key]
		switch name {
		case "put":
			m.Put(key, args[1])
			return old, r.spend(32 + len(key))
		case "putIfAbsent":
			if !had {
				m.Put(key, args[1])
			}
			return old, r.spend(32 + len(key))
		case "getOrDefault":
			if had {
				return old, nil
			}
			return args[1], nil
		}
	}
	return nil, nil
}
