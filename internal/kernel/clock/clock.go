// Package clock is the only place where the time of day is read. Everything
// else is handed a Clock, so that tests (and users) can move time.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time and wakes sleepers.
type Clock interface {
	// Now returns the present time in UTC.
	Now() time.Time
	// After delivers the time once d has passed. A d of zero or less delivers at once.
	After(d time.Duration) <-chan time.Time
	// AfterFunc calls f in its own goroutine once d has passed; stop cancels it
	// and reports whether f was kept from running.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// System is the machine's own clock.
type System struct{}

// Now implements Clock.
func (System) Now() time.Time { return time.Now().UTC() }

// After implements Clock.
func (System) After(d time.Duration) <-chan time.Time { return time.After(d) }

// AfterFunc implements Clock.
func (System) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// Fake is a clock that moves only when it is told to.
type Fake struct {
	mu    sync.Mutex
	now   time.Time
	waits []*wait
	moved *sync.Cond
}

type wait struct {
	at time.Time
	f  func(time.Time)
}

// NewFake returns a fake clock that stands at start.
func NewFake(start time.Time) *Fake {
	c := &Fake{now: start.UTC()}
	c.moved = sync.NewCond(&c.mu)
	return c
}

// Now implements Clock.
func (c *Fake) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// After implements Clock.
func (c *Fake) After(d time.Duration) <-chan time.Time {
	ch := make(chan time.Time, 1)
	c.add(d, func(t time.Time) { ch <- t })
	return ch
}

// AfterFunc implements Clock.
func (c *Fake) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	w := c.add(d, func(time.Time) { go f() })
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for i, x := range c.waits {
			if x == w {
				c.waits = append(c.waits[:i], c.waits[i+1:]...)
				return true
			}
		}
		return false
	}
}

func (c *Fake) add(d time.Duration, f func(time.Time)) *wait {
	c.mu.Lock()
	w := &wait{at: c.now.Add(d), f: f}
	if d <= 0 {
		now := c.now
		c.mu.Unlock()
		f(now)
		return w
	}
	c.waits = append(c.waits, w)
	c.moved.Broadcast()
	c.mu.Unlock()
	return w
}

// Sleepers waits until at least n waits are pending, so that a test can advance
// the clock knowing that the code under test has gone to sleep.
func (c *Fake) Sleepers(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waits) < n {
		c.moved.Wait()
	}
}

// Advance moves the clock forward, waking whoever is due, in order of time.
func (c *Fake) Advance(d time.Duration) {
	c.mu.Lock()
	end := c.now.Add(d)
	for {
		best := -1
		for i, w := range c.waits {
			if !w.at.After(end) && (best < 0 || w.at.Before(c.waits[best].at)) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		w := c.waits[best]
		c.waits = append(c.waits[:best], c.waits[best+1:]...)
		c.now = w.at
		c.mu.Unlock()
		w.f(w.at)
		c.mu.Lock()
	}
	c.now = end
	c.mu.Unlock()
}
