package lambda

import (
	"context"
	"maps"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

func (s *Service) tagBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.TagResource, call.Rule(func(_ context.Context, rq *call.Decoded, in *api.TagResourceRequest) ([]call.Need, error) {
			k, _, err := target(rq, in.Resource, nil)
			return []call.Need{{Action: "lambda:TagResource", Resource: k.arn(""), Owner: k.account, Keys: tagKeys(in.Tags)}}, err
		}, "lambda:TagResource"), s.tagResource),
		call.Bind(api.UntagResource, on("lambda:UntagResource", func(in *api.UntagResourceRequest) (n, q *string) { return in.Resource, nil }), s.untagResource),
		call.Bind(api.ListTags, on("lambda:ListTags", func(in *api.ListTagsRequest) (n, q *string) { return in.Resource, nil }), s.listTags),
	}
}

// tagged reads the ARN of a function, the only thing here that takes tags.
func tagged(rq *call.Authorized, arn *string) (key, error) {
	k, q, err := target(rq.Decoded, arn, nil)
	if err == nil && q != "" {
		err = api.InvalidParameterValueException("Tags on function aliases and versions are not supported. Please specify either a function ARN or an event source mapping ARN.")
	}
	return k, err
}

func (s *Service) tagResource(ctx context.Context, rq *call.Authorized, in *api.TagResourceRequest) (*call.None, error) {
	k, err := tagged(rq, in.Resource)
	if err != nil {
		return nil, err
	}
	_, err = s.changeRecord(ctx, k, func(f *function) error {
		if f.rec.Tags == nil {
			f.rec.Tags = map[string]string{}
		}
		maps.Copy(f.rec.Tags, in.Tags)
		if err := tags.Check(f.rec.Tags); err != nil {
			return api.InvalidParameterValueException("Invalid tags: %s", err)
		}
		return nil
	})
	return &call.None{}, err
}

func (s *Service) untagResource(ctx context.Context, rq *call.Authorized, in *api.UntagResourceRequest) (*call.None, error) {
	k, err := tagged(rq, in.Resource)
	if err != nil {
		return nil, err
	}
	_, err = s.changeRecord(ctx, k, func(f *function) error {
		for _, t := range in.TagKeys {
			delete(f.rec.Tags, t)
		}
		return nil
	})
	return &call.None{}, err
}

func (s *Service) listTags(ctx context.Context, rq *call.Authorized, in *api.ListTagsRequest) (*api.ListTagsResponse, error) {
	k, err := tagged(rq, in.Resource)
	if err != nil {
		return nil, err
	}
	f, err := s.existing(ctx, k, "")
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsResponse{Tags: map[string]string{}}
	maps.Copy(out.Tags, f.rec.Tags)
	return out, nil
}
