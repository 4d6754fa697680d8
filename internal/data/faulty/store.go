package faulty

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/tierra-cloud/tierra/internal/data"
)

// Plan says how often a store goes wrong. Rates are from 0, never, to 1, always.
type Plan struct {
	// Seed decides which calls go wrong.
	Seed uint64
	// Rerun is the rate of updates whose function is run once more than needed, its
	// first run thrown away as after a conflict. It finds functions that do more
	// than change their transaction.
	Rerun float64
	// Fail is the rate of views and updates that fail with ErrInjected and change nothing.
	Fail float64
	// Lose is the rate of updates that are committed and yet answer ErrInjected, as
	// when the connection to a database breaks at the wrong moment.
	Lose float64
}

// Wrap returns a store over s that goes wrong according to plan.
func Wrap(s data.Store, plan Plan) data.Store {
	return &store{Store: s, plan: plan, rand: rand.New(rand.NewPCG(plan.Seed, 0))}
}

type store struct {
	data.Store
	plan Plan

	mu   sync.Mutex
	rand *rand.Rand
}

// chance is true at the given rate.
func (s *store) chance(rate float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rand.Float64() < rate
}

// View implements data.Store.
func (s *store) View(ctx context.Context, f func(data.Reader) error) error {
	if s.chance(s.plan.Fail) {
		return ErrInjected
	}
	return s.Store.View(ctx, f)
}

// errRerun ends a run that is to be thrown away.
type errRerun struct{}

func (errRerun) Error() string { return "faulty: rerun" }

// Update implements data.Store.
func (s *store) Update(ctx context.Context, f func(data.Txn) error) error {
	if s.chance(s.plan.Fail) {
		return ErrInjected
	}
	if s.chance(s.plan.Rerun) {
		err := s.Store.Update(ctx, func(tx data.Txn) error {
			if err := f(tx); err != nil {
				return err
			}
			return errRerun{}
		})
		if err != (errRerun{}) {
			return err
		}
	}
	if err := s.Store.Update(ctx, f); err != nil {
		return err
	}
	if s.chance(s.plan.Lose) {
		return ErrInjected
	}
	return nil
}
