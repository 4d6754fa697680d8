// Package ids makes identifiers in the forms that AWS uses. Randomness comes
// from a Source that is passed in, so that a simulation can repeat itself.
package ids

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"sync"
)

// Source makes identifiers. It is safe for concurrent use.
type Source struct {
	free bool // r is safe for concurrent use
	mu   sync.Mutex
	r    io.Reader
}

// New returns a Source that draws from the operating system.
func New() *Source { return &Source{r: rand.Reader, free: true} }

// From returns a Source that draws from r; for tests and simulations.
func From(r io.Reader) *Source { return &Source{r: r} }

// Bytes returns n random bytes. It panics if the randomness fails, because
// nothing that is handed out after that could be trusted.
func (s *Source) Bytes(n int) []byte {
	b := make([]byte, n)
	if !s.free {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	_, err := io.ReadFull(s.r, b)
	if err != nil {
		panic("ids: no randomness: " + err.Error())
	}
	return b
}

// UUID returns a version 4 UUID in lower case, as AWS uses for request ids.
func (s *Source) UUID() string {
	b := s.Bytes(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var d [36]byte
	hex.Encode(d[0:8], b[0:4])
	d[8] = '-'
	hex.Encode(d[9:13], b[4:6])
	d[13] = '-'
	hex.Encode(d[14:18], b[6:8])
	d[18] = '-'
	hex.Encode(d[19:23], b[8:10])
	d[23] = '-'
	hex.Encode(d[24:36], b[10:16])
	return string(d[:])
}

// Alphabets of AWS's identifiers.
const (
	Hex        = "0123456789abcdef"
	LowerAlnum = "abcdefghijklmnopqrstuvwxyz0123456789"
	UpperAlnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	Base32     = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	Alnum      = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// Of returns n characters drawn evenly from alphabet, which has at most 256.
func (s *Source) Of(alphabet string, n int) string {
	out := make([]byte, 0, n)
	limit := 256 - 256%len(alphabet)
	for len(out) < n {
		for _, b := range s.Bytes(n - len(out)) {
			if int(b) < limit {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}
