//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

var shellEnv = []string{"PATH=/usr/local/bin:/usr/bin:/bin"}

func sh(text string) sandbox.Program {
	return sandbox.Program{Argv: []string{"/bin/sh", "-c", text}, Env: shellEnv}
}

func ended(t *testing.T, m *sandbox.Member) (sandbox.ExitStatus, error) {
	t.Helper()
	select {
	case <-m.Done():
		return m.Status()
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
		panic("unreachable")
	}
}

func TestCompanions(t *testing.T) {
	l := openBest(t)
	for _, network := range []sandbox.Network{sandbox.NetworkHost, sandbox.NetworkPrivate} {
		t.Run(string(network), func(t *testing.T) {
			if network == sandbox.NetworkPrivate && !l.Tier().PrivateNetwork {
				t.Skip("no private network here")
			}
			p, err := l.Launch(t.Context(), sandbox.Spec{
				Argv: []string{"/bin/sh", "-c", "echo main >/tmp/main; trap 'exit 5' TERM; echo main is here; while :; do sleep 0.05; done"}, Env: shellEnv, Network: network,
				Companions: []sandbox.Program{
					sh("[ -e /tmp/main ] || echo one; while [ ! -e /tmp/main ]; do sleep 0.02; done; echo two; getent hosts sandbox.localdomain; ls /proc/self/fd | tr '\\n' ' '; exit 7"),
					sh("kill -9 $$"),
					{Argv: []string{"/opt/missing"}, Env: shellEnv},
					sh("sleep 1000"),
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Output().Close()
			m := p.Members()
			if len(m) != 5 {
				t.Fatalf("%d members", len(m))
			}
			first := bufio.NewReader(m[0].Output())
			if s, err := first.ReadString('\n'); err != nil || s != "one\n" {
				t.Fatalf("%q %v", s, err)
			}
			if st, err := ended(t, m[1]); st.Signal != int(syscall.SIGKILL) || err != nil {
				t.Errorf("the second ended with %+v, %v", st, err)
			}
			if st, err := ended(t, m[2]); !errors.Is(err, syscall.ENOENT) || st.Code != 127 {
				t.Errorf("the third ended with %+v, %v", st, err)
			}
			p.Begin()
			rest, err := io.ReadAll(first)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(string(rest), "\n")
			if len(lines) != 3 || lines[0] != "two" || !strings.HasPrefix(lines[1], "127.0.0.1") || lines[2] != "0 1 2 3 " {
				t.Errorf("the first wrote %q", lines)
			}
			if st, err := ended(t, m[0]); st.Code != 7 || err != nil {
				t.Errorf("the first ended with %+v, %v", st, err)
			}
			if s, err := bufio.NewReader(p.Output()).ReadString('\n'); err != nil || s != "main is here\n" {
				t.Fatalf("%q %v", s, err)
			}
			if err := p.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if st, err := ended(t, m[4]); st.Code != 5 || err != nil {
				t.Errorf("the program ended with %+v, %v", st, err)
			}
			select {
			case <-p.Done():
				t.Error("the sandbox ended with its program, though a companion lives")
			default:
			}
			if err := p.Kill(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if st, err := p.Wait(ctx); err != nil || st.Code != 5 {
				t.Errorf("%+v, %v", st, err)
			}
			if st, _ := ended(t, m[3]); st.Signal != int(syscall.SIGKILL) {
				t.Errorf("the fourth ended with %+v", st)
			}
		})
	}
}

func TestCompanionsEnd(t *testing.T) {
	l := openBest(t)
	p, err := l.Launch(t.Context(), sandbox.Spec{Argv: []string{"/bin/true"}, Companions: []sandbox.Program{sh("exit 3")}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Output().Close()
	p.Begin()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if st, err := p.Wait(ctx); err != nil || st.Code != 0 || st.Signal != 0 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestDial(t *testing.T) {
	l := openBest(t)
	if !l.Tier().PrivateNetwork {
		t.Skip("no private network here")
	}
	p, err := l.Launch(t.Context(), sandbox.Spec{
		Argv: []string{"/usr/bin/python3", "-c", `
import socket
s = socket.create_server(("sandbox.localdomain", 4243))
print("listening", flush=True)
c, _ = s.accept()
c.sendall(b"hello " + c.recv(100))
c.close()
`}, Env: shellEnv, Network: sandbox.NetworkPrivate,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Output().Close()
	out := bufio.NewReader(p.Output())
	if s, err := out.ReadString('\n'); err != nil || s != "listening\n" {
		rest, _ := io.ReadAll(out)
		t.Skipf("no python3 to listen with: %q %s", s, rest)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := p.Dial(ctx, 4999); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("where nobody listens: %v", err)
	}
	c, err := p.Dial(ctx, 4243)
	if errors.Is(err, syscall.EPERM) {
		t.Skip("an ordinary user cannot reach into a private network")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "world"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != "hello world" {
		t.Errorf("%q %v", b, err)
	}
}
