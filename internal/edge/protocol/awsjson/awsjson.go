// Package awsjson speaks the protocols AWS JSON 1.0 and 1.1.
// https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
package awsjson

import (
	"net/http"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/eventstream"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/jsonwire"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Codec implements protocol.Codec.
type Codec struct{}

var _ protocol.Codec = Codec{}

// Decode implements protocol.Codec. An empty body is an empty object.
func (Codec) Decode(rq *protocol.Request, into any) error {
	if rq.Op.Input < 0 {
		return nil
	}
	body, err := rq.ReadBody(true)
	if err != nil || len(body) == 0 {
		return err
	}
	return jsonwire.Fault(jsonwire.Decode(body, rq.Service, rq.Op.Input, value.Into(into)))
}

// stream is how events are written.
var stream = eventstream.Format{ContentType: "application/json", Structure: jsonwire.AppendEvent, Initial: true}

// Encode implements protocol.Codec.
func (Codec) Encode(w http.ResponseWriter, rq *protocol.Request, out any) error {
	protocol.SetRequestID(w.Header(), rq)
	v := value.Deref(value.Of(out))
	if rq.Op.Output < 0 || !v.IsValid() {
		return protocol.Write(w, rq, http.StatusOK, contentType(rq.Service), []byte("{}"))
	}
	if i := eventstream.Member(rq.Service, rq.Op.Output); i >= 0 {
		return eventstream.Write(w, rq, v, i, stream)
	}
	body, err := jsonwire.Append(make([]byte, 0, 512), rq.Service, rq.Op.Output, v)
	if err != nil {
		return err
	}
	return protocol.Write(w, rq, http.StatusOK, contentType(rq.Service), body)
}

// EncodeFault implements protocol.Codec.
func (Codec) EncodeFault(w http.ResponseWriter, rq *protocol.Request, f *fault.Fault) {
	protocol.SetRequestID(w.Header(), rq)
	code, status := f.Spell(fault.JSON)
	if q := protocol.QueryError(rq.Service, f); q != "" {
		w.Header()["X-Amzn-Query-Error"] = []string{q}
	}
	sh := protocol.FaultShape(rq.Service, f)
	src := value.OfFault(f, sh)
	head := func(b []byte) []byte {
		b = append(b, `"__type":`...)
		b = jsonwire.AppendString(b, namespace(rq.Service, f)+code)
		if f.Message != "" && !protocol.HasMessage(sh) {
			b = append(b, `,"`+protocol.MessageKey(f)+`":`...)
			b = jsonwire.AppendString(b, f.Message)
		}
		return b
	}
	body, err := jsonwire.AppendFault(nil, rq.Service, sh, &src, head, nil)
	if err != nil { // a field of the wrong type: the code is what matters
		body = append(head([]byte{'{'}), '}')
	}
	_ = protocol.Write(w, rq, status, contentType(rq.Service), body)
}

// Dialect implements protocol.Codec.
func (Codec) Dialect(*model.Service) fault.Dialect { return fault.JSON }

func contentType(s *model.Service) string {
	if s != nil && s.JSONVersion == "1.1" {
		return "application/x-amz-json-1.1"
	}
	return "application/x-amz-json-1.0"
}

// namespace returns what stands before a fault's code in __type. Most services
// write the code alone.
func namespace(s *model.Service, f *fault.Fault) string {
	if s == nil {
		return ""
	}
	own := ""
	switch s.ID {
	case "DynamoDB", "DynamoDB Streams":
		own = "com.amazonaws.dynamodb.v20120810#"
	case "SQS":
		own = "com.amazonaws.sqs#"
	default:
		return ""
	}
	switch f.Common {
	case fault.Modeled:
		return own
	case fault.Validation, fault.MissingParameter, fault.InvalidParameterValue:
		return "com.amazon.coral.validate#"
	}
	return "com.amazon.coral.service#"
}
