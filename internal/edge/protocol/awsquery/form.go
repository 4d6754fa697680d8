package awsquery

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// node is a form's parameters as a tree: "A.member.1.B=x" is four nodes deep.
type node struct {
	value string
	set   bool // the parameter itself was there
	down  map[string]*node
}

// Limits of a form: deeper and larger than any operation's.
const (
	maxDepth  = 128
	maxParams = 100_000
)

// parse reads forms into one tree. Of a parameter that is there twice the last
// one counts.
func parse(forms ...string) (*node, error) {
	root := &node{}
	params := 0
	for _, form := range forms {
		for part := range strings.SplitSeq(form, "&") {
			if part == "" {
				continue
			}
			if params++; params > maxParams {
				return nil, errTooMany
			}
			k, v, _ := strings.Cut(part, "=")
			key, err := url.QueryUnescape(k)
			if err != nil {
				return nil, &formError{"The parameter name " + k + " is not properly escaped"}
			}
			val, err := url.QueryUnescape(v)
			if err != nil {
				return nil, &formError{"The value of parameter " + key + " is not properly escaped"}
			}
			if err := root.insert(key, val); err != nil {
				return nil, err
			}
		}
	}
	return root, nil
}

var errTooMany = &formError{"The request has too many parameters"}

// formError says what is wrong with a form.
type formError struct{ message string }

func (e *formError) Error() string { return e.message }

func (n *node) insert(key, val string) error {
	for depth := 0; ; depth++ {
		if depth > maxDepth {
			return &formError{"The name of a parameter has too many parts"}
		}
		name, rest, more := strings.Cut(key, ".")
		next := n.down[name]
		if next == nil {
			next = &node{}
			if n.down == nil {
				n.down = map[string]*node{}
			}
			n.down[name] = next
		}
		n = next
		if !more {
			n.value, n.set = val, true
			return nil
		}
		key = rest
	}
}

// child returns the first child that is there under one of the names; "" is no
// name.
func (n *node) child(names ...string) *node {
	for _, name := range names {
		if c := n.down[name]; c != nil && name != "" {
			return c
		}
	}
	return nil
}

// items returns the children that are numbered, in the order of their numbers.
func (n *node) items() ([]*node, error) {
	type item struct {
		index int
		n     *node
	}
	items := make([]item, 0, len(n.down))
	for k, c := range n.down {
		i, err := strconv.Atoi(k)
		if err != nil || i < 0 {
			return nil, &formError{"A list has an element " + strconv.Quote(k) + " where a number should be"}
		}
		items = append(items, item{i, c})
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.index, b.index) })
	nodes := make([]*node, len(items))
	for i := range items {
		nodes[i] = items[i].n
	}
	return nodes, nil
}
