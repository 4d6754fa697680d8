package occ

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/internal/tree"
)

// slow is an engine whose commits become durable when the test says so.
type slow struct {
	values  tree.Map[[]byte]
	waiting chan *slowCommit // commits that are waited for
	open    atomic.Int64     // snapshots not closed
}

type slowCommit struct {
	engine *slow
	writes []Write
	synced chan error
}

func newSlow() *slow { return &slow{waiting: make(chan *slowCommit, 100)} }

func (e *slow) Snapshot() Snapshot { e.open.Add(1); return &slowSnapshot{e, e.values} }
func (e *slow) Close() error       { return nil }
func (e *slow) Prepare(w []Write) (Commit, error) {
	return &slowCommit{e, w, make(chan error, 1)}, nil
}

func (c *slowCommit) Apply() error {
	for _, w := range c.writes {
		c.engine.values = c.engine.values.Set(w.Key, w.Value)
	}
	return nil
}

func (c *slowCommit) Wait() error {
	c.engine.waiting <- c
	return <-c.synced
}

func (c *slowCommit) Drop() {}

type slowSnapshot struct {
	engine *slow
	values tree.Map[[]byte]
}

func (s *slowSnapshot) Get(key []byte) ([]byte, bool, error) {
	v, ok := s.values.Get(key)
	return bytes.Clone(v), ok, nil
}

func (s *slowSnapshot) Scan(from, to []byte, reverse bool) iter.Seq2[data.Pair, error] {
	return func(yield func(data.Pair, error) bool) {
		for c := s.values.Range(from, to, reverse); c.Valid(); c.Next() {
			if !yield(data.Pair{Key: bytes.Clone(c.Key()), Value: bytes.Clone(c.Value())}, nil) {
				return
			}
		}
	}
}

func (s *slowSnapshot) Close() error { s.engine.open.Add(-1); return nil }

var bg = context.Background()

func set(s *Store, k, v string) error {
	return s.Update(bg, func(tx data.Txn) error { return tx.Put([]byte(k), []byte(v)) })
}

func start(f func() error) chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

func view(t *testing.T, s *Store, k string) string {
	t.Helper()
	var v []byte
	if err := s.View(bg, func(r data.Reader) (err error) { v, _, err = r.Get([]byte(k)); return }); err != nil {
		t.Fatal(err)
	}
	return string(v)
}

func pending(t *testing.T, done chan error) {
	t.Helper()
	select {
	case err := <-done:
		t.Fatalf("answered before it was durable: %v", err)
	default:
	}
}

func TestNobodyIsToldWhatIsNotDurable(t *testing.T) {
	e := newSlow()
	s := New(e)
	first := start(func() error { return set(s, "k", "1") })
	commit := <-e.waiting
	if got := view(t, s, "k"); got != "" {
		t.Errorf("a view shows %q", got)
	}

	// Whoever has read the state waits for it; whoever has not need not.
	mine := errors.New("mine")
	read := make(chan string, 2)
	look := func(answer error) func() error {
		return func() error {
			return s.Update(bg, func(tx data.Txn) error {
				v, _, err := tx.Get([]byte("k"))
				read <- string(v)
				return errors.Join(err, answer)
			})
		}
	}
	readOnly, failing := start(look(nil)), start(look(mine))
	for range 2 {
		if v := <-read; v != "1" {
			t.Errorf("an update reads %q, want the latest", v)
		}
	}
	if err := s.Update(bg, func(data.Txn) error { return mine }); err != mine {
		t.Errorf("an update that read nothing = %v", err)
	}
	ctx, cancel := context.WithCancel(bg)
	impatient := start(func() error {
		return s.Update(ctx, func(tx data.Txn) error { _, _, err := tx.Get([]byte("k")); return err })
	})
	cancel()
	if err := <-impatient; !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that the context ended = %v", err)
	}

	// A second commit does not wait for the first to be durable, only to be applied.
	second := start(func() error { return set(s, "l", "2") })
	later := <-e.waiting
	for _, done := range []chan error{first, readOnly, failing, second} {
		pending(t, done)
	}

	// When the later one is durable so is the earlier one.
	later.synced <- nil
	if err := <-second; err != nil {
		t.Error(err)
	}
	if k, l := view(t, s, "k"), view(t, s, "l"); k != "1" || l != "2" {
		t.Errorf("a view shows %q, %q", k, l)
	}
	if err := <-readOnly; err != nil {
		t.Error(err)
	}
	if err := <-failing; !errors.Is(err, mine) {
		t.Error(err)
	}
	pending(t, first)
	commit.synced <- nil
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if e.open.Load() != 0 {
		t.Errorf("%d snapshots are still open", e.open.Load())
	}
}

