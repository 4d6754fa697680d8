package protocol

import (
	"sort"
	"strings"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// FaultShape returns the shape of a fault in the model of the service that
// answers it, or nil for faults that no shape describes.
func FaultShape(s *model.Service, f *fault.Fault) *model.Shape {
	if s == nil || f.Shape == "" {
		return nil
	}
	i := sort.Search(len(s.Shapes), func(i int) bool { return s.Shapes[i].Name >= f.Shape })
	if i == len(s.Shapes) || s.Shapes[i].Name != f.Shape || s.Shapes[i].Kind != model.Structure {
		return nil
	}
	return &s.Shapes[i]
}

// HasMessage reports whether a fault's shape has a member for the message.
func HasMessage(sh *model.Shape) bool {
	if sh == nil {
		return false
	}
	for i := range sh.Members {
		if IsMessage(&sh.Members[i]) {
			return true
		}
	}
	return false
}

// IsMessage reports whether a member of a fault's shape is its message; some
// services call it message, some Message.
func IsMessage(m *model.Member) bool { return strings.EqualFold(m.Name, "message") }

// MessageKey names the message of a fault that no shape describes, in JSON and
// CBOR: the layers in front of a service, which refuse callers and malformed
// requests, spell it with a capital.
func MessageKey(f *fault.Fault) string {
	if f.Common == fault.AccessDenied || f.Common == fault.Serialization {
		return "Message"
	}
	return "message"
}

// QueryError returns the value of the x-amzn-query-error header, by which
// services that once spoke the query protocol tell clients the code that the
// fault had there; "" if there is nothing to tell.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait
func QueryError(s *model.Service, f *fault.Fault) string {
	if s == nil || !s.QueryCompatible {
		return ""
	}
	code := f.QueryCode
	if f.Common != fault.Modeled {
		code, _ = f.Spell(fault.Query)
	}
	if code == "" {
		return ""
	}
	if f.Sender {
		return code + ";Sender"
	}
	return code + ";Receiver"
}
