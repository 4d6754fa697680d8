package sdk

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestBoto3 runs each script of testdata with a server of its own. A script says
// what must be with assert; the first that is not ends it.
func TestBoto3(t *testing.T) {
	python := harness.Tool(t, require, "python3")
	if out, err := command(t, nil, "", python, "-c", "import boto3"); err != nil {
		harness.Missing(t, require, "python3 has no boto3: %s", out)
	}
	scripts, err := filepath.Glob(filepath.Join("testdata", "*.py"))
	if err != nil {
		t.Fatal(err)
	}
	build := t.TempDir()
	hello(t, build)
	for _, script := range scripts {
		name := strings.TrimSuffix(filepath.Base(script), ".py")
		if name == "expect" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := harness.Serve(t, "")
			out, err := command(t, p.Env(), "", python, script, filepath.Join(build, "code", "bootstrap"))
			if err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}
