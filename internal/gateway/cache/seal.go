package cache

import (
	"crypto/aes"
	"crypto/cipher"
)

// sealer encrypts values. Its key is made when it is first needed.
type sealer struct{ aead cipher.AEAD }

// seal encrypts a value and binds it to its key. It is called by one at a time.
func (s *sealer) seal(random func(int) []byte, key string, value []byte) []byte {
	if s.aead == nil {
		block, err := aes.NewCipher(random(32))
		if err == nil {
			s.aead, err = cipher.NewGCM(block)
		}
		if err != nil {
			panic("cache: " + err.Error()) // only a key of another length has one
		}
	}
	nonce := random(s.aead.NonceSize())
	return s.aead.Seal(nonce, nonce, value, []byte(key))
}

// open decrypts what seal made.
func (s *sealer) open(key string, sealed []byte) ([]byte, bool) {
	n := s.aead.NonceSize()
	value, err := s.aead.Open(nil, sealed[:n], sealed[n:], []byte(key))
	return value, err == nil
}
