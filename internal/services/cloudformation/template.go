package cloudformation

import (
	"context"
	"sort"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

func (s *Service) templateBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetTemplate, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.GetTemplateInput) ([]call.Need, error) {
			stack := opt.Val(in.StackName)
			if in.StackName == nil {
				c, err := s.changeSet(ctx, scopeOf(rq), opt.Val(in.ChangeSetName), "")
				if err != nil {
					return nil, err
				}
				if c != nil {
					stack = c.Stack
				}
			}
			r, err := s.stackResource(ctx, rq, stack)
			return []call.Need{{Action: "cloudformation:GetTemplate", Resource: r}}, err
		}, "cloudformation:GetTemplate"), s.getTemplate),
		call.Bind(api.GetTemplateSummary, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.GetTemplateSummaryInput) ([]call.Need, error) {
			need := call.Need{Action: "cloudformation:GetTemplateSummary", Resource: "*"}
			var err error
			if in.StackName != nil {
				need.Resource, err = s.stackResource(ctx, rq, *in.StackName)
			}
			return []call.Need{need}, err
		}, "cloudformation:GetTemplateSummary"), s.getTemplateSummary),
		call.Bind(api.ValidateTemplate, call.Any[api.ValidateTemplateInput]("cloudformation:ValidateTemplate"), s.validateTemplate),
	}
}

func (s *Service) getTemplate(ctx context.Context, rq *call.Authorized, in *api.GetTemplateInput) (*api.GetTemplateOutput, error) {
	var spec *specRecord
	if in.ChangeSetName != nil {
		c, err := s.namedChangeSet(ctx, rq, in.ChangeSetName, in.StackName)
		if err != nil {
			return nil, err
		}
		spec = &c.Spec
	} else {
		st, now, _, err := s.present(ctx, scopeOf(rq.Decoded), opt.Val(in.StackName))
		if err != nil {
			return nil, err
		}
		if st == nil {
			return nil, fault.Of(fault.Validation, "Stack with id %s does not exist", opt.Val(in.StackName))
		}
		if spec = now; spec == nil { // it is only under review
			spec = &specRecord{}
		}
	}
	out := &api.GetTemplateOutput{TemplateBody: new(spec.Body), StagesAvailable: []string{api.TemplateStageOriginal, api.TemplateStageProcessed}}
	if opt.Val(in.TemplateStage) == api.TemplateStageProcessed && spec.Transformed {
		out.TemplateBody = new(spec.Processed)
	}
	return out, nil
}

// summarise reads a template that was sent with a request.
func (s *Service) summarise(ctx context.Context, rq *call.Authorized, body, url *string) (*template.Template, error) {
	text, err := s.body(ctx, rq, body, url)
	if err != nil {
		return nil, err
	}
	return readOriginal(text)
}

// readOriginal reads a template as it was sent, before any transform.
func readOriginal(text string) (*template.Template, error) {
	source, err := template.Parse([]byte(text))
	if err != nil {
		return nil, invalid(err)
	}
	doc := source.Value().(map[string]any)
	loops := withoutLoops(doc)
	t, err := template.Read(loops, source)
	if err != nil {
		return nil, invalid(err)
	}
	if !contains(t.Transforms, languageExtensions) && len(t.Transforms) == 0 {
		if err := intrinsic.Check(t); err != nil {
			return nil, (&plan{tmpl: t}).invalid(err)
		}
	}
	return t, nil
}

// capabilitiesOf lists what a template takes before its transforms, which may
// make anything.
func capabilitiesOf(t *template.Template) (list []string, reason *string) {
	if c, why := capabilities(t); c != "" {
		list, reason = []string{c}, &why
	}
	if contains(t.Transforms, "AWS::Serverless-2016-10-31") {
		for _, r := range t.Resources {
			if r.Type == "AWS::Serverless::Function" && r.Properties["Role"] == nil && len(list) == 0 {
				list, reason = []string{api.CapabilityCapabilityIam}, new("The following resource(s) require capabilities: [AWS::IAM::Role]")
			}
		}
	}
	if len(t.Transforms) > 0 {
		list = append(list, api.CapabilityCapabilityAutoExpand)
	}
	return list, reason
}

