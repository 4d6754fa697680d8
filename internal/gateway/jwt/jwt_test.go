package jwt_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	lib "github.com/golang-jwt/jwt/v5"

	"github.com/tierra-cloud/tierra/internal/gateway/jwt"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// issuer publishes keys and counts who asks.
type issuer struct {
	*httptest.Server
	keys  map[string]*rsa.PrivateKey
	asked atomic.Int32
	down  atomic.Bool
}

func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newIssuer(t testing.TB) *issuer {
	x := &issuer{keys: map[string]*rsa.PrivateKey{"one": newKey(t)}}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.asked.Add(1)
		if x.down.Load() || r.URL.Path != "/pool/.well-known/jwks.json" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		set := map[string]any{"keys": []any{map[string]any{"kty": "EC", "kid": "other"}}}
		for id, k := range x.keys {
			set["keys"] = append(set["keys"].([]any), map[string]any{"kty": "RSA", "kid": id, "use": "sig", "alg": "RS256",
				"n": base64.RawURLEncoding.EncodeToString(k.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.E)).Bytes())})
		}
		_ = json.NewEncoder(w).Encode(set)
	}))
	t.Cleanup(x.Close)
	return x
}

func sign(t testing.TB, key any, id string, method lib.SigningMethod, claims lib.MapClaims) string {
	t.Helper()
	tok := lib.NewWithClaims(method, claims)
	if id != "" {
		tok.Header["kid"] = id
	}
	s, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVerify(t *testing.T) {
	x := newIssuer(t)
	c := clock.NewFake(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	v := jwt.New(c, http.DefaultTransport)
	iss := x.URL + "/pool"
	claims := func(change func(lib.MapClaims)) lib.MapClaims {
		m := lib.MapClaims{"iss": iss, "sub": "ada", "exp": c.Now().Add(time.Hour).Unix(), "nbf": c.Now().Add(-time.Hour).Unix()}
		if change != nil {
			change(m)
		}
		return m
	}
	one := x.keys["one"]
	for name, token := range map[string]string{
		"another's key":   sign(t, newKey(t), "one", lib.SigningMethodRS256, claims(nil)),
		"unknown key":     sign(t, one, "two", lib.SigningMethodRS256, claims(nil)),
		"no key":          sign(t, one, "", lib.SigningMethodRS256, claims(nil)),
		"another issuer":  sign(t, one, "one", lib.SigningMethodRS256, claims(func(m lib.MapClaims) { m["iss"] = "https://x" })),
		"no end":          sign(t, one, "one", lib.SigningMethodRS256, claims(func(m lib.MapClaims) { delete(m, "exp") })),
		"not yet":         sign(t, one, "one", lib.SigningMethodRS256, claims(func(m lib.MapClaims) { m["nbf"] = c.Now().Add(time.Hour).Unix() })),
		"no signature":    sign(t, lib.UnsafeAllowNoneSignatureType, "one", lib.SigningMethodNone, claims(nil)),
		"public as HMAC":  sign(t, one.N.Bytes(), "one", lib.SigningMethodHS256, claims(nil)),
		"another method":  sign(t, one, "one", lib.SigningMethodRS512, claims(nil)),
		"expired, forged": sign(t, newKey(t), "one", lib.SigningMethodRS256, claims(func(m lib.MapClaims) { m["exp"] = c.Now().Add(-time.Hour).Unix() })),
		"text":            "hello", "nothing": "", "dots": "..",
	} {
		if got, err := v.Verify(t.Context(), token, iss); err == nil || errors.Is(err, jwt.ErrExpired) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	got, err := v.Verify(t.Context(), sign(t, one, "one", lib.SigningMethodRS256, claims(nil)), iss)
	if err != nil || got["sub"] != "ada" {
		t.Errorf("a good token: %v, %v", got, err)
	}
	_, err = v.Verify(t.Context(), sign(t, one, "one", lib.SigningMethodRS256, claims(func(m lib.MapClaims) { m["exp"] = c.Now().Add(-time.Second).Unix() })), iss)
	if !errors.Is(err, jwt.ErrExpired) {
		t.Errorf("an expired one: %v", err)
	}
	if n := x.asked.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

func TestKeysChange(t *testing.T) {
	x := newIssuer(t)
	c := clock.NewFake(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	v := jwt.New(c, http.DefaultTransport)
	iss := x.URL + "/pool"
	two := newKey(t)
	token := func(k *rsa.PrivateKey, id string) string {
		return sign(t, k, id, lib.SigningMethodRS256, lib.MapClaims{"iss": iss, "exp": c.Now().Add(24 * time.Hour).Unix()})
	}
	old, fresh := token(x.keys["one"], "one"), token(two, "two")
	verify := func(token string, good bool, asked int32) {
		t.Helper()
		if _, err := v.Verify(t.Context(), token, iss); (err == nil) != good || x.asked.Load() != asked {
			t.Errorf("%v, asked %d times", err, x.asked.Load())
		}
	}
	verify(old, true, 1)
	x.keys["two"] = two
	verify(fresh, false, 1) // a moment after the last fetch nobody is asked again
	c.Advance(11 * time.Second)
	verify(fresh, true, 2)
	for range 3 {
		verify(token(two, "three"), false, 2)
	}
	x.down.Store(true)
	c.Advance(2 * time.Hour)
	verify(old, true, 3) // old keys are better than none
	var unreachable *jwt.UnreachableError
	if _, err := jwt.New(c, http.DefaultTransport).Verify(t.Context(), old, iss); !errors.As(err, &unreachable) {
		t.Errorf("an issuer that is not there: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	x := newIssuer(f)
	c := clock.NewFake(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	v := jwt.New(c, http.DefaultTransport)
	f.Add(sign(f, x.keys["one"], "one", lib.SigningMethodRS256, lib.MapClaims{"iss": x.URL}))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		if claims, err := v.Verify(t.Context(), token, x.URL+"/pool"); err == nil {
			t.Errorf("%q was taken: %v", token, claims)
		}
	})
}
