package cloudformation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/sam"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// wanted is what CreateStack, UpdateStack and CreateChangeSet ask for alike.
type wanted struct {
	body, url                   *string
	previous                    bool
	params                      []api.Parameter
	capabilities, resourceTypes []string
	tags                        []api.Tag
	role                        *string
	// direct says that no change set stands between the request and the macros.
	direct bool

	rollback      *api.RollbackConfiguration
	notifications []string
}

// refuseSettings refuses by name what would be stored and not act.
func (w *wanted) refuseSettings() error {
	switch {
	case len(w.notifications) > 0:
		return fault.Of(fault.Validation, "NotificationARNs: notifications through SNS are not supported yet")
	case w.rollback != nil && (len(w.rollback.RollbackTriggers) > 0 || opt.Val(w.rollback.MonitoringTimeInMinutes) > 0):
		return fault.Of(fault.Validation, "RollbackConfiguration: rollback triggers and monitoring time are not supported yet")
	}
	return nil
}

// prepare turns a request into a specification and its plan. prior is the
// stack's present specification, nil if it has none.
func (s *Service) prepare(ctx context.Context, rq *call.Authorized, w wanted, prior *specRecord, name, id string) (*specRecord, *plan, error) {
	if err := w.refuseSettings(); err != nil {
		return nil, nil, err
	}
	spec := &specRecord{V: version, Capabilities: w.capabilities, Role: opt.Val(w.role), Scheme: rq.Incoming().Scheme, Host: rq.Incoming().Host}
	var err error
	if w.previous {
		if w.body != nil || w.url != nil {
			return nil, nil, fault.Of(fault.Validation, "You cannot specify both usePreviousTemplate and Template Body/Template URL.")
		}
		if prior == nil {
			return nil, nil, fault.Of(fault.Validation, "No previous template exists for stack %s.", name)
		}
		spec.Body = prior.Body
	} else if spec.Body, err = s.body(ctx, rq, w.body, w.url); err != nil {
		return nil, nil, err
	}
	if spec.Tags, err = tagsOf(w.tags); err != nil {
		return nil, nil, err
	}
	if prior != nil {
		if spec.Role == "" {
			spec.Role = prior.Role
		}
		if w.tags == nil {
			spec.Tags = prior.Tags
		}
	}
	sc := scopeOf(rq.Decoded)
	source, err := template.Parse([]byte(spec.Body))
	if err != nil {
		return nil, nil, invalid(err)
	}
	doc := source.Value().(map[string]any)
	raw, err := template.Read(withoutLoops(doc), source)
	if err != nil {
		return nil, nil, invalid(err)
	}
	given, err := givenParams(w.params, prior, raw)
	if err != nil {
		return nil, nil, err
	}
	if spec.Params, err = intrinsic.Values(raw, given); err != nil {
		var e *intrinsic.Error
		if errors.As(err, &e) && len(e.Path) > 0 {
			err = &template.Error{Text: e.Text, Pos: raw.At(e.Path...)}
		}
		return nil, nil, invalid(err)
	}
	for k, p := range raw.Parameters {
		if p.NoEcho {
			spec.Hidden = append(spec.Hidden, k)
		}
	}
	as := rq.As()
	if spec.Role != "" {
		as = call.AsRole(spec.Role, "AWSCloudFormation", serviceName, sc.Region).From(rq.Incoming())
	}
	if err := s.resolveParameters(ctx, as, raw.Parameters, spec); err != nil {
		return nil, nil, err
	}
	if err := exist(sc, raw.Parameters, spec.values()); err != nil {
		return nil, nil, err
	}
	processed, err := process(doc, raw, source, spec.values(), sc, name, id, s.macros(ctx, rq, as, &w, spec.values()))
	if err != nil {
		return nil, nil, err
	}
	transforms := raw.Transforms
	if hasSnippets(doc) {
		transforms = append(slices.Clone(transforms), inSnippet)
	}
	spec.Transformed = len(transforms) > 0
	spec.Processed, spec.Extensions = template.JSON(processed), contains(raw.Transforms, languageExtensions)
	p, err := s.plan(ctx, sc, spec, source, name, id)
	if err != nil {
		return nil, nil, err
	}
	if err := p.allowedTypes(w.resourceTypes); err != nil {
		return nil, nil, err
	}
	if err := missingCapabilities(p.tmpl, transforms, w.capabilities, w.direct); err != nil {
		return nil, nil, err
	}
	return spec, p, nil
}

