package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/data/lease"
)

// TestServeRefuses: who cannot start a server is told why, and what to do.
func TestServeRefuses(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	held := filepath.Join(dir, "held")
	if err := os.Mkdir(held, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := lease.Acquire(held)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Release() }()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	free := filepath.Join(dir, "free")
	for _, c := range []struct {
		args string
		want []string
	}{
		{"--data " + free + " --listen " + taken.Addr().String(), []string{taken.Addr().String(), "stop what listens there, or choose another address with --listen"}},
		{"--data " + free + " --listen 4567", []string{"cannot listen on 4567", "HOST:PORT, as in --listen 127.0.0.1:4566"}},
		{"--data " + held + " --listen 127.0.0.1:0", []string{"in use by process", "name another folder with --data"}},
		{"--data " + filepath.Join(dir, "file", "data"), []string{"make the data folder", "--data"}},
		{"--data " + free + " --api-rate 0", []string{"--api-rate", "too small"}},
		{"--data " + free + " --function-memory -1", []string{"--function-memory", "too small"}},
		{"--auth maybe", []string{"--auth", "enforce, audit, off"}},
	} {
		_, err := run(t, append([]string{"serve"}, strings.Fields(c.args)...)...)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("serve %s: %v, want %q", c.args, err, want)
			}
		}
	}
}

// TestDoctorWithoutTemporaryFolder: it says what it needs.
func TestDoctorWithoutTemporaryFolder(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	if _, err := run(t, "doctor"); err == nil || !strings.Contains(err.Error(), "set TMPDIR") {
		t.Errorf("doctor: %v", err)
	}
}
