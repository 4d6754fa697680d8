package apigateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/mapping"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// mock answers by itself: a request template says with which status code, and
// that selects an integration response.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html
type mock struct {
	templates   map[string]int // status codes by content type; 0 if the template has none
	passthrough string
	responses   []mockResponse // patterns before the default
}

func compileMock(i *definition.Integration) (*mock, error) {
	m := &mock{templates: map[string]int{}, passthrough: i.PassthroughBehavior()}
	for typ, text := range i.Templates {
		m.templates[strings.ToLower(typ)] = mockStatus([]byte(text))
	}
	for status, r := range i.Responses {
		n, err := strconv.Atoi(status)
		if err != nil {
			return nil, fmt.Errorf("status code %q: %w", status, err)
		}
		c := mockResponse{status: n, bodies: r.Templates}
		if r.Pattern != nil && *r.Pattern != "" {
			if c.pattern, err = regexp.Compile(`\A(?:` + *r.Pattern + `)\z`); err != nil {
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
		m.responses = append(m.responses, c)
	}
	slices.SortFunc(m.responses, func(a, b mockResponse) int {
		if (a.pattern == nil) != (b.pattern == nil) {
			if a.pattern == nil {
				return 1
			}
			return -1
		}
		return a.status - b.status
	})
	return m, nil
}

// looseStatus finds the status code in JSON whose name has no quotes, which AWS
// takes and the CDK writes.
var looseStatus = regexp.MustCompile(`^\s*\{\s*['"]?statusCode['"]?\s*:\s*['"]?([0-9]{3})['"]?\s*[,}]`)

// mockStatus reads the status code that a rendered request template, or a body
// that is passed through, asks for; 0 if it does not.
func mockStatus(text []byte) int {
	var v struct {
		StatusCode json.Number `json:"statusCode"`
	}
	if json.Unmarshal(text, &v) != nil {
		if m := looseStatus.FindSubmatch(text); m != nil {
			n, _ := strconv.Atoi(string(m[1]))
			return n
		}
		return 0
	}
	n, err := strconv.Atoi(v.StatusCode.String())
	if err != nil {
		return 0
	}
	return n
}

func (m *mock) run(_ context.Context, _ *Service, x *exchange) *failure {
	typ := x.header("Content-Type")
	if i := strings.IndexByte(typ, ';'); i >= 0 {
		typ = typ[:i]
	}
	if typ = strings.ToLower(strings.TrimSpace(typ)); typ == "" {
		typ = "application/json"
	}
	status, ok := m.templates[typ]
	if !ok {
		if m.passthrough == "NEVER" || m.passthrough == "WHEN_NO_TEMPLATES" && len(m.templates) > 0 {
			return unsupported
		}
		status = mockStatus(x.rq.Body)
	}
	if status == 0 {
		return misconfigure
	}
	code := strconv.Itoa(status)
	for i := range m.responses {
		r := &m.responses[i]
		if r.pattern != nil && !r.pattern.MatchString(code) {
			continue
		}
		r.answer(x)
		return nil
	}
	return misconfigure // no response was configured for the status code
}

func (r *mockResponse) answer(x *exchange) {
	x.status = r.status
	typ, body := r.body(x.header("Accept"))
	typed := false
	for _, h := range r.headers {
		if v := h.value.In(x); v != "" {
			x.headers = append(x.headers, proxy.Header{Name: h.name, Value: v})
			typed = typed || h.name == "Content-Type"
		}
	}
	if !typed {
		x.headers = append(x.headers, proxy.Header{Name: "Content-Type", Value: typ})
	}
	x.buffer = append(x.buffer[:0], body...)
	x.body = x.buffer
}

// body chooses the template that the caller accepts, else that for JSON, else
// the first.
func (r *mockResponse) body(accept string) (typ, body string) {
	for one := range strings.SplitSeq(accept, ",") {
		one, _, _ = strings.Cut(one, ";")
		one = strings.TrimSpace(one)
		if b, ok := r.bodies[one]; ok {
			return one, b
		}
	}
	if b, ok := r.bodies["application/json"]; ok || len(r.bodies) == 0 {
		return "application/json", b
	}
	for t := range r.bodies {
		if typ == "" || t < typ {
			typ = t
		}
	}
	return typ, r.bodies[typ]
}
