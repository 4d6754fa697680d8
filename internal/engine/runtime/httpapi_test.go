package runtime

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// serveAPI serves the Runtime API to connections that the test makes.
func serveAPI(t *testing.T) (*httpAPI, func() *client) {
	t.Helper()
	a, err := newHTTPAPI(clock.System{}, sandbox.NetworkHost)
	if err != nil {
		t.Fatal(err)
	}
	a.gone = make(chan struct{})
	go a.accept()
	t.Cleanup(a.close)
	return a, func() *client {
		c, err := net.Dial("tcp", a.address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return &client{t, c, bufio.NewReader(c)}
	}
}

// client is a custom runtime, written by hand.
type client struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

// send writes a request; %s in body-less requests stands for nothing.
func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		c.t.Fatal(err)
	}
}

// expect reads a response and checks status and a part of the body.
func (c *client) expect(status int, part string) *http.Response {
	c.t.Helper()
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != status || !strings.Contains(string(b), part) {
		c.t.Fatalf("got %d %s, want %d %s", res.StatusCode, b, status, part)
	}
	return res
}

func post(path, body string) string {
	return fmt.Sprintf("POST /2018-06-01/runtime/%s HTTP/1.1\nHost: x\nContent-Length: %d\n\n%s", path, len(body), body)
}

const nextRequest = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\nHost: x\n\n"

type answer struct {
	res      *Result
	reusable bool
	err      error
}

func hand(a *httpAPI, inv *Invocation) <-chan answer {
	ch := make(chan answer, 1)
	go func() {
		res, reusable, err := a.roundTrip(inv)
		ch <- answer{res, reusable, err}
	}()
	return ch
}

func TestAPIExchange(t *testing.T) {
	a, dial := serveAPI(t)
	c := dial()
	c.send(nextRequest)
	if err := a.ready(); err != nil {
		t.Fatal(err)
	}
	inv := &Invocation{
		RequestID: "id-1", Payload: []byte(`{"n":1}`), Deadline: time.UnixMilli(1_700_000_000_123), TraceID: "Root=1",
		FunctionARN: "arn:aws:lambda:us-east-1:000000000000:function:f", ClientContext: "{\"a\":\r\n1}", CognitoIdentity: `{"b":2}`,
	}
	ch := hand(a, inv)
	h := c.expect(200, `{"n":1}`).Header
	for k, v := range map[string]string{
		"Lambda-Runtime-Aws-Request-Id": "id-1", "Lambda-Runtime-Deadline-Ms": "1700000000123", "Lambda-Runtime-Trace-Id": "Root=1",
		"Lambda-Runtime-Invoked-Function-Arn": inv.FunctionARN, "Lambda-Runtime-Client-Context": `{"a":  1}`,
		"Lambda-Runtime-Cognito-Identity": `{"b":2}`, "Content-Type": "application/json",
	} {
		if h.Get(k) != v {
			t.Errorf("%s: got %q, want %q", k, h.Get(k), v)
		}
	}
	c.send(post("invocation/id-1/response", "done"))
	c.expect(202, `{"status":"OK"}`)
	if got := <-ch; got.err != nil || string(got.res.Payload) != "done" || got.res.FunctionError != "" || !got.reusable {
		t.Errorf("got %+v", got)
	}
	// Chunked, on another connection, and the next event.
	c.send(nextRequest)
	ch = hand(a, &Invocation{RequestID: "id-2"})
	c.expect(200, "")
	other := dial()
	other.send("POST /2018-06-01/runtime/invocation/id-2/response HTTP/1.1\nTransfer-Encoding: chunked\nContent-Type: text/x\n\n3;x=y\nabc\n02 \nde\n0\n\n")
	other.expect(202, "OK")
	if got := <-ch; string(got.res.Payload) != "abcde" || got.res.ContentType != "text/x" {
		t.Errorf("got %+v", got)
	}
}

