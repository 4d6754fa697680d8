// Package awsquery speaks the AWS query protocol, and Amazon EC2's variant of it.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
package awsquery

import (
	"net/http"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/xmlwire"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Codec implements protocol.Codec.
type Codec struct {
	// EC2 chooses the variant: lists and maps are always flat, parameters begin
	// with a capital, and the envelopes of answers differ.
	// https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html
	EC2 bool
}

var _ protocol.Codec = Codec{}

func (c Codec) contentType() string {
	if c.EC2 {
		return "text/xml;charset=UTF-8"
	}
	return "text/xml"
}

// Encode implements protocol.Codec.
func (c Codec) Encode(w http.ResponseWriter, rq *protocol.Request, out any) error {
	protocol.SetRequestID(w.Header(), rq)
	b := make([]byte, 0, 512)
	b = open(b, rq.Op.Name+"Response", rq.Service)
	if rq.Op.Output >= 0 {
		sh := &rq.Service.Shapes[rq.Op.Output]
		src, err := value.Open(value.Deref(value.Of(out)), sh)
		if err != nil {
			return err
		}
		e := xmlwire.Encoder{Service: rq.Service, QueryNames: !c.EC2}
		if c.EC2 {
			b, err = e.Members(b, sh, &src, nil)
		} else {
			wrapper := rq.Op.ResultWrapper
			if wrapper == "" {
				wrapper = rq.Op.Name + "Result"
			}
			b = append(append(append(b, '<'), wrapper...), '>')
			b, err = e.Members(b, sh, &src, nil)
			b = xmlwire.End(b, wrapper)
		}
		if err != nil {
			return err
		}
	}
	if c.EC2 {
		b = xmlwire.Simple(b, "requestId", rq.ID)
	} else {
		b = append(b, "<ResponseMetadata>"...)
		b = xmlwire.Simple(b, "RequestId", rq.ID)
		b = append(b, "</ResponseMetadata>"...)
	}
	b = xmlwire.End(b, rq.Op.Name+"Response")
	return protocol.Write(w, rq, http.StatusOK, c.contentType(), b)
}

// open writes the start tag of a root element in the service's namespace.
func open(b []byte, name string, s *model.Service) []byte {
	b = append(b, '<')
	b = append(b, name...)
	if s != nil && s.XMLNamespace != "" {
		b = append(b, ` xmlns="`...)
		b = xmlwire.AppendText(b, s.XMLNamespace)
		b = append(b, '"')
	}
	return append(b, '>')
}

// EncodeFault implements protocol.Codec.
func (c Codec) EncodeFault(w http.ResponseWriter, rq *protocol.Request, f *fault.Fault) {
	protocol.SetRequestID(w.Header(), rq)
	code, status := f.Spell(fault.Query)
	if f.Common == fault.Modeled && f.QueryCode != "" {
		code = f.QueryCode
	}
	sh := protocol.FaultShape(rq.Service, f)
	src := value.OfFault(f, sh)
	var b []byte
	if c.EC2 {
		b = append(b, "<Response><Errors><Error>"...)
		b = xmlwire.AppendFault(b, rq.Service, f, code, false, sh, &src)
		b = append(b, "</Error></Errors>"...)
		b = xmlwire.Simple(b, "RequestID", rq.ID)
		b = append(b, "</Response>"...)
	} else {
		b = open(b, "ErrorResponse", rq.Service)
		b = append(b, "<Error>"...)
		b = xmlwire.AppendFault(b, rq.Service, f, code, true, sh, &src)
		b = append(b, "</Error>"...)
		b = xmlwire.Simple(b, "RequestId", rq.ID)
		b = append(b, "</ErrorResponse>"...)
	}
	_ = protocol.Write(w, rq, status, c.contentType(), b)
}

// Dialect implements protocol.Codec.
func (Codec) Dialect(*model.Service) fault.Dialect { return fault.Query }
