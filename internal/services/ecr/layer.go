package ecr

import (
	"bytes"
	"context"
	"errors"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) layerBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.BatchCheckLayerAvailability, on(s, "ecr:BatchCheckLayerAvailability", func(in *api.BatchCheckLayerAvailabilityRequest) (r, n *string) {
			return in.RegistryId, in.RepositoryName
		}), s.batchCheckLayerAvailability),
		call.Bind(api.GetDownloadUrlForLayer, on(s, "ecr:GetDownloadUrlForLayer", func(in *api.GetDownloadUrlForLayerRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.getDownloadURLForLayer),
		call.Bind(api.InitiateLayerUpload, on(s, "ecr:InitiateLayerUpload", func(in *api.InitiateLayerUploadRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.initiateLayerUpload),
		call.Bind(api.UploadLayerPart, on(s, "ecr:UploadLayerPart", func(in *api.UploadLayerPartRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.uploadLayerPart),
		call.Bind(api.CompleteLayerUpload, on(s, "ecr:CompleteLayerUpload", func(in *api.CompleteLayerUploadRequest) (r, n *string) { return in.RegistryId, in.RepositoryName }), s.completeLayerUpload),
	}
}

// layerOf reads a layer of a repository; nil if it has none such.
func (s *Service) layerOf(ctx context.Context, a area, name string, d image.Digest) (l *layer, err error) {
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		if _, err := a.find(r, name); err != nil {
			return err
		}
		l, err = data.Load[layer](r, a.layer(name, d))
		return err
	})
	return l, err
}

func (s *Service) batchCheckLayerAvailability(ctx context.Context, rq *call.Authorized, in *api.BatchCheckLayerAvailabilityRequest) (*api.BatchCheckLayerAvailabilityResponse, error) {
	a := place(rq.Decoded, in.RegistryId)
	out := &api.BatchCheckLayerAvailabilityResponse{Layers: []api.Layer{}, Failures: []api.LayerFailure{}}
	for _, text := range in.LayerDigests {
		d, ok := checkDigest(text)
		if !ok {
			out.Failures = append(out.Failures, api.LayerFailure{LayerDigest: &text, FailureCode: new(api.LayerFailureCodeInvalidLayerDigest), FailureReason: new("Invalid layer digest")})
			continue
		}
		l, err := s.layerOf(ctx, a, *in.RepositoryName, d)
		if err != nil {
			return nil, err
		}
		one := api.Layer{LayerDigest: &text, LayerAvailability: new(api.LayerAvailabilityUnavailable)}
		if l != nil {
			one.LayerAvailability, one.LayerSize, one.MediaType = new(api.LayerAvailabilityAvailable), &l.Size, opt.NonZero(l.MediaType)
		}
		out.Layers = append(out.Layers, one)
	}
	return out, nil
}

// getDownloadURLForLayer answers with an address of the registry protocol that
// anybody who has it can get the layer from, for an hour.
func (s *Service) getDownloadURLForLayer(ctx context.Context, rq *call.Authorized, in *api.GetDownloadUrlForLayerRequest) (*api.GetDownloadUrlForLayerResponse, error) {
	a, name := place(rq.Decoded, in.RegistryId), *in.RepositoryName
	d, ok := checkDigest(*in.LayerDigest)
	if !ok {
		return nil, api.InvalidParameterException("Invalid parameter at 'layerDigest' failed to satisfy constraint: 'must satisfy regular expression \"[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+\"'")
	}
	l, err := s.layerOf(ctx, a, name, d)
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, api.LayersNotFoundException("The layer with digest '%s' does not exist in the repository with name '%s' in the registry with id '%s'", d, name, a.account)
	}
	text, err := s.sealed("download", download{a.account, a.region, name, d, rq.Time().Add(downloadLife).Unix()})
	if err != nil {
		return nil, err
	}
	at := rq.Endpoint() + "/v2/" + name + "/blobs/" + string(d) + "?" + downloadParameter + "=" + a.account + "." + a.region + "." + text
	return &api.GetDownloadUrlForLayerResponse{DownloadUrl: &at, LayerDigest: in.LayerDigest}, nil
}

// downloadParameter is the parameter of a layer's address that makes it good for
// whoever has it: account, region and what is sealed.
const downloadParameter = "X-Tierra-Download"

func (s *Service) initiateLayerUpload(ctx context.Context, rq *call.Authorized, in *api.InitiateLayerUploadRequest) (*api.InitiateLayerUploadResponse, error) {
	u, err := s.begin(ctx, place(rq.Decoded, in.RegistryId), *in.RepositoryName)
	if err != nil {
		return nil, err
	}
	return &api.InitiateLayerUploadResponse{UploadId: &u.id, PartSize: new(int64(partSize))}, nil
}

func (s *Service) uploadLayerPart(ctx context.Context, rq *call.Authorized, in *api.UploadLayerPartRequest) (*api.UploadLayerPartResponse, error) {
	a, name := place(rq.Decoded, in.RegistryId), *in.RepositoryName
	if _, err := s.read(ctx, a, name); err != nil {
		return nil, err
	}
	u, err := s.uploads.find(a, name, *in.UploadId)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.over {
		return nil, s.gone(a, name, u.id)
	}
	have, n := u.w.Size(), int64(len(in.LayerPartBlob))
	if *in.PartFirstByte != have || *in.PartLastByte != have+n-1 || n == 0 {
		return nil, api.InvalidLayerPartException("The layer part upload request was invalid: part byte range is %d-%d of %d bytes, and %d bytes were received so far", *in.PartFirstByte, *in.PartLastByte, n, have).
			With("registryId", a.account).With("repositoryName", name).With("uploadId", u.id).With("lastValidByteReceived", have-1)
	}
	if u.short {
		return nil, api.LayerPartTooSmallException("Layer parts must be at least %d bytes in size", minPart)
	}
	if err := u.takeLocked(bytes.NewReader(in.LayerPartBlob), s.d.Clock.Now); err != nil {
		return nil, err
	}
	u.short = n < minPart
	return &api.UploadLayerPartResponse{RegistryId: &a.account, RepositoryName: &name, UploadId: &u.id, LastByteReceived: new(have + n - 1)}, nil
}

func (s *Service) gone(a area, name, id string) error {
	_, err := (&uploads{}).find(a, name, id)
	return err
}

func (s *Service) completeLayerUpload(ctx context.Context, rq *call.Authorized, in *api.CompleteLayerUploadRequest) (*api.CompleteLayerUploadResponse, error) {
	a, name := place(rq.Decoded, in.RegistryId), *in.RepositoryName
	d, ok := checkDigest(in.LayerDigests[0])
	if !ok || len(in.LayerDigests) > 1 {
		return nil, api.InvalidParameterException("Invalid parameter at 'layerDigests' failed to satisfy constraint: 'one SHA-256 digest must be given'")
	}
	l, err := s.layerOf(ctx, a, name, d)
	if err != nil {
		return nil, err
	}
	u, err := s.uploads.find(a, name, *in.UploadId)
	if err != nil {
		return nil, err
	}
	if u.size() == 0 {
		return nil, api.EmptyUploadException("The upload with id '%s' contains no layer parts", u.id)
	}
	if l != nil {
		s.uploads.abort(func(x *upload) bool { return x == u })
		return nil, api.LayerAlreadyExistsException("The layer with digest '%s' already exists in the repository with name '%s' in the registry with id '%s'", d, name, a.account)
	}
	if _, err := s.complete(ctx, u, nil, d); err != nil {
		if errors.Is(err, errOver) {
			err = s.gone(a, name, u.id)
		}
		return nil, err
	}
	return &api.CompleteLayerUploadResponse{RegistryId: &a.account, RepositoryName: &name, UploadId: &u.id, LayerDigest: new(string(d))}, nil
}
