package deployers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestCDK takes a TypeScript application through its life with the CDK's command
// line: bootstrap, deploy, diff, watch with hotswap, destroy. It has functions that
// esbuild bundles, an API, a table, files that are deployed to a bucket, and a
// custom resource behind the CDK's provider framework.
func TestCDK(t *testing.T) {
	t.Parallel()
	b := open(t, "cdk", "cdk", "HOME="+t.TempDir(), "CDK_DISABLE_CLI_TELEMETRY=true", "NO_COLOR=1", "CI=1")
	tool, err := filepath.EvalSymlinks(b.tool)
	if err != nil {
		t.Fatal(err)
	}
	// …/node_modules/aws-cdk/bin/cdk: the libraries are beside the tool.
	if err := os.Symlink(filepath.Dir(filepath.Dir(filepath.Dir(tool))), filepath.Join(b.dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	b.has(b.run("bootstrap"), "bootstrapped")
	b.run("deploy", "--require-approval", "never", "--outputs-file", "outputs.json")
	var outputs map[string]map[string]string
	text, err := os.ReadFile(filepath.Join(b.dir, "outputs.json"))
	if err == nil {
		err = json.Unmarshal(text, &outputs)
	}
	if err != nil {
		t.Fatal(err)
	}
	out := outputs["Hello"]
	if out["Word"] != "custom resource" {
		t.Errorf("the custom resource said %q", out["Word"])
	}
	url := ""
	for name, v := range out {
		if len(name) > 11 && name[:11] == "ApiEndpoint" {
			url = v + "hello/you"
		}
	}
	if got := b.get(url); got != "hello you" {
		t.Errorf("hello: %q", got)
	}
	b.has(b.get(out["Website"]), "A page of CDK")
	b.has(b.run("diff"), "There were no differences")

	b.edit("hello/index.ts", "hello $", "salve $")
	b.has(b.run("diff"), "AWS::Lambda::Function", "Number of stacks with differences: 1")
	watch := harness.Follow(t, b.env, b.dir, "", b.tool, "watch")
	b.until(url, "salve you")
	b.edit("hello/index.ts", "salve $", "ave $")
	b.until(url, "ave you")
	watch.Kill()

	b.edit("site/index.html", "A page", "Another page")
	b.run("deploy", "--require-approval", "never")
	b.has(b.get(out["Website"]), "Another page of CDK")
	b.has(b.run("destroy", "--force"), "destroyed")
	b.has(b.run("list"), "Hello")
}
