package sdk

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestKilledWhileBusy: with the server's kill -9 ends all that functions run.
func TestKilledWhileBusy(t *testing.T) {
	mark := fmt.Sprintf("86397.%d", os.Getpid())
	running := func() int { return len(havingArgument(mark)) }
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		t.Skip("processes are looked for in /proc")
	}
	w := newWire(t)
	w.busy(t, mark)
	await(t, "the function runs", func() bool { return running() >= 2 })
	w.Kill9()
	await(t, "nothing runs", func() bool { return running() == 0 })
	w.Restart()
}

// TestNetworkOfFunctions: with serve functions have networks of their own, unless
// it is said otherwise.
func TestNetworkOfFunctions(t *testing.T) {
	mark := fmt.Sprintf("86396.%d", os.Getpid())
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		args []string
		host bool
	}{{nil, false}, {[]string{"--network", "host"}, true}} {
		w := newWire(t, c.args...)
		if !c.host && strings.Contains(w.Output(), "no private ones") {
			t.Skip("this machine gives no private networks")
		}
		w.busy(t, mark)
		var running []string
		await(t, "the function runs", func() bool { running = havingArgument(mark); return len(running) >= 2 })
		net, err := os.Readlink("/proc/" + running[0] + "/ns/net")
		if err != nil || (net == own) != c.host {
			t.Errorf("%v: the function's network is %s, the machine's %s (%v)", c.args, net, own, err)
		}
		w.Kill9()
		await(t, "nothing runs", func() bool { return len(havingArgument(mark)) == 0 })
		w.Restart()
	}
	for _, c := range []struct{ egress, network, want string }{
		{"everything", "private", `"everything" is neither none, nor internet`},
		{"169.254.0.0/16", "private", "never reached"},
		{"internet", "host", "--egress is for functions in private networks"},
	} {
		_, stderr, code := harness.Run(t, nil, "serve", "--listen", "127.0.0.1:0", "--egress", c.egress, "--network", c.network, "--data", t.TempDir())
		if code == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("an egress that there is not: %d %q, want %s", code, stderr, c.want)
		}
	}
}

// busy lets a function run that goes on, and a child of it, both with an argument
// by which they are found.
func (w *wire) busy(t *testing.T, mark string) {
	t.Helper()
	program := "#!/bin/sh\n(setsid sleep " + mark + " &)\nsleep " + mark + "\n"
	w.ok(t, w.createFunction("busy", w.role(t, "runner"), "provided.al2023", archive(t, map[string]string{"bootstrap": program})))
	c := w.dial(t)
	call := w.prepared(request{service: "lambda", path: "/2015-03-31/functions/busy/invocations", body: `{}`})
	if _, err := c.Write(call.bytes()); err != nil {
		t.Fatal(err)
	}
}

// havingArgument are the ids of the processes of this machine that have an argument.
func havingArgument(arg string) (ids []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		if b, _ := os.ReadFile(path); bytes.Contains(b, []byte("\x00"+arg+"\x00")) {
			ids = append(ids, filepath.Base(filepath.Dir(path)))
		}
	}
	return ids
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > harness.Patience {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
