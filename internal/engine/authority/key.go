package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
)

// Kind is a kind of key.
type Kind struct {
	// Bits is the size of an RSA key; 0 makes an elliptic curve's.
	Bits  int
	Curve elliptic.Curve
}

// NewKey makes a key; a big one of RSA takes about a second.
func NewKey(k Kind) (crypto.Signer, error) {
	if k.Bits == 0 {
		return ecdsa.GenerateKey(k.Curve, rand.Reader)
	}
	key, err := rsa.GenerateKey(rand.Reader, k.Bits)
	if err != nil {
		return nil, fmt.Errorf("make an RSA key of %d bits: %w", k.Bits, err)
	}
	return key, nil
}
