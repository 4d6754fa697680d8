package logs

import (
	"context"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/constraint"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/timer"
	api "github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Deps is what the room is given.
type Deps struct {
	Store data.Store
	Clock clock.Clock
	IDs   *ids.Source
}

// Service is the room.
type Service struct {
	store   data.Store
	clock   clock.Clock
	ids     *ids.Source
	tail    tail
	sweeper timer.Sweeper
}

// New makes the room.
func New(d Deps) *Service {
	s := &Service{store: d.Store, clock: d.Clock, ids: d.IDs}
	s.sweeper = timer.Sweeper{Clock: d.Clock, Every: sweepEvery, Do: s.sweep}
	return s
}

// Model implements call.Service.
func (s *Service) Model() *model.Service { return &api.Model }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	var all []call.Binding
	all = append(all, s.groupBindings()...)
	all = append(all, s.streamBindings()...)
	all = append(all, s.eventBindings()...)
	all = append(all, s.filterBindings()...)
	all = append(all, s.tagBindings()...)
	all = append(all, s.tailBindings()...)
	for i := range all {
		all[i].RawValidation = invalid
	}
	return all
}

// invalid words violations of the model's constraints as the service does.
func invalid(_ *model.Operation, bad []constraint.Violation) *fault.Fault {
	return api.InvalidParameterException("%s", constraint.Message(bad))
}

// sweepEvery is how often what has expired is deleted.
const sweepEvery = time.Hour

// Start implements call.Worker: it begins the sweeper. What a sweep leaves after an
// error waits for the next one; reads hide it in any case.
func (s *Service) Start(context.Context) error {
	s.sweeper.Start()
	return nil
}

// Stop implements call.Worker.
func (s *Service) Stop(ctx context.Context) error {
	s.tail.close()
	return s.sweeper.Stop(ctx)
}
