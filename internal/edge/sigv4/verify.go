package sigv4

import (
	"crypto/hmac"
	"encoding/hex"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// Keys derives and remembers signing keys, which are the same for a day.
type Keys struct {
	mu sync.RWMutex
	m  map[cached][]byte
}

type cached struct {
	secret string
	scope  Scope
}

// maxKeys bounds what is remembered: a stranger who cannot sign adds nothing,
// because only scopes whose access key is known are derived.
const maxKeys = 4096

func (k *Keys) get(secret string, sc Scope) []byte {
	id := cached{secret, sc}
	k.mu.RLock()
	key := k.m[id]
	k.mu.RUnlock()
	if key != nil {
		return key
	}
	key = signingKey(secret, sc)
	k.mu.Lock()
	if k.m == nil || len(k.m) >= maxKeys {
		k.m = map[cached][]byte{}
	}
	k.m[id] = key
	k.mu.Unlock()
	return key
}

// Verify checks a signature that Find found. payloadHash is the hash to sign
// with: the value of x-amz-content-sha256 where there is one, else the body's.
func (k *Keys) Verify(r *Request, s *Signature, secret, payloadHash string, st Style, now time.Time) error {
	if s.Legacy {
		return s.verifyLegacy(r, secret, r.Bucket, now)
	}
	if err := s.inTime(now); err != nil {
		return err
	}
	given, err := hex.DecodeString(s.Value)
	if err != nil || len(given) != 32 {
		return mismatch()
	}
	if s.Presigned && payloadHash == "" {
		payloadHash = Unsigned
	}
	key := k.get(secret, s.Scope)
	if hmac.Equal(given, mac(key, stringToSign(s, canonical(r, s, st, payloadHash, false)))) {
		return nil
	}
	// Some clients add the session token to a presigned URL after signing it.
	if s.Presigned && s.Token != "" && hmac.Equal(given, mac(key, stringToSign(s, canonical(r, s, st, payloadHash, true)))) {
		return nil
	}
	return mismatch()
}

func mismatch() error {
	return fault.Of(fault.SignatureDoesNotMatch, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

func (s *Signature) inTime(now time.Time) error {
	const layout = timeLayout
	if s.Presigned {
		switch {
		case s.Time.After(now.Add(MaxSkew)):
			return fault.New("AccessDenied", 403, "Request is not valid yet")
		case now.After(s.Time.Add(s.Expires)):
			return fault.New("AccessDenied", 403, "Request has expired").With("Expires", s.Time.Add(s.Expires).Format(time.RFC3339))
		}
		return nil
	}
	switch {
	case now.Sub(s.Time) > MaxSkew:
		return fault.Of(fault.RequestExpired, "Signature expired: %s is now earlier than %s (%s - 15 min.)", s.Time.Format(layout), now.Add(-MaxSkew).Format(layout), now.Format(layout))
	case s.Time.Sub(now) > MaxSkew:
		return fault.Of(fault.RequestExpired, "Signature not yet current: %s is still later than %s (%s + 15 min.)", s.Time.Format(layout), now.Add(MaxSkew).Format(layout), now.Format(layout))
	}
	return nil
}
