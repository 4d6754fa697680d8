package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sort"
	"strconv"
	"strings"
)

// parseJSON reads a JSON template. Unlike encoding/json it refuses duplicate keys
// and keeps places.
func parseJSON(text []byte) (*Node, error) {
	p := &jsonParser{text: text, dec: json.NewDecoder(bytes.NewReader(text))}
	p.dec.UseNumber()
	for i, c := range text {
		if c == '\n' {
			p.lines = append(p.lines, i+1)
		}
	}
	n, err := p.value(0)
	if err == nil {
		if _, end := p.dec.Token(); end != io.EOF {
			err = errors.New("text after the template")
		}
	}
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return nil, err
		}
		at := int(p.dec.InputOffset())
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at = max(at, int(syntax.Offset)-1)
		}
		for at < len(text) && strings.IndexByte(" \t\r\n,:", text[at]) >= 0 {
			at++
		}
		return nil, formatError(p.pos(at), "JSON not well-formed.")
	}
	return n, nil
}

type jsonParser struct {
	text  []byte
	dec   *json.Decoder
	lines []int // offsets at which lines after the first begin
}

func (p *jsonParser) pos(offset int) Pos {
	offset = max(0, min(offset, len(p.text)))
	line := sort.SearchInts(p.lines, offset+1)
	start := 0
	if line > 0 {
		start = p.lines[line-1]
	}
	return Pos{line + 1, offset - start + 1}
}

// next is where the next token begins.
func (p *jsonParser) next() Pos {
	i := int(p.dec.InputOffset())
	for i < len(p.text) && strings.IndexByte(" \t\r\n,:", p.text[i]) >= 0 {
		i++
	}
	return p.pos(i)
}

func (p *jsonParser) value(depth int) (*Node, error) {
	pos := p.next()
	if depth > maxDepth {
		return nil, formatError(pos, "the template is nested more than %d levels deep", maxDepth)
	}
	tok, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Delim:
		n := &Node{Pos: pos}
		if tok == '[' {
			n.Kind = List
			for p.dec.More() {
				x, err := p.value(depth + 1)
				if err != nil {
					return nil, err
				}
				n.items = append(n.items, x)
			}
		} else {
			n.Kind = Map
			seen := map[string]bool{}
			for p.dec.More() {
				k := key{pos: p.next()}
				tok, err := p.dec.Token()
				if err != nil {
					return nil, err
				}
				k.name = tok.(string)
				if seen[k.name] {
					return nil, duplicate(k)
				}
				seen[k.name] = true
				if k.node, err = p.value(depth + 1); err != nil {
					return nil, err
				}
				n.keys = append(n.keys, k)
			}
		}
		if _, err := p.dec.Token(); err != nil {
			return nil, err
		}
		return build(n)
	case json.Number:
		return &Node{Pos: pos, scalar: number(string(tok)), size: 1}, nil
	}
	return &Node{Pos: pos, scalar: tok, size: 1}, nil
}

func number(s string) any {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && bytes.ContainsAny([]byte(s), ".eE") {
		return f
	}
	return json.Number(s)
}
