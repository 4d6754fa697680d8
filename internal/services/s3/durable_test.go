package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
)

var errPower = errors.New("the power is gone")

// failing is a store whose updates fail once it is told so: before they commit,
// or after.
type failing struct {
	data.Store
	before, after bool
}

func (f *failing) Update(ctx context.Context, do func(data.Txn) error) error {
	if f.before {
		return errPower
	}
	err := f.Store.Update(ctx, do)
	if err == nil && f.after {
		return errPower
	}
	return err
}

// restart starts a new room over the same stores, and waits for its scrub.
func restart(t *testing.T, w *world) *world {
	t.Helper()
	next := worldOver(t, w.Store, w.Blobs)
	if err := next.S3.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	next.Clock.Sleepers(1) // the scrub is done when the lifecycle waits for its next round
	if err := next.S3.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	return next
}

// TestCrashBetweenBytesAndMetadata loses the power after the bytes are durable.
func TestCrashBetweenBytesAndMetadata(t *testing.T) {
	store := &failing{Store: mem.New()}
	w := worldOver(t, store, memblob.New())
	w.create(t, "demo")
	old, lost := pattern(20000), strings.Repeat("lost", 5000)
	w.put(t, "demo", "k", old)

	store.before = true
	_, err := calltest.Do(w.World, api.PutObject, &api.PutObjectRequest{Bucket: new("demo"), Key: new("k"), Body: body(lost)})
	if !errors.Is(err, errPower) {
		t.Fatalf("got %v", err)
	}
	store.before = false
	if n := len(w.blobNames(t)); n != 2 {
		t.Fatalf("%d blobs, want the object's and the orphan", n)
	}
	w = restart(t, w)
	if n := len(w.blobNames(t)); n != 1 {
		t.Errorf("%d blobs after the scrub, want the object's", n)
	}
	if got := w.get(t, &api.GetObjectRequest{Bucket: new("demo"), Key: new("k")}); got != old {
		t.Error("the object was torn")
	}
}

// TestUncertainCommit has the store fail after it committed: the bytes must stay.
func TestUncertainCommit(t *testing.T) {
	store := &failing{Store: mem.New()}
	w := worldOver(t, store, memblob.New())
	w.create(t, "demo")
	w.put(t, "demo", "first", "so that the room has its key")
	content := pattern(20000)
	store.after = true
	if _, err := calltest.Do(w.World, api.PutObject, &api.PutObjectRequest{Bucket: new("demo"), Key: new("k"), Body: body(content)}); !errors.Is(err, errPower) {
		t.Fatalf("got %v", err)
	}
	store.after = false
	w = restart(t, w)
	if got := w.get(t, &api.GetObjectRequest{Bucket: new("demo"), Key: new("k")}); got != content {
		t.Error("the object's bytes are gone")
	}
}

func TestBytesAreEncrypted(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	secret := strings.Repeat("top secret ", 2000)
	w.put(t, "demo", "large", secret)
	w.put(t, "demo", "small", "top secret ")
	for _, n := range w.blobNames(t) {
		r, err := w.Blobs.Open(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil || strings.Contains(string(b), "secret") {
			t.Errorf("blob %s is readable (%v)", n, err)
		}
		r.Close()
	}
	err := w.Store.View(t.Context(), func(r data.Reader) error {
		for p, err := range r.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			if strings.Contains(string(p.Value), "secret") {
				t.Errorf("record %q is readable", p.Key)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"large", "small"} {
		if got := w.get(t, &api.GetObjectRequest{Bucket: new("demo"), Key: &k, Range: new("bytes=4-9")}); got != "secret" {
			t.Errorf("%s: %q", k, got)
		}
	}
}

// TestReaderOutlivesObject reads objects to the end that are replaced meanwhile.
func TestReaderOutlivesObject(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	all := pattern(6 * mib)
	if _, err := upload(t, w, &api.CreateMultipartUploadRequest{Bucket: new("demo"), Key: new("k")}, []string{all[:5*mib], all[5*mib:]}); err != nil {
		t.Fatal(err)
	}
	out := calltest.Must(t, w.World, api.GetObject, &api.GetObjectRequest{Bucket: new("demo"), Key: new("k")})
	calltest.Must(t, w.World, api.DeleteObject, &api.DeleteObjectRequest{Bucket: new("demo"), Key: new("k")})
	if len(w.blobNames(t)) == 0 {
		t.Fatal("the bytes were deleted under the reader")
	}
	if readAll(t, out) != all {
		t.Error("the reader got something else")
	}
	if names := w.blobNames(t); len(names) != 0 {
		t.Errorf("blobs left: %v", names)
	}
}

// TestConcurrentWriters has writers and readers at one key: every read is of one
// write, whole, and in the end one object's bytes are left.
func TestConcurrentWriters(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	content := func(i int) string { return strings.Repeat(fmt.Sprintf("%04d", i), 5000) }
	w.put(t, "demo", "k", content(0))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 25 {
				in := &api.PutObjectRequest{Bucket: new("demo"), Key: new("k"), Body: body(content(100*g + i))}
				if _, err := calltest.Do(w.World, api.PutObject, in); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 50 {
				out, err := calltest.Do(w.World, api.GetObject, &api.GetObjectRequest{Bucket: new("demo"), Key: new("k")})
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(out.Body)
				out.Body.Close()
				if err != nil || len(b) != 20000 || strings.Repeat(string(b[:4]), 5000) != string(b) {
					t.Errorf("a torn read of %d bytes: %v", len(b), err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := len(w.blobNames(t)); n != 1 {
		t.Errorf("%d blobs left, want 1", n)
	}
}

// TestOneCreates has many create the same key: one may.
func TestOneCreates(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	var mu sync.Mutex
	var won int
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			_, err := calltest.Do(w.World, api.PutObject, &api.PutObjectRequest{Bucket: new("demo"), Key: new("k"), Body: body(fmt.Sprint(i)), IfNoneMatch: new("*")})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else {
				wantFault(t, err, "PreconditionFailed")
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d created it", won)
	}
}
