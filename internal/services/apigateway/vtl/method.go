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
		return v.m[name], nil
	case Object:
		return v.Property(name), nil
	case *entry:
		switch name {
		case "key":
			return v.of.Key(v.key), nil
		case "value":
			return v.of.m[v.key], nil
		}
	case *List:
		if name == "empty" {
			return len(v.Items) == 0, nil
		}
	case string:
		switch name {
		case "empty":
			return v == "", nil
		case "blank", "bytes":
			return stringMethod0(v, map[string]string{"blank": "isBlank", "bytes": "getBytes"}[name]), nil
		}
	}
	return nil, nil
}

// index returns what $v[i] is.
func (r *run) index(v, i any) (any, error) {
	switch v := v.(type) {
	case *List:
		n, ok := i.(int64)
		if !ok || v.view != nil {
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
		k, err := v.key(r, i, false)
		return v.m[k], err
	case Object:
		return v.Property(String(i)), nil
	}
	if n, ok := i.(int64); ok && n < 0 && v != nil {
		return nil, fmt.Errorf("index %d counts from the end of what has none", n)
	}
	return nil, nil
}

func outOfBounds(n int64, size int) error {
	return fmt.Errorf("index %d is out of bounds for %d entries", n, size)
}

// call calls a method. One that is not there gives nothing.
func (r *run) call(v any, name string, args []any) (any, error) {
	if o, ok := v.(Object); ok {
		for i, a := range args {
			if d, ok := a.(*define); ok {
				s, err := r.capture(d.body)
				if err != nil {
					return nil, err
				}
				args[i] = s
			}
		}
		x, known, err := o.Call(name, args)
		if known || err != nil {
			if s, ok := x.(string); ok && err == nil {
				err = r.spend(len(s))
			}
			return x, err
		}
	}
	if m, ok := v.(Mapped); ok {
		v = m.Map()
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
		if len(args) == 0 && v != nil {
			h, err := r.hash(v, 0)
			return int64(h), err
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
			return v.of.Key(v.key), nil
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
	case char:
		return charMethod(v, name, args), nil
	case bool:
		return booleanMethod(v, name, args), nil
	case int64, float64, *big.Int:
		return numberMethod(v, name, args)
	}
	return nil, nil
}

// hash is Java's hashCode.
func (r *run) hash(v any, depth int) (h int32, err error) {
	if depth > maxDepth {
		return 0, fmt.Errorf("%w: a value is nested too deeply", ErrLimit)
	}
	if err := r.spend(16); err != nil {
		return 0, err
	}
	switch v := v.(type) {
	case string:
		for _, u := range units(v) {
			h = 31*h + int32(u)
		}
		return h, r.spend(len(v) / 4)
	case bool:
		if v {
			return 1231, nil
		}
		return 1237, nil
	case char:
		return int32(v), nil
	case int64:
		if v == int64(int32(v)) {
			return int32(v), nil
		}
		return int32(v ^ int64(uint64(v)>>32)), nil
	case float64:
		b := math.Float64bits(v)
		return int32(b ^ b>>32), nil
	case *List:
		h = 1
		for _, x := range v.Items {
			i, err := r.hash(x, depth+1)
			if err != nil {
				return 0, err
			}
			h = 31*h + i
		}
	case *Map:
		for _, k := range v.keys {
			i, err := r.hash(&entry{v, k}, depth+1)
			if err != nil {
				return 0, err
			}
			h += i
		}
	case *entry:
		a, err := r.hash(v.of.Key(v.key), depth+1)
		if err != nil {
			return 0, err
		}
		b, err := r.hash(v.of.m[v.key], depth+1)
		return a ^ b, err
	}
	return h, nil
}
