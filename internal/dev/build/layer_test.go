package build

import (
	"archive/zip"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLayers tells where in a layer the files of a folder come to be.
func TestLayers(t *testing.T) {
	dir := t.TempDir()
	for name, body := range map[string]string{"lib.py": "X = 1", "Makefile": "build-L:\n\tcp lib.py $(ARTIFACTS_DIR)/made.py\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	made := func(_ context.Context, in string, env []string, name string, args ...string) ([]byte, error) {
		out := strings.TrimPrefix(env[0], "ARTIFACTS_DIR=")
		return nil, os.WriteFile(filepath.Join(out, "made.py"), []byte("X = 2"), 0o644)
	}
	b := &Builder{Cache: t.TempDir(), Run: made}
	for method, want := range map[string]string{"": "lib.py", "python3.12": "python/lib.py", "nodejs20.x": "nodejs/lib.py", "makefile": "made.py"} {
		p, err := b.Build(t.Context(), Function{LogicalID: "L", Source: dir, Method: method, Layer: true})
		if err != nil {
			t.Fatal(err)
		}
		z, err := zip.NewReader(bytes.NewReader(p.Zip), int64(len(p.Zip)))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(z.File, func(f *zip.File) bool { return f.Name == want }) {
			t.Errorf("%q: there is no %s", method, want)
		}
	}
	if _, err := b.Build(t.Context(), Function{LogicalID: "L", Source: dir, Method: "esbuild", Layer: true}); err == nil {
		t.Error("a layer was built with esbuild")
	}
}
