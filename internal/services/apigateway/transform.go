package apigateway

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/mapping"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/vtl"
)

// transformed is an integration that is no proxy: templates and mappings make
// the request that its backend gets and the response of what that answers.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-integration-settings.html
type transformed struct {
	templates   templates // whose types are in lower case
	passthrough string
	convert     string
	params      []placed
	responses   []*response // patterns before the default
	backend     backend
	timeout     time.Duration
}

// placed is a parameter of the integration's request.
type placed struct {
	place, name string
	value       mapping.Value
}

// outgoing is a request on its way to a backend.
type outgoing struct {
	header, query, path map[string]string
	body                []byte
}

// result is what a backend answers.
type result struct {
	header map[string][]string // canonical names
	body   []byte
	// selects is what the patterns of integration responses must match; an answer
	// that is plain takes the default response.
	selects string
	plain   bool
}

// backend carries out a request.
type backend interface {
	send(ctx context.Context, s *Service, x *exchange, out *outgoing) (*result, *failure)
}

// response makes the method's response of a backend's answer.
type response struct {
	status    int
	pattern   *regexp.Regexp // nil for the default
	headers   []mapped
	templates templates
	convert   string
}

// templates are mapping templates by content type, in its order. There are few of
// them, and many such lists. One that cannot be read is nil: it fails when it is used.
type templates []struct {
	typ string
	*vtl.Template
}

// of returns the template of a content type.
func (all templates) of(typ string) (t *vtl.Template, ok bool) {
	for i := range all {
		if all[i].typ == typ {
			return all[i].Template, true
		}
	}
	return nil, false
}

// compiled are the templates of a deployment by their text: methods share those
// that read the same.
type compiled struct {
	templates map[string]*vtl.Template
	compiler  vtl.Compiler
}

func (c *compiled) all(texts map[string]string, key func(string) string) templates {
	out := make(templates, len(texts))
	for i, typ := range slices.Sorted(maps.Keys(texts)) {
		t, ok := c.templates[texts[typ]]
		if !ok {
			var err error
			if t, err = c.compiler.Compile(texts[typ]); err != nil {
				t = nil
			}
			c.templates[texts[typ]] = t
		}
		out[i].typ, out[i].Template = key(typ), t
	}
	return out
}

func compileTransformed(i *definition.Integration, b backend, known *compiled) (*transformed, error) {
	t := &transformed{
		templates: known.all(i.Templates, strings.ToLower), passthrough: i.PassthroughBehavior(), convert: i.Convert, backend: b,
		timeout: time.Duration(i.TimeoutMillis()) * time.Millisecond,
	}
	var err error
	if t.params, err = compilePlaced(i.Parameters); err != nil {
		return nil, err
	}
	for status, r := range i.Responses {
		n, err := strconv.Atoi(status)
		if err != nil {
			return nil, fmt.Errorf("status code %q: %w", status, err)
		}
		c := &response{status: n, templates: known.all(r.Templates, func(s string) string { return s }), convert: r.Convert}
		if r.Pattern != nil && *r.Pattern != "" {
			if c.pattern, err = definition.Selection(*r.Pattern); err != nil {
				return nil, err
			}
		}
		for dest, expr := range r.Parameters {
			v, err := mapping.Parse(expr)
			if err != nil {
				return nil, err
			}
			c.headers = append(c.headers, mapped{textproto.CanonicalMIMEHeaderKey(strings.TrimPrefix(dest, "method.response.header.")), v})
		}
		slices.SortFunc(c.headers, func(a, b mapped) int { return strings.Compare(a.name, b.name) })
		t.responses = append(t.responses, c)
	}
	slices.SortFunc(t.responses, func(a, b *response) int {
		if (a.pattern == nil) != (b.pattern == nil) {
			if a.pattern == nil {
				return 1
			}
			return -1
		}
		return a.status - b.status
	})
	return t, nil
}

func compilePlaced(params map[string]string) ([]placed, error) {
	var all []placed
	for _, dest := range slices.Sorted(maps.Keys(params)) {
		place, name, _ := strings.Cut(strings.TrimPrefix(dest, "integration.request."), ".")
		v, err := mapping.Parse(params[dest])
		if err != nil {
			return nil, err
		}
		all = append(all, placed{place, name, v})
	}
	return all, nil
}

// seen is what the templates of a request see.
func (x *exchange) seen(body []byte) *mapping.Source {
	return &mapping.Source{Vars: x, Body: body, Params: x.parameters, Stage: x.stage.variables, Overrides: &x.overrides}
}

