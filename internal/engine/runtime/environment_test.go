//go:build linux

package runtime_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	// The Go function in testdata is built with it; this keeps it in go.mod.
	_ "github.com/aws/aws-lambda-go/lambda"

	"github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// world is what all tests of a run share, as it is costly to make; it is made
// when it is first asked for.
var world shared

type shared struct {
	dir      string
	launcher sandbox.Launcher
	catalog  *runtime.Catalog
	// templates are what environments are made of in tests that run a second time.
	templates *runtime.Templates
}

// open makes the launcher and the catalog.
var open = sync.OnceValue(func() error {
	var err error
	if world.dir, err = os.MkdirTemp("", "runtime-test-"); err != nil {
		return err
	}
	if err := os.Chmod(world.dir, 0o755); err != nil {
		return err
	}
	world.launcher, _, err = sandbox.Open(context.Background(), sandbox.Config{StateDir: filepath.Join(world.dir, "sandbox")})
	if err != nil {
		return err
	}
	home, _ := os.UserHomeDir()
	world.catalog, err = runtime.NewCatalog(runtime.CatalogConfig{Dir: filepath.Join(world.dir, "catalog"), Path: os.Getenv("PATH"), Home: home})
	return err
})

// gofunc builds the function on the official Go client.
var gofunc = sync.OnceValues(func() (string, error) {
	code := filepath.Join(world.dir, "gofunc")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", filepath.Join(code, "bootstrap"), "./testdata/gofunc")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return code, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if world.launcher != nil {
		if err := world.launcher.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if world.dir != "" {
		os.RemoveAll(world.dir)
	}
	os.Exit(code)
}

// ready returns the launcher.
func ready(t testing.TB) sandbox.Launcher {
	t.Helper()
	if err := open(); err != nil {
		t.Fatal(err)
	}
	return world.launcher
}

// log collects lines.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) sink(id string, line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, id+"|"+string(line))
}

