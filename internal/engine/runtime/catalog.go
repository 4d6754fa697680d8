package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// Protocol is how an environment is spoken to.
type Protocol int

const (
	// RuntimeAPI is the HTTP API of custom runtimes.
	RuntimeAPI Protocol = iota
	// Framed is the protocol of our own bootstraps.
	Framed
)

// Choice is what executes the functions of a runtime on this machine.
type Choice struct {
	// Runtime is the name that was resolved, such as "python3.12".
	Runtime string
	// Family is "python", "nodejs", "ruby", "java", "provided", "go" or "image".
	Family string
	// Path is the interpreter; empty for runtimes whose program is in the code.
	Path string
	// Version is the interpreter's.
	Version Version
	// Exact tells that it is the version that the runtime names; otherwise
	// Notice tells what is used instead.
	Exact  bool
	Notice string
	// Mounts are the folders that a sandbox has to see for it.
	Mounts []sandbox.Mount
	// Protocol is how it is spoken to.
	Protocol Protocol

	env []string
	// system is the operating system, where that is what executes functions.
	system string
	// needsClient tells that the package has to bring what executes it.
	needsClient bool
	// store tells that the folder of a Java runtime has a key store of what it is to trust.
	store    bool
	image    *Image
	debugger *Debugger
}

// UnavailableError tells that nothing on this machine executes a runtime.
type UnavailableError struct {
	// Runtime is the name.
	Runtime string
	// Reason tells what is missing and how to get it.
	Reason string
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("runtime %s cannot be executed here: %s", e.Runtime, e.Reason)
}

// ErrUnknownRuntime is returned by Resolve for a name that is no runtime of
// those executed here.
var ErrUnknownRuntime = errors.New("not a known runtime")

// CatalogConfig says where interpreters are looked for.
type CatalogConfig struct {
	// Dir is a folder for the bootstraps; it is made when it is missing.
	Dir string
	// Path is a list of folders, as in the environment variable PATH.
	Path string
	// Home is the home folder, where version managers install.
	Home string
	// System names the operating system and its version, as functions of OS-only
	// runtimes see it; empty: what /etc/os-release says.
	System string
	// NodePath is a list of folders with modules that all functions in Node.js
	// find, as in the environment variable NODE_PATH.
	NodePath string
	// Trust, if not nil, writes ca.pem, an authority's certificate, and bundle.pem,
	// that and all roots, into a folder: functions then trust it beside the
	// machine's own roots. It is called before the first runtime is given out.
	Trust func(dir string) error
}

// Catalog knows the interpreters of this machine. They are looked for when they
// are first asked for. It is safe for concurrent use.
type Catalog struct {
	cfg   CatalogConfig
	roots string

	mu     sync.Mutex
	osName string
	found  map[string][]Interpreter
	// trusting holds the folders that Trust has written to.
	trusting map[string]bool
}

// NewCatalog unpacks the bootstraps.
func NewCatalog(cfg CatalogConfig) (*Catalog, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	roots, err := unpackBootstraps(dir)
	if err != nil {
		return nil, err
	}
	return &Catalog{cfg: cfg, roots: roots, osName: cfg.System, found: map[string][]Interpreter{}, trusting: map[string]bool{}}, nil
}

// Interpreters are all that functions can be executed with, newest first within a family.
func (c *Catalog) Interpreters(ctx context.Context) []Interpreter {
	var out []Interpreter
	for i := range families {
		out = append(out, c.family(ctx, &families[i])...)
	}
	return out
}

func (c *Catalog) family(ctx context.Context, f *family) []Interpreter {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.found[f.name]
	if !ok || slices.ContainsFunc(found, func(i Interpreter) bool { return stampOf(i.Path) != i.stamp }) {
		found = f.search(ctx, c.cfg.Path, c.cfg.Home)
		// Nothing found is not kept: it may be installed any moment.
		if ctx.Err() == nil && len(found) > 0 {
			c.found[f.name] = found
		}
	}
	return found
}

var (
	pythonName = regexp.MustCompile(`^python(\d+)\.(\d+)$`)
	nodeName   = regexp.MustCompile(`^nodejs(\d+)\.x$`)
)

// Resolve finds what executes a runtime. The error is an *UnavailableError if
// this machine lacks it, and ErrUnknownRuntime for other names.
func (c *Catalog) Resolve(ctx context.Context, name string) (Choice, error) {
	return c.resolve(ctx, name, "")
}

