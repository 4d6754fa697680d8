package cache

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
)

func newCache(size uint64) (*Cache, *clock.Fake) {
	c := clock.NewFake(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	return New(Options{Clock: c, Bytes: size, Random: ids.From(rand.NewChaCha8([32]byte{1})).Bytes}), c
}

// get asks for a key, which would get a value, and returns what it got and
// whether that had been kept.
func get(c *Cache, key, value string, how How) (string, bool) {
	v, hit := c.Do(context.Background(), key, how, func() ([]byte, bool) { return []byte(value), true })
	if !hit {
		return value, false
	}
	return string(v), true
}

func TestCache(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		t.Run(fmt.Sprintf("encrypted=%t", encrypted), func(t *testing.T) {
			c, now := newCache(1 << 20)
			how := How{TTL: time.Minute, Encrypted: encrypted}
			if c.kept.Load() != nil {
				t.Error("a cache that holds nothing takes memory")
			}
			step := func(what, key, value, want string, hit bool) {
				t.Helper()
				if v, h := get(c, key, value, how); v != want || h != hit {
					t.Errorf("%s: %q, hit %t", what, v, h)
				}
			}
			step("first", "a", "1", "1", false)
			step("again", "a", "2", "1", true)
			step("another key", "b", "2", "2", false)
			now.Advance(59 * time.Second)
			step("before its time", "a", "2", "1", true)
			now.Advance(2 * time.Second)
			step("after its time", "a", "3", "3", false)
			refresh := how
			refresh.Refresh = true
			if v, hit := get(c, "a", "4", refresh); v != "4" || hit {
				t.Errorf("refresh: %q, hit %t", v, hit)
			}
			step("after a refresh", "a", "5", "4", true)
			c.Flush()
			step("after a flush", "a", "6", "6", false)
			e, _ := c.kept.Load().GetIfPresent("a")
			if encrypted == bytes.Equal(e.value, []byte("6")) {
				t.Errorf("kept as %q", e.value)
			}
		})
	}
}

// TestNotKept holds that what may not be kept, or is too large, is not.
func TestNotKept(t *testing.T) {
	c, _ := newCache(1 << 30)
	how := How{TTL: time.Minute}
	for range 2 {
		if _, hit := c.Do(context.Background(), "a", how, func() ([]byte, bool) { return nil, false }); hit {
			t.Error("what may not be kept is kept")
		}
		if _, hit := get(c, "b", strings.Repeat("x", MaxValue+1), how); hit {
			t.Error("what is too large is kept")
		}
		if _, hit := get(c, "c", strings.Repeat("x", MaxValue), How{TTL: time.Minute, Encrypted: true}); hit {
			t.Error("what is too large when it is encrypted is kept")
		}
	}
	get(c, "d", strings.Repeat("x", MaxValue), how)
	if _, hit := get(c, "d", "", how); !hit {
		t.Error("the largest value is not kept")
	}
}

// TestSize holds that a cache holds no more than it may.
func TestSize(t *testing.T) {
	const size = 1 << 20
	c, _ := newCache(size)
	for i := range 200 {
		get(c, fmt.Sprint(i), strings.Repeat("x", 50_000), How{TTL: time.Minute})
	}
	s := c.kept.Load()
	s.CleanUp()
	var total int
	for k, e := range s.All() {
		total += len(k) + len(e.value)
	}
	if total == 0 || total > size {
		t.Errorf("the cache holds %d bytes", total)
	}
}

// TestStampede holds that of many who ask for the same at once one fetches it, and
// that nobody waits for another key.
func TestStampede(t *testing.T) {
	c, _ := newCache(1 << 20)
	how := How{TTL: time.Minute}
	var fetched atomic.Int32
	began, release := make(chan struct{}, 50), make(chan struct{})
	var all sync.WaitGroup
	const callers = 50
	for range callers {
		all.Go(func() {
			v, hit := c.Do(t.Context(), "a", how, func() ([]byte, bool) {
				fetched.Add(1)
				began <- struct{}{}
				<-release
				return []byte("v"), true
			})
			if hit && string(v) != "v" {
				t.Errorf("got %q", v)
			}
		})
	}
	<-began
	if _, hit := get(c, "b", "w", how); hit {
		t.Error("another key has a value")
	}
	close(release)
	all.Wait()
	if n := fetched.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

// TestAlone holds that those who waited for what may not be shared go on for
// themselves, and that one who gave up is followed by another.
func TestAlone(t *testing.T) {
	for _, gone := range []bool{false, true} {
		c, _ := newCache(1 << 20)
		how := How{TTL: time.Minute}
		ctx, cancel := context.WithCancel(t.Context())
		began, release := make(chan struct{}), make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			c.Do(ctx, "a", how, func() ([]byte, bool) {
				close(began)
				<-release
				return nil, false
			})
		})
		<-began
		var fetched atomic.Int32
		const others = 5
		for range others {
			all.Go(func() {
				c.Do(t.Context(), "a", how, func() ([]byte, bool) {
					fetched.Add(1)
					return []byte("v"), gone
				})
			})
		}
		if gone {
			cancel()
		}
		close(release)
		all.Wait()
		cancel()
		if n := fetched.Load(); n < 1 || gone && n != 1 || n > others {
			t.Errorf("gone %t: fetched %d times", gone, n)
		}
	}
}

// TestFlushMeanwhile holds that what was asked for before a flush is not kept after.
func TestFlushMeanwhile(t *testing.T) {
	c, _ := newCache(1 << 20)
	how := How{TTL: time.Minute}
	c.Do(t.Context(), "a", how, func() ([]byte, bool) {
		c.Flush()
		return []byte("old"), true
	})
	how.Refresh = true
	c.Do(t.Context(), "b", how, func() ([]byte, bool) {
		c.Flush()
		return []byte("old"), true
	})
	how.Refresh = false
	for _, key := range []string{"a", "b"} {
		if v, hit := get(c, key, "new", how); hit {
			t.Errorf("%s: %q is kept", key, v)
		}
	}
}
