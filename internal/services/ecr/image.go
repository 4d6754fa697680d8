package ecr

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) imageBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.PutImage, on(s, "ecr:PutImage", func(in *api.PutImageRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.putImage),
		call.Bind(api.BatchGetImage, on(s, "ecr:BatchGetImage", func(in *api.BatchGetImageRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.batchGetImage),
		call.Bind(api.BatchDeleteImage, on(s, "ecr:BatchDeleteImage", func(in *api.BatchDeleteImageRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.batchDeleteImage),
	}
}

// pushed is a manifest that is to become an image.
type pushed struct {
	text      []byte
	mediaType string // "" leaves it to the manifest
	tag       string // "" for none
	digest    image.Digest
	manifest  *image.Manifest
}

// read checks what a client sent.
func (p *pushed) read() error {
	m, err := image.ParseManifest(p.text, p.mediaType)
	if err != nil {
		return api.InvalidParameterException("Invalid parameter at 'imageManifest' failed to satisfy constraint: '%s'", strings.TrimPrefix(err.Error(), "image: "))
	}
	have := image.DigestOf(p.text)
	if p.digest != "" && p.digest != have {
		return api.ImageDigestDoesNotMatchException("The supplied image digest '%s' does not match the manifest's, which is '%s'", p.digest, have)
	}
	if p.tag != "" && !checkTag(p.tag) {
		return api.InvalidParameterException("Invalid parameter at 'imageTag' failed to satisfy constraint: 'must satisfy regular expression \"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,299}\"'")
	}
	p.digest, p.manifest, p.mediaType = have, m, m.MediaType
	return nil
}

// errSame says that the image is there, with that tag.
var errSame = errors.New("the image is there already")

// push makes a manifest an image of the repository, moving its tag. The error is
// errSame if nothing had to be changed.
func (s *Service) push(ctx context.Context, a area, name string, p *pushed) error {
	if err := p.read(); err != nil {
		return err
	}
	same := false
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		same = false
		x, err := a.find(t, name)
		if err != nil {
			return err
		}
		pic, err := data.Load[picture](t, a.image(name, p.digest))
		if err != nil {
			return err
		}
		fresh := pic == nil
		if fresh {
			if pic, err = s.draw(t, a, name, p); err != nil {
				return err
			}
		}
		moved, err := s.point(t, a, x, pic, p.tag)
		if err != nil {
			return err
		}
		same = !fresh && !moved
		if same {
			return nil
		}
		if fresh {
			if err := t.Put(a.manifest(name, p.digest), p.text); err != nil {
				return err
			}
		}
		return data.Save(t, a.image(name, p.digest), pic)
	})
	if err == nil && same {
		err = errSame
	}
	return err
}

// draw makes the record of an image, whose parts must be there.
func (s *Service) draw(t data.Txn, a area, name string, p *pushed) (*picture, error) {
	m := p.manifest
	pic := &picture{
		V: recordVersion, Digest: p.digest, MediaType: m.MediaType, ArtifactType: m.ArtifactType, Annotations: m.Annotations,
		Length: int64(len(p.text)), Pushed: s.d.Clock.Now(),
	}
	if m.Subject != nil {
		pic.Subject = m.Subject.Digest
	}
	if m.Config != nil {
		pic.Config = m.Config.MediaType
	}
	var missing []string
	for _, b := range m.Blobs() {
		if slices.Contains(pic.Blobs, b.Digest) {
			continue
		}
		l, err := data.Load[layer](t, a.layer(name, b.Digest))
		if err != nil {
			return nil, err
		}
		if l == nil {
			missing = append(missing, string(b.Digest))
			continue
		}
		pic.Blobs, pic.Size = append(pic.Blobs, b.Digest), pic.Size+l.Size
		l.MediaType = b.MediaType
		if err := data.Save(t, a.layer(name, b.Digest), l); err != nil {
			return nil, err
		}
		if err := t.Put(a.use(name, b.Digest, p.digest), []byte{1}); err != nil {
			return nil, err
		}
	}
	if missing != nil {
		return nil, api.LayersNotFoundException("Layers with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist", strings.Join(missing, ", "), name, a.account)
	}
	for _, c := range m.Manifests {
		child, err := data.Load[picture](t, a.image(name, c.Digest))
		if err != nil {
			return nil, err
		}
		if child == nil {
			missing = append(missing, string(c.Digest))
			continue
		}
		pic.Children = append(pic.Children, c.Digest)
	}
	if missing != nil {
		return nil, api.ReferencedImagesNotFoundException("Images with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist", strings.Join(missing, ", "), name, a.account)
	}
	return pic, nil
}

// point lets a tag mean an image, and reports whether that is new.
func (s *Service) point(t data.Txn, a area, x *repository, pic *picture, tag string) (bool, error) {
	if tag == "" || slices.Contains(pic.Tags, tag) {
		return false, nil
	}
	key := a.tag(x.Name, tag)
	old, taken, err := t.Get(key)
	if err != nil {
		return false, err
	}
	if taken && !x.mutable(tag) {
		return false, api.ImageTagAlreadyExistsException("The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.", tag, x.Name)
	}
	if len(pic.Tags) >= maxTagsOfImage {
		return false, api.LimitExceededException("An image can have at most %d tags.", maxTagsOfImage)
	}
	if taken {
		if err := untag(t, a, x.Name, image.Digest(old), tag); err != nil {
			return false, err
		}
	}
	pic.Tags = append(pic.Tags, tag)
	slices.Sort(pic.Tags)
	return true, t.Put(key, []byte(pic.Digest))
}

// untag takes a tag off an image's record.
func untag(t data.Txn, a area, name string, d image.Digest, tag string) error {
	pic, err := data.Load[picture](t, a.image(name, d))
	if err != nil || pic == nil {
		return err
	}
	pic.Tags = slices.DeleteFunc(pic.Tags, func(x string) bool { return x == tag })
	return data.Save(t, a.image(name, d), pic)
}

func (s *Service) putImage(ctx context.Context, rq *call.Authorized, in *api.PutImageRequest) (*api.PutImageResponse, error) {
	a, name := place(rq.Decoded, in.RegistryId), *in.RepositoryName
	p := &pushed{text: []byte(*in.ImageManifest), mediaType: opt.Val(in.ImageManifestMediaType), tag: opt.Val(in.ImageTag)}
	if in.ImageDigest != nil {
		d, ok := checkDigest(*in.ImageDigest)
		if !ok {
			return nil, api.InvalidParameterException("Invalid parameter at 'imageDigest' failed to satisfy constraint: 'must be a SHA-256 digest'")
		}
		p.digest = d
	}
	err := s.push(ctx, a, name, p)
	if errors.Is(err, errSame) {
		return nil, api.ImageAlreadyExistsException("Image with digest '%s' and tag '%s' already exists in the repository with name '%s' in registry with id '%s'", p.digest, p.tag, name, a.account)
	}
	if err != nil {
		return nil, err
	}
	return &api.PutImageResponse{Image: a.picture(name, p.digest, p.tag, p.text, p.mediaType)}, nil
}

func (a area) picture(name string, d image.Digest, tag string, text []byte, mediaType string) *api.Image {
	return &api.Image{
		RegistryId: &a.account, RepositoryName: &name, ImageId: &api.ImageIdentifier{ImageDigest: new(string(d)), ImageTag: opt.NonZero(tag)},
		ImageManifest: new(string(text)), ImageManifestMediaType: &mediaType,
	}
}

// resolve finds the image that a digest, a tag, or both mean. What is wrong is a
// failure's code and reason.
func (a area) resolve(r data.Reader, name string, id *api.ImageIdentifier) (pic *picture, failure, reason string, err error) {
	var d image.Digest
	if id.ImageDigest != nil {
		var ok bool
		if d, ok = checkDigest(*id.ImageDigest); !ok {
			return nil, api.ImageFailureCodeInvalidImageDigest, "Invalid image digest", nil
		}
	}
	switch {
	case id.ImageTag != nil && !checkTag(*id.ImageTag):
		return nil, api.ImageFailureCodeInvalidImageTag, "Invalid image tag", nil
	case id.ImageTag != nil:
		b, ok, err := r.Get(a.tag(name, *id.ImageTag))
		if err != nil {
			return nil, "", "", err
		}
		if ok && d != "" && d != image.Digest(b) {
			return nil, api.ImageFailureCodeImageTagDoesNotMatchDigest, "Image tag does not match the image digest", nil
		}
		if !ok {
			return nil, api.ImageFailureCodeImageNotFound, "Requested image not found", nil
		}
		d = image.Digest(b)
	case d == "":
		return nil, api.ImageFailureCodeMissingDigestAndTag, "Invalid request parameters: both tag and digest cannot be null", nil
	}
	if pic, err = data.Load[picture](r, a.image(name, d)); err != nil {
		return nil, "", "", err
	}
	if pic == nil {
		return nil, api.ImageFailureCodeImageNotFound, "Requested image not found", nil
	}
	return pic, "", "", nil
}

func failed(id api.ImageIdentifier, code, reason string) api.ImageFailure {
	return api.ImageFailure{ImageId: &id, FailureCode: &code, FailureReason: &reason}
}

// batchGetImage answers with manifests as they were pushed: acceptedMediaTypes
// does not convert them, as on AWS.
func (s *Service) batchGetImage(ctx context.Context, rq *call.Authorized, in *api.BatchGetImageRequest) (*api.BatchGetImageResponse, error) {
	a, name := place(rq.Decoded, in.RegistryId), *in.RepositoryName
	var out *api.BatchGetImageResponse
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		out = &api.BatchGetImageResponse{Images: []api.Image{}, Failures: []api.ImageFailure{}}
		if _, err := a.find(r, name); err != nil {
			return err
		}
		for _, id := range in.ImageIds {
			pic, code, reason, err := a.resolve(r, name, &id)
			if err != nil {
				return err
			}
			if code != "" {
				out.Failures = append(out.Failures, failed(id, code, reason))
				continue
			}
			text, _, err := r.Get(a.manifest(name, pic.Digest))
			if err != nil {
				return err
			}
			out.Images = append(out.Images, *a.picture(name, pic.Digest, opt.Val(id.ImageTag), text, pic.MediaType))
		}
		return nil
	})
	return out, err
}

