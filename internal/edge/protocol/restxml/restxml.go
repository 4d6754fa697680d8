// Package restxml speaks the protocol AWS REST XML, and Amazon S3's variant of it.
// https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html
package restxml

import (
	"errors"
	"net/http"
	"reflect"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/eventstream"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/httpbind"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/scalar"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/xmlwire"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Codec implements protocol.Codec.
type Codec struct{}

var _ protocol.Codec = Codec{}

const contentType = "application/xml"

// Decode implements protocol.Codec.
func (Codec) Decode(rq *protocol.Request, into any) error { return httpbind.Decode(rq, into, format{}) }

// Encode implements protocol.Codec.
func (Codec) Encode(w http.ResponseWriter, rq *protocol.Request, out any) error {
	return httpbind.Encode(w, rq, out, format{})
}

// EncodeFault implements protocol.Codec.
func (c Codec) EncodeFault(w http.ResponseWriter, rq *protocol.Request, f *fault.Fault) {
	h := w.Header()
	protocol.SetRequestID(h, rq)
	code, status := f.Spell(c.Dialect(rq.Service))
	sh := protocol.FaultShape(rq.Service, f)
	src := value.OfFault(f, sh)
	if sh != nil {
		// A header that cannot be written must not hide the fault.
		_ = httpbind.Headers(h, rq.Service, sh, &src)
	}
	if c.Dialect(rq.Service) == fault.S3 {
		s3Headers(h, rq, f)
		_ = protocol.Write(w, rq, status, contentType, s3Fault(rq, f, code, sh, &src))
		return
	}
	b := append([]byte(xmlwire.Header), "<ErrorResponse"...)
	if rq.Service != nil && rq.Service.XMLNamespace != "" {
		b = append(b, ` xmlns="`+rq.Service.XMLNamespace+`"`...)
	}
	b = append(b, "><Error>"...)
	b = xmlwire.AppendFault(b, rq.Service, f, code, true, sh, &src)
	b = append(b, "</Error>"...)
	b = xmlwire.Simple(b, "RequestId", rq.ID)
	b = append(b, "</ErrorResponse>"...)
	_ = protocol.Write(w, rq, status, contentType, b)
}

// Dialect implements protocol.Codec. Requests that no service claims are taken
// to be for S3, which is where a wrong address leads.
func (Codec) Dialect(s *model.Service) fault.Dialect {
	if s == nil || protocol.IsS3(s) {
		return fault.S3
	}
	return fault.Query
}

// format implements httpbind.Format.
type format struct{}

func (format) ContentType() string { return contentType }

// read parses a document whose root element has one of the names. Only S3
// insists on the name.
func read(rq *protocol.Request, body []byte, names ...string) (*xmlwire.Element, error) {
	root, err := xmlwire.Parse(body)
	if err != nil {
		return nil, malformed(rq.Service, err)
	}
	if root == nil || !protocol.IsS3(rq.Service) {
		return root, nil
	}
	for _, n := range names {
		if root.Name == n {
			return root, nil
		}
	}
	return nil, malformed(rq.Service, &xmlwire.Error{})
}

// malformed makes a fault of what is wrong with a document.
func malformed(s *model.Service, err error) error {
	var form *xmlwire.Error
	var text *scalar.Error
	if !errors.As(err, &form) && !errors.As(err, &text) {
		return err
	}
	if protocol.IsS3(s) {
		return fault.Of(fault.Serialization, "The XML you provided was not well-formed or did not validate against our published schema")
	}
	return fault.Of(fault.Serialization, "%s", err.Error())
}

func (format) ReadMembers(rq *protocol.Request, body []byte, sh *model.Shape, fields *value.Fields) error {
	root, err := read(rq, body, rq.Op.InputName, sh.XMLName, sh.Name)
	if err != nil || root == nil {
		return err
	}
	return malformed(rq.Service, xmlwire.DecodeMembers(root, rq.Service, sh, fields, xmlwire.InBody))
}

func (format) ReadPayload(rq *protocol.Request, body []byte, m *model.Member, dst reflect.Value) error {
	sh := &rq.Service.Shapes[m.Shape]
	root, err := read(rq, body, m.Wire, sh.XMLName, sh.Name, m.Name)
	if err != nil || root == nil {
		return err
	}
	return malformed(rq.Service, xmlwire.DecodeValue(root, rq.Service, m, dst))
}

func encoder(s *model.Service) xmlwire.Encoder {
	return xmlwire.Encoder{Service: s, Milliseconds: protocol.IsS3(s)}
}

func (format) AppendMembers(b []byte, rq *protocol.Request, sh *model.Shape, src *value.Source) ([]byte, error) {
	inBody := false
	for i := range sh.Members {
		inBody = inBody || httpbind.InAnswer(&sh.Members[i])
	}
	if !inBody {
		return b, nil
	}
	b = append(b, xmlwire.Header...)
	if protocol.IsS3(rq.Service) {
		return s3Members(b, rq, sh, src)
	}
	name := sh.XMLName
	if name == "" {
		name = sh.Name
	}
	return encoder(rq.Service).Element(b, name, rq.Service.XMLNamespace, sh, src, httpbind.InAnswer)
}

func (format) AppendPayload(b []byte, rq *protocol.Request, m *model.Member, v reflect.Value) ([]byte, error) {
	sh := &rq.Service.Shapes[m.Shape]
	name := payloadName(rq, m, sh)
	ns := m.XMLNamespace
	if ns == "" && sh.XMLNamespace == "" {
		ns = rq.Service.XMLNamespace
		if protocol.IsS3(rq.Service) {
			ns = s3Namespace
		}
	}
	b = append(b, xmlwire.Header...)
	return encoder(rq.Service).Value(b, name, ns, m, v)
}

// payloadName names the root element of a payload: as the member says, or its
// shape.
func payloadName(rq *protocol.Request, m *model.Member, sh *model.Shape) string {
	if protocol.IsS3(rq.Service) {
		if n := s3Roots[rq.Op.Name]; n != "" {
			return n
		}
	}
	switch {
	case m.Wire != "" && m.Wire != m.Name: // else the model only repeats the name
		return m.Wire
	case sh.XMLName != "":
		return sh.XMLName
	}
	return sh.Name
}

func (format) Events(s *model.Service) eventstream.Format {
	return eventstream.Format{ContentType: "text/xml", Structure: func(b []byte, s *model.Service, sh *model.Shape, name string, src *value.Source, keep func(*model.Member) bool) ([]byte, error) {
		if len(sh.Members) == 0 {
			return b, nil
		}
		return encoder(s).Element(b, name, "", sh, src, keep)
	}}
}
