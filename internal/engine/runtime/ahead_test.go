//go:build linux

package runtime_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// templates makes a keeper of templates for a test, or skips.
func templates(t testing.TB, memory int64) *runtime.Templates {
	t.Helper()
	l := ready(t)
	if !l.Tier().StartAhead {
		t.Skip("this host allows no start ahead")
	}
	ts := runtime.NewTemplates(runtime.TemplatesConfig{Launcher: l, Clock: clock.System{}, Memory: memory})
	t.Cleanup(ts.Close)
	return ts
}

// primed is a function whose environments are made of templates.
func primed(t testing.TB, ts *runtime.Templates, name string, files map[string]string) (runtime.Config, *log) {
	t.Helper()
	cfg, l := config(t, name, "main.handler", code(t, files))
	cfg.Templates = ts
	ts.Prime(cfg)
	return cfg, l
}

// taken starts an environment and makes sure that it was made of a template.
func taken(t testing.TB, cfg runtime.Config) *runtime.Environment {
	t.Helper()
	before := cfg.Templates.Taken()
	e := start(t, cfg)
	if cfg.Templates.Taken() != before+1 {
		t.Fatal("no template was used")
	}
	return e
}

// TestAhead runs the tests of environments once more with such that were
// started ahead.
func TestAhead(t *testing.T) {
	world.templates = templates(t, 1<<30)
	defer func() { world.templates = nil }()
	for name, test := range map[string]func(*testing.T){
		"RoundTrips": TestRoundTrips, "Context": TestContext, "Errors": TestErrors, "Logs": TestLogs, "Ends": TestEnds,
		"Timeout": TestTimeout, "KilledFromOutside": TestKilledFromOutside, "OutOfMemory": TestOutOfMemory,
		"ChildLeftBehind": TestChildLeftBehind, "InitErrors": TestInitErrors, "InitTimeout": TestInitTimeout,
		"NodeFailures": TestNodeFailures, "PythonHandlers": TestPythonHandlers,
		"EveryInterpreter": TestEveryInterpreter, "Layers": TestLayers, "PrivateNetwork": TestPrivateNetwork, "Door": TestDoor,
	} {
		t.Run(name, test)
	}
	n := world.templates.Taken()
	t.Log(n, "environments were made of templates")
	if n < 30 {
		t.Errorf("only %d environments were made of templates", n)
	}
}

const pythonSelf = `
import os, sys, json, random, uuid, logging
def handler(event, context):
    if event == "random":
        return [random.random(), os.urandom(8).hex(), str(uuid.uuid4()), hash("x")]
    logging.warning("a warning")
    return {"env": dict(os.environ), "cwd": os.getcwd(), "path": sys.path, "argv": sys.argv, "fds": os.listdir("/proc/self/fd"),
        "main": sorted(k for k in vars(sys.modules["__main__"]) if k not in ("__cached__", "__annotations__")),
        "name": context.function_name, "ids": [os.getuid(), os.getgid(), os.getpid(), os.getppid()]}
`

const nodeSelf = `
exports.handler = async (event, context) => {
  if (event === 'random') return [Math.random(), require('crypto').randomUUID()];
  return { env: process.env, cwd: process.cwd(), argv: process.argv, execArgv: process.execArgv, fds: require('fs').readdirSync('/proc/self/fd').map((f) => { try { return require('fs').readlinkSync('/proc/self/fd/' + f).replace(/[0-9]+/, ''); } catch (e) { return ''; } }).sort(),
    main: [require.main && require.main.filename, process.mainModule && process.mainModule.filename], name: context.functionName,
    ids: [process.getuid(), process.getgid(), process.pid, process.ppid], globals: Object.keys(globalThis) };
};`

var selves = map[string]map[string]string{
	"python3.11": {"main.py": pythonSelf}, "nodejs20.x": {"main.js": nodeSelf},
}

// TestAheadIsTheSame: a function cannot tell by what it sees.
func TestAheadIsTheSame(t *testing.T) {
	for name, files := range selves {
		t.Run(name, func(t *testing.T) {
			cfg, l := primed(t, templates(t, 1<<30), name, files)
			got := string(invoke(t, taken(t, cfg), event("s", "{}")).Payload)
			gotLog := l.all()
			cfg.Templates = nil
			l.lines = nil
			if want := string(invoke(t, start(t, cfg), event("s", "{}")).Payload); got != want {
				t.Errorf("started ahead\n%s\nlaunched\n%s", got, want)
			}
			cut := func(s string) string { return s[:min(len(s), 12)] + s[max(0, len(s)-12):] } // not the time
			if cut(gotLog) != cut(l.all()) {
				t.Errorf("log %q, launched %q", gotLog, l.all())
			}
		})
	}
}

func TestAheadIsRandom(t *testing.T) {
	for name, files := range selves {
		cfg, _ := primed(t, templates(t, 1<<30), name, files)
		seen := map[string]bool{}
		for range 3 {
			for v := range strings.SplitSeq(strings.Trim(string(invoke(t, taken(t, cfg), event("s", `"random"`)).Payload), "[]"), ",") {
				if seen[v] {
					t.Errorf("%s: %s came twice", name, v)
				}
				seen[v] = true
			}
			cfg.Templates.Settle()
		}
	}
}

