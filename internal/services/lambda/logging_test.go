package lambda

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// records reads a log tail whose lines are all JSON.
func records(t *testing.T, tail string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(tail) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, v)
	}
	return all
}

// brief is a record as one line: of a platform event its type and status, of
// the function's own what it says.
func brief(r map[string]any) string {
	if kind, ok := r["type"].(string); ok {
		rec := r["record"].(map[string]any)
		return strings.TrimSpace(fmt.Sprint(kind, " ", value(rec["status"]), value(rec["errorType"])))
	}
	id := "no request id"
	if s, _ := r["requestId"].(string); len(s) == 36 {
		id = "id"
	}
	return fmt.Sprintf("%v%v %v %v%v %v", value(r["level"]), value(r["log_level"]), id, value(r["message"]), value(r["errorMessage"]), value(r["errorType"]))
}

func value(v any) any {
	if v == nil {
		return ""
	}
	return v
}

func TestJSONLogs(t *testing.T) {
	const node = `exports.handler = async (e) => {
  console.debug('fine'); console.log('an info', 1); console.log({a: 1}); console.warn('two\nlines');
  console.error('broken', new RangeError('far'));
  if (e.fail) throw new RangeError('lost');
}`
	const python = `
import logging
log = logging.getLogger("own")
def handler(e, c):
    log.debug("fine"); log.info("an info"); log.info("more", extra={"order": 7}); log.warning("two\nlines")
    try: 1 / 0
    except Exception: log.exception("broken")
    if e.get("fail"): raise RuntimeError("lost")
`
	st := newStand(t)
	for _, c := range []struct {
		runtime, file, code, app, system, event string
		want                                    []string
	}{
		{"nodejs20.x", "i.js", node, "", "", `{}`, []string{"platform.start", "INFO id an info 1 ", "INFO id map[a:1] ", "WARN id two\nlines ", "ERROR id broken RangeError: far…far RangeError", "platform.report success"}},
		{"nodejs20.x", "i.js", node, "ERROR", "WARN", `{"fail":1}`, []string{"ERROR id broken RangeError: far…far RangeError", "ERROR id map[errorMessage:lost errorType:RangeError] ", "platform.runtimeDone error", "platform.report error"}},
		{"nodejs20.x", "i.js", node, "DEBUG", "DEBUG", `{}`, []string{"platform.start", "DEBUG id fine ", "INFO id an info 1 ", "INFO id map[a:1] ", "WARN id two\nlines ", "ERROR id broken RangeError: far…far RangeError", "platform.runtimeDone success", "platform.report success"}},
		{"python3.12", "i.py", python, "", "", `{}`, []string{"platform.start", "INFO id an info ", "INFO id more ", "WARNING id two\nlines ", "ERROR id brokendivision by zero ZeroDivisionError", "platform.report success"}},
		{"python3.12", "i.py", python, "ERROR", "WARN", `{"fail":1}`, []string{"ERROR id brokendivision by zero ZeroDivisionError", "ERROR id lost RuntimeError", "platform.runtimeDone error", "platform.report error"}},
	} {
		t.Run(c.runtime+" "+c.app, func(t *testing.T) {
			st.needs(t, c.runtime)
			l := &api.LoggingConfig{LogFormat: new("JSON")}
			if c.app != "" {
				l.ApplicationLogLevel, l.SystemLogLevel = &c.app, &c.system
			}
			st.function(t, "f", c.runtime, "i.handler", func(in *api.CreateFunctionRequest) { in.LoggingConfig = l }, entry{c.file, c.code, 0})
			defer calltest.Must(t, st.World, api.DeleteFunction, &api.DeleteFunctionRequest{FunctionName: new("f")})
			if _, err := st.invoke("f", c.event); err != nil { // the first one tells of the start, too
				t.Fatal(err)
			}
			out, err := st.invoke("f", c.event)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range records(t, logTail(t, out)) {
				if m, ok := r["message"].(map[string]any); ok {
					delete(m, "stackTrace")
				}
				line := brief(r)
				if at := strings.Index(line, "\n    at "); at >= 0 { // Node.js's message has the stack
					line = line[:at] + "…" + fmt.Sprint(r["errorMessage"], " ", r["errorType"])
				}
				got = append(got, line)
				if _, err := fmt.Sscan(fmt.Sprint(value(r["timestamp"]), value(r["time"])), new(string)); err != nil {
					t.Errorf("no time: %v", r)
				}
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// TestJSONLogSettings tells that levels are shown, kept with the format, and
// forgotten with it.
func TestJSONLogSettings(t *testing.T) {
	st := newStand(t)
	st.custom(t, "f", func(in *api.CreateFunctionRequest) { in.LoggingConfig = &api.LoggingConfig{LogFormat: new("JSON")} })
	for _, c := range []struct {
		change *api.LoggingConfig
		want   string
	}{
		{nil, `{"ApplicationLogLevel":"INFO","LogFormat":"JSON","LogGroup":"/aws/lambda/f","SystemLogLevel":"INFO"}`},
		{&api.LoggingConfig{SystemLogLevel: new("DEBUG")}, `{"ApplicationLogLevel":"INFO","LogFormat":"JSON","LogGroup":"/aws/lambda/f","SystemLogLevel":"DEBUG"}`},
		{&api.LoggingConfig{LogGroup: new("/own")}, `{"ApplicationLogLevel":"INFO","LogFormat":"JSON","LogGroup":"/own","SystemLogLevel":"DEBUG"}`},
		{&api.LoggingConfig{LogFormat: new("Text")}, `{"LogFormat":"Text","LogGroup":"/own"}`},
	} {
		if c.change != nil {
			calltest.Must(t, st.World, api.UpdateFunctionConfiguration, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"), LoggingConfig: c.change})
		}
		got := calltest.Must(t, st.World, api.GetFunctionConfiguration, &api.GetFunctionConfigurationRequest{FunctionName: new("f")})
		if s := strings.Join(strings.Fields(calltest.JSON(got.LoggingConfig)), ""); s != c.want {
			t.Errorf("got %s, want %s", s, c.want)
		}
	}
}

// TestJSONLogLevels tells what is kept of a function's own JSON.
func TestJSONLogLevels(t *testing.T) {
	for _, c := range []struct {
		l    logging
		line string
		want bool
	}{
		{logging{}, `{"level":"DEBUG"}`, true},
		{logging{Format: "JSON", App: "WARN"}, `{"level":"info","message":"x"}`, false},
		{logging{Format: "JSON", App: "WARN"}, `{"level":"warning"}`, true},
		{logging{Format: "JSON", App: "WARN"}, `{"level":"CRITICAL"}`, true},
		{logging{Format: "JSON", App: "WARN"}, `{"level":30}`, true},
		{logging{Format: "JSON", App: "WARN"}, `{"level":`, true},
		{logging{Format: "JSON", App: "WARN"}, `text`, true},
		{logging{Format: "JSON", App: "TRACE"}, `{"level":"TRACE"}`, true},
	} {
		if got := c.l.keeps([]byte(c.line)); got != c.want {
			t.Errorf("%+v %s: %v", c.l, c.line, got)
		}
	}
	for _, c := range []struct {
		e    engine.Event
		want string
	}{
		{engine.Event{Type: engine.EventInitStart, Record: engine.InitStart{}}, "DEBUG"},
		{engine.Event{Type: engine.EventInitReport, Record: engine.InitDone{Status: "success", InitializationType: "provisioned-concurrency"}}, "INFO"},
		{engine.Event{Type: engine.EventInitReport, Record: engine.InitDone{Status: "timeout"}}, "WARN"},
		{engine.Event{Type: engine.EventRuntimeDone, Record: engine.Done{Status: "success"}}, "DEBUG"},
		{engine.Event{Type: engine.EventReport, Record: engine.Done{Status: "timeout"}}, "WARN"},
		{engine.Event{Type: engine.EventExtension, Record: engine.ExtensionState{ErrorType: "x"}}, "WARN"},
		{engine.Event{Type: engine.EventSubscription, Record: engine.Subscription{}}, "INFO"},
		{engine.Event{Type: engine.EventLogsDropped, Record: engine.Dropped{}}, "WARN"},
	} {
		if got := systemLevel(c.e); got != c.want {
			t.Errorf("%+v: %s", c.e, got)
		}
	}
}

func TestExtensionLayer(t *testing.T) {
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip("the extension of this test needs /usr/bin/python3")
	}
	const program = `#!/usr/bin/python3
import http.client, json, os
c = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def ask(method, path, body=None, **h):
    c.request(method, "/2020-01-01/extension/" + path, body and json.dumps(body), {k.replace("_", "-"): v for k, v in h.items()})
    r = c.getresponse()
    return r.headers, json.loads(r.read())
h, body = ask("POST", "register", {"events": ["INVOKE", "SHUTDOWN"]}, Lambda_Extension_Name="agent", Lambda_Extension_Accept_Feature="accountId")
print("agent of", body["accountId"], body["functionName"], body["functionVersion"], "AWS_SESSION_TOKEN" in os.environ, "_HANDLER" in os.environ, flush=True)
while True:
    _, e = ask("GET", "event/next", Lambda_Extension_Identifier=h["Lambda-Extension-Identifier"])
    print("agent", e["eventType"], e.get("shutdownReason", ""), flush=True)
    if e["eventType"] == "SHUTDOWN": break
`
	st := newStand(t, realTime)
	if !st.deps.Launcher.Tier().OwnRoot {
		t.Skip("this host allows no namespaces")
	}
	layer := st.layer(t, "agent", entry{"extensions/agent", program, 0o755})
	st.custom(t, "f", func(in *api.CreateFunctionRequest) { in.Layers = []string{layer} })
	out, err := st.invoke("f", `{"do":"print","text":"hello"}`)
	if err != nil || out.FunctionError != nil {
		t.Fatal(err, out)
	}
	if tail := logTail(t, out); !strings.HasPrefix(tail, "START") || !strings.Contains(tail, "\nagent INVOKE") || !strings.Contains(tail, "\nREPORT") {
		t.Errorf("%s", tail)
	}
	// Without a tail the answer does not wait for the extension, but the next event does.
	for range 3 {
		if _, err := calltest.Do(st.World, api.Invoke, &api.InvocationRequest{FunctionName: new("f"), Payload: []byte(`{"do":"print","text":"again"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.room.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// There may be two environments: an event does not wait for long.
	st.logs.wait("/aws/lambda/f", "agent SHUTDOWN")
	all := ""
	st.logs.mu.Lock()
	for _, lines := range st.logs.streams {
		all += strings.Join(lines, "")
	}
	st.logs.mu.Unlock()
	for _, want := range []string{
		"agent of 000000000000 f $LATEST True False\n", "EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n", "agent SHUTDOWN spindown\n",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in:\n%s", want, all)
		}
	}
	if n := strings.Count(all, "\nREPORT"); n != 4 {
		t.Errorf("%d reports:\n%s", n, all)
	}
}
