package pebble_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/faulty"
	"github.com/tierra-cloud/tierra/internal/data/pebble"
)

var bg = context.Background()

// number reads the number at key, 0 if there is none.
func number(r data.Reader, key string) (int, error) {
	v, ok, err := r.Get([]byte(key))
	if err != nil || !ok {
		return 0, err
	}
	// Numbers are padded to make the engine flush now and then.
	return strconv.Atoi(strings.TrimRight(string(v), " "))
}

func setNumber(tx data.Txn, key string, n int) error {
	return tx.Put([]byte(key), fmt.Appendf(nil, "%-2000d", n))
}

// step counts worker w up, in two keys that must stay equal, and the total of all.
func step(tx data.Txn, w int) error {
	total, err := number(tx, "total")
	if err != nil {
		return err
	}
	n, err := number(tx, fmt.Sprint("a", w))
	if err != nil {
		return err
	}
	return errors.Join(setNumber(tx, "total", total+1),
		setNumber(tx, fmt.Sprint("a", w), n+1), setNumber(tx, fmt.Sprint("b", w), n+1))
}

// verify checks a store that has been opened after a crash: each worker's count is
// at least what had been acknowledged, and everything is consistent.
func verify(t *testing.T, s data.Store, acked []int, total int) {
	t.Helper()
	err := s.View(bg, func(r data.Reader) error {
		sum := 0
		for w, want := range acked {
			a, err := number(r, fmt.Sprint("a", w))
			if err != nil {
				return err
			}
			b, err := number(r, fmt.Sprint("b", w))
			if err != nil {
				return err
			}
			if a != b {
				t.Errorf("worker %d: half a transaction: %d and %d", w, a, b)
			}
			if a < want {
				t.Errorf("worker %d: %d were acknowledged, %d are there", w, want, a)
			}
			sum += a
		}
		got, err := number(r, "total")
		if got != sum {
			t.Errorf("the total is %d, the sum %d", got, sum)
		}
		if got < total {
			t.Errorf("a total of %d had been shown, %d is there", total, got)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The power fails again and again, in the middle of writing. What was acknowledged,
// and what was shown to anybody, is there afterwards.
func TestPowerFailure(t *testing.T) {
	const workers, crashes, steps = 6, 12, 60
	disk := faulty.NewDisk(1)
	for crash := range crashes {
		s, err := pebble.Open("/db", pebble.Options{FS: disk.FS()})
		if err != nil {
			t.Fatalf("after crash %d: %v", crash, err)
		}
		var acked [workers]atomic.Int64
		var shown atomic.Int64 // the greatest total anybody was told
		see := func(r data.Reader) (int, error) { return number(r, "total") }
		tell := func(n int) {
			for {
				old := shown.Load()
				if int64(n) <= old || shown.CompareAndSwap(old, int64(n)) {
					return
				}
			}
		}
		refused := errors.New("refused")
		for w := range workers {
			if err := s.View(bg, func(r data.Reader) error {
				n, err := number(r, fmt.Sprint("a", w))
				acked[w].Store(int64(n))
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		ready := make(chan struct{}, workers)
		for w := range workers {
			wg.Go(func() {
				for i := range steps {
					if err := s.Update(bg, func(tx data.Txn) error { return step(tx, w) }); err != nil {
						t.Error(err)
						return
					}
					acked[w].Add(1)
					// Others are told what they read: in a view, in an update that
					// writes nothing, in one that fails.
					var n int
					var err error
					switch i % 3 {
					case 0:
						err = s.View(bg, func(r data.Reader) (err error) { n, err = see(r); return })
					case 1:
						err = s.Update(bg, func(tx data.Txn) (err error) { n, err = see(tx); return })
					case 2:
						err = s.Update(bg, func(tx data.Txn) (err error) {
							if n, err = see(tx); err != nil {
								return err
							}
							return refused
						})
						if err == refused {
							err = nil
						}
					}
					if err != nil {
						t.Error(err)
					}
					tell(n)
					if i == 2+crash*4 {
						ready <- struct{}{}
					}
				}
			})
		}
		<-ready
		<-ready
		before := make([]int, workers)
		for w := range before {
			before[w] = int(acked[w].Load())
		}
		total := int(shown.Load())
		next := disk.Crash(crash % 3 * 40)
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		disk = next
		if s, err = pebble.Open("/db", pebble.Options{FS: disk.FS()}); err != nil {
			t.Fatalf("after crash %d: %v", crash, err)
		}
		verify(t, s, before, total)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A process is killed in the middle of writing; every write that it had reported as
// acknowledged is there.
func TestKill(t *testing.T) {
	const workers = 4
	if dir, ok := os.LookupEnv("STORE_TO_WRITE_TO"); ok {
		writeUntilKilled(dir, workers)
		return
	}
	dir := t.TempDir()
	acked := make([]int, workers)
	for round := range 4 {
		child := exec.Command(os.Args[0], "-test.run=^TestKill$")
		child.Env = append(os.Environ(), "STORE_TO_WRITE_TO="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var w, count int
			if _, err := fmt.Sscanf(lines.Text(), "acked %d %d", &w, &count); err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
			acked[w] = max(acked[w], count)
			if n == 500+round*300 {
				if err := child.Process.Kill(); err != nil { // SIGKILL
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil || child.ProcessState.ExitCode() != -1 {
			t.Fatalf("the child was not killed: %v", err)
		}
		s, err := pebble.Open(dir, pebble.Options{})
		if err != nil {
			t.Fatal(err)
		}
		verify(t, s, acked, 0)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func writeUntilKilled(dir string, workers int) {
	s, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		panic(err)
	}
	for w := range workers {
		go func() {
			for {
				var n int
				if err := s.Update(bg, func(tx data.Txn) (err error) {
					if err := step(tx, w); err != nil {
						return err
					}
					n, err = number(tx, fmt.Sprint("a", w))
					return err
				}); err != nil {
					panic(err)
				}
				// One write, so that lines do not mix.
				fmt.Fprintf(os.Stdout, "acked %d %d\n", w, n)
			}
		}()
	}
	select {}
}

// An error of the log is reported to whoever was waiting and to everybody after;
// what had been acknowledged before stays, in views and on the disk.
func TestLogFails(t *testing.T) {
	for seed := range uint64(8) {
		disk := faulty.NewDisk(seed)
		s, err := pebble.Open("/db", pebble.Options{FS: disk.FS()})
		if err != nil {
			t.Fatal(err)
		}
		update := func() error { return s.Update(bg, func(tx data.Txn) error { return step(tx, 0) }) }
		acked := 0
		for range 10 {
			if err := update(); err != nil {
				t.Fatal(err)
			}
			acked++
		}
		disk.Fail(0.2, ".log")
		var failure error
		for failure == nil {
			if failure = update(); failure == nil {
				acked++
			}
		}
		if disk.Faults() == 0 {
			t.Fatalf("seed %d: failed without a fault: %v", seed, failure)
		}
		disk.Fail(0, "")
		for range 3 {
			if err := update(); err == nil {
				t.Fatalf("seed %d: an update was acknowledged over a log that had failed", seed)
			}
		}
		if err := s.Update(bg, func(tx data.Txn) error { _, err := number(tx, "total"); return err }); err == nil {
			t.Errorf("seed %d: an update was told what never became durable", seed)
		}
		verify(t, s, []int{acked}, acked)
		if err := s.View(bg, func(r data.Reader) error {
			if n, err := number(r, "total"); n != acked {
				return fmt.Errorf("a view shows %d, %v; %d were acknowledged", n, err, acked)
			}
			return nil
		}); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		after := disk.Crash(50)
		if err := s.Close(); err == nil {
			t.Errorf("seed %d: Close knows of no error", seed)
		}
		if s, err = pebble.Open("/db", pebble.Options{FS: after.FS()}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		verify(t, s, []int{acked}, acked)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// While tables cannot be written updates are refused, not kept waiting; afterwards
// they go on, and nothing that was acknowledged is missing.
func TestTablesFail(t *testing.T) {
	disk := faulty.NewDisk(1)
	s, err := pebble.Open("/db", pebble.Options{FS: disk.FS()})
	if err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 256<<10)
	acked := 0
	put := func() error {
		err := s.Update(bg, func(tx data.Txn) error { return tx.Put(fmt.Appendf(nil, "%06d", acked), value) })
		if err == nil {
			acked++
		}
		return err
	}
	disk.Fail(1, ".sst")
	for range 1000 {
		if err = put(); err != nil {
			break
		}
	}
	if err == nil {
		t.Fatal("updates went on although no table could be written")
	}
	disk.Fail(0, "")
	for put() != nil { // until the engine has tried again
	}
	after := disk.Crash(0)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if s, err = pebble.Open("/db", pebble.Options{FS: after.FS()}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := 0
	if err := s.View(bg, func(r data.Reader) error {
		for _, err := range r.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n != acked {
		t.Errorf("%d were acknowledged, %d are there", acked, n)
	}
}
