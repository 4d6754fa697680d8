//go:build linux && (amd64 || arm64)

// Package attempts is what a program in a sandbox may try and must not be able
// to do. It is for tests of everything that runs functions: the program beside it
// tries all, as a plain program or as a function.
package attempts

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Attempt is one thing that a sandbox must not let happen.
type Attempt struct {
	Name string
	Do   func() error
	// Want is how it must fail; ErrAny is any error, where kernels differ.
	Want error
}

// ErrAny stands for whatever error.
var ErrAny = errors.New("any error")

// Targets are what tests know to be outside.
type Targets struct {
	// Read are files and folders of the host that must not be there.
	Read []string `json:"read"`
	// Dial are TCP addresses that must not answer, with a private network.
	Dial []string `json:"dial"`
}

// Run tries all and says what went otherwise than it must; nothing is good.
func Run(t Targets) (wrong []string) {
	all := List()
	for _, path := range t.Read {
		all = append(all, Attempt{"read " + path, func() error {
			if _, err := os.Lstat(path); err != nil {
				return err
			}
			_, err := os.ReadFile(path)
			return errors.Join(errors.New("it is there"), err)
		}, unix.ENOENT})
	}
	for _, addr := range t.Dial {
		all = append(all, Attempt{"dial " + addr, func() error {
			c, err := net.DialTimeout("tcp", addr, 2*time.Second)
			if err == nil {
				c.Close()
			}
			return err
		}, ErrAny})
	}
	for _, a := range all {
		if err := a.Do(); err == nil || a.Want != ErrAny && !errors.Is(err, a.Want) {
			wrong = append(wrong, fmt.Sprintf("%s: got %v, want %v", a.Name, err, a.Want))
		}
	}
	return wrong
}

