package template

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
)

// Limits of a template's sections.
const (
	maxResources  = 500
	maxParameters = 200
	maxOutputs    = 200
	maxMappings   = 200
	maxName       = 255
)

// Template is a template whose sections have the right form. Values are as
// written, with their intrinsic functions.
type Template struct {
	Description string
	Metadata    map[string]any
	Transforms  []string
	Parameters  map[string]*Parameter
	Mappings    map[string]map[string]map[string]any
	Conditions  map[string]any
	Rules       map[string]any
	Resources   map[string]*Resource
	Outputs     map[string]*Output
	// Order holds the resources' logical ids in the order of the text.
	Order []string

	source *Node
}

// Parameter is an entry of the Parameters section.
type Parameter struct {
	Type                  string
	Default               any // nil if there is none
	Description           string
	NoEcho                bool
	AllowedValues         []string
	AllowedPattern        *Pattern
	PatternText           string
	MinLength, MaxLength  *float64
	MinValue, MaxValue    *float64
	ConstraintDescription string
}

// Resource is an entry of the Resources section.
type Resource struct {
	Type                string
	Properties          map[string]any
	Condition           string
	DependsOn           []string
	DeletionPolicy      any // a string, or a function that gives one
	UpdateReplacePolicy any
	Metadata            map[string]any
	// CreationPolicy and UpdatePolicy are refused or honoured by the engine.
	CreationPolicy, UpdatePolicy any
}

// Output is an entry of the Outputs section.
type Output struct {
	Value       any
	Description string
	Condition   string
	// Export is the name under which the value is exported, nil if it is not.
	Export any
}

// At returns where in the text a path of the template stands.
func (t *Template) At(path ...string) Pos { return t.source.At(path...) }

// Read checks the form of the sections of doc, which is the value of source or
// what a transform made of it; places are looked up in source.
func Read(doc map[string]any, source *Node) (*Template, error) {
	r := &reader{source: source}
	t := &Template{source: source}
	r.template(doc, t)
	if r.err != nil {
		return nil, r.err
	}
	return t, nil
}

// reader keeps the first error.
type reader struct {
	source *Node
	err    error
}

func (r *reader) fail(path []string, format string, args ...any) {
	if r.err == nil {
		r.err = formatError(r.source.At(path...), format, args...)
	}
}

func (r *reader) failAs(path []string, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{fmt.Sprintf(format, args...), r.source.At(path...)}
	}
}

var sections = []string{"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Conditions", "Rules", "Transform", "Resources", "Outputs", "Hooks"}

func (r *reader) template(doc map[string]any, t *Template) {
	var unknown []string
	// Globals is SAM's section, and its transform takes it out.
	serverless := contains(r.transforms(doc["Transform"]), "AWS::Serverless-2016-10-31")
	for _, k := range sortedKeys(doc) {
		if !contains(sections, k) && !(k == "Globals" && serverless) {
			unknown = append(unknown, k)
		}
	}
	if len(unknown) > 0 {
		r.failAs(unknown[:1], "Invalid template property or properties [%s]", strings.Join(unknown, ", "))
	}
	r.nulls(doc, nil)
	if v, ok := doc["AWSTemplateFormatVersion"]; ok && v != "2010-09-09" {
		r.fail([]string{"AWSTemplateFormatVersion"}, "unsupported value for AWSTemplateFormatVersion. No such version: %v.", v)
	}
	if v, ok := doc["Description"]; ok {
		s, isString := v.(string)
		if !isString {
			r.fail([]string{"Description"}, "Description must be a string.")
		}
		if len(s) > 1024 {
			r.fail([]string{"Description"}, "'Description' length is greater than 1024.")
		}
		t.Description = s
	}
	if _, ok := doc["Hooks"]; ok {
		r.fail([]string{"Hooks"}, "the Hooks section (CodeDeploy blue/green) is not supported.")
	}
	t.Metadata = r.object(doc["Metadata"], "Metadata")
	t.Transforms = r.transforms(doc["Transform"])
	t.Conditions = r.object(doc["Conditions"], "Conditions")
	t.Rules = r.object(doc["Rules"], "Rules")
	r.parameters(doc, t)
	r.mappings(doc, t)
	r.resources(doc, t)
	r.outputs(doc, t)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// nulls refuses null values, which CloudFormation does everywhere but in Metadata.
func (r *reader) nulls(v any, path []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if k != "Metadata" {
				r.nulls(v[k], append(path[:len(path):len(path)], k))
			}
		}
	case []any:
		for i, x := range v {
			r.nulls(x, append(path[:len(path):len(path)], fmt.Sprint(i)))
		}
	case nil:
		if len(path) > 0 {
			r.fail(path, "[/%s] 'null' values are not allowed in templates", strings.Join(path, "/"))
		}
	}
}

func (r *reader) object(v any, path ...string) map[string]any {
	if v == nil {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		r.fail(path, "[/%s] %s must be an object.", strings.Join(path, "/"), path[len(path)-1])
	}
	return m
}

func (r *reader) transforms(v any) []string {
	list, ok := v.([]any)
	if !ok && v != nil {
		list = []any{v}
	}
	var out []string
	for _, x := range list {
		switch x := x.(type) {
		case string:
			out = append(out, x)
		case map[string]any:
			name, _ := x["Name"].(string)
			out = append(out, name)
		default:
			r.fail([]string{"Transform"}, "Transform must be a string or a list of strings.")
		}
	}
	return out
}

func alphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

