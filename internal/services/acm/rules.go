package acm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	api "github.com/tierra-cloud/tierra/internal/gen/acm"
)

// material is what an import brings, found to be sound.
type material struct {
	leaf  *x509.Certificate
	body  string // PEM
	chain string // PEM
	key   crypto.Signer
}

// maxChain is how many certificates a chain may have.
const maxChain = 10

// readMaterial checks what is imported.
// https://docs.aws.amazon.com/acm/latest/userguide/import-certificate-prerequisites.html
func readMaterial(body, chain, key []byte, now time.Time) (*material, error) {
	all, err := readCertificates(body)
	switch {
	case err != nil || len(all) == 0:
		return nil, api.ValidationException("The certificate field contains no valid certificate in PEM.")
	case len(all) > 1:
		return nil, api.ValidationException("The certificate field contains more than one certificate. You can specify only one certificate in this field.")
	}
	m := &material{leaf: all[0], body: encode(all)}
	if m.key, err = readKey(key); err != nil {
		return nil, err
	}
	public, ok := m.key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(m.leaf.PublicKey) {
		return nil, api.ValidationException("The private key does not match the certificate.")
	}
	if keyAlgorithm(m.leaf) == "" {
		return nil, api.ValidationException("The key of the certificate is not supported. Use RSA of 1024, 2048, 3072 or 4096 bits, or ECDSA P-256, P-384 or P-521.")
	}
	switch {
	case now.After(m.leaf.NotAfter):
		return nil, api.ValidationException("The certificate expired on %s.", m.leaf.NotAfter.UTC().Format(time.RFC1123))
	case now.Before(m.leaf.NotBefore):
		return nil, api.ValidationException("The certificate is not valid before %s.", m.leaf.NotBefore.UTC().Format(time.RFC1123))
	}
	if len(chain) == 0 {
		if m.leaf.CheckSignature(m.leaf.SignatureAlgorithm, m.leaf.RawTBSCertificate, m.leaf.Signature) != nil {
			return nil, api.ValidationException("Provided certificate is not a valid self signed. Please provide either a valid self-signed certificate or certificate chain.")
		}
		return m, nil
	}
	above, err := readCertificates(chain)
	if err != nil || len(above) == 0 || len(above) > maxChain {
		return nil, api.ValidationException("The certificate chain is not valid PEM of at most %d certificates.", maxChain)
	}
	for i, c := range append([]*x509.Certificate{m.leaf}, above[:len(above)-1]...) {
		if issuer := above[i]; !bytes.Equal(c.RawIssuer, issuer.RawSubject) || issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) != nil {
			return nil, api.ValidationException("Could not validate the certificate with the certificate chain.")
		}
	}
	m.chain = encode(above)
	return m, nil
}

// readCertificates reads PEM that holds nothing but certificates.
func readCertificates(doc []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for {
		b, rest := pem.Decode(doc)
		if b == nil {
			if len(bytes.TrimSpace(rest)) > 0 {
				return nil, errors.New("there is something else")
			}
			return all, nil
		}
		if b.Type != "CERTIFICATE" {
			return nil, errors.New(b.Type)
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, err
		}
		all, doc = append(all, c), rest
	}
}

func encode(all []*x509.Certificate) string {
	var b strings.Builder
	for _, c := range all {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return b.String()
}

// readKey reads a private key in PEM: PKCS #8, or RSA's and EC's own forms.
func readKey(doc []byte) (crypto.Signer, error) {
	for {
		b, rest := pem.Decode(doc)
		if b == nil {
			return nil, api.ValidationException("The private key is not supported.")
		}
		doc = rest
		var key any
		var err error
		switch {
		case b.Headers["DEK-Info"] != "" || b.Type == "ENCRYPTED PRIVATE KEY":
			return nil, api.ValidationException("The private key is encrypted. Give it without a passphrase.")
		case b.Type == "EC PARAMETERS":
			continue // what OpenSSL writes before an EC key
		case b.Type == "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
		case b.Type == "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(b.Bytes)
		default:
			key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
		}
		signer, ok := key.(crypto.Signer)
		if err != nil || !ok {
			return nil, api.ValidationException("The private key is not supported.")
		}
		return signer, nil
	}
}

// keyAlgorithm names a certificate's key as the API does; "" is one that it does
// not take.
func keyAlgorithm(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); slices.Contains([]int{1024, 2048, 3072, 4096}, n) {
			return "RSA_" + strconv.Itoa(n)
		}
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return "EC_prime256v1"
		case 384:
			return "EC_secp384r1"
		case 521:
			return "EC_secp521r1"
		}
	}
	return ""
}

