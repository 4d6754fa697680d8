// Package harness runs the real program for tests: it builds cmd/tierra once,
// starts it as a process of its own on a free port over a data folder, and gives
// clients what they need to reach it.
//
// The variable TIERRA_BIN names a binary to use instead of building one, say one
// that was built with the race detector.
package harness

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// built builds the program when it is first asked for; scratch is the folder
// that it made, for Main to remove.
var (
	built   = sync.OnceValues(build)
	scratch string
)

func build() (string, error) {
	if p := os.Getenv("TIERRA_BIN"); p != "" {
		return filepath.Abs(p)
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "tierra-bin-*")
	if err != nil {
		return "", err
	}
	scratch = dir
	bin := filepath.Join(dir, "tierra")
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/tierra")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build cmd/tierra: %w\n%s", err, text)
	}
	return bin, nil
}

// Main runs a package's tests and removes what was built for them:
//
//	func TestMain(m *testing.M) { harness.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	if scratch != "" {
		_ = os.RemoveAll(scratch)
	}
	os.Exit(code)
}

// Binary returns the program's path.
func Binary(t testing.TB) string {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// Root returns the repository's folder.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "tierra")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("no repository above the working folder")
		}
		dir = up
	}
}

// Tool returns the path of a program that a test needs. Without it the test is
// skipped, or fails if the variable require is set to "require".
func Tool(t testing.TB, require, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		Missing(t, require, "%s is not installed", name)
	}
	return p
}

// Missing skips the test, or fails it if the variable require is "require".
func Missing(t testing.TB, require, format string, args ...any) {
	t.Helper()
	if os.Getenv(require) == "require" {
		t.Fatalf(format+", and "+require+"=require", args...)
	}
	t.Skipf(format+" ("+require+"=require makes this a failure)", args...)
}

// Free returns a client for plain requests: no keep-alive that outlives a
// server, no redirects followed. As browsers do, it takes every name below
// localhost for this machine.
func Free() *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
			address = net.JoinHostPort("127.0.0.1", port)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DialContext: dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// text is a buffer that a process writes and a test reads.
type text struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{} // closed at the next write
}

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.more != nil {
		close(x.more)
		x.more = nil
	}
	return x.b.Write(p)
}

// String returns what was written so far.
func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// next returns what was written so far, and a channel that closes when there is more.
func (x *text) next() (string, <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.more == nil {
		x.more = make(chan struct{})
	}
	return x.b.String(), x.more
}

// clean returns this process's environment without what configures AWS tools or Tierra.
func clean() []string {
	var out []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "AWS_") && !strings.HasPrefix(e, "TIERRA_") {
			out = append(out, e)
		}
	}
	return out
}

// wait waits until the text matches the pattern, unless its writer ends before or
// does not come to it.
func (x *text) wait(pattern string, ended <-chan struct{}) ([]string, error) {
	re := regexp.MustCompile(pattern)
	late := time.After(Patience)
	for {
		s, more := x.next()
		if m := re.FindStringSubmatch(s); m != nil {
			return m, nil
		}
		select {
		case <-more:
		case <-ended:
			if m := re.FindStringSubmatch(x.String()); m != nil {
				return m, nil
			}
			return nil, fmt.Errorf("ended before it wrote %q", pattern)
		case <-late:
			return nil, fmt.Errorf("did not write %q", pattern)
		}
	}
}
