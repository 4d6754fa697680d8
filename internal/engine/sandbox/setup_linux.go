//go:build linux && (amd64 || arm64)

package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The identity of a program inside, as on AWS; 990 is the group.
const (
	insideUID = 993
	insideGID = 990
)

const (
	// openFiles is the limit of open descriptors, as on AWS.
	openFiles = 1024
	// defaultTmp is the size of /tmp when a spec names none.
	defaultTmp = 16 << 20
	lastCap    = 63
	// hostname is one that every resolver knows.
	hostname = "localhost"
)

// devices are the only ones there are inside.
var devices = [...]string{"null", "zero", "full", "random", "urandom"}

// masked files of /proc tell about the host, not about the sandbox.
var masked = [...]string{"cmdline", "kallsyms", "modules"}

// mountAttr is struct mount_attr, as the kernel reads it.
func mountAttr(set uint64) []byte {
	return binary.LittleEndian.AppendUint64(nil, set)
}

const mountAttrBytes = 32

// plan is one launch in the words of the set-up.
type plan struct {
	spec Spec
	// root is the folder that becomes the root, and binds what appears in it;
	// their targets exist in it already.
	root  string
	binds []Mount
	masks []string
	// filter is the system call filter.
	filter []byte
	// hostID is the user and group of the host that the program runs as, when
	// the server may choose one; zero leaves the server's own.
	hostID int
	// control and report are descriptors: the socket to the launcher, and the
	// pipe for a failed step, that closes when the program is executed.
	control, report int
	// probe makes the program end at once instead of executing anything.
	probe bool
	// late are folders inside that are mounted on when the program runs already.
	late []string
	// entries are the files by which process 1 joins its control groups.
	entries []string
	// kept are the descriptors that companions need.
	kept keptOpen
	// lower are the folders that are joined at root, named as they are found in the
	// folder layers; "" where root is a folder as it is.
	lower, layers string
}

// script is the whole way from a fresh process in new namespaces to the program.
func (p *plan) script() (*script, error) {
	s := &script{}
	s.begin()
	for _, path := range p.entries {
		s.writeFile(path, "0")
	}
	p.mounts(s)
	if err := p.network(s); err != nil {
		return nil, err
	}
	p.enter(s)
	if len(p.late) > 0 {
		p.runAhead(s)
		return s, nil
	}
	p.identify(s)
	p.lockDown(s)
	p.settle(s)
	p.openInput(s)
	p.filterCalls(s)
	if len(p.spec.Companions) > 0 {
		p.runTogether(s)
		return s, nil
	}
	p.run(s)
	return s, nil
}

// mounts builds the new root, with the working folder in it.
func (p *plan) mounts(s *script) {
	s.call("naming the process", unix.SYS_PRCTL, unix.PR_SET_NAME, s.str("tierra-sandbox"), 0, 0, 0)
	none, root := s.str(""), s.str(p.root)
	s.call("making mounts private", unix.SYS_MOUNT, none, s.str("/"), 0, unix.MS_REC|unix.MS_PRIVATE, 0)
	p.mountRoot(s)
	s.call("entering the root", unix.SYS_CHDIR, root)
	locked := s.put(append(mountAttr(unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV), make([]byte, 24)...))
	dot := s.str(".")
	s.call("making the root read-only", unix.SYS_MOUNT_SETATTR, unix.AT_FDCWD, dot, 0, locked, mountAttrBytes)
	for _, b := range p.binds {
		at := s.str(inRoot(b.Target))
		s.call("mounting "+b.Source, unix.SYS_MOUNT, s.str(b.Source), at, 0, unix.MS_BIND|unix.MS_REC, 0)
		s.call("making "+b.Target+" read-only", unix.SYS_MOUNT_SETATTR, unix.AT_FDCWD, at, unix.AT_RECURSIVE, locked, mountAttrBytes)
	}
	for _, d := range devices {
		s.call("mounting /dev/"+d, unix.SYS_MOUNT, s.str("/dev/"+d), s.str("dev/"+d), 0, unix.MS_BIND, 0)
	}
	size := p.spec.TmpBytes
	if size <= 0 {
		size = defaultTmp
	}
	tmpfs, tmp := s.str("tmpfs"), s.str("tmp")
	s.call("mounting /tmp", unix.SYS_MOUNT, tmpfs, tmp, tmpfs, unix.MS_NOSUID|unix.MS_NODEV,
		s.str(fmt.Sprintf("mode=1777,size=%d", size)))
	proc := s.str("proc")
	s.call("mounting /proc", unix.SYS_MOUNT, proc, proc, proc, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, s.str("hidepid=2"))
	null := s.str("dev/null")
	for _, m := range p.masks {
		s.call("hiding /proc/"+m, unix.SYS_MOUNT, null, s.str("proc/"+m), 0, unix.MS_BIND, 0)
	}
}

