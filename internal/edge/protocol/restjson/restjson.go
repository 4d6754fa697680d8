// Package restjson speaks the protocol AWS REST JSON 1.
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
package restjson

import (
	"net/http"
	"reflect"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/eventstream"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/hal"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/httpbind"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/jsonwire"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Codec implements protocol.Codec.
type Codec struct{}

var _ protocol.Codec = Codec{}

const contentType = "application/json"

// Decode implements protocol.Codec.
func (Codec) Decode(rq *protocol.Request, into any) error { return httpbind.Decode(rq, into, format{}) }

// Encode implements protocol.Codec.
func (Codec) Encode(w http.ResponseWriter, rq *protocol.Request, out any) error {
	if hal.Asked(rq) {
		held := &hal.Writer{ResponseWriter: w}
		if err := httpbind.Encode(held, rq, out, format{}); err != nil {
			return err
		}
		return held.Send(rq)
	}
	return httpbind.Encode(w, rq, out, format{})
}

// EncodeFault implements protocol.Codec. The code stands in the header
// x-amzn-ErrorType, not in the body.
func (Codec) EncodeFault(w http.ResponseWriter, rq *protocol.Request, f *fault.Fault) {
	h := w.Header()
	protocol.SetRequestID(h, rq)
	code, status := f.Spell(fault.Rest)
	h["X-Amzn-Errortype"] = []string{code}
	sh := protocol.FaultShape(rq.Service, f)
	src := value.OfFault(f, sh)
	head := func(b []byte) []byte {
		if f.Message != "" && !protocol.HasMessage(sh) {
			b = append(b, `"`+protocol.MessageKey(f)+`":`...)
			b = jsonwire.AppendString(b, f.Message)
		}
		return b
	}
	if sh != nil {
		// A header that cannot be written must not hide the fault.
		_ = httpbind.Headers(h, rq.Service, sh, &src)
	}
	body, err := jsonwire.AppendFault(nil, rq.Service, sh, &src, head, func(m *model.Member) bool { return m.Location == model.Body })
	if err != nil {
		body = append(head([]byte{'{'}), '}')
	}
	_ = protocol.Write(w, rq, status, contentType, body)
}

// Dialect implements protocol.Codec.
func (Codec) Dialect(*model.Service) fault.Dialect { return fault.Rest }

// format implements httpbind.Format.
type format struct{}

func (format) ContentType() string { return contentType }

func (format) ReadMembers(rq *protocol.Request, body []byte, sh *model.Shape, fields *value.Fields) error {
	return jsonwire.Fault(jsonwire.DecodeBody(body, rq.Service, sh, fields))
}

func (format) ReadPayload(rq *protocol.Request, body []byte, m *model.Member, dst reflect.Value) error {
	return jsonwire.Fault(jsonwire.Decode(body, rq.Service, m.Shape, dst))
}

func (format) AppendMembers(b []byte, rq *protocol.Request, sh *model.Shape, src *value.Source) ([]byte, error) {
	return jsonwire.AppendMembers(b, rq.Service, sh, src, httpbind.InAnswer)
}

func (format) AppendPayload(b []byte, rq *protocol.Request, m *model.Member, v reflect.Value) ([]byte, error) {
	return jsonwire.Append(b, rq.Service, m.Shape, v)
}

func (format) Events(*model.Service) eventstream.Format {
	return eventstream.Format{ContentType: contentType, Structure: jsonwire.AppendEvent}
}
