package lambda

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/gen/sts"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/policy"
)

const testRole = "arn:aws:iam::000000000000:role/function"

// stand is a board with this room and as much of STS and CloudWatch Logs as it
// needs.
type stand struct {
	*calltest.World
	room  *Service
	sts   *stsRoom
	logs  *logsRoom
	store data.Store
	blobs blob.Store
	deps  Deps
}

// stsRoom lets the service assume the test's role, for an hour.
type stsRoom struct {
	clock clock.Clock
	mu    sync.Mutex
	calls []call.Identity
}

func (s *stsRoom) Model() *model.Service { return &sts.Model }

func (s *stsRoom) Bindings() []call.Binding {
	return []call.Binding{call.Bind(sts.AssumeRole, call.Open[sts.AssumeRoleRequest]("it is a test"), s.assumeRole)}
}

func (s *stsRoom) assumeRole(_ context.Context, rq *call.Authorized, in *sts.AssumeRoleRequest) (*sts.AssumeRoleResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, rq.Identity())
	if rq.Principal().Service != principal || *in.RoleArn != testRole {
		return nil, fault.Of(fault.AccessDenied, "not this role")
	}
	return &sts.AssumeRoleResponse{Credentials: &sts.Credentials{
		AccessKeyId: new(fmt.Sprintf("ASIA%d", len(s.calls))), SecretAccessKey: new("secret"), SessionToken: new("token"),
		Expiration: new(s.clock.Now().Add(time.Hour)),
	}}, nil
}

// logsRoom keeps what is delivered to it.
type logsRoom struct {
	mu      sync.Mutex
	streams map[string][]string // by group and stream
	came    *sync.Cond
	who     []policy.Principal
}

func (l *logsRoom) Model() *model.Service { return &logs.Model }

func (l *logsRoom) Bindings() []call.Binding {
	const why = "it is a test"
	return []call.Binding{
		call.Bind(logs.CreateLogGroup, call.Open[logs.CreateLogGroupRequest](why), func(_ context.Context, _ *call.Authorized, in *logs.CreateLogGroupRequest) (*call.None, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.streams[*in.LogGroupName] = nil
			return &call.None{}, nil
		}),
		call.Bind(logs.CreateLogStream, call.Open[logs.CreateLogStreamRequest](why), func(_ context.Context, _ *call.Authorized, in *logs.CreateLogStreamRequest) (*call.None, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if _, ok := l.streams[*in.LogGroupName]; !ok {
				return nil, logs.ResourceNotFoundException("no group")
			}
			l.streams[*in.LogGroupName+" "+*in.LogStreamName] = nil
			return &call.None{}, nil
		}),
		call.Bind(logs.PutLogEvents, call.Open[logs.PutLogEventsRequest](why), func(_ context.Context, rq *call.Authorized, in *logs.PutLogEventsRequest) (*logs.PutLogEventsResponse, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			k := *in.LogGroupName + " " + *in.LogStreamName
			if _, ok := l.streams[k]; !ok {
				return nil, logs.ResourceNotFoundException("no stream")
			}
			for _, e := range in.LogEvents {
				l.streams[k] = append(l.streams[k], *e.Message)
			}
			l.who = append(l.who, rq.Principal())
			l.came.Broadcast()
			return &logs.PutLogEventsResponse{}, nil
		}),
	}
}

// wait waits until a stream of the group has a line with the text, and returns
// the stream's name and lines.
func (l *logsRoom) wait(group, text string) (string, []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for k, lines := range l.streams {
			if strings.HasPrefix(k, group+" ") && slices.ContainsFunc(lines, func(s string) bool { return strings.Contains(s, text) }) {
				return strings.TrimPrefix(k, group+" "), slices.Clone(lines)
			}
		}
		l.came.Wait()
	}
}

// identities lets roles be assumed by services, and knows principals without
// policies besides the root.
type identities struct{}

func (identities) Key(context.Context, string, string) (call.Identity, string, error) {
	return call.Identity{}, "", fault.Of(fault.InvalidClientTokenID, "no keys here")
}
func (identities) Policies(context.Context, call.Identity) (policy.Sets, error) {
	return policy.Sets{}, nil
}
func (identities) Assume(_ context.Context, role, session, _ string) (call.Identity, error) {
	return call.Identity{Principal: policy.Principal{
		Kind: policy.Role, Account: calltest.Account, RoleARN: role, ARN: "arn:aws:sts::" + calltest.Account + ":assumed-role/function/" + session,
	}}, nil
}

// testDir is for what all tests use together.
var testDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lambda-test-")
	if err != nil {
		panic(err)
	}
	testDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// shared finds the interpreters, which takes a moment.
var shared = sync.OnceValues(func() (*engine.Catalog, error) {
	return engine.NewCatalog(engine.CatalogConfig{Dir: filepath.Join(testDir, "runtimes"), Path: os.Getenv("PATH"), Home: os.Getenv("HOME"), System: "test-1"})
})

