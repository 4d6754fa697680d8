package s3

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) taggingBindings() []call.Binding {
	return []call.Binding{
		bind(api.PutBucketTagging, onBucket[api.PutBucketTaggingRequest](s, "s3:PutBucketTagging"), s.putBucketTagging),
		bind(api.GetBucketTagging, onBucket[api.GetBucketTaggingRequest](s, "s3:GetBucketTagging"), s.getBucketTagging),
		bind(api.DeleteBucketTagging, onBucket[api.DeleteBucketTaggingRequest](s, "s3:PutBucketTagging"), s.deleteBucketTagging),
		bind(api.PutObjectTagging, s.onPutTagging(), s.putObjectTagging),
		bind(api.GetObjectTagging, onObject[api.GetObjectTaggingRequest](s, true, "s3:GetObjectTagging", "s3:GetObjectVersionTagging"), s.getObjectTagging),
		bind(api.DeleteObjectTagging, onObject[api.DeleteObjectTaggingRequest](s, true, "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"), s.deleteObjectTagging),
	}
}

func (s *Service) putBucketTagging(ctx context.Context, _ *call.Authorized, in *api.PutBucketTaggingRequest) (*call.None, error) {
	tags, err := readTagging(in.Tagging, 50)
	if err != nil {
		return nil, err
	}
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error { b.Tags = tags; return nil })
}

func (s *Service) getBucketTagging(ctx context.Context, _ *call.Authorized, in *api.GetBucketTaggingRequest) (*api.GetBucketTaggingOutput, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	if len(b.Tags) == 0 {
		return nil, noSuch("NoSuchTagSet", "The TagSet does not exist", b.Name)
	}
	return &api.GetBucketTaggingOutput{TagSet: tagsOut(b.Tags)}, nil
}

func (s *Service) deleteBucketTagging(ctx context.Context, _ *call.Authorized, in *api.DeleteBucketTaggingRequest) (*call.None, error) {
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error { b.Tags = nil; return nil })
}

// onPutTagging is onObject with the tags that are asked for as condition keys.
func (s *Service) onPutTagging() call.Access[api.PutObjectTaggingRequest] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.PutObjectTaggingRequest) ([]call.Need, error) {
		var needs []call.Need
		err := s.d.Store.View(ctx, func(r data.Reader) (err error) {
			needs, err = s.objectNeeds(r, rq, in, true, "s3:PutObjectTagging", "s3:PutObjectVersionTagging")
			return err
		})
		var tags []tag
		for _, t := range in.Tagging.TagSet {
			tags = append(tags, tag{opt.Val(t.Key), opt.Val(t.Value)})
		}
		if len(needs) > 0 {
			keys(needs[0].Keys).tags("request", tags)
		}
		return needs, err
	}, "s3:PutObjectTagging", "s3:PutObjectVersionTagging", "s3:ListBucket")
}

func (s *Service) putObjectTagging(ctx context.Context, _ *call.Authorized, in *api.PutObjectTaggingRequest) (*api.PutObjectTaggingOutput, error) {
	tags, err := readTagging(in.Tagging, maxTags)
	if err != nil {
		return nil, err
	}
	id, err := s.retag(ctx, *in.Bucket, *in.Key, in.VersionId, tags)
	return &api.PutObjectTaggingOutput{VersionId: id}, err
}

func (s *Service) deleteObjectTagging(ctx context.Context, _ *call.Authorized, in *api.DeleteObjectTaggingRequest) (*api.DeleteObjectTaggingOutput, error) {
	id, err := s.retag(ctx, *in.Bucket, *in.Key, in.VersionId, nil)
	return &api.DeleteObjectTaggingOutput{VersionId: id}, err
}

func (s *Service) retag(ctx context.Context, bucket, key string, id *string, tags []tag) (tagged *string, err error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	err = s.d.Store.Update(ctx, func(t data.Txn) error {
		if _, err := s.bucket(t, bucket); err != nil {
			return err
		}
		v, err := findVersion(t, bucket, key, opt.Val(id))
		switch {
		case err != nil:
			return err
		case v == nil && id != nil:
			return noSuchVersion(key, *id)
		case v == nil:
			return noSuchKey(key)
		case v.Marker:
			return isMarker(v, id != nil)
		}
		v.Tags, tagged = tags, v.publicID()
		return rewriteVersion(t, bucket, v)
	})
	return tagged, err
}

func (s *Service) getObjectTagging(ctx context.Context, _ *call.Authorized, in *api.GetObjectTaggingRequest) (*api.GetObjectTaggingOutput, error) {
	f, err := s.find(ctx, *in.Bucket, *in.Key, in.VersionId, false)
	if err != nil {
		return nil, err
	}
	return &api.GetObjectTaggingOutput{TagSet: tagsOut(f.v.Tags), VersionId: f.v.publicID()}, nil
}
