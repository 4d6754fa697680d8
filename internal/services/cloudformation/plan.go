package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/graph"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// languageExtensions is the transform that brings Fn::ForEach and its kin.
const languageExtensions = "AWS::LanguageExtensions"

// plan is a specification made ready: what is to exist, and in which order.
type plan struct {
	tmpl *template.Template
	// eval evaluates functions. Its conditions are decided, so that it may be
	// copied and used in parallel.
	eval intrinsic.Scope
	// active are the resources whose condition holds; deps what each depends on.
	active  map[string]bool
	deps    graph.Graph
	order   []string
	types   catalog
	hidden  []string // parameters with NoEcho
	stackID string
	origin  call.Incoming // how the caller reached the server

	mu      sync.Mutex
	imports map[string]bool // exports that are used
}

// plan makes a specification ready, finding everything that is wrong with it. source
// is where the template was read from, nil if places do not matter.
func (s *Service) plan(ctx context.Context, sc scope, spec *specRecord, source *template.Node, name, id string) (*plan, error) {
	var doc map[string]any
	if err := decode([]byte(spec.Processed), &doc); err != nil {
		return nil, err
	}
	tmpl, err := template.Read(doc, source)
	if err != nil {
		return nil, invalid(err)
	}
	p := &plan{tmpl: tmpl, active: map[string]bool{}, deps: graph.Graph{}, types: s.types(), hidden: spec.Hidden, stackID: id, imports: map[string]bool{}, origin: call.Incoming{Scheme: spec.Scheme, Host: spec.Host}}
	if err := intrinsic.Check(tmpl); err != nil {
		return nil, p.invalid(err)
	}
	p.eval = intrinsic.Scope{
		Template: tmpl, Params: intrinsic.Params(tmpl, spec.values()), Extensions: spec.Extensions,
		Import: func(export string) (any, error) { return s.importValue(ctx, sc, p, export) },
	}
	for k, v := range pseudo(sc, name, id) {
		p.eval.Params[k] = v
	}
	if err := p.eval.CheckRules(); err != nil {
		return nil, p.invalid(err)
	}
	for c := range tmpl.Conditions {
		if _, err := p.eval.Condition(c); err != nil {
			return nil, p.invalid(err, "Conditions", c)
		}
	}
	if err := p.knownTypes(); err != nil {
		return nil, err
	}
	if err := p.resources(); err != nil {
		return nil, err
	}
	if p.order, err = p.deps.Order(); err != nil {
		return nil, invalid(err)
	}
	return p, nil
}

