// Package jwt verifies the JSON Web Tokens of issuers that publish their keys, as
// the authorizers of API Gateway do: signature, issuer and times. What else a token
// must say is for who asks.
//
// https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
package jwt

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// How long keys are used before they are fetched anew, how long after a fetch no
// other one is made for a key that was not there, and how long a fetch may take.
const (
	keysLife   = time.Hour
	fetchPause = 10 * time.Second
	fetchTime  = 5 * time.Second
)

// maxKeys is how much the document with an issuer's keys may hold, in bytes.
const maxKeys = 1 << 20

// maxToken is how long a token may be, in bytes.
const maxToken = 16 << 10

// ErrExpired says that a token is sound and its time is over.
var ErrExpired = errors.New("the token has expired")

// UnreachableError says that an issuer's keys could not be had: the token may be
// good.
type UnreachableError struct {
	Issuer string
	Err    error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the keys of %s: %v", e.Issuer, e.Err)
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	clock     clock.Clock
	transport http.RoundTripper
	issuers   sync.Map // URL -> *issuer
}

// New makes a verifier that fetches keys over a transport.
func New(c clock.Clock, t http.RoundTripper) *Verifier { return &Verifier{clock: c, transport: t} }

// Verify checks a token of an issuer, whose keys are at its address followed by
// /.well-known/jwks.json, and returns its claims. The error is ErrExpired, an
// *UnreachableError, or says what is wrong with the token.
func (v *Verifier) Verify(ctx context.Context, token, from string) (map[string]any, error) {
	if len(token) > maxToken {
		return nil, errors.New("the token is too long")
	}
	x, _ := v.issuers.LoadOrStore(from, &issuer{url: from})
	claims := jwt.MapClaims{}
	var unreachable error
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(v.clock.Now), jwt.WithExpirationRequired(), jwt.WithIssuer(from))
	_, err := parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		if id == "" {
			return nil, errors.New("the token names no key")
		}
		key, err := x.(*issuer).key(ctx, v, id)
		if err != nil {
			unreachable = err
		}
		return key, err
	})
	var e *UnreachableError
	switch {
	case err == nil:
		return claims, nil
	case errors.As(unreachable, &e):
		return nil, e
	case errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenSignatureInvalid) && !errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return nil, ErrExpired
	}
	return nil, err
}

// issuer is what is known of an issuer.
type issuer struct {
	url string

	mu      sync.Mutex // held while keys are fetched: who else wants them waits for the same
	keys    map[string]*rsa.PublicKey
	fetched time.Time // when it was last tried
	good    time.Time // when it last succeeded
}

// key returns an issuer's key, fetching keys if it is not known.
func (x *issuer) key(ctx context.Context, v *Verifier, id string) (*rsa.PublicKey, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := v.clock.Now()
	if k := x.keys[id]; k != nil && now.Before(x.good.Add(keysLife)) {
		return k, nil
	}
	if x.fetched.IsZero() || !now.Before(x.fetched.Add(fetchPause)) {
		x.fetched = now
		keys, err := v.fetch(ctx, x.url)
		if err == nil {
			x.keys, x.good = keys, now
		} else if x.keys[id] == nil { // old keys are better than none
			return nil, &UnreachableError{x.url, err}
		}
	}
	if k := x.keys[id]; k != nil {
		return k, nil
	}
	if x.keys == nil {
		return nil, &UnreachableError{x.url, errors.New("they could not be fetched a moment ago")}
	}
	return nil, fmt.Errorf("%s has no key %q", x.url, id)
}

// fetch gets the keys of an issuer.
func (v *Verifier) fetch(ctx context.Context, from string) (map[string]*rsa.PublicKey, error) {
	if v.transport == nil {
		return nil, errors.New("there is no way out")
	}
	// The keys are for everybody: they are fetched whether or not who asked first
	// still waits.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
	defer cancel()
	rq, err := http.NewRequestWithContext(ctx, http.MethodGet, from+"/.well-known/jwks.json", nil)
	if err != nil {
		return nil, err
	}
	rs, err := v.transport.RoundTrip(rq)
	if err != nil {
		return nil, err
	}
	defer rs.Body.Close()
	if rs.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", rs.StatusCode)
	}
	doc, err := io.ReadAll(io.LimitReader(rs.Body, maxKeys))
	if err != nil {
		return nil, err
	}
	return parseKeys(doc)
}

// parseKeys reads a JSON Web Key Set; keys of other kinds than RSA's are left out.
// https://www.rfc-editor.org/rfc/rfc7517
func parseKeys(doc []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []struct {
			Kty, Kid, Use, N, E string
		} `json:"keys"`
	}
	if err := json.Unmarshal(doc, &set); err != nil {
		return nil, fmt.Errorf("they are not a JSON Web Key Set: %w", err)
	}
	keys := map[string]*rsa.PublicKey{}
	for _, k := range set.Keys {
		if k.Kty != "RSA" || k.Kid == "" || k.Use != "" && k.Use != "sig" {
			continue
		}
		n, err := base64.RawURLEncoding.DecodeString(k.N)
		if err != nil {
			continue
		}
		e, err := base64.RawURLEncoding.DecodeString(k.E)
		if err != nil || len(e) == 0 || len(e) > 4 {
			continue
		}
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		if public.N.BitLen() >= 2048 && public.E > 1 {
			keys[k.Kid] = public
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no RSA key among them")
	}
	return keys, nil
}
