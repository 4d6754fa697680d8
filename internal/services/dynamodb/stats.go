package dynamodb

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
)

// Counting a table takes to read it, and counting as it is written would make
// all its writers wait for each other. So a table is counted when somebody asks,
// if it was written since: small ones always, large ones not again before
// recountAfter has passed. (AWS counts about every six hours.)
const (
	smallTable   = 10_000
	recountAfter = 10 * time.Minute
)

// stats are a table's counts. The value outlives changes of the table.
type stats struct {
	writes atomic.Uint64

	mu     sync.Mutex
	known  bool
	upTo   uint64 // the number of writes before the count
	at     time.Time
	counts counts
}

func (s *stats) changed() { s.writes.Add(1) }

// counts are the items and bytes of a table and, by number, of its indexes.
type counts struct {
	count
	indexes map[string]count
}

type count struct{ items, bytes int64 }

func (s *Service) count(ctx context.Context, t *table) (counts, error) {
	st := t.stats
	st.mu.Lock()
	defer st.mu.Unlock()
	writes, now := st.writes.Load(), s.clock.Now()
	if st.known && st.complete(t) && (st.upTo == writes || st.counts.items > smallTable && now.Sub(st.at) < recountAfter) {
		return st.counts, nil
	}
	var c counts
	err := s.store.View(ctx, func(r data.Reader) (err error) {
		c = counts{indexes: map[string]count{}}
		if c.count, err = countRange(r, t.items); err != nil {
			return err
		}
		for _, x := range t.indexes {
			if c.indexes[x.Number], err = countRange(r, x.prefix); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		st.known, st.upTo, st.at, st.counts = true, writes, now, c
	}
	return c, err
}

// complete reports whether every index was counted.
func (s *stats) complete(t *table) bool {
	for _, x := range t.indexes {
		if _, ok := s.counts.indexes[x.Number]; !ok {
			return false
		}
	}
	return true
}

func countRange(r data.Reader, prefix []byte) (c count, err error) {
	for p, err := range r.Scan(prefix, data.PrefixEnd(prefix), false) {
		if err != nil {
			return c, err
		}
		c.items++
		c.bytes += int64(storedSize(p.Value))
	}
	return c, nil
}
