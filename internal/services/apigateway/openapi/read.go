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
		if v, err = plain(doc.Content[0]); err != nil {
			return nil, err
		}
	}
	o, ok := v.(object)
	if !ok {
		return nil, errInput
	}
	return o, nil
}

// plain turns a YAML node into JSON's kinds. Dates stay text, as they are versions
// here; anchors are not taken, because they could make a small document a huge one.
func plain(n *yaml.Node) (any, error) {
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		return nil, problem.New("Invalid OpenAPI input. YAML anchors and aliases are not taken.")
	}
	switch n.Kind {
	case yaml.MappingNode:
		o := object{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := plain(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			o[n.Content[i].Value] = v
		}
		return o, nil
	case yaml.SequenceNode:
		l := make([]any, len(n.Content))
		for i, c := range n.Content {
			var err error
			if l[i], err = plain(c); err != nil {
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
