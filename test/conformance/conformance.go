// Package conformance finds the published cases that tests measure with. They
// are data of others and not part of the repository: the variable
// TIERRA_CONFORMANCE names their folder; without it, one beside the repository
// is looked for.
package conformance

import (
	"os"
	"path/filepath"
	"testing"
)

// Dir returns the folder of one suite, and skips the test if it is not there.
func Dir(t testing.TB, suite string) string {
	t.Helper()
	root := os.Getenv("TIERRA_CONFORMANCE")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				root = filepath.Join(dir, "..", "shared", "conformance")
				break
			}
			up := filepath.Dir(dir)
			if up == dir {
				break
			}
			dir = up
		}
	}
	path := filepath.Join(root, suite)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the conformance cases are not here; set TIERRA_CONFORMANCE to their folder (%s)", path)
	}
	return path
}
