package deployers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

const (
	javaSource = `package app;

import org.apache.commons.lang3.StringUtils;

public class Handler {
    public static void main(String[] a) { System.out.print(StringUtils.capitalize("built")); }
}
`
	pom = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>app</groupId><artifactId>app</artifactId><version>1</version>
<properties><maven.compiler.source>17</maven.compiler.source><maven.compiler.target>17</maven.compiler.target></properties>
<dependencies>
<dependency><groupId>org.apache.commons</groupId><artifactId>commons-lang3</artifactId><version>3.14.0</version></dependency>
<dependency><groupId>org.hamcrest</groupId><artifactId>hamcrest</artifactId><version>2.2</version><scope>test</scope></dependency>
</dependencies></project>
`
	gradle = `apply plugin: 'java'
repositories { mavenCentral() }
dependencies { implementation 'org.apache.commons:commons-lang3:3.14.0' }
`
)

// TestBuildTools builds a function with each of the tools that its language's
// people have, and runs what came of it.
func TestBuildTools(t *testing.T) {
	if os.Getenv(require) == "" {
		t.Skip("it takes half a minute: " + require + "=require runs it")
	}
	java := map[string]string{"F/app/Handler.class": "", "F/lib/commons-lang3-3.14.0.jar": "", "F/words.txt": "", "F/lib/hamcrest-2.2.jar": "absent", "F/pom.xml": "absent"}
	layer := map[string]string{"F/java/lib/commons-lang3-3.14.0.jar": "", "F/app/Handler.class": "absent"}
	for name, c := range map[string]struct {
		tool, kind, properties, metadata string
		sources                          map[string]string
		made                             map[string]string // "": it is there
		runs                             string            // below the built folder
		says                             string
	}{
		"Maven": {"mvn", "Function", "Runtime: java17, Handler: 'app.Handler::f'", "", map[string]string{
			"pom.xml": pom, "src/main/java/app/Handler.java": javaSource, "src/main/resources/words.txt": "one",
		}, java, "java -cp F:F/lib/* app.Handler", "Built"},
		"Maven layer": {"mvn", "LayerVersion", "", "BuildMethod: java17", map[string]string{
			"pom.xml": pom, "src/main/java/app/Handler.java": javaSource,
		}, layer, "java -cp F/java/lib/* app.Handler", "Built"},
		"Gradle": {"gradle", "Function", "Runtime: java17, Handler: 'app.Handler::f'", "", map[string]string{
			"build.gradle": gradle, "settings.gradle": "rootProject.name = 'app'", "gradle.properties": "org.gradle.daemon=false", "src/main/java/app/Handler.java": javaSource, "src/main/resources/words.txt": "one",
		}, java, "java -cp F:F/lib/* app.Handler", "Built"},
		"Gradle layer": {"gradle", "LayerVersion", "", "BuildMethod: java17", map[string]string{
			"build.gradle": gradle, "settings.gradle": "rootProject.name = 'app'", "gradle.properties": "org.gradle.daemon=false", "src/main/java/app/Handler.java": javaSource,
		}, layer, "java -cp F/java/lib/* app.Handler", "Built"},
		"uv, requirements.txt": {"uv", "Function", "Runtime: python3.12, Handler: app.f", "BuildMethod: python-uv", map[string]string{
			"app.py": "print('ran')", "requirements.txt": "six==1.16.0\n",
		}, map[string]string{"F/app.py": "", "F/six.py": ""}, "python3 F/app.py", "ran\n"},
		"uv, pyproject.toml": {"uv", "Function", "Runtime: python3.12, Handler: app.f", "BuildMethod: python-uv", map[string]string{
			"app.py": "import six; print(six.__version__)", "pyproject.toml": "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"six==1.16.0\"]\n",
		}, map[string]string{"F/app.py": "", "F/six.py": ""}, "python3 F/app.py", "1.16.0\n"},
		"uv, another architecture": {"uv", "Function", "Runtime: python3.12, Handler: app.f, Architectures: [arm64]", "BuildMethod: python-uv", map[string]string{
			"app.py": "", "requirements.txt": "MarkupSafe==3.0.2\n",
		}, map[string]string{"F/markupsafe/_speedups.cpython-312-aarch64-linux-gnu.so": ""}, "", ""},
		"pip, another architecture": {"python3", "Function", "Runtime: python3.12, Handler: app.f, Architectures: [arm64]", "", map[string]string{
			"app.py": "", "requirements.txt": "MarkupSafe==3.0.2\n",
		}, map[string]string{"F/markupsafe/_speedups.cpython-312-aarch64-linux-gnu.so": ""}, "", ""},
		"npm": {"npm", "Function", "Runtime: nodejs20.x, Handler: app.f", "", map[string]string{
			"app.js": "process.stdout.write(String(require('is-odd')(3)))", "package.json": `{"dependencies": {"is-odd": "3.0.1"}}`,
		}, map[string]string{"F/node_modules/is-odd/index.js": ""}, "node F/app.js", "true"},
		"esbuild": {"npm", "Function", "Runtime: nodejs20.x, Handler: app.f", "BuildMethod: esbuild, BuildProperties: {EntryPoints: [app.ts], Minify: true, Target: es2020, Sourcemap: true, External: [nothing]}", map[string]string{
			"app.ts": "import odd from 'is-odd'; const n: number = 3; process.stdout.write(String(odd(n)))", "package.json": `{"dependencies": {"is-odd": "3.0.1"}}`,
		}, map[string]string{"F/app.js.map": "", "F/node_modules/is-odd/index.js": "absent"}, "node F/app.js", "true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			harness.Tool(t, require, c.tool)
			dir := t.TempDir()
			uri := map[string]string{"Function": "CodeUri", "LayerVersion": "ContentUri"}[c.kind]
			files := map[string]string{"template.yaml": fmt.Sprintf("Resources:\n  F:\n    Type: AWS::Serverless::%s\n    Metadata: {%s}\n    Properties: {%s: src/, %s}\n", c.kind, c.metadata, uri, c.properties)}
			for path, text := range c.sources {
				files["src/"+path] = text
			}
			for path, text := range files {
				p := filepath.Join(dir, path)
				err := os.MkdirAll(filepath.Dir(p), 0o700)
				if err == nil {
					err = os.WriteFile(p, []byte(text), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			before := listed(t, filepath.Join(dir, "src"))
			if out, stderr, code := harness.Run(t, nil, "build", dir, "--data", t.TempDir()); code != 0 {
				t.Fatalf("it ends with %d: %s%s", code, out, stderr)
			}
			built := filepath.Join(dir, ".aws-sam", "build")
			for path, want := range c.made {
				if _, err := os.Stat(filepath.Join(built, path)); (err == nil) != (want == "") {
					t.Errorf("%s: %v, and it should be %s; there is\n%s", path, err, want, listed(t, built))
				}
			}
			if after := listed(t, filepath.Join(dir, "src")); after != before {
				t.Errorf("the sources were\n%s\nand are\n%s", before, after)
			}
			if c.runs == "" {
				return
			}
			args := strings.Fields(c.runs)
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Dir = built
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != c.says {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// listed are the files below a folder.
func listed(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, p)
			fmt.Fprintln(&b, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
