package ecr

import (
	"context"
	"maps"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

func (s *Service) tagBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.TagResource, ofARN(s, "ecr:TagResource", func(in *api.TagResourceRequest) (string, map[string][]string) {
			return opt.Val(in.ResourceArn), tagConditions(in.Tags)
		}), s.tagResource),
		call.Bind(api.UntagResource, ofARN(s, "ecr:UntagResource", func(in *api.UntagResourceRequest) (string, map[string][]string) {
			return opt.Val(in.ResourceArn), map[string][]string{"aws:tagkeys": in.TagKeys}
		}), s.untagResource),
		call.Bind(api.ListTagsForResource, ofARN(s, "ecr:ListTagsForResource", func(in *api.ListTagsForResourceRequest) (string, map[string][]string) {
			return opt.Val(in.ResourceArn), nil
		}), s.listTagsForResource),
	}
}

func (s *Service) tagResource(ctx context.Context, _ *call.Authorized, in *api.TagResourceRequest) (*api.TagResourceResponse, error) {
	a, name, err := byARN(*in.ResourceArn)
	if err != nil {
		return nil, err
	}
	add, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	_, err = s.change(ctx, a, name, func(x *repository) error {
		if x.Tags == nil {
			x.Tags = map[string]string{}
		}
		maps.Copy(x.Tags, add)
		if len(x.Tags) > tags.MaxPerResource {
			return api.TooManyTagsException("A repository can have at most %d tags.", tags.MaxPerResource)
		}
		return nil
	})
	return &api.TagResourceResponse{}, err
}

func (s *Service) untagResource(ctx context.Context, _ *call.Authorized, in *api.UntagResourceRequest) (*api.UntagResourceResponse, error) {
	a, name, err := byARN(*in.ResourceArn)
	if err != nil {
		return nil, err
	}
	_, err = s.change(ctx, a, name, func(x *repository) error {
		for _, k := range in.TagKeys {
			delete(x.Tags, k)
		}
		return nil
	})
	return &api.UntagResourceResponse{}, err
}

func (s *Service) listTagsForResource(ctx context.Context, _ *call.Authorized, in *api.ListTagsForResourceRequest) (*api.ListTagsForResourceResponse, error) {
	a, name, err := byARN(*in.ResourceArn)
	if err != nil {
		return nil, err
	}
	x, err := s.read(ctx, a, name)
	if err != nil {
		return nil, err
	}
	return &api.ListTagsForResourceResponse{Tags: sortedTags(x.Tags)}, nil
}

func sortedTags(m map[string]string) []api.Tag {
	out := []api.Tag{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, api.Tag{Key: new(k), Value: new(m[k])})
	}
	return out
}
