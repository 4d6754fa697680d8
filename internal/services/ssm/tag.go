package ssm

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/ssm"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

func (s *Service) tagBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.AddTagsToResource, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.AddTagsToResourceRequest) ([]call.Need, error) {
			m := map[string]string{}
			for _, t := range in.Tags {
				m[opt.Val(t.Key)] = opt.Val(t.Value)
			}
			n, err := s.need(ctx, rq, "ssm:AddTagsToResource", opt.Val(in.ResourceId), tagConditions(m))
			return []call.Need{n}, err
		}, "ssm:AddTagsToResource"), s.addTagsToResource),
		call.Bind(api.RemoveTagsFromResource, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.RemoveTagsFromResourceRequest) ([]call.Need, error) {
			n, err := s.need(ctx, rq, "ssm:RemoveTagsFromResource", opt.Val(in.ResourceId), map[string][]string{"aws:tagkeys": in.TagKeys})
			return []call.Need{n}, err
		}, "ssm:RemoveTagsFromResource"), s.removeTagsFromResource),
		call.Bind(api.ListTagsForResource, on(s, "ssm:ListTagsForResource", func(in *api.ListTagsForResourceRequest) []string { return one(in.ResourceId) }), s.listTagsForResource),
	}
}

func tagMap(list []api.Tag) (map[string]string, error) {
	m := map[string]string{}
	for _, t := range list {
		m[opt.Val(t.Key)] = opt.Val(t.Value)
	}
	if len(m) > tags.MaxPerResource {
		return nil, tooManyTags()
	}
	if err := tags.Check(m); err != nil {
		return nil, api.ValidationException("%s", err.Error())
	}
	return m, nil
}

func tooManyTags() error {
	return api.TooManyTagsError("A parameter can have at most %d tags.", tags.MaxPerResource)
}

func sortedTags(m map[string]string) []api.Tag {
	out := make([]api.Tag, 0, len(m))
	for k, v := range m {
		out = append(out, api.Tag{Key: new(k), Value: new(v)})
	}
	slices.SortFunc(out, func(a, b api.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return out
}

// ofParameter refuses the kinds of resource that the room does not have.
func ofParameter(kind *string) error {
	if k := opt.Val(kind); k != api.ResourceTypeForTaggingParameter {
		return api.InvalidResourceType("ResourceType %s is not supported: there are only parameters here.", k)
	}
	return nil
}

func noResource() error {
	return api.InvalidResourceId("The resource ID isn't valid. Verify that you entered the correct ID and try again.")
}

func (s *Service) addTagsToResource(ctx context.Context, rq *call.Authorized, in *api.AddTagsToResourceRequest) (*api.AddTagsToResourceResult, error) {
	if err := ofParameter(in.ResourceType); err != nil {
		return nil, err
	}
	add, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	return &api.AddTagsToResourceResult{}, s.change(ctx, rq, *in.ResourceId, noResource(), func(p *parameter) error {
		if p.Tags == nil {
			p.Tags = map[string]string{}
		}
		maps.Copy(p.Tags, add)
		if len(p.Tags) > tags.MaxPerResource {
			return tooManyTags()
		}
		return nil
	})
}

func (s *Service) removeTagsFromResource(ctx context.Context, rq *call.Authorized, in *api.RemoveTagsFromResourceRequest) (*api.RemoveTagsFromResourceResult, error) {
	if err := ofParameter(in.ResourceType); err != nil {
		return nil, err
	}
	return &api.RemoveTagsFromResourceResult{}, s.change(ctx, rq, *in.ResourceId, noResource(), func(p *parameter) error {
		for _, k := range in.TagKeys {
			delete(p.Tags, k)
		}
		return nil
	})
}

func (s *Service) listTagsForResource(ctx context.Context, rq *call.Authorized, in *api.ListTagsForResourceRequest) (*api.ListTagsForResourceResult, error) {
	if err := ofParameter(in.ResourceType); err != nil {
		return nil, err
	}
	a, out := areaOf(rq.Decoded), &api.ListTagsForResourceResult{}
	ref := refer(a, *in.ResourceId)
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		p, err := data.Load[parameter](r, a.parameter(ref.name))
		if err != nil {
			return err
		}
		if p == nil || ref.foreign {
			return noResource()
		}
		out.TagList = sortedTags(p.Tags)
		return nil
	})
}
