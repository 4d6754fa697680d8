package lambda

import (
	"errors"
	"sync/atomic"
	"time"
)

// memory is what all environments of the server may hold together. An environment
// is taken to hold the most that it has held, and before its first event the most
// that one of its version has: MemorySize would let only few of them in that
// mostly use a tenth of it, and what one holds is limited by that anyway.
type memory struct {
	p     *plane
	limit int64 // bytes; 0 is none
	held  atomic.Int64
}

// unknown is what an environment is taken to hold of which nothing is known, in bytes.
const unknown = 48 << 20

// errMemory says that there is no memory for another environment.
var errMemory = errors.New("no memory for another environment")

// cost is what another environment will hold.
func (p *pool) cost() int64 {
	if peak := p.peak.Load(); peak > 0 {
		return peak
	}
	return min(int64(p.v.Memory)<<20, unknown)
}

// take takes n bytes for an environment of p, and ends idle environments of others
// as far as that is needed: those first that were not used for longest. It
// reports false if it is not enough. No pool may be locked.
func (m *memory) take(p *pool, n int64) bool {
	held := m.held.Add(n)
	if m.limit == 0 || held <= m.limit {
		return true
	}
	for m.reclaim(p) {
		if m.held.Load() <= m.limit {
			return true
		}
	}
	m.held.Add(-n)
	return false
}

// reclaim ends the environment that was idle for longest, but of p.
func (m *memory) reclaim(p *pool) bool {
	var oldest *pool
	var used time.Time
	m.p.each(func(x *pool) {
		if x == p {
			return
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		if len(x.idle) > 0 && (oldest == nil || x.idle[0].used.Before(used)) {
			oldest, used = x, x.idle[0].used
		}
	})
	if oldest == nil {
		return false
	}
	oldest.mu.Lock()
	defer oldest.mu.Unlock()
	if len(oldest.idle) > 0 {
		e := oldest.idle[0]
		oldest.idle = append(oldest.idle[:0], oldest.idle[1:]...)
		oldest.drop(e)
	}
	return true
}
