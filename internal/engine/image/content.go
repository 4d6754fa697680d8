package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"path"
	"sync"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
)

// ErrDigest says that bytes are not what their digest says.
var ErrDigest = errors.New("image: the bytes do not have the digest that was given")

// ErrNotFound says that there are no bytes of a digest.
var ErrNotFound = blob.ErrNotFound

// Content keeps bytes by their digest. Who needs some holds them (Hold, in the
// same transaction as the record that needs them); what nobody holds is removed.
// Between the arrival of bytes and the transaction that holds them they are pinned,
// in memory. It is safe for concurrent use.
type Content struct {
	blobs blob.Store
	store data.Store

	mu   sync.Mutex
	pins map[Digest]int
}

// NewContent keeps content in blobs, and its holders in store.
func NewContent(blobs blob.Store, store data.Store) *Content {
	return &Content{blobs: blobs, store: store, pins: map[Digest]int{}}
}

const folder = "image/sha256/"

func name(d Digest) string { return folder + d.Hex() }

func holders(d Digest) []byte { return data.Key("image", "held", d.Hex()) }

// HolderKey is the store's key that says that holder needs d: for those who write
// it with keys of their own. Hold puts it.
func HolderKey(d Digest, holder string) []byte { return data.AppendPart(holders(d), holder) }

// Hold says that holder needs d, which must be pinned.
func Hold(t data.Txn, d Digest, holder string) error { return t.Put(HolderKey(d, holder), []byte{1}) }

// Release says that holder needs d no more; Drop then removes it if nobody does.
func Release(t data.Txn, d Digest, holder string) error { return t.Delete(HolderKey(d, holder)) }

// Held tells whether anybody whose name begins with prefix holds d.
func Held(r data.Reader, d Digest, prefix string) (bool, error) {
	from := data.AppendPartial(holders(d), prefix)
	for _, err := range r.Scan(from, data.PrefixEnd(from), false) {
		return err == nil, err
	}
	return false, nil
}

// Pin keeps digests from being removed until release is called; ErrNotFound if
// one is not there.
func (c *Content) Pin(ctx context.Context, digests ...Digest) (release func(), err error) {
	c.pin(digests, 1)
	release = sync.OnceFunc(func() { c.pin(digests, -1) })
	for _, d := range digests {
		if _, err := c.blobs.Stat(ctx, name(d)); err != nil {
			release()
			return nil, err
		}
	}
	return release, nil
}

func (c *Content) pin(digests []Digest, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range digests {
		if c.pins[d] += n; c.pins[d] == 0 {
			delete(c.pins, d)
		}
	}
}

// Open opens bytes; ErrNotFound if there are none.
func (c *Content) Open(ctx context.Context, d Digest) (blob.Reader, error) {
	return c.blobs.Open(ctx, name(d))
}

// Size is how many bytes there are; ErrNotFound if there are none.
func (c *Content) Size(ctx context.Context, d Digest) (int64, error) {
	return c.blobs.Stat(ctx, name(d))
}

// Drop removes those of the digests that nobody holds and nobody has pinned.
func (c *Content) Drop(ctx context.Context, digests ...Digest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range digests {
		if c.pins[d] > 0 {
			continue
		}
		held := true
		err := c.store.View(ctx, func(r data.Reader) (err error) {
			held, err = Held(r, d, "")
			return err
		})
		if err == nil && !held {
			err = c.blobs.Delete(ctx, name(d))
		}
		if err != nil {
			return fmt.Errorf("remove %s: %w", d, err)
		}
	}
	return nil
}

// Collect removes all that nobody holds: what came, and whose holder was never
// written because the server ended in between.
func (c *Content) Collect(ctx context.Context) error {
	names, err := c.blobs.Names(ctx, folder)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := c.Drop(ctx, Digest(algorithm+path.Base(n))); err != nil {
			return err
		}
	}
	return nil
}

// Writer takes bytes whose digest is known when they are all there.
type Writer struct {
	c    *Content
	w    blob.Writer
	hash hash.Hash
	size int64
}

// Create begins to take bytes. Nothing is seen of them before Commit.
func (c *Content) Create(ctx context.Context) (*Writer, error) {
	w, err := c.blobs.Create(ctx)
	if err != nil {
		return nil, err
	}
	return &Writer{c: c, w: w, hash: sha256.New()}, nil
}

// Write implements io.Writer.
func (w *Writer) Write(b []byte) (int, error) {
	n, err := w.w.Write(b)
	w.hash.Write(b[:n])
	w.size += int64(n)
	return n, err
}

// Size is how many bytes were written.
func (w *Writer) Size() int64 { return w.size }

// Digest is that of the bytes so far.
func (w *Writer) Digest() Digest { return Digest(algorithm + hex.EncodeToString(w.hash.Sum(nil))) }

// Commit makes the bytes durable and visible, pinned until release is called. The
// error is ErrDigest if they are not want's.
func (w *Writer) Commit(want Digest) (release func(), err error) {
	if have := w.Digest(); have != want {
		return nil, fmt.Errorf("%w: they have %s", ErrDigest, have)
	}
	pinned := []Digest{want}
	w.c.pin(pinned, 1)
	release = sync.OnceFunc(func() { w.c.pin(pinned, -1) })
	if err := w.w.Commit(name(want)); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// Abort drops the bytes. After Commit it does nothing.
func (w *Writer) Abort() { w.w.Abort() }
