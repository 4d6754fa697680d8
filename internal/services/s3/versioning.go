package s3

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) versioningBindings() []call.Binding {
	return []call.Binding{
		bind(api.PutBucketVersioning, onBucket[api.PutBucketVersioningRequest](s, "s3:PutBucketVersioning"), s.putBucketVersioning),
		bind(api.GetBucketVersioning, onBucket[api.GetBucketVersioningRequest](s, "s3:GetBucketVersioning"), s.getBucketVersioning),
	}
}

func (s *Service) putBucketVersioning(ctx context.Context, _ *call.Authorized, in *api.PutBucketVersioningRequest) (*call.None, error) {
	c := in.VersioningConfiguration
	if opt.Val(c.MFADelete) == "Enabled" {
		return nil, notImplemented("MFA delete")
	}
	if c.Status == nil {
		return nil, malformedXML()
	}
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error {
		b.Versioning = *c.Status
		return nil
	})
}

func (s *Service) getBucketVersioning(ctx context.Context, _ *call.Authorized, in *api.GetBucketVersioningRequest) (*api.GetBucketVersioningOutput, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	return &api.GetBucketVersioningOutput{Status: opt.NonZero(b.Versioning)}, nil
}