func (s *Service) batchDeleteImage(ctx context.Context, rq *call.Authorized, in *api.BatchDeleteImageRequest) (*api.BatchDeleteImageResponse, error) {
	return s.deleteImages(ctx, place(rq.Decoded, in.RegistryId), *in.RepositoryName, in.ImageIds)
}

// deleteImages takes tags away, and images: those that are named by their digest,
// and those that lose their last tag.
func (s *Service) deleteImages(ctx context.Context, a area, name string, ids []api.ImageIdentifier) (*api.BatchDeleteImageResponse, error) {
	var out *api.BatchDeleteImageResponse
	var unused []image.Digest
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		unused = unused[:0]
		out = &api.BatchDeleteImageResponse{ImageIds: []api.ImageIdentifier{}, Failures: []api.ImageFailure{}}
		if _, err := a.find(t, name); err != nil {
			return err
		}
		var indexed map[image.Digest]bool
		for _, id := range ids {
			pic, code, reason, err := a.resolve(t, name, &id)
			if err != nil {
				return err
			}
			if code != "" {
				out.Failures = append(out.Failures, failed(id, code, reason))
				continue
			}
			if id.ImageTag != nil && (id.ImageDigest != nil || len(pic.Tags) > 1) {
				if err := t.Delete(a.tag(name, *id.ImageTag)); err != nil {
					return err
				}
				if err := untag(t, a, name, pic.Digest, *id.ImageTag); err != nil {
					return err
				}
				if id.ImageDigest == nil || len(pic.Tags) > 1 {
					out.ImageIds = append(out.ImageIds, api.ImageIdentifier{ImageDigest: new(string(pic.Digest)), ImageTag: id.ImageTag})
					continue
				}
			}
			if indexed == nil {
				if indexed, err = a.indexed(t, name); err != nil {
					return err
				}
			}
			if indexed[pic.Digest] {
				out.Failures = append(out.Failures, failed(id, api.ImageFailureCodeImageReferencedByManifestList, "Requested image referenced by manifest list"))
				continue
			}
			gone, err := s.erase(t, a, name, pic)
			if err != nil {
				return err
			}
			if pic.Children != nil {
				indexed = nil // its images are free now
			}
			unused = append(unused, gone...)
			if len(pic.Tags) == 0 {
				out.ImageIds = append(out.ImageIds, api.ImageIdentifier{ImageDigest: new(string(pic.Digest))})
			}
			for _, tag := range pic.Tags {
				out.ImageIds = append(out.ImageIds, api.ImageIdentifier{ImageDigest: new(string(pic.Digest)), ImageTag: &tag})
			}
		}
		return nil
	})
	if err == nil {
		s.drop(ctx, unused)
	}
	return out, err
}

