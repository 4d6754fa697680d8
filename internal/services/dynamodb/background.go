package dynamodb

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
)

const (
	// batchKeys and batchBytes bound one transaction of background work, so that it
	// neither grows large nor gets in the way of other writers for long.
	batchKeys  = 500
	batchBytes = 4 << 20
	// sweepEvery is how often expired items and tokens are looked for.
	sweepEvery = 10 * time.Second
)

// background is work that goes on after an operation has answered: filling new
// indexes, deleting what is left of deleted ones, expiring items.
type background struct {
	ctx    context.Context
	cancel context.CancelFunc
	jobs   sync.WaitGroup // that end by themselves
	worker sync.WaitGroup // that ends with ctx
	mu     sync.Mutex
	closed bool
}

// run runs a job that ends when it is done or when its context ends.
func (b *background) run(job func(ctx context.Context)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.jobs.Add(1)
	go func() {
		defer b.jobs.Done()
		job(b.ctx)
	}()
}

// Start implements call.Worker: it takes up what was interrupted and begins to
// expire items.
func (s *Service) Start(ctx context.Context) error {
	var found []ref
	var rubbish [][]byte
	err := s.store.View(ctx, func(r data.Reader) error {
		found, rubbish = nil, nil
		all, err := places(r)
		if err != nil {
			return err
		}
		for _, p := range all {
			err := eachTable(r, p, "", func(rec record) bool {
				found = append(found, ref{p, rec.Name})
				return true
			})
			if err != nil {
				return err
			}
			g := garbageKey(p)
			for pair, err := range r.Scan(g, data.PrefixEnd(g), false) {
				if err != nil {
					return err
				}
				rubbish = append(rubbish, pair.Key)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range found {
		t, err := s.lookup(ctx, r)
		if err != nil {
			return err
		}
		if t == nil {
			continue
		}
		for _, x := range t.indexes {
			if x.Filling {
				s.fillLater(r, x.Number, nil)
			}
		}
		if t.expiry != nil && t.expiry.Filling {
			s.fillLater(r, t.expiry.Number, nil)
		}
	}
	for _, key := range rubbish {
		s.run(func(ctx context.Context) { s.purge(ctx, key) })
	}
	s.worker.Go(func() { s.sweeps(s.ctx) })
	return nil
}

// Stop implements call.Worker.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	done := make(chan struct{})
	go func() { s.jobs.Wait(); s.worker.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fill makes the entries of items that were in a table before one of its indexes
// was. It does the first batch at once, so that a small table is ready when the
// answer goes out, and the rest later.
func (s *Service) fill(ctx context.Context, r ref, number string) {
	// A caller that goes away does not take the work along.
	next, done := s.fillBatch(context.WithoutCancel(ctx), r, number, nil)
	if !done {
		s.fillLater(r, number, next)
	}
}

func (s *Service) fillLater(r ref, number string, from []byte) {
	s.run(func(ctx context.Context) {
		for done := false; !done && ctx.Err() == nil; {
			from, done = s.fillBatch(ctx, r, number, from)
		}
	})
}

// fillBatch goes on at the key from. An error of the store leaves the index as
// being filled: the next start takes it up anew.
func (s *Service) fillBatch(ctx context.Context, r ref, number string, from []byte) (next []byte, done bool) {
	t, err := s.hold(ctx, r)
	if err != nil {
		return nil, true
	}
	derive := t.derivation(number)
	if derive == nil {
		s.schema.RUnlock()
		return nil, true
	}
	if from == nil {
		from = t.items
	}
	err = s.store.Update(ctx, func(txn data.Txn) error {
		next, done = nil, true
		n, size := 0, 0
		for pair, err := range txn.Scan(from, data.PrefixEnd(t.items), false) {
			if err != nil {
				return err
			}
			if n == batchKeys || size > batchBytes {
				next, done = pair.Key, false
				return nil
			}
			item, _, err := decodeItem(pair.Value)
			if err != nil {
				return err
			}
			n, size = n+1, size+len(pair.Value)
			if key, value, ok := derive(item); ok {
				if err := txn.Put(key, value); err != nil {
					return err
				}
			}
		}
		return nil
	})
	s.schema.RUnlock()
	if err != nil {
		return nil, true
	}
	if done {
		_ = s.filled(ctx, r, number)
	}
	return next, done
}

// filled notes that an index is complete.
func (s *Service) filled(ctx context.Context, r ref, number string) error {
	_, err := s.alter(ctx, r, func(_ data.Txn, rec *record) error {
		for i := range rec.Indexes {
			if rec.Indexes[i].Number == number {
				rec.Indexes[i].Filling = false
			}
		}
		if rec.Expiry != nil && rec.Expiry.Number == number {
			rec.Expiry.Filling = false
		}
		return nil
	})
	return err
}

// clear deletes what is left of something deleted: a first batch at once, the
// rest later. key is the key that discard made.
func (s *Service) clear(ctx context.Context, keys ...[]byte) {
	ctx = context.WithoutCancel(ctx)
	for _, key := range keys {
		if done, err := s.purgeBatch(ctx, key); err == nil && !done {
			s.run(func(ctx context.Context) { s.purge(ctx, key) })
		}
	}
}

func (s *Service) purge(ctx context.Context, key []byte) {
	for done := false; !done && ctx.Err() == nil; {
		var err error
		if done, err = s.purgeBatch(ctx, key); err != nil {
			return // the next start takes it up anew
		}
	}
}

func (s *Service) purgeBatch(ctx context.Context, key []byte) (done bool, err error) {
	prefix := garbage(key)
	err = s.store.Update(ctx, func(t data.Txn) error {
		done = false
		n := 0
		for pair, err := range t.Scan(prefix, data.PrefixEnd(prefix), false) {
			if err != nil {
				return err
			}
			if n++; n > 4*batchKeys {
				return nil
			}
			if err := t.Delete(pair.Key); err != nil {
				return err
			}
		}
		done = true
		return t.Delete(key)
	})
	return done, err
}

// sweeps expires items and tokens until ctx ends.
func (s *Service) sweeps(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.clock.After(sweepEvery):
			s.sweep(ctx)
		}
	}
}

func (s *Service) sweep(ctx context.Context) {
	s.schema.RLock()
	var expiring []ref
	seen := map[place]bool{}
	for r, t := range s.tables {
		seen[r.place] = true
		if t.expiry != nil {
			expiring = append(expiring, r)
		}
	}
	s.schema.RUnlock()
	for _, r := range expiring {
		for more := true; more && ctx.Err() == nil; {
			more = s.expireBatch(ctx, r)
		}
	}
	for p := range seen {
		for more := true; more && ctx.Err() == nil; {
			more = s.forgetBatch(ctx, p)
		}
	}
}

// oldest is how long ago an item's time may lie for the item still to expire.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
const oldest = 5 * 365 * 24 * time.Hour

// expireBatch deletes items whose time has come.
func (s *Service) expireBatch(ctx context.Context, r ref) (more bool) {
	t, err := s.hold(ctx, r)
	if err != nil {
		return false
	}
	defer s.schema.RUnlock()
	if t.expiry == nil {
		return false
	}
	now := s.clock.Now()
	from, to := t.expiryRange(now.Add(-oldest), now)
	var due [][]byte
	err = s.store.View(ctx, func(rd data.Reader) error {
		for pair, err := range rd.Scan(from, to, false) {
			if err != nil {
				return err
			}
			if due = append(due, pair.Key); len(due) == batchKeys {
				break
			}
		}
		return nil
	})
	if err != nil || len(due) == 0 {
		return false
	}
	err = s.store.Update(ctx, func(txn data.Txn) error {
		for _, k := range due {
			if _, ok, err := txn.Get(k); err != nil || !ok {
				if err != nil {
					return err
				}
				continue // it was changed meanwhile
			}
			_, key := t.expiryParts(k)
			stored, ok, err := txn.Get(key)
			if err != nil {
				return err
			}
			if !ok {
				return txn.Delete(k)
			}
			old, _, err := decodeItem(stored)
			if err != nil {
				return err
			}
			if _, err := t.write(txn, key, old, nil, 0); err != nil {
				return err
			}
		}
		return nil
	})
	t.stats.changed()
	return err == nil && len(due) == batchKeys
}

// forgetBatch deletes tokens of transactions that were carried out long enough ago.
func (s *Service) forgetBatch(ctx context.Context, p place) (more bool) {
	now := s.clock.Now()
	from, to := placeKey(p.account, p.region, "forget"), forgetKey(p, now, "")
	var due [][]byte
	err := s.store.View(ctx, func(rd data.Reader) error {
		for pair, err := range rd.Scan(from, to, false) {
			if err != nil {
				return err
			}
			if due = append(due, pair.Key); len(due) == batchKeys {
				break
			}
		}
		return nil
	})
	if err != nil || len(due) == 0 {
		return false
	}
	err = s.store.Update(ctx, func(t data.Txn) error {
		for _, k := range due {
			name := string(bytes.TrimPrefix(k, from)[8:])
			if err := (token{at: p, name: name, now: now}).forget(t); err != nil {
				return err
			}
			if err := t.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
	return err == nil && len(due) == batchKeys
}
