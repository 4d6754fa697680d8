package runtime

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// The Runtime API of custom runtimes, version 2018-06-01.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

const (
	apiRoot = "/2018-06-01/runtime/"
	// settleTime is for how long connections are read after the runtime's end.
	settleTime = 200 * time.Millisecond
)

// apiState is what the runtime may do next.
type apiState int

const (
	stateStarting  apiState = iota // next, init error
	stateReady                     // nothing: it waits for an event
	stateRunning                   // response, error
	stateResponded                 // next
	stateFailed                    // nothing: it reported an init error
)

func (s apiState) String() string {
	return [...]string{"Starting", "Ready", "Running", "Responded", "Failed"}[s]
}

// httpAPI serves the Runtime API to one environment.
type httpAPI struct {
	clock    clock.Clock
	listener net.Listener
	where    string
	peer     peerCheck
	// ext are the extensions; aside tells that the runtime speaks otherwise.
	ext   *extensions
	aside bool

	// parked holds the connection whose next is not answered yet. Whoever takes it
	// out reads it from then on (httpturn.go).
	parked chan *httpConn
	first  chan struct{} // closed at the first next
	failed chan error    // the init error
	gone   <-chan struct{}
	over   <-chan struct{}
	shut   chan struct{} // closed by close

	mu      sync.Mutex
	state   apiState
	current *exchange
	// reading is the connection that roundTrip reads; woken tells that it was made
	// to look up from it. kept is the one that it has read for the last event.
	reading, kept *httpConn
	woken         bool
	conns         map[net.Conn]bool
	closed        bool
	// serving is how many connections are read by goroutines of their own; quiet is
	// closed when there are none any more, if somebody waits for that.
	serving int
	quiet   chan struct{}
}

// exchange is one event that the runtime has.
type exchange struct {
	id     string
	stream Stream
	result chan *Result
}

// parkedNext is an extension's unanswered next.
type parkedNext struct {
	conn     net.Conn
	answered chan struct{} // closed when the answer has been written
	ext      *extensions
}

// newHTTPAPI listens on the host's loopback interface, or leaves that to the
// sandbox when the network is private.
func newHTTPAPI(c clock.Clock, network sandbox.Network) (*httpAPI, error) {
	a := &httpAPI{
		clock: c, parked: make(chan *httpConn, 1), first: make(chan struct{}), failed: make(chan error, 1), shut: make(chan struct{}),
		conns: map[net.Conn]bool{}, where: fmt.Sprintf("127.0.0.1:%d", privatePort),
	}
	if network == sandbox.NetworkPrivate {
		return a, nil
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the Runtime API: %w", err)
	}
	a.listener, a.where = l, l.Addr().String()
	return a, nil
}

// address is the value of AWS_LAMBDA_RUNTIME_API.
func (a *httpAPI) address() string { return a.where }

func (a *httpAPI) started(p sandbox.Process) error {
	a.gone, a.over = p.Ended(), p.Done()
	if l := p.Listeners(); len(l) > 0 {
		a.listener = l[0]
	} else {
		// On the host's network others can connect as well.
		a.peer = newPeerCheck(p)
	}
	if a.listener == nil {
		return errors.New("the sandbox gave no listener for the Runtime API")
	}
	go a.accept()
	go a.watch()
	return nil
}

func (a *httpAPI) accept() {
	for {
		c, err := a.listener.Accept()
		if err != nil {
			return
		}
		if !a.peer.allows(c) {
			c.Close()
			continue
		}
		a.mu.Lock()
		if a.closed {
			a.mu.Unlock()
			c.Close()
			return
		}
		a.conns[c] = true
		a.serveAside(newHTTPConn(c), nil)
		a.mu.Unlock()
	}
}

func (a *httpAPI) close() {
	a.mu.Lock()
	if !a.closed {
		close(a.shut)
	}
	a.closed = true
	conns := a.conns
	a.conns = map[net.Conn]bool{}
	a.mu.Unlock()
	if a.listener != nil {
		a.listener.Close()
	}
	for c := range conns {
		c.Close()
	}
}

// ready implements transport.
func (a *httpAPI) ready() error {
	select {
	case <-a.first:
		return nil
	case err := <-a.failed:
		return err
	case <-a.gone:
		a.settle()
		select {
		case err := <-a.failed:
			return err
		default:
			return io.EOF
		}
	}
}

// settle waits, after the runtime has ended, until what it sent before has been
// read. A connection of somebody else may stay open, so the wait is short.
func (a *httpAPI) settle() {
	a.mu.Lock()
	if a.serving == 0 {
		a.mu.Unlock()
		return
	}
	quiet := make(chan struct{})
	a.quiet = quiet
	a.mu.Unlock()
	select {
	case <-quiet:
	case <-a.clock.After(settleTime):
	}
}

