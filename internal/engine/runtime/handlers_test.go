//go:build linux

package runtime_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// TestNodeHandlers: the forms of handlers and modules.
func TestNodeHandlers(t *testing.T) {
	const handler = "exports.handler = async () => 'cjs'"
	for _, c := range []struct {
		name, handler string
		files         map[string]string
		want          string
	}{
		{"js", "main.handler", map[string]string{"main.js": handler}, `"cjs"`},
		{"cjs", "main.handler", map[string]string{"main.cjs": handler}, `"cjs"`},
		{"mjs", "main.handler", map[string]string{"main.mjs": "export const handler = async () => 'esm'"}, `"esm"`},
		{"type module", "main.handler", map[string]string{"main.js": "import fs from 'fs'; export const handler = async () => typeof fs.readFileSync", "package.json": `{"type":"module"}`}, `"function"`},
		{"top-level await", "main.handler", map[string]string{"main.mjs": "const x = await new Promise((ok) => setTimeout(() => ok('waited'), 2)); export const handler = async () => x"}, `"waited"`},
		{"default export", "main.handler", map[string]string{"main.mjs": "export default { handler: async () => 'default' }"}, `"default"`},
		{"folder", "src/api/main.handler", map[string]string{"src/api/main.js": handler}, `"cjs"`},
		{"nested export", "main.a.b", map[string]string{"main.js": "exports.a = { b: async () => 'nested' }"}, `"nested"`},
		{"package", "app.handler", map[string]string{"app/index.js": handler}, `"cjs"`},
		{"own module", "main.handler", map[string]string{"main.js": "const l = require('./lib/l'); const p = require('p'); exports.handler = async () => l + p", "lib/l.js": "module.exports = 'l'", "node_modules/p/index.js": "module.exports = 'p'"}, `"lp"`},
		{"callback", "main.handler", map[string]string{"main.js": "exports.handler = (e, c, cb) => { setTimeout(() => cb(null, 'called'), 2) }"}, `"called"`},
		{"callback waits", "main.handler", map[string]string{"main.js": "let s = 'a'; exports.handler = (e, c, cb) => { cb(null, { get s() { return s } }); setTimeout(() => { s = 'b' }, 5) }"}, `{"s":"b"}`},
		{"callback does not wait", "main.handler", map[string]string{"main.js": "exports.handler = (e, c, cb) => { c.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1000); cb(null, 'at once') }"}, `"at once"`},
		{"callback error", "main.handler", map[string]string{"main.js": "exports.handler = (e, c, cb) => cb(new RangeError('r'))"}, `"errorType":"RangeError"`},
		{"async calls back", "main.handler", map[string]string{"main.js": "exports.handler = async (e, c, cb) => { cb(null, 'called') }"}, `"called"`},
		{"async calls back later", "main.handler", map[string]string{"main.js": "exports.handler = async (e, c, cb) => { await null; cb(null, 'called'); return 'returned' }"}, `"called"`},
		{"async calls back with an error", "main.handler", map[string]string{"main.js": "exports.handler = async (e, c, cb) => { cb(new RangeError('r')) }"}, `"errorType":"RangeError"`},
		{"async returns, then calls back", "main.handler", map[string]string{"main.js": "exports.handler = async (e, c, cb) => { setTimeout(() => cb(null, 'called'), 2); return 'returned' }"}, `"returned"`},
		{"an error does not wait", "main.handler", map[string]string{"main.js": "exports.handler = (e, c, cb) => { setInterval(() => {}, 1000); cb(new RangeError('r')) }"}, `"errorType":"RangeError"`},
		{"an error's shape", "main.handler", map[string]string{"main.js": "exports.handler = async () => { throw { name: 'Shape', message: 'm', stack: 's' } }"}, `{"errorType":"Shape","errorMessage":"m","trace":["s"]}`},
		{"done", "main.handler", map[string]string{"main.js": "exports.handler = (e, c) => { setInterval(() => {}, 1000); c.done(null, 'done') }"}, `"done"`},
		{"succeed", "main.handler", map[string]string{"main.js": "exports.handler = (e, c) => { c.succeed('ok') }"}, `"ok"`},
		{"fail", "main.handler", map[string]string{"main.js": "exports.handler = (e, c) => { c.fail('bad') }"}, `{"errorType":"string","errorMessage":"bad","trace":[]}`},
		{"synchronous throw", "main.handler", map[string]string{"main.js": "exports.handler = () => { throw new RangeError('r') }"}, `"errorType":"RangeError"`},
		{"nothing", "main.handler", map[string]string{"main.js": "exports.handler = () => {}"}, `null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, _ := config(t, "nodejs20.x", c.handler, code(t, c.files))
			e := start(t, cfg)
			for range 2 {
				if got := string(invoke(t, e, event("h", "{}")).Payload); got != c.want && (c.want[0] == '{' || c.want[0] == 'n' || !strings.Contains(got, c.want)) {
					t.Errorf("got %s", got)
				}
			}
		})
	}
}

// TestNodeFailures: errors that no handler returned.
func TestNodeFailures(t *testing.T) {
	cfg, l := config(t, "nodejs20.x", "main.handler", code(t, map[string]string{"main.js": nodeFunction}))
	for _, c := range []struct {
		do, kind, message, log string
		alive                  bool
	}{
		{"uncaught", "Odd", "later", "\tf\tERROR\tUncaught Exception \t", false},
		{"rejected", "Runtime.UnhandledPromiseRejection", "Odd: lost", "\tf\tERROR\tUnhandled Promise Rejection \t{\"errorType\":\"Runtime.UnhandledPromiseRejection\",\"errorMessage\":\"Odd: lost\",\"reason\":{\"errorType\":\"Odd\",", false},
		{"circular", "Error", "Unable to stringify response body", "Converting circular structure to JSON", true},
		{"string", "string", "just text", "Invoke Error \t{\"errorType\":\"Error\",\"errorMessage\":\"just text\",\"stack\":[", true},
	} {
		e := start(t, cfg)
		res := invoke(t, e, event("f", `{"do":"`+c.do+`"}`))
		kind, message := failureOf(t, res)
		if kind != c.kind || !strings.HasPrefix(message, c.message) || res.FunctionError != runtime.Unhandled || e.Alive() != c.alive {
			t.Errorf("%s: got %s", c.do, res.Payload)
		}
		if !strings.Contains(l.all(), c.log) {
			t.Errorf("%s: log %q", c.do, l.all())
		}
	}
	e := start(t, cfg)
	for _, do := range []string{"never", "nothing"} {
		if got := string(invoke(t, e, event("f", `{"do":"`+do+`"}`)).Payload); got != "null" {
			t.Errorf("%s: got %s", do, got)
		}
	}
	// What fails after the answer is not taken for the answer to the next event.
	if got := string(invoke(t, e, event("f", `{"do":"late"}`)).Payload); got != `"answered"` {
		t.Errorf("late: got %s", got)
	}
	if res, err := e.Invoke(t.Context(), event("g", `{"do":"count"}`)); err == nil && res.FunctionError != "" {
		kind, _ := failureOf(t, res)
		t.Logf("the next event met %s", kind)
	}
}

func TestPythonHandlers(t *testing.T) {
	for _, c := range []struct {
		name, handler string
		files         map[string]string
		event, want   string
	}{
		{"dots", "app.main.handler", map[string]string{"app/main.py": "handler = lambda e, c: 'dots'"}, "{}", `"dots"`},
		{"slashes", "app/main.handler", map[string]string{"app/main.py": "handler = lambda e, c: 'slashes'"}, "{}", `"slashes"`},
		{"own module", "main.handler", map[string]string{"main.py": "import lib\nhandler = lambda e, c: lib.x", "lib.py": "x = 1"}, "{}", `1`},
		{"decimal", "main.handler", map[string]string{"main.py": pythonFunction}, `{"do":"decimal"}`, `"d": 1.5`},
		{"all digits", "main.handler", map[string]string{"main.py": "from decimal import Decimal as D\nhandler = lambda e, c: [D('1.10'), {'x': D('12345678901234567890.123456789')}, D('NaN'), D('1E+3')]"}, "{}", `[1.10, {"x": 12345678901234567890.123456789}, NaN, 1E+3]`},
		{"bytes", "main.handler", map[string]string{"main.py": "handler = lambda e, c: {'a': b'text'}"}, "{}", `{"a": "text"}`},
		{"no text", "main.handler", map[string]string{"main.py": "handler = lambda e, c: {'a': bytes([255])}"}, "{}", `"errorType": "Runtime.MarshalError"`},
		{"bytes alone", "main.handler", map[string]string{"main.py": "handler = lambda e, c: b'as they are'"}, "{}", `as they are`},
		{"hooks of snapshots", "main.handler", map[string]string{"main.py": "from snapshot_restore_py import register_before_snapshot, register_after_restore\n@register_before_snapshot\ndef hook(): raise Exception\nregister_after_restore(hook)\nhandler = lambda e, c: [hook.__name__, c.tenant_id]"}, "{}", `["hook", null]`},
		{"marshal", "main.handler", map[string]string{"main.py": pythonFunction}, `{"do":"set"}`, `"errorMessage": "Unable to marshal response: Object of type set is not JSON serializable", "errorType": "Runtime.MarshalError"`},
		{"bad event", "main.handler", map[string]string{"main.py": pythonFunction}, `{`, `"errorType": "Runtime.UnmarshalError"`},
		{"read-only code", "main.handler", map[string]string{"main.py": "def handler(e, c):\n  try: open('/var/task/x', 'w')\n  except OSError as e: return e.errno"}, `{}`, `30`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, _ := config(t, "python3.11", c.handler, code(t, c.files))
			e := start(t, cfg)
			if got := string(invoke(t, e, event("h", c.event)).Payload); got != c.want && !strings.Contains(got, c.want) {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestJSONLogs: what is logged where the format is JSON.
func TestJSONLogs(t *testing.T) {
	for _, c := range []struct {
		runtime string
		files   map[string]string
		want    []string
	}{
		{"nodejs20.x", map[string]string{"main.js": "exports.handler = async () => { console.log('a', 1); throw new RangeError('r') }"}, []string{
			`"level":"INFO","requestId":"j","message":"a 1"}`,
			`"level":"ERROR","requestId":"j","message":{"errorType":"RangeError","errorMessage":"r","stackTrace":["RangeError: r"`,
		}},
		{"python3.11", map[string]string{"main.py": "import logging\ndef handler(e, c):\n  logging.warning({'a': 1}, extra={'b': 2})\n  raise KeyError('r')"}, []string{
			`"level": "WARNING", "message": {"a": 1}, "logger": "root", "requestId": "j", "b": 2}`,
			`"level": "ERROR", "errorMessage": "'r'", "errorType": "KeyError", "requestId": "j", "stackTrace": ["  File \"/var/task/main.py\"`,
		}},
	} {
		cfg, l := config(t, c.runtime, "main.handler", code(t, c.files))
		cfg.Env = append(cfg.Env, "AWS_LAMBDA_LOG_FORMAT=JSON")
		invoke(t, start(t, cfg), event("j", "{}"))
		for _, want := range c.want {
			if !strings.Contains(l.all(), want) {
				t.Errorf("%s: %s is not in %s", c.runtime, want, l.all())
			}
		}
	}
}

// TestEveryInterpreter runs the bootstraps on all versions that this machine has.
func TestEveryInterpreter(t *testing.T) {
	for _, name := range []string{"python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14", "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"main.py": pythonFunction, "main.js": nodeFunction}
			cfg, _ := config(t, name, "main.handler", code(t, files))
			if !cfg.Runtime.Exact {
				t.Skip(cfg.Runtime.Notice)
			}
			e := start(t, cfg)
			if got := string(invoke(t, e, event("v", `{"do":"count"}`)).Payload); got != "1" {
				t.Errorf("got %s", got)
			}
			res := invoke(t, e, event("v", `{"do":"error"}`))
			if kind, message := failureOf(t, res); kind != "Odd" || message != "no luck" {
				t.Errorf("got %s", res.Payload)
			}
			invoke(t, e, event("v", `{"do":"log"}`))
		})
	}
}

