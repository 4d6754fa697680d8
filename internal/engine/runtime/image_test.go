package runtime

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// TestExtensionsOfImage looks for them as overlayfs joins the layers.
func TestExtensionsOfImage(t *testing.T) {
	layer := func(files ...string) string {
		dir := t.TempDir()
		for _, f := range files {
			p := filepath.Join(dir, f)
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	low := layer("opt/extensions/one", "opt/extensions/two", "opt/extensions/folder/x", "usr/bin/program")
	high := layer("opt/extensions/three", "opt/other")
	for link, to := range map[string]string{"linked": "/usr/bin/program", "out": "/etc"} {
		if err := os.Symlink(to, filepath.Join(high, "opt/extensions", link)); err != nil {
			t.Fatal(err)
		}
	}
	file := layer("opt")
	for _, c := range []struct {
		layers []string
		want   []string
	}{
		{[]string{layer("usr/bin/program")}, nil},
		{[]string{low}, []string{"one", "two"}},
		{[]string{low, layer("opt/other"), high}, []string{"linked", "one", "out", "three", "two"}},
		{[]string{low, file}, nil},
		{[]string{low, file, high}, []string{"linked", "out", "three"}},
	} {
		got, err := (&Image{Root: &sandbox.Root{Layers: c.layers}}).extensions()
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, %v", c.layers, got, err)
		}
	}
	if got, err := (&Image{Root: &sandbox.Root{Dir: low}}).extensions(); err != nil || !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("one folder: %v, %v", got, err)
	}
	if _, err := (&Image{Root: &sandbox.Root{Dir: filepath.Join(low, "none")}}).extensions(); err == nil {
		t.Error("no folder")
	}
}
