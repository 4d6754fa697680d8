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

func (s *Service) listBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.ListImages, on(s, "ecr:ListImages", func(in *api.ListImagesRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.listImages),
		call.Bind(api.DescribeImages, on(s, "ecr:DescribeImages", func(in *api.DescribeImagesRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.describeImages),
		call.Bind(api.ListImageReferrers, on(s, "ecr:ListImageReferrers", func(in *api.ListImageReferrersRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.listImageReferrers),
	}
}

// fits tells whether an image passes a filter by tag status and image status. All
// images are active: none is ever archived.
func fits(pic *picture, tagStatus, imageStatus *string) bool {
	switch opt.Val(imageStatus) {
	case "", api.ImageStatusFilterActive, api.ImageStatusFilterAny:
	default:
		return false
	}
	switch opt.Val(tagStatus) {
	case api.TagStatusTagged:
		return len(pic.Tags) > 0
	case api.TagStatusUntagged:
		return len(pic.Tags) == 0
	}
	return true
}

// eachImage calls f with the images behind a token until it returns false, and
// returns the token to go on with.
func (s *Service) eachImage(ctx context.Context, a area, name string, token *string, f func(*picture) bool) (*string, error) {
	last, err := after(token)
	if err != nil {
		return nil, err
	}
	var next *string
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		if _, err := a.find(r, name); err != nil {
			return err
		}
		before := last
		for pic, err := range list[picture](r, a.images(name), a.image(name, image.Digest(last))) {
			switch {
			case err != nil:
				return err
			case string(pic.Digest) == last:
				continue
			}
			if !f(pic) {
				next = new(page.Token(before))
				return nil
			}
			before = string(pic.Digest)
		}
		return nil
	})
	return next, err
}

// listImages lists an image once for each of its tags, or once without one. A
// page may be some entries longer than asked for: an image's tags stay together.
func (s *Service) listImages(ctx context.Context, rq *call.Authorized, in *api.ListImagesRequest) (*api.ListImagesResponse, error) {
	a, limit := place(rq.Decoded, in.RegistryId), pageSize(in.MaxResults)
	f := opt.Val(in.Filter)
	out := &api.ListImagesResponse{ImageIds: []api.ImageIdentifier{}}
	var err error
	out.NextToken, err = s.eachImage(ctx, a, *in.RepositoryName, in.NextToken, func(pic *picture) bool {
		if !fits(pic, f.TagStatus, f.ImageStatus) {
			return true
		}
		if n := len(out.ImageIds); n > 0 && n+max(1, len(pic.Tags)) > limit {
			return false
		}
		d := string(pic.Digest)
		if len(pic.Tags) == 0 {
			out.ImageIds = append(out.ImageIds, api.ImageIdentifier{ImageDigest: &d})
		}
		for _, tag := range pic.Tags {
			out.ImageIds = append(out.ImageIds, api.ImageIdentifier{ImageDigest: &d, ImageTag: &tag})
		}
		return true
	})
	return out, err
}

func (a area) detail(name string, pic *picture) api.ImageDetail {
	d := api.ImageDetail{
		RegistryId: &a.account, RepositoryName: &name, ImageDigest: new(string(pic.Digest)), ImageTags: pic.Tags, ImagePushedAt: &pic.Pushed,
		ImageManifestMediaType: &pic.MediaType, ArtifactMediaType: opt.NonZero(pic.ArtifactType), SubjectManifestDigest: opt.NonZero(string(pic.Subject)),
		ImageStatus: new(api.ImageStatusActive),
	}
	if d.ArtifactMediaType == nil {
		d.ArtifactMediaType = opt.NonZero(pic.Config)
	}
	if pic.Children == nil {
		d.ImageSizeInBytes = &pic.Size
	}
	return d
}

func (s *Service) describeImages(ctx context.Context, rq *call.Authorized, in *api.DescribeImagesRequest) (*api.DescribeImagesResponse, error) {
	a, name := place(rq.Decoded, in.RegistryId), *in.RepositoryName
	out := &api.DescribeImagesResponse{ImageDetails: []api.ImageDetail{}}
	if len(in.ImageIds) > 0 {
		if in.NextToken != nil || in.MaxResults != nil {
			return nil, api.InvalidParameterException("Invalid parameter: 'imageIds' and pagination cannot be used together")
		}
		err := s.d.Store.View(ctx, func(r data.Reader) error {
			if _, err := a.find(r, name); err != nil {
				return err
			}
			var seen []image.Digest
			for _, id := range in.ImageIds {
				pic, code, _, err := a.resolve(r, name, &id)
				if err != nil {
					return err
				}
				if code != "" {
					return api.ImageNotFoundException("The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s' in the registry with id '%s'",
						opt.Or(id.ImageDigest, "null"), opt.Or(id.ImageTag, "null"), name, a.account)
				}
				if !slices.Contains(seen, pic.Digest) {
					seen = append(seen, pic.Digest)
					out.ImageDetails = append(out.ImageDetails, a.detail(name, pic))
				}
			}
			return nil
		})
		return out, err
	}
	limit, f := pageSize(in.MaxResults), opt.Val(in.Filter)
	var err error
	out.NextToken, err = s.eachImage(ctx, a, name, in.NextToken, func(pic *picture) bool {
		if !fits(pic, f.TagStatus, f.ImageStatus) {
			return true
		}
		if len(out.ImageDetails) == limit {
			return false
		}
		out.ImageDetails = append(out.ImageDetails, a.detail(name, pic))
		return true
	})
	return out, err
}

// listImageReferrers lists what has been pushed about an image: signatures, bills
// of materials.
func (s *Service) listImageReferrers(ctx context.Context, rq *call.Authorized, in *api.ListImageReferrersRequest) (*api.ListImageReferrersResponse, error) {
	limit, f := int(min(opt.Or(in.MaxResults, 20), 50)), opt.Val(in.Filter)
	out := &api.ListImageReferrersResponse{Referrers: []api.ImageReferrer{}}
	var err error
	out.NextToken, err = s.eachImage(ctx, place(rq.Decoded, in.RegistryId), *in.RepositoryName, in.NextToken, func(pic *picture) bool {
		if string(pic.Subject) != *in.SubjectId.ImageDigest || len(f.ArtifactTypes) > 0 && !slices.Contains(f.ArtifactTypes, pic.artifact()) ||
			!fits(pic, nil, f.ArtifactStatus) {
			return true
		}
		if len(out.Referrers) == limit {
			return false
		}
		out.Referrers = append(out.Referrers, api.ImageReferrer{
			Digest: new(string(pic.Digest)), MediaType: &pic.MediaType, ArtifactType: opt.NonZero(pic.artifact()), Size: &pic.Length,
			Annotations: pic.Annotations, ArtifactStatus: new(api.ArtifactStatusActive),
		})
		return true
	})
	return out, err
}

// artifact is the type of what an image is: its own word, or its configuration's type.
func (p *picture) artifact() string {
	if p.ArtifactType != "" {
		return p.ArtifactType
	}
	return p.Config
}
