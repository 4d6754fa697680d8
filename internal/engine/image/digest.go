package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Digest names bytes by their SHA-256: "sha256:" and 64 hexadecimal digits in
// lower case. Other algorithms are not known here.
type Digest string

const algorithm = "sha256:"

// ParseDigest checks a digest.
func ParseDigest(s string) (Digest, error) {
	h, ok := strings.CutPrefix(s, algorithm)
	if !ok || len(h) != 2*sha256.Size || strings.Trim(h, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%.100q is not a SHA-256 digest", s)
	}
	return Digest(s), nil
}

// DigestOf computes the digest of b.
func DigestOf(b []byte) Digest {
	h := sha256.Sum256(b)
	return Digest(algorithm + hex.EncodeToString(h[:]))
}

// Hex returns the hexadecimal digits alone.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), algorithm) }
