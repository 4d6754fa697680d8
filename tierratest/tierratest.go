// Package tierratest gives a Go test a running server of its own: in process, at a
// port of its own, with data in memory that ends with the test. Tests that have
// one each run in parallel and see nothing of each other.
//
//	func TestBooking(t *testing.T) {
//		s := tierratest.Start(t)
//		outputs := s.Deploy(t, "../template.yaml", "Stage=test")
//		rs, err := s.HTTP().Get(outputs["Url"] + "/events")
//		…
//	}
//
// Any AWS SDK reaches it with the variables of Env, or with Endpoint, Region and
// Credentials. Signatures and policies decide as they do in `tierra serve`, and
// functions run in the same sandboxes.
package tierratest

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/server"
)

// Server is a running server.
type Server struct {
	server *server.Server
	dir    string
	stacks atomic.Int64
}

// Option changes what Start does.
type Option func(*server.Config)

// WithLog writes the server's log, a line a call, to w. Without it nothing is written.
func WithLog(w io.Writer) Option {
	return func(c *server.Config) { c.Log = slog.New(slog.NewTextHandler(w, nil)) }
}

// WithoutAuth accepts any access key and lets every caller do everything, as
// `tierra serve --auth off` does.
func WithoutAuth() Option { return func(c *server.Config) { c.Mode = call.Off } }

// Start starts a server for the test t, which is stopped, and its data removed,
// when the test and its subtests end. It fails the test if that is not possible.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	// Not t.TempDir: its path can be too long for the sockets of functions.
	dir, err := os.MkdirTemp("", "tierratest-*")
	if err != nil {
		t.Fatalf("tierratest: %v", err)
	}
	home, _ := os.UserHomeDir() // without a home there is no version manager to look into
	c := server.Config{
		Data: dir, Memory: true, Listen: "127.0.0.1:0", Mode: call.Enforce, Network: sandbox.NetworkHost,
		Log: slog.New(slog.DiscardHandler), Version: "test", Path: os.Getenv("PATH"), Home: home, NodePath: os.Getenv("NODE_PATH"),
	}
	for _, o := range options {
		o(&c)
	}
	// The context of the test ends before its cleanups begin, which may use the server.
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s, err := server.Start(ctx, c)
	t.Cleanup(func() {
		if s != nil {
			s.Stop()
		}
		cancel()
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("tierratest: remove what the server left: %v", err)
		}
	})
	if err != nil {
		t.Fatalf("tierratest: start the server: %v", err)
	}
	return &Server{server: s, dir: dir}
}

// Endpoint is the server's address, for all services: "http://127.0.0.1:41234".
func (s *Server) Endpoint() string { return s.server.Endpoint() }

// Region is the region that Env names and Deploy deploys to. The others are there as well.
func (s *Server) Region() string { return s.server.Secrets().Region }

// Account is the account of the root access key, twelve digits.
func (s *Server) Account() string { return s.server.Secrets().Account }

// Credentials returns the root access key of the server, which no other server has.
func (s *Server) Credentials() (accessKey, secret string) {
	k := s.server.Secrets()
	return k.AccessKey, k.Secret
}

// Env returns variables as KEY=VALUE that point AWS's tools and SDKs at the
// server, for exec.Cmd's Env; see also Setenv.
func (s *Server) Env() []string {
	key, secret := s.Credentials()
	return []string{
		"AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_SESSION_TOKEN=", "AWS_REGION=" + s.Region(),
		"AWS_DEFAULT_REGION=" + s.Region(), "AWS_ENDPOINT_URL=" + s.Endpoint(), "AWS_EC2_METADATA_DISABLED=true",
	}
}

// Setenv sets the variables of Env for the test t, so that an SDK's default
// configuration is for the server. As with t.Setenv, t must not be parallel.
func (s *Server) Setenv(t testing.TB) {
	t.Helper()
	for _, v := range s.Env() {
		k, value, _ := strings.Cut(v, "=")
		t.Setenv(k, value)
	}
}

// HTTP returns a client that finds the addresses that the server gives to APIs
// and websites, all of which are below localhost, whatever this machine's
// resolver knows of them.
func (s *Server) HTTP() *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if host, port, err := net.SplitHostPort(address); err == nil && (strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".localhost.localstack.cloud")) {
				address = net.JoinHostPort("127.0.0.1", port)
			}
			return d.DialContext(ctx, network, address)
		},
	}}
}