func (s *Service) validateTemplate(ctx context.Context, rq *call.Authorized, in *api.ValidateTemplateInput) (*api.ValidateTemplateOutput, error) {
	t, err := s.summarise(ctx, rq, in.TemplateBody, in.TemplateURL)
	if err != nil {
		return nil, err
	}
	out := &api.ValidateTemplateOutput{Description: opt.NonZero(t.Description), DeclaredTransforms: t.Transforms, Parameters: []api.TemplateParameter{}}
	out.Capabilities, out.CapabilitiesReason = capabilitiesOf(t)
	for _, name := range parameterNames(t) {
		p := t.Parameters[name]
		out.Parameters = append(out.Parameters, api.TemplateParameter{
			ParameterKey: new(name), DefaultValue: defaultOf(p), NoEcho: new(p.NoEcho), Description: opt.NonZero(p.Description),
		})
	}
	return out, nil
}

func parameterNames(t *template.Template) []string {
	names := make([]string, 0, len(t.Parameters))
	for n := range t.Parameters {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func defaultOf(p *template.Parameter) *string {
	if s, ok := template.Text(p.Default); ok {
		return &s
	}
	return nil
}

func (s *Service) getTemplateSummary(ctx context.Context, rq *call.Authorized, in *api.GetTemplateSummaryInput) (*api.GetTemplateSummaryOutput, error) {
	var t *template.Template
	var err error
	if in.StackSetName != nil {
		if err := callAsSelf(in.CallAs); err != nil {
			return nil, err
		}
		body := ""
		err := s.view(ctx, func(rd data.Reader) error {
			sc := scopeOf(rq.Decoded)
			set, err := sc.activeSet(rd, *in.StackSetName)
			if err != nil {
				return err
			}
			spec, err := get[setSpec](rd, sc.setSpecKey(set.ID, set.Spec))
			if spec != nil {
				body = spec.Body
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		t, err = readOriginal(body)
		if err != nil {
			return nil, err
		}
	} else if in.StackName != nil {
		st, spec, _, e := s.present(ctx, scopeOf(rq.Decoded), *in.StackName)
		if e != nil {
			return nil, e
		}
		if st == nil || spec == nil {
			return nil, fault.Of(fault.Validation, "Stack with id %s does not exist", *in.StackName)
		}
		t, err = readOriginal(spec.Body)
	} else {
		t, err = s.summarise(ctx, rq, in.TemplateBody, in.TemplateURL)
	}
	if err != nil {
		return nil, err
	}
	out := &api.GetTemplateSummaryOutput{
		Description: opt.NonZero(t.Description), DeclaredTransforms: t.Transforms, Parameters: []api.ParameterDeclaration{}, ResourceTypes: []string{},
		Version: new("2010-09-09"),
	}
	if t.Metadata != nil {
		out.Metadata = new(template.JSON(t.Metadata))
	}
	out.Capabilities, out.CapabilitiesReason = capabilitiesOf(t)
	for _, name := range parameterNames(t) {
		p := t.Parameters[name]
		d := api.ParameterDeclaration{
			ParameterKey: new(name), DefaultValue: defaultOf(p), ParameterType: new(p.Type), NoEcho: new(p.NoEcho), Description: opt.NonZero(p.Description),
			ParameterConstraints: &api.ParameterConstraints{AllowedValues: p.AllowedValues},
		}
		out.Parameters = append(out.Parameters, d)
	}
	types := map[string][]string{}
	for _, id := range t.Order {
		if name := t.Resources[id].Type; name != loop {
			types[name] = append(types[name], id)
		}
	}
	for name, ids := range types {
		out.ResourceTypes = append(out.ResourceTypes, name)
		if by := identifiers(s.types().of(name)); by != nil {
			out.ResourceIdentifierSummaries = append(out.ResourceIdentifierSummaries, api.ResourceIdentifierSummary{ResourceType: new(name), LogicalResourceIds: ids, ResourceIdentifiers: by})
		}
		if s.types().of(name) == nil && in.TemplateSummaryConfig != nil && opt.Val(in.TemplateSummaryConfig.TreatUnrecognizedResourceTypesAsWarnings) {
			if out.Warnings == nil {
				out.Warnings = &api.Warnings{}
			}
			out.Warnings.UnrecognizedResourceTypes = append(out.Warnings.UnrecognizedResourceTypes, name)
		}
	}
	sort.Strings(out.ResourceTypes)
	sort.Slice(out.ResourceIdentifierSummaries, func(i, j int) bool {
		return *out.ResourceIdentifierSummaries[i].ResourceType < *out.ResourceIdentifierSummaries[j].ResourceType
	})
	return out, nil
}
