package apigateway

import (
	"context"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// IAM decides about methods of the type AWS_IAM, and an API's resource policy
// about all of them, together with what an authorizer says.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html

// setPolicy returns a resource policy as it is kept: short resources
// ("execute-api:/stage/GET/pets") written out.
func setPolicy(a area, id, text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", nil
	}
	long := `"` + (&liveStage{area: a, api: id}).executeARN("")
	text = strings.NewReplacer(`"execute-api:/`, long, `"execute-api:\/`, long).Replace(text)
	p, err := policy.Parse([]byte(text))
	if err == nil {
		err = policy.ValidateResource(p)
	}
	if err != nil {
		return "", api.BadRequestException("Invalid policy document. Please check the policy syntax and ensure that Principals are valid. %s", err)
	}
	return text, nil
}

// need is what the caller of the request must be allowed.
func (x *exchange) need() call.Need {
	n := call.Need{Action: actionInvoke, Resource: x.methodARN(), Owner: x.stage.account, Policy: x.stage.policy}
	if r := x.header("Referer"); r != "" {
		n.Keys = map[string][]string{"aws:referer": {r}}
	}
	return n
}

// admit decides whether the request may go on.
func (s *Service) admit(ctx context.Context, x *exchange) *failure {
	switch {
	case x.end.authorizer != nil:
		return s.authorize(ctx, x)
	case x.end.signed:
		return s.identity(ctx, x)
	case x.stage.policy != nil:
		return x.refusal(s.gate.Ask(ctx, x.in, call.Identity{Principal: policy.Principal{Kind: policy.Anonymous}}, x.need()))
	}
	return nil
}

// identity finds out who signed the request, and asks IAM.
func (s *Service) identity(ctx context.Context, x *exchange) *failure {
	if x.caller == nil {
		return missingToken
	}
	id, err := x.caller(ctx, x.rq.Body)
	if err != nil {
		return badSignature(err)
	}
	p := id.Principal
	if p.Kind == policy.Anonymous {
		return missingToken
	}
	x.rq.Identity = proxy.Identity{AccessKey: id.AccessKey, Account: p.Account, Caller: p.UserID, User: p.UserID, UserARN: p.ARN}
	return x.refusal(s.gate.Ask(ctx, x.in, id, x.need()))
}

var missingToken = &failure{"MISSING_AUTHENTICATION_TOKEN", 403, "MissingAuthenticationTokenException", "Missing Authentication Token"}

// badSignature is the failure of a caller whose signature is not valid.
func badSignature(err error) *failure {
	f := fault.As(err)
	if f == nil {
		return misconfigure
	}
	code, _ := f.Spell(fault.Rest)
	typ := "INVALID_SIGNATURE"
	switch f.Common {
	case fault.ExpiredToken:
		typ = "EXPIRED_TOKEN"
	case fault.MissingAuthenticationToken:
		return missingToken
	}
	return &failure{typ, 403, code, f.Message}
}

// refusal is the failure of a caller who may not, with the account of the API
// hidden as AWS hides it.
func (x *exchange) refusal(err error) *failure {
	f := fault.As(err)
	switch {
	case err == nil:
		return nil
	case f == nil || f.Common != fault.AccessDenied:
		x.note = err.Error()
		return misconfigure
	}
	a := x.stage.account
	hidden := strings.Repeat("*", max(len(a)-4, 0)) + a[max(len(a)-4, 0):]
	arn := x.methodARN()
	return &failure{"ACCESS_DENIED", 403, accessDenied, strings.Replace(f.Message, arn, strings.Replace(arn, ":"+a+":", ":"+hidden+":", 1), 1)}
}
