package lambda

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pool is the environments of one version in one state of its configuration.
type pool struct {
	ps *pools
	v  *version

	mu      sync.Mutex
	idle    []*environment // the one used last is the last
	total   int            // with those that start
	starts  int            // that are under way
	waiting []*waiter
	retired bool

	// usual is about how long the last events took, in nanoseconds.
	usual atomic.Int64
}

// waiter is an event that waits for an environment.
type waiter struct{ granted chan grant }

type grant struct {
	e   *environment
	err error
}

// patience is how long an event waits for a busy environment to come free
// before another one is started, once there are as many as the cores can use.
// Where events usually take less than that, it waits for about as long as a start
// takes: a busy environment will be free sooner than a new one is there, and
// processes beyond the cores only take time from each other. While as many as
// the cores can use are starting it waits on. All is bounded, as functions may
// wait for each other.
const (
	patience  = 10 * time.Millisecond
	starting  = 20  // patiences that a start takes
	patiences = 100 // at the most
)

// note takes the duration of an event into account.
func (p *pool) note(d time.Duration) {
	old := p.usual.Load()
	p.usual.Store(old + (int64(d)-old)/8) // a lost update of a mean is no loss
}

// patient reports whether an event that has waited n patiences is to wait on.
func (p *pool) patient(n int) bool {
	usual := time.Duration(p.usual.Load())
	return n < starting && usual > 0 && usual < patience
}

// take gets an environment for one event: an idle one, a new one, or the first
// that comes free. Whoever takes it gives it back.
func (p *pool) take(ctx context.Context) (*environment, error) {
	now := p.ps.p.s.clock.Now()
	p.mu.Lock()
	for n := len(p.idle); n > 0; n = len(p.idle) {
		e := p.idle[n-1]
		p.idle[n-1], p.idle = nil, p.idle[:n-1]
		if e.usable(now) {
			p.mu.Unlock()
			return e, nil
		}
		p.drop(e)
	}
	w := &waiter{make(chan grant, 1)}
	p.waiting = append(p.waiting, w)
	started := p.total < p.ps.p.soft
	if started {
		p.begin(w)
	}
	p.mu.Unlock()
	for n := 1; !started && ctx.Err() == nil; n++ {
		select {
		case g := <-w.granted:
			return g.e, g.err
		case <-p.ps.p.s.clock.After(patience):
		case <-ctx.Done():
		}
		p.mu.Lock()
		started = !slices.Contains(p.waiting, w)
		if !started && ctx.Err() == nil && (p.starts < p.ps.p.soft && !p.patient(n) || n == patiences) {
			started = true
			p.begin(w)
		}
		p.mu.Unlock()
	}
	select {
	case g := <-w.granted:
		return g.e, g.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	still := p.forget(w)
	p.mu.Unlock()
	if !still { // it was granted in this moment
		if g := <-w.granted; g.e != nil {
			p.give(g.e)
		}
	}
	return nil, ctx.Err()
}

// forget takes w off the list and reports whether it was there; p is locked.
func (p *pool) forget(w *waiter) bool {
	i := slices.Index(p.waiting, w)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	return i >= 0
}

// begin starts an environment for w; p is locked. If w is served by another one
// meanwhile, the new one goes to whoever waits next.
func (p *pool) begin(w *waiter) {
	p.total++
	p.starts++
	begun := p.ps.p.work.Go(func() {
		e, err := p.newEnvironment()
		p.mu.Lock()
		p.starts--
		if err == nil {
			p.mu.Unlock()
			p.give(e)
			return
		}
		p.total--
		still := p.forget(w)
		p.mu.Unlock()
		if still {
			w.granted <- grant{err: err}
		}
	})
	if !begun {
		p.total--
		p.starts--
		p.forget(w)
		w.granted <- grant{err: errStopping()}
	}
}

// give hands an environment on to who waits, or lays it by.
func (p *pool) give(e *environment) {
	now := p.ps.p.s.clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !e.usable(now) {
		p.drop(e)
		return
	}
	if len(p.waiting) > 0 {
		w := p.waiting[0]
		p.waiting = slices.Delete(p.waiting, 0, 1)
		w.granted <- grant{e: e}
		return
	}
	if p.retired {
		p.drop(e)
		return
	}
	e.used = now
	p.idle = append(p.idle, e)
}

// drop ends an environment that nobody has; p is locked.
func (p *pool) drop(e *environment) {
	p.total--
	p.ps.p.work.Go(e.close)
}

// retire ends the idle environments, and the busy ones once they are done.
func (p *pool) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = true
	for _, e := range p.idle {
		p.drop(e)
	}
	p.idle = nil
}

// reap ends environments that were not used since a time.
func (p *pool) reap(since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.idle) && !p.idle[n].used.After(since) {
		p.drop(p.idle[n])
		n++
	}
	p.idle = slices.Delete(p.idle, 0, n)
}
