// Package fsblob keeps blobs as files in a folder:
//
//	FORMAT      the version of what follows, a number
//	blobs/xx/   the blobs, spread over 256 folders by a hash of their names
//	tmp/        what has not been committed
//
// A blob is written to tmp, synced, and renamed to its place, whose folder is then
// synced; so a name has all of its bytes or is not there, whatever happens. Files
// are the user's alone (modes 0600 and 0700).
//
// A blob's file is named so that neither a file system that does not tell upper
// from lower case nor one that allows 255 bytes in a name gets two names mixed up:
// see file.
package fsblob

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
)

const format = 1

type store struct {
	blobs, tmp string
	next       atomic.Uint64 // number of the next temporary file

	mu    sync.Mutex
	known map[string]bool // folders under blobs that are durably there
}

// Open opens the blobs in the folder dir, which belongs to the store alone, and
// makes it if there is none. A folder must not be open twice: what is in tmp is
// removed, since whoever wrote it is gone. A folder of a newer version gives
// data.ErrFormat.
func Open(dir string) (blob.Store, error) {
	s := &store{
		blobs: filepath.Join(dir, "blobs"),
		tmp:   filepath.Join(dir, "tmp"),
		known: map[string]bool{},
	}
	path := filepath.Join(dir, "FORMAT")
	isNew, err := checkFormat(path)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{s.blobs, s.tmp} {
		if err := makeDir(d); err != nil {
			return nil, err
		}
	}
	if err := clearDir(s.tmp); err != nil {
		return nil, err
	}
	if isNew {
		if err := s.writeFormat(path); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// checkFormat sees that the folder is of a version that this binary can read;
// isNew if it is of none yet.
func checkFormat(path string) (isNew bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("blob: %w", err)
	}
	version, err := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil || version < 1:
		return false, fmt.Errorf("blob: %s does not hold a version number: %.20q", path, text)
	case version > format:
		return false, fmt.Errorf("%w: %s says version %d, this binary knows up to version %d; use a newer one",
			data.ErrFormat, path, version, format)
	}
	return false, nil
}

func (s *store) writeFormat(path string) error {
	w, err := s.create()
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := fmt.Fprintln(w, format); err != nil {
		return err
	}
	return w.place(path)
}

// clearDir removes what is in dir.
func clearDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("blob: %w", err)
		}
	}
	return nil
}

// Create implements blob.Store.
func (s *store) Create(ctx context.Context) (blob.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.create()
}

func (s *store) create() (*writer, error) {
	path := filepath.Join(s.tmp, strconv.FormatUint(s.next.Add(1), 10))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("blob: create: %w", err)
	}
	return &writer{store: s, file: f}, nil
}

// Open implements blob.Store.
func (s *store) Open(ctx context.Context, name string) (blob.Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if blob.CheckName(name) != nil {
		return nil, fmt.Errorf("%w: %q", blob.ErrNotFound, name)
	}
	f, err := os.Open(s.path(name))
	if err != nil {
		return nil, lost(name, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("blob: open %s: %w", name, errors.Join(err, f.Close()))
	}
	return &reader{File: f, size: info.Size()}, nil
}

// Stat implements blob.Store.
func (s *store) Stat(ctx context.Context, name string) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if blob.CheckName(name) != nil {
		return 0, fmt.Errorf("%w: %q", blob.ErrNotFound, name)
	}
	info, err := os.Stat(s.path(name))
	if err != nil {
		return 0, lost(name, err)
	}
	return info.Size(), nil
}

// lost tells a blob that is not there from one that cannot be read.
func lost(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %q", blob.ErrNotFound, name)
	}
	return fmt.Errorf("blob: %w", err)
}

// Delete implements blob.Store. The blob does not come back when the power fails.
func (s *store) Delete(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if blob.CheckName(name) != nil {
		return nil
	}
	path := s.path(name)
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// Names implements blob.Store.
func (s *store) Names(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(s.blobs, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted meanwhile
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(s.blobs, path)
		if err != nil {
			return err
		}
		// What is not the file of a name is not ours, and nobody's business.
		if name, ok := nameOf(filepath.ToSlash(rel)); ok && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("blob: names: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

func (s *store) path(name string) string {
	return filepath.Join(s.blobs, filepath.FromSlash(file(name)))
}

// longest is the longest file name that is used, in bytes.
const longest = 200

// file returns where under blobs a name's file is: a folder of two hexadecimal
// digits, then the name, in which '/' is written ',' and an upper-case letter is
// written '=' and the letter in lower case. Where that is longer than a file name
// should be it goes on in folders whose names end with '+'. None of these
// characters is in a name, so every name has one file, and no file is another's folder.
func file(name string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	b := fmt.Appendf(nil, "%02x/", byte(h.Sum32()))
	n := 0
	for i := range len(name) {
		if n >= longest {
			b, n = append(b, '+', '/'), 0
		}
		switch c := name[i]; {
		case c == '/':
			b = append(b, ',')
		case c >= 'A' && c <= 'Z':
			b = append(b, '=', c+'a'-'A')
			n++
		default:
			b = append(b, c)
		}
		n++
	}
	return string(b)
}

// nameOf is the opposite of file.
func nameOf(path string) (name string, ok bool) {
	if len(path) < 4 {
		return "", false
	}
	rest := strings.ReplaceAll(path[3:], "+/", "")
	b := make([]byte, 0, len(rest))
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		switch {
		case c == ',':
			c = '/'
		case c == '=' && i+1 < len(rest):
			i++
			c = rest[i] - ('a' - 'A')
		}
		b = append(b, c)
	}
	name = string(b)
	return name, blob.CheckName(name) == nil && file(name) == path
}
