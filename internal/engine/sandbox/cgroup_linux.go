//go:build linux && (amd64 || arm64)

package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups makes control groups below one folder per hierarchy that belongs to
// this launcher alone. Of version 1 there is one hierarchy per controller, of
// version 2 a single one.
type cgroups struct {
	// unified is the folder in a version 2 hierarchy, or empty.
	unified string
	// v1 are the folders by controller.
	v1 map[string]string
	// moved is the leaf that the server was moved into, if it was.
	moved string
}

// group is the control groups of one sandbox.
type group struct {
	unified string
	v1      map[string]string
	dir     *os.File // of unified, to be born into
}

// The controllers of version 1. Joining each costs time at every launch, so
// what can be had otherwise is not among them: processor time comes with the
// end of the processes, and freezing is done by signals.
var controllers = [...]string{"memory", "pids", "cpu"}

// openCgroups finds a place for the groups of the launcher with this state
// folder and clears away what a dead one left there.
func openCgroups(ctx context.Context, state string) (*cgroups, error) {
	mounts, err := cgroupMounts()
	if err != nil {
		return nil, err
	}
	name := groupName(state)
	c := &cgroups{v1: map[string]string{}}
	if mounts["memory"] != "" && mounts["pids"] != "" {
		for _, ctl := range controllers {
			at := mounts[ctl]
			if at == "" {
				continue
			}
			dir := filepath.Join(at, name)
			if err := clearGroup(ctx, dir); err != nil {
				return nil, err
			}
			if err := os.Mkdir(dir, 0o755); err != nil {
				_ = c.close()
				return nil, fmt.Errorf("making a control group: %w", err)
			}
			c.v1[ctl] = dir
		}
		return c, nil
	}
	root := mounts["unified"]
	if root == "" {
		return nil, errors.New("no control groups are mounted at /sys/fs/cgroup")
	}
	own, err := ownCgroup("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	err = c.findUnified(ctx, root, own, name)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// groupName is the name of the groups of the launcher with a state folder.
func groupName(state string) string {
	h := fnv.New64a()
	h.Write([]byte(state))
	return fmt.Sprintf("tierra-%016x", h.Sum64())
}

// findUnified looks for a version 2 group whose children can limit memory and
// tasks: below our own group when nobody else is in it (a service with
// Delegate=yes, a container), else beside it, else higher up.
func (c *cgroups) findUnified(ctx context.Context, root, own, name string) error {
	var tried []error
	for at := own; ; at = filepath.Dir(at) {
		parent := filepath.Join(root, at)
		err := c.tryUnified(ctx, parent, name, at == own && !isRealRoot(parent))
		if err == nil {
			return nil
		}
		tried = append(tried, err)
		if at == "/" || at == "." {
			return fmt.Errorf("no control group can be made: %w", errors.Join(tried...))
		}
	}
}

// isRealRoot tells whether a group is the host's root, which alone may have
// processes and hand controllers down; what a container sees as the root is none.
func isRealRoot(group string) bool {
	_, err := os.Stat(filepath.Join(group, "cgroup.type"))
	return errors.Is(err, fs.ErrNotExist)
}

func (c *cgroups) tryUnified(ctx context.Context, parent, name string, ours bool) error {
	dir := filepath.Join(parent, name)
	if err := clearGroup(ctx, dir); err != nil {
		return err
	}
	if ours {
		if err := c.stepAside(parent); err != nil {
			return err
		}
	}
	// Children have the controllers that the parent hands down.
	handed := enabled(parent, "cgroup.subtree_control")
	for _, ctl := range []string{"memory", "pids", "cpu"} {
		if !handed[ctl] {
			_ = write(filepath.Join(parent, "cgroup.subtree_control"), "+"+ctl)
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	has := enabled(dir, "cgroup.controllers")
	if !has["memory"] || !has["pids"] {
		_ = os.Remove(dir)
		return fmt.Errorf("%s: the memory and pids controllers are not handed down", parent)
	}
	for ctl := range has {
		if err := write(filepath.Join(dir, "cgroup.subtree_control"), "+"+ctl); err != nil && ctl != "cpu" {
			_ = os.Remove(dir)
			return err
		}
	}
	c.unified = dir
	return nil
}

// stepAside moves this process from group parent into a leaf below, as a group
// of version 2 with processes of its own cannot hand controllers down.
func (c *cgroups) stepAside(parent string) error {
	procs, err := os.ReadFile(filepath.Join(parent, "cgroup.procs"))
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(string(procs)); got != strconv.Itoa(os.Getpid()) {
		return fmt.Errorf("%s: other processes live there too", parent)
	}
	leaf := filepath.Join(parent, "tierra-server")
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := write(filepath.Join(leaf, "cgroup.procs"), strconv.Itoa(os.Getpid())); err != nil {
		return err
	}
	c.moved = leaf
	return nil
}

// close removes the launcher's own groups; those of sandboxes are gone by then.
func (c *cgroups) close() error {
	var errs []error
	for _, dir := range c.v1 {
		errs = append(errs, removeGroup(dir))
	}
	if c.unified != "" {
		errs = append(errs, removeGroup(c.unified))
	}
	return errors.Join(errs...)
}

// newGroup makes the groups of one sandbox and sets their limits.
func (c *cgroups) newGroup(name string, spec Spec) (_ *group, err error) {
	g := &group{v1: map[string]string{}}
	defer func() {
		if err != nil {
			_ = g.remove()
		}
	}()
	if c.unified != "" {
		g.unified = filepath.Join(c.unified, name)
		if err := os.Mkdir(g.unified, 0o755); err != nil {
			return g, err
		}
		if g.dir, err = os.Open(g.unified); err != nil {
			return g, err
		}
	}
	for ctl, parent := range c.v1 {
		dir := filepath.Join(parent, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return g, err
		}
		g.v1[ctl] = dir
	}
	return g, errors.Join(g.limitMemory(spec.Memory), g.limitPids(spec.Pids), g.setCPU(spec.CPU))
}

func (g *group) limitMemory(n int64) error {
	if n <= 0 {
		return nil
	}
	limit := strconv.FormatInt(n, 10)
	if dir := g.v1["memory"]; dir != "" {
		if err := write(filepath.Join(dir, "memory.limit_in_bytes"), limit); err != nil {
			return err
		}
		return ifExists(write(filepath.Join(dir, "memory.memsw.limit_in_bytes"), limit))
	}
	return errors.Join(
		write(filepath.Join(g.unified, "memory.max"), limit),
		ifExists(write(filepath.Join(g.unified, "memory.swap.max"), "0")),
		ifExists(write(filepath.Join(g.unified, "memory.oom.group"), "0")),
	)
}

func (g *group) limitPids(n int) error {
	if n <= 0 {
		return nil
	}
	limit := strconv.Itoa(n + 1) // process 1 is not the program's
	if dir := g.v1["pids"]; dir != "" {
		return write(filepath.Join(dir, "pids.max"), limit)
	}
	return write(filepath.Join(g.unified, "pids.max"), limit)
}

// cpuPeriod is over what time the limit of cores is held, in microseconds.
const cpuPeriod = 100_000

func (g *group) setCPU(c CPU) error {
	var errs []error
	weight := min(max(c.Weight, 1), 10000)
	quota := int(c.Cores * cpuPeriod)
	if dir := g.v1["cpu"]; dir != "" {
		if c.Weight > 0 {
			// 1024 of version 1 are 100 of version 2.
			errs = append(errs, write(filepath.Join(dir, "cpu.shares"), strconv.Itoa(max(2, weight*1024/100))))
		}
		if c.Cores > 0 {
			errs = append(errs, write(filepath.Join(dir, "cpu.cfs_quota_us"), strconv.Itoa(max(quota, 1000))))
		}
	}
	if g.unified != "" {
		if c.Weight > 0 {
			errs = append(errs, ifExists(write(filepath.Join(g.unified, "cpu.weight"), strconv.Itoa(weight))))
		}
		if c.Cores > 0 {
			errs = append(errs, ifExists(write(filepath.Join(g.unified, "cpu.max"), fmt.Sprintf("%d %d", max(quota, 1000), cpuPeriod))))
		}
	}
	return errors.Join(errs...)
}

// entries are the files by which a thread joins the groups of version 1, writing
// "0" for itself; into one of version 2 it is born. To move another process, or
// a whole one, the kernel waits until no process forks anywhere, for 4 to 13 ms:
// five times what all the rest of a start takes.
func (g *group) entries() []string {
	var all []string
	for _, dir := range g.v1 {
		all = append(all, filepath.Join(dir, "tasks"))
	}
	return all
}

// freeze stops or resumes everything in the group.
func (g *group) freeze(on bool) error {
	if g.unified != "" {
		state := "0"
		if on {
			state = "1"
		}
		return write(filepath.Join(g.unified, "cgroup.freeze"), state)
	}
	return errors.ErrUnsupported
}

// oomKilled tells whether the kernel killed something for want of memory.
func (g *group) oomKilled() bool {
	if dir := g.v1["memory"]; dir != "" {
		return keyed(filepath.Join(dir, "memory.oom_control"), "oom_kill") > 0
	}
	return keyed(filepath.Join(g.unified, "memory.events"), "oom_kill") > 0
}

func (g *group) usage() Usage {
	if dir := g.v1["memory"]; dir != "" {
		return Usage{PeakMemory: number(filepath.Join(dir, "memory.max_usage_in_bytes"))}
	}
	return Usage{
		PeakMemory: number(filepath.Join(g.unified, "memory.peak")),
		CPU:        time.Duration(keyed(filepath.Join(g.unified, "cpu.stat"), "usage_usec")) * time.Microsecond,
	}
}

func (g *group) remove() error {
	var errs []error
	if g.dir != nil {
		errs = append(errs, g.dir.Close())
	}
	if g.unified != "" {
		errs = append(errs, removeGroup(g.unified))
	}
	for _, dir := range g.v1 {
		errs = append(errs, removeGroup(dir))
	}
	return errors.Join(errs...)
}

// clearGroup kills everything in a group that a dead server left, and removes it.
func clearGroup(ctx context.Context, dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := clearGroup(ctx, filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	// A frozen process cannot die.
	_ = ifExists(write(filepath.Join(dir, "cgroup.freeze"), "0"))
	for {
		procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			return err
		}
		for _, p := range strings.Fields(string(procs)) {
			if pid, err := strconv.Atoi(p); err == nil && pid > 1 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if len(procs) == 0 {
			return removeGroup(dir)
		}
		if err := nap(ctx); err != nil {
			return fmt.Errorf("waiting for the processes of %s to end: %w", dir, err)
		}
	}
}

// nap passes a millisecond.
func nap(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := unix.Poll(nil, 1)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	return err
}

// removeGroup removes a group. The kernel may count a process in it for a
// moment after its end was reported.
func removeGroup(dir string) error {
	for range 200 {
		err := syscall.Rmdir(dir)
		switch {
		case err == nil || errors.Is(err, syscall.ENOENT):
			return nil
		case !errors.Is(err, syscall.EBUSY):
			return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
		}
		_ = nap(context.Background())
	}
	return fmt.Errorf("control group %s still has processes", dir)
}

// cgroupMounts are the mount points by controller; of version 2 by "unified".
func cgroupMounts() (map[string]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[string]string{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		before, after, ok := strings.Cut(sc.Text(), " - ")
		head, tail := strings.Fields(before), strings.Fields(after)
		if !ok || len(head) < 5 || len(tail) < 3 {
			continue
		}
		switch tail[0] {
		case "cgroup2":
			out["unified"] = head[4]
		case "cgroup":
			for _, opt := range strings.Split(tail[2], ",") {
				out[opt] = head[4]
			}
		}
	}
	return out, nil
}

// ownCgroup is the version 2 group that this process is in.
func ownCgroup(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(b)) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return filepath.Clean("/" + p), nil
		}
	}
	return "", errors.New("this process is in no control group of version 2")
}

func enabled(dir, file string) map[string]bool {
	b, _ := os.ReadFile(filepath.Join(dir, file))
	out := map[string]bool{}
	for _, f := range strings.Fields(string(b)) {
		if f == "memory" || f == "pids" || f == "cpu" {
			out[f] = true
		}
	}
	return out
}

// write writes to a file of the kernel, in one write and without making it.
func write(path, value string) error {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	if _, err := syscall.Write(fd, []byte(value)); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

func ifExists(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// number reads a file that holds one number; 0 if it cannot.
func number(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n
}

// keyed reads the number after key in a file of "key number" lines.
func keyed(path, key string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, key+" "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return n
		}
	}
	return 0
}
