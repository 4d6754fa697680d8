package logs

import (
	"context"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/constraint"
	"github.com/tierra-cloud/tierra/internal/data"
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
	store data.Store
	clock clock.Clock
	ids   *ids.Source
	tail  tail

	mu      sync.Mutex
	stop    context.CancelFunc // of the sweeper; nil when it does not run
	stopped sync.WaitGroup
}

// New makes the room.
func New(d Deps) *Service {
	return &Service{store: d.Store, clock: d.Clock, ids: d.IDs}
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

// Start implements call.Worker: it begins the sweeper.
func (s *Service) Start(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		cancel()
		return nil
	}
	s.stop = cancel
	s.stopped.Go(func() {
		for ctx.Err() == nil {
			// An error is tried again with the next sweep; reads hide what has
			// expired in any case.
			_ = s.sweep(ctx)
			select {
			case <-ctx.Done():
			case <-s.clock.After(sweepEvery):
			}
		}
	})
	return nil
}

// Stop implements call.Worker.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	stop := s.stop
	s.stop = nil
	s.mu.Unlock()
	s.tail.close()
	if stop == nil {
		return nil
	}
	stop()
	done := make(chan struct{})
	go func() { s.stopped.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
