package runtime

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// kindBegin goes to a bootstrap that was started ahead, once and before all
// else. Its body is the function's environment, parted by zero bytes.
const kindBegin = 7

const (
	// mostReady is how many templates of a kind are ready at most.
	mostReady = 4
	// templateIdle is for how long the templates of a kind are kept that nobody takes.
	templateIdle = 15 * time.Minute
	// templateStart is how long a template may take to become ready.
	templateStart = 30 * time.Second
	// templateWeight is the share of the processors until then: functions go first.
	templateWeight = 50
	// unmeasured is what a template is taken to hold where that cannot be read.
	unmeasured = 48 << 20
)

// TemplatesConfig is what Templates work with.
type TemplatesConfig struct {
	Launcher sandbox.Launcher
	Clock    clock.Clock
	// Memory is what all templates may hold together, in bytes. Zero: no templates.
	Memory int64
}

// Templates are interpreters that were started ahead of their functions: each
// in a sandbox of its own, with the common modules loaded, before it is known
// for which function. A template becomes the environment of one function, and
// never another's. There are none until a runtime has been used, and none for
// what does not fit (see fits); those start the normal way.
// It is safe for concurrent use. A nil *Templates has none.
type Templates struct {
	cfg    TemplatesConfig
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex
	kinds map[string]*templateKind
	// held is the memory of all that are ready; uses counts takes, for their order.
	held    int64
	uses    int
	taken   int // templates that have become environments
	filling bool
}

// templateKind is all templates that are interchangeable.
type templateKind struct {
	spec  sandbox.Spec
	ready []*template
	// want is how many should be ready; it grows when none was. limit is how many
	// there can be, as far as is known.
	want, limit int
	// used is when one was last taken, in uses; stop ends the wait for idleness.
	used int
	stop func() bool
}

func newKind(spec sandbox.Spec) *templateKind {
	return &templateKind{spec: spec, want: 1, limit: mostReady, stop: func() bool { return false }}
}

// template is one interpreter that waits for its function.
type template struct {
	proc sandbox.Prepared
	t    *framed
	// modules are the top-level modules it has loaded which a fresh interpreter has not.
	modules map[string]bool
	cost    int64
}

// NewTemplates makes the templates' keeper; it starts nothing.
func NewTemplates(cfg TemplatesConfig) *Templates {
	ctx, cancel := context.WithCancel(context.Background())
	return &Templates{cfg: cfg, ctx: ctx, cancel: cancel, kinds: map[string]*templateKind{}}
}

// Close ends all templates and waits until they are gone.
func (t *Templates) Close() {
	if t == nil {
		return
	}
	t.cancel()
	t.work.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.kinds {
		t.drop(k)
	}
}

// drop ends the templates of a kind and forgets it.
func (t *Templates) drop(k *templateKind) {
	for _, tpl := range k.ready {
		t.held -= tpl.cost
		tpl.close()
	}
	k.ready = nil
	k.stop()
	delete(t.kinds, kindOf(k.spec))
}

func (tpl *template) close() {
	_ = tpl.proc.Kill()
	tpl.t.close()
	<-tpl.proc.Done()
	tpl.proc.Output().Close()
}

// start makes an environment out of a template. It returns nil if there is none
// that fits, or if it failed before the function was concerned.
func (t *Templates) start(ctx context.Context, cfg Config) (*Environment, error) {
	if t == nil || !t.fits(&cfg) {
		return nil, nil
	}
	spec := cfg.template()
	tpl := t.take(spec, &cfg)
	// The next one is started when this function is ready.
	defer t.refill(kindOf(spec))
	if tpl == nil {
		return nil, nil
	}
	e := cfg.environment()
	where := ""
	if cfg.wantsAPI() {
		var err error
		if e.api, err = newHTTPAPI(cfg.Clock, cfg.Network); err != nil {
			tpl.close()
			return nil, err
		}
		where = e.api.address()
		e.extend(&cfg, nil)
	} else if cfg.Network == sandbox.NetworkPrivate {
		tpl.proc.Listeners()[0].Close() // nobody is to wait for an answer there
	}
	if err := tpl.begin(ctx, &cfg, where); err != nil {
		e.closeTransports()
		tpl.close()
		return nil, nil
	}
	e.proc, e.t = tpl.proc, tpl.t
	if e.api != nil {
		e.ext.attend(tpl.proc)
		if err := e.api.started(tpl.proc); err != nil {
			e.Close()
			return nil, err
		}
	}
	if err := e.attend(ctx, cfg); err != nil {
		return nil, err
	}
	return e, nil
}

