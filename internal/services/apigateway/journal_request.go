package apigateway

import (
	"encoding/json"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/gateway/delivery"
	"github.com/tierra-cloud/tierra/internal/gateway/execlog"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// notes are what is noted about a request on its way, for its stage's journal.
type notes struct {
	on  bool         // somebody reads them
	log *execlog.Log // nil if the method has no execution log

	admission, admitted time.Time // when authorization began, and when all was decided
	refused             *failure  // what was decided, nil to go on
	departed            time.Time
	returned            bool // the integration answered, or failed to
	latency             time.Duration
	status              int    // of the integration's endpoint
	request             string // the id that the endpoint gave it
	cached              cacheUse
}

// cacheUse says how the stage's cache took part.
type cacheUse uint8

const (
	uncached cacheUse = iota
	cacheHit
	cacheMiss
)

// hitCache notes that the answer came out of the stage's cache.
func (x *exchange) hitCache() { x.notes.cached = cacheHit }

// missedCache notes that the cache had no answer, so that the integration was asked.
func (x *exchange) missedCache() { x.notes.cached = cacheMiss }

// watch begins the notes about a request whose stage was found.
func (s *Service) watch(x *exchange) {
	if x.stage == nil || x.stage.journal == nil {
		return
	}
	x.traced()
	j := x.stage.journal
	if e := x.end; e != nil && e.watch.level != execlog.Off {
		x.begin(execlog.New(s.clock, e.watch.level, e.watch.data, x.rq.ID))
	}
	if x.notes.on = j.format != nil || j.numbers != nil || x.notes.log != nil; x.notes.on {
		x.notes.admission = s.clock.Now()
	}
}

// begin begins the request's execution log.
func (x *exchange) begin(l *execlog.Log) {
	x.notes.on, x.notes.log = true, l
	l.Info("Extended Request Id: %s", x.rq.ExtendedID)
	if a := x.end.authorizer; a != nil {
		l.Info("Starting authorizer: %s for request: %s", a.id, x.rq.ID)
	}
}

// decided notes whether the request may go on.
func (x *exchange) decided(s *Service, failed *failure) {
	if !x.notes.on {
		return
	}
	x.notes.admitted, x.notes.refused = s.clock.Now(), failed
	l := x.notes.log
	if l == nil || failed == tooLarge || failed == tooSlow {
		return
	}
	switch {
	case x.end.authorizer == nil:
	case x.verdict == nil:
		l.Error("Unauthorized request: %s", x.rq.ID)
		return
	default:
		l.Info("Using valid authorizer policy for principal: %s", execlog.Mask(x.verdict.principal))
		l.Info("Successfully completed authorizer execution")
	}
	if failed != nil && failed.typ == "ACCESS_DENIED" {
		l.Error("The client is not authorized to perform this operation.")
		return
	}
	key, at := execlog.Mask(x.rq.Identity.APIKey), x.stage.api+"/"+x.stage.name
	method := x.rq.Method + " " + x.end.resource
	l.Info("Verifying Usage Plan for request: %s. API Key: %s API Stage: %s", x.rq.ID, key, at)
	switch {
	case failed == noKey:
		l.Error("API Key %s not authorized because method '%s' requires API Key and API Key is not associated with a Usage Plan for API Stage %s: No API Key exists", key, method, at)
		return
	case failed == usedUp:
		l.Error("Usage Plan check failed for API Key %s and API Stage %s: the quota is exceeded", key, at)
		return
	case failed == throttled:
		l.Error("Usage Plan check failed for API Key %s and API Stage %s: the rate is exceeded", key, at)
		return
	case failed != nil:
		return
	case x.end.keyRequired:
		l.Info("API Key %s authorized because method '%s' requires API Key and API Key is associated with a Usage Plan for API Stage %s", key, method, at)
	default:
		l.Info("API Key %s authorized because method '%s' does not require API Key. Request will not contribute to throttle or quota limits", key, method)
	}
	l.Info("Usage Plan check succeeded for API Key %s and API Stage %s", key, at)
}

// starts notes the request as it came.
func (x *exchange) starts() {
	l := x.notes.log
	l.Info("Starting execution for request: %s", x.rq.ID)
	l.Info("HTTP Method: %s, Resource Path: %s", x.rq.Method, x.rq.Path)
	if !l.Data() {
		return
	}
	var path, query, header []execlog.Pair
	for _, p := range x.rq.Params {
		path = append(path, execlog.Pair{Name: p.Name, Value: p.Value})
	}
	for _, p := range proxy.Pairs(x.rq.RawQuery) {
		query = append(query, execlog.Pair{Name: p.Name, Value: p.Value})
	}
	for k, v := range x.rq.Header {
		if !x.replaced(k) {
			header = append(header, execlog.Pair{Name: k, Value: strings.Join(v, ",")})
		}
	}
	for _, h := range x.rq.Extra {
		header = append(header, execlog.Pair{Name: h.Name, Value: h.Value})
	}
	l.Trace("Method request path: %s", execlog.Pairs(path))
	l.Trace("Method request query string: %s", execlog.Pairs(query))
	l.Trace("Method request headers: %s", execlog.Pairs(header))
	l.Trace("Method request body before transformations: %s", x.rq.Body)
}

// replaced reports whether the gateway sets a header itself.
func (x *exchange) replaced(name string) bool {
	for i := range x.rq.Extra {
		if x.rq.Extra[i].Name == name {
			return true
		}
	}
	return false
}

// departure is a request that goes to an integration's endpoint.
type departure struct {
	uri      string
	function string // instead of a URI
	header   map[string][]string
	body     []byte
}

// departs notes that the request goes to the integration.
func (x *exchange) departs(s *Service, d departure) {
	if !x.notes.on {
		return
	}
	if l := x.notes.log; l != nil {
		if d.function != "" {
			d.uri = "https://lambda." + x.stage.region + ".amazonaws.com/2015-03-31/functions/" + d.function + "/invocations"
		}
		if l.Data() {
			l.Trace("Endpoint request URI: %s", d.uri)
			l.Trace("Endpoint request headers: %s", pairs(d.header))
			l.Trace("Endpoint request body after transformations: %s", x.hidden(d.body))
		}
		l.Info("Sending request to %s", d.uri)
	}
	x.notes.departed = s.clock.Now()
}

// hidden is the text of a body in which what the caller identified itself with is
// masked: a function's event has the headers.
func (x *exchange) hidden(body []byte) string {
	text := string(body[:min(len(body), 128<<10)]) // all that is shown, and the whole of a header that ends behind it
	for _, name := range []string{"Authorization", "X-Api-Key", "X-Amz-Security-Token"} {
		for _, v := range x.rq.Header[name] {
			if v != "" {
				text = strings.ReplaceAll(text, v, execlog.Mask(v))
			}
		}
	}
	return text
}

// returns notes what the integration answered; a status of 0 is no answer.
func (x *exchange) returns(s *Service, status int, header map[string][]string, body []byte) {
	n := &x.notes
	if !n.on {
		return
	}
	n.returned, n.latency, n.status = true, s.clock.Now().Sub(n.departed), status
	if id := header["X-Amzn-Requestid"]; len(id) > 0 {
		n.request = id[0]
	}
	if l := n.log; l != nil && status != 0 {
		l.Info("Received response. Status: %d, Integration latency: %s", status, execlog.Time(n.latency))
		if l.Data() {
			l.Trace("Endpoint response headers: %s", pairs(header))
			l.Trace("Endpoint response body before transformations: %s", body)
		}
	}
}

func pairs(header map[string][]string) string {
	var all []execlog.Pair
	for k, v := range header {
		all = append(all, execlog.Pair{Name: k, Value: strings.Join(v, ",")})
	}
	return execlog.Pairs(all)
}

// ends notes the answer.
func (x *exchange) ends() {
	l := x.notes.log
	if f := x.failed; f != nil {
		if x.notes.refused == nil { // else that was noted
			l.Error("%s", x.reason())
		}
		l.Trace("Gateway response type: %s with status code: %d", f.typ, x.status)
		l.Trace("Gateway response body: %s", x.body)
		l.Trace("Gateway response headers: %s", x.answerHeaders())
	} else {
		l.Trace("Method response body after transformations: %s", x.body)
		l.Trace("Method response headers: %s", x.answerHeaders())
		l.Info("Successfully completed execution")
	}
	l.Last("Method completed with status: %d", x.status)
	if id := x.notes.request; id != "" {
		l.Info("AWS Integration Endpoint RequestId : %s", id)
	}
	if h := x.header(traceHeader); h != "" && x.stage.journal != nil && x.stage.journal.tracer != nil {
		l.Info("X-ray Tracing ID : %s", h)
	}
}

// answerHeaders are the headers of the answer.
func (x *exchange) answerHeaders() string {
	if !x.notes.log.Data() {
		return ""
	}
	var all []execlog.Pair
	for _, h := range x.headers {
		all = append(all, execlog.Pair{Name: textproto.CanonicalMIMEHeaderKey(h.Name), Value: h.Value})
	}
	return execlog.Pairs(all)
}

// reason tells why the execution failed.
func (x *exchange) reason() string {
	f := x.failed
	switch {
	case f == timedOut:
		return "Execution failed due to a timeout error"
	case f == networkFailure:
		return "Execution failed due to a network error communicating with endpoint"
	case f == badBody:
		return "Request body does not match model schema for content type " + x.header("Content-Type") + ": " + x.note
	case f == badResponse && strings.HasPrefix(x.note, functionFailed):
		return x.note
	case f == misconfigure || f == badResponse:
		return "Execution failed due to configuration error: " + x.note
	}
	return "Execution failed: " + f.message
}

const (
	functionFailed = "Lambda execution failed with status 200 due to customer function error: "
	malformed      = "Malformed Lambda proxy response"
)

// functionError tells what a function failed of.
func functionError(payload []byte) string {
	var e struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(payload, &e) != nil || e.Message == "" {
		e.Message = string(payload)
	}
	return functionFailed + e.Message
}

// keep writes the request into the stage's journal. It never waits.
func (s *Service) keep(x *exchange) {
	if !x.notes.on {
		return
	}
	j := x.stage.journal
	latency := s.clock.Now().Sub(x.in.Time)
	for _, n := range j.numbers {
		n.add(x, latency)
	}
	if x.end != nil && x.end.watch.numbers != nil {
		x.end.watch.numbers.add(x, latency)
	}
	if x.notes.log != nil {
		if events := x.notes.log.Events(); len(events) > 0 {
			for _, to := range j.execution {
				to.Add(events...)
			}
		}
	}
	if j.format == nil {
		return
	}
	line := string(j.format.Append(nil, func(name string) string { return x.logged(name, latency) }))
	for _, to := range j.access {
		to.Add(delivery.Event{Time: x.in.Time, Text: line})
	}
}

// logged returns a variable of an access log; "" if there is none. Templates know
// most of them as well, but not what comes out in the end.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
func (x *exchange) logged(name string, latency time.Duration) string {
	n := &x.notes
	topic, _, _ := strings.Cut(name, ".")
	switch topic {
	case "status":
		return strconv.Itoa(x.status)
	case "responseLength":
		return strconv.Itoa(len(x.body) + x.poured)
	case "responseLatency":
		return millisecond(latency)
	case "xrayTraceId":
		return traceField(x.header(traceHeader), "Root")
	case "integrationLatency", "integrationStatus", "integrationErrorMessage", "integration":
		return x.loggedIntegration(name)
	case "awsEndpointRequestId":
		return n.request
	case "authorizer":
		if x.end != nil && x.end.authorizer != nil {
			if v, ok := x.loggedDecision(strings.TrimPrefix(name, "authorizer.")); ok {
				return v
			}
		}
	case "authorize", "authenticate":
		if x.end != nil && x.end.signed {
			v, _ := x.loggedDecision(strings.TrimPrefix(name, topic+"."))
			return v
		}
		return ""
	}
	return x.Context(name)
}

// loggedDecision returns a variable about how it was decided that the request
// may go on; ok is false if it is none.
func (x *exchange) loggedDecision(name string) (v string, ok bool) {
	n := &x.notes
	refused := n.refused
	if refused == tooLarge || refused == tooSlow || n.admitted.IsZero() {
		return "", false
	}
	switch name {
	case "latency", "integrationLatency":
		return millisecond(n.admitted.Sub(n.admission)), true
	case "status", "integrationStatus":
		if refused != nil {
			return strconv.Itoa(refused.status), true
		}
		return "200", true
	case "error":
		if refused != nil {
			return refused.message, true
		}
		return "", true
	}
	return "", false
}

func (x *exchange) loggedIntegration(name string) string {
	n := &x.notes
	if !n.returned {
		return ""
	}
	switch name {
	case "integrationLatency", "integration.latency":
		return millisecond(n.latency)
	case "integrationStatus", "integration.integrationStatus":
		if n.status != 0 {
			return strconv.Itoa(n.status)
		}
	case "integration.status":
		if _, ok := x.end.run.(*lambdaProxy); ok && x.failed == nil {
			return strconv.Itoa(x.response.Status) // what the function says
		}
		if n.status != 0 {
			return strconv.Itoa(n.status)
		}
	case "integrationErrorMessage", "integration.error":
		if x.failed != nil && n.refused == nil {
			return x.note
		}
	case "integration.requestId":
		return n.request
	}
	return ""
}

func millisecond(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
