package datatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
)

func testGet(t *testing.T, s data.Store) {
	put(t, s, "a", "1", "b", "", "b\x00", "2", "\xff\xff", "3")
	for _, c := range []struct{ key, want string }{
		{"a", "1"}, {"b", ""}, {"b\x00", "2"}, {"\xff\xff", "3"},
		{"", "-"}, {"c", "-"}, {"\xff", "-"}, {"a\x00", "-"}, {string(make([]byte, 1<<16)), "-"},
	} {
		if got := get(t, s, c.key); got != c.want {
			t.Errorf("Get(%.10q) = %q, want %q", c.key, got, c.want)
		}
	}
	put(t, s, "a", "new")
	if got := get(t, s, "a"); got != "new" {
		t.Errorf("after a second Put: %q", got)
	}
	must(t, s.Update(bg, func(tx data.Txn) error { return errors.Join(tx.Delete([]byte("a")), tx.Delete([]byte("none"))) }))
	if got := get(t, s, "a"); got != "-" {
		t.Errorf("after Delete: %q", got)
	}
}

func testScanRanges(t *testing.T, s data.Store) {
	put(t, s, "c", "3", "a", "1", "b", "2", "ab", "x", "\xff", "z")
	for _, c := range []struct{ from, to, want, back string }{
		{"~", "~", "a=1 ab=x b=2 c=3 \xff=z", "\xff=z c=3 b=2 ab=x a=1"},
		{"a", "c", "a=1 ab=x b=2", "b=2 ab=x a=1"},
		{"a\x00", "b\x00", "ab=x b=2", "b=2 ab=x"},
		{"b", "~", "b=2 c=3 \xff=z", "\xff=z c=3 b=2"},
		{"~", "b", "a=1 ab=x", "ab=x a=1"},
		{"", "b", "a=1 ab=x", "ab=x a=1"},
		{"b", "b", "", ""},
		{"c", "a", "", ""},
		{"~", "", "", ""},
		{"d", "e", "", ""},
	} {
		check := func(r data.Reader) error {
			for reverse, want := range map[bool]string{false: c.want, true: c.back} {
				got, err := list(r.Scan(bound(c.from), bound(c.to), reverse))
				if err != nil {
					return err
				}
				if got != want {
					t.Errorf("Scan(%q, %q, %v) = %q, want %q", c.from, c.to, reverse, got, want)
				}
			}
			return nil
		}
		must(t, s.View(bg, check))
		must(t, s.Update(bg, func(tx data.Txn) error { return check(tx) }))
	}
}

func testScanBreak(t *testing.T, s data.Store) {
	put(t, s, "a", "1", "b", "2", "c", "3")
	must(t, s.View(bg, func(r data.Reader) error {
		seq := r.Scan(nil, nil, false)
		for range 3 { // a sequence can be walked again, and broken off
			n := 0
			for p, err := range seq {
				if err != nil {
					return err
				}
				if n++; string(p.Key) == "b" {
					break
				}
			}
			if n != 2 {
				t.Errorf("walked %d pairs, want 2", n)
			}
		}
		// Scans may be nested.
		var got []string
		for p, err := range r.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			for q, err := range r.Scan(p.Key, nil, true) {
				if err != nil {
					return err
				}
				got = append(got, string(p.Key)+string(q.Key))
			}
		}
		if want := "[ac ab aa bc bb cc]"; fmt.Sprint(got) != want {
			t.Errorf("nested: %v, want %s", got, want)
		}
		return nil
	}))
}

func testOwnWrites(t *testing.T, s data.Store) {
	put(t, s, "b", "old", "d", "old", "f", "old")
	must(t, s.Update(bg, func(tx data.Txn) error {
		err := errors.Join(
			tx.Put([]byte("a"), []byte("1")), tx.Put([]byte("b"), []byte("2")), tx.Put([]byte("c"), []byte("3")),
			tx.Delete([]byte("d")), tx.Put([]byte("e"), []byte("5")), tx.Delete([]byte("e")),
			tx.Delete([]byte("f")), tx.Put([]byte("f"), []byte("6")), tx.Put([]byte("g"), nil))
		for key, want := range map[string]string{"a": "1", "b": "2", "d": "-", "e": "-", "f": "6", "g": ""} {
			if got, err := read(tx, key); err != nil || got != want {
				t.Errorf("own Get(%s) = %q, %v, want %q", key, got, err, want)
			}
		}
		for _, c := range []struct {
			from, to string
			reverse  bool
			want     string
		}{
			{"~", "~", false, "a=1 b=2 c=3 f=6 g="},
			{"~", "~", true, "g= f=6 c=3 b=2 a=1"},
			{"b", "f", false, "b=2 c=3"},
			{"b", "f", true, "c=3 b=2"},
			{"d", "f", false, ""},
		} {
			got, serr := list(tx.Scan(bound(c.from), bound(c.to), c.reverse))
			if serr != nil || got != c.want {
				t.Errorf("own Scan(%s, %s, %v) = %q, %v, want %q", c.from, c.to, c.reverse, got, serr, c.want)
			}
		}
		return err
	}))
	if got := all(t, s); got != "a=1 b=2 c=3 f=6 g=" {
		t.Errorf("committed: %q", got)
	}
}

