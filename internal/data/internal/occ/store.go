package occ

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tierra-cloud/tierra/internal/data"
)

// patience is how often an update runs optimistically before it runs holding the turn.
const patience = 4

// errConflict makes Update run its function anew; it is never seen outside.
var errConflict = errors.New("occ: conflict")

// Store implements data.Store over an Engine.
type Store struct {
	engine Engine
	// turn holds one token while somebody validates and applies. It is a channel
	// and not a mutex so that waiting for it ends with the context.
	turn chan struct{}
	// failure is closed when a commit could not be made durable.
	failure chan struct{}
	running sync.WaitGroup
	close   func() error

	mu      sync.Mutex
	closed  bool
	failed  error
	head    *state // after the last commit that was applied
	durable *state // after the last commit known to be durable
}

// state is what one commit led to. States are chained in order of their commits;
// a transaction holds on to the state it read, and so to all that came after it,
// which it will be checked against; older states go when nobody holds them.
type state struct {
	seq    uint64
	shared *shared
	keys   [][]byte      // the keys whose writing made this state of the one before
	done   chan struct{} // closed when the state is durable
	next   *state        // set under mu, with the turn
}

// shared is a snapshot with the number of its users, counted under Store.mu.
type shared struct {
	Snapshot
	users int
}

// New makes a Store of an engine whose present state is durable.
func New(e Engine) *Store {
	s := &Store{
		engine:  e,
		turn:    make(chan struct{}, 1),
		failure: make(chan struct{}),
	}
	first := &state{shared: &shared{Snapshot: e.Snapshot(), users: 2}, done: make(chan struct{})}
	close(first.done)
	s.head, s.durable = first, first
	s.close = sync.OnceValue(s.shut)
	return s
}

// View implements data.Store.
func (s *Store) View(ctx context.Context, f func(data.Reader) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.running.Done()
	s.mu.Lock()
	snap := s.durable.shared
	snap.users++
	s.mu.Unlock()
	defer s.release(snap)

	r := &reader{ctx: ctx, snap: snap}
	defer r.end()
	return f(r)
}

// Update implements data.Store. Once the writes are handed to the engine ctx
// counts no longer: the update answers when they are durable.
func (s *Store) Update(ctx context.Context, f func(data.Txn) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.running.Done()
	for tries := 0; ; tries++ {
		err := s.attempt(ctx, f, tries >= patience)
		if err != errConflict {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// attempt runs f once, holding the turn from the beginning if alone, and commits
// what it wrote.
func (s *Store) attempt(ctx context.Context, f func(data.Txn) error, alone bool) error {
	turn := turn{of: s.turn}
	defer turn.give()
	if alone {
		if err := turn.take(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	base := s.head
	base.shared.users++
	s.mu.Unlock()
	defer s.release(base.shared)

	t := &txn{reader: reader{ctx: ctx, snap: base.shared}}
	err := t.run(f)
	if err == nil {
		err = t.broken
	}
	if err != nil || t.writes.Len() == 0 {
		turn.give()
		if t.hasRead() {
			if err := s.settled(ctx, base); err != nil {
				return err
			}
		}
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	commit, err := s.engine.Prepare(t.list())
	if err != nil {
		return err
	}
	next, err := s.apply(ctx, &turn, base, t, commit)
	if err != nil {
		commit.Drop()
		return err
	}
	turn.give()
	if err := commit.Wait(); err != nil {
		s.release(next.shared)
		return s.fail(err)
	}
	s.publish(next)
	return nil
}

// apply takes the turn, validates t and applies its commit. The state that it
// returns has a user more, which publish takes over.
func (s *Store) apply(ctx context.Context, turn *turn, base *state, t *txn, commit Commit) (*state, error) {
	if err := turn.take(ctx); err != nil {
		return nil, err
	}
	// Only the holder of the turn adds states, so the chain stands still.
	for later := base.next; later != nil; later = later.next {
		if t.reads.touched(later.keys) {
			return nil, errConflict
		}
	}
	s.mu.Lock()
	failed := s.failed
	s.mu.Unlock()
	if failed != nil {
		return nil, failed
	}
	if err := commit.Apply(); err != nil {
		return nil, fmt.Errorf("data: commit: %w", err)
	}
	next := &state{
		shared: &shared{Snapshot: s.engine.Snapshot(), users: 2},
		keys:   t.keys(),
		done:   make(chan struct{}),
	}
	s.mu.Lock()
	last := s.head
	next.seq = last.seq + 1
	last.next = next
	s.head = next
	s.mu.Unlock()
	s.release(last.shared)
	return next, nil
}

// publish notes that n, and so all before it, is durable.
func (s *Store) publish(n *state) {
	s.mu.Lock()
	old := n
	if n.seq > s.durable.seq {
		old = s.durable
		for d := old; d != n; {
			d = d.next
			close(d.done)
		}
		s.durable = n
	}
	s.mu.Unlock()
	s.release(old.shared)
}

// settled waits until n is durable.
func (s *Store) settled(ctx context.Context, n *state) error {
	select {
	case <-n.done:
		return nil
	default:
	}
	select {
	case <-n.done:
		return nil
	case <-s.failure:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.failed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fail notes that a commit could not be made durable.
func (s *Store) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = fmt.Errorf("data: a commit could not be made durable: %w", err)
		close(s.failure)
	}
	return s.failed
}

// release gives up one use of a snapshot.
func (s *Store) release(snap *shared) {
	s.mu.Lock()
	snap.users--
	last := snap.users == 0
	s.mu.Unlock()
	if last {
		// It was only read: there is nothing that closing could still lose.
		_ = snap.Close()
	}
}

// enter begins a transaction; running.Done ends it.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return data.ErrClosed
	}
	s.running.Add(1)
	return nil
}

// Close implements data.Store. Closing again waits for the first and returns the same.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
	s.release(s.head.shared)
	s.release(s.durable.shared)
	return s.engine.Close()
}

// turn is one attempt's hold on the turn.
type turn struct {
	of   chan struct{}
	held bool
}

func (t *turn) take(ctx context.Context) error {
	if t.held {
		return nil
	}
	select {
	case t.of <- struct{}{}:
		t.held = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *turn) give() {
	if t.held {
		t.held = false
		<-t.of
	}
}
