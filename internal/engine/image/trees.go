package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/tierra-cloud/tierra/internal/data/blob"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// Layer is a layer of an image: its bytes, and the archive that they must hold.
type Layer struct {
	Digest Digest `json:"digest"`
	Diff   Digest `json:"diff"`
}

// Trees keeps unpacked layers below a folder of its own, each once, in a folder
// named by its digests; or, where they cannot be joined, each image once. They are
// derived from the content; the next server takes them over if they are sure to be
// whole (see kept.go). It is safe for concurrent use.
type Trees struct {
	content *Content
	dir     string
	joined  bool // layers are joined by overlayfs
	kept    keeping

	mu  sync.Mutex
	all map[string]*tree
}

// tree is one unpacked folder.
type tree struct {
	mu    sync.Mutex // held while unpacking or removing
	ready bool
	bytes int64
	users int // guarded by Trees.mu
}

// folder is the name of a tree's folder, which says how many bytes its files have.
func (x *tree) folder(name string) string { return name + "." + strconv.FormatInt(x.bytes, 10) }

// NewTrees keeps trees below dir. overlay says that a sandbox can join layers; if
// layers cannot be prepared for that in dir, they are copied all the same.
func NewTrees(content *Content, dir string, overlay bool) *Trees {
	return &Trees{content: content, dir: dir, joined: overlay, all: map[string]*tree{}}
}

// Root makes the root of an image, unpacking what is not unpacked yet; release
// gives it up. The error is a *CorruptError or ErrTooBig if the image is at fault;
// then nothing is left of the attempt.
func (t *Trees) Root(ctx context.Context, layers []Layer) (root *sandbox.Root, bytes int64, release func(), err error) {
	if !t.joined {
		return t.copied(ctx, layers)
	}
	root = &sandbox.Root{}
	var held []string
	release = sync.OnceFunc(func() {
		for _, name := range held {
			t.release(name)
		}
	})
	if len(layers) == 0 {
		layers = []Layer{{}} // of "FROM scratch" alone
	}
	for _, l := range layers {
		name := treeName(l)
		dir, n, err := t.make(name, func(dir string) (int64, error) {
			return t.fill(ctx, l, dir, marked{}, MaxUnpacked-bytes)
		})
		if err != nil {
			release()
			return nil, 0, nil, err
		}
		held = append(held, name)
		if bytes += n; bytes > MaxUnpacked {
			release()
			return nil, 0, nil, ErrTooBig
		}
		root.Layers = append(root.Layers, dir)
	}
	return root, bytes, release, nil
}

// copied makes one folder of all layers.
func (t *Trees) copied(ctx context.Context, layers []Layer) (*sandbox.Root, int64, func(), error) {
	name := treeName(layers...)
	dir, n, err := t.make(name, func(dir string) (total int64, err error) {
		for _, l := range layers {
			n, err := t.fill(ctx, l, dir, inPlace{}, MaxUnpacked-total)
			if err != nil {
				return 0, err
			}
			total += n
		}
		return total, sandbox.Furnish(dir)
	})
	if err != nil {
		return nil, 0, nil, err
	}
	return &sandbox.Root{Dir: dir}, n, sync.OnceFunc(func() { t.release(name) }), nil
}

// treeName names a tree by its topmost layer and all that it is of.
func treeName(layers ...Layer) string {
	h, top := sha256.New(), DigestOf(nil)
	for _, l := range layers {
		fmt.Fprintf(h, "%s %s\n", l.Digest, l.Diff)
		if l.Digest != "" {
			top = l.Digest
		}
	}
	return top.Hex() + "." + hex.EncodeToString(h.Sum(nil))
}

// fill unpacks one layer into a folder.
func (t *Trees) fill(ctx context.Context, l Layer, dir string, m marker, limit int64) (int64, error) {
	if l.Digest == "" {
		return 0, nil
	}
	r, err := t.content.Open(ctx, l.Digest)
	if errors.Is(err, blob.ErrNotFound) {
		return 0, fmt.Errorf("the layer %s is lost: %w", l.Digest, err)
	}
	if err != nil {
		return 0, err
	}
	defer r.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	n, err := unpack(r, root, m, l.Diff, limit)
	if bad := corrupt(""); errors.As(err, &bad) {
		err = &CorruptError{l.Digest, string(bad)}
	}
	return n, err
}

func (t *Trees) hold(name string) *tree {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.all[name]
	if x == nil {
		x = &tree{}
		t.all[name] = x
	}
	x.users++
	return x
}

func (t *Trees) release(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.all[name]
	if x.users--; x.users == 0 && !x.ready {
		delete(t.all, name)
	}
}

// make fills a folder unless it is there, and holds it.
func (t *Trees) make(name string, fill func(dir string) (int64, error)) (dir string, bytes int64, err error) {
	x := t.hold(name)
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ready {
		if err := t.fresh(name, x, fill); err != nil {
			t.release(name)
			return "", 0, fmt.Errorf("unpack an image: %w", err)
		}
		x.ready = true
	}
	return filepath.Join(t.dir, x.folder(name)), x.bytes, nil
}

func (t *Trees) fresh(name string, x *tree, fill func(dir string) (int64, error)) error {
	tmp, err := os.MkdirTemp(t.dir, "unpack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if x.bytes, err = fill(tmp); err != nil {
		return err
	}
	return t.kept.name(t, func() error { return os.Rename(tmp, filepath.Join(t.dir, x.folder(name))) })
}

// Drop removes the trees of an image that nobody uses and no other image needs:
// needed tells which layers are.
func (t *Trees) Drop(layers []Layer, needed func(Layer) bool) error {
	var names []string
	for _, l := range layers {
		if !needed(l) {
			names = append(names, treeName(l))
		}
	}
	if !t.joined && len(names) > 0 {
		names = []string{treeName(layers...)}
	}
	var errs []error
	for _, name := range names {
		errs = append(errs, t.drop(name))
	}
	return errors.Join(errs...)
}

// drop removes a tree unless it is used.
func (t *Trees) drop(name string) error {
	t.mu.Lock()
	there := t.all[name] != nil
	t.mu.Unlock()
	if !there {
		return nil
	}
	x := t.hold(name)
	defer t.release(name)
	x.mu.Lock()
	defer x.mu.Unlock()
	t.mu.Lock()
	alone := x.users == 1
	t.mu.Unlock()
	// Whoever comes now waits for x.mu, and unpacks anew.
	if !alone || !x.ready {
		return nil
	}
	x.ready = false
	return t.remove(x.folder(name))
}

// remove removes a folder. It loses its name first: what is under a tree's name is whole.
func (t *Trees) remove(folder string) error {
	tmp, err := os.MkdirTemp(t.dir, "gone-")
	if err != nil {
		return err
	}
	err = os.Rename(filepath.Join(t.dir, folder), filepath.Join(tmp, "tree"))
	return errors.Join(err, os.RemoveAll(tmp))
}