// startVariables begin the names of variables that act when an interpreter
// starts, or when a module is loaded that a template has loaded already.
var startVariables = [...]string{
	"PYTHON", "NODE_", "LD_", "GLIBC_", "MALLOC_", "OPENSSL", "SSL_", "UV_", "LC_", "LANG", "LOCPATH", "TZ", "BOTO",
	"AWS_LAMBDA_EXEC_WRAPPER",
}

// fits tells whether a template can become this environment and be in nothing
// different from one that was started for it.
func (t *Templates) fits(cfg *Config) bool {
	if t.cfg.Memory <= 0 || cfg.Launcher != t.cfg.Launcher || !cfg.Launcher.Tier().StartAhead ||
		cfg.Runtime.Protocol != Framed || cfg.Runtime.Family == "ruby" || cfg.Runtime.debugger != nil || len(cfg.Mounts) > 0 {
		return false
	}
	if names, err := externalExtensions(cfg.Layers); err != nil || len(names) > 0 {
		return false // they start first
	}
	for _, kv := range cfg.Env {
		for _, p := range startVariables {
			if strings.HasPrefix(kv, p) {
				return false
			}
		}
	}
	return true
}

// template is what has to be the same in a template from the beginning.
func (cfg *Config) template() sandbox.Spec {
	generic := Config{Runtime: cfg.Runtime, Memory: cfg.Memory}
	argv := cfg.Runtime.argv(generic)
	last := &argv[len(argv)-1]
	*last = strings.Replace(*last, "/bootstrap.", "/ahead.", 1)
	env := generic.environ("")
	if cfg.importsSDK() {
		env = append(env, "_TIERRA_SDK=1")
	}
	spec := sandbox.Spec{
		Name: "ahead", Argv: argv, Env: env, Mounts: cfg.Runtime.Mounts, TmpBytes: cfg.TmpBytes, Network: cfg.Network,
		CPU: sandbox.CPU{Weight: templateWeight},
	}
	if cfg.Network == sandbox.NetworkPrivate {
		spec.Loopback = []uint16{privatePort} // for functions with layers
	}
	if cfg.hasDoor() {
		spec.Loopback = append(spec.Loopback, cfg.Door.Port)
	}
	cfg.letOut(&spec)
	return spec
}

// kindOf is the same for templates that are interchangeable.
func kindOf(spec sandbox.Spec) string {
	return fmt.Sprintf("%q %q %v %d %s %v %p", spec.Argv, spec.Env, spec.Mounts, spec.TmpBytes, spec.Network, spec.Loopback, spec.Egress)
}

// importsSDK tells whether a Python handler's module names the AWS SDK; loaded
// or not, it works, but loaded in vain it takes some 25 MiB.
func (cfg *Config) importsSDK() bool {
	if cfg.Runtime.Family != "python" {
		return false
	}
	at := strings.LastIndexByte(cfg.Handler, '.')
	if at < 0 {
		return false
	}
	path := strings.ReplaceAll(cfg.Handler[:at], ".", "/")
	if !filepath.IsLocal(path) {
		return false
	}
	for _, file := range [...]string{path + ".py", path + "/__init__.py"} {
		if text, err := os.ReadFile(filepath.Join(cfg.Code, file)); err == nil {
			return bytes.Contains(text, []byte("boto3")) || bytes.Contains(text, []byte("botocore"))
		}
	}
	return false
}

// shadowed tells whether the function brings a module of its own in place of one
// that the template has loaded.
func (tpl *template) shadowed(cfg *Config) bool {
	if len(tpl.modules) == 0 {
		return false
	}
	folders := []string{cfg.Code}
	if cfg.Layers != "" {
		libs, _ := filepath.Glob(filepath.Join(cfg.Layers, "python", "lib", "*", "site-packages"))
		folders = append(append(folders, filepath.Join(cfg.Layers, "python")), libs...)
	}
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return true
		}
		for _, e := range entries {
			if name, _, _ := strings.Cut(e.Name(), "."); tpl.modules[name] {
				return true
			}
		}
	}
	return false
}

