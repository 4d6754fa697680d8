package datatest

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
)

// A view sees one state, however many updates are acknowledged while it runs.
func testViewIsolation(t *testing.T, s data.Store) {
	put(t, s, "a", "1", "b", "1")
	must(t, s.View(bg, func(r data.Reader) error {
		if got, err := read(r, "a"); err != nil || got != "1" {
			t.Errorf("before: %q, %v", got, err)
		}
		put(t, s, "a", "2", "aa", "2", "b", "2")
		must(t, s.Update(bg, func(tx data.Txn) error { return tx.Delete([]byte("b")) }))
		for range 2 {
			if got, err := list(r.Scan(nil, nil, false)); err != nil || got != "a=1 b=1" {
				t.Errorf("in the view: %q, %v", got, err)
			}
		}
		if got, err := read(r, "aa"); err != nil || got != "-" {
			t.Errorf("in the view aa = %q, %v", got, err)
		}
		return nil
	}))
	if got := all(t, s); got != "a=2 aa=2" {
		t.Errorf("after: %q", got)
	}
}

// Who has been answered finds in the store what the answer was about, even while
// others are committing.
func testReadsYourAnswer(t *testing.T, s data.Store) {
	together(8, func(w int) {
		key := strconv.Itoa(w)
		for i := range 20 {
			put(t, s, key, strconv.Itoa(i))
			if got := get(t, s, key); got != strconv.Itoa(i) {
				t.Errorf("after putting %d: %s", i, got)
			}
		}
	})
}

// An update whose reading somebody has written into runs anew.
func testConflict(t *testing.T, s data.Store) {
	for name, look := range map[string]func(data.Reader) (string, error){
		"Get":         func(r data.Reader) (string, error) { return read(r, "k") },
		"Scan":        func(r data.Reader) (string, error) { return list(r.Scan([]byte("k"), []byte("l"), false)) },
		"ReverseScan": func(r data.Reader) (string, error) { return list(r.Scan([]byte("k"), []byte("l"), true)) },
		"FirstOfScan": func(r data.Reader) (string, error) {
			for p, err := range r.Scan([]byte("j"), nil, false) {
				return "k=" + string(p.Value), err
			}
			return "", nil
		},
		"LastOfScan": func(r data.Reader) (string, error) {
			for p, err := range r.Scan(nil, []byte("l"), true) {
				return "k=" + string(p.Value), err
			}
			return "", nil
		},
	} {
		put(t, s, "k", "old", "m", "", "out", "")
		var runs []string
		must(t, s.Update(bg, func(tx data.Txn) error {
			got, err := look(tx)
			if err != nil {
				return err
			}
			if runs = append(runs, got); len(runs) == 1 {
				put(t, s, "k", "new")
			}
			return tx.Put([]byte("out"), []byte(got))
		}))
		if len(runs) != 2 || runs[0] == runs[1] {
			t.Errorf("%s: runs saw %q", name, runs)
		}
		if got := get(t, s, "out"); got != runs[len(runs)-1] {
			t.Errorf("%s: committed %q", name, got)
		}
	}
}

// What a transaction did not read does not make it run anew.
func testNoConflict(t *testing.T, s data.Store) {
	put(t, s, "a", "", "b", "", "c", "", "d", "")
	runs := 0
	must(t, s.Update(bg, func(tx data.Txn) error {
		runs++
		for p, err := range tx.Scan(nil, nil, false) { // reads a and b
			if err != nil {
				return err
			}
			if string(p.Key) == "b" {
				break
			}
		}
		if err := tx.Put([]byte("x"), []byte("mine")); err != nil {
			return err
		}
		if _, err := read(tx, "x"); err != nil { // its own write
			return err
		}
		put(t, s, "c", "other", "x", "other") // beyond the scan; and written, not read
		return nil
	}))
	if runs != 1 {
		t.Errorf("ran %d times", runs)
	}
	if got := get(t, s, "x"); got != "mine" {
		t.Errorf("x = %q", got)
	}
}

// A key that appears in a scanned range, or goes from it, is a conflict too.
func testPhantom(t *testing.T, s data.Store) {
	put(t, s, "p1", "", "p3", "", "q", "")
	for _, c := range []struct {
		name   string
		change func(data.Txn) error
		want   string
	}{
		{"appears", func(tx data.Txn) error { return tx.Put([]byte("p2"), nil) }, "3"},
		{"goes", func(tx data.Txn) error { return tx.Delete([]byte("p1")) }, "2"},
		{"appears at the end", func(tx data.Txn) error { return tx.Put([]byte("p\xff"), nil) }, "3"},
	} {
		runs := 0
		must(t, s.Update(bg, func(tx data.Txn) error {
			runs++
			n := 0
			for _, err := range tx.Scan([]byte("p"), data.PrefixEnd([]byte("p")), runs%2 == 0) {
				if err != nil {
					return err
				}
				n++
			}
			if runs == 1 {
				must(t, s.Update(bg, c.change))
			}
			return tx.Put([]byte("count"), []byte(strconv.Itoa(n)))
		}))
		if got := get(t, s, "count"); got != c.want || runs != 2 {
			t.Errorf("%s: counted %s in %d runs, want %s in 2", c.name, got, runs, c.want)
		}
	}
}

