//go:build linux && (amd64 || arm64)

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// launcher is the launcher of all tiers with namespaces.
type launcher struct {
	cfg        Config
	tier       Tier
	machine    *os.File
	skeleton   *skeleton
	filter     []byte
	cgroups    *cgroups // nil where there are none
	privileged bool     // the server is the host's root
	forks      *forker
	users      *users
	roots      roots

	mu     sync.Mutex
	seq    int
	live   map[*process]bool
	closed bool
	// launching are the launches under way.
	launching sync.WaitGroup
}

// Tier implements Launcher.
func (l *launcher) Tier() Tier { return l.tier }

// Launch implements Launcher.
func (l *launcher) Launch(ctx context.Context, spec Spec) (Process, error) {
	if len(spec.Argv) == 0 || spec.Root == nil && !filepath.IsAbs(spec.Argv[0]) {
		return nil, errors.New("launching: the program must be named by its absolute path")
	}
	p, err := l.launch(ctx, spec, false, nil)
	if err != nil {
		return nil, fmt.Errorf("launching %s: %w", spec.Argv[0], err)
	}
	return p, nil
}

// launch starts a sandbox. With late folders it is left half-way: see Prepare.
func (l *launcher) launch(ctx context.Context, spec Spec, probe bool, late []string) (_ *process, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := check(spec); err != nil {
		return nil, err
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, os.ErrClosed
	}
	l.launching.Add(1)
	defer l.launching.Done()
	l.seq++
	name := fmt.Sprintf("%d", l.seq)
	if spec.Name != "" {
		name = spec.Name + "-" + name
	}
	l.mu.Unlock()

	plan := &plan{spec: spec, root: l.skeleton.dir, masks: l.skeleton.masks, filter: l.filter, probe: probe, late: late}
	if err := l.skeleton.refresh(); err != nil {
		return nil, err
	}
	if spec.Root != nil {
		if err := l.own(plan); err != nil {
			return nil, err
		}
	} else {
		plan.binds = slices.Clone(l.skeleton.system)
	}
	for _, m := range spec.Mounts {
		if l.visible(m) {
			continue
		}
		if err := l.skeleton.point(m); err != nil {
			return nil, err
		}
		plan.binds = append(plan.binds, m)
	}
	if spec.Egress != nil {
		if err := l.resolver(plan); err != nil {
			return nil, err
		}
	}
	for _, target := range late {
		if err := l.skeleton.point(Mount{Source: l.skeleton.dir, Target: target}); err != nil {
			return nil, err
		}
	}
	p := &process{l: l, late: late, private: spec.Network == NetworkPrivate, complete: make(chan struct{}), done: make(chan struct{})}
	defer func() {
		if err != nil {
			p.release()
		}
	}()
	if l.privileged {
		plan.hostID = l.users.take()
		p.user, p.host = plan.hostID, plan.hostID
	}
	if l.cgroups != nil {
		if p.group, err = l.cgroups.newGroup(name, spec); err != nil {
			return nil, err
		}
		plan.entries = p.group.entries()
	}
	if err := p.start(ctx, plan); err != nil {
		return nil, err
	}
	return p, nil
}

// visible tells whether a mount is there already, as part of a system folder.
func (l *launcher) visible(m Mount) bool {
	if m.Source != m.Target {
		return false
	}
	for _, s := range l.skeleton.system {
		if s.Source == s.Target && (m.Target == s.Target || strings.HasPrefix(m.Target, s.Target+"/")) {
			return true
		}
	}
	return false
}

func check(spec Spec) error {
	for _, list := range [][]string{spec.Argv, spec.Env, {spec.Dir}} {
		for _, s := range list {
			if strings.IndexByte(s, 0) >= 0 {
				return errors.New("an argument or variable contains a zero byte")
			}
		}
	}
	if strings.ContainsFunc(spec.Name, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return fmt.Errorf("the name %q has other characters than letters, digits and dashes", spec.Name)
	}
	if err := checkCompanions(spec); err != nil {
		return err
	}
	if spec.Egress != nil {
		if err := spec.Egress.check(); err != nil {
			return err
		}
	}
	switch spec.Network {
	case "", NetworkHost, NetworkPrivate:
		return nil
	}
	return fmt.Errorf("there is no network %q", spec.Network)
}

