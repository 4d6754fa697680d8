package kms

import (
	"context"
	"maps"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/kms"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

func (s *Service) tagBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.TagResource, onKey(s, "kms:TagResource", func(in *api.TagResourceRequest) (string, map[string][]string) {
			m := map[string]string{}
			for _, t := range in.Tags {
				m[opt.Val(t.TagKey)] = opt.Val(t.TagValue)
			}
			return opt.Val(in.KeyId), tagConditions(m)
		}), s.tagResource),
		call.Bind(api.UntagResource, onKey(s, "kms:UntagResource", func(in *api.UntagResourceRequest) (string, map[string][]string) {
			return opt.Val(in.KeyId), map[string][]string{"aws:tagkeys": in.TagKeys}
		}), s.untagResource),
		call.Bind(api.ListResourceTags, onKey(s, "kms:ListResourceTags", func(in *api.ListResourceTagsRequest) (string, map[string][]string) {
			return opt.Val(in.KeyId), nil
		}), s.listResourceTags),
	}
}

func (s *Service) tagResource(ctx context.Context, rq *call.Authorized, in *api.TagResourceRequest) (*call.None, error) {
	add, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	return &call.None{}, s.change(ctx, rq, *in.KeyId, func(t *target) error {
		if !t.Deletion.IsZero() {
			return t.pending()
		}
		if t.Tags == nil {
			t.Tags = map[string]string{}
		}
		maps.Copy(t.Tags, add)
		if len(t.Tags) > tags.MaxPerResource {
			return api.LimitExceededException("A key has at most %d tags.", tags.MaxPerResource)
		}
		return nil
	})
}

func (s *Service) untagResource(ctx context.Context, rq *call.Authorized, in *api.UntagResourceRequest) (*call.None, error) {
	return &call.None{}, s.change(ctx, rq, *in.KeyId, func(t *target) error {
		if !t.Deletion.IsZero() {
			return t.pending()
		}
		for _, k := range in.TagKeys {
			delete(t.Tags, k)
		}
		return nil
	})
}

// listResourceTags gives all tags at once unless Limit is smaller.
func (s *Service) listResourceTags(ctx context.Context, rq *call.Authorized, in *api.ListResourceTagsRequest) (*api.ListResourceTagsResponse, error) {
	t, err := s.key(ctx, rq, *in.KeyId)
	if err != nil {
		return nil, err
	}
	after, err := page.After(opt.Val(in.Marker))
	if err != nil {
		return nil, api.InvalidMarkerException("The marker is not valid.")
	}
	out := &api.ListResourceTagsResponse{Tags: []api.Tag{}, Truncated: new(false)}
	for _, x := range sortedTags(t.Tags) {
		if after != "" && strings.Compare(*x.TagKey, after) <= 0 {
			continue
		}
		if n := len(out.Tags); n == int(opt.Or(in.Limit, tags.MaxPerResource)) {
			out.NextMarker, out.Truncated = new(page.Token(*out.Tags[n-1].TagKey)), new(true)
			break
		}
		out.Tags = append(out.Tags, x)
	}
	return out, nil
}
