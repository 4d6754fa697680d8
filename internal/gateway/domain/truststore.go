package domain

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// Limits of a trust store, AWS's.
const (
	MaxTruststore   = 1 << 20 // bytes
	maxTruststoreIn = 1000    // certificates
)

// Truststore reads a trust store: the authorities whose clients may connect.
// warnings tell of certificates that are there and will let nobody in, or should
// not. The error tells why it is no trust store.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
func Truststore(doc []byte, now time.Time) (pool *x509.CertPool, warnings []string, err error) {
	if len(doc) > MaxTruststore {
		return nil, nil, fmt.Errorf("the trust store has more than %d bytes", MaxTruststore)
	}
	pool = x509.NewCertPool()
	subjects, n := map[string]bool{}, 0
	for rest := doc; ; n++ {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			if len(bytes.TrimSpace(rest)) > 0 {
				return nil, nil, errors.New("the trust store holds something that is not a certificate in PEM")
			}
			break
		}
		c, err := x509.ParseCertificate(b.Bytes)
		switch {
		case b.Type != "CERTIFICATE" || err != nil:
			return nil, nil, errors.New("the trust store holds something that is not a certificate in PEM")
		case n >= maxTruststoreIn:
			return nil, nil, fmt.Errorf("the trust store has more than %d certificates", maxTruststoreIn)
		}
		if w := flaw(c, now); w != "" {
			warnings = append(warnings, fmt.Sprintf("Certificate %d (%s) %s", n+1, c.Subject, w))
		}
		if subjects[string(c.RawSubject)] {
			warnings = append(warnings, fmt.Sprintf("Certificate %d (%s) has the subject of another one", n+1, c.Subject))
		}
		subjects[string(c.RawSubject)] = true
		pool.AddCert(c)
	}
	if n == 0 {
		return nil, nil, errors.New("the trust store has no certificate")
	}
	return pool, warnings, nil
}

// flaw tells what is wrong with a certificate in a trust store; "" if nothing is.
func flaw(c *x509.Certificate, now time.Time) string {
	switch {
	case now.After(c.NotAfter):
		return "has expired"
	case now.Before(c.NotBefore):
		return "is not valid yet"
	case c.BasicConstraintsValid && !c.IsCA:
		return "is not that of an authority"
	}
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return "is signed with an algorithm that is too weak"
	}
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return "has a key of less than 2048 bits"
		}
	case *ecdsa.PublicKey:
		if n := k.Curve.Params().BitSize; n != 256 && n != 384 {
			return "has a key on a curve other than P-256 and P-384"
		}
	}
	return ""
}
