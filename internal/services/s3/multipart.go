package s3

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) multipartBindings() []call.Binding {
	return []call.Binding{
		bind(api.CreateMultipartUpload, onWrite[api.CreateMultipartUploadRequest](s), s.createMultipartUpload),
		bind(api.UploadPart, onWrite[api.UploadPartRequest](s), s.uploadPart),
		bind(api.CompleteMultipartUpload, onWrite[api.CompleteMultipartUploadRequest](s), s.completeMultipartUpload),
		bind(api.AbortMultipartUpload, onObject[api.AbortMultipartUploadRequest](s, false, "s3:AbortMultipartUpload"), s.abortMultipartUpload),
		bind(api.ListParts, onObject[api.ListPartsRequest](s, false, "s3:ListMultipartUploadParts"), s.listParts),
		bind(api.ListMultipartUploads, onList[api.ListMultipartUploadsRequest](s, "s3:ListBucketMultipartUploads"), s.listMultipartUploads),
	}
}

// uploadSum finds out which checksum an upload's object will have.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
func uploadSum(algorithm, kind *string) (c checksum, asked bool, err error) {
	c = checksum{Algorithm: opt.Or(algorithm, defaultAlgorithm)}
	a := algorithmsByName(c.Algorithm)
	switch {
	case algorithm == nil && kind != nil:
		return c, false, invalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
	case a == nil:
		return c, false, notImplemented("The checksum algorithm " + c.Algorithm)
	}
	c.Type = composite
	if c.Algorithm == defaultAlgorithm {
		c.Type = fullObject
	}
	c.Type = opt.Or(kind, c.Type)
	if c.Type == fullObject && a.poly == 0 || c.Type == composite && c.Algorithm == defaultAlgorithm {
		return c, false, invalidRequest("The %s checksum type cannot be used with the %s checksum algorithm.", c.Type, strings.ToLower(c.Algorithm))
	}
	return c, algorithm != nil, nil
}

