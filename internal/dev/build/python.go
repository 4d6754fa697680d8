package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// skipPython is what no function in Python needs of its folder.
var skipPython = [...]string{"__pycache__", ".venv", "venv"}

// python takes the folder with what its requirements.txt names, installed by pip.
// For another architecture than this machine's only built packages are taken.
func (b *Builder) python(ctx context.Context, f Function) (*tree, error) {
	t, err := folder(f.Source, skipPython[:])
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
	var foreign []string
	if arch := f.goarch(); arch != runtime.GOARCH {
		foreign = []string{"--only-binary=:all:", "--implementation", "cp", "--python-version", strings.TrimPrefix(f.Runtime, "python")}
		for _, libc := range []string{"manylinux2014", "manylinux_2_17", "manylinux_2_28"} {
			foreign = append(foreign, "--platform", libc+"_"+machine(arch))
		}
	}
	lib, err := b.once("pip", strings.Join(append(foreign, python, string(doc)), "\x00"), func(dir string) error {
		b.note(f, "pip install")
		args := append([]string{"-m", "pip", "install", "-q", "-r", "requirements.txt", "-t", dir}, foreign...)
		if text, err := b.Run(ctx, f.Source, []string{"PIP_DISABLE_PIP_VERSION_CHECK=1"}, python, args...); err != nil {
			return fmt.Errorf("pip install: %w\n%s", err, text)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t, t.addFolder("", lib)
}

// uv takes the folder with what its uv.lock, pyproject.toml or requirements.txt
// names, the first of them that is there, installed by uv, which brings packages
// for the function's own Python and architecture whatever this machine has.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-python-uv.html
func (b *Builder) uv(ctx context.Context, f Function) (*tree, error) {
	t, err := folder(f.Source, skipPython[:])
	if err != nil {
		return nil, err
	}
	var docs [3][]byte
	for i, name := range []string{"uv.lock", "pyproject.toml", "requirements.txt"} {
		if docs[i], err = os.ReadFile(filepath.Join(f.Source, name)); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	if docs[0] == nil && docs[1] == nil && docs[2] == nil {
		return nil, fmt.Errorf("there is neither a pyproject.toml nor a requirements.txt in %s", f.Source)
	}
	target := []string{"--python-platform", machine(f.goarch()) + "-manylinux2014"}
	if version := strings.TrimPrefix(f.Runtime, "python"); version != "-uv" && version != "" {
		target = append(target, "--python-version", version)
	}
	lib, err := b.once("uv", strings.Join(target, " ")+"\x00"+string(docs[0])+"\x00"+string(docs[1])+"\x00"+string(docs[2]), func(dir string) error {
		b.note(f, "uv pip install")
		from := "requirements.txt"
		switch {
		case docs[0] != nil && docs[1] != nil:
			from = dir + ".txt" // what is locked
			if text, err := b.Run(ctx, f.Source, nil, "uv", "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--format", "requirements-txt", "--output-file", from); err != nil {
				return fmt.Errorf("uv export: %w\n%s", err, text)
			}
		case docs[1] != nil:
			from = "pyproject.toml"
		}
		args := append([]string{"pip", "install", "--quiet", "-r", from, "--target", dir}, target...)
		if text, err := b.Run(ctx, f.Source, nil, "uv", args...); err != nil {
			return fmt.Errorf("uv pip install: %w\n%s", err, text)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t, t.addFolder("", lib)
}

// once returns a folder of the cache that install has filled, which is asked to
// once for a key.
func (b *Builder) once(tool, key string, install func(dir string) error) (string, error) {
	sum := sha256.Sum256([]byte(key))
	dir := filepath.Join(b.Cache, tool, hex.EncodeToString(sum[:])[:16])
	lib, complete := filepath.Join(dir, "lib"), filepath.Join(dir, ".complete")
	if _, err := os.Stat(complete); err == nil {
		return lib, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(lib, 0o755); err != nil {
		return "", err
	}
	if err := install(lib); err != nil {
		return "", err
	}
	return lib, os.WriteFile(complete, nil, 0o644)
}

// machine is an architecture in the words of Linux.
func machine(goarch string) string {
	if goarch == "arm64" {
		return "aarch64"
	}
	return "x86_64"
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
