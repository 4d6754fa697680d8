package lambda

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// maxEntries bounds the entries of a package.
const maxEntries = 200_000

// errPackage says that a package is not one that can be unpacked.
var errPackage = errors.New("the package cannot be unpacked")

// badPackage is what the caller gets to see of an error of unpack.
func badPackage(err error) error {
	switch {
	case errors.Is(err, errTooBig):
		return api.InvalidParameterValueException("Unzipped size must be smaller than %d bytes", maxUnzipped).With("Type", "User")
	case errors.Is(err, errEmpty):
		return api.InvalidParameterValueException("Uploaded file must be a non-empty zip").With("Type", "User")
	case errors.Is(err, errPackage):
		return api.InvalidParameterValueException("Could not unzip uploaded file. Please check your file, then try to upload again.").With("Type", "User")
	}
	return err
}

var (
	errTooBig = fmt.Errorf("%w: it is too big", errPackage)
	errEmpty  = fmt.Errorf("%w: it is empty", errPackage)
)

// unpack writes a zip's files into the folder dir, which is there and empty.
// Nothing is written outside of it, whatever the zip's names and links say, and
// no more than limit bytes; how many it was is returned. Files are readable by everybody, and executable by
// everybody if anybody may execute them; a zip that was not made on Unix tells
// nothing of that, so all its files are.
func unpack(zipped io.ReaderAt, size int64, dir string, limit int64) (int64, error) {
	z, err := zip.NewReader(zipped, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return 0, fmt.Errorf("%w: %w", errPackage, err)
	}
	if len(z.File) == 0 {
		return 0, errEmpty
	}
	if len(z.File) > maxEntries {
		return 0, errTooBig
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	u := unpacker{root: root, left: limit, made: map[string]bool{}}
	for _, f := range z.File {
		if err := u.entry(f); err != nil {
			return 0, err
		}
	}
	// Links come last, so that nothing is ever written through one.
	for _, l := range u.links {
		if err := root.Symlink(l.target, l.name); err != nil {
			return 0, fmt.Errorf("%w: link %q: %w", errPackage, l.name, err)
		}
	}
	return limit - u.left, nil
}

type unpacker struct {
	root  *os.Root
	left  int64 // bytes that may still be written
	made  map[string]bool
	links []link
}

type link struct{ name, target string }

// entryName makes a zip's name local: slashes forward, no way out.
func entryName(s string) (string, error) {
	s = strings.ReplaceAll(s, `\`, "/")
	name := strings.TrimSuffix(s, "/")
	name = strings.TrimPrefix(name, "./")
	if name == "" || name == "." {
		return "", nil
	}
	if len(name) > 4096 || strings.IndexByte(name, 0) >= 0 || !fs.ValidPath(path.Clean(name)) || slices.Contains(strings.Split(name, "/"), "..") || len(name) > 1 && name[1] == ':' {
		return "", fmt.Errorf("%w: the name %q", errPackage, s)
	}
	return path.Clean(name), nil
}

func (u *unpacker) entry(f *zip.File) error {
	name, err := entryName(f.Name)
	if err != nil || name == "" {
		return err
	}
	mode := f.Mode()
	switch {
	case mode.IsDir() || strings.HasSuffix(f.Name, "/"):
		return u.folder(name)
	case mode&fs.ModeSymlink != 0:
		return u.link(f, name)
	case mode.Type() != 0:
		return fmt.Errorf("%w: %q is a %v", errPackage, name, mode.Type())
	}
	if err := u.folder(path.Dir(name)); err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if unix := f.CreatorVersion>>8 == 3 || f.CreatorVersion>>8 == 19; !unix || mode.Perm()&0o111 != 0 {
		perm = 0o755
	}
	w, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return unusable(name, err)
	}
	defer w.Close()
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("%w: %q: %w", errPackage, name, err)
	}
	defer r.Close()
	n, err := io.Copy(w, &unzipping{io.LimitReader(r, u.left+1)})
	if err != nil {
		return err
	}
	if u.left -= n; u.left < 0 {
		return errTooBig
	}
	if err := w.Chmod(perm); err != nil { // the process' umask may have taken bits away
		return err
	}
	return w.Close()
}

// unzipping tells errors of the package from errors of writing.
type unzipping struct{ r io.Reader }

func (u *unzipping) Read(b []byte) (int, error) {
	n, err := u.r.Read(b)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", errPackage, err)
	}
	return n, err
}

// unusable tells names that contradict each other from errors of the disk.
func unusable(name string, err error) error {
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrInvalid) || isNotDir(err) {
		return fmt.Errorf("%w: %q: %w", errPackage, name, err)
	}
	return err
}

// folder makes a folder with those above it, open to everybody whatever the
// process' umask is.
func (u *unpacker) folder(name string) error {
	if name == "." || u.made[name] {
		return nil
	}
	if err := u.folder(path.Dir(name)); err != nil {
		return err
	}
	if err := u.root.Mkdir(name, 0o755); err != nil {
		return unusable(name, err)
	}
	u.made[name] = true
	return u.root.Chmod(name, 0o755)
}

// link notes a symbolic link that stays inside the package.
func (u *unpacker) link(f *zip.File, name string) error {
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("%w: %q: %w", errPackage, name, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, 4097))
	if err != nil {
		return fmt.Errorf("%w: %q: %w", errPackage, name, err)
	}
	target := string(b)
	to := path.Join(path.Dir(name), target)
	if target == "" || len(target) > 4096 || path.IsAbs(target) || strings.IndexByte(target, 0) >= 0 || to == ".." || strings.HasPrefix(to, "../") {
		return fmt.Errorf("%w: the link %q leads to %q", errPackage, name, target)
	}
	if err := u.folder(path.Dir(name)); err != nil {
		return err
	}
	u.links = append(u.links, link{name, target})
	return nil
}