// List is what every sandbox refuses, of whatever tier with namespaces.
func List() []Attempt {
	return []Attempt{
		{"mount", func() error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") }, unix.EPERM},
		{"umount", func() error { return unix.Unmount("/tmp", unix.MNT_DETACH) }, unix.EPERM},
		{"remount", func() error { return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND, "") }, unix.EPERM},
		{"pivot_root", func() error { return unix.PivotRoot(".", ".") }, unix.EPERM},
		{"chroot", func() error { return unix.Chroot("/tmp") }, unix.EPERM},
		{"open_tree", func() error { _, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE); return err }, unix.EPERM},
		{"fsopen", func() error { _, err := unix.Fsopen("tmpfs", 0); return err }, unix.EPERM},
		{"unshare user", func() error { return unix.Unshare(unix.CLONE_NEWUSER) }, unix.EPERM},
		{"unshare mount", func() error { return unix.Unshare(unix.CLONE_NEWNS) }, unix.EPERM},
		{"clone user", func() error { return try(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD)) }, unix.EPERM},
		{"clone net", func() error { return try(unix.SYS_CLONE, unix.CLONE_NEWNET|uintptr(unix.SIGCHLD)) }, unix.EPERM},
		{"clone3", func() error { return try(unix.SYS_CLONE3, 0, 0) }, unix.ENOSYS},
		{"setns", func() error { return unix.Setns(0, 0) }, unix.EPERM},
		{"ptrace", func() error { return unix.PtraceAttach(1) }, unix.EPERM},
		{"ptrace me", func() error { return try(unix.SYS_PTRACE, unix.PTRACE_TRACEME) }, unix.EPERM},
		{"process_vm_readv", func() error { return try(unix.SYS_PROCESS_VM_READV, 1) }, unix.EPERM},
		{"process_vm_writev", func() error { return try(unix.SYS_PROCESS_VM_WRITEV, 1) }, unix.EPERM},
		{"pidfd_getfd", func() error { return try(unix.SYS_PIDFD_GETFD, 0) }, unix.EPERM},
		{"raw socket", func() error { return socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP) }, unix.EPERM},
		{"raw socket, flags", func() error { return socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 255) }, unix.EPERM},
		{"packet socket", func() error { return socket(unix.AF_PACKET, unix.SOCK_RAW, 0) }, unix.EPERM},
		{"netlink audit", func() error { return socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT) }, unix.EPERM},
		{"vsock", func() error { return socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0) }, unix.EPERM},
		{"crypto socket", func() error { return socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0) }, unix.EPERM},
		{"bpf", func() error { return try(unix.SYS_BPF, 0) }, unix.EPERM},
		{"perf_event_open", func() error { return try(unix.SYS_PERF_EVENT_OPEN, 0) }, unix.EPERM},
		{"userfaultfd", func() error { return try(unix.SYS_USERFAULTFD, 1) }, unix.EPERM},
		{"io_uring", func() error { return try(unix.SYS_IO_URING_SETUP, 1, 0) }, unix.EPERM},
		{"keyctl", func() error { return try(unix.SYS_KEYCTL, 0) }, unix.EPERM},
		{"add_key", func() error { return try(unix.SYS_ADD_KEY, 0) }, unix.EPERM},
		{"kexec", func() error { return try(unix.SYS_KEXEC_LOAD, 0) }, unix.EPERM},
		{"init_module", func() error { return try(unix.SYS_INIT_MODULE, 0) }, unix.EPERM},
		{"finit_module", func() error { return try(unix.SYS_FINIT_MODULE, 0) }, unix.EPERM},
		{"reboot", func() error { return try(unix.SYS_REBOOT, 0) }, unix.EPERM},
		{"swapon", func() error { return try(unix.SYS_SWAPON, 0) }, unix.EPERM},
		{"open_by_handle_at", func() error { return try(unix.SYS_OPEN_BY_HANDLE_AT, 0) }, unix.EPERM},
		{"settimeofday", func() error { return unix.Settimeofday(&unix.Timeval{}) }, unix.EPERM},
		{"sethostname", func() error { return unix.Sethostname([]byte("x")) }, unix.EPERM},
		{"syslog", func() error { return try(unix.SYS_SYSLOG, 3) }, unix.EPERM},
		{"personality", func() error { return try(unix.SYS_PERSONALITY, 0x0040000) }, unix.EPERM},
		{"terminal input", func() error { b := byte('x'); return try(unix.SYS_IOCTL, 0, unix.TIOCSTI, uintptr(unsafe.Pointer(&b))) }, unix.EPERM},
		{"device node", func() error { return unix.Mknod("/tmp/disk", unix.S_IFBLK|0o600, 0x0800) }, unix.EPERM},
		{"setuid 0", func() error { return try(unix.SYS_SETUID, 0) }, unix.EINVAL},
		{"newer than the filter", func() error { return try(1000) }, unix.ENOSYS},
		{"kill all of the host", func() error { return unix.Kill(os.Getppid()+100000, 9) }, unix.ESRCH},
		{"write /etc", func() error { return os.WriteFile("/etc/x", nil, 0o644) }, unix.EROFS},
		{"write /usr", func() error { return os.WriteFile("/usr/x", nil, 0o644) }, unix.EROFS},
		{"write /", func() error { return os.WriteFile("/x", nil, 0o644) }, unix.EROFS},
		{"write /var/task", func() error { return os.WriteFile("/var/task/x", nil, 0o644) }, unix.EROFS},
		{"write /dev", func() error { return os.WriteFile("/dev/x", nil, 0o644) }, unix.EROFS},
		{"write /proc/sys", func() error { return os.WriteFile("/proc/sys/kernel/hostname", []byte("x"), 0) }, unix.EACCES},
		{"write /proc/sysrq-trigger", func() error { return os.WriteFile("/proc/sysrq-trigger", []byte("h"), 0) }, ErrAny},
		{"read /proc/1/environ", func() error { _, err := os.ReadFile("/proc/1/environ"); return err }, unix.ENOENT},
		{"read /proc/1/root", func() error { _, err := os.ReadDir("/proc/1/root/"); return err }, unix.ENOENT},
		{"read /proc/kcore", func() error { _, err := os.Open("/proc/kcore"); return err }, ErrAny},
		{"read /sys", func() error { _, err := os.ReadDir("/sys"); return err }, unix.ENOENT},
		{"open /dev/mem", func() error { _, err := os.Open("/dev/mem"); return err }, unix.ENOENT},
		{"own filter off", func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) }, unix.EINVAL},
		{"raise a capability", func() error {
			return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_SYS_ADMIN, 0, 0)
		}, unix.EPERM},
		{"leave by ..", func() error { _, err := os.Stat("/proc/self/root/../../etc/shadow"); return err }, unix.ENOENT},
		{"leave by a symbolic link", func() error {
			_ = os.Symlink("/proc/1/root/etc/shadow", "/tmp/way-out")
			_, err := os.ReadFile("/tmp/way-out")
			return err
		}, unix.ENOENT},
		{"a program that is another user", func() error {
			_ = os.WriteFile("/tmp/other", nil, 0o755)
			return os.Chown("/tmp/other", 0, 0)
		}, ErrAny},
		{"a descriptor that leaked", leaked, errNone},
	}
}

// errNone says that what was looked for is not there.
var errNone = errors.New("there is none")

// leaked looks for descriptors besides the standard ones that lead to files or
// folders.
func leaked() error {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range all {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && len(to) > 0 && to[0] == '/' && to != "/dev/null" && to != "/proc/self/fd" && to != fmt.Sprintf("/proc/%d/fd", os.Getpid()) {
			return nil
		}
	}
	return errNone
}

func try(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := syscall.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

func socket(domain, typ, proto int) error {
	_, err := unix.Socket(domain, typ, proto)
	return err
}
