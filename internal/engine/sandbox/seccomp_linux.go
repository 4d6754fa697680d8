//go:build linux && (amd64 || arm64)

package sandbox

import (
	"encoding/binary"
	"maps"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The offsets of struct seccomp_data.
const (
	dataNr   = 0
	dataArch = 4
	dataArgs = 16
)

// newestCall is the newest system call that is known here; what is newer is
// answered with ENOSYS, as an older kernel would. It is lsm_list_modules of Linux 6.8.
const newestCall = 461

// refusedCalls are answered with EPERM whatever their arguments: they change
// mounts, namespaces, the kernel, its clock or other processes, or open attack
// surface that no runtime needs.
var refusedCalls = [...]uint32{
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
	unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK,
	unix.SYS_MOUNT_SETATTR, unix.SYS_UNSHARE, unix.SYS_SETNS,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP, unix.SYS_PIDFD_GETFD,
	unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_SYSLOG, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_FANOTIFY_INIT, unix.SYS_LOOKUP_DCOOKIE,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
	unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_VHANGUP, unix.SYS_NFSSERVCTL,
	unix.SYS_MOVE_PAGES, unix.SYS_MIGRATE_PAGES, unix.SYS_MBIND, unix.SYS_SET_MEMPOLICY, unix.SYS_SET_MEMPOLICY_HOME_NODE,
	unix.SYS_LSM_SET_SELF_ATTR, unix.SYS_STATMOUNT, unix.SYS_LISTMOUNT,
}

// newNamespaces are the clone flags that ask for a namespace.
const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWTIME

func ret(action, data uint32) bpf.Instruction { return bpf.RetConstant{Val: action | data} }

var (
	allow  = ret(unix.SECCOMP_RET_ALLOW, 0)
	eperm  = ret(unix.SECCOMP_RET_ERRNO, uint32(unix.EPERM))
	enosys = ret(unix.SECCOMP_RET_ERRNO, uint32(unix.ENOSYS))
)

// arg loads the lower half of a system call's argument.
func arg(n int) bpf.Instruction { return bpf.LoadAbsolute{Off: uint32(dataArgs + 8*n), Size: 4} }

// rules are what happens to one system call, if it is neither simply allowed
// nor simply refused; they end in returns.
var rules = map[uint32][]bpf.Instruction{
	// clone3 hides its flags in memory, where no filter sees them; the C
	// libraries fall back to clone.
	unix.SYS_CLONE3: {enosys},
	unix.SYS_CLONE:  {arg(0), bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: newNamespaces, SkipTrue: 1}, allow, eperm},
	unix.SYS_SOCKET: {
		arg(0),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_UNIX, SkipTrue: 9},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET, SkipTrue: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET6, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.AF_NETLINK, SkipTrue: 7},
		arg(2), // to list interfaces is all that netlink is good for
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.NETLINK_ROUTE, SkipTrue: 4, SkipFalse: 5},
		arg(1),
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SOCK_RAW, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SOCK_PACKET, SkipTrue: 1},
		allow,
		eperm,
	},
	// To type for a terminal.
	unix.SYS_IOCTL: {
		arg(1),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.TIOCSTI, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.TIOCLINUX, SkipTrue: 1},
		allow, eperm,
	},
	unix.SYS_PERSONALITY: {
		arg(0),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0xffffffff, SkipTrue: 1},
		eperm, allow,
	},
}

// span is system calls from a number on, up to the next span, that are treated alike.
type span struct {
	from uint32
	do   []bpf.Instruction
}

// spans are all system calls in the order of their numbers.
func spans() []span {
	treat := map[uint32][]bpf.Instruction{}
	for _, nr := range slices.Concat(refusedCalls[:], refusedHere[:]) {
		treat[nr] = []bpf.Instruction{eperm}
	}
	maps.Copy(treat, rules)
	out := []span{{0, []bpf.Instruction{allow}}}
	for _, nr := range slices.Sorted(maps.Keys(treat)) {
		last := &out[len(out)-1]
		switch simple := len(treat[nr]) == 1; {
		case last.from == nr:
			last.do = treat[nr]
		case !simple || len(last.do) > 1 || last.do[0] != treat[nr][0]:
			out = append(out, span{nr, treat[nr]})
		}
		out = append(out, span{nr + 1, []bpf.Instruction{allow}})
	}
	// What is newer than this filter, among it all of x32.
	return append(out, span{newestCall + 1, []bpf.Instruction{enosys}})
}

// search decides by bisection. The kernel runs a new filter once for every
// system call that there is, to learn which it need not ask about again: a long
// list of comparisons took four times as long to install.
func search(spans []span) []bpf.Instruction {
	if len(spans) == 1 {
		return spans[0].do
	}
	mid := len(spans) / 2
	low, high := search(spans[:mid]), search(spans[mid:])
	if len(low) > 255 {
		// A conditional jump reaches no further.
		jump := []bpf.Instruction{
			bpf.JumpIf{Cond: bpf.JumpLessThan, Val: spans[mid].from, SkipTrue: 1},
			bpf.Jump{Skip: uint32(len(low))},
		}
		return slices.Concat(jump, low, high)
	}
	jump := bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: spans[mid].from, SkipTrue: uint8(len(low))}
	return slices.Concat([]bpf.Instruction{jump}, low, high)
}

// filter is the system call filter of every sandbox, for seccomp(2). A call of
// another architecture's table is refused as a whole.
func filter() ([]bpf.RawInstruction, error) {
	head := []bpf.Instruction{
		bpf.LoadAbsolute{Off: dataArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: auditArch, SkipTrue: 1},
		eperm,
		bpf.LoadAbsolute{Off: dataNr, Size: 4},
	}
	return bpf.Assemble(append(head, search(spans())...))
}

// filterStep is the size of struct sock_filter.
const filterStep = 8

// filterBytes is the filter as the kernel reads it.
func filterBytes() ([]byte, error) {
	raw, err := filter()
	if err != nil {
		return nil, err
	}
	var prog []byte
	for _, r := range raw {
		prog = binary.LittleEndian.AppendUint16(prog, r.Op)
		prog = append(prog, r.Jt, r.Jf)
		prog = binary.LittleEndian.AppendUint32(prog, r.K)
	}
	return prog, nil
}
