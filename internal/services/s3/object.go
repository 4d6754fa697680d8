package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) objectBindings() []call.Binding {
	return []call.Binding{
		bind(api.PutObject, onWrite[api.PutObjectRequest](s), s.putObject),
		bind(api.GetObject, onObject[api.GetObjectRequest](s, true, "s3:GetObject", "s3:GetObjectVersion"), s.getObject),
		bind(api.HeadObject, onObject[api.HeadObjectRequest](s, true, "s3:GetObject", "s3:GetObjectVersion"), s.headObject),
		bind(api.GetObjectAttributes, onObject[api.GetObjectAttributesRequest](s, true, "s3:GetObject", "s3:GetObjectVersion"), s.getObjectAttributes),
	}
}

const defaultType = "binary/octet-stream"

func (s *Service) putObject(ctx context.Context, rq *call.Authorized, in *api.PutObjectRequest) (*api.PutObjectOutput, error) {
	if in.Body != nil {
		defer in.Body.Close()
	}
	v := &version{Key: *in.Key, Metadata: in.Metadata, Headers: headers{
		CacheControl: opt.Val(in.CacheControl), ContentDisposition: opt.Val(in.ContentDisposition),
		ContentEncoding: opt.Val(in.ContentEncoding), ContentLanguage: opt.Val(in.ContentLanguage),
		ContentType: opt.Or(in.ContentType, defaultType), Expires: opt.Val(in.Expires), Redirect: opt.Val(in.WebsiteRedirectLocation),
	}}
	if err := s.checkNew(v, in.Tagging, in.IfNoneMatch); err != nil {
		return nil, err
	}
	compute, asked, err := declared(in)
	if err != nil {
		return nil, err
	}
	if n := opt.Val(in.ContentLength); n > maxPut {
		return nil, entityTooLarge(n, maxPut)
	}
	// Refuse before a long body is read what would be refused after it.
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if in.Body != nil {
		body = in.Body
	}
	v.Seal, err = s.sealFor(ctx, rq, b, v.Key, sealing{in.ServerSideEncryption, in.SSEKMSKeyId, in.SSEKMSEncryptionContext, in.BucketKeyEnabled})
	if err != nil {
		return nil, err
	}
	got, err := s.take(ctx, body, maxPut, true, compute, v.Seal.secret())
	if err != nil {
		return nil, err
	}
	kept := false
	defer func() { got.release(ctx, kept) }()
	if in.ContentLength != nil && *in.ContentLength != got.Size {
		return nil, incomplete()
	}
	if v.Sum, err = verify(ctx, in, got, asked, defaultAlgorithm); err != nil {
		return nil, err
	}
	v.hold(got)
	err = s.commit(ctx, b.Name, v, in.IfMatch, in.IfNoneMatch)
	if kept = mayBeKept(err); err != nil {
		return nil, err
	}
	out := &api.PutObjectOutput{
		ETag: new(quote(v.ETag)), VersionId: v.publicID(), Expiration: expirationOf(b, v),
		ServerSideEncryption: v.Seal.algorithm(), SSEKMSKeyId: v.Seal.key(), SSEKMSEncryptionContext: v.Seal.context(), BucketKeyEnabled: v.Seal.bucketKey(),
	}
	setChecksum(out, v.Sum)
	return out, nil
}

// checkNew checks what an object is to be stored with.
func (s *Service) checkNew(v *version, tagging, ifNoneMatch *string) (err error) {
	if err = checkKey(v.Key); err != nil {
		return err
	}
	if err = checkMetadata(v.Metadata); err != nil {
		return err
	}
	if err = checkRedirect(v.Headers.Redirect); err != nil {
		return err
	}
	if ifNoneMatch != nil && *ifNoneMatch != "*" {
		return notImplemented("If-None-Match with anything but *, for writes,")
	}
	v.Tags, err = readTagHeader(tagging)
	return err
}

// hold gives v the bytes that were received.
func (v *version) hold(b *taken) {
	v.Size, v.ETag, v.Data, v.Inline, v.inline = b.Size, b.etag(), b.ID, !b.isBlob, b.inline
}

// publicID returns the version's id for an answer: nil if it is the null version.
func (v *version) publicID() *string {
	if v.ID == nullVersion {
		return nil
	}
	return &v.ID
}

// commit makes v the newest version of its key, if the conditions hold.
func (s *Service) commit(ctx context.Context, name string, v *version, ifMatch, ifNoneMatch *string) error {
	var g []garbage
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		g = nil
		b, err := s.bucket(t, name)
		if err != nil {
			return err
		}
		if err := writeConditions(t, name, v.Key, ifMatch, ifNoneMatch); err != nil {
			return err
		}
		v.Modified = s.now()
		return s.putVersion(t, b, v, &g)
	})
	if err != nil {
		return err
	}
	s.discard(ctx, g)
	return nil
}