func (s *Service) createMultipartUpload(ctx context.Context, rq *call.Authorized, in *api.CreateMultipartUploadRequest) (*api.CreateMultipartUploadOutput, error) {
	v := &version{Key: *in.Key, Metadata: in.Metadata, Headers: headers{
		CacheControl: opt.Val(in.CacheControl), ContentDisposition: opt.Val(in.ContentDisposition),
		ContentEncoding: opt.Val(in.ContentEncoding), ContentLanguage: opt.Val(in.ContentLanguage),
		ContentType: opt.Or(in.ContentType, defaultType), Expires: opt.Val(in.Expires), Redirect: opt.Val(in.WebsiteRedirectLocation),
	}}
	if err := s.checkNew(v, in.Tagging, nil); err != nil {
		return nil, err
	}
	sum, asked, err := uploadSum(in.ChecksumAlgorithm, in.ChecksumType)
	if err != nil {
		return nil, err
	}
	p := rq.Principal()
	u := &upload{
		Bucket: *in.Bucket, Key: v.Key, ID: s.uploadID(), Initiated: s.now(), Initiator: p.ARN,
		Headers: v.Headers, Metadata: v.Metadata, Tags: v.Tags, Sum: sum, Asked: asked,
	}
	to, err := s.view(ctx, u.Bucket)
	if err != nil {
		return nil, err
	}
	u.Seal, err = s.sealFor(ctx, rq, to, v.Key, sealing{in.ServerSideEncryption, in.SSEKMSKeyId, in.SSEKMSEncryptionContext, in.BucketKeyEnabled})
	if err != nil {
		return nil, err
	}
	out := &api.CreateMultipartUploadOutput{
		Bucket: in.Bucket, Key: in.Key, UploadId: &u.ID,
		ServerSideEncryption: u.Seal.algorithm(), SSEKMSKeyId: u.Seal.key(), SSEKMSEncryptionContext: u.Seal.context(), BucketKeyEnabled: u.Seal.bucketKey(),
	}
	if asked {
		out.ChecksumAlgorithm, out.ChecksumType = &sum.Algorithm, &sum.Type
	}
	err = s.d.Store.Update(ctx, func(t data.Txn) error {
		b, err := s.bucket(t, u.Bucket)
		if err != nil {
			return err
		}
		if at, rule, ok := abortDate(b, u); ok {
			out.AbortDate, out.AbortRuleId = &at, &rule
		}
		return putUpload(t, u)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// viewUpload reads an upload under way.
func (s *Service) viewUpload(ctx context.Context, bucket, key, id string) (u *upload, err error) {
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		if _, err := s.bucket(r, bucket); err != nil {
			return err
		}
		u, err = findUpload(r, bucket, key, id)
		return err
	})
	return u, err
}

func checkPartNumber(n int32) error {
	if n < 1 || n > maxParts {
		return invalidArgument("partNumber", fmt.Sprint(n), "Part number must be an integer between 1 and 10000, inclusive")
	}
	return nil
}

func (s *Service) uploadPart(ctx context.Context, rq *call.Authorized, in *api.UploadPartRequest) (*api.UploadPartOutput, error) {
	if in.Body != nil {
		defer in.Body.Close()
	}
	if err := checkPartNumber(*in.PartNumber); err != nil {
		return nil, err
	}
	if n := opt.Val(in.ContentLength); n > maxPut {
		return nil, entityTooLarge(n, maxPut)
	}
	compute, asked, err := declared(in)
	if err != nil {
		return nil, err
	}
	u, err := s.viewUpload(ctx, *in.Bucket, *in.Key, *in.UploadId)
	if err != nil {
		return nil, err
	}
	if u.Asked && asked != "" && asked != u.Sum.Algorithm {
		return nil, invalidRequest("Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", strings.ToLower(u.Sum.Algorithm), strings.ToLower(asked))
	}
	if !slices.Contains(compute, u.Sum.Algorithm) {
		compute = append(compute, u.Sum.Algorithm)
	}
	var body io.Reader
	if in.Body != nil {
		body = in.Body
	}
	secret, err := s.unseal(ctx, rq, u.Seal)
	if err != nil {
		return nil, err
	}
	got, err := s.take(ctx, body, maxPut, false, compute, secret)
	if err != nil {
		return nil, err
	}
	kept := false
	defer func() { got.release(ctx, kept) }()
	if in.ContentLength != nil && *in.ContentLength != got.Size {
		return nil, incomplete()
	}
	sum, err := verify(ctx, in, got, asked, u.Sum.Algorithm)
	if err != nil {
		return nil, err
	}
	p, err := s.addPart(ctx, u, int(*in.PartNumber), got)
	if kept = mayBeKept(err); err != nil {
		return nil, err
	}
	out := &api.UploadPartOutput{
		ETag: new(quote(p.ETag)), ServerSideEncryption: u.Seal.algorithm(), SSEKMSKeyId: u.Seal.key(), BucketKeyEnabled: u.Seal.bucketKey(),
	}
	setChecksum(out, sum)
	return out, nil
}

// addPart records a part, in place of one with the same number.
func (s *Service) addPart(ctx context.Context, u *upload, number int, got *taken) (*part, error) {
	sum, err := keep(got, u.Sum.Algorithm)
	if err != nil {
		return nil, err
	}
	p := &part{Number: number, Size: got.Size, Blob: got.ID, ETag: got.etag(), Sum: sum.Value, Modified: s.now()}
	var g []garbage
	err = s.d.Store.Update(ctx, func(t data.Txn) error {
		g = nil
		if _, err := findUpload(t, u.Bucket, u.Key, u.ID); err != nil {
			return err
		}
		var old part
		ok, err := getJSON(t, partKey(u.ID, number), &old)
		if err != nil {
			return err
		}
		if ok {
			g = append(g, garbage{old.Blob, []string{old.Blob}})
			if err := t.Delete(liveKey(old.Blob)); err != nil {
				return err
			}
		}
		return putPart(t, u.ID, p)
	})
	if err != nil {
		return nil, err
	}
	s.discard(ctx, g)
	return p, nil
}

func (s *Service) abortMultipartUpload(ctx context.Context, _ *call.Authorized, in *api.AbortMultipartUploadRequest) (*api.AbortMultipartUploadOutput, error) {
	var g []garbage
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		g = nil
		if _, err := s.bucket(t, *in.Bucket); err != nil {
			return err
		}
		u, err := findUpload(t, *in.Bucket, *in.Key, *in.UploadId)
		if err != nil {
			return err
		}
		parts, err := partsOf(t, u.ID, 0, maxParts)
		if err != nil {
			return err
		}
		return dropUpload(t, u, parts, nil, &g)
	})
	if err != nil {
		return nil, err
	}
	s.discard(ctx, g)
	return &api.AbortMultipartUploadOutput{}, nil
}

