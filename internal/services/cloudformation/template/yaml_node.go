package template

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// tag is the type that a node is marked with: a short form, or one of YAML's own.
type tag struct {
	name string
	pos  Pos
}

// functions are the intrinsic functions that have a short form.
const functions = " Base64 Cidr FindInMap GetAtt GetAZs ImportValue Join Select Split Sub Transform And Equals If Not Or Length ToJsonString "

func (t tag) apply(n *Node) (*Node, error) {
	switch t.name {
	case "!!str", "!":
		if n.Kind == Scalar {
			return &Node{Pos: n.Pos, scalar: n.text, text: n.text, size: 1}, nil
		}
		return n, nil
	case "!!int", "!!float", "!!bool", "!!null":
		if n.Kind == Scalar {
			return &Node{Pos: n.Pos, scalar: plain(n.text), text: n.text, size: 1}, nil
		}
		return n, nil
	case "!!map", "!!seq":
		return n, nil
	}
	name := strings.TrimPrefix(t.name, "!")
	switch {
	case name == "Ref" || name == "Condition":
	case name != "" && strings.Contains(functions, " "+name+" "):
		name = "Fn::" + name
	default:
		return nil, formatError(t.pos, "YAML not well-formed: unknown tag %s.", t.name)
	}
	if n.Kind == Scalar { // the tag is its type: neither a number nor a truth value
		n = &Node{Pos: n.Pos, scalar: n.text, text: n.text, size: 1}
	}
	if s, ok := n.scalar.(string); ok && name == "Fn::GetAtt" {
		id, attr, dot := strings.Cut(s, ".")
		if !dot {
			return nil, formatError(t.pos, "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute")
		}
		n = &Node{Kind: List, Pos: n.Pos, size: 3, items: []*Node{
			{Pos: n.Pos, scalar: id, text: id, size: 1}, {Pos: n.Pos, scalar: attr, text: attr, size: 1},
		}}
	}
	return build(&Node{Kind: Map, Pos: t.pos, keys: []key{{name, t.pos, n}}})
}

// mapping collects the pairs of a map.
type mapping struct {
	node   *Node
	seen   map[string]bool
	merges []*Node
}

func newMapping(pos Pos) *mapping {
	return &mapping{node: &Node{Kind: Map, Pos: pos}, seen: map[string]bool{}}
}

func (m *mapping) add(k *Node, pos Pos, value *Node) error {
	if k.Kind != Scalar {
		return formatError(pos, "YAML not well-formed: a key must be a string.")
	}
	if _, isString := k.scalar.(string); isString && k.text == "<<" {
		m.merges = append(m.merges, value)
		return nil
	}
	one := key{k.text, pos, value}
	if m.seen[one.name] {
		return duplicate(one)
	}
	m.seen[one.name] = true
	m.node.keys = append(m.node.keys, one)
	return nil
}

// done adds what is merged in: own keys win over it, an earlier merge over a later.
func (m *mapping) done() (*Node, error) {
	for len(m.merges) > 0 {
		from := m.merges[0]
		m.merges = m.merges[1:]
		switch from.Kind {
		case List:
			m.merges = append(append([]*Node(nil), from.items...), m.merges...)
		case Map:
			for _, k := range from.keys {
				if !m.seen[k.name] {
					m.seen[k.name] = true
					m.node.keys = append(m.node.keys, k)
				}
			}
		default:
			return nil, formatError(m.node.Pos, "YAML not well-formed: << takes a map or a list of maps.")
		}
	}
	return build(m.node)
}

// plain resolves a plain scalar as YAML 1.1 does, but for sexagesimal numbers
// and timestamps, which stay strings.
func plain(s string) any {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON":
		return true
	case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF":
		return false
	}
	if c := s[0]; c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') {
		return s
	}
	body, sign := strings.ReplaceAll(s, "_", ""), ""
	if body != "" && (body[0] == '-' || body[0] == '+') {
		sign, body = strings.TrimPrefix(body[:1], "+"), body[1:]
	}
	base := 0
	switch {
	case body == "" || body[0] != '.' && (body[0] < '0' || body[0] > '9'):
		return s
	case strings.HasPrefix(body, "0x"):
		base, body = 16, body[2:]
	case strings.HasPrefix(body, "0b"):
		base, body = 2, body[2:]
	case len(body) > 1 && body[0] == '0' && strings.Trim(body, "01234567") == "":
		base = 8
	case strings.Trim(body, "0123456789") == "" && (body == "0" || body[0] != '0'):
		base = 10
	}
	if base != 0 {
		if i, ok := new(big.Int).SetString(sign+body, base); ok && body != "" && body[0] != '-' && body[0] != '+' {
			return number(i.String())
		}
		return s
	}
	mantissa := body
	if i := strings.IndexAny(body, "eE"); i >= 0 {
		// YAML 1.1 asks for a point and a signed exponent.
		exponent := body[i+1:]
		mantissa = body[:i]
		if len(exponent) < 2 || exponent[0] != '+' && exponent[0] != '-' || strings.Trim(exponent[1:], "0123456789") != "" {
			return s
		}
	}
	if strings.Count(mantissa, ".") != 1 || strings.Trim(mantissa, "0123456789.") != "" || mantissa == "." {
		return s
	}
	f, err := strconv.ParseFloat(sign+body, 64)
	if err != nil || math.IsInf(f, 0) {
		return s // .inf and .nan are no numbers of JSON either
	}
	return f
}
