package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// plainLauncher is the tier without isolation: programs run as the server's
// user, in a process group of their own.
type plainLauncher struct {
	tmp   string
	forks *forker

	mu     sync.Mutex
	live   map[*plainProcess]bool
	closed bool
}

func openProcess(cfg Config) (Launcher, error) {
	if cfg.Tier != "" && cfg.Tier != TierProcess {
		return nil, fmt.Errorf("the tier %q is not to be had here", cfg.Tier)
	}
	dir, err := filepath.Abs(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	tmp := filepath.Join(dir, "tmp")
	if err := os.RemoveAll(tmp); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return nil, err
	}
	return &plainLauncher{tmp: tmp, forks: newForker(), live: map[*plainProcess]bool{}}, nil
}

// Tier implements Launcher.
func (l *plainLauncher) Tier() Tier {
	return Tier{
		Name:  TierProcess,
		Holds: []string{"a temporary folder of its own (TMPDIR), removed at the end"},
		Lacks: []string{
			"no isolation: functions have all rights of the user who runs the server, and see its files, processes and network",
			"no limits of memory, tasks, CPU or of the temporary folder",
			"a descendant that leaves the process group outlives the function",
		},
	}
}

// Prepare implements Launcher; without namespaces nothing can be mounted.
func (l *plainLauncher) Prepare(context.Context, Spec, []string) (Prepared, error) {
	return nil, errors.ErrUnsupported
}

// Launch implements Launcher. The targets of Mounts are rewritten to their
// sources in Argv, Dir and the values of Env.
func (l *plainLauncher) Launch(ctx context.Context, spec Spec) (_ Process, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(spec.Argv) == 0 || !filepath.IsAbs(spec.Argv[0]) {
		return nil, errors.New("launching: the program must be named by its absolute path")
	}
	if spec.Root != nil {
		return nil, errors.New("launching: a root of its own is not to be had without namespaces")
	}
	if spec.Network == NetworkPrivate || len(spec.Loopback) > 0 || spec.Egress != nil {
		return nil, errors.New("launching: a private network is not to be had without namespaces")
	}
	if len(spec.Companions) > 0 {
		return nil, fmt.Errorf("launching: several programs in a sandbox need namespaces: %w", errors.ErrUnsupported)
	}
	tmp, err := os.MkdirTemp(l.tmp, "run-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(tmp)
		}
	}()
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer outW.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		outR.Close()
		return nil, err
	}
	defer null.Close()
	argv := make([]string, len(spec.Argv))
	for i, a := range spec.Argv {
		argv[i] = rewrite(spec.Mounts, a)
	}
	env := []string{"TMPDIR=" + tmp}
	for _, kv := range spec.Env {
		k, v, _ := strings.Cut(kv, "=")
		if k != "TMPDIR" {
			env = append(env, k+"="+rewrite(spec.Mounts, v))
		}
	}
	dir := rewrite(spec.Mounts, spec.Dir)
	if dir == "" {
		dir = "/"
	}
	proc, err := l.forks.start(argv[0], argv, &os.ProcAttr{
		Dir: dir, Env: env, Files: append([]*os.File{null, outW, outW}, spec.Files...), Sys: plainAttr(),
	})
	if err != nil {
		outR.Close()
		var pathErr *os.PathError
		if errors.As(err, &pathErr) {
			err = &ExecError{spec.Argv[0], pathErr.Err}
		}
		return nil, fmt.Errorf("launching %s: %w", spec.Argv[0], err)
	}
	p := &plainProcess{l: l, proc: proc, output: outR, tmp: tmp, done: make(chan struct{})}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		_ = p.Kill()
		_, _ = proc.Wait()
		outR.Close()
		return nil, os.ErrClosed
	}
	l.live[p] = true
	l.mu.Unlock()
	go p.watch()
	return p, nil
}

