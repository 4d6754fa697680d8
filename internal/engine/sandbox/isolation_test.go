//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox/attempts"
)

// attempt is what this program does inside a sandbox.
func attempt(what string, args []string) {
	switch what {
	case "forbidden":
		for _, wrong := range attempts.Run(attempts.Targets{}) {
			fmt.Println(wrong)
		}
	case "read":
		for _, path := range args {
			if b, err := os.ReadFile(path); !errors.Is(err, os.ErrNotExist) {
				fmt.Printf("read %s: %q, %v\n", path, b, err)
			}
		}
	case "list":
		for _, path := range args {
			all, err := os.ReadDir(path)
			if err != nil {
				fmt.Println(err)
			}
			fmt.Print(path, ":")
			for _, e := range all {
				if !strings.HasPrefix(e.Name(), "lib") { // where this program's own may be
					fmt.Print(" ", e.Name())
				}
			}
			fmt.Println()
		}
	case "bomb":
		for keep := [][]byte{}; ; {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = byte(i)
			}
			keep = append(keep, b)
			fmt.Fprintln(io.Discard, len(keep))
		}
	case "dial":
		for _, addr := range args {
			c, err := net.DialTimeout("tcp", addr, 20*time.Second)
			if err != nil {
				fmt.Println(err)
				continue
			}
			b, _ := io.ReadAll(c)
			fmt.Println(string(b))
		}
	}
}

// supervise is a server with one sandbox, as a process of its own.
func supervise(state, what string) {
	ctx := context.Background()
	l, report, err := sandbox.Open(ctx, sandbox.Config{StateDir: state})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(l.Tier().Name)
	if !l.Tier().OwnRoot {
		fmt.Printf("%+v\n", report.Checks)
		return
	}
	if what == "prepared" {
		prepare(l)
	}
	script := "sleep " + what + " & sleep " + what
	spec := sandbox.Spec{Env: []string{"PATH=/usr/bin:/bin"}}
	if what == "tour" {
		script = "id -u; id -g; echo > /tmp/x && echo /tmp is writable; echo 2>/dev/null > /etc/x || echo /etc is not; echo from outside"
		spec.Network, spec.Loopback = sandbox.NetworkPrivate, []uint16{9001}
	}
	spec.Argv = []string{"/bin/sh", "-c", script}
	p, err := l.Launch(ctx, spec)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if what == "tour" {
		_, _ = io.Copy(os.Stdout, p.Output())
		if len(p.Listeners()) != 1 {
			fmt.Println("no listener")
		}
	}
	_, _ = p.Wait(ctx)
	l.Close()
}

func TestForbidden(t *testing.T) { bothWays(t, openBest, testForbidden) }

func testForbidden(t *testing.T, l sandbox.Launcher) {
	out, st := finish(t, l, self(t, "attempt", "forbidden"))
	if out != "" || st.Code != 0 {
		t.Errorf("%+v\n%s", st, out)
	}
}

func TestHostFilesAreInvisible(t *testing.T) { bothWays(t, openBest, testHostFilesAreInvisible) }

func testHostFilesAreInvisible(t *testing.T, l sandbox.Launcher) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o666); err != nil {
		t.Fatal(err)
	}
	link := t.TempDir()
	os.Chmod(link, 0o755)
	if err := os.Symlink(secret, filepath.Join(link, "link")); err != nil {
		t.Fatal(err)
	}
	spec := self(t, "attempt", "read", secret, "/opt/link", "/proc/self/root"+secret, "/proc/self/cwd/../.."+secret,
		"/etc/shadow", "/etc/ssh/sshd_config", "/root/.bashrc", "/home", "/var/log", "/sys/fs/cgroup/memory/tasks", "/run")
	spec.Mounts = append(spec.Mounts, sandbox.Mount{Source: link, Target: "/opt"})
	out, st := finish(t, l, spec)
	if out != "" || st.Code != 0 {
		t.Errorf("%+v\n%s", st, out)
	}
}

