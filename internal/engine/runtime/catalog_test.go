package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestPick(t *testing.T) {
	v := func(family string, versions ...Version) (out []Interpreter) {
		for _, x := range versions {
			out = append(out, Interpreter{Family: family, Path: "/x", Version: x})
		}
		return out
	}
	pythons := v("python", Version{3, 13, 1}, Version{3, 12, 7}, Version{3, 12, 1}, Version{3, 10, 0})
	nodes := v("nodejs", Version{22, 3, 0}, Version{20, 11, 0}, Version{20, 1, 0})
	rubies := v("ruby", Version{3, 3, 2}, Version{3, 1, 2}, Version{2, 7, 0})
	javas := v("java", Version{25, 0, 0}, Version{17, 0, 15})
	for _, c := range []struct {
		family       string
		all          []Interpreter
		major, minor int
		want         string
		exact        bool
	}{
		{"python", pythons, 3, 12, "3.12.7", true},
		{"python", pythons, 3, 11, "3.12.7", false},
		{"python", pythons, 3, 9, "3.10.0", false},
		{"python", pythons, 3, 14, "", false},
		{"python", nil, 3, 12, "", false},
		{"nodejs", nodes, 20, 0, "20.11.0", true},
		{"nodejs", nodes, 18, 0, "20.11.0", false},
		{"nodejs", nodes, 24, 0, "22.3.0", false},
		{"nodejs", nil, 20, 0, "", false},
		{"ruby", rubies, 3, 3, "3.3.2", true},
		{"ruby", rubies, 3, 2, "3.3.2", false},
		{"ruby", rubies, 3, 4, "3.3.2", false},
		{"ruby", rubies[2:], 3, 2, "", false},
		{"java", javas, 17, 0, "17.0.15", true},
		{"java", javas, 21, 0, "25.0.0", false},
		{"java", javas[1:], 21, 0, "", false},
	} {
		got, exact := pick(c.family, c.all, c.major, c.minor)
		if version := ""; got != nil && got.Version.String() != c.want || got == nil && version != c.want || exact != c.exact {
			t.Errorf("%s %d.%d: got %v, %v", c.family, c.major, c.minor, got, exact)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for in, want := range map[string]Version{
		"Python 3.12.1": {3, 12, 1}, "v20.11.0": {20, 11, 0}, "Python 3.14.0rc1": {3, 14, 0}, "": {}, "3.1": {}, "99999999999999999999.1.1": {},
	} {
		if got, ok := parseVersion(in); got != want || ok != (want != Version{}) {
			t.Errorf("%q: got %v, %v", in, got, ok)
		}
	}
}

// TestCatalog looks at a machine made of shell scripts' neighbours: copies of a
// real program that tells its version.
func TestCatalog(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("uses Linux paths")
	}
	c, err := NewCatalog(CatalogConfig{Dir: t.TempDir(), Path: filepath.Join(t.TempDir(), "none"), Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"provided", "provided.al2", "provided.al2023", "go1.x"} {
		if got, err := c.Resolve(t.Context(), name); err != nil || !got.Exact || got.Protocol != RuntimeAPI || got.Runtime != name {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "python", "python3", "nodejs", "nodejs20", "cobol1.x", "python3.12 "} {
		if _, err := c.Resolve(t.Context(), name); !errors.Is(err, ErrUnknownRuntime) {
			t.Errorf("%q: %v", name, err)
		}
	}
	// Nothing is so new.
	for name, part := range map[string]string{"python3.999": "pyenv install 3.999", "python4.1": "pyenv install 4.1"} {
		_, err := c.Resolve(t.Context(), name)
		var missing *UnavailableError
		if !errors.As(err, &missing) || missing.Runtime != name || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, i := range c.Interpreters(t.Context()) {
		if i.Path == "" || i.Version.Major == 0 {
			t.Errorf("got %+v", i)
		}
	}
}

func TestInterpreterMounts(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "py/lib/python3.12"), 0o755), os.MkdirAll(filepath.Join(dir, "home"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/usr/bin/python3.12":                   "",
		"/usr/local/bin/python3.12":             "",
		filepath.Join(dir, "py/bin/python3.12"): filepath.Join(dir, "py"),
		// A program in somebody's own bin folder does not show the home.
		filepath.Join(dir, "home/bin/python3.12"): filepath.Join(dir, "home/bin/python3.12"),
	} {
		i := Interpreter{Family: "python", Path: path, Version: Version{3, 12, 1}}
		got := ""
		if m := i.mounts(); len(m) == 1 && m[0].Source == m[0].Target {
			got = m[0].Source
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestBootstrapsAreUnpackedOnce(t *testing.T) {
	dir := t.TempDir()
	a, err := unpackBootstraps(dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(a, "node", "bootstrap.cjs")
	if err := os.WriteFile(file, []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := unpackBootstraps(dir)
	if err != nil || a != b {
		t.Fatal(a, b, err)
	}
	if got, err := os.ReadFile(file); err != nil || !strings.Contains(string(got), "use strict") {
		t.Errorf("a damaged bootstrap stays: %.20q, %v", got, err)
	}
}

func TestEnviron(t *testing.T) {
	cfg := Config{Handler: "a.b", Env: []string{"PATH=/mine", "_HANDLER=other", "LAMBDA_TASK_ROOT=/", "A=b=c"}}
	got := strings.Join(cfg.environ("127.0.0.1:9001"), "\n")
	for _, want := range []string{"PATH=/mine", "_HANDLER=a.b", "LAMBDA_TASK_ROOT=/var/task", "A=b=c", "TZ=:UTC", "AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001"} {
		if !strings.Contains("\n"+got+"\n", "\n"+want+"\n") {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
	if strings.Count(got, "PATH=") != 2 { // and LD_LIBRARY_PATH
		t.Errorf("got\n%s", got)
	}
}

// TestPartOfProcessor: Go programs that have less than a processor use one.
func TestPartOfProcessor(t *testing.T) {
	for _, c := range []struct {
		family string
		memory int64
		env    []string
		want   string
	}{
		{"provided", 128 << 20, nil, "1"},
		{"image", 1768 << 20, nil, "1"},
		{"go", 128 << 20, []string{"GOMAXPROCS=4"}, "4"},
		{"provided", 1769 << 20, nil, ""},
		{"provided", 0, nil, ""},
		{"python", 128 << 20, nil, ""},
		{"java", 128 << 20, nil, ""},
	} {
		cfg := Config{Runtime: Choice{Family: c.family}, Memory: c.memory, Env: c.env}
		got := ""
		for _, kv := range cfg.environ("") {
			if v, ok := strings.CutPrefix(kv, "GOMAXPROCS="); ok {
				got += v
			}
		}
		if got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}

func TestInvocationCheck(t *testing.T) {
	for _, inv := range []*Invocation{{RequestID: "a\r\nb"}, {TraceID: "a\nb"}, {FunctionARN: "\x00"}} {
		if inv.check() == nil {
			t.Errorf("%+v is accepted", inv)
		}
	}
	if err := (&Invocation{RequestID: "a", ClientContext: "{\n}"}).check(); err != nil {
		t.Error(err)
	}
}
