//go:build linux && (amd64 || arm64)

package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// furniture is what has to be in a root for its mounts: folders and empty files.
var (
	furnitureFolders = [...]string{"dev", "etc", "proc", "tmp"}
	furnitureFiles   = [...]string{"dev/null", "dev/zero", "dev/full", "dev/random", "dev/urandom", "etc/resolv.conf", "etc/hosts", "etc/hostname"}
	furnitureLinks   = [...][2]string{{"dev/fd", "/proc/self/fd"}, {"dev/stdin", "/proc/self/fd/0"}, {"dev/stdout", "/proc/self/fd/1"}, {"dev/stderr", "/proc/self/fd/2"}}
	// basics are files that a root needs, unless it has its own.
	basics = [...]string{"/etc/passwd", "/etc/group", "/etc/nsswitch.conf"}
)

// Furnish makes in a folder, which is to be a sandbox's root, the places on which
// things are mounted. What stands in their way is removed; no link of the folder is
// followed.
func Furnish(dir string) error {
	if err := furnish(dir); err != nil {
		return err
	}
	for _, f := range basics {
		at := filepath.Join(dir, f)
		if _, err := os.Lstat(at); errors.Is(err, fs.ErrNotExist) {
			if err := writeFile(at, ownFiles[f]); err != nil {
				return err
			}
		}
	}
	return nil
}

func furnish(dir string) error {
	for _, f := range furnitureFolders {
		at := filepath.Join(dir, f)
		if info, err := os.Lstat(at); err == nil && !info.IsDir() {
			if err := os.Remove(at); err != nil {
				return err
			}
		}
		if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := os.Chmod(at, 0o755); err != nil {
			return err
		}
	}
	for _, f := range furnitureFiles {
		at, content := filepath.Join(dir, f), ""
		if err := os.RemoveAll(at); err != nil {
			return err
		}
		if f == "etc/hostname" {
			content = ownFiles["/etc/hostname"]
		}
		if err := writeFile(at, content); err != nil {
			return err
		}
	}
	for _, l := range furnitureLinks {
		at := filepath.Join(dir, l[0])
		if err := os.RemoveAll(at); err != nil {
			return err
		}
		if err := os.Symlink(l[1], at); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(at, content string) error {
	if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
		return err
	}
	return os.Chmod(at, 0o644) // whatever the mask
}
