// Package mem is the store in memory: for tests, and for servers that shall forget.
// It keeps the whole contract but durability, conflicts and reruns included.
package mem

import (
	"bytes"
	"iter"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/internal/occ"
	"github.com/tierra-cloud/tierra/internal/data/internal/tree"
)

// New returns an empty store.
func New() data.Store { return occ.New(&engine{}) }

// engine holds the present state; a snapshot is a copy of it.
type engine struct{ state snapshot }

// Snapshot implements occ.Engine.
func (e *engine) Snapshot() occ.Snapshot { return e.state }

// Prepare implements occ.Engine.
func (e *engine) Prepare(writes []occ.Write) (occ.Commit, error) {
	return &commit{engine: e, writes: writes}, nil
}

// Close implements occ.Engine.
func (e *engine) Close() error { return nil }

type commit struct {
	engine *engine
	writes []occ.Write
}

// Apply implements occ.Commit.
func (c *commit) Apply() error {
	m := c.engine.state.values
	for _, w := range c.writes {
		if w.Delete {
			m = m.Delete(w.Key)
		} else {
			m = m.Set(w.Key, w.Value)
		}
	}
	c.engine.state.values = m
	return nil
}

// Wait implements occ.Commit: memory is as durable as it will ever be.
func (c *commit) Wait() error { return nil }

// Drop implements occ.Commit.
func (c *commit) Drop() {}

// snapshot is one state of the store. What it holds is never changed, so it hands
// out copies.
type snapshot struct{ values tree.Map[[]byte] }

// Get implements data.Reader.
func (s snapshot) Get(key []byte) ([]byte, bool, error) {
	v, ok := s.values.Get(key)
	return bytes.Clone(v), ok, nil
}

// Scan implements data.Reader.
func (s snapshot) Scan(from, to []byte, reverse bool) iter.Seq2[data.Pair, error] {
	return func(yield func(data.Pair, error) bool) {
		for c := s.values.Range(from, to, reverse); c.Valid(); c.Next() {
			if !yield(data.Pair{Key: bytes.Clone(c.Key()), Value: bytes.Clone(c.Value())}, nil) {
				return
			}
		}
	}
}

// Close implements occ.Snapshot.
func (s snapshot) Close() error { return nil }