// rewrite replaces the targets of mounts in a list of paths that colons part.
func rewrite(mounts []Mount, list string) string {
	if !strings.Contains(list, "/") {
		return list
	}
	// The deepest target first.
	sorted := slices.Clone(mounts)
	slices.SortFunc(sorted, func(a, b Mount) int { return len(b.Target) - len(a.Target) })
	parts := strings.Split(list, ":")
	for i, part := range parts {
		for _, m := range sorted {
			if rest, ok := strings.CutPrefix(part, m.Target); ok && (rest == "" || rest[0] == '/') {
				parts[i] = m.Source + rest
				break
			}
		}
	}
	return strings.Join(parts, ":")
}

// Close implements Launcher.
func (l *plainLauncher) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	var live []*plainProcess
	for p := range l.live {
		live = append(live, p)
	}
	l.mu.Unlock()
	var errs []error
	for _, p := range live {
		errs = append(errs, p.Kill())
		<-p.done
	}
	l.forks.close()
	return errors.Join(append(errs, os.RemoveAll(l.tmp))...)
}

type plainProcess struct {
	l      *plainLauncher
	proc   *os.Process
	output *os.File
	tmp    string

	done   chan struct{} // closed when the fields below are final
	status ExitStatus
	err    error
}

func (p *plainProcess) watch() {
	state, err := p.proc.Wait()
	// What the program left behind in its group goes with it.
	_ = syscall.Kill(-p.proc.Pid, syscall.SIGKILL)
	p.err = errors.Join(err, os.RemoveAll(p.tmp))
	if err == nil {
		p.status.Code = state.ExitCode()
		p.status.Usage.CPU = state.SystemTime() + state.UserTime()
		if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			p.status.Signal = int(ws.Signal())
		}
		if ru, ok := state.SysUsage().(*syscall.Rusage); ok {
			p.status.Usage.PeakMemory = ru.Maxrss * maxrssUnit
		}
	}
	p.l.mu.Lock()
	delete(p.l.live, p)
	p.l.mu.Unlock()
	close(p.done)
}

// Pid implements Process.
func (p *plainProcess) Pid() int { return p.proc.Pid }

// User implements Process.
func (p *plainProcess) User() int { return 0 }

// Output implements Process.
func (p *plainProcess) Output() *os.File { return p.output }

// Listeners implements Process.
func (p *plainProcess) Listeners() []net.Listener { return nil }

// Gateway implements Process.
func (p *plainProcess) Gateway() *Gateway { return nil }

// Done implements Process.
func (p *plainProcess) Done() <-chan struct{} { return p.done }

// Wait implements Process.
func (p *plainProcess) Wait(ctx context.Context) (ExitStatus, error) {
	select {
	case <-p.done:
		return p.status, p.err
	case <-ctx.Done():
		return ExitStatus{}, context.Cause(ctx)
	}
}

func (p *plainProcess) signal(sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := syscall.Kill(-p.proc.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// Members implements Process.
func (p *plainProcess) Members() []*Member { return nil }

// Begin implements Process.
func (p *plainProcess) Begin() {}

// Ended implements Process.
func (p *plainProcess) Ended() <-chan struct{} { return p.done }

// Signal implements Process.
func (p *plainProcess) Signal(sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.proc.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Dial implements Process.
func (p *plainProcess) Dial(ctx context.Context, port uint16) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
}

// Kill implements Process.
func (p *plainProcess) Kill() error { return p.signal(syscall.SIGKILL) }

// Freeze implements Process.
func (p *plainProcess) Freeze() error { return p.signal(syscall.SIGSTOP) }

// Thaw implements Process.
func (p *plainProcess) Thaw() error { return p.signal(syscall.SIGCONT) }

// SetCPU implements Process; this tier limits nothing.
func (p *plainProcess) SetCPU(CPU) error { return nil }

// Usage implements Process.
func (p *plainProcess) Usage() Usage {
	select {
	case <-p.done:
		return p.status.Usage
	default:
		return Usage{}
	}
}
