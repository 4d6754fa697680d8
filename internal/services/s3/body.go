package s3

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/tierra-cloud/tierra/internal/data/blob"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
)

// maxInline is the most bytes that an object keeps beside its metadata, to save
// a file and its fsync.
const maxInline = 8 << 10

func blobName(id string) string { return room + "/" + id[:2] + "/" + id }

const keyLen = 32

// stream returns the key stream of the bytes with the given id from offset off
// on. A derived key serves one blob only, so the counter may begin at zero.
func stream(key []byte, id string, off int64) cipher.Stream {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // a key of 32 bytes is always right
	}
	var iv [aes.BlockSize]byte
	binary.BigEndian.PutUint64(iv[8:], uint64(off/aes.BlockSize))
	st := cipher.NewCTR(block, iv[:])
	if skip := off % aes.BlockSize; skip > 0 {
		var waste [aes.BlockSize]byte
		st.XORKeyStream(waste[:skip], waste[:skip])
	}
	return st
}

// taken are bytes that were received and are durable, but that no record names
// yet. Release it once a record does, or none will.
type taken struct {
	s      *Service
	ID     string
	Size   int64
	MD5    []byte
	Sums   map[string][]byte
	secret []byte // the data key of SSE-KMS; nil is the room's key
	inline []byte
	isBlob bool
}

// etag is the entity tag of bytes that came in one piece: their MD5, but under
// SSE-KMS, where nobody without the key may learn anything of them.
func (b *taken) etag() string {
	if b.secret == nil {
		return hex.EncodeToString(b.MD5)
	}
	mac := hmac.New(sha256.New, b.secret)
	mac.Write(b.MD5)
	return hex.EncodeToString(mac.Sum(nil)[:md5.Size])
}

// take reads r to its end, at most limit bytes, computing the MD5 and the named
// checksums. Up to maxInline bytes stay in memory if inline. They are encrypted
// with key; nil is the room's.
func (s *Service) take(ctx context.Context, r io.Reader, limit int64, inline bool, algorithms []string, key []byte) (_ *taken, err error) {
	secret := key
	if key == nil {
		if key, err = s.key(ctx); err != nil {
			return nil, err
		}
	}
	b := &taken{s: s, secret: secret, ID: s.d.IDs.Of(ids.Hex, 32), Sums: map[string][]byte{}}
	s.pins.hold(b.ID)
	defer func() {
		if err != nil {
			b.release(ctx, false)
		}
	}()
	sum := md5.New()
	sinks, hashes := []io.Writer{sum}, map[string]hash.Hash{}
	for _, a := range algorithms {
		hashes[a] = algorithmsByName(a).new()
		sinks = append(sinks, hashes[a])
	}
	if r == nil {
		r = bytes.NewReader(nil)
	}
	in := io.TeeReader(io.LimitReader(r, limit+1), io.MultiWriter(sinks...))

	var head []byte
	ended := false
	if inline {
		head = make([]byte, maxInline+1)
		n, err := io.ReadFull(in, head)
		if ended = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !ended {
			return nil, err
		}
		head = head[:n]
	}
	if ended {
		b.Size = int64(len(head))
		stream(key, b.ID, 0).XORKeyStream(head, head)
		b.inline = head
	} else {
		w, err := s.d.Blobs.Create(ctx)
		if err != nil {
			return nil, fmt.Errorf("create blob: %w", err)
		}
		defer w.Abort()
		out := cipher.StreamWriter{S: stream(key, b.ID, 0), W: w}
		if b.Size, err = io.Copy(out, io.MultiReader(bytes.NewReader(head), in)); err != nil {
			return nil, err
		}
		if b.Size > limit {
			return nil, entityTooLarge(b.Size, limit)
		}
		if err := w.Commit(blobName(b.ID)); err != nil {
			return nil, fmt.Errorf("commit blob: %w", err)
		}
		b.isBlob = true
	}
	b.MD5 = sum.Sum(nil)
	for a, h := range hashes {
		b.Sums[a] = h.Sum(nil)
	}
	return b, nil
}

// sum returns a checksum of the bytes, reading them once more if it was not
// computed as they came.
func (b *taken) sum(ctx context.Context, a *algorithm) ([]byte, error) {
	if got, ok := b.Sums[a.name]; ok {
		return got, nil
	}
	v := &version{Data: b.ID, Size: b.Size, Inline: !b.isBlob, inline: b.inline}
	r, err := b.s.open(ctx, v, nil, span{0, b.Size}, b.secret)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	h := a.new()
	if _, err := io.Copy(h, r); err != nil {
		return nil, fmt.Errorf("read back: %w", err)
	}
	b.Sums[a.name] = h.Sum(nil)
	return b.Sums[a.name], nil
}

// release says that a record names the bytes, or that none will.
func (b *taken) release(ctx context.Context, kept bool) {
	gone := b.s.pins.release(b.ID)
	if !kept && b.isBlob {
		gone = append(gone, b.ID)
	}
	b.s.deleteBlobs(ctx, gone)
}

// mayBeKept reports whether a record may name the bytes after a transaction ended
// with err: yes if it failed in the store, which may have committed all the same.
// What it did not commit is left to the next start's scrub.
func mayBeKept(err error) bool { return err == nil || fault.As(err) == nil }

