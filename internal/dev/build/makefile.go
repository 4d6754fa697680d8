package build

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// makefile runs the target build-LOGICALID in a copy of the sources, which fills
// $ARTIFACTS_DIR. In a copy, as what it writes beside them would be a change of them.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-custom-runtimes.html
func (b *Builder) makefile(ctx context.Context, f Function) (*tree, error) {
	out, err := os.MkdirTemp("", "tierra-make-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(out)
	root := cmp.Or(f.ProjectRoot, f.Source)
	sources, artifacts := filepath.Join(out, "sources"), filepath.Join(out, "artifacts")
	if err := copyOf(root, sources, nil); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(artifacts, 0o755); err != nil {
		return nil, err
	}
	// What is below the sources is meant of their copy.
	within := func(dir string) string {
		if rel, err := filepath.Rel(root, dir); err == nil && filepath.IsLocal(rel) {
			return filepath.Join(sources, rel)
		}
		return dir
	}
	b.note(f, "make build-"+f.LogicalID)
	makefile := filepath.Join(within(cmp.Or(f.ContextPath, f.Source)), "Makefile")
	if text, err := b.Run(ctx, within(cmp.Or(f.WorkingDirectory, root)), []string{"ARTIFACTS_DIR=" + artifacts}, "make", "--makefile", makefile, "build-"+f.LogicalID); err != nil {
		return nil, fmt.Errorf("make build-%s: %w\n%s", f.LogicalID, err, text)
	}
	t := newTree()
	t.watch = []string{root}
	if f.ContextPath != "" {
		t.watch = append(t.watch, f.ContextPath)
	}
	if err := t.addFolder("", artifacts); err != nil {
		return nil, err
	}
	if len(t.files) == 0 {
		return nil, fmt.Errorf("the target build-%s put nothing into $ARTIFACTS_DIR", f.LogicalID)
	}
	return t, t.load() // the folder goes
}

// copyOf copies a folder, without what skip names and what no build needs.
func copyOf(from, to string, skip []string) error {
	t, err := folder(from, skip)
	if err != nil {
		return err
	}
	for name, e := range t.files {
		path := filepath.Join(to, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if e.link != "" {
			if strings.HasPrefix(e.link, "/") || filepath.IsLocal(filepath.Join(filepath.Dir(name), e.link)) {
				err = os.Symlink(e.link, path)
			} else {
				err = os.Symlink(filepath.Join(from, filepath.Dir(name), e.link), path) // it leads out of the folder
			}
		} else {
			var body []byte
			if body, err = os.ReadFile(e.path); err == nil {
				err = os.WriteFile(path, body, e.mode.Perm()|0o600)
			}
		}
		if err != nil {
			return err
		}
	}
	return os.MkdirAll(to, 0o755)
}
