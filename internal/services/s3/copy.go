package s3

import (
	"context"
	"fmt"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) copyBindings() []call.Binding {
	actions := []string{"s3:PutObject", "s3:PutObjectTagging", "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:ListBucket"}
	return []call.Binding{
		bind(api.CopyObject, call.Rule(s.copyNeeds, actions...), s.copyObject),
		bind(api.UploadPartCopy, call.Rule(s.partCopyNeeds, actions...), s.uploadPartCopy),
	}
}

func (s *Service) copyNeeds(ctx context.Context, rq *call.Decoded, in *api.CopyObjectRequest) ([]call.Need, error) {
	return s.transferNeeds(ctx, rq, in, *in.CopySource, in.ExpectedSourceBucketOwner, opt.Val(in.TaggingDirective) != "REPLACE")
}

func (s *Service) partCopyNeeds(ctx context.Context, rq *call.Decoded, in *api.UploadPartCopyRequest) ([]call.Need, error) {
	return s.transferNeeds(ctx, rq, in, *in.CopySource, in.ExpectedSourceBucketOwner, false)
}

// transferNeeds are those of reading the source and of writing the target; a
// source's tags, if they are copied, need permission of their own.
func (s *Service) transferNeeds(ctx context.Context, rq *call.Decoded, in any, source string, owner *string, tags bool) ([]call.Need, error) {
	bucket, key, id, err := parseCopySource(source)
	if err != nil {
		return nil, err
	}
	var needs []call.Need
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		from, err := s.look(r, rq, bucket, owner)
		if err != nil {
			return err
		}
		action, tagging := "s3:GetObject", "s3:GetObjectTagging"
		if id != "" {
			action, tagging = "s3:GetObjectVersion", "s3:GetObjectVersionTagging"
		}
		read, err := s.versionNeeds(r, from, action, &key, opt.NonZero(id), true)
		if err != nil {
			return err
		}
		write, err := s.writeNeeds(r, rq, in)
		if err != nil {
			return err
		}
		needs = append(read, write...)
		if !tags || from.bucket == nil {
			return nil
		}
		v, err := findVersion(r, bucket, key, id)
		if fault.As(err) != nil || v == nil || len(v.Tags) == 0 {
			return nil
		}
		put := write[0]
		put.Action = "s3:PutObjectTagging"
		needs = append(needs, from.need(tagging, &key, read[0].Keys), put)
		return err
	})
	return needs, err
}

// copyConditions of a copy all answer PreconditionFailed.
func copyConditions(v *version, c conditions) error {
	err := c.check(v)
	if fault.Is(err, "NotModified") {
		return preconditionFailed("x-amz-copy-source-If-None-Match")
	}
	return err
}

func (s *Service) copyObject(ctx context.Context, rq *call.Authorized, in *api.CopyObjectRequest) (*api.CopyObjectOutput, error) {
	bucket, key, id, err := parseCopySource(*in.CopySource)
	if err != nil {
		return nil, err
	}
	replace := opt.Val(in.MetadataDirective) == "REPLACE"
	if bucket == *in.Bucket && key == *in.Key && id == "" && !replace && in.WebsiteRedirectLocation == nil && in.StorageClass == nil && in.ServerSideEncryption == nil {
		return nil, invalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	if a := opt.Val(in.ChecksumAlgorithm); strings.HasPrefix(a, "XXHASH") {
		return nil, notImplemented("The checksum algorithm " + a)
	}
	v := &version{Key: *in.Key, Metadata: in.Metadata, Headers: headers{
		CacheControl: opt.Val(in.CacheControl), ContentDisposition: opt.Val(in.ContentDisposition),
		ContentEncoding: opt.Val(in.ContentEncoding), ContentLanguage: opt.Val(in.ContentLanguage),
		ContentType: opt.Or(in.ContentType, defaultType), Expires: opt.Val(in.Expires), Redirect: opt.Val(in.WebsiteRedirectLocation),
	}}
	if err := s.checkNew(v, in.Tagging, in.IfNoneMatch); err != nil {
		return nil, err
	}
	to, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	cond := conditions{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince}
	f, r, err := s.read(ctx, rq, bucket, key, opt.NonZero(id), func(f found) (span, error) {
		if f.v.Size > maxPut {
			return span{}, invalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(maxPut))
		}
		return span{0, f.v.Size}, copyConditions(f.v, cond)
	})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if !replace {
		redirect := v.Headers.Redirect // is never copied
		v.Headers, v.Metadata = f.v.Headers, f.v.Metadata
		v.Headers.Redirect = redirect
	}
	if opt.Val(in.TaggingDirective) != "REPLACE" {
		v.Tags = f.v.Tags
	}
	algorithm := opt.Or(in.ChecksumAlgorithm, f.v.Sum.Algorithm)
	if algorithm == "" {
		algorithm = defaultAlgorithm
	}
	v.Seal, err = s.sealFor(ctx, rq, to, v.Key, sealing{in.ServerSideEncryption, in.SSEKMSKeyId, in.SSEKMSEncryptionContext, in.BucketKeyEnabled})
	if err != nil {
		return nil, err
	}
	got, err := s.take(ctx, r, maxPut, true, []string{algorithm}, v.Seal.secret())
	if err != nil {
		return nil, fmt.Errorf("copy %s/%s: %w", bucket, key, err)
	}
	kept := false
	defer func() { got.release(ctx, kept) }()
	if got.Size != f.v.Size {
		return nil, fmt.Errorf("copy %s/%s: %d bytes came of %d", bucket, key, got.Size, f.v.Size)
	}
	v.hold(got)
	if v.Sum, err = keep(got, algorithm); err != nil {
		return nil, err
	}
	err = s.commit(ctx, to.Name, v, in.IfMatch, in.IfNoneMatch)
	if kept = mayBeKept(err); err != nil {
		return nil, err
	}
	res := &api.CopyObjectResult{ETag: new(quote(v.ETag)), LastModified: &v.Modified}
	setChecksum(res, v.Sum)
	return &api.CopyObjectOutput{
		CopyObjectResult: res, VersionId: v.publicID(), CopySourceVersionId: f.v.publicID(), Expiration: expirationOf(to, v),
		ServerSideEncryption: v.Seal.algorithm(), SSEKMSKeyId: v.Seal.key(), SSEKMSEncryptionContext: v.Seal.context(), BucketKeyEnabled: v.Seal.bucketKey(),
	}, nil
}

