package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// golang builds the main package of the folder as "bootstrap", or as its handler
// for the runtime that is named after Go.
func (b *Builder) golang(ctx context.Context, f Function) (*tree, error) {
	out := filepath.Join(b.Cache, "go", f.LogicalID)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, err
	}
	name := "bootstrap"
	if f.Runtime == "go1.x" {
		name = f.Handler
	}
	flags := []string{"build", "-trimpath", "-ldflags=-s -w"}
	if f.Debug {
		flags = []string{"build", "-gcflags=all=-N -l"} // as its author wrote it, with the folders it is in
	}
	bin := filepath.Join(out, name)
	b.note(f, "go build")
	text, err := b.Run(ctx, f.Source, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + f.goarch(), "GOFLAGS=-buildvcs=false"},
		"go", append(flags, "-o", bin, ".")...)
	if err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, text)
	}
	t := newTree()
	t.watch = append(t.watch, f.Source)
	// The packages of the same module that it imports are sources as well.
	if text, err := b.Run(ctx, f.Source, nil, "go", "list", "-deps", "-f", "{{if and .Module .Module.Main}}{{.Dir}}{{end}}", "."); err == nil {
		for _, d := range strings.Fields(string(text)) {
			if d != f.Source {
				t.watch = append(t.watch, d)
			}
		}
	}
	return t, t.add(name, bin, 0o755)
}