func (l *log) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// code writes a function's files.
func code(t testing.TB, files map[string]string) string {
	t.Helper()
	ready(t)
	dir, err := os.MkdirTemp(world.dir, "code-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(at, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// config is what all functions of the tests have in common.
func config(t testing.TB, name, handler, code string) (runtime.Config, *log) {
	t.Helper()
	ready(t)
	choice, err := world.catalog.Resolve(t.Context(), name)
	var missing *runtime.UnavailableError
	if errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	l := &log{}
	cfg := runtime.Config{
		Templates: world.templates,
		Launcher:  world.launcher, Clock: clock.System{}, Runtime: choice, Handler: handler, Code: code,
		Memory: 512 << 20, InitTimeout: time.Minute, Log: l.sink,
		Env: []string{
			"AWS_LAMBDA_FUNCTION_NAME=fn", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512",
			"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/fn", "AWS_LAMBDA_LOG_STREAM_NAME=stream", "GREETING=hello",
		},
	}
	if cfg.Templates != nil {
		cfg.Templates.Prime(cfg)
	}
	return cfg, l
}

func start(t testing.TB, cfg runtime.Config) *runtime.Environment {
	t.Helper()
	e, err := runtime.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// event is an invocation with a generous deadline.
func event(id, payload string) *runtime.Invocation {
	return &runtime.Invocation{
		RequestID: id, Payload: []byte(payload), Deadline: time.Now().Add(30 * time.Second), Timeout: 30 * time.Second,
		FunctionARN: "arn:aws:lambda:us-east-1:000000000000:function:fn", TraceID: "Root=1-2-3",
	}
}

func invoke(t testing.TB, e *runtime.Environment, inv *runtime.Invocation) *runtime.Result {
	t.Helper()
	res, err := e.Invoke(context.Background(), inv)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// failureOf reads the type and message of an error.
func failureOf(t testing.TB, res *runtime.Result) (kind, message string) {
	t.Helper()
	var v struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(res.Payload, &v); err != nil {
		t.Fatalf("%v: %s", err, res.Payload)
	}
	return v.ErrorType, v.ErrorMessage
}

const pythonFunction = `
import os, sys, subprocess, time
count = 0
class Odd(Exception): pass
def handler(event, context):
    global count
    count += 1
    do = event.get("do") if isinstance(event, dict) else None
    if do == "count": return count
    if do == "error": raise Odd("no luck")
    if do == "exit": sys.exit(event["n"])
    if do == "kill": os.kill(os.getpid(), 9)
    if do == "loop":
        print("looping")
        while True: time.sleep(1)
    if do == "big": return "x" * event["n"]
    if do == "set": return {1, 2}
    if do == "log":
        import logging
        print("one\ntwo")
        logging.getLogger().setLevel("INFO")
        logging.getLogger("x").info("an info\nof two lines")
        sys.stderr.write("three")
        return
    if do == "child":
        subprocess.Popen(["sleep", event["seconds"]])
        return
    if do == "memory":
        keep = bytearray(2 << 30)
        for i in range(0, len(keep), 4096): keep[i] = 1
    if do == "decimal":
        from decimal import Decimal
        return {"d": Decimal("1.5"), "u": "\u00e9"}
    if do == "context":
        return {
            "id": context.aws_request_id, "arn": context.invoked_function_arn, "identity": context.identity.cognito_identity_id,
            "custom": context.client_context.custom, "left": context.get_remaining_time_in_millis(), "trace": os.environ["_X_AMZN_TRACE_ID"],
            "name": context.function_name, "version": context.function_version, "memory": context.memory_limit_in_mb,
            "group": context.log_group_name, "stream": context.log_stream_name, "greeting": os.environ["GREETING"],
            "env": sorted(k for k in os.environ if k.startswith("_")), "cwd": os.getcwd(), "file": __file__,
        }
    return event
`

const nodeFunction = `
let count = 0;
class Odd extends Error { constructor(m) { super(m); this.name = 'Odd'; } }
exports.handler = async (event, context) => {
  count++;
  switch (event && event.do) {
  case 'count': return count;
  case 'error': throw new Odd('no luck');
  case 'exit': process.exit(event.n);
  case 'kill': process.kill(process.pid, 9); for (;;);
  case 'loop': console.log('looping'); await new Promise((ok) => setTimeout(ok, 1e6)); break;
  case 'big': return 'x'.repeat(event.n);
  case 'circular': { const o = {}; o.o = o; return o; }
  case 'log': console.log('one\ntwo', { a: 1 }); console.error('bad'); process.stdout.write('three'); return;
  case 'child': require('child_process').spawn('sleep', [event.seconds], { detached: true, stdio: 'ignore' }).unref(); return;
  case 'memory': { const keep = []; for (;;) keep.push(Buffer.alloc(1 << 20, 1)); }
  case 'uncaught': setTimeout(() => { throw new Odd('later'); }, 1); await new Promise((ok) => setTimeout(ok, 1e6)); break;
  case 'rejected': Promise.reject(new Odd('lost')); await new Promise((ok) => setTimeout(ok, 1e6)); break;
  case 'never': return new Promise(() => {});
  case 'nothing': return;
  case 'string': throw 'just text';
  case 'late': setTimeout(() => { throw new Odd('after the answer'); }, 0); return 'answered';
  case 'context': return {
    id: context.awsRequestId, arn: context.invokedFunctionArn, identity: context.identity.cognitoIdentityId,
    custom: context.clientContext.custom, left: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID,
    name: context.functionName, version: context.functionVersion, memory: context.memoryLimitInMB,
    group: context.logGroupName, stream: context.logStreamName, greeting: process.env.GREETING,
    env: Object.keys(process.env).filter((k) => k.startsWith('_')).sort(), cwd: process.cwd(), file: __filename,
  };
  }
  return event;
};
`

// functions are the same function on each way to execute it.
var functions = []struct {
	name, runtime, handler string
	code                   func(t testing.TB) string
}{
	{"python", "python3.11", "app/main.handler", func(t testing.TB) string {
		return code(t, map[string]string{"app/main.py": pythonFunction})
	}},
	{"node", "nodejs20.x", "main.handler", func(t testing.TB) string {
		return code(t, map[string]string{"main.js": nodeFunction})
	}},
	{"go", "provided.al2023", "bootstrap", func(t testing.TB) string {
		ready(t)
		dir, err := gofunc()
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}},
}

func each(t *testing.T, f func(t *testing.T, name string, cfg runtime.Config, l *log)) {
	for _, fn := range functions {
		t.Run(fn.name, func(t *testing.T) {
			cfg, l := config(t, fn.runtime, fn.handler, fn.code(t))
			f(t, fn.name, cfg, l)
		})
	}
}

func TestRoundTrips(t *testing.T) {
	each(t, func(t *testing.T, name string, cfg runtime.Config, _ *log) {
		e := start(t, cfg)
		if name != "go" {
			for _, payload := range []string{`null`, `[1,2.5,"ä€😀"]`, `"x"`, `{"a":{"b":[true,false]}}`, `"` + strings.Repeat("y", 100_000) + `"`} {
				res := invoke(t, e, event("id", payload))
				if res.FunctionError != "" || !sameJSON(res.Payload, []byte(payload)) {
					t.Errorf("%.50s: got %.200s, %s", payload, res.Payload, res.FunctionError)
				}
			}
		}
		// Globals stay from one event to the next.
		before := invoke(t, e, event("id", `{"do":"count"}`)).Payload
		after := invoke(t, e, event("id", `{"do":"count"}`))
		var a, b int
		if errors.Join(json.Unmarshal(before, &a), json.Unmarshal(after.Payload, &b)) != nil || b != a+1 {
			t.Errorf("the count went from %s to %s", before, after.Payload)
		}
		if after.Duration <= 0 || world.launcher.Tier().MemoryLimit && after.PeakMemory < 1<<20 {
			t.Errorf("got %+v", after)
		}
	})
}

func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return bytes.Equal(p, q)
}

func TestContext(t *testing.T) {
	each(t, func(t *testing.T, name string, cfg runtime.Config, _ *log) {
		e := start(t, cfg)
		inv := event("3f2a", `{"do":"context"}`)
		inv.ClientContext = "{\"custom\":\n{\"k\":\"v\"},\"client\":{\"app_title\":\"t\"},\"env\":{}}"
		inv.CognitoIdentity = `{"cognitoIdentityId":"who","cognitoIdentityPoolId":"pool"}`
		res := invoke(t, e, inv)
		var got map[string]any
		if err := json.Unmarshal(res.Payload, &got); err != nil {
			t.Fatalf("%v: %s", err, res.Payload)
		}
		want := map[string]any{
			"id": "3f2a", "arn": inv.FunctionARN, "identity": "who", "custom": map[string]any{"k": "v"}, "trace": "Root=1-2-3",
		}
		if name != "go" {
			for k, v := range map[string]any{
				"name": "fn", "version": "$LATEST", "memory": "512", "group": "/aws/lambda/fn", "stream": "stream", "greeting": "hello",
				"cwd": "/var/task", "file": map[string]string{"python": "/var/task/app/main.py", "node": "/var/task/main.js"}[name],
				"env": []any{"_HANDLER", "_X_AMZN_TRACE_ID"},
			} {
				want[k] = v
			}
			if left, _ := got["left"].(float64); left <= 0 || left > 30_000 {
				t.Errorf("time left: %v", got["left"])
			}
		}
		for k, v := range want {
			if fmt.Sprint(got[k]) != fmt.Sprint(v) {
				t.Errorf("%s: got %v, want %v", k, got[k], v)
			}
		}
	})
}

func TestErrors(t *testing.T) {
	each(t, func(t *testing.T, name string, cfg runtime.Config, l *log) {
		e := start(t, cfg)
		res := invoke(t, e, event("e1", `{"do":"error"}`))
		kind, message := failureOf(t, res)
		if want := map[string]string{"python": "Odd", "node": "Odd", "go": "errorString"}[name]; res.FunctionError != runtime.Unhandled || kind != want || message != "no luck" {
			t.Errorf("got %s %s", res.FunctionError, res.Payload)
		}
		switch name {
		case "python":
			if want := `"stackTrace": ["  File \"/var/task/app/main.py\", line 10, in handler\n    if do == \"error\": raise Odd(\"no luck\")\n`; !strings.Contains(string(res.Payload), want) {
				t.Errorf("got %s", res.Payload)
			}
			if want := "e1|[ERROR] Odd: no luck\nTraceback (most recent call last):\n  File"; !strings.Contains(l.all(), want) {
				t.Errorf("got %q", l.all())
			}
		case "node":
			if want := `"trace":["Odd: no luck","    at exports.handler (/var/task/main.js:8:`; !strings.Contains(string(res.Payload), want) {
				t.Errorf("got %s", res.Payload)
			}
			if want := "\te1\tERROR\tInvoke Error \t{\"errorType\":\"Odd\""; !strings.Contains(l.all(), want) {
				t.Errorf("got %q", l.all())
			}
		}
		if res := invoke(t, e, event("e2", `{"do":"count"}`)); res.FunctionError != "" {
			t.Errorf("after an error: %s", res.Payload)
		}
	})
}

func TestLogs(t *testing.T) {
	want := map[string][]string{
		"python": {"one", "two", "[INFO]\t*\tl1\tan info\nof two lines", "three"},
		"node":   {"*\tl1\tINFO\tone\ntwo { a: 1 }", "*\tl1\tERROR\tbad", "three"},
		"go":     {"one", "two", "three"},
	}
	each(t, func(t *testing.T, name string, cfg runtime.Config, l *log) {
		e := start(t, cfg)
		l.lines = nil
		invoke(t, e, event("l1", `{"do":"log"}`))
		// All of it is there when the response is.
		l.mu.Lock()
		got := slices.Clone(l.lines)
		l.mu.Unlock()
		if len(got) != len(want[name]) {
			t.Fatalf("got %q", got)
		}
		for i, w := range want[name] {
			g, ok := strings.CutPrefix(got[i], "l1|")
			before, after, wild := strings.Cut(w, "*")
			if !ok || !wild && g != w || wild && (!strings.HasPrefix(g, before) || !strings.HasSuffix(g, after)) {
				t.Errorf("got %q, want %q", g, w)
			}
		}
	})
}

// TestEnds: whatever ends an environment in the middle gives its error, and the next one works.
func TestEnds(t *testing.T) {
	each(t, func(t *testing.T, name string, cfg runtime.Config, l *log) {
		cases := []struct{ payload, kind, message string }{
			{`{"do":"exit","n":7}`, "Runtime.ExitError", "RequestId: x1 Error: Runtime exited with error: exit status 7"},
			{`{"do":"exit","n":0}`, "Runtime.ExitError", "RequestId: x1 Error: Runtime exited without providing a reason"},
		}
		if name != "go" {
			cases = append(cases, struct{ payload, kind, message string }{`{"do":"kill"}`, "Runtime.ExitError", "RequestId: x1 Error: Runtime exited with error: signal: killed"})
		}
		for _, c := range cases {
			e := start(t, cfg)
			res := invoke(t, e, event("x1", c.payload))
			kind, message := failureOf(t, res)
			if res.FunctionError != runtime.Unhandled || kind != c.kind || message != c.message || res.ErrorType != c.kind || res.OOMKilled || res.TimedOut {
				t.Errorf("%s: got %+v %s", c.payload, res, res.Payload)
			}
			if e.Alive() {
				t.Errorf("%s: the environment is alive", c.payload)
			}
			if _, err := e.Invoke(t.Context(), event("x2", "{}")); !errors.Is(err, runtime.ErrNotDelivered) {
				t.Errorf("%s: then %v", c.payload, err)
			}
		}
	})
}

func TestTimeout(t *testing.T) {
	each(t, func(t *testing.T, name string, cfg runtime.Config, l *log) {
		looping := make(chan struct{}, 100)
		cfg.Log = func(id string, line []byte) {
			if bytes.HasSuffix(line, []byte("looping")) {
				looping <- struct{}{}
			}
		}
		fake := clock.NewFake(time.Unix(1_700_000_000, 0))
		cfg.Clock = fake
		e := start(t, cfg)
		go func() {
			<-looping
			fake.Advance(3 * time.Second)
		}()
		inv := event("t1", `{"do":"loop"}`)
		inv.Deadline, inv.Timeout = fake.Now().Add(3*time.Second), 3*time.Second
		res := invoke(t, e, inv)
		kind, message := failureOf(t, res)
		if !res.TimedOut || kind != "Sandbox.Timedout" || message != "RequestId: t1 Error: Task timed out after 3.00 seconds" || res.Duration != 3*time.Second {
			t.Errorf("got %+v %s", res, res.Payload)
		}
		if e.Alive() {
			t.Error("the environment is alive")
		}
	})
}

func TestKilledFromOutside(t *testing.T) {
	each(t, func(t *testing.T, name string, cfg runtime.Config, l *log) {
		looping := make(chan struct{}, 100)
		cfg.Log = func(id string, line []byte) {
			if bytes.HasSuffix(line, []byte("looping")) {
				looping <- struct{}{}
			}
		}
		e := start(t, cfg)
		pid := e.Process().Pid()
		go func() {
			<-looping
			p, err := os.FindProcess(pid)
			if err == nil {
				err = p.Kill()
			}
			if err != nil {
				t.Error(err)
			}
		}()
		_, message := failureOf(t, invoke(t, e, event("k1", `{"do":"loop"}`)))
		if message != "RequestId: k1 Error: Runtime exited with error: signal: killed" {
			t.Errorf("got %s", message)
		}
		// Killed while it is idle, it has not seen the event.
		e = start(t, cfg)
		if err := e.Process().Kill(); err != nil {
			t.Fatal(err)
		}
		<-e.Done()
		if res, err := e.Invoke(t.Context(), event("k2", `{}`)); !errors.Is(err, runtime.ErrNotDelivered) {
			t.Errorf("got %v, %v", res, err)
		}
		// The caller gives up.
		e = start(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-looping
			cancel()
		}()
		if res, err := e.Invoke(ctx, event("k3", `{"do":"loop"}`)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, %v", res, err)
		}
	})
}

func TestOutOfMemory(t *testing.T) {
	if !ready(t).Tier().MemoryLimit {
		t.Skip("this host allows no control groups")
	}
	each(t, func(t *testing.T, name string, cfg runtime.Config, l *log) {
		if name == "go" {
			t.Skip("is the same as with the others")
		}
		cfg.Memory = 128 << 20
		e := start(t, cfg)
		res := invoke(t, e, event("m1", `{"do":"memory"}`))
		_, message := failureOf(t, res)
		if !res.OOMKilled || message != "RequestId: m1 Error: Runtime exited with error: signal: killed" || res.PeakMemory < 100<<20 {
			t.Errorf("got %+v %s", res, res.Payload)
		}
	})
}

func TestSizes(t *testing.T) {
	each(t, func(t *testing.T, name string, cfg runtime.Config, l *log) {
		e := start(t, cfg)
		fits := runtime.MaxPayload - 2 // the quotes
		if res := invoke(t, e, event("s1", fmt.Sprintf(`{"do":"big","n":%d}`, fits))); res.FunctionError != "" || len(res.Payload) != fits+2 {
			t.Errorf("the largest: %s, %d bytes", res.FunctionError, len(res.Payload))
		}
		res := invoke(t, e, event("s2", fmt.Sprintf(`{"do":"big","n":%d}`, fits+1)))
		kind, message := failureOf(t, res)
		if kind != "Function.ResponseSizeTooLarge" || message != "Response payload size exceeded maximum allowed payload size (6291556 bytes)." {
			t.Errorf("got %.300s", res.Payload)
		}
		if name == "go" {
			return // the client ends after a refusal
		}
		big := `"` + strings.Repeat("z", 6_000_000) + `"`
		if res := invoke(t, e, event("s3", big)); string(res.Payload) != big {
			t.Errorf("a large event came back as %d bytes", len(res.Payload))
		}
	})
}

func TestChildLeftBehind(t *testing.T) {
	mark := fmt.Sprintf("86399.%d", os.Getpid()) // other processes of this machine run these tests too
	each(t, func(t *testing.T, name string, cfg runtime.Config, l *log) {
		e := start(t, cfg)
		if res := invoke(t, e, event("c1", `{"do":"child","seconds":"`+mark+`"}`)); res.FunctionError != "" {
			t.Fatalf("got %s", res.Payload)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range all {
			if b, _ := os.ReadFile(path); strings.Contains(string(b), "\x00"+mark+"\x00") {
				t.Errorf("%s outlives its environment", path)
			}
		}
	})
}

func TestConcurrency(t *testing.T) {
	each(t, func(t *testing.T, name string, cfg runtime.Config, l *log) {
		var wg sync.WaitGroup
		for i := range 4 {
			e := start(t, cfg)
			wg.Go(func() {
				for n := range 50 {
					id := fmt.Sprintf("%d-%d", i, n)
					res, err := e.Invoke(context.Background(), event(id, fmt.Sprintf(`{"do":"","n":%d}`, i*1000+n)))
					if err != nil || res.FunctionError != "" || !strings.Contains(string(res.Payload), fmt.Sprint(i*1000+n)) {
						t.Errorf("%s: %v, %v", id, res, err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestBusy(t *testing.T) {
	cfg, _ := config(t, "python3.11", "main.handler", code(t, map[string]string{"main.py": pythonFunction}))
	looping := make(chan struct{}, 1)
	cfg.Log = func(string, []byte) { looping <- struct{}{} }
	e := start(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = e.Invoke(ctx, event("b1", `{"do":"loop"}`))
	}()
	<-looping
	if _, err := e.Invoke(t.Context(), event("b2", `{}`)); !errors.Is(err, runtime.ErrBusy) {
		t.Errorf("got %v", err)
	}
	cancel()
	<-done
}

func TestInitErrors(t *testing.T) {
	cases := []struct {
		name, runtime, handler string
		files                  map[string]string
		kind, message          string
	}{
		{"python, no module", "python3.11", "main.handler", nil, "Runtime.ImportModuleError", "Unable to import module 'main': No module named 'main'"},
		{"python, no module inside", "python3.11", "main.handler", map[string]string{"main.py": "import nonesuch"}, "Runtime.ImportModuleError", "Unable to import module 'main': No module named 'nonesuch'"},
		{"python, no handler", "python3.11", "main.handler", map[string]string{"main.py": "x = 1"}, "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'main'"},
		{"python, bad handler", "python3.11", "main", nil, "Runtime.MalformedHandlerName", "Bad handler 'main': not enough values to unpack (expected 2, got 1)"},
		{"python, syntax", "python3.11", "main.handler", map[string]string{"main.py": "def handler(:"}, "Runtime.UserCodeSyntaxError", "Syntax error in module 'main': invalid syntax (main.py, line 1)"},
		{"python, built-in", "python3.11", "sys.handler", nil, "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys as a handler module"},
		{"python, raises", "python3.11", "main.handler", map[string]string{"main.py": "raise KeyError('k')"}, "KeyError", "'k'"},
		{"python, exits", "python3.11", "main.handler", map[string]string{"main.py": "import sys; sys.exit(4)"}, "Runtime.ExitError", "Runtime exited with error: exit status 4"},
		{"node, no module", "nodejs20.x", "main.handler", nil, "Runtime.ImportModuleError", "Error: Cannot find module 'main'"},
		{"node, no module inside", "nodejs20.x", "main.handler", map[string]string{"main.js": "require('nonesuch')"}, "Runtime.ImportModuleError", "Error: Cannot find module 'nonesuch'\nRequire stack:\n- /var/task/main.js"},
		{"node, no handler", "nodejs20.x", "main.handler", map[string]string{"main.js": ""}, "Runtime.HandlerNotFound", "main.handler is undefined or not exported"},
		{"node, no function", "nodejs20.x", "main.handler", map[string]string{"main.js": "exports.handler = 1"}, "Runtime.HandlerNotFound", "main.handler is not a function"},
		{"node, bad handler", "nodejs20.x", "main", nil, "Runtime.MalformedHandlerName", "Bad handler"},
		{"node, handler outside", "nodejs20.x", "../main.handler", nil, "Runtime.MalformedHandlerName", "'../main.handler' is not a valid handler name."},
		{"node, syntax", "nodejs20.x", "main.handler", map[string]string{"main.js": "exports.handler = ("}, "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected end of input"},
		{"node, raises", "nodejs20.x", "main.handler", map[string]string{"main.mjs": "throw new TypeError('t')"}, "TypeError", "t"},
		{"node, rejects", "nodejs20.x", "main.handler", map[string]string{"main.js": "Promise.reject(new TypeError('t')); exports.handler = 1; for (const end = Date.now() + 20; Date.now() < end;);"}, "Runtime.HandlerNotFound", "main.handler is not a function"},
		{"node, exits", "nodejs20.x", "main.handler", map[string]string{"main.js": "process.exit(5)"}, "Runtime.ExitError", "Runtime exited with error: exit status 5"},
		{"node, never loaded", "nodejs20.x", "main.handler", map[string]string{"main.mjs": "await new Promise(() => {})"}, "Runtime.ExitError", "Runtime exited with error: exit status 13"},
		{"node 24, callback", "nodejs24.x", "main.handler", map[string]string{"main.js": "exports.handler = (a, b, c) => {}"}, "Runtime.CallbackHandlerDeprecated", "this runtime has no callbacks"},
		{"custom, no bootstrap", "provided.al2023", "x", nil, "Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"},
		{"custom, not executable", "provided.al2", "x", map[string]string{"bootstrap": "x"}, "Runtime.InvalidEntrypoint", "fork/exec /var/task/bootstrap: permission denied"},
		{"custom, not a program", "provided.al2", "x", map[string]string{"bootstrap": "#!/none\n"}, "Runtime.InvalidEntrypoint", "fork/exec /var/task/bootstrap: no such file or directory"},
		{"custom, exits", "provided.al2", "x", map[string]string{"bootstrap": "#!/bin/sh\nexit 3\n"}, "Runtime.ExitError", "Runtime exited with error: exit status 3"},
		{"go1.x, outside", "go1.x", "../x", nil, "Runtime.InvalidEntrypoint", `"../x" is not a file of the code`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg, _ := config(t, c.runtime, c.handler, code(t, c.files))
			e, err := runtime.Start(t.Context(), cfg)
			if err == nil {
				e.Close()
				t.Fatal("started")
			}
			var init *runtime.InitError
			if !errors.As(err, &init) || init.Type != c.kind || !strings.HasPrefix(init.Message, c.message) {
				t.Fatalf("got %v", err)
			}
			res := init.Result("r1")
			if kind, message := failureOf(t, res); kind != c.kind || !strings.Contains(message, c.message) || res.FunctionError != runtime.Unhandled {
				t.Errorf("as a result: %s", res.Payload)
			}
		})
	}
}

func TestInitTimeout(t *testing.T) {
	fake := clock.NewFake(time.Unix(1_700_000_000, 0))
	cfg, _ := config(t, "provided.al2023", "x", code(t, map[string]string{"bootstrap": "#!/bin/sh\necho up\nsleep 100\n"}))
	up := make(chan struct{}, 10)
	cfg.Clock, cfg.InitTimeout = fake, 10*time.Second
	cfg.Log = func(string, []byte) { up <- struct{}{} }
	go func() {
		<-up
		fake.Advance(10 * time.Second)
	}()
	_, err := runtime.Start(t.Context(), cfg)
	var init *runtime.InitError
	if !errors.As(err, &init) || !init.TimedOut {
		t.Errorf("got %v", err)
	}
}
