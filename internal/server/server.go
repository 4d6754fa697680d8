// Package server puts a whole server together: it is the only place that knows
// every part. rooms.go has a line for each service.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
	"github.com/tierra-cloud/tierra/internal/data/blob/fsblob"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
	"github.com/tierra-cloud/tierra/internal/data/lease"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	"github.com/tierra-cloud/tierra/internal/data/pebble"
	"github.com/tierra-cloud/tierra/internal/edge/listen"
	"github.com/tierra-cloud/tierra/internal/edge/observe"
	"github.com/tierra-cloud/tierra/internal/edge/pipeline"
	"github.com/tierra-cloud/tierra/internal/engine/authority"
	"github.com/tierra-cloud/tierra/internal/engine/egress"
	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/gateway/domain"
	"github.com/tierra-cloud/tierra/internal/gen"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
)

// Config says what a server is to be.
type Config struct {
	// Data is the data folder.
	Data string
	// Memory keeps what services store in memory, and no audit trail; the data
	// folder then holds only what functions run from. Nobody else finds the server
	// by its folder.
	Memory bool
	// Listen is the address to listen on: "127.0.0.1:4566". Port 0 takes any.
	Listen string
	// HeaderTimeout and BodyTimeout are how long a client may take to send the
	// header of a request, and the body of one to an API; 0 means 10 and 30 seconds.
	HeaderTimeout, BodyTimeout time.Duration
	// Metrics is the address to serve metrics and profiles at; "" means nowhere.
	Metrics string
	Mode    call.Mode
	// Network is the network that functions are in. Where this machine gives no
	// private one, StrictNetwork makes that an error of the start; else functions
	// are in the host's, and the log says so.
	Network       sandbox.Network
	StrictNetwork bool
	// Egress is what functions in a private network reach besides this server. Where
	// this machine does not give it, StrictEgress makes that an error of the start;
	// else they reach nothing, and the log says so.
	Egress       egress.Policy
	StrictEgress bool
	// FunctionMemory is what the environments of functions may hold together, in
	// bytes; 0 is no limit.
	FunctionMemory int64
	// TemplateMemory is what interpreters that wait for functions may hold
	// together, in bytes; 0 starts none ahead.
	TemplateMemory int64
	// APIRate is how many requests per second an account may send to its APIs in a
	// region, and half as many at once; 0 means AWS's 10,000.
	APIRate int32
	Log     *slog.Logger
	// Version is what the platform's own pages say.
	Version string
	// Init, if not nil, tells how the init hooks of a stage went, "" for all: what
	// /_localstack/init answers. It is nil for a stage that there is not.
	Init func(stage string) any
	// Issuers are the addresses of who issues the tokens of Cognito's user pools, by
	// the pool's ARN or the beginning of it and a star.
	Issuers map[string]string
	// Path (as the variable PATH) and Home are where interpreters are looked for.
	Path, Home string
	// NodePath (as the variable NODE_PATH) are folders of modules, such as the AWS
	// SDK, that all functions in Node.js find.
	NodePath string
	// RegistryLogins is a file of logins, as docker login writes it, with which images
	// of other registries are pulled; "" for none.
	RegistryLogins string
	// Proxy says by which proxy other registries are reached, as http.Transport has it;
	// nil for none.
	Proxy func(*http.Request) (*url.URL, error)
}

// Server is a running server: everything that Start made, to be unmade in the
// opposite order.
type Server struct {
	config   Config
	folder   Folder
	secrets  *Secrets
	endpoint string           // "http://127.0.0.1:4566"
	metrics  string           // "http://127.0.0.1:9090/metrics"; "" if there are none
	numbers  *observe.Metrics // nil if there are none
	tier     string           // the isolation that functions get
	log      *slog.Logger
	clock    clock.Clock
	ids      *ids.Source
	store    data.Store
	blobs    blob.Store
	// authority signs the certificates of this deployment.
	authority *authority.Authority
	// domains are the custom domain names.
	domains *domain.Registry
	board   *call.Board
	door    *listen.Server
	// back is the way of functions in a private network to this server, at the
	// address that it has outside.
	back   engine.Door
	out    engine.Egress // nil: they reach nothing else
	failed chan error
	undo   []func(context.Context)
}

// A server that was told to stop waits for what is under way: for the requests
// until drainTimeout, for the workers until stopTimeout; then it cuts them off.
const (
	drainTimeout = 1500 * time.Millisecond
	stopTimeout  = 1900 * time.Millisecond
)

