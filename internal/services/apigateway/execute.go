package apigateway

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/mapping"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/route"
)

// MaxBody is the most that a request's body may hold, in bytes.
const MaxBody = 10 << 20

// exchange is one request on its way through a stage, and its answer. Its memory
// is used again.
type exchange struct {
	in     call.Incoming
	caller func(ctx context.Context, body []byte) (call.Identity, error) // as in call.Address
	stage  *liveStage
	end    *endpoint
	rq     proxy.Request
	failed *failure
	custom bool // it came by a custom domain name
	// verdict is what an authorizer said; note is why something failed, which only
	// logs and tests tell.
	verdict *verdict
	note    string
	notes   notes // for the journal

	// the answer
	status  int
	headers []proxy.Header
	body    []byte

	flow   flow // the rest of the body, if it is streamed
	poured int  // bytes of it that the caller has

	overrides mapping.Overrides // by templates
	answered  *result           // of a backend

	params   [8]route.Param
	extra    [5]proxy.Header
	response proxy.Response // its memory
	buffer   []byte
}

// reset makes the exchange forget the last request, keeping its memory.
func (x *exchange) reset() {
	*x = exchange{headers: x.headers[:0], response: x.response, buffer: x.buffer[:0]}
	if cap(x.response.Body) > keepBytes {
		x.response.Body = nil
	}
	if cap(x.buffer) > keepBytes {
		x.buffer = nil
	}
}

// keepBytes is how much memory an exchange keeps for its next request.
const keepBytes = 64 << 10

// failure is an answer of the gateway itself.
type failure struct {
	typ     string // of gateway response
	status  int
	code    string // X-Amzn-ErrorType
	message string
}

// The failures, with AWS's words.
var (
	forbidden     = &failure{"ACCESS_DENIED", 403, "ForbiddenException", "Forbidden"}
	noRoute       = &failure{"MISSING_AUTHENTICATION_TOKEN", 403, "MissingAuthenticationTokenException", "Missing Authentication Token"}
	tooLarge      = &failure{"REQUEST_TOO_LARGE", 413, "RequestTooLargeException", "Request Too Long"}
	tooSlow       = &failure{"DEFAULT_4XX", 408, "RequestTimeoutException", "Request Timeout"}
	unsupported   = &failure{"UNSUPPORTED_MEDIA_TYPE", 415, "UnsupportedMediaTypeException", "Unsupported Media Type"}
	misconfigure  = &failure{"API_CONFIGURATION_ERROR", 500, "InternalServerErrorException", "Internal server error"}
	badResponse   = &failure{"DEFAULT_5XX", 502, "InternalServerErrorException", "Internal server error"}
	timedOut      = &failure{"INTEGRATION_TIMEOUT", 504, "InternalServerErrorException", "Endpoint request timed out"}
	badParameters = &failure{"BAD_REQUEST_PARAMETERS", 400, "BadRequestException", "Invalid request"}
)

// misconfigured is an integration that cannot work, such as one whose stage
// variable is missing; AWS, too, answers that when it is called.
type misconfigured struct{}

func (misconfigured) run(context.Context, *Service, *exchange) *failure { return misconfigure }

// find finds the stage and the endpoint of a path "/<stage>/...". What it finds
// before it fails is in x.
func (s *Service) find(x *exchange, id, path string) *failure {
	a := s.live.find(id)
	if a == nil {
		return forbidden
	}
	path = strings.TrimPrefix(path, "/")
	name, rest := path, "/"
	if i := strings.IndexByte(path, '/'); i >= 0 {
		name, rest = path[:i], path[i:]
	}
	st := (*a.stages.Load())[name]
	if st == nil {
		return noRoute
	}
	if st.disabled && !x.custom {
		return forbidden
	}
	x.stage, x.rq.Path = s.choose(st), rest
	return x.route()
}

// route finds the endpoint in the exchange's stage.
func (x *exchange) route() *failure {
	end, params, ok := x.stage.routes.Match(x.rq.Method, x.rq.Path, x.params[:0])
	if !ok {
		return noRoute
	}
	x.end, x.rq.Params = end, params
	return nil
}

// carryOut runs the integration, or answers with what failed before.
func (s *Service) carryOut(ctx context.Context, x *exchange, failed *failure) {
	if failed == nil {
		if x.notes.log != nil {
			x.starts()
		}
		x.rq.Binary = len(x.rq.Body) > 0 && x.stage.binary.match(x.header("Content-Type"))
		if failed = x.validate(); failed == nil {
			failed = s.respond(ctx, x)
		}
	}
	if failed != nil {
		x.fail(failed)
	}
	if x.notes.log != nil {
		x.ends()
	}
}

// fail makes the answer a gateway response.
func (x *exchange) fail(f *failure) {
	x.failed = f
	x.status, x.headers = f.status, append(x.headers[:0], proxy.Header{Name: "x-amzn-ErrorType", Value: f.code})
	var g *gatewayResponse
	if x.stage != nil {
		if g = x.stage.responses[f.typ]; g == nil {
			g = x.stage.responses["DEFAULT_"+strconv.Itoa(f.status/100)+"XX"]
		}
	}
	if g == nil {
		x.headers = append(x.headers, proxy.Header{Name: "Content-Type", Value: "application/json"})
		key := `{"message":`
		if f.code == accessDenied {
			key = `{"Message":`
		}
		x.buffer = append(append(append(x.buffer[:0], key...), f.quoted()...), '}')
		x.body = x.buffer
		return
	}
	if g.status != 0 {
		x.status = g.status
	}
	x.headers = append(x.headers, proxy.Header{Name: "Content-Type", Value: g.typ})
	for _, h := range g.headers {
		if v := h.value.In(x); v != "" {
			x.headers = append(x.headers, proxy.Header{Name: h.name, Value: v})
		}
	}
	x.buffer = g.body.Append(x.buffer[:0], x)
	x.body = x.buffer
}

