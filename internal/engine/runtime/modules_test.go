package runtime_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tierra-cloud/tierra/internal/engine/runtime"
)

// TestLang: programs of a package find the interpreter where the managed runtimes
// have it.
func TestLang(t *testing.T) {
	cfg, _ := config(t, "python3.11", "main.handler", code(t, map[string]string{
		"main.py": "import subprocess\ndef handler(e, c):\n    return subprocess.check_output(['/var/task/tool', 'x'], text=True) + subprocess.check_output(['python3', '-c', 'print(2)'], text=True)",
		"tool":    "#!/var/lang/bin/python\nimport sys\nprint('tool', sys.argv[1])\n",
	}))
	if err := os.Chmod(filepath.Join(cfg.Code, "tool"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := string(invoke(t, start(t, cfg), event("h", "{}")).Payload); got != `"tool x\n2\n"` {
		t.Errorf("got %s", got)
	}
}

// TestVirtualEnv: functions find the packages of the virtual environment that the
// server was started in, after their own.
func TestVirtualEnv(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip(err)
	}
	dir := code(t, map[string]string{"x": ""})
	if out, err := exec.Command(python, "-m", "venv", "--without-pip", dir).CombinedOutput(); err != nil {
		t.Skipf("no virtual environment: %s", out)
	}
	site, _ := filepath.Glob(filepath.Join(dir, "lib", "python*", "site-packages"))
	if len(site) != 1 {
		t.Fatalf("%v", site)
	}
	for _, name := range []string{"theirs.py", "mine.py"} {
		if err := os.WriteFile(filepath.Join(site[0], name), []byte("who = 'venv'\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := runtime.NewCatalog(runtime.CatalogConfig{Dir: filepath.Join(t.TempDir(), "runtimes"), Path: filepath.Join(dir, "bin")})
	if err != nil {
		t.Fatal(err)
	}
	all := c.Interpreters(t.Context())
	i := slices.IndexFunc(all, func(i runtime.Interpreter) bool {
		real, err := filepath.EvalSymlinks(filepath.Join(dir, "bin", "python3"))
		return err == nil && i.Path == real
	})
	if i < 0 {
		t.Fatalf("not found among %v", all)
	}
	name := fmt.Sprintf("python%d.%d", all[i].Version.Major, all[i].Version.Minor)
	choice, err := c.Resolve(t.Context(), name)
	if err != nil {
		t.Skip(err)
	}
	cfg, _ := config(t, name, "main.handler", code(t, map[string]string{"main.py": "import mine, theirs\nhandler = lambda e, c: mine.who + theirs.who", "mine.py": "who = 'own '"}))
	cfg.Runtime = choice
	if got := string(invoke(t, start(t, cfg), event("h", "{}")).Payload); got != `"own venv"` {
		t.Errorf("got %s", got)
	}
}

// TestNodePath: functions find the modules of the server's folders, after their
// own, and the AWS SDK as ES modules too.
func TestNodePath(t *testing.T) {
	lib := code(t, map[string]string{
		"@aws-sdk/client-x/package.json": `{"name":"@aws-sdk/client-x","main":"index.js"}`, "@aws-sdk/client-x/index.js": "exports.who = 'the sdk'",
		"p/index.js": "module.exports = 'theirs'",
	})
	c, err := runtime.NewCatalog(runtime.CatalogConfig{Dir: filepath.Join(t.TempDir(), "runtimes"), Path: os.Getenv("PATH"), NodePath: lib + ":/no/such:relative"})
	if err != nil {
		t.Fatal(err)
	}
	choice, err := c.Resolve(t.Context(), "nodejs20.x")
	if err != nil {
		t.Skip(err)
	}
	for name, x := range map[string]struct {
		files map[string]string
		want  string
	}{
		"require":        {map[string]string{"main.js": "exports.handler = async () => require('@aws-sdk/client-x').who + require('p')"}, `"the sdktheirs"`},
		"import":         {map[string]string{"main.mjs": "import x from '@aws-sdk/client-x'; export const handler = async () => x.who"}, `"the sdk"`},
		"own goes first": {map[string]string{"main.js": "exports.handler = async () => require('p')", "node_modules/p/index.js": "module.exports = 'own'"}, `"own"`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := config(t, "nodejs20.x", "main.handler", code(t, x.files))
			cfg.Runtime = choice
			if got := string(invoke(t, start(t, cfg), event("h", "{}")).Payload); got != x.want {
				t.Errorf("got %s", got)
			}
		})
	}
}
