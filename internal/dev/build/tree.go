package build

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"time"
)

// tree is what goes into a package: names in it, and where their bytes are.
type tree struct {
	files map[string]entry
	watch []string
}

type entry struct {
	path string // on disk, unless body is set
	body []byte
	mode fs.FileMode
	link string // target of a symbolic link
}

func newTree() *tree { return &tree{files: map[string]entry{}} }

// Limits of a deployment package, in bytes, before and after compression.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxUnzipped = 250 << 20

// add puts one file into the tree.
func (t *tree) add(name, path string, mode fs.FileMode) error {
	t.files[name] = entry{path: path, mode: mode}
	return nil
}

// folder makes a tree of a folder without what no function needs.
func folder(dir string, skip []string) (*tree, error) {
	t := newTree()
	t.watch = []string{dir}
	return t, t.walk("", dir, append(skip, ".git", ".aws-sam", ".DS_Store"))
}

func (t *tree) addFolder(prefix, dir string) error {
	return t.walk(prefix, dir, []string{"__pycache__"})
}

func (t *tree) walk(prefix, dir string, skip []string) error {
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		for _, s := range skip {
			if d.Name() == s && p != dir {
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
		}
		if d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := path.Join(prefix, filepath.ToSlash(rel))
		e := entry{path: p, mode: info.Mode()}
		if info.Mode()&fs.ModeSymlink != 0 {
			if e.link, err = os.Readlink(p); err != nil {
				return err
			}
		}
		t.files[name] = e
		return nil
	})
}

// below is the tree in a folder of another one.
func (t *tree) below(folder string) *tree {
	out := newTree()
	out.watch = t.watch
	for name, e := range t.files {
		out.files[path.Join(folder, name)] = e
	}
	return out
}

// load reads the files, so that they need not stay on disk.
func (t *tree) load() (err error) {
	for name, e := range t.files {
		if e.body == nil && e.link == "" {
			if e.body, err = os.ReadFile(e.path); err != nil {
				return err
			}
			t.files[name] = e
		}
	}
	return nil
}

// zip writes the tree in one order and with one time, so that the same sources
// give the same bytes. Nothing is compressed: the package goes to a server on
// this machine, and deflating costs more than the bytes do.
func (t *tree) zip() ([]byte, error) {
	names := make([]string, 0, len(t.files))
	for n := range t.files {
		names = append(names, n)
	}
	sort.Strings(names)
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	total := 0
	for _, n := range names {
		e := t.files[n]
		body := e.body
		switch {
		case e.link != "":
			body = []byte(e.link)
		case body == nil:
			var err error
			if body, err = os.ReadFile(e.path); err != nil {
				return nil, err
			}
		}
		if total += len(body); total > maxUnzipped {
			return nil, fmt.Errorf("the package holds more than %d bytes, which is Lambda's limit", maxUnzipped)
		}
		h := &zip.FileHeader{Name: n, Method: zip.Store, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		mode := fs.FileMode(0o644)
		if e.mode&0o111 != 0 {
			mode = 0o755
		}
		h.SetMode(mode | e.mode&fs.ModeSymlink)
		f, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(body); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// dependsOn reports whether a package.json names dependencies.
func dependsOn(doc []byte, production bool) (bool, error) {
	var p struct {
		Dependencies    map[string]string `json:"dependencies"`
		DevDependencies map[string]string `json:"devDependencies"`
	}
	if err := json.Unmarshal(doc, &p); err != nil {
		return false, err
	}
	return len(p.Dependencies) > 0 || !production && len(p.DevDependencies) > 0, nil
}

// Zip packs a folder as it is.
func Zip(dir string) ([]byte, error) {
	t := newTree()
	if err := t.walk("", dir, nil); err != nil {
		return nil, err
	}
	return t.zip()
}