// A scan goes on undisturbed by what the transaction writes meanwhile.
func testScanWhileWriting(t *testing.T, s data.Store) {
	put(t, s, "a", "1", "b", "2", "c", "3")
	var seen string
	must(t, s.Update(bg, func(tx data.Txn) error {
		seen = ""
		if err := tx.Put([]byte("bb"), []byte("own")); err != nil {
			return err
		}
		for p, err := range tx.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			seen += string(p.Key) + " "
			if err := errors.Join(tx.Delete(p.Key), tx.Put(append(p.Key, 'z'), []byte("n"))); err != nil {
				return err
			}
		}
		return nil
	}))
	if seen != "a b bb c " {
		t.Errorf("saw %q", seen)
	}
	if got := all(t, s); got != "az=n bbz=n bz=n cz=n" {
		t.Errorf("committed %q", got)
	}
}

// Slices handed in are copied, slices handed out are the caller's.
func testCopies(t *testing.T, s data.Store) {
	put(t, s, "x", "old")
	must(t, s.Update(bg, func(tx data.Txn) error {
		key, value := []byte("k"), []byte("v")
		err := errors.Join(tx.Put(key, value))
		key[0], value[0] = '!', '!'
		gone := []byte("x")
		err = errors.Join(err, tx.Delete(gone))
		gone[0] = '!'
		own, _, gerr := tx.Get([]byte("k"))
		if string(own) != "v" {
			t.Errorf("own value %q", own)
		}
		own[0] = '!'
		return errors.Join(err, gerr)
	}))
	for range 2 {
		must(t, s.View(bg, func(r data.Reader) error {
			v, _, err := r.Get([]byte("k"))
			if err != nil || string(v) != "v" {
				return fmt.Errorf("got %q, %v", v, err)
			}
			v[0] = '!'
			var pairs []data.Pair
			for p, err := range r.Scan(nil, nil, false) {
				if err != nil {
					return err
				}
				pairs = append(pairs, p)
			}
			if len(pairs) != 1 || string(pairs[0].Key) != "k" || string(pairs[0].Value) != "v" {
				return fmt.Errorf("scanned %q", pairs)
			}
			_ = append(pairs[0].Key, "over"...)
			if string(pairs[0].Value) != "v" {
				t.Error("appending to the key changed the value")
			}
			pairs[0].Key[0], pairs[0].Value[0] = '!', '!'
			return nil
		}))
	}
}

func testLimits(t *testing.T, s data.Store) {
	big := make([]byte, data.MaxValue+1)
	must(t, s.Update(bg, func(tx data.Txn) error {
		for _, c := range []struct {
			key, value []byte
			want       error
		}{
			{nil, []byte("v"), data.ErrLimit},
			{[]byte{}, []byte("v"), data.ErrLimit},
			{big[:data.MaxKey+1], nil, data.ErrLimit},
			{[]byte("v"), big, data.ErrLimit},
			{big[:data.MaxKey], []byte("v"), nil},
			{[]byte("v"), big[:data.MaxValue], nil},
		} {
			if err := tx.Put(c.key, c.value); !errors.Is(err, c.want) {
				t.Errorf("Put(%d bytes, %d bytes) = %v, want %v", len(c.key), len(c.value), err, c.want)
			}
		}
		// Nothing can be there, so there is nothing to refuse.
		return errors.Join(tx.Delete(nil), tx.Delete(big[:data.MaxKey+1]))
	}))
	if got := get(t, s, "v"); len(got) != data.MaxValue {
		t.Errorf("the biggest value came back with %d bytes", len(got))
	}
	if got := get(t, s, string(big[:data.MaxKey])); got != "v" {
		t.Errorf("the longest key gives %.10q", got)
	}
}

// A transaction may be bigger than an engine's buffers.
func testBigValues(t *testing.T, s data.Store) {
	value := func(i int) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 50_000) }
	const n = 100 // 10 MB
	must(t, s.Update(bg, func(tx data.Txn) error {
		for i := range n {
			if err := tx.Put(fmt.Appendf(nil, "%04d", i), value(i)); err != nil {
				return err
			}
		}
		return nil
	}))
	must(t, s.View(bg, func(r data.Reader) error {
		i := 0
		for p, err := range r.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			if string(p.Key) != fmt.Sprintf("%04d", i) || !bytes.Equal(p.Value, value(i)) {
				return fmt.Errorf("pair %d is wrong: key %q", i, p.Key)
			}
			i++
		}
		if i != n {
			return fmt.Errorf("%d pairs, want %d", i, n)
		}
		return nil
	}))
}

