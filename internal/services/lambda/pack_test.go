package lambda

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// entry is one entry of a package.
type entry struct {
	name, body string
	mode       fs.FileMode // 0 is a plain file
}

func zipped(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if len(e.body) > 1<<20 { // it is slow with the race detector
			h.Method = zip.Store
		}
		if e.mode == 0 {
			e.mode = 0o644
		}
		h.SetMode(e.mode)
		f, err := w.CreateHeader(h)
		if err == nil {
			_, err = f.Write([]byte(e.body))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	defer syscall.Umask(syscall.Umask(0o077)) // it must not matter
	z := zipped(t,
		entry{"bin/", "", fs.ModeDir | 0o755}, entry{"bin/run", "#!", 0o700}, entry{"a/b/data.txt", "data", 0o600}, entry{`win\file.js`, "x", 0},
		entry{"a/link", "b/data.txt", fs.ModeSymlink | 0o777},
	)
	if _, err := unpack(bytes.NewReader(z), int64(len(z)), dir, maxUnzipped); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"bin": 0o755, "a/b": 0o755, "win": 0o755, "bin/run": 0o755, "a/b/data.txt": 0o644, "win/file.js": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "a/link")); err != nil || string(b) != "data" {
		t.Errorf("through the link: %q, %v", b, err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	good := zipped(t, entry{"index.js", strings.Repeat("x", 1000), 0})
	corrupt := bytes.Clone(good)
	corrupt[40] ^= 0xff
	for name, z := range map[string][]byte{
		"not a zip":           []byte("hello"),
		"nothing":             {},
		"no entries":          zipped(t),
		"cut off":             good[:len(good)-10],
		"corrupt":             corrupt,
		"parent":              zipped(t, entry{"../evil", "x", 0}),
		"parent inside":       zipped(t, entry{"a/../../evil", "x", 0}),
		"parent, backslashes": zipped(t, entry{`..\evil`, "x", 0}),
		"absolute":            zipped(t, entry{"/etc/evil", "x", 0}),
		"drive":               zipped(t, entry{`C:\evil`, "x", 0}),
		"link out":            zipped(t, entry{"l", "../evil", fs.ModeSymlink | 0o777}),
		"absolute link":       zipped(t, entry{"l", "/etc/passwd", fs.ModeSymlink | 0o777}),
		"link over a file":    zipped(t, entry{"l", "x", 0}, entry{"l", "y", fs.ModeSymlink | 0o777}),
		"file through a file": zipped(t, entry{"l", "x", 0}, entry{"l/y", "y", 0}),
		"device":              zipped(t, entry{"d", "", fs.ModeDevice | 0o644}),
		"too big":             zipped(t, entry{"big", strings.Repeat("x", 5000), 0}),
		"too big in all":      zipped(t, entry{"a", strings.Repeat("x", 3000), 0}, entry{"b", strings.Repeat("x", 3000), 0}),
	} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			dir := filepath.Join(top, "in")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			_, err := unpack(bytes.NewReader(z), int64(len(z)), dir, 4096)
			if !errors.Is(err, errPackage) {
				t.Errorf("error: %v", err)
			}
			if list, err := os.ReadDir(top); err != nil || len(list) != 1 {
				t.Errorf("outside of the folder: %v %v", list, err)
			}
		})
	}
}

// TestLinksAreNotWrittenThrough tells that a file below a link's name does not
// land where the link leads.
func TestLinksAreNotWrittenThrough(t *testing.T) {
	z := zipped(t, entry{"real/", "", fs.ModeDir | 0o755}, entry{"l", "real", fs.ModeSymlink | 0o777}, entry{"l/y", "y", 0})
	dir := t.TempDir()
	if _, err := unpack(bytes.NewReader(z), int64(len(z)), dir, 4096); !errors.Is(err, errPackage) {
		t.Errorf("error: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "real/y")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was written through the link: %v", err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(zipped(f, entry{"index.js", "x", 0}, entry{"l", "index.js", fs.ModeSymlink | 0o777}))
	f.Add(zipped(f, entry{"../x", "x", 0}))
	f.Add([]byte("PK"))
	f.Fuzz(func(t *testing.T, z []byte) {
		top := t.TempDir()
		dir := filepath.Join(top, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		_, _ = unpack(bytes.NewReader(z), int64(len(z)), dir, 1<<16)
		if list, err := os.ReadDir(top); err != nil || len(list) != 1 {
			t.Errorf("outside of the folder: %v %v", list, err)
		}
	})
}