func TestAPIErrors(t *testing.T) {
	for _, c := range []struct{ name, request, payload, functionError string }{
		{"error", "POST /2018-06-01/runtime/invocation/id/error HTTP/1.1\nLambda-Runtime-Function-Error-Type: Runtime.X\nContent-Length: 17\n\n{\"errorType\":\"X\"}", `{"errorType":"X"}`, Unhandled},
		{"handled", "POST /2018-06-01/runtime/invocation/id/error HTTP/1.1\nLambda-Runtime-Function-Error-Type: Handled\nContent-Length: 2\n\n{}", `{}`, Handled},
		{"no object", "POST /2018-06-01/runtime/invocation/id/error HTTP/1.1\nLambda-Runtime-Function-Error-Type: Runtime.X\nContent-Length: 4\n\noops", `{"errorType":"Runtime.X","errorMessage":"oops"}`, Unhandled},
		{"trailers", "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\nTransfer-Encoding: chunked\nTrailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\n\n3\nabc\n0\nLambda-Runtime-Function-Error-Type: X\nLambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\n\n", `{"a":1}`, Unhandled},
	} {
		a, dial := serveAPI(t)
		r := dial()
		r.send(nextRequest)
		ch := hand(a, &Invocation{RequestID: "id"})
		r.expect(200, "")
		r.send(c.request)
		r.expect(202, "OK")
		if got := <-ch; string(got.res.Payload) != c.payload || got.res.FunctionError != c.functionError {
			t.Errorf("%s: got %s %s", c.name, got.res.Payload, got.res.FunctionError)
		}
	}
}

// TestAPITransitions: every request that is not allowed in a state is refused and changes nothing.
func TestAPITransitions(t *testing.T) {
	a, dial := serveAPI(t)
	c, other := dial(), dial()
	refused := func(what string, requests ...string) {
		t.Helper()
		for _, r := range requests {
			other.send(r)
			other.expect(403, `"errorType":"InvalidStateTransition"`)
		}
	}
	response, failure, initError := post("invocation/id/response", "x"), post("invocation/id/error", "{}"), post("init/error", "{}")
	refused("starting", response, failure)
	c.send(nextRequest)
	if err := a.ready(); err != nil {
		t.Fatal(err)
	}
	refused("ready", nextRequest, response, failure, initError)
	ch := hand(a, &Invocation{RequestID: "id"})
	c.expect(200, "")
	refused("running", nextRequest, initError)
	other.send(post("invocation/other/response", "x"))
	other.expect(400, "InvalidRequestID")
	c.send(response)
	c.expect(202, "")
	if got := <-ch; string(got.res.Payload) != "x" {
		t.Errorf("got %+v", got)
	}
	refused("responded", response, failure, initError)
	c.send(nextRequest)
	ch = hand(a, &Invocation{RequestID: "id"})
	c.expect(200, "")
	c.send(failure)
	c.expect(202, "")
	<-ch
}

func TestAPIInitError(t *testing.T) {
	a, dial := serveAPI(t)
	c := dial()
	c.send(post("init/error", `{"errorType":"Runtime.Bad","errorMessage":"why"}`))
	c.expect(202, "")
	var init *InitError
	if err := a.ready(); !errors.As(err, &init) || init.Type != "Runtime.Bad" || init.Message != "why" {
		t.Errorf("got %v", err)
	}
	c.send(post("init/error", `{}`))
	c.expect(403, "")
	c.send(nextRequest)
	c.expect(403, "")
}

func TestAPIPathsAndMethods(t *testing.T) {
	_, dial := serveAPI(t)
	c := dial()
	for _, r := range []struct {
		request string
		status  int
	}{
		{"GET / HTTP/1.1\n\n", 404},
		{"GET /2018-06-01/runtime/ HTTP/1.1\n\n", 404},
		{"GET /2018-06-02/runtime/invocation/next HTTP/1.1\n\n", 404},
		{"GET /2018-06-01/runtime/invocation/next/ HTTP/1.1\n\n", 404},
		{post("invocation/", ""), 404},
		{post("invocation//response", ""), 404},
		{post("invocation/id/other", ""), 404},
		{post("invocation/id/response/", ""), 404},
		{post("invocation/next", ""), 405},
		{"GET /2018-06-01/runtime/init/error HTTP/1.1\n\n", 405},
		{"PUT /2018-06-01/runtime/invocation/id/response HTTP/1.1\nContent-Length: 1\n\nx", 405},
	} {
		c.send(r.request)
		res, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		if res.StatusCode != r.status {
			t.Errorf("%q: got %d, want %d", r.request, res.StatusCode, r.status)
		}
	}
}

// TestAPIPipelining: what follows a next on the connection waits for its answer.
func TestAPIPipelining(t *testing.T) {
	a, dial := serveAPI(t)
	c := dial()
	c.send(nextRequest + post("invocation/id/response", "early") + nextRequest)
	ch := hand(a, &Invocation{RequestID: "id", Payload: []byte("event")})
	c.expect(200, "event")
	c.expect(202, "OK")
	if got := <-ch; string(got.res.Payload) != "early" {
		t.Errorf("got %+v", got)
	}
	ch = hand(a, &Invocation{RequestID: "id2", Payload: []byte("second")})
	c.expect(200, "second")
	c.send(post("invocation/id2/response", ""))
	c.expect(202, "")
	<-ch
}

