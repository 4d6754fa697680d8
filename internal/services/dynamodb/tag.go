package dynamodb

import (
	"context"
	"maps"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

func (s *Service) tagBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.TagResource, onARN("dynamodb:TagResource", func(in *api.TagResourceInput) *string { return in.ResourceArn }), s.tagResource),
		call.Bind(api.UntagResource, onARN("dynamodb:UntagResource", func(in *api.UntagResourceInput) *string { return in.ResourceArn }), s.untagResource),
		call.Bind(api.ListTagsOfResource, onARN("dynamodb:ListTagsOfResource", func(in *api.ListTagsOfResourceInput) *string { return in.ResourceArn }), s.listTagsOfResource),
	}
}

// alterTags changes the tags of the table with the given ARN.
func (s *Service) alterTags(ctx context.Context, rq *call.Authorized, resource *string, f func(map[string]string) error) (*call.None, error) {
	if !arn.Is(opt.Val(resource)) {
		return nil, invalid("Invalid TableArn: Invalid ResourceArn provided as input %s", opt.Val(resource))
	}
	r, err := refOf(rq.Decoded, *resource)
	if err != nil {
		return nil, err
	}
	_, err = s.alter(ctx, r, func(_ data.Txn, rec *record) error {
		if rec.Tags == nil {
			rec.Tags = map[string]string{}
		}
		return f(rec.Tags)
	})
	if err == errGone {
		err = api.ResourceNotFoundException("Requested resource not found: ResourcArn: %s not found", *resource)
	}
	return &call.None{}, err
}

func (s *Service) tagResource(ctx context.Context, rq *call.Authorized, in *api.TagResourceInput) (*call.None, error) {
	more, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	return s.alterTags(ctx, rq, in.ResourceArn, func(t map[string]string) error {
		maps.Copy(t, more)
		if err := tags.Check(t); err != nil {
			return badParameter("%v", err)
		}
		return nil
	})
}

func (s *Service) untagResource(ctx context.Context, rq *call.Authorized, in *api.UntagResourceInput) (*call.None, error) {
	return s.alterTags(ctx, rq, in.ResourceArn, func(t map[string]string) error {
		for _, k := range in.TagKeys {
			delete(t, k)
		}
		return nil
	})
}

// tagsPerPage is how many tags one answer lists.
const tagsPerPage = 10

func (s *Service) listTagsOfResource(ctx context.Context, rq *call.Authorized, in *api.ListTagsOfResourceInput) (*api.ListTagsOfResourceOutput, error) {
	if !arn.Is(opt.Val(in.ResourceArn)) {
		return nil, invalid("Invalid TableArn: Invalid ResourceArn provided as input %s", opt.Val(in.ResourceArn))
	}
	t, err := s.tableFor(ctx, rq, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	after, err := page.After(opt.Val(in.NextToken))
	if err != nil {
		return nil, invalid("Invalid NextToken")
	}
	out := &api.ListTagsOfResourceOutput{Tags: []api.Tag{}}
	for _, k := range slices.Sorted(maps.Keys(t.rec.Tags)) {
		if k <= after && after != "" {
			continue
		}
		if len(out.Tags) == tagsPerPage {
			out.NextToken = new(page.Token(*out.Tags[tagsPerPage-1].Key))
			break
		}
		out.Tags = append(out.Tags, api.Tag{Key: &k, Value: new(t.rec.Tags[k])})
	}
	return out, nil
}
