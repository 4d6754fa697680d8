package lambda

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

func (st *stand) layer(t testing.TB, name string, entries ...entry) string {
	t.Helper()
	out := calltest.Must(t, st.World, api.PublishLayerVersion, &api.PublishLayerVersionRequest{LayerName: &name, Content: &api.LayerVersionContentInput{ZipFile: zipped(t, entries...)}})
	return *out.LayerVersionArn
}

// TestLayers runs functions that need what is in their layers.
func TestLayers(t *testing.T) {
	st := newStand(t)
	one := st.layer(t, "one",
		entry{"python/shared.py", "WHO = 'one'", 0}, entry{"python/only.py", "WHAT = 'first'", 0},
		entry{"nodejs/node_modules/shared/index.js", "module.exports = 'one'", 0}, entry{"nodejs/node_modules/only/index.js", "module.exports = 'first'", 0},
		entry{"bin/hello", "#!/bin/sh\necho one", 0o755}, entry{"data/link", "x", 0})
	two := st.layer(t, "two",
		entry{"python/shared.py", "WHO = 'two'", 0}, entry{"nodejs/node_modules/shared/index.js", "module.exports = 'two'", 0},
		entry{"bin/hello", "#!/bin/sh\necho two", 0o755}, entry{"data", "a file over a folder", 0}, entry{"bin/alias", "hello", fs.ModeSymlink | 0o777})
	const python = "import shared, only, subprocess\ndef handler(e, c): return [shared.WHO, only.WHAT, subprocess.check_output('alias', text=True).strip(), open('/opt/data').read()[:6] if e else '']"
	const node = "const s = require('shared'), o = require('only'); exports.handler = async () => [s, o, require('child_process').execSync('hello').toString().trim()]"
	for _, c := range []struct {
		runtime, file, code, event string
		layers                     []string
		want                       string
	}{
		{"python3.12", "index.py", python, `{"x":1}`, []string{one, two}, `["two", "first", "two", "a file"]`},
		{"nodejs20.x", "index.js", node, `{}`, []string{one, two}, `["two","first","two"]`},
		{"nodejs20.x", "index.js", node, `{}`, []string{two, one}, `["one","first","one"]`},
		{"nodejs20.x", "index.js", node, `{}`, []string{one}, `["one","first","one"]`},
	} {
		if _, err := st.deps.Runtimes.Resolve(t.Context(), c.runtime); err != nil {
			t.Log(err)
			continue
		}
		st.function(t, "f", c.runtime, "index.handler", func(in *api.CreateFunctionRequest) { in.Layers = c.layers }, entry{c.file, c.code, 0})
		if got := st.answer(t, "f", c.event); got != c.want {
			t.Errorf("%s %v: %s", c.runtime, c.layers, got)
		}
		calltest.Must(t, st.World, api.DeleteFunction, &api.DeleteFunctionRequest{FunctionName: new("f")})
	}
	// What is in the folder of site-packages is found as well, also of the named
	// version of Python when another one executes it.
	site := st.layer(t, "site", entry{"python/lib/python3.10/site-packages/deep.py", "X = 5", 0})
	if _, err := st.deps.Runtimes.Resolve(t.Context(), "python3.10"); err == nil {
		st.function(t, "f", "python3.10", "i.h", func(in *api.CreateFunctionRequest) { in.Layers = []string{site} }, entry{"i.py", "import deep\ndef h(e, c): return deep.X", 0})
		if got := st.answer(t, "f", `{}`); got != "5" {
			t.Errorf("site-packages: %s", got)
		}
	}
}

// TestLayersOutliveTheirVersion tells that functions keep a layer that was
// deleted, and that it goes with the last of them.
func TestLayersOutliveTheirVersion(t *testing.T) {
	st := newStand(t)
	a, b := st.layer(t, "a", entry{"a.txt", "a", 0}), st.layer(t, "b", entry{"b.txt", "b", 0})
	st.custom(t, "f", func(in *api.CreateFunctionRequest) { in.Layers = []string{a, b} })
	for _, name := range []string{"a", "b"} {
		calltest.Must(t, st.World, api.DeleteLayerVersion, &api.DeleteLayerVersionRequest{LayerName: &name, VersionNumber: new(int64(1))})
	}
	if got := st.answer(t, "f", `{"do":"file","text":"/opt/b.txt"}`); got != `"b"` {
		t.Errorf("after the layer is gone: %s", got)
	}
	_, err := calltest.Do(st.World, api.UpdateFunctionConfiguration, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"), Layers: []string{b}})
	if f := fault.As(err); f == nil || f.Message != "Layer version "+b+" does not exist." {
		t.Errorf("to use it anew: %v", err)
	}
	st.restart(t)
	if got := st.answer(t, "f", `{"do":"file","text":"/opt/a.txt"}`); got != `"a"` {
		t.Errorf("after a restart: %s", got)
	}
	v := st.version("f")
	calltest.Must(t, st.World, api.UpdateFunctionConfiguration, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"), Layers: []string{}})
	for _, l := range append(v.packages(key{calltest.Account, calltest.Region, "f"})[1:], pkg{}) {
		if l.hash == "" {
			continue
		}
		// The environment that used it may still be ending.
		until(func() bool {
			_, err := os.Stat(filepath.Join(st.deps.CodeDir, l.hash))
			_, berr := st.blobs.Stat(t.Context(), l.area.blob(l.hash))
			return errors.Is(err, fs.ErrNotExist) && berr != nil
		})
	}
	if got := calltest.JSON(st.version("f").Layers); got != "[]\n" {
		t.Errorf("layers: %s", got)
	}
}

// TestLayersTogether tells that code and layers have one limit.
func TestLayersTogether(t *testing.T) {
	v := &version{Unzipped: 100 << 20, Layers: []layerUse{{Unzipped: 100 << 20}, {Unzipped: 50 << 20}}}
	if err := checkSize(v); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	v.Unzipped++
	if f := fault.As(checkSize(v)); f == nil || f.Message != "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is 262144001 bytes." {
		t.Errorf("above the limit: %v", f)
	}
}

// TestLayerPolicy tells who may use a layer of another account.
func TestLayerPolicy(t *testing.T) {
	st := newStand(t)
	l := st.layer(t, "shared", entry{"x.txt", "x", 0})
	other := call.AsIdentity(call.Identity{Principal: policy.Principal{Kind: policy.Root, Account: "111111111111", ARN: "arn:aws:iam::111111111111:root", UserID: "111111111111"}}, calltest.Region)
	get := func() error {
		_, err := call.Do(t.Context(), st.Board, other, api.GetLayerVersionByArn, &api.GetLayerVersionByArnRequest{Arn: &l})
		return err
	}
	if !fault.Is(get(), "AccessDeniedException") {
		t.Errorf("without a policy: %v", get())
	}
	in := &api.AddLayerVersionPermissionRequest{LayerName: new("shared"), VersionNumber: new(int64(1)), StatementId: new("s"), Action: new("lambda:GetLayerVersion"), Principal: new("111111111111")}
	calltest.Must(t, st.World, api.AddLayerVersionPermission, in)
	if err := get(); err != nil {
		t.Errorf("with a policy: %v", err)
	}
	calltest.Must(t, st.World, api.RemoveLayerVersionPermission, &api.RemoveLayerVersionPermissionRequest{LayerName: new("shared"), VersionNumber: new(int64(1)), StatementId: new("s")})
	if !fault.Is(get(), "AccessDeniedException") {
		t.Errorf("without the policy again: %v", get())
	}
}
