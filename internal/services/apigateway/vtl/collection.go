package vtl

import (
	"fmt"
	"strings"
)

// iterator is a Java Iterator.
type iterator struct {
	items []any
	next  int
}

// view is where the keys, values or entries of a map are taken from.
type view struct {
	of   *Map
	each func(k string) any
}

// refresh takes what the map has now.
func (l *List) refresh() {
	l.Items = make([]any, len(l.view.of.keys))
	for i, k := range l.view.of.keys {
		l.Items[i] = l.view.each(k)
	}
}

// removeIf removes the entries that do not stay, and tells whether there were some.
func (l *List) removeIf(gone func(x any) (bool, error)) (bool, error) {
	var kept []any
	var keys []string // of a view
	for i, x := range l.Items {
		out, err := gone(x)
		switch {
		case err != nil:
			return false, err
		case !out:
			kept = append(kept, x)
		case l.view != nil:
			keys = append(keys, l.view.of.keys[i])
		}
	}
	changed := len(kept) != len(l.Items)
	l.Items = kept
	for _, k := range keys {
		l.view.of.Remove(k)
	}
	return changed, nil
}

// viewMethod calls a method of a map's keys, values or entries, which have no order
// to ask for.
func (r *run) viewMethod(l *List, name string, args []any) (any, error) {
	l.refresh()
	if err := r.spend(16 * len(l.Items)); err != nil {
		return nil, err
	}
	switch {
	case name == "add" && len(args) == 1, name == "addAll" && len(args) == 1:
		return nil, fmt.Errorf("%s: a map's view takes nothing", name)
	case name == "clear" && len(args) == 0:
		l.view.of.keys, l.view.of.m, l.Items = nil, map[string]any{}, nil
	case name == "remove" && len(args) == 1:
		done := false
		return l.removeIf(func(x any) (bool, error) {
			eq, known := r.equals(args[0], x, 0)
			out := eq && known && !done
			done = done || out
			return out, r.spend(0)
		})
	case name == "size", name == "isEmpty", name == "iterator", name == "toArray", name == "contains", name == "containsAll", name == "removeAll", name == "retainAll":
		return r.arrayMethod(l, name, args)
	}
	return nil, nil
}

func (r *run) listMethod(l *List, name string, args []any) (any, error) {
	if l.view != nil {
		return r.viewMethod(l, name, args)
	}
	return r.arrayMethod(l, name, args)
}

func (r *run) arrayMethod(l *List, name string, args []any) (any, error) {
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
	if l.fixed {
		switch name {
		case "add", "addAll", "remove", "removeAll", "retainAll", "clear":
			return nil, fmt.Errorf("%s: the length of an array stays", name)
		}
	}
	switch len(args) {
	case 0:
		switch name {
		case "size":
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
			return &List{Items: append([]any(nil), l.Items...), fixed: name == "toArray"}, nil
		}
	case 1:
		if _, ok := a.(*List); !ok && strings.HasSuffix(name, "All") {
			return nil, nil // as there is no such method for what is no collection
		}
		switch _, byIndex := a.(int64); name {
		case "get":
			if !byIndex {
				return nil, nil
			}
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
			if byIndex {
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
			others := &List{Items: items(a)}
			return l.removeIf(func(x any) (bool, error) {
				in, err := r.arrayMethod(others, "contains", []any{x})
				return in == (name == "removeAll"), err
			})
		}
	case 2:
		if _, byIndex := a.(int64); !byIndex {
			return nil, nil
		}
		switch name {
		case "addAll":
			more := items(args[1])
			if _, ok := args[1].(*List); !ok {
				return nil, nil
			}
			i, err := at(len(l.Items) + 1)
			if err != nil {
				return nil, err
			}
			l.Items = append(l.Items[:i:i], append(append([]any(nil), more...), l.Items[i:]...)...)
			return len(more) > 0, r.spend(16 * len(l.Items))
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
			if !ok {
				return nil, nil
			}
			i, err := at(len(l.Items) + 1)
			if err != nil || to < int64(i) || to > int64(len(l.Items)) {
				return nil, fmt.Errorf("subList: %s to %s is out of bounds for %d entries", String(a), String(args[1]), len(l.Items))
			}
			return &List{Items: append([]any(nil), l.Items[i:to]...)}, r.spend(16 * int(to))
		}
	}
	return nil, nil
}

// items returns what a collection holds.
func items(v any) []any {
	switch v := v.(type) {
	case *List:
		if v.view != nil {
			v.refresh()
		}
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
			if key, err = m.key(r, args[0], len(args) == 2); err != nil {
				return nil, err
			}
		}
	}
	all := func(each func(k string) any) (any, error) {
		l := &List{view: &view{m, each}}
		l.refresh()
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
			return all(m.Key)
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
					if v, ok := o.odd[k]; ok {
						_, _ = m.key(r, v, true)
					}
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
		case "replace":
			if had {
				m.Put(key, args[1])
			}
			return old, r.spend(0)
		case "getOrDefault":
			if had {
				return old, nil
			}
			return args[1], nil
		}
	}
	return nil, nil
}
