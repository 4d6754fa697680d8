package image_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/engine/image"
)

// TestKept: what was unpacked outlives the server if it is sure to be whole, and
// goes if nobody needs it.
func TestKept(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("nothing is kept on " + runtime.GOOS)
	}
	for _, c := range []struct {
		name string
		// meanwhile is what happens between two servers.
		meanwhile func(t *testing.T, dir string)
		overlay   bool
		kept      bool
	}{
		{"nothing happens", func(*testing.T, string) {}, false, true},
		{"joined", func(*testing.T, string) {}, true, true},
		{"the server ends amid unpacking", func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, "unpack-1"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, false, true},
		{"the machine fails", func(t *testing.T, dir string) { renote(t, dir, "another") }, false, false},
		{"it is synced, and the machine starts anew", func(t *testing.T, dir string) { renote(t, dir, "synced") }, false, true},
		{"the note is damaged", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "whole"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, false, false},
		{"the folder is copied", func(t *testing.T, dir string) {
			if err := os.Rename(dir, dir+".old"); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(dir, os.DirFS(dir+".old")); err != nil {
				t.Fatal(err)
			}
		}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.overlay && os.Geteuid() != 0 {
				t.Skip("marking what a layer removes takes root")
			}
			w := newWorld(t)
			layers := []image.Layer{w.layer("a", "b/c"), w.layer("d", ".wh.a")}
			before := w.trees(c.overlay)
			_, n, _, err := before.Root(t.Context(), layers)
			if err != nil {
				t.Fatal(err)
			}
			before.Close()
			c.meanwhile(t, filepath.Join(w.dir, "trees"))
			// Bytes that are lost show whether they are asked for again.
			for _, l := range layers {
				if err := w.blobs.Delete(t.Context(), "image/sha256/"+l.Digest.Hex()); err != nil {
					t.Fatal(err)
				}
			}
			after := w.trees(c.overlay)
			if left := w.left(); len(left) > 0 && !c.kept || strings.Contains(strings.Join(left, " "), "unpack-") {
				t.Errorf("left behind: %v", left)
			}
			_, m, release, err := after.Root(t.Context(), layers)
			if (err == nil) != c.kept {
				t.Fatalf("kept %v, want %v: %v", err == nil, c.kept, err)
			}
			if !c.kept {
				return
			}
			if m != n {
				t.Errorf("%d bytes, want %d", m, n)
			}
			release()
			if err := after.Collect(func(d image.Digest) (bool, error) { return d == layers[1].Digest, nil }); err != nil {
				t.Fatal(err)
			}
			if left := w.left(); len(left) != 1 {
				t.Errorf("of two layers one is needed: %v", left)
			}
			if err := after.Collect(func(image.Digest) (bool, error) { return false, nil }); err != nil {
				t.Fatal(err)
			}
			if left := w.left(); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// renote lets the note in a folder of trees end in another word.
func renote(t *testing.T, dir, until string) {
	t.Helper()
	p := filepath.Join(dir, "whole")
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(b))
	f[len(f)-1] = until
	if err := os.WriteFile(p, []byte(strings.Join(f, " ")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