// option changes what the room is given.
type option func(*Deps)

// realTime lets the room see the machine's clock: for tests of what waits for
// each other.
func realTime(d *Deps) { d.Clock = clock.System{} }

func newStand(t testing.TB, options ...option) *stand {
	t.Helper()
	catalog, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	w := calltest.New()
	st := &stand{World: w, sts: &stsRoom{clock: w.Clock}, logs: &logsRoom{streams: map[string][]string{}}, store: mem.New(), blobs: memblob.New()}
	st.logs.came = sync.NewCond(&st.logs.mu)
	w.Board.Gate = &call.Gate{Identities: identities{}}
	launcher, _, err := sandbox.Open(t.Context(), sandbox.Config{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { launcher.Close() })
	t.Cleanup(func() { st.store.Close() })
	// Functions run as other users: every folder on the way must be open to them.
	dir := t.TempDir()
	for d := dir; d != filepath.Dir(os.TempDir()) && d != "/"; d = filepath.Dir(d) {
		_ = os.Chmod(d, 0o755)
	}
	st.deps = Deps{
		Store: st.store, Blobs: st.blobs, Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Gate: w.Board.Gate, Key: make([]byte, 32), CodeDir: filepath.Join(dir, "code"),
		Launcher: launcher, Runtimes: catalog, Network: sandbox.NetworkHost, Cores: 2,
		Endpoint: func(sandbox.Network) string { return "http://127.0.0.1:4566" },
	}
	for _, o := range options {
		o(&st.deps)
	}
	if st.deps.Clock != clock.Clock(w.Clock) {
		st.sts.clock = st.deps.Clock
	}
	st.open(t)
	return st
}

// hold lets a function be busy with n events, if its timeout is
// long enough, until release is called, which tells what became of them.
func (st *stand) hold(t *testing.T, name string, n int) (release func()) {
	t.Helper()
	came, open, done := make(chan struct{}), make(chan struct{}), make(chan error)
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		came <- struct{}{}
		<-open
	}))
	for range n {
		go func() {
			out, err := st.invoke(name, `{"do":"call","url":"`+srv.URL+`"}`)
			if err == nil && out.FunctionError != nil {
				err = fmt.Errorf("%s", out.Payload)
			}
			done <- err
		}()
	}
	for range n {
		select {
		case <-came:
		case err := <-done:
			t.Fatalf("%s is not busy: %v", name, err)
		}
	}
	return func() {
		t.Helper()
		close(open)
		for range n {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		srv.Close()
	}
}

// open makes the room, plugs it in and starts it; it is stopped when the test ends.
func (st *stand) open(t testing.TB) {
	t.Helper()
	s, err := New(st.deps)
	if err != nil {
		t.Fatal(err)
	}
	st.Plug(st.sts, st.logs, s)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(context.Background()) })
	st.room = s
}

// restart ends the room and makes another one over the same store. The board
// keeps the old one, so use st.room.
func (st *stand) restart(t *testing.T) {
	t.Helper()
	if err := st.room.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := *st.Board
	b2 := &call.Board{Gate: b.Gate, Clock: b.Clock, IDs: b.IDs, Host: b.Host}
	st.World.Board, st.deps.Caller = b2, b2
	st.open(t)
}

// needs skips a test that needs a runtime's interpreter where there is none.
func (st *stand) needs(t testing.TB, runtime string) {
	t.Helper()
	if _, err := st.deps.Runtimes.Resolve(t.Context(), runtime); err != nil {
		t.Skip(err)
	}
}

// function makes a function of a package's entries.
func (st *stand) function(t testing.TB, name, runtime, handler string, change func(*api.CreateFunctionRequest), entries ...entry) {
	t.Helper()
	in := &api.CreateFunctionRequest{
		FunctionName: &name, Runtime: &runtime, Handler: &handler, Role: new(testRole), Code: &api.FunctionCode{ZipFile: zipped(t, entries...)},
	}
	if st.deps.Clock == (clock.System{}) { // AWS's 3 seconds pass quickly on a busy machine
		in.Timeout = new(int32(300))
	}
	if change != nil {
		change(in)
	}
	calltest.Must(t, st.World, api.CreateFunction, in)
}

func (st *stand) invoke(name, payload string) (*api.InvocationResponse, error) {
	return calltest.Do(st.World, api.Invoke, &api.InvocationRequest{FunctionName: &name, Payload: []byte(payload), LogType: new("Tail")})
}

// until waits for something that happens in the background in a moment; if it
// does not, the test's own time limit ends it.
func until(done func() bool) {
	for !done() {
		time.Sleep(time.Millisecond) // the processor is for what it waits for
	}
}

// all is everything in the store.
func (st *stand) all(t testing.TB) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := st.store.View(context.Background(), func(r data.Reader) error {
		for p, err := range r.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			out[string(p.Key)] = string(p.Value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
