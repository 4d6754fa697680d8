package sandbox

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Launcher starts processes in the strongest sandbox that the host allows.
// It is safe for concurrent use.
type Launcher interface {
	// Launch starts the program of spec and returns once it has been executed.
	// The context bounds the launch only, not the life of the process. A spec
	// that asks for what the tier cannot do (see Tier) is launched without it
	// only where Tier says so; everything else is an error.
	Launch(ctx context.Context, spec Spec) (Process, error)
	// Prepare starts the program of spec like Launch, before it is known for what:
	// the folders late are empty inside until Complete mounts them, and nothing
	// foreign may run in the sandbox before that. The error is
	// errors.ErrUnsupported where Tier.StartAhead is false.
	Prepare(ctx context.Context, spec Spec, late []string) (Prepared, error)
	// Tier tells what this launcher holds and what it cannot.
	Tier() Tier
	// Close kills every process that is still running, waits for their ends and
	// removes what the launcher made on the host.
	Close() error
}

// Process is one running sandbox: the program of the spec and all its descendants.
type Process interface {
	// Pid is the host's process id of the sandbox's first process.
	Pid() int
	// User is the host's user that the sandbox alone runs as, or 0 where it
	// shares the server's.
	User() int
	// Output is the read end of the pipe that is both standard output and
	// standard error of the sandbox, in the order of writing.
	Output() *os.File
	// Listeners are the sockets that Spec.Loopback asked for, in its order. They
	// are closed with the sandbox.
	Listeners() []net.Listener
	// Gateway is where what Spec.Egress lets out arrives; nil without.
	Gateway() *Gateway
	// Done is closed when the program has ended and everything of the sandbox is gone.
	Done() <-chan struct{}
	// Wait blocks until the program has ended and everything of the sandbox is
	// gone. It may be called many times and from several goroutines.
	Wait(ctx context.Context) (ExitStatus, error)
	// Kill ends the program and all its descendants at once. Killing a process
	// that has ended is no error.
	Kill() error
	// Freeze stops the sandbox from using the CPU until Thaw.
	Freeze() error
	// Thaw lets a frozen sandbox go on.
	Thaw() error
	// SetCPU changes the share of the CPU.
	SetCPU(CPU) error
	// Usage tells what was used so far; after the end, what was used in total.
	Usage() Usage
	// Members are the programs of a sandbox with companions: these, in the order
	// of the spec, and last the program itself. Without companions there are none.
	Members() []*Member
	// Begin lets the program of a sandbox with companions start.
	Begin()
	// Ended is closed when the program has ended; its companions may live on.
	// Without companions it is Done.
	Ended() <-chan struct{}
	// Signal sends a signal to the program alone. It is no error if it has ended.
	Signal(syscall.Signal) error
	// Dial connects to a port of the loopback interface that the sandbox sees.
	Dial(ctx context.Context, port uint16) (net.Conn, error)
}

// Program is a program of a sandbox: see Spec for the fields.
type Program struct {
	Argv []string
	Env  []string
	Dir  string
}

// MaxCompanions is how many companions a program can have.
const MaxCompanions = 10

// Member is one program of a sandbox with several.
type Member struct {
	dir    string
	output *os.File
	done   chan struct{} // closed when the fields below are final
	status ExitStatus
	err    error
}

// Output is the read end of the pipe that is a companion's standard output and
// standard error; nil for the program itself, see Process.Output.
func (m *Member) Output() *os.File { return m.output }

// Done is closed when it has ended.
func (m *Member) Done() <-chan struct{} { return m.done }

// Status is how it ended, once it has; the error tells that it could not be executed.
func (m *Member) Status() (ExitStatus, error) {
	<-m.done
	return m.status, m.err
}

// Prepared is a sandbox whose last mounts and limits are still to come.
type Prepared interface {
	Process
	// Complete mounts sources, folders of the host, read-only at the folders that
	// were left out, in their order ("" leaves one empty), and sets the limits. When it returns the
	// sandbox is as strong as a launched one. It can be called once; after an
	// error the sandbox has to be killed.
	Complete(ctx context.Context, sources []string, limits Limits) error
}

// Limits are what a sandbox may use; see Spec for the fields.
type Limits struct {
	Memory int64
	Pids   int
	CPU    CPU
}

// Spec says what to run and what it may see and use.
type Spec struct {
	// Name is shown in the names of control groups; letters, digits and dashes.
	Name string
	// Argv is the program, by its absolute path inside, and its arguments.
	Argv []string
	// Env is the whole environment, as KEY=VALUE. Nothing is inherited.
	Env []string
	// Dir is the working folder inside; "/" when empty.
	Dir string
	// Mounts are the folders and files of the host that are visible inside,
	// all read-only, besides the system's own.
	Mounts []Mount
	// Root is a root file system of the sandbox's own; nil: the host's system folders.
	Root *Root
	// TmpBytes is the size of the private /tmp; it is held in memory and counts
	// against Memory. Zero gives a /tmp of 16 MiB.
	TmpBytes int64
	// Files become descriptors 3, 4, … of the program. They stay the caller's to close.
	Files []*os.File
	// Memory is the limit in bytes of all that the sandbox holds in memory; zero: none.
	Memory int64
	// Pids limits the number of tasks (threads and processes); zero: none.
	Pids int
	// CPU is the share of the CPU to begin with.
	CPU CPU
	// Network is the network that the sandbox is in; the host's when empty.
	Network Network
	// Loopback are TCP ports. With a private network the sandbox listens at
	// 127.0.0.1:PORT inside, and Process.Listeners hands the sockets out: what is
	// accepted there is served outside, and nothing else leads out.
	// It is an error with the host's network.
	Loopback []uint16
	// Egress is what is reached beyond a private network; nil: nothing.
	// It is an error with the host's network.
	Egress *Egress
	// Companions are programs that run beside the program, at most MaxCompanions.
	// They are started first; the program waits for Process.Begin, and the sandbox
	// goes on when it has ended, until all have or it is killed. The tier without
	// namespaces has no companions, and Prepare neither.
	Companions []Program
}

