package mapping

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/jsonpath"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/vtl"
)

// Source is what a mapping template sees: $input, $context, $stageVariables and
// $util.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
type Source struct {
	Vars Vars
	// Body is the payload that $input stands for.
	Body []byte
	// Params returns the request's parameters of a place: "path", "querystring"
	// or "header".
	Params func(place string) *vtl.Map
	// Stage are the stage's variables.
	Stage map[string]string
	// Overrides are what templates set; they outlive the template.
	Overrides *Overrides

	json   any // the body, read
	read   bool
	params *vtl.Map
}

// Overrides are $context.requestOverride and $context.responseOverride: what a
// template asks to be sent other than the mappings say.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-override-request-response-parameters.html
type Overrides struct{ Request, Response *vtl.Map }

func (o *Overrides) property(name string) *vtl.Map {
	fresh := func(m **vtl.Map, places ...string) *vtl.Map {
		if *m == nil {
			*m = vtl.NewMap()
			for _, p := range places {
				(*m).Put(p, vtl.NewMap())
			}
		}
		return *m
	}
	if name == "requestOverride" {
		return fresh(&o.Request, "header", "querystring", "path")
	}
	return fresh(&o.Response, "header")
}

// Lookup implements vtl.Scope.
func (s *Source) Lookup(name string) (any, bool) {
	switch name {
	case "input":
		return input{s}, true
	case "context":
		return contextObject{s, ""}, true
	case "stageVariables":
		m := vtl.NewMap()
		for _, k := range sortedKeys(s.Stage) {
			m.Put(k, s.Stage[k])
		}
		return m, true
	case "util":
		return util{}, true
	}
	return nil, false
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// sealed is an object whose properties cannot be set.
type sealed struct{}

// Set implements vtl.Object.
func (sealed) Set(string, any) bool { return false }

// document returns the payload as JSON; an empty one is an empty object.
func (s *Source) document() (any, error) {
	if s.read {
		return s.json, nil
	}
	if len(s.Body) == 0 {
		s.json = vtl.NewMap()
	} else {
		v, err := vtl.ParseDocument(s.Body)
		if err != nil {
			return nil, errors.Join(errors.New("the payload is not JSON"), err)
		}
		s.json = v
	}
	s.read = true
	return s.json, nil
}

type input struct{ s *Source }

// Set implements vtl.Object.
func (input) Set(string, any) bool { return false }

// Property implements vtl.Object.
func (i input) Property(name string) any {
	switch name {
	case "body":
		if len(i.s.Body) == 0 {
			return "{}"
		}
		return string(i.s.Body)
	case "params":
		return i.s.parameters()
	}
	return nil
}

// Call implements vtl.Object.
func (i input) Call(name string, args []any) (any, bool, error) {
	if name == "params" && len(args) == 0 {
		return i.s.parameters(), true, nil
	}
	if len(args) != 1 {
		return nil, false, nil
	}
	arg, ok := args[0].(string)
	if !ok {
		return nil, false, nil
	}
	switch name {
	case "params":
		return i.s.param(arg), true, nil
	case "path", "json":
		p, err := jsonpath.Parse(arg)
		if err != nil {
			return nil, true, err
		}
		root, err := i.s.document()
		if err != nil {
			return nil, true, err
		}
		v, found := p.Find(root)
		switch {
		case name == "path":
			return v, true, nil
		case !found:
			return `""`, true, nil
		}
		b, err := vtl.AppendJSON(nil, v)
		return string(b), true, err
	}
	return nil, false, nil
}

var places = []string{"path", "querystring", "header"}

func (s *Source) parameters() *vtl.Map {
	if s.params == nil {
		s.params = vtl.NewMap()
		for _, p := range places {
			s.params.Put(p, s.Params(p))
		}
	}
	return s.params
}

// param finds a parameter in path, query and headers, in that order.
func (s *Source) param(name string) any {
	for _, v := range []string{s.Vars.Path(name), s.Vars.Query(name), s.Vars.Header(name)} {
		if v != "" {
			return v
		}
	}
	return nil
}

// contextObject is $context, or an object in it: prefix is "identity.", say.
type contextObject struct {
	s      *Source
	prefix string
}

// contextObjects are the objects in $context.
var contextObjects = []string{"identity", "identity.clientCert", "identity.clientCert.validity", "authorizer", "authorizer.claims", "error"}

// Property implements vtl.Object.
func (c contextObject) Property(name string) any {
	full := c.prefix + name
	switch {
	case full == "requestOverride", full == "responseOverride":
		return c.s.Overrides.property(full)
	case slices.Contains(contextObjects, full):
		return contextMap{contextObject{c.s, full + "."}}
	}
	if v := c.s.Vars.Context(full); v != "" {
		return v
	}
	return nil
}

// Call implements vtl.Object.
func (c contextObject) Call(name string, args []any) (any, bool, error) {
	if name == "get" && len(args) == 1 {
		return c.Property(vtl.String(args[0])), true, nil
	}
	return nil, false, nil
}

// Set implements vtl.Object.
func (c contextObject) Set(name string, v any) bool {
	m, ok := v.(*vtl.Map)
	if !ok || c.prefix != "" {
		return false
	}
	switch name {
	case "requestOverride":
		c.s.Overrides.Request = m
	case "responseOverride":
		c.s.Overrides.Response = m
	default:
		return false
	}
	return true
}

// contextMap is an object in $context, which has a map's methods as well.
type contextMap struct{ contextObject }

// identityNames are the entries of $context.identity when a template goes over them.
var identityNames = []string{
	"cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller", "apiKey", "sourceIp", "accessKey", "cognitoAuthenticationType",
	"cognitoAuthenticationProvider", "userArn", "userAgent", "user",
}

// Authorized are Vars that know which variables of $context.authorizer there are.
type Authorized interface{ AuthorizerNames() []string }

// Map implements vtl.Mapped.
func (c contextMap) Map() *vtl.Map {
	m := vtl.NewMap()
	if c.prefix == "identity." {
		for _, n := range identityNames {
			m.Put(n, c.s.Vars.Context(c.prefix+n))
		}
	}
	inner, ok := strings.CutPrefix(c.prefix, "authorizer.")
	if a, known := c.s.Vars.(Authorized); ok && known {
		for _, n := range a.AuthorizerNames() {
			if key, ok := strings.CutPrefix(n, inner); ok && (inner != "" || !strings.HasPrefix(n, "claims.")) {
				m.Put(key, c.s.Vars.Context("authorizer."+n))
			}
		}
	}
	return m
}

type util struct{ sealed }

// Property implements vtl.Object.
func (util) Property(string) any { return nil }

// Call implements vtl.Object.
func (util) Call(name string, args []any) (any, bool, error) {
	if len(args) != 1 {
		return nil, false, nil
	}
	s, err := vtl.Text(args[0])
	if err != nil {
		return nil, true, err
	}
	switch name {
	case "escapeJavaScript":
		return escapeJavaScript(s), true, nil
	case "parseJson":
		v, err := vtl.ParseJSON([]byte(s))
		return v, true, err
	case "urlEncode":
		return urlEncode(s), true, nil
	case "urlDecode":
		d, err := url.QueryUnescape(s)
		return d, true, err
	case "base64Encode":
		return base64.StdEncoding.EncodeToString([]byte(s)), true, nil
	case "base64Decode":
		b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "=\r\n")) // Java needs no padding
		return string(b), true, err
	}
	return nil, false, nil
}

