package codedeploy

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/background"
	api "github.com/tierra-cloud/tierra/internal/gen/codedeploy"
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
}

// Service is the room.
type Service struct {
	d     Deps
	plane plane
}

// New makes the room.
func New(d Deps) *Service {
	return &Service{d: d, plane: plane{Runner: background.New(), news: map[string]chan struct{}{}}}
}

// Model implements call.Service.
func (s *Service) Model() *model.Service { return api.CreateDeployment.Service }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	var out []call.Binding
	for _, topic := range [][]call.Binding{s.applicationBindings(), s.groupBindings(), s.configBindings(), s.deploymentBindings(), s.targetBindings(), s.tagBindings()} {
		out = append(out, topic...)
	}
	return out
}

// Start implements call.Worker: it takes up the deployments that the last run left.
func (s *Service) Start(ctx context.Context) error { return s.resume(ctx) }

var _ call.Worker = (*Service)(nil)