func (r *reader) count(section string, n, most int) {
	if n > most {
		r.fail([]string{section}, "Number of %s, %d, is greater than maximum allowed, %d", strings.ToLower(section), n, most)
	}
}

func (r *reader) mappings(doc map[string]any, t *Template) {
	all := r.object(doc["Mappings"], "Mappings")
	r.count("Mappings", len(all), maxMappings)
	t.Mappings = map[string]map[string]map[string]any{}
	for _, name := range sortedKeys(all) {
		if !alphanumeric(name) {
			r.fail([]string{"Mappings", name}, "Mappings name '%s' is non alphanumeric.", name)
		}
		top := map[string]map[string]any{}
		for k, v := range r.object(all[name], "Mappings", name) {
			m, ok := v.(map[string]any)
			if !ok {
				r.fail([]string{"Mappings", name, k}, "Every Mappings attribute must be a String or a List: every value of a mapping's top level must be an object.")
			}
			for attr, x := range m {
				if _, object := x.(map[string]any); object {
					r.fail([]string{"Mappings", name, k, attr}, "Every Mappings attribute must be a String or a List.")
				}
			}
			top[k] = m
		}
		t.Mappings[name] = top
	}
}

var resourceMembers = []string{"Type", "Properties", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy", "Metadata", "Description"}

func (r *reader) resources(doc map[string]any, t *Template) {
	all := r.object(doc["Resources"], "Resources")
	if len(all) == 0 {
		r.fail([]string{"Resources"}, "At least one Resources member must be defined.")
	}
	r.count("Resources", len(all), maxResources)
	t.Resources = map[string]*Resource{}
	for _, id := range sortedKeys(all) {
		path := []string{"Resources", id}
		if !alphanumeric(id) {
			r.fail(path, "Resource name %s is non alphanumeric.", id)
		}
		if len(id) > maxName {
			r.fail(path, "Resource name %s is longer than %d characters.", id, maxName)
		}
		m := r.object(all[id], path...)
		for _, k := range sortedKeys(m) {
			if !contains(resourceMembers, k) {
				r.failAs(append(path, k), "Invalid template resource property '%s'", k)
			}
		}
		res := &Resource{
			Condition: r.text(m, "Condition", path), DeletionPolicy: m["DeletionPolicy"], UpdateReplacePolicy: m["UpdateReplacePolicy"],
			CreationPolicy: m["CreationPolicy"], UpdatePolicy: m["UpdatePolicy"],
			Metadata: r.object(m["Metadata"], append(path, "Metadata")...),
		}
		var ok bool
		if res.Type, ok = m["Type"].(string); !ok {
			r.fail(path, "[/Resources/%s] Every Resources object must contain a Type member.", id)
		}
		if res.Properties, ok = m["Properties"].(map[string]any); !ok && m["Properties"] != nil {
			r.fail(append(path, "Properties"), "[/Resources/%s] Any Properties member must be a JSON object.", id)
		}
		switch d := m["DependsOn"].(type) {
		case nil:
		case string:
			res.DependsOn = []string{d}
		case []any:
			for _, x := range d {
				s, ok := x.(string)
				if !ok {
					r.fail(append(path, "DependsOn"), "[/Resources/%s] Every DependsOn value must be a string.", id)
				}
				res.DependsOn = append(res.DependsOn, s)
			}
		default:
			r.fail(append(path, "DependsOn"), "[/Resources/%s] DependsOn must be a string or a list of strings.", id)
		}
		t.Resources[id] = res
	}
	for _, id := range r.source.Keys("Resources") {
		if t.Resources[id] != nil {
			t.Order = append(t.Order, id)
		}
	}
	if len(t.Order) < len(t.Resources) { // a transform added some
		known := map[string]bool{}
		for _, id := range t.Order {
			known[id] = true
		}
		var more []string
		for id := range t.Resources {
			if !known[id] {
				more = append(more, id)
			}
		}
		sort.Strings(more)
		t.Order = append(t.Order, more...)
	}
}

func (r *reader) text(m map[string]any, name string, path []string) string {
	v, ok := m[name]
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		r.fail(append(path[:len(path):len(path)], name), "Every %s member must be a string.", name)
	}
	return s
}

func (r *reader) outputs(doc map[string]any, t *Template) {
	all := r.object(doc["Outputs"], "Outputs")
	r.count("Outputs", len(all), maxOutputs)
	t.Outputs = map[string]*Output{}
	for _, name := range sortedKeys(all) {
		path := []string{"Outputs", name}
		if !alphanumeric(name) {
			r.fail(path, "Output name %s is non alphanumeric.", name)
		}
		m := r.object(all[name], path...)
		for _, k := range sortedKeys(m) {
			if !contains([]string{"Value", "Description", "Condition", "Export"}, k) {
				r.fail(append(path, k), "Invalid Outputs property '%s'.", k)
			}
		}
		v, ok := m["Value"]
		if !ok {
			r.fail(path, "Every Outputs member must contain a Value object")
		}
		out := &Output{Value: v, Condition: r.text(m, "Condition", path), Description: r.text(m, "Description", path)}
		if e, ok := m["Export"]; ok {
			em, _ := e.(map[string]any)
			if out.Export = em["Name"]; out.Export == nil || len(em) != 1 {
				r.fail(append(path, "Export"), "Every Export member must contain a Name object, and nothing else.")
			}
		}
		t.Outputs[name] = out
	}
}

// JSON prints a template or a part of it as CloudFormation stores it.
func JSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null" // only values that Parse makes are printed
	}
	return string(b)
}
