package s3

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/constraint"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Deps is what the room is given.
type Deps struct {
	Store  data.Store
	Blobs  blob.Store
	Clock  clock.Clock
	IDs    *ids.Source
	Caller call.Caller
	// Key encrypts all bytes at rest: 32 bytes that must stay the same for a
	// store's whole life. Nil lets the room make one and keep it in Store.
	Key []byte
	// Host is the address ("localhost:4566") in the answers to callers that did
	// not come to any.
	Host string
}

// Service is the room. Make it with New.
type Service struct {
	d       Deps
	keyMu   sync.Mutex // guards d.Key
	pins    pins
	buckets sync.Map // name to *bucket, by its latest bytes

	stop context.CancelFunc
	work sync.WaitGroup
}

// New makes the room.
func New(d Deps) *Service {
	return &Service{d: d, pins: pins{n: map[string]int{}, doomed: map[string][]string{}, going: map[string]bool{}}}
}

// key returns the room's key, reading it from the store, or making it there, the
// first time.
func (s *Service) key(ctx context.Context) ([]byte, error) {
	s.keyMu.Lock()
	defer s.keyMu.Unlock()
	if s.d.Key == nil {
		var key []byte
		err := s.d.Store.Update(ctx, func(t data.Txn) (err error) {
			var ok bool
			if key, ok, err = t.Get(roomKey()); err == nil && !ok {
				key = s.d.IDs.Bytes(keyLen)
				err = t.Put(roomKey(), key)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read the room's key: %w", err)
		}
		s.d.Key = key
	}
	if len(s.d.Key) != keyLen {
		return nil, fmt.Errorf("the room's key has %d bytes, not %d", len(s.d.Key), keyLen)
	}
	return s.d.Key, nil
}

// Model implements call.Service.
func (s *Service) Model() *model.Service { return &api.Model }

// Bindings implements call.Service.
func (s *Service) Bindings() []call.Binding {
	all := slices.Concat(
		s.bucketBindings(), s.versioningBindings(), s.policyBindings(), s.aclBindings(), s.configBindings(), s.absentBindings(),
		s.objectBindings(), s.deleteBindings(), s.copyBindings(), s.listBindings(), s.multipartBindings(), s.taggingBindings(),
	)
	for i := range all {
		all[i].RawValidation = invalid
	}
	return all
}

// Start implements call.Worker: it begins the scrub and the lifecycle's rounds.
func (s *Service) Start(context.Context) error {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.work.Go(func() {
		// What fails is tried anew in the next round.
		_ = s.scrub(ctx)
		for {
			_ = s.expire(ctx)
			now := s.d.Clock.Now()
			select {
			case <-s.d.Clock.After(now.Truncate(time.Hour).Add(time.Hour).Sub(now)):
			case <-ctx.Done():
				return
			}
		}
	})
	return nil
}

// Stop implements call.Worker.
func (s *Service) Stop(ctx context.Context) error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	done := make(chan struct{})
	go func() { s.work.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// scrub removes blobs that no record names: what a crash left between bytes and
// metadata, or between metadata and the deletion of what was replaced.
func (s *Service) scrub(ctx context.Context) error {
	names, err := s.d.Blobs.Names(ctx, room+"/")
	if err != nil {
		return fmt.Errorf("scrub: %w", err)
	}
	// Asked for between names and records: what was neither pinned then nor is
	// named later had been let go of before.
	held := s.pins.held()
	var orphans []string
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		for _, n := range names {
			id := n[strings.LastIndexByte(n, '/')+1:]
			if held[id] {
				continue
			}
			_, live, err := r.Get(liveKey(id))
			if err != nil {
				return err
			}
			if !live && n == blobName(id) {
				orphans = append(orphans, id)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("scrub: %w", err)
	}
	s.deleteBlobs(ctx, orphans)
	return nil
}

// now is the present in whole seconds, which is how exactly S3 keeps times.
func (s *Service) now() time.Time { return s.d.Clock.Now().Truncate(time.Second) }

// invalid words violations of the model's constraints as S3 does.
func invalid(op *model.Operation, bad []constraint.Violation) *fault.Fault {
	v := bad[0]
	in := api.Model.Shape(op.Input)
	top, _, _ := strings.Cut(v.Path, ".")
	for i := range in.Members {
		m := &in.Members[i]
		if !strings.EqualFold(m.Name, top) {
			continue
		}
		switch {
		case v.Member == "LocationConstraint":
			return fault.New("InvalidLocationConstraint", 400, "The specified location-constraint is not valid").With("LocationConstraint", v.Value)
		case v.Member == "StorageClass" && m.Location != model.Body:
			return fault.New("InvalidStorageClass", 400, "The storage class you specified is not valid").With("StorageClassRequested", v.Value)
		case m.Location == model.Body:
			return malformedXML()
		}
		return invalidArgument(m.WireName(), v.Value, "%s", constraint.Message(bad))
	}
	return malformedXML()
}
