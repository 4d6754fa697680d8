package ecr

import (
	"context"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) lifecycleBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.PutLifecyclePolicy, on(s, "ecr:PutLifecyclePolicy", func(in *api.PutLifecyclePolicyRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.putLifecyclePolicy),
		call.Bind(api.GetLifecyclePolicy, on(s, "ecr:GetLifecyclePolicy", func(in *api.GetLifecyclePolicyRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.getLifecyclePolicy),
		call.Bind(api.DeleteLifecyclePolicy, on(s, "ecr:DeleteLifecyclePolicy", func(in *api.DeleteLifecyclePolicyRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.deleteLifecyclePolicy),
		call.Bind(api.StartLifecyclePolicyPreview, on(s, "ecr:StartLifecyclePolicyPreview", func(in *api.StartLifecyclePolicyPreviewRequest) (r, n *string) {
			return in.RegistryId, in.RepositoryName
		}), s.startLifecyclePolicyPreview),
		call.Bind(api.GetLifecyclePolicyPreview, on(s, "ecr:GetLifecyclePolicyPreview", func(in *api.GetLifecyclePolicyPreviewRequest) (r, n *string) {
			return in.RegistryId, in.RepositoryName
		}), s.getLifecyclePolicyPreview),
	}
}

func checkLifecycle(text string) error {
	if _, err := parseLifecycle(text); err != nil {
		return api.InvalidParameterException("Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: %s'", err)
	}
	return nil
}

func (a area) noLifecycle(name string) error {
	return api.LifecyclePolicyNotFoundException("Lifecycle policy does not exist for the repository with name '%s' in the registry with id '%s'", name, a.account)
}

func (s *Service) putLifecyclePolicy(ctx context.Context, rq *call.Authorized, in *api.PutLifecyclePolicyRequest) (*api.PutLifecyclePolicyResponse, error) {
	a := place(rq.Decoded, in.RegistryId)
	if err := checkLifecycle(*in.LifecyclePolicyText); err != nil {
		return nil, err
	}
	x, err := s.change(ctx, a, *in.RepositoryName, func(x *repository) error {
		x.Lifecycle = *in.LifecyclePolicyText
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.PutLifecyclePolicyResponse{RegistryId: &a.account, RepositoryName: &x.Name, LifecyclePolicyText: &x.Lifecycle}, nil
}

func (s *Service) getLifecyclePolicy(ctx context.Context, rq *call.Authorized, in *api.GetLifecyclePolicyRequest) (*api.GetLifecyclePolicyResponse, error) {
	a := place(rq.Decoded, in.RegistryId)
	x, err := s.read(ctx, a, *in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if x.Lifecycle == "" {
		return nil, a.noLifecycle(x.Name)
	}
	return &api.GetLifecyclePolicyResponse{RegistryId: &a.account, RepositoryName: &x.Name, LifecyclePolicyText: &x.Lifecycle, LastEvaluatedAt: opt.NonZero(x.LifecycleAt)}, nil
}

func (s *Service) deleteLifecyclePolicy(ctx context.Context, rq *call.Authorized, in *api.DeleteLifecyclePolicyRequest) (*api.DeleteLifecyclePolicyResponse, error) {
	a := place(rq.Decoded, in.RegistryId)
	out := &api.DeleteLifecyclePolicyResponse{RegistryId: &a.account, RepositoryName: in.RepositoryName}
	_, err := s.change(ctx, a, *in.RepositoryName, func(x *repository) error {
		if x.Lifecycle == "" {
			return a.noLifecycle(x.Name)
		}
		out.LifecyclePolicyText, out.LastEvaluatedAt = new(x.Lifecycle), opt.NonZero(x.LifecycleAt)
		x.Lifecycle = ""
		return nil
	})
	return out, err
}

// startLifecyclePolicyPreview keeps what the preview is of; it is worked out when
// it is asked for.
func (s *Service) startLifecyclePolicyPreview(ctx context.Context, rq *call.Authorized, in *api.StartLifecyclePolicyPreviewRequest) (*api.StartLifecyclePolicyPreviewResponse, error) {
	a := place(rq.Decoded, in.RegistryId)
	if in.LifecyclePolicyText != nil {
		if err := checkLifecycle(*in.LifecyclePolicyText); err != nil {
			return nil, err
		}
	}
	x, err := s.change(ctx, a, *in.RepositoryName, func(x *repository) error {
		x.Preview = opt.Or(in.LifecyclePolicyText, x.Lifecycle)
		if x.Preview == "" {
			return a.noLifecycle(x.Name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.StartLifecyclePolicyPreviewResponse{RegistryId: &a.account, RepositoryName: &x.Name, LifecyclePolicyText: &x.Preview, Status: new(api.LifecyclePolicyPreviewStatusInProgress)}, nil
}

func (s *Service) getLifecyclePolicyPreview(ctx context.Context, rq *call.Authorized, in *api.GetLifecyclePolicyPreviewRequest) (*api.GetLifecyclePolicyPreviewResponse, error) {
	a, name := place(rq.Decoded, in.RegistryId), *in.RepositoryName
	last, err := after(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.GetLifecyclePolicyPreviewResponse{RegistryId: &a.account, RepositoryName: &name, Status: new(api.LifecyclePolicyPreviewStatusComplete), PreviewResults: []api.LifecyclePolicyPreviewResult{}}
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		x, err := a.find(r, name)
		if err != nil {
			return err
		}
		if x.Preview == "" {
			return api.LifecyclePolicyPreviewNotFoundException("There is no dry run for the repository with name '%s' in the registry with id '%s'", name, a.account)
		}
		out.LifecyclePolicyText = &x.Preview
		doomed, err := s.expiring(r, a, name, x.Preview)
		if err != nil {
			return err
		}
		out.Summary = &api.LifecyclePolicyPreviewSummary{ExpiringImageTotalCount: new(int32(len(doomed)))}
		limit, filter := pageSize(in.MaxResults), opt.Val(in.Filter)
		begun := last == ""
		for _, d := range doomed {
			pic := d.picture
			if !begun {
				begun = string(pic.Digest) == last
				continue
			}
			if !fits(pic, filter.TagStatus, nil) || len(in.ImageIds) > 0 && !slices.ContainsFunc(in.ImageIds, func(id api.ImageIdentifier) bool {
				return opt.Val(id.ImageDigest) == string(pic.Digest) || id.ImageTag != nil && slices.Contains(pic.Tags, *id.ImageTag)
			}) {
				continue
			}
			if n := len(out.PreviewResults); n == limit {
				out.NextToken = new(page.Token(*out.PreviewResults[n-1].ImageDigest))
				return nil
			}
			out.PreviewResults = append(out.PreviewResults, api.LifecyclePolicyPreviewResult{
				ImageTags: pic.Tags, ImageDigest: new(string(pic.Digest)), ImagePushedAt: &pic.Pushed,
				Action: &api.LifecyclePolicyRuleAction{Type: new(api.ImageActionTypeExpire)}, AppliedRulePriority: new(int32(d.priority)),
			})
		}
		return nil
	})
	return out, err
}

// expiring works out which images a policy takes away. Images that an index lists
// stay as long as it does.
func (s *Service) expiring(r data.Reader, a area, name, text string) ([]expired, error) {
	rules, err := parseLifecycle(text)
	if err != nil {
		return nil, err
	}
	var all []*picture
	for pic, err := range list[picture](r, a.images(name), nil) {
		if err != nil {
			return nil, err
		}
		all = append(all, pic)
	}
	return applyRules(rules, all, s.d.Clock.Now()), nil
}

// applyLifecycles lets every repository's policy act.
func (s *Service) applyLifecycles(ctx context.Context) error {
	type one struct {
		area
		name string
	}
	var all []one
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		for p, err := range r.Scan(everything(), data.PrefixEnd(everything()), false) {
			if err != nil {
				return err
			}
			if a, kind, ok := areaOfKey(p.Key); ok && kind == "repository" {
				x, err := data.Decode[repository](p)
				if err != nil {
					return err
				}
				if x.Lifecycle != "" {
					all = append(all, one{a, x.Name})
				}
			}
		}
		return nil
	})
	for _, o := range all {
		if err == nil {
			err = s.applyLifecycle(ctx, o.area, o.name)
		}
	}
	return err
}

func (s *Service) applyLifecycle(ctx context.Context, a area, name string) error {
	var unused []image.Digest
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		unused = unused[:0]
		x, err := data.Load[repository](t, a.repository(name))
		if err != nil || x == nil || x.Lifecycle == "" {
			return err
		}
		doomed, err := s.expiring(t, a, name, x.Lifecycle)
		if err != nil {
			return err
		}
		for _, d := range doomed {
			gone, err := s.erase(t, a, name, d.picture)
			if err != nil {
				return err
			}
			unused = append(unused, gone...)
		}
		x.LifecycleAt = s.d.Clock.Now()
		return data.Save(t, a.repository(name), x)
	})
	if err == nil {
		s.drop(ctx, unused)
	}
	return err
}
