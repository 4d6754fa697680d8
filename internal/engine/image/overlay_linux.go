package image

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// marked marks removals as overlayfs reads them: a character device of number zero
// in the place of what is gone, and an attribute of a folder that hides those below.
// https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories
type marked struct{}

func (marked) copies() bool { return false }

func (marked) remove(root *os.Root, name string) error {
	d, err := root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer d.Close()
	err = unix.Mknodat(int(d.Fd()), path.Base(name), unix.S_IFCHR, 0)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func (marked) empty(root *os.Root, folder string, _ map[string]bool) error {
	d, err := root.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Fsetxattr(int(d.Fd()), "trusted.overlay.opaque", []byte("y"), 0)
}

// canMark tries whether removals can be marked in a folder.
func canMark(dir string) bool {
	tmp, err := os.MkdirTemp(dir, "mark-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(tmp)
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return false
	}
	defer root.Close()
	return errors.Join(marked{}.remove(root, "gone"), marked{}.empty(root, ".", nil)) == nil
}
