package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/gateway/delivery"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// bootstrap is the test's custom runtime, built once.
var bootstrap = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "lambda-bootstrap-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "bootstrap")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./testdata/bootstrap")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, b)
	}
	return os.ReadFile(out)
})

// custom makes a function of the test's runtime.
func (st *stand) custom(t testing.TB, name string, change func(*api.CreateFunctionRequest)) {
	t.Helper()
	b, err := bootstrap()
	if err != nil {
		t.Fatal(err)
	}
	st.function(t, name, "provided.al2023", "none", change, entry{"bootstrap", string(b), 0o755}, entry{"data.txt", "data", 0})
}

// answer invokes a function that must succeed.
func (st *stand) answer(t *testing.T, name, payload string) string {
	t.Helper()
	out, err := st.invoke(name, payload)
	if err != nil {
		t.Fatal(err)
	}
	if out.FunctionError != nil {
		t.Fatalf("%s: %s %s", payload, *out.FunctionError, out.Payload)
	}
	return string(out.Payload)
}

func logTail(t *testing.T, out *api.InvocationResponse) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(*out.LogResult)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestInvoke(t *testing.T) {
	st := newStand(t)
	st.custom(t, "f", func(in *api.CreateFunctionRequest) {
		in.Environment = &api.Environment{Variables: map[string]string{"OWN": "value"}}
		in.Publish = new(true)
	})
	out, err := st.invoke("f", `{"do":"print","text":"hello log"}`)
	if err != nil {
		t.Fatal(err)
	}
	if *out.StatusCode != 200 || *out.ExecutedVersion != "$LATEST" || string(out.Payload) != `"hello log"` {
		t.Errorf("answer: %s", calltest.JSON(out))
	}
	form := regexp.MustCompile(`^START RequestId: ([0-9a-f-]{36}) Version: \$LATEST\nhello log\nEND RequestId: ([0-9a-f-]{36})\nREPORT RequestId: ([0-9a-f-]{36})\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\n$`)
	if l := logTail(t, out); !form.MatchString(l) {
		t.Errorf("log: %q", l)
	}

	// The environment is used again.
	if got := st.answer(t, "f", `{"do":"count"}`); !strings.Contains(got, `"calls":2`) {
		t.Errorf("calls: %s", got)
	}
	// An event that is not there is an empty object.
	if got := st.answer(t, "f", ``); got != "{}" {
		t.Errorf("no payload: %s", got)
	}
	if got := st.answer(t, "f", `{"do":"file","text":"/var/task/data.txt"}`); got != `"data"` {
		t.Errorf("a file of the code: %s", got)
	}

	var env map[string]string
	if err := json.Unmarshal([]byte(st.answer(t, "f", `{"do":"env"}`)), &env); err != nil {
		t.Fatal(err)
	}
	stream := regexp.MustCompile(`^2026/11/01/\[\$LATEST\][0-9a-f]{32}$`)
	for k, want := range map[string]string{
		"OWN": "value", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_LAMBDA_FUNCTION_NAME": "f",
		"AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
		"AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "LOCALSTACK_HOSTNAME": "127.0.0.1",
		"EDGE_PORT": "4566", "LAMBDA_TASK_ROOT": "/var/task", "_HANDLER": "none", "TZ": ":UTC", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
	} {
		if env[k] != want {
			t.Errorf("%s is %q", k, env[k])
		}
	}
	if !stream.MatchString(env["AWS_LAMBDA_LOG_STREAM_NAME"]) || !strings.HasPrefix(env["AWS_ACCESS_KEY_ID"], "ASIA") {
		t.Errorf("stream %q, key %q", env["AWS_LAMBDA_LOG_STREAM_NAME"], env["AWS_ACCESS_KEY_ID"])
	}
	if id := st.sts.calls[0]; id.SourceARN != "arn:aws:lambda:us-east-1:000000000000:function:f" {
		t.Errorf("the role was assumed for %s", id.SourceARN)
	}

	v, err := calltest.Do(st.World, api.Invoke, &api.InvocationRequest{
		FunctionName: new("f:1"), Payload: []byte(`{"do":"context"}`), ClientContext: new(base64.StdEncoding.EncodeToString([]byte(`{"a":1}`))),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(v.Payload); *v.ExecutedVersion != "1" || !strings.Contains(got, `{\"a\":1}`) || !strings.Contains(got, `function:f:1"`) || !strings.Contains(got, `"Root=1-6`) {
		t.Errorf("version 1: %s %s", *v.ExecutedVersion, got)
	}
	if v.LogResult != nil {
		t.Error("a log was answered that was not asked for")
	}
}

func TestFunctionErrors(t *testing.T) {
	st := newStand(t)
	st.custom(t, "f", nil)
	for _, c := range []struct{ payload, answer, log string }{
		{`{"do":"fail","text":"no luck"}`, `"errorMessage":"no luck"`, "END RequestId"},
		{`{"do":"exit","number":7}`, `Error: Runtime exited with error: exit status 7`, "Status: error\tError Type: Runtime.ExitError"},
	} {
		out, err := st.invoke("f", c.payload)
		if err != nil {
			t.Fatal(err)
		}
		if out.FunctionError == nil || *out.FunctionError != "Unhandled" || *out.StatusCode != 200 || !strings.Contains(string(out.Payload), c.answer) {
			t.Errorf("%s: %s", c.payload, calltest.JSON(out))
		}
		if l := logTail(t, out); !strings.Contains(l, c.log) || !strings.Contains(l, "REPORT RequestId") {
			t.Errorf("%s: log %q", c.payload, l)
		}
	}
	// What has crashed is replaced.
	if got := st.answer(t, "f", `{"do":"count"}`); !strings.Contains(got, `"calls":1`) {
		t.Errorf("after the crash: %s", got)
	}
}

func TestInitErrors(t *testing.T) {
	st := newStand(t)
	st.custom(t, "f", func(in *api.CreateFunctionRequest) {
		in.Environment = &api.Environment{Variables: map[string]string{"FAIL_INIT": "1"}}
	})
	st.function(t, "empty", "provided.al2023", "none", nil, entry{"other", "x", 0})
	for name, want := range map[string]string{"f": "Runtime.ExitError", "empty": "Runtime.InvalidEntrypoint"} {
		out, err := st.invoke(name, `{}`)
		if err != nil {
			t.Fatal(err)
		}
		if out.FunctionError == nil || !strings.Contains(string(out.Payload), want) {
			t.Errorf("%s: %s", name, calltest.JSON(out))
		}
		if l := logTail(t, out); !strings.Contains(l, "REPORT RequestId") || !strings.Contains(l, "Status: error\tError Type: "+want) {
			t.Errorf("%s: log %q", name, l)
		}
	}
}

// TestTimeout moves the clock past the function's timeout.
func TestTimeout(t *testing.T) {
	lines := make(chan string, 100)
	st := newStand(t, func(d *Deps) { d.Tap = func(_, line string) { lines <- line } })
	st.custom(t, "f", nil)
	done := make(chan *api.InvocationResponse)
	go func() {
		out, err := st.invoke("f", `{"do":"wait","wait":60000}`)
		if err != nil {
			t.Error(err)
		}
		done <- out
	}()
	for l := range lines {
		if l == "waiting" {
			break
		}
	}
	st.Clock.Advance(3 * time.Second)
	out := <-done
	if out.FunctionError == nil || !strings.Contains(string(out.Payload), "Task timed out after 3.00 seconds") {
		t.Errorf("answer: %s", out.Payload)
	}
	if l := logTail(t, out); !strings.Contains(l, "Z "+requestID(l)+" Task timed out after 3.00 seconds\n") || !strings.Contains(l, "Duration: 3000.00 ms") || !strings.Contains(l, "Status: timeout") {
		t.Errorf("log: %q", l)
	}
	if got := st.answer(t, "f", `{"do":"count"}`); !strings.Contains(got, `"calls":1`) {
		t.Errorf("after the timeout: %s", got)
	}
}

// TestInitTimeout moves the clock past what the initialisation and the function have.
func TestInitTimeout(t *testing.T) {
	lines := make(chan string, 100)
	st := newStand(t, func(d *Deps) { d.Tap = func(_, line string) { lines <- line } })
	came, release := make(chan bool), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		came <- true
		<-release
	}))
	defer srv.Close()
	defer close(release)
	st.custom(t, "f", func(in *api.CreateFunctionRequest) {
		in.Environment = &api.Environment{Variables: map[string]string{"CALL_INIT": srv.URL}}
	})
	done := make(chan *api.InvocationResponse)
	go func() {
		out, err := st.invoke("f", `{}`)
		if err != nil {
			t.Error(err)
		}
		done <- out
	}()
	<-came
	st.Clock.Advance(initPhase + 3*time.Second)
	out := <-done
	if out.FunctionError == nil || !strings.Contains(string(out.Payload), "Error: Task timed out after 3.00 seconds") {
		t.Errorf("answer: %s", out.Payload)
	}
	const report = "Duration: 3000.00 ms\tBilled Duration: 13000 ms\tMemory Size: 128 MB\tMax Memory Used: 0 MB\tInit Duration: 10000.00 ms\tStatus: timeout\n"
	if l := logTail(t, out); !strings.Contains(l, report) {
		t.Errorf("log: %q", l)
	}
	for l := range lines {
		if strings.HasPrefix(l, "INIT_REPORT") {
			if l != "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout" {
				t.Errorf("log: %q", l)
			}
			break
		}
	}
}

