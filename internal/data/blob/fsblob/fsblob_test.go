package fsblob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
	"github.com/tierra-cloud/tierra/internal/data/blob/blobtest"
)

func open(t *testing.T, dir string) blob.Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blob.Store { return open(t, t.TempDir()) })
}

func commit(t *testing.T, s blob.Store, name string) {
	t.Helper()
	w, err := s.Create(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(name)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(name); err != nil {
		t.Fatal(err)
	}
}

// What was committed is there after opening again, what was not is gone, and
// nobody else may read any of it.
func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := open(t, dir)
	for _, name := range blobtest.GoodNames() {
		commit(t, s, name)
	}
	w, err := s.Create(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("left over")); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) != 0 {
		t.Errorf("tmp holds %v, %v", left, err)
	}
	names, err := s.Names(context.Background(), "")
	if err != nil || len(names) != len(blobtest.GoodNames()) {
		t.Errorf("%d names, %v, want %d", len(names), err, len(blobtest.GoodNames()))
	}
	if err := w.Commit("late"); err == nil {
		t.Error("a writer from before could commit what was removed")
	}
	commit(t, s, "next") // the names of temporary files do not clash
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFormat(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	path := filepath.Join(dir, "FORMAT")
	if text, err := os.ReadFile(path); err != nil || string(text) != "1\n" {
		t.Errorf("FORMAT = %q, %v", text, err)
	}
	for text, newer := range map[string]bool{"2\n": true, "": false, "x": false} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		left := filepath.Join(dir, "tmp", "left")
		if err := os.WriteFile(left, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || errors.Is(err, data.ErrFormat) != newer {
			t.Errorf("FORMAT %q: Open = %v", text, err)
		}
		if _, err := os.Stat(left); err != nil {
			t.Errorf("a folder that was refused has been changed: %v", err)
		}
	}
}

// Files that are not blobs are no names.
func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	commit(t, s, "x")
	for _, path := range []string{"blobs/stray", "blobs/00/x", "blobs/zz/a b", "blobs/00/=", "blobs/00/a+/", "blobs/x/y/z"} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(path, "+") {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if names, err := s.Names(context.Background(), ""); err != nil || len(names) != 1 {
		t.Errorf("Names = %q, %v", names, err)
	}
}

// Each name has a file of its own, even where case is not told apart, that is
// inside its folder and not too long.
func FuzzFile(f *testing.F) {
	for _, name := range blobtest.GoodNames() {
		f.Add(name, "a/b")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if blob.CheckName(a) != nil {
			return
		}
		path := file(a)
		if !filepath.IsLocal(path) || path != strings.ToLower(path) {
			t.Errorf("file(%q) = %q", a, path)
		}
		for part := range strings.SplitSeq(path, "/") {
			if part == "" || len(part) > 255 {
				t.Errorf("file(%q) has the part %q", a, part)
			}
		}
		if name, ok := nameOf(path); !ok || name != a {
			t.Errorf("nameOf(file(%q)) = %q, %v", a, name, ok)
		}
		if blob.CheckName(b) == nil && a != b {
			if other := file(b); other == path || strings.HasPrefix(other, path+"/") {
				t.Errorf("file(%q) = %q, file(%q) = %q", a, path, b, other)
			}
		}
		_, _ = nameOf(b) // does not panic
	})
}