// discard deletes what a committed transaction let go of, or leaves it to the
// last reader to do so.
func (s *Service) discard(ctx context.Context, g []garbage) {
	for _, x := range g {
		if s.pins.doom(x.id, x.blobs) {
			s.deleteBlobs(ctx, x.blobs)
			s.pins.gone(x.id)
		}
	}
}

// deleteBlobs deletes blobs that no record names. What fails is left to the next
// start's scrub, because the request that it belongs to has succeeded.
func (s *Service) deleteBlobs(ctx context.Context, ids []string) {
	ctx = context.WithoutCancel(ctx)
	for _, id := range ids {
		_ = s.d.Blobs.Delete(ctx, blobName(id))
	}
}

// segment is a run of an object's bytes.
type segment struct {
	id   string // of the blob
	size int64
}

// reader reads a part of an object's bytes, in order. Close it.
type reader struct {
	ctx    context.Context
	s      *Service
	secret []byte
	pinned string
	segs   []segment
	off    int64 // into segs[0]
	left   int64
	file   blob.Reader
	key    cipher.Stream
	plain  *bytes.Reader // of inline bytes
	once   sync.Once
}

// open opens n bytes of v from offset off; parts are v's, if it has any. It
// answers blob.ErrNotFound if the version was replaced meanwhile: look again. They
// were encrypted with key; nil is the room's.
func (s *Service) open(ctx context.Context, v *version, parts []layoutPart, at span, key []byte) (_ *reader, err error) {
	if key == nil {
		if key, err = s.key(ctx); err != nil {
			return nil, err
		}
	}
	r := &reader{ctx: context.WithoutCancel(ctx), s: s, secret: key, left: at.n}
	if v.Inline {
		if at.from+at.n > int64(len(v.inline)) {
			return nil, fmt.Errorf("the bytes of %s are %d, not %d", v.Key, len(v.inline), v.Size)
		}
		p := bytes.Clone(v.inline[at.from : at.from+at.n])
		stream(key, v.Data, at.from).XORKeyStream(p, p)
		r.plain = bytes.NewReader(p)
		return r, nil
	}
	r.segs = []segment{{v.Data, v.Size}}
	if v.Parts > 0 {
		r.segs = r.segs[:0]
		for _, p := range parts {
			r.segs = append(r.segs, segment{p.Blob, p.Size})
		}
	}
	for r.off = at.from; len(r.segs) > 0 && r.off >= r.segs[0].size; r.segs = r.segs[1:] {
		r.off -= r.segs[0].size
	}
	if !s.pins.acquire(v.Data) {
		return nil, blob.ErrNotFound
	}
	r.pinned = v.Data
	if r.left > 0 {
		if err := r.next(); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

// next opens the first segment.
func (r *reader) next() (err error) {
	if len(r.segs) == 0 {
		return io.ErrUnexpectedEOF
	}
	if r.file, err = r.s.d.Blobs.Open(r.ctx, blobName(r.segs[0].id)); err != nil {
		return fmt.Errorf("open blob: %w", err)
	}
	if r.off > 0 {
		if _, err = r.file.Seek(r.off, io.SeekStart); err != nil {
			return fmt.Errorf("seek blob: %w", err)
		}
	}
	r.key = stream(r.secret, r.segs[0].id, r.off)
	return nil
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if r.plain != nil {
		return r.plain.Read(p)
	}
	for {
		if r.left == 0 {
			return 0, io.EOF
		}
		if r.file == nil {
			if err := r.next(); err != nil {
				return 0, err
			}
		}
		n, err := r.file.Read(p[:min(int64(len(p)), r.left)])
		r.key.XORKeyStream(p[:n], p[:n])
		r.left -= int64(n)
		if errors.Is(err, io.EOF) {
			err = r.file.Close()
			r.file, r.off, r.segs = nil, 0, r.segs[1:]
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// Close lets go of the bytes.
func (r *reader) Close() (err error) {
	r.once.Do(func() {
		if r.file != nil {
			err = r.file.Close()
		}
		if r.pinned != "" {
			r.s.deleteBlobs(r.ctx, r.s.pins.release(r.pinned))
		}
	})
	return err
}

// pins keeps data that is being read or written from being deleted.
type pins struct {
	mu     sync.Mutex
	n      map[string]int
	doomed map[string][]string // to be deleted by the last reader
	going  map[string]bool     // being deleted
}

// hold pins data that only the caller knows.
func (p *pins) hold(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n[id]++
}

// acquire pins data that a record named; false if it is going or about to.
func (p *pins) acquire(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, doomed := p.doomed[id]; doomed || p.going[id] {
		return false
	}
	p.n[id]++
	return true
}

// release undoes a pin and returns the blobs that are to be deleted now.
func (p *pins) release(id string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n[id]--; p.n[id] > 0 {
		return nil
	}
	delete(p.n, id)
	blobs := p.doomed[id]
	delete(p.doomed, id)
	return blobs
}

// doom says that data is to be deleted; true if the caller must do it, and then
// call gone.
func (p *pins) doom(id string, blobs []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.n[id] > 0 {
		p.doomed[id] = blobs
		return false
	}
	p.going[id] = true
	return true
}

func (p *pins) gone(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.going, id)
}

// held returns what is pinned now.
func (p *pins) held() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]bool, len(p.n))
	for id := range p.n {
		out[id] = true
	}
	return out
}

// incomplete is the answer to a body that ended early.
func incomplete() error {
	return fault.New("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header")
}
