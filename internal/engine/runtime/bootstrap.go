package runtime

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// bootstraps are the programs that run handlers, by language.
//
//go:embed bootstrap/node/*.cjs bootstrap/python/*.py bootstrap/ruby/*.rb
var bootstraps embed.FS

// unpackBootstraps puts the bootstraps below dir, in a folder named by their
// content, so that environments of an older server keep theirs.
func unpackBootstraps(dir string) (string, error) {
	files := map[string][]byte{}
	h := sha256.New()
	err := fs.WalkDir(bootstraps, "bootstrap", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := bootstraps.ReadFile(path)
		files[path] = b
		fmt.Fprintf(h, "%s %d\n", path, len(b))
		h.Write(b)
		return err
	})
	if err != nil {
		return "", err
	}
	root := filepath.Join(dir, "bootstrap-"+hex.EncodeToString(h.Sum(nil))[:12])
	for path, b := range files {
		rel, err := filepath.Rel("bootstrap", path)
		if err != nil {
			return "", err
		}
		at := filepath.Join(root, rel)
		if old, err := os.ReadFile(at); err == nil && string(old) == string(b) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return "", fmt.Errorf("unpacking the bootstraps: %w", err)
		}
		if err := os.WriteFile(at, b, 0o644); err != nil {
			return "", fmt.Errorf("unpacking the bootstraps: %w", err)
		}
	}
	return root, nil
}
