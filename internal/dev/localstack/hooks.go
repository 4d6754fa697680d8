package localstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Stages are those at which hooks run: before the server starts, beside its start,
// when it answers, and before it stops.
// https://docs.localstack.cloud/references/init-hooks/
var Stages = [...]string{"BOOT", "START", "READY", "SHUTDOWN"}

// Script is a hook and how it went.
type Script struct {
	Stage string `json:"stage"`
	Name  string `json:"name"`
	// State is UNKNOWN, RUNNING, SUCCESSFUL or ERROR.
	State string `json:"state"`
}

// Hooks are the files STAGE.d/*.sh and *.py below a folder. It is safe for
// concurrent use.
type Hooks struct {
	dir string
	out io.Writer

	mu        sync.Mutex
	scripts   []Script
	paths     []string
	completed map[string]bool
}

// Find finds the hooks below a folder, which need not be there. They write to out.
func Find(dir string, out io.Writer) (*Hooks, error) {
	h := &Hooks{dir: dir, out: out, completed: map[string]bool{}}
	for _, stage := range Stages {
		h.completed[stage] = false
		err := filepath.WalkDir(filepath.Join(dir, strings.ToLower(stage)+".d"), func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && slices.Contains([]string{".sh", ".py"}, filepath.Ext(p)) {
				h.scripts = append(h.scripts, Script{stage, filepath.Base(p), "UNKNOWN"})
				h.paths = append(h.paths, p)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("init hooks: %w", err)
		}
	}
	return h, nil
}

// Run runs the hooks of a stage one after the other, by their names, with an
// environment. One that fails is told and does not keep the others from running.
func (h *Hooks) Run(ctx context.Context, stage string, env []string) {
	for i, s := range h.scripts {
		if s.Stage != stage {
			continue
		}
		h.state(i, "RUNNING")
		state := "SUCCESSFUL"
		if err := h.run(ctx, h.paths[i], env); err != nil {
			state = "ERROR"
			fmt.Fprintf(h.out, "The init hook %s failed: %v\n", h.paths[i], err)
		}
		h.state(i, state)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.completed[stage] = true
}

// run runs a hook: Python, a program, or a script of the shell if it is not executable or
// does not say what runs it, as a shell itself would.
func (h *Hooks) run(ctx context.Context, path string, env []string) error {
	with := func(args ...string) error {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Env, cmd.Stdout, cmd.Stderr = env, h.out, h.out
		return cmd.Run()
	}
	if filepath.Ext(path) == ".py" {
		return with("python3", path)
	}
	if program, err := exec.LookPath(path); err != nil || program == "" {
		return with("sh", path)
	}
	err := with(path)
	if errors.Is(err, syscall.ENOEXEC) {
		return with("sh", path)
	}
	return err
}

func (h *Hooks) state(i int, state string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.scripts[i].State = state
}

// Report is how the hooks went, as /_localstack/init tells it: of a stage, or of
// all for "". It is nil for a stage that there is not.
func (h *Hooks) Report(stage string) any {
	h.mu.Lock()
	defer h.mu.Unlock()
	scripts := []Script{}
	for _, s := range h.scripts {
		if stage == "" || s.Stage == stage {
			scripts = append(scripts, s)
		}
	}
	if stage == "" {
		completed := map[string]bool{}
		for k, v := range h.completed {
			completed[k] = v
		}
		return map[string]any{"completed": completed, "scripts": scripts}
	}
	done, ok := h.completed[stage]
	if !ok {
		return nil
	}
	return map[string]any{"completed": done, "scripts": scripts}
}