func (s *Service) listParts(ctx context.Context, _ *call.Authorized, in *api.ListPartsRequest) (*api.ListPartsOutput, error) {
	max, err := pageSize("max-parts", in.MaxParts)
	if err != nil {
		return nil, err
	}
	after := int(opt.Val(in.PartNumberMarker))
	if after < 0 {
		return nil, invalidArgument("part-number-marker", fmt.Sprint(after), "Argument part-number-marker must be an integer between 0 and 2147483647")
	}
	after = min(after, maxParts)
	var b *bucket
	var u *upload
	var parts []*part
	err = s.d.Store.View(ctx, func(r data.Reader) (err error) {
		if b, err = s.bucket(r, *in.Bucket); err != nil {
			return err
		}
		if u, err = findUpload(r, b.Name, *in.Key, *in.UploadId); err != nil {
			return err
		}
		parts, err = partsOf(r, u.ID, after, max+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	more := max > 0 && len(parts) > max
	parts = parts[:min(len(parts), max)]
	out := &api.ListPartsOutput{
		Bucket: in.Bucket, Key: in.Key, UploadId: &u.ID, PartNumberMarker: new(int32(after)), NextPartNumberMarker: new(int32(after)),
		MaxParts: new(int32(max)), IsTruncated: &more, StorageClass: new("STANDARD"), Owner: owner(b.Account),
		Initiator: &api.Initiator{ID: &u.Initiator},
	}
	if u.Asked {
		out.ChecksumAlgorithm, out.ChecksumType = &u.Sum.Algorithm, &u.Sum.Type
	}
	if at, rule, ok := abortDate(b, u); ok {
		out.AbortDate, out.AbortRuleId = &at, &rule
	}
	for _, p := range parts {
		x := api.Part{PartNumber: new(int32(p.Number)), LastModified: &p.Modified, ETag: new(quote(p.ETag)), Size: &p.Size}
		if u.Asked {
			setChecksum(&x, checksum{Algorithm: u.Sum.Algorithm, Value: p.Sum})
		}
		out.Parts = append(out.Parts, x)
		out.NextPartNumberMarker = x.PartNumber
	}
	return out, nil
}

func (s *Service) listMultipartUploads(ctx context.Context, _ *call.Authorized, in *api.ListMultipartUploadsRequest) (*api.ListMultipartUploadsOutput, error) {
	max, err := pageSize("max-uploads", in.MaxUploads)
	if err != nil {
		return nil, err
	}
	q := query{base: uploadsKey(*in.Bucket), prefix: opt.Val(in.Prefix), delimiter: opt.Val(in.Delimiter), after: opt.Val(in.KeyMarker)}
	if id := opt.Val(in.UploadIdMarker); id != "" && q.after != "" {
		q.within = uploadKey(*in.Bucket, q.after, id)
	}
	enc := encoding(in.EncodingType != nil)
	out := &api.ListMultipartUploadsOutput{
		Bucket: in.Bucket, Prefix: new(enc.text(q.prefix)), Delimiter: enc.optional(opt.NonZero(q.delimiter)), KeyMarker: new(enc.text(q.after)),
		UploadIdMarker: new(opt.Val(in.UploadIdMarker)), MaxUploads: new(int32(max)), EncodingType: in.EncodingType, IsTruncated: new(false),
	}
	var prefixes []string
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		b, err := s.bucket(r, *in.Bucket)
		if err != nil || max == 0 {
			return err
		}
		lastKey, lastID := "", ""
		return q.walk(r, func(key string, _ bool, p data.Pair) (move, error) {
			if len(out.Uploads)+len(prefixes) == max {
				out.IsTruncated, out.NextKeyMarker, out.NextUploadIdMarker = new(true), new(enc.text(lastKey)), &lastID
				return done, nil
			}
			if cp := q.commonPrefix(key); cp != "" {
				prefixes, lastKey, lastID = append(prefixes, cp), cp, ""
				return overRoll, nil
			}
			u, err := decodeUpload(p)
			if err != nil {
				return done, err
			}
			lastKey, lastID = key, u.ID
			x := api.MultipartUpload{
				UploadId: &u.ID, Key: new(enc.text(key)), Initiated: &u.Initiated, StorageClass: new("STANDARD"),
				Owner: owner(b.Account), Initiator: &api.Initiator{ID: &u.Initiator},
			}
			if u.Asked {
				x.ChecksumAlgorithm, x.ChecksumType = &u.Sum.Algorithm, &u.Sum.Type
			}
			out.Uploads = append(out.Uploads, x)
			return step, nil
		})
	})
	if err != nil {
		return nil, err
	}
	out.CommonPrefixes = commonPrefixes(prefixes, enc)
	return out, nil
}
