package ssm

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func readParameter(ctx context.Context, rq *resource.Request, name string, _ *parameterProperties) (*parameterProperties, resource.State, error) {
	none := resource.State{}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetParameters, &api.GetParametersRequest{Names: []string{name}})
	if err != nil || len(out.Parameters) == 0 {
		return nil, none, err
	}
	is := out.Parameters[0]
	p := &parameterProperties{Name: &name, Type: opt.Val(is.Type), Value: opt.Val(is.Value), DataType: is.DataType}
	more, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeParameters, &api.DescribeParametersRequest{
		ParameterFilters: []api.ParameterStringFilter{{Key: new("Name"), Option: new("Equals"), Values: []string{name}}},
	})
	if err != nil {
		return nil, none, err
	}
	if len(more.Parameters) == 1 {
		m := more.Parameters[0]
		p.Description, p.AllowedPattern, p.Tier = m.Description, m.AllowedPattern, m.Tier
	}
	tags, err := call.Do(ctx, rq.Caller, rq.As, api.ListTagsForResource, &api.ListTagsForResourceRequest{ResourceType: new(api.ResourceTypeForTaggingParameter), ResourceId: &name})
	if err != nil {
		return nil, none, err
	}
	for _, t := range tags.TagList {
		if p.Tags == nil {
			p.Tags = map[string]string{}
		}
		p.Tags[*t.Key] = opt.Val(t.Value)
	}
	return p, p.state(name), nil
}

func listParameters(ctx context.Context, rq *resource.Request, _ *parameterProperties) (out []string, err error) {
	in := &api.DescribeParametersRequest{}
	for {
		page, err := call.Do(ctx, rq.Caller, rq.As, api.DescribeParameters, in)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Parameters {
			if opt.Val(p.Type) != api.ParameterTypeSecureString {
				out = append(out, *p.Name)
			}
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return out, nil
		}
	}
}