func requestID(log string) string {
	_, rest, _ := strings.Cut(log, "RequestId: ")
	id, _, _ := strings.Cut(rest, " ")
	return id
}

func TestOutOfMemory(t *testing.T) {
	st := newStand(t)
	if !st.deps.Launcher.Tier().MemoryLimit {
		t.Skip("this host does not let memory be limited")
	}
	st.custom(t, "f", nil)
	out, err := st.invoke("f", `{"do":"memory","number":400}`)
	if err != nil {
		t.Fatal(err)
	}
	if out.FunctionError == nil || !strings.Contains(string(out.Payload), "Runtime exited with error: signal: killed") {
		t.Errorf("answer: %s", out.Payload)
	}
	if got := st.answer(t, "f", `{"do":"memory","number":40}`); got != "40" {
		t.Errorf("within the limit: %s", got)
	}
}

// TestLogs looks at what reaches CloudWatch Logs, and as whom.
func TestLogs(t *testing.T) {
	st := newStand(t)
	st.custom(t, "f", func(in *api.CreateFunctionRequest) {
		in.LoggingConfig = &api.LoggingConfig{LogGroup: new("/own/group")}
	})
	st.answer(t, "f", `{"do":"print","text":"one"}`)
	st.answer(t, "f", `{"do":"print","text":"two"}`)
	f, err := st.room.find(t.Context(), key{calltest.Account, calltest.Region, "f"})
	if err != nil {
		t.Fatal(err)
	}
	l := f.pools.versions[latest].idle[0].log
	until(func() bool { // the one who delivers may not have gone to sleep yet
		st.Clock.Advance(delivery.Gather)
		return !l.Waits()
	})
	name, lines := st.logs.wait("/own/group", "REPORT")
	if !strings.HasPrefix(name, "2026/11/01/[$LATEST]") {
		t.Errorf("stream: %s", name)
	}
	if !slices.Contains(lines, "one\n") || !strings.HasPrefix(lines[0], "INIT_START Runtime Version: provided:al2023.vtest-1\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:") || !strings.HasPrefix(lines[1], "START RequestId: ") {
		t.Errorf("lines: %q", lines)
	}
	if who := st.logs.who[0]; who.RoleARN != testRole || !strings.HasSuffix(who.ARN, "/f_") {
		t.Errorf("written by %s", who.ARN)
	}
}

