package acm

import (
	"context"
	"crypto/cipher"
	"crypto/tls"
	"sync"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/authority"
	api "github.com/tierra-cloud/tierra/internal/gen/acm"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Deps is what the room is given.
type Deps struct {
	Store data.Store
	Clock clock.Clock
	IDs   *ids.Source
	// Key seals private keys; 32 bytes.
	Key []byte
	// Authority issues the certificates that are requested.
	Authority *authority.Authority
	// Users tells the ARNs of what uses a certificate, by its ARN; nil: nothing does.
	Users func(arn string) []string
}

// Service is the room.
type Service struct {
	d    Deps
	aead cipher.AEAD
	// pairs holds certificates in use, opened: ARN -> *tls.Certificate.
	pairs sync.Map
}

// New makes the room.
func New(d Deps) (*Service, error) {
	aead, err := newSeal(d.Key)
	if err != nil {
		return nil, err
	}
	if d.Users == nil {
		d.Users = func(string) []string { return nil }
	}
	return &Service{d: d, aead: aead}, nil
}

// Model implements call.Service.
func (s *Service) Model() *model.Service { return &api.Model }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	return append(append(s.certificateBindings(), s.requestBindings()...), s.tagBindings()...)
}

// KeyPair returns a certificate with its chain and private key, for the TLS
// connections of who uses it. The error is a ResourceNotFoundException if there
// is none.
func (s *Service) KeyPair(ctx context.Context, arn string) (*tls.Certificate, error) {
	now := s.d.Clock.Now()
	if p, ok := s.pairs.Load(arn); ok {
		if pair := p.(*tls.Certificate); now.Before(pair.Leaf.NotAfter.Add(-renewBefore)) {
			return pair, nil
		}
	}
	a, id, err := locate(arn)
	if err != nil {
		return nil, err
	}
	var c *certificate
	err = s.d.Store.View(ctx, func(r data.Reader) (err error) {
		c, err = load(r, a, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if c.Type == api.CertificateTypeAmazonIssued && !now.Before(c.NotAfter.Add(-renewBefore)) {
		if c, err = s.renew(ctx, a, id); err != nil {
			return nil, err
		}
	}
	pair, err := s.open(a, c)
	if err != nil {
		return nil, err
	}
	s.pairs.Store(arn, pair)
	return pair, nil
}
