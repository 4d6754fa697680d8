package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	"github.com/tierra-cloud/tierra/internal/gen/ecr"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// receiveImage finds an image, checks it and unpacks its layers. The caller calls
// pack.done when it holds them, or not.
func (s *Service) receiveImage(ctx context.Context, rq *call.Authorized, src source) (*pack, error) {
	at, ok := parseImageURI(*src.image, s.ownHosts(rq))
	if !ok {
		return nil, badImage("Source image %s is not valid. Provide a valid source image.", *src.image)
	}
	if at.own && at.region == "" {
		at.account, at.region = rq.Account(), rq.Region()
	}
	var img *image.Image
	var release func()
	var err error
	if at.own {
		img, release, err = s.ownImage(ctx, rq, src.function, at)
	} else {
		img, release, err = s.pull(ctx, at)
	}
	if err != nil {
		return nil, err
	}
	p, err := s.unpackImage(ctx, at, img)
	if err != nil {
		release()
		return nil, err
	}
	trees := p.done
	p.done = func() {
		trees()
		release()
		// Unless a version holds them now.
		s.dropUnused(context.WithoutCancel(ctx), p.image.packages(src.function)...)
	}
	return p, nil
}

// ownHosts are the addresses of this server as far as they are known.
func (s *Service) ownHosts(rq *call.Authorized) []string {
	hosts := []string{rq.Incoming().Host}
	if e := s.plane.deps.Endpoint; e != nil {
		hosts = append(hosts, hostOf(e(s.plane.deps.Network)))
	}
	return hosts
}

func badImage(format string, args ...any) error {
	return api.InvalidParameterValueException(format, args...).With("Type", "User")
}

// pull fetches an image from another registry.
func (s *Service) pull(ctx context.Context, at imageURI) (*image.Image, func(), error) {
	if s.plane.deps.Pull == nil {
		return nil, nil, badImage("Source image %s is not valid. Provide a valid source image.", at.text)
	}
	img, release, err := s.plane.deps.Pull.Pull(ctx, at.text, platform())
	var refused *image.RefusedError
	switch {
	case errors.Is(err, image.ErrTooBig):
		return nil, nil, tooBigImage(at)
	case errors.As(err, &refused) && refused.Closed():
		return nil, nil, badImage("Source image %s cannot be pulled: %s. The server can be logged in to registries by --registry-logins.", at.text, refused.Err)
	case errors.As(err, &refused):
		return nil, nil, badImage("Source image %s cannot be pulled: %s", at.text, refused.Err)
	}
	return img, release, err
}

// ownImage finds an image in the registry of this server, as the service, which
// the repository's policy must allow. Its layers are pinned until release.
func (s *Service) ownImage(ctx context.Context, rq *call.Authorized, k key, at imageURI) (img *image.Image, release func(), err error) {
	if at.region != k.region {
		return nil, nil, badImage("Source image %s is not valid: the repository must be in the region %s of the function.", at.text, k.region)
	}
	as := call.AsService(principal, k.arn(""), k.account, k.region).From(rq.Incoming())
	text, mediaType, err := s.manifest(ctx, as, at, at.id)
	if fault.Is(err, "AccessDeniedException") && at.account == k.account {
		switch e := s.letIn(ctx, rq, at); {
		case e == nil:
			text, mediaType, err = s.manifest(ctx, as, at, at.id)
		case fault.Is(e, "RepositoryNotFoundException"):
			err = e
		}
	}
	if err == nil && at.account != k.account {
		// Who makes a function of another account's image needs its leave, too.
		_, _, err = s.manifest(ctx, rq.As(), at, at.id)
	}
	if err != nil {
		return nil, nil, at.refusal(err)
	}
	m, err := image.ParseManifest([]byte(text), mediaType)
	if err == nil && m.IsIndex() {
		if text, mediaType, err = s.choose(ctx, as, at, m); err != nil {
			return nil, nil, at.refusal(err)
		}
		m, err = image.ParseManifest([]byte(text), mediaType)
	}
	if err != nil || m.IsIndex() {
		return nil, nil, at.unsupported()
	}
	_, err = call.Do(ctx, s.caller, as, ecr.GetDownloadUrlForLayer, &ecr.GetDownloadUrlForLayerRequest{
		RegistryId: &at.account, RepositoryName: &at.name, LayerDigest: new(string(m.Config.Digest)),
	})
	if err != nil {
		return nil, nil, at.refusal(err)
	}
	parts := []image.Digest{m.Config.Digest}
	for _, l := range m.Layers {
		parts = append(parts, l.Digest)
	}
	content := s.plane.deps.Images
	if release, err = content.Pin(ctx, parts...); err != nil {
		return nil, nil, at.refusal(err)
	}
	config, err := readAll(ctx, content, m.Config.Digest)
	if err == nil {
		img, err = image.Assemble(image.DigestOf([]byte(text)), m, config)
	}
	if err != nil {
		release()
		return nil, nil, at.unsupported()
	}
	return img, release, nil
}

