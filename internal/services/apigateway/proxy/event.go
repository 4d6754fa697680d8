// Package proxy is the Lambda proxy integration's form of requests and
// responses: it writes the event (format 1.0) and reads what a function returns,
// without reflection and with few allocations, because every request passes here.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
package proxy

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/route"
)

// Header is one header line.
type Header struct{ Name, Value string }

// Request is what an event is made of.
type Request struct {
	Method string
	Path   string // escaped, without the stage
	// Base is what stands before Path at a custom domain name: the base path, with
	// a slash before it, or "". Custom says that it is one.
	Base     string
	Custom   bool
	RawQuery string
	Protocol string // "HTTP/1.1"
	Header   map[string][]string
	// Extra are headers that the gateway sets, instead of those of the same name
	// in Header.
	Extra      []Header
	Params     []route.Param
	Body       []byte
	Binary     bool // the body goes out in base64
	ID         string
	ExtendedID string
	// DomainName is where the caller reached the API, with a port if it needs one.
	DomainName, DomainPrefix string
	SourceIP, UserAgent      string
	Time                     time.Time
	// Authorizer is what an authorizer said, a JSON object; nil if none was asked.
	Authorizer []byte
	Identity   Identity
}

// Identity is who calls, as far as a signature or an API key told. What is not
// known is "".
type Identity struct {
	AccessKey, Account, Caller, User, UserARN, Organization string
	APIKey, APIKeyID                                        string
	Certificate                                             *Certificate // that a client showed; nil if none
}

// Facts are what all events of one method at one stage share.
type Facts struct {
	Account, API, Stage, Deployment string
	ResourceID, Resource, Operation string
	Variables                       map[string]string
	// Authorizer says that the events are for an authorizer, which gets empty
	// objects where a function gets null.
	Authorizer bool
}

// Template holds facts in encoded form.
type Template struct {
	resource  string // up to the path
	variables string // from the stage variables to the resource's path in the context
	stage     string
	middle    string // account, stage and what follows up to the next variable part
	tail      string // deployment and API
	none      string // what stands for no parameters
}

// NewTemplate encodes facts.
func NewTemplate(f Facts) *Template {
	t := &Template{stage: f.Stage, none: "null"}
	if f.Authorizer {
		t.none = "{}"
	}
	v := append(AppendString([]byte(`"resource":`), f.Resource), `,"path":`...)
	resource := len(v)
	v = append(v, `,"stageVariables":`...)
	if len(f.Variables) == 0 {
		v = append(v, t.none...)
	} else {
		sep := byte('{')
		for _, k := range slices.Sorted(maps.Keys(f.Variables)) {
			v = append(AppendString(append(v, sep), k), ':')
			v = AppendString(v, f.Variables[k])
			sep = ','
		}
		v = append(v, '}')
	}
	v = AppendString(append(v, `,"requestContext":{"resourceId":`...), f.ResourceID)
	v = AppendString(append(v, `,"resourcePath":`...), f.Resource)
	if f.Operation != "" {
		v = AppendString(append(v, `,"operationName":`...), f.Operation)
	}
	v = append(v, `,"httpMethod":`...)
	variables := len(v)
	v = AppendString(append(v, `,"accountId":`...), f.Account)
	v = append(AppendString(append(v, `,"stage":`...), f.Stage), `,"protocol":`...)
	middle := len(v)
	v = AppendString(append(v, `,"deploymentId":`...), f.Deployment)
	v = append(AppendString(append(v, `,"apiId":`...), f.API), '}')
	all := string(v) // in one piece: there may be very many templates
	t.resource, t.variables, t.middle, t.tail = all[:resource], all[resource:variables], all[variables:middle], all[middle:]
	return t
}

// Size is about how long an event becomes.
func (t *Template) Size(r *Request) int {
	n := 1400 + len(t.resource) + len(t.variables) + 4*len(r.RawQuery) + 3*len(r.Path) + len(r.Body) + len(r.Body)/8
	if r.Binary {
		n += len(r.Body) / 4
	}
	for k, v := range r.Header {
		for _, x := range v {
			n += 2 * (len(k) + len(x) + 8)
		}
	}
	return n
}

// Append appends the event of a request.
func (t *Template) Append(dst []byte, r *Request) []byte {
	dst = append(t.request(append(dst, '{'), r), `,"body":`...)
	switch {
	case len(r.Body) == 0:
		dst = append(dst, `null,"isBase64Encoded":false}`...)
	case r.Binary:
		dst = base64.StdEncoding.AppendEncode(append(dst, '"'), r.Body)
		dst = append(dst, `","isBase64Encoded":true}`...)
	default:
		dst = append(AppendString(dst, r.Body), `,"isBase64Encoded":false}`...)
	}
	return dst
}

// AppendAuthorizer appends the event that a REQUEST authorizer gets.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
func (t *Template) AppendAuthorizer(dst []byte, r *Request, method string) []byte {
	dst = AppendString(append(dst, `{"type":"REQUEST","methodArn":`...), method)
	return append(t.request(append(dst, ','), r), '}')
}

