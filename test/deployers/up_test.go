package deployers

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestUpCDK brings a CDK application of two stacks up without the CDK's command
// line: code that changes is swapped, what else changes goes through a change set,
// and `cdk bootstrap` and `cdk destroy` take over what was made.
func TestUpCDK(t *testing.T) {
	t.Parallel()
	b := open(t, "cdk", "cdkup", "HOME="+t.TempDir(), "CDK_DISABLE_CLI_TELEMETRY=true", "NO_COLOR=1", "CI=1")
	tool, err := filepath.EvalSymlinks(b.tool)
	if err != nil {
		t.Fatal(err)
	}
	// …/node_modules/aws-cdk/bin/cdk: the libraries are beside the tool.
	if err := os.Symlink(filepath.Dir(filepath.Dir(filepath.Dir(tool))), filepath.Join(b.dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	up := harness.Start(t, b.server.Dir, "up", b.dir, "--parameter", "ApiOfUp:Stage=test")
	m := regexp.MustCompile(`(?m)^  RestEndpoint\S*\s+(\S+)$`).FindStringSubmatch(up.Output())
	if m == nil {
		t.Fatal("no output with the API's address")
	}
	url := m[1] + "you"
	if got, want := b.get(url), "hello you from the context test of us-east-1"; got != want {
		t.Errorf("it answers %q, not %q", got, want)
	}

	b.edit("hello/index.ts", "hello $", "salve $")
	b.until(url, "salve you")
	up.WaitFor(`Swapped Hello\w+ in`)
	if strings.Contains(up.Output(), "Modify") {
		t.Error("a function's code went through a change set")
	}
	b.edit("app.ts", "Duration.seconds(10)", "Duration.seconds(11)")
	up.WaitFor(`~ Modify Hello\w+ AWS::Lambda::Function: .*Timeout`)
	up.WaitFor(`(?s)Timeout.*Deployed the stack ApiOfUp`)
	b.until(url, "salve you")
	b.edit("app.ts", "new App()", "new Ape()")
	up.WaitFor(`Ape is not defined`)
	up.Stop()

	b.edit("app.ts", "new Ape()", "new App()")
	b.has(b.run("bootstrap"), "bootstrapped")
	b.has(b.run("diff"), "There were no differences")
	b.run("destroy", "--all", "--force")
}
