package runtime

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// Debugger is what waits for an editor in an environment.
type Debugger struct {
	// Kind is "node", the inspector of Node.js, "debugpy", or "go", which is Delve.
	Kind string
	// Port of 127.0.0.1 that it listens at.
	Port uint16

	program string // what attaches from outside; empty: the interpreter has it
}

// DebugPort is the port that a runtime family's debugger has by custom, 0 if there
// is no debugger for it.
func DebugPort(family string) uint16 {
	return map[string]uint16{"nodejs": 5858, "python": 5678, "provided": 2345, "go": 2345}[family]
}

// Debugged is the choice with a debugger in it, which listens at a port of
// 127.0.0.1, in the network that the environment is in: from its start, and for a
// program in Go, which Delve attaches to, from the end of its initialisation.
func (c Choice) Debugged(ctx context.Context, port uint16) (Choice, error) {
	if port == 0 {
		port = DebugPort(c.Family)
	}
	switch c.Family {
	case "nodejs":
		c.debugger = &Debugger{Kind: "node", Port: port}
	case "python":
		cmd := exec.CommandContext(ctx, c.Path, "-c", "import debugpy")
		cmd.Env = append(os.Environ(), "PYTHONPATH="+strings.Join(c.modules(), ":"))
		if err := cmd.Run(); err != nil {
			return c, fmt.Errorf("%s cannot import debugpy; install it with %s -m pip install debugpy", c.Path, c.Path)
		}
		c.debugger = &Debugger{Kind: "debugpy", Port: port}
	case "provided", "go":
		program, err := exec.LookPath("dlv")
		if err != nil {
			return c, errors.New("programs in Go are debugged by Delve, which is not in PATH; install it with go install github.com/go-delve/delve/cmd/dlv@latest")
		}
		c.debugger = &Debugger{Kind: "go", Port: port, program: program}
	default:
		return c, fmt.Errorf("there is no debugger for the runtime %s: functions in Node.js, Python and Go can be debugged", c.Runtime)
	}
	return c, nil
}

// modules are the folders of virtual environments, which functions see elsewhere.
func (c *Choice) modules() (dirs []string) {
	for _, m := range c.Mounts {
		if strings.HasPrefix(m.Target, "/var/modules/") {
			dirs = append(dirs, m.Source)
		}
	}
	return dirs
}

// Debugger is what the choice was given by Debugged, or nil.
func (c *Choice) Debugger() *Debugger { return c.debugger }

// debugFlags are what makes an interpreter start its debugger.
func (c *Choice) debugFlags() []string {
	if c.debugger == nil || c.debugger.program != "" {
		return nil
	}
	at := "127.0.0.1:" + strconv.Itoa(int(c.debugger.Port))
	if c.debugger.Kind == "node" {
		return []string{"--inspect=" + at}
	}
	// Frozen modules hide lines from it, and say so.
	return []string{"-Xfrozen_modules=off", "-m", "debugpy", "--listen", at}
}

// tracer is a debugger outside of the sandbox: inside, no process may trace another.
type tracer struct{ cmd *exec.Cmd }

// trace attaches the debugger to the program and waits until it listens. The
// program stands still until an editor is there: told to go on meanwhile, Delve
// would tell editors nothing of breakpoints that it comes to before they set others.
func (d *Debugger) trace(proc sandbox.Process, program string) (*tracer, error) {
	pid, err := find(proc.Pid(), filepath.Base(program))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(d.program, "attach", pid, "--headless", "--accept-multiclient", "--api-version=2",
		"--listen=127.0.0.1:"+strconv.Itoa(int(d.Port)))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start Delve: %w", err)
	}
	t := &tracer{cmd}
	lines := bufio.NewReader(out)
	var said strings.Builder
	for {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if strings.Contains(line, "server listening at") {
			break
		}
		if err != nil {
			t.end()
			_ = cmd.Wait()
			return nil, fmt.Errorf("attaching Delve to the function: %s", strings.TrimSpace(said.String()))
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, lines) // so that it never waits for a reader
		_ = cmd.Wait()
	}()
	return t, nil
}

// find returns the id of the process that executes a program of this name: the
// sandbox's first process, or a child of it.
func find(first int, program string) (string, error) {
	pid := strconv.Itoa(first)
	children, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	if err != nil {
		return "", fmt.Errorf("the function's process: %w", err)
	}
	for _, id := range append(strings.Fields(string(children)), pid) {
		if exe, err := os.Readlink("/proc/" + id + "/exe"); err == nil && filepath.Base(exe) == program {
			return id, nil
		}
	}
	return "", fmt.Errorf("no process of the function executes %s", program)
}

// end ends the debugger, which lets its program go: one that is traced is not gone
// before its tracer has heard of its end.
func (t *tracer) end() {
	if t != nil {
		_ = t.cmd.Process.Kill() // it may have ended
	}
}
