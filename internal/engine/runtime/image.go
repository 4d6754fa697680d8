package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// Image is a function whose program and files are a container image. It speaks the
// Runtime API over HTTP.
// https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
type Image struct {
	// Root is the image's file system.
	Root *sandbox.Root
	// Argv is the entry point with its command. The first may be named without a
	// folder; then it is looked for along PATH.
	Argv []string
	// Dir is the working folder; "/" when empty.
	Dir string
	// Env are the image's variables, as KEY=VALUE, which the function's override.
	Env []string
}

// ImageChoice is the choice for a function that is an image.
func ImageChoice(img Image) Choice {
	return Choice{Runtime: "image", Family: "image", Exact: true, env: img.Env, image: &img}
}

// apply puts the image into a sandbox's specification.
func (img *Image) apply(spec *sandbox.Spec) {
	if img != nil {
		spec.Root, spec.Dir, spec.Mounts = img.Root, path.Join("/", img.Dir), nil
	}
}

// external are the names of the programs in /opt/extensions, of the function's
// layers or in its image.
// https://docs.aws.amazon.com/lambda/latest/dg/extensions-configuration.html
func (cfg *Config) external() ([]string, error) {
	if img := cfg.Runtime.image; img != nil {
		return img.extensions()
	}
	return externalExtensions(cfg.Layers)
}

// extensions looks for external extensions as the function would see them: in the
// upper layers first, which may have removed those of lower ones. No link leads
// out of a layer.
func (img *Image) extensions() ([]string, error) {
	layers := slices.Clone(img.Root.Layers)
	slices.Reverse(layers)
	if img.Root.Dir != "" {
		layers = []string{img.Root.Dir}
	}
	found := map[string]bool{} // false: removed, or a folder
	for _, dir := range layers {
		last, err := extensionsOf(dir, found)
		if err != nil {
			return nil, err
		}
		if last {
			break
		}
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if found[name] {
			names = append(names, name)
		}
	}
	return names, nil
}

// extensionsOf adds those of one layer, and tells whether it hides those below.
func extensionsOf(dir string, found map[string]bool) (last bool, err error) {
	r, err := os.OpenRoot(dir)
	if err != nil {
		return false, err
	}
	defer r.Close()
	at := path.Base(layerRoot)
	for _, at := range []string{at, path.Join(at, "extensions")} {
		info, err := r.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			return last, nil
		}
		if err != nil || !info.IsDir() { // a mark that it was removed, or what is no folder
			return true, err
		}
		f, err := r.Open(at)
		if err != nil {
			return true, err
		}
		last = last || opaque(f)
		if path.Base(at) == "extensions" {
			err = listExtensions(r, at, f, found)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return true, err
		}
	}
	return last, nil
}

func listExtensions(r *os.Root, at string, f *os.File, found map[string]bool) error {
	entries, err := f.ReadDir(-1)
	for _, e := range entries {
		if _, known := found[e.Name()]; known {
			continue
		}
		is := e.Type().IsRegular() || e.Type()&fs.ModeSymlink != 0
		if info, err := r.Stat(path.Join(at, e.Name())); err == nil && info.IsDir() {
			is = false
		}
		found[e.Name()] = is
	}
	return err
}

// launchError says what is wrong with the program or its folder, if it is that.
func launchError(err error) error {
	var exec *sandbox.ExecError
	if errors.As(err, &exec) {
		return &InitError{Type: typeEntry, Message: fmt.Sprintf("fork/exec %s: %v", exec.Program, exec.Err)}
	}
	var dir *sandbox.DirError
	if errors.As(err, &dir) {
		return &InitError{Type: typeWorkingDir, Message: fmt.Sprintf("chdir %s: %v", dir.Dir, dir.Err)}
	}
	return err
}
