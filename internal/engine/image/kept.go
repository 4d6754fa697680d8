package image

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Trees outlive the server. Nobody waits until they are synced to disk, as that can
// take longer than unpacking them; so a note in their folder says for how long they
// can be believed: as long as the machine runs, whatever happens to the server, or,
// once all are synced, for good. If the machine fails before, they are unpacked anew.
//
// A tree gets its name when it is whole and loses it before it is removed, and
// file systems keep that order.

// noteFile is the note's name.
const noteFile = "whole"

// treesVersion is that of what unpacking makes, Furnish of the sandbox included.
const treesVersion = "1"

// synced stands in the note in the place of the machine's running.
const synced = "synced"

// keeping is the state of the note.
type keeping struct {
	mu      sync.Mutex
	changed bool // the note says that not all is synced
	made    int  // trees that have got their names
	syncing bool
	closed  bool
}

// note is what the note says if trees of this form in this folder can be believed
// for as long as until says. A folder that was copied is another one: not every
// copy has the marks of overlayfs.
func (t *Trees) note(until string) (string, error) {
	form := "copied"
	if t.joined {
		form = "joined"
	}
	id, err := folderID(t.dir)
	return fmt.Sprintf("%s %s %s %s\n", treesVersion, form, id, until), err
}

// believed tells whether the note says that what is here is whole.
func (t *Trees) believed() bool {
	text, err := os.ReadFile(filepath.Join(t.dir, noteFile))
	if err != nil {
		return false
	}
	running, err := machineRun()
	if err != nil {
		return false
	}
	for _, until := range [...]string{running, synced} {
		if want, err := t.note(until); err == nil && want == string(text) {
			return true
		}
	}
	return false
}

// Open takes over what an earlier server has left and is sure to be whole, and
// clears the rest. It must come first.
func (t *Trees) Open() error {
	if err := os.MkdirAll(t.dir, 0o755); err != nil {
		return err
	}
	t.joined = t.joined && canMark(t.dir)
	believed := t.believed()
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, x := treeOf(e.Name())
		switch {
		case !believed || x == nil && e.Name() != noteFile:
			if err := os.RemoveAll(filepath.Join(t.dir, e.Name())); err != nil {
				return fmt.Errorf("clear the folder of images: %w", err)
			}
		case x != nil:
			t.all[name] = x
		}
	}
	return nil
}

// treeOf reads the name of a tree's folder; nil if it is none.
func treeOf(folder string) (name string, x *tree) {
	i := strings.LastIndexByte(folder, '.')
	if i < 0 || len(folder[:i]) != 2*64+1 {
		return "", nil
	}
	n, err := strconv.ParseInt(folder[i+1:], 10, 64)
	if err != nil || n < 0 {
		return "", nil
	}
	return folder[:i], &tree{ready: true, bytes: n}
}

// Collect removes the trees whose topmost layer nobody needs: those whose Drop an
// earlier server did not come to.
func (t *Trees) Collect(needed func(Digest) (bool, error)) error {
	t.mu.Lock()
	var names []string
	for name := range t.all {
		names = append(names, name)
	}
	t.mu.Unlock()
	for _, name := range names {
		top, _, _ := strings.Cut(name, ".")
		is, err := needed(Digest(algorithm + top))
		if err == nil && !is {
			err = t.drop(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// name gives a tree its name by f, and has it synced.
func (k *keeping) name(t *Trees, f func() error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.change(t); err != nil {
		return fmt.Errorf("note what is unpacked: %w", err)
	}
	if err := f(); err != nil {
		return err
	}
	k.made++
	if k.changed && !k.syncing && !k.closed {
		k.syncing = true
		go k.sync(t)
	}
	return nil
}

// change lets the note say that not all is synced; k is locked.
func (k *keeping) change(t *Trees) error {
	if k.changed {
		return nil
	}
	running, err := machineRun()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil // there is no note, and nothing is believed
	}
	if err == nil {
		err = t.write(running)
	}
	k.changed = err == nil
	return err
}

// sync syncs what there is until nothing has come meanwhile.
func (k *keeping) sync(t *Trees) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer func() { k.syncing = false }()
	for !k.closed {
		made := k.made
		k.mu.Unlock()
		err := syncAll(t.dir)
		k.mu.Lock()
		if err != nil || k.closed {
			return // the trees are believed as long as the machine runs
		}
		if k.made == made {
			k.changed = t.write(synced) != nil
			return
		}
	}
}

// Close ends what goes on in the folder; trees may be used still. It does not wait for the disk.
func (t *Trees) Close() {
	t.kept.mu.Lock()
	defer t.kept.mu.Unlock()
	t.kept.closed = true
}

// write replaces the note, durably.
func (t *Trees) write(until string) error {
	text, err := t.note(until)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(t.dir, "note-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(t.dir, noteFile)); err != nil {
		return err
	}
	d, err := os.Open(t.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
