package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// write writes files by name below a new folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestBuild builds an application, moves the built folder on, and builds and
// transforms it again from there.
func TestBuild(t *testing.T) {
	dir := write(t, map[string]string{
		"template.yaml": `
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {CodeUri: src/, Runtime: nodejs22.x}}
Resources:
  A: {Type: AWS::Serverless::Function, Properties: {Handler: a.handler}}
  B: {Type: AWS::Serverless::Function, Properties: {Handler: b.handler}}
  Go:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: go1.x}
    Properties: {Handler: bootstrap, CodeUri: go/, Runtime: provided.al2023}
  Api: {Type: AWS::Serverless::Api, Properties: {StageName: v1, DefinitionUri: api.json}}
`,
		"src/a.js": "exports.handler = async () => 1", "src/b.js": "exports.handler = async () => 2",
		"go/main.go": "package main\n\nfunc main() {}\n", "go/go.mod": "module x\n\ngo 1.26\n", "api.json": "{}",
	})
	out, err := run(t, "build", dir, "--data", t.TempDir())
	if err != nil {
		t.Fatal(err, out)
	}
	built := filepath.Join(dir, ".aws-sam", "build")
	for _, name := range []string{"A/a.js", "B/b.js", "Go/bootstrap"} {
		if _, err := os.Stat(filepath.Join(built, name)); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(filepath.Join(built, "Go/bootstrap")); err == nil && info.Mode()&0o111 == 0 {
		t.Error("the program cannot be run")
	}
	out, err = run(t, "transform", filepath.Join(built, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"Code": "A"`, `"Code": "B"`, `"Code": "Go"`, `"BodyS3Location": "../../api.json"`} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is not in %s", want, out)
		}
	}
}

// TestBuildRefuses names what cannot be built, and what is missing for it.
func TestBuildRefuses(t *testing.T) {
	for name, c := range map[string]struct{ resource, file, says string }{
		"an unknown method":   {"{Metadata: {BuildMethod: dotnet7}, Properties: {CodeUri: src/, Handler: x, Runtime: dotnet8}}", "x.cs", `F: the build method "dotnet7" is not one that Tierra has`},
		"Gemfile":             {"{Properties: {CodeUri: src/, Handler: x, Runtime: ruby3.3}}", "Gemfile", `F: the build method "bundler" is not one that Tierra has`},
		"an unknown property": {"{Metadata: {BuildMethod: python3.12, BuildProperties: {ParentPackageMode: auto}}, Properties: {CodeUri: src/, Handler: x, Runtime: python3.12}}", "x.py", "F: BuildProperties.ParentPackageMode is not one that Tierra acts on"},
		"no manifest":         {"{Metadata: {BuildMethod: java21}, Properties: {CodeUri: src/, Handler: x, Runtime: java21}}", "x.java", "has neither a pom.xml nor a build.gradle"},
		"Maven is missing":    {"{Properties: {CodeUri: src/, Handler: x, Runtime: java21}}", "pom.xml", "install Maven with your package manager"},
		"Gradle is missing":   {"{Properties: {CodeUri: src/, Handler: x, Runtime: java21}}", "build.gradle", "install Gradle with your package manager"},
		"uv is missing":       {"{Metadata: {BuildMethod: python-uv}, Properties: {CodeUri: src/, Handler: x, Runtime: python3.12}}", "requirements.txt", "install uv with pip install uv"},
		"make is missing":     {"{Properties: {CodeUri: src/, Handler: x, Runtime: provided.al2023}}", "Makefile", "install make"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", t.TempDir())
			dir := write(t, map[string]string{
				"template.yaml": "Resources:\n  F: " + strings.Replace(c.resource, "{", "{Type: AWS::Serverless::Function, ", 1) + "\n", "src/" + c.file: "x",
			})
			if out, err := run(t, "build", dir, "--data", t.TempDir()); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, %s", err, out)
			}
		})
	}
}

// TestBuildMakefile has a Makefile build what is in a folder that the function's
// is part of, in a copy, and leaves a function that is not to be built.
func TestBuildMakefile(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	dir := write(t, map[string]string{
		"template.yaml": `
Resources:
  F:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: makefile, ProjectRootDirectory: ., ContextPath: make/, WorkingDirectory: one/}
    Properties: {CodeUri: one/, Handler: bootstrap, Runtime: provided.al2023}
  G:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: two/, Handler: bootstrap, Runtime: provided.al2023}
  H:
    Type: AWS::Serverless::Function
    Metadata: {SkipBuild: true}
    Properties: {CodeUri: three/, Handler: bootstrap, Runtime: provided.al2023}
`,
		"make/Makefile": "build-F:\n\tcat name ../two/name > made\n\tcp made $(ARTIFACTS_DIR)/bootstrap\n", "one/name": "one\n",
		"two/name": "two\n", "two/Makefile": "build-G:\n\tcp name $(ARTIFACTS_DIR)/bootstrap\n", "three/Makefile": "build-H:\n\tfalse\n",
	})
	if out, err := run(t, "build", dir, "--data", t.TempDir()); err != nil {
		t.Fatal(err, out)
	}
	built := filepath.Join(dir, ".aws-sam", "build")
	for path, want := range map[string]string{"F/bootstrap": "one\ntwo\n", "G/bootstrap": "two\n"} {
		if got, err := os.ReadFile(filepath.Join(built, path)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v", path, got, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "one", "made")); err == nil {
		t.Error("the sources have what was made")
	}
	if text, err := os.ReadFile(filepath.Join(built, "template.yaml")); err != nil || !strings.Contains(string(text), "CodeUri: ../../three") {
		t.Errorf("the built template is %v\n%s", err, text)
	}
}

// TestBuildRust builds a Cargo package without dependencies.
func TestBuildRust(t *testing.T) {
	if _, err := exec.LookPath("cargo"); err != nil {
		t.Skip("cargo is not installed")
	}
	dir := write(t, map[string]string{
		"template.yaml": `
Resources:
  F:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: two}}
    Properties: {CodeUri: src/, Handler: bootstrap, Runtime: provided.al2023}
`,
		"src/Cargo.toml": "[package]\nname = \"one\"\nversion = \"0.1.0\"\nedition = \"2021\"\n", "src/src/main.rs": "fn main() {}", "src/src/bin/two.rs": `fn main() { print!("two") }`,
	})
	if out, err := run(t, "build", dir, "--data", t.TempDir()); err != nil {
		t.Fatal(err, out)
	}
	program := filepath.Join(dir, ".aws-sam", "build", "F", "bootstrap")
	if out, err := exec.Command(program).Output(); err != nil || string(out) != "two" {
		t.Errorf("%v: %s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "template.yaml"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "template.yaml"), []byte(strings.Replace(string(text), ", BuildProperties: {Binary: two}", "", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "build", dir, "--data", t.TempDir()); err == nil || !strings.Contains(err.Error(), "the package makes the programs [one, two]") {
		t.Errorf("two programs: %v", err)
	}
}

// TestUpRefuses names what is wrong before anything is served.
func TestUpRefuses(t *testing.T) {
	dir := write(t, map[string]string{"template.yaml": "Resources: {}\n"})
	for args, says := range map[string]string{
		"up --parameter Stage " + dir:         "--parameter Stage is not K=V",
		"up --config-env prod " + dir:         "the environment prod is wanted",
		"up " + filepath.Join(dir, "nothing"): "there is no folder or template",
	} {
		if out, err := run(t, append(strings.Fields(args), "--data", t.TempDir())...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, %s", args, err, out)
		}
	}
}
