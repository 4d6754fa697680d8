// Package archtest holds the import rules of the architecture as a test. Run it
// with -count=1: Go's test cache does not see that other packages changed.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tierra-cloud/tierra/"

// rule says what the packages below a folder may not import, and why.
type rule struct {
	below string // "" ends a rule's folder list
	// allow lists the module's folders that may be imported; nil means any.
	allow []string
	// only says that besides the module's own packages nothing but the standard
	// library may be imported.
	only bool
	why  string
}

var rules = []rule{
	{below: "internal/kernel", allow: []string{"internal/kernel"}, only: true,
		why: "the kernel holds words that everybody shares; it must stand on the standard library alone"},
	{below: "internal/policy", allow: []string{"internal/policy", "internal/kernel"}, only: true,
		why: "the policy language is pure: it must be testable without a platform"},
	{below: "internal/call/calltest", why: "a test harness may use test libraries",
		allow: []string{"internal/call", "internal/policy", "internal/kernel"}},
	{below: "internal/call", allow: []string{"internal/call", "internal/policy", "internal/kernel"}, only: true,
		why: "the spine is types; it knows neither wire nor rooms nor stores"},
	{below: "internal/gen", allow: []string{"internal/gen", "internal/call", "internal/kernel"}, only: true,
		why: "generated code knows the spine and the kernel"},
	{below: "internal/edge", allow: []string{"internal/edge", "internal/call", "internal/gen", "internal/policy", "internal/kernel"},
		why: "the edge knows protocols; what a room does or stores is not its business"},
	{below: "internal/gateway", allow: []string{"internal/gateway", "internal/call", "internal/gen", "internal/policy", "internal/kernel", "internal/engine", "internal/data"},
		why: "what the kinds of APIs share knows none of their rooms"},
	{below: "internal/services", allow: []string{"internal/services", "internal/gateway", "internal/call", "internal/gen", "internal/policy", "internal/kernel", "internal/engine", "internal/data", "internal/data/blob"},
		why: "a room reaches other rooms through call.Caller and bytes through the contracts of data"},
	{below: "internal/engine", allow: []string{"internal/engine", "internal/kernel", "internal/data"},
		why: "machinery knows no AWS names, so that any room can stand on it"},
	{below: "internal/data", allow: []string{"internal/data", "internal/kernel"},
		why: "the store never looks upward"},
	{below: "internal/dev", allow: []string{"internal/dev", "internal/edge/sigv4", "internal/kernel", "internal/services/cloudformation/template"},
		why: "what a developer's machine does speaks to the server over the wire, as any client"},
}

// implementations may be named by internal/server alone (and by tests).
var implementations = []string{"internal/data/mem", "internal/data/pebble", "internal/data/blob/fsblob", "internal/data/blob/memblob", "internal/data/lease"}

func root(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "..", "..")
}

type file struct {
	path    string // from the root, with slashes
	imports []string
	ast     *ast.File
	fset    *token.FileSet
}

