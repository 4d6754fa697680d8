package secretsmanager

import (
	"context"
	"maps"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/secretsmanager"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

func (s *Service) tagBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.TagResource, onSecret(s, "secretsmanager:TagResource", func(in *api.TagResourceRequest) (*string, map[string][]string) {
			return in.SecretId, tagConditions(in.Tags)
		}), s.tagResource),
		call.Bind(api.UntagResource, onSecret(s, "secretsmanager:UntagResource", func(in *api.UntagResourceRequest) (*string, map[string][]string) {
			return in.SecretId, map[string][]string{"aws:tagkeys": in.TagKeys}
		}), s.untagResource),
	}
}

func (s *Service) tagResource(ctx context.Context, rq *call.Authorized, in *api.TagResourceRequest) (*call.None, error) {
	add, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	_, _, err = s.change(ctx, rq, in.SecretId, func(_ data.Txn, _ place, x *secret) error {
		if x.Tags == nil {
			x.Tags = map[string]string{}
		}
		maps.Copy(x.Tags, add)
		if len(x.Tags) > tags.MaxPerResource {
			return api.LimitExceededException("A secret can have at most %d tags.", tags.MaxPerResource)
		}
		return nil
	})
	return &call.None{}, err
}

func (s *Service) untagResource(ctx context.Context, rq *call.Authorized, in *api.UntagResourceRequest) (*call.None, error) {
	_, _, err := s.change(ctx, rq, in.SecretId, func(_ data.Txn, _ place, x *secret) error {
		for _, k := range in.TagKeys {
			delete(x.Tags, k)
		}
		return nil
	})
	return &call.None{}, err
}