func TestLayers(t *testing.T) {
	layer := code(t, map[string]string{
		"python/shared.py": "x = 'layer'", "nodejs/node_modules/shared/index.js": "module.exports = 'layer'",
		"bootstrap": "#!/bin/sh\nexit 6\n",
	})
	for name, files := range map[string]map[string]string{
		"python3.11": {"main.py": "import shared\nhandler = lambda e, c: shared.x"},
		"nodejs20.x": {"main.js": "const x = require('shared'); exports.handler = async () => x"},
	} {
		cfg, _ := config(t, name, "main.handler", code(t, files))
		cfg.Layers = layer
		if got := string(invoke(t, start(t, cfg), event("l", "{}")).Payload); got != `"layer"` {
			t.Errorf("%s: got %s", name, got)
		}
	}
	cfg, _ := config(t, "provided.al2023", "x", code(t, nil))
	cfg.Layers = layer
	if _, err := runtime.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "exit status 6") {
		t.Errorf("bootstrap of a layer: %v", err)
	}
}

// TestPlainProcess: everything works without isolation, too.
func TestPlainProcess(t *testing.T) {
	l, _, err := sandbox.Open(t.Context(), sandbox.Config{StateDir: t.TempDir(), Tier: sandbox.TierProcess})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	each(t, func(t *testing.T, name string, cfg runtime.Config, _ *log) {
		cfg.Launcher = l
		e := start(t, cfg)
		if got := string(invoke(t, e, event("p", `{"do":"count"}`)).Payload); got != "1" {
			t.Errorf("got %s", got)
		}
		_, message := failureOf(t, invoke(t, e, event("p", `{"do":"exit","n":2}`)))
		if message != "RequestId: p Error: Runtime exited with error: exit status 2" {
			t.Errorf("got %s", message)
		}
	})
}