// Start opens the data folder and starts everything. The error is a
// *lease.HeldError if another server has the folder.
func Start(ctx context.Context, c Config) (_ *Server, err error) {
	s, err := open(c)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Stop()
		}
	}()
	var held *lease.Lease
	if !c.Memory {
		if held, err = lease.Acquire(s.folder.Dir); err != nil {
			if other := new(lease.HeldError); errors.As(err, &other) {
				err = fmt.Errorf("%w; stop it, or name another folder with --data", err)
			}
			return nil, err
		}
		s.later(func() { _ = held.Release() })
	}
	l, err := listenOn(c.Listen, "--listen")
	if err != nil {
		return nil, err
	}
	s.later(func() { _ = l.Close() })
	if s.secrets == nil {
		if s.secrets, err = s.folder.secrets(s.ids); err != nil {
			return nil, err
		}
	}
	s.endpoint = "http://" + reachable(l.Addr())
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		s.back = engine.Door{Port: uint16(a.Port), Serve: func(l net.Listener) { s.door.Serve(l, nil) }}
	}
	if err := s.openData(); err != nil {
		return nil, err
	}
	observers, err := s.observers()
	if err != nil {
		return nil, err
	}
	s.board = &call.Board{
		Gate: &call.Gate{Mode: c.Mode, Denied: call.NoteDenied}, Clock: s.clock, IDs: s.ids,
		Observer: observers, Host: reachable(l.Addr()),
	}
	if err := s.furnish(ctx); err != nil {
		return nil, err
	}
	if s.numbers != nil {
		s.numbers.Measure(s.board.Services())
	}
	h := pipeline.New(pipeline.Config{
		Board: s.board, Services: gen.Services(), Account: s.secrets.Account, Region: s.secrets.Region,
		Custom: s.custom, Pages: s.pages(), Log: s.log,
	})
	s.door = listen.New(h, s.handshake, s.log)
	if c.HeaderTimeout > 0 {
		s.door.SetHeaderTimeout(c.HeaderTimeout)
	}
	// Functions may run from here on, and reach the server by their own way.
	if err := s.startWorkers(ctx); err != nil {
		return nil, err
	}
	s.drain(s.door.Shutdown)
	s.door.Serve(l, s.fail)
	if held == nil {
		return s, nil
	}
	return s, held.SetAddress(s.endpoint)
}

// Unstarted furnishes a server over memory that serves nobody: to ask the rooms
// what they have. Stop unmakes it.
func Unstarted(ctx context.Context) (*Server, error) {
	dir, err := os.MkdirTemp("", "tierra-*")
	if err != nil {
		return nil, err
	}
	s, err := open(Config{Data: dir, Memory: true, Network: sandbox.NetworkHost, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	s.later(func() { _ = os.RemoveAll(dir) })
	s.endpoint = "http://127.0.0.1:4566"
	s.store, s.blobs = mem.New(), memblob.New()
	s.board = &call.Board{Gate: &call.Gate{}, Clock: s.clock, IDs: s.ids, Host: "127.0.0.1:4566"}
	if err := s.furnish(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// open makes a server that has its folder and secrets, and nothing else yet.
func open(c Config) (*Server, error) {
	if err := c.checkLogins(); err != nil {
		return nil, fmt.Errorf("the logins of registries: %w", err)
	}
	s := &Server{config: c, log: c.Log, clock: clock.System{}, ids: ids.New(), failed: make(chan error, 1)}
	var err error
	if s.folder, err = OpenFolder(c.Data); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.folder.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w; name one that you may write to with --data", err)
	}
	path := s.folder.Authority()
	if c.Memory {
		s.secrets, path = newSecrets(s.ids), ""
	}
	s.authority = authority.New(path, s.clock, WriteDurably)
	return s, nil
}

// Endpoint is the server's address: "http://127.0.0.1:4566".
func (s *Server) Endpoint() string { return s.endpoint }

// Metrics is where the metrics are served: "http://127.0.0.1:9090/metrics", or "".
func (s *Server) Metrics() string { return s.metrics }

// Isolation says in words how functions are isolated.
func (s *Server) Isolation() string { return s.tier }

// Folder is the data folder.
func (s *Server) Folder() Folder { return s.folder }

// Secrets are the data folder's own, the root access key among them.
func (s *Server) Secrets() *Secrets { return s.secrets }

// Board has the rooms.
func (s *Server) Board() *call.Board { return s.board }

// Services are the services' names, sorted, as they begin the names of AWS's endpoints: "dynamodb".
func (s *Server) Services() (names []string) {
	for _, r := range s.board.Services() {
		// "api.ecr" is ecr to everybody.
		names = append(names, strings.TrimPrefix(r.Model().EndpointPrefix, "api."))
	}
	slices.Sort(names)
	return names
}

// Failed delivers the error that ended the serving.
func (s *Server) Failed() <-chan error { return s.failed }

// later adds to what stop undoes.
func (s *Server) later(f func()) { s.undo = append(s.undo, func(context.Context) { f() }) }

// drain is later for what waits for requests.
func (s *Server) drain(shutdown func(context.Context)) {
	s.undo = append(s.undo, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, drainTimeout)
		defer cancel()
		shutdown(ctx)
	})
}

func (s *Server) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// Stop undoes what Start did, the last first, within two seconds.
func (s *Server) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	for i := len(s.undo) - 1; i >= 0; i-- {
		s.undo[i](ctx)
	}
	s.undo = nil
}

