//go:build linux && (amd64 || arm64)

package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// systemPaths are the folders of the host that every sandbox sees.
var systemPaths = [...]string{"/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"}

// systemFolders are what a sandbox sees of /etc, as far as the host has it.
var systemFolders = [...]string{"/etc/ssl", "/etc/pki", "/etc/alternatives", "/etc/crypto-policies"}

// copied are files of the host's /etc that are copied, as a mount costs time at
// every launch. They are looked after: a laptop changes its name servers.
var copied = [...]string{
	"/etc/resolv.conf", "/etc/hosts", "/etc/localtime", "/etc/ld.so.cache", "/etc/services", "/etc/protocols", "/etc/mime.types",
}

// ownFiles are files of /etc that say what is true inside.
var ownFiles = map[string]string{
	"/etc/passwd":        fmt.Sprintf("root:x:0:0:root:/root:/sbin/nologin\nsbx_user1051:x:%d:%d::/home/sbx_user1051:/sbin/nologin\n", insideUID, insideGID),
	"/etc/group":         fmt.Sprintf("root:x:0:\nsbx_user1051:x:%d:\n", insideGID),
	"/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
	"/etc/hostname":      hostname + "\n",
}

// skeleton is the folder that becomes the root of every sandbox: empty mount
// points, links, and a few files in /etc. Nothing in it is private to a sandbox.
type skeleton struct {
	dir    string
	system []Mount
	masks  []string

	mu     sync.Mutex
	made   map[string]bool
	copies map[string]time.Time // when the host changed the file
}

// newSkeleton makes the skeleton afresh in dir.
func newSkeleton(dir string, extra []string) (*skeleton, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	k := &skeleton{dir: dir, made: map[string]bool{}, copies: map[string]time.Time{}}
	for _, d := range []string{"/", "/dev", "/etc", "/proc", "/tmp", "/var/task", "/var/runtime", "/opt"} {
		if err := k.folder(d); err != nil {
			return nil, err
		}
	}
	for path, content := range ownFiles {
		if err := k.file(path, content); err != nil {
			return nil, err
		}
	}
	for _, d := range devices {
		if err := k.file("/dev/"+d, ""); err != nil {
			return nil, err
		}
	}
	links := map[string]string{"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2", "/var/tmp": "../tmp"}
	for at, to := range links {
		if err := os.Symlink(to, filepath.Join(dir, at)); err != nil {
			return nil, err
		}
	}
	for _, p := range systemPaths {
		if to, err := os.Readlink(p); err == nil {
			// A merged /usr: /bin is a link to usr/bin.
			if err := os.Symlink(to, filepath.Join(dir, p)); err != nil {
				return nil, err
			}
			continue
		}
		if err := k.bind(p); err != nil {
			return nil, err
		}
	}
	for _, p := range systemFolders {
		if err := k.bind(p); err != nil {
			return nil, err
		}
	}
	if err := k.refresh(); err != nil {
		return nil, err
	}
	java, _ := filepath.Glob("/etc/java*")
	for _, p := range append(java, extra...) {
		if err := k.bind(p); err != nil {
			return nil, err
		}
	}
	for _, m := range masked {
		if _, err := os.Lstat("/proc/" + m); err == nil {
			k.masks = append(k.masks, m)
		}
	}
	return k, nil
}

// refresh copies what the host has changed since the last time. Sandboxes that
// run see it too.
func (k *skeleton) refresh() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, path := range copied {
		info, err := os.Stat(path)
		if err != nil || info.ModTime().Equal(k.copies[path]) {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if path == "/etc/hosts" {
			// Who delivers to a program inside names it so, as on AWS.
			content = append(content, "\n127.0.0.1\tsandbox sandbox.localdomain\n"...)
		}
		if err := k.file(path, string(content)); err != nil {
			return err
		}
		k.copies[path] = info.ModTime()
	}
	return nil
}

// bind adds a path of the host to all sandboxes, if the host has it and it can be read.
func (k *skeleton) bind(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil || unix.Access(real, unix.R_OK) != nil {
		return nil
	}
	m := Mount{Source: real, Target: path}
	if err := k.point(m); err != nil {
		return err
	}
	k.system = append(k.system, m)
	return nil
}

// point makes sure that the target of a mount exists.
func (k *skeleton) point(m Mount) error {
	if !filepath.IsAbs(m.Target) || filepath.Clean(m.Target) != m.Target || m.Target == "/" {
		return fmt.Errorf("mount target %q is not a clean absolute path", m.Target)
	}
	for _, p := range []string{"/proc", "/dev", "/tmp"} {
		if m.Target == p || strings.HasPrefix(m.Target, p+"/") {
			return fmt.Errorf("mount target %q is the sandbox's own", m.Target)
		}
	}
	info, err := os.Stat(m.Source)
	if err != nil {
		return fmt.Errorf("mounting at %s: %w", m.Target, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.made[m.Target] {
		return nil
	}
	if info.IsDir() {
		err = k.folder(m.Target)
	} else if err = k.folder(filepath.Dir(m.Target)); err == nil {
		err = k.file(m.Target, "")
	}
	if err == nil {
		k.made[m.Target] = true
	}
	return err
}

// folder makes a folder and its parents, all for everybody to read.
func (k *skeleton) folder(path string) error {
	at := k.dir
	for _, part := range append([]string{""}, strings.Split(strings.Trim(path, "/"), "/")...) {
		at = filepath.Join(at, part)
		err := os.Mkdir(at, 0o755)
		if errors.Is(err, fs.ErrExist) {
			if info, lerr := os.Lstat(at); lerr != nil || !info.IsDir() {
				return fmt.Errorf("mount target %s: %s is no folder", path, strings.TrimPrefix(at, k.dir))
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := os.Chmod(at, 0o755); err != nil { // whatever the mask
			return err
		}
	}
	return nil
}

func (k *skeleton) file(path, content string) error {
	at := filepath.Join(k.dir, path)
	if _, err := os.Lstat(at); err == nil && content == "" {
		return nil
	}
	if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
		return err
	}
	return os.Chmod(at, 0o644)
}
