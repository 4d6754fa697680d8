//go:build linux && (amd64 || arm64)

package lambda

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// faulty begins the names of this process's functions, to tell what they leave
// behind from what others do on this machine.
var faulty = fmt.Sprintf("fault%d-", os.Getpid())

// traces are what functions could leave behind on the host.
type traces struct{ processes, mounts, groups, networks int }

func count(t *testing.T) (n traces) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Dir(t.TempDir())
	for line := range bytes.Lines(b) {
		if bytes.Contains(line, []byte(own)) { // other tests of this machine mount and unmount meanwhile
			n.mounts++
		}
	}
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/", "/sys/fs/cgroup/*/*/"} {
		all, _ := filepath.Glob(pattern + "tierra-*/" + faulty + "*")
		n.groups += len(all)
	}
	parents := map[int]int{}
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		b, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(b), ") ")
		var state string
		var parent int
		_, _ = fmt.Sscan(rest, &state, &parent)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parents[pid] = parent
	}
	nets := map[string]bool{}
	for pid := range parents {
		for at := pid; at > 1; at = parents[at] {
			if parents[at] == os.Getpid() {
				n.processes++
				if net, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid)); err == nil {
					nets[net] = true
				}
				break
			}
		}
	}
	host, _ := os.Readlink("/proc/self/ns/net")
	delete(nets, host)
	n.networks = len(nets)
	return n
}

