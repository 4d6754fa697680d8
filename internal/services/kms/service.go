package kms

import (
	"context"
	"fmt"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/constraint"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/timer"
	api "github.com/tierra-cloud/tierra/internal/gen/kms"
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
	// Key is the server's secret of 32 bytes, from which the room derives the key
	// that seals key material.
	Key []byte
}

// Service is the room.
type Service struct {
	d       Deps
	vault   vault
	sweeper timer.Sweeper
}

// New makes the room. Its error is a Key of the wrong length.
func New(d Deps) (*Service, error) {
	v, err := newVault(d.Key, d.IDs)
	if err != nil {
		return nil, fmt.Errorf("kms: %w", err)
	}
	s := &Service{d: d, vault: v}
	s.sweeper = timer.Sweeper{Clock: d.Clock, Every: sweepEvery, Do: s.sweep}
	return s, nil
}

// Model implements call.Service.
func (s *Service) Model() *model.Service { return &api.Model }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	var all []call.Binding
	all = append(all, s.keyBindings()...)
	all = append(all, s.aliasBindings()...)
	all = append(all, s.cipherBindings()...)
	all = append(all, s.policyBindings()...)
	all = append(all, s.tagBindings()...)
	for i := range all {
		all[i].RawValidation = invalid
	}
	return all
}

func invalid(_ *model.Operation, bad []constraint.Violation) *fault.Fault {
	return fault.Of(fault.Validation, "%s", constraint.Message(bad))
}

// sweepEvery is how often the material of deleted keys is destroyed.
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

// sweep destroys the keys whose time has come, and their aliases.
func (s *Service) sweep(ctx context.Context) error {
	return s.d.Store.Update(ctx, func(t data.Txn) error {
		var dead [][]byte
		gone := map[string]bool{} // by ARN
		now := s.d.Clock.Now()
		err := each(t, "key", func(a area, p data.Pair) error {
			var k key
			err := decode(p, &k)
			if err == nil && k.gone(now) {
				gone[a.keyARN(k.ID)], dead = true, append(dead, p.Key)
			}
			return err
		})
		if err != nil || len(dead) == 0 {
			return err
		}
		err = each(t, "alias", func(a area, p data.Pair) error {
			var x alias
			err := decode(p, &x)
			if err == nil && gone[a.keyARN(x.Target)] {
				dead = append(dead, p.Key)
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, k := range dead {
			if err := t.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// each calls f with every record of a kind, of all accounts and regions.
func each(r data.Reader, kind string, f func(area, data.Pair) error) error {
	prefix := everything()
	for p, err := range r.Scan(prefix, data.PrefixEnd(prefix), false) {
		if err != nil {
			return err
		}
		if a, k, ok := areaOf(p.Key); ok && k == kind {
			if err := f(a, p); err != nil {
				return err
			}
		}
	}
	return nil
}
