//go:build linux

package runtime_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// extensionProgram is an external extension; what it does, its variable DO says.
const extensionProgram = `#!/usr/bin/python3
import http.client, http.server, json, os, socket, sys, threading, time
me = os.path.basename(sys.argv[0])
do = os.environ.get("DO_" + me.upper(), "")
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
def say(*words): print(me, *words, flush=True)
conn = http.client.HTTPConnection(api)
def ask(method, path, body=None, **headers):
    conn.request(method, path, None if body is None else json.dumps(body), {k.replace("_", "-"): v for k, v in headers.items()})
    r = conn.getresponse()
    text = r.read()
    return r.status, r.headers, json.loads(text)
root = "/2020-01-01/extension/"
if do == "crash-early": sys.exit(3)
if do == "hang": time.sleep(1000)
events = ["INVOKE", "SHUTDOWN"]
if do == "shutdown-only": events = ["SHUTDOWN"]
status, headers, body = ask("POST", root + "register", {"events": events}, Lambda_Extension_Name=me, Lambda_Extension_Accept_Feature="accountId")
say("registered", status, json.dumps(body))
id = headers["Lambda-Extension-Identifier"]
def as_me(method, path, body=None, **headers): return ask(method, path, body, Lambda_Extension_Identifier=id, **headers)
if do == "init-error":
    say(as_me("POST", root + "init/error", {"errorMessage": "no configuration"}, Lambda_Extension_Function_Error_Type="Extension.NoConfig")[0])
    sys.exit(1)
if do == "states":
    say(ask("POST", root + "register", {"events": []}, Lambda_Extension_Name=me)[0::2])
    say(ask("POST", root + "register", {"events": ["OTHER"]}, Lambda_Extension_Name="other")[0::2])
    say(ask("POST", root + "register", {"events": ["SHUTDOWN"]}, Lambda_Extension_Name="other")[0::2])
    say(ask("POST", root + "register", {"events": []})[0::2])
    say(ask("GET", root + "event/next")[0::2])
    say(ask("GET", root + "event/next", Lambda_Extension_Identifier="nobody")[0::2])
    say(as_me("POST", root + "init/error", {})[0::2])
    say(as_me("POST", root + "event/next", {})[0::2])
if do == "telemetry":
    class Sink(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            for e in json.loads(self.rfile.read(int(self.headers["Content-Length"]))): say("T", json.dumps(e))
            self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
        def log_message(self, *a): pass
    server = http.server.HTTPServer(("sandbox.localdomain", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    to = {"protocol": "HTTP", "URI": "http://sandbox.localdomain:%d/x" % server.server_port}
    say(as_me("PUT", "/2022-07-01/telemetry", {"schemaVersion": "2022-12-13", "types": ["platform", "function"], "buffering": {"maxItems": 1000, "timeoutMs": 25}, "destination": to})[0::2])
if do in ("telemetry", "logs", "old-logs"):
    lines = socket.create_server(("127.0.0.1", 0))
    def tcp():
        c, _ = lines.accept()
        for line in c.makefile(): say("L", line.strip())
    threading.Thread(target=tcp, daemon=True).start()
    say(as_me("PUT", "/2020-08-15/logs", {"schemaVersion": "2020-08-15" if do == "old-logs" else "2021-03-18", "types": ["platform"], "buffering": {"timeoutMs": 25}, "destination": {"protocol": "TCP", "port": lines.getsockname()[1]}})[0::2])
if do == "telemetry":
    for bad in ({}, {"schemaVersion": "2022-07-01", "types": ["x"], "destination": to}, {"schemaVersion": "2022-07-01", "types": ["platform"], "buffering": {"maxItems": 1}, "destination": to},
                {"schemaVersion": "2022-07-01", "types": ["platform"], "destination": {"protocol": "HTTP", "URI": "http://example.com/"}}):
        say(as_me("PUT", "/2022-07-01/telemetry", bad)[0::2])
n = 0
while True:
    status, headers, event = as_me("GET", root + "event/next")
    if event["eventType"] == "SHUTDOWN":
        say("shutdown", event["shutdownReason"], headers["Lambda-Extension-Event-Identifier"] != "", event["deadlineMs"] > time.time() * 1000)
        if do == "stay": time.sleep(1000)
        sys.exit(0)
    n += 1
    say("invoke", event["requestId"], event["tracing"]["value"], event["invokedFunctionArn"][-2:])
    if do == "slow": time.sleep(0.3); say("finished", n)
    if do == "forever" and n == 2: time.sleep(1000)
    if do == "crash": os.kill(os.getpid(), 9)
    if do == "exit-error":
        as_me("POST", root + "exit/error", {"errorMessage": "gave up"}, Lambda_Extension_Function_Error_Type="bad type")
        sys.exit(1)
    if do == "late": say(as_me("PUT", "/2022-07-01/telemetry", {"schemaVersion": "2022-07-01", "types": ["platform"], "destination": {"protocol": "TCP", "port": 4245}})[0::2])
`

