package authority

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// The files that Publish makes.
const (
	// CertificateFile holds the authority's own certificate alone, for clients that
	// add it to what they trust already.
	CertificateFile = "ca.pem"
	// BundleFile holds the authority's certificate behind the machine's own roots,
	// for clients that know one file and nothing else.
	BundleFile = "bundle.pem"
)

// systemBundles are where systems keep the roots that they trust.
var systemBundles = [...]string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
}

// Publish writes the files that clients are given into a folder, which is made;
// files that are as they should be stay. Everybody may read them.
func (a *Authority) Publish(dir string) error {
	own, err := a.PEM()
	if err != nil {
		return err
	}
	var roots []byte
	for _, p := range systemBundles {
		if roots, err = os.ReadFile(p); err == nil {
			break
		}
	}
	if n := len(roots); n > 0 && roots[n-1] != '\n' {
		roots = append(roots, '\n')
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("publish the certificate authority: %w", err)
	}
	for name, body := range map[string][]byte{CertificateFile: own, BundleFile: slices.Concat(roots, own)} {
		if err := place(filepath.Join(dir, name), body); err != nil {
			return fmt.Errorf("publish the certificate authority: %w", err)
		}
	}
	return nil
}

// place makes a file's content whole at once: functions may be reading it.
func place(path string, body []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, body) {
		return nil
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, body, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
