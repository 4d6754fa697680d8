//go:build linux && (amd64 || arm64)

package lambda

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox/attempts"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// private puts functions in networks of their own, with a way to a listener of
// the test.
func private(d *Deps) {
	if !d.Launcher.Tier().PrivateNetwork {
		return
	}
	d.Network = sandbox.NetworkPrivate
	d.Door = engine.Door{Port: 4566, Serve: func(l net.Listener) {
		go func() {
			_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the platform") }))
		}()
	}}
}

// TestIsolation: a function that tries what it must not be able to do fails with
// all of it, and harms nobody.
func TestIsolation(t *testing.T) {
	y := newYard(t, realTime, private)
	st := y.stand
	if !st.deps.Launcher.Tier().OwnRoot || !st.deps.Launcher.Tier().PrivateNetwork {
		t.Skipf("this host isolates by %s", st.deps.Launcher.Tier().Name)
	}
	prog := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", prog, "../../engine/sandbox/attempts/program")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(prog)
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	var targets attempts.Targets
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		targets.Dial = append(targets.Dial, "127.0.0.1:"+port)
		if addrs, err := net.InterfaceAddrs(); err == nil {
			for _, a := range addrs {
				if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil {
					targets.Dial = append(targets.Dial, net.JoinHostPort(ip.IP.String(), port))
				}
			}
		}
	}
	st.custom(t, "other", func(in *api.CreateFunctionRequest) {
		in.Environment = &api.Environment{Variables: map[string]string{"SECRET": "of the other"}}
	})
	st.answer(t, "other", `{"do":"write","text":"/tmp/of-the-other","number":5}`)
	st.function(t, "f", "provided.al2023", "none", func(in *api.CreateFunctionRequest) { in.Timeout = new(int32(60)) }, entry{"bootstrap", string(b), 0o755})
	targets.Dial = append(targets.Dial, "169.254.169.254:80", "1.1.1.1:443")
	targets.Read = []string{
		secret, "/proc/self/root" + secret, "/proc/self/cwd/../.." + secret, st.deps.CodeDir, filepath.Dir(st.deps.CodeDir), "/tmp/of-the-other",
		"/var/task/data.txt", "/etc/shadow", "/root", "/home", "/var/log", "/run", "/sys", "/boot", "/proc/1/environ",
	}
	event, err := json.Marshal(targets)
	if err != nil {
		t.Fatal(err)
	}
	if wrong := st.answer(t, "f", string(event)); wrong != "[]" {
		t.Errorf("what it could do: %s", wrong)
	}
	uri := y.push("shop:v1", attemptsImage(t, b))
	if _, err := y.image("g", uri, func(in *api.CreateFunctionRequest) { in.Timeout = new(int32(60)) }); err != nil {
		t.Fatal(err)
	}
	if wrong := st.answer(t, "g", string(event)); wrong != "[]" {
		t.Errorf("what it could do from an image: %s", wrong)
	}
	// The door is where it leads, and the other function is well.
	if got := st.answer(t, "other", `{"do":"call","url":"http://127.0.0.1:4566/"}`); got != `"the platform"` {
		t.Errorf("through the door: %s", got)
	}
	if err := st.room.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}
