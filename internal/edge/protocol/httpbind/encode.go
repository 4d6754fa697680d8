package httpbind

import (
	"encoding/base64"
	"net/http"
	"reflect"
	"strings"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/eventstream"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/scalar"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/stamp"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Encode writes an operation's output.
func Encode(w http.ResponseWriter, rq *protocol.Request, out any, f Format) error {
	status := protocol.Status(rq.Op)
	protocol.SetRequestID(w.Header(), rq)
	if rq.Op.Output < 0 {
		return protocol.Write(w, rq, status, "", nil)
	}
	sh := &rq.Service.Shapes[rq.Op.Output]
	v := value.Deref(value.Of(out))
	src, err := value.Open(v, sh)
	if err != nil {
		return err
	}
	if sh.Payload >= 0 && Streams(rq.Service, &sh.Members[sh.Payload]) {
		if body := src.Reader(sh.Payload); body != nil {
			defer body.Close()
		}
	}
	if err := Headers(w.Header(), rq.Service, sh, &src); err != nil {
		return err
	}
	status = statusOf(sh, &src, status)
	if i := eventstream.Member(rq.Service, rq.Op.Output); i >= 0 {
		return eventstream.Write(w, rq, v, i, f.Events(rq.Service))
	}
	if sh.Payload < 0 {
		body, err := f.AppendMembers(nil, rq, sh, &src)
		if err != nil {
			return err
		}
		contentType := f.ContentType()
		if len(body) == 0 {
			contentType = ""
		}
		return protocol.Write(w, rq, status, contentType, body)
	}
	return payload(w, rq, sh, &src, status, f)
}

// InAnswer reports whether a member of an output is in the body. Labels and
// query strings are parts of requests alone: an output that names them, since it
// is the input of something too, has them in its body.
func InAnswer(m *model.Member) bool {
	return m.Location == model.Body || m.Location == model.URI || m.Location == model.QueryString
}

func payload(w http.ResponseWriter, rq *protocol.Request, sh *model.Shape, src *value.Source, status int, f Format) error {
	m := &sh.Members[sh.Payload]
	target := &rq.Service.Shapes[m.Shape]
	if Streams(rq.Service, m) {
		body := src.Reader(sh.Payload)
		if body == nil {
			return protocol.Write(w, rq, status, "", nil)
		}
		if h := w.Header(); len(h["Content-Type"]) == 0 {
			h["Content-Type"] = []string{"application/octet-stream"}
		}
		return protocol.Stream(w, rq, status, body)
	}
	v := src.Member(sh.Payload)
	if !v.IsValid() {
		return protocol.Write(w, rq, status, "", nil)
	}
	if err := value.Check(v, target); err != nil {
		return err
	}
	switch target.Kind {
	case model.Blob:
		return protocol.Write(w, rq, status, "application/octet-stream", v.Bytes())
	case model.String:
		return protocol.Write(w, rq, status, "text/plain", []byte(v.String()))
	}
	body, err := f.AppendPayload(nil, rq, m, v)
	if err != nil {
		return err
	}
	return protocol.Write(w, rq, status, f.ContentType(), body)
}

// statusOf returns the status that a member of the output holds, or status; an
// output that says which range of a whole it holds is a partial one.
func statusOf(sh *model.Shape, src *value.Source, status int) int {
	for i := range sh.Members {
		if sh.Members[i].Location == model.StatusCode {
			if v := src.Member(i); v.IsValid() && v.CanInt() && v.Int() >= 100 && v.Int() < 1000 {
				return int(v.Int())
			}
		}
		if status == http.StatusOK && sh.Members[i].Location == model.Header && sh.Members[i].WireName() == "Content-Range" {
			if v := src.Member(i); v.IsValid() {
				return http.StatusPartialContent
			}
		}
	}
	return status
}

// userMetadata are S3's headers whose names go out as they are: clients take the
// rest of the name for a key of the metadata, and botocore keeps its spelling.
const userMetadata = "x-amz-meta-"

// Headers sets the headers that members of a structure are bound to. Absent and
// empty members set none.
func Headers(h http.Header, s *model.Service, sh *model.Shape, src *value.Source) error {
	for i := range sh.Members {
		m := &sh.Members[i]
		if m.Location != model.Header && m.Location != model.Headers {
			continue
		}
		v := src.Member(i)
		if !v.IsValid() {
			continue
		}
		target := &s.Shapes[m.Shape]
		if err := value.Check(v, target); err != nil {
			return err
		}
		if m.Location == model.Headers {
			for _, k := range value.Keys(v) {
				if e := value.Entry(v, k); e.IsValid() && e.Kind() == reflect.String {
					name := m.Wire + k
					if m.Wire != userMetadata {
						name = http.CanonicalHeaderKey(name)
					}
					h[name] = []string{e.String()}
				}
			}
			continue
		}
		text, err := headerText(s, m, target, v)
		if err != nil {
			return err
		}
		if len(text) > 0 {
			h[http.CanonicalHeaderKey(m.WireName())] = []string{string(text)}
		}
	}
	return nil
}

func headerText(s *model.Service, m *model.Member, sh *model.Shape, v reflect.Value) ([]byte, error) {
	if sh.Kind != model.List {
		if m.JSONValue && sh.Kind == model.String {
			return base64.StdEncoding.AppendEncode(nil, []byte(v.String())), nil
		}
		return scalar.Append(nil, v, sh, stamp.Format(m, sh, model.RFC822))
	}
	var b []byte
	elem := &s.Shapes[sh.Elem]
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ", "...)
		}
		e := value.Deref(v.Index(i))
		if !e.IsValid() {
			continue
		}
		if elem.Kind == model.String && e.Kind() == reflect.String && strings.ContainsAny(e.String(), `",`) {
			b = append(b, '"')
			b = append(b, strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(e.String())...)
			b = append(b, '"')
			continue
		}
		var err error
		if b, err = scalar.Append(b, e, elem, stamp.Format(m, elem, model.RFC822)); err != nil {
			return b, err
		}
	}
	return b, nil
}
