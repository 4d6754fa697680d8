package authority_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/authority"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

func write(path string, body []byte) error { return os.WriteFile(path, body, 0o600) }

func pool(t *testing.T, a *authority.Authority) *x509.CertPool {
	t.Helper()
	c, err := a.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	p := x509.NewCertPool()
	p.AddCert(c)
	return p
}

func TestLeavesAreTrusted(t *testing.T) {
	c := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	a := authority.New("", c, nil)
	leaf, err := a.Leaf("localhost", "*.localhost", "127.0.0.1", "::1")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "abc.localhost", "127.0.0.1", "[::1]"} {
		if _, err := leaf.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool(t, a), CurrentTime: c.Now()}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{DNSName: "example.com", Roots: pool(t, a), CurrentTime: c.Now()}); err == nil {
		t.Error("it is valid for a name that was not asked for")
	}
	again, err := a.Leaf("localhost", "*.localhost", "127.0.0.1", "::1")
	if err != nil || again != leaf {
		t.Errorf("the same names have another certificate: %v", err)
	}
	c.Advance(370 * 24 * time.Hour)
	if again, err = a.Leaf("localhost", "*.localhost", "127.0.0.1", "::1"); err != nil || again == leaf {
		t.Errorf("a certificate whose end is near was not made anew: %v", err)
	}
}

func TestAuthorityIsKept(t *testing.T) {
	c := clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	path := filepath.Join(t.TempDir(), "authority.pem")
	first := authority.New(path, c, write)
	leaf, err := first.Leaf("localhost")
	if err != nil {
		t.Fatal(err)
	}
	second := authority.New(path, c, write)
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{DNSName: "localhost", Roots: pool(t, second), CurrentTime: c.Now()}); err != nil {
		t.Errorf("the authority is another after a restart: %v", err)
	}
	// Near its end it is made anew with the same key: the old certificate trusts
	// what the new one signs.
	old := pool(t, second)
	c.Advance(9 * 365 * 24 * time.Hour)
	if leaf, err = second.Leaf("localhost"); err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{DNSName: "localhost", Roots: old, CurrentTime: c.Now()}); err != nil {
		t.Errorf("who trusts the old certificate: %v", err)
	}
	if now, err := second.Certificate(); err != nil || now.NotAfter.Before(c.Now().Add(9*365*24*time.Hour)) {
		t.Errorf("it was not made anew: %v %v", now.NotAfter, err)
	}
}

func TestDamagedAuthority(t *testing.T) {
	path := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(path, []byte("nothing of value"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := authority.New(path, clock.System{}, write)
	if _, err := a.Leaf("localhost"); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "nothing of value" {
		t.Error("the damaged file was written over")
	}
}

func TestPublish(t *testing.T) {
	a, dir := authority.New("", clock.System{}, nil), filepath.Join(t.TempDir(), "trust")
	for range 2 {
		if err := a.Publish(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{authority.CertificateFile, authority.BundleFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(b)
		handshake(t, a, roots)
	}
}

// handshake is a client that trusts roots and a server that has a leaf.
func handshake(t *testing.T, a *authority.Authority, roots *x509.CertPool) {
	t.Helper()
	leaf, err := a.Leaf("localhost")
	if err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	defer client.Close()
	go func() {
		s := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{*leaf}})
		_ = s.Handshake()
		_ = s.Close()
	}()
	if err := tls.Client(client, &tls.Config{RootCAs: roots, ServerName: "localhost"}).Handshake(); err != nil {
		t.Error(err)
	}
}
