package runtime

import (
	"errors"
	"strings"
	"testing"
)

// TestAPIStream: a response is passed on while the runtime still sends it.
func TestAPIStream(t *testing.T) {
	const head = "POST /2018-06-01/runtime/invocation/i/response HTTP/1.1\nLambda-Runtime-Function-Response-Mode: streaming\nTransfer-Encoding: chunked\nContent-Type: text/x\n"
	a, dial := serveAPI(t)
	c := dial()
	pieces := make(chan string, 16)
	stream := func(kind string, b []byte) error {
		pieces <- kind + " " + string(b)
		return nil
	}
	c.send(nextRequest)
	ch := hand(a, &Invocation{RequestID: "i", Stream: stream})
	c.expect(200, "")
	c.send(head + "\n3\nabc\n")
	for _, want := range []string{"text/x ", "text/x abc"} {
		if got := <-pieces; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	c.send("2\nde\n0\n\n")
	c.expect(202, "OK")
	if got := <-ch; got.err != nil || !got.res.Streamed || len(got.res.Payload) != 0 || got.res.FunctionError != "" || <-pieces != "text/x de" {
		t.Errorf("got %+v", got)
	}

	// It breaks off: the trailers tell why.
	c.send(nextRequest)
	ch = hand(a, &Invocation{RequestID: "i", Stream: stream})
	c.expect(200, "")
	c.send(strings.Replace(head, "Content-Type", "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\nContent-Type", 1) +
		"\n1\nx\n0\nLambda-Runtime-Function-Error-Type: Odd\nLambda-Runtime-Function-Error-Body: eyJlcnJvclR5cGUiOiJPZGQifQ==\n\n")
	c.expect(202, "OK")
	if got := <-ch; got.res.FunctionError != Unhandled || string(got.res.Payload) != `{"errorType":"Odd"}` || !got.res.Streamed {
		t.Errorf("got %+v", got.res)
	}

	// Nobody wants it as a stream.
	c.send(nextRequest)
	ch = hand(a, &Invocation{RequestID: "i"})
	c.expect(200, "")
	c.send(head + "\n3\nabc\n0\n\n")
	c.expect(202, "OK")
	if got := <-ch; string(got.res.Payload) != "abc" || got.res.Streamed {
		t.Errorf("got %+v", got.res)
	}
}

func TestCollector(t *testing.T) {
	calls := 0
	c := &collector{to: func(string, []byte) error { calls++; return errors.New("gone") }}
	c.add([]byte("a"))
	c.add([]byte("b"))
	if res := c.result(nil); calls != 1 || !res.Streamed || len(res.Payload) != 0 {
		t.Errorf("after its reader has gone: %d calls, %+v", calls, res)
	}
	c = &collector{}
	c.add(make([]byte, MaxPayload))
	if res := c.result(nil); len(res.Payload) != MaxPayload || res.FunctionError != "" {
		t.Errorf("gathered: %d bytes, %s", len(res.Payload), res.FunctionError)
	}
	c.add([]byte("x"))
	if res := c.result(nil); res.ErrorType != typeTooLarge {
		t.Errorf("gathered above the limit: %+v", res)
	}
}
