package definition

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// Authorization types of a method that act here.
const (
	NoAuthorization     = "NONE"
	IAMAuthorization    = "AWS_IAM"
	CustomAuthorization = "CUSTOM"
	// CognitoAuthorization takes the tokens of user pools.
	CognitoAuthorization = "COGNITO_USER_POOLS"
)

// Kinds of authorizer that act here.
const (
	TokenAuthorizer   = "TOKEN"
	RequestAuthorizer = "REQUEST"
	CognitoAuthorizer = "COGNITO_USER_POOLS"
)

// Authorizer is a function that decides who may call methods, or user pools whose
// tokens do.
// https://docs.aws.amazon.com/apigateway/latest/api/API_Authorizer.html
type Authorizer struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Type     string `json:"type"`
	AuthType string `json:"authType,omitempty"` // what an OpenAPI document called it
	URI      string `json:"uri"`
	// Providers are the ARNs of user pools.
	Providers []string `json:"providers,omitempty"`
	// Credentials is the role that invokes the function; "" leaves it to the
	// function's policy.
	Credentials string `json:"credentials,omitempty"`
	// Identity are the identity sources as they were given, separated by commas:
	// "method.request.header.Authorization".
	Identity string `json:"identity,omitempty"`
	// Validation is what a token must match; "" lets all through.
	Validation string `json:"validation,omitempty"`
	// TTL is for how many seconds an answer is kept; nil means DefaultAuthorizerTTL.
	TTL *int32 `json:"ttl,omitempty"`
}

// Seconds for which the answer of an authorizer may be kept.
const (
	DefaultAuthorizerTTL = 300
	maxAuthorizerTTL     = 3600
)

// Seconds returns for how long an answer is kept.
func (a *Authorizer) Seconds() int32 {
	if a.TTL == nil {
		return DefaultAuthorizerTTL
	}
	return *a.TTL
}

// Sources returns the identity sources one by one.
func (a *Authorizer) Sources() []string {
	var all []string
	for _, s := range strings.Split(a.Identity, ",") {
		if s = strings.TrimSpace(s); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// Function returns the function that the authorizer's URI names, with stage
// variables put in; ok is false if that is not the ARN of a function.
func (a *Authorizer) Function(variables map[string]string) (string, bool) {
	return (&Integration{URI: a.URI}).Function(variables)
}

// sourcePrefixes begin the identity sources that a REQUEST authorizer may have.
var sourcePrefixes = []string{"method.request.header.", "method.request.querystring.", "stageVariables.", "context."}

// Check checks an authorizer as far as it does not depend on the others.
func (a *Authorizer) Check() error {
	if a.Name == "" {
		return problem.New("Authorizer name cannot be empty")
	}
	switch a.Type {
	case TokenAuthorizer, RequestAuthorizer:
		if len(a.Providers) > 0 {
			return problem.New("providerARNs are only supported for COGNITO_USER_POOLS authorizers")
		}
	case CognitoAuthorizer:
		return a.checkPools()
	default:
		return problem.New("Invalid authorizer type specified: %s", a.Type)
	}
	if err := (&Integration{URI: a.URI, HTTPMethod: "POST"}).checkURI(); err != nil {
		return problem.New("Invalid Authorizer URI: %s. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation.", a.URI)
	}
	if c := a.Credentials; c != "" {
		x, ok := arn.Parse(c)
		if !ok {
			return problem.New("Invalid ARN specified in the request")
		}
		if x.Service != "iam" || !strings.HasPrefix(x.Resource, "role/") {
			return problem.Unsupported("the authorizer credentials " + c)
		}
	}
	if a.TTL != nil && (*a.TTL < 0 || *a.TTL > maxAuthorizerTTL) {
		return problem.New("Invalid value for authorizerResultTtlInSeconds: %d. Must be between 0 and %d", *a.TTL, maxAuthorizerTTL)
	}
	if _, err := regexp.Compile(a.Validation); err != nil {
		return problem.New("Invalid identity validation expression specified: %s", a.Validation)
	}
	return a.checkSources()
}

// checkPools checks an authorizer of user pools.
func (a *Authorizer) checkPools() error {
	if a.URI != "" || a.Credentials != "" {
		return problem.New("An authorizer URI and credentials are not supported for COGNITO_USER_POOLS authorizers")
	}
	if len(a.Providers) == 0 {
		return problem.New("At least one provider ARN is required for COGNITO_USER_POOLS authorizers")
	}
	for _, p := range a.Providers {
		if x, ok := arn.Parse(p); !ok || x.Service != "cognito-idp" || !strings.HasPrefix(x.Resource, "userpool/") {
			return problem.New("Invalid Cognito User Pool ARN: %s", p)
		}
	}
	if _, err := regexp.Compile(a.Validation); err != nil {
		return problem.New("Invalid identity validation expression specified: %s", a.Validation)
	}
	return a.checkSources()
}

func (a *Authorizer) checkSources() error {
	sources := a.Sources()
	if a.Type == TokenAuthorizer || a.Type == CognitoAuthorizer {
		if len(sources) != 1 {
			return problem.New("Identity source for %s authorizers must be a single request header: method.request.header.{name}", a.Type)
		}
		if name, ok := strings.CutPrefix(sources[0], sourcePrefixes[0]); !ok || name == "" {
			return invalidSource(sources[0])
		}
		return nil
	}
	if a.Validation != "" {
		return problem.New("Identity validation expression is only supported for TOKEN authorizers")
	}
	if len(sources) == 0 && a.Seconds() > 0 {
		return problem.New("Identity source is required for REQUEST authorizers when caching is enabled")
	}
	for _, s := range sources {
		if !slices.ContainsFunc(sourcePrefixes, func(p string) bool { return strings.HasPrefix(s, p) && len(s) > len(p) }) {
			return invalidSource(s)
		}
	}
	return nil
}

func invalidSource(s string) error {
	return problem.New("Invalid identity source specified: %s", s)
}

// AuthorizerNamed returns the authorizer with a name, or nil.
func (a *API) AuthorizerNamed(name string) *Authorizer {
	for _, x := range a.Authorizers {
		if x.Name == name {
			return x
		}
	}
	return nil
}

// CheckAuthorization checks that what decides about a method exists.
func (a *API) CheckAuthorization(m *Method) error {
	switch m.Authorization {
	case CustomAuthorization, CognitoAuthorization:
		if x := a.Authorizers[m.Authorizer]; x == nil || (x.Type == CognitoAuthorizer) != (m.Authorization == CognitoAuthorization) {
			return problem.New("Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.")
		}
	case NoAuthorization, IAMAuthorization:
	default:
		return problem.New("Invalid authorization type specified. Authorization type should be one of: NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS")
	}
	return nil
}
