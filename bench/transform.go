package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tierra-cloud/tierra/internal/services/cloudformation"
)

// transforms measures the SAM transform over all recorded templates, or over those
// of the examples where there are no recorded ones.
func (b *bench) transforms() error {
	dir := os.Getenv("TIERRA_CONFORMANCE")
	if dir == "" {
		dir = filepath.Join(filepath.Dir(b.root), "shared", "conformance")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "sam", "input", "*"))
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		note("the recorded SAM templates are not here (set TIERRA_CONFORMANCE); measuring those of the examples")
		if paths, err = filepath.Glob(filepath.Join(b.root, "examples", "*", "template.yaml")); err != nil {
			return err
		}
	}
	var texts [][]byte
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		texts = append(texts, text)
	}
	var took []time.Duration
	for range 5 {
		began := time.Now()
		for _, text := range texts {
			_, _ = cloudformation.Expand(text, nil, "123456789012", "us-east-1") // some are meant to fail
		}
		took = append(took, time.Since(began))
	}
	row(fmt.Sprintf("the transform of %d SAM templates", len(texts)), ms(median(took)), ms(least(took)), ms(most(took)), "under 1 s")
	return nil
}