// TestChange tells that new code and new configuration act with the next event.
func TestChange(t *testing.T) {
	st := newStand(t)
	st.custom(t, "f", nil)
	first := st.answer(t, "f", `{"do":"count"}`)
	calltest.Must(t, st.World, api.UpdateFunctionConfiguration, &api.UpdateFunctionConfigurationRequest{
		FunctionName: new("f"), Environment: &api.Environment{Variables: map[string]string{"OWN": "new"}}, MemorySize: new(int32(256)),
	})
	var env map[string]string
	if err := json.Unmarshal([]byte(st.answer(t, "f", `{"do":"env"}`)), &env); err != nil || env["OWN"] != "new" || env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] != "256" {
		t.Errorf("after the change: %v %v", env, err)
	}
	if second := st.answer(t, "f", `{"do":"count"}`); first == second || !strings.Contains(second, `"calls":2`) {
		t.Errorf("first %s, second %s", first, second)
	}

	b, err := bootstrap()
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(st.deps.CodeDir, st.version("f").Hash)
	calltest.Must(t, st.World, api.UpdateFunctionCode, &api.UpdateFunctionCodeRequest{
		FunctionName: new("f"), ZipFile: zipped(t, entry{"bootstrap", string(b), 0o755}, entry{"data.txt", "new data", 0}),
	})
	if got := st.answer(t, "f", `{"do":"file","text":"data.txt"}`); got != `"new data"` {
		t.Errorf("after new code: %s", got)
	}
	// The old package goes when its last environment does.
	until(func() bool {
		_, err := os.Stat(old)
		return errors.Is(err, os.ErrNotExist)
	})
}

