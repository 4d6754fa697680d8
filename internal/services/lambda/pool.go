package lambda

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pool is the environments of one version in one state of its configuration.
type pool struct {
	ps   *pools
	v    *version
	soft int // how many environments are started at once; 1: there is never another

	mu      sync.Mutex
	idle    []*environment // the one used last is the last
	total   int            // with those that start, and provisioned ones
	starts  int            // that are under way because an event waits
	waiting []*waiter
	freed   uint64 // how often an environment has come free, or is new
	retired bool

	provision

	// usual is about how long the last events took, in nanoseconds; peak is the
	// most memory that one of its environments has held, in bytes.
	usual, peak atomic.Int64
}

// waiter is an event that waits for an environment.
type waiter struct{ granted chan grant }

type grant struct {
	e   *environment
	err error
}

// patience is how long an event waits for a busy environment to come free
// before another one is started, once there are as many as the cores can use.
// While the processors have nothing to spare it waits on: another process would
// only take time from the others, the more so as it starts, which would make more
// events wait. While it is not known whether they have, it waits for about as long
// as a start takes if events usually take less than a patience: a busy environment
// will be free sooner than a new one is there. In both cases one must have come free
// in the time of a start: where none does, they may be waiting for this event. It
// also waits on while as many as the cores can use are starting, or while there is
// no memory for another one. All is bounded, as functions may wait for each other.
const (
	patience  = 10 * time.Millisecond
	starting  = 20  // patiences that a start takes
	patiences = 100 // at the most, but for those that start
	ever      = 10 * patiences
)

// note takes the duration of an event into account, and the most memory that its
// environment has held, if that is known.
func (p *pool) note(e *environment, d time.Duration, peak int64) {
	old, now := p.usual.Load(), max(1, int64(d))
	if old > 0 {
		now = old + (min(now, 4*old)-old)/8 // one that was held up says little
	}
	p.usual.Store(now) // a lost update of a mean is no loss
	if peak > p.peak.Load() {
		p.peak.Store(peak)
	}
	if peak > 0 && peak != e.charge {
		p.ps.p.memory.held.Add(peak - e.charge)
		e.charge = peak
	}
}

// patient reports whether an event that has waited n patiences is to wait on.
func (p *pool) patient(n int) bool {
	if look := p.ps.p.deps.Busy; look != nil {
		if busy, known := look(); known {
			return busy && n < patiences
		}
	}
	usual := time.Duration(p.usual.Load())
	return n < starting && usual > 0 && usual < patience
}

// take gets an environment for one event: one that waits, a new one, or the first
// that comes free. Whoever takes it gives it back.
func (p *pool) take(ctx context.Context) (*environment, error) {
	now := p.ps.p.s.clock.Now()
	p.mu.Lock()
	if e := p.pop(&p.ready, now); e != nil {
		p.mu.Unlock()
		return e, nil
	}
	if e := p.pop(&p.idle, now); e != nil {
		p.mu.Unlock()
		return e, nil
	}
	w := &waiter{make(chan grant, 1)}
	p.waiting = append(p.waiting, w)
	start := p.total < p.soft
	if start {
		p.count(1)
	}
	p.mu.Unlock()
	g, err := p.await(ctx, w, start)
	if err == nil {
		return g.e, g.err
	}
	p.mu.Lock()
	still := p.forget(w)
	p.mu.Unlock()
	if !still { // it was granted in this moment
		if g := <-w.granted; g.e != nil {
			p.give(g.e)
		}
	}
	return nil, err
}

