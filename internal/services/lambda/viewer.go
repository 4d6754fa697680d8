package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// actionURL is the permission to call a URL.
const actionURL = "lambda:InvokeFunctionUrl"

// Kinds implements call.Face.
func (s *Service) Kinds() []string { return []string{urlKind} }

// View implements call.Face: it carries out a request to a function's URL.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
func (s *Service) View(w http.ResponseWriter, r *http.Request, at call.Address) {
	w.Header().Set("X-Amzn-Requestid", at.In.RequestID)
	f, q, u, err := s.byURL(r.Context(), at.ID)
	switch {
	case err != nil:
		refuseURL(w, http.StatusInternalServerError, "Internal Server Error")
		return
	case u == nil:
		refuseURL(w, http.StatusNotFound, "Not Found")
		return
	}
	seen := &counted{ResponseWriter: w, status: http.StatusOK}
	defer func() {
		f.pools.meters.of(q, "").answered(seen.status, s.clock.Now().Sub(at.In.Time))
	}()
	w = seen
	origin := r.Header.Get("Origin")
	asked := preflight(u.Cors, r.Method, origin, r.Header.Get("Access-Control-Request-Method"))
	for _, h := range corsHeaders(u.Cors, origin, asked) {
		w.Header().Set(h[0], h[1])
	}
	if asked {
		w.WriteHeader(http.StatusOK)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	switch {
	case err != nil:
		refuseURL(w, http.StatusBadRequest, "Bad Request")
		return
	case len(body) > maxPayload:
		refuseURL(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	id, err := s.admit(r.Context(), f, q, u, at, body)
	if err != nil {
		refuseURL(w, http.StatusForbidden, err.Error())
		return
	}
	event, err := urlEvent(r, at, u, id, body)
	if err != nil {
		refuseURL(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	trace := at.In.TraceHeader
	if trace == "" {
		trace = newTrace(at.In.Time, s.ids.Bytes(20))
	}
	w.Header().Set("X-Amzn-Trace-Id", trace)
	inv := &invocation{id: at.In.RequestID, payload: event, trace: trace, arn: f.key.arn(q), as: q}
	if u.Mode == streamed {
		s.viewStream(w, r, f, f.resolve(q, s.random), inv)
		return
	}
	out, err := s.plane.invoke(r.Context(), f, f.resolve(q, s.random), inv)
	if err != nil {
		failURL(w, err)
		return
	}
	if out.failure != "" {
		badGateway(w)
		return
	}
	answer, err := readAnswer(out.payload)
	if err != nil {
		badGateway(w)
		return
	}
	answer.write(w)
	if r.Method != http.MethodHead {
		_, _ = w.Write(answer.body) // a caller that has gone does not want to know
	}
}

// counted notes the status of an answer.
type counted struct {
	http.ResponseWriter
	status int
}

func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what is below.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// denied is a refusal in the words that the caller gets.
type denied string

func (d denied) Error() string { return string(d) }

const forbidden = denied("Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html")

// admit decides whether a caller may use the URL, and tells who it is.
func (s *Service) admit(ctx context.Context, f *function, q string, u *urlConfig, at call.Address, body []byte) (call.Identity, error) {
	id := call.Identity{Principal: policy.Principal{Kind: policy.Anonymous}}
	if u.Auth == authIAM {
		if at.Caller == nil {
			return id, forbidden
		}
		var err error
		if id, err = at.Caller(ctx, body); err != nil {
			if f := fault.As(err); f != nil {
				return id, denied(f.Message)
			}
			return id, forbidden
		}
		if id.Principal.Kind == policy.Anonymous {
			return id, forbidden
		}
	}
	need := call.Need{Action: actionURL, Resource: f.key.arn(q), Owner: f.key.account, Policy: f.policies[q], Keys: map[string][]string{keyAuthType: {u.Auth}}}
	if s.gate.Ask(ctx, at.In, id, need) != nil {
		return id, forbidden
	}
	return id, nil
}

func refuseURL(w http.ResponseWriter, status int, message string) {
	b, err := json.Marshal(struct{ Message string }{message})
	if err != nil {
		panic(err) // a string
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

func badGateway(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadGateway)
	_, _ = io.WriteString(w, "Internal Server Error")
}

// failURL answers for a function that could not be invoked.
func failURL(w http.ResponseWriter, err error) {
	if f := fault.As(err); f != nil && f.Code == "TooManyRequestsException" {
		refuseURL(w, http.StatusTooManyRequests, f.Message)
		return
	}
	badGateway(w)
}

// urlEvent is the event of a request, in format 2.0.
func urlEvent(r *http.Request, at call.Address, u *urlConfig, id call.Identity, body []byte) ([]byte, error) {
	host, port := at.In.Host, "80"
	if at.In.Scheme == "https" {
		port = "443"
	}
	if _, p, err := net.SplitHostPort(host); err == nil {
		port = p
	}
	source := ""
	if at.In.SourceIP.IsValid() {
		source = at.In.SourceIP.Unmap().String()
	}
	domain := at.ID + "." + urlKind + "." + call.PublicHost(host)
	q := urlRequest{
		Version: "2.0", RouteKey: "$default", RawPath: at.Path, RawQuery: r.URL.RawQuery, Headers: map[string]string{},
		Context: urlContext{
			Account: "anonymous", API: u.ID, Domain: domain, Prefix: u.ID, Request: at.In.RequestID, RouteKey: "$default", Stage: "$default",
			HTTP: urlHTTP{Method: r.Method, Path: at.Path, Protocol: r.Proto, SourceIP: source, UserAgent: at.In.UserAgent},
			Time: at.In.Time.UTC().Format("02/Jan/2006:15:04:05 +0000"), Epoch: at.In.Time.UnixMilli(),
		},
	}
	for k, v := range r.Header {
		if k == "Cookie" {
			for _, line := range v {
				for c := range strings.SplitSeq(line, ";") {
					q.Cookies = append(q.Cookies, strings.TrimSpace(c))
				}
			}
			continue
		}
		q.Headers[strings.ToLower(k)] = strings.Join(v, ",")
	}
	q.Headers["host"], q.Headers["x-forwarded-proto"], q.Headers["x-forwarded-port"] = host, at.In.Scheme, port
	if before := q.Headers["x-forwarded-for"]; before != "" {
		source = before + ", " + source
	}
	q.Headers["x-forwarded-for"] = source
	for k, v := range r.URL.Query() {
		if q.Query == nil {
			q.Query = map[string]string{}
		}
		q.Query[k] = strings.Join(v, ",")
	}
	if p := id.Principal; p.Kind != policy.Anonymous {
		q.Context.Account = p.Account
		q.Context.Authorizer = &urlAuthorizer{urlIAM{AccessKey: id.AccessKey, Account: p.Account, Caller: p.UserID, ARN: p.ARN, User: p.UserID}}
	}
	q.setBody(r.Header.Get("Content-Type"), body)
	return json.Marshal(&q)
}

// prelude is what a streamed response says of itself before its body, ended by
// eight zero bytes, if it is of this type.
const (
	preludeType = "application/vnd.awslambda.http-integration-response"
	preludeEnd  = "\x00\x00\x00\x00\x00\x00\x00\x00"
	maxPrelude  = 1 << 20
)

// viewStream passes a response on as it comes.
// https://docs.aws.amazon.com/lambda/latest/dg/config-rs-invoke-furls.html
func (s *Service) viewStream(w http.ResponseWriter, r *http.Request, f *function, v *version, inv *invocation) {
	flow := s.begin(r.Context(), f, v, inv)
	defer close(flow.gone)
	var before []byte // a prelude that is not complete
	begun, flusher := false, http.NewResponseController(w)
	send := func(b []byte) {
		if len(b) > 0 && r.Method != http.MethodHead {
			_, _ = w.Write(b)
		}
		_ = flusher.Flush()
	}
	for {
		p, end := flow.next()
		switch {
		case p == nil:
			finishStream(w, end, begun)
			return
		case begun:
			send(p.chunk)
		case p.contentType != preludeType:
			a := answer{status: http.StatusOK, headers: [][2]string{{"Content-Type", p.contentType}}}
			if p.contentType == "" {
				a.headers[0][1] = "application/octet-stream"
			}
			a.write(w)
			begun = true
			send(p.chunk)
		default:
			before = append(before, p.chunk...)
			head, rest, whole := bytes.Cut(before, []byte(preludeEnd))
			if !whole {
				if len(before) > maxPrelude {
					badGateway(w)
					return
				}
				continue
			}
			a, err := readPrelude(head)
			if err != nil {
				badGateway(w)
				return
			}
			a.write(w)
			begun = true
			send(rest)
		}
	}
}

// finishStream ends the answer to a request whose function has ended.
func finishStream(w http.ResponseWriter, end *ending, begun bool) {
	failed := end.err != nil || end.out.failure != ""
	switch {
	case failed && begun:
		panic(http.ErrAbortHandler) // so that the caller sees that it is not whole
	case end.err != nil:
		failURL(w, end.err)
	case failed || begun && len(end.out.payload) > 0:
		badGateway(w)
	case !begun: // a function that does not stream
		(&answer{status: http.StatusOK, headers: [][2]string{{"Content-Type", "application/json"}}, body: end.out.payload}).write(w)
		_, _ = w.Write(end.out.payload)
	}
}

// write sends what stands before the body.
func (a *answer) write(w http.ResponseWriter) {
	h := w.Header()
	for _, x := range a.headers {
		h.Set(x[0], x[1])
	}
	for _, c := range a.cookies {
		h.Add("Set-Cookie", c)
	}
	w.WriteHeader(a.status)
}

var _ call.Face = (*Service)(nil)
