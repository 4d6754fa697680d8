// Package cache keeps what backends answered, for as long as the setting of a
// method says. It knows neither requests nor answers: values are bytes.
//
// Nothing is allocated before the first value is kept, and what is kept is
// forgotten at a restart, as a cache may.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html
package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// MaxValue is the most that a value may have, in bytes; a larger one is not kept.
const MaxValue = 1 << 20

// Options are what a cache is made of.
type Options struct {
	Clock clock.Clock
	// Bytes is how much memory the values and their keys may take. Those that are
	// used least give way.
	Bytes uint64
	// Random returns n random bytes, of which keys are made that encrypt.
	Random func(n int) []byte
}

// How says how a value is kept.
type How struct {
	TTL time.Duration // must not be 0
	// Encrypted keeps the value encrypted with AES-256-GCM, under a key that is
	// never written down and ends with the cache.
	Encrypted bool
	// Refresh makes the value anew and keeps it in the place of what is there.
	Refresh bool
}

// Cache is a cache. It is safe for concurrent use.
type Cache struct {
	o    Options
	kept atomic.Pointer[shelf] // nil until something is kept

	mu      sync.Mutex // of what follows, and of making and dropping the shelf
	flushes uint64
	flights map[string]*flight
}

// shelf holds the values between two flushes.
type shelf struct {
	*otter.Cache[string, entry]
	sealer
}

type entry struct {
	value  []byte
	sealed bool
	ttl    time.Duration
}

// overhead is about what an entry takes beside its key and value, in bytes.
const overhead = 200

// New makes a cache.
func New(o Options) *Cache { return &Cache{o: o} }

// Size returns how many bytes the cache may hold.
func (c *Cache) Size() uint64 { return c.o.Bytes }

// flight is the making of a value that others wait for.
type flight struct {
	done  chan struct{}
	value []byte // if ok
	ok    bool   // it may be shared
	again bool   // who made it gave up: another may try
}

// Do returns the value under a key. If there is none, it calls fetch, which returns
// the value and whether it may be kept; meanwhile others who ask for the same key
// wait for it, but for no other key. hit is false if fetch was called for this
// caller, who then has what it fetched. The value must not be changed.
func (c *Cache) Do(ctx context.Context, key string, how How, fetch func() (value []byte, keep bool)) (value []byte, hit bool) {
	if how.Refresh {
		since := c.since()
		if v, keep := fetch(); keep {
			c.put(since, key, v, how)
		}
		return nil, false
	}
	for {
		if v, ok := c.get(key); ok {
			return v, true
		}
		f, mine, since := c.join(key)
		if mine {
			return c.lead(ctx, f, since, key, how, fetch)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
		}
		switch {
		case ctx.Err() != nil: // whoever asked has gone: what it would do comes to nothing
		case f.ok:
			return f.value, true
		case f.again:
			continue
		}
		fetch()
		return nil, false
	}
}

// join takes part in the making of a value; mine says that the caller makes it.
func (c *Cache) join(key string) (f *flight, mine bool, since uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[key]; f != nil {
		return f, false, 0
	}
	if c.flights == nil {
		c.flights = map[string]*flight{}
	}
	f = &flight{done: make(chan struct{})}
	c.flights[key] = f
	return f, true, c.flushes
}

// lead makes a value for all who wait.
func (c *Cache) lead(ctx context.Context, f *flight, since uint64, key string, how How, fetch func() ([]byte, bool)) (value []byte, hit bool) {
	f.again = true // should fetch panic
	defer func() {
		c.mu.Lock()
		if c.flights[key] == f {
			delete(c.flights, key)
		}
		c.mu.Unlock()
		close(f.done)
	}()
	if f.value, f.ok = c.get(key); f.ok { // another has just made it
		return f.value, true
	}
	f.value, f.ok = fetch()
	f.again = !f.ok && ctx.Err() != nil
	if f.ok {
		c.put(since, key, f.value, how)
	}
	return nil, false
}

func (c *Cache) get(key string) ([]byte, bool) {
	s := c.kept.Load()
	if s == nil {
		return nil, false
	}
	e, ok := s.GetIfPresent(key)
	if !ok || !e.sealed {
		return e.value, ok
	}
	return s.open(key, e.value)
}

// since returns what put needs to know whether the cache was flushed meanwhile.
func (c *Cache) since() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flushes
}

// put keeps a value, unless the cache was flushed since it was asked for.
func (c *Cache) put(since uint64, key string, value []byte, how How) {
	if how.TTL <= 0 || len(value) > MaxValue {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flushes != since {
		return
	}
	s := c.kept.Load()
	if s == nil {
		s = c.shelf()
		c.kept.Store(s)
	}
	e := entry{value: value, sealed: how.Encrypted, ttl: how.TTL}
	if how.Encrypted {
		if e.value = s.seal(c.o.Random, key, value); len(e.value) > MaxValue {
			return
		}
	}
	s.Set(key, e)
}

func (c *Cache) shelf() *shelf {
	return &shelf{Cache: otter.Must(&otter.Options[string, entry]{
		MaximumWeight: c.o.Bytes, Clock: ticking{c.o.Clock},
		Weigher:          func(key string, e entry) uint32 { return uint32(len(key) + len(e.value) + overhead) },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, entry]) time.Duration { return e.Value.ttl }),
	})}
}

// Flush forgets everything, also what is being made.
func (c *Cache) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushes++
	c.kept.Store(nil)
	clear(c.flights) // who asks from now on does not wait for what is old already
}

// ticking is a clock as the library knows clocks. It never ticks: what has
// expired is dropped when the cache is used.
type ticking struct{ clock.Clock }

// NowNano implements otter.Clock.
func (t ticking) NowNano() int64 { return t.Now().UnixNano() }

// Tick implements otter.Clock.
func (t ticking) Tick(time.Duration) <-chan time.Time { return nil }
