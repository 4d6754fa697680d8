package template

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// parseYAML reads a YAML template of one document: block and flow collections,
// scalars of every style, the short forms as tags, anchors and merge keys.
func parseYAML(text []byte) (*Node, error) {
	if !utf8.Valid(text) {
		return nil, formatError(Pos{}, "YAML not well-formed: the text is not UTF-8.")
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return &Node{size: 1}, nil
	} else if err != nil {
		return nil, notWellFormed(err)
	}
	var more yaml.Node
	if err := dec.Decode(&more); err == nil {
		return nil, formatError(Pos{more.Line, more.Column}, "YAML not well-formed: there is more than one document.")
	} else if !errors.Is(err, io.EOF) {
		return nil, notWellFormed(err)
	}
	if len(doc.Content) == 0 {
		return &Node{size: 1}, nil
	}
	y := &yamlReader{anchors: map[*yaml.Node]*Node{}}
	return y.node(doc.Content[0], 0)
}

var place = regexp.MustCompile(`line (\d+)(?:, column (\d+))?:? *`)

// notWellFormed takes the place out of the parser's message.
func notWellFormed(err error) error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	var pos Pos
	if m := place.FindStringSubmatch(msg); m != nil {
		pos.Line, _ = strconv.Atoi(m[1])
		pos.Column, _ = strconv.Atoi(m[2])
		msg = strings.Replace(msg, m[0], "", 1)
	}
	return formatError(pos, "YAML not well-formed: %s", strings.TrimSpace(msg))
}

// yamlReader turns the parser's nodes into ours. An anchored node becomes one
// Node, however often it is referred to, so an alias costs nothing but its count.
type yamlReader struct {
	anchors map[*yaml.Node]*Node
}

func (y *yamlReader) node(n *yaml.Node, depth int) (*Node, error) {
	pos := Pos{n.Line, n.Column}
	if depth > maxDepth {
		return nil, formatError(pos, "the template is nested deeper than %d levels", maxDepth)
	}
	if n.Kind == yaml.AliasNode {
		known := y.anchors[n.Alias]
		if known == nil {
			return nil, formatError(pos, "YAML not well-formed: the alias *%s stands within what it names.", n.Value)
		}
		return known, nil
	}
	out, err := y.value(n, pos, depth)
	if err != nil {
		return nil, err
	}
	if n.Tag != "" && n.Style&yaml.TaggedStyle != 0 {
		if out, err = (tag{n.Tag, pos}).apply(out); err != nil {
			return nil, err
		}
	}
	if n.Anchor != "" {
		y.anchors[n] = out
	}
	return out, nil
}

func (y *yamlReader) value(n *yaml.Node, pos Pos, depth int) (*Node, error) {
	switch n.Kind {
	case yaml.SequenceNode:
		list := &Node{Kind: List, Pos: pos}
		for _, c := range n.Content {
			item, err := y.node(c, depth+1)
			if err != nil {
				return nil, err
			}
			list.items = append(list.items, item)
		}
		return build(list)
	case yaml.MappingNode:
		m := newMapping(pos)
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, err := y.node(n.Content[i], depth+1)
			if err != nil {
				return nil, err
			}
			v, err := y.node(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			if err := m.add(k, Pos{n.Content[i].Line, n.Content[i].Column}, v); err != nil {
				return nil, err
			}
		}
		return m.done()
	}
	out := &Node{Pos: pos, scalar: n.Value, text: n.Value, size: 1}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		out.scalar = plain(n.Value)
	}
	return out, nil
}