// TestAPIHangUp: a next whose connection ended is asked for again on another.
func TestAPIHangUp(t *testing.T) {
	a, dial := serveAPI(t)
	c := dial()
	c.send(nextRequest)
	if err := a.ready(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	// The state changes when the end of the connection is seen.
	again := dial()
	for {
		again.send(nextRequest)
		if again.r.Buffered() == 0 {
			again.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := again.r.Peek(1); err != nil {
				break // it waits for an event
			}
		}
		again.expect(403, "")
	}
	again.SetReadDeadline(time.Time{})
	again.r.Reset(again.Conn)
	ch := hand(a, &Invocation{RequestID: "id", Payload: []byte("event")})
	again.expect(200, "event")
	again.send(post("invocation/id/response", "ok"))
	again.expect(202, "")
	if got := <-ch; string(got.res.Payload) != "ok" {
		t.Errorf("got %+v", got)
	}
}

// TestAPITurns: an event reads the connection of the one before it, and takes what
// comes on others all the same.
func TestAPITurns(t *testing.T) {
	a, dial := serveAPI(t)
	c, other := dial(), dial()
	turn := func(ch <-chan answer, asks, answers *client) {
		t.Helper()
		asks.expect(200, "event")
		answers.send(post("invocation/id/response", "ok"))
		answers.expect(202, "")
		if got := <-ch; got.err != nil || string(got.res.Payload) != "ok" {
			t.Fatalf("got %+v", got)
		}
	}
	inv := &Invocation{RequestID: "id", Payload: []byte("event")}
	c.send(nextRequest)
	turn(hand(a, inv), c, c)
	// It asks while the event waits already, there or elsewhere.
	ch := hand(a, inv)
	c.send(nextRequest)
	turn(ch, c, c)
	ch = hand(a, inv)
	other.send(nextRequest)
	turn(ch, other, c)
	ch = hand(a, inv)
	c.send(nextRequest)
	turn(ch, c, other)
	// What else is asked is answered, and an event that waits goes on waiting. A
	// request on one connection is whole although another one wakes its reader.
	ch = hand(a, inv)
	c.send(post("invocation/id/response", "late"))
	c.expect(403, "InvalidStateTransition")
	c.send("GET /nothing HT")
	other.send(nextRequest)
	c.send("TP/1.1\n\n")
	c.expect(404, "")
	turn(ch, other, c)
	other.send("GET /nothing HTTP/1.1\n\n")
	ch = hand(a, inv)
	other.expect(404, "")
	other.send(nextRequest)
	turn(ch, other, other)
}

// TestAPIHangUps: connections end where events go over others, or nowhere.
func TestAPIHangUps(t *testing.T) {
	a, dial := serveAPI(t)
	inv := &Invocation{RequestID: "id", Payload: []byte("event")}
	lost, again := dial(), dial()
	lost.send(nextRequest)
	if err := a.ready(); err != nil {
		t.Fatal(err)
	}
	lost.Close()
	for h := <-a.parked; ; time.Sleep(time.Millisecond) {
		if h.hungUp() {
			a.parked <- h
			break
		}
	}
	ch := hand(a, inv)
	again.send(nextRequest)
	again.expect(200, "event")
	again.send("POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\nConnection: close\nContent-Length: 2\n\nok")
	again.expect(202, "")
	if got := <-ch; string(got.res.Payload) != "ok" {
		t.Fatalf("got %+v", got)
	}
	if _, err := again.r.ReadByte(); err != io.EOF {
		t.Errorf("a connection that is to end: %v", err)
	}
	// Between the event and its response.
	ch = hand(a, inv)
	c := dial()
	c.send(nextRequest)
	c.expect(200, "event")
	c.Close()
	c = dial()
	c.send(post("invocation/id/response", "over another"))
	c.expect(202, "")
	if got := <-ch; string(got.res.Payload) != "over another" {
		t.Fatalf("got %+v", got)
	}
	// Instead of a request.
	c.send(nextRequest)
	ch = hand(a, inv)
	c.expect(200, "event")
	c.send("what\n\n")
	c.expect(400, "")
	if _, err := c.r.ReadByte(); err != io.EOF {
		t.Errorf("a connection out of step: %v", err)
	}
	c = dial()
	c.send(post("invocation/id/response", "ok"))
	c.expect(202, "")
	<-ch
}

// TestAPIEnds: an event ends with the runtime, whoever keeps its connection open.
func TestAPIEnds(t *testing.T) {
	a, dial := serveAPI(t)
	gone := make(chan struct{})
	a.gone = gone
	go a.watch()
	c := dial()
	c.send(nextRequest)
	ch := hand(a, &Invocation{RequestID: "id", Payload: []byte("event")})
	c.expect(200, "event")
	close(gone)
	if got := <-ch; got.err != io.EOF {
		t.Errorf("got %+v", got)
	}
	if got := <-hand(a, &Invocation{RequestID: "id"}); !errors.Is(got.err, ErrNotDelivered) {
		t.Errorf("got %+v", got)
	}
}

// TestAPISharedConnection: an extension inside the runtime asks on the connection
// that an event is read from.
func TestAPISharedConnection(t *testing.T) {
	a, dial := serveAPI(t)
	a.ext = newExtensions(&Config{Clock: clock.System{}}, nil)
	c, other := dial(), dial()
	c.send("POST /2020-01-01/extension/register HTTP/1.1\nLambda-Extension-Name: inner\nContent-Length: 21\n\n{\"events\":[\"INVOKE\"]}")
	id := c.expect(200, "").Header.Get("Lambda-Extension-Identifier")
	c.send(nextRequest)
	inv := &Invocation{RequestID: "id", Payload: []byte("event")}
	ch := hand(a, inv)
	c.expect(200, "event")
	c.send("GET /2020-01-01/extension/event/next HTTP/1.1\nLambda-Extension-Identifier: " + id + "\n\n")
	other.send(post("invocation/id/response", "ok"))
	other.expect(202, "")
	if got := <-ch; string(got.res.Payload) != "ok" {
		t.Fatalf("got %+v", got)
	}
	if !a.ext.until(a.ext.settled) {
		t.Fatal("the extension has not asked")
	}
	a.ext.invoke(inv)
	c.expect(200, `"INVOKE"`)
	c.send(nextRequest)
	ch = hand(a, inv)
	c.expect(200, "event")
	c.send(post("invocation/id/response", "again"))
	c.expect(202, "")
	if got := <-ch; string(got.res.Payload) != "again" {
		t.Errorf("got %+v", got)
	}
}

func TestAPITooLarge(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		a, dial := serveAPI(t)
		c := dial()
		c.send(nextRequest)
		ch := hand(a, &Invocation{RequestID: "id"})
		c.expect(200, "")
		body := strings.Repeat("x", MaxPayload+1)
		request := post("invocation/id/response", body)
		if chunked {
			request = "POST /2018-06-01/runtime/invocation/id/response HTTP/1.1\nTransfer-Encoding: chunked\n\n" +
				fmt.Sprintf("%x\n%s\n0\n\n", len(body), body)
		}
		c.send(request)
		c.expect(413, `"errorType":"RequestEntityTooLarge"`)
		if got := <-ch; got.res.ErrorType != typeTooLarge || got.res.FunctionError != Unhandled {
			t.Errorf("got %+v", got)
		}
		// The connection is still in step.
		c.send(nextRequest)
		ch = hand(a, &Invocation{RequestID: "id", Payload: []byte("fine")})
		c.expect(200, "fine")
		c.send(post("invocation/id/response", ""))
		c.expect(202, "")
		<-ch
	}
}

