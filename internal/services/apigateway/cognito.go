package apigateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/gateway/jwt"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// Authorizers of user pools take the pools' tokens: identity tokens, or access
// tokens for methods that name scopes.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-integrate-with-cognito.html

var expired = &failure{"UNAUTHORIZED", 401, "UnauthorizedException", "The incoming token has expired"}

// asks reports whether methods of an authorization type have an authorizer.
func asks(authorization string) bool {
	return authorization == definition.CustomAuthorization || authorization == definition.CognitoAuthorization
}

// checkIssuers refuses user pools whose tokens nobody could verify.
func (s *Service) checkIssuers(a *definition.Authorizer) error {
	for _, p := range a.Providers {
		if s.issuer == nil || s.issuer(p) == "" {
			return api.BadRequestException("Tierra knows no issuer of the user pool %s. Start it with --issuer %s=URL, where URL/.well-known/jwks.json has the keys.", p, p)
		}
	}
	return nil
}

// claimsPrefix begins the names of claims in $context.authorizer.
const claimsPrefix = "claims."

// bearer verifies the token that a caller brought.
func (s *Service) bearer(ctx context.Context, a *authorizer, x *exchange) (*verdict, *failure, error) {
	token := x.source(a.sources[0])
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	if token == "" {
		return nil, unauthorized, nil
	}
	var claims map[string]any
	err := errors.New("the authorizer has no user pools")
	for _, pool := range a.pools {
		issuer := ""
		if s.issuer != nil {
			issuer = s.issuer(pool)
		}
		if issuer == "" {
			return nil, badAuthorizer, fmt.Errorf("nobody is known to issue the tokens of %s", pool)
		}
		if claims, err = s.tokens.Verify(ctx, token, issuer); err == nil {
			break
		}
	}
	var unreachable *jwt.UnreachableError
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return nil, expired, err
	case errors.As(err, &unreachable):
		return nil, authorizerFailed, err
	case err != nil:
		return nil, unauthorized, err
	}
	if err := a.accepts(claims); err != nil {
		return nil, unauthorized, err
	}
	v := &verdict{context: make(map[string]string, len(claims))}
	for k, c := range claims {
		v.context[claimsPrefix+k] = claimText(k, c)
	}
	v.principal = v.context["claims.sub"]
	return v, nil, nil
}

// accepts holds the claims of a sound token against what the method asks for.
func (a *authorizer) accepts(claims map[string]any) error {
	use, _ := claims["token_use"].(string)
	if len(a.scopes) == 0 {
		if use != "id" {
			return fmt.Errorf("token_use is %q, and a method without scopes takes identity tokens", use)
		}
	} else {
		if use != "access" {
			return fmt.Errorf("token_use is %q, and a method with scopes takes access tokens", use)
		}
		scope, _ := claims["scope"].(string)
		if !slices.ContainsFunc(strings.Fields(scope), func(has string) bool { return slices.Contains(a.scopes, has) }) {
			return errors.New("the token has none of the method's scopes")
		}
	}
	if a.validation == nil {
		return nil
	}
	audience, ok := claims["aud"].(string)
	if !ok {
		audience, _ = claims["client_id"].(string)
	}
	if !a.validation.MatchString(audience) {
		return errors.New("the token's audience does not match the validation expression")
	}
	return nil
}

// claimText is a claim as templates and events get it: a string. Times of issue
// and end are written out, lists joined with commas.
func claimText(name string, c any) string {
	switch c := c.(type) {
	case string:
		return c
	case bool:
		return strconv.FormatBool(c)
	case float64:
		if name == "exp" || name == "iat" {
			return time.Unix(int64(c), 0).UTC().Format("Mon Jan 02 15:04:05 UTC 2006")
		}
		return strconv.FormatFloat(c, 'f', -1, 64)
	case []any:
		var all []string
		for _, e := range c {
			all = append(all, claimText("", e))
		}
		return strings.Join(all, ",")
	case nil:
		return ""
	}
	b, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return string(b)
}

// claims is what events tell of a token.
func (v *verdict) claims() []byte {
	b, sep := []byte(`{"claims":`), byte('{')
	for _, k := range slices.Sorted(maps.Keys(v.context)) {
		b = append(proxy.AppendString(append(b, sep), strings.TrimPrefix(k, claimsPrefix)), ':')
		b, sep = proxy.AppendString(b, v.context[k]), ','
	}
	if sep == '{' {
		b = append(b, sep)
	}
	return append(b, "}}"...)
}

// listEdits are the edits of a list of strings at a path, one value a patch.
func listEdits(e edits, path string, list *[]string) {
	add := func(_, v string) error {
		for x := range strings.SplitSeq(v, ",") {
			if x != "" && !slices.Contains(*list, x) {
				*list = append(slices.Clip(*list), x)
			}
		}
		return nil
	}
	e["add "+path] = add
	e["remove "+path] = func(_, v string) error {
		if v == "" {
			*list = nil
		}
		*list = slices.DeleteFunc(slices.Clone(*list), func(x string) bool { return x == v })
		return nil
	}
	e["replace "+path] = func(_, v string) error {
		*list = nil
		return add("", v)
	}
}
