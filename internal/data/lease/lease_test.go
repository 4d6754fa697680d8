//go:build unix

package lease

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestLease(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if info, ok := Holder(dir); ok {
		t.Errorf("a folder that is not there is held by %v", info)
	}
	l, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, ok := Holder(dir); !ok || info != (Info{PID: os.Getpid()}) {
		t.Errorf("Holder = %v, %v", info, ok)
	}
	refused := func(says string) {
		t.Helper()
		_, err := Acquire(dir)
		var held *HeldError
		if !errors.As(err, &held) || held.Holder.PID != os.Getpid() || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), dir) {
			t.Errorf("a second Acquire = %v, which does not say %q", err, says)
		}
	}
	refused("process " + strconv.Itoa(os.Getpid()))
	for _, address := range []string{"127.0.0.1:4566", "[::1]:1", "127.0.0.1:65535"} {
		if err := l.SetAddress(address); err != nil {
			t.Fatal(err)
		}
		if info, ok := Holder(dir); !ok || info.Address != address {
			t.Errorf("Holder = %v, %v, want %s", info, ok, address)
		}
		refused("listens at " + address)
	}
	for range 2 {
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
	if info, ok := Holder(dir); ok {
		t.Errorf("after Release it is held by %v", info)
	}
	if err := l.SetAddress("x"); err == nil {
		t.Error("SetAddress after Release gives no error")
	}
	if l, err = Acquire(dir); err != nil {
		t.Fatal(err)
	}
	if info, ok := Holder(dir); !ok || info.Address != "" {
		t.Errorf("the new holder = %v, %v, with an old address", info, ok)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

// What the file says does not matter when nobody locks it, and may be garbage.
func TestGarbage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, fileName)
	for _, text := range []string{"", "{", `{"pid":1,"address":"x"}`, strings.Repeat("x", 10_000)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if info, ok := Holder(dir); ok {
			t.Errorf("with %.20q it is held by %v", text, info)
		}
		l, err := Acquire(dir)
		if err != nil {
			t.Fatal(err)
		}
		if info, ok := Holder(dir); !ok || info.PID != os.Getpid() {
			t.Errorf("Holder = %v, %v", info, ok)
		}
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		var held *HeldError
		if _, err := Acquire(dir); !errors.As(err, &held) || held.Holder.PID != 0 || !strings.Contains(err.Error(), "another process") {
			t.Errorf("Acquire = %v", err)
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(file); err == nil {
		t.Error("a file could be acquired")
	}
}

// However many try and look on, one at a time has it, and nobody is refused
// because somebody looks.
func TestMany(t *testing.T) {
	dir := t.TempDir()
	var holders atomic.Int32
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 50 {
				l, err := Acquire(dir)
				var held *HeldError
				if errors.As(err, &held) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d hold it at once", n)
				}
				holders.Add(-1)
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					Holder(dir)
				}
			}
		})
	}
	for range 300 {
		l, err := Acquire(dir)
		if err != nil {
			t.Fatalf("refused though nobody had it: %v", err)
		}
		if err := l.Release(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
}

// A process that is killed holds nothing any more.
func TestKilledHolder(t *testing.T) {
	if dir, ok := os.LookupEnv("FOLDER_TO_HOLD"); ok {
		l, err := Acquire(dir)
		if err == nil {
			err = l.SetAddress("child:1")
		}
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString("held\n")
		select {}
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestKilledHolder$")
	child.Env = append(os.Environ(), "FOLDER_TO_HOLD="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	want := Info{PID: child.Process.Pid, Address: "child:1"}
	if info, ok := Holder(dir); !ok || info != want {
		t.Errorf("Holder = %v, %v, want %v", info, ok, want)
	}
	var held *HeldError
	if _, err := Acquire(dir); !errors.As(err, &held) || held.Holder != want {
		t.Errorf("Acquire = %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed, as it should be
	if info, ok := Holder(dir); ok {
		t.Errorf("held by %v, which is dead", info)
	}
	l, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}
