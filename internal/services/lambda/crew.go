package lambda

import "sync"

// crew counts goroutines, so that their end can be waited for. Unlike a
// sync.WaitGroup it takes more while it is being waited for, until none is left.
type crew struct {
	mu   sync.Mutex
	n    int
	over chan struct{} // made by wait, closed with the last one
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
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over != nil && c.n == 0 {
		return false
	}
	c.n++
	return true
}

func (c *crew) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.over != nil {
		close(c.over)
	}
}

// wait returns a channel that is closed when none is left.
func (c *crew) wait() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over == nil {
		c.over = make(chan struct{})
		if c.n == 0 {
			close(c.over)
		}
	}
	return c.over
}
