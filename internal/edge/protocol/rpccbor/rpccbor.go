// Package rpccbor speaks the protocol Smithy RPC v2 CBOR.
// https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
package rpccbor

import (
	"errors"
	"net/http"
	"strings"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/cbor"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Codec implements protocol.Codec.
type Codec struct{}

var _ protocol.Codec = Codec{}

const contentType = "application/cbor"

// Target takes the path of a request apart: "/service/NAME/operation/OP".
func Target(path string) (service, op string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/service/")
	if !ok {
		return "", "", false
	}
	service, op, ok = strings.Cut(rest, "/operation/")
	if !ok || service == "" || op == "" || strings.Contains(service, "/") || strings.Contains(op, "/") {
		return "", "", false
	}
	return service, op, true
}

// Decode implements protocol.Codec. An empty body is an empty map.
func (Codec) Decode(rq *protocol.Request, into any) error {
	if rq.Op.Input < 0 {
		return nil
	}
	body, err := rq.ReadBody(true)
	if err != nil || len(body) == 0 {
		return err
	}
	err = cbor.Decode(body, rq.Service, rq.Op.Input, value.Into(into))
	var bad *cbor.Error
	if errors.As(err, &bad) {
		return fault.Of(fault.Serialization, "%s", bad.Message)
	}
	return err
}

func headers(w http.ResponseWriter, rq *protocol.Request) {
	protocol.SetRequestID(w.Header(), rq)
	w.Header()["Smithy-Protocol"] = []string{"rpc-v2-cbor"}
}

// Encode implements protocol.Codec.
func (Codec) Encode(w http.ResponseWriter, rq *protocol.Request, out any) error {
	headers(w, rq)
	if rq.Op.Output < 0 {
		return protocol.Write(w, rq, http.StatusOK, "", nil)
	}
	v := value.Deref(value.Of(out))
	if !v.IsValid() {
		return protocol.Write(w, rq, http.StatusOK, contentType, cbor.AppendEnd(cbor.AppendOpen(nil)))
	}
	body, err := cbor.Append(make([]byte, 0, 512), rq.Service, rq.Op.Output, v)
	if err != nil {
		return err
	}
	return protocol.Write(w, rq, http.StatusOK, contentType, body)
}

// EncodeFault implements protocol.Codec.
func (Codec) EncodeFault(w http.ResponseWriter, rq *protocol.Request, f *fault.Fault) {
	headers(w, rq)
	code, status := f.Spell(fault.JSON)
	if q := protocol.QueryError(rq.Service, f); q != "" {
		w.Header()["X-Amzn-Query-Error"] = []string{q}
	}
	sh := protocol.FaultShape(rq.Service, f)
	head := cbor.AppendString(cbor.AppendString(cbor.AppendOpen(nil), "__type"), code)
	if f.Message != "" && !protocol.HasMessage(sh) {
		head = cbor.AppendString(cbor.AppendString(head, protocol.MessageKey(f)), f.Message)
	}
	body := head
	if sh != nil {
		src := value.OfFault(f, sh)
		more, err := cbor.AppendMembers(head, rq.Service, sh, &src)
		if err == nil { // else a field of the wrong type: the code is what matters
			body = more
		}
	}
	_ = protocol.Write(w, rq, status, contentType, cbor.AppendEnd(body))
}

// Dialect implements protocol.Codec.
func (Codec) Dialect(*model.Service) fault.Dialect { return fault.JSON }