func tagsOf(list []api.Tag) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	m := map[string]string{}
	for _, t := range list {
		if _, twice := m[opt.Val(t.Key)]; twice {
			return nil, fault.Of(fault.Validation, "Duplicate tag keys found: %s", opt.Val(t.Key))
		}
		m[opt.Val(t.Key)] = opt.Val(t.Value)
	}
	if err := tags.Check(m); err != nil {
		return nil, fault.Of(fault.Validation, "%s", err.Error())
	}
	return m, nil
}

func givenParams(list []api.Parameter, prior *specRecord, t *template.Template) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range list {
		k := opt.Val(p.ParameterKey)
		if _, twice := out[k]; twice {
			return nil, fault.Of(fault.Validation, "Duplicate parameter key: %s", k)
		}
		if !opt.Val(p.UsePreviousValue) {
			if p.ParameterValue == nil {
				return nil, fault.Of(fault.Validation, "Parameters: [%s] must have values", k)
			}
			out[k] = *p.ParameterValue
			continue
		}
		if p.ParameterValue != nil {
			return nil, fault.Of(fault.Validation, "Invalid input for parameter key %s. Cannot specify usePreviousValue as true and a parameter value at the same time", k)
		}
		v, ok := "", false
		if prior != nil {
			v, ok = prior.Params[k]
		}
		if !ok {
			return nil, fault.Of(fault.Validation, "Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", k)
		}
		if t.Parameters[k] != nil {
			out[k] = v
		}
	}
	return out, nil
}

// withoutLoops leaves out the loops and the snippets at the places where sections are
// checked before they are expanded.
func withoutLoops(doc map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range doc {
		m, ok := v.(map[string]any)
		if !ok {
			out[k] = v
			continue
		}
		n, looped := map[string]any{}, false
		for name, x := range m {
			if strings.HasPrefix(name, "Fn::ForEach::") || name == inSnippet {
				looped = true
				continue
			}
			if r, ok := x.(map[string]any); ok && k == "Resources" && r[inSnippet] != nil && r["Type"] == nil {
				x = map[string]any{"Type": loop}
			}
			n[name] = x
		}
		if looped && len(n) == 0 && k == "Resources" {
			n["Loop"] = map[string]any{"Type": loop}
		}
		out[k] = n
	}
	if _, has := out["Resources"]; !has && out["Transform"] != nil {
		out["Resources"] = map[string]any{"Loop": map[string]any{"Type": loop}} // a macro may make them
	}
	return out
}

// process carries out the transforms that a template asks for: those of its parts, then
// those of the whole. Without macros (nil) parts stay as they are.
func process(doc map[string]any, t *template.Template, source *template.Node, values map[string]string, sc scope, name, id string, run macro) (map[string]any, error) {
	params := intrinsic.Params(t, values)
	for k, v := range pseudo(sc, name, id) {
		params[k] = v
	}
	eval := &intrinsic.Scope{Template: t, Params: params, Extensions: true}
	names, arguments, err := wholes(doc, eval)
	if err != nil {
		return nil, err
	}
	if run != nil && hasSnippets(doc) {
		v, err := snippets(doc, eval, run)
		if err != nil {
			return nil, err
		}
		doc = v.(map[string]any)
	}
	for i, tr := range names {
		switch {
		case tr == languageExtensions:
			if doc, err = eval.Expand(doc); err != nil {
				return nil, invalid(errors.New("Transform AWS::LanguageExtensions failed with: " + err.Error()))
			}
		case tr == sam.Name:
			doc, err = sam.Transform(doc, sam.Input{Params: params, Region: sc.Region, Partition: arn.Partition(sc.Region),
				Keys: source.Keys, Local: id == ""}) // without a stack there is nothing to have packages for
			if err != nil {
				return nil, invalid(errors.New("Transform AWS::Serverless-2016-10-31 failed with: " + located(err, source)))
			}
		case run == nil || strings.HasPrefix(tr, "AWS::") && tr != include:
			return nil, fault.Of(fault.Validation, "No transform named %s found.", tr)
		default:
			fragment := maps.Clone(doc)
			delete(fragment, "Transform")
			v, err := run(tr, arguments[i], fragment)
			if err != nil {
				return nil, err
			}
			whole, ok := v.(map[string]any)
			if !ok {
				return nil, fault.Of(fault.Validation, "Received malformed response from transform %s::%s", sc.Account, tr)
			}
			doc = whole
		}
	}
	doc = maps.Clone(doc)
	delete(doc, "Transform")
	return doc, nil
}