// extended makes a function with external extensions; do says what each does.
func extended(t *testing.T, function int, do map[string]string, extra map[string]string) (runtime.Config, *log, *events) {
	t.Helper()
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip("the extensions of this test need /usr/bin/python3")
	}
	f := functions[function]
	cfg, l := config(t, f.runtime, f.handler, f.code(t))
	if !cfg.Launcher.Tier().OwnRoot {
		t.Skip("this host allows no namespaces")
	}
	files := map[string]string{}
	for name, what := range do {
		files["extensions/"+name] = extensionProgram
		cfg.Env = append(cfg.Env, "DO_"+strings.ToUpper(name)+"="+what)
	}
	for name, text := range extra {
		files[name] = text
	}
	cfg.Layers = code(t, files)
	cfg.Function = runtime.Function{Account: "123456789012", Name: "fn", Version: "$LATEST"}
	ev := &events{}
	cfg.Events = ev.add
	return cfg, l, ev
}

type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) add(ev runtime.Event) {
	b, err := json.Marshal(ev.Record)
	if err != nil {
		panic(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, ev.Type+" "+string(b))
}

func (e *events) all() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.list, "\n")
}

// eventually waits until a log holds all parts.
func eventually(t *testing.T, text func() string, parts ...string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		now := text()
		missing := slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return strings.Contains(now, p) })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q does not come; there is:\n%s", missing, now)
		}
	}
}

func TestExtensions(t *testing.T) {
	for i, f := range functions {
		for _, network := range []sandbox.Network{sandbox.NetworkHost, sandbox.NetworkPrivate} {
			t.Run(f.name+"/"+string(network), func(t *testing.T) {
				t.Parallel()
				cfg, l, ev := extended(t, i, map[string]string{"one": "slow", "two": "shutdown-only"}, nil)
				if network == sandbox.NetworkPrivate && !cfg.Launcher.Tier().PrivateNetwork {
					t.Skip("no private network here")
				}
				cfg.Network = network
				e := start(t, cfg)
				if !e.Extended() {
					t.Fatal("it has no extensions")
				}
				for n := 1; n <= 2; n++ {
					inv := event(fmt.Sprintf("id-%d", n), `{"do":"count"}`)
					if res := invoke(t, e, inv); string(res.Payload) != fmt.Sprint(n) {
						t.Errorf("%s", res.Payload)
					}
					if res := e.Finish(context.Background(), inv); res != nil {
						t.Errorf("%s", res.Payload)
					}
					eventually(t, l.all, fmt.Sprintf("one finished %d", n))
				}
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
				eventually(t, l.all, `one registered 200 {"functionName": "fn", "functionVersion": "$LATEST", "handler": "`+f.handler+`", "accountId": "123456789012"}`,
					"one invoke id-1 Root=1-2-3 fn", "one shutdown spindown True True", "two shutdown spindown True True")
				if strings.Contains(l.all(), "two invoke") {
					t.Errorf("it did not ask for INVOKE:\n%s", l.all())
				}
				eventually(t, ev.all, `platform.extension {"name":"one","state":"Ready","events":["INVOKE","SHUTDOWN"]}`, `"two","state":"Ready","events":["SHUTDOWN"]}`,
					`platform.initStart {"initializationType":"on-demand","phase":"init","functionName":"fn","functionVersion":"$LATEST"}`,
					`platform.initRuntimeDone {"initializationType":"on-demand","phase":"init","status":"success"}`, `platform.initReport `)
			})
		}
	}
}

