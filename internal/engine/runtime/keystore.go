package runtime

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Java trusts what is in a key store, and nothing that a variable names. Its own
// form of them (JKS) holds certificates as they are; the check sum at its end is of
// a password that Java does not ask for when it only reads certificates.
// https://docs.oracle.com/en/java/javase/17/security/java-secure-socket-extension-jsse-reference-guide.html

const (
	javaStore         = "cacerts.jks"
	javaStoreProperty = "javax.net.ssl.trustStore"
	javaStorePassword = "changeit" // Java's own
)

// trustJava writes the certificates of a folder's bundle as a key store.
func trustJava(dir string) error {
	bundle, err := os.ReadFile(filepath.Join(dir, "bundle.pem"))
	if err != nil {
		return fmt.Errorf("reading what Java is to trust: %w", err)
	}
	path := filepath.Join(dir, javaStore)
	if err := os.WriteFile(path+".new", keyStore(bundle), 0o644); err != nil {
		return fmt.Errorf("writing what Java is to trust: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing what Java is to trust: %w", err)
	}
	return nil
}

// keyStore is a key store of the certificates in a file of PEM blocks. What is no
// certificate is left out.
func keyStore(bundle []byte) []byte {
	var entries []byte
	n := uint32(0)
	text := func(b []byte, s string) []byte {
		return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	}
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil {
			continue
		}
		entries = binary.BigEndian.AppendUint32(entries, 2) // a certificate that is trusted
		entries = text(entries, fmt.Sprintf("root-%d", n))
		entries = binary.BigEndian.AppendUint64(entries, uint64(c.NotBefore.UnixMilli()))
		entries = text(entries, "X.509")
		entries = append(binary.BigEndian.AppendUint32(entries, uint32(len(c.Raw))), c.Raw...)
		n++
	}
	b := binary.BigEndian.AppendUint32(nil, 0xfeedfeed)
	b = binary.BigEndian.AppendUint32(b, 2) // the form's version
	b = append(binary.BigEndian.AppendUint32(b, n), entries...)
	h := sha1.New()
	for _, c := range javaStorePassword {
		h.Write([]byte{byte(c >> 8), byte(c)})
	}
	h.Write([]byte("Mighty Aphrodite"))
	h.Write(b)
	return h.Sum(b)
}

// ownStore tells whether a function names a key store of its own.
func (cfg *Config) ownStore() bool {
	return slices.ContainsFunc(cfg.Env, func(kv string) bool {
		k, v, _ := strings.Cut(kv, "=")
		return (k == "JAVA_TOOL_OPTIONS" || k == "JDK_JAVA_OPTIONS") && strings.Contains(v, javaStoreProperty+"=")
	})
}
