package domain_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/gateway/domain"
)

func TestMatch(t *testing.T) {
	d := &domain.Domain{Mappings: []domain.Mapping{{Path: "orders", API: "o"}, {Path: "orders/v1/items", API: "i"}, {Path: "", API: "n"}, {Path: "orders/v1", API: "o1"}}}
	for path, want := range map[string]string{
		"/": "n /", "": "n /", "/orders": "o /", "/orders/": "o /", "/orders/7": "o /7", "/ordersx": "n /ordersx", "/orders/v1": "o1 /",
		"/orders/v10/a": "o /v10/a", "/orders/v1/items/3": "i /3", "/orders/v1/item": "o1 /item", "/Orders": "n /Orders",
	} {
		m, rest, ok := d.Match(path)
		if got := m.API + " " + rest; !ok || got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if _, _, ok := (&domain.Domain{Mappings: d.Mappings[:1]}).Match("/other"); ok {
		t.Error("a path that nothing maps was matched")
	}
}

func TestFind(t *testing.T) {
	r := domain.NewRegistry(nil)
	if r.Find("api.example.com") != nil {
		t.Error("an empty registry found something")
	}
	for _, n := range []string{"api.example.com", "*.example.com"} {
		r.Put(&domain.Domain{Name: n, ARN: n, Certificates: []string{"c"}})
	}
	for host, want := range map[string]string{
		"api.example.com": "api.example.com", "API.Example.com.:8443": "api.example.com", "web.example.com": "*.example.com", "a.b.example.com": "", "example.com": "",
	} {
		got := ""
		if d := r.Find(host); d != nil {
			got = d.Name
		}
		if got != want {
			t.Errorf("%s is %q, want %q", host, got, want)
		}
	}
	if u := r.Users("c"); len(u) != 2 || len(r.Users("d")) != 0 {
		t.Errorf("users %v", u)
	}
	r.Remove("*.example.com")
	if r.Find("web.example.com") != nil {
		t.Error("a domain that was removed was found")
	}
}

func TestSecure(t *testing.T) {
	mutual := &domain.Domain{Name: "api.example.com", Clients: x509.NewCertPool()}
	shown := []*x509.Certificate{{}}
	for name, x := range map[string]struct {
		d    *domain.Domain
		c    *tls.ConnectionState
		want bool
	}{
		"open, no TLS":            {&domain.Domain{Name: "api.example.com"}, nil, true},
		"strict, no TLS":          {&domain.Domain{Name: "api.example.com", Strict: true}, nil, false},
		"strict, another name":    {&domain.Domain{Name: "api.example.com", Strict: true}, &tls.ConnectionState{ServerName: "x.example.com"}, false},
		"strict, its name":        {&domain.Domain{Name: "*.example.com", Strict: true}, &tls.ConnectionState{ServerName: "x.example.com"}, true},
		"mutual, no TLS":          {mutual, nil, false},
		"mutual, another name":    {mutual, &tls.ConnectionState{ServerName: "localhost", PeerCertificates: shown}, false},
		"mutual, no certificate":  {mutual, &tls.ConnectionState{ServerName: "api.example.com"}, false},
		"mutual, its certificate": {mutual, &tls.ConnectionState{ServerName: "api.example.com", PeerCertificates: shown}, true},
	} {
		if got := x.d.Secure(x.c); got != x.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func authority(t testing.TB, name string, curve elliptic.Curve, until time.Time, ca bool) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: until.Add(-48 * time.Hour), NotAfter: until, IsCA: ca, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestTruststore(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	good := authority(t, "good", elliptic.P256(), now.Add(time.Hour), true)
	for name, x := range map[string]struct {
		doc     []byte
		warning string
		bad     string
	}{
		"good":     {good, "", ""},
		"twice":    {append(append([]byte{}, good...), good...), "has the subject of another", ""},
		"expired":  {authority(t, "old", elliptic.P256(), now.Add(-time.Hour), true), "has expired", ""},
		"a client": {authority(t, "leaf", elliptic.P256(), now.Add(time.Hour), false), "is not that of an authority", ""},
		"P-521":    {authority(t, "big", elliptic.P521(), now.Add(time.Hour), true), "other than P-256", ""},
		"nothing":  {[]byte(" \n"), "", "no certificate"},
		"text":     {[]byte("hello"), "", "not a certificate"},
		"rest":     {append(append([]byte{}, good...), "hello"...), "", "not a certificate"},
		"a key":    {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), "", "not a certificate"},
		"garbled":  {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), "", "not a certificate"},
		"too big":  {make([]byte, domain.MaxTruststore+1), "", "more than"},
	} {
		pool, warnings, err := domain.Truststore(x.doc, now)
		if x.bad != "" {
			if err == nil || !strings.Contains(err.Error(), x.bad) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if text := strings.Join(warnings, "; "); err != nil || pool == nil || (x.warning == "") != (text == "") || !strings.Contains(text, x.warning) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func FuzzTruststore(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		if pool, _, err := domain.Truststore(doc, time.Time{}); (pool == nil) != (err != nil) {
			t.Error(pool, err)
		}
	})
}
