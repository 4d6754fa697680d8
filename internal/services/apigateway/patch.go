package apigateway

import (
	"slices"
	"strings"

	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// edits are the changes that a patch may ask for: "replace /name" or, for
// anything right below a path, "add /variables/*". The function gets what stands
// for the star, unescaped, and the value.
// https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
type edits map[string]func(name, value string) error

// unescape undoes JSON Pointer's escapes.
var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// find returns what carries a patch out; nil if there is nothing.
func (e edits) find(p api.PatchOperation) func() error {
	op, path, value := opt.Val(p.Op), opt.Val(p.Path), opt.Val(p.Value)
	if op == api.OpCopy {
		path = opt.Val(p.From) + " " + path
	}
	if f := e[op+" "+path]; f != nil {
		return func() error { return f(path, value) }
	}
	i := strings.LastIndexByte(path, '/')
	if f := e[op+" "+path[:i+1]+"*"]; f != nil && i+1 < len(path) {
		return func() error { return f(unescape.Replace(path[i+1:]), value) }
	}
	return nil
}

// apply carries patches out in order. unsupported names settings that exist at
// AWS and would not act here, by a part of their path.
func (e edits) apply(ops []api.PatchOperation, unsupported ...string) error {
	return e.applyOr(ops, e.unknown, unsupported...)
}

// applyOr is apply with the error of a patch that asks for nothing there is.
func (e edits) applyOr(ops []api.PatchOperation, unknown func(api.PatchOperation) error, unsupported ...string) error {
	for _, p := range ops {
		path := opt.Val(p.Path)
		if opt.Val(p.Op) == "" || path == "" || path[0] != '/' {
			return api.BadRequestException("Invalid patch operation specified. It must have an op and a path that begins with /")
		}
		if f := e.find(p); f != nil {
			if err := f(); err != nil {
				return faultOf(err)
			}
			continue
		}
		for _, u := range unsupported {
			if strings.Contains(path, u) {
				return refuse("the setting " + path)
			}
		}
		return unknown(p)
	}
	return nil
}

// unknown is the error of a patch that is none of the edits.
func (e edits) unknown(p api.PatchOperation) error {
	var known []string
	for k := range e {
		if o, path, _ := strings.Cut(k, " "); o == opt.Val(p.Op) {
			known = append(known, strings.Replace(path, "/*", "/{name}", 1))
		}
	}
	slices.Sort(known)
	return api.BadRequestException("Invalid patch path  '%s' specified for op '%s'. Must be one of: [%s]", *p.Path, *p.Op, strings.Join(known, ", "))
}

// text replaces a string.
func text(into *string) func(_, value string) error {
	return func(_, value string) error { *into = value; return nil }
}

// entry sets an entry of a map of strings.
func entry(m *map[string]string) func(name, value string) error {
	return func(name, value string) error {
		if *m == nil {
			*m = map[string]string{}
		}
		(*m)[name] = value
		return nil
	}
}

// entries are the edits of a map of strings at a path.
func (e edits) entries(path string, m *map[string]string) {
	e["add "+path+"/*"], e["replace "+path+"/*"] = entry(m), entry(m)
	e["remove "+path+"/*"] = func(name, _ string) error { delete(*m, name); return nil }
}

// flags are the edits of a map of booleans at a path.
func (e edits) flags(path string, m *map[string]bool) {
	set := func(name, value string) error {
		if *m == nil {
			*m = map[string]bool{}
		}
		on, err := flag(name, value)
		(*m)[name] = on
		return err
	}
	e["add "+path+"/*"], e["replace "+path+"/*"] = set, set
	e["remove "+path+"/*"] = func(name, _ string) error { delete(*m, name); return nil }
}
