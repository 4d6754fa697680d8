package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
	"github.com/tierra-cloud/tierra/internal/data/blob/fsblob"
	"github.com/tierra-cloud/tierra/internal/data/lease"
	"github.com/tierra-cloud/tierra/internal/data/pebble"
	"github.com/tierra-cloud/tierra/internal/edge/listen"
	"github.com/tierra-cloud/tierra/internal/edge/observe"
	"github.com/tierra-cloud/tierra/internal/edge/pipeline"
	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/gen"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
)

// server is a running server: everything that startServer made, to be unmade in
// the opposite order.
type server struct {
	folder   folder
	secrets  *secrets
	endpoint string // "http://127.0.0.1:4566"
	metrics  string // "http://127.0.0.1:9090/metrics"; "" if there are none
	tier     string // the isolation that functions get
	log      *slog.Logger
	clock    clock.Clock
	ids      *ids.Source
	store    data.Store
	blobs    blob.Store
	board    *call.Board
	door     *listen.Server
	// back is the way of functions in a private network to this server, at the
	// address that it has outside.
	back   engine.Door
	failed chan error
	undo   []func()
}

// startServer opens the data folder and starts everything.
func startServer(ctx context.Context, c serverFlags) (_ *server, err error) {
	s := &server{log: c.logger(), clock: clock.System{}, ids: ids.New(), failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.folder, err = openFolder(c.data); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.folder.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	held, err := lease.Acquire(s.folder.dir)
	if err != nil {
		return nil, err
	}
	s.later(func() { _ = held.Release() })
	l, err := listenOn(c.listen)
	if err != nil {
		return nil, err
	}
	s.later(func() { _ = l.Close() })
	s.endpoint = "http://" + reachable(l.Addr())
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		s.back = engine.Door{Port: uint16(a.Port), Serve: func(l net.Listener) { s.door.Serve(l, nil) }}
	}
	if s.secrets, err = s.folder.secrets(s.ids); err != nil {
		return nil, err
	}
	if err := s.openData(); err != nil {
		return nil, err
	}
	observers, err := s.observers(c, s.log)
	if err != nil {
		return nil, err
	}
	s.board = &call.Board{
		Gate: &call.Gate{Mode: c.mode(), Denied: call.NoteDenied}, Clock: s.clock, IDs: s.ids,
		Observer: observers, Host: reachable(l.Addr()),
	}
	if err := s.furnish(ctx, c.mode(), c.network); err != nil {
		return nil, err
	}
	if err := s.startWorkers(ctx); err != nil {
		return nil, err
	}
	h := pipeline.New(pipeline.Config{
		Board: s.board, Services: gen.Services(), Account: s.secrets.Account, Region: s.secrets.Region,
		Pages: s.pages(), Log: s.log,
	})
	s.door = listen.New(h, s.log)
	s.later(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		s.door.Shutdown(ctx)
	})
	s.door.Serve(l, s.fail)
	return s, held.SetAddress(s.endpoint)
}

// later adds to what stop undoes.
func (s *server) later(f func()) { s.undo = append(s.undo, f) }

func (s *server) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// stop undoes what startServer did, the last first.
func (s *server) stop() {
	for i := len(s.undo) - 1; i >= 0; i-- {
		s.undo[i]()
	}
	s.undo = nil
}

func (s *server) openData() error {
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

func (s *server) observers(c serverFlags, log *slog.Logger) (call.Observers, error) {
	audit, err := observe.OpenAudit(s.folder.audit())
	if err != nil {
		return nil, err
	}
	s.later(func() { _ = audit.Close() })
	all := call.Observers{observe.Log{L: log}, audit}
	if c.metrics == "" {
		return all, nil
	}
	l, err := listenOn(c.metrics)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	s.metrics = "http://" + reachable(l.Addr()) + "/metrics"
	m := observe.NewMetrics()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	srv := listen.New(mux, log)
	srv.Serve(l, s.fail)
	s.later(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		srv.Shutdown(ctx)
	})
	return append(all, m), nil
}

func (s *server) startWorkers(ctx context.Context) error {
	for _, r := range s.board.Services() {
		w, ok := r.(call.Worker)
		if !ok {
			continue
		}
		if err := w.Start(ctx); err != nil {
			return fmt.Errorf("start %s: %w", r.Model().ID, err)
		}
		s.later(func() {
			ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
			defer cancel()
			if err := w.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				s.log.Error("stop "+r.Model().ID, "error", err)
			}
		})
	}
	return nil
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

// pages are the platform's own pages, in the form that tools made for port 4566
// expect.
func (s *server) pages() http.Handler {
	mux := http.NewServeMux()
	started := time.Now()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // the caller went away
	}
	health := func(w http.ResponseWriter, _ *http.Request) {
		services := map[string]string{}
		for _, r := range s.board.Services() {
			services[r.Model().EndpointPrefix] = "running"
		}
		answer(w, map[string]any{"services": services, "edition": "tierra", "version": version})
	}
	mux.HandleFunc("GET /_localstack/health", health)
	mux.HandleFunc("GET /_tierra/health", health)
	mux.HandleFunc("GET /_localstack/info", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"version": version, "edition": "tierra", "is_license_activated": false, "uptime": int(time.Since(started).Seconds())})
	})
	mux.HandleFunc("GET /_localstack/init", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"completed": map[string]bool{"BOOT": true, "START": true, "READY": true, "SHUTDOWN": false}, "scripts": []string{}})
	})
	return mux
}