func TestOtherProcessesAreInvisible(t *testing.T) {
	bothWays(t, openBest, testOtherProcessesAreInvisible)
}

func testOtherProcessesAreInvisible(t *testing.T, l sandbox.Launcher) {
	out, _ := shell(t, l, sandbox.Spec{}, `cd /proc; for p in [0-9]*; do tr '\0' ' ' <$p/cmdline | cut -c1-10; done; kill -9 1; echo $?; grep -E '^(Cap(Eff|Prm|Bnd|Amb)|NoNewPrivs|Seccomp):' self/status | tr -d '\t' | xargs`)
	zero := strings.Repeat("0", 16)
	want := "/bin/sh -c\n0\nCapPrm:" + zero + " CapEff:" + zero + " CapBnd:" + zero + " CapAmb:" + zero + " NoNewPrivs:1 Seccomp:2"
	lines := strings.Split(out, "\n")
	// The loop's own tr and cut may be seen as well; the host's processes may not.
	var got []string
	for _, line := range lines {
		if line != "" && !strings.HasPrefix(line, "tr ") && !strings.HasPrefix(line, "cut ") {
			got = append(got, line)
		}
	}
	if g := strings.Join(got, "\n"); g != want && strings.Replace(g, "/bin/sh -c\n/bin/sh -c\n", "/bin/sh -c\n", 1) != want {
		t.Errorf("got\n%s\nwant\n%s", g, want)
	}
}

func TestTmpIsPrivateAndLimited(t *testing.T) { bothWays(t, openBest, testTmpIsPrivateAndLimited) }

func testTmpIsPrivateAndLimited(t *testing.T, l sandbox.Launcher) {
	spec := sandbox.Spec{TmpBytes: 4 << 20}
	out, _ := shell(t, l, spec, "ls -A /tmp; echo mine > /tmp/x; head -c 3000000 /dev/zero > /tmp/fits && echo fits; head -c 3000000 /dev/zero 2>&1 > /tmp/not || echo full; df --output=size -k /tmp | tail -1 | xargs")
	if !strings.HasPrefix(out, "fits\n") || !strings.Contains(out, "full") || !strings.HasSuffix(out, "4096") {
		t.Errorf("got %q", out)
	}
	if out, _ := shell(t, l, spec, "ls -A /tmp"); out != "" {
		t.Errorf("the next sandbox sees %q", out)
	}
	if _, err := os.Stat("/tmp/fits"); err == nil {
		t.Error("/tmp is the host's")
	}
}

func TestMemoryBomb(t *testing.T) { bothWays(t, openLimits, testMemoryBomb) }

func testMemoryBomb(t *testing.T, l sandbox.Launcher) {
	spec := self(t, "attempt", "bomb")
	spec.Memory, spec.Pids = 192<<20, 100
	_, st := finish(t, l, spec)
	if !st.OOMKilled || st.Signal != 9 || st.Usage.PeakMemory < 150<<20 || st.Usage.PeakMemory > 193<<20 { // a dying program may go a few pages over
		t.Errorf("got %+v", st)
	}
	if out, st := shell(t, l, sandbox.Spec{Memory: 64 << 20}, "echo fine"); out != "fine" || st.OOMKilled {
		t.Errorf("the next sandbox: %q, %+v", out, st)
	}
}

func TestForkBomb(t *testing.T) { bothWays(t, openLimits, testForkBomb) }

func testForkBomb(t *testing.T, l sandbox.Launcher) {
	mark := sleepOf(os.Getpid(), 1)
	out, st := shell(t, l, sandbox.Spec{Pids: 20}, "i=0; while [ $i -lt 100 ]; do sleep "+mark+" & i=$((i+1)); done; echo not reached")
	if strings.Contains(out, "not reached") || st.Code == 0 {
		t.Errorf("100 processes were started: %q, %+v", out, st)
	}
	if n := running(t, mark); n != 0 {
		t.Errorf("%d processes outlive the sandbox", n)
	}
}

// TestChildrenDie: whatever a program leaves behind ends with it.
func TestChildrenDie(t *testing.T) { bothWays(t, openBest, testChildrenDie) }

