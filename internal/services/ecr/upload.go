package ecr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
)

// An upload lives in memory, its bytes in a blob that nobody sees: an upload that
// the server's end interrupts is begun anew by its client, and leaves nothing.

// Limits of uploads.
const (
	maxUploads = 1000 // at once
	uploadIdle = time.Hour
)

// upload is a layer on its way.
type upload struct {
	area area
	name string // of the repository
	id   string

	mu    sync.Mutex // held while bytes are taken
	w     *image.Writer
	used  time.Time
	short bool // the last part was smaller than parts but the last may be
	over  bool
}

// uploads are all that are under way.
type uploads struct {
	mu  sync.Mutex
	all map[string]*upload
}

// begin begins an upload into a repository that must be there.
func (s *Service) begin(ctx context.Context, a area, name string) (*upload, error) {
	if _, err := s.read(ctx, a, name); err != nil {
		return nil, err
	}
	u := &upload{area: a, name: name, id: s.d.IDs.UUID(), used: s.d.Clock.Now()}
	us := &s.uploads
	us.mu.Lock()
	if us.all == nil {
		us.all = map[string]*upload{}
	}
	full := len(us.all) >= maxUploads
	if !full {
		us.all[u.id] = u
	}
	us.mu.Unlock()
	if full {
		return nil, api.LimitExceededException("There are %d uploads under way; complete some first.", maxUploads)
	}
	w, err := s.d.Content.Create(ctx)
	if err != nil {
		us.forget(u)
		return nil, fmt.Errorf("begin an upload: %w", err)
	}
	u.w = w
	return u, nil
}

// find finds an upload by its id.
func (us *uploads) find(a area, name, id string) (*upload, error) {
	us.mu.Lock()
	defer us.mu.Unlock()
	u := us.all[id]
	if u == nil || u.area != a || u.name != name {
		return nil, api.UploadNotFoundException("The upload with id '%s' in the repository with name '%s' does not exist in the registry with id '%s'", id, name, a.account)
	}
	return u, nil
}

func (us *uploads) forget(u *upload) {
	us.mu.Lock()
	defer us.mu.Unlock()
	delete(us.all, u.id)
}

// abort gives up the uploads that f picks.
func (us *uploads) abort(f func(*upload) bool) {
	us.mu.Lock()
	var gone []*upload
	for id, u := range us.all {
		if f(u) {
			gone = append(gone, u)
			delete(us.all, id)
		}
	}
	us.mu.Unlock()
	for _, u := range gone {
		u.end()
	}
}

func (us *uploads) abortAll() { us.abort(func(*upload) bool { return true }) }

// expire gives up uploads that nobody has gone on with.
func (us *uploads) expire(now time.Time) {
	us.abort(func(u *upload) bool {
		if !u.mu.TryLock() {
			return false // it takes bytes
		}
		defer u.mu.Unlock()
		return now.Sub(u.used) > uploadIdle
	})
}

// end drops the bytes.
func (u *upload) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.over {
		u.over = true
		if u.w != nil {
			u.w.Abort()
		}
	}
}

// errOver says that an upload was completed or given up meanwhile.
var errOver = errors.New("the upload is over")

// take takes bytes to the end of r. What came before an error stays: the client
// may go on behind it.
func (u *upload) take(r io.Reader, now func() time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.takeLocked(r, now)
}

func (u *upload) takeLocked(r io.Reader, now func() time.Time) error {
	if u.over {
		return errOver
	}
	defer func() { u.used = now() }()
	left := maxLayer - u.w.Size()
	n, err := io.Copy(u.w, io.LimitReader(r, left+1))
	if err == nil && n > left {
		err = api.InvalidLayerException("A layer has at most %d bytes.", int64(maxLayer))
	}
	return err
}

// size is how many bytes came.
func (u *upload) size() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.w.Size()
}

// complete makes the bytes a layer of the repository, after those of r if it is
// not nil. The upload is over then, also if its bytes are not what they should be.
func (s *Service) complete(ctx context.Context, u *upload, r io.Reader, want image.Digest) (int64, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if r != nil {
		if err := u.takeLocked(r, s.d.Clock.Now); err != nil {
			return 0, err
		}
	}
	if u.over {
		return 0, errOver
	}
	u.over = true
	s.uploads.forget(u)
	defer u.w.Abort()
	release, err := u.w.Commit(want)
	if errors.Is(err, image.ErrDigest) {
		return 0, api.InvalidLayerException("The layer digest '%s' does not match the uploaded bytes, which have '%s'", want, u.w.Digest())
	}
	if err != nil {
		return 0, fmt.Errorf("keep a layer: %w", err)
	}
	defer s.drop(ctx, []image.Digest{want})
	defer release()
	return u.w.Size(), s.adopt(ctx, u.area, u.name, want, u.w.Size())
}

// adopt says that a repository has bytes, which are pinned.
func (s *Service) adopt(ctx context.Context, a area, name string, d image.Digest, size int64) error {
	return s.d.Store.Update(ctx, func(t data.Txn) error {
		if _, err := a.find(t, name); err != nil {
			return err
		}
		if err := image.Hold(t, d, a.holder(name)); err != nil {
			return err
		}
		return data.Save(t, a.layer(name, d), &layer{V: recordVersion, Size: size, Pushed: s.d.Clock.Now()})
	})
}

// mount makes a layer of one repository one of another; false if the first has
// none such.
func (s *Service) mount(ctx context.Context, from area, source string, to area, name string, d image.Digest) (bool, error) {
	var l *layer
	err := s.d.Store.View(ctx, func(r data.Reader) (err error) {
		l, err = data.Load[layer](r, from.layer(source, d))
		return err
	})
	if err != nil || l == nil {
		return false, err
	}
	release, err := s.d.Content.Pin(ctx, d)
	if errors.Is(err, image.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer release()
	return true, s.adopt(ctx, to, name, d, l.Size)
}

// dropLeftLayers removes layers whose images never came.
func (s *Service) dropLeftLayers(ctx context.Context) error {
	const wait = 24 * time.Hour
	now := s.d.Clock.Now()
	var unused []image.Digest
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		unused = unused[:0]
		var gone [][]byte
		for p, err := range t.Scan(everything(), data.PrefixEnd(everything()), false) {
			if err != nil {
				return err
			}
			a, kind, ok := areaOfKey(p.Key)
			if !ok || kind != "layer" {
				continue
			}
			l, err := data.Decode[layer](p)
			if err != nil {
				return err
			}
			if now.Sub(l.Pushed) < wait {
				continue
			}
			parts, _ := data.Parts(p.Key)
			name, d := parts[4], image.Digest(parts[5])
			needed, err := a.needed(t, name, d)
			if err != nil {
				return err
			}
			if !needed {
				unused = append(unused, d)
				gone = append(gone, p.Key, image.HolderKey(d, a.holder(name)))
			}
		}
		for _, k := range gone {
			if err := t.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.drop(ctx, unused)
	}
	return err
}

// needed tells whether an image of the repository needs a layer.
func (a area) needed(r data.Reader, name string, d image.Digest) (bool, error) {
	for _, err := range r.Scan(a.uses(name, d), data.PrefixEnd(a.uses(name, d)), false) {
		return err == nil, err
	}
	return false, nil
}
