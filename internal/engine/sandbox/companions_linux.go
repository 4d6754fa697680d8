//go:build linux && (amd64 || arm64)

package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Several programs in one sandbox: process 1 forks the program, which waits at a
// gate, and for each companion a keeper, a copy of the machine that forks the
// companion, waits for its end and reports it. All of it is steps of the script;
// the machine knows nothing of it.
//
// What comes over the socket then, besides what a sandbox of one program sends:
//
//	"X" and a member's number, a wait status of four bytes   it has ended
//	"L" and a member's number, an error of eight bytes       it could not be executed
//
// The program itself has the number after those of the companions.

// unbegotten is a process id that nobody has: to wait for it is to wait for all.
const unbegotten = uint64(1) << 40

// keptOpen is how the companions' steps name their descriptors.
type keptOpen struct {
	gate    int
	outputs []int
}

// runTogether forks the program and its companions, and reports their ends.
func (p *plan) runTogether(s *script) {
	main := s.call("forking", unix.SYS_CLONE, int(unix.SIGCHLD), 0, 0, 0, 0)
	keepers := make([]int, len(p.spec.Companions))
	for i := range keepers {
		keepers[i] = s.call("forking", unix.SYS_CLONE, int(unix.SIGCHLD), 0, 0, 0, 0)
	}
	p.closeAllButControl(s)
	p.keep(s, main, len(keepers))
	rest := s.call("waiting", 0, unbegotten)
	s.steps[rest].words[0] = reapStep
	s.call("reporting the end", unix.SYS_SENDTO, p.control, uint64(statusAddress), 4, unix.MSG_NOSIGNAL, 0, 0)
	s.call("ending", unix.SYS_EXIT_GROUP, 0)

	s.onZero(main, len(s.steps))
	s.call("closing the report", unix.SYS_CLOSE, p.report)
	s.call("waiting at the gate", unix.SYS_READ, p.kept.gate, s.put(make([]byte, 8)), 1)
	p.become(s, Program{p.spec.Argv, p.spec.Env, p.spec.Dir}, len(p.spec.Files), len(keepers))

	for i, keeper := range keepers {
		s.onZero(keeper, len(s.steps))
		fork := s.call("forking", unix.SYS_CLONE, int(unix.SIGCHLD), 0, 0, 0, 0)
		p.closeAllButControl(s)
		p.keep(s, fork, i)
		s.call("ending", unix.SYS_EXIT_GROUP, 0)

		s.onZero(fork, len(s.steps))
		for _, fd := range []int{1, 2} {
			s.call("directing output", unix.SYS_DUP3, p.kept.outputs[i], fd, 0)
		}
		p.become(s, p.spec.Companions[i], 0, i)
	}
}

func (p *plan) closeAllButControl(s *script) {
	s.call("closing descriptors", unix.SYS_CLOSE_RANGE, 0, p.control-1, 0)
	s.call("closing descriptors", unix.SYS_CLOSE_RANGE, p.control+1, everyDescriptor, 0)
}

// keep waits for the end of what a step forked and reports it.
func (p *plan) keep(s *script, fork, member int) {
	reap := s.call("waiting", 0, 0)
	s.steps[reap].words[0] = reapStep
	s.result(fork, reap, 0)
	p.tell(s, 'X', member, statusAddress, 4)
}

// tell sends a word about a member, with what stands at an address.
func (p *plan) tell(s *script, word byte, member int, address uint64, n int) {
	iov := s.words(s.put([]byte{word, byte(member)}), 2, address, n)
	msg := s.words(0, 0, iov, 2, 0, 0, 0)
	s.call("reporting", unix.SYS_SENDMSG, p.control, msg, unix.MSG_NOSIGNAL)
}

// become executes a program, or tells that it cannot be executed.
func (p *plan) become(s *script, prog Program, files, member int) {
	dir := prog.Dir
	if dir == "" {
		dir = "/"
	}
	enter := s.call(enteringDir+dir, unix.SYS_CHDIR, s.str(dir))
	s.optional(enter)
	p.tell(s, 'D', member, scratch, 8)
	s.call("ending", unix.SYS_EXIT_GROUP, 127)
	s.onZero(enter, len(s.steps))
	s.call("hiding descriptors", unix.SYS_CLOSE_RANGE, 3+files, everyDescriptor, unix.CLOSE_RANGE_CLOEXEC)
	last := p.search(s, prog)
	s.optional(s.call(prog.Argv[0], unix.SYS_EXECVE, s.str(last), s.strs(prog.Argv), s.strs(prog.Env)))
	p.tell(s, 'L', member, scratch, 8)
	s.call("ending", unix.SYS_EXIT_GROUP, 127)
}

// gather makes the pipes that companions need and returns what the sandbox gets
// of them, to follow files, and what stays here.
func (p *process) gather(plan *plan, files []*os.File) (childs, mine []*os.File, err error) {
	if len(plan.spec.Companions) == 0 {
		return nil, nil, nil
	}
	gateR, gateW, err := pipe(false)
	if err != nil {
		return nil, nil, err
	}
	childs, mine = append(childs, gateR), append(mine, gateW)
	p.gate = gateW
	plan.kept.gate = len(files)
	for i := range plan.spec.Companions {
		r, w, err := pipe(true)
		if err != nil {
			return childs, mine, err
		}
		childs, mine = append(childs, w), append(mine, r)
		plan.kept.outputs = append(plan.kept.outputs, len(files)+1+i)
		p.members = append(p.members, &Member{dir: plan.spec.Companions[i].Dir, output: r, done: make(chan struct{})})
	}
	p.members = append(p.members, &Member{dir: plan.spec.Dir, done: make(chan struct{})})
	return childs, mine, nil
}

