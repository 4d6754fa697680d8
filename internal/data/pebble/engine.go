package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/internal/occ"
)

// engine implements occ.Engine.
type engine struct {
	db  *pebble.DB
	log *slog.Logger

	mu      sync.Mutex
	ended   error // what the last flush, the writing of a table, ended with
	flush   error // ended, if that was a failure
	failing bool  // no flush has succeeded since one failed
	wrecked error // the engine panicked and must not be touched any more
}

// flushed takes how a flush ended. A flush that had nothing to write ends with an
// error too; background tells which errors are failures.
func (e *engine) flushed(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended, e.flush = err, nil
	if err == nil {
		e.failing = false
	}
}

// background takes failures of the engine's own work. A flush that fails is tried
// again without end, so it is logged once.
func (e *engine) background(err error) {
	e.mu.Lock()
	known := false
	if e.ended != nil && errors.Is(err, e.ended) {
		known = e.failing
		e.flush, e.failing = err, true
	}
	e.mu.Unlock()
	if !known {
		e.log.Error("store: background work failed", "error", err)
	}
}

func (e *engine) fit() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.wrecked != nil {
		return e.wrecked
	}
	if e.flush != nil {
		return fmt.Errorf("the disk takes no tables: %w", e.flush)
	}
	return nil
}

// Snapshot implements occ.Engine.
func (e *engine) Snapshot() occ.Snapshot { return snapshot{e.db.NewSnapshot()} }

// Close implements occ.Engine.
func (e *engine) Close() error {
	e.mu.Lock()
	wrecked := e.wrecked
	e.mu.Unlock()
	if wrecked != nil {
		return fmt.Errorf("data: the store was not closed: %w", wrecked)
	}
	if err := e.db.Close(); err != nil {
		return fmt.Errorf("data: close: %w", err)
	}
	return nil
}

// Prepare implements occ.Engine.
func (e *engine) Prepare(writes []occ.Write) (occ.Commit, error) {
	const overhead = 16 // bytes per write and for the head, generously
	size := overhead
	for _, w := range writes {
		size += len(w.Key) + len(w.Value) + overhead
	}
	b := e.db.NewBatchWithSize(size)
	for _, w := range writes {
		var err error
		if w.Delete {
			err = b.Delete(w.Key, nil)
		} else {
			err = b.Set(w.Key, w.Value, nil)
		}
		if err != nil {
			return nil, errors.Join(err, b.Close())
		}
	}
	return &commit{engine: e, batch: b}, nil
}

type commit struct {
	engine *engine
	batch  *pebble.Batch
}

// Apply implements occ.Commit. The engine panics when its log has failed before,
// which occ would have learned from Wait a moment later.
func (c *commit) Apply() (err error) {
	if err := c.engine.fit(); err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the log cannot be written: %v", p)
			c.batch = nil // half committed: not to be used again
			c.engine.mu.Lock()
			c.engine.wrecked = err
			c.engine.mu.Unlock()
		}
	}()
	return c.engine.db.ApplyNoSyncWait(c.batch, pebble.Sync)
}

// Wait implements occ.Commit. The log is written in order, so what was committed
// before is synced too.
func (c *commit) Wait() error {
	if err := c.batch.SyncWait(); err != nil {
		return err
	}
	return c.batch.Close()
}

// Drop implements occ.Commit.
func (c *commit) Drop() {
	if c.batch != nil {
		_ = c.batch.Close() // frees memory, nothing else
	}
}

// snapshot implements occ.Snapshot.
type snapshot struct{ *pebble.Snapshot }

// Get implements data.Reader.
func (s snapshot) Get(key []byte) ([]byte, bool, error) {
	v, closer, err := s.Snapshot.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("data: get: %w", err)
	}
	value := append(make([]byte, 0, len(v)), v...)
	if err := closer.Close(); err != nil {
		return nil, false, fmt.Errorf("data: get: %w", err)
	}
	return value, true, nil
}

// Scan implements data.Reader.
func (s snapshot) Scan(from, to []byte, reverse bool) iter.Seq2[data.Pair, error] {
	return func(yield func(data.Pair, error) bool) {
		if len(from) == 0 {
			from = nil
		}
		it, err := s.NewIter(&pebble.IterOptions{LowerBound: bytes.Clone(from), UpperBound: bytes.Clone(to)})
		if err != nil {
			yield(data.Pair{}, fmt.Errorf("data: scan: %w", err))
			return
		}
		closed := false
		defer func() {
			if !closed { // broken off: who reads no further learns of no error
				_ = it.Close()
			}
		}()
		start, step := it.First, it.Next
		if reverse {
			start, step = it.Last, it.Prev
		}
		for ok := start(); ok; ok = step() {
			value, err := it.ValueAndErr()
			if err != nil {
				break // Close gives the error
			}
			if !yield(pair(it.Key(), value), nil) {
				return
			}
		}
		closed = true
		if err := it.Close(); err != nil {
			yield(data.Pair{}, fmt.Errorf("data: scan: %w", err))
		}
	}
}

// pair copies key and value into one piece of memory.
func pair(key, value []byte) data.Pair {
	b := make([]byte, 0, len(key)+len(value))
	b = append(append(b, key...), value...)
	return data.Pair{Key: b[:len(key):len(key)], Value: b[len(key):]}
}
