package sandbox

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLeast(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		files []string
		want  int64
	}{
		{nil, 1000}, {[]string{filepath.Join(dir, "none")}, 1000}, {[]string{file("max", "max\n")}, 1000}, {[]string{file("less", "700\n")}, 700},
		{[]string{file("more", "9223372036854771712\n")}, 1000}, {[]string{file("empty", "")}, 1000}, {[]string{file("zero", "0\n"), file("few", "5")}, 5},
	} {
		if got := least(1000, c.files...); got != c.want {
			t.Errorf("%v: %d, want %d", c.files, got, c.want)
		}
	}
	if MachineMemory() < 1<<20 {
		t.Error("this machine has no memory")
	}
}
