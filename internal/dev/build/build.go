// Package build makes deployment packages of functions from their sources, as
// `sam build` does, without containers.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-lambda-functions.html
package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Function is what there is to build.
type Function struct {
	LogicalID    string
	Name         string // FunctionName, if the template gives one
	Source       string // the folder or file that CodeUri names
	Runtime      string // "nodejs20.x"; "" if the template leaves it open
	Handler      string
	Method       string         // Metadata.BuildMethod; "" means by the runtime
	Properties   map[string]any // Metadata.BuildProperties
	Architecture string         // "x86_64" or "arm64"; "" means this machine's
	// Metadata of the build methods that run a project's own tools, as paths:
	// ContextPath, the folder with the Makefile; ProjectRoot, what is built instead
	// of Source; WorkingDirectory, where make runs.
	ContextPath, ProjectRoot, WorkingDirectory string
	// SkipBuild takes the folder as it is.
	SkipBuild bool
	// Debug builds what a debugger reads: Go without optimisations.
	Debug bool
	// Layer says that it is a layer: without a build method its folder is taken as
	// it is, with one the result is where the runtime looks for it in a layer.
	Layer bool
}

// Package is a finished deployment package.
type Package struct {
	Zip  []byte
	Hash string // SHA-256 of Zip in hexadecimal
	// Watch lists the folders whose change makes the package stale.
	Watch []string
	Notes []string // what people should know: "npm install ran"
}

// Builder builds functions. Its cache keeps installed dependencies, so that a
// change of source costs no installation.
type Builder struct {
	Cache string
	// Run runs a command in a folder and returns its combined output.
	Run func(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error)
	// Note tells that a long step begins: "npm install".
	Note func(logicalID, step string)
}

// Build makes the package of f.
func (b *Builder) Build(ctx context.Context, f Function) (*Package, error) {
	info, err := os.Stat(f.Source)
	if err != nil {
		return nil, fmt.Errorf("%s: its CodeUri %s cannot be read: %w", f.LogicalID, f.Source, err)
	}
	if !info.IsDir() {
		return b.ready(f)
	}
	method := f.Method
	switch {
	case f.SkipBuild:
		method = "copy"
	case method == "":
		method = byRuntime(f)
	case f.Layer && f.Runtime == "":
		f.Runtime = method
	}
	if f.Layer && (method == "go1.x" || method == "esbuild") {
		return nil, fmt.Errorf("%s: the build method %q is not one for layers, which are python*, nodejs*, java* and makefile", f.LogicalID, method)
	}
	if err := known(f, method); err != nil {
		return nil, err
	}
	var tree *tree
	switch {
	case method == "go1.x":
		tree, err = b.golang(ctx, f)
	case method == "esbuild":
		tree, err = b.esbuild(ctx, f)
	case strings.HasPrefix(method, "nodejs"):
		tree, err = b.node(ctx, f)
	case method == "python-uv":
		tree, err = b.uv(ctx, f)
	case strings.HasPrefix(method, "python"):
		tree, err = b.python(ctx, f)
	case strings.HasPrefix(method, "java"):
		tree, err = b.java(ctx, f)
	case method == "makefile":
		tree, err = b.makefile(ctx, f)
	case method == "rust-cargolambda":
		tree, err = b.rust(ctx, f)
	case method == "copy":
		tree, err = folder(f.Source, nil)
	default:
		return nil, fmt.Errorf("%s: the build method %q is not one that Tierra has; it has go1.x, nodejs*, esbuild, python*, python-uv, rust-cargolambda, java* and makefile", f.LogicalID, method)
	}
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", f.LogicalID, err)
	}
	if prefix := layerFolder(f, method); prefix != "" {
		tree = tree.below(prefix)
	}
	z, err := tree.zip()
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", f.LogicalID, err)
	}
	return pack(z, tree.watch), nil
}

func pack(z []byte, watch []string) *Package {
	sum := sha256.Sum256(z)
	slices.Sort(watch)
	return &Package{Zip: z, Hash: hex.EncodeToString(sum[:]), Watch: watch}
}

// byRuntime chooses the build method of a folder without one. What an OS-only
// runtime has is built by its Makefile, unless the folder holds a bootstrap already.
func byRuntime(f Function) string {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(f.Source, name))
		return err == nil
	}
	switch {
	case f.Layer:
	case strings.HasPrefix(f.Runtime, "nodejs"), strings.HasPrefix(f.Runtime, "python"):
		return f.Runtime
	case f.Runtime == "go1.x" && has("go.mod"):
		return f.Runtime
	case strings.HasPrefix(f.Runtime, "java") && (has("pom.xml") || has("build.gradle") || has("build.gradle.kts")):
		return f.Runtime
	case strings.HasPrefix(f.Runtime, "provided") && !has("bootstrap") && has("Makefile"):
		return "makefile"
	case strings.HasPrefix(f.Runtime, "ruby") && has("Gemfile"):
		return "bundler" // which is refused by name: what it makes is not the folder as it is
	}
	return "copy"
}

// known refuses a BuildProperties that the method would not act on.
func known(f Function, method string) error {
	var names []string
	switch {
	case method == "esbuild":
		return nil // which reads all of them itself
	case method == "rust-cargolambda":
		names = []string{"Binary"}
	case method == "go1.x":
		names = []string{"TrimGoPath"} // paths are trimmed in any case
	case strings.HasPrefix(method, "nodejs"):
		names = []string{"UseNpmCi"}
	}
	unknown := slices.DeleteFunc(slices.Sorted(maps.Keys(f.Properties)), func(n string) bool { return slices.Contains(names, n) })
	if len(unknown) == 0 {
		return nil
	}
	knows := "none"
	if len(names) > 0 {
		knows = strings.Join(names, ", ")
	}
	return fmt.Errorf("%s: BuildProperties.%s is not one that Tierra acts on for the build method %q; it knows %s", f.LogicalID, unknown[0], method, knows)
}

// layerFolder is where in a layer the result of a build method belongs.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-layers.html
func layerFolder(f Function, method string) string {
	switch {
	case !f.Layer:
	case strings.HasPrefix(method, "python"):
		return "python"
	case strings.HasPrefix(method, "nodejs"):
		return "nodejs"
	case strings.HasPrefix(method, "java"):
		return "java"
	}
	return ""
}

// ready takes a finished package: a zip or jar file.
func (b *Builder) ready(f Function) (*Package, error) {
	z, err := os.ReadFile(f.Source)
	if err != nil {
		return nil, err
	}
	if len(z) < 4 || string(z[:2]) != "PK" {
		return nil, fmt.Errorf("%s: %s is neither a folder nor a zip file", f.LogicalID, f.Source)
	}
	return pack(z, []string{f.Source}), nil
}

func (b *Builder) note(f Function, step string) {
	if b.Note != nil {
		b.Note(f.LogicalID, step)
	}
}

// goarch is the architecture that a function is built for, in Go's words.
func (f Function) goarch() string {
	switch f.Architecture {
	case "x86_64":
		return "amd64"
	case "arm64":
		return "arm64"
	}
	return runtime.GOARCH
}
