package xmlwire

import (
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// AppendFault writes the content of a fault's Error element: whose fault it is
// (if withType), code, message, and the further members that the fault's shape
// sh has in the body. sh may be nil.
func AppendFault(b []byte, s *model.Service, f *fault.Fault, code string, withType bool, sh *model.Shape, src *value.Source) []byte {
	if withType {
		kind := "Receiver"
		if f.Sender {
			kind = "Sender"
		}
		b = Simple(b, "Type", kind)
	}
	b = Simple(b, "Code", code)
	if f.Message != "" {
		b = Simple(b, "Message", f.Message)
	}
	if sh == nil {
		return b
	}
	more, err := Encoder{Service: s}.Members(b, sh, src, func(m *model.Member) bool {
		switch m.Name {
		case "message", "Message", "Code", "code":
			return false
		}
		return m.Location == model.Body
	})
	if err != nil { // a field of the wrong type: the code is what matters
		return b
	}
	return more
}