func (st *stand) version(name string) *version {
	f, err := st.room.find(context.Background(), key{calltest.Account, calltest.Region, name})
	if err != nil || f == nil {
		return nil
	}
	return f.versions[latest]
}

func TestConcurrencyLimit(t *testing.T) {
	st := newStand(t)
	st.custom(t, "f", nil)
	calltest.Must(t, st.World, api.PutFunctionConcurrency, &api.PutFunctionConcurrencyRequest{FunctionName: new("f"), ReservedConcurrentExecutions: new(int32(1))})
	release := st.hold(t, "f", 1)
	_, err := st.invoke("f", `{}`)
	if f := fault.As(err); f == nil || f.Code != "TooManyRequestsException" || f.Status != 429 || f.Fields["Reason"] != reasonReserved {
		t.Errorf("a second event: %v", err)
	}
	release()
	st.answer(t, "f", `{}`)
	calltest.Must(t, st.World, api.PutFunctionConcurrency, &api.PutFunctionConcurrencyRequest{FunctionName: new("f"), ReservedConcurrentExecutions: new(int32(0))})
	if _, err := st.invoke("f", `{}`); !fault.Is(err, "TooManyRequestsException") {
		t.Errorf("with nothing reserved: %v", err)
	}
	calltest.Must(t, st.World, api.DeleteFunctionConcurrency, &api.DeleteFunctionConcurrencyRequest{FunctionName: new("f")})
	st.answer(t, "f", `{}`)
}

// TestNested has a function that calls itself through the test, more often than
// there are cores: nothing may wait for ever.
func TestNested(t *testing.T) {
	st := newStand(t, realTime)
	st.custom(t, "f", func(in *api.CreateFunctionRequest) { in.Timeout = new(int32(60)) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String() + "/"
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		depth := len(r.URL.Path)
		if depth >= 10 {
			fmt.Fprint(w, "bottom")
			return
		}
		out, err := st.invoke("f", `{"do":"call","url":"`+url+strings.Repeat("x", depth)+`"}`)
		if err != nil {
			fmt.Fprint(w, err)
			return
		}
		w.Write(out.Payload)
	})}
	go srv.Serve(l)
	defer srv.Close()
	if got := st.answer(t, "f", `{"do":"call","url":"`+url+`"}`); !strings.Contains(got, "bottom") {
		t.Errorf("the bottom was not reached: %s", got)
	}
}

// deadline is a context that will end, but not by itself.
type deadline struct {
	context.Context
	at time.Time
}