// checkCompanions refuses programs that cannot be named.
func checkCompanions(spec Spec) error {
	if len(spec.Companions) > MaxCompanions {
		return fmt.Errorf("%d companions, %d can be", len(spec.Companions), MaxCompanions)
	}
	for _, c := range spec.Companions {
		if len(c.Argv) == 0 || !filepath.IsAbs(c.Argv[0]) {
			return errors.New("a companion must be named by its absolute path")
		}
		for _, list := range [][]string{c.Argv, c.Env, {c.Dir}} {
			for _, s := range list {
				if strings.IndexByte(s, 0) >= 0 {
					return errors.New("an argument or variable contains a zero byte")
				}
			}
		}
	}
	return nil
}

// heard takes a message about a member; it reports whether it was one.
func (p *process) heard(msg []byte) bool {
	if len(msg) < 6 || int(msg[1]) >= len(p.members) {
		return false
	}
	m := p.members[msg[1]]
	select {
	case <-m.done:
		return true
	default:
	}
	switch {
	case msg[0] == 'X' && len(msg) == 6:
		m.status = exitStatus(syscall.WaitStatus(binary.LittleEndian.Uint32(msg[2:])))
		p.mu.Lock()
		m.status.OOMKilled = p.group != nil && p.group.oomKilled()
		p.mu.Unlock()
		close(m.done)
	case msg[0] == 'L' && len(msg) == 10:
		m.err = syscall.Errno(-int64(binary.LittleEndian.Uint64(msg[2:])))
	case msg[0] == 'D' && len(msg) == 10:
		m.err = &DirError{m.dir, syscall.Errno(-int64(binary.LittleEndian.Uint64(msg[2:])))}
	default:
		return false
	}
	return true
}

// lost ends the members whose ends nobody reported, when all is over.
func (p *process) lost(st ExitStatus) {
	for _, m := range p.members {
		select {
		case <-m.done:
		default:
			m.status = st
			close(m.done)
		}
	}
	if p.gate != nil {
		p.gate.Close()
	}
}

func exitStatus(ws syscall.WaitStatus) ExitStatus {
	st := ExitStatus{Code: ws.ExitStatus()}
	if ws.Signaled() {
		st.Signal = int(ws.Signal())
	}
	return st
}

// Members implements Process.
func (p *process) Members() []*Member { return p.members }

// Begin implements Process.
func (p *process) Begin() {
	if p.gate != nil {
		p.gate.Close() // a second time does no harm
	}
}

// Ended implements Process.
func (p *process) Ended() <-chan struct{} {
	if len(p.members) == 0 {
		return p.done
	}
	return p.members[len(p.members)-1].done
}

// Signal implements Process. The program is the first that process 1 has forked.
func (p *process) Signal(sig syscall.Signal) error {
	select {
	case <-p.Ended():
		return nil
	default:
	}
	first := func() int {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.proc.Pid, p.proc.Pid))
		word, _, _ := strings.Cut(string(b), " ")
		pid, _ := strconv.Atoi(word)
		return pid
	}
	pid := first()
	if pid == 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return ignoreGone(err)
	}
	defer unix.Close(fd)
	// If it is still there, what was opened is it, and not a later process with its number.
	if first() != pid {
		return nil
	}
	return ignoreGone(unix.PidfdSendSignal(fd, sig, nil, 0))
}

func ignoreGone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// Dial implements Process: a socket belongs to the network in which it was made,
// whoever connects it.
func (p *process) Dial(ctx context.Context, port uint16) (net.Conn, error) {
	var d net.Dialer
	where := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
	if !p.private {
		return d.DialContext(ctx, "tcp4", where)
	}
	type made struct {
		conn net.Conn
		err  error
	}
	done := make(chan made, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			done <- made{nil, err}
			return
		}
		defer home.Close()
		away, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", p.proc.Pid))
		if err != nil {
			runtime.UnlockOSThread()
			done <- made{nil, err}
			return
		}
		defer away.Close()
		if err := unix.Setns(int(away.Fd()), unix.CLONE_NEWNET); err != nil {
			runtime.UnlockOSThread()
			done <- made{nil, os.NewSyscallError("setns", err)}
			return
		}
		fd, serr := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		// A thread that cannot return ends with its goroutine.
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		if serr != nil {
			done <- made{nil, os.NewSyscallError("socket", serr)}
			return
		}
		conn, err := connect(ctx, fd, port)
		done <- made{conn, err}
	}()
	m := <-done
	return m.conn, m.err
}

// connect connects a socket to a port of its loopback interface.
func connect(ctx context.Context, fd int, port uint16) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "dial")
	defer f.Close()
	err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}})
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return nil, os.NewSyscallError("connect", err)
	}
	raw, err2 := f.SyscallConn()
	if err2 != nil {
		return nil, err2
	}
	stop := context.AfterFunc(ctx, func() { f.Close() })
	defer stop()
	if errors.Is(err, unix.EINPROGRESS) {
		var cerr error
		werr := raw.Write(func(fd uintptr) bool {
			if _, err := unix.Getpeername(int(fd)); err == nil {
				return true
			}
			n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
			if err == nil && n != 0 {
				err = syscall.Errno(n)
			}
			cerr = err
			return cerr != nil
		})
		if err := errors.Join(werr, cerr); err != nil {
			return nil, os.NewSyscallError("connect", err)
		}
	}
	return net.FileConn(f)
}
