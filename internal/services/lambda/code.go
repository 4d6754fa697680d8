package lambda

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// source is where a request says that the code is.
type source struct {
	zip                  []byte
	bucket, key, version *string
	operation            string
	image                *string
	function             key // that the code is for
}

func (s *source) empty() bool {
	return len(s.zip) == 0 && s.bucket == nil && s.key == nil && s.image == nil
}

// pack is a package that was received and unpacked. Its folder is held until
// release.
type pack struct {
	hash string // SHA-256, hexadecimal
	size int64
	// unzipped is how many bytes the unpacked files have.
	unzipped int64
	body     io.ReaderAt
	done     func()
	// image is what the code is instead of a package; body is nil then.
	image *imageUse
}

// sum is the hash in the form of CodeSha256.
func sum(hash string) string {
	b, _ := hex.DecodeString(hash)
	return base64.StdEncoding.EncodeToString(b)
}

// receive takes a package in: it reads, checks and unpacks it. The caller calls
// pack.done when it has kept it, or not.
func (s *Service) receive(ctx context.Context, rq *call.Authorized, src source) (*pack, error) {
	if src.image != nil {
		return s.receiveImage(ctx, rq, src)
	}
	var p *pack
	var err error
	if src.bucket != nil || src.key != nil {
		if len(src.zip) > 0 {
			return nil, api.InvalidParameterValueException("Please do not provide other FunctionCode parameters when providing a ZipFile.")
		}
		p, err = s.fetch(ctx, rq, src)
	} else {
		if len(src.zip) > maxZip {
			return nil, api.RequestTooLargeException("Request must be smaller than %d bytes for the %s operation", maxZip*4/3, src.operation).With("Type", "User")
		}
		h := sha256.Sum256(src.zip)
		p = &pack{hash: hex.EncodeToString(h[:]), size: int64(len(src.zip)), body: bytes.NewReader(src.zip), done: func() {}}
	}
	if err != nil {
		return nil, err
	}
	temporary := p.done
	if err := s.folders.make(p.hash, unpackFrom(p.body, p.size)); err != nil {
		temporary()
		return nil, badPackage(err)
	}
	p.unzipped = s.folders.bytes(p.hash)
	p.done = func() {
		temporary()
		s.folders.release(p.hash)
	}
	return p, nil
}

// fetch reads a package from S3, as the caller.
func (s *Service) fetch(ctx context.Context, rq *call.Authorized, src source) (*pack, error) {
	if src.bucket == nil || src.key == nil {
		return nil, api.InvalidParameterValueException("Please provide a source for function code: S3Bucket and S3Key belong together.")
	}
	out, err := call.Do(ctx, s.caller, rq.As(), s3.GetObject, &s3.GetObjectRequest{Bucket: src.bucket, Key: src.key, VersionId: src.version})
	if f := fault.As(err); f != nil {
		code, _ := f.Spell(fault.S3)
		return nil, api.InvalidParameterValueException("Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s", code, f.Message).With("Type", "User")
	}
	if err != nil {
		return nil, fmt.Errorf("read the package from S3: %w", err)
	}
	defer out.Body.Close()
	tmp, err := os.CreateTemp(s.folders.dir, "fetch-")
	if err != nil {
		return nil, fmt.Errorf("read the package from S3: %w", err)
	}
	done := func() {
		tmp.Close()
		os.Remove(tmp.Name())
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, h), io.LimitReader(out.Body, maxUnzipped+1))
	if err == nil && n > maxUnzipped {
		err = badPackage(errTooBig)
	}
	if err != nil {
		done()
		return nil, fmt.Errorf("read the package from S3: %w", err)
	}
	return &pack{hash: hex.EncodeToString(h.Sum(nil)), size: n, body: tmp, done: done}, nil
}

// keep makes the package durable, before the records that name it.
func (s *Service) keep(ctx context.Context, a area, p *pack) error {
	if p.image != nil {
		return nil // its layers are kept already
	}
	name := a.blob(p.hash)
	if _, err := s.blobs.Stat(ctx, name); err == nil {
		return nil
	}
	w, err := s.blobs.Create(ctx)
	if err != nil {
		return fmt.Errorf("keep the package: %w", err)
	}
	defer w.Abort()
	if _, err := io.Copy(w, io.NewSectionReader(p.body, 0, p.size)); err != nil {
		return fmt.Errorf("keep the package: %w", err)
	}
	return w.Commit(name)
}

// dropUnused removes packages that no version has any more.
func (s *Service) dropUnused(ctx context.Context, packages ...pkg) {
	for _, p := range packages {
		if p.image != nil {
			s.dropImage(ctx, p)
			continue
		}
		a, h := p.area, p.hash
		used := true
		// keep and this must not pass each other by: a package that is received
		// again is held in folders, and what is held is not dropped.
		s.folders.unlessHeld(h, func() {
			err := s.store.View(ctx, func(r data.Reader) error {
				used = false
				for _, err := range r.Scan(a.codeOf(h), data.PrefixEnd(a.codeOf(h)), false) {
					used = true
					return err
				}
				return nil
			})
			if err != nil || used {
				return
			}
			// What stays behind is collected at the next start.
			_ = s.blobs.Delete(ctx, a.blob(h))
			_ = s.folders.remove(h)
		})
	}
}

