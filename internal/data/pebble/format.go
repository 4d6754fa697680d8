package pebble

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tierra-cloud/tierra/internal/data"
)

// format is the version of what this package writes, as the file FORMAT says it.
// It goes up with every change that an older binary could not read, a newer
// engineFormat among them.
const (
	format       = 1
	engineFormat = pebble.FormatValueSeparation
	formatFile   = "FORMAT"
)

// checkFormat sees that dir is of a version that this binary can read, and makes
// dir with its FORMAT file if there is none.
func checkFormat(fs vfs.FS, dir string) error {
	path := fs.PathJoin(dir, formatFile)
	f, err := fs.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return create(fs, dir)
	}
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("data: read %s: %w", path, err)
	}
	version, err := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil || version < 1:
		return fmt.Errorf("data: %s does not hold a version number: %q", path, text)
	case version > format:
		return fmt.Errorf("%w: %s is of version %d, this binary knows up to version %d; use a newer one",
			data.ErrFormat, dir, version, format)
	}
	return nil
}

// create makes dir with its FORMAT file, durably and before anything else is in it.
func create(fs vfs.FS, dir string) error {
	if err := makeDir(fs, dir); err != nil {
		return err
	}
	names, err := fs.List(dir)
	if err != nil {
		return fmt.Errorf("data: list %s: %w", dir, err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "MANIFEST-") || strings.HasPrefix(name, "marker.") {
			return fmt.Errorf("data: %s holds a database but no %s file; it was not written by this program, or is damaged", dir, formatFile)
		}
	}
	path := fs.PathJoin(dir, formatFile)
	if err := write(fs, path+".tmp", strconv.Itoa(format)+"\n"); err != nil {
		return err
	}
	if err := fs.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return syncDir(fs, dir)
}

func write(fs vfs.FS, path, text string) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	_, err = f.Write([]byte(text))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("data: write %s: %w", path, err)
	}
	return nil
}

// makeDir makes dir and its parents where they are missing, each one durably.
func makeDir(fs vfs.FS, dir string) error {
	if _, err := fs.Stat(dir); err == nil || !errors.Is(err, os.ErrNotExist) {
		if err != nil {
			return fmt.Errorf("data: %w", err)
		}
		return nil
	}
	parent := fs.PathDir(dir)
	if parent != dir {
		if err := makeDir(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return syncDir(fs, parent)
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("data: sync %s: %w", dir, err)
	}
	return nil
}
