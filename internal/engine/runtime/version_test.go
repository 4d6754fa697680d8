package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestVersionName(t *testing.T) {
	for want, in := range map[string][2]string{
		"nodejs:22.v22.11.0": {"nodejs22.x", "22.11.0"}, "python:3.12.v3.12.4": {"python3.12", "3.12.4"}, "java:21.v21.0.5": {"java21", "21.0.5"},
		"ruby:3.3.v3.3.1": {"ruby3.3", "3.3.1"}, "provided:al2023.vdebian-12": {"provided.al2023", "debian-12"}, "provided.vx": {"provided", "x"}, "python:3.9.v3.11.2": {"python3.9", "3.11.2"},
	} {
		if got := versionName(in[0], in[1]); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestOSRelease(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n": "debian-12", "ID=\"arch\"\n": "arch", "": "unknown", "VERSION_ID=3": "unknown-3",
	} {
		path := filepath.Join(dir, "os-release")
		write(t, path, text)
		if got := osRelease(path); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
	if got := osRelease(filepath.Join(dir, "none")); got != "unknown" {
		t.Errorf("without the file: %s", got)
	}
}

// putInterpreter puts a file into a folder and says that it is an interpreter.
func putInterpreter(t *testing.T, at string, v Version) Interpreter {
	t.Helper()
	write(t, at, fmt.Sprintf("not a script %s", v))
	return Interpreter{Family: "python", Path: at, Version: v, stamp: stampOf(at)}
}

// TestRuntimeVersions: each version that is there can be asked for, and none else.
func TestRuntimeVersions(t *testing.T) {
	dir := t.TempDir()
	c, err := NewCatalog(CatalogConfig{Dir: t.TempDir(), Path: dir, Home: dir})
	if err != nil {
		t.Fatal(err)
	}
	c.found["python"] = []Interpreter{
		putInterpreter(t, filepath.Join(dir, "a", "bin", "python3.13"), Version{3, 13, 1}),
		putInterpreter(t, filepath.Join(dir, "b", "bin", "python3.12"), Version{3, 12, 999}),
		putInterpreter(t, filepath.Join(dir, "c", "bin", "python3.12"), Version{3, 12, 998}),
	}
	all, err := c.Versions(t.Context(), "python3.12")
	if want := []string{"python:3.12.v3.12.999", "python:3.12.v3.12.998"}; err != nil || !slices.Equal(all, want) {
		t.Fatalf("%q, %v", all, err)
	}
	for i, name := range all {
		choice, err := c.ResolveVersion(t.Context(), "python3.12", name)
		if err != nil || choice.VersionName() != name || choice.Path != c.found["python"][1+i].Path || !choice.Exact {
			t.Errorf("%s: %+v, %v", name, choice, err)
		}
	}
	for _, name := range []string{"python:3.12.v3.12.5", "python:3.13.v3.13.1", ""} {
		_, err := c.ResolveVersion(t.Context(), "python3.12", name)
		if missing := (*UnavailableError)(nil); !errors.As(err, &missing) {
			t.Errorf("%q: %v", name, err)
		}
	}
	own, err := c.Versions(t.Context(), "provided.al2023")
	if err != nil || len(own) != 1 {
		t.Fatalf("%q, %v", own, err)
	}
	if _, err := c.ResolveVersion(t.Context(), "provided.al2023", own[0]); err != nil {
		t.Error(err)
	}
	if _, err := c.ResolveVersion(t.Context(), "provided.al2023", "provided:al2023.vplan9-4"); err == nil {
		t.Error("another system's version was found")
	}
	// A program that was replaced is asked again: this one tells no version.
	replaced := c.found["python"][2].Path
	if err := os.Chtimes(replaced, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ResolveVersion(t.Context(), "python3.12", "python:3.12.v3.12.998"); err == nil {
		t.Error("a version was found that is not there any more")
	}
}