func readAll(ctx context.Context, content *image.Content, d image.Digest) ([]byte, error) {
	r, err := content.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.Size() > image.MaxManifest {
		return nil, errors.New("the configuration is too large")
	}
	return io.ReadAll(r)
}

// manifest asks the registry for an image's manifest.
func (s *Service) manifest(ctx context.Context, as call.As, at imageURI, id ecr.ImageIdentifier) (text, mediaType string, err error) {
	out, err := call.Do(ctx, s.caller, as, ecr.BatchGetImage, &ecr.BatchGetImageRequest{RegistryId: &at.account, RepositoryName: &at.name, ImageIds: []ecr.ImageIdentifier{id}})
	if err != nil {
		return "", "", err
	}
	if len(out.Images) == 0 {
		return "", "", ecr.ImageNotFoundException("Requested image not found")
	}
	return opt.Val(out.Images[0].ImageManifest), opt.Val(out.Images[0].ImageManifestMediaType), nil
}

// choose takes the image of an index that is for this machine.
func (s *Service) choose(ctx context.Context, as call.As, at imageURI, m *image.Manifest) (text, mediaType string, err error) {
	want := platform()
	for _, d := range m.Manifests {
		if d.Platform != nil && d.Platform.OS == want.OS && d.Platform.Architecture == want.Architecture {
			return s.manifest(ctx, as, at, ecr.ImageIdentifier{ImageDigest: new(string(d.Digest))})
		}
	}
	return "", "", badImage("Source image %s has no image for %s/%s, which is what this machine runs.", at.text, want.OS, want.Architecture)
}

// unsupported says that an image is not of a form that functions can be made of.
func (at *imageURI) unsupported() error {
	return badImage("The image manifest, config or layer media type for the source image %s is not supported.", at.text)
}

// refusal words what the registry answered.
func (at *imageURI) refusal(err error) error {
	f := fault.As(err)
	switch {
	case f == nil && !errors.Is(err, image.ErrNotFound):
		return err
	case f != nil && f.Code == "AccessDeniedException":
		return badImage("Lambda does not have permission to access the ECR image. Check the ECR permissions.")
	case f != nil && f.Code == "InvalidParameterValueException":
		return err
	}
	return badImage("Source image %s does not exist. Provide a valid source image.", at.text)
}

// letIn adds to the repository's policy that the service may get its images, as
// the caller.
// https://docs.aws.amazon.com/lambda/latest/dg/images-create.html#gettingstarted-images-permissions
func (s *Service) letIn(ctx context.Context, rq *call.Authorized, at imageURI) error {
	as := rq.As().Via(principal)
	doc := map[string]any{"Version": "2008-10-17"}
	var statements []any
	out, err := call.Do(ctx, s.caller, as, ecr.GetRepositoryPolicy, &ecr.GetRepositoryPolicyRequest{RegistryId: &at.account, RepositoryName: &at.name})
	switch {
	case fault.Is(err, "RepositoryPolicyNotFoundException"):
	case err != nil:
		return err
	default:
		if err := json.Unmarshal([]byte(opt.Val(out.PolicyText)), &doc); err != nil {
			return err
		}
		switch st := doc["Statement"].(type) {
		case []any:
			statements = st
		case map[string]any:
			statements = []any{st}
		}
	}
	doc["Statement"] = append(statements, map[string]any{
		"Sid": "LambdaECRImageRetrievalPolicy", "Effect": "Allow", "Principal": map[string]any{"Service": principal},
		"Action": []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
	})
	text, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	_, err = call.Do(ctx, s.caller, as, ecr.SetRepositoryPolicy, &ecr.SetRepositoryPolicyRequest{RegistryId: &at.account, RepositoryName: &at.name, PolicyText: new(string(text))})
	return err
}