// start makes the process and leads it through the script.
func (p *process) start(ctx context.Context, plan *plan) (err error) {
	var mine, childs []*os.File
	defer func() {
		for _, f := range childs {
			f.Close()
		}
		if err != nil {
			for _, f := range mine {
				f.Close()
			}
		}
	}()
	scriptR, scriptW, err := pipe(false)
	if err != nil {
		return err
	}
	childs, mine = append(childs, scriptR), append(mine, scriptW)
	reportR, reportW, err := pipe(true)
	if err != nil {
		return err
	}
	childs, mine = append(childs, reportW), append(mine, reportR)
	outR, outW, err := pipe(true)
	if err != nil {
		return err
	}
	childs, mine = append(childs, outW), append(mine, outR)
	ctl, ctlChild, err := controlSocket()
	if err != nil {
		return err
	}
	childs, mine = append(childs, ctlChild), append(mine, ctl)
	p.control, p.output = ctl, outR

	files := append([]*os.File{scriptR, outW, outW}, plan.spec.Files...)
	plan.control, plan.report = len(files), len(files)+1
	files = append(files, ctlChild, reportW)
	more, kept, err := p.gather(plan, files)
	childs, mine, files = append(childs, more...), append(mine, kept...), append(files, more...)
	if err != nil {
		return err
	}
	script, err := plan.script()
	if err != nil {
		return err
	}
	text, err := script.encode(plan.report)
	if err != nil {
		return err
	}
	if p.proc, err = p.l.fork(files, plan.spec.Network, p.group); err != nil {
		return fmt.Errorf("making the namespaces: %w", err)
	}
	defer func() {
		if err != nil {
			_ = p.proc.Kill()
			_, _ = p.proc.Wait()
		}
	}()
	for _, f := range childs {
		f.Close()
	}
	childs = nil
	// Dying for want of a reader is reported better by the report.
	_, _ = scriptW.Write(text)
	scriptW.Close()
	stop := context.AfterFunc(ctx, func() { _ = p.proc.Kill() })
	report, err := io.ReadAll(reportR)
	stop()
	reportR.Close()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	case len(report) > 0:
		return script.failure(report)
	}
	if err := p.greet(len(plan.spec.Loopback), plan.spec.Egress != nil); err != nil {
		return err
	}
	p.l.mu.Lock()
	p.l.live[p] = true
	p.l.mu.Unlock()
	go p.watch()
	return nil
}

// greet takes the listeners and the word that all is set up.
func (p *process) greet(listeners int, egress bool) error {
	for range listeners {
		f, err := p.takeSocket()
		if err != nil {
			return err
		}
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			return err
		}
		p.listeners = append(p.listeners, l)
	}
	if egress {
		if err := p.takeGateway(); err != nil {
			return err
		}
	}
	var b [8]byte
	if n, err := p.control.Read(b[:]); err != nil || n != 1 || b[0] != 'R' {
		return errors.New("the sandbox ended while it was set up")
	}
	return nil
}

// takeSocket takes a socket that the script hands out.
func (p *process) takeSocket() (*os.File, error) {
	fd, err := receive(p.control)
	if err != nil {
		return nil, fmt.Errorf("taking the listener: %w", err)
	}
	return os.NewFile(uintptr(fd), "listener"), nil
}

// receive takes one descriptor that was sent over a socket.
func receive(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	var oobn int
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	var rerr error
	err = raw.Read(func(fd uintptr) bool {
		_, oobn, _, _, rerr = unix.Recvmsg(int(fd), buf, oob, unix.MSG_CMSG_CLOEXEC)
		return !errors.Is(rerr, unix.EAGAIN)
	})
	if err := errors.Join(err, rerr); err != nil {
		return -1, err
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(msgs) != 1 {
		return -1, errors.New("no descriptor came")
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		return -1, errors.New("no descriptor came")
	}
	return fds[0], nil
}

// pipe makes a pipe; the end that the server keeps waits in the Go runtime, not in a thread.
func pipe(readerMine bool) (r, w *os.File, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	mine := p[1]
	if readerMine {
		mine = p[0]
	}
	if err := unix.SetNonblock(mine, true); err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(p[0]), "|0"), os.NewFile(uintptr(p[1]), "|1"), nil
}

func controlSocket() (mine, childs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control"), nil
}

// fork starts the machine in new namespaces.
func (l *launcher) fork(files []*os.File, network Network, g *group) (*os.Process, error) {
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Setsid:     true,
		Pdeathsig:  syscall.SIGKILL,
	}
	if network == NetworkPrivate {
		attr.Cloneflags |= syscall.CLONE_NEWNET
	}
	if !l.privileged {
		// Here the user namespace comes first and owns the others. Its only user
		// is the server's, so the capabilities have to be handed over the exec.
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: insideUID, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: insideGID, HostID: os.Getegid(), Size: 1}}
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP}
	}
	if g != nil && g.dir != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, int(g.dir.Fd())
	}
	// The machine is the last of the files, so that none of them takes its number
	// before it is executed. It is closed or hidden with what follows the socket.
	files = append(files, l.machine)
	return l.forks.start(fmt.Sprintf("/proc/self/fd/%d", len(files)-1), []string{"tierra-sandbox"}, &os.ProcAttr{
		Dir: "/", Env: []string{}, Files: files, Sys: attr,
	})
}

// Close implements Launcher.
func (l *launcher) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.launching.Wait()
	l.mu.Lock()
	live := slices.Collect(maps.Keys(l.live))
	l.mu.Unlock()
	var errs []error
	for _, p := range live {
		errs = append(errs, p.Kill())
	}
	for _, p := range live {
		<-p.done
	}
	l.forks.close()
	if l.cgroups != nil {
		errs = append(errs, l.cgroups.close())
	}
	errs = append(errs, l.machine.Close(), os.RemoveAll(l.skeleton.dir), os.RemoveAll(l.resolvConf()), os.RemoveAll(l.roots.dir))
	return errors.Join(errs...)
}

// users hands out users of the host that nobody has, one per sandbox, so that
// limits per user (pipes, watches, pending signals) are a sandbox's own.
type users struct {
	mu   sync.Mutex
	base int
	next int
	free []int
}

func (u *users) take() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if n := len(u.free); n > 0 {
		id := u.free[n-1]
		u.free = u.free[:n-1]
		return id
	}
	u.next++
	return u.base + u.next - 1
}

func (u *users) give(id int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.free = append(u.free, id)
}