func (d deadline) Deadline() (time.Time, bool) { return d.at, true }

// TestCallerGoes has a caller whose time is up before the function's: it does not
// wait, and the function goes on.
func TestCallerGoes(t *testing.T) {
	st := newStand(t)
	st.custom(t, "f", func(in *api.CreateFunctionRequest) { in.Timeout = new(int32(900)) })
	came, release := make(chan bool), make(chan bool)
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		came <- true
		<-release
	}))
	defer srv.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() {
		in := &api.InvocationRequest{FunctionName: new("f"), Payload: []byte(`{"do":"call","url":"` + srv.URL + `"}`)}
		_, err := call.Do(deadline{ctx, st.Clock.Now().Add(time.Minute)}, st.Board, st.As, api.Invoke, in)
		done <- err
	}()
	<-came
	late := errors.New("late")
	cancel(late)
	if err := <-done; !errors.Is(err, late) {
		t.Errorf("the caller is told %v", err)
	}
	x, _ := st.room.plane.pools.Load(key{calltest.Account, calltest.Region, "f"})
	p := x.(*pools).versions[latest]
	p.mu.Lock()
	if p.total != 1 || len(p.idle) != 0 {
		t.Errorf("%d environments, of which %d are idle", p.total, len(p.idle))
	}
	p.mu.Unlock()
	release <- true
	until(func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.idle) == 1
	})
	if got := st.answer(t, "f", `{"do":"count"}`); !strings.Contains(got, `"calls":2`) {
		t.Errorf("the function did not go on: %s", got)
	}
}

// TestOneStartForOneEvent has a function that takes its time to initialise: no other
// environment is started for the same event meanwhile.
func TestOneStartForOneEvent(t *testing.T) {
	st := newStand(t)
	var came atomic.Int32
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		came.Add(1)
		<-release
	}))
	defer srv.Close()
	st.custom(t, "f", func(in *api.CreateFunctionRequest) {
		in.Timeout = new(int32(900))
		in.Environment = &api.Environment{Variables: map[string]string{"CALL_INIT": srv.URL}}
	})
	done := make(chan error)
	go func() {
		_, err := st.invoke("f", `{}`)
		done <- err
	}()
	until(func() bool { return came.Load() == 1 })
	x, _ := st.room.plane.pools.Load(key{calltest.Account, calltest.Region, "f"})
	p := x.(*pools).versions[latest]
	for range 2 * starting {
		st.Clock.Advance(patience)
		time.Sleep(time.Millisecond) // so that one that is started too much is most likely counted
		p.mu.Lock()
		total := p.total
		p.mu.Unlock()
		if total != 1 {
			t.Fatalf("%d environments start for one event", total)
		}
	}
	close(release)
	if err := <-done; err != nil || came.Load() != 1 {
		t.Errorf("%d environments were initialised; %v", came.Load(), err)
	}
}

// TestNoProcessorToSpare has more events at once than the cores can use: while the
// processors are busy the last one waits for one of the others to end, and once
// they are not it gets an environment of its own.
func TestNoProcessorToSpare(t *testing.T) {
	var busy atomic.Bool
	busy.Store(true)
	st := newStand(t, func(d *Deps) { d.Busy = func() (bool, bool) { return busy.Load(), true } })
	st.custom(t, "f", func(in *api.CreateFunctionRequest) { in.Timeout = new(int32(900)) })
	var came atomic.Int32
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		came.Add(1)
		<-release
	}))
	defer srv.Close()
	var wg sync.WaitGroup
	send := func() {
		wg.Go(func() {
			if out, err := st.invoke("f", `{"do":"call","url":"`+srv.URL+`"}`); err != nil || out.FunctionError != nil {
				t.Errorf("%v", err)
			}
		})
	}
	soft := st.room.plane.soft
	for range soft {
		send()
	}
	until(func() bool { return came.Load() == int32(soft) })
	x, _ := st.room.plane.pools.Load(key{calltest.Account, calltest.Region, "f"})
	p := x.(*pools).versions[latest]
	look := func() (total, waiting int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.total, len(p.waiting)
	}
	send()
	until(func() bool { _, waiting := look(); return waiting == 1 })
	for range starting / 2 {
		st.Clock.Advance(patience)
	}
	if total, waiting := look(); total != soft || waiting != 1 {
		t.Errorf("with the processors busy: %d environments, %d events wait", total, waiting)
	}
	busy.Store(false)
	until(func() bool {
		st.Clock.Advance(patience)
		total, _ := look()
		return total == soft+1
	})
	until(func() bool { return came.Load() == int32(soft+1) })
	close(release)
	wg.Wait()
}