// request appends the members of an event up to the context.
func (t *Template) request(dst []byte, r *Request) []byte {
	dst = append(dst, t.resource...)
	if r.Base == "" {
		dst = AppendString(dst, r.Path)
	} else {
		dst = AppendString(dst, r.Base+r.Path)
	}
	dst = AppendString(append(dst, `,"httpMethod":`...), r.Method)
	dst = appendHeaders(dst, r)
	dst = appendParameters(dst, r.RawQuery, t.none)
	dst = append(dst, `,"pathParameters":`...)
	if len(r.Params) == 0 {
		dst = append(dst, t.none...)
	} else {
		sep := byte('{')
		for _, p := range r.Params {
			dst = append(AppendString(append(dst, sep), p.Name), ':')
			dst = AppendString(dst, p.Value)
			sep = ','
		}
		dst = append(dst, '}')
	}
	dst = append(dst, t.variables...)
	dst = AppendString(dst, r.Method)
	dst = AppendString(append(dst, `,"extendedRequestId":`...), r.ExtendedID)
	dst = append(dst, `,"requestTime":"`...)
	dst = r.Time.UTC().AppendFormat(dst, requestTime)
	dst = append(dst, `","path":"`...)
	if r.Custom {
		dst = appendEscaped(dst, r.Base)
	} else {
		dst = appendEscaped(append(dst, '/'), t.stage)
	}
	dst = appendEscaped(dst, r.Path)
	dst = append(append(dst, '"'), t.middle...)
	dst = AppendString(dst, r.Protocol)
	dst = AppendString(append(dst, `,"domainPrefix":`...), r.DomainPrefix)
	dst = strconv.AppendInt(append(dst, `,"requestTimeEpoch":`...), r.Time.UnixMilli(), 10)
	dst = AppendString(append(dst, `,"requestId":`...), r.ID)
	if r.Authorizer != nil {
		dst = append(append(dst, `,"authorizer":`...), r.Authorizer...)
	}
	dst = appendIdentity(dst, r)
	return append(AppendString(append(dst, `,"domainName":`...), r.DomainName), t.tail...)
}

func appendIdentity(dst []byte, r *Request) []byte {
	i := &r.Identity
	dst = appendOr(append(dst, `,"identity":{"cognitoIdentityPoolId":null,"accountId":`...), i.Account)
	dst = appendOr(append(dst, `,"cognitoIdentityId":null,"caller":`...), i.Caller)
	dst = AppendString(append(dst, `,"sourceIp":`...), r.SourceIP)
	dst = appendOr(append(dst, `,"principalOrgId":`...), i.Organization)
	dst = appendOr(append(dst, `,"accessKey":`...), i.AccessKey)
	dst = appendOr(append(dst, `,"cognitoAuthenticationType":null,"cognitoAuthenticationProvider":null,"userArn":`...), i.UserARN)
	if i.APIKey != "" {
		dst = AppendString(append(dst, `,"apiKey":`...), i.APIKey)
		dst = AppendString(append(dst, `,"apiKeyId":`...), i.APIKeyID)
	}
	if c := i.Certificate; c != nil {
		dst = c.append(append(dst, `,"clientCert":`...))
	}
	dst = appendOr(append(dst, `,"userAgent":`...), r.UserAgent)
	return append(appendOr(append(dst, `,"user":`...), i.User), '}')
}

// appendOr appends a string, or null for none.
func appendOr(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return AppendString(dst, s)
}

// requestTime is the Common Log Format's form of time.
const requestTime = "02/Jan/2006:15:04:05 -0700"

// FormatTime returns a time as $context.requestTime has it.
func FormatTime(t time.Time) string { return t.UTC().Format(requestTime) }

// dropped tells the headers that concern the connection, or that the gateway
// makes itself.
func dropped(r *Request, name string) bool {
	switch name {
	case "Connection", "Content-Length", "Expect", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	for i := range r.Extra {
		if r.Extra[i].Name == name {
			return true
		}
	}
	return false
}

func appendHeaders(dst []byte, r *Request) []byte {
	dst = append(dst, `,"headers":{`...)
	n := 0
	for i := range r.Extra {
		dst = appendKey(dst, &n, r.Extra[i].Name)
		dst = AppendString(dst, r.Extra[i].Value)
	}
	for k, v := range r.Header {
		if len(v) > 0 && !dropped(r, k) {
			dst = appendKey(dst, &n, k)
			dst = AppendString(dst, v[len(v)-1])
		}
	}
	dst = append(dst, `},"multiValueHeaders":{`...)
	n = 0
	for i := range r.Extra {
		dst = appendKey(dst, &n, r.Extra[i].Name)
		dst = append(AppendString(append(dst, '['), r.Extra[i].Value), ']')
	}
	for k, v := range r.Header {
		if len(v) == 0 || dropped(r, k) {
			continue
		}
		dst = append(appendKey(dst, &n, k), '[')
		for i, x := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendString(dst, x)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func appendKey(dst []byte, n *int, key string) []byte {
	if *n > 0 {
		dst = append(dst, ',')
	}
	*n++
	return append(AppendString(dst, key), ':')
}
