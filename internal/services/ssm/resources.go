package ssm

import (
	"context"
	"maps"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-parameter.html
type parameterProperties struct {
	Name           *string           `cfn:"Name,replace"`
	Type           string            `cfn:"Type,required"`
	Value          string            `cfn:"Value,required"`
	Description    *string           `cfn:"Description"`
	AllowedPattern *string           `cfn:"AllowedPattern"`
	Tier           *string           `cfn:"Tier"`
	DataType       *string           `cfn:"DataType"`
	Tags           map[string]string `cfn:"Tags"`

	_ any `cfn:"Policies,refused"`
}

// ResourceTypes implements resource.Provider.
func (s *Service) ResourceTypes() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::SSM::Parameter", resource.Handlers[parameterProperties]{
			Create: createParameter, Update: updateParameter, Delete: deleteParameter, Find: findParameter, Check: checkParameter, Attributes: []string{"Type", "Value"},
			Identifier: []string{"Name"}, Read: readParameter, List: listParameters,
		}),
	}
}

func checkParameter(p *parameterProperties) []resource.Problem {
	if p.Type == "" || p.Type == api.ParameterTypeString || p.Type == api.ParameterTypeStringList { // "" is not known yet
		return nil
	}
	return []resource.Problem{{Path: []string{"Type"}, Text: p.Type + " is not a valid enum value: CloudFormation makes String and StringList parameters"}}
}

func (p *parameterProperties) tags(rq *resource.Request) map[string]string {
	m := maps.Clone(rq.StackTags)
	if m == nil {
		m = map[string]string{}
	}
	maps.Copy(m, p.Tags)
	return m
}

func (p *parameterProperties) name(rq *resource.Request) string {
	if n := opt.Val(p.Name); n != "" {
		return n
	}
	return "CFN-" + rq.Name(240)
}

func (p *parameterProperties) state(name string) resource.State {
	return resource.State{ID: name, Attributes: map[string]any{"Type": p.Type, "Value": p.Value}}
}

func (p *parameterProperties) input(name string) *api.PutParameterRequest {
	return &api.PutParameterRequest{
		Name: &name, Type: &p.Type, Value: &p.Value, Description: p.Description, AllowedPattern: p.AllowedPattern, Tier: p.Tier, DataType: p.DataType,
	}
}

func createParameter(ctx context.Context, rq *resource.Request, p *parameterProperties) (resource.State, error) {
	name := p.name(rq)
	in := p.input(name)
	in.Tags = sortedTags(p.tags(rq))
	if _, err := call.Do(ctx, rq.Caller, rq.As, api.PutParameter, in); err != nil {
		return resource.State{}, err
	}
	return p.state(name), nil
}

func findParameter(ctx context.Context, rq *resource.Request, p *parameterProperties) ([]resource.State, error) {
	name := p.name(rq)
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetParameters, &api.GetParametersRequest{Names: []string{name}})
	if err != nil || len(out.Parameters) == 0 {
		return nil, err
	}
	return []resource.State{p.state(name)}, nil
}

func updateParameter(ctx context.Context, rq *resource.Request, name string, _, p *parameterProperties) (resource.State, error) {
	in := p.input(name)
	in.Overwrite = new(true)
	if _, err := call.Do(ctx, rq.Caller, rq.As, api.PutParameter, in); err != nil {
		return resource.State{}, err
	}
	kind, want := new(api.ResourceTypeForTaggingParameter), p.tags(rq)
	has, err := call.Do(ctx, rq.Caller, rq.As, api.ListTagsForResource, &api.ListTagsForResourceRequest{ResourceType: kind, ResourceId: &name})
	if err != nil {
		return p.state(name), err
	}
	var gone []string
	for _, t := range has.TagList {
		if _, stays := want[*t.Key]; !stays {
			gone = append(gone, *t.Key)
		}
	}
	if len(gone) > 0 {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.RemoveTagsFromResource, &api.RemoveTagsFromResourceRequest{ResourceType: kind, ResourceId: &name, TagKeys: gone}); err != nil {
			return p.state(name), err
		}
	}
	if len(want) > 0 {
		_, err = call.Do(ctx, rq.Caller, rq.As, api.AddTagsToResource, &api.AddTagsToResourceRequest{ResourceType: kind, ResourceId: &name, Tags: sortedTags(want)})
	}
	return p.state(name), err
}

func deleteParameter(ctx context.Context, rq *resource.Request, name string, _ *parameterProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteParameter, &api.DeleteParameterRequest{Name: &name})
	if fault.Is(err, "ParameterNotFound") {
		return nil
	}
	return err
}