// TestBusyIsWaitedFor sends many short events at once: all are
// answered, and every environment is laid by in the end.
func TestBusyIsWaitedFor(t *testing.T) {
	st := newStand(t, realTime)
	st.custom(t, "f", nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				out, err := st.invoke("f", `{"do":"count"}`)
				if err != nil || out.FunctionError != nil {
					t.Errorf("%v", err)
				}
			}
		})
	}
	wg.Wait()
	k := key{calltest.Account, calltest.Region, "f"}
	x, _ := st.room.plane.pools.Load(k)
	p := x.(*pools).versions[latest]
	until(func() bool { // one that was started for an event may come after it
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.total == len(p.idle) && p.starts == 0 && len(p.waiting) == 0
	})
}

func TestIdleAndExpiry(t *testing.T) {
	st := newStand(t, func(d *Deps) { d.Idle = time.Minute })
	st.custom(t, "f", nil)
	st.answer(t, "f", `{"do":"count"}`)
	x, _ := st.room.plane.pools.Load(key{calltest.Account, calltest.Region, "f"})
	p := x.(*pools).versions[latest]
	st.Clock.Advance(45 * time.Second)
	if got := st.answer(t, "f", `{"do":"count"}`); !strings.Contains(got, `"calls":2`) {
		t.Errorf("kept warm: %s", got)
	}
	until(func() bool {
		st.Clock.Advance(15 * time.Second)
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.total == 0
	})
	if got := st.answer(t, "f", `{"do":"count"}`); !strings.Contains(got, `"calls":1`) {
		t.Errorf("after it was idle: %s", got)
	}
	// Credentials live an hour and are shared while they are fresh; an environment
	// is replaced before they end.
	p.mu.Lock()
	expires := p.idle[0].expires
	p.mu.Unlock()
	if left := expires.Sub(st.Clock.Now()); left > time.Hour-credentialsMargin || left < credentialsFresh-credentialsMargin {
		t.Errorf("the environment lives for %v", left)
	}
	e, err := p.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e.expires = st.Clock.Now()
	p.give(e)
	if got := st.answer(t, "f", `{"do":"count"}`); !strings.Contains(got, `"calls":1`) {
		t.Errorf("after the credentials: %s", got)
	}
}

