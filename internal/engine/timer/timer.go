// Package timer does a room's regular work in the background, on the clock that
// the room was given.
package timer

import (
	"context"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// Sweeper calls Do at once when it is started, and again each time Every has
// passed since the last call ended. An error of Do is left to the next call, so
// Do must be of a kind that can be repeated.
type Sweeper struct {
	Clock clock.Clock
	Every time.Duration
	Do    func(context.Context) error

	mu   sync.Mutex
	stop context.CancelFunc // nil when it does not run
	done sync.WaitGroup
}

// Start begins the work; a sweeper that runs already goes on.
func (s *Sweeper) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.done.Go(func() {
		for ctx.Err() == nil {
			_ = s.Do(ctx) // the next round tries again
			select {
			case <-ctx.Done():
			case <-s.Clock.After(s.Every):
			}
		}
	})
}

// Stop ends the work: it cancels a call that is under way and waits for it until
// ctx ends, whose error it then returns.
func (s *Sweeper) Stop(ctx context.Context) error {
	s.mu.Lock()
	stop := s.stop
	s.stop = nil
	s.mu.Unlock()
	if stop == nil {
		return nil
	}
	stop()
	done := make(chan struct{})
	go func() {
		s.done.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
