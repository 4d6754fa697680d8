package ecr

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/constraint"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	"github.com/tierra-cloud/tierra/internal/engine/timer"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Deps is what the room is given.
type Deps struct {
	Store data.Store
	// Content keeps the bytes of layers.
	Content *image.Content
	Clock   clock.Clock
	IDs     *ids.Source
	// Gate decides about callers of the registry protocol.
	Gate *call.Gate
	// Key seals authorization tokens: 32 bytes.
	Key []byte
}

// Service is the room.
type Service struct {
	d       Deps
	seal    cipher.AEAD
	uploads uploads
	passes  passes
	sweeper timer.Sweeper
}

// New makes the room. It fails if the key is not one.
func New(d Deps) (*Service, error) {
	if len(d.Key) != 32 {
		return nil, fmt.Errorf("ecr: the key for tokens has %d bytes instead of 32", len(d.Key))
	}
	block, err := aes.NewCipher(d.Key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	s := &Service{d: d, seal: aead}
	s.sweeper = timer.Sweeper{Clock: d.Clock, Every: sweepEvery, Do: s.sweep}
	return s, nil
}

// Model implements call.Service.
func (s *Service) Model() *model.Service { return &api.Model }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	var all []call.Binding
	all = append(all, s.repositoryBindings()...)
	all = append(all, s.policyBindings()...)
	all = append(all, s.tokenBindings()...)
	all = append(all, s.layerBindings()...)
	all = append(all, s.imageBindings()...)
	all = append(all, s.listBindings()...)
	all = append(all, s.lifecycleBindings()...)
	all = append(all, s.tagBindings()...)
	for i := range all {
		all[i].RawValidation = invalid
	}
	return all
}

// invalid words violations as the service does.
func invalid(_ *model.Operation, bad []constraint.Violation) *fault.Fault {
	return api.InvalidParameterException("Invalid parameter at '%s' failed to satisfy constraint: '%s'", bad[0].Path, bad[0].Text)
}

// sweepEvery is how often lifecycle policies act, and what is left over is removed.
const sweepEvery = time.Hour

// Start implements call.Worker: it begins the sweeper.
func (s *Service) Start(context.Context) error {
	s.sweeper.Start()
	return nil
}

// Stop implements call.Worker. Uploads that are under way are given up.
func (s *Service) Stop(ctx context.Context) error {
	err := s.sweeper.Stop(ctx)
	s.uploads.abortAll()
	return err
}

// sweep gives up uploads that nobody goes on with, applies lifecycle policies, and
// removes layers that no image needs and bytes that no repository holds.
func (s *Service) sweep(ctx context.Context) error {
	now := s.d.Clock.Now()
	s.uploads.expire(now)
	s.passes.expire(now)
	if err := s.applyLifecycles(ctx); err != nil {
		return err
	}
	if err := s.dropLeftLayers(ctx); err != nil {
		return err
	}
	return s.d.Content.Collect(ctx)
}
