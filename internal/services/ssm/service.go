package ssm

import (
	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/constraint"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// principal is who the room calls KMS through.
const principal = "ssm.amazonaws.com"

// Deps is what the room is given.
type Deps struct {
	Store  data.Store
	Clock  clock.Clock
	IDs    *ids.Source
	Caller call.Caller
}

// Service is the room.
type Service struct{ d Deps }

// New makes the room.
func New(d Deps) *Service { return &Service{d} }

// Model implements call.Service.
func (s *Service) Model() *model.Service { return &api.Model }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	var all []call.Binding
	all = append(all, s.parameterBindings()...)
	all = append(all, s.readBindings()...)
	all = append(all, s.describeBindings()...)
	all = append(all, s.labelBindings()...)
	all = append(all, s.tagBindings()...)
	for i := range all {
		all[i].RawValidation = invalid
	}
	return all
}

func invalid(_ *model.Operation, bad []constraint.Violation) *fault.Fault {
	return api.ValidationException("%s", constraint.Message(bad))
}