func inRoot(target string) string { return strings.TrimPrefix(filepath.Clean(target), "/") }

// network raises a private network's loopback interface and hands out the listeners.
func (p *plan) network(s *script) error {
	if p.spec.Network != NetworkPrivate {
		if len(p.spec.Loopback) > 0 || p.spec.Egress != nil {
			return errors.New("a listener inside needs a private network")
		}
		return nil
	}
	ifreq := make([]byte, 40)
	copy(ifreq, "lo")
	binary.LittleEndian.PutUint16(ifreq[16:], unix.IFF_UP|unix.IFF_RUNNING)
	s.call("opening a socket", unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM, 0)
	s.call("raising the loopback interface", unix.SYS_IOCTL, opened, unix.SIOCSIFFLAGS, s.put(ifreq))
	s.call("closing a socket", unix.SYS_CLOSE, opened)
	for _, port := range p.spec.Loopback {
		p.listener(s, port)
	}
	if p.spec.Egress != nil {
		p.egress(s)
	}
	return nil
}

// listener opens one port of the private network and hands it out.
func (p *plan) listener(s *script, port uint16) { p.handOut(s, unix.SOCK_STREAM, port) }

// handOut is listener for sockets of both kinds.
func (p *plan) handOut(s *script, kind int, port uint16) {
	addr := make([]byte, 16)
	binary.LittleEndian.PutUint16(addr, unix.AF_INET)
	binary.BigEndian.PutUint16(addr[2:], port)
	copy(addr[4:], []byte{127, 0, 0, 1})
	s.call("opening the listener", unix.SYS_SOCKET, unix.AF_INET, kind, 0)
	s.call("binding the listener", unix.SYS_BIND, opened, s.put(addr), len(addr))
	if kind == unix.SOCK_STREAM {
		s.call("listening", unix.SYS_LISTEN, opened, 128)
	}
	// struct cmsghdr with one descriptor, struct iovec, struct msghdr.
	rights := s.put(nil)
	s.data = append(s.data, unix.UnixRights(opened)...)
	iov := s.words(s.str("L"), 1)
	msg := s.words(0, 0, iov, 1, rights, unix.CmsgSpace(4), 0)
	s.call("handing out the listener", unix.SYS_SENDMSG, p.control, msg, unix.MSG_NOSIGNAL)
	s.call("closing the listener", unix.SYS_CLOSE, opened)
}

// enter makes the new root the only one.
func (p *plan) enter(s *script) {
	dot, name := s.str("."), s.str(hostname)
	s.call("naming the host", unix.SYS_SETHOSTNAME, name, len(hostname))
	s.call("changing the root", unix.SYS_PIVOT_ROOT, dot, dot)
	s.call("leaving the old root", unix.SYS_UMOUNT2, dot, unix.MNT_DETACH)
	s.call("entering the new root", unix.SYS_CHDIR, s.str("/"))
	s.call("setting the file mode mask", unix.SYS_UMASK, 0o022)
}

// identify gives the process its user, where the server may choose one.
func (p *plan) identify(s *script) {
	if p.hostID == 0 {
		return
	}
	// The mounts were made by the host's root and so belong to it: whoever is
	// inside cannot change them even with all capabilities of its own
	// user namespace. The identity is given up, and only then the user
	// namespace is made, by an ordinary user that maps itself.
	id := p.hostID
	s.call("keeping capabilities", unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0, 0, 0)
	s.call("leaving all groups", unix.SYS_SETGROUPS, 0, 0)
	s.call("changing the group", unix.SYS_SETRESGID, id, id, id)
	s.call("changing the user", unix.SYS_SETRESUID, id, id, id)
	// Hosts that keep ordinary users from making user namespaces let CAP_SYS_ADMIN do it.
	s.call("raising a capability", unix.SYS_CAPSET, s.capHeader(), s.put(capData(1<<unix.CAP_SYS_ADMIN)))
	s.call("making a user namespace", unix.SYS_UNSHARE, unix.CLONE_NEWUSER)
	s.call("owning /proc/self", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
	s.writeFile("/proc/self/setgroups", "deny")
	s.writeFile("/proc/self/uid_map", fmt.Sprintf("%d %d 1\n", insideUID, id))
	s.writeFile("/proc/self/gid_map", fmt.Sprintf("%d %d 1\n", insideGID, id))
}

func (s *script) capHeader() dataRef {
	return s.put(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, unix.LINUX_CAPABILITY_VERSION_3), 0))
}

