//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// ahead is a launcher whose sandboxes are prepared first and completed later.
// A shell waits in them and becomes the program when they are complete.
type ahead struct{ sandbox.Launcher }

func (a ahead) Launch(ctx context.Context, spec sandbox.Spec) (sandbox.Process, error) {
	late, sources := []string{"/var/task", "/opt"}, make([]string, 2)
	for _, m := range spec.Mounts {
		for i := range late {
			if m.Target == late[i] {
				sources[i] = m.Source
			}
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	defer w.Close()
	limits := sandbox.Limits{Memory: spec.Memory, Pids: spec.Pids, CPU: spec.CPU}
	spec.Mounts, spec.Memory, spec.Pids, spec.CPU = nil, 0, 0, sandbox.CPU{Weight: 10}
	spec.Argv = append([]string{"/bin/sh", "-c", `read -r go <&3 && exec 3<&- "$@"`, "sh"}, spec.Argv...)
	spec.Files = []*os.File{r}
	p, err := a.Prepare(ctx, spec, late)
	if err != nil {
		return nil, err
	}
	if err := p.Complete(ctx, sources, limits); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	_, err = io.WriteString(w, "go\n")
	return p, err
}

// openAhead opens a launcher that starts ahead, or skips.
func openAhead(t testing.TB) sandbox.Launcher {
	t.Helper()
	l := openBest(t)
	if !l.Tier().StartAhead {
		t.Skip("this host allows no start ahead")
	}
	return ahead{l}
}

// bothWays runs a test in launched sandboxes and in those that were started ahead.
func bothWays(t *testing.T, open func(testing.TB) sandbox.Launcher, f func(*testing.T, sandbox.Launcher)) {
	t.Run("launched", func(t *testing.T) { f(t, open(t)) })
	t.Run("ahead", func(t *testing.T) {
		l := open(t)
		if !l.Tier().StartAhead {
			t.Skip("this host allows no start ahead")
		}
		f(t, ahead{l})
	})
}

// TestAheadIsTheSame compares what a program can learn about its own rights,
// limits, mounts, descriptors and user.
func TestAheadIsTheSame(t *testing.T) {
	l := openAhead(t)
	dir := t.TempDir()
	os.Chmod(dir, 0o755)
	os.WriteFile(dir+"/mine", []byte("code"), 0o644)
	spec := sandbox.Spec{Mounts: []sandbox.Mount{{Source: dir, Target: "/var/task"}}, Memory: 64 << 20, Pids: 20}
	const script = `cat /var/task/mine; echo
id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
grep -E '^(Cap|NoNewPrivs|Seccomp|Groups|Sig(Ign|Blk|Cgt)|Umask)' /proc/self/status
cat /proc/self/limits
ls /proc/self/fd
ls / /var/task /opt /dev /etc
ls -l /proc/self/cwd /proc/self/root | sed 's/.*->//'
cut -d' ' -f5,6 /proc/self/mountinfo | sort | grep -v ' /opt '
cat /proc/1/status /proc/1/environ 2>&1
: > /var/task/x
: > /opt/x`
	want, _ := shell(t, l.(ahead).Launcher, spec, script)
	got, st := shell(t, l, spec, script)
	// The one difference: an empty folder is mounted where no folder was given.
	var lines []string
	for line := range strings.Lines(got) {
		if !strings.HasPrefix(line, "/opt ") {
			lines = append(lines, line)
		}
	}
	if got = strings.Join(lines, ""); got != want {
		t.Errorf("%+v: started ahead\n%s\nlaunched\n%s", st, got, want)
	}
	if !strings.HasPrefix(got, "code\n993\n990\n") {
		t.Errorf("got %s", got)
	}
}

func TestCompleteRefusals(t *testing.T) {
	l := openAhead(t).(ahead).Launcher
	before, mark := descriptors(t), sleepOf(os.Getpid(), 5)
	for _, sources := range [][]string{{}, {"/none"}, {"/usr", "/usr"}} {
		p, err := l.Prepare(t.Context(), sandbox.Spec{Argv: []string{"/bin/sleep", mark}}, []string{"/var/task"})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Complete(t.Context(), sources, sandbox.Limits{}); err == nil {
			t.Errorf("%v was mounted", sources)
		}
		p.Kill()
		<-p.Done()
		p.Output().Close()
	}
	for _, late := range [][]string{{}, {"/a", "/b", "/c", "/d"}, {"/tmp/x"}, {"relative"}} {
		if _, err := l.Prepare(t.Context(), sandbox.Spec{Argv: []string{"/bin/true"}}, late); err == nil {
			t.Errorf("prepared without %v", late)
		}
	}
	if _, err := l.Prepare(t.Context(), sandbox.Spec{Argv: []string{"/none"}}, []string{"/opt"}); err == nil {
		t.Error("a missing program was prepared")
	}
	if n := running(t, mark); n != 0 {
		t.Errorf("%d processes left", n)
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestServerKilledWithPrepared: what was started ahead and waits dies with the server.
func TestServerKilledWithPrepared(t *testing.T) {
	openAhead(t)
	cmd := exec.Command(os.Args[0], "supervise", t.TempDir(), "prepared")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	mark := sleepOf(cmd.Process.Pid, 6)
	r := bufio.NewReader(out)
	for range 2 {
		if _, err := r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if n := running(t, mark); n != 1 {
		t.Errorf("%d processes wait", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	until(t, "nothing runs any more", func() bool { return running(t, mark) == 0 })
}

// prepare is a server that has started something ahead.
func prepare(l sandbox.Launcher) {
	_, err := l.Prepare(context.Background(), sandbox.Spec{Argv: []string{"/bin/sleep", sleepOf(os.Getpid(), 6)}}, []string{"/var/task"})
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Stdout.WriteString("prepared\n")
	select {}
}
