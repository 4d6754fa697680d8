// Package httpbind reads and writes the members of structures that are bound to
// parts of an HTTP message: labels of the path, the query string, headers, the
// status and the body as a whole. It is what the protocols rest-json and
// rest-xml have in common; they differ in the Format of bodies.
// https://smithy.io/2.0/spec/http-bindings.html
package httpbind

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/eventstream"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/scalar"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/stamp"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Format is the format of bodies.
type Format interface {
	// ContentType is the type of bodies in the format.
	ContentType() string
	// ReadMembers reads the members of the input that are in the body.
	ReadMembers(rq *protocol.Request, body []byte, sh *model.Shape, fields *value.Fields) error
	// ReadPayload reads a member that is the body.
	ReadPayload(rq *protocol.Request, body []byte, m *model.Member, dst reflect.Value) error
	// AppendMembers writes the members of the output that are in the body.
	AppendMembers(b []byte, rq *protocol.Request, sh *model.Shape, src *value.Source) ([]byte, error)
	// AppendPayload writes a member that is the body.
	AppendPayload(b []byte, rq *protocol.Request, m *model.Member, v reflect.Value) ([]byte, error)
	// Events is how events are written.
	Events(s *model.Service) eventstream.Format
}

// Decode reads an operation's input.
func Decode(rq *protocol.Request, into any, f Format) error {
	if rq.Op.Input < 0 {
		return nil
	}
	sh := &rq.Service.Shapes[rq.Op.Input]
	fields := value.Struct(value.Into(into), sh)
	d := decoder{rq: rq, sh: sh, fields: &fields}
	inBody := false
	for i := range sh.Members {
		m := &sh.Members[i]
		var err error
		switch m.Location {
		case model.URI:
			err = d.label(i, m)
		case model.QueryString:
			err = d.queryString(i, m)
		case model.Header:
			err = d.header(i, m)
		case model.Headers:
			d.prefixed(i, m)
		case model.Body:
			inBody = true
		}
		if err != nil {
			return err
		}
	}
	if sh.Payload >= 0 {
		return d.payload(f)
	}
	if !inBody {
		return nil
	}
	body, err := rq.ReadBody(true)
	if err != nil || len(body) == 0 {
		return err
	}
	return f.ReadMembers(rq, body, sh, &fields)
}

type decoder struct {
	rq     *protocol.Request
	sh     *model.Shape
	fields *value.Fields
	query  []pair // parsed when first needed
}

type pair struct{ name, value string }

// scalar reads one text into member i.
func (d *decoder) scalar(i int, m *model.Member, def model.TimeFormat, text string) error {
	sh := &d.rq.Service.Shapes[m.Shape]
	t := d.fields.Target(i)
	if err := d.text(t, m, sh, def, text); err != nil {
		return err
	}
	d.fields.Keep(i, t)
	return nil
}

func (d *decoder) text(t reflect.Value, m *model.Member, sh *model.Shape, def model.TimeFormat, text string) error {
	if m.JSONValue && sh.Kind == model.String {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return d.bad(m, &scalar.Error{Text: text, Want: model.Blob})
		}
		text = string(b)
	}
	return d.bad(m, scalar.Parse(t, sh, stamp.Format(m, sh, def), text))
}

// bad makes a fault of a text that does not fit its member.
func (d *decoder) bad(m *model.Member, err error) error {
	var e *scalar.Error
	if !errors.As(err, &e) {
		return err
	}
	if protocol.IsS3(d.rq.Service) {
		if e.Want == model.Integer || e.Want == model.Long {
			return fault.Of(fault.InvalidParameterValue, "Provided %s not an integer or within integer range", m.WireName()).
				With("ArgumentName", m.WireName()).With("ArgumentValue", e.Text)
		}
		return fault.Of(fault.InvalidParameterValue, "Invalid value for %s", m.WireName()).
			With("ArgumentName", m.WireName()).With("ArgumentValue", e.Text)
	}
	return fault.Of(fault.Serialization, "%s", e.Error())
}

func (d *decoder) label(i int, m *model.Member) error {
	text, ok := d.rq.Labels.Get(m.WireName())
	if !ok {
		return nil
	}
	return d.scalar(i, m, model.ISO8601, text)
}

