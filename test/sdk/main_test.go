// Package sdk drives the real program with real clients: the AWS CLI, boto3, the
// SDK for Go, and requests made by hand where no client would send them.
//
// The AWS CLI and boto3 come from PATH. Tests that need one that is not there are
// skipped, unless TIERRA_CLIENTS=require.
package sdk

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

const require = "TIERRA_CLIENTS"

func TestMain(m *testing.M) { harness.Main(m) }

// command runs a client and returns what it wrote, standard error included.
func command(t *testing.T, env []string, dir, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = env, dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// contains fails the test unless text has every part.
func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s does not have %q:\n%s", what, p, text)
		}
	}
}

// testdata returns the absolute path of a file of testdata.
func testdata(t *testing.T, name string) string {
	t.Helper()
	p, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