// parameters returns the request's parameters of a place.
func (x *exchange) parameters(place string) *vtl.Map {
	m := vtl.NewMap()
	switch place {
	case "path":
		for _, p := range x.rq.Params {
			m.Put(p.Name, p.Value)
		}
	case "querystring":
		for _, p := range proxy.Pairs(x.rq.RawQuery) {
			m.Put(p.Name, p.Value)
		}
	case "header":
		for _, k := range slices.Sorted(maps.Keys(x.rq.Header)) {
			if v := x.rq.Header[k]; len(v) > 0 {
				m.Put(k, v[len(v)-1])
			}
		}
		for _, h := range x.rq.Extra {
			m.Put(h.Name, h.Value)
		}
	}
	return m
}

// RequestBody implements mapping.Bodies.
func (x *exchange) RequestBody() []byte { return x.rq.Body }

// AnswerBody implements mapping.Bodies.
func (x *exchange) AnswerBody() []byte {
	if x.answered == nil {
		return nil
	}
	return x.answered.body
}

// AnswerHeader implements mapping.Bodies.
func (x *exchange) AnswerHeader(name string) string {
	if x.answered == nil {
		return ""
	}
	return strings.Join(x.answered.header[textproto.CanonicalMIMEHeaderKey(name)], ",")
}

// mediaType returns a content type without its parameters, in lower case.
func mediaType(typ string) string {
	typ, _, _ = strings.Cut(typ, ";")
	return strings.ToLower(strings.TrimSpace(typ))
}

func (t *transformed) run(ctx context.Context, s *Service, x *exchange) *failure {
	var out outgoing
	if failed := t.request(x, &out); failed != nil {
		return failed
	}
	a, failed := s.within(ctx, t.timeout, x, t.backend, &out)
	if failed != nil {
		return failed
	}
	x.answered = a
	for _, r := range t.responses {
		if r.pattern != nil && (a.plain || !r.pattern.MatchString(a.selects)) {
			continue
		}
		return r.answer(x, a)
	}
	x.note = "No match for output mapping and no default endpoint response configured."
	return misconfigure
}

