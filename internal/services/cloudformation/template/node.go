package template

import (
	"fmt"
	"sort"
	"strconv"
)

// Pos is a place in a template's text, both counted from 1. The zero Pos is
// unknown.
type Pos struct{ Line, Column int }

// String is "line 3, column 5", or "" if the place is unknown.
func (p Pos) String() string {
	if p.Line == 0 {
		return ""
	}
	return fmt.Sprintf("line %d, column %d", p.Line, p.Column)
}

// Kind says what a Node is.
type Kind uint8

// The kinds of nodes.
const (
	Scalar Kind = iota
	List
	Map
)

// Node is a value of a template with its place.
type Node struct {
	Kind   Kind
	Pos    Pos
	scalar any
	text   string // of a YAML scalar, as written
	items  []*Node
	keys   []key
	size   int // nodes below and including this one, aliases counted in full
}

type key struct {
	name string
	pos  Pos
	node *Node
}

// Limits on what a template may hold once its aliases are followed.
const (
	maxNodes = 200_000
	maxDepth = 200
)

// Value returns the node as plain Go values, which are the caller's to change.
func (n *Node) Value() any {
	switch n.Kind {
	case List:
		l := make([]any, len(n.items))
		for i, x := range n.items {
			l[i] = x.Value()
		}
		return l
	case Map:
		m := make(map[string]any, len(n.keys))
		for _, k := range n.keys {
			m[k.name] = k.node.Value()
		}
		return m
	}
	return n.scalar
}

// At returns where the value stands to which path leads: keys, and list indexes
// in decimal. If it does not lead all the way, the place where it ends is
// returned; so a value that was left out is reported at what should hold it.
func (n *Node) At(path ...string) Pos {
	if n == nil {
		return Pos{}
	}
	pos := n.Pos
	for _, p := range path {
		var next *Node
		switch n.Kind {
		case Map:
			for _, k := range n.keys {
				if k.name == p {
					next, pos = k.node, k.pos
				}
			}
		case List:
			if i, err := strconv.Atoi(p); err == nil && i >= 0 && i < len(n.items) {
				next = n.items[i]
				pos = next.Pos
			}
		}
		if next == nil {
			return pos
		}
		n = next
	}
	return pos
}

// Keys returns the keys of the map to which path leads, in the order of the text;
// nil if there is no such map.
func (n *Node) Keys(path ...string) []string {
	for _, p := range path {
		var next *Node
		if n != nil && n.Kind == Map {
			for _, k := range n.keys {
				if k.name == p {
					next = k.node
				}
			}
		}
		n = next
	}
	if n == nil || n.Kind != Map {
		return nil
	}
	out := make([]string, len(n.keys))
	for i, k := range n.keys {
		out[i] = k.name
	}
	return out
}

// Error is a template that is refused. Its text is CloudFormation's, with the
// place in brackets where there is one.
type Error struct {
	Text string
	Pos  Pos
}

// Error implements error.
func (e *Error) Error() string {
	if e.Pos.Line == 0 {
		return e.Text
	}
	return e.Text + " (" + e.Pos.String() + ")"
}

func formatError(pos Pos, format string, args ...any) error {
	return &Error{"Template format error: " + fmt.Sprintf(format, args...), pos}
}

// sortedKeys returns the keys of a map in bytewise order.
func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// build completes a list or a map, refusing one that has grown too large.
func build(n *Node) (*Node, error) {
	n.size = 1
	for _, x := range n.items {
		n.size += x.size
	}
	for _, k := range n.keys {
		n.size += k.node.size
	}
	if n.size > maxNodes {
		return nil, formatError(n.Pos, "the template has more than %d values once its aliases are followed", maxNodes)
	}
	return n, nil
}

func duplicate(k key) error {
	return formatError(k.pos, "Duplicate key '%s'", k.name)
}