func TestExtensionInitErrors(t *testing.T) {
	for _, c := range []struct {
		name, do  string
		extra     map[string]string
		kind      string
		message   string
		announced string
	}{
		{"init error", "init-error", nil, "Extension.NoConfig", "no configuration", `"state":"InitError","events":["INVOKE","SHUTDOWN"],"errorType":"Extension.NoConfig"`},
		{"crash", "crash-early", nil, "Extension.Crash", "exit status 3", `"name":"one","state":"Crashed","events":[],"errorType":"Extension.Crash"`},
		{"no program", "", map[string]string{"extensions/broken": "#!/no/such/interpreter\n"}, "Extension.LaunchError", "no such file", `"name":"broken","state":"LaunchError"`},
		{"not executable", "", map[string]string{"extensions/text": "just text"}, "Extension.LaunchError", "permission denied", `"name":"text","state":"LaunchError"`},
		{"hang", "hang", nil, "Sandbox.Timedout", "timed out after", `"name":"one","state":"Started"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg, l, ev := extended(t, 0, map[string]string{"one": c.do}, c.extra)
			if c.do == "hang" {
				cfg.InitTimeout = 300 * time.Millisecond
			}
			_, err := runtime.Start(t.Context(), cfg)
			var init *runtime.InitError
			if !errors.As(err, &init) || init.Type != c.kind || !strings.Contains(init.Message, c.message) {
				t.Fatalf("%v\n%s", err, l.all())
			}
			eventually(t, ev.all, c.announced, "platform.initReport")
		})
	}
	t.Run("too many", func(t *testing.T) {
		t.Parallel()
		do := map[string]string{}
		for i := range 11 {
			do[fmt.Sprintf("x%d", i)] = ""
		}
		cfg, _, _ := extended(t, 0, do, nil)
		if _, err := runtime.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "at most 10") {
			t.Error(err)
		}
	})
	t.Run("the function's own error", func(t *testing.T) {
		t.Parallel()
		cfg, l, _ := extended(t, 0, map[string]string{"one": ""}, nil)
		cfg.Handler = "app/missing.handler"
		_, err := runtime.Start(t.Context(), cfg)
		var init *runtime.InitError
		if !errors.As(err, &init) || init.Type != "Runtime.ImportModuleError" {
			t.Fatal(err)
		}
		eventually(t, l.all, "one shutdown failure")
	})
}

func TestExtensionFailures(t *testing.T) {
	for _, c := range []struct{ name, do, event, kind, message string }{
		{"crash", "crash", `{"do":"loop"}`, "Extension.Crash", "signal: killed"},
		{"exit error", "exit-error", `{"do":"loop"}`, "Extension.ExitError", "gave up"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg, l, _ := extended(t, 0, map[string]string{"one": c.do, "two": ""}, nil)
			e := start(t, cfg)
			inv := event("id", c.event)
			res := invoke(t, e, inv)
			if kind, message := failureOf(t, res); kind != c.kind || !strings.Contains(message, c.message) || res.ErrorType != c.kind {
				t.Errorf("%s", res.Payload)
			}
			if e.Alive() {
				t.Error("it goes on")
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			eventually(t, l.all, "two shutdown failure")
		})
	}
	t.Run("crash after the response", func(t *testing.T) {
		t.Parallel()
		cfg, _, _ := extended(t, 0, map[string]string{"one": "crash"}, nil)
		e := start(t, cfg)
		inv := event("id", `1`)
		res, err := e.Invoke(context.Background(), inv)
		if err != nil {
			t.Fatal(err)
		}
		if res.FunctionError == "" { // else it was faster than the function
			res = e.Finish(context.Background(), inv)
		}
		if res == nil || res.ErrorType != "Extension.Crash" {
			t.Errorf("%+v", res)
		}
	})
	t.Run("the function's timeout", func(t *testing.T) {
		t.Parallel()
		cfg, l, _ := extended(t, 0, map[string]string{"one": ""}, nil)
		e := start(t, cfg)
		inv := event("id", `{"do":"loop"}`)
		inv.Timeout = 500 * time.Millisecond
		inv.Deadline = time.Now().Add(inv.Timeout)
		if res := invoke(t, e, inv); !res.TimedOut {
			t.Errorf("%s", res.Payload)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		eventually(t, l.all, "one shutdown timeout")
	})
	t.Run("an extension's timeout", func(t *testing.T) {
		t.Parallel()
		cfg, l, _ := extended(t, 0, map[string]string{"one": "forever", "two": ""}, nil)
		e := start(t, cfg)
		for n := 1; n <= 2; n++ {
			inv := event("id", `{"do":"count"}`)
			if n == 2 {
				inv.Timeout = 500 * time.Millisecond
				inv.Deadline = time.Now().Add(inv.Timeout)
			}
			if res := invoke(t, e, inv); string(res.Payload) != fmt.Sprint(n) {
				t.Errorf("%s", res.Payload)
			}
			res := e.Finish(context.Background(), inv)
			if (res != nil && res.TimedOut) != (n == 2) {
				t.Errorf("%d: %+v", n, res)
			}
		}
		if e.Alive() {
			t.Error("it goes on")
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		eventually(t, l.all, "two shutdown timeout")
	})
	t.Run("an extension that stays", func(t *testing.T) {
		t.Parallel()
		cfg, l, _ := extended(t, 0, map[string]string{"one": "stay"}, nil)
		e := start(t, cfg)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		eventually(t, l.all, "one shutdown spindown")
		select {
		case <-e.Done():
		default:
			t.Error("it is still there")
		}
	})
	t.Run("between events", func(t *testing.T) {
		t.Parallel()
		cfg, _, _ := extended(t, 0, map[string]string{"one": "crash"}, nil)
		e := start(t, cfg)
		inv := event("id", `1`)
		if _, err := e.Invoke(context.Background(), inv); err != nil {
			t.Fatal(err)
		}
		e.Finish(context.Background(), inv)
		if _, err := e.Invoke(context.Background(), event("id", `1`)); !errors.Is(err, runtime.ErrNotDelivered) {
			t.Error(err)
		}
	})
}

func TestExtensionStates(t *testing.T) {
	cfg, l, _ := extended(t, 0, map[string]string{"one": "states"}, nil)
	start(t, cfg)
	eventually(t, l.all, "(403, {'errorMessage': 'Transition from Registered to Registered failed", "Extension.InvalidEventType",
		"ShutdownEventNotSupportedForInternalExtension", "Extension.InvalidExtensionName", "Extension.MissingExtensionIdentifier",
		"Extension.UnknownExtensionIdentifier", "Extension.MissingHeader", "MethodNotAllowed")
}

func TestInternalExtension(t *testing.T) {
	ext := code(t, map[string]string{"python/helper.py": `
import http.client, json, os, threading
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
def ask(method, path, body=None, headers={}):
    c = http.client.HTTPConnection(api)
    c.request(method, path, body and json.dumps(body), headers)
    r = c.getresponse()
    r.read()
    return r
id = ask("POST", "/2020-01-01/extension/register", {"events": ["INVOKE"]}, {"Lambda-Extension-Name": "inner"}).headers["Lambda-Extension-Identifier"]
def loop():
    while True:
        ask("GET", "/2020-01-01/extension/event/next", None, {"Lambda-Extension-Identifier": id})
        print("inner has an event", flush=True)
threading.Thread(target=loop, daemon=True).start()
`})
	cfg, l := config(t, "python3.11", "main.handler", code(t, map[string]string{"main.py": `
import helper, signal, sys
def end(*a):
    print("terminated", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
def handler(event, context): return helper.ask("GET", "/2018-06-01/runtime/invocation/next").status
`}))
	cfg.Layers = ext
	ev := &events{}
	cfg.Events = ev.add
	e := start(t, cfg)
	eventually(t, ev.all, `platform.extension {"name":"inner","state":"Ready","events":["INVOKE"]}`)
	inv := event("id", `1`)
	if res := invoke(t, e, inv); string(res.Payload) != "404" {
		t.Errorf("the Runtime API is not for it: %s", res.Payload)
	}
	if res := e.Finish(context.Background(), inv); res != nil {
		t.Errorf("%s", res.Payload)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, l.all, "inner has an event", "terminated")
}

func TestTelemetry(t *testing.T) {
	for _, network := range []sandbox.Network{sandbox.NetworkHost, sandbox.NetworkPrivate} {
		t.Run(string(network), func(t *testing.T) {
			t.Parallel()
			cfg, l, ev := extended(t, 0, map[string]string{"one": "telemetry", "two": "late", "three": "logs", "four": "old-logs"}, nil)
			if network == sandbox.NetworkPrivate && !cfg.Launcher.Tier().PrivateNetwork {
				t.Skip("no private network here")
			}
			cfg.Network, cfg.JSONLogs = network, true
			e := start(t, cfg)
			inv := event("id-1", `{"do":"log"}`)
			e.Emit(runtime.EventStart, runtime.Invoked{RequestID: inv.RequestID, Version: "$LATEST"})
			invoke(t, e, inv)
			if res := e.Finish(context.Background(), inv); res != nil {
				t.Errorf("%s", res.Payload)
			}
			e.Emit(runtime.EventFault, "RequestId: id-1 Error: it was too much")
			e.Emit(runtime.EventReport, runtime.Done{RequestID: inv.RequestID, Status: "success", Metrics: &runtime.Metrics{DurationMs: runtime.Millis(1500 * time.Microsecond), BilledDurationMs: 2, MemorySizeMB: 128, MaxMemoryUsedMB: 30}})
			eventually(t, l.all, "one (200, 'OK')",
				`"type": "platform.initStart"`, `"type": "platform.initRuntimeDone"`, `"type": "platform.initReport"`,
				`"type": "platform.start", "record": {"requestId": "id-1", "version": "$LATEST"}}`,
				`"type": "platform.runtimeDone", "record": {"requestId": "id-1", "metrics": {"durationMs": `,
				`"type": "platform.report", "record": {"requestId": "id-1", "metrics": {"durationMs": 1.5, "billedDurationMs": 2, "memorySizeMB": 128, "maxMemoryUsedMB": 30}, "status": "success"}}`,
				`"type": "platform.extension"`, `"type": "function", "record": "one"}`,
				"one (403, {'errorMessage': 'an extension subscribes to the Telemetry API or to the Logs API, not to both'", "three (200, 'OK')", "four (200, 'OK')",
				`three L {"time":`, `"type":"platform.end","record":{"requestId":"id-1"}}`, `"type":"platform.runtimeDone","record":{"requestId":"id-1"`,
				`"type":"platform.fault","record":"RequestId: id-1 Error: it was too much"}`,
				"schemaVersion is required", "is not one of platform, function, extension", "maxItems is 1, it can be 1000 to 10000", "must be http://sandbox.localdomain",
				"Telemetry.SubscriptionClosed")
			eventually(t, ev.all, `platform.telemetrySubscription {"name":"one","state":"Subscribed","types":["platform","function"]}`, `platform.logsSubscription {"name":"three"`)
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(l.all()) {
				switch {
				case strings.HasPrefix(line, "one T") && strings.Contains(line, `"platform.fault"`):
					t.Errorf("the Telemetry API has no such event: %s", line)
				case strings.HasPrefix(line, "four L") && strings.Contains(line, `"platform.runtimeDone"`):
					t.Errorf("the schema of 2020-08-15 has no such event: %s", line)
				}
			}
		})
	}
}

// TestWrapper tells that a wrapper starts the interpreter.
func TestWrapper(t *testing.T) {
	layer := code(t, map[string]string{"wrapper": "#!/bin/sh\nGREETING=wrapped\nexport GREETING\nexec \"$@\"\n"})
	for name, files := range map[string]map[string]string{
		"python3.11": {"i.py": "import os\ndef h(e, c): return os.environ['GREETING']"},
		"nodejs20.x": {"i.js": "exports.h = async () => process.env.GREETING"},
		"ruby3.2":    {"i.rb": "def h(event:, context:) = ENV['GREETING']"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := config(t, name, "i.h", code(t, files))
			cfg.Layers, cfg.Env = layer, append(cfg.Env, "AWS_LAMBDA_EXEC_WRAPPER=/opt/wrapper")
			if res := invoke(t, start(t, cfg), event("id", `1`)); string(res.Payload) != `"wrapped"` {
				t.Errorf("%s", res.Payload)
			}
			cfg.Env[len(cfg.Env)-1] = "AWS_LAMBDA_EXEC_WRAPPER=wrapper"
			if _, err := runtime.Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "absolute") {
				t.Error(err)
			}
		})
	}
}
