// Package build makes deployment packages of functions from their sources, as
// `sam build` does, without containers.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-lambda-functions.html
package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
)

// Function is what there is to build.
type Function struct {
	LogicalID    string
	Source       string // the folder or file that CodeUri names
	Runtime      string // "nodejs20.x"; "" if the template leaves it open
	Handler      string
	Method       string         // Metadata.BuildMethod; "" means by the runtime
	Properties   map[string]any // Metadata.BuildProperties
	Architecture string         // "x86_64" or "arm64"; "" means this machine's
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
	if method == "" {
		method = byRuntime(f)
	} else if f.Layer && f.Runtime == "" {
		f.Runtime = method
	}
	if f.Layer && (method == "go1.x" || method == "esbuild") {
		return nil, fmt.Errorf("%s: the build method %q is not one for layers, which are python*, nodejs* and makefile", f.LogicalID, method)
	}
	var tree *tree
	switch {
	case method == "go1.x":
		tree, err = b.golang(ctx, f)
	case method == "esbuild":
		tree, err = b.esbuild(ctx, f)
	case strings.HasPrefix(method, "nodejs"):
		tree, err = b.node(ctx, f)
	case strings.HasPrefix(method, "python"):
		tree, err = b.python(ctx, f)
	case method == "makefile":
		tree, err = b.makefile(ctx, f)
	case method == "rust-cargolambda":
		tree, err = b.rust(ctx, f)
	case method == "copy":
		tree, err = folder(f.Source, nil)
	default:
		return nil, fmt.Errorf("%s: the build method %q is not one that Tierra has; it has go1.x, nodejs*, python*, esbuild, rust-cargolambda and makefile", f.LogicalID, method)
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
	sort.Strings(watch)
	return &Package{Zip: z, Hash: hex.EncodeToString(sum[:]), Watch: watch}
}

// byRuntime chooses the build method of a folder without one. A folder of an
// OS-only runtime that holds a bootstrap already is taken as it is.
func byRuntime(f Function) string {
	switch {
	case strings.HasPrefix(f.Runtime, "nodejs"), strings.HasPrefix(f.Runtime, "python"):
		return f.Runtime
	}
	for manifest, tool := range map[string]string{"pom.xml": "maven", "build.gradle": "gradle", "build.gradle.kts": "gradle", "Gemfile": "bundler"} {
		if _, err := os.Stat(filepath.Join(f.Source, manifest)); err == nil && !strings.HasPrefix(f.Runtime, "provided") {
			return tool // which is refused by name: what it makes is not the folder as it is
		}
	}
	return "copy"
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

// golang builds the main package of the folder as "bootstrap".
func (b *Builder) golang(ctx context.Context, f Function) (*tree, error) {
	out := filepath.Join(b.Cache, "go", f.LogicalID)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, err
	}
	arch := runtime.GOARCH
	switch f.Architecture {
	case "x86_64":
		arch = "amd64"
	case "arm64":
		arch = "arm64"
	}
	bin := filepath.Join(out, "bootstrap")
	b.note(f, "go build")
	text, err := b.Run(ctx, f.Source, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOFLAGS=-buildvcs=false"},
		"go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, ".")
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
	return t, t.add("bootstrap", bin, 0o755)
}

// node takes the folder with the dependencies that its package.json names.
func (b *Builder) node(ctx context.Context, f Function) (*tree, error) {
	t, err := folder(f.Source, []string{"node_modules"})
	if err != nil {
		return nil, err
	}
	modules, err := b.nodeModules(ctx, f, true)
	if err != nil || modules == "" {
		return t, err
	}
	return t, t.addFolder("node_modules", modules)
}

// nodeModules installs what package.json names and returns the folder with it,
// "" if it names nothing.
func (b *Builder) nodeModules(ctx context.Context, f Function, production bool) (string, error) {
	manifest := filepath.Join(f.Source, "package.json")
	doc, err := os.ReadFile(manifest)
	if os.IsNotExist(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	has, err := dependsOn(doc, production)
	if err != nil {
		return "", fmt.Errorf("%s: %w", manifest, err)
	}
	if !has {
		return "", nil
	}
	h := sha256.New()
	h.Write(doc)
	lock, lerr := os.ReadFile(filepath.Join(f.Source, "package-lock.json"))
	h.Write(lock)
	dir := filepath.Join(b.Cache, "npm", hex.EncodeToString(h.Sum(nil))[:16])
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(filepath.Join(dir, ".complete")); err == nil {
		return modules, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), doc, 0o644); err != nil {
		return "", err
	}
	args := []string{"install"}
	if lerr == nil {
		if err := os.WriteFile(filepath.Join(dir, "package-lock.json"), lock, 0o644); err != nil {
			return "", err
		}
		args[0] = "ci"
	}
	args = append(args, "--no-audit", "--no-fund", "--loglevel=error")
	if production {
		args = append(args, "--omit=dev")
	}
	b.note(f, "npm "+args[0])
	if text, err := b.Run(ctx, dir, nil, "npm", args...); err != nil {
		return "", fmt.Errorf("npm %s: %w\n%s", args[0], err, text)
	}
	return modules, os.WriteFile(filepath.Join(dir, ".complete"), nil, 0o644)
}

// python takes the folder with what its requirements.txt names.
func (b *Builder) python(ctx context.Context, f Function) (*tree, error) {
	t, err := folder(f.Source, []string{"__pycache__", ".venv", "venv"})
	if err != nil {
		return nil, err
	}
	doc, err := os.ReadFile(filepath.Join(f.Source, "requirements.txt"))
	if os.IsNotExist(err) || err == nil && strings.TrimSpace(string(doc)) == "" {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	python, err := b.interpreter(ctx, f.Runtime)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append(doc, python...))
	dir := filepath.Join(b.Cache, "pip", hex.EncodeToString(sum[:])[:16])
	if _, err := os.Stat(filepath.Join(dir, ".complete")); err != nil {
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
		b.note(f, "pip install")
		text, err := b.Run(ctx, f.Source, []string{"PIP_DISABLE_PIP_VERSION_CHECK=1"}, python, "-m", "pip", "install", "-q", "-r", "requirements.txt", "-t", filepath.Join(dir, "lib"))
		if err != nil {
			return nil, fmt.Errorf("pip install: %w\n%s", err, text)
		}
		if err := os.WriteFile(filepath.Join(dir, ".complete"), nil, 0o644); err != nil {
			return nil, err
		}
	}
	return t, t.addFolder("", filepath.Join(dir, "lib"))
}

// interpreter returns the python to install with: the runtime's own version
// where it is there.
func (b *Builder) interpreter(ctx context.Context, rt string) (string, error) {
	for _, name := range []string{rt, "python3", "python"} {
		if name == "" {
			continue
		}
		if _, err := b.Run(ctx, ".", nil, name, "-c", "import pip"); err == nil {
			return name, nil
		}
	}
	return "", fmt.Errorf("requirements.txt needs python3 with pip, which this machine does not have; install them, or vendor the packages into the folder")
}

// makefile runs the target build-LOGICALID, which fills $ARTIFACTS_DIR.
func (b *Builder) makefile(ctx context.Context, f Function) (*tree, error) {
	out, err := os.MkdirTemp("", "tierra-make-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(out)
	b.note(f, "make build-"+f.LogicalID)
	if text, err := b.Run(ctx, f.Source, []string{"ARTIFACTS_DIR=" + out}, "make", "build-"+f.LogicalID); err != nil {
		return nil, fmt.Errorf("make build-%s: %w\n%s", f.LogicalID, err, text)
	}
	t := newTree()
	t.watch = []string{f.Source}
	if err := t.addFolder("", out); err != nil {
		return nil, err
	}
	return t, t.load() // the folder goes
}
