//go:build linux && (amd64 || arm64)

package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// process is one sandbox with namespaces.
type process struct {
	l         *launcher
	proc      *os.Process
	control   *os.File
	output    *os.File
	listeners []net.Listener
	gateway   *Gateway
	group     *group
	host      int // the user on the host
	user      int // the same, until it is given back
	// late are the folders that Complete mounts; complete is closed when
	// process 1 has done so.
	late     []string
	complete chan struct{}
	// private tells that the network is the sandbox's own. With companions, the
	// program waits until gate is closed, and members are all of them.
	private bool
	gate    *os.File
	members []*Member

	mu     sync.Mutex
	frozen bool
	done   chan struct{} // closed when the fields below are final
	status ExitStatus
	err    error
}

// watch waits for the end and clears away.
func (p *process) watch() {
	var b [16]byte
	n, _ := p.control.Read(b[:])
	if n == 1 {
		close(p.complete)
		n, _ = p.control.Read(b[:])
	}
	for p.heard(b[:n]) {
		n, _ = p.control.Read(b[:])
	}
	reported := n == 4
	// Process 1 is ending; its end is that of everything in the namespace.
	state, err := p.proc.Wait()
	var ws syscall.WaitStatus
	switch {
	case reported:
		ws = syscall.WaitStatus(binary.LittleEndian.Uint32(b[:4]))
	case err == nil:
		ws = state.Sys().(syscall.WaitStatus)
	}
	st := exitStatus(ws)
	if state != nil {
		st.Usage.CPU = state.SystemTime() + state.UserTime()
		if ru, ok := state.SysUsage().(*syscall.Rusage); ok {
			st.Usage.PeakMemory = ru.Maxrss << 10
		}
	}
	p.mu.Lock()
	if p.group != nil {
		st.OOMKilled = p.group.oomKilled()
		if u := p.group.usage(); u.PeakMemory > 0 {
			st.Usage.PeakMemory = u.PeakMemory
			if u.CPU > 0 {
				st.Usage.CPU = u.CPU
			}
		}
	}
	p.mu.Unlock()
	p.lost(st)
	if n := len(p.members); n > 0 {
		// The end that counts is the program's.
		st.Code, st.Signal = p.members[n-1].status.Code, p.members[n-1].status.Signal
	}
	p.mu.Lock()
	p.status = st
	p.mu.Unlock()
	p.err = errors.Join(err, p.release())
	p.control.Close()
	p.l.mu.Lock()
	delete(p.l.live, p)
	p.l.mu.Unlock()
	close(p.done)
}

// release gives back what the launcher holds for the process.
func (p *process) release() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	if p.group != nil {
		err = p.group.remove()
		p.group = nil
	}
	for _, l := range p.listeners {
		l.Close()
	}
	if p.gateway != nil {
		p.gateway.TCP.Close()
		p.gateway.DNS.Close()
	}
	if p.user != 0 {
		p.l.users.give(p.user)
		p.user = 0
	}
	return err
}

// Pid implements Process.
func (p *process) Pid() int { return p.proc.Pid }

// User implements Process.
func (p *process) User() int { return p.host }

// Output implements Process.
func (p *process) Output() *os.File { return p.output }

// Listeners implements Process.
func (p *process) Listeners() []net.Listener { return p.listeners }

// Done implements Process.
func (p *process) Done() <-chan struct{} { return p.done }

// Wait implements Process.
func (p *process) Wait(ctx context.Context) (ExitStatus, error) {
	select {
	case <-p.done:
		return p.status, p.err
	case <-ctx.Done():
		return ExitStatus{}, context.Cause(ctx)
	}
}

// Kill implements Process.
func (p *process) Kill() error {
	err := p.proc.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	// What is frozen dies only when it is thawed.
	return errors.Join(err, p.Thaw())
}

// Freeze implements Process.
func (p *process) Freeze() error { return p.freeze(true) }

// Thaw implements Process.
func (p *process) Thaw() error { return p.freeze(false) }

func (p *process) freeze(on bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == on {
		return nil
	}
	err := errors.ErrUnsupported
	if p.group != nil {
		err = p.group.freeze(on)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		err = signalTree(p.proc.Pid, on)
	}
	if err != nil {
		return fmt.Errorf("freezing or thawing the sandbox: %w", err)
	}
	p.frozen = on
	return nil
}

// signalTree stops or resumes a process and its descendants. Those of process 1
// of a pid namespace are all that live in it.
func signalTree(root int, stop bool) error {
	sig := syscall.SIGCONT
	if stop {
		sig = syscall.SIGSTOP
	}
	seen := map[int]bool{}
	for {
		fresh := 0
		for _, pid := range tree(root) {
			if seen[pid] {
				continue
			}
			seen[pid] = true
			fresh++
			if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		// What was forked meanwhile is found in the next round.
		if fresh == 0 {
			return nil
		}
	}
}

func tree(pid int) []int {
	out := []int{pid}
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, t := range tasks {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		for _, f := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(f); err == nil {
				out = append(out, tree(child)...)
			}
		}
	}
	return out
}

// SetCPU implements Process.
func (p *process) SetCPU(c CPU) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.group == nil {
		return nil // no control groups, or it has ended: nothing to weigh
	}
	return p.group.setCPU(c)
}

// Usage implements Process.
func (p *process) Usage() Usage {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.group == nil {
		return p.status.Usage
	}
	return p.group.usage()
}
