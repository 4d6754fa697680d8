//go:build unix

// Package lease lets one process at a time have a data folder, and others find out
// who has it and where it answers.
//
// The folder's file server.lock is locked (flock) by the holder, so the system
// gives the lease back when the holder ends, however it ends; it names the holder
// for as long as it is locked and means nothing otherwise. Whoever looks at the
// lock or writes the file first locks the folder itself, for a moment, so that
// nobody takes one who looks for one who holds.
package lease

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

const fileName = "server.lock"

// Info names a holder.
type Info struct {
	PID int `json:"pid"`
	// Address is where the holder answers; empty until it does.
	Address string `json:"address,omitempty"`
}

// HeldError is the error of Acquire when another process (or another part of this
// one) has the folder.
type HeldError struct {
	Dir    string
	Holder Info // PID 0 if the holder could not be read
}

// Error implements error.
func (e *HeldError) Error() string {
	switch {
	case e.Holder.PID == 0:
		return fmt.Sprintf("the data folder %s is in use by another process", e.Dir)
	case e.Holder.Address == "":
		return fmt.Sprintf("the data folder %s is in use by process %d, which is starting or does not listen", e.Dir, e.Holder.PID)
	}
	return fmt.Sprintf("the data folder %s is in use by process %d, which listens at %s", e.Dir, e.Holder.PID, e.Holder.Address)
}

// Lease is the right to use a data folder. It is safe for concurrent use.
type Lease struct {
	dir string

	mu   sync.Mutex
	file *os.File // nil once released
}

// Acquire takes the lease of the folder dir, which is made (mode 0700) if there is
// none. If somebody has it the error is a *HeldError.
func Acquire(dir string) (*Lease, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	var l *Lease
	err := gated(dir, func() error {
		f, err := os.OpenFile(filepath.Join(dir, fileName), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		switch err := lock(f, syscall.LOCK_EX|syscall.LOCK_NB); {
		case errors.Is(err, syscall.EWOULDBLOCK):
			held := &HeldError{Dir: dir, Holder: read(f)}
			_ = f.Close() // it was only read
			return held
		case err != nil:
			return errors.Join(err, f.Close())
		}
		if err := write(f, Info{PID: os.Getpid()}); err != nil {
			return errors.Join(err, f.Close())
		}
		l = &Lease{dir: dir, file: f}
		return nil
	})
	return l, err
}

// SetAddress records where the holder answers, for Holder and for the error of
// those who are refused.
func (l *Lease) SetAddress(address string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return errors.New("lease: it was released")
	}
	return gated(l.dir, func() error { return write(l.file, Info{PID: os.Getpid(), Address: address}) })
}

// Release gives the lease back. Releasing again does nothing.
func (l *Lease) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	if err := f.Close(); err != nil { // which unlocks it
		return fmt.Errorf("lease: %w", err)
	}
	return nil
}

// Holder returns who has the lease of dir; ok is false if nobody has, or if it
// cannot be found out.
func Holder(dir string) (info Info, ok bool) {
	err := gated(dir, func() error {
		f, err := os.Open(filepath.Join(dir, fileName))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := lock(f, syscall.LOCK_SH|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
			info, ok = read(f), true
		}
		return nil
	})
	return info, ok && err == nil
}

// gated runs f while the folder is locked, which nobody does for long.
func gated(dir string, f func() error) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	defer d.Close() // which unlocks it
	if err := lock(d, syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lease: lock %s: %w", dir, err)
	}
	err = f()
	var held *HeldError
	if err == nil || errors.As(err, &held) {
		return err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("lease: %w", err)
	}
	return fmt.Errorf("lease: %s: %w", filepath.Join(dir, fileName), err)
}

// lock is flock, tried again when a signal comes in between.
func lock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); err != syscall.EINTR {
			return err
		}
	}
}

func write(f *os.File, info Info) error {
	text, err := json.Marshal(info)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(text, '\n'), 0)
	return err
}

// read returns the zero Info if the file does not hold one.
func read(f *os.File) (info Info) {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	if err != nil || json.Unmarshal(text, &info) != nil {
		return Info{}
	}
	return info
}
