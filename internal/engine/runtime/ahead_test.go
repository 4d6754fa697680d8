//go:build linux

package runtime_test

import (
	"testing"

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
		"Timeout": TestTimeout, "KilledFromOutside": TestKilledFromOutside, "OutOfMemory": TestOutOfMemory, "Sizes": TestSizes,
		"ChildLeftBehind": TestChildLeftBehind, "Concurrency": TestConcurrency, "InitErrors": TestInitErrors, "InitTimeout": TestInitTimeout,
		"NodeHandlers": TestNodeHandlers, "NodeFailures": TestNodeFailures, "PythonHandlers": TestPythonHandlers,
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
