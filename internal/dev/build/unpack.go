package build

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Unpack writes the package's files into a folder, which is made anew.
func (p *Package) Unpack(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	z, err := zip.NewReader(bytes.NewReader(p.Zip), int64(len(p.Zip)))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range z.File {
		if !filepath.IsLocal(f.Name) {
			return fmt.Errorf("the package has a file outside of itself: %q", f.Name)
		}
		if err := unpack(f, filepath.Join(dir, filepath.FromSlash(f.Name))); err != nil {
			return err
		}
	}
	return nil
}

func unpack(f *zip.File, to string) error {
	if f.Mode().IsDir() {
		return os.MkdirAll(to, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if f.Mode()&fs.ModeSymlink != 0 {
		return os.Symlink(string(body), to)
	}
	return os.WriteFile(to, body, f.Mode().Perm())
}
