package fsblob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tierra-cloud/tierra/internal/data/blob"
)

var errEnded = errors.New("blob: the writer was committed or aborted before")

// writer writes a blob's temporary file.
type writer struct {
	store *store
	file  *os.File // nil once it has ended
	err   error    // the first error of writing, after which nothing may be committed
}

// Write implements blob.Writer.
func (w *writer) Write(p []byte) (int, error) {
	if w.file == nil {
		return 0, errEnded
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(p)
	if err != nil {
		w.err = fmt.Errorf("blob: write: %w", err)
	}
	return n, w.err
}

// Commit implements blob.Writer. Whatever it returns, it ends the writer.
func (w *writer) Commit(name string) error {
	if w.file == nil {
		return errEnded
	}
	defer w.Abort()
	if w.err != nil {
		return w.err
	}
	if err := blob.CheckName(name); err != nil {
		return err
	}
	path := w.store.path(name)
	if err := w.store.ready(filepath.Dir(path)); err != nil {
		return err
	}
	return w.place(path)
}

// place syncs the file and moves it to path, durably.
func (w *writer) place(path string) error {
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("blob: commit: %w", err)
	}
	tmp := w.file.Name()
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("blob: commit: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("blob: commit: %w", err)
	}
	w.file = nil
	return syncDir(filepath.Dir(path))
}

// Abort implements blob.Writer. A file that cannot be removed is removed by the
// next Open.
func (w *writer) Abort() {
	if w.file == nil {
		return
	}
	_ = w.file.Close() // closed already, or of no interest
	_ = os.Remove(w.file.Name())
	w.file = nil
}

// ready sees that a folder under blobs is there.
func (s *store) ready(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[dir] {
		return nil
	}
	if err := makeDir(dir); err != nil {
		return err
	}
	// The long names' folders would be without number; the others are 256.
	if filepath.Dir(dir) == s.blobs {
		s.known[dir] = true
	}
	return nil
}

// makeDir makes dir and its parents where they are missing, each one durably.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("blob: %w", err)
	}
	// Synced even if it was there: who made it may have been stopped before syncing.
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("blob: sync %s: %w", dir, err)
	}
	return nil
}

// reader reads a blob's file.
type reader struct {
	*os.File
	size int64
}

// Size implements blob.Reader.
func (r *reader) Size() int64 { return r.size }
