// Package mapping reads the expressions with which an API puts values together:
// parameter mappings ("'*'", "context.requestId") and the texts of gateway
// responses, whose variables are replaced without any template engine.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-parameter-mapping.html
package mapping

import (
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
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
	"accountId", "apiId", "deploymentId", "domainName", "domainPrefix", "error.message", "error.messageString", "error.responseType",
	"extendedRequestId", "httpMethod", "identity.sourceIp", "identity.userAgent", "path", "protocol", "requestId", "requestTime",
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
	integration
)

// Value is a parsed expression.
type Value struct {
	from source
	name string // the text of a static value
}

var prefixes = []struct {
	prefix string
	from   source
}{
	{"context.", context}, {"stageVariables.", stage},
	{"method.request.header.", header}, {"method.request.querystring.", query}, {"method.request.path.", path},
	{"integration.response.", integration},
}

// Parse reads an expression of a parameter mapping.
func Parse(expr string) (Value, error) {
	if len(expr) >= 2 && expr[0] == '\'' && expr[len(expr)-1] == '\'' {
		return Value{static, expr[1 : len(expr)-1]}, nil
	}
	for _, p := range prefixes {
		if name, ok := strings.CutPrefix(expr, p.prefix); ok && name != "" {
			if p.from == context && !slices.Contains(ContextNames, name) && !strings.HasPrefix(name, "authorizer.") {
				return Value{}, problem.New("Tierra does not know the variable %s", expr)
			}
			return Value{p.from, name}, nil
		}
	}
	return Value{}, problem.New("Invalid mapping expression specified: %s", expr)
}

// OfIntegration reports whether the value is taken from an integration's response.
func (v Value) OfIntegration() bool { return v.from == integration }

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
	return ""
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
			known = known || p.from != integration && strings.HasPrefix(name, p.prefix)
		}
		switch {
		case !known:
			t = append(t, Value{static, s[:min(i+1, len(s))]})
			s = s[min(i+1, len(s)):]
		default:
			v, err := Parse(name)
			if err != nil {
				return nil, err
			}
			t = append(t, Value{static, s[:i]}, v)
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

// Constant checks that a mapping template has no reference and no directive, so
// that it renders as it stands: the only kind that this version has.
func Constant(template string) error {
	for i := 0; i+1 < len(template); i++ {
		next := template[i+1]
		letter := next >= 'a' && next <= 'z' || next >= 'A' && next <= 'Z'
		switch template[i] {
		case '$':
			if letter || next == '{' || next == '!' {
				return problem.New("there is the reference %.20q", template[i:])
			}
		case '#':
			if letter || strings.IndexByte("{#*@[", next) >= 0 {
				return problem.New("there is the directive or comment %.20q", template[i:])
			}
		}
	}
	return nil
}
