package protocol_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/edge/protocol/cbor"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/jsonwire"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// bareCode takes a code out of the forms in which clients must understand it.
func bareCode(s string) string {
	if i := strings.IndexByte(s, '#'); i >= 0 {
		s = s[i+1:]
	}
	s, _, _ = strings.Cut(s, ":")
	return s
}

// compareBodies compares an answer's body with the case's by what they say.
func compareBodies(t *testing.T, s *model.Service, c *testCase, got []byte, contentType string) {
	t.Helper()
	want := []byte(c.Response.Body)
	op := &s.Operations[0]
	switch s.Protocols[0] {
	case model.RPCv2CBOR:
		compareCBOR(t, s, c, got, decode64(t, c.Response.Body))
		return
	case model.Query, model.EC2:
		compareXML(t, s, got, want, true)
		return
	case model.RestJSON, model.RestXML:
		if c.ErrorCode == "" && op.Output >= 0 && s.Shapes[op.Output].Payload >= 0 {
			sh := &s.Shapes[op.Output]
			if k := s.Shapes[sh.Members[sh.Payload].Shape].Kind; k == model.Blob || k == model.String {
				if !bytes.Equal(got, want) {
					t.Errorf("body %q, want %q", got, want)
				}
				return
			}
		}
	}
	if s.Protocols[0] == model.RestXML {
		compareXML(t, s, got, want, false)
		return
	}
	if _, ok := readAlike[c.ID]; ok {
		got, want = reread(t, s, c, got), reread(t, s, c, want)
	}
	compareJSON(t, got, want, c.ErrorCode != "")
}

// reread drops from a JSON body what a reader drops.
func reread(t *testing.T, s *model.Service, c *testCase, body []byte) []byte {
	t.Helper()
	if c.ErrorCode != "" || s.Operations[0].Output < 0 {
		return nil
	}
	var v any
	if err := jsonwire.Decode(body, s, s.Operations[0].Output, value.Into(&v)); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	b, err := jsonwire.Append(nil, s, s.Operations[0].Output, value.Of(v))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func compareJSON(t *testing.T, got, want []byte, isFault bool) {
	t.Helper()
	doc := func(b []byte) any {
		if len(b) == 0 {
			return map[string]any{} // no body says the same as an empty object
		}
		v, err := jsonwire.Document(b)
		if err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if m, ok := v.(map[string]any); ok && isFault {
			for _, k := range []string{"__type", "code"} {
				if code, ok := m[k].(string); ok {
					delete(m, k)
					m["__type"] = bareCode(code)
				}
			}
		}
		return v
	}
	if g, w := show(doc(got)), show(doc(want)); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

func compareCBOR(t *testing.T, s *model.Service, c *testCase, got, want []byte) {
	t.Helper()
	shape := s.Operations[0].Output
	if c.ErrorCode != "" {
		shape = slices.IndexFunc(s.Shapes, func(sh model.Shape) bool { return sh.Name == c.Given.Errors[0].Shape })
	}
	if shape < 0 {
		if !bytes.Equal(got, want) {
			t.Errorf("body %x, want %x", got, want)
		}
		return
	}
	read := func(b []byte) string {
		var v any
		if len(b) > 0 {
			if err := cbor.Decode(b, s, shape, reflect.ValueOf(&v).Elem()); err != nil {
				t.Fatalf("%v: %x", err, b)
			}
		}
		return show(v)
	}
	if g, w := read(got), read(want); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
	if c.ErrorCode != "" {
		// The code is not a member; it is read as one of a shape that has it.
		types := &model.Service{Shapes: []model.Shape{{Kind: model.String}, {Kind: model.Structure, Members: []model.Member{{Name: "__type", Shape: 0}}}}}
		code := func(b []byte) string {
			var v map[string]any
			if err := cbor.Decode(b, types, 1, value.Into(&v)); err != nil {
				t.Fatal(err)
			}
			return bareCode(fmt.Sprint(v["__type"]))
		}
		if g, w := code(got), code(want); g != w {
			t.Errorf("code %s, want %s", g, w)
		}
	}
}

// compareXML compares documents by elements, attributes, namespaces and text.
// The order of elements with different names and of a map's entries, white space between elements and
// the request id are not looked at, nor, in the query protocols, the namespace of
// the root element, which the cases' models leave out.
func compareXML(t *testing.T, s *model.Service, got, want []byte, rpc bool) {
	t.Helper()
	keys := map[string]bool{"key": true}
	for i := range s.Shapes {
		keys[s.Shapes[i].KeyName] = true
	}
	if g, w := showXML(t, got, rpc, keys), showXML(t, want, rpc, keys); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

func showXML(t *testing.T, doc []byte, rpc bool, keys map[string]bool) string {
	t.Helper()
	if len(bytes.TrimSpace(doc)) == 0 {
		return ""
	}
	d := xml.NewDecoder(bytes.NewReader(doc))
	root := ""
	var element func(start xml.StartElement, depth string) string
	element = func(start xml.StartElement, depth string) string {
		var text strings.Builder
		var children []string
		parent := false
		for {
			tok, err := d.Token()
			if err != nil {
				t.Fatalf("%v: %s", err, doc)
			}
			switch tok := tok.(type) {
			case xml.StartElement:
				parent = true
				switch sub := element(tok, depth+"  "); tok.Name.Local {
				case "ResponseMetadata", "requestId", "RequestId", "RequestID":
				default:
					children = append(children, sub)
				}
				continue
			case xml.CharData:
				text.Write(tok)
				continue
			case xml.EndElement:
			default:
				continue
			}
			break
		}
		var attrs []string
		for _, a := range start.Attr {
			if a.Name.Local == "xmlns" {
				continue
			}
			attrs = append(attrs, fmt.Sprintf(" %s=%q", a.Name.Local, a.Value))
		}
		if space := start.Name.Space; space != "" && !(rpc && space == root) {
			attrs = append(attrs, " in "+space)
		}
		sort.Strings(attrs)
		out := depth + start.Name.Local + strings.Join(attrs, "")
		if len(children) == 0 && !parent {
			value := text.String()
			if strings.TrimSpace(value) == "" && strings.Contains(value, "\n") {
				value = ""
			}
			return out + " " + show(value) + "\n"
		}
		sort.SliceStable(children, func(i, j int) bool {
			name := func(s string) string {
				s = strings.TrimSpace(s)
				end := strings.IndexAny(s, " \n")
				first, _, _ := strings.Cut(strings.TrimSpace(s[end:]), " ")
				if keys[first] { // an entry of a map: order says nothing
					return s
				}
				return s[:end]
			}
			return name(children[i]) < name(children[j])
		})
		return out + "\n" + strings.Join(children, "")
	}
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return ""
		}
		if err != nil {
			t.Fatalf("%v: %s", err, doc)
		}
		if start, ok := tok.(xml.StartElement); ok {
			root = start.Name.Space
			return element(start, "")
		}
	}
}
