package pebble_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/faulty"
	"github.com/tierra-cloud/tierra/internal/data/pebble"
)

func TestFormat(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "FORMAT")
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "1\n" {
		t.Fatalf("FORMAT = %q, %v", text, err)
	}
	for _, c := range []struct {
		text  string
		newer bool
		says  string
	}{
		{"2\n", true, "version 2"},
		{"99", true, "up to version 1"},
		{"", false, "does not hold a version"},
		{"one", false, "does not hold a version"},
		{"0", false, "does not hold a version"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := pebble.Open(dir, pebble.Options{})
		if err == nil || errors.Is(err, data.ErrFormat) != c.newer || !strings.Contains(err.Error(), c.says) {
			t.Errorf("FORMAT %q: Open = %v", c.text, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := pebble.Open(dir, pebble.Options{}); err == nil || !strings.Contains(err.Error(), "no FORMAT") {
		t.Errorf("a database without FORMAT: Open = %v", err)
	}
}

func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	s, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := pebble.Open(dir, pebble.Options{}); err == nil {
		t.Error("the folder could be opened twice")
	}
}

// A new folder is there after a crash as soon as Open has returned, and a crash
// within Open leaves nothing that cannot be opened.
func TestCrashWhileCreating(t *testing.T) {
	for keep := 0; keep <= 100; keep += 50 {
		disk := faulty.NewDisk(uint64(keep))
		s, err := pebble.Open("/x/y/z", pebble.Options{FS: disk.FS()})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Update(context.Background(), func(tx data.Txn) error { return tx.Put([]byte("k"), nil) }); err != nil {
			t.Fatal(err)
		}
		after := disk.Crash(keep)
		s.Close()
		if s, err = pebble.Open("/x/y/z", pebble.Options{FS: after.FS()}); err != nil {
			t.Fatal(err)
		}
		if err := s.View(context.Background(), func(r data.Reader) error {
			if _, ok, err := r.Get([]byte("k")); !ok {
				t.Errorf("keep %d: the acknowledged write is gone: %v", keep, err)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		s.Close()
	}
}
