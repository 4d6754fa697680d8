package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

func (s *Service) tagBindings() []call.Binding {
	return []call.Binding{
		bind(s, api.TagUser, userKind, func(ctx context.Context, rq *call.Authorized, in *api.TagUserRequest) (*call.None, error) {
			return s.tagIdentity(ctx, rq, userKind, *in.UserName, in.Tags)
		}),
		bind(s, api.TagRole, roleKind, func(ctx context.Context, rq *call.Authorized, in *api.TagRoleRequest) (*call.None, error) {
			return s.tagIdentity(ctx, rq, roleKind, *in.RoleName, in.Tags)
		}),
		bind(s, api.TagPolicy, policyKind, func(ctx context.Context, rq *call.Authorized, in *api.TagPolicyRequest) (*call.None, error) {
			return done(s.changePolicy(ctx, rq.Account(), *in.PolicyArn, func(_ data.Txn, p *managed) error { return p.putTags(in.Tags) }))
		}),
		bind(s, api.TagInstanceProfile, profileKind, func(ctx context.Context, rq *call.Authorized, in *api.TagInstanceProfileRequest) (*call.None, error) {
			return done(s.changeProfile(ctx, rq.Account(), *in.InstanceProfileName, func(_ data.Txn, p *instanceProfile) error { return p.putTags(in.Tags) }))
		}),
		bind(s, api.UntagUser, userKind, func(ctx context.Context, rq *call.Authorized, in *api.UntagUserRequest) (*call.None, error) {
			return s.untagIdentity(ctx, rq, userKind, *in.UserName, in.TagKeys)
		}),
		bind(s, api.UntagRole, roleKind, func(ctx context.Context, rq *call.Authorized, in *api.UntagRoleRequest) (*call.None, error) {
			return s.untagIdentity(ctx, rq, roleKind, *in.RoleName, in.TagKeys)
		}),
		bind(s, api.UntagPolicy, policyKind, func(ctx context.Context, rq *call.Authorized, in *api.UntagPolicyRequest) (*call.None, error) {
			return done(s.changePolicy(ctx, rq.Account(), *in.PolicyArn, func(_ data.Txn, p *managed) error { return p.dropTags(in.TagKeys) }))
		}),
		bind(s, api.UntagInstanceProfile, profileKind, func(ctx context.Context, rq *call.Authorized, in *api.UntagInstanceProfileRequest) (*call.None, error) {
			return done(s.changeProfile(ctx, rq.Account(), *in.InstanceProfileName, func(_ data.Txn, p *instanceProfile) error { return p.dropTags(in.TagKeys) }))
		}),
		bind(s, api.ListUserTags, userKind, s.listUserTags),
		bind(s, api.ListRoleTags, roleKind, s.listRoleTags),
		bind(s, api.ListPolicyTags, policyKind, s.listPolicyTags),
		bind(s, api.ListInstanceProfileTags, profileKind, s.listInstanceProfileTags),
	}
}

// putTags adds tags or replaces their values. Keys ignore case.
func (h *head) putTags(in []api.Tag) error {
	add, err := readTags(in)
	if err != nil {
		return err
	}
	for _, a := range add {
		i := slices.IndexFunc(h.Tags, func(t tag) bool { return strings.EqualFold(t.Key, a.Key) })
		if i < 0 {
			h.Tags = append(h.Tags, a)
		} else {
			h.Tags[i] = a
		}
	}
	if len(h.Tags) > tags.MaxPerResource {
		return api.LimitExceededException("The number of tags has reached the maximum limit.")
	}
	return nil
}

func (h *head) dropTags(keys []string) error {
	h.Tags = slices.DeleteFunc(h.Tags, func(t tag) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, t.Key) })
	})
	return nil
}

func (s *Service) tagIdentity(ctx context.Context, rq *call.Authorized, k kind, name string, in []api.Tag) (*call.None, error) {
	return done(s.changeIdentity(ctx, rq.Account(), k, name, func(_ data.Txn, id *identity) error { return id.putTags(in) }))
}

func (s *Service) untagIdentity(ctx context.Context, rq *call.Authorized, k kind, name string, keys []string) (*call.None, error) {
	return done(s.changeIdentity(ctx, rq.Account(), k, name, func(_ data.Txn, id *identity) error { return id.dropTags(keys) }))
}

// tagPage is a page of a thing's tags in the order of their keys.
func tagPage(h *head, marker *string, max *int32) (paged[api.Tag], error) {
	sorted := slices.Clone(h.Tags)
	slices.SortFunc(sorted, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	p, err := paginate(sorted, func(t tag) string { return t.Key }, marker, max)
	return paged[api.Tag]{writeTags(p.Items), p.Truncated, p.Marker}, err
}

func (s *Service) listUserTags(ctx context.Context, rq *call.Authorized, in *api.ListUserTagsRequest) (*api.ListUserTagsResponse, error) {
	out := &api.ListUserTagsResponse{}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		id, err := theIdentity(r, rq.Account(), userKind, *in.UserName)
		if err != nil {
			return err
		}
		p, err := tagPage(&id.head, in.Marker, in.MaxItems)
		out.Tags, out.IsTruncated, out.Marker = p.Items, p.Truncated, p.Marker
		return err
	})
}

func (s *Service) listRoleTags(ctx context.Context, rq *call.Authorized, in *api.ListRoleTagsRequest) (*api.ListRoleTagsResponse, error) {
	out := &api.ListRoleTagsResponse{}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		id, err := theIdentity(r, rq.Account(), roleKind, *in.RoleName)
		if err != nil {
			return err
		}
		p, err := tagPage(&id.head, in.Marker, in.MaxItems)
		out.Tags, out.IsTruncated, out.Marker = p.Items, p.Truncated, p.Marker
		return err
	})
}

func (s *Service) listPolicyTags(ctx context.Context, rq *call.Authorized, in *api.ListPolicyTagsRequest) (*api.ListPolicyTagsResponse, error) {
	out := &api.ListPolicyTagsResponse{}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		m, err := s.thePolicy(r, rq.Account(), *in.PolicyArn)
		if err != nil {
			return err
		}
		p, err := tagPage(&m.head, in.Marker, in.MaxItems)
		out.Tags, out.IsTruncated, out.Marker = p.Items, p.Truncated, p.Marker
		return err
	})
}

func (s *Service) listInstanceProfileTags(ctx context.Context, rq *call.Authorized, in *api.ListInstanceProfileTagsRequest) (*api.ListInstanceProfileTagsResponse, error) {
	out := &api.ListInstanceProfileTagsResponse{}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		m, err := theProfile(r, rq.Account(), *in.InstanceProfileName)
		if err != nil {
			return err
		}
		p, err := tagPage(&m.head, in.Marker, in.MaxItems)
		out.Tags, out.IsTruncated, out.Marker = p.Items, p.Truncated, p.Marker
		return err
	})
}