// within sends a request and gives its backend no more than the timeout.
func (s *Service) within(ctx context.Context, timeout time.Duration, x *exchange, b backend, out *outgoing) (*result, *failure) {
	if _, ok := b.(mockBackend); ok { // it takes no time
		return b.send(ctx, s, x, out)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := s.clock.AfterFunc(timeout, func() { cancel(errTimeout) })
	a, failed := b.send(ctx, s, x, out)
	stop()
	late := errors.Is(context.Cause(ctx), errTimeout)
	cancel(nil)
	if failed != nil && late {
		return nil, timedOut
	}
	return a, failed
}

// request makes the integration's request.
func (t *transformed) request(x *exchange, out *outgoing) *failure {
	body, err := convert(t.convert, x.rq.Body, x.rq.Binary)
	if err != nil {
		x.note = err.Error()
		return misconfigure
	}
	typ := mediaType(x.header("Content-Type"))
	if typ == "" {
		typ = "application/json"
	}
	template, ok := t.templates.of(typ)
	switch {
	case ok && template == nil:
		x.note = "the request template cannot be read"
		return misconfigure
	case ok:
		// A backend that was given up may still read its request: only one that is
		// done when it answers lends the exchange's memory.
		var into []byte
		_, mock := t.backend.(mockBackend)
		if mock {
			into = x.buffer[:0]
		}
		if out.body, err = template.Render(into, x.seen(body), vtl.Limits{}); err != nil {
			x.note = err.Error()
			return misconfigure
		}
		if mock {
			x.buffer = out.body
		}
	case t.passthrough == "NEVER", t.passthrough == "WHEN_NO_TEMPLATES" && len(t.templates) > 0:
		return unsupported
	default:
		out.body = body
	}
	x.place(t.params, out)
	return nil
}

// place gives a request the parameters that mappings and overrides say.
func (x *exchange) place(params []placed, out *outgoing) {
	put := func(m *map[string]string, name, v string) {
		if *m == nil {
			*m = map[string]string{}
		}
		(*m)[name] = v
	}
	for i := range params {
		p := &params[i]
		v := p.value.In(x)
		if v == "" {
			continue
		}
		switch p.place {
		case "header":
			put(&out.header, textproto.CanonicalMIMEHeaderKey(p.name), v)
		case "querystring":
			put(&out.query, p.name, v)
		case "path":
			put(&out.path, p.name, v)
		}
	}
	if x.overrides.Request == nil {
		return
	}
	for k, v := range mapping.Strings(x.overrides.Request, "header") {
		put(&out.header, textproto.CanonicalMIMEHeaderKey(k), v)
	}
	for k, v := range mapping.Strings(x.overrides.Request, "querystring") {
		put(&out.query, k, v)
	}
	for k, v := range mapping.Strings(x.overrides.Request, "path") {
		put(&out.path, k, v)
	}
}

// convert changes between binary data and its text in base64; what is of the
// wanted kind already stays as it is.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html
func convert(how string, body []byte, isBinary bool) ([]byte, error) {
	switch {
	case how == "CONVERT_TO_TEXT" && isBinary:
		return base64.StdEncoding.AppendEncode(nil, body), nil
	case how == "CONVERT_TO_BINARY" && !isBinary:
		b, err := base64.StdEncoding.AppendDecode(nil, body)
		if err != nil {
			return nil, fmt.Errorf("the body is not base64: %w", err)
		}
		return b, nil
	}
	return body, nil
}

func (r *response) answer(x *exchange, a *result) *failure {
	x.status = r.status
	accept := x.header("Accept")
	typ, template, ok := r.template(accept)
	of := strings.Join(a.header["Content-Type"], ",") // functions and mocks answer text
	how, isBinary := r.convert, of != "" && x.stage.binary.match(of)
	if how == "" && isBinary && !x.stage.binary.match(accept) { // a caller who does not take it gets its text
		how = "CONVERT_TO_TEXT"
	}
	body, err := convert(how, a.body, isBinary)
	if err == nil && ok {
		if template == nil {
			err = errors.New("the response template cannot be read")
		} else {
			body, err = template.Render(nil, x.seen(body), vtl.Limits{})
		}
	}
	if err != nil {
		x.note = err.Error()
		return misconfigure
	}
	for _, h := range r.headers {
		if v := h.value.In(x); v != "" {
			x.setHeader(h.name, v)
		}
	}
	if o := x.overrides.Response; o != nil {
		for k, v := range mapping.Strings(o, "header") {
			x.setHeader(textproto.CanonicalMIMEHeaderKey(k), v)
		}
		if v, ok := o.Get("status"); ok {
			n, err := strconv.Atoi(vtl.String(v))
			if err != nil || n < 200 || n > 599 {
				x.note = "the override of the status code is not one: " + vtl.String(v)
				return misconfigure
			}
			x.status = n
		}
	}
	if !slices.ContainsFunc(x.headers, func(h proxy.Header) bool { return h.Name == "Content-Type" }) {
		x.headers = append(x.headers, proxy.Header{Name: "Content-Type", Value: typ})
	}
	x.body = body
	return nil
}

// setHeader sets a header of the answer, in the place of one of the same name.
func (x *exchange) setHeader(name, value string) {
	if !kept(name) { // the gateway frames its answers itself
		return
	}
	for i := range x.headers {
		if x.headers[i].Name == name {
			x.headers[i].Value = value
			return
		}
	}
	x.headers = append(x.headers, proxy.Header{Name: name, Value: value})
}

// template chooses the template that the caller accepts, else that for JSON,
// else the first.
func (r *response) template(accept string) (typ string, t *vtl.Template, ok bool) {
	if len(r.templates) == 0 {
		return "application/json", nil, false
	}
	for one := range strings.SplitSeq(accept, ",") {
		one, _, _ = strings.Cut(one, ";")
		one = strings.TrimSpace(one)
		if t, ok := r.templates.of(one); ok {
			return one, t, true
		}
	}
	if t, ok := r.templates.of("application/json"); ok {
		return "application/json", t, true
	}
	return r.templates[0].typ, r.templates[0].Template, true
}

// address is a URI with parameters: "https://host/pets/{id}".
type address string

var addressPart = regexp.MustCompile(`\{([A-Za-z0-9._-]+)\+?\}`)

// fill puts a request's path parameters in; ok is false if one is missing.
func (a address) fill(path map[string]string) (string, bool) {
	ok := true
	filled := addressPart.ReplaceAllStringFunc(string(a), func(ref string) string {
		name := strings.TrimSuffix(strings.Trim(ref, "{}"), "+")
		v, have := path[name]
		ok = ok && have
		parts := strings.Split(v, "/")
		for i := range parts {
			parts[i] = url.PathEscape(parts[i])
		}
		return strings.Join(parts, "/")
	})
	return filled, ok
}
