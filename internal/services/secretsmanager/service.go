package secretsmanager

import (
	"context"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/timer"
	api "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// principal is who the room calls KMS through.
const principal = "secretsmanager.amazonaws.com"

// Deps is what the room is given.
type Deps struct {
	Store  data.Store
	Clock  clock.Clock
	IDs    *ids.Source
	Caller call.Caller
}

// Service is the room.
type Service struct {
	d       Deps
	sweeper timer.Sweeper
}

// New makes the room.
func New(d Deps) *Service {
	s := &Service{d: d}
	s.sweeper = timer.Sweeper{Clock: d.Clock, Every: sweepEvery, Do: s.sweep}
	return s
}

// Model implements call.Service.
func (s *Service) Model() *model.Service { return &api.Model }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	var all []call.Binding
	all = append(all, s.secretBindings()...)
	all = append(all, s.valueBindings()...)
	all = append(all, s.listBindings()...)
	all = append(all, s.passwordBindings()...)
	all = append(all, s.policyBindings()...)
	all = append(all, s.tagBindings()...)
	return all
}

// sweepEvery is how often what is deleted is removed from the store.
const sweepEvery = time.Hour

// Start implements call.Worker: it begins the sweeper. What a sweep leaves after an
// error waits for the next one; reads hide it in any case.
func (s *Service) Start(context.Context) error {
	s.sweeper.Start()
	return nil
}

// Stop implements call.Worker.
func (s *Service) Stop(ctx context.Context) error {
	return s.sweeper.Stop(ctx)
}

// sweep removes the secrets whose recovery window is over.
func (s *Service) sweep(ctx context.Context) error {
	return s.d.Store.Update(ctx, func(t data.Txn) error {
		type dead struct {
			area
			secret
		}
		var all []dead
		now := s.d.Clock.Now()
		for p, err := range t.Scan(everything(), data.PrefixEnd(everything()), false) {
			if err != nil {
				return err
			}
			a, kind, ok := areaOfKey(p.Key)
			if !ok || kind != "secret" {
				continue
			}
			var x secret
			if err := decode(p, &x); err != nil {
				return err
			}
			if x.gone(now) {
				all = append(all, dead{a, x})
			}
		}
		for _, d := range all {
			if err := d.remove(t, &d.secret); err != nil {
				return err
			}
		}
		return nil
	})
}
