package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Limits of what is unpacked.
const (
	// MaxUnpacked is the most bytes that an image has when it is unpacked.
	MaxUnpacked = 10 << 30
	maxEntries  = 1_000_000 // files, folders and links of a layer
	maxPath     = 4096
	maxName     = 255
	maxWindow   = 64 << 20 // bytes of memory that unpacking zstd takes
)

// ErrTooBig says that an image has more bytes, unpacked, than it may have.
var ErrTooBig = fmt.Errorf("image: it has more than %d bytes, unpacked", int64(MaxUnpacked))

// CorruptError says that a layer is not what its image says, or not an archive.
type CorruptError struct {
	Layer  Digest
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("image: the layer %s is corrupt: %s", e.Layer, e.Reason)
}

// corrupt is a reason before its layer is known.
type corrupt string

func (c corrupt) Error() string { return string(c) }

func corruptf(format string, args ...any) error { return corrupt(fmt.Sprintf(format, args...)) }

// The names by which a layer removes what is below it.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// marker is how a removal is carried out in a folder: marked for overlayfs, or
// done to what is there.
type marker interface {
	// remove takes away what a name in lower layers means.
	remove(root *os.Root, name string) error
	// empty takes away what lower layers have in a folder, but not what this layer
	// has put there: written tells.
	empty(root *os.Root, folder string, written map[string]bool) error
	// copies tells that root holds the lower layers' files, too.
	copies() bool
}

// unpack fills root with a layer and returns how many bytes its files have, at
// most limit. diff is the digest that the archive must have, uncompressed.
func unpack(r io.Reader, root *os.Root, m marker, diff Digest, limit int64) (int64, error) {
	plain, done, err := decompress(r)
	if err != nil {
		return 0, err
	}
	defer done()
	h := sha256.New()
	// The archive may be larger than its files by what describes them.
	budget := limit + maxEntries*1024
	bounded := &io.LimitedReader{R: plain, N: budget + 1}
	tee := io.TeeReader(bounded, h)
	u := &unpacker{root: root, mark: m, left: limit, written: map[string]bool{}, gone: map[string]bool{}, real: map[string]bool{".": true}}
	if err := u.archive(tar.NewReader(tee)); err != nil {
		if bounded.N <= 0 {
			return 0, ErrTooBig
		}
		return 0, err
	}
	if _, err := io.Copy(io.Discard, tee); err != nil {
		return 0, corruptf("its end cannot be read: %v", err)
	}
	if bounded.N <= 0 {
		return 0, ErrTooBig
	}
	if have := Digest(algorithm + hex.EncodeToString(h.Sum(nil))); have != diff {
		return 0, corruptf("its archive has the digest %s, the image's configuration says %s", have, diff)
	}
	return limit - u.left, u.finish()
}

// decompress finds out by its first bytes how a layer is compressed.
func decompress(r io.Reader) (io.Reader, func(), error) {
	b := bufio.NewReaderSize(r, 64<<10)
	magic, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, nil, corruptf("it cannot be decompressed: %v", err)
		}
		return z, func() {}, nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, corruptf("it cannot be decompressed: %v", err)
		}
		return z, z.Close, nil
	}
	return b, func() {}, nil
}

// unpacker is one layer on its way into a folder.
type unpacker struct {
	root *os.Root
	mark marker
	left int64 // bytes
	// written are the names that this layer has brought, gone those that it has taken
	// away; real are known to be folders, not links to some; the permissions of
	// folders are set at the end.
	written, gone, real map[string]bool
	folders             []folderMode
	buffer              []byte
}

type folderMode struct {
	name string
	mode fs.FileMode
}

func (u *unpacker) archive(t *tar.Reader) error {
	u.buffer = make([]byte, 128<<10)
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return corruptf("its archive cannot be read: %v", err)
		}
		if n >= maxEntries {
			return corruptf("it has more than %d entries", maxEntries)
		}
		name, err := clean(h.Name)
		if err != nil {
			return err
		}
		if err := u.entry(h, name, t); err != nil {
			return err
		}
	}
}

// clean makes an entry's name one below the folder: "." is the folder itself.
func clean(name string) (string, error) {
	c := path.Clean("/" + name)[1:]
	if c == "" {
		return ".", nil
	}
	if len(c) > maxPath || strings.IndexByte(c, 0) >= 0 {
		return "", corruptf("it has an entry whose name is too long or has a zero byte")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", corruptf("its entry %.200q leads out of it", name)
		}
		if len(part) > maxName {
			return "", corruptf("its entry %.200q has a name of more than %d bytes", name, maxName)
		}
	}
	return c, nil
}

func (u *unpacker) entry(h *tar.Header, name string, content io.Reader) error {
	if name == "." {
		return nil // the folder itself, which has its own permissions
	}
	if err := u.parents(path.Dir(name)); err != nil {
		return err
	}
	base := path.Base(name)
	if base == opaque {
		u.forget()
		return u.mark.empty(u.root, path.Dir(name), u.written)
	}
	if gone, ok := strings.CutPrefix(base, whiteout); ok {
		return u.remove(path.Join(path.Dir(name), gone), gone)
	}
	mode := fs.FileMode(h.Mode).Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		return u.folder(name, mode)
	case tar.TypeReg:
		return u.file(name, mode, h.Size, content)
	case tar.TypeSymlink:
		if h.Linkname == "" || len(h.Linkname) > maxPath || strings.IndexByte(h.Linkname, 0) >= 0 {
			return corruptf("its symbolic link %.200q leads nowhere", name)
		}
		if err := u.clear(name, false); err != nil {
			return err
		}
		return u.root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return u.link(name, h.Linkname)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return nil // a sandbox has its own devices
	case tar.TypeXGlobalHeader:
		return nil
	}
	return corruptf("its entry %.200q is of the kind %q", name, h.Typeflag)
}