// TestPrivateNetwork: the Runtime API is inside.
func TestPrivateNetwork(t *testing.T) {
	if !ready(t).Tier().PrivateNetwork {
		t.Skip("this host allows no network namespaces")
	}
	each(t, func(t *testing.T, name string, cfg runtime.Config, _ *log) {
		cfg.Network = sandbox.NetworkPrivate
		if got := string(invoke(t, start(t, cfg), event("n", `{"do":"count"}`)).Payload); got != "1" {
			t.Errorf("got %s", got)
		}
	})
}

// TestDoor: the door is the one way out of a private network, and it closes with
// the environment.
func TestDoor(t *testing.T) {
	if !ready(t).Tier().PrivateNetwork {
		t.Skip("this host allows no network namespaces")
	}
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer outside.Close()
	behind := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "answer to "+r.URL.Path) })}
	closed := make(chan error, 1)
	cfg, _ := config(t, "python3.11", "main.handler", code(t, map[string]string{"main.py": `
import urllib.request
def handler(event, context):
    out = urllib.request.urlopen("http://127.0.0.1:4566/door").read().decode()
    try:
        urllib.request.urlopen(event["outside"], timeout=2)
        out += ", and the host is open"
    except OSError as e:
        out += ", " + type(e).__name__
    return out
`}))
	cfg.Network = sandbox.NetworkPrivate
	cfg.Door = runtime.Door{Port: 4566, Serve: func(l net.Listener) { go func() { closed <- behind.Serve(l) }() }}
	e := start(t, cfg)
	got := string(invoke(t, e, event("d", fmt.Sprintf(`{"outside":%q}`, outside.URL))).Payload)
	if got != `"answer to /door, URLError"` {
		t.Errorf("got %s", got)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-closed; err == nil {
		t.Error("the door was closed without an error")
	}
}

