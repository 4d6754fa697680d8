package cdk_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/dev/cdk"
)

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const stacks = `{"version": "55.0.0", "artifacts": {
  "A": {"type": "aws:cloudformation:stack", "environment": "aws://unknown-account/unknown-region", "dependencies": ["Z"], "properties": {"templateFile": "a.json", "stackName": "first"}},
  "Z": {"type": "aws:cloudformation:stack", "environment": "aws://111122223333/eu-west-1", "dependencies": ["Z.assets"], "properties": {"templateFile": "a.json", "requiresBootstrapStackVersion": 6}},
  "Z.assets": {"type": "cdk:asset-manifest", "properties": {"file": "assets.json"}}
}}`

const files = `{"files": {"x": {"displayName": "Code", "source": {"path": "asset.x", "packaging": "zip"},
  "destinations": {"d": {"bucketName": "b-${AWS::AccountId}-${AWS::Region}", "objectKey": "x.zip"}}}}}`

// TestSynth runs an application's command as the CDK's command line does, and
// reads what it made.
func TestSynth(t *testing.T) {
	dir := write(t, map[string]string{
		"cdk.json":         `{"app": "make it", "build": "prepare", "context": {"a": 1, "b": 1}, "profile": "mine", "notices": false}`,
		"cdk.context.json": `{"b": 2}`,
	})
	app, err := cdk.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(app.Unused) != 1 || app.Unused[0] != "profile" {
		t.Errorf("unused settings: %v", app.Unused)
	}
	var ran []string
	run := func(_ context.Context, in string, env []string, name string, args ...string) ([]byte, error) {
		ran = append(ran, strings.Join(args, " "))
		all := strings.Join(env, "\n")
		for _, want := range []string{"CDK_OUTDIR=" + dir + "/cdk.out", "CDK_DEFAULT_ACCOUNT=111122223333", "CDK_DEFAULT_REGION=eu-west-1", `"b":2`, `"a":1`, "PATH=" + dir + "/node_modules/.bin:/bin"} {
			if !strings.Contains(all, want) {
				t.Errorf("no %s in\n%s", want, all)
			}
		}
		if in != dir || name != "sh" {
			t.Errorf("%s runs in %s", name, in)
		}
		for file, text := range map[string]string{"manifest.json": stacks, "a.json": "{}", "assets.json": files} {
			if err := os.MkdirAll(dir+"/cdk.out", 0o700); err != nil {
				return nil, err
			}
			if err := os.WriteFile(filepath.Join(dir, "cdk.out", file), []byte(text), 0o600); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	a, err := app.Synth(t.Context(), run, "/bin", "111122223333", "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(ran, ";"); got != "-c prepare;-c make it" {
		t.Errorf("it ran %s", got)
	}
	if len(a.Stacks) != 2 || a.Stacks[0].Name != "Z" || a.Stacks[1].Name != "first" || a.Stacks[1].Needs[0] != "Z" {
		t.Fatalf("stacks: %+v", a.Stacks)
	}
	if x := a.Stacks[0].Assets[0]; x.Bucket != "b-111122223333-eu-west-1" || !x.Zip || x.Path != filepath.Join(dir, "cdk.out", "asset.x") {
		t.Errorf("asset: %+v", x)
	}
}

// TestReadRefuses names what cannot be deployed.
func TestReadRefuses(t *testing.T) {
	for name, c := range map[string]struct{ old, new, says string }{
		"another account": {"111122223333", "444455556666", "for the account 444455556666"},
		"a lookup":        {`"artifacts"`, `"missing": [{"key": "vpc-provider:x", "provider": "vpc"}], "artifacts"`, "looks up vpc-provider:x"},
		"an image":        {`{"files"`, `{"dockerImages": {"i": {"displayName": "Job"}}, "files"`, "container image Job"},
		"a command":       {`"packaging"`, `"executable": ["x"], "packaging"`, "made by a command"},
		"topics":          {`"stackName"`, `"notificationArns": ["arn"], "stackName"`, "notificationArns"},
		"not JSON":        {`{"version"`, `{"version`, "manifest.json"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{
				"manifest.json": strings.Replace(stacks, c.old, c.new, 1), "a.json": "{}", "assets.json": strings.Replace(files, c.old, c.new, 1),
			})
			if _, err := cdk.Read(dir, "111122223333", "eu-west-1"); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v", err)
			}
		})
	}
}

// TestWatches compares what changes count with what `cdk watch` says of its
// settings.
func TestWatches(t *testing.T) {
	dir := write(t, map[string]string{"cdk.json": `{"app": "x", "watch": {"include": ["src/**", "*.ts"], "exclude": ["**/*.md", "src/gen"]}}`})
	app, err := cdk.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"src/a.js": true, "src/deep/a.js": true, "app.ts": true, "cdk.json": true, "other/a.js": false, "src/a.md": false, "README.md": false,
		"src/gen/a.js": false, "src/node_modules/a.js": false, "cdk.out/manifest.json": false, ".git/HEAD": false, "src/.a.swp": false,
	} {
		if got := app.Watches(filepath.Join(dir, path)); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	if !app.Enters(dir) || !app.Enters(dir+"/src") || app.Enters(dir+"/src/gen") || app.Enters(dir+"/cdk.out") {
		t.Error("folders")
	}
}