// signatureAlgorithm names how a certificate was signed: "SHA256WITHRSA".
func signatureAlgorithm(c *x509.Certificate) string {
	kind, hash, ok := strings.Cut(c.SignatureAlgorithm.String(), "-") // "SHA256-RSA", "ECDSA-SHA256"
	switch {
	case !ok:
		return c.SignatureAlgorithm.String()
	case strings.HasPrefix(hash, "SHA"):
		return hash + "WITH" + kind
	}
	return kind + "WITH" + hash
}

// serial writes a serial number as AWS does: "0a:1b:…".
func serial(c *x509.Certificate) string {
	var b strings.Builder
	for i, x := range c.SerialNumber.Bytes() {
		if i > 0 {
			b.WriteByte(':')
		}
		const digits = "0123456789abcdef"
		b.WriteByte(digits[x>>4])
		b.WriteByte(digits[x&15])
	}
	return b.String()
}

// usages are the names of what a certificate's key may do, in the bits' order.
func usages(c *x509.Certificate) []string {
	names := []string{
		api.KeyUsageNameDigitalSignature, api.KeyUsageNameNonRepudiation, api.KeyUsageNameKeyEncipherment, api.KeyUsageNameDataEncipherment,
		api.KeyUsageNameKeyAgreement, api.KeyUsageNameCertificateSigning, api.KeyUsageNameCrlSigning, api.KeyUsageNameEncipherOnly, api.KeyUsageNameDecipherOnly,
	}
	var out []string
	for i, n := range names {
		if c.KeyUsage&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// extended is a purpose of a certificate, by name and object identifier.
type extended struct{ name, oid string }

func extendedUsages(c *x509.Certificate) []extended {
	var out []extended
	for _, u := range c.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageAny:
			out = append(out, extended{api.ExtendedKeyUsageNameAny, "2.5.29.37.0"})
		case x509.ExtKeyUsageServerAuth:
			out = append(out, extended{api.ExtendedKeyUsageNameTlsWebServerAuthentication, "1.3.6.1.5.5.7.3.1"})
		case x509.ExtKeyUsageClientAuth:
			out = append(out, extended{api.ExtendedKeyUsageNameTlsWebClientAuthentication, "1.3.6.1.5.5.7.3.2"})
		case x509.ExtKeyUsageCodeSigning:
			out = append(out, extended{api.ExtendedKeyUsageNameCodeSigning, "1.3.6.1.5.5.7.3.3"})
		case x509.ExtKeyUsageEmailProtection:
			out = append(out, extended{api.ExtendedKeyUsageNameEmailProtection, "1.3.6.1.5.5.7.3.4"})
		case x509.ExtKeyUsageTimeStamping:
			out = append(out, extended{api.ExtendedKeyUsageNameTimeStamping, "1.3.6.1.5.5.7.3.8"})
		case x509.ExtKeyUsageOCSPSigning:
			out = append(out, extended{api.ExtendedKeyUsageNameOcspSigning, "1.3.6.1.5.5.7.3.9"})
		}
	}
	for _, oid := range c.UnknownExtKeyUsage {
		out = append(out, extended{api.ExtendedKeyUsageNameCustom, oid.String()})
	}
	return out
}

// subjectNames are the names that a certificate is for, the subject's first.
func subjectNames(c *x509.Certificate) (domain string, all []string) {
	all = slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	domain = c.Subject.CommonName
	if domain == "" && len(all) > 0 {
		domain = all[0]
	}
	if len(all) == 0 && domain != "" {
		all = []string{domain}
	}
	return domain, all
}
