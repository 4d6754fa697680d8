// Package protocol holds what the wire protocols of AWS have in common: the
// form of a request on its way to a room, and of a codec, which reads inputs
// and writes outputs and faults. Codecs are driven by the tables of
// kernel/model; one codec serves every service that speaks its protocol.
//
// Codecs fill and read generated structs by reflection. They also take dynamic
// values, for services whose types were not generated: a structure is then a
// map[string]any by member name, a list []any, a map map[string]any, and a
// scalar the Go type that model.Kind documents.
package protocol

import (
	"io"
	"net/http"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Request is a request as the codecs need it. The same value goes to all three
// methods of a codec.
type Request struct {
	HTTP    *http.Request
	Service *model.Service
	// Op is nil if the operation could not be told; only EncodeFault takes that.
	Op *model.Operation
	// Labels are the parts of the path that the operation's pattern names.
	Labels Labels
	// Body is the body, limited in size by whoever made the request; reading
	// beyond the limit fails with *http.MaxBytesError or a *fault.Fault. A nil
	// Body means HTTP.Body.
	Body io.ReadCloser
	// ID is the request id that the answer carries.
	ID string
}

// Labels are the values of a path's labels.
type Labels []Label

// Label is the value of one label, percent-decoded.
type Label struct{ Name, Value string }

// Get returns the value of the label with that name.
func (l Labels) Get(name string) (string, bool) {
	for i := range l {
		if l[i].Name == name {
			return l[i].Value, true
		}
	}
	return "", false
}

// Codec speaks one protocol. Codecs hold no state of a request and are safe for
// concurrent use.
type Codec interface {
	// Decode reads the operation's input into the structure that into points
	// to. What is wrong with a request is a *fault.Fault; other errors come from
	// reading the body. If the input has a streaming member, it is the body
	// itself, which the caller closes when the operation is done.
	Decode(rq *Request, into any) error
	// Encode writes the output, a pointer to a structure, and closes its
	// streaming member. If it fails before anything was written, its error is
	// for EncodeFault; if it fails later, the error is a *Cut.
	Encode(w http.ResponseWriter, rq *Request, out any) error
	// EncodeFault writes a fault.
	EncodeFault(w http.ResponseWriter, rq *Request, f *fault.Fault)
	// Dialect says how common faults are spelled in s.
	Dialect(s *model.Service) fault.Dialect
}

// Cut is the error of an answer that was begun and cannot be finished: the
// connection must be broken off, so that the client does not take it for whole.
type Cut struct{ Err error }

// Error implements error.
func (c *Cut) Error() string { return "the answer broke off: " + c.Err.Error() }

// Unwrap returns what happened.
func (c *Cut) Unwrap() error { return c.Err }

// IsS3 reports whether s is Amazon S3, whose answers differ from those of other
// services of the rest-xml protocol.
func IsS3(s *model.Service) bool { return s.ID == "S3" }