func TestFailedSync(t *testing.T) {
	e := newSlow()
	s := New(e)
	first := start(func() error { return set(s, "k", "1") })
	(<-e.waiting).synced <- nil
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	second := start(func() error { return set(s, "k", "2") })
	commit := <-e.waiting
	read := make(chan struct{})
	reader := start(func() error {
		return s.Update(bg, func(tx data.Txn) error { _, _, err := tx.Get([]byte("k")); close(read); return err })
	})
	<-read
	disk := errors.New("disk")
	commit.synced <- disk
	for name, done := range map[string]chan error{"the update": second, "its reader": reader} {
		if err := <-done; !errors.Is(err, disk) {
			t.Errorf("%s = %v", name, err)
		}
	}
	if err := set(s, "k", "3"); !errors.Is(err, disk) {
		t.Errorf("an update afterwards = %v", err)
	}
	if got := view(t, s, "k"); got != "1" {
		t.Errorf("a view afterwards shows %q", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if e.open.Load() != 0 {
		t.Errorf("%d snapshots are still open", e.open.Load())
	}
}

// An update that has lost often enough runs alone.
func TestPatience(t *testing.T) {
	e := newSlow()
	s := New(e)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case c := <-e.waiting:
				c.synced <- nil
			case <-stop:
				return
			}
		}
	}()
	runs := 0
	var last chan error
	if err := s.Update(bg, func(tx data.Txn) error {
		runs++
		if _, _, err := tx.Get([]byte("hot")); err != nil {
			return err
		}
		rival := start(func() error { return set(s, "hot", fmt.Sprint(runs)) })
		if runs <= patience {
			if err := <-rival; err != nil {
				return err
			}
		} else {
			last = rival // which will have to wait
		}
		return tx.Put([]byte("k"), nil)
	}); err != nil {
		t.Fatal(err)
	}
	if runs != patience+1 {
		t.Errorf("ran %d times, want %d", runs, patience+1)
	}
	if err := <-last; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Who waits for the turn gives up when the context ends.
func TestTurnAndContext(t *testing.T) {
	s := New(newSlow())
	s.turn <- struct{}{}
	ctx, cancel := context.WithCancel(bg)
	if err := s.Update(ctx, func(tx data.Txn) error {
		err := tx.Put([]byte("k"), nil)
		go cancel()
		return err
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("Update = %v", err)
	}
	<-s.turn
	if got := view(t, s, "k"); got != "" || s.head.seq != 0 {
		t.Errorf("it left %q", got)
	}
}

func TestTransactionLimit(t *testing.T) {
	s := New(newSlow())
	value := make([]byte, data.MaxValue)
	full := errors.New("full")
	err := s.Update(bg, func(tx data.Txn) error {
		for i := range data.MaxTxn/data.MaxValue - 1 {
			if err := tx.Put([]byte{byte(i)}, value); err != nil {
				return fmt.Errorf("value %d: %w", i, err)
			}
		}
		for range 3 { // writing over costs nothing
			if err := tx.Put([]byte{0}, value); err != nil {
				return err
			}
		}
		if err := tx.Put([]byte("one more"), value); !errors.Is(err, data.ErrLimit) {
			return fmt.Errorf("one more = %w", err)
		}
		if err := tx.Delete([]byte{0}); err != nil {
			return err
		}
		if err := tx.Put([]byte("one more"), value); err != nil {
			return err
		}
		return full
	})
	if err != full {
		t.Error(err)
	}
}