// writeConditions follows
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html.
func writeConditions(r data.Reader, bucket, key string, ifMatch, ifNoneMatch *string) error {
	if ifMatch == nil && ifNoneMatch == nil {
		return nil
	}
	old, err := newest(r, bucket, key)
	if err != nil {
		return err
	}
	there := old != nil && !old.Marker
	switch {
	case ifNoneMatch != nil && there:
		return preconditionFailed("If-None-Match")
	case ifMatch != nil && !there:
		return noSuchKey(key)
	case ifMatch != nil && !anyETag(*ifMatch, old.ETag):
		return preconditionFailed("If-Match")
	}
	return nil
}

// found is a version that may be read.
type found struct {
	bucket *bucket
	v      *version
	parts  []layoutPart // of a version with parts, if asked for
}

// find looks a version up for reading: NoSuchBucket, NoSuchKey, NoSuchVersion, or
// what a delete marker is answered with.
func (s *Service) find(ctx context.Context, bucket, key string, id *string, layout bool) (f found, err error) {
	if err := checkKey(key); err != nil {
		return found{}, err
	}
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		if f.bucket, err = s.bucket(r, bucket); err != nil {
			return err
		}
		if f.v, err = findVersion(r, bucket, key, opt.Val(id)); err != nil {
			return err
		}
		switch {
		case f.v == nil && id != nil:
			return noSuchVersion(key, *id)
		case f.v == nil:
			return noSuchKey(key)
		case f.v.Marker:
			return isMarker(f.v, id != nil)
		case layout && f.v.Parts > 0:
			f.parts, err = layoutOf(r, f.v)
		}
		return err
	})
	return f, err
}

// read finds a version, lets choose say which of its bytes are wanted, and opens them.
func (s *Service) read(ctx context.Context, rq *call.Authorized, bucket, key string, id *string, choose func(found) (span, error)) (found, *reader, error) {
	const tries = 100 // each fails only if the object was replaced in the very moment
	for range tries {
		f, err := s.find(ctx, bucket, key, id, true)
		if err != nil {
			return f, nil, err
		}
		at, err := choose(f)
		if err != nil {
			return f, nil, err
		}
		key, err := s.unseal(ctx, rq, f.v.Seal)
		if err != nil {
			return f, nil, err
		}
		r, err := s.open(ctx, f.v, f.parts, at, key)
		if errors.Is(err, blob.ErrNotFound) {
			continue
		}
		return f, r, err
	}
	return found{}, nil, fmt.Errorf("the bytes of %s/%s are missing", bucket, key)
}

// conditions are those of a read.
type conditions struct {
	ifMatch, ifNoneMatch      *string
	modified, unmodifiedSince *time.Time
}

// check follows RFC 9110, section 13.2.2, as S3 does.
func (c conditions) check(v *version) error {
	switch {
	case c.ifMatch != nil:
		if !anyETag(*c.ifMatch, v.ETag) {
			return preconditionFailed("If-Match")
		}
	case c.unmodifiedSince != nil && v.Modified.After(*c.unmodifiedSince):
		return preconditionFailed("If-Unmodified-Since")
	}
	switch {
	case c.ifNoneMatch != nil:
		if anyETag(*c.ifNoneMatch, v.ETag) {
			return notModified(v)
		}
	case c.modified != nil && !v.Modified.After(*c.modified):
		return notModified(v)
	}
	return nil
}

// chosen is what a read asks of an object's bytes.
type chosen struct {
	at      span
	partial bool
	parts   int // of an object read by part number
}

// choose finds the bytes that Range or PartNumber ask for.
func choose(f found, rng *string, partNumber *int32) (chosen, error) {
	c := chosen{at: span{0, f.v.Size}}
	switch {
	case rng != nil && partNumber != nil:
		return c, invalidRequest("Cannot specify both Range header and partNumber query parameter")
	case rng != nil:
		at, ok, err := parseRange(*rng, f.v.Size)
		if ok {
			c.at, c.partial = at, true
		}
		return c, err
	case partNumber != nil:
		n := int(*partNumber)
		if n < 1 || n > maxParts {
			return c, invalidArgument("partNumber", fmt.Sprint(n), "Part number must be an integer between 1 and 10000, inclusive")
		}
		if f.v.Parts == 0 && n == 1 {
			c.partial = f.v.Size > 0
			return c, nil
		}
		c.parts = f.v.Parts
		for _, p := range f.parts {
			if n--; n == 0 {
				c.at.n, c.partial = p.Size, p.Size > 0
				return c, nil
			}
			c.at.from += p.Size
		}
		return c, invalidPartNumber(f.v.Parts)
	}
	return c, nil
}