// indexed are the images that an index of the repository lists.
func (a area) indexed(r data.Reader, name string) (map[image.Digest]bool, error) {
	out := map[image.Digest]bool{}
	for pic, err := range list[picture](r, a.images(name), nil) {
		if err != nil {
			return nil, err
		}
		for _, c := range pic.Children {
			out[c] = true
		}
	}
	return out, nil
}

// erase removes an image with its tags and the layers that no other image of the
// repository needs, whose digests it returns.
func (s *Service) erase(t data.Txn, a area, name string, pic *picture) (unused []image.Digest, err error) {
	gone := [][]byte{a.image(name, pic.Digest), a.manifest(name, pic.Digest)}
	for _, tag := range pic.Tags {
		gone = append(gone, a.tag(name, tag))
	}
	for _, k := range gone {
		if err := t.Delete(k); err != nil {
			return nil, err
		}
	}
	for _, d := range pic.Blobs {
		if err := t.Delete(a.use(name, d, pic.Digest)); err != nil {
			return nil, err
		}
		needed, err := a.needed(t, name, d)
		if err != nil {
			return nil, err
		}
		if needed {
			continue
		}
		if err := errors.Join(t.Delete(a.layer(name, d)), image.Release(t, d, a.holder(name))); err != nil {
			return nil, err
		}
		unused = append(unused, d)
	}
	return unused, nil
}
