//go:build linux && (amd64 || arm64)

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// userBase and userSpan are where the users of sandboxes lie: above those that
// systems give to people, services and containers.
const (
	userBase = 1_900_000_000
	userSpan = 1 << 16
)

func open(ctx context.Context, cfg Config) (Launcher, Report, error) {
	var report Report
	lock, err := claim(&cfg)
	if err != nil {
		return nil, report, err
	}
	l, err := openBest(ctx, cfg, &report)
	if err != nil {
		lock.Close()
		return nil, report, err
	}
	report.Tier = l.Tier()
	return &claimed{l, sync.OnceValue(func() error {
		return errors.Join(l.Close(), lock.Close())
	})}, report, nil
}

// claimed is a launcher that owns its folder.
type claimed struct {
	Launcher
	close func() error
}

// Close implements Launcher.
func (c *claimed) Close() error { return c.close() }

// claim makes the folder and locks it.
func claim(cfg *Config) (*os.File, error) {
	dir, err := filepath.Abs(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the sandbox folder: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	cfg.StateDir = dir
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the sandbox folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, fmt.Errorf("locking the sandbox folder: %w", err)
	}
	return lock, nil
}

func openBest(ctx context.Context, cfg Config, report *Report) (Launcher, error) {
	if cfg.Tier == TierProcess {
		return openProcess(cfg)
	}
	cg, cgErr := openCgroups(ctx, cfg.StateDir)
	report.add("control groups", cgErr, cgroupDetail(cg),
		"run as root, or as a systemd service with Delegate=yes; without them memory, tasks and CPU are not limited")
	closeCgroups := func() {
		if cg != nil {
			_ = cg.close()
		}
	}
	var errs []error
	for _, privileged := range []bool{true, false} {
		// As the host's root without root's rights, the second way may be open.
		if privileged && os.Geteuid() != 0 {
			continue
		}
		l, err := openNamespaces(ctx, cfg, cg, privileged, report)
		if folder := (*folderError)(nil); errors.As(err, &folder) {
			closeCgroups()
			return nil, folder
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if cfg.Tier != "" && cfg.Tier != l.tier.Name {
			err := fmt.Errorf("the tier %q is not to be had here; the best one is %q", cfg.Tier, l.tier.Name)
			return nil, errors.Join(err, l.Close())
		}
		return l, nil
	}
	closeCgroups()
	if cfg.Tier != "" {
		return nil, fmt.Errorf("the tier %q is not to be had here: %w", cfg.Tier, errors.Join(errs...))
	}
	return openProcess(cfg)
}

// folderError is a failure of the state folder, as on a full disk. It tells nothing
// about what the host isolates, so that it is no reason to isolate less.
type folderError struct{ err error }

func (e *folderError) Error() string { return "the sandbox folder: " + e.err.Error() }
func (e *folderError) Unwrap() error { return e.err }

// openNamespaces opens a launcher and really starts a sandbox with it.
func openNamespaces(ctx context.Context, cfg Config, cg *cgroups, privileged bool, report *Report) (*launcher, error) {
	machine, err := newMachine(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	k, err := newSkeleton(filepath.Join(cfg.StateDir, "root"), cfg.SystemPaths)
	if err != nil {
		machine.Close()
		return nil, &folderError{err}
	}
	filter, err := filterBytes()
	if err != nil {
		machine.Close()
		return nil, err
	}
	h := fnv.New32a()
	h.Write([]byte(cfg.StateDir))
	l := &launcher{
		cfg: cfg, machine: machine, skeleton: k, filter: filter, cgroups: cg, privileged: privileged, forks: newForker(),
		users: &users{base: userBase + int(h.Sum32()%1024)*userSpan}, live: map[*process]bool{},
	}
	l.roots.dir = filepath.Join(cfg.StateDir, "roots")
	if err := writeFile(l.resolvConf(), resolvConf); err != nil {
		return nil, errors.Join(&folderError{err}, l.Close())
	}
	what := "namespaces as an ordinary user"
	fix := "use Linux 5.12 or newer and allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces above 0), or run as root"
	if privileged {
		what = "namespaces as root"
		fix = "use Linux 5.12 or newer; in a container, give it CAP_SYS_ADMIN and no seccomp profile (--privileged)"
	}
	err = l.try(ctx, Spec{})
	report.add(what, err, "user, mount, pid, ipc, uts; own root, no new privileges, system call filter", fix)
	if err != nil {
		l.cgroups = nil // still wanted by the next attempt
		return nil, errors.Join(err, l.Close())
	}
	netErr := l.try(ctx, Spec{Network: NetworkPrivate, Loopback: []uint16{9001}})
	report.add("private network", netErr, "network namespace with its own loopback interface",
		"allow network namespaces (sysctl user.max_net_namespaces above 0); until then only the host's network can be used")
	wayOut := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 32) // an example's
	egressErr := l.try(ctx, Spec{Network: NetworkPrivate, Egress: &Egress{Reach: []netip.Prefix{wayOut}}})
	report.add("egress", egressErr, "connections out of a private network are turned to the server by nftables inside it",
		"have nf_tables with nat and redir in the kernel (modprobe nft_redir); until then functions in a private network reach the server only")
	lateErr := l.tryLate(ctx)
	report.add("start ahead", lateErr, "runtimes are started before it is known for which function",
		"run as root; until then every environment starts its runtime afresh")
	overlayErr := l.tryOverlay(ctx)
	report.add("overlayfs", overlayErr, "the layers of container images are joined",
		"run as root, with overlayfs in the kernel; until then images are copied, each into a folder of its own")
	l.tier = l.describe(netErr == nil, lateErr == nil)
	l.tier.Overlay = overlayErr == nil
	l.tier.Egress = egressErr == nil
	return l, nil
}

// try starts a sandbox that ends at once.
func (l *launcher) try(ctx context.Context, spec Spec) error {
	spec.Memory, spec.Pids, spec.CPU = 64<<20, 16, CPU{Weight: 100}
	p, err := l.launch(ctx, spec, true, nil)
	if err != nil {
		return err
	}
	discard(p.Output())
	p.Output().Close()
	st, err := p.Wait(ctx)
	if err != nil {
		return err
	}
	if st.Code != 0 {
		return fmt.Errorf("the sandbox ended with code %d, signal %d", st.Code, st.Signal)
	}
	return nil
}

func (l *launcher) describe(network, ahead bool) Tier {
	t := Tier{Name: TierNamespaces, OwnRoot: true, PrivateNetwork: network, StartAhead: ahead, MemoryLimit: l.cgroups != nil}
	t.Holds = []string{
		"a root of its own: only its code, a private /tmp and the system's folders, read-only",
		"no sight of other processes, and an end of all its processes with the server's",
		"no capabilities, no new privileges, a filtered set of system calls",
	}
	if l.privileged {
		t.Holds = append(t.Holds, "a user of the host that nobody else has")
	} else {
		t.Name = TierUnprivileged
		t.Lacks = append(t.Lacks, "functions run as the server's own user and supplementary groups: per-user limits of the kernel are shared")
	}
	if network {
		t.Holds = append(t.Holds, "a private network where it is asked for")
	} else {
		t.Lacks = append(t.Lacks, "no private network: functions reach what the host reaches")
	}
	t.LacksOnHost = append(t.LacksOnHost, "on the host's network, abstract unix sockets and loopback services of the host can be reached")
	if l.cgroups != nil {
		t.Holds = append(t.Holds, "limits of memory, tasks and CPU")
	} else {
		if l.privileged {
			t.Name = TierNoCgroups
		}
		t.Lacks = append(t.Lacks, "no control groups: memory, tasks and CPU are not limited")
	}
	return t
}

func cgroupDetail(c *cgroups) string {
	switch {
	case c == nil:
		return ""
	case c.unified != "":
		return "version 2 at " + c.unified
	default:
		return "version 1 at " + c.v1["memory"] + " and its siblings"
	}
}

// add adds the outcome of an attempt.
func (r *Report) add(name string, err error, detail, fix string) {
	c := Check{Name: name, OK: err == nil, Detail: detail}
	if err != nil {
		c.Detail, c.Fix = err.Error(), fix
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			c.Detail = "forbidden: " + c.Detail
		}
	}
	r.Checks = append(r.Checks, c)
}