func (s *Service) getObject(ctx context.Context, rq *call.Authorized, in *api.GetObjectRequest) (*api.GetObjectOutput, error) {
	var c chosen
	cond := conditions{in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince}
	f, r, err := s.read(ctx, rq, *in.Bucket, *in.Key, in.VersionId, func(f found) (span, error) {
		if err := cond.check(f.v); err != nil {
			return span{}, err
		}
		var err error
		c, err = choose(f, in.Range, in.PartNumber)
		return c.at, err
	})
	if err != nil {
		return nil, err
	}
	h := describe(f, c, opt.Val(in.ChecksumMode))
	out := &api.GetObjectOutput{
		Body: r, AcceptRanges: h.AcceptRanges, Expiration: h.Expiration, LastModified: h.LastModified, ContentLength: h.ContentLength,
		ETag: h.ETag, VersionId: h.VersionId, CacheControl: h.CacheControl, ContentDisposition: h.ContentDisposition,
		ContentEncoding: h.ContentEncoding, ContentLanguage: h.ContentLanguage, ContentType: h.ContentType, ContentRange: h.ContentRange,
		Expires: h.Expires, WebsiteRedirectLocation: h.WebsiteRedirectLocation, ServerSideEncryption: h.ServerSideEncryption,
		SSEKMSKeyId: h.SSEKMSKeyId, BucketKeyEnabled: h.BucketKeyEnabled,
		Metadata: h.Metadata, PartsCount: h.PartsCount, TagCount: h.TagCount,
	}
	if opt.Val(in.ChecksumMode) != "" && !c.partial {
		setChecksum(out, f.v.Sum)
	}
	override(&out.CacheControl, in.ResponseCacheControl)
	override(&out.ContentDisposition, in.ResponseContentDisposition)
	override(&out.ContentEncoding, in.ResponseContentEncoding)
	override(&out.ContentLanguage, in.ResponseContentLanguage)
	override(&out.ContentType, in.ResponseContentType)
	if in.ResponseExpires != nil {
		out.Expires = new(httpTime(*in.ResponseExpires))
	}
	return out, nil
}

func override(p **string, by *string) {
	if by != nil {
		*p = by
	}
}

func (s *Service) headObject(ctx context.Context, rq *call.Authorized, in *api.HeadObjectRequest) (*api.HeadObjectOutput, error) {
	f, err := s.find(ctx, *in.Bucket, *in.Key, in.VersionId, in.PartNumber != nil)
	if err != nil {
		return nil, err
	}
	cond := conditions{in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince}
	if err := cond.check(f.v); err != nil {
		return nil, err
	}
	c, err := choose(f, in.Range, in.PartNumber)
	if err != nil {
		return nil, err
	}
	if opt.Val(in.ChecksumMode) != "" { // which tells of the content
		if _, err := s.unseal(ctx, rq, f.v.Seal); err != nil {
			return nil, err
		}
	}
	out := describe(f, c, opt.Val(in.ChecksumMode))
	override(&out.CacheControl, in.ResponseCacheControl)
	override(&out.ContentDisposition, in.ResponseContentDisposition)
	override(&out.ContentEncoding, in.ResponseContentEncoding)
	override(&out.ContentLanguage, in.ResponseContentLanguage)
	override(&out.ContentType, in.ResponseContentType)
	if in.ResponseExpires != nil {
		out.Expires = new(httpTime(*in.ResponseExpires))
	}
	return out, nil
}

// describe tells of a version, and of the part of it that was chosen.
func describe(f found, c chosen, checksums string) *api.HeadObjectOutput {
	v := f.v
	out := &api.HeadObjectOutput{
		AcceptRanges: new("bytes"), LastModified: &v.Modified, ContentLength: &c.at.n, ETag: new(quote(v.ETag)),
		VersionId: v.publicID(), ServerSideEncryption: v.Seal.algorithm(), SSEKMSKeyId: v.Seal.key(), BucketKeyEnabled: v.Seal.bucketKey(), Metadata: v.Metadata, Expiration: expirationOf(f.bucket, v),
		CacheControl: opt.NonZero(v.Headers.CacheControl), ContentDisposition: opt.NonZero(v.Headers.ContentDisposition),
		ContentEncoding: opt.NonZero(v.Headers.ContentEncoding), ContentLanguage: opt.NonZero(v.Headers.ContentLanguage),
		ContentType: opt.NonZero(v.Headers.ContentType), Expires: opt.NonZero(v.Headers.Expires),
		WebsiteRedirectLocation: opt.NonZero(v.Headers.Redirect), TagCount: opt.NonZero(int32(len(v.Tags))), PartsCount: opt.NonZero(int32(c.parts)),
	}
	if f.bucket.Versioning != "" {
		out.VersionId = &v.ID // also "null"
	}
	if c.partial {
		out.ContentRange = new(fmt.Sprintf("bytes %d-%d/%d", c.at.from, c.at.from+c.at.n-1, v.Size))
	}
	if checksums != "" && !c.partial {
		setChecksum(out, v.Sum)
	}
	return out
}
