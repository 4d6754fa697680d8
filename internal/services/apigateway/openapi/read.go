package openapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// object is a JSON object.
type object = map[string]any

// errInput is AWS's answer to what cannot be read at all.
var errInput = problem.New("Invalid OpenAPI input.")

// read reads a document in JSON or YAML.
func read(body []byte) (object, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	var v any
	if len(body) > 0 && body[0] == '{' {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber() // numbers stay as they were written
		if err := d.Decode(&v); err != nil || d.More() {
			return nil, errInput
		}
	} else {
		var doc yaml.Node
		if err := yaml.Unmarshal(body, &doc); err != nil || len(doc.Content) != 1 {
			return nil, errInput
		}
		var err error
		if v, err = new(reader).plain(doc.Content[0], 0); err != nil {
			return nil, err
		}
	}
	o, ok := v.(object)
	if !ok {
		return nil, errInput
	}
	return o, nil
}

// maxNodes is how many values a document in YAML may have once its aliases are
// written out: a small document must not become a huge one.
const maxNodes = 500_000

// maxDepth is how deep a document in YAML may be.
const maxDepth = 500

// reader turns YAML nodes into JSON's kinds. Dates stay text, as they are versions
// here.
type reader struct{ nodes int }

func (r *reader) plain(n *yaml.Node, depth int) (any, error) {
	if r.nodes++; r.nodes > maxNodes || depth > maxDepth {
		return nil, errInput
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.plain(n.Alias, depth+1)
	case yaml.MappingNode:
		o, own := object{}, map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := r.plain(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			k := n.Content[i]
			if k.ShortTag() != "!!merge" {
				o[k.Value], own[k.Value] = v, true
				continue
			}
			from, ok := v.([]any)
			if !ok {
				from = []any{v}
			}
			for _, f := range slices.Backward(from) {
				m, ok := f.(object)
				if !ok {
					return nil, errInput
				}
				for k, v := range m {
					if !own[k] {
						o[k] = v
					}
				}
			}
		}
		return o, nil
	case yaml.SequenceNode:
		l := make([]any, len(n.Content))
		for i, c := range n.Content {
			var err error
			if l[i], err = r.plain(c, depth+1); err != nil {
				return nil, err
			}
		}
		return l, nil
	}
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), nil
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value), nil
		}
		var f float64
		if err := n.Decode(&f); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return n.Value, nil
		}
		return json.Number(strconv.FormatFloat(f, 'f', -1, 64)), nil
	}
	return n.Value, nil
}

// text returns a scalar as text; "" for anything else.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	}
	return ""
}

func child(o object, key string) object {
	c, _ := o[key].(object)
	return c
}

func sorted(o object) []string { return slices.Sorted(maps.Keys(o)) }

// texts reads an object of strings.
func texts(v any) map[string]string {
	o, _ := v.(object)
	if len(o) == 0 {
		return nil
	}
	m := make(map[string]string, len(o))
	for k, e := range o {
		m[k] = text(e)
	}
	return m
}

// list reads a list of strings.
func list(v any) []string {
	l, _ := v.([]any)
	var all []string
	for _, e := range l {
		all = append(all, text(e))
	}
	return all
}
