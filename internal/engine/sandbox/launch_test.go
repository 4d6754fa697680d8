//go:build linux && (amd64 || arm64)

package sandbox_test

import (
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

	"golang.org/x/sys/unix"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// TestMain lets this program be what runs in a sandbox, or what supervises one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "attempt":
			attempt(os.Args[2], os.Args[3:])
			os.Exit(0)
		case "tier":
			l, _, err := sandbox.Open(context.Background(), sandbox.Config{StateDir: os.Args[2]})
			if err != nil {
				panic(err)
			}
			fmt.Println(strings.Join(l.Tier().Lacks, "\n"))
			l.Close()
			os.Exit(0)
		case "supervise":
			supervise(os.Args[2], os.Args[3])
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// openBest opens a launcher of a tier with namespaces or skips.
func openBest(t testing.TB) sandbox.Launcher {
	t.Helper()
	l, report, err := sandbox.Open(t.Context(), sandbox.Config{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if !l.Tier().OwnRoot {
		t.Skipf("this host allows no namespaces: %+v", report.Checks)
	}
	return l
}

// openLimits is openBest where limits are enforced.
func openLimits(t testing.TB) sandbox.Launcher {
	t.Helper()
	l := openBest(t)
	if !l.Tier().MemoryLimit {
		t.Skipf("this host allows no control groups: %v", l.Tier().Lacks)
	}
	return l
}

// finish runs a program in a sandbox to its end.
func finish(t testing.TB, l sandbox.Launcher, spec sandbox.Spec) (string, sandbox.ExitStatus) {
	t.Helper()
	spec.Env = append(spec.Env, "PATH=/usr/local/bin:/usr/bin:/bin")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := l.Launch(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Output().Close()
	out, err := io.ReadAll(p.Output())
	if err != nil {
		t.Fatal(err)
	}
	st, err := p.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), st
}

// shell runs a shell script in a sandbox to its end.
func shell(t testing.TB, l sandbox.Launcher, spec sandbox.Spec, script string) (string, sandbox.ExitStatus) {
	t.Helper()
	spec.Argv = []string{"/bin/sh", "-c", script}
	return finish(t, l, spec)
}

// self is this test program as something to run inside.
func self(t testing.TB, args ...string) sandbox.Spec {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return sandbox.Spec{
		Argv:   append([]string{"/var/task/" + filepath.Base(exe)}, args...),
		Mounts: []sandbox.Mount{{Source: filepath.Dir(exe), Target: "/var/task"}},
	}
}

func TestExitStatus(t *testing.T) {
	l := openBest(t)
	for _, c := range []struct {
		script, out  string
		code, signal int
	}{
		{"echo hello; echo oops >&2", "hello\noops", 0, 0},
		{"exit 7", "", 7, 0},
		{"kill -9 $$", "", -1, 9},
		{"kill $$", "", -1, 15},
		{"id -u; id -g; id -G; hostname; pwd; umask", "993\n990\n990\nlocalhost\n/\n0022", 0, 0},
		{"cat; echo end", "end", 0, 0},
		{"ulimit -n; ulimit -c", "1024\n0", 0, 0},
		// Orphans are reaped, not kept as zombies.
		{"(sleep 0 & sleep 0 &); sleep 0.1; cat /proc/[0-9]*/stat | grep -c ' Z '", "0", 1, 0},
	} {
		out, st := shell(t, l, sandbox.Spec{}, c.script)
		if l.Tier().Name == sandbox.TierUnprivileged {
			out = strings.ReplaceAll(out, "990 65534", "990")
		}
		if out != c.out || st.Code != c.code || st.Signal != c.signal || st.OOMKilled {
			t.Errorf("%s: got %q, %+v", c.script, out, st)
		}
	}
}

func TestLaunchRefuses(t *testing.T) {
	l := openBest(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		spec sandbox.Spec
		want string
		is   error
	}{
		{"no program", t.Context(), sandbox.Spec{}, "absolute path", nil},
		{"relative program", t.Context(), sandbox.Spec{Argv: []string{"sh"}}, "absolute path", nil},
		{"missing program", t.Context(), sandbox.Spec{Argv: []string{"/var/task/none"}}, "executing /var/task/none", syscall.ENOENT},
		{"not executable", t.Context(), sandbox.Spec{Argv: []string{"/etc/passwd"}}, "executing /etc/passwd", syscall.EACCES},
		{"missing folder", t.Context(), sandbox.Spec{Argv: []string{"/bin/true"}, Dir: "/none"}, "entering /none", syscall.ENOENT},
		{"missing source", t.Context(), sandbox.Spec{Argv: []string{"/bin/true"}, Mounts: []sandbox.Mount{{"/none", "/opt"}}}, "/opt", os.ErrNotExist},
		{"target with dots", t.Context(), sandbox.Spec{Argv: []string{"/bin/true"}, Mounts: []sandbox.Mount{{"/usr", "/opt/../x"}}}, "clean", nil},
		{"target in /proc", t.Context(), sandbox.Spec{Argv: []string{"/bin/true"}, Mounts: []sandbox.Mount{{"/usr", "/proc/self"}}}, "own", nil},
		{"zero byte", t.Context(), sandbox.Spec{Argv: []string{"/bin/true"}, Env: []string{"A=\x00"}}, "zero byte", nil},
		{"too long", t.Context(), sandbox.Spec{Argv: []string{"/bin/true", strings.Repeat("x", 2<<20)}}, "too long", nil},
		{"odd name", t.Context(), sandbox.Spec{Argv: []string{"/bin/true"}, Name: "../x"}, "name", nil},
		{"odd network", t.Context(), sandbox.Spec{Argv: []string{"/bin/true"}, Network: "bridge"}, "bridge", nil},
		{"listener on the host", t.Context(), sandbox.Spec{Argv: []string{"/bin/true"}, Loopback: []uint16{9001}}, "private", nil},
		{"cancelled", cancelled, sandbox.Spec{Argv: []string{"/bin/true"}}, "", context.Canceled},
	} {
		p, err := l.Launch(c.ctx, c.spec)
		if err == nil {
			_ = p.Kill()
			t.Errorf("%s: was launched", c.name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestDescriptors(t *testing.T) {
	l := openBest(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r2, w2, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r2.Close()
	out, _ := shell(t, l, sandbox.Spec{Files: []*os.File{w, w2}}, "echo three >&3; echo four >&4; ls /proc/self/fd | xargs")
	w.Close()
	w2.Close()
	// 5 is ls reading the folder.
	if out != "0 1 2 3 4 5" {
		t.Errorf("descriptors inside: %q", out)
	}
	three, _ := io.ReadAll(r)
	four, _ := io.ReadAll(r2)
	if string(three) != "three\n" || string(four) != "four\n" {
		t.Errorf("got %q and %q", three, four)
	}
}

func TestPrivateNetwork(t *testing.T) {
	l := openBest(t)
	if !l.Tier().PrivateNetwork {
		t.Skip("this host allows no network namespaces")
	}
	host, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	spec := self(t, "attempt", "dial", "127.0.0.1:9001", host.Addr().String(), "192.0.2.1:80")
	spec.Network, spec.Loopback = sandbox.NetworkPrivate, []uint16{9001}
	p, err := l.Launch(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Output().Close()
	c, err := p.Listeners()[0].Accept()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "from outside")
	c.Close()
	out, _ := io.ReadAll(p.Output())
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 || lines[0] != "from outside" || !strings.Contains(lines[1], "refused") || !strings.Contains(lines[2], "unreachable") {
		t.Errorf("got %q", lines)
	}
}

func TestFreeze(t *testing.T) {
	l := openBest(t)
	p, err := l.Launch(t.Context(), sandbox.Spec{Argv: []string{"/bin/sh", "-c", "while :; do :; done & wait"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Output().Close()
	spinning := func() bool { return treeTicks(t, p.Pid(), 3) }
	if !spinning() {
		t.Error("does not run")
	}
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	if spinning() {
		t.Error("runs though frozen")
	}
	if err := p.Thaw(); err != nil {
		t.Fatal(err)
	}
	if !spinning() {
		t.Error("does not run though thawed")
	}
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if st, err := p.Wait(t.Context()); err != nil || st.Signal != 9 {
		t.Errorf("killing a frozen sandbox: %+v, %v", st, err)
	}
	if err := p.Kill(); err != nil {
		t.Errorf("killing again: %v", err)
	}
}

// treeTicks tells whether the descendants of a process use n ticks of processor time.
func treeTicks(t *testing.T, pid, n int) bool {
	read := func() (sum int) {
		for _, kid := range descendants(pid) {
			b, _ := os.ReadFile("/proc/" + kid + "/stat")
			_, after, _ := strings.Cut(string(b), ") ")
			if f := strings.Fields(after); len(f) > 12 {
				u, _ := strconv.Atoi(f[11])
				sum += u
			}
		}
		return sum
	}
	start := read()
	for range 100 {
		if read() >= start+n {
			return true
		}
		syscall.Select(0, nil, nil, nil, &syscall.Timeval{Usec: 10_000})
	}
	return false
}

func descendants(pid int) []string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(pid) + "/children")
	var out []string
	for _, f := range strings.Fields(string(b)) {
		out = append(out, f)
		kid, _ := strconv.Atoi(f)
		out = append(out, descendants(kid)...)
	}
	return out
}

func TestProcessTier(t *testing.T) {
	l, report, err := sandbox.Open(t.Context(), sandbox.Config{StateDir: t.TempDir(), Tier: sandbox.TierProcess})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if report.Tier.Name != sandbox.TierProcess || len(report.Tier.Lacks) == 0 {
		t.Errorf("got %+v", report.Tier)
	}
	code := t.TempDir()
	os.WriteFile(filepath.Join(code, "hello"), []byte("hello"), 0o644)
	spec := sandbox.Spec{
		Argv:   []string{"/bin/sh", "-c", `cat "$ROOT/hello"; echo; pwd; echo $LIST; test -d "$TMPDIR" && echo tmp`},
		Env:    []string{"ROOT=/var/task", "LIST=/a:/var/task/x:/var/tasks", "PATH=/usr/bin:/bin"},
		Dir:    "/var/task",
		Mounts: []sandbox.Mount{{Source: code, Target: "/var/task"}},
	}
	out, st := finish(t, l, spec)
	want := "hello\n" + code + "\n/a:" + code + "/x:/var/tasks\ntmp"
	if out != want || st.Code != 0 {
		t.Errorf("got %q, %+v; want %q", out, st, want)
	}
}

func TestBusyFolder(t *testing.T) {
	dir := t.TempDir()
	l, _, err := sandbox.Open(t.Context(), sandbox.Config{StateDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := sandbox.Open(t.Context(), sandbox.Config{StateDir: dir}); !errors.Is(err, sandbox.ErrBusy) {
		t.Errorf("got %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if l, _, err = sandbox.Open(t.Context(), sandbox.Config{StateDir: dir}); err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestProbe(t *testing.T) {
	r, err := sandbox.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Checks {
		t.Logf("%+v", c)
		if c.Name == "" || c.Detail == "" || c.OK != (c.Fix == "") {
			t.Errorf("incomplete: %+v", c)
		}
	}
	if r.Tier.Name == "" || len(r.Tier.Holds) == 0 {
		t.Errorf("no tier: %+v", r.Tier)
	}
}

// TestUnprivileged runs the supervisor as an ordinary user.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("is what all other tests do, when they are not run by root")
	}
	dir, err := os.MkdirTemp("", "sandbox-user-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	state := filepath.Join(dir, "state")
	prog := filepath.Join(dir, "prog")
	if err := errors.Join(os.WriteFile(prog, b, 0o755), os.Chmod(dir, 0o755), os.Mkdir(state, 0o755), os.Chown(state, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		cmd := exec.Command(prog, args...)
		cmd.Env = append(os.Environ(), "TMPDIR="+state)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	tier, rest, _ := strings.Cut(run("supervise", state, "tour"), "\n")
	if tier != sandbox.TierUnprivileged {
		t.Skipf("ordinary users get the tier %q here: %s", tier, rest)
	}
	want := "993\n990\n/tmp is writable\n/etc is not\nfrom outside\n"
	if rest != want {
		t.Errorf("got %q, want %q", rest, want)
	}
	// All that is tried in the best tier is tried here. What cannot be held is what
	// the tier says it lacks, and those tests alone are skipped.
	lacks := run("tier", state)
	tests := run("-test.v", "-test.run=^(TestForbidden|TestHostFilesAreInvisible|TestOtherProcessesAreInvisible|TestTmpIsPrivateAndLimited|TestMemoryBomb|TestForkBomb|TestChildrenDie|TestServerKilled|TestNothingIsLeft)$/^(launched)?$")
	held := map[string]bool{
		"TestForbidden/launched": true, "TestHostFilesAreInvisible/launched": true, "TestOtherProcessesAreInvisible/launched": true,
		"TestTmpIsPrivateAndLimited/launched": true, "TestChildrenDie/launched": true, "TestServerKilled": true, "TestNothingIsLeft": true,
		"TestMemoryBomb/launched": !strings.Contains(lacks, "no control groups"), "TestForkBomb/launched": !strings.Contains(lacks, "no control groups"),
	}
	for name, holds := range held {
		word := "--- SKIP: "
		if holds {
			word = "--- PASS: "
		}
		if !strings.Contains(tests, word+name+" ") {
			t.Errorf("%s: it must be held: %v\nlacks: %s\n%s", name, holds, lacks, tests)
		}
	}
}

func BenchmarkLaunch(b *testing.B) {
	l := openBest(b)
	specs := []struct {
		name string
		spec sandbox.Spec
	}{
		{"host", sandbox.Spec{}},
		{"private", sandbox.Spec{Network: sandbox.NetworkPrivate, Loopback: []uint16{9001}}},
		{"limits", sandbox.Spec{Memory: 128 << 20, Pids: 64, CPU: sandbox.CPU{Weight: 100}}},
	}
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("/bin/true").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, s := range specs {
		b.Run(s.name, func(b *testing.B) {
			s.spec.Argv = []string{"/bin/true"}
			for b.Loop() {
				p, err := l.Launch(b.Context(), s.spec)
				if err != nil {
					b.Fatal(err)
				}
				p.Output().Close()
				if _, err := p.Wait(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestFullDisk: what the state folder lacks is no reason to isolate less.
func TestFullDisk(t *testing.T) {
	openBest(t)
	if os.Geteuid() != 0 {
		t.Skip("mounts a small disk")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4k"); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	if l, report, err := sandbox.Open(t.Context(), sandbox.Config{StateDir: dir}); err == nil {
		l.Close()
		t.Errorf("opened as %q", report.Tier.Name)
	} else if !errors.Is(err, unix.ENOSPC) {
		t.Error(err)
	}
}