func testErrorLeavesNothing(t *testing.T, s data.Store) {
	put(t, s, "a", "1")
	mine := errors.New("mine")
	err := s.Update(bg, func(tx data.Txn) error {
		if err := errors.Join(tx.Put([]byte("a"), []byte("2")), tx.Put([]byte("b"), nil), tx.Delete([]byte("a"))); err != nil {
			return err
		}
		return mine
	})
	if err != mine {
		t.Errorf("Update = %v, want the function's own error", err)
	}
	if err := s.View(bg, func(data.Reader) error { return mine }); err != mine {
		t.Errorf("View = %v, want the function's own error", err)
	}
	if got := all(t, s); got != "a=1" {
		t.Errorf("left %q", got)
	}
}

func testPanicLeavesNothing(t *testing.T, s data.Store) {
	put(t, s, "a", "1")
	func() {
		defer func() {
			if recover() != "mine" {
				t.Error("the panic did not come through")
			}
		}()
		_ = s.Update(bg, func(tx data.Txn) error {
			if err := tx.Put([]byte("a"), []byte("2")); err != nil {
				return err
			}
			for range tx.Scan(nil, nil, false) {
				panic("mine")
			}
			return nil
		})
	}()
	put(t, s, "b", "2") // the store is not locked up
	if got := all(t, s); got != "a=1 b=2" {
		t.Errorf("left %q", got)
	}
}

func testAfterTheEnd(t *testing.T, s data.Store) {
	var r data.Reader
	var tx data.Txn
	must(t, s.View(bg, func(x data.Reader) error { r = x; return nil }))
	must(t, s.Update(bg, func(x data.Txn) error { tx = x; return x.Put([]byte("a"), nil) }))
	for _, r := range []data.Reader{r, tx} {
		if _, _, err := r.Get([]byte("a")); err == nil {
			t.Error("Get after the end gives no error")
		}
		if _, err := list(r.Scan(nil, nil, false)); err == nil {
			t.Error("Scan after the end gives no error")
		}
	}
	if tx.Put([]byte("z"), nil) == nil || tx.Delete([]byte("a")) == nil {
		t.Error("writing after the end gives no error")
	}
	if got := all(t, s); got != "a=" {
		t.Errorf("left %q", got)
	}
}

func testContexts(t *testing.T, s data.Store) {
	put(t, s, "a", "1", "b", "2", "c", "3")
	ended, cancel := context.WithCancel(bg)
	cancel()
	ran := false
	if err := s.View(ended, func(data.Reader) error { ran = true; return nil }); !errors.Is(err, context.Canceled) || ran {
		t.Errorf("View after the end = %v, ran %v", err, ran)
	}
	if err := s.Update(ended, func(data.Txn) error { ran = true; return nil }); !errors.Is(err, context.Canceled) || ran {
		t.Errorf("Update after the end = %v, ran %v", err, ran)
	}

	ctx, cancel := context.WithCancel(bg)
	err := s.Update(ctx, func(tx data.Txn) error {
		if err := tx.Put([]byte("a"), []byte("2")); err != nil {
			return err
		}
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update, canceled meanwhile, = %v", err)
	}
	if got := get(t, s, "a"); got != "1" {
		t.Errorf("it left %q", got)
	}

	ctx, cancel = context.WithCancel(bg)
	defer cancel()
	n := 0
	err = s.View(ctx, func(r data.Reader) error {
		for _, err := range r.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			n++
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("a scan, canceled after one pair, gave %d pairs and %v", n, err)
	}
}

func testClose(t *testing.T, s data.Store) {
	put(t, s, "a", "1")
	began, release := make(chan struct{}), make(chan struct{})
	view, update, closed := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() {
		view <- s.View(bg, func(r data.Reader) error {
			began <- struct{}{}
			<-release
			_, err := list(r.Scan(nil, nil, false))
			return err
		})
	}()
	go func() {
		update <- s.Update(bg, func(tx data.Txn) error {
			began <- struct{}{}
			<-release
			return tx.Put([]byte("b"), nil)
		})
	}()
	<-began
	<-began
	go func() { closed <- s.Close() }()
	// Close shows by refusing newcomers that it has begun.
	for s.View(bg, func(data.Reader) error { return nil }) == nil {
	}
	select {
	case err := <-closed:
		t.Fatalf("Close did not wait for running transactions: %v", err)
	default:
	}
	close(release)
	for name, ch := range map[string]chan error{"View": view, "Update": update, "Close": closed} {
		if err := <-ch; err != nil {
			t.Errorf("%s = %v", name, err)
		}
	}
	if err := s.View(bg, func(data.Reader) error { return nil }); !errors.Is(err, data.ErrClosed) {
		t.Errorf("View after Close = %v", err)
	}
	if err := s.Update(bg, func(data.Txn) error { return nil }); !errors.Is(err, data.ErrClosed) {
		t.Errorf("Update after Close = %v", err)
	}
}
