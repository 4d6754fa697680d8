package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v4"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// decode reads JSON with its numbers as they were written.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	return v, nil
}

// first are the members that a reader wants to see first.
var first = []string{"openapi", "swagger", "info", "servers", "host", "basePath", "schemes", "paths"}

// write writes a document, in JSON or YAML.
func write(o object, asYAML bool) ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	keys := sorted(o)
	slices.SortStableFunc(keys, func(a, b string) int { return rank(a) - rank(b) })
	var buf bytes.Buffer
	buf.WriteByte('{')
	for i, k := range keys {
		if asYAML {
			root.Content = append(root.Content, scalar("!!str", k), node(o[k]))
			continue
		}
		if i > 0 {
			buf.WriteByte(',')
		}
		v, err := json.Marshal(o[k])
		if err != nil {
			return nil, fmt.Errorf("write the document: %w", err)
		}
		fmt.Fprintf(&buf, "%q:%s", k, v)
	}
	if asYAML {
		b, err := yaml.Marshal(root)
		if err != nil {
			return nil, fmt.Errorf("write the document: %w", err)
		}
		return append([]byte("---\n"), b...), nil
	}
	buf.WriteByte('}')
	var out bytes.Buffer
	if err := json.Indent(&out, buf.Bytes(), "", "  "); err != nil {
		return nil, fmt.Errorf("write the document: %w", err)
	}
	return out.Bytes(), nil
}

func rank(key string) int {
	if i := slices.Index(first, key); i >= 0 {
		return i
	}
	return len(first)
}

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

// node is a value as YAML has it.
func node(v any) *yaml.Node {
	switch v := v.(type) {
	case object:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, k := range sorted(v) {
			n.Content = append(n.Content, scalar("!!str", k), node(v[k]))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, x := range v {
			n.Content = append(n.Content, node(x))
		}
		return n
	case string:
		n := scalar("!!str", v)
		n.Style = yaml.DoubleQuotedStyle
		return n
	case bool:
		return scalar("!!bool", text(v))
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return scalar("!!int", v.String())
		}
		return scalar("!!float", v.String())
	case float64:
		b, err := json.Marshal(v)
		if err == nil {
			return scalar("!!float", string(b))
		}
	}
	return scalar("!!null", "null")
}
