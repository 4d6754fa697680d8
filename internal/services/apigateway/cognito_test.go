package apigateway

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	gatewayjwt "github.com/tierra-cloud/tierra/internal/gateway/jwt"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
)

const pool = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Pool"

// issuing is an issuer of tokens, reached over itself.
type issuing struct {
	key *rsa.PrivateKey
	url string
}

// RoundTrip implements http.RoundTripper: it publishes the key.
func (x *issuing) RoundTrip(rq *http.Request) (*http.Response, error) {
	doc, err := json.Marshal(map[string]any{"keys": []any{map[string]any{"kty": "RSA", "kid": "k", "use": "sig",
		"n": base64.RawURLEncoding.EncodeToString(x.key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(x.key.E)).Bytes())}}})
	if rq.URL.String() != x.url+"/.well-known/jwks.json" {
		return &http.Response{StatusCode: 404, Body: http.NoBody}, nil
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(doc))}, err
}

func (x *issuing) token(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	tok := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	tok.Header["kid"] = "k"
	s, err := tok.SignedString(x.key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCognito(t *testing.T) {
	w := newWorld(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	x := &issuing{key: key, url: "https://issuer.test/us-east-1_Pool"}
	w.s.tokens = gatewayjwt.New(w.Clock, x)
	w.s.issuer = func(arn string) string {
		if arn == pool {
			return x.url
		}
		return ""
	}
	event, _ := w.records(`{"body":"in"}`)
	id := w.newAPI(t, "GET /me", "GET /scoped")
	a := calltest.Must(t, w.World, api.CreateAuthorizer, &api.CreateAuthorizerRequest{
		RestApiId: &id, Name: new("pool"), Type: new("COGNITO_USER_POOLS"), ProviderARNs: []string{pool}, IdentitySource: new("method.request.header.Authorization"),
		IdentityValidationExpression: new("client-[0-9]+"),
	})
	if *a.AuthType != "cognito_user_pools" || len(a.ProviderARNs) != 1 || a.AuthorizerUri != nil {
		t.Errorf("made %+v", a)
	}
	for _, path := range []string{"/me", "/scoped"} {
		rid := w.resource(t, id, path)
		ops := []api.PatchOperation{{Op: new("replace"), Path: new("/authorizationType"), Value: new("COGNITO_USER_POOLS")}, {Op: new("replace"), Path: new("/authorizerId"), Value: a.Id}}
		if path == "/scoped" {
			ops = append(ops, api.PatchOperation{Op: new("add"), Path: new("/authorizationScopes"), Value: new("shop/read")})
		}
		m := calltest.Must(t, w.World, api.UpdateMethod, &api.UpdateMethodRequest{RestApiId: &id, ResourceId: &rid, HttpMethod: new("GET"), PatchOperations: ops})
		if path == "/scoped" && strings.Join(m.AuthorizationScopes, " ") != "shop/read" {
			t.Errorf("scopes %v", m.AuthorizationScopes)
		}
	}
	w.deploy(t, id, "s")
	claims := func(change map[string]any) jwt.MapClaims {
		m := jwt.MapClaims{"iss": x.url, "sub": "ada", "token_use": "id", "aud": "client-1", "exp": w.Clock.Now().Add(time.Hour).Unix(), "iat": w.Clock.Now().Unix(),
			"email_verified": true, "cognito:groups": []string{"admin", "staff"}}
		for k, v := range change {
			m[k] = v
			if v == nil {
				delete(m, k)
			}
		}
		return m
	}
	access := map[string]any{"token_use": "access", "client_id": "client-2", "aud": nil, "scope": "openid shop/read"}
	const no = `{"message":"Unauthorized"}`
	for name, c := range map[string]struct {
		path, token string
		status      int
		body        string
	}{
		"identity token":            {"/me", x.token(t, claims(nil)), 200, "in"},
		"with Bearer":               {"/me", "Bearer " + x.token(t, claims(nil)), 200, "in"},
		"access token, no scopes":   {"/me", x.token(t, claims(access)), 401, no},
		"access token":              {"/scoped", x.token(t, claims(access)), 200, "in"},
		"identity token for scopes": {"/scoped", x.token(t, claims(nil)), 401, no},
		"without the scope":         {"/scoped", x.token(t, claims(map[string]any{"token_use": "access", "client_id": "client-2", "scope": "openid shop/write"})), 401, no},
		"another audience":          {"/me", x.token(t, claims(map[string]any{"aud": "other"})), 401, no},
		"another issuer":            {"/me", x.token(t, claims(map[string]any{"iss": "https://evil.test"})), 401, no},
		"expired":                   {"/me", x.token(t, claims(map[string]any{"exp": w.Clock.Now().Add(-time.Hour).Unix()})), 401, `{"message":"The incoming token has expired"}`},
		"no token":                  {"/me", "", 401, no},
		"text":                      {"/me", "hello", 401, no},
	} {
		if got := w.send("GET", id, "/s"+c.path, "", "Authorization", c.token); got.StatusCode != c.status || got.body != c.body {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
		}
	}
	w.send("GET", id, "/s/me", "", "Authorization", x.token(t, claims(nil)))
	var e struct {
		RequestContext struct {
			Authorizer struct{ Claims map[string]string }
		}
	}
	if err := json.Unmarshal(*event, &e); err != nil {
		t.Fatal(err)
	}
	got := e.RequestContext.Authorizer.Claims
	if got["sub"] != "ada" || got["cognito:groups"] != "admin,staff" || got["email_verified"] != "true" || got["iat"] != w.Clock.Now().UTC().Format("Mon Jan 02 15:04:05 UTC 2006") {
		t.Errorf("claims %v", got)
	}
	tested := calltest.Must(t, w.World, api.TestInvokeAuthorizer, &api.TestInvokeAuthorizerRequest{RestApiId: &id, AuthorizerId: a.Id, Headers: map[string]string{"Authorization": x.token(t, claims(nil))}})
	if *tested.ClientStatus != 200 || tested.Claims["sub"] != "ada" {
		t.Errorf("tested %d %v", *tested.ClientStatus, tested.Claims)
	}
	for want, in := range map[string]*api.CreateAuthorizerRequest{
		"knows no issuer":  {ProviderARNs: []string{strings.Replace(pool, "Pool", "Other", 1)}},
		"At least one":     {},
		"Invalid Cognito":  {ProviderARNs: []string{"arn:aws:iam::000000000000:role/x"}},
		"not supported":    {ProviderARNs: []string{pool}, AuthorizerUri: new(uri("f"))},
		"must be a single": {ProviderARNs: []string{pool}, IdentitySource: new("method.request.header.A,method.request.header.B")},
	} {
		in.RestApiId, in.Name, in.Type = &id, new("bad"), new("COGNITO_USER_POOLS")
		if in.IdentitySource == nil {
			in.IdentitySource = new("method.request.header.Authorization")
		}
		if _, err := calltest.Do(w.World, api.CreateAuthorizer, in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
