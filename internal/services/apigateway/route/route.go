// Package route finds the method of an API that serves a request.
//
// A table is built once per deployment and stage and then only read. What a
// look-up costs depends on the depth of the path, not on the number of routes.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html
package route

import (
	"net/url"
	"strings"
)

// Any is the method that serves every HTTP method that has none of its own.
const Any = "ANY"

// Param is a path parameter with its decoded value.
type Param struct{ Name, Value string }

// Table maps a path and a method to a T. The zero value is empty.
type Table[T any] struct {
	root node[T]
}

type node[T any] struct {
	static  map[string]*node[T]
	param   *node[T] // {name}
	greedy  *node[T] // {name+}
	name    string   // of the parameter that leads here
	methods []entry[T]
}

type entry[T any] struct {
	method string
	value  T
}

// Add puts a route into the table: a path of a resource ("/pets/{id}") and an
// HTTP method or Any. A variable segment that has a differently named sibling
// shares its place; APIs refuse such siblings.
func (t *Table[T]) Add(method, path string, value T) {
	n := &t.root
	for _, part := range strings.Split(strings.Trim(path, "/"), "/") {
		if part != "" {
			n = n.child(part)
		}
	}
	n.methods = append(n.methods, entry[T]{method, value})
}

func (n *node[T]) child(part string) *node[T] {
	if name, ok := strings.CutPrefix(part, "{"); ok {
		name = strings.TrimSuffix(name, "}")
		place := &n.param
		if g, ok := strings.CutSuffix(name, "+"); ok {
			name, place = g, &n.greedy
		}
		if *place == nil {
			*place = &node[T]{name: name}
		}
		return *place
	}
	if n.static == nil {
		n.static = map[string]*node[T]{}
	}
	c := n.static[part]
	if c == nil {
		c = &node[T]{}
		n.static[part] = c
	}
	return c
}

// Match finds the most specific route that has the method (or Any) for an
// escaped path. A literal segment is more specific than {name}, which is more
// specific than {name+}, segment by segment from the left; a route without the
// method does not keep a less specific one from matching. One slash at the end
// is ignored; {name+} does not match an empty rest. Parameters are appended to
// params, decoded.
func (t *Table[T]) Match(method, path string, params []Param) (value T, all []Param, ok bool) {
	path = strings.TrimSuffix(path, "/")
	e, all := t.root.match(method, path, params)
	if e == nil {
		return value, params, false
	}
	for i := len(params); i < len(all); i++ {
		all[i].Value = decode(all[i].Value)
	}
	return e.value, all, true
}

func (n *node[T]) match(method, rest string, params []Param) (*entry[T], []Param) {
	if rest == "" {
		return n.entry(method), params
	}
	rest = rest[1:]
	part, below := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		part, below = rest[:i], rest[i:]
	}
	if n.static != nil {
		if c := n.static[decode(part)]; c != nil {
			if e, all := c.match(method, below, params); e != nil {
				return e, all
			}
		}
	}
	if n.param != nil && part != "" {
		if e, all := n.param.match(method, below, append(params, Param{n.param.name, part})); e != nil {
			return e, all
		}
	}
	if n.greedy != nil && rest != "" {
		if e := n.greedy.entry(method); e != nil {
			return e, append(params, Param{n.greedy.name, rest})
		}
	}
	return nil, params
}

func (n *node[T]) entry(method string) *entry[T] {
	var any *entry[T]
	for i := range n.methods {
		switch n.methods[i].method {
		case method:
			return &n.methods[i]
		case Any:
			any = &n.methods[i]
		}
	}
	return any
}

// decode undoes percent-encoding; what is not well encoded stays as it is.
func decode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	if d, err := url.PathUnescape(s); err == nil {
		return d
	}
	return s
}
