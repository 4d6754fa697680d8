package apigateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// Who may call a method is decided before anything else of it is looked at.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html

// actionInvoke is what callers of a method are allowed.
const actionInvoke = "execute-api:Invoke"

// The failures of authorization, with AWS's words.
var (
	unauthorized     = &failure{"UNAUTHORIZED", 401, "UnauthorizedException", "Unauthorized"}
	denied           = &failure{"ACCESS_DENIED", 403, accessDenied, "User is not authorized to access this resource"}
	deniedExplicitly = &failure{"ACCESS_DENIED", 403, accessDenied, "User is not authorized to access this resource with an explicit deny"}
	badAuthorizer    = &failure{"AUTHORIZER_CONFIGURATION_ERROR", 500, "AuthorizerConfigurationException", ""}
	authorizerFailed = &failure{"AUTHORIZER_FAILURE", 500, "AuthorizerFailureException", ""}
)

// authorizerTime is how long an authorizer may take.
const authorizerTime = 10 * time.Second

// accessDenied is the code of failures whose body says "Message".
const accessDenied = "AccessDeniedException"

// authorizer is an authorizer compiled for a method of a stage.
type authorizer struct {
	id         string
	token      bool
	function   string // "" if the URI names none with this stage's variables
	sources    []string
	validation *regexp.Regexp // of a token; nil lets all through
	ttl        time.Duration
	as         call.As
	template   *proxy.Template // of the event; nil for a token's
	pools      []string        // ARNs of user pools, whose tokens decide; nil asks the function
	scopes     []string        // one of which an access token has
}

// compileAuthorizer compiles an authorizer for what facts tell of a method.
func (ls *liveStage) compileAuthorizer(a *definition.Authorizer, facts proxy.Facts) (*authorizer, error) {
	c := &authorizer{id: a.ID, token: a.Type == definition.TokenAuthorizer, sources: a.Sources(), ttl: time.Duration(a.Seconds()) * time.Second}
	if a.Type == definition.CognitoAuthorizer {
		c.token, c.pools = true, a.Providers
	}
	c.function, _ = a.Function(ls.variables)
	if a.Validation != "" {
		var err error
		if c.validation, err = regexp.Compile(`^(?:` + a.Validation + `)$`); err != nil {
			return nil, fmt.Errorf("validation expression of the authorizer %s: %w", a.Name, err)
		}
	}
	c.as = call.AsService(servicePrincipal, ls.executeARN("authorizers/"+a.ID), ls.account, ls.region)
	if a.Credentials != "" {
		c.as = call.AsRole(a.Credentials, "BackplaneAssumeRoleSession", servicePrincipal, ls.region)
	}
	if !c.token {
		facts.Authorizer = true
		c.template = proxy.NewTemplate(facts)
	}
	return c, nil
}

// authorize asks who may call the endpoint that was found.
func (s *Service) authorize(ctx context.Context, x *exchange) *failure {
	a := x.end.authorizer
	own := x.ownPolicy()
	if own.Reason.Explicit() {
		return deniedExplicitly
	}
	began := s.clock.Now()
	v, failed, err := s.ask(ctx, a, x)
	if err != nil {
		x.note = err.Error()
	}
	if failed != nil {
		return failed
	}
	x.verdict = v
	if a.pools != nil {
		x.rq.Authorizer = v.claims()
		if x.stage.policy != nil && !own.Allowed {
			return denied
		}
		return nil
	}
	x.rq.Authorizer = v.object(s.clock.Now().Sub(began))
	d := x.evaluate(actionInvoke, policy.User, &policy.Sets{Identity: []*policy.Policy{v.policy}})
	switch {
	case d.Allowed, own.Allowed && !d.Reason.Explicit():
		return nil
	case d.Reason.Explicit():
		return deniedExplicitly
	}
	return denied
}

// ownPolicy asks the API's resource policy about a caller whom no signature names.
func (x *exchange) ownPolicy() policy.Decision {
	if x.stage.policy == nil {
		return policy.Decision{}
	}
	return x.evaluate(actionInvoke, policy.Anonymous, &policy.Sets{Resource: x.stage.policy})
}

// evaluate asks policies whether somebody may do something with the request.
func (x *exchange) evaluate(action string, kind policy.Kind, sets *policy.Sets) policy.Decision {
	rq := policy.Request{
		Action: action, Resource: x.methodARN(), ResourceAccount: x.stage.account, Context: policy.ContextFunc(x.conditionKey),
	}
	if rq.Principal.Kind = kind; kind != policy.Anonymous {
		rq.Principal.Account = x.stage.account
	}
	return policy.Evaluate(&rq, sets)
}

// methodARN is what the request asks for: the method and the path as called.
func (x *exchange) methodARN() string { return x.stage.methodARN(x.rq.Method, x.rq.Path) }