// pseudo are the pseudo parameters of a stack.
func pseudo(sc scope, name, id string) map[string]any {
	suffix := "amazonaws.com"
	if arn.Partition(sc.Region) == "aws-cn" {
		suffix += ".cn"
	}
	return map[string]any{
		"AWS::AccountId": sc.Account, "AWS::Region": sc.Region, "AWS::Partition": arn.Partition(sc.Region), "AWS::URLSuffix": suffix,
		"AWS::StackName": name, "AWS::StackId": id, "AWS::NotificationARNs": []any{},
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// invalid is the fault for a template that is refused.
func invalid(err error) error { return fault.Of(fault.Validation, "%s", err.Error()) }

// invalid adds the place to an error of the evaluator, whose path begins at path.
func (p *plan) invalid(err error, path ...string) error {
	var e *intrinsic.Error
	if !errors.As(err, &e) {
		return err
	}
	return p.refuse(e.Text, append(path, e.Path...)...)
}

func (p *plan) refuse(text string, path ...string) error {
	return invalid(&template.Error{Text: text, Pos: p.at(path...)})
}

// at is where path stands in the text as it was sent. What a transform made is
// placed at the resource that it made it of: its id begins with that one's.
func (p *plan) at(path ...string) template.Pos {
	if len(path) > 1 && path[0] == "Resources" && p.tmpl.At(path[:2]...) == p.tmpl.At(path[:1]...) {
		best := ""
		for _, id := range p.tmpl.Order {
			if strings.HasPrefix(path[1], id) && len(id) > len(best) && p.tmpl.At("Resources", id) != p.tmpl.At("Resources") {
				best = id
			}
		}
		if best != "" {
			return p.tmpl.At("Resources", best)
		}
	}
	return p.tmpl.At(path...)
}

// knownTypes refuses types that no room provides, all at once.
func (p *plan) knownTypes() error {
	types, where := map[string]bool{}, []string{}
	for _, id := range p.tmpl.Order {
		t := p.tmpl.Resources[id].Type
		if p.types.of(t) != nil {
			continue
		}
		types[t] = true
		text := "resource " + id + " (" + t + ")"
		if pos := p.at("Resources", id, "Type"); pos.Line > 0 {
			text += " at " + pos.String()
		}
		where = append(where, text)
	}
	if len(types) == 0 {
		return nil
	}
	names := make([]string, 0, len(types))
	for t := range types {
		names = append(names, t)
	}
	sort.Strings(names)
	return fault.Of(fault.Validation, "Template format error: Unrecognized resource types: [%s]: %s", strings.Join(names, ", "), strings.Join(where, ", "))
}

// resources decides which resources are wanted, what each depends on, and checks
// their properties as far as they are known before anything exists.
func (p *plan) resources() error {
	for _, id := range p.tmpl.Order {
		r := p.tmpl.Resources[id]
		on := true
		if r.Condition != "" {
			var err error
			if on, err = p.eval.Condition(r.Condition); err != nil {
				return p.invalid(err, "Resources", id, "Condition")
			}
		}
		p.active[id] = on
	}
	for _, id := range p.tmpl.Order {
		if !p.active[id] {
			continue
		}
		r := p.tmpl.Resources[id]
		if _, err := p.creationPolicy(id); err != nil {
			return err
		}
		if _, _, err := p.policies(id); err != nil {
			return err
		}
		v := &view{plan: p, seen: map[string]bool{}, known: func(string) *existing { return nil }}
		props, err := p.properties(id, v)
		if err != nil {
			return err
		}
		if err := p.check(id, props); err != nil {
			return err
		}
		if _, err := p.aliasPolicy(id, v); err != nil {
			return err
		}
		for _, d := range r.DependsOn {
			if p.active[d] {
				v.seen[d] = true
			}
		}
		deps := make([]string, 0, len(v.seen))
		for d := range v.seen {
			deps = append(deps, d)
		}
		sort.Strings(deps)
		p.deps[id] = deps
	}
	if len(p.deps) == 0 {
		return p.refuse("Template format error: At least one Resources member must be defined: the conditions leave none.", "Resources")
	}
	v := &view{plan: p, seen: map[string]bool{}, known: func(string) *existing { return nil }}
	_, err := p.outputs(v)
	return err
}

// properties evaluates a resource's properties.
func (p *plan) properties(id string, v intrinsic.Resources) (map[string]any, error) {
	eval := p.eval
	eval.Resources = v
	out := map[string]any{}
	for name, raw := range p.tmpl.Resources[id].Properties {
		x, err := eval.Eval(raw)
		if err != nil {
			return nil, p.invalid(err, "Resources", id, "Properties", name)
		}
		if x != nil {
			out[name] = local(x, p.origin)
		}
	}
	return out, p.checkDynamic(id, out)
}

// check finds what is wrong with a resource's properties.
func (p *plan) check(id string, props map[string]any) error {
	r := p.tmpl.Resources[id]
	bad := p.types.of(r.Type).Check(withoutDynamic(props).(map[string]any))
	if r.Type == waitType && r.CreationPolicy == nil {
		for _, name := range []string{"Handle", "Timeout"} {
			if props[name] == nil {
				bad = append(bad, resource.Problem{Text: "required key [" + name + "] not found"})
			}
		}
	}
	if len(bad) == 0 {
		return nil
	}
	lines := make([]string, len(bad))
	for i, b := range bad {
		lines[i] = strings.Join(append([]string{"#"}, b.Path...), "/") + ": " + b.Text
		if pos := p.at(append([]string{"Resources", id, "Properties"}, b.Path...)...); pos.Line > 0 {
			lines[i] += " (" + pos.String() + ")"
		}
	}
	return fault.Of(fault.Validation, "Properties validation failed for resource %s (%s) with message: %s", id, r.Type, strings.Join(lines, "; "))
}

// policies returns a resource's DeletionPolicy and UpdateReplacePolicy.
func (p *plan) policies(id string) (deletion, replacement string, err error) {
	r := p.tmpl.Resources[id]
	read := func(name string, raw any, allowed ...string) string {
		if raw == nil || err != nil {
			return ""
		}
		v, e := p.eval.Eval(raw)
		if e != nil {
			err = p.invalid(e, "Resources", id, name)
			return ""
		}
		text, _ := v.(string)
		switch {
		case text == "Snapshot":
			err = p.refuse("Template error: resource type "+r.Type+" does not support "+name+" Snapshot", "Resources", id, name)
		case !contains(allowed, text):
			err = p.refuse("Template format error: Unrecognized "+name+" "+text+" for resource "+id, "Resources", id, name)
		}
		return text
	}
	deletion = read("DeletionPolicy", r.DeletionPolicy, "Delete", "Retain", "RetainExceptOnCreate")
	replacement = read("UpdateReplacePolicy", r.UpdateReplacePolicy, "Delete", "Retain")
	return deletion, replacement, err
}

// meaningless lists the properties that are set and have no meaning here.
func (p *plan) meaningless(id string, props map[string]any) []string {
	var out []string
	for _, d := range p.types.of(p.tmpl.Resources[id].Type).Properties {
		if _, set := props[d.Name]; set && d.Meaningless {
			out = append(out, d.Name)
		}
	}
	return out
}

// outputs evaluates the outputs.
func (p *plan) outputs(v intrinsic.Resources) ([]outputRecord, error) {
	eval := p.eval
	eval.Resources = v
	var out []outputRecord
	names := make([]string, 0, len(p.tmpl.Outputs))
	for name := range p.tmpl.Outputs {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		o := p.tmpl.Outputs[name]
		if o.Condition != "" {
			on, err := eval.Condition(o.Condition)
			if err != nil {
				return nil, p.invalid(err, "Outputs", name, "Condition")
			}
			if !on {
				continue
			}
		}
		value, err := p.text(&eval, o.Value, "Outputs", name, "Value")
		if err != nil {
			return nil, err
		}
		rec := outputRecord{Key: name, Value: value, Description: o.Description}
		if o.Export != nil {
			if rec.Export, err = p.text(&eval, o.Export, "Outputs", name, "Export", "Name"); err != nil {
				return nil, err
			}
		}
		out = append(out, rec)
	}
	return out, nil
}

// text evaluates what must be a string; one that is not known yet is "".
func (p *plan) text(eval *intrinsic.Scope, raw any, path ...string) (string, error) {
	v, err := eval.Eval(raw)
	if err != nil {
		return "", p.invalid(err, path...)
	}
	if _, unknown := v.(resource.Unknown); unknown {
		return "", nil
	}
	s, ok := template.Text(local(v, p.origin))
	if !ok {
		return "", p.refuse(fmt.Sprintf("Template format error: The %s field of every %s member must evaluate to a String.", path[len(path)-1], path[0]), path...)
	}
	if ref := dynamicForm.FindString(s); ref != "" {
		return "", p.refuse("Dynamic references such as "+ref+" are for properties of resources", path...)
	}
	return s, nil
}

// view is what the resources of a stack give while nothing, or only some of
// them, is known. It notes which were asked.
type view struct {
	plan  *plan
	seen  map[string]bool
	known func(id string) *existing // nil if the resource does not exist yet
}

// Ref implements intrinsic.Resources.
func (v *view) Ref(id string) (any, error) {
	x, err := v.ask(id)
	if x == nil || err != nil {
		return resource.Unknown{}, err
	}
	return x.ref(), nil
}

func (x *existing) ref() string {
	if x.Ref != "" {
		return x.Ref
	}
	return x.Physical
}

// GetAtt implements intrinsic.Resources.
func (v *view) GetAtt(id, attribute string) (any, error) {
	x, err := v.ask(id)
	if err != nil {
		return nil, err
	}
	t := v.plan.types.of(v.plan.tmpl.Resources[id].Type)
	if !hasAttribute(t, attribute) {
		return nil, &intrinsic.Error{Text: "Template error: resource " + id + " does not support attribute type " + attribute + " in Fn::GetAtt"}
	}
	if x == nil {
		return resource.Unknown{}, nil
	}
	if a, ok := lookup(x.Attributes, attribute); ok {
		return a, nil
	}
	if hasAttribute(t, resource.AnyAttribute) {
		return nil, &intrinsic.Error{Text: "CustomResource attribute error: Vendor response doesn't contain " + attribute + " attribute in object " + v.plan.stackID + "|" + id + "|" + x.Physical}
	}
	return nil, &intrinsic.Error{Text: "Template error: resource " + id + " has no value for attribute " + attribute}
}

func (v *view) ask(id string) (*existing, error) {
	if !v.plan.active[id] {
		return nil, &intrinsic.Error{Text: "Template format error: Unresolved resource dependencies [" + id + "] in the Resources block of the template"}
	}
	v.seen[id] = true
	return v.known(id), nil
}

func hasAttribute(t *resource.Type, name string) bool {
	for _, a := range t.Attributes {
		if a == resource.AnyAttribute || name == a || strings.HasPrefix(name, a+".") {
			return true
		}
	}
	return false
}

// lookup finds an attribute by its name, or by the path that the name is.
func lookup(attributes map[string]any, name string) (any, bool) {
	if v, ok := attributes[name]; ok {
		return v, true
	}
	head, rest, dot := strings.Cut(name, ".")
	for dot {
		if m, ok := attributes[head].(map[string]any); ok {
			return lookup(m, rest)
		}
		var more string
		more, rest, dot = strings.Cut(rest, ".")
		head += "." + more
	}
	return nil, false
}

// importValue reads an export and notes that it is used.
func (s *Service) importValue(ctx context.Context, sc scope, p *plan, name string) (any, error) {
	var e *exportRecord
	err := s.view(ctx, func(rd data.Reader) (err error) {
		e, err = get[exportRecord](rd, sc.exportKey(name))
		return err
	})
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, &intrinsic.Error{Text: "No export named " + name + " found"}
	}
	p.mu.Lock()
	p.imports[name] = true
	p.mu.Unlock()
	return e.Value, nil
}
