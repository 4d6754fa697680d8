package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/test/harness"
)

// dap is an editor's end of the Debug Adapter Protocol.
// https://microsoft.github.io/debug-adapter-protocol/specification
type dap struct {
	*testing.T
	conn net.Conn
	r    *bufio.Reader
	seq  int
	held []message
}

type message struct {
	Type    string          `json:"type"`
	Event   string          `json:"event"`
	Command string          `json:"command"`
	Success bool            `json:"success"`
	Message string          `json:"message"`
	Body    json.RawMessage `json:"body"`
}

func dial(t *testing.T, port string) *dap {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &dap{T: t, conn: conn, r: bufio.NewReader(conn)}
}

// say sends a request.
func (d *dap) say(command string, arguments map[string]any) {
	d.Helper()
	d.seq++
	doc, err := json.Marshal(map[string]any{"seq": d.seq, "type": "request", "command": command, "arguments": arguments})
	if err == nil {
		_, err = fmt.Fprintf(d.conn, "Content-Length: %d\r\n\r\n%s", len(doc), doc)
	}
	if err != nil {
		d.Fatal(err)
	}
}

// hear waits for an event, or for the response to a request, which must have succeeded.
func (d *dap) hear(kind, name string) message {
	d.Helper()
	is := func(m message) bool {
		return m.Type == kind && (kind == "event" && m.Event == name || kind == "response" && m.Command == name)
	}
	for i, m := range d.held {
		if is(m) {
			d.held = append(d.held[:i], d.held[i+1:]...)
			return m
		}
	}
	_ = d.conn.SetReadDeadline(time.Now().Add(harness.Patience))
	for {
		length := 0
		for {
			line, err := d.r.ReadString('\n')
			if err != nil {
				d.Fatalf("no %s %s: %v; before it came %v", kind, name, err, d.held)
			}
			if line = strings.TrimSpace(line); line == "" {
				break
			}
			if n, ok := strings.CutPrefix(line, "Content-Length: "); ok {
				length, _ = strconv.Atoi(n)
			}
		}
		body := make([]byte, length)
		var m message
		if _, err := io.ReadFull(d.r, body); err != nil {
			d.Fatal(err)
		}
		if err := json.Unmarshal(body, &m); err != nil {
			d.Fatalf("%s: %v", body, err)
		}
		switch {
		case m.Type == "response" && !m.Success:
			d.Fatalf("%s is refused: %s %s", m.Command, m.Message, m.Body)
		case is(m):
			return m
		}
		d.held = append(d.held, m)
	}
}

// attach begins the session with a breakpoint.
func (d *dap) attach(arguments map[string]any, file string, line int) {
	d.Helper()
	d.say("initialize", map[string]any{"adapterID": "test", "linesStartAt1": true, "columnsStartAt1": true, "pathFormat": "path"})
	d.hear("response", "initialize")
	d.say("attach", arguments)
	d.hear("event", "initialized")
	d.say("setBreakpoints", map[string]any{"source": map[string]any{"path": file}, "breakpoints": []map[string]any{{"line": line}}})
	var set struct{ Breakpoints []struct{ Verified bool } }
	if m := d.hear("response", "setBreakpoints"); json.Unmarshal(m.Body, &set) != nil || len(set.Breakpoints) != 1 || !set.Breakpoints[0].Verified {
		d.Fatalf("the breakpoint is not set: %s", m.Body)
	}
	d.say("configurationDone", nil)
	d.hear("response", "configurationDone")
	d.hear("response", "attach")
}

// stopped waits for the breakpoint and returns the thread that is at it.
func (d *dap) stopped() int {
	d.Helper()
	var at struct {
		Reason   string
		ThreadID int `json:"threadId"`
	}
	if m := d.hear("event", "stopped"); json.Unmarshal(m.Body, &at) != nil || at.Reason != "breakpoint" {
		d.Fatalf("it stopped for another reason: %s", m.Body)
	}
	return at.ThreadID
}

// variable is what an expression is in the frame that a thread stopped in.
func (d *dap) variable(thread int, expression string) string {
	d.Helper()
	d.say("stackTrace", map[string]any{"threadId": thread, "levels": 1})
	var trace struct{ StackFrames []struct{ ID int } }
	if m := d.hear("response", "stackTrace"); json.Unmarshal(m.Body, &trace) != nil || len(trace.StackFrames) == 0 {
		d.Fatalf("there is no frame: %s", m.Body)
	}
	d.say("evaluate", map[string]any{"expression": expression, "frameId": trace.StackFrames[0].ID, "context": "watch"})
	var value struct{ Result string }
	if m := d.hear("response", "evaluate"); json.Unmarshal(m.Body, &value) != nil {
		d.Fatalf("%s", m.Body)
	}
	return value.Result
}
