package apigateway

import (
	"context"
	"encoding/base64"
	"errors"
	"net/textproto"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// lambdaProxy hands requests to a function as they are.
type lambdaProxy struct {
	area
	function string
	template *proxy.Template
	timeout  time.Duration
	// The service invokes on behalf of one of the methods, or as the role if the
	// integration has credentials.
	methods []invoking
	role    *call.As
}

// invoking is an HTTP method on whose behalf a function is invoked.
type invoking struct{ verb, arn string }

// as says who invokes for a request; ok is false if its HTTP method is none that
// API Gateway has.
func (p *lambdaProxy) as(verb string) (_ call.As, ok bool) {
	if p.role != nil {
		return *p.role, true
	}
	for i := range p.methods {
		if m := &p.methods[i]; m.verb == verb {
			return call.AsService(servicePrincipal, m.arn, p.account, p.region), true
		}
	}
	return call.As{}, false
}

// until is a context that tells when it will be ended, by whichever clock that
// goes: a function that may take longer is not waited for by who calls it.
type until struct {
	context.Context
	at time.Time
}

// Deadline implements context.Context.
func (u until) Deadline() (time.Time, bool) { return u.at, true }

// errTimeout ends a call whose time is up.
var errTimeout = errors.New("the integration's time is up")

func (p *lambdaProxy) run(ctx context.Context, s *Service, x *exchange) *failure {
	event := p.template.Append(make([]byte, 0, p.template.Size(&x.rq)), &x.rq)
	out, failed := p.invoke(ctx, s, x, &lambda.InvocationRequest{FunctionName: &p.function, Payload: event})
	switch {
	case failed != nil:
		return failed
	case out.FunctionError != nil:
		x.note = functionError(out.Payload)
		return badResponse
	}
	return x.take(out.Payload)
}

// invoke invokes the function and gives it no more than the timeout.
func (p *lambdaProxy) invoke(ctx context.Context, s *Service, x *exchange, in *lambda.InvocationRequest) (*lambda.InvocationResponse, *failure) {
	as, ok := p.as(x.rq.Method)
	if !ok {
		return nil, noRoute
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := s.clock.AfterFunc(p.timeout, func() { cancel(errTimeout) })
	ctx = until{ctx, s.clock.Now().Add(p.timeout)}
	x.departs(s, departure{function: p.function, body: in.Payload})
	out, err := call.Do(ctx, s.caller, as.From(x.in), lambda.Invoke, in)
	stop()
	late := errors.Is(context.Cause(ctx), errTimeout)
	cancel(nil)
	switch {
	case err == nil:
		x.returns(s, int(opt.Or(out.StatusCode, 200)), nil, out.Payload)
		return out, nil
	}
	x.returns(s, 0, nil, nil)
	switch {
	case late:
		return nil, timedOut
	case fault.Is(err, "RequestTooLargeException"), fault.Is(err, "RequestEntityTooLargeException"):
		return nil, tooLarge
	}
	// The function is not there, may not be called, or cannot run: the caller
	// learns no more than AWS tells.
	x.note = err.Error()
	return nil, misconfigure
}

// take makes a function's response the answer.
func (x *exchange) take(payload []byte) *failure {
	r := &x.response
	if err := r.Parse(payload); err != nil {
		x.note = malformed
		return badResponse
	}
	x.status, x.body = r.Status, r.Body
	typed := false
	x.headers = append(x.headers[:0], proxy.Header{Name: "X-Amzn-Trace-Id", Value: x.header("X-Amzn-Trace-Id")})
	for _, h := range r.Headers {
		name := textproto.CanonicalMIMEHeaderKey(h.Name)
		switch name {
		case "Connection", "Content-Md5", "Date", "Max-Forwards", "Server", "User-Agent", "Via", "Www-Authenticate", "Authorization":
			name = "X-Amzn-Remapped-" + name
		case "Content-Length":
			name = "X-Amzn-Remapped-" + name
		case "Expect", "Host", "Proxy-Authenticate", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Keep-Alive":
			continue
		case "Content-Type":
			typed = true
		}
		x.headers = append(x.headers, proxy.Header{Name: name, Value: h.Value})
	}
	if !typed {
		x.headers = append(x.headers, proxy.Header{Name: "Content-Type", Value: "application/json"})
	}
	if r.Base64 && x.wantsBinary() {
		body, err := base64.StdEncoding.AppendDecode(x.buffer[:0], r.Body)
		if err != nil {
			return badResponse
		}
		x.buffer, x.body = body, body
	}
	return nil
}

// wantsBinary reports whether a body in base64 is decoded for the caller: if the
// first type that it accepts is among the API's binary types, or, when it names
// none, the type of the answer.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/lambda-proxy-binary-media.html
func (x *exchange) wantsBinary() bool {
	if accept := x.header("Accept"); accept != "" {
		return x.stage.binary.match(accept)
	}
	for _, h := range x.headers {
		if h.Name == "Content-Type" {
			return x.stage.binary.match(h.Value)
		}
	}
	return false
}
