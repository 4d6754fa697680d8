// Package vtl is an engine for Apache Velocity's template language with the
// value semantics of Java, under which the language was made: numbers, strings,
// lists and maps compute, compare and print as they do there. It knows nothing
// of what templates are used for.
//
// It follows Velocity 1.7 with one difference that its users rely on: a
// reference to nothing is the empty string (and, as any string, true), where
// Velocity would print the reference.
//
// Beyond 1.7 it has alternates: ${x|'otherwise'}. #include and #parse are
// refused, because a template reads no files.
//
// https://velocity.apache.org/engine/1.7/user-guide.html
// https://velocity.apache.org/engine/1.7/vtl-reference.html
package vtl

import (
	"errors"
	"fmt"
	"regexp"
	"sync"
)

// Template is a compiled template. It is safe for concurrent use.
type Template struct {
	nodes  []node
	macros map[string]*macro

	mu       sync.Mutex
	patterns map[string]*regexp.Regexp
}

// Scope gives a template the values that it begins with.
type Scope interface {
	// Lookup returns the value of $name; ok is false if there is none. Values
	// are nil, bool, int64, float64, string, *List, *Map or Object.
	Lookup(name string) (v any, ok bool)
}

// Vars is a Scope of fixed values.
type Vars map[string]any

// Lookup implements Scope.
func (s Vars) Lookup(name string) (any, bool) { v, ok := s[name]; return v, ok }

// Object is a value with properties and methods of its own.
type Object interface {
	// Property returns a property; nil stands for none.
	Property(name string) any
	// Call calls a method; ok is false if there is none with that name and so
	// many arguments. An error ends the template.
	Call(name string, args []any) (v any, ok bool, err error)
	// Set sets a property and reports whether it can be set.
	Set(name string, v any) bool
}

// Mapped is an Object that is a map for whatever else is asked of it.
type Mapped interface {
	Object
	// Map returns its entries, which nothing changes.
	Map() *Map
}

// Limits bound what a template may take, so that none hangs or explodes. A zero
// field means its default.
type Limits struct {
	// Output is the size of the result in bytes; 10 MiB by default.
	Output int
	// Steps is how many nodes may be carried out; 2,000,000 by default.
	Steps int
	// Loop is how many turns one #foreach may take; 1,000 by default.
	Loop int
	// Memory is how many bytes of strings, and entries of lists and maps at 16
	// bytes each, may be made on the way; 64 MiB by default.
	Memory int
}

const (
	maxDepth   = 64  // of nested calls, definitions and evaluations
	maxNesting = 200 // of brackets and blocks in the source
)

func (l Limits) withDefaults() Limits {
	if l.Output == 0 {
		l.Output = 10 << 20
	}
	if l.Steps == 0 {
		l.Steps = 2_000_000
	}
	if l.Loop == 0 {
		l.Loop = 1000
	}
	if l.Memory == 0 {
		l.Memory = 64 << 20
	}
	return l
}

// ErrLimit is the error of a template that takes more than its limits allow.
var ErrLimit = errors.New("the template takes more than it may")

// Compile reads a template. Its error tells the line.
func Compile(src string) (*Template, error) { return compile(src, nil) }

// Compiler compiles templates that share what reads the same in them, so that very
// many take little memory. It must not be used by several goroutines at once; its
// templates may.
type Compiler struct{ references map[string]*reference }

// Compile is Compile.
func (c *Compiler) Compile(src string) (*Template, error) {
	if c.references == nil {
		c.references = map[string]*reference{}
	}
	return compile(src, c.references)
}

func compile(src string, shared map[string]*reference) (*Template, error) {
	t := &Template{}
	p := &parser{src: src, macros: macroNames(src), t: t, shared: shared}
	nodes, end, err := p.block()
	if err != nil {
		return nil, err
	}
	if end != "" {
		return nil, p.fail("#%s without a beginning", end)
	}
	t.nodes = nodes
	return t, nil
}

// Render appends the template's result to dst.
func (t *Template) Render(dst []byte, scope Scope, limits Limits) ([]byte, error) {
	r := &run{t: t, scope: scope, out: dst, base: len(dst), left: limits.withDefaults()}
	err := r.all(t.nodes)
	if err != nil && !errors.Is(err, errStop) && !errors.Is(err, errBreak) {
		return dst, err
	}
	return r.out, nil
}

// maxPatterns is how many regular expressions a template keeps compiled.
const maxPatterns = 64

// pattern compiles a Java regular expression; whole makes it match all of a
// string.
func (t *Template) pattern(java string, whole bool) (*regexp.Regexp, error) {
	key := "~" + java
	if whole {
		key = "^" + java
	}
	t.mu.Lock()
	re := t.patterns[key]
	t.mu.Unlock()
	if re != nil {
		return re, nil
	}
	text, err := Pattern(java)
	if err != nil {
		return nil, err
	}
	if whole {
		text = `\A(?:` + text + `)\z`
	}
	if re, err = regexp.Compile(text); err != nil {
		return nil, fmt.Errorf("the regular expression %q: %w", java, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.patterns == nil || len(t.patterns) >= maxPatterns {
		t.patterns = map[string]*regexp.Regexp{}
	}
	t.patterns[key] = re
	return re, nil
}
