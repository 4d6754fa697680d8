// Package occ makes a serializable data.Store of an engine that can do no more
// than take snapshots and commit batches of writes in order, by optimistic
// concurrency control.
//
// A transaction reads from a snapshot, under an overlay of its own writes, and
// notes which keys and ranges it read. To commit it takes the turn, of which
// there is one, checks that nobody has written since into what it read, and
// hands its writes to the engine, which makes them visible at once and durable
// later. It gives up the turn before it waits for durability, so commits that
// come together share one fsync. A transaction that met with conflicts several
// times runs holding the turn and thus cannot meet with another; so there is no
// waiting that a clock would have to end, and nobody starves.
//
// What was acknowledged is durable, and so is everything it was derived from:
//
//   - An update that wrote answers when its own writes are durable. The engine
//     makes commits durable in order, so whatever the update read, which was
//     committed before it, is durable too.
//   - A view reads the last state known to be durable, never a later one. An
//     update publishes its state before it answers, so whoever was answered finds
//     in a view what the answer was about.
//   - An update that wrote nothing or failed, but has read, waits until the state
//     that it read is durable. It causes no fsync of its own: if nobody is
//     writing, that state is durable already.
//
// If the engine fails to make a commit durable nobody can say what is on the
// disk after that state, so from then on every update fails, and views go on to
// see the last durable state.
package occ

import "github.com/tierra-cloud/tierra/internal/data"

// Engine is what a Store is made of. The Store calls Snapshot, and Apply of a
// Commit, from one goroutine at a time, and Close last of all.
type Engine interface {
	// Snapshot returns the state after all commits applied so far.
	Snapshot() Snapshot
	// Prepare makes a commit of writes, which are in order of their keys. The
	// writes are the engine's to keep but not to change.
	Prepare(writes []Write) (Commit, error)
	// Close closes the engine.
	Close() error
}

// Write is a key's new value, or its removal.
type Write struct {
	Key, Value []byte
	Delete     bool
}

// Snapshot is one state. It may be read by several goroutines, until Close.
type Snapshot interface {
	data.Reader
	Close() error
}

// Commit is a batch of writes.
type Commit interface {
	// Apply makes the writes visible to later snapshots. If it fails it has
	// changed nothing that a snapshot would show.
	Apply() error
	// Wait returns when the writes, and those of all commits applied earlier,
	// are durable. It follows a successful Apply.
	Wait() error
	// Drop lets go of a commit that will not be applied.
	Drop()
}