// Mount makes Source of the host visible as Target, with everything mounted below it.
type Mount struct {
	Source string
	Target string
}

// Network names the network of a sandbox.
type Network string

// The networks that a sandbox can be in.
const (
	// NetworkHost is the host's own network.
	NetworkHost Network = "host"
	// NetworkPrivate is a network of the sandbox's own with nothing but a
	// loopback interface.
	NetworkPrivate Network = "private"
)

// CPU is a share of the processors.
type CPU struct {
	// Weight is relative to other groups, 1 to 10000; zero leaves the default of 100.
	Weight int
	// Cores limits the use, in processors (0.5 is half of one); zero: no limit.
	Cores float64
}

// ExitStatus tells how a program ended.
type ExitStatus struct {
	// Code is the exit code, or -1 when a signal ended the program.
	Code int
	// Signal is the number of the signal that ended the program, or 0.
	Signal int
	// OOMKilled tells that the kernel killed something in the sandbox because
	// the memory limit was reached.
	OOMKilled bool
	// Usage is what the sandbox used in total.
	Usage Usage
}

// Usage is what a sandbox has used.
type Usage struct {
	// PeakMemory is the highest use of memory in bytes; zero when unknown.
	PeakMemory int64
	// CPU is the processor time of all processes; zero when unknown.
	CPU time.Duration
}

// Tier is a grade of isolation: its name, what it holds and what it cannot.
type Tier struct {
	// Name is one of the Tier constants.
	Name string
	// Holds are the promises that this tier keeps on this host.
	Holds []string
	// Lacks are the promises that it cannot keep, each with its reason.
	Lacks []string
	// LacksOnHost are those that it cannot keep for what shares the host's network.
	LacksOnHost []string
	// PrivateNetwork tells whether NetworkPrivate can be asked for.
	PrivateNetwork bool
	// Egress tells whether Spec.Egress can be asked for.
	Egress bool
	// OwnRoot tells whether Mounts appear at their targets. Where they cannot,
	// the launcher rewrites the targets in Argv, Env and Dir to the sources.
	OwnRoot bool
	// Overlay tells whether Root.Layers can be joined.
	Overlay bool
	// MemoryLimit tells whether Spec.Memory and Spec.Pids are enforced.
	MemoryLimit bool
	// StartAhead tells whether Launcher.Prepare works.
	StartAhead bool
}

// The names of the tiers, best first.
const (
	TierNamespaces   = "namespaces"
	TierNoCgroups    = "namespaces, no cgroups"
	TierUnprivileged = "unprivileged user namespaces"
	TierProcess      = "process"
)

// Config says where and how a launcher works.
type Config struct {
	// StateDir is a folder for the launcher's own files. It is made when it is
	// missing and belongs to one launcher at a time: what a dead one left is
	// cleared away when it is opened.
	StateDir string
	// SystemPaths are further folders of the host, besides the usual ones, that
	// every sandbox sees read-only ("/nix/store").
	SystemPaths []string
	// Tier asks for the tier of that name instead of the best one; it is an
	// error if the host does not allow it.
	Tier string
}

// ErrBusy is returned by Open when another launcher works in the same StateDir.
var ErrBusy = errors.New("the sandbox folder is in use by another process")

// Check is one line of a report about the host.
type Check struct {
	// Name is what was tried.
	Name string
	// OK tells whether it works.
	OK bool
	// Detail is what was found.
	Detail string
	// Fix tells what to do about it; empty when OK.
	Fix string
}

// ExecError tells that a sandbox was made but its program could not be executed.
type ExecError struct {
	// Program is its path inside.
	Program string
	// Err is the system's answer.
	Err error
}

func (e *ExecError) Error() string { return "executing " + e.Program + ": " + e.Err.Error() }

// Unwrap returns the system's answer.
func (e *ExecError) Unwrap() error { return e.Err }

// DirError tells that a sandbox was made but its program's working folder could
// not be entered.
type DirError struct {
	// Dir is its path inside.
	Dir string
	// Err is the system's answer.
	Err error
}

func (e *DirError) Error() string { return "entering " + e.Dir + ": " + e.Err.Error() }

// Unwrap returns the system's answer.
func (e *DirError) Unwrap() error { return e.Err }

// Report is what a probe of the host found.
type Report struct {
	// Tier is the best tier that the host allows.
	Tier Tier
	// Checks are in the order in which they were made.
	Checks []Check
}

// Open makes a launcher of the best tier that the host allows; it really tries
// each. The report tells what was tried. The error is ErrBusy, or one of the
// file system, or that the tier asked for is not to be had.
func Open(ctx context.Context, cfg Config) (Launcher, Report, error) {
	return open(ctx, cfg)
}

// Probe tells what isolation the host allows, for a human. It works in a
// temporary folder and leaves nothing behind.
func Probe(ctx context.Context) (Report, error) {
	dir, err := os.MkdirTemp("", "tierra-probe-")
	if err != nil {
		return Report{}, err
	}
	defer os.RemoveAll(dir)
	l, report, err := Open(ctx, Config{StateDir: dir})
	if err != nil {
		return report, err
	}
	return report, l.Close()
}

// discard reads r to its end.
func discard(r io.Reader) { _, _ = io.Copy(io.Discard, r) }
