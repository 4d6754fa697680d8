package iam

import (
	"context"
	"crypto/cipher"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Deps is what the room is given.
type Deps struct {
	Store data.Store
	Clock clock.Clock
	IDs   *ids.Source
	Root  Root
	// SessionKey seals session tokens and the secrets of access keys: 32 bytes
	// that must stay the same for a store's whole life.
	SessionKey []byte
}

// Root is the access key of an account's root, which the platform keeps.
type Root struct {
	Account   string // 12 digits
	AccessKey string
	Secret    string
}

// Service is the room. It also implements call.Identities and what STS's room
// mints sessions with. Make it with New.
type Service struct {
	d     Deps
	seal  cipher.AEAD
	aws   *catalogue
	cache atomic.Pointer[generation]
}

// New makes the room.
func New(d Deps) (*Service, error) {
	seal, err := newSeal(d.SessionKey)
	if err != nil {
		return nil, fmt.Errorf("iam: the session key: %w", err)
	}
	s := &Service{d: d, seal: seal, aws: newCatalogue()}
	s.forget()
	return s, nil
}

// Model implements call.Service.
func (s *Service) Model() *model.Service { return &api.Model }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	return slices.Concat(
		s.userBindings(), s.groupBindings(), s.roleBindings(), s.accessKeyBindings(),
		s.inlineBindings(), s.managedBindings(), s.attachmentBindings(), s.boundaryBindings(),
		s.tagBindings(), s.profileBindings(), s.linkedBindings(), s.accountBindings(), s.simulateBindings(), s.absentBindings(),
	)
}

// update runs f as a transaction and forgets what was cached, before the write
// is acknowledged. The room is the only writer of its keys, so nothing else can
// make the cache stale.
func (s *Service) update(ctx context.Context, f func(data.Txn) error) error {
	defer s.forget() // also after an error, which may hide a commit
	return s.d.Store.Update(ctx, f)
}

// now is the present in whole seconds, which is how exactly IAM keeps times.
func (s *Service) now() time.Time { return s.d.Clock.Now().UTC().Truncate(time.Second) }

// newID makes a unique id as IAM does: AIDA… for a user, AROA… for a role.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func (s *Service) newID(prefix string) string { return prefix + s.d.IDs.Of(ids.Base32, 17) }

func (s *Service) newHead(prefix, path, name string, tags []tag) head {
	return head{Version: recordVersion, Name: name, Path: path, ID: s.newID(prefix), Created: s.now(), Tags: tags}
}

// done is the answer of operations that have none.
func done(err error) (*call.None, error) {
	if err != nil {
		return nil, err
	}
	return new(call.None), nil
}