// located adds to each of the transform's problems where its resource stands.
func located(err error, source *template.Node) string {
	var e *sam.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	out := *e
	out.Problems = nil
	for _, p := range e.Problems {
		path := append([]string{"Resources", p.ID}, p.Path...)
		if pos := source.At(path...); p.ID != "" && pos != source.At("Resources") {
			p.Text += " (" + pos.String() + ")"
		}
		out.Problems = append(out.Problems, p)
	}
	return out.Error()
}

// loop stands for the loops of a template that are not expanded yet.
const loop = "AWS::CloudFormation::Loop"

// allowedTypes keeps a template to the types that the request names: full names,
// AWS::*, AWS::SERVICE::*, Custom::*.
func (p *plan) allowedTypes(allowed []string) error {
	if len(allowed) == 0 {
		return nil
	}
	for _, id := range p.tmpl.Order {
		ok, t := false, p.tmpl.Resources[id].Type
		for _, a := range allowed {
			prefix, wild := strings.CutSuffix(a, "*")
			ok = ok || a == t || wild && strings.HasPrefix(t, prefix)
		}
		if !ok {
			return p.refuse("Resource type "+t+" is not allowed by parameter ResourceTypes ["+strings.Join(allowed, ", ")+"]", "Resources", id, "Type")
		}
	}
	return nil
}

// iamNames are the IAM types that take CAPABILITY_IAM, with the property that
// gives the resource a name of the caller's choice and takes CAPABILITY_NAMED_IAM.
var iamNames = map[string]string{
	"AWS::IAM::Role": "RoleName", "AWS::IAM::User": "UserName", "AWS::IAM::Group": "GroupName",
	"AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::IAM::InstanceProfile": "InstanceProfileName",
	"AWS::IAM::Policy": "", "AWS::IAM::AccessKey": "", "AWS::IAM::UserToGroupAddition": "",
	"AWS::IAM::RolePolicy": "", "AWS::IAM::UserPolicy": "", "AWS::IAM::GroupPolicy": "",
}

// capabilities says which capabilities a template takes, and why.
func capabilities(t *template.Template) (capability, reason string) {
	found := map[string]bool{}
	for _, r := range t.Resources {
		named, iam := iamNames[r.Type]
		if !iam {
			continue
		}
		found[r.Type] = true
		if capability == "" {
			capability = api.CapabilityCapabilityIam
		}
		if _, ok := r.Properties[named]; ok && named != "" {
			capability = api.CapabilityCapabilityNamedIam
		}
	}
	if capability == "" {
		return "", ""
	}
	types := make([]string, 0, len(found))
	for t := range found {
		types = append(types, t)
	}
	sort.Strings(types)
	return capability, "The following resource(s) require capabilities: [" + strings.Join(types, ", ") + "]"
}

func missingCapabilities(t *template.Template, transforms, given []string, direct bool) error {
	var missing []string
	need, _ := capabilities(t)
	has := func(c string) bool { return contains(given, c) }
	if need != "" && !has(need) && !has(api.CapabilityCapabilityNamedIam) {
		missing = append(missing, need)
	}
	if direct && len(transforms) > 0 && !has(api.CapabilityCapabilityAutoExpand) {
		missing = append(missing, api.CapabilityCapabilityAutoExpand)
	}
	if len(missing) > 0 {
		return api.InsufficientCapabilitiesException("Requires capabilities : [%s]", strings.Join(missing, ", "))
	}
	return nil
}
