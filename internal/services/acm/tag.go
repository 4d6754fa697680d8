package acm

import (
	"context"
	"maps"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/acm"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

func (s *Service) tagBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.AddTagsToCertificate, onCertificate(s, "acm:AddTagsToCertificate", func(in *api.AddTagsToCertificateRequest) (*string, map[string][]string) {
			return in.CertificateArn, tagConditions(in.Tags)
		}), s.addTagsToCertificate),
		call.Bind(api.RemoveTagsFromCertificate, onCertificate(s, "acm:RemoveTagsFromCertificate", func(in *api.RemoveTagsFromCertificateRequest) (*string, map[string][]string) {
			return in.CertificateArn, tagConditions(in.Tags)
		}), s.removeTagsFromCertificate),
		call.Bind(api.ListTagsForCertificate, onCertificate(s, "acm:ListTagsForCertificate", func(in *api.ListTagsForCertificateRequest) (*string, map[string][]string) {
			return in.CertificateArn, nil
		}), s.listTagsForCertificate),
		call.Bind(api.TagResource, onCertificate(s, "acm:TagResource", func(in *api.TagResourceRequest) (*string, map[string][]string) {
			return in.ResourceArn, tagConditions(in.Tags)
		}), func(ctx context.Context, rq *call.Authorized, in *api.TagResourceRequest) (*call.None, error) {
			return s.addTagsToCertificate(ctx, rq, &api.AddTagsToCertificateRequest{CertificateArn: in.ResourceArn, Tags: in.Tags})
		}),
		call.Bind(api.UntagResource, onCertificate(s, "acm:UntagResource", func(in *api.UntagResourceRequest) (*string, map[string][]string) {
			return in.ResourceArn, map[string][]string{"aws:tagkeys": in.TagKeys}
		}), s.untagResource),
		call.Bind(api.ListTagsForResource, onCertificate(s, "acm:ListTagsForResource", func(in *api.ListTagsForResourceRequest) (*string, map[string][]string) {
			return in.ResourceArn, nil
		}), func(ctx context.Context, rq *call.Authorized, in *api.ListTagsForResourceRequest) (*api.ListTagsForResourceResponse, error) {
			out, err := s.listTagsForCertificate(ctx, rq, &api.ListTagsForCertificateRequest{CertificateArn: in.ResourceArn})
			if err != nil {
				return nil, err
			}
			return &api.ListTagsForResourceResponse{Tags: out.Tags}, nil
		}),
	}
}

// retag changes the tags of a certificate.
func (s *Service) retag(ctx context.Context, rq *call.Authorized, arn *string, f func(map[string]string)) (*call.None, error) {
	a, id, err := own(rq, arn)
	if err != nil {
		return nil, err
	}
	return &call.None{}, s.d.Store.Update(ctx, func(t data.Txn) error {
		c, err := load(t, a, id)
		if err != nil {
			return err
		}
		if c.Tags == nil {
			c.Tags = map[string]string{}
		}
		f(c.Tags)
		if len(c.Tags) > tags.MaxPerResource {
			return api.TooManyTagsException("A certificate can have at most %d tags.", tags.MaxPerResource)
		}
		return data.Save(t, a.certificate(id), c)
	})
}

func (s *Service) addTagsToCertificate(ctx context.Context, rq *call.Authorized, in *api.AddTagsToCertificateRequest) (*call.None, error) {
	add, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	return s.retag(ctx, rq, in.CertificateArn, func(m map[string]string) { maps.Copy(m, add) })
}

// removeTagsFromCertificate removes tags; one that is given with a value only if
// it has that value.
func (s *Service) removeTagsFromCertificate(ctx context.Context, rq *call.Authorized, in *api.RemoveTagsFromCertificateRequest) (*call.None, error) {
	return s.retag(ctx, rq, in.CertificateArn, func(m map[string]string) {
		for _, t := range in.Tags {
			if v, ok := m[opt.Val(t.Key)]; ok && (t.Value == nil || *t.Value == v) {
				delete(m, *t.Key)
			}
		}
	})
}

func (s *Service) untagResource(ctx context.Context, rq *call.Authorized, in *api.UntagResourceRequest) (*call.None, error) {
	return s.retag(ctx, rq, in.ResourceArn, func(m map[string]string) {
		for _, k := range in.TagKeys {
			delete(m, k)
		}
	})
}

func (s *Service) listTagsForCertificate(ctx context.Context, rq *call.Authorized, in *api.ListTagsForCertificateRequest) (*api.ListTagsForCertificateResponse, error) {
	_, c, err := s.read(ctx, rq, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsForCertificateResponse{Tags: []api.Tag{}}
	for _, k := range slices.Sorted(maps.Keys(c.Tags)) {
		out.Tags = append(out.Tags, api.Tag{Key: new(k), Value: new(c.Tags[k])})
	}
	return out, nil
}
