package cloudformation

import (
	"sort"

	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// change is what an update does to one resource.
type change struct {
	Action            string // Add, Modify, Remove
	Logical, Physical string
	Type              string
	Replacement       string         // True, False, Conditional; "" unless Modify
	Policy            string         `json:",omitempty"` // what the policies say of the deletion
	Scope             []string       `json:",omitempty"`
	Details           []changeDetail `json:",omitempty"`
	Before, After     string         `json:",omitempty"` // the contexts, as JSON
	Set               string         `json:",omitempty"` // the change set of a nested stack
	// becomes are the properties, with what must not be shown.
	becomes map[string]any
}

// changeDetail is what an update does to one property.
type changeDetail struct {
	Attribute, Name        string
	Recreation             string // Never, Conditionally, Always; of properties
	Evaluation             string // Static, Dynamic
	Source, Cause          string
	Before, After, Mutated string
}

// compare says what an update from the resources as they are to the plan does.
// Values that come from resources that are made anew are not known; what depends
// on them is "Dynamic", as with CloudFormation.
func (p *plan) compare(recs map[string]*resourceRecord, prior, spec *specRecord) ([]change, error) {
	why, err := p.reasons(prior, spec)
	if err != nil {
		return nil, err
	}
	tagged := prior != nil && !sameTags(prior.Tags, spec.Tags)
	state := map[string]*existing{} // known after the update: as it is, or changed in place
	moved := map[string]bool{}      // changed in place, so that attributes may change
	var out []change
	for _, id := range p.order {
		v := &changedView{view: view{plan: p, seen: map[string]bool{}, known: func(id string) *existing { return state[id] }}, moved: moved}
		props, err := p.properties(id, v)
		if err != nil {
			return nil, err
		}
		t := p.types.of(p.tmpl.Resources[id].Type)
		rec, shows := recs[id], p.echo(id, v, props)
		if shows == nil {
			shows = props
		}
		if rec == nil || rec.Physical == "" {
			out = append(out, change{Action: api.ChangeActionAdd, Logical: id, Type: t.Name, After: asContext(shows), becomes: props})
			continue
		}
		c := change{Action: api.ChangeActionModify, Logical: id, Physical: rec.Physical, Type: t.Name, Before: asContext(rec.echoed()), After: asContext(shows), becomes: props}
		names := changes(rec.Properties, props)
		var sure []string // certain to change
		for _, name := range names {
			d := p.detail(id, name, t, rec.Properties, props)
			d.Before, d.After = plainText(rec.echoed()[name]), plainText(shows[name])
			if d.Evaluation == api.EvaluationTypeStatic {
				sure = append(sure, name)
				c.Details = append(c.Details, why.each(d, id, name)...)
				continue
			}
			c.Details = append(c.Details, d)
		}
		if len(names) > 0 {
			c.Scope = append(c.Scope, api.ResourceAttributeProperties)
		}
		if tagged && hasProperty(t.Properties, "Tags") && !contains(names, "Tags") {
			names, sure = append(names, "Tags"), append(sure, "Tags")
			c.Scope = append(c.Scope, api.ResourceAttributeTags)
			c.Details = append(c.Details, changeDetail{Attribute: api.ResourceAttributeTags, Evaluation: api.EvaluationTypeStatic, Source: api.ChangeSourceDirectModification})
		}
		deletion, replacement, err := p.policies(id)
		if err != nil {
			return nil, err
		}
		for _, attribute := range []struct {
			name    string
			differs bool
		}{
			{api.ResourceAttributeMetadata, rec.Metadata != metadata(p.tmpl.Resources[id])},
			{api.ResourceAttributeDeletionPolicy, rec.Deletion != deletion},
			{api.ResourceAttributeUpdateReplacePolicy, rec.Replacement != replacement},
		} {
			if attribute.differs {
				c.Scope = append(c.Scope, attribute.name)
				c.Details = append(c.Details, changeDetail{Attribute: attribute.name, Evaluation: api.EvaluationTypeStatic, Source: api.ChangeSourceDirectModification})
			}
		}
		sort.Strings(c.Scope)
		switch {
		case rec.Type != t.Name || !t.InPlace(sure):
			c.Replacement = api.ReplacementTrue
			c.Policy = api.PolicyActionReplaceAndDelete
			if rec.Replacement == "Retain" {
				c.Policy = api.PolicyActionReplaceAndRetain
			}
		case !t.InPlace(names):
			c.Replacement = api.ReplacementConditional
		default:
			c.Replacement = api.ReplacementFalse
		}
		if c.Replacement != api.ReplacementTrue {
			if c.Replacement == api.ReplacementFalse {
				state[id] = &rec.existing
			}
			moved[id] = len(names) > 0
		}
		if len(c.Scope) > 0 || rec.Type != t.Name {
			out = append(out, c)
		}
	}
	return append(out, p.removals(recs)...), nil
}

func (p *plan) removals(recs map[string]*resourceRecord) []change {
	var out []change
	for id, rec := range recs {
		if p.active[id] {
			continue
		}
		c := change{Action: api.ChangeActionRemove, Logical: id, Physical: rec.Physical, Type: rec.Type, Before: asContext(rec.echoed()), Policy: api.PolicyActionDelete}
		if rec.Deletion == "Retain" || rec.Deletion == "RetainExceptOnCreate" {
			c.Policy = api.PolicyActionRetain
		}
		out = append(out, c)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Logical < out[j].Logical })
	return out
}