// writeEvent answers a next.
func (c *httpConn) writeEvent(inv *Invocation) error {
	b := append(c.out[:0], "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: "...)
	b = append(b, inv.RequestID...)
	if !inv.Deadline.IsZero() {
		b = append(b, "\r\nLambda-Runtime-Deadline-Ms: "...)
		b = strconv.AppendInt(b, inv.Deadline.UnixMilli(), 10)
	}
	b = append(b, "\r\nLambda-Runtime-Invoked-Function-Arn: "...)
	b = append(b, inv.FunctionARN...)
	for _, h := range [...][2]string{
		{"\r\nLambda-Runtime-Trace-Id: ", inv.TraceID},
		{"\r\nLambda-Runtime-Client-Context: ", oneLine(inv.ClientContext)},
		{"\r\nLambda-Runtime-Cognito-Identity: ", oneLine(inv.CognitoIdentity)},
	} {
		if h[1] != "" {
			b = append(append(b, h[0]...), h[1]...)
		}
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(inv.Payload)), 10)
	b = append(b, "\r\n\r\n"...)
	if len(inv.Payload) <= copyBelow {
		c.out = append(b, inv.Payload...)
		_, err := c.conn.Write(c.out)
		return err
	}
	c.out = b
	bufs := net.Buffers{b, inv.Payload}
	_, err := bufs.WriteTo(c.conn)
	return err
}

// oneLine makes a JSON document fit into a header: line breaks in it can only
// stand between its parts.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, isControl) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return ' '
		}
		return r
	}, s)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// serveAside has a connection served by a goroutine of its own; a is locked.
