package intrinsic

import (
	"sort"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// pseudo are the pseudo parameters, besides AWS::NoValue.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
var pseudo = []string{"AWS::AccountId", "AWS::NotificationARNs", "AWS::Partition", "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix"}

// Check finds references to what a template does not have, also in branches that
// its conditions do not take. The error has the path from the template's root.
func Check(t *template.Template) error {
	c := &checker{t: t, names: map[string]bool{"AWS::NoValue": true}}
	for _, p := range pseudo {
		c.names[p] = true
	}
	for p := range t.Parameters {
		c.names[p] = true
	}
	c.block = "Conditions"
	for _, name := range keys(t.Conditions) {
		c.walk(t.Conditions[name], []string{"Conditions", name})
	}
	for id := range t.Resources {
		c.names[id] = true
	}
	c.block = "Resources"
	for _, id := range t.Order {
		r := t.Resources[id]
		path := []string{"Resources", id}
		c.condition(r.Condition, append(path, "Condition"))
		for _, d := range r.DependsOn {
			if t.Resources[d] == nil {
				c.unresolved(d, append(path, "DependsOn"))
			}
		}
		c.walk(r.Properties, append(path, "Properties"))
	}
	c.block = "Outputs"
	for _, name := range keys(t.Outputs) {
		o, path := t.Outputs[name], []string{"Outputs", name}
		c.condition(o.Condition, append(path, "Condition"))
		c.walk(o.Value, append(path, "Value"))
		c.walk(o.Export, append(path, "Export", "Name"))
	}
	if len(c.missing) > 0 && c.err == nil {
		sort.Strings(c.missing)
		text := "Template format error: Unresolved resource dependencies [" + strings.Join(c.missing, ", ") + "] in the " + c.where + " block of the template"
		if c.where == "Conditions" {
			text = "Template format error: Unresolved dependencies [" + strings.Join(c.missing, ", ") + "]. Cannot reference resources in the Conditions block of the template"
		}
		c.err = &Error{text, c.first}
	}
	return c.err
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

type checker struct {
	t     *template.Template
	names map[string]bool
	block string
	// missing are the names that the block where has and nothing defines; first
	// is where the first stands.
	missing []string
	where   string
	first   []string
	err     error
}

func clone(path []string) []string { return append([]string(nil), path...) }

func (c *checker) unresolved(name string, path []string) {
	if c.where == "" {
		c.where, c.first = c.block, clone(path)
	}
	if c.where == c.block {
		for _, m := range c.missing {
			if m == name {
				return
			}
		}
		c.missing = append(c.missing, name)
	}
}

func (c *checker) condition(name string, path []string) {
	if _, ok := c.t.Conditions[name]; !ok && name != "" && c.err == nil {
		c.err = &Error{"Template format error: Unresolved dependencies [" + name + "]. The condition is not defined in the Conditions block of the template", clone(path)}
	}
}

func (c *checker) resource(name string, path []string) {
	if (c.t.Resources[name] == nil || c.block == "Conditions") && c.err == nil {
		c.err = &Error{"Template error: instance of Fn::GetAtt references undefined resource " + name, clone(path)}
	}
}

func (c *checker) walk(v any, path []string) {
	switch v := v.(type) {
	case []any:
		for i, x := range v {
			c.walk(x, append(path[:len(path):len(path)], strconv.Itoa(i)))
		}
	case map[string]any:
		if len(v) == 1 {
			for name, arg := range v {
				c.function(name, arg, append(path[:len(path):len(path)], name))
			}
		}
		for _, k := range keys(v) {
			x := v[k]
			c.walk(x, append(path[:len(path):len(path)], k))
		}
	}
}

func (c *checker) function(name string, arg any, path []string) {
	list, _ := arg.([]any)
	switch name {
	case "Ref":
		if s, ok := arg.(string); ok && !c.names[s] {
			c.unresolved(s, path)
		}
	case "Fn::GetAtt":
		if s, ok := arg.(string); ok {
			id, _, _ := strings.Cut(s, ".")
			c.resource(id, path)
		} else if len(list) > 0 {
			if id, ok := list[0].(string); ok {
				c.resource(id, path)
			}
		}
	case "Fn::If":
		if len(list) > 0 {
			if s, ok := list[0].(string); ok {
				c.condition(s, path)
			}
		}
	case "Condition":
		if s, ok := arg.(string); ok && c.block == "Conditions" {
			c.condition(s, path)
		}
	case "Fn::Sub":
		text, _ := arg.(string)
		var own map[string]any
		if len(list) == 2 {
			text, _ = list[0].(string)
			own, _ = list[1].(map[string]any)
		}
		parts, err := subParts(text)
		if err != nil && c.err == nil {
			c.err = &Error{err.Error(), clone(path)}
		}
		for _, p := range parts {
			if _, mine := own[p.name]; mine || p.name == "" {
				continue
			}
			id, _, dot := strings.Cut(p.name, ".")
			switch {
			case dot && c.t.Resources[id] == nil, !dot && !c.names[id]:
				c.unresolved(id, path)
			}
		}
	}
}
