// Package data is the store's contract: ordered byte keys, consistent snapshots,
// serializable transactions. It must fit an embedded engine and a PostgreSQL-wire
// engine alike, so nothing of either leaks out of it.
//
// What callers may rely on:
//
//   - An Update that returned nil is on disk: it survives kill -9 and power loss.
//   - Updates are serializable: there is an order of all committed updates in
//     which each would have read what it read.
//   - A View sees one committed state, whatever is written meanwhile.
//
// What callers must do:
//
//   - An Update's function may run several times (on conflict); it must have no
//     effect but on the transaction, and must return errors of the transaction as they are.
//   - Slices handed out by Get and Scan are the caller's to keep; slices handed
//     in are copied before the call returns.
//   - A transaction is used by one goroutine and not after its function returned.
package data

import (
	"context"
	"errors"
	"iter"
)

// Store is an ordered map from byte keys to byte values.
type Store interface {
	// View runs f over a consistent snapshot.
	View(ctx context.Context, f func(Reader) error) error
	// Update runs f as a serializable transaction and commits it durably unless
	// f returns an error, which Update then returns as it is. On a conflict with
	// another update f is run anew, until ctx ends.
	Update(ctx context.Context, f func(Txn) error) error
	// Close waits for running transactions and closes the store.
	Close() error
}

// Reader reads one state of the store.
type Reader interface {
	// Get returns the value of key; ok is false if there is none.
	Get(key []byte) (value []byte, ok bool, err error)
	// Scan yields the pairs with from <= key < to in bytewise order, or in the
	// opposite order if reverse. A nil `to` means no upper bound. The sequence
	// ends with the first error, which it yields with nil key and value.
	Scan(from, to []byte, reverse bool) iter.Seq2[Pair, error]
}

// Txn reads and writes. Reads see the transaction's own writes.
type Txn interface {
	Reader
	// Put sets key to value. Keys have 1 to 4,096 bytes, values at most 16 MiB;
	// anything else is ErrLimit, and so is a transaction's writing over MaxTxn.
	Put(key, value []byte) error
	// Delete removes key, if it is there.
	Delete(key []byte) error
}

// Pair is a key with its value.
type Pair struct{ Key, Value []byte }

// Limits of the contract, the same over every engine.
const (
	MaxKey   = 4 << 10
	MaxValue = 16 << 20
	// MaxTxn is the most that one update writes, keys and values together.
	MaxTxn = 256 << 20
)

// Errors of the contract.
var (
	ErrLimit  = errors.New("data: key, value or transaction is over the limit")
	ErrClosed = errors.New("data: the store is closed")
	// ErrFormat says that a folder was written by a newer version.
	ErrFormat = errors.New("data: the on-disk format is newer than this binary knows")
)

// PrefixEnd returns the smallest key that is greater than every key with the
// given prefix, for use as Scan's `to`; nil if there is none.
func PrefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}