func TestAPIMalformed(t *testing.T) {
	_, dial := serveAPI(t)
	for _, r := range []struct {
		request string
		status  int
	}{
		{"GET\n\n", 400},
		{"GET /\n\n", 400},
		{"GET  / HTTP/1.1\n\n", 400},
		{"G(T / HTTP/1.1\n\n", 400},
		{"GET x HTTP/1.1\n\n", 400},
		{"GET / HTTP/2.0\n\n", 505},
		{"GET / HTTP/1.1\nA B: c\n\n", 400},
		{"GET / HTTP/1.1\nA : c\n\n", 400},
		{"GET / HTTP/1.1\nA: b\n c\n\n", 400},
		{"GET / HTTP/1.1\nA: \x01\n\n", 400},
		{"POST / HTTP/1.1\nContent-Length: 1\nContent-Length: 2\n\n", 400},
		{"POST / HTTP/1.1\nContent-Length: -1\n\n", 400},
		{"POST / HTTP/1.1\nContent-Length: +1\n\n", 400},
		{"POST / HTTP/1.1\nContent-Length: 0x1\n\n", 400},
		{"POST / HTTP/1.1\nContent-Length: 99999999999999999999\n\n", 400},
		{"POST / HTTP/1.1\nContent-Length: 999999999999\n\n", 413},
		{"POST / HTTP/1.1\nContent-Length: 1\nTransfer-Encoding: chunked\n\n", 400},
		{"POST / HTTP/1.1\nTransfer-Encoding: gzip\n\n", 501},
		{"POST / HTTP/1.1\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n", 501},
		{"POST / HTTP/1.0\nTransfer-Encoding: chunked\n\n", 400},
		{"POST / HTTP/1.1\nTransfer-Encoding: chunked\n\nx\n", 400},
		{"POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n\n", 400},
		{"POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n1\nab\n", 400},
		{"POST / HTTP/1.1\nTransfer-Encoding: chunked\n\nfffffffffffffffff\n", 400},
		{"POST / HTTP/1.1\nTransfer-Encoding: chunked\n\nfffffffffffff\n", 413},
		{"POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n0\nbad trailer\n\n", 400},
		{"POST / HTTP/1.1\nExpect: 200-ok\n\n", 417},
		{"GET / HTTP/1.1\nA: " + strings.Repeat("x", 40<<10) + "\n\n", 431},
	} {
		c := dial()
		c.send(r.request)
		res, err := http.ReadResponse(c.r, nil)
		if err != nil || res.StatusCode != r.status {
			t.Errorf("%.60q: got %v, %v", r.request, res, err)
			continue
		}
		io.Copy(io.Discard, res.Body)
		if _, err := c.r.ReadByte(); err == nil {
			t.Errorf("%.60q: the connection goes on", r.request)
		}
	}
}