// capData is two struct __user_cap_data_struct with set permitted and effective.
func capData(set uint64) []byte {
	b := make([]byte, 24)
	for i := range 2 {
		half := uint32(set >> (32 * i))
		binary.LittleEndian.PutUint32(b[12*i:], half)
		binary.LittleEndian.PutUint32(b[12*i+4:], half)
	}
	return b
}

// lockDown gives up all that is not needed from here on.
func (p *plan) lockDown(s *script) {
	for _, l := range [...]struct{ resource, limit int }{{unix.RLIMIT_NOFILE, openFiles}, {unix.RLIMIT_CORE, 0}} {
		s.optional(s.call("setting a limit", unix.SYS_PRLIMIT64, 0, l.resource, s.words(l.limit, l.limit), 0))
	}
	for c := range lastCap + 1 {
		s.optional(s.call("dropping capabilities", unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0, 0, 0))
	}
	s.call("giving capabilities up", unix.SYS_CAPSET, s.capHeader(), s.put(capData(0)))
	s.call("forbidding new privileges", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	// The program is of the same user: it must not be able to change process 1.
	s.call("hiding process 1", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// settle ties process 1 to the server and tells that all is set up.
func (p *plan) settle(s *script) {
	// From here on the sandbox dies with the server. If the server died before,
	// the other end of the socket is gone and the next step fails.
	s.call("dying with the server", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, int(unix.SIGKILL), 0, 0, 0)
	s.call("telling that all is set up", unix.SYS_SENDTO, p.control, s.str("R"), 1, unix.MSG_NOSIGNAL, 0, 0)
}

func (p *plan) openInput(s *script) {
	s.call("opening standard input", unix.SYS_OPENAT, unix.AT_FDCWD, s.str("/dev/null"), unix.O_RDWR)
}

func (p *plan) filterCalls(s *script) {
	const specAllow = 4 // SECCOMP_FILTER_FLAG_SPEC_ALLOW: no slow-down of the whole process
	fprog := s.words(len(p.filter)/filterStep, s.put(p.filter))
	s.call("filtering system calls", unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, specAllow, fprog)
}

// run forks: the child executes the program, process 1 waits for its end and reports it.
func (p *plan) run(s *script) {
	fork := p.fork(s)
	p.reap(s, fork)
	s.onZero(fork, len(s.steps))
	p.execute(s)
}

const everyDescriptor = int(^uint32(0))

// fork is the step from which the child goes on elsewhere; process 1 keeps
// nothing but its socket.
func (p *plan) fork(s *script) int {
	fork := s.call("forking", unix.SYS_CLONE, int(unix.SIGCHLD), 0, 0, 0, 0)
	s.call("closing descriptors", unix.SYS_CLOSE_RANGE, 0, p.control-1, 0)
	s.call("closing descriptors", unix.SYS_CLOSE_RANGE, p.control+1, everyDescriptor, 0)
	return fork
}

// reap waits for the end of what was forked, reports it, and ends.
func (p *plan) reap(s *script, fork int) {
	reap := s.call("waiting", 0, 0)
	s.steps[reap].words[0] = reapStep
	s.result(fork, reap, 0)
	s.call("reporting the end", unix.SYS_SENDTO, p.control, uint64(statusAddress), 4, unix.MSG_NOSIGNAL, 0, 0)
	s.call("ending", unix.SYS_EXIT_GROUP, 0)
}

// execute is how the child becomes the program.
func (p *plan) execute(s *script) {
	dir := p.spec.Dir
	if dir == "" {
		dir = "/"
	}
	s.call(enteringDir+dir, unix.SYS_CHDIR, s.str(dir))
	if p.probe {
		s.call("ending", unix.SYS_EXIT_GROUP, 0)
		return
	}
	s.call("hiding descriptors", unix.SYS_CLOSE_RANGE, 3+len(p.spec.Files), everyDescriptor, unix.CLOSE_RANGE_CLOEXEC)
	last := p.search(s, Program{p.spec.Argv, p.spec.Env, dir})
	s.call(p.spec.Argv[0], unix.SYS_EXECVE, s.str(last), s.strs(p.spec.Argv), s.strs(p.spec.Env))
}