// resolve is Resolve for a runtime version, or for the best that there is.
func (c *Catalog) resolve(ctx context.Context, name, pin string) (Choice, error) {
	switch name {
	case "provided", "provided.al2", "provided.al2023":
		return c.trust(Choice{Runtime: name, Family: "provided", Exact: true, system: c.system()})
	case "go1.x":
		return c.trust(Choice{Runtime: name, Family: "go", Exact: true, system: c.system()})
	}
	if m := pythonName.FindStringSubmatch(name); m != nil {
		return c.choose(ctx, name, pin, &families[0], number(m[1]), number(m[2]))
	}
	if m := nodeName.FindStringSubmatch(name); m != nil {
		return c.choose(ctx, name, pin, &families[1], number(m[1]), 0)
	}
	if version, ok := strings.CutPrefix(name, "java"); ok && number(version) > 0 {
		return c.choose(ctx, name, pin, &families[3], number(version), 0)
	}
	if version, ok := strings.CutPrefix(name, "ruby"); ok {
		if major, minor, ok := strings.Cut(version, "."); ok && number(major) > 0 && number(minor) >= 0 {
			return c.choose(ctx, name, pin, &families[2], number(major), number(minor))
		}
	}
	return Choice{}, fmt.Errorf("%q: %w", name, ErrUnknownRuntime)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1 // too large for a version
	}
	return n
}

// choose takes the interpreter that fits best.
func (c *Catalog) choose(ctx context.Context, name, pin string, f *family, major, minor int) (Choice, error) {
	all := c.family(ctx, f)
	if err := ctx.Err(); err != nil {
		return Choice{}, err
	}
	wanted := strconv.Itoa(major)
	if byMinor(f.name) {
		wanted += "." + strconv.Itoa(minor)
	}
	best, exact := pick(f.name, all, major, minor)
	if best == nil {
		reason := "there is no " + f.name + " " + f.oldest.String() + " or newer on this machine; "
		if len(all) > 0 {
			reason = fmt.Sprintf("the newest %s on this machine is %s; ", f.name, all[0].Version)
		}
		return Choice{}, &UnavailableError{name, reason + fmt.Sprintf(f.get, wanted)}
	}
	if pin != "" && pin != versionName(name, best.Version.String()) {
		i := slices.IndexFunc(all, func(x Interpreter) bool { return versionName(name, x.Version.String()) == pin })
		if i < 0 {
			return Choice{}, goneVersion(name, pin, versionName(name, best.Version.String()))
		}
		best = &all[i]
		exact = sameLine(f.name, best.Version, Version{Major: major, Minor: minor})
	}
	choice := Choice{
		Runtime: name, Family: f.name, Path: best.Path, Version: best.Version, Exact: exact, Protocol: Framed,
		Mounts: append(best.mounts(), sandbox.Mount{Source: filepath.Join(c.roots, bootstrapFolder(f.name)), Target: runtimeRoot}),
		env:    interpreterEnv(f.name, best, major, minor),
	}
	if !exact {
		choice.Notice = fmt.Sprintf("%s is executed by %s %s (%s), as this machine has no %s", name, f.name, best.Version, best.Path, wanted)
	}
	if f.name == "java" {
		return c.java(choice)
	}
	if err := c.addLang(&choice, best); err != nil {
		return Choice{}, err
	}
	switch f.name {
	case "nodejs":
		c.addModules(&choice, best)
	case "python":
		c.addVirtualEnv(&choice, best)
	}
	return c.trust(choice)
}

// trust makes what executes a runtime trust the authority, as the variables tell
// that its language looks at; a function's own go before them.
func (c *Catalog) trust(choice Choice) (Choice, error) {
	if c.cfg.Trust == nil {
		return choice, nil
	}
	dir := filepath.Join(c.roots, bootstrapFolder(choice.Family))
	if err := c.trustIn(dir); err != nil {
		return Choice{}, err
	}
	switch choice.Family {
	case "nodejs":
		choice.env = append(choice.env, "NODE_EXTRA_CA_CERTS="+runtimeRoot+"/ca.pem")
	case "ruby":
		choice.env = append(choice.env, "SSL_CERT_FILE="+runtimeRoot+"/bundle.pem")
	case "java":
		choice.store = true
	case "python":
		choice.env = append(choice.env, "SSL_CERT_FILE="+runtimeRoot+"/bundle.pem", "REQUESTS_CA_BUNDLE="+runtimeRoot+"/bundle.pem")
	default:
		choice.Mounts = append(choice.Mounts, sandbox.Mount{Source: dir, Target: runtimeRoot})
		choice.env = append(choice.env, "SSL_CERT_FILE="+runtimeRoot+"/bundle.pem")
	}
	return choice, nil
}

func (c *Catalog) trustIn(dir string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trusting[dir] {
		return nil
	}
	if err := c.cfg.Trust(dir); err != nil {
		return err
	}
	if filepath.Base(dir) == "java" {
		if err := trustJava(dir); err != nil {
			return err
		}
	}
	c.trusting[dir] = true
	return nil
}

// byMinor tells whether a language's runtimes are named by major and minor version.
func byMinor(family string) bool { return family == "python" || family == "ruby" }

