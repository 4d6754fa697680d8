package cloudformation

import (
	"maps"

	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// The values of parameters with NoEcho are shown by nothing that describes a stack,
// its events, change sets or drifts: asterisks stand in their place. What the user
// writes into outputs and Metadata is shown, as on AWS.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html

// echo returns a resource's properties as they may be shown, nil if that is as they
// are. props are the properties evaluated with v.
func (p *plan) echo(id string, v intrinsic.Resources, props map[string]any) map[string]any {
	if len(p.hidden) == 0 {
		return nil
	}
	eval := p.eval
	eval.Resources, eval.Params = v, maps.Clone(p.eval.Params)
	for _, name := range p.hidden {
		if _, list := eval.Params[name].([]any); list {
			eval.Params[name] = []any{hidden}
		} else {
			eval.Params[name] = hidden
		}
	}
	out, differs := make(map[string]any, len(props)), false
	for name, x := range props {
		shown, err := eval.Eval(p.tmpl.Resources[id].Properties[name])
		if err != nil || shown == nil { // the asterisks cannot be taken apart as the value can
			shown = hidden
		}
		shown = local(shown, p.origin)
		if out[name] = x; !intrinsic.Same(x, shown) {
			out[name], differs = shown, true
		}
	}
	if !differs {
		return nil
	}
	return out
}

// echoed are the properties as they may be shown.
func (x *existing) echoed() map[string]any {
	if x.Echo != nil {
		return x.Echo
	}
	return x.Properties
}

// text is what events show of the properties.
func (x *existing) text() string { return template.JSON(x.echoed()) }
