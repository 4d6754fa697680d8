package runtime

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// certificates are PEM blocks of certificates that sign themselves.
func certificates(t *testing.T, names ...string) (out []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		c := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Unix(4_000_000_000, 0), IsCA: true, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

// TestKeyStore has Java's own tool read a key store, with its check sum.
func TestKeyStore(t *testing.T) {
	bundle := slices.Concat([]byte("# roots\n"), certificates(t, "one", "two"), []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), certificates(t, "three"))
	b := keyStore(bundle)
	if n := b[11]; n != 3 {
		t.Errorf("%d certificates", n)
	}
	tool, err := exec.LookPath("keytool")
	if err != nil {
		t.Skip("there is no keytool")
	}
	path := filepath.Join(t.TempDir(), javaStore)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "-J-Xmx64m", "-list", "-v", "-keystore", path, "-storepass", javaStorePassword).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"contains 3 entries", "Owner: CN=one", "Owner: CN=two", "Owner: CN=three", "trustedCertEntry"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestJavaTrusts: the key store is named, unless the function names one of its own.
func TestJavaTrusts(t *testing.T) {
	c, err := NewCatalog(CatalogConfig{Dir: t.TempDir(), Home: t.TempDir(), Trust: func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "bundle.pem"), certificates(t, "one"), 0o600)
	}})
	if err != nil {
		t.Fatal(err)
	}
	choice, err := c.java(Choice{Runtime: "java17", Family: "java", Path: "/usr/lib/jvm/x/bin/java"})
	if err != nil {
		t.Fatal(err)
	}
	const named = "-Djavax.net.ssl.trustStore=/var/runtime/cacerts.jks"
	if _, err := os.Stat(filepath.Join(choice.Mounts[len(choice.Mounts)-1].Source, javaStore)); err != nil || !slices.Contains(choice.argv(Config{Handler: "h"}), named) {
		t.Errorf("%v %q", err, choice.argv(Config{Handler: "h"}))
	}
	own := Config{Handler: "h", Env: []string{"JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=/var/task/own.jks"}}
	if slices.Contains(choice.argv(own), named) {
		t.Error("the function's own key store is overridden")
	}
}