// urlEncode is Java's URLEncoder, which leaves an asterisk and takes no tilde.
func urlEncode(s string) string {
	return strings.NewReplacer("%2A", "*", "~", "%7E").Replace(url.QueryEscape(s))
}

// escapeJavaScript escapes what a string of JavaScript cannot hold as it is.
func escapeJavaScript(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+16)
	unit := func(u uint16) {
		b = append(b, '\\', 'u', hex[u>>12], hex[u>>8&15], hex[u>>4&15], hex[u&15])
	}
	for _, c := range s {
		switch c {
		case '\'', '"', '\\', '/':
			b = append(b, '\\', byte(c))
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			switch {
			case c >= ' ' && c <= 0x7f:
				b = append(b, byte(c))
			case c > 0xffff:
				c -= 0x10000
				unit(uint16(0xd800 + c>>10))
				unit(uint16(0xdc00 + c&0x3ff))
			case c == utf8.RuneError:
				unit(0xfffd)
			default:
				unit(uint16(c))
			}
		}
	}
	return string(b)
}

// Strings returns the entries of an override's map as texts; nil is none.
func Strings(m *vtl.Map, place string) map[string]string {
	if m == nil {
		return nil
	}
	v, _ := m.Get(place)
	in, ok := v.(*vtl.Map)
	if !ok {
		return nil
	}
	out := make(map[string]string, in.Len())
	for _, k := range in.Keys() {
		x, _ := in.Get(k)
		out[vtl.String(in.Key(k))] = strings.TrimSpace(vtl.String(x))
	}
	return out
}