func (s *Server) openData() error {
	if s.config.Memory {
		s.store, s.blobs = mem.New(), memblob.New()
		return nil
	}
	store, err := pebble.Open(s.folder.store(), pebble.Options{Log: s.log})
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	s.store = store
	s.later(func() {
		if err := store.Close(); err != nil {
			s.log.Error("close the store", "error", err)
		}
	})
	if s.blobs, err = fsblob.Open(s.folder.blobs()); err != nil {
		return fmt.Errorf("open the blobs: %w", err)
	}
	return nil
}

func (s *Server) observers() (call.Observers, error) {
	all := call.Observers{observe.Log{L: s.log}}
	if s.config.Memory {
		return all, nil
	}
	audit, err := observe.OpenAudit(s.folder.audit())
	if err != nil {
		return nil, err
	}
	s.later(func() { _ = audit.Close() })
	all = append(all, audit)
	if s.config.Metrics == "" {
		return all, nil
	}
	l, err := listenOn(s.config.Metrics, "--metrics")
	if err != nil {
		return nil, err
	}
	s.metrics = "http://" + reachable(l.Addr()) + "/metrics"
	m := observe.NewMetrics()
	s.numbers = m
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	srv := listen.New(mux, nil, s.log)
	srv.Serve(l, s.fail)
	s.drain(srv.Shutdown)
	return append(all, m), nil
}

func (s *Server) startWorkers(ctx context.Context) error {
	for _, r := range s.board.Services() {
		w, ok := r.(call.Worker)
		if !ok {
			continue
		}
		if err := w.Start(ctx); err != nil {
			return fmt.Errorf("start %s: %w", r.Model().ID, err)
		}
		s.undo = append(s.undo, func(ctx context.Context) {
			if err := w.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				s.log.Error("stop "+r.Model().ID, "error", err)
			}
		})
	}
	return nil
}

// listenOn opens the address that a flag gave, or says what to do about it.
func listenOn(addr, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		return l, nil
	}
	advice := "give an address of this machine as HOST:PORT, as in " + flag + " 127.0.0.1:4566"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "stop what listens there, or choose another address with " + flag
	case errors.Is(err, fs.ErrPermission):
		advice = "ports below 1024 are root's: choose another with " + flag
	}
	return nil, fmt.Errorf("cannot listen on %s: %w; %s", addr, err, advice)
}

// reachable turns a listener's address into one that this machine can call.
func reachable(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return a.String()
	}
	ip := t.IP
	if ip.IsUnspecified() {
		ip = net.IPv4(127, 0, 0, 1)
	}
	return net.JoinHostPort(ip.String(), fmt.Sprint(t.Port))
}

// init tells how the init hooks went; without any, what has passed.
func (s *Server) init(stage string) any {
	if s.config.Init != nil {
		return s.config.Init(stage)
	}
	completed := map[string]bool{"BOOT": true, "START": true, "READY": true, "SHUTDOWN": false}
	if stage == "" {
		return map[string]any{"completed": completed, "scripts": []string{}}
	}
	done, ok := completed[stage]
	if !ok {
		return nil
	}
	return map[string]any{"completed": done, "scripts": []string{}}
}

// pages are the platform's own pages, in the form that tools made for port 4566
// expect.
func (s *Server) pages() http.Handler {
	mux := http.NewServeMux()
	started := s.clock.Now()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // the caller went away
	}
	health := func(w http.ResponseWriter, _ *http.Request) {
		services := map[string]string{}
		for _, name := range s.Services() {
			services[name] = "running"
		}
		answer(w, map[string]any{"services": services, "edition": "tierra", "version": s.config.Version})
	}
	mux.HandleFunc("GET /_localstack/health", health)
	mux.HandleFunc("GET /_tierra/health", health)
	mux.HandleFunc("GET /_localstack/info", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"version": s.config.Version, "edition": "tierra", "is_license_activated": false, "uptime": int(s.clock.Now().Sub(started).Seconds())})
	})
	mux.HandleFunc("GET /_localstack/init", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.init("")) })
	mux.HandleFunc("GET /_localstack/init/{stage}", func(w http.ResponseWriter, r *http.Request) {
		v := s.init(strings.ToUpper(r.PathValue("stage")))
		if v == nil {
			http.NotFound(w, r)
			return
		}
		answer(w, v)
	})
	return mux
}
