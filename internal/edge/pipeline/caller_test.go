package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// oneKey knows the access key AKIA with the secret "s".
type oneKey struct{ call.Identities }

func (oneKey) Key(_ context.Context, key, _ string) (call.Identity, string, error) {
	if key != "AKIA" {
		return call.Identity{}, "", fault.Of(fault.InvalidClientTokenID, "unknown")
	}
	return call.Identity{AccessKey: key, Principal: policy.Principal{Kind: policy.User, UserName: "ann"}}, "s", nil
}

// door is a room with a public face that asks who calls.
type door struct {
	id  call.Identity
	err error
}

func (*door) Model() *model.Service    { return &model.Service{Name: "door"} }
func (*door) Bindings() []call.Binding { return nil }
func (*door) Kinds() []string          { return []string{"execute-api"} }
func (d *door) View(_ http.ResponseWriter, r *http.Request, at call.Address) {
	body, _ := io.ReadAll(r.Body)
	d.id, d.err = at.Caller(r.Context(), body)
}

func TestCallerOfAFace(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	sign := func(service, key, secret, signed string, at time.Time) func(*http.Request, *sigv4.Request) {
		return func(r *http.Request, s *sigv4.Request) {
			r.Header.Set("X-Amz-Date", at.Format("20060102T150405Z"))
			sum := sha256.Sum256([]byte(signed))
			r.Header.Set("Authorization", sigv4.Sign(s, sigv4.Credentials{AccessKey: key, Secret: secret}, "us-east-1", service, hex.EncodeToString(sum[:]), []string{"host", "x-amz-date"}, at))
		}
	}
	for name, c := range map[string]struct {
		prepare func(*http.Request, *sigv4.Request)
		mode    call.Mode
		key     string
		kind    policy.Kind
		code    fault.Common
	}{
		"unsigned":    {func(*http.Request, *sigv4.Request) {}, call.Enforce, "", policy.Anonymous, 0},
		"bearer":      {func(r *http.Request, _ *sigv4.Request) { r.Header.Set("Authorization", "Bearer x") }, call.Enforce, "", 0, fault.IncompleteSignature},
		"signed":      {sign("execute-api", "AKIA", "s", "body", now), call.Enforce, "AKIA", policy.User, 0},
		"other body":  {sign("execute-api", "AKIA", "s", "other", now), call.Enforce, "", 0, fault.SignatureDoesNotMatch},
		"secret":      {sign("execute-api", "AKIA", "x", "body", now), call.Enforce, "", 0, fault.SignatureDoesNotMatch},
		"service":     {sign("lambda", "AKIA", "s", "body", now), call.Enforce, "", 0, fault.SignatureDoesNotMatch},
		"unknown key": {sign("execute-api", "AKIB", "s", "body", now), call.Enforce, "", 0, fault.InvalidClientTokenID},
		"old":         {sign("execute-api", "AKIA", "s", "body", now.Add(-time.Hour)), call.Enforce, "", 0, fault.RequestExpired},
		"nobody asks": {sign("execute-api", "AKIB", "x", "body", now), call.Off, "AKIB", policy.Root, 0},
		"in the query": {func(r *http.Request, s *sigv4.Request) {
			s.Query = "p=2&q=1&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20261101%2Fus-east-1%2Fexecute-api%2Faws4_request&X-Amz-Date=20261101T120000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
			_, signature, _ := strings.Cut(sigv4.Sign(s, sigv4.Credentials{AccessKey: "AKIA", Secret: "s"}, "us-east-1", "execute-api", sigv4.EmptyHash, []string{"host"}, now), "Signature=")
			r.URL.RawQuery = s.Query + "&X-Amz-Signature=" + signature
			r.RequestURI = r.URL.RequestURI()
			r.Body, r.ContentLength = http.NoBody, 0
		}, call.Enforce, "AKIA", policy.User, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := &door{}
			board := &call.Board{Gate: &call.Gate{Identities: oneKey{}, Mode: c.mode}, Clock: clock.NewFake(now), IDs: ids.From(rand.NewChaCha8([32]byte{}))}
			board.Plug(d)
			p := New(Config{Board: board, Account: "000000000000", Region: "us-east-1"})
			r := httptest.NewRequest("POST", "http://abc.execute-api.localhost:4566/prod/a%20b/x?q=1&p=2", bytes.NewReader([]byte("body")))
			s := (&exchange{p: p, r: r}).signed()
			c.prepare(r, s)
			p.ServeHTTP(httptest.NewRecorder(), r)
			if f := fault.As(d.err); c.code != 0 && (f == nil || f.Common != c.code) || c.code == 0 && d.err != nil {
				t.Fatalf("error: %v", d.err)
			}
			if d.id.AccessKey != c.key || d.id.Principal.Kind != c.kind {
				t.Errorf("identity: %+v", d.id)
			}
		})
	}
}