// afterwards stands for a value that is known only when the update runs.
const afterwards = "{{changeSet:KNOWN_AFTER_APPLY}}"

// asContext is a resource's properties as change sets show them.
func asContext(props map[string]any) string {
	return template.JSON(map[string]any{"Properties": shown(props)})
}

func shown(v any) any {
	switch v := v.(type) {
	case resource.Unknown:
		return afterwards
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = shown(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = shown(x)
		}
		return out
	}
	return v
}

// detail says what becomes of one property, and why.
func (p *plan) detail(id, name string, t *resource.Type, old, props map[string]any) changeDetail {
	d := changeDetail{
		Attribute: api.ResourceAttributeProperties, Name: name, Evaluation: api.EvaluationTypeStatic, Source: api.ChangeSourceDirectModification,
		Recreation: api.RequiresRecreationNever, Mutated: api.AttributeChangeTypeModify,
	}
	if !t.InPlace([]string{name}) {
		d.Recreation = api.RequiresRecreationAlways
	}
	if _, had := old[name]; !had {
		d.Mutated = api.AttributeChangeTypeAdd
	} else if _, has := props[name]; !has {
		d.Mutated = api.AttributeChangeTypeRemove
	}
	raw := p.tmpl.Resources[id].Properties[name]
	if !intrinsic.Known(props[name]) {
		d.Evaluation = api.EvaluationTypeDynamic
		if d.Recreation == api.RequiresRecreationAlways {
			d.Recreation = api.RequiresRecreationConditionally
		}
		d.Source, d.Cause = p.cause(raw)
	}
	return d
}

// cause finds the resource on which a value depends.
func (p *plan) cause(raw any) (source, entity string) {
	v := &causeView{plan: p}
	eval := p.eval
	eval.Resources = v
	_, _ = eval.Eval(raw) // it was evaluated without an error before
	return v.source, v.entity
}

type causeView struct {
	plan           *plan
	source, entity string
}

// Ref implements intrinsic.Resources.
func (v *causeView) Ref(id string) (any, error) {
	v.source, v.entity = api.ChangeSourceResourceReference, id
	return resource.Unknown{}, nil
}

// GetAtt implements intrinsic.Resources.
func (v *causeView) GetAtt(id, attribute string) (any, error) {
	v.source, v.entity = api.ChangeSourceResourceAttribute, id+"."+attribute
	return resource.Unknown{}, nil
}

func plainText(v any) string {
	if v == nil {
		return ""
	}
	v = shown(v)
	if s, ok := template.Text(v); ok {
		return s
	}
	return template.JSON(v)
}

// changedView is a view in which the attributes of resources that change in place
// are not known.
type changedView struct {
	view
	moved map[string]bool
}

// GetAtt implements intrinsic.Resources.
func (v *changedView) GetAtt(id, attribute string) (any, error) {
	x, err := v.view.GetAtt(id, attribute)
	if err == nil && v.moved[id] {
		return resource.Unknown{}, nil
	}
	return x, err
}

// outputsChanged reports whether the outputs would differ though no resource does.
func (p *plan) outputsChanged(recs map[string]*resourceRecord, old []outputRecord) bool {
	v := &view{plan: p, seen: map[string]bool{}, known: func(id string) *existing {
		if rec := recs[id]; rec != nil && rec.Physical != "" {
			return &rec.existing
		}
		return nil
	}}
	now, err := p.outputs(v)
	if err != nil || len(now) != len(old) {
		return true
	}
	for i := range now {
		if now[i] != old[i] {
			return true
		}
	}
	return false
}
