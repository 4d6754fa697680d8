package lambda

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tierra-cloud/tierra/internal/kernel/ids"
)

// seal encrypts environment variables for the store: AES-256-GCM, bound to the
// function that they belong to.
type seal struct {
	aead cipher.AEAD
	ids  *ids.Source
}

func newSeal(key []byte, ids *ids.Source) (seal, error) {
	if len(key) != 32 {
		return seal{}, fmt.Errorf("lambda: the key for environment variables has %d bytes instead of 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return seal{}, err
	}
	aead, err := cipher.NewGCM(block)
	return seal{aead, ids}, err
}

func (s seal) close(k key, env map[string]string) ([]byte, error) {
	if len(env) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(env)
	if err != nil {
		return nil, err
	}
	nonce := s.ids.Bytes(s.aead.NonceSize())
	return s.aead.Seal(nonce, nonce, text, []byte(k.arn(""))), nil
}

func (s seal) open(k key, sealed []byte) (map[string]string, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("lambda: sealed environment variables are cut off")
	}
	text, err := s.aead.Open(nil, sealed[:n], sealed[n:], []byte(k.arn("")))
	if err != nil {
		return nil, fmt.Errorf("lambda: environment variables of %s cannot be decrypted: %w", k.name, err)
	}
	var env map[string]string
	return env, json.Unmarshal(text, &env)
}