// await waits until w is granted something, and starts an environment if it must;
// start tells to begin with that. What it has started may go to somebody else, and
// what was to come free may end instead, so it looks again and again. The error
// says why it waits no longer.
func (p *pool) await(ctx context.Context, w *waiter, start bool) (grant, error) {
	waited, poor := 0, false     // poor: there was no memory
	freed, still := uint64(0), 0 // still: for how many patiences none came free
	for n := 1; ; n++ {
		if start {
			err := p.begin(w)
			if err != nil && (n > patiences || !errors.Is(err, errMemory)) {
				return grant{}, err
			}
			if poor = err != nil; !poor {
				waited = 0
			}
		}
		select {
		case g := <-w.granted:
			return g, nil
		case <-p.ps.p.s.clock.After(patience):
		case <-ctx.Done():
			return grant{}, ctx.Err()
		}
		waited++
		patient := p.patient(waited)
		p.mu.Lock()
		if still++; p.freed != freed {
			freed, still = p.freed, 0
		}
		switch {
		case !slices.Contains(p.waiting, w):
			start = false // it is granted in this moment
		case p.soft == 1 && p.total > 0:
			start = false // there is one, and no other
		case poor && n < patiences && n&(n-1) != 0:
			start = false // to look for memory takes time, so that is done ever more rarely
		default:
			start = p.total < p.soft || p.starts < p.ps.p.soft && !(patient && still < starting) || waited >= ever
			start = start && p.starts < len(p.waiting) // those that start are for those that wait
		}
		if start {
			p.count(1)
		}
		p.mu.Unlock()
	}
}

// pop takes the last usable one of a list of environments that wait; p is locked.
func (p *pool) pop(list *[]*environment, now time.Time) *environment {
	for n := len(*list); n > 0; n = len(*list) {
		e := (*list)[n-1]
		(*list)[n-1], *list = nil, (*list)[:n-1]
		if e.usable(now) {
			return e
		}
		p.drop(e)
	}
	return nil
}

// count counts starts for events; p is locked.
func (p *pool) count(n int) {
	p.total += n
	p.starts += n
}

// forget takes w off the list and reports whether it was there; p is locked.
func (p *pool) forget(w *waiter) bool {
	i := slices.Index(p.waiting, w)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	return i >= 0
}

// begin starts an environment for w, which the caller has counted. If w is served
// by another one meanwhile, the new one goes to whoever waits next. The error is
// errMemory if there is no memory for one.
func (p *pool) begin(w *waiter) error {
	charge := p.cost()
	err := error(errMemory)
	if p.ps.p.memory.take(p, charge) {
		begun := p.ps.p.work.Go(func() {
			e, err := p.start(charge, false)
			p.mu.Lock()
			p.starts--
			if err == nil {
				p.lay(e, p.ps.p.s.clock.Now())
				p.mu.Unlock()
				return
			}
			p.total--
			still := p.forget(w)
			p.mu.Unlock()
			if still {
				w.granted <- grant{err: err}
			}
		})
		if begun {
			return nil
		}
		p.ps.p.memory.held.Add(-charge)
		err = errStopping()
	}
	p.mu.Lock()
	p.count(-1)
	p.mu.Unlock()
	return err
}

// start starts an environment that was charged for.
func (p *pool) start(charge int64, provisioned bool) (*environment, error) {
	e, err := p.newEnvironment(provisioned)
	if err != nil {
		p.ps.p.memory.held.Add(-charge)
		return nil, err
	}
	e.charge = charge
	return e, nil
}

// give hands an environment on to who waits, or lays it by.
func (p *pool) give(e *environment) {
	now := p.ps.p.s.clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lay(e, now)
}

// lay is give; p is locked.
func (p *pool) lay(e *environment, now time.Time) {
	p.freed++
	if !e.usable(now) || e.provisioned && p.have > p.want {
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
	if e.provisioned {
		p.ready = append(p.ready, e)
		return
	}
	p.idle = append(p.idle, e)
}

// drop ends an environment that nobody has; p is locked.
func (p *pool) drop(e *environment) {
	p.total--
	p.ps.p.memory.held.Add(-e.charge)
	p.ps.p.work.Go(e.close)
	if e.provisioned {
		p.have--
		p.fill()
	}
}

// retire ends the environments that wait, and the busy ones once they are done.
func (p *pool) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired, p.want = true, 0
	for _, list := range []*[]*environment{&p.idle, &p.ready} {
		for _, e := range *list {
			p.drop(e)
		}
		*list = nil
	}
}

// reap ends environments that were not used since a time.
func (p *pool) reap(since time.Time) {
	if p.soft == 1 {
		return // somebody is attached to it
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.idle) && !p.idle[n].used.After(since) {
		p.drop(p.idle[n])
		n++
	}
	p.idle = slices.Delete(p.idle, 0, n)
}
