// Package blob is the contract for large bytes: objects, code packages, layers.
// A blob is written once, committed under a name, and never changed after that.
package blob

import (
	"context"
	"errors"
	"io"
)

// Store keeps blobs by name. Names are 1 to 200 bytes of [A-Za-z0-9._-] and '/'
// between them, with no part that is "." or "..".
type Store interface {
	// Create begins a blob. Nothing is seen of it before Commit.
	Create(ctx context.Context) (Writer, error)
	// Open opens a committed blob; ErrNotFound if there is none.
	Open(ctx context.Context, name string) (Reader, error)
	// Stat returns a blob's size in bytes.
	Stat(ctx context.Context, name string) (size int64, err error)
	// Delete removes a blob if it is there. Readers that have it open keep it.
	Delete(ctx context.Context, name string) error
	// Names yields the names that begin with prefix, in bytewise order; it is
	// for scrubbing and clean-up, not for request paths.
	Names(ctx context.Context, prefix string) ([]string, error)
}

// Writer takes a blob's bytes.
type Writer interface {
	io.Writer
	// Commit makes the bytes durable and visible under name, replacing what was there.
	Commit(name string) error
	// Abort drops the bytes. After Commit it does nothing, so it can be deferred.
	Abort()
}

// Reader reads a committed blob.
type Reader interface {
	io.ReaderAt
	io.ReadSeekCloser
	Size() int64
}

// ErrNotFound says that no blob has that name.
var ErrNotFound = errors.New("blob: not found")
