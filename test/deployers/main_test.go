// Package deployers drives the real program with the tools that people deploy
// applications with, unmodified: SAM CLI, the CDK's command line, and osls (the
// open fork of the Serverless Framework).
//
// The tools come from PATH, and the tests with them run if TIERRA_CLIENTS=require.
package deployers

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/test/harness"
)

const require = "TIERRA_CLIENTS"

func TestMain(m *testing.M) { harness.Main(m) }

// bench is a server, and a copy of an application to deploy to it.
type bench struct {
	*testing.T
	server *harness.Process
	dir    string
	env    []string
	tool   string
}

// open starts a server and copies testdata/app.
func open(t *testing.T, tool, app string, env ...string) *bench {
	t.Helper()
	if os.Getenv(require) == "" {
		t.Skip("it takes a minute: " + require + "=require runs it")
	}
	b := &bench{T: t, tool: harness.Tool(t, require, tool), dir: t.TempDir()}
	if err := os.CopyFS(b.dir, os.DirFS("testdata/"+app)); err != nil {
		t.Fatal(err)
	}
	b.server = harness.Serve(t, "")
	b.env = append(b.server.Env(), env...)
	return b
}

// run runs the tool and returns what it wrote; it must succeed.
func (b *bench) run(args ...string) string {
	b.Helper()
	return b.answer("", args...)
}

// answer is run with answers to what the tool asks.
func (b *bench) answer(answers string, args ...string) string {
	b.Helper()
	cmd := exec.Command(b.tool, args...)
	cmd.Env, cmd.Dir, cmd.Stdin = b.env, b.dir, strings.NewReader(answers)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%s %s: %v\n%s", b.tool, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// aws runs the AWS CLI.
func (b *bench) aws(args ...string) string {
	b.Helper()
	x := *b
	x.tool = harness.Tool(b, require, "aws")
	return x.run(args...)
}

// has fails the test unless text has every part.
func (b *bench) has(text string, parts ...string) {
	b.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			b.Errorf("no %q in:\n%s", p, text)
		}
	}
}

// edit replaces a text of a file.
func (b *bench) edit(file, old, by string) {
	b.Helper()
	p := b.dir + "/" + file
	text, err := os.ReadFile(p)
	if err != nil {
		b.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		b.Fatalf("%s has no %q", file, old)
	}
	if err := os.WriteFile(p, []byte(strings.ReplaceAll(string(text), old, by)), 0o600); err != nil {
		b.Fatal(err)
	}
}

// get returns what an address answers.
func (b *bench) get(url string) string {
	b.Helper()
	r, err := harness.Free().Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s %v\n%s", url, r.Status, err, text)
	}
	return string(text)
}

// until waits until an address answers with the text.
func (b *bench) until(url, want string) {
	b.Helper()
	for end := time.Now().Add(harness.Patience); ; {
		got := b.get(url)
		if strings.Contains(got, want) {
			return
		}
		if time.Now().After(end) {
			b.Fatalf("%s still answers %q, not %q", url, got, want)
		}
	}
}