// TestResourcePolicy invokes as a service, which only the function's policy allows.
func TestResourcePolicy(t *testing.T) {
	st := newStand(t)
	st.custom(t, "f", nil)
	const source = "arn:aws:execute-api:us-east-1:000000000000:abc/test/GET/"
	as := func(service, source, account string) error {
		_, err := call.Do(t.Context(), st.Board, call.AsService(service, source, account, calltest.Region), api.Invoke, &api.InvocationRequest{FunctionName: new("f"), InvocationType: new("DryRun")})
		return err
	}
	if err := as("apigateway.amazonaws.com", source, calltest.Account); !fault.Is(err, "AccessDeniedException") {
		t.Errorf("without a permission: %v", err)
	}
	calltest.Must(t, st.World, api.AddPermission, &api.AddPermissionRequest{
		FunctionName: new("f"), StatementId: new("s"), Action: new("lambda:InvokeFunction"), Principal: new("apigateway.amazonaws.com"),
		SourceArn: new("arn:aws:execute-api:us-east-1:000000000000:abc/*"),
	})
	if err := as("apigateway.amazonaws.com", source, calltest.Account); err != nil {
		t.Errorf("with it: %v", err)
	}
	for _, c := range [][2]string{{"s3.amazonaws.com", source}, {"apigateway.amazonaws.com", strings.Replace(source, "abc", "other", 1)}} {
		if err := as(c[0], c[1], calltest.Account); !fault.Is(err, "AccessDeniedException") {
			t.Errorf("as %s for %s: %v", c[0], c[1], err)
		}
	}
	stranger := call.AsIdentity(call.Identity{Principal: policy.Principal{Kind: policy.Root, Account: "111111111111", ARN: "arn:aws:iam::111111111111:root"}}, calltest.Region)
	invoke := func() error {
		_, err := call.Do(t.Context(), st.Board, stranger, api.Invoke, &api.InvocationRequest{FunctionName: new(key{calltest.Account, calltest.Region, "f"}.arn("")), InvocationType: new("DryRun")})
		return err
	}
	if err := invoke(); !fault.Is(err, "AccessDeniedException") {
		t.Errorf("another account: %v", err)
	}
	calltest.Must(t, st.World, api.AddPermission, &api.AddPermissionRequest{
		FunctionName: new("f"), StatementId: new("t"), Action: new("lambda:InvokeFunction"), Principal: new("111111111111"),
	})
	if err := invoke(); err != nil {
		t.Errorf("another account with a permission: %v", err)
	}
}

// TestWeights tells that an alias shares events out by weight.
func TestWeights(t *testing.T) {
	f := &function{
		rec:      &record{Aliases: map[string]*alias{"live": {Name: "live", Version: "1", Weights: map[string]float64{"2": 0.25}}}},
		versions: map[string]*version{"1": {Version: "1"}, "2": {Version: "2"}},
	}
	n := map[string]int{}
	for i := range 100 {
		n[f.resolve("live", func() float64 { return float64(i) / 100 }).Version]++
	}
	if n["1"] != 75 || n["2"] != 25 {
		t.Errorf("shares: %v", n)
	}
}