// pick takes the named version, else the nearest newer one, else (Node.js and
// Ruby 3, whose interfaces are stable) the nearest older one. Newer versions of
// Python and Ruby within a major execute what older ones do, and so do newer ones
// of Java.
func pick(family string, all []Interpreter, major, minor int) (best *Interpreter, exact bool) {
	want := Version{Major: major, Minor: minor}
	for i := range all { // newest first, so the first match is the newest patch
		v := all[i].Version
		if v.Major == major && (!byMinor(family) || v.Minor == minor) {
			return &all[i], true
		}
	}
	for i := range all {
		v := all[i].Version
		if v.compare(want) > 0 && (!byMinor(family) || v.Major == major) {
			sameLine := best != nil && v.Major == best.Version.Major && (!byMinor(family) || v.Minor == best.Version.Minor)
			if !sameLine {
				best = &all[i]
			}
		}
	}
	if best == nil && family == "nodejs" && len(all) > 0 {
		best = &all[0]
	}
	for i := range all {
		if best == nil && family == "ruby" && all[i].Version.Major == major {
			best = &all[i]
		}
	}
	return best, false
}

func bootstrapFolder(family string) string {
	switch family {
	case "nodejs":
		return "node"
	case "python", "ruby", "java":
		return family
	}
	return "none"
}

// interpreterEnv are variables that a function may override.
func interpreterEnv(family string, i *Interpreter, major, minor int) []string {
	bin := filepath.Dir(i.Path)
	env := []string{"PATH=" + langBin + ":" + bin + ":/usr/local/bin:/usr/bin:/bin:/opt/bin"}
	if family == "python" {
		return append(env, "PYTHONPATH="+runtimeRoot, "PYTHONDONTWRITEBYTECODE=1")
	}
	if family == "ruby" {
		var gems []string
		for _, v := range slices.Compact([]string{fmt.Sprintf("%d.%d.0", major, minor), fmt.Sprintf("%d.%d.0", i.Version.Major, i.Version.Minor)}) {
			gems = append(gems, taskRoot+"/vendor/bundle/ruby/"+v, layerRoot+"/ruby/gems/"+v)
		}
		return append(env, "GEM_PATH="+strings.Join(gems, ":"), "RUBYLIB="+taskRoot+":"+layerRoot+"/ruby/lib")
	}
	return append(env,
		fmt.Sprintf("NODE_PATH=/opt/nodejs/node%d/node_modules:/opt/nodejs/node_modules:%s/node_modules", major, runtimeRoot),
		"_TIERRA_NODE="+strconv.Itoa(major))
}

// argv is the command line inside the sandbox.
func (c *Choice) argv(cfg Config) []string {
	if c.image != nil {
		return c.image.Argv
	}
	switch c.Family {
	case "python":
		return append(append([]string{c.Path}, c.debugFlags()...), runtimeRoot+"/bootstrap.py")
	case "ruby":
		return []string{c.Path, runtimeRoot + "/bootstrap.rb"}
	case "nodejs":
		argv := append([]string{c.Path}, c.debugFlags()...)
		if mb := int(cfg.Memory >> 20); mb > 0 {
			// As on AWS: an interpreter that knows its limits collects garbage
			// rather than being killed.
			argv = append(argv, fmt.Sprintf("--max-old-space-size=%d", max(mb*9/10, 32)), fmt.Sprintf("--max-semi-space-size=%d", max(mb/20, 1)))
		}
		return append(argv, runtimeRoot+"/bootstrap.cjs")
	case "java":
		return c.javaArgv(cfg)
	case "go":
		return []string{taskRoot + "/" + cfg.Handler}
	}
	if cfg.Layers != "" {
		if _, err := os.Stat(filepath.Join(cfg.Code, "bootstrap")); errors.Is(err, os.ErrNotExist) {
			return []string{layerRoot + "/bootstrap"}
		}
	}
	return []string{taskRoot + "/bootstrap"}
}

// check looks for the program of a runtime whose program is in the code.
func (c *Choice) check(cfg Config) error {
	if c.Family == "java" {
		return c.checkJava(cfg)
	}
	switch {
	case c.image != nil && len(c.image.Argv) == 0:
		return &InitError{Type: typeEntry, Message: "the image has neither an entry point nor a command"}
	case c.Path != "" || c.image != nil:
		return nil
	}
	name := "bootstrap"
	if c.Family == "go" {
		name = cfg.Handler
	}
	if !filepath.IsLocal(name) {
		return &InitError{Type: typeEntry, Message: fmt.Sprintf("%q is not a file of the code", name)}
	}
	for _, dir := range []string{cfg.Code, cfg.Layers} {
		if dir == "" {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return nil
		}
	}
	return &InitError{Type: typeEntry, Message: fmt.Sprintf("Couldn't find valid bootstrap(s): [%s/%s %s/%s]", taskRoot, name, layerRoot, name)}
}