func (a *httpAPI) serveAside(h *httpConn, last *parkedNext) {
	a.serving++
	go func() {
		lent := a.serve(h, last)
		if !lent {
			h.conn.Close()
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if !lent {
			delete(a.conns, h.conn)
		}
		if a.serving--; a.serving == 0 && a.quiet != nil {
			close(a.quiet)
			a.quiet = nil
		}
	}()
}

// serve answers the requests of one connection, one after the other, until its end
// or until it is lent to who answers a next. last is an extension's next that was
// read from it before.
func (a *httpAPI) serve(h *httpConn, last *parkedNext) (lent bool) {
	defer func() {
		if last != nil {
			last.ext.unpark(last)
		}
	}()
	for {
		r, err := h.head()
		if last != nil {
			// What was sent before the answer to next is pipelined: its turn
			// comes after that answer. If the extension hung up, nobody needs it.
			if err != nil {
				return false
			}
			select {
			case <-last.answered:
			case <-a.over:
				return false
			}
		}
		if !a.rest(h, r, err) {
			return false
		}
		if last, lent = a.handle(h, r); lent || r.close && last == nil {
			return lent
		}
	}
}

// rest reads the rest of a request, whose head was read or not, and reports whether
// there is one. What cannot be understood is refused.
func (a *httpAPI) rest(h *httpConn, r *httpRequest, err error) bool {
	if err == nil {
		r.stream = a.streamOf(r)
		err = h.body(r, MaxPayload)
	}
	var he *httpError
	if errors.As(err, &he) {
		writeError(h.conn, he.status, "BadRequest", he.reason, true)
	}
	return err == nil
}

// handle acts on one request. If that is a next its connection is lent to who will
// answer it; p is an extension's next that waits for an event.
func (a *httpAPI) handle(h *httpConn, r *httpRequest) (p *parkedNext, lent bool) {
	c := h.conn
	path, _, _ := strings.Cut(r.path, "?")
	if p, ok := a.extensionRequest(c, r, path); ok {
		return p, false
	}
	what, ok := strings.CutPrefix(path, apiRoot)
	if !ok || a.aside {
		writeError(c, 404, "NotFound", "there is nothing at "+path, r.close)
		return nil, false
	}
	want := "POST"
	if what == "invocation/next" {
		want = "GET"
	}
	id, verb, isInvocation := "", "", false
	if rest, ok := strings.CutPrefix(what, "invocation/"); ok && want == "POST" {
		id, verb, isInvocation = strings.Cut(rest, "/")
	}
	known := want == "GET" || what == "init/error" || isInvocation && id != "" && (verb == "response" || verb == "error")
	switch {
	case !known:
		writeError(c, 404, "NotFound", "there is nothing at "+path, r.close)
	case r.method != want:
		writeError(c, 405, "MethodNotAllowed", path+" is asked for with "+want, r.close)
	case want == "GET":
		return nil, a.next(h, r)
	case what == "init/error":
		a.initError(c, r)
	default:
		a.answer(h, r, id, verb == "error")
	}
	return nil, false
}

// next lends the connection to who has the next event.
func (a *httpAPI) next(h *httpConn, r *httpRequest) (lent bool) {
	a.mu.Lock()
	from := a.state
	if from == stateReady && a.forget() {
		from = stateResponded
	}
	if from != stateStarting && from != stateResponded {
		a.mu.Unlock()
		refuseTransition(h.conn, from, stateReady, r.close)
		return false
	}
	a.state = stateReady
	a.parked <- h // has room: in state Ready there is no other
	a.wake(h)
	a.mu.Unlock()
	if from == stateStarting {
		close(a.first)
	}
	return true
}

// forget forgets a next whose connection has ended before it was answered, and
// reports whether there was one; a is locked.
func (a *httpAPI) forget() bool {
	select {
	case h := <-a.parked:
		if h.hungUp() {
			h.conn.Close()
			delete(a.conns, h.conn)
			return true
		}
		a.parked <- h
	default:
	}
	return false
}

func (a *httpAPI) initError(c net.Conn, r *httpRequest) {
	a.mu.Lock()
	from := a.state
	if from == stateStarting {
		a.state = stateFailed
	}
	a.mu.Unlock()
	if from != stateStarting {
		refuseTransition(c, from, stateFailed, r.close)
		return
	}
	a.failed <- parseInitError(r.body, r.errorType)
	writeAccepted(c, r.close)
}

// answer takes the response or the error of an invocation.
func (a *httpAPI) answer(h *httpConn, r *httpRequest, id string, isError bool) {
	a.mu.Lock()
	from, x := a.state, a.current
	ok := from == stateRunning && x.id == id
	if ok {
		a.state, a.current = stateResponded, nil
	}
	a.mu.Unlock()
	if ok {
		if r.tooLarge {
			x.result <- tooLarge()
		} else {
			x.result <- r.result(isError)
		}
		a.mu.Lock()
		a.wake(h)
		a.mu.Unlock()
	}
	switch {
	case from == stateRunning && !ok:
		writeError(h.conn, 400, "InvalidRequestID", "Invalid request ID", r.close)
	case !ok:
		refuseTransition(h.conn, from, stateResponded, r.close)
	case r.tooLarge:
		writeError(h.conn, 413, "RequestEntityTooLarge", fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", MaxPayload), r.close)
	default:
		writeAccepted(h.conn, r.close)
	}
}

// streamOf is where the body of a response goes that the runtime streams: to
// the invocation's Stream. Other bodies are read whole.
func (a *httpAPI) streamOf(r *httpRequest) *collector {
	if !r.streaming || r.length >= 0 || r.method != "POST" {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if x := a.current; a.state == stateRunning && x.stream != nil && r.path == apiRoot+"invocation/"+x.id+"/response" {
		return &collector{to: x.stream, contentType: r.contentType}
	}
	return nil
}

func tooLarge() *Result {
	b, err := json.Marshal(errorObject{typeTooLarge, fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", MaxPayload)})
	if err != nil {
		panic(err) // two strings
	}
	return &Result{Payload: b, FunctionError: Unhandled, ErrorType: typeTooLarge}
}

// result is what a posted response or error means.
func (r *httpRequest) result(isError bool) *Result {
	res := &Result{Payload: r.body, ContentType: r.contentType}
	if r.stream != nil {
		res = r.stream.result(nil)
	}
	if !isError && r.errorType == "" && r.errorBody == "" {
		return res
	}
	if !isError {
		// A streamed response broke off: the trailers tell why.
		if b, err := base64.StdEncoding.DecodeString(r.errorBody); err == nil {
			res.Payload = b
		}
	}
	res.FunctionError = Unhandled
	if r.errorType == Handled {
		res.FunctionError = Handled
	}
	var object map[string]any
	if json.Unmarshal(res.Payload, &object) != nil {
		b, err := json.Marshal(errorObject{r.errorType, string(res.Payload)})
		if err != nil {
			panic(err) // two strings
		}
		res.Payload = b
	}
	res.ContentType = "application/json"
	return res
}

type errorObject struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func refuseTransition(c net.Conn, from, to apiState, last bool) {
	writeError(c, 403, "InvalidStateTransition", fmt.Sprintf("Transition from %s to %s is not allowed.", from, to), last)
}

// writeError answers in the shape that the official clients read.
func writeError(c net.Conn, status int, errorType, message string, last bool) {
	body, err := json.Marshal(struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}{message, errorType})
	if err != nil {
		panic(err) // two strings
	}
	writeReply(c, statusLine(status), body, last)
}

func writeAccepted(c net.Conn, last bool) {
	writeReply(c, "202 Accepted", []byte(`{"status":"OK"}`+"\n"), last)
}

// writeReply writes an answer. Whether it arrives shows at the next read.
func writeReply(c net.Conn, status string, body []byte, last bool) {
	b := make([]byte, 0, 128+len(body))
	b = append(append(append(b, "HTTP/1.1 "...), status...), "\r\nContent-Type: application/json\r\n"...)
	if last {
		b = append(b, "Connection: close\r\n"...)
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10)
	b = append(append(b, "\r\n\r\n"...), body...)
	_, _ = c.Write(b)
}

func statusLine(status int) string {
	switch status {
	case 400:
		return "400 Bad Request"
	case 403:
		return "403 Forbidden"
	case 404:
		return "404 Not Found"
	case 405:
		return "405 Method Not Allowed"
	case 413:
		return "413 Request Entity Too Large"
	case 417:
		return "417 Expectation Failed"
	case 431:
		return "431 Request Header Fields Too Large"
	case 501:
		return "501 Not Implemented"
	case 505:
		return "505 HTTP Version Not Supported"
	}
	return strconv.Itoa(status) + " Error"
}
