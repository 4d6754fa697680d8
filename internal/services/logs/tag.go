package logs

import (
	"context"
	"maps"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

func (s *Service) tagBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.TagResource, tagged("logs:TagResource", func(in *api.TagResourceRequest) (*string, map[string]string) { return in.ResourceArn, in.Tags }),
			func(ctx context.Context, rq *call.Authorized, in *api.TagResourceRequest) (*call.None, error) {
				return s.tag(ctx, rq, in.ResourceArn, in.Tags)
			}),
		call.Bind(api.UntagResource, tagged("logs:UntagResource", func(in *api.UntagResourceRequest) (*string, map[string]string) { return in.ResourceArn, nil }),
			func(ctx context.Context, rq *call.Authorized, in *api.UntagResourceRequest) (*call.None, error) {
				return s.untag(ctx, rq, in.ResourceArn, in.TagKeys)
			}),
		call.Bind(api.ListTagsForResource, tagged("logs:ListTagsForResource", func(in *api.ListTagsForResourceRequest) (*string, map[string]string) { return in.ResourceArn, nil }), s.listTagsForResource),
		call.Bind(api.TagLogGroup, tagged("logs:TagLogGroup", func(in *api.TagLogGroupRequest) (*string, map[string]string) { return in.LogGroupName, in.Tags }),
			func(ctx context.Context, rq *call.Authorized, in *api.TagLogGroupRequest) (*call.None, error) {
				return s.tag(ctx, rq, in.LogGroupName, in.Tags)
			}),
		call.Bind(api.UntagLogGroup, tagged("logs:UntagLogGroup", func(in *api.UntagLogGroupRequest) (*string, map[string]string) { return in.LogGroupName, nil }),
			func(ctx context.Context, rq *call.Authorized, in *api.UntagLogGroupRequest) (*call.None, error) {
				return s.untag(ctx, rq, in.LogGroupName, in.Tags)
			}),
		call.Bind(api.ListTagsLogGroup, tagged("logs:ListTagsLogGroup", func(in *api.ListTagsLogGroupRequest) (*string, map[string]string) { return in.LogGroupName, nil }), s.listTagsLogGroup),
	}
}

// tagged is the rule of the tag operations: their resource is the group itself.
func tagged[I any](action string, of func(*I) (*string, map[string]string)) call.Access[I] {
	return call.Rule(func(_ context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		name, t := of(in)
		return []call.Need{{Action: action, Resource: groupARN(rq.Region(), rq.Account(), groupName(opt.Val(name))), Keys: tagKeys(t)}}, nil
	}, action)
}

// tagKeys are the condition keys of the tags in a request.
func tagKeys(t map[string]string) map[string][]string {
	if len(t) == 0 {
		return nil
	}
	keys := map[string][]string{}
	for k, v := range t {
		keys["aws:requesttag/"+k] = []string{v}
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], k)
	}
	return keys
}

func checkTags(t map[string]string) error {
	if err := tags.Check(t); err != nil {
		return api.InvalidParameterException("Invalid tags: %s", err)
	}
	return nil
}

func (s *Service) tag(ctx context.Context, rq *call.Authorized, name *string, add map[string]string) (*call.None, error) {
	if err := checkIdentifier(name, rq.Region(), rq.Account()); err != nil {
		return nil, err
	}
	if err := checkTags(add); err != nil {
		return nil, err
	}
	return &call.None{}, s.changeGroup(ctx, s.area(rq), groupName(*name), func(g *group) error {
		if g.Tags == nil {
			g.Tags = map[string]string{}
		}
		maps.Copy(g.Tags, add)
		if len(g.Tags) > tags.MaxPerResource {
			return api.TooManyTagsException("A resource can have no more than %d tags.", tags.MaxPerResource)
		}
		return nil
	})
}

func (s *Service) untag(ctx context.Context, rq *call.Authorized, name *string, keys []string) (*call.None, error) {
	if err := checkIdentifier(name, rq.Region(), rq.Account()); err != nil {
		return nil, err
	}
	return &call.None{}, s.changeGroup(ctx, s.area(rq), groupName(*name), func(g *group) error {
		for _, k := range keys {
			delete(g.Tags, k)
		}
		return nil
	})
}

func (s *Service) tagsOf(ctx context.Context, rq *call.Authorized, name *string) (map[string]string, error) {
	if err := checkIdentifier(name, rq.Region(), rq.Account()); err != nil {
		return nil, err
	}
	out := map[string]string{}
	err := s.store.View(ctx, func(r data.Reader) error {
		g, err := findGroup(r, s.area(rq), groupName(*name))
		if err == nil {
			maps.Copy(out, g.Tags)
		}
		return err
	})
	return out, err
}

func (s *Service) listTagsForResource(ctx context.Context, rq *call.Authorized, in *api.ListTagsForResourceRequest) (*api.ListTagsForResourceResponse, error) {
	t, err := s.tagsOf(ctx, rq, in.ResourceArn)
	return &api.ListTagsForResourceResponse{Tags: t}, err
}

func (s *Service) listTagsLogGroup(ctx context.Context, rq *call.Authorized, in *api.ListTagsLogGroupRequest) (*api.ListTagsLogGroupResponse, error) {
	t, err := s.tagsOf(ctx, rq, in.LogGroupName)
	return &api.ListTagsLogGroupResponse{Tags: t}, err
}
