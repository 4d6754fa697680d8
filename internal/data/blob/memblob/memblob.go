// Package memblob keeps blobs in memory, for tests.
package memblob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tierra-cloud/tierra/internal/data/blob"
)

// New returns an empty store.
func New() blob.Store { return &store{blobs: map[string][]byte{}} }

type store struct {
	mu    sync.Mutex
	blobs map[string][]byte // never changed once they are here
}

// Create implements blob.Store.
func (s *store) Create(ctx context.Context) (blob.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &writer{store: s}, nil
}

// Open implements blob.Store.
func (s *store) Open(ctx context.Context, name string) (blob.Reader, error) {
	b, err := s.get(ctx, name)
	if err != nil {
		return nil, err
	}
	return &reader{Reader: bytes.NewReader(b)}, nil
}

// Stat implements blob.Store.
func (s *store) Stat(ctx context.Context, name string) (int64, error) {
	b, err := s.get(ctx, name)
	return int64(len(b)), err
}

func (s *store) get(ctx context.Context, name string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.blobs[name]
	if !ok {
		return nil, fmt.Errorf("%w: %q", blob.ErrNotFound, name)
	}
	return b, nil
}

// Delete implements blob.Store.
func (s *store) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.blobs, name)
	return nil
}

// Names implements blob.Store.
func (s *store) Names(ctx context.Context, prefix string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.blobs {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

var errEnded = errors.New("blob: the writer was committed or aborted before")

type writer struct {
	store *store
	buf   bytes.Buffer
	ended bool
}

// Write implements blob.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, errEnded
	}
	return w.buf.Write(p)
}

// Commit implements blob.Writer.
func (w *writer) Commit(name string) error {
	if w.ended {
		return errEnded
	}
	w.ended = true
	if err := blob.CheckName(name); err != nil {
		return err
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.blobs[name] = w.buf.Bytes()
	return nil
}

// Abort implements blob.Writer.
func (w *writer) Abort() { w.ended = true }

type reader struct{ *bytes.Reader }

// Close implements blob.Reader.
func (reader) Close() error { return nil }