// quoted is the message as a JSON value.
func (f *failure) quoted() string {
	if f.message == "" {
		return "null"
	}
	return string(proxy.AppendString(nil, f.message))
}

// header returns the first value of a request header, whose name is canonical.
func (x *exchange) header(name string) string {
	for i := range x.rq.Extra {
		if x.rq.Extra[i].Name == name {
			return x.rq.Extra[i].Value
		}
	}
	if v := x.rq.Header[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// digits returns the first 32 hexadecimal digits of the request's id; one of
// another form is padded.
func (x *exchange) digits() (d [32]byte) {
	n := 0
	for i := 0; i < len(x.rq.ID) && n < len(d); i++ {
		if c := x.rq.ID[i]; c >= '0' && c <= '9' || c >= 'a' && c <= 'f' {
			d[n] = c
			n++
		}
	}
	for ; n < len(d); n++ {
		d[n] = '0'
	}
	return d
}

// identify gives the request its ids: those that the gateway makes follow from
// the request's id, which is random.
func (x *exchange) identify() {
	x.rq.ID = x.in.RequestID
	var raw [16]byte
	var text [16]byte
	digits := x.digits()
	_, _ = hex.Decode(raw[:], digits[:]) // they are digits
	base64.StdEncoding.Encode(text[:], raw[:11])
	x.rq.ExtendedID = string(text[:])
}

// trace returns the trace header that goes on: the caller's, or a new root.
func (x *exchange) trace() string {
	if x.in.TraceHeader != "" {
		return x.in.TraceHeader
	}
	const form = "Root=1-00000000-000000000000000000000000"
	var b [len(form)]byte
	copy(b[:], form)
	var epoch [4]byte
	binary.BigEndian.PutUint32(epoch[:], uint32(x.in.Time.Unix()))
	hex.Encode(b[len("Root=1-"):], epoch[:])
	digits := x.digits()
	copy(b[len("Root=1-00000000-"):], digits[:24])
	return string(b[:])
}

// Context implements mapping.Vars.
func (x *exchange) Context(name string) string {
	switch name {
	case "requestId":
		return x.rq.ID
	case "extendedRequestId":
		return x.rq.ExtendedID
	case "httpMethod":
		return x.rq.Method
	case "protocol":
		return x.rq.Protocol
	case "domainName":
		return x.rq.DomainName
	case "domainPrefix":
		return x.rq.DomainPrefix
	case "identity.sourceIp":
		return x.rq.SourceIP
	case "identity.userAgent":
		return x.rq.UserAgent
	case "identity.accessKey":
		return x.rq.Identity.AccessKey
	case "identity.accountId":
		return x.rq.Identity.Account
	case "identity.apiKey":
		return x.rq.Identity.APIKey
	case "identity.apiKeyId":
		return x.rq.Identity.APIKeyID
	case "identity.caller":
		return x.rq.Identity.Caller
	case "identity.user":
		return x.rq.Identity.User
	case "identity.clientCert.clientCertPem", "identity.clientCert.subjectDN", "identity.clientCert.issuerDN", "identity.clientCert.serialNumber",
		"identity.clientCert.validity.notBefore", "identity.clientCert.validity.notAfter":
		return x.rq.Identity.Certificate.Fact(name[len("identity.clientCert."):])
	case "identity.userArn":
		return x.rq.Identity.UserARN
	case "requestTime":
		return proxy.FormatTime(x.rq.Time)
	case "requestTimeEpoch":
		return strconv.FormatInt(x.rq.Time.UnixMilli(), 10)
	case "apiId":
		return x.stage.api
	case "accountId":
		return x.stage.account
	case "stage":
		return x.stage.name
	case "deploymentId":
		return x.stage.deployment
	case "isCanaryRequest":
		return x.stage.canaried
	case "path":
		if x.custom {
			return x.rq.Base + x.rq.Path
		}
		return "/" + x.stage.name + x.rq.Path
	}
	if n, ok := strings.CutPrefix(name, "authorizer."); ok {
		return x.authorizerContext(n)
	}
	if x.end != nil {
		switch name {
		case "resourceId":
			return x.end.resourceID
		case "resourcePath":
			return x.end.resource
		}
	}
	if x.failed != nil {
		switch name {
		case "error.message":
			return x.failed.message
		case "error.messageString":
			return x.failed.quoted()
		case "error.responseType":
			return x.failed.typ
		case "error.validationErrorString":
			if x.failed == badBody {
				return x.note
			}
		}
	}
	return ""
}

// Stage implements mapping.Vars.
func (x *exchange) Stage(name string) string { return x.stage.variables[name] }

// Header implements mapping.Vars.
func (x *exchange) Header(name string) string {
	for k := range x.rq.Header {
		if strings.EqualFold(k, name) {
			return x.header(k)
		}
	}
	return x.header(name)
}

// Query implements mapping.Vars.
func (x *exchange) Query(name string) string { return proxy.Query(x.rq.RawQuery, name) }

// Path implements mapping.Vars.
func (x *exchange) Path(name string) string {
	for _, p := range x.rq.Params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}