// TestNodeStreams: handlers that stream their response.
func TestNodeStreams(t *testing.T) {
	const prelude = "application/vnd.awslambda.http-integration-response"
	for _, c := range []struct{ name, code, kind, want, failed string }{
		{"written", "async (e, out, c) => { out.setContentType('text/plain'); out.write('a'); await new Promise((ok) => setTimeout(ok, 2)); out.write({b: 1}); out.end('c') }", "text/plain", `a{"b":1}c`, ""},
		{"left open", "async (e, out) => { out.write('x') }", "", "x", ""},
		{"written after the handler", "async (e, out) => { out.write('1'); setTimeout(() => out.end('2'), 5) }", "", "12", ""},
		{"ended before the handler", "async (e, out) => { out.end(String(globalThis.busy)); globalThis.busy = 'busy'; await new Promise((ok) => setTimeout(ok, 5)); globalThis.busy = undefined }", "", "undefined", ""},
		{"not async", "(e, out) => { out.end('x') }", "", "x", "Streaming does not support non-async handlers."},
		{"destroyed", "async (e, out) => { out.write('x'); out.destroy() }", "", "x", "The response stream was destroyed."},
		{"empty", "async (e, out) => { out.end() }", "", "", ""},
		{"pipeline", "async (e, out) => { await require('stream/promises').pipeline(require('stream').Readable.from(['1', '2', '3']), out) }", "", "123", ""},
		{"metadata", "async (e, out) => { out = awslambda.HttpResponseStream.from(out, {statusCode: 201}); out.write('body'); out.end() }", prelude, "{\"statusCode\":201}\x00\x00\x00\x00\x00\x00\x00\x00body", ""},
		{"metadata alone", "async (e, out) => { awslambda.HttpResponseStream.from(out, {statusCode: 204}).end() }", prelude, "{\"statusCode\":204}\x00\x00\x00\x00\x00\x00\x00\x00", ""},
		{"large", "async (e, out) => { for (let i = 0; i < 8; i++) out.write(Buffer.alloc(1 << 20, 'x')); out.end() }", "", strings.Repeat("x", 8<<20), ""},
		{"fails first", "async (e, out) => { throw new RangeError('r') }", "", "", "RangeError"},
		{"breaks off", "async (e, out) => { out.write('part'); throw new RangeError('r') }", "", "part", "RangeError"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, _ := config(t, "nodejs20.x", "main.handler", code(t, map[string]string{"main.js": "exports.handler = awslambda.streamifyResponse(" + c.code + ")"}))
			e := start(t, cfg)
			for range 2 {
				var got strings.Builder
				inv, kind, calls := event("s", "{}"), "", 0
				inv.Stream = func(k string, b []byte) error {
					kind, calls = k, calls+1
					got.Write(b)
					return nil
				}
				res := invoke(t, e, inv)
				if got.String() != c.want || kind != c.kind || res.Streamed != (calls > 0) {
					t.Errorf("got %.100q as %q; %+v", got.String(), kind, res)
				}
				if c.failed == "" && res.FunctionError != "" || c.failed != "" && !strings.Contains(string(res.Payload), c.failed) {
					t.Errorf("failed: %s", res.Payload)
				}
			}
			if len(c.want) < 1<<20 && c.failed == "" {
				if res := invoke(t, e, event("b", "{}")); string(res.Payload) != c.want || res.Streamed {
					t.Errorf("not as a stream: %q", res.Payload)
				}
			}
		})
	}
}
