package lambda

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// async runs asynchronous invocations from a queue that is in the store: an event
// leaves it when it is done, so that it is run at least once whatever happens.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
type async struct {
	s *Service

	mu       sync.Mutex
	queues   map[key]*queue
	timers   map[string]func() bool // by request id: events whose time has not come
	stopping bool
}

// queue holds the events of one function whose time has come, by their ids.
type queue struct {
	ready   []string
	workers int
}

// Bounds of the queue's work.
const (
	asyncWorkers = 32 // events of one function that run at once
	retryFirst   = time.Minute
	retrySecond  = 2 * time.Minute
	backOffFirst = time.Second // after a throttle or an error that is not the function's
	backOffMax   = 5 * time.Minute
)

// enqueue makes an event durable and lets it run.
func (a *async) enqueue(ctx context.Context, ar area, e *event) error {
	if err := a.s.store.Update(ctx, func(t data.Txn) error { return data.Save(t, ar.event(e.ID), e) }); err != nil {
		return err
	}
	a.schedule(ar, e)
	return nil
}

// start takes up what an earlier server has left.
func (a *async) start(ctx context.Context) error {
	a.mu.Lock()
	a.stopping = false
	a.mu.Unlock()
	type item struct {
		a area
		e *event
	}
	var all []item
	err := a.s.store.View(ctx, func(r data.Reader) error {
		all = all[:0]
		in, err := areas(r)
		for _, ar := range in {
			for p, err := range r.Scan(ar.queue(), data.PrefixEnd(ar.queue()), false) {
				if err != nil {
					return err
				}
				e, err := data.Decode[event](p)
				if err != nil {
					return err
				}
				e.Payload = nil // it is read again when it runs
				all = append(all, item{ar, e})
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("asynchronous invocations: %w", err)
	}
	for _, x := range all {
		a.schedule(x.a, x.e)
	}
	return nil
}

// stop lets no further event begin, and gives up the waits.
func (a *async) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopping = true
	for _, cancel := range a.timers {
		cancel()
	}
	a.timers, a.queues = nil, nil
}

func (a *async) schedule(ar area, e *event) {
	k, id := key{ar.account, ar.region, e.Function}, e.ID
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping {
		return
	}
	wait := e.Due.Sub(a.s.clock.Now())
	if wait <= 0 {
		a.push(k, id)
		return
	}
	if a.timers == nil {
		a.timers = map[string]func() bool{}
	}
	a.timers[id] = a.s.clock.AfterFunc(wait, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.stopping {
			return
		}
		delete(a.timers, id)
		a.push(k, id)
	})
}

// push lets an event run; a is locked.
func (a *async) push(k key, id string) {
	if a.queues == nil {
		a.queues = map[key]*queue{}
	}
	q := a.queues[k]
	if q == nil {
		q = &queue{}
		a.queues[k] = q
	}
	q.ready = append(q.ready, id)
	if q.workers < asyncWorkers {
		q.workers++
		a.s.plane.work.Go(func() { a.run(k, q) })
	}
}

// run runs events of one function until none is ready.
func (a *async) run(k key, q *queue) {
	for {
		a.mu.Lock()
		if len(q.ready) == 0 || a.stopping {
			if q.workers--; q.workers == 0 && a.queues[k] == q {
				delete(a.queues, k)
			}
			a.mu.Unlock()
			return
		}
		id := q.ready[0]
		q.ready = q.ready[1:]
		a.mu.Unlock()
		a.one(k, id)
	}
}

// one runs one event, and writes down what became of it.
func (a *async) one(k key, id string) {
	ctx := a.s.plane.ctx
	var e *event
	err := a.s.store.View(ctx, func(r data.Reader) (err error) {
		e, err = data.Load[event](r, k.area().event(id))
		return err
	})
	if err != nil || e == nil {
		return // it stays in the store, for the next start
	}
	next := a.act(ctx, k, e)
	if ctx.Err() != nil {
		return
	}
	err = a.s.store.Update(ctx, func(t data.Txn) error {
		if next == nil {
			return t.Delete(k.area().event(id))
		}
		return data.Save(t, k.area().event(id), next)
	})
	if err == nil && next != nil {
		a.schedule(k.area(), next)
	}
}

// attempt runs an event and returns in what form it waits for the next attempt;
// nil if it is done.
func (a *async) attempt(ctx context.Context, k key, e *event) *event {
	f, err := a.s.find(ctx, k)
	if err == nil && (f == nil || f.has(e.Qualifier) != nil) {
		return nil // the function is gone
	}
	now := a.s.clock.Now()
	retries, age := int32(defaultRetries), int32(defaultMaxEventAge)
	if err == nil {
		if c := f.rec.Async[asyncKey(e.Qualifier)]; c != nil {
			retries, age = opt.Or(c.Attempts, retries), opt.Or(c.MaxAge, age)
		}
		f.pools.meters.of(e.Qualifier, "").took(spreadAge, now.Sub(e.Enqueued))
		if now.Sub(e.Enqueued) > time.Duration(age)*time.Second {
			return a.report(f, e, conditionAge, outcome{})
		}
		inv := &invocation{id: e.ID, payload: e.Payload, trace: e.Trace, arn: k.arn(e.Qualifier), context: e.Context, as: e.Qualifier}
		var out outcome
		out, err = a.s.plane.invoke(ctx, f, f.resolve(e.Qualifier, a.s.random), inv)
		// A destination is invoked by what the function was, so that loops end.
		done := *e
		done.Trace = inv.trace
		if stopped, yes := recursive(err); yes {
			return a.report(f, &done, conditionRetries, stopped)
		}
		if err == nil && out.failure == "" {
			return a.report(f, &done, conditionSuccess, out)
		}
		if err == nil && e.Failures >= int(retries) {
			return a.report(f, &done, conditionRetries, out)
		}
	}
	next := *e
	if err != nil {
		if f := fault.As(err); f != nil && f.Status == 404 {
			return nil
		}
		next.Due = a.s.clock.Now().Add(min(backOffMax, backOffFirst<<min(next.Throttles, 20)))
		next.Throttles++
		return &next
	}
	next.Throttles = 0
	next.Failures++
	wait := retryFirst
	if next.Failures > 1 {
		wait = retrySecond
	}
	next.Due = a.s.clock.Now().Add(wait)
	return &next
}
