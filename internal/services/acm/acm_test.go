package acm_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	"github.com/tierra-cloud/tierra/internal/engine/authority"
	api "github.com/tierra-cloud/tierra/internal/gen/acm"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/services/acm"
)

type world struct {
	*calltest.World
	room  *acm.Service
	store data.Store
	ca    *authority.Authority
	users []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: calltest.New(), store: mem.New()}
	t.Cleanup(func() { w.store.Close() })
	w.ca = authority.New("", w.Clock, nil)
	var err error
	w.room, err = acm.New(acm.Deps{Store: w.store, Clock: w.Clock, IDs: w.IDs, Key: bytes.Repeat([]byte{7}, 32), Authority: w.ca, Users: func(string) []string { return w.users }})
	if err != nil {
		t.Fatal(err)
	}
	w.Plug(w.room)
	return w
}

func pemOf(typ string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})
}

// chain is a root, what it signed, and a certificate for api.example.com below
// that, valid around now.
type chain struct {
	root, middle, leaf []byte // PEM
	key, rsaKey, pkcs8 []byte
	rsaLeaf, expired   []byte
}

func newChain(t *testing.T, now time.Time) *chain {
	t.Helper()
	must := func(b []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	newKey := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	template := func(n int64, name string, ca bool) *x509.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(n), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour)}
		if ca {
			c.IsCA, c.BasicConstraintsValid = true, true
		} else {
			c.DNSNames = []string{name, "www." + name}
			c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}
		return c
	}
	rootKey, middleKey, leafKey := newKey(), newKey(), newKey()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	root, middle, leaf := template(1, "root", true), template(2, "middle", true), template(3, "api.example.com", false)
	c := &chain{}
	c.root = pemOf("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, root, root, &rootKey.PublicKey, rootKey)))
	c.middle = pemOf("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, middle, root, &middleKey.PublicKey, rootKey)))
	c.leaf = pemOf("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, leaf, middle, &leafKey.PublicKey, middleKey)))
	self := template(4, "self.example.com", false)
	c.rsaLeaf = pemOf("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, self, self, &rsaKey.PublicKey, rsaKey)))
	self.NotAfter = now.Add(-time.Minute)
	c.expired = pemOf("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, self, self, &rsaKey.PublicKey, rsaKey)))
	c.key = pemOf("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(leafKey)))
	c.pkcs8 = pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(leafKey)))
	c.rsaKey = pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))
	return c
}

func join(all ...[]byte) []byte { return bytes.Join(all, nil) }

func TestImport(t *testing.T) {
	w := newWorld(t)
	c := newChain(t, w.Clock.Now())
	out := calltest.Must(t, w.World, api.ImportCertificate, &api.ImportCertificateRequest{Certificate: c.leaf, PrivateKey: c.key, CertificateChain: join(c.middle, c.root), Tags: []api.Tag{{Key: new("team"), Value: new("red")}}})
	d := calltest.Must(t, w.World, api.DescribeCertificate, &api.DescribeCertificateRequest{CertificateArn: out.CertificateArn}).Certificate
	if *d.DomainName != "api.example.com" || strings.Join(d.SubjectAlternativeNames, " ") != "api.example.com www.api.example.com" || *d.Type != "IMPORTED" ||
		*d.Status != "ISSUED" || *d.KeyAlgorithm != "EC_prime256v1" || *d.SignatureAlgorithm != "SHA256WITHECDSA" || *d.Serial != "03" || d.ImportedAt == nil || *d.Issuer != "middle" {
		t.Errorf("described as %+v", d)
	}
	got := calltest.Must(t, w.World, api.GetCertificate, &api.GetCertificateRequest{CertificateArn: out.CertificateArn})
	if *got.Certificate != string(c.leaf) || *got.CertificateChain != string(join(c.middle, c.root)) {
		t.Error("what was got is not what was imported")
	}
	pair, err := w.room.KeyPair(t.Context(), *out.CertificateArn)
	if err != nil || len(pair.Certificate) != 3 {
		t.Fatalf("%v", err)
	}
	// The key is nowhere in the store in the clear.
	der, _ := pem.Decode(c.pkcs8)
	err = w.store.View(t.Context(), func(r data.Reader) error {
		for p, err := range r.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			if bytes.Contains(p.Value, der.Bytes[len(der.Bytes)-40:]) || bytes.Contains(p.Value, []byte("PRIVATE KEY")) {
				t.Errorf("%q shows the private key", p.Key)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := calltest.Do(w.World, api.ExportCertificate, &api.ExportCertificateRequest{CertificateArn: out.CertificateArn, Passphrase: []byte("open sesame")}); !fault.Is(err, "ValidationException") {
		t.Errorf("export: %v", err)
	}
	// By default lists show RSA keys alone, as on AWS.
	if all := calltest.Must(t, w.World, api.ListCertificates, &api.ListCertificatesRequest{}); len(all.CertificateSummaryList) != 0 {
		t.Errorf("listed %+v", all)
	}
	// Importing anew keeps the ARN and the tags, and connections get the new one.
	calltest.Must(t, w.World, api.ImportCertificate, &api.ImportCertificateRequest{CertificateArn: out.CertificateArn, Certificate: c.rsaLeaf, PrivateKey: c.rsaKey})
	if pair, err = w.room.KeyPair(t.Context(), *out.CertificateArn); err != nil || pair.Leaf.Subject.CommonName != "self.example.com" {
		t.Errorf("after importing anew: %v", err)
	}
	if all := calltest.Must(t, w.World, api.ListCertificates, &api.ListCertificatesRequest{}); len(all.CertificateSummaryList) != 1 {
		t.Errorf("listed %+v", all)
	}
	if tags := calltest.Must(t, w.World, api.ListTagsForCertificate, &api.ListTagsForCertificateRequest{CertificateArn: out.CertificateArn}).Tags; len(tags) != 1 || *tags[0].Value != "red" {
		t.Errorf("tags %+v", tags)
	}
	w.users = []string{"arn:aws:apigateway:us-east-1::/domainnames/api.example.com"}
	if _, err := calltest.Do(w.World, api.DeleteCertificate, &api.DeleteCertificateRequest{CertificateArn: out.CertificateArn}); !fault.Is(err, "ResourceInUseException") {
		t.Errorf("delete in use: %v", err)
	}
	w.users = nil
	calltest.Must(t, w.World, api.DeleteCertificate, &api.DeleteCertificateRequest{CertificateArn: out.CertificateArn})
	if _, err := w.room.KeyPair(t.Context(), *out.CertificateArn); !fault.Is(err, "ResourceNotFoundException") {
		t.Errorf("after its deletion: %v", err)
	}
}

func TestImportRefuses(t *testing.T) {
	w := newWorld(t)
	c := newChain(t, w.Clock.Now())
	for name, x := range map[string]struct {
		in   api.ImportCertificateRequest
		want string
	}{
		"key of another":      {api.ImportCertificateRequest{Certificate: c.leaf, PrivateKey: c.rsaKey, CertificateChain: c.middle}, "does not match"},
		"no chain":            {api.ImportCertificateRequest{Certificate: c.leaf, PrivateKey: c.key}, "not a valid self signed"},
		"chain in disorder":   {api.ImportCertificateRequest{Certificate: c.leaf, PrivateKey: c.key, CertificateChain: join(c.root, c.middle)}, "Could not validate"},
		"chain of another":    {api.ImportCertificateRequest{Certificate: c.leaf, PrivateKey: c.key, CertificateChain: c.root}, "Could not validate"},
		"two certificates":    {api.ImportCertificateRequest{Certificate: join(c.leaf, c.middle), PrivateKey: c.key}, "more than one"},
		"no certificate":      {api.ImportCertificateRequest{Certificate: []byte("hello"), PrivateKey: c.key}, "no valid certificate"},
		"garbled certificate": {api.ImportCertificateRequest{Certificate: pemOf("CERTIFICATE", []byte("hello")), PrivateKey: c.key}, "no valid certificate"},
		"no key":              {api.ImportCertificateRequest{Certificate: c.leaf, PrivateKey: []byte("hello")}, "not supported"},
		"encrypted key":       {api.ImportCertificateRequest{Certificate: c.leaf, PrivateKey: pemOf("ENCRYPTED PRIVATE KEY", []byte("hello"))}, "encrypted"},
		"expired":             {api.ImportCertificateRequest{Certificate: c.expired, PrivateKey: c.rsaKey}, "expired"},
		"garbled chain":       {api.ImportCertificateRequest{Certificate: c.leaf, PrivateKey: c.key, CertificateChain: []byte("hello")}, "chain is not valid"},
		"unknown ARN": {api.ImportCertificateRequest{Certificate: c.rsaLeaf, PrivateKey: c.rsaKey,
			CertificateArn: new("arn:aws:acm:us-east-1:" + calltest.Account + ":certificate/none")}, "Could not find"},
	} {
		if _, err := calltest.Do(w.World, api.ImportCertificate, &x.in); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	all := calltest.Must(t, w.World, api.ListCertificates, &api.ListCertificatesRequest{Includes: &api.Filters{KeyTypes: []string{"RSA_2048", "EC_prime256v1"}}})
	if len(all.CertificateSummaryList) != 0 {
		t.Errorf("something was imported: %+v", all)
	}
}

func TestRequest(t *testing.T) {
	w := newWorld(t)
	in := &api.RequestCertificateRequest{DomainName: new("Example.com"), SubjectAlternativeNames: []string{"*.example.com"}, ValidationMethod: new("DNS"), KeyAlgorithm: new("EC_secp384r1"), IdempotencyToken: new("once")}
	arn := calltest.Must(t, w.World, api.RequestCertificate, in).CertificateArn
	if again := calltest.Must(t, w.World, api.RequestCertificate, in).CertificateArn; *again != *arn {
		t.Error("the same token made another certificate")
	}
	d := calltest.Must(t, w.World, api.DescribeCertificate, &api.DescribeCertificateRequest{CertificateArn: arn}).Certificate
	if *d.Status != "ISSUED" || *d.Type != "AMAZON_ISSUED" || *d.DomainName != "example.com" || *d.KeyAlgorithm != "EC_secp384r1" ||
		len(d.DomainValidationOptions) != 2 || *d.DomainValidationOptions[0].ResourceRecord.Name != *d.DomainValidationOptions[1].ResourceRecord.Name {
		t.Errorf("described as %+v", d)
	}
	ca, err := w.ca.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	check := func() *x509.Certificate {
		t.Helper()
		pair, err := w.room.KeyPair(t.Context(), *arn)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"example.com", "api.example.com"} {
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: w.Clock.Now()}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		return pair.Leaf
	}
	first := check()
	w.Clock.Advance(340 * 24 * time.Hour)
	second := check()
	if !second.NotAfter.After(first.NotAfter) || !second.PublicKey.(*ecdsa.PublicKey).Equal(first.PublicKey) {
		t.Error("it was not made anew with its key when its end was near")
	}
	for name, bad := range map[string]api.RequestCertificateRequest{
		"CertificateAuthorityArn": {DomainName: new("a.example"), CertificateAuthorityArn: new("arn:aws:acm-pca:us-east-1:000000000000:certificate-authority/x")},
		"HTTP":                    {DomainName: new("a.example"), ValidationMethod: new("HTTP")},
		"Export":                  {DomainName: new("a.example"), Options: &api.CertificateOptions{Export: new("ENABLED")}},
		"valid domain":            {DomainName: new("a..example")},
		"10.0.0.1":                {DomainName: new("10.0.0.1")},
	} {
		if _, err := calltest.Do(w.World, api.RequestCertificate, &bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResource(t *testing.T) {
	w := newWorld(t)
	typ := w.room.ResourceTypes()[0]
	rq := &resource.Request{Caller: w.Board, As: w.As, Account: calltest.Account, Region: calltest.Region, Token: strings.Repeat("a", 64)}
	props := map[string]any{"DomainName": "api.example.com", "ValidationMethod": "DNS", "KeyAlgorithm": "EC_prime256v1",
		"DomainValidationOptions": []any{map[string]any{"DomainName": "api.example.com", "HostedZoneId": "Z1"}}}
	made, err := typ.Create(t.Context(), rq, props)
	if err != nil {
		t.Fatal(err)
	}
	again, err := typ.Create(t.Context(), rq, props)
	if err != nil || again.ID != made.ID {
		t.Errorf("a repeated creation made %s and %s: %v", made.ID, again.ID, err)
	}
	if err := typ.Delete(t.Context(), rq, made.ID, props); err != nil {
		t.Fatal(err)
	}
	if _, err := call.Do(t.Context(), w.Board, w.As, api.DescribeCertificate, &api.DescribeCertificateRequest{CertificateArn: &made.ID}); !fault.Is(err, "ResourceNotFoundException") {
		t.Error(err)
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN EC PARAMETERS-----\nMAo=\n-----END EC PARAMETERS-----\n"), []byte(""))
	w := calltest.New()
	store := mem.New()
	f.Cleanup(func() { store.Close() })
	room, err := acm.New(acm.Deps{Store: store, Clock: w.Clock, IDs: w.IDs, Key: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		f.Fatal(err)
	}
	w.Plug(room)
	f.Fuzz(func(t *testing.T, body, key, chain []byte) {
		if _, err := calltest.Do(w, api.ImportCertificate, &api.ImportCertificateRequest{Certificate: body, PrivateKey: key, CertificateChain: chain}); err != nil && fault.As(err) == nil {
			t.Error(err)
		}
	})
}
