// Package mapping reads the expressions with which an API puts values together:
// parameter mappings ("'*'", "context.requestId") and the texts of gateway
// responses, whose variables are replaced without any template engine.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-parameter-mapping.html
package mapping

import (
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/jsonpath"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/vtl"
)

// Vars is a request as expressions see it. What is not there is "".
type Vars interface {
	// Context returns a variable of $context that ContextNames has.
	Context(name string) string
	Stage(name string) string
	Header(name string) string
	Query(name string) string
	Path(name string) string
}

// ContextNames are the variables of $context that are known here, beside those
// below "authorizer.", whose names the authorizer gives.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
var ContextNames = []string{
	"accountId", "apiId", "deploymentId", "domainName", "domainPrefix", "error.message", "error.messageString", "error.responseType", "error.validationErrorString",
	"extendedRequestId", "httpMethod", "identity.accessKey", "identity.accountId", "identity.apiKey", "identity.apiKeyId", "identity.caller", "identity.sourceIp", "identity.user",
	"identity.userAgent", "identity.userArn", "isCanaryRequest", "path", "protocol", "requestId", "requestTime",
	"requestTimeEpoch", "resourceId", "resourcePath", "stage",
}

type source uint8

const (
	static source = iota
	context
	stage
	header
	query
	path
	body
	answerHeader
	answerBody
)

// Value is a parsed expression.
type Value struct {
	from source
	name string // the text of a static value
	path *jsonpath.Path
}

// Bodies are Vars that have payloads.
type Bodies interface {
	Vars
	// RequestBody and AnswerBody return the payloads of the request and of the
	// integration's answer.
	RequestBody() []byte
	AnswerBody() []byte
	// AnswerHeader returns a header of the integration's answer.
	AnswerHeader(name string) string
}

var prefixes = []struct {
	prefix string
	from   source
}{
	{"context.", context}, {"stageVariables.", stage},
	{"method.request.header.", header}, {"method.request.querystring.", query}, {"method.request.path.", path},
	{"method.request.multivalueheader.", header}, {"method.request.multivaluequerystring.", query}, {"method.request.body", body},
	{"integration.response.header.", answerHeader}, {"integration.response.multivalueheader.", answerHeader}, {"integration.response.body", answerBody},
}

// Parse reads an expression of a parameter mapping.
func Parse(expr string) (Value, error) {
	if len(expr) >= 2 && expr[0] == '\'' && expr[len(expr)-1] == '\'' {
		return Value{from: static, name: expr[1 : len(expr)-1]}, nil
	}
	for _, p := range prefixes {
		name, ok := strings.CutPrefix(expr, p.prefix)
		if ok && (p.from == body || p.from == answerBody) {
			v, err := parseBody(p.from, name)
			if err != nil {
				return Value{}, problem.New("Invalid mapping expression specified: %s", expr)
			}
			return v, nil
		}
		if ok && name != "" {
			if p.from == context && !slices.Contains(ContextNames, name) && !strings.HasPrefix(name, "authorizer.") {
				return Value{}, problem.New("Tierra does not know the variable %s", expr)
			}
			return Value{from: p.from, name: name}, nil
		}
	}
	return Value{}, problem.New("Invalid mapping expression specified: %s", expr)
}

// parseBody reads what follows "method.request.body": nothing, or a JSONPath.
func parseBody(from source, rest string) (Value, error) {
	v := Value{from: from}
	if rest == "" {
		return v, nil
	}
	text, ok := strings.CutPrefix(rest, ".")
	if !ok || text == "" {
		return v, problem.New("a path is missing")
	}
	var err error
	v.path, err = jsonpath.Parse(text)
	return v, err
}

// OfIntegration reports whether the value is taken from an integration's response.
func (v Value) OfIntegration() bool { return v.from >= answerHeader }

// Parameter returns the name under which a method declares the parameter that
// the value is taken from; "" if it is none.
func (v Value) Parameter() string {
	switch v.from {
	case header:
		return "header." + v.name
	case query:
		return "querystring." + v.name
	case path:
		return "path." + v.name
	}
	return ""
}

// In returns the value in a request.
func (v Value) In(vars Vars) string {
	switch v.from {
	case context:
		return vars.Context(v.name)
	case stage:
		return vars.Stage(v.name)
	case header:
		return vars.Header(v.name)
	case query:
		return vars.Query(v.name)
	case path:
		return vars.Path(v.name)
	case static:
		return v.name
	}
	b, ok := vars.(Bodies)
	if !ok {
		return ""
	}
	switch v.from {
	case body:
		return v.inside(b.RequestBody())
	case answerBody:
		return v.inside(b.AnswerBody())
	case answerHeader:
		return b.AnswerHeader(v.name)
	}
	return ""
}

// inside returns what the value's path leads to in a payload.
func (v Value) inside(payload []byte) string {
	if v.path == nil {
		return string(payload)
	}
	root, err := vtl.ParseJSON(payload)
	if err != nil {
		return ""
	}
	x, ok := v.path.Find(root)
	if !ok || x == nil {
		return ""
	}
	switch x.(type) {
	case *vtl.List, *vtl.Map:
		b, _ := vtl.AppendJSON(nil, x) // it is no longer than the payload
		return string(b)
	}
	return vtl.String(x)
}

// Text is a text with variables in it.
type Text []Value

// ParseText reads a text in which $context.NAME, $stageVariables.NAME and
// $method.request.PLACE.NAME stand for values. A dollar sign before anything
// else is itself.
func ParseText(s string) (Text, error) {
	var t Text
	for s != "" {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			i = len(s)
		}
		name := ""
		if i < len(s) {
			name = reference(s[i+1:])
		}
		known := false
		for _, p := range prefixes {
			known = known || p.from < answerHeader && strings.HasPrefix(name, p.prefix)
		}
		switch {
		case !known:
			t = append(t, Value{from: static, name: s[:min(i+1, len(s))]})
			s = s[min(i+1, len(s)):]
		default:
			v, err := Parse(name)
			if err != nil {
				return nil, err
			}
			t = append(t, Value{from: static, name: s[:i]}, v)
			s = s[i+1+len(name):]
		}
	}
	return t, nil
}

// reference returns the longest dotted name at the beginning of s.
func reference(s string) string {
	n := 0
	for n < len(s) && (s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z' || s[n] >= '0' && s[n] <= '9' || strings.IndexByte("._-", s[n]) >= 0) {
		n++
	}
	return strings.TrimRight(s[:n], ".-")
}

// Append appends the text with its values.
func (t Text) Append(dst []byte, vars Vars) []byte {
	for _, v := range t {
		dst = append(dst, v.In(vars)...)
	}
	return dst
}