func (s *Service) uploadPartCopy(ctx context.Context, rq *call.Authorized, in *api.UploadPartCopyRequest) (*api.UploadPartCopyOutput, error) {
	if err := checkPartNumber(*in.PartNumber); err != nil {
		return nil, err
	}
	bucket, key, id, err := parseCopySource(*in.CopySource)
	if err != nil {
		return nil, err
	}
	u, err := s.viewUpload(ctx, *in.Bucket, *in.Key, *in.UploadId)
	if err != nil {
		return nil, err
	}
	cond := conditions{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince}
	var at span
	f, r, err := s.read(ctx, rq, bucket, key, opt.NonZero(id), func(f found) (span, error) {
		if err := copyConditions(f.v, cond); err != nil {
			return span{}, err
		}
		at = span{0, f.v.Size}
		if in.CopySourceRange != nil {
			var err error
			if at, err = copyRange(*in.CopySourceRange, f.v.Size); err != nil {
				return span{}, err
			}
		}
		if at.n > maxPut {
			return span{}, invalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(maxPut))
		}
		return at, nil
	})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	secret, err := s.unseal(ctx, rq, u.Seal)
	if err != nil {
		return nil, err
	}
	got, err := s.take(ctx, r, maxPut, false, []string{u.Sum.Algorithm}, secret)
	if err != nil {
		return nil, fmt.Errorf("copy %s/%s: %w", bucket, key, err)
	}
	kept := false
	defer func() { got.release(ctx, kept) }()
	if got.Size != at.n {
		return nil, fmt.Errorf("copy %s/%s: %d bytes came of %d", bucket, key, got.Size, at.n)
	}
	p, err := s.addPart(ctx, u, int(*in.PartNumber), got)
	if kept = mayBeKept(err); err != nil {
		return nil, err
	}
	res := &api.CopyPartResult{ETag: new(quote(p.ETag)), LastModified: &p.Modified}
	if u.Asked {
		setChecksum(res, checksum{Algorithm: u.Sum.Algorithm, Value: p.Sum})
	}
	return &api.UploadPartCopyOutput{
		CopyPartResult: res, CopySourceVersionId: f.v.publicID(),
		ServerSideEncryption: u.Seal.algorithm(), SSEKMSKeyId: u.Seal.key(), BucketKeyEnabled: u.Seal.bucketKey(),
	}, nil
}

// copyRange reads x-amz-copy-source-range, which unlike Range must be whole and
// within the source.
func copyRange(h string, size int64) (span, error) {
	spec, ok := strings.CutPrefix(h, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	from, bad1 := digits(first)
	to, bad2 := digits(last)
	if !ok || !dash || bad1 || bad2 || to < from {
		return span{}, invalidArgument("x-amz-copy-source-range", h, "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
	}
	if to >= size {
		return span{}, invalidArgument("x-amz-copy-source-range", h, "Range specified is not valid for source object of size: %d", size)
	}
	return span{from, to - from + 1}, nil
}
