package cloudformation

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// reasons is what tells why the value of a property changes: because parameters have
// other values than before, or because the template says something else.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChangeDetail.html
type reasons struct {
	plan  *plan
	moved map[string]bool // parameters whose values differ from those before
	was   map[string]struct{ Properties map[string]any }
}

func (p *plan) reasons(prior, spec *specRecord) (*reasons, error) {
	why := &reasons{plan: p, moved: map[string]bool{}}
	if prior == nil {
		return why, nil
	}
	var doc struct {
		Resources map[string]struct{ Properties map[string]any }
	}
	if err := decode([]byte(prior.Processed), &doc); err != nil {
		return nil, err
	}
	why.was = doc.Resources
	before := prior.values()
	for k, v := range spec.values() {
		if old, had := before[k]; !had || old != v {
			why.moved[k] = true
		}
	}
	return why, nil
}

// each gives the detail of a property once for each of its causes: every parameter in
// it that changed, and the template, if that did or if nothing else explains it.
func (w *reasons) each(d changeDetail, id, name string) (out []changeDetail) {
	raw := w.plan.tmpl.Resources[id].Properties[name]
	named := map[string]bool{}
	w.parameters(raw, named)
	for _, k := range slices.Sorted(maps.Keys(named)) {
		c := d
		c.Source, c.Cause = api.ChangeSourceParameterReference, k
		out = append(out, c)
	}
	if was := w.was[id].Properties[name]; len(out) == 0 || template.JSON(was) != template.JSON(raw) {
		out = append(out, d)
	}
	return out
}

// parameters collects the changed parameters that a value refers to, also by way of
// conditions.
func (w *reasons) parameters(v any, into map[string]bool) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			w.parameters(x, into)
		}
	case map[string]any:
		for k, x := range v {
			text, _ := x.(string)
			list, _ := x.([]any)
			switch {
			case k == "Ref" && len(v) == 1:
				w.note(text, into)
			case k == "Fn::Sub":
				if len(list) > 0 {
					text, _ = list[0].(string)
				}
				for _, part := range strings.Split(text, "${")[1:] {
					name, _, _ := strings.Cut(part, "}")
					w.note(strings.TrimSpace(name), into)
				}
			case k == "Fn::If" && len(list) > 0:
				name, _ := list[0].(string)
				w.condition(name, into, map[string]bool{})
			}
			w.parameters(x, into)
		}
	}
}

func (w *reasons) note(name string, into map[string]bool) {
	if w.moved[name] && w.plan.tmpl.Parameters[name] != nil {
		into[name] = true
	}
}

// condition collects the parameters of a condition and of those in it.
func (w *reasons) condition(name string, into, seen map[string]bool) {
	if seen[name] {
		return
	}
	seen[name] = true
	raw := w.plan.tmpl.Conditions[name]
	w.parameters(raw, into)
	var within func(v any)
	within = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				within(x)
			}
		case map[string]any:
			if other, ok := v["Condition"].(string); ok && len(v) == 1 {
				w.condition(other, into, seen)
			}
			for _, x := range v {
				within(x)
			}
		}
	}
	within(raw)
}

// describeChangeSetHooks lists none: no hooks can be registered.
func (s *Service) describeChangeSetHooks(ctx context.Context, rq *call.Authorized, in *api.DescribeChangeSetHooksInput) (*api.DescribeChangeSetHooksOutput, error) {
	c, err := s.namedChangeSet(ctx, rq, in.ChangeSetName, in.StackName)
	if err != nil {
		return nil, err
	}
	return &api.DescribeChangeSetHooksOutput{
		ChangeSetId: new(c.ID), ChangeSetName: new(c.Name), StackId: new(c.Stack), StackName: new(c.StackName),
		Hooks: []api.ChangeSetHook{}, Status: new(api.ChangeSetHooksStatusPlanned),
	}, nil
}
