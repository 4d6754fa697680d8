package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

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
	} else if fmt.Sprint(f.Properties["UseNpmCi"]) == "true" {
		return "", fmt.Errorf("BuildProperties.UseNpmCi needs a package-lock.json beside %s", manifest)
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
