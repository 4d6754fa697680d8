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

// apply carries patches out in order. unsupported names settings that exist at
// AWS and would not act here, by a part of their path.
func (e edits) apply(ops []api.PatchOperation, unsupported ...string) error {
	for _, p := range ops {
		op, path, value := opt.Val(p.Op), opt.Val(p.Path), opt.Val(p.Value)
		if op == "" || path == "" || path[0] != '/' {
			return api.BadRequestException("Invalid patch operation specified. It must have an op and a path that begins with /")
		}
		if f := e[op+" "+path]; f != nil {
			if err := f("", value); err != nil {
				return faultOf(err)
			}
			continue
		}
		i := strings.LastIndexByte(path, '/')
		if f := e[op+" "+path[:i]+"/*"]; f != nil && i+1 < len(path) {
			if err := f(unescape.Replace(path[i+1:]), value); err != nil {
				return faultOf(err)
			}
			continue
		}
		for _, u := range unsupported {
			if strings.Contains(path, u) {
				return refuse("the setting " + path)
			}
		}
		var known []string
		for k := range e {
			if o, p, _ := strings.Cut(k, " "); o == op {
				known = append(known, strings.Replace(p, "/*", "/{name}", 1))
			}
		}
		slices.Sort(known)
		return api.BadRequestException("Invalid patch path  '%s' specified for op '%s'. Must be one of: [%s]", path, op, strings.Join(known, ", "))
	}
	return nil
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
		(*m)[name] = value == "true"
		return nil
	}
	e["add "+path+"/*"], e["replace "+path+"/*"] = set, set
	e["remove "+path+"/*"] = func(name, _ string) error { delete(*m, name); return nil }
}
