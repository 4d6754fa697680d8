package cloudcontrol

import (
	"context"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/background"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudcontrol"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Deps is what the room needs.
type Deps struct {
	Store  data.Store
	Clock  clock.Clock
	IDs    *ids.Source
	Caller call.Caller
	// Types returns the resource types of all rooms. It is called once, when the
	// first request comes.
	Types func() []resource.Type
	// Linger is how long the operations that begin a request wait for its end
	// before they answer; zero answers at once.
	Linger time.Duration
}

// Service is the room.
type Service struct {
	d     Deps
	types func() map[string]*resource.Type
	plane plane
}

// New makes the room.
func New(d Deps) *Service {
	s := &Service{d: d}
	s.plane = plane{Runner: background.New(), jobs: map[string]context.CancelFunc{}}
	s.types = sync.OnceValue(func() map[string]*resource.Type {
		m := map[string]*resource.Type{}
		for _, t := range d.Types() {
			m[t.Name] = &t
		}
		return m
	})
	return s
}

// Model implements call.Service.
func (s *Service) Model() *model.Service { return api.CreateResource.Service }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	return append(s.resourceBindings(), s.requestBindings()...)
}

// Start implements call.Worker: it resumes what the last run left.
func (s *Service) Start(ctx context.Context) error { return s.resume(ctx) }

var _ call.Worker = (*Service)(nil)
