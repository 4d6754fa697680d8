//go:build linux && (amd64 || arm64)

package sandbox_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// imaged launches everything in a root of its own, made of what the spec mounts.
type imaged struct {
	sandbox.Launcher
	t      testing.TB
	copied bool // the root is one folder
}

// Launch implements sandbox.Launcher.
func (l imaged) Launch(ctx context.Context, spec sandbox.Spec) (sandbox.Process, error) {
	dir := readable(l.t)
	libraries(l.t, dir)
	if err := os.Mkdir(filepath.Join(dir, "usr"), 0o755); err != nil {
		l.t.Fatal(err)
	}
	layers := []string{dir}
	for _, m := range spec.Mounts {
		if !l.copied {
			dir = readable(l.t)
			layers = append(layers, dir)
		}
		copyTree(l.t, m.Source, filepath.Join(dir, m.Target))
	}
	spec.Mounts, spec.Root = nil, &sandbox.Root{Layers: layers}
	if l.copied {
		if err := sandbox.Furnish(dir); err != nil {
			l.t.Fatal(err)
		}
		spec.Root = &sandbox.Root{Dir: dir}
	}
	return l.Launcher.Launch(ctx, spec)
}

func readable(t testing.TB) string {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// copyTree copies the files of one folder.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		at := filepath.Join(from, e.Name())
		if link, err := os.Readlink(at); err == nil {
			if err := os.Symlink(link, filepath.Join(to, e.Name())); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if e.IsDir() || os.Link(at, filepath.Join(to, e.Name())) == nil {
			continue
		}
		in, err := os.Open(at)
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.OpenFile(filepath.Join(to, e.Name()), os.O_CREATE|os.O_WRONLY, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(out, in); err != nil {
			t.Fatal(err)
		}
		in.Close()
		out.Close()
	}
}

// libraries copies what this test program is linked with, if anything, into a root.
func libraries(t testing.TB, root string) {
	t.Helper()
	out, _ := exec.Command("ldd", os.Args[0]).CombinedOutput() // fails for what needs none
	for _, f := range strings.Fields(string(out)) {
		if !strings.HasPrefix(f, "/") || strings.HasSuffix(f, ":") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(root, f)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, b, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRootForbidden runs the attempts to break out in a root of its own.
func TestRootForbidden(t *testing.T) {
	eachRoot(t, func(t *testing.T, l sandbox.Launcher) {
		testForbidden(t, l)
		testHostFilesAreInvisible(t, l)
	})
}

// eachRoot runs a test with joined layers and with one folder.
func eachRoot(t *testing.T, f func(*testing.T, sandbox.Launcher)) {
	t.Run("joined", func(t *testing.T) {
		l := openBest(t)
		if !l.Tier().Overlay {
			t.Skip("this host does not join folders")
		}
		f(t, imaged{Launcher: l, t: t})
	})
	t.Run("copied", func(t *testing.T) { f(t, imaged{openBest(t), t, true}) })
}

// TestRootShowsNothingElse: a root has what its layers have, and what every root has.
func TestRootShowsNothingElse(t *testing.T) {
	eachRoot(t, func(t *testing.T, l sandbox.Launcher) {
		out, st := finish(t, l, self(t, "attempt", "list", "/", "/dev", "/tmp", "/etc"))
		want := "/: dev etc proc tmp usr var\n/dev: fd full null random stderr stdin stdout urandom zero\n/tmp:\n/etc: group hostname hosts nsswitch.conf passwd resolv.conf"
		if out != want || st.Code != 0 {
			t.Errorf("%+v\n%s\nwant\n%s", st, out, want)
		}
	})
}

// TestRootMemoryBomb: limits hold in a root of its own.
func TestRootMemoryBomb(t *testing.T) {
	l := openLimits(t)
	spec := self(t, "attempt", "bomb")
	spec.Memory, spec.Pids = 192<<20, 100
	if _, st := finish(t, imaged{l, t, true}, spec); !st.OOMKilled {
		t.Errorf("got %+v", st)
	}
}

// TestRootHostileLayers: whatever a layer has in the places of mounts, they are
// the sandbox's own.
func TestRootHostileLayers(t *testing.T) {
	for _, copied := range []bool{false, true} {
		l := openBest(t)
		if !copied && !l.Tier().Overlay {
			continue
		}
		outside := readable(t)
		hostile := readable(t)
		exe, _ := os.Executable()
		copyTree(t, filepath.Dir(exe), filepath.Join(hostile, "bin"))
		libraries(t, hostile)
		for name, to := range map[string]string{"tmp": outside, "dev": outside, "proc": outside, "etc": outside} {
			if err := os.Symlink(to, filepath.Join(hostile, name)); err != nil {
				t.Fatal(err)
			}
		}
		root := &sandbox.Root{Layers: []string{hostile}}
		if copied {
			if err := sandbox.Furnish(hostile); err != nil {
				t.Fatal(err)
			}
			root = &sandbox.Root{Dir: hostile}
		}
		// Named without a folder, it is found along PATH.
		out, st := finish(t, l, sandbox.Spec{Root: root, Argv: []string{filepath.Base(exe), "attempt", "list", "/", "/tmp"}, Env: []string{"PATH=/none:/bin"}})
		if out != "/: bin dev etc proc tmp\n/tmp:" || st.Code != 0 {
			t.Errorf("copied %v: %+v\n%s", copied, st, out)
		}
		if left, _ := os.ReadDir(outside); len(left) != 0 {
			t.Errorf("written outside: %v", left)
		}
	}
}

// TestRootWhiteouts: what a layer removes is gone, and a folder that it makes anew
// shows nothing of the old one.
func TestRootWhiteouts(t *testing.T) {
	l := openBest(t)
	if !l.Tier().Overlay {
		t.Skip("this host does not join folders")
	}
	low, high := readable(t), readable(t)
	exe, _ := os.Executable()
	copyTree(t, filepath.Dir(exe), filepath.Join(low, "bin"))
	libraries(t, low)
	for _, f := range []string{"keep/a", "gone/a", "anew/a"} {
		if err := os.MkdirAll(filepath.Join(low, filepath.Dir(f)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(low, f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mknod(filepath.Join(high, "gone"), unix.S_IFCHR, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(high, "anew"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setxattr(filepath.Join(high, "anew"), "trusted.overlay.opaque", []byte("y"), 0); err != nil {
		t.Fatal(err)
	}
	out, st := finish(t, l, sandbox.Spec{Root: &sandbox.Root{Layers: []string{low, high}}, Argv: []string{"/bin/" + filepath.Base(exe), "attempt", "list", "/", "/keep", "/anew"}})
	if out != "/: anew bin dev etc keep proc tmp\n/keep: a\n/anew:" || st.Code != 0 {
		t.Errorf("%+v\n%s", st, out)
	}
	_, err := l.Launch(t.Context(), sandbox.Spec{Root: &sandbox.Root{Layers: []string{low}}, Argv: []string{"none"}})
	if exec := (*sandbox.ExecError)(nil); !errors.As(err, &exec) || exec.Program != "none" || !errors.Is(err, unix.ENOENT) {
		t.Errorf("a missing program: %v", err)
	}
}