// conditionKey implements policy.Context for callers that no signature names.
func (x *exchange) conditionKey(name string) []string {
	v := ""
	switch name {
	case "aws:sourceip":
		if _, err := netip.ParseAddr(x.rq.SourceIP); err == nil {
			v = x.rq.SourceIP
		}
	case "aws:useragent":
		v = x.rq.UserAgent
	case "aws:referer":
		v = x.header("Referer")
	case "aws:currenttime":
		v = x.rq.Time.UTC().Format(time.RFC3339)
	case "aws:epochtime":
		v = strconv.FormatInt(x.rq.Time.Unix(), 10)
	case "aws:requestedregion":
		v = x.stage.region
	case "aws:securetransport":
		v = strconv.FormatBool(x.in.Secure())
	}
	if v == "" {
		return nil
	}
	return []string{v}
}

// ask returns what an authorizer says about the caller, as it said before if
// that may be kept. The error tells the reason of a failure to who tests.
func (s *Service) ask(ctx context.Context, a *authorizer, x *exchange) (*verdict, *failure, error) {
	if a.pools != nil {
		return s.bearer(ctx, a, x)
	}
	identity, ok := a.identity(x)
	if !ok {
		return nil, unauthorized, nil
	}
	key := verdictKey{x.stage.api, x.stage.name, x.stage.deployment, a.id, identity}
	keep := a.ttl > 0 && x.stage.deployment != ""
	if keep {
		if v, ok := s.verdicts.kept.GetIfPresent(key); ok {
			return v, nil, nil
		}
	}
	v, failed, err := s.run(ctx, a, x, identity)
	if failed == nil && keep {
		v.ttl = a.ttl
		s.verdicts.kept.Set(key, v)
	}
	return v, failed, err
}

// identity puts the identity sources together; ok is false if one is missing or
// the token is not of the right form.
func (a *authorizer) identity(x *exchange) (string, bool) {
	var values []string
	for _, source := range a.sources {
		v := x.source(source)
		if v == "" {
			return "", false
		}
		values = append(values, v)
	}
	if a.token {
		return values[0], a.validation == nil || a.validation.MatchString(values[0])
	}
	b, err := json.Marshal(values) // so that no two lists have the same text
	return string(b), err == nil
}

// source returns the value of an identity source.
func (x *exchange) source(name string) string {
	for _, p := range []struct {
		prefix string
		value  func(string) string
	}{
		{"method.request.header.", x.Header}, {"method.request.querystring.", x.Query}, {"stageVariables.", x.Stage}, {"context.", x.Context},
	} {
		if n, ok := strings.CutPrefix(name, p.prefix); ok {
			return p.value(n)
		}
	}
	return ""
}

// run calls an authorizer's function.
func (s *Service) run(ctx context.Context, a *authorizer, x *exchange, identity string) (*verdict, *failure, error) {
	if a.function == "" {
		return nil, badAuthorizer, errors.New("the authorizer's URI names no function")
	}
	var event []byte
	if a.token {
		event = proxy.AppendString([]byte(`{"type":"TOKEN","methodArn":`), x.methodARN())
		event = append(proxy.AppendString(append(event, `,"authorizationToken":`...), identity), '}')
	} else {
		event = a.template.AppendAuthorizer(nil, &x.rq, x.methodARN())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer s.clock.AfterFunc(authorizerTime, func() { cancel(errTimeout) })()
	ctx = until{ctx, s.clock.Now().Add(authorizerTime)}
	out, err := call.Do(ctx, s.caller, a.as.From(x.in), lambda.Invoke, &lambda.InvocationRequest{FunctionName: &a.function, Payload: event})
	switch {
	case errors.Is(context.Cause(ctx), errTimeout):
		return nil, authorizerFailed, errTimeout
	case err != nil:
		return nil, badAuthorizer, fmt.Errorf("invoke the authorizer's function: %w", err)
	case out.FunctionError != nil:
		var e struct {
			Message string `json:"errorMessage"`
		}
		if json.Unmarshal(out.Payload, &e) == nil && e.Message == "Unauthorized" {
			return nil, unauthorized, nil
		}
		return nil, authorizerFailed, fmt.Errorf("the authorizer's function failed: %s", out.Payload)
	}
	v, err := parseVerdict(out.Payload)
	if err != nil {
		return nil, badAuthorizer, err
	}
	return v, nil, nil
}

// authorizerContext returns a variable of $context.authorizer.
func (x *exchange) authorizerContext(name string) string {
	switch {
	case x.verdict == nil:
		return ""
	case name == "principalId":
		return x.verdict.principal
	}
	return x.verdict.context[name]
}

// AuthorizerNames returns the names of the variables of $context.authorizer, sorted.
func (x *exchange) AuthorizerNames() []string {
	if x.verdict == nil {
		return nil
	}
	names := slices.Sorted(maps.Keys(x.verdict.context))
	if x.verdict.principal != "" {
		names = append([]string{"principalId"}, names...)
	}
	return names
}
