package apigateway

import (
	"context"
	"net/textproto"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gateway/execlog"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/route"
)

func (s *Service) testBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.TestInvokeMethod, on(actionPost, func(in *api.TestInvokeMethodRequest) string {
			return onMethod(in.RestApiId, in.ResourceId, in.HttpMethod)
		}), s.testInvokeMethod),
	}
}

// testStage is the stage that functions' policies and events name in a test.
const testStage = "test-invoke-stage"

// testInvokeMethod carries a request out on the definition as it is, deployed or not.
func (s *Service) testInvokeMethod(ctx context.Context, rq *call.Authorized, in *api.TestInvokeMethodRequest) (*api.TestInvokeMethodResponse, error) {
	if err := checkVariables(in.StageVariables); err != nil {
		return nil, err
	}
	shown, err := s.identifyOnce(ctx, areaOf(rq), opt.Val(in.ClientCertificateId))
	if err != nil {
		return nil, err
	}
	defer shown.close()
	x, target := new(exchange), ""
	err = s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		r, m, err := findMethod(d, in.ResourceId, in.HttpMethod)
		if err != nil {
			return err
		}
		if m.Integration == nil {
			return noIntegration()
		}
		if *in.HttpMethod == route.Any {
			return api.BadRequestException("Invalid test invoke: name the HTTP method to test")
		}
		// Only this one method is there, so that no more specific one is tested.
		alone := *d
		alone.Resources = map[string]*definition.Resource{}
		for id, o := range d.Resources {
			alone.Resources[id] = &definition.Resource{ID: o.ID, Parent: o.Parent, Part: o.Part}
		}
		alone.Resources[r.ID].Methods = map[string]*definition.Method{*in.HttpMethod: m}
		x.stage, err = compile(areaOf(rq), *in.RestApiId, &stage{Name: testStage, Variables: in.StageVariables}, &alone)
		if err != nil {
			return faultOf(err)
		}
		x.stage.identity = shown
		target = opt.Or(in.PathWithQueryString, d.Path(r))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(opt.Val(in.Body)) > MaxBody {
		return nil, api.BadRequestException("Invalid test invoke: the body has more than %d bytes", MaxBody)
	}
	x.test(rq, *in.HttpMethod, target, in.Body, in.Headers, in.MultiValueHeaders)
	if failed := x.route(); failed != nil {
		return nil, api.BadRequestException("Invalid test invoke: the path %s is not that of the resource", x.rq.Path)
	}
	began := s.clock.Now()
	x.notes.on, x.notes.log = true, execlog.New(s.clock, execlog.Info, true, x.rq.ID)
	s.carryOut(ctx, x, nil)
	x.gather()
	ended := s.clock.Now()
	out := &api.TestInvokeMethodResponse{
		Status: new(int32(x.status)), Body: new(string(x.body)), Latency: new(ended.Sub(began).Milliseconds()),
		Headers: map[string]string{}, MultiValueHeaders: map[string][]string{}, Log: new(x.notes.log.String()),
	}
	for _, h := range x.headers {
		out.Headers[h.Name] = h.Value
		out.MultiValueHeaders[h.Name] = append(out.MultiValueHeaders[h.Name], h.Value)
	}
	return out, nil
}

// testInvokeAuthorizer asks an authorizer of the definition as it is.
func (s *Service) testInvokeAuthorizer(ctx context.Context, rq *call.Authorized, in *api.TestInvokeAuthorizerRequest) (*api.TestInvokeAuthorizerResponse, error) {
	if len(in.AdditionalContext) > 0 {
		return nil, refuse("additionalContext")
	}
	if err := checkVariables(in.StageVariables); err != nil {
		return nil, err
	}
	x := new(exchange)
	var a *authorizer
	err := s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		auth, err := findAuthorizer(d, in.AuthorizerId)
		if err != nil {
			return err
		}
		x.stage = &liveStage{area: areaOf(rq), api: *in.RestApiId, name: testStage, variables: in.StageVariables}
		root := d.Resources[d.Root]
		a, err = x.stage.compileAuthorizer(auth, x.stage.facts(root, "/", new(definition.Method)))
		return err
	})
	if err != nil {
		return nil, err
	}
	x.test(rq, "GET", opt.Or(in.PathWithQueryString, "/"), in.Body, in.Headers, in.MultiValueHeaders)
	began := s.clock.Now()
	l := execlog.New(s.clock, execlog.Info, true, x.rq.ID)
	l.Info("Starting authorizer: %s for request: %s", a.id, x.rq.ID)
	v, failed, err := s.ask(ctx, a, x)
	ended := s.clock.Now()
	out := &api.TestInvokeAuthorizerResponse{ClientStatus: new(int32(200)), Latency: new(ended.Sub(began).Milliseconds())}
	if err != nil {
		x.note = err.Error()
	}
	if failed != nil {
		out.ClientStatus = new(int32(failed.status))
		x.failed = failed
	} else if a.pools != nil {
		out.Claims = map[string]string{}
		for k, c := range v.context {
			out.Claims[strings.TrimPrefix(k, claimsPrefix)] = c
		}
	} else {
		out.PrincipalId, out.Policy, out.Authorization = &v.principal, &v.document, map[string][]string{}
		for k, c := range v.context {
			out.Authorization[k] = []string{c}
		}
	}
	out.Log = new(x.authorizerLog(l, v))
	return out, nil
}

// test makes the exchange a request that a test describes.
func (x *exchange) test(rq *call.Authorized, method, target string, body *string, headers map[string]string, multi map[string][]string) {
	path, query, _ := strings.Cut(target, "?")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	x.in = rq.Incoming()
	x.rq.Path, x.rq.RawQuery = path, query
	x.rq.Method, x.rq.Protocol, x.rq.Time, x.rq.Body = method, "HTTP/1.1", rq.Time(), []byte(opt.Val(body))
	x.rq.UserAgent, x.rq.SourceIP = rq.Incoming().UserAgent, testStage+"-source-ip"
	x.rq.DomainName, x.rq.DomainPrefix = "testPrefix.testDomainName", "testPrefix"
	x.rq.Header = map[string][]string{}
	for k, v := range headers {
		x.rq.Header[textproto.CanonicalMIMEHeaderKey(k)] = []string{v}
	}
	for k, v := range multi {
		x.rq.Header[textproto.CanonicalMIMEHeaderKey(k)] = v
	}
	x.identify()
	x.extra[0] = proxy.Header{Name: "X-Amzn-Trace-Id", Value: x.trace()}
	x.rq.Extra = x.extra[:1]
}

// authorizerLog tells how an authorizer was asked.
func (x *exchange) authorizerLog(l *execlog.Log, v *verdict) string {
	if v != nil {
		l.Info("Using valid authorizer policy for principal: %s", execlog.Mask(v.principal))
		l.Info("Successfully completed authorizer execution")
		return l.String()
	}
	if x.note != "" {
		l.Error("Execution failed: %s", x.note)
	}
	l.Error("%s", x.failed.code)
	return l.String()
}
