// Package authority is a certificate authority of one deployment: it makes
// itself when it is first needed, is kept in one file, and signs the
// certificates of the server and of whoever the server vouches for.
//
// Its key never leaves its file (mode 0600); who trusts the deployment trusts
// Certificate, which is public. Keys are ECDSA P-256.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// How long certificates are valid, and how long before their end they are made anew.
const (
	validity     = 10 * 365 * 24 * time.Hour // of the authority
	renewBefore  = 2 * 365 * 24 * time.Hour
	leafValidity = 397 * 24 * time.Hour // what browsers take at most
	leafRenew    = 30 * 24 * time.Hour
	backdate     = time.Hour // for clocks that are behind
)

// Authority is a certificate authority. It is safe for concurrent use.
type Authority struct {
	path  string
	clock clock.Clock
	write func(path string, body []byte) error

	mu     sync.Mutex
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	leaves map[string]*tls.Certificate // by names, joined
}

// New names an authority that is kept in the file at path, which write writes
// whole or not at all and readable by its owner alone; an empty path keeps it in
// memory. Nothing is read or made yet.
func New(path string, c clock.Clock, write func(path string, body []byte) error) *Authority {
	return &Authority{path: path, clock: c, write: write}
}

// Certificate returns the authority's own certificate.
func (a *Authority) Certificate() (*x509.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.open()
	return a.cert, err
}

// PEM returns the authority's own certificate as clients are given it.
func (a *Authority) PEM() ([]byte, error) {
	c, err := a.Certificate()
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), nil
}

// Order is what a certificate is to say.
type Order struct {
	// Names are DNS names ("*.example.com" among them) or IP addresses; the first
	// is the subject.
	Names []string
	// Public is the key to certify.
	Public crypto.PublicKey
	// Valid is for how long, from an hour ago; zero gives 397 days. It never
	// outlasts the authority.
	Valid time.Duration
}

// Issue signs a certificate for servers and returns it in DER.
func (a *Authority) Issue(o Order) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.open(); err != nil {
		return nil, err
	}
	return a.issue(o)
}

func (a *Authority) issue(o Order) ([]byte, error) {
	if len(o.Names) == 0 {
		return nil, errors.New("a certificate needs a name")
	}
	t, err := a.template(o.Names[0], max(o.Valid, 0))
	if err != nil {
		return nil, err
	}
	if o.Valid == 0 {
		t.NotAfter = a.clock.Now().Add(leafValidity)
	}
	if t.NotAfter.After(a.cert.NotAfter) {
		t.NotAfter = a.cert.NotAfter
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	if _, ok := o.Public.(*ecdsa.PublicKey); !ok {
		t.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, n := range o.Names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, o.Public, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate for %s: %w", o.Names[0], err)
	}
	return der, nil
}

// Leaf returns a certificate of the server's own for names, with its key, which
// lives in memory; it is made anew when its end is near.
func (a *Authority) Leaf(names ...string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := strings.Join(names, " ")
	if l := a.leaves[id]; l != nil && a.clock.Now().Before(l.Leaf.NotAfter.Add(-leafRenew)) {
		return l, nil
	}
	if err := a.open(); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := a.issue(Order{Names: names, Public: &key.PublicKey})
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	// Who asks for ever new names does not fill the memory.
	if a.leaves == nil || len(a.leaves) >= maxLeaves {
		a.leaves = map[string]*tls.Certificate{}
	}
	l := &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
	a.leaves[id] = l
	return l, nil
}

// maxLeaves is how many certificates of the server's own are kept.
const maxLeaves = 256

// open reads or makes the authority.
func (a *Authority) open() error {
	if a.cert == nil && a.path != "" {
		if err := a.read(); err != nil {
			return err
		}
	}
	if a.cert != nil && a.clock.Now().Before(a.cert.NotAfter.Add(-renewBefore)) {
		return nil
	}
	return a.make()
}

func (a *Authority) read() error {
	doc, err := os.ReadFile(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the certificate authority: %w", err)
	}
	cert, key, err := parse(doc)
	if err != nil {
		return fmt.Errorf("the certificate authority in %s is damaged (%w); restore it from a backup, or delete it to begin with a new one, which nobody trusts yet", a.path, err)
	}
	a.cert, a.key = cert, key
	return nil
}

// parse takes a file apart: the certificate and its key.
func parse(doc []byte) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	pair, err := tls.X509KeyPair(doc, doc)
	if err != nil {
		return nil, nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, nil, errors.New("it is not an authority with an ECDSA key")
	}
	return pair.Leaf, key, nil
}

// make makes the authority's certificate, for the key that there is if there is
// one: who trusts the old certificate trusts what the new one signs.
func (a *Authority) make() error {
	key := a.key
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return err
		}
	}
	t, err := a.template("Tierra local authority", validity)
	if err != nil {
		return err
	}
	if a.cert == nil { // its serial number tells authorities of different folders apart
		t.Subject.CommonName += " " + fmt.Sprintf("%x", t.SerialNumber.Bytes()[:4])
	} else {
		t.Subject = a.cert.Subject
	}
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("make the certificate authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	if a.path != "" {
		raw, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		doc := slices.Concat(
			pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
		if err := a.write(a.path, doc); err != nil {
			return fmt.Errorf("keep the certificate authority: %w", err)
		}
	}
	a.cert, a.key, a.leaves = cert, key, nil
	return nil
}

func (a *Authority) template(name string, valid time.Duration) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	if _, err := rand.Read(serial); err != nil {
		return nil, err
	}
	serial[0] = serial[0]&0x7f | 0x40 // positive, and always of the same length
	now := a.clock.Now()
	t := &x509.Certificate{NotBefore: now.Add(-backdate), NotAfter: now.Add(valid)}
	t.SerialNumber = new(big.Int).SetBytes(serial)
	t.Subject = pkix.Name{CommonName: name}
	if len(name) > 64 { // the most that a common name may hold
		t.Subject = pkix.Name{}
	}
	return t, nil
}