// TestNotAhead: what a template would make different starts the normal way.
func TestNotAhead(t *testing.T) {
	layer := code(t, map[string]string{"python/uuid.py": "NAMESPACE_DNS = 'layer'"})
	for _, c := range []struct {
		name, runtime, want string
		files               map[string]string
		env                 string
		layers              string
	}{
		{"a module of its own", "python3.11", `"mine"`, map[string]string{"main.py": "import uuid\nhandler = lambda e, c: uuid.mine", "uuid.py": "mine = 'mine'"}, "A=b", ""},
		{"a package of its own", "python3.11", `"mine"`, map[string]string{"main.py": "import boto3\nhandler = lambda e, c: boto3.mine", "boto3/__init__.py": "mine = 'mine'", "hashlib/__init__.py": ""}, "A=b", ""},
		{"a layer's module", "python3.11", `"layer"`, map[string]string{"main.py": "import uuid\nhandler = lambda e, c: uuid.NAMESPACE_DNS"}, "A=b", layer},
		{"a search path", "python3.11", `"found"`, map[string]string{"main.py": "import hidden\nhandler = lambda e, c: hidden.x", "sub/hidden.py": "x = 'found'"}, "PYTHONPATH=/var/task/sub", ""},
		{"a time zone", "python3.11", `-18000`, map[string]string{"main.py": "import time\nhandler = lambda e, c: -time.timezone"}, "TZ=EST5", ""},
		{"options", "nodejs20.x", `"object"`, map[string]string{"main.js": "exports.handler = async () => typeof globalThis.gc === 'function' ? 'object' : 'none'"}, "NODE_OPTIONS=--expose-gc", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, _ := config(t, c.runtime, "main.handler", code(t, c.files))
			cfg.Templates = templates(t, 1<<30)
			cfg.Templates.Prime(cfg)
			cfg.Env, cfg.Layers = append(cfg.Env, c.env), c.layers
			if c.name == "options" {
				cfg.Env[len(cfg.Env)-1] = "NODE_OPTIONS=--require /var/task/pre.js"
				os.WriteFile(filepath.Join(cfg.Code, "pre.js"), []byte("globalThis.gc = () => {}"), 0o644)
			}
			if got := string(invoke(t, start(t, cfg), event("n", "{}")).Payload); got != c.want {
				t.Errorf("got %s", got)
			}
			if cfg.Templates.Taken() != 0 {
				t.Error("a template was used")
			}
		})
	}
}

// TestTemplateMemory: templates stay within their memory, those used last win.
func TestTemplateMemory(t *testing.T) {
	none := templates(t, 1<<20)
	cfg, _ := primed(t, none, "python3.11", selves["python3.11"])
	start(t, cfg)
	none.Settle()
	if none.Ready() != 0 || none.Held() != 0 {
		t.Errorf("%d templates hold %d bytes", none.Ready(), none.Held())
	}
	for range 6 { // each /tmp size is a kind of its own
		cfg.TmpBytes += 1 << 20
		cfg.Templates = templates(t, 40<<20)
	}
	few := cfg.Templates
	for range 6 {
		cfg.TmpBytes += 1 << 20
		few.Prime(cfg)
		if few.Held() > 40<<20 {
			t.Errorf("%d templates hold %d bytes", few.Ready(), few.Held())
		}
		taken(t, cfg)
		few.Settle()
	}
	if n := few.Ready(); n == 0 || n > 5 {
		t.Errorf("%d templates are ready", n)
	}
}

// TestTemplatesOnce: templates are never shared, and a dead one is not used.
func TestTemplatesOnce(t *testing.T) {
	cfg, _ := primed(t, templates(t, 1<<30), "python3.11", selves["python3.11"])
	pids := make([]int, 8)
	var all sync.WaitGroup
	for i := range pids {
		all.Go(func() {
			e, err := runtime.Start(t.Context(), cfg)
			if err != nil {
				t.Error(err)
				return
			}
			pids[i] = e.Process().Pid()
			if got := string(invoke(t, e, event("s", "{}")).Payload); !strings.Contains(got, `"name": "fn"`) {
				t.Errorf("got %s", got)
			}
			e.Close()
		})
	}
	all.Wait()
	seen := map[int]bool{}
	for _, pid := range pids {
		if seen[pid] {
			t.Errorf("process %d was used twice", pid)
		}
		seen[pid] = true
	}
	cfg.Templates.Settle()
	for _, p := range cfg.Templates.Processes() {
		p.Kill()
		<-p.Done()
	}
	before := cfg.Templates.Taken()
	if got := string(invoke(t, start(t, cfg), event("s", "{}")).Payload); !strings.Contains(got, `"name": "fn"`) {
		t.Errorf("got %s", got)
	}
	if cfg.Templates.Taken() != before {
		t.Error("a dead template was used")
	}
}

// TestTemplatesEnd: nothing is there before the first use, nothing after idleness or Close.
func TestTemplatesEnd(t *testing.T) {
	l := ready(t)
	templates(t, 0) // or skip
	files := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	fake := clock.NewFake(time.Now())
	cfg, _ := config(t, "python3.11", "main.handler", code(t, selves["python3.11"]))
	before := files()
	ts := runtime.NewTemplates(runtime.TemplatesConfig{Launcher: l, Clock: fake, Memory: 1 << 30})
	if ts.Ready() != 0 {
		t.Error("there are templates before any use")
	}
	ts.Prime(cfg)
	waiting := ts.Processes()
	fake.Advance(time.Hour)
	for _, p := range waiting {
		<-p.Done()
	}
	ts.Prime(cfg)
	waiting = append(waiting, ts.Processes()...)
	if len(waiting) != 2 {
		t.Errorf("%d templates were ready", len(waiting))
	}
	ts.Close()
	for _, p := range waiting {
		select {
		case <-p.Done():
		default:
			t.Error("a template still runs")
		}
	}
	cfg.Templates = ts
	if e := start(t, cfg); ts.Taken() != 0 || !e.Alive() {
		t.Error("a template was used after Close")
	} else {
		e.Close()
		e.Process().Output().Close()
	}
	if n := files(); n > before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
}