func testChildrenDie(t *testing.T, l sandbox.Launcher) {
	mark := sleepOf(os.Getpid(), 2)
	_, st := shell(t, l, sandbox.Spec{}, "setsid sleep "+mark+" >/dev/null 2>&1 & (setsid sleep "+mark+" &) ; exit 3")
	if st.Code != 3 {
		t.Errorf("got %+v", st)
	}
	if n := running(t, mark); n != 0 {
		t.Errorf("%d processes outlive the sandbox", n)
	}
}

// sleepOf is how many seconds what a test of this process starts sleeps: for a day,
// and no other process of this machine just as long.
func sleepOf(pid, test int) string { return fmt.Sprintf("8639%d.%d", test, pid) }

// running counts the processes of the host that have an argument.
func running(t *testing.T, arg string) (n int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		b, _ := os.ReadFile(path)
		if strings.Contains(string(b), "\x00"+arg+"\x00") {
			n++
		}
	}
	return n
}

// TestServerKilled: with the server dies everything; its next start clears the rest away.
func TestServerKilled(t *testing.T) {
	openBest(t)
	mark := sleepOf(os.Getpid(), 3)
	state := t.TempDir()
	cmd := exec.Command(os.Args[0], "supervise", state, mark)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	until(t, "the sandbox runs", func() bool { return running(t, mark) >= 2 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	until(t, "nothing runs any more", func() bool { return running(t, mark) == 0 })
	l, _, err := sandbox.Open(t.Context(), sandbox.Config{StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	if out, _ := shell(t, l, sandbox.Spec{}, "echo fine"); out != "fine" {
		t.Errorf("after the restart: %q", out)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if got := leftGroups(t, state); got != nil {
		t.Errorf("left behind: %v", got)
	}
}

// until waits for something that comes about by itself.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for range 2000 {
		if f() {
			return
		}
		syscall.Select(0, nil, nil, nil, &syscall.Timeval{Usec: 5000})
	}
	t.Fatalf("waited in vain until %s", what)
}

// leftGroups are the control groups of the launcher with a state folder.
func leftGroups(t *testing.T, state string) []string {
	t.Helper()
	name, err := sandbox.GroupName(state)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/", "/sys/fs/cgroup/*/*/", "/sys/fs/cgroup/*/*/*/"} {
		got, err := filepath.Glob(pattern + name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, got...)
	}
	return out
}

// TestNothingIsLeft counts mounts, control groups, descriptors and files.
func TestNothingIsLeft(t *testing.T) {
	openBest(t) // or skip
	state, mark := t.TempDir(), sleepOf(os.Getpid(), 4)
	mounts := func() int { // below the state folder, as others mount meanwhile
		b, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(b), state)
	}
	fds := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before := fds()
	l, _, err := sandbox.Open(t.Context(), sandbox.Config{StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		spec := sandbox.Spec{Memory: 64 << 20, Name: "n" + strconv.Itoa(i)}
		if l.Tier().PrivateNetwork {
			spec.Network, spec.Loopback = sandbox.NetworkPrivate, []uint16{9001}
		}
		shell(t, l, spec, "true")
		if _, err := l.Launch(t.Context(), sandbox.Spec{Argv: []string{"/none"}, Memory: 64 << 20}); err == nil {
			t.Error("a missing program was launched")
		}
		p, err := l.Launch(t.Context(), sandbox.Spec{Argv: []string{"/bin/sleep", mark}, Memory: 64 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Output().Close()
		p.Output().Close()
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if got := leftGroups(t, state); got != nil {
		t.Errorf("control groups left: %v", got)
	}
	if n := running(t, mark); n != 0 {
		t.Errorf("%d processes left", n)
	}
	if n := mounts(); n != 0 {
		t.Errorf("%d mounts left", n)
	}
	if n := fds(); n > before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
	if left, _ := os.ReadDir(state); len(left) != 1 || left[0].Name() != "lock" {
		t.Errorf("files left: %v", left)
	}
}
