package main

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

type generator struct {
	s     *model.Service
	pkg   string
	names []string        // Go name of each shape
	taken map[string]bool // package-level names
	// asMember says which error shapes are members of other shapes, so that
	// they need a struct type besides their constructor.
	uses map[string]bool
}

func newGenerator(s *model.Service) *generator {
	g := &generator{s: s, pkg: pkgName(s), taken: map[string]bool{"Model": true}, uses: map[string]bool{}}
	for i := range s.Shapes {
		n := exported(s.Shapes[i].Name)
		for g.taken[n] {
			n += "_"
		}
		g.taken[n] = true
		g.names = append(g.names, n)
	}
	return g
}

// exported makes a Go identifier of a model's name.
func exported(name string) string {
	var b strings.Builder
	up := true
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' {
			up = true
			continue
		}
		if up {
			r = unicode.ToUpper(r)
			up = false
		}
		b.WriteRune(r)
	}
	s := b.String()
	s = strings.TrimLeft(s, "_")
	if s == "" || unicode.IsDigit(rune(s[0])) {
		s = "X" + s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// goType returns the Go type of a value of a shape, without a pointer.
func (g *generator) goType(i int) string {
	sh := &g.s.Shapes[i]
	if sh.Error != nil {
		g.uses["fault"] = true
		return "*fault.Fault"
	}
	switch sh.Kind {
	case model.Structure:
		return g.names[i]
	case model.List:
		return "[]" + g.goType(sh.Elem)
	case model.Map:
		return "map[string]" + g.goType(sh.Elem)
	case model.String:
		return "string"
	case model.Integer:
		return "int32"
	case model.Long:
		return "int64"
	case model.Float:
		return "float32"
	case model.Double:
		return "float64"
	case model.Boolean:
		return "bool"
	case model.Blob:
		return "[]byte"
	case model.Timestamp:
		g.uses["time"] = true
		return "time.Time"
	case model.Events:
		g.uses["model"] = true
		return "model.EventStream"
	}
	return "any"
}

// memberType returns the type of a struct's field: absent must be told from zero.
func (g *generator) memberType(m *model.Member) string {
	sh := &g.s.Shapes[m.Shape]
	if sh.Kind == model.Blob && (m.Streaming || sh.Streaming) {
		g.uses["io"] = true
		return "io.ReadCloser"
	}
	t := g.goType(m.Shape)
	switch {
	case sh.Error != nil, sh.Kind == model.List, sh.Kind == model.Map, sh.Kind == model.Blob, sh.Kind == model.Document, sh.Kind == model.Events:
		return t
	}
	return "*" + t
}

func (g *generator) types() string {
	var b strings.Builder
	for i := range g.s.Shapes {
		sh := &g.s.Shapes[i]
		if sh.Kind == model.String && len(sh.Enum) > 0 {
			g.enum(&b, i)
		}
		if sh.Kind != model.Structure || sh.Error != nil {
			continue
		}
		fmt.Fprintf(&b, "type %s struct {\n", g.names[i])
		for j := range sh.Members {
			m := &sh.Members[j]
			fmt.Fprintf(&b, "\t%s %s\n", exported(m.Name), g.memberType(m))
		}
		b.WriteString("}\n\n")
	}
	return g.file(b.String(), fmt.Sprintf("// Package %s holds the types, operations and faults of %s (%s).\n", g.pkg, g.s.ID, g.s.APIVersion))
}

func (g *generator) enum(b *strings.Builder, i int) {
	sh := &g.s.Shapes[i]
	b.WriteString("const (\n")
	for _, v := range sh.Enum {
		n := g.names[i] + exported(strings.NewReplacer("_", " ").Replace(v))
		if strings.ToUpper(v) == v {
			n = g.names[i] + camel(v)
		}
		if g.taken[n] {
			continue
		}
		g.taken[n] = true
		fmt.Fprintf(b, "\t%s = %q\n", n, v)
	}
	b.WriteString(")\n\n")
}

func camel(v string) string {
	var b strings.Builder
	for _, w := range strings.FieldsFunc(v, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		b.WriteString(strings.ToUpper(w[:1]) + strings.ToLower(w[1:]))
	}
	return b.String()
}

func (g *generator) file(body, doc string) string {
	var b strings.Builder
	b.WriteString(header + doc + "package " + g.pkg + "\n\n")
	paths := []string{}
	for _, p := range [][2]string{
		{"io", "io"}, {"time", "time"}, {"fmt", "fmt"},
		{"call", "github.com/tierra-cloud/tierra/internal/call"},
		{"fault", "github.com/tierra-cloud/tierra/internal/kernel/fault"},
		{"model", "github.com/tierra-cloud/tierra/internal/kernel/model"},
	} {
		if g.uses[p[0]] {
			paths = append(paths, p[1])
		}
	}
	g.uses = map[string]bool{}
	if len(paths) > 0 {
		b.WriteString("import (\n")
		for _, p := range paths {
			fmt.Fprintf(&b, "\t%q\n", p)
		}
		b.WriteString(")\n\n")
	}
	return b.String() + body
}

func (g *generator) operations() string {
	var b strings.Builder
	g.uses["call"] = true
	b.WriteString("var (\n")
	for i := range g.s.Operations {
		op := &g.s.Operations[i]
		fmt.Fprintf(&b, "\t%s = call.Op[%s, %s]{Service: &Model, Index: %d}\n", g.opName(op.Name), g.side(op.Input), g.side(op.Output), i)
	}
	b.WriteString(")\n")
	return g.file(b.String(), "")
}

func (g *generator) opName(name string) string {
	n := exported(name)
	for g.taken[n] {
		n += "Op"
	}
	return n
}

func (g *generator) side(shape int) string {
	if shape < 0 {
		return "call.None"
	}
	return g.names[shape]
}

func (g *generator) faults() string {
	var b strings.Builder
	for i := range g.s.Shapes {
		sh := &g.s.Shapes[i]
		if sh.Error == nil {
			continue
		}
		g.uses["fault"], g.uses["fmt"] = true, true
		e := sh.Error
		fmt.Fprintf(&b, "func %s(format string, args ...any) *fault.Fault {\n\treturn &fault.Fault{Code: %q, Status: %d, Sender: %t, QueryCode: %q, Shape: %q, Message: fmt.Sprintf(format, args...)}\n}\n\n",
			g.names[i], e.Code, e.Status, e.Sender, e.QueryCode, sh.Name)
	}
	return g.file(b.String(), "")
}

// model prints the tables as composite literals, which the linker lays out as
// data: a service costs nothing at start.
func (g *generator) model() string {
	var b strings.Builder
	g.uses["model"] = true
	b.WriteString("var Model = model.Service{\n")
	v := reflect.ValueOf(*g.s)
	for i := 0; i < v.NumField(); i++ {
		name := v.Type().Field(i).Name
		switch name {
		case "Shapes":
			b.WriteString("Shapes: []model.Shape{\n")
			for j := range g.s.Shapes {
				fmt.Fprintf(&b, "%s, // %d\n", literal(reflect.ValueOf(g.s.Shapes[j])), j)
			}
			b.WriteString("},\n")
		case "Operations":
			b.WriteString("Operations: []model.Operation{\n")
			for j := range g.s.Operations {
				fmt.Fprintf(&b, "%s, // %d\n", literal(reflect.ValueOf(g.s.Operations[j])), j)
			}
			b.WriteString("},\n")
		default:
			if !v.Field(i).IsZero() {
				fmt.Fprintf(&b, "%s: %s,\n", name, literalTyped(v.Field(i)))
			}
		}
	}
	b.WriteString("}\n")
	return g.file(b.String(), "")
}

// literal prints a struct without its zero fields and without its type's name.
func literal(v reflect.Value) string {
	var b strings.Builder
	b.WriteByte('{')
	first := true
	for i := 0; i < v.NumField(); i++ {
		f := v.Field(i)
		if f.IsZero() {
			continue
		}
		if !first {
			b.WriteString(", ")
		}
		first = false
		b.WriteString(v.Type().Field(i).Name + ": " + literalTyped(f))
	}
	b.WriteByte('}')
	return b.String()
}

func literalTyped(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		return fmt.Sprintf("%q", v.String())
	case reflect.Bool:
		return fmt.Sprint(v.Bool())
	case reflect.Int:
		return fmt.Sprint(v.Int())
	case reflect.Uint8:
		return fmt.Sprint(v.Uint())
	case reflect.Float64:
		return fmt.Sprintf("%v", v.Float())
	case reflect.Pointer:
		return "&model." + v.Type().Elem().Name() + literal(v.Elem())
	case reflect.Struct:
		return literal(v)
	case reflect.Slice:
		var parts []string
		for i := 0; i < v.Len(); i++ {
			parts = append(parts, literalTyped(v.Index(i)))
		}
		elem := v.Type().Elem()
		name := elem.String()
		return "[]" + name + "{" + strings.Join(parts, ", ") + "}"
	}
	panic("apigen: no literal for " + v.Kind().String())
}
