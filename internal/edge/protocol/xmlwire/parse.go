// Package xmlwire reads and writes shapes as XML.
// https://smithy.io/2.0/spec/xml-traits.html
package xmlwire

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Error says what is wrong with an XML document.
type Error struct{ Message string }

// Error implements error.
func (e *Error) Error() string { return e.Message }

var (
	errForm  = &Error{"The XML document is not well-formed"}
	errDepth = &Error{"The XML document is nested too deeply"}
	errDTD   = &Error{"The XML document has a document type declaration"}
)

// maxDepth bounds nesting: deeper than any shape that a service takes.
const maxDepth = 256

// Element is an element of a document that was read.
type Element struct {
	Name     string // without a namespace
	Attrs    []xml.Attr
	Children []*Element
	Text     string // of the element itself, with its white space
}

// Attr returns the value of the attribute with that name, which has no
// namespace prefix.
func (e *Element) Attr(name string) (string, bool) {
	for _, a := range e.Attrs {
		if a.Name.Local == name && a.Name.Space != "xmlns" {
			return a.Value, true
		}
	}
	return "", false
}

// Child returns the first child of one of those names, or nil.
func (e *Element) Child(names ...string) *Element {
	for _, name := range names {
		for _, c := range e.Children {
			if c.Name == name {
				return c
			}
		}
	}
	return nil
}

// Parse reads a document; nil if there is nothing in it. Document type
// declarations are refused: no AWS client writes them, and they can blow up.
func Parse(doc []byte) (*Element, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	var root *Element
	var open []*Element
	var text [][]byte // of the open elements
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			if len(open) > 0 || root == nil && len(bytes.TrimSpace(doc)) > 0 {
				return nil, errForm
			}
			return root, nil
		}
		if err != nil {
			return nil, errForm
		}
		switch t := t.(type) {
		case xml.StartElement:
			e := &Element{Name: t.Name.Local, Attrs: t.Attr}
			switch {
			case len(open) >= maxDepth:
				return nil, errDepth
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.Children = append(parent.Children, e)
			case root != nil:
				return nil, errForm
			default:
				root = e
			}
			open = append(open, e)
			text = append(text, nil)
		case xml.EndElement:
			n := len(open) - 1
			open[n].Text = string(text[n])
			open, text = open[:n], text[:n]
		case xml.CharData:
			if len(open) > 0 {
				text[len(text)-1] = append(text[len(text)-1], t...)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return nil, errForm
			}
		case xml.Directive:
			return nil, errDTD
		}
	}
}

// local returns a wire name without its namespace prefix.
func local(name string) string {
	if i := strings.IndexByte(name, ':'); i >= 0 {
		return name[i+1:]
	}
	return name
}

// flat reports whether the list or map that m holds has no element around it.
func flat(m *model.Member, sh *model.Shape) bool { return sh.Flat || m != nil && m.Flat }

func or(name, def string) string {
	if name == "" {
		return def
	}
	return name
}
