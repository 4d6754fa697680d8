package apigateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

// networkFailure is a backend that cannot be reached.
var networkFailure = &failure{"INTEGRATION_FAILURE", 504, "InternalServerErrorException", "Network error communicating with endpoint"}

// functionBackend invokes a function with what the templates made.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-custom-integrations.html
type functionBackend struct{ *lambdaProxy }

func (f functionBackend) send(ctx context.Context, s *Service, x *exchange, out *outgoing) (*result, *failure) {
	in := &lambda.InvocationRequest{FunctionName: &f.function, Payload: out.body}
	if len(out.body) == 0 {
		in.Payload = []byte("{}")
	}
	if how := out.header["X-Amz-Invocation-Type"]; how != "" {
		how = strings.Trim(how, "'")
		if how != lambda.InvocationTypeEvent && how != lambda.InvocationTypeRequestResponse {
			x.note = "the invocation type " + how + " is not known"
			return nil, misconfigure
		}
		in.InvocationType = &how
	}
	reply, failed := f.invoke(ctx, s, x, in)
	if failed != nil {
		return nil, failed
	}
	a := &result{body: reply.Payload, plain: true}
	if reply.FunctionError != nil {
		var told struct {
			ErrorMessage string `json:"errorMessage"`
		}
		if json.Unmarshal(reply.Payload, &told) == nil {
			a.selects, a.plain = told.ErrorMessage, false
		}
	}
	if opt.Val(in.InvocationType) == lambda.InvocationTypeEvent {
		a.body = nil
	}
	return a, nil
}

// actionBackend calls an action of another service as the integration's role.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/getting-started-aws-proxy.html
type actionBackend struct {
	service, action string
	path            address
	query           url.Values // of the URI
	method          string
	as              call.As
}

// action makes the backend of an action's or a path's URI; nil if that cannot
// be called.
func (ls *liveStage) action(i *definition.Integration) backend {
	a, ok := arn.Parse(i.Address(ls.variables))
	if !ok || i.Credentials == "" {
		return nil
	}
	b := actionBackend{service: a.Account, path: "/", method: i.HTTPMethod, as: call.AsRole(i.Credentials, "BackplaneAssumeRoleSession", servicePrincipal, a.Region)}
	query := ""
	kind, after, _ := strings.Cut(a.Resource, "/")
	if kind == "action" {
		b.action, query, _ = strings.Cut(after, "&")
	} else {
		path, q, _ := strings.Cut(after, "?")
		b.path, query = address("/"+path), q
	}
	var err error
	if b.query, err = url.ParseQuery(query); err != nil {
		return nil
	}
	return b
}

func (b actionBackend) send(ctx context.Context, s *Service, x *exchange, out *outgoing) (*result, *failure) {
	path, ok := b.path.fill(out.path)
	if !ok || s.wire == nil {
		x.note = "a path parameter of the integration's URI has no value"
		return nil, misconfigure
	}
	query := url.Values{}
	for k, v := range b.query {
		query[k] = v
	}
	for k, v := range out.query {
		query.Set(k, v)
	}
	rq := &call.WireRequest{
		Service: b.service, Action: b.action, Method: b.outgoingMethod(x), Path: path, Query: query.Encode(), Body: out.body, Header: map[string][]string{},
	}
	for k, v := range out.header {
		rq.Header[k] = []string{v}
	}
	if rq.Header["Content-Type"] == nil {
		if typ := x.header("Content-Type"); typ != "" && b.action == "" {
			rq.Header["Content-Type"] = []string{typ}
		}
	}
	x.departs(s, departure{uri: "https://" + b.service + "." + b.as.Region() + ".amazonaws.com" + path, header: rq.Header, body: rq.Body})
	reply, err := s.wire.Send(ctx, b.as.From(x.in), rq)
	if err != nil {
		x.returns(s, 0, nil, nil)
		x.note = err.Error()
		return nil, misconfigure
	}
	x.returns(s, reply.Status, reply.Header, reply.Body)
	return &result{header: reply.Header, body: reply.Body, selects: strconv.Itoa(reply.Status)}, nil
}

func (b actionBackend) outgoingMethod(x *exchange) string {
	if b.method == "ANY" {
		return x.rq.Method
	}
	return b.method
}

// httpBackend sends requests over the network. whole passes requests and answers
// on as they are.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html
type httpBackend struct {
	uri    address
	fixed  *url.URL // the URI if it has no parameters; nil if it has
	method string
	whole  bool
}

func newHTTPBackend(uri, method string, whole bool) httpBackend {
	b := httpBackend{uri: address(uri), method: method, whole: whole}
	if !strings.Contains(uri, "{") {
		b.fixed, _ = url.Parse(uri) // a request tells what is wrong with it
	}
	return b
}

// hopByHop reports whether a header concerns one connection.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// target forms the address of a request.
func (b httpBackend) target(x *exchange, out *outgoing) (*url.URL, error) {
	u := new(url.URL)
	if b.fixed != nil {
		*u = *b.fixed
	} else {
		filled, ok := b.uri.fill(out.path)
		if !ok {
			return nil, errors.New("a path parameter of the integration's URI has no value")
		}
		var err error
		if u, err = url.Parse(filled); err != nil {
			return nil, err
		}
	}
	if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the integration's URI is no address")
	}
	switch {
	case !b.whole || x.rq.RawQuery == "":
	case u.RawQuery == "":
		u.RawQuery = x.rq.RawQuery
	default:
		u.RawQuery += "&" + x.rq.RawQuery
	}
	if len(out.query) > 0 {
		q := u.Query()
		for k, v := range out.query {
			q.Set(k, v)
		}
		u.RawQuery = q.Encode()
	}
	return u, nil
}

// headers are those of a request: all of the caller's if b passes them on, and
// those that mappings make.
func (b httpBackend) headers(x *exchange, out *outgoing) map[string][]string {
	n := len(x.rq.Extra) + len(out.header) + 4
	h, values := make(map[string][]string, len(x.rq.Header)+n), make([]string, 0, n)
	set := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if b.whole {
		for k, v := range x.rq.Header {
			if !hopByHop(k) {
				h[k] = v
			}
		}
		for _, e := range x.rq.Extra {
			set(e.Name, e.Value)
		}
		for _, name := range []string{"Host", "Content-Length", "Expect"} {
			delete(h, name)
		}
		for _, v := range x.rq.Header["Connection"] {
			for name := range strings.SplitSeq(v, ",") {
				delete(h, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
			}
		}
	} else {
		typ := x.header("Content-Type")
		if typ == "" {
			typ = "application/json"
		}
		set("Content-Type", typ)
		set("User-Agent", "AmazonAPIGateway_"+x.stage.api)
		set("X-Amzn-Apigateway-Api-Id", x.stage.api)
		set("X-Amzn-Trace-Id", x.header("X-Amzn-Trace-Id"))
	}
	for k, v := range out.header {
		set(k, v)
	}
	return h
}

// kept reports whether a header of a backend's answer is the caller's business.
func kept(name string) bool { return name != "Content-Length" && !hopByHop(name) }
