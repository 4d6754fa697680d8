package cloudformation

import (
	"context"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
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
	// first template comes.
	Types func() []resource.Type
	// Linger is how long the operations that begin a stack operation wait for its
	// end before they answer; zero answers at once.
	Linger time.Duration
	// Presign returns an address to which whoever has it may put an object for so
	// long, signed for an identity of the account Signer. Without it custom
	// resources and wait conditions are refused.
	Presign func(region, bucket, key string, valid time.Duration) string
	Signer  string
	// Identities tells who signs with an access key: the sessions in which the operations
	// of stack sets act.
	Identities call.Identities
}

// Service is the room.
type Service struct {
	d     Deps
	plane plane
	types func() catalog
}

// New makes the room.
func New(d Deps) *Service {
	s := &Service{d: d}
	s.plane.init()
	s.types = sync.OnceValue(func() catalog {
		m := catalog{}
		for _, t := range append(s.ownTypes(), d.Types()...) {
			m[t.Name] = &t
		}
		return m
	})
	return s
}

// Model implements call.Service.
func (s *Service) Model() *model.Service { return api.CreateStack.Service }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	var out []call.Binding
	for _, topic := range [][]call.Binding{
		s.stackBindings(), s.describeBindings(), s.changeSetBindings(), s.eventBindings(), s.resourceBindings(), s.templateBindings(), s.exportBindings(), s.rollbackBindings(), s.stackPolicyBindings(), s.driftBindings(), s.signalBindings(), s.registryBindings(),
		s.stackSetBindings(),
	} {
		out = append(out, topic...)
	}
	return out
}

// Start implements call.Worker: it resumes the operations on stacks and on stack sets
// that the last run left.
func (s *Service) Start(ctx context.Context) error {
	if err := s.resume(ctx); err != nil {
		return err
	}
	return s.resumeSets(ctx)
}

var _ call.Worker = (*Service)(nil)
