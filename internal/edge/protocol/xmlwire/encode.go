package xmlwire

import (
	"fmt"
	"reflect"
	"time"
	"unicode/utf8"

	"github.com/tierra-cloud/tierra/internal/edge/protocol/scalar"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/stamp"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Header begins every document.
const Header = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

// Encoder writes shapes of one service.
type Encoder struct {
	Service *model.Service
	// Milliseconds says that timestamps have a fraction of three digits, even
	// if it is zero, as S3's have.
	Milliseconds bool
	// QueryNames says that a member's QueryName goes before its wire name: in
	// the answers of the query protocol, which is older than some services' models.
	QueryNames bool
}

// Keep says which members of a structure are written; nil means all.
type Keep func(*model.Member) bool

// InBody keeps the members of an input that are in the body.
func InBody(m *model.Member) bool { return m.Location == model.Body }

// Element writes a structure as an element with that name, in the namespace ns
// if that is not "".
func (e Encoder) Element(b []byte, name, ns string, sh *model.Shape, src *value.Source, keep Keep) ([]byte, error) {
	b = append(b, '<')
	b = append(b, name...)
	b = namespace(b, ns, "")
	if ns == "" || sh.XMLPrefix != "" {
		b = namespace(b, sh.XMLNamespace, sh.XMLPrefix)
	}
	return e.finish(b, name, sh, src, keep)
}

// Value writes the value of a member as an element with that name, in the
// namespace ns, or that of its shape if ns is "".
func (e Encoder) Value(b []byte, name, ns string, m *model.Member, v reflect.Value) ([]byte, error) {
	prefix := ""
	switch sh := &e.Service.Shapes[m.Shape]; {
	case ns == "":
		ns, prefix = sh.XMLNamespace, sh.XMLPrefix
	case ns == m.XMLNamespace:
		prefix = m.XMLPrefix
	}
	return e.value(b, name, ns, prefix, m, m.Shape, v)
}

// finish writes the attributes, the content and the end of a structure whose
// start tag is open.
func (e Encoder) finish(b []byte, name string, sh *model.Shape, src *value.Source, keep Keep) ([]byte, error) {
	var err error
	for i := range sh.Members {
		m := &sh.Members[i]
		if !m.Attribute || keep != nil && !keep(m) {
			continue
		}
		if v := src.Member(i); v.IsValid() {
			b = append(b, ' ')
			b = append(b, m.WireName()...)
			b = append(b, '=', '"')
			target := &e.Service.Shapes[m.Shape]
			var text []byte
			if text, err = scalar.Append(nil, v, target, stamp.Format(m, target, model.ISO8601)); err != nil {
				return b, err
			}
			b = append(AppendText(b, string(text)), '"')
		}
	}
	b = append(b, '>')
	if b, err = e.Members(b, sh, src, keep); err != nil {
		return b, err
	}
	return End(b, name), nil
}

// Members writes a structure's members, without an element around them.
func (e Encoder) Members(b []byte, sh *model.Shape, src *value.Source, keep Keep) ([]byte, error) {
	for i := range sh.Members {
		m := &sh.Members[i]
		if m.Attribute || keep != nil && !keep(m) || e.Service.Shapes[m.Shape].Kind == model.Events {
			continue
		}
		v := src.Member(i)
		if !v.IsValid() {
			continue
		}
		var err error
		if b, err = e.member(b, m, v); err != nil {
			return b, err
		}
	}
	return b, nil
}

func (e Encoder) member(b []byte, m *model.Member, v reflect.Value) ([]byte, error) {
	sh := &e.Service.Shapes[m.Shape]
	if err := value.Check(v, sh); err != nil {
		return b, err
	}
	name := m.WireName()
	if e.QueryNames && m.QueryName != "" {
		name = m.QueryName
	}
	ns, prefix := m.XMLNamespace, m.XMLPrefix
	if !flat(m, sh) {
		if ns == "" && sh.Kind != model.Structure {
			ns, prefix = sh.XMLNamespace, sh.XMLPrefix
		}
		return e.value(b, name, ns, prefix, m, m.Shape, v)
	}
	// No element stands for the list or map itself, so that its namespace is lost.
	var err error
	switch sh.Kind {
	case model.List:
		if ns == "" {
			ns = sh.ElemNamespace
		}
		for i := range v.Len() {
			if b, err = e.value(b, name, ns, prefix, nil, sh.Elem, value.Deref(v.Index(i))); err != nil {
				return b, err
			}
		}
		return b, nil
	case model.Map:
		for _, k := range value.Keys(v) {
			if b, err = e.entry(b, name, ns, prefix, sh, k, value.Entry(v, k)); err != nil {
				return b, err
			}
		}
		return b, nil
	}
	return e.value(b, name, ns, prefix, m, m.Shape, v)
}

// value writes v as an element; m is the member that it is of, if any.
func (e Encoder) value(b []byte, name, ns, prefix string, m *model.Member, shape int, v reflect.Value) ([]byte, error) {
	sh := &e.Service.Shapes[shape]
	b = append(b, '<')
	b = append(b, name...)
	b = namespace(b, ns, prefix)
	if !v.IsValid() {
		return append(b, '/', '>'), nil
	}
	if err := value.Check(v, sh); err != nil {
		return b, err
	}
	var err error
	switch sh.Kind {
	case model.Structure:
		// A structure's own namespace is for documents that it is the root of,
		// but its prefix is what its attributes are written with.
		if ns == "" && sh.XMLPrefix != "" {
			b = namespace(b, sh.XMLNamespace, sh.XMLPrefix)
		}
		src, err := value.Open(v, sh)
		if err != nil {
			return b, err
		}
		return e.finish(b, name, sh, &src, nil)
	case model.List:
		b = append(b, '>')
		for i := range v.Len() {
			if b, err = e.value(b, or(sh.ElemName, "member"), sh.ElemNamespace, "", nil, sh.Elem, value.Deref(v.Index(i))); err != nil {
				return b, err
			}
		}
	case model.Map:
		b = append(b, '>')
		for _, k := range value.Keys(v) {
			if b, err = e.entry(b, "entry", "", "", sh, k, value.Entry(v, k)); err != nil {
				return b, err
			}
		}
	default:
		b = append(b, '>')
		if b, err = e.Text(b, m, sh, v); err != nil {
			return b, err
		}
	}
	return End(b, name), nil
}

func (e Encoder) entry(b []byte, name, ns, prefix string, sh *model.Shape, key string, v reflect.Value) ([]byte, error) {
	b = append(b, '<')
	b = append(b, name...)
	b = append(namespace(b, ns, prefix), '>')
	keyName := or(sh.KeyName, "key")
	b = append(b, '<')
	b = append(b, keyName...)
	b = append(namespace(b, sh.KeyNamespace, ""), '>')
	b = End(AppendText(b, key), keyName)
	var err error
	if b, err = e.value(b, or(sh.ElemName, "value"), sh.ElemNamespace, "", nil, sh.Elem, v); err != nil {
		return b, err
	}
	return End(b, name), nil
}

// Text writes a scalar without an element around it.
func (e Encoder) Text(b []byte, m *model.Member, sh *model.Shape, v reflect.Value) ([]byte, error) {
	switch sh.Kind {
	case model.String:
		return AppendText(b, v.String()), nil
	case model.Timestamp:
		f := stamp.Format(m, sh, model.ISO8601)
		if f == model.ISO8601 && e.Milliseconds {
			return value.Time(v).UTC().Truncate(time.Millisecond).AppendFormat(b, "2006-01-02T15:04:05.000Z"), nil
		}
		return stamp.Append(b, value.Time(v), f), nil
	case model.Document, model.Events:
		return b, fmt.Errorf("xmlwire: shape %s cannot be written", sh.Name)
	}
	return scalar.Append(b, v, sh, model.ISO8601)
}

// Simple writes an element that holds a text.
func Simple(b []byte, name, text string) []byte {
	b = append(b, '<')
	b = append(b, name...)
	return End(AppendText(append(b, '>'), text), name)
}

// End writes an end tag.
func End(b []byte, name string) []byte {
	b = append(b, '<', '/')
	b = append(b, name...)
	return append(b, '>')
}

func namespace(b []byte, uri, prefix string) []byte {
	if uri == "" {
		return b
	}
	b = append(b, " xmlns"...)
	if prefix != "" {
		b = append(b, ':')
		b = append(b, prefix...)
	}
	b = append(b, '=', '"')
	return append(AppendText(b, uri), '"')
}

// AppendText writes text with what XML gives a meaning to escaped. Characters
// that XML 1.0 cannot carry become the replacement character.
func AppendText(b []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		esc := ""
		switch {
		case r == '&':
			esc = "&amp;"
		case r == '<':
			esc = "&lt;"
		case r == '>':
			esc = "&gt;"
		case r == '"':
			esc = "&quot;"
		case r == '\r':
			esc = "&#13;" // a bare one would be read as a line feed
		case r == '\n' || r == '\t':
		case r < ' ' || r == 0xFFFE || r == 0xFFFF || r == utf8.RuneError && n == 1:
			esc = "\ufffd"
		}
		if esc != "" {
			b = append(b, s[from:i]...)
			b = append(b, esc...)
			from = i + n
		}
		i += n
	}
	return append(b, s[from:]...)
}
