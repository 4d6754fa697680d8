//go:build linux && (amd64 || arm64)

package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// roots are what the launcher needs for sandboxes with a Root: below the folders
// of an image it lays the files that every root needs, above them the places for
// mounts, which are folders and files there, whatever the image has.
type roots struct {
	dir string

	mu    sync.Mutex
	made  bool
	links map[string]string // of folders
}

// The kernel takes a page of options with a mount, so the folders are named by
// short links.
func (r *roots) at(name string) string { return filepath.Join(r.dir, name) }

// open makes what is needed when it is first needed.
func (r *roots) open() error {
	if r.made {
		return nil
	}
	if err := os.RemoveAll(r.dir); err != nil {
		return err
	}
	for _, d := range []string{"", "top", "bottom", "bottom/etc", "merged"} {
		if err := os.Mkdir(r.at(d), 0o755); err != nil {
			return err
		}
		if err := os.Chmod(r.at(d), 0o755); err != nil { // whatever the mask
			return err
		}
	}
	for _, f := range basics {
		if err := writeFile(filepath.Join(r.at("bottom"), f), ownFiles[f]); err != nil {
			return err
		}
	}
	if err := furnish(r.at("top")); err != nil {
		return err
	}
	r.made, r.links = true, map[string]string{}
	return nil
}

// link returns the short name of a folder.
func (r *roots) link(dir string) (string, error) {
	if n, ok := r.links[dir]; ok {
		return n, nil
	}
	n := strconv.Itoa(len(r.links))
	if err := os.Symlink(dir, r.at(n)); err != nil {
		return "", err
	}
	r.links[dir] = n
	return n, nil
}

// lower are the short names of layers, the highest first, as overlayfs wants them.
func (r *roots) lower(layers []string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.open(); err != nil {
		return "", err
	}
	names := []string{"bottom"}
	for _, l := range layers {
		if !filepath.IsAbs(l) {
			return "", errors.New("a layer of the root is not named by its absolute path")
		}
		n, err := r.link(l)
		if err != nil {
			return "", err
		}
		names = append(names, n)
	}
	names = append(names, "top")
	var b strings.Builder
	b.WriteString("lowerdir=")
	for i := len(names) - 1; i >= 0; i-- {
		b.WriteString(names[i])
		if i > 0 {
			b.WriteByte(':')
		}
	}
	if b.Len() >= os.Getpagesize() {
		return "", errors.New("the root has too many layers")
	}
	return b.String(), nil
}

// own plans a sandbox whose root is not the host's.
func (l *launcher) own(p *plan) (err error) {
	root := p.spec.Root
	if len(p.spec.Mounts) > 0 || len(p.late) > 0 {
		return errors.New("a sandbox with a root of its own has no further mounts")
	}
	if root.Dir != "" {
		p.root = root.Dir
	} else {
		if !l.tier.Overlay {
			return errors.New("folders cannot be joined to a root here")
		}
		if p.lower, err = l.roots.lower(root.Layers); err != nil {
			return err
		}
		p.root, p.layers = l.roots.at("merged"), l.roots.dir
	}
	for _, f := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		m := Mount{Source: filepath.Join(l.skeleton.dir, f), Target: f}
		if _, err := os.Stat(m.Source); err == nil {
			p.binds = append(p.binds, m)
		}
	}
	return nil
}

// mountRoot mounts what becomes the root where it is found.
func (p *plan) mountRoot(s *script) {
	root := s.str(p.root)
	if p.lower == "" {
		s.call("mounting the root", unix.SYS_MOUNT, root, root, 0, unix.MS_BIND, 0)
		return
	}
	overlay := s.str("overlay")
	s.call("entering the folder of layers", unix.SYS_CHDIR, s.str(p.layers))
	s.call("joining the layers of the root", unix.SYS_MOUNT, overlay, root, overlay, unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, s.str(p.lower))
}

// defaultPath is where programs are looked for that are named without a folder.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// search tries a program that is named without a folder in the folders of PATH, and
// returns the last place, which is still to be tried.
func (p *plan) search(s *script, prog Program) string {
	name := prog.Argv[0]
	if p.spec.Root == nil || strings.Contains(name, "/") {
		return name
	}
	list := defaultPath
	for _, kv := range prog.Env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok && v != "" {
			list = v
		}
	}
	dirs := strings.Split(list, ":")
	argv, env := s.strs(prog.Argv), s.strs(prog.Env)
	for _, d := range dirs[:len(dirs)-1] {
		s.optional(s.call(name, unix.SYS_EXECVE, s.str(filepath.Join("/", d, name)), argv, env))
	}
	return filepath.Join("/", dirs[len(dirs)-1], name)
}

// tryOverlay joins two folders to the root of a sandbox that ends at once.
func (l *launcher) tryOverlay(ctx context.Context) error {
	if !l.privileged {
		return errors.New("as an ordinary user, folders are copied instead of joined")
	}
	l.tier.Overlay = true // for the attempt
	defer func() { l.tier.Overlay = false }()
	return l.try(ctx, Spec{Root: &Root{Layers: []string{l.skeleton.dir}}})
}
