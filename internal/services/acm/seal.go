package acm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// newSeal makes what seals private keys of the server's key.
func newSeal(secret []byte) (cipher.AEAD, error) {
	const size = 32
	if len(secret) != size {
		return nil, fmt.Errorf("acm: the server's key has %d bytes instead of %d", len(secret), size)
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "tierra acm: private keys, 1", size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal seals a private key, bound to the certificate's ARN.
func (s *Service) seal(arn string, key any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	nonce := s.d.IDs.Bytes(s.aead.NonceSize())
	return s.aead.Seal(nonce, nonce, der, []byte(arn)), nil
}

// key opens the private key of a certificate.
func (s *Service) key(a area, c *certificate) (any, error) {
	n := s.aead.NonceSize()
	if len(c.Key) < n {
		return nil, errors.New("acm: a sealed private key is cut off")
	}
	der, err := s.aead.Open(nil, c.Key[:n], c.Key[n:], []byte(a.arn(c.ID)))
	if err != nil {
		return nil, fmt.Errorf("acm: the private key of %s cannot be opened with this server's key: %w", a.arn(c.ID), err)
	}
	return x509.ParsePKCS8PrivateKey(der)
}

// open makes a certificate ready for connections.
func (s *Service) open(a area, c *certificate) (*tls.Certificate, error) {
	key, err := s.key(a, c)
	if err != nil {
		return nil, err
	}
	pair := &tls.Certificate{PrivateKey: key}
	for rest := []byte(c.Body + "\n" + c.Chain); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		pair.Certificate = append(pair.Certificate, b.Bytes)
	}
	pair.Leaf, err = c.leaf()
	return pair, err
}

// leaf is the certificate itself, parsed.
func (c *certificate) leaf() (*x509.Certificate, error) {
	b, _ := pem.Decode([]byte(c.Body))
	if b == nil {
		return nil, fmt.Errorf("acm: the record of certificate %s is damaged", c.ID)
	}
	return x509.ParseCertificate(b.Bytes)
}
