package occ

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/internal/tree"
)

var errEnded = errors.New("data: a transaction was used after its function had returned")

// reader is what a View's function gets.
type reader struct {
	ctx   context.Context
	snap  Snapshot
	ended bool
}

func (r *reader) end() { r.ended = true }

func (r *reader) alive() error {
	if r.ended {
		return errEnded
	}
	return r.ctx.Err()
}

// Get implements data.Reader.
func (r *reader) Get(key []byte) ([]byte, bool, error) {
	if err := r.alive(); err != nil {
		return nil, false, err
	}
	return r.snap.Get(key)
}

// Scan implements data.Reader.
func (r *reader) Scan(from, to []byte, reverse bool) iter.Seq2[data.Pair, error] {
	return func(yield func(data.Pair, error) bool) {
		if err := r.alive(); err != nil {
			yield(data.Pair{}, err)
			return
		}
		if empty(from, to) {
			return
		}
		for p, err := range r.snap.Scan(from, to, reverse) {
			if err == nil {
				err = r.alive()
			}
			if err != nil {
				yield(data.Pair{}, err)
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// empty reports whether no key can be in the range. Engines need not know of such.
func empty(from, to []byte) bool { return to != nil && bytes.Compare(from, to) >= 0 }

// txn is what an Update's function gets: a reader under the transaction's own writes.
type txn struct {
	reader
	reads  reads
	writes tree.Map[Write]
	size   int   // of keys and values written, in bytes
	broken error // the first error of the engine, which no commit may follow
}

// run calls f and ends the transaction.
func (t *txn) run(f func(data.Txn) error) error {
	defer t.end()
	return f(t)
}

func (t *txn) hasRead() bool { return len(t.reads.keys)+len(t.reads.spans) > 0 }

// list returns the writes in order of their keys.
func (t *txn) list() []Write {
	list := make([]Write, 0, t.writes.Len())
	for c := t.writes.Range(nil, nil, false); c.Valid(); c.Next() {
		list = append(list, c.Value())
	}
	return list
}

// keys returns the keys written.
func (t *txn) keys() [][]byte {
	keys := make([][]byte, 0, t.writes.Len())
	for c := t.writes.Range(nil, nil, false); c.Valid(); c.Next() {
		keys = append(keys, c.Key())
	}
	return keys
}

// Get implements data.Reader.
func (t *txn) Get(key []byte) ([]byte, bool, error) {
	if err := t.alive(); err != nil {
		return nil, false, err
	}
	if w, ok := t.writes.Get(key); ok {
		if w.Delete {
			return nil, false, nil
		}
		return clone(w.Value), true, nil
	}
	t.reads.key(key)
	value, ok, err := t.snap.Get(key)
	if err != nil && t.broken == nil {
		t.broken = err
	}
	return value, ok, err
}

// Scan implements data.Reader. It shows the transaction's writes as they were
// when the scan began, so that a scan may delete or add as it goes.
func (t *txn) Scan(from, to []byte, reverse bool) iter.Seq2[data.Pair, error] {
	return func(yield func(data.Pair, error) bool) {
		if err := t.alive(); err != nil {
			yield(data.Pair{}, err)
			return
		}
		if empty(from, to) {
			return
		}
		span := t.reads.scan(from, to, reverse)
		own := t.writes.Range(from, to, reverse)
		// give notes how far the reading went, then yields.
		give := func(p data.Pair) bool {
			span.upTo(p.Key, reverse)
			return yield(p, nil)
		}
		// giveOwn yields the own write that is next, unless it is a removal.
		giveOwn := func() bool {
			w := own.Value()
			own.Next()
			return w.Delete || give(data.Pair{Key: bytes.Clone(w.Key), Value: clone(w.Value)})
		}
		for p, err := range t.snap.Scan(from, to, reverse) {
			if err != nil {
				if t.broken == nil {
					t.broken = err
				}
				yield(data.Pair{}, err)
				return
			}
			if err := t.alive(); err != nil {
				yield(data.Pair{}, err)
				return
			}
			c := 1
			for own.Valid() {
				c = bytes.Compare(own.Key(), p.Key)
				if reverse {
					c = -c
				}
				if c >= 0 {
					break
				}
				if !giveOwn() {
					return
				}
			}
			if own.Valid() && c == 0 {
				if !giveOwn() {
					return
				}
				continue
			}
			if !give(p) {
				return
			}
		}
		for own.Valid() {
			if !giveOwn() {
				return
			}
		}
		span.all(from, to, reverse)
	}
}

// Put implements data.Txn.
func (t *txn) Put(key, value []byte) error {
	if err := t.alive(); err != nil {
		return err
	}
	if len(key) == 0 || len(key) > data.MaxKey || len(value) > data.MaxValue {
		return data.ErrLimit
	}
	return t.write(Write{Key: bytes.Clone(key), Value: clone(value)})
}

// Delete implements data.Txn. A key outside the limits is not there.
func (t *txn) Delete(key []byte) error {
	if err := t.alive(); err != nil {
		return err
	}
	if len(key) == 0 || len(key) > data.MaxKey {
		return nil
	}
	return t.write(Write{Key: bytes.Clone(key), Delete: true})
}

func (t *txn) write(w Write) error {
	size := t.size + len(w.Key) + len(w.Value)
	if old, ok := t.writes.Get(w.Key); ok {
		size -= len(old.Key) + len(old.Value)
	}
	if size > data.MaxTxn {
		return data.ErrLimit
	}
	t.size = size
	t.writes = t.writes.Set(w.Key, w)
	return nil
}

// clone is bytes.Clone that makes of nil an empty slice: the store knows no
// difference between the two, and callers shall not find one.
func clone(b []byte) []byte { return append([]byte{}, b...) }
