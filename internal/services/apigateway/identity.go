package apigateway

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/authority"
)

// identity is a client certificate as a stage shows it to backends: connections
// that present it. Stages share none, so that they can be closed with the stage.
type identity struct {
	id string // of the certificate
	Transport
}

// mint makes a certificate's key and the certificate of it, signed with the key
// itself.
func (s *Service) mint(a area, c *clientCertificate) error {
	key, err := authority.NewKey(authority.Kind{Bits: 2048})
	if err != nil {
		return err
	}
	// There is no restriction of the key's usage: a backend trusts the certificate as
	// if it were an authority's, and some libraries want to read that in one.
	name := s.ids.Bytes(20) // of the key: backends that trust an old and a new one tell them apart by it
	is := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(s.ids.Bytes(8)), Subject: pkix.Name{CommonName: "ApiGateway"},
		NotBefore: time.UnixMilli(c.Created).UTC(), NotAfter: time.UnixMilli(c.Expires).UTC(),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		SubjectKeyId: name, AuthorityKeyId: name,
	}
	der, err := x509.CreateCertificate(nil, is, is, key.Public(), key) // RSA's signatures of this kind have no randomness
	if err != nil {
		return fmt.Errorf("make the client certificate: %w", err)
	}
	c.PEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	aead, err := newSeal(s.key)
	if err != nil {
		return err
	}
	nonce := s.ids.Bytes(aead.NonceSize())
	c.Key = aead.Seal(nonce, nonce, plain, a.clientCertificate(c.ID))
	return nil
}

// newSeal makes what seals private keys of the server's key.
func newSeal(secret []byte) (cipher.AEAD, error) {
	const size = 32
	if len(secret) != size {
		return nil, fmt.Errorf("apigateway: the server's key has %d bytes instead of %d", len(secret), size)
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "tierra apigateway: client certificates, 1", size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// pair opens a certificate's private key and makes both ready for connections.
func (s *Service) pair(a area, c *clientCertificate) (*tls.Certificate, error) {
	aead, err := newSeal(s.key)
	if err != nil {
		return nil, err
	}
	n := aead.NonceSize()
	b, _ := pem.Decode([]byte(c.PEM))
	if len(c.Key) < n || b == nil {
		return nil, errors.New("the record is damaged")
	}
	plain, err := aead.Open(nil, c.Key[:n], c.Key[n:], a.clientCertificate(c.ID))
	if err != nil {
		return nil, fmt.Errorf("the private key cannot be opened with this server's key: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{b.Bytes}, PrivateKey: key}, nil
}

// identify makes the identity of a certificate; nil if it is none. was, if it is
// of the same, goes on.
func (s *Service) identify(r data.Reader, a area, certificate string, was *identity) (*identity, error) {
	if certificate == "" {
		return nil, nil
	}
	if was != nil && was.id == certificate {
		return was, nil
	}
	c, err := loadCertificate(r, a, certificate)
	if err != nil {
		return nil, err
	}
	pair, err := s.pair(a, c)
	if err != nil {
		return nil, fmt.Errorf("client certificate %s: %w", c.ID, err)
	}
	i := &identity{id: c.ID}
	if s.outboundWith != nil {
		i.Transport = s.outboundWith(pair)
	}
	return i, nil
}

// identifyOnce makes the identity of one test.
func (s *Service) identifyOnce(ctx context.Context, a area, certificate string) (i *identity, err error) {
	if certificate == "" {
		return nil, nil
	}
	err = s.store.View(ctx, func(r data.Reader) error {
		i, err = s.identify(r, a, certificate, nil)
		return err
	})
	return i, err
}

// close closes the connections that nobody uses. Those of requests under way are
// closed when they have been idle for their time.
func (i *identity) close() {
	if i == nil {
		return
	}
	if t, ok := i.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// retire closes the identities of stages that are no more, or have others now.
func retire(was, is map[string]*liveStage) {
	for name, st := range was {
		if now := is[name]; now == nil || now.identity != st.identity {
			st.identity.close()
		}
	}
}

// transport is what requests of a stage go out by; nil sends none.
func (s *Service) transport(st *liveStage) Transport {
	if st.identity != nil {
		return st.identity.Transport
	}
	return s.outbound
}

// forget closes the identities of all stages.
func (l *live) forget() {
	l.apis.Range(func(_, x any) bool {
		retire(*x.(*liveAPI).stages.Load(), nil)
		return true
	})
}
