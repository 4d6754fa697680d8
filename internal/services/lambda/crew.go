package lambda

import (
	"math"
	"sync"
	"sync/atomic"
)

// crew counts goroutines, so that their end can be waited for. Unlike a
// sync.WaitGroup it takes more while it is being waited for, until none is left.
// Every invocation enters it, so it takes no lock.
type crew struct {
	n       atomic.Int64 // far below 0 once the wait has ended
	waiting atomic.Bool
	once    sync.Once
	over    chan struct{} // made by once, closed with the last one
}

// Go runs f in a goroutine. It reports false, and does nothing, once the wait
// for the crew has ended.
func (c *crew) Go(f func()) bool {
	if !c.enter() {
		return false
	}
	go func() {
		defer c.done()
		f()
	}()
	return true
}

// enter counts the caller in, who calls done at the end; false as with Go.
func (c *crew) enter() bool {
	for {
		n := c.n.Load()
		if n < 0 {
			return false
		}
		if c.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (c *crew) done() {
	if c.n.Add(-1) == 0 && c.waiting.Load() {
		c.end()
	}
}

// end ends the wait if there is nobody, which is so for one caller only.
func (c *crew) end() {
	if c.n.CompareAndSwap(0, math.MinInt64) {
		close(c.over)
	}
}

// wait returns a channel that is closed when none is left.
func (c *crew) wait() <-chan struct{} {
	c.once.Do(func() { c.over = make(chan struct{}) })
	c.waiting.Store(true)
	c.end()
	return c.over
}