func files(t *testing.T) []file {
	t.Helper()
	var out []file
	top := root(t)
	err := filepath.WalkDir(filepath.Join(top, "internal"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") {
			return err
		}
		rel, err := filepath.Rel(top, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		mode := parser.SkipObjectResolution
		if strings.HasPrefix(rel, "internal/gen/") {
			mode |= parser.ImportsOnly
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, nil, mode)
		if err != nil {
			return err
		}
		x := file{path: rel, ast: f, fset: fset}
		for _, i := range f.Imports {
			s, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			x.imports = append(x.imports, s)
		}
		out = append(out, x)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func isTest(path string) bool { return strings.HasSuffix(path, "_test.go") }

func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// TestImports holds "what never imports what".
func TestImports(t *testing.T) {
	for _, f := range files(t) {
		if isTest(f.path) {
			continue
		}
		for _, r := range rules {
			if !within(f.path, r.below) {
				continue
			}
			for _, i := range f.imports {
				own, ours := strings.CutPrefix(i, module)
				switch {
				case ours && !anyOf(own, r.allow):
					t.Errorf("%s imports %s: %s", f.path, own, r.why)
				case !ours && r.only && strings.Contains(strings.SplitN(i, "/", 2)[0], "."):
					t.Errorf("%s imports %s: %s", f.path, i, r.why)
				}
			}
			break // the first rule that fits is the one that holds
		}
	}
}

func anyOf(own string, folders []string) bool {
	for _, a := range folders {
		if within(own, a) {
			return true
		}
	}
	return false
}

// TestRooms holds that rooms do not know each other, nor an implementation of a
// store, and that only a room's viewer speaks HTTP.
func TestRooms(t *testing.T) {
	for _, f := range files(t) {
		parts := strings.Split(f.path, "/")
		if len(parts) < 4 || parts[1] != "services" || isTest(f.path) {
			continue
		}
		room := strings.Join(parts[:3], "/")
		for _, i := range f.imports {
			own, ours := strings.CutPrefix(i, module)
			if ours && within(own, "internal/services") && !within(own, room) {
				t.Errorf("%s imports %s: rooms call each other through call.Caller, so that every call is authorised and recorded", f.path, own)
			}
			for _, impl := range implementations {
				if ours && within(own, impl) {
					t.Errorf("%s imports %s: only internal/server chooses an implementation", f.path, own)
				}
			}
			if i == "net/http" && !strings.HasPrefix(parts[len(parts)-1], "viewer") {
				t.Errorf("%s imports net/http: a room's operations know no HTTP; its public face is viewer.go", f.path)
			}
		}
	}
}

// forbidden calls read the clock, randomness or environment behind the back of
// who passes them in.
var forbidden = map[string]map[string]string{
	"time":         {"Now": "kernel/clock", "Since": "kernel/clock", "Sleep": "kernel/clock", "After": "kernel/clock", "NewTimer": "kernel/clock", "NewTicker": "kernel/clock", "Tick": "kernel/clock"},
	"os":           {"Getenv": "cmd", "LookupEnv": "cmd", "Environ": "cmd"},
	"math/rand":    {"*": "kernel/ids"},
	"math/rand/v2": {"*": "kernel/ids"},
	"crypto/rand":  {"*": "kernel/ids"},
}

// exempt are the places where those things are read for everybody else, and
// machinery that deals with the operating system itself.
var exempt = []string{"internal/kernel/clock", "internal/kernel/ids", "internal/engine", "internal/data/pebble", "internal/data/faulty", "internal/data/blob/fsblob", "internal/data/lease", "internal/dev", "internal/call/calltest", "internal/data/datatest"}

// TestSources holds that time, randomness and environment are passed in.
func TestSources(t *testing.T) {
	for _, f := range files(t) {
		if isTest(f.path) || anyOf(f.path, exempt) || within(f.path, "internal/gen") {
			continue
		}
		names := map[string]string{}
		for _, i := range f.ast.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			if forbidden[path] == nil {
				continue
			}
			name := path[strings.LastIndexByte(path, '/')+1:]
			if name == "v2" {
				name = "rand"
			}
			if i.Name != nil {
				name = i.Name.Name
			}
			names[name] = path
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if !ok || names[x.Name] == "" {
				return true
			}
			path := names[x.Name]
			place := forbidden[path][sel.Sel.Name]
			if place == "" {
				place = forbidden[path]["*"]
			}
			if place != "" && sel.Sel.Name != "Reader" || place != "" && path == "crypto/rand" {
				t.Errorf("%s: %s.%s belongs in %s; it is passed in everywhere else, so that tests and users can move time and repeat chance",
					f.fset.Position(n.Pos()), path, sel.Sel.Name, place)
			}
			return true
		})
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: init functions are not used: what a program is made of is written in internal/server", f.fset.Position(fn.Pos()))
			}
		}
	}
}

// TestSize holds that no hand-written file grows over 900 lines.
func TestSize(t *testing.T) {
	for _, f := range files(t) {
		if within(f.path, "internal/gen") {
			continue
		}
		if n := f.fset.Position(f.ast.End()).Line; n > 900 {
			t.Errorf("%s has %d lines; split it by topic", f.path, n)
		}
	}
}
