package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/kernel/ids"
)

const keyBytes = 32 // of AES-256

// vault seals the material of keys with a key that never enters the store.
type vault struct {
	master cipher.AEAD
	name   []byte // makes the ids of AWS managed keys
	ids    *ids.Source
}

func newVault(secret []byte, src *ids.Source) (vault, error) {
	if len(secret) != keyBytes {
		return vault{}, fmt.Errorf("the server's key has %d bytes instead of %d", len(secret), keyBytes)
	}
	master, err := hkdf.Key(sha256.New, secret, nil, "tierra kms: material of keys, 1", keyBytes)
	if err != nil {
		return vault{}, err
	}
	name, err := hkdf.Key(sha256.New, secret, nil, "tierra kms: ids of managed keys, 1", keyBytes)
	if err != nil {
		return vault{}, err
	}
	aead, err := gcm(master)
	return vault{aead, name, src}, err
}

func gcm(k []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// material makes a new key's material, sealed for the store and bound to the key.
func (v *vault) material(keyARN string) []byte {
	nonce := v.ids.Bytes(v.master.NonceSize())
	return v.master.Seal(nonce, nonce, v.ids.Bytes(keyBytes), []byte(keyARN))
}

// open makes a cipher of a key's material.
func (v *vault) open(keyARN string, sealed []byte) (cipher.AEAD, error) {
	n := v.master.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("kms: sealed material is cut off")
	}
	m, err := v.master.Open(nil, sealed[:n], sealed[n:], []byte(keyARN))
	if err != nil {
		return nil, fmt.Errorf("kms: the material of %s cannot be opened with this server's key: %w", keyARN, err)
	}
	return gcm(m)
}

// managedID is the id of an AWS managed key. It follows from its place, so that it
// is known before the key is made.
func (v *vault) managedID(a area, name string) string {
	h := hmac.New(sha256.New, v.name)
	h.Write([]byte(a.aliasARN(name)))
	b := h.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return hyphened(b)
}

func hyphened(b []byte) string {
	x := hex.EncodeToString(b)
	return strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-")
}

// A ciphertext is a version byte, the key's id (16 bytes), its account as a number
// (8 bytes, big endian), a nonce, and what GCM gives. The header and the encryption
// context are authenticated.
const (
	blobVersion = 1
	headerBytes = 1 + 16 + 8
)

// errCiphertext says that a ciphertext is not one, or was changed, or that the
// encryption context is another.
var errCiphertext = errors.New("kms: the ciphertext is not valid")

// encrypt makes a ciphertext with a key of an account.
func (v *vault) encrypt(c cipher.AEAD, account, id string, plain []byte, context map[string]string) ([]byte, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil {
		return nil, fmt.Errorf("kms: key id %q: %w", id, err)
	}
	n, err := strconv.ParseUint(account, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("kms: account %q: %w", account, err)
	}
	blob := append([]byte{blobVersion}, raw...)
	blob = binary.BigEndian.AppendUint64(blob, n)
	header := slices.Clip(blob)
	nonce := v.ids.Bytes(c.NonceSize())
	return c.Seal(append(blob, nonce...), nonce, plain, bind(header, context)), nil
}

// keyOf says which key made a ciphertext.
func keyOf(blob []byte) (account, id string, err error) {
	if len(blob) <= headerBytes || blob[0] != blobVersion {
		return "", "", errCiphertext
	}
	return fmt.Sprintf("%012d", binary.BigEndian.Uint64(blob[17:])), hyphened(blob[1:17]), nil
}

// decrypt opens a ciphertext.
func decrypt(c cipher.AEAD, blob []byte, context map[string]string) ([]byte, error) {
	rest := blob[min(headerBytes, len(blob)):]
	if len(rest) < c.NonceSize() {
		return nil, errCiphertext
	}
	nonce, sealed := rest[:c.NonceSize()], rest[c.NonceSize():]
	plain, err := c.Open(nil, nonce, sealed, bind(blob[:headerBytes], context))
	if err != nil {
		return nil, errCiphertext
	}
	return plain, nil
}

// bind is the additional authenticated data: the header, then the pairs of the
// context in order of their keys, each text with its length before it.
func bind(header []byte, context map[string]string) []byte {
	out := slices.Clone(header)
	for _, k := range slices.Sorted(maps.Keys(context)) {
		for _, s := range []string{k, context[k]} {
			out = binary.BigEndian.AppendUint32(out, uint32(len(s)))
			out = append(out, s...)
		}
	}
	return out
}