// parseQuery reads the query string. A part that is not properly escaped is
// taken as it stands.
func (d *decoder) parseQuery() []pair {
	if d.query != nil {
		return d.query
	}
	d.query = []pair{}
	for part := range strings.SplitSeq(d.rq.HTTP.URL.RawQuery, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		d.query = append(d.query, pair{unescape(k), unescape(v)})
	}
	return d.query
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

func (d *decoder) queryString(i int, m *model.Member) error {
	shapes := d.rq.Service.Shapes
	sh := &shapes[m.Shape]
	switch sh.Kind {
	case model.Map:
		d.queryMap(i, sh)
		return nil
	case model.List:
		var seq value.Seq
		var t reflect.Value
		for _, p := range d.parseQuery() {
			if p.name != m.WireName() {
				continue
			}
			if !t.IsValid() {
				t = d.fields.Target(i)
				seq = value.List(t)
			}
			if err := d.text(seq.Next(), m, &shapes[sh.Elem], model.ISO8601, p.value); err != nil {
				return err
			}
		}
		if t.IsValid() {
			seq.Done()
			d.fields.Keep(i, t)
		}
		return nil
	}
	for _, p := range d.parseQuery() {
		if p.name == m.WireName() {
			if p.value == "" && sh.Kind != model.String {
				return nil
			}
			return d.scalar(i, m, model.ISO8601, p.value)
		}
	}
	return nil
}

// queryMap reads the whole query string into a map of strings or of lists of
// strings.
func (d *decoder) queryMap(i int, sh *model.Shape) {
	t := d.fields.Target(i)
	dict := value.Map(t)
	lists := d.rq.Service.Shapes[sh.Elem].Kind == model.List
	done := map[string]bool{}
	for _, p := range d.parseQuery() {
		if done[p.name] {
			continue
		}
		done[p.name] = true
		e := dict.Next()
		if lists {
			seq := value.List(e)
			for _, q := range d.parseQuery() {
				if q.name == p.name {
					value.SetString(seq.Next(), q.value)
				}
			}
			seq.Done()
		} else {
			value.SetString(e, p.value)
		}
		dict.Keep(p.name)
	}
	if len(done) > 0 {
		d.fields.Keep(i, t)
	} else {
		d.fields.Drop(i)
	}
}

func (d *decoder) header(i int, m *model.Member) error {
	shapes := d.rq.Service.Shapes
	sh := &shapes[m.Shape]
	name := http.CanonicalHeaderKey(m.WireName())
	values := d.rq.HTTP.Header[name]
	if len(values) == 0 {
		if n := d.rq.HTTP.ContentLength; name != "Content-Length" || n < 0 || n == 0 && d.rq.HTTP.Body == nil {
			return nil
		} else {
			return d.scalar(i, m, model.RFC822, strconv.FormatInt(n, 10))
		}
	}
	if sh.Kind != model.List {
		text := strings.TrimSpace(values[0])
		if text == "" && sh.Kind != model.String {
			return nil
		}
		return d.scalar(i, m, model.RFC822, text)
	}
	elem := &shapes[sh.Elem]
	dates := elem.Kind == model.Timestamp && stamp.Format(nil, elem, model.RFC822) == model.RFC822
	t := d.fields.Target(i)
	seq := value.List(t)
	for _, line := range values {
		for _, item := range split(line, dates) {
			if err := d.text(seq.Next(), m, elem, model.RFC822, item); err != nil {
				return err
			}
		}
	}
	seq.Done()
	d.fields.Keep(i, t)
	return nil
}

// split takes a header's list apart: at commas that are not within quotation
// marks; HTTP dates hold one comma themselves.
func split(line string, dates bool) []string {
	var items []string
	rest := strings.TrimSpace(line)
	for rest != "" {
		if rest[0] == '"' {
			item, after, ok := quoted(rest)
			if ok {
				items = append(items, item)
				if after = strings.TrimSpace(after); after == "" {
					break
				}
				rest = strings.TrimSpace(strings.TrimPrefix(after, ","))
				continue
			}
		}
		end := strings.IndexByte(rest, ',')
		if end >= 0 && dates {
			if n := strings.IndexByte(rest[end+1:], ','); n >= 0 {
				end += 1 + n
			} else {
				end = -1
			}
		}
		if end < 0 {
			items = append(items, rest)
			break
		}
		items = append(items, strings.TrimSpace(rest[:end]))
		rest = strings.TrimSpace(rest[end+1:])
	}
	return items
}

// quoted reads a quoted string with backslash escapes.
func quoted(s string) (item, after string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// prefixed reads the headers with a common prefix into a map, which is empty if
// there are none. Names are kept in lower case, since HTTP does not tell.
func (d *decoder) prefixed(i int, m *model.Member) {
	prefix := m.Wire
	t := d.fields.Target(i)
	dict := value.Map(t)
	for name, values := range d.rq.HTTP.Header {
		if len(name) < len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
			continue
		}
		value.SetString(dict.Next(), strings.Join(values, ","))
		dict.Keep(strings.ToLower(name[len(prefix):]))
	}
	d.fields.Keep(i, t)
}

// Streams reports whether a member is a streaming blob.
func Streams(s *model.Service, m *model.Member) bool {
	sh := &s.Shapes[m.Shape]
	return sh.Kind == model.Blob && (m.Streaming || sh.Streaming)
}

// payload reads the member that is the body. A body that is empty leaves the
// member absent.
func (d *decoder) payload(f Format) error {
	i := d.sh.Payload
	m := &d.sh.Members[i]
	sh := &d.rq.Service.Shapes[m.Shape]
	t := d.fields.Target(i)
	if Streams(d.rq.Service, m) {
		value.SetAny(t, d.rq.Stream())
		d.fields.Keep(i, t)
		return nil
	}
	opaque := sh.Kind == model.Blob || sh.Kind == model.String
	body, err := d.rq.ReadBody(!opaque)
	if err != nil || len(body) == 0 {
		return err
	}
	switch sh.Kind {
	case model.Blob:
		value.SetBytes(t, body)
	case model.String:
		value.SetString(t, string(body))
	default:
		if err := f.ReadPayload(d.rq, body, m, t); err != nil {
			return err
		}
	}
	d.fields.Keep(i, t)
	return nil
}