// TestFaults: whatever a function does wrong, the caller and the log get AWS's
// error, an invocation of another function that runs meanwhile is not disturbed,
// and nothing of it stays behind.
func TestFaults(t *testing.T) {
	lines := make(chan string, 10_000)
	before := count(t)
	st := newStand(t, realTime, private, func(d *Deps) {
		d.Tap = func(_, line string) {
			select {
			case lines <- line:
			default:
			}
		}
	})
	if !st.deps.Launcher.Tier().OwnRoot {
		t.Skipf("this host isolates by %s", st.deps.Launcher.Tier().Name)
	}
	st.custom(t, faulty+"bystander", func(in *api.CreateFunctionRequest) { in.Timeout = new(int32(30)) })
	const python, node = "python3.12", "nodejs20.x"
	const child = "import subprocess\ndef handler(e, c):\n    subprocess.Popen(['sleep', '86398.5'], start_new_session=True)\n    return 'left'\n"
	for i, c := range []struct {
		name, runtime, handler, file, code string
		event                              string
		want, log                          string // "" is success
	}{
		{"no handler", python, "index.nope", "index.py", "def handler(e, c): pass", `{}`, "Runtime.HandlerNotFound", "Runtime.HandlerNotFound"},
		{"no handler", node, "index.nope", "index.js", "exports.handler = async () => 1", `{}`, "Runtime.HandlerNotFound", "Runtime.HandlerNotFound"},
		{"no module", python, "other.handler", "index.py", "def handler(e, c): pass", `{}`, "Runtime.ImportModuleError", "Runtime.ImportModuleError"},
		{"syntax error", python, "index.handler", "index.py", "def handler(e, c) return", `{}`, "Runtime.UserCodeSyntaxError", "Runtime.UserCodeSyntaxError"},
		{"syntax error", node, "index.handler", "index.js", "exports.handler = async () => {", `{}`, "Runtime.UserCodeSyntaxError", "Runtime.UserCodeSyntaxError"},
		{"crash at init", python, "index.handler", "index.py", "import os\nos._exit(3)", `{}`, "Runtime.ExitError", "Runtime.ExitError"},
		{"exit in the middle", python, "index.handler", "index.py", "import os\ndef handler(e, c): os._exit(4)", `{}`, "Runtime.ExitError", "exit status 4"},
		{"killed by itself", python, "index.handler", "index.py", "import os\ndef handler(e, c): os.kill(os.getpid(), 9)", `{}`, "Runtime.ExitError", "signal: killed"},
		{"no JSON", python, "index.handler", "index.py", "def handler(e, c): return object()", `{}`, "Runtime.MarshalError", "Runtime.MarshalError"},
		{"too much", python, "index.handler", "index.py", "def handler(e, c): return 'x' * 7000000", `{}`, "Function.ResponseSizeTooLarge", "ResponseSizeTooLarge"},
		{"endless loop", python, "index.handler", "index.py", "def handler(e, c):\n    while True: pass", `{}`, "Sandbox.Timedout", "Task timed out after 1.00 seconds"},
		{"no memory", python, "index.handler", "index.py", "def handler(e, c): return len(bytearray(b'x') * 400000000)", `{}`, "Runtime.ExitError", "signal: killed"},
		{"no room", python, "index.handler", "index.py", "def handler(e, c):\n    open('/tmp/big', 'wb').write(b'x' * 600000000)", `{}`, "", ""},
		{"a child", python, "index.handler", "index.py", child, `{}`, "", ""},
	} {
		if c.name == "no room" {
			c.want, c.log = "OSError", "No space left"
			c.code = "import os\ndef handler(e, c):\n    os.posix_fallocate(os.open('/tmp/big', os.O_RDWR | os.O_CREAT), 0, 600 << 20)"
		}
		if _, err := st.deps.Runtimes.Resolve(t.Context(), c.runtime); err != nil {
			continue // this machine has no such interpreter
		}
		if c.name == "no memory" && !st.deps.Launcher.Tier().MemoryLimit {
			continue
		}
		name := fmt.Sprint(faulty, i)
		t.Run(c.name+" "+c.runtime, func(t *testing.T) {
			timeout := int32(30) // for a machine that has much else to do
			if strings.Contains(c.log, "timed out") {
				timeout = 1
			}
			st.function(t, name, c.runtime, c.handler, func(in *api.CreateFunctionRequest) { in.Timeout = &timeout }, entry{c.file, c.code, 0o644})
			done := make(chan error, 1)
			go func() {
				out, err := st.invoke(faulty+"bystander", `{"do":"wait","wait":100}`)
				if err == nil && out.FunctionError != nil {
					err = fmt.Errorf("%s", out.Payload)
				}
				done <- err
			}()
			out, err := st.invoke(name, c.event)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(out.Payload); (out.FunctionError != nil) != (c.want != "") || !strings.Contains(got, c.want) {
				t.Errorf("want %s, got %s", c.want, got)
			}
			if log := logTail(t, out); !strings.Contains(log, c.log) || !strings.Contains(log, "REPORT RequestId") {
				t.Errorf("log: %s", log)
			}
			if err := <-done; err != nil {
				t.Errorf("the other invocation: %v", err)
			}
		})
	}
	for len(lines) > 0 {
		<-lines
	}
	t.Run("killed from outside", func(t *testing.T) {
		done := make(chan *api.InvocationResponse, 1)
		st.custom(t, faulty+"victim", func(in *api.CreateFunctionRequest) { in.Timeout = new(int32(30)) })
		go func() {
			out, _ := st.invoke(faulty+"victim", `{"do":"wait","wait":20000}`)
			done <- out
		}()
		var pids []int
		until(func() bool {
			all, _ := filepath.Glob("/proc/[0-9]*/environ")
			for _, path := range all {
				if b, _ := os.ReadFile(path); bytes.Contains(b, []byte("AWS_LAMBDA_FUNCTION_NAME="+faulty+"victim\x00")) {
					pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
					pids = append(pids, pid)
				}
			}
			return len(pids) > 0
		})
		for line := range lines { // it has begun
			if line == "waiting" {
				break
			}
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) { // it ends with the first
				t.Error(err)
			}
		}
		if out := <-done; out == nil || out.FunctionError == nil || !strings.Contains(string(out.Payload), "Runtime.ExitError") {
			t.Errorf("%s", calltest.JSON(out))
		}
		st.answer(t, faulty+"victim", `{}`)
	})
	if err := st.room.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	st.deps.Launcher.Close()
	if after := count(t); after != before {
		t.Errorf("left behind: %+v, before: %+v", after, before)
	}
}

// TestDiskFull: a package that does not fit on the disk is the platform's failure,
// not the function's, and it is tried anew.
func TestDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounts a small disk")
	}
	st := newStand(t)
	dir := filepath.Join(st.deps.CodeDir)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=755"); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	b, err := bootstrap()
	if err != nil {
		t.Fatal(err)
	}
	_, err = calltest.Do(st.World, api.CreateFunction, &api.CreateFunctionRequest{
		FunctionName: new("f"), Runtime: new("provided.al2023"), Handler: new("none"), Role: new(testRole), Code: &api.FunctionCode{ZipFile: zipped(t, entry{"bootstrap", string(b), 0o755})},
	})
	if f := fault.As(err); err == nil || f != nil && f.Sender {
		t.Errorf("with a full disk: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left on the disk: %v", left)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	st.custom(t, "f", nil)
	if got := st.answer(t, "f", `{"a":1}`); got != `{"a":1}` {
		t.Errorf("with room: %s", got)
	}
}
