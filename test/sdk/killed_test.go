package sdk

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestKilledWhileBusy: with the server's kill -9 ends all that functions run.
func TestKilledWhileBusy(t *testing.T) {
	const mark = "86397.25"
	running := func() (n int) {
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range all {
			if b, _ := os.ReadFile(path); bytes.Contains(b, []byte("\x00"+mark+"\x00")) {
				n++
			}
		}
		return n
	}
	await := func(what string, done func() bool) {
		t.Helper()
		for began := time.Now(); !done(); time.Sleep(10 * time.Millisecond) {
			if time.Since(began) > harness.Patience {
				t.Fatalf("waited in vain until %s", what)
			}
		}
	}
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		t.Skip("processes are looked for in /proc")
	}
	w := newWire(t)
	program := "#!/bin/sh\n(setsid sleep " + mark + " &)\nsleep " + mark + "\n"
	w.ok(t, w.createFunction("busy", w.role(t, "runner"), "provided.al2023", archive(t, map[string]string{"bootstrap": program})))
	c := w.dial(t)
	call := w.prepared(request{service: "lambda", path: "/2015-03-31/functions/busy/invocations", body: `{}`})
	if _, err := c.Write(call.bytes()); err != nil {
		t.Fatal(err)
	}
	await("the function runs", func() bool { return running() >= 2 })
	w.Kill9()
	await("nothing runs", func() bool { return running() == 0 })
	w.Restart()
}