// take takes a template out, if one of the kind is ready and alive.
func (t *Templates) take(spec sandbox.Spec, cfg *Config) *template {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx.Err() != nil {
		return nil
	}
	key := kindOf(spec)
	k := t.kinds[key]
	if k == nil {
		k = newKind(spec)
		t.kinds[key] = k
	} else if len(k.ready) == 0 {
		k.want = min(k.want+1, k.limit)
	}
	t.uses++
	k.used = t.uses
	for len(k.ready) > 0 {
		last := len(k.ready) - 1
		tpl := k.ready[last]
		if tpl.shadowed(cfg) {
			return nil
		}
		k.ready = k.ready[:last]
		t.held -= tpl.cost
		select {
		case <-tpl.proc.Done():
			tpl.close()
		default:
			t.taken++
			return tpl
		}
	}
	return nil
}

// refill has the missing templates started in the background.
func (t *Templates) refill(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.kinds[key]
	if k == nil || t.ctx.Err() != nil {
		return
	}
	if k.limit > 0 { // else it is forgotten some day and then tried again
		k.stop()
		k.stop = t.cfg.Clock.AfterFunc(templateIdle, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			if t.kinds[key] == k {
				t.drop(k)
			}
		})
	}
	if !t.filling {
		t.filling = true
		t.work.Go(t.fill)
	}
}

// fill starts templates, one after the other, until all that are wanted are ready.
func (t *Templates) fill() {
	for {
		k := t.next()
		if k == nil {
			return
		}
		tpl, err := t.make(k.spec)
		t.mu.Lock()
		switch {
		case err != nil || t.kinds[kindOf(k.spec)] != k || !t.room(k, tpl.cost):
			// What cannot be had is not tried again while the kind is remembered.
			k.limit = len(k.ready)
			k.want = k.limit
			if tpl != nil {
				tpl.close()
			}
		default:
			k.ready = append(k.ready, tpl)
			t.held += tpl.cost
		}
		t.mu.Unlock()
	}
}

// next is the kind that was used last of those that lack templates.
func (t *Templates) next() *templateKind {
	t.mu.Lock()
	defer t.mu.Unlock()
	var best *templateKind
	for _, k := range t.kinds {
		if len(k.ready) < k.want && (best == nil || k.used > best.used) {
			best = k
		}
	}
	if best == nil || t.ctx.Err() != nil {
		t.filling = false
		return nil
	}
	return best
}

// room makes room for another template of kind k by giving up those that were
// not used for longest. It returns false if that is not enough.
func (t *Templates) room(k *templateKind, cost int64) bool {
	for t.held+cost > t.cfg.Memory {
		var oldest *templateKind
		for _, o := range t.kinds {
			if o != k && len(o.ready) > 0 && o.used < k.used && (oldest == nil || o.used < oldest.used) {
				oldest = o
			}
		}
		if oldest == nil {
			return false
		}
		t.drop(oldest)
	}
	return true
}

// late are the folders that a template gets with its function.
var late = []string{taskRoot, layerRoot}

// make starts a template and waits until it is ready.
func (t *Templates) make(spec sandbox.Spec) (*template, error) {
	f, err := newFramed()
	if err != nil {
		return nil, err
	}
	spec.Files = []*os.File{f.child}
	proc, err := t.cfg.Launcher.Prepare(t.ctx, spec, late)
	if err != nil {
		f.close()
		return nil, err
	}
	tpl := &template{proc: proc, t: f}
	kill := func() { _ = proc.Kill() }
	defer t.cfg.Clock.AfterFunc(templateStart, kill)()
	defer context.AfterFunc(t.ctx, kill)()
	err = f.started(proc)
	var kind byte
	var body []byte
	if err == nil {
		kind, body, err = f.in.next()
	}
	if err == nil && kind != kindReady {
		err = errFrame
	}
	if err != nil {
		tpl.close()
		return nil, err
	}
	tpl.modules = map[string]bool{}
	for name := range strings.SplitSeq(string(body), ",") {
		tpl.modules[name] = true
	}
	delete(tpl.modules, "")
	if tpl.cost = proc.Usage().PeakMemory; tpl.cost == 0 {
		tpl.cost = unmeasured
	}
	return tpl, nil
}

// begin gives the template its function's code, limits and variables.
func (tpl *template) begin(ctx context.Context, cfg *Config, api string) error {
	limits := sandbox.Limits{Memory: cfg.Memory, Pids: cfg.pids()}
	if err := tpl.proc.Complete(ctx, []string{cfg.Code, cfg.Layers}, limits); err != nil {
		return err
	}
	env := strings.Join(cfg.environ(api), "\x00")
	msg := binary.LittleEndian.AppendUint32(nil, uint32(len(env)))
	msg = append(append(msg, kindBegin), env...)
	_, err := tpl.t.conn.Write(msg)
	return err
}
