package deploy

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/tierra-cloud/tierra/internal/dev/build"
)

// quiet is how long the disk must be quiet before changes are acted on: editors
// write a file in several steps.
const quiet = 40 * time.Millisecond

// Watch acts on changes of sources until ctx ends: a function's files swap that
// function, a website's folder is published, the template is deployed anew. It
// calls watching once no change can be missed any more.
func (u *Up) Watch(ctx context.Context, watching func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the sources: %w", err)
	}
	defer w.Close()
	u.arm(w)
	watching()
	changed := map[string]bool{}
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.Errors:
			u.Report.Problem(fmt.Errorf("watch the sources: %w", err))
		case e := <-w.Events:
			if e.Op == fsnotify.Chmod || ignored(e.Name) {
				continue
			}
			changed[e.Name] = true
			timer.Reset(quiet)
		case <-timer.C:
			u.act(ctx, changed)
			changed = map[string]bool{}
			u.arm(w)
		}
	}
}

func ignored(path string) bool {
	base := filepath.Base(path)
	return strings.HasSuffix(base, "~") || strings.HasSuffix(base, ".swp") || strings.HasSuffix(base, ".swx") || base == "4913" ||
		strings.Contains(path, "/node_modules/") || strings.Contains(path, "/__pycache__") || strings.Contains(path, "/.git/")
}

// arm watches every folder of the application; those that are watched already
// are left as they are.
func (u *Up) arm(w *fsnotify.Watcher) {
	u.mu.Lock()
	roots := []string{}
	for _, p := range u.packages {
		roots = append(roots, p.Watch...)
	}
	for _, s := range u.app.sites {
		roots = append(roots, s.Folder)
	}
	dir := u.app.dir
	u.mu.Unlock()
	if err := w.Add(dir); err != nil {
		u.Report.Problem(fmt.Errorf("watch %s: %w", dir, err))
	}
	for _, r := range roots {
		err := filepath.WalkDir(r, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // gone meanwhile
			}
			if !d.IsDir() {
				if p == r {
					return w.Add(filepath.Dir(p))
				}
				return nil
			}
			if n := d.Name(); n == "node_modules" || n == ".git" || n == "__pycache__" {
				return fs.SkipDir
			}
			return w.Add(p)
		})
		if err != nil {
			u.Report.Problem(fmt.Errorf("watch %s: %w", r, err))
		}
	}
}

// act does what the changed files ask for.
func (u *Up) act(ctx context.Context, changed map[string]bool) {
	u.mu.Lock()
	app, packages := u.app, u.packages
	u.mu.Unlock()
	template, err := filepath.Abs(app.path)
	if err == nil && changed[template] {
		if _, err := u.Deploy(ctx); err != nil {
			u.Report.Problem(err)
		}
		return
	}
	var stale []build.Function
	for _, f := range app.functions {
		if p := packages[f.LogicalID]; p != nil && touches(changed, p.Watch) {
			stale = append(stale, f)
		}
	}
	if slices.ContainsFunc(stale, func(f build.Function) bool { return f.Layer }) {
		// A layer's version cannot change: those who use it need the new one.
		if _, err := u.Deploy(ctx); err != nil {
			u.Report.Problem(err)
		}
		return
	}
	if len(stale) > 0 {
		u.swap(ctx, stale)
	}
	for _, s := range app.sites {
		if touches(changed, []string{s.Folder}) {
			if err := u.publish(ctx, s); err != nil {
				u.Report.Problem(err)
			} else {
				u.Report.Done("Published " + s.LogicalID)
			}
		}
	}
}

func touches(changed map[string]bool, roots []string) bool {
	for c := range changed {
		for _, r := range roots {
			if c == r || strings.HasPrefix(c, strings.TrimSuffix(r, "/")+"/") {
				return true
			}
		}
	}
	return false
}