// collect removes packages that were kept but never named, because the server
// ended in between.
func (s *Service) collect(ctx context.Context) error {
	var all []area
	err := s.store.View(ctx, func(r data.Reader) (err error) {
		all, err = areas(r)
		return err
	})
	for _, a := range all {
		if err != nil {
			return err
		}
		var names []string
		if names, err = s.blobs.Names(ctx, a.blob("")); err != nil {
			return err
		}
		for _, n := range names {
			s.dropUnused(ctx, pkg{area: a, hash: filepath.Base(n)})
		}
	}
	return err
}

// folders keeps unpacked packages below dir, each in a folder named by its hash.
// The folders are derived from the packages: they are not synced to disk, and
// begin empty with every start of the server.
type folders struct {
	dir string

	mu  sync.Mutex
	all map[string]*folder
}

// folder is one unpacked package.
type folder struct {
	mu    sync.Mutex // held while unpacking or removing
	ready bool
	bytes int64 // that unpack has written
	users int   // guarded by folders.mu
}

// open clears what an earlier server left.
func (f *folders) open() error {
	if err := os.RemoveAll(f.dir); err != nil {
		return fmt.Errorf("clear the folder of code: %w", err)
	}
	return os.MkdirAll(f.dir, 0o755)
}

func (f *folders) path(hash string) string { return filepath.Join(f.dir, hash) }

func (f *folders) hold(hash string) *folder {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = map[string]*folder{}
	}
	x := f.all[hash]
	if x == nil {
		x = &folder{}
		f.all[hash] = x
	}
	x.users++
	return x
}

// release gives up what make or a room's open has held.
func (f *folders) release(hash string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all[hash].users--
}

// make fills a folder unless it is there, and holds it.
func (f *folders) make(hash string, fill func(dir string) (int64, error)) error {
	x := f.hold(hash)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ready {
		return nil
	}
	n, err := f.fill(hash, fill)
	if err != nil {
		f.release(hash)
		return err
	}
	x.ready, x.bytes = true, n
	return nil
}

func (f *folders) fill(hash string, fill func(dir string) (int64, error)) (int64, error) {
	tmp, err := os.MkdirTemp(f.dir, "unpack-")
	if err != nil {
		return 0, fmt.Errorf("unpack: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return 0, fmt.Errorf("unpack: %w", err)
	}
	n, err := fill(tmp)
	if err != nil {
		return 0, fmt.Errorf("unpack: %w", err)
	}
	return n, os.Rename(tmp, f.path(hash))
}

// unpackFrom fills a folder with what is in a package.
func unpackFrom(zipped io.ReaderAt, size int64) func(dir string) (int64, error) {
	return func(dir string) (int64, error) { return unpack(zipped, size, dir, maxUnzipped) }
}

// bytes is how much was unpacked into a folder that is held.
func (f *folders) bytes(hash string) int64 {
	x := f.hold(hash)
	defer f.release(hash)
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.bytes
}

// unlessHeld runs drop while nobody uses the folder; it does not if somebody does.
func (f *folders) unlessHeld(hash string, drop func()) {
	x := f.hold(hash)
	x.mu.Lock()
	defer x.mu.Unlock()
	defer f.release(hash)
	f.mu.Lock()
	alone := x.users == 1
	f.mu.Unlock()
	// Whoever comes now waits for x.mu, and unpacks anew if need be.
	if alone {
		drop()
	}
}

// remove removes the folder; the caller is in unlessHeld.
func (f *folders) remove(hash string) error {
	f.mu.Lock()
	x := f.all[hash]
	f.mu.Unlock()
	x.ready = false
	return os.RemoveAll(f.path(hash))
}

// code returns the folder with a version's code, unpacking it if need be. done
// gives it up.
func (s *Service) code(ctx context.Context, a area, hash string) (dir string, done func(), err error) {
	if s.folders.held(hash) {
		return s.folders.path(hash), func() { s.folders.release(hash) }, nil
	}
	r, err := s.blobs.Open(ctx, a.blob(hash))
	if err != nil {
		if errors.Is(err, blob.ErrNotFound) {
			err = fmt.Errorf("the package %s is lost: %w", hash, err)
		}
		return "", nil, err
	}
	defer r.Close()
	if err := s.folders.make(hash, unpackFrom(r, r.Size())); err != nil {
		return "", nil, err
	}
	return s.folders.path(hash), func() { s.folders.release(hash) }, nil
}

// held holds the folder if it is ready, and reports whether it is.
func (f *folders) held(hash string) bool {
	x := f.hold(hash)
	x.mu.Lock()
	ready := x.ready
	x.mu.Unlock()
	if !ready {
		f.release(hash)
	}
	return ready
}

// isNotDir tells that a name goes through a file.
func isNotDir(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, fs.ErrExist)
}

func codeSource(c *api.FunctionCode, operation string) (source, error) {
	err := refuse(operation, setting{"Code.SourceKMSKeyArn", c.SourceKMSKeyArn != nil})
	return source{image: c.ImageUri, zip: c.ZipFile, bucket: c.S3Bucket, key: c.S3Key, version: opt.NonZero(opt.Val(c.S3ObjectVersion)), operation: operation}, err
}