func (u *unpacker) remove(name, base string) error {
	if base == "" || base == "." || base == ".." {
		return corruptf("it removes %q", base)
	}
	if u.written[name] {
		return nil // a layer's removals are about those below it
	}
	u.gone[name] = true
	u.forget()
	return u.mark.remove(u.root, name)
}

// forget gives up what is known of folders, as some may have been removed.
func (u *unpacker) forget() { u.real = map[string]bool{".": true} }

// parents makes the folders in which an entry lies. Nothing is written through a
// link: one of this layer is an error, one of a lower layer makes way for a folder.
func (u *unpacker) parents(name string) error {
	if u.real[name] {
		return nil
	}
	if err := u.parents(path.Dir(name)); err != nil {
		return err
	}
	info, err := u.root.Lstat(name)
	if err == nil && info.IsDir() {
		u.real[name] = true
		return nil
	}
	if err == nil && u.written[name] {
		return corruptf("it writes through %.200q, which is no folder", name)
	}
	return u.folder(name, 0o755)
}

// clear takes away what is at a name. A folder stays if keep is true.
func (u *unpacker) clear(name string, keep bool) error {
	u.written[name] = true
	info, err := u.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil || keep && info.IsDir():
		return err
	case info.IsDir():
		u.forget()
	}
	return u.root.RemoveAll(name)
}

func (u *unpacker) folder(name string, mode fs.FileMode) error {
	if err := u.clear(name, true); err != nil {
		return err
	}
	if err := u.root.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	u.real[name] = true
	u.folders = append(u.folders, folderMode{name, mode})
	if !u.gone[name] {
		return nil
	}
	// It was removed and is made anew: nothing of the old one is to be seen.
	delete(u.gone, name)
	return u.mark.empty(u.root, name, u.written)
}

func (u *unpacker) file(name string, mode fs.FileMode, size int64, content io.Reader) error {
	if size > u.left {
		return ErrTooBig
	}
	u.left -= size
	if err := u.clear(name, false); err != nil {
		return err
	}
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.CopyBuffer(onlyWriter{f}, content, u.buffer)
	if err != nil {
		var disk *fs.PathError
		if errors.As(err, &disk) {
			return err
		}
		return corruptf("its file %.200q cannot be read: %v", name, err)
	}
	if n != size {
		return corruptf("its file %.200q has %d bytes instead of %d", name, n, size)
	}
	// The server must be able to read and to remove it.
	if err := f.Chmod(mode | 0o400); err != nil {
		return err
	}
	return f.Close()
}

// onlyWriter keeps io.CopyBuffer from asking the file for a way of its own.
type onlyWriter struct{ io.Writer }

// link makes a hard link to a file that this layer has brought, or, where the lower
// layers are there, that one of them has.
func (u *unpacker) link(name, to string) error {
	target, err := clean(to)
	if err != nil {
		return err
	}
	if dir := path.Dir(target); target == name || !u.mark.copies() && !u.written[target] || u.through(dir) {
		return corruptf("its hard link %.200q leads to %.200q, which it has not brought", name, to)
	}
	info, err := u.root.Lstat(target)
	if err != nil || info.IsDir() {
		return corruptf("its hard link %.200q leads to %.200q, which is no file", name, to)
	}
	if err := u.clear(name, false); err != nil {
		return err
	}
	return u.root.Link(target, name)
}

// through tells whether a folder's name leads through something that is no folder.
func (u *unpacker) through(dir string) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		if info, err := u.root.Lstat(dir); err != nil || !info.IsDir() {
			return true
		}
	}
	return false
}

// finish sets the permissions of folders, the deepest first.
func (u *unpacker) finish() error {
	for i := len(u.folders) - 1; i >= 0; i-- {
		f := u.folders[i]
		info, err := u.root.Lstat(f.name)
		if err != nil || !info.IsDir() {
			continue // replaced since
		}
		if err := u.root.Chmod(f.name, f.mode|0o700); err != nil {
			return err
		}
	}
	return nil
}

// inPlace carries removals out: root holds the lower layers' files.
type inPlace struct{}

func (inPlace) copies() bool { return true }

func (inPlace) remove(root *os.Root, name string) error { return root.RemoveAll(name) }

func (inPlace) empty(root *os.Root, folder string, written map[string]bool) error {
	d, err := root.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, n := range names {
		at := path.Join(folder, n)
		if written[at] {
			if info, err := root.Lstat(at); err == nil && info.IsDir() {
				if err := (inPlace{}).empty(root, at, written); err != nil {
					return err
				}
			}
			continue
		}
		if err := root.RemoveAll(at); err != nil {
			return err
		}
	}
	return nil
}