func TestAPIConnectionHeaders(t *testing.T) {
	_, dial := serveAPI(t)
	for request, stays := range map[string]bool{
		"GET / HTTP/1.1\n\n":                                                     true,
		"\n\nGET / HTTP/1.1\nconnection: x, Close\n\n":                           false,
		"GET / HTTP/1.0\n\n":                                                     false,
		"GET / HTTP/1.0\nConnection: keep-alive\n\n":                             true,
		"POST / HTTP/1.1\nExpect: 100-Continue\nContent-Length: 2\n\nab":         true,
		"POST / HTTP/1.1\nTransfer-Encoding: Chunked\n\n2\nab\n0\nX: y\nZ: \n\n": true,
	} {
		c := dial()
		c.send(request)
		res, err := http.ReadResponse(c.r, nil)
		if err == nil && res.StatusCode == 100 {
			res, err = http.ReadResponse(c.r, nil)
		}
		if err != nil || res.StatusCode != 404 {
			t.Fatalf("%q: %v, %v", request, res, err)
		}
		io.Copy(io.Discard, res.Body)
		c.send("GET / HTTP/1.1\n\n")
		if _, err := c.r.ReadByte(); (err == nil) != stays {
			t.Errorf("%q: then %v", request, err)
		}
	}
}

// readerConn is a connection that can only be read.
type readerConn struct {
	net.Conn
	io.Reader
}

func (r readerConn) Read(b []byte) (int, error)  { return r.Reader.Read(b) }
func (r readerConn) Write(b []byte) (int, error) { return len(b), nil }

// FuzzHTTP: no input crashes the parser, and what it accepts net/http reads in the same way.
func FuzzHTTP(f *testing.F) {
	for _, s := range []string{
		nextRequest, post("invocation/id/response", "body"),
		"POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n3\nabc\n0\nA: b\n\n",
		"GET /a?b HTTP/1.0\nConnection: close\n\n",
	} {
		f.Add([]byte(strings.ReplaceAll(s, "\n", "\r\n")))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h := newHTTPConn(readerConn{Reader: strings.NewReader(string(in))})
		r, err := h.head()
		if err != nil || h.body(r, 1000) != nil || r.tooLarge {
			return
		}
		std, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.TrimLeft(string(in), "\r\n"))))
		if err != nil {
			// It is stricter about targets and hosts, which we do not use.
			return
		}
		body, err := io.ReadAll(std.Body)
		if err != nil || std.Method != r.method || string(body) != string(r.body) {
			t.Errorf("net/http: %s %q %v; here: %s %q", std.Method, body, err, r.method, r.body)
		}
	})
}
