//go:build linux && (amd64 || arm64)

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Starting ahead: the program runs in its sandbox, with its own user, without
// capabilities and filtered, exactly as it always does, before it is known what
// for. Only process 1, which is this package's machine and not the program,
// stays what it was before it gives its rights up: it waits for the mounts that
// are missing, puts them in place, and then goes the rest of the normal way.
// Nothing but a generic interpreter runs in the sandbox until then. So what a
// function meets is a launched sandbox, made in another order.

// runAhead forks the program before process 1 is locked down.
func (p *plan) runAhead(s *script) {
	s.call("telling that all is set up", unix.SYS_SENDTO, p.control, s.str("R"), 1, unix.MSG_NOSIGNAL, 0, 0)
	fork := p.fork(s)

	// Descriptors that come now are 0, 1, …: all below the socket were closed.
	rights := s.put(make([]byte, unix.CmsgSpace(4*len(p.late))))
	iov := s.words(s.str("?"), 1)
	msg := s.words(0, 0, iov, 1, rights, unix.CmsgSpace(4*len(p.late)), 0)
	take := s.call("waiting for the mounts", unix.SYS_RECVMSG, p.control, msg, unix.MSG_CMSG_CLOEXEC)
	for i, target := range p.late {
		s.call("mounting "+target, unix.SYS_MOVE_MOUNT, i, s.str(""), unix.AT_FDCWD, s.str(target), unix.MOVE_MOUNT_F_EMPTY_PATH)
	}
	s.call("closing descriptors", unix.SYS_CLOSE_RANGE, 0, p.control-1, 0)
	p.identify(s)
	p.lockDown(s)
	// The word is not sent before the filter stands: the next that the server
	// does is to let the function's code in.
	p.filterCalls(s)
	p.settle(s)
	p.reap(s, fork)
	// The other end was closed: the server has given this sandbox up.
	end := s.call("ending", unix.SYS_EXIT_GROUP, 0)
	s.onZero(take, end)

	s.onZero(fork, len(s.steps))
	p.identify(s)
	p.lockDown(s)
	p.openInput(s)
	p.filterCalls(s)
	p.execute(s)
}

// maxLate is how many folders can be left out: their descriptors have to fit
// below process 1's socket.
const maxLate = 3

// Prepare implements Launcher.
func (l *launcher) Prepare(ctx context.Context, spec Spec, late []string) (Prepared, error) {
	if !l.tier.StartAhead {
		return nil, errors.ErrUnsupported
	}
	if len(spec.Argv) == 0 || !filepath.IsAbs(spec.Argv[0]) {
		return nil, errors.New("preparing: the program must be named by its absolute path")
	}
	if len(late) == 0 || len(late) > maxLate {
		return nil, fmt.Errorf("preparing: %d folders are left out, 1 to %d can be", len(late), maxLate)
	}
	p, err := l.launch(ctx, spec, false, late)
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", spec.Argv[0], err)
	}
	return p, nil
}

// Complete implements Prepared.
func (p *process) Complete(ctx context.Context, sources []string, limits Limits) error {
	if len(sources) != len(p.late) {
		return fmt.Errorf("completing a sandbox: %d folders for %d places", len(sources), len(p.late))
	}
	if err := errors.Join(p.l.skeleton.refresh(), p.limit(limits)); err != nil {
		return fmt.Errorf("completing a sandbox: %w", err)
	}
	trees := make([]int, 0, len(sources))
	defer func() {
		for _, fd := range trees {
			unix.Close(fd)
		}
	}()
	for i, source := range sources {
		if source == "" {
			source = filepath.Join(p.l.skeleton.dir, p.late[i])
		}
		fd, err := mountTree(source)
		if err != nil {
			return fmt.Errorf("completing a sandbox: mounting %s: %w", source, err)
		}
		trees = append(trees, fd)
	}
	raw, err := p.control.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = raw.Write(func(fd uintptr) bool {
		serr = unix.Sendmsg(int(fd), []byte("M"), unix.UnixRights(trees...), nil, unix.MSG_NOSIGNAL)
		return !errors.Is(serr, unix.EAGAIN)
	})
	if err := errors.Join(err, serr); err != nil {
		return fmt.Errorf("completing a sandbox: %w", err)
	}
	select {
	case <-p.complete:
		return nil
	case <-p.done:
		return errors.New("completing a sandbox: it ended while it was set up")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// limit sets the limits of a sandbox that has begun with none.
func (p *process) limit(limits Limits) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.group == nil {
		return nil
	}
	cpu := limits.CPU
	if cpu.Weight == 0 {
		cpu.Weight = defaultWeight
	}
	return errors.Join(p.group.limitMemory(limits.Memory), p.group.limitPids(limits.Pids), p.group.setCPU(cpu))
}

// defaultWeight is that of a group whose weight nobody has set.
const defaultWeight = 100

// mountTree is a detached copy of what is mounted at a folder, read-only.
func mountTree(source string) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return -1, os.NewSyscallError("open_tree", err)
	}
	err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{
		Attr_set:    unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV,
		Propagation: unix.MS_PRIVATE,
	})
	if err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("mount_setattr", err)
	}
	return fd, nil
}

// tryLate prepares and completes a sandbox that ends at once.
func (l *launcher) tryLate(ctx context.Context) error {
	if !l.privileged {
		return fmt.Errorf("as an ordinary user, mounts cannot be added to a sandbox: %w", errors.ErrUnsupported)
	}
	p, err := l.launch(ctx, Spec{CPU: CPU{Weight: defaultWeight}}, true, []string{"/var/task", "/opt"})
	if err != nil {
		return err
	}
	defer p.Output().Close()
	if err := p.Complete(ctx, []string{l.skeleton.dir, l.skeleton.dir}, Limits{Memory: 64 << 20, Pids: 16}); err != nil {
		return errors.Join(err, p.Kill())
	}
	discard(p.Output())
	st, err := p.Wait(ctx)
	if err == nil && st.Code != 0 {
		err = fmt.Errorf("the sandbox ended with code %d, signal %d", st.Code, st.Signal)
	}
	return err
}
