package image_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tierra-cloud/tierra/internal/engine/image"
)

// TestDiskFull: a disk that is full is not the image's fault, and nothing is left of
// what did not fit.
func TestDiskFull(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(w.dir, "trees")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k,mode=755"); err != nil {
		t.Skipf("a small disk takes the right to mount one: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	var b bytes.Buffer
	a := tar.NewWriter(&b)
	for _, name := range []string{"small", "large"} {
		body := make([]byte, map[string]int{"small": 1 << 10, "large": 1 << 20}[name])
		err := a.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = a.Write(body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	large := image.Layer{Digest: w.put(b.Bytes()), Diff: image.DigestOf(b.Bytes())}
	small := w.layer("a", "b")
	trees := w.trees(false)
	_, _, _, err := trees.Root(t.Context(), []image.Layer{small, large})
	var bad *image.CorruptError
	if !errors.Is(err, unix.ENOSPC) || errors.As(err, &bad) {
		t.Errorf("got %v", err)
	}
	if left := w.left(); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	_, _, release, err := trees.Root(t.Context(), []image.Layer{small})
	if err != nil {
		t.Fatalf("what fits: %v", err)
	}
	release()
}