// events are those that are not done.
func (st *stand) events(t *testing.T) (out []*event) {
	t.Helper()
	a := area{calltest.Account, calltest.Region}
	err := st.store.View(context.Background(), func(r data.Reader) error {
		out = out[:0]
		for p, err := range r.Scan(a.queue(), data.PrefixEnd(a.queue()), false) {
			if err != nil {
				return err
			}
			e, err := data.Decode[event](p)
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAsync fails an event twice, with a restart of the room in between, and
// lets the third attempt be the last.
func TestAsync(t *testing.T) {
	lines := make(chan string, 100)
	st := newStand(t, func(d *Deps) { d.Tap = func(_, line string) { lines <- line } })
	st.custom(t, "f", nil)
	out := calltest.Must(t, st.World, api.Invoke, &api.InvocationRequest{FunctionName: new("f"), InvocationType: new("Event"), Payload: []byte(`{"do":"fail","text":"no"}`)})
	if *out.StatusCode != 202 || len(out.Payload) != 0 {
		t.Errorf("answer: %s", calltest.JSON(out))
	}
	attempt := func() string {
		t.Helper()
		id := ""
		for l := range lines {
			if strings.HasPrefix(l, "START") {
				id = requestID(l)
			}
			if strings.HasPrefix(l, "REPORT") {
				return id
			}
		}
		return ""
	}
	first := attempt()
	st.timer(t, 1)
	st.Clock.Advance(59 * time.Second)
	st.restart(t)
	if n := len(st.events(t)); n != 1 {
		t.Fatalf("%d events wait", n)
	}
	st.timer(t, 1)
	st.Clock.Advance(time.Second)
	if id := attempt(); id != first {
		t.Errorf("the second attempt is %s, the first was %s", id, first)
	}
	st.timer(t, 2)
	st.Clock.Advance(2 * time.Minute)
	attempt()
	until(func() bool { return len(st.events(t)) == 0 }) // it is written down in a moment
	// A function that succeeds has one attempt; a deleted one has none.
	calltest.Must(t, st.World, api.Invoke, &api.InvocationRequest{FunctionName: new("f"), InvocationType: new("Event"), Payload: []byte(`{}`)})
	attempt()
	until(func() bool { return len(st.events(t)) == 0 }) // it is written down in a moment
}

// timer waits until one event waits for its time after so many failures, and
// nothing else runs: time that passes while a function runs counts against its
// timeout.
func (st *stand) timer(t *testing.T, failures int) {
	t.Helper()
	a := &st.room.async
	until(func() bool {
		a.mu.Lock()
		n := len(a.timers)
		a.mu.Unlock()
		all := st.events(t)
		return n == 1 && len(all) == 1 && all[0].Failures == failures
	})
}

// TestRestart tells that functions live on over the same store and packages.
func TestRestart(t *testing.T) {
	st := newStand(t)
	st.custom(t, "f", func(in *api.CreateFunctionRequest) {
		in.Environment = &api.Environment{Variables: map[string]string{"OWN": "value"}}
	})
	st.answer(t, "f", `{"do":"count"}`)
	st.restart(t)
	if got := st.answer(t, "f", `{"do":"env"}`); !strings.Contains(got, `"OWN":"value"`) {
		t.Errorf("after the restart: %s", got)
	}
}

// TestOtherInterpreter: who deploys a function is told which interpreter runs it, if
// that is another one than its runtime names.
func TestOtherInterpreter(t *testing.T) {
	st := newStand(t)
	for _, name := range []string{"nodejs20.x", "nodejs18.x", "nodejs22.x", "nodejs24.x", "python3.9", "python3.13", "ruby3.4"} {
		c, err := st.deps.Runtimes.Resolve(t.Context(), name)
		if err != nil {
			continue
		}
		made := calltest.Must(t, st.World, api.CreateFunction, &api.CreateFunctionRequest{
			FunctionName: new("f"), Runtime: &name, Handler: new("i.h"), Role: new(testRole), Code: &api.FunctionCode{ZipFile: zipped(t, entry{"i.js", "", 0})},
		})
		changed := calltest.Must(t, st.World, api.UpdateFunctionConfiguration, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"), Timeout: new(int32(9))})
		calltest.Must(t, st.World, api.DeleteFunction, &api.DeleteFunctionRequest{FunctionName: new("f")})
		for _, reason := range []string{*made.StateReason, *changed.LastUpdateStatusReason} {
			if told := strings.Contains(reason, name+" is executed by "); told != (c.Notice != "") || !strings.HasPrefix(reason, "The function is being ") {
				t.Errorf("%s: %s", name, reason)
			}
		}
	}
}

func TestInterpreters(t *testing.T) {
	for _, c := range []struct{ runtime, handler, file, code string }{
		{"nodejs20.x", "index.handler", "index.js", `exports.handler = async (e) => { console.log("from node"); return {hello: e.name, fn: process.env.AWS_LAMBDA_FUNCTION_NAME} }`},
		{"python3.11", "index.handler", "index.py", "import os\ndef handler(e, c):\n    print('from python')\n    return {'hello': e['name'], 'fn': os.environ['AWS_LAMBDA_FUNCTION_NAME']}\n"},
	} {
		t.Run(c.runtime, func(t *testing.T) {
			st := newStand(t)
			if _, err := st.deps.Runtimes.Resolve(t.Context(), c.runtime); err != nil {
				t.Skip(err)
			}
			st.function(t, "f", c.runtime, c.handler, func(in *api.CreateFunctionRequest) { in.Timeout = new(int32(30)) }, entry{c.file, c.code, 0})
			out, err := st.invoke("f", `{"name":"you"}`)
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]string
			if err := json.Unmarshal(out.Payload, &got); err != nil || got["hello"] != "you" || got["fn"] != "f" {
				t.Errorf("answer: %s", calltest.JSON(out))
			}
			if l := logTail(t, out); !strings.Contains(l, "from ") {
				t.Errorf("log: %q", l)
			}
		})
	}
}