// An update that always meets with conflicts gets through nonetheless.
func testLongWriter(t *testing.T, s data.Store) {
	put(t, s, "hot", "0")
	stop := make(chan struct{})
	var others sync.WaitGroup
	for range 3 {
		others.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					put(t, s, "hot", strconv.Itoa(i))
				}
			}
		})
	}
	must(t, s.Update(bg, func(tx data.Txn) error {
		before, err := read(tx, "hot")
		if err != nil {
			return err
		}
		for range 2000 {
			if now, err := read(tx, "hot"); err != nil || now != before {
				return fmt.Errorf("hot went from %s to %s: %v", before, now, err)
			}
		}
		return tx.Put([]byte("done"), []byte(before))
	}))
	close(stop)
	others.Wait()
	if get(t, s, "done") == "-" {
		t.Error("the long update left nothing")
	}
}

func testCounters(t *testing.T, s data.Store) {
	const workers, rounds = 8, 30
	together(workers, func(w int) {
		for range rounds {
			must(t, s.Update(bg, func(tx data.Txn) error {
				for _, key := range []string{"all", fmt.Sprint("mine", w)} {
					if err := add(tx, key, 1); err != nil {
						return err
					}
				}
				return nil
			}))
		}
	})
	if got := get(t, s, "all"); got != strconv.Itoa(workers*rounds) {
		t.Errorf("the counter all = %s, want %d", got, workers*rounds)
	}
	for w := range workers {
		if got := get(t, s, fmt.Sprint("mine", w)); got != strconv.Itoa(rounds) {
			t.Errorf("the counter of %d = %s, want %d", w, got, rounds)
		}
	}
}

// Two doctors are on call; either may leave if the other stays. Under mere
// snapshot isolation both can leave at once.
func testWriteSkew(t *testing.T, s data.Store) {
	for range 20 {
		put(t, s, "alice", "on", "bob", "on")
		together(2, func(w int) {
			me, other := "alice", "bob"
			if w == 1 {
				me, other = other, me
			}
			must(t, s.Update(bg, func(tx data.Txn) error {
				if v, err := read(tx, other); err != nil || v == "off" {
					return err
				}
				return tx.Put([]byte(me), []byte("off"))
			}))
		})
		if a, b := get(t, s, "alice"), get(t, s, "bob"); a == "off" && b == "off" {
			t.Fatal("both have left")
		}
	}
}

// Money moves between accounts while others sum it up: the sum never changes,
// neither in views nor in updates.
func testTransfers(t *testing.T, s data.Store) {
	const accounts, each = 6, 100
	for i := range accounts {
		put(t, s, fmt.Sprint("acc", i), strconv.Itoa(each))
	}
	sum := func(r data.Reader) error {
		total := 0
		for p, err := range r.Scan([]byte("acc"), data.PrefixEnd([]byte("acc")), false) {
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(string(p.Value))
			if err != nil {
				return err
			}
			total += n
		}
		if total != accounts*each {
			t.Errorf("the sum is %d", total)
		}
		return nil
	}
	together(6, func(w int) {
		for i := range 30 {
			switch w {
			case 0:
				must(t, s.View(bg, sum))
			case 1:
				must(t, s.Update(bg, func(tx data.Txn) error { return sum(tx) }))
			default:
				must(t, s.Update(bg, func(tx data.Txn) error {
					if err := add(tx, fmt.Sprint("acc", (w+i)%accounts), -i); err != nil {
						return err
					}
					return add(tx, fmt.Sprint("acc", (w*i+1)%accounts), i)
				}))
			}
		}
	})
	must(t, s.View(bg, sum))
}

// add adds n to the number at key.
func add(tx data.Txn, key string, n int) error {
	v, ok, err := tx.Get([]byte(key))
	if err != nil {
		return err
	}
	old := 0
	if ok {
		if old, err = strconv.Atoi(string(v)); err != nil {
			return err
		}
	}
	return tx.Put([]byte(key), []byte(strconv.Itoa(old+n)))
}

// together runs f(0) to f(n-1) at once.
func together(n int, f func(int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
