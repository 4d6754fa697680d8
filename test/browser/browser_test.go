// Package browser runs `tierra up` as a newcomer does, and looks at what it
// serves: with headless Chromium, and by changing sources while it runs.
//
// The browser tests need chromium, node, and playwright-core in NODE_PATH; they
// are skipped without, unless TIERRA_BROWSER=require.
package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

const require = "TIERRA_BROWSER"

func TestMain(m *testing.M) { harness.Main(m) }

// up starts `tierra up` on a folder, without leaving anything in it.
func up(t *testing.T, folder string, args ...string) *harness.Process {
	t.Helper()
	return harness.Start(t, "", append([]string{"up", folder, "--listen", "127.0.0.1:0"}, args...)...)
}

// output returns an output of the stack as `tierra up` printed it.
func output(p *harness.Process, key string) string {
	return p.WaitFor(`(?m)^ +` + key + ` +(\S+)$`)[1]
}

// chromium returns what the browser tests need: the paths of node and Chromium.
func chromium(t *testing.T) (node, browser string) {
	t.Helper()
	node = harness.Tool(t, require, "node")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			browser = p
			break
		}
	}
	if browser == "" {
		harness.Missing(t, require, "chromium is not installed")
	}
	if out, err := exec.Command(node, "-e", `require("playwright-core")`).CombinedOutput(); err != nil {
		first, _, _ := strings.Cut(string(out), "\n")
		harness.Missing(t, require, "playwright-core is not in NODE_PATH (%s)", first)
	}
	return node, browser
}

// click runs a script of testdata on a page.
func click(t *testing.T, script, address string, args ...string) {
	t.Helper()
	node, browser := chromium(t)
	dir := t.ArtifactDir()
	shot := filepath.Join(dir, strings.Join(append([]string{strings.TrimSuffix(script, ".mjs")}, args...), "-")+".png")
	cmd := exec.Command(node, append([]string{filepath.Join("testdata", script), address, browser, shot}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	t.Logf("screenshot: %s", shot)
}

// TestTickets clicks through examples/tickets.
func TestTickets(t *testing.T) {
	chromium(t)
	p := up(t, filepath.Join("..", "..", "examples", "tickets"), "--no-watch")
	click(t, "tickets.mjs", output(p, "Website"))
}

// TestLinks clicks through examples/links, whose functions' dependencies come
// from npm and PyPI: with TIERRA_LINKS=1.
func TestLinks(t *testing.T) {
	if os.Getenv("TIERRA_LINKS") == "" {
		t.Skip("TIERRA_LINKS=1 runs this test; it needs npm's and pip's registries")
	}
	chromium(t)
	for _, tool := range []string{"python3", "npm"} {
		harness.Tool(t, require, tool)
	}
	p := up(t, filepath.Join("..", "..", "examples", "links"), "--no-watch")
	click(t, "links.mjs", output(p, "Website"))
}
