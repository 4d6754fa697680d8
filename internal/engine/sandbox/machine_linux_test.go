//go:build linux && (amd64 || arm64)

package sandbox

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// runScript runs the machine as an ordinary process, without namespaces.
func runScript(t *testing.T, s *script) (out string, report []byte, code int) {
	t.Helper()
	image, err := machineImage(machineArch)
	if err != nil {
		t.Fatal(err)
	}
	prog := filepath.Join(t.TempDir(), "machine")
	if err := os.WriteFile(prog, image, 0o755); err != nil {
		t.Fatal(err)
	}
	text, err := s.encode(2)
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("TIERRA_TEST_KEEP"); dir != "" { // to try it on an emulator
		name := filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-"))
		if err := errors.Join(os.WriteFile(name, image, 0o755), os.WriteFile(name+".script", text, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(prog)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return stdout.String(), stderr.Bytes(), cmd.ProcessState.ExitCode()
}

func (s *script) print(text string) int {
	return s.call("printing", unix.SYS_WRITE, 1, s.str(text), len(text))
}

func TestMachineForksAndReaps(t *testing.T) {
	s := &script{}
	s.print("start ")
	s.optional(s.call("an error that is passed over", unix.SYS_CLOSE, 99))
	fork := s.call("forking", unix.SYS_CLONE, int(unix.SIGCHLD), 0, 0, 0, 0)
	reap := s.call("reaping", 0, 0)
	s.steps[reap].words[0] = reapStep
	s.result(fork, reap, 0)
	s.print("parent")
	s.call("ending", unix.SYS_EXIT_GROUP, 5)
	s.onZero(fork, s.print("child "))
	s.call("ending", unix.SYS_EXIT_GROUP, 7)
	out, report, code := runScript(t, s)
	if out != "start child parent" || code != 5 || len(report) != 0 {
		t.Errorf("got %q, %q, %d", out, report, code)
	}
}

func TestMachineReportsFailure(t *testing.T) {
	s := &script{}
	s.print("before")
	s.call("closing what is not open", unix.SYS_CLOSE, 99)
	s.print("not reached")
	out, report, code := runScript(t, s)
	if out != "before" || code != 1 {
		t.Errorf("got %q, %d", out, code)
	}
	if err := s.failure(report); !errors.Is(err, unix.EBADF) || !strings.Contains(err.Error(), "closing what is not open") {
		t.Errorf("got %v", err)
	}
}

func TestMachineExecutes(t *testing.T) {
	s := &script{}
	s.call("/bin/echo", unix.SYS_EXECVE, s.str("/bin/echo"), s.strs([]string{"echo", "a b", ""}), s.strs(nil))
	if out, _, code := runScript(t, s); out != "a b \n" || code != 0 {
		t.Errorf("got %q, %d", out, code)
	}
}

func TestFilterIsSmall(t *testing.T) {
	prog, err := filterBytes()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(prog) / filterStep; n < 50 || n > 1000 {
		t.Errorf("%d instructions", n)
	}
}
