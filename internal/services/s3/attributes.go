package s3

import (
	"context"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) getObjectAttributes(ctx context.Context, _ *call.Authorized, in *api.GetObjectAttributesRequest) (*api.GetObjectAttributesOutput, error) {
	f, err := s.find(ctx, *in.Bucket, *in.Key, in.VersionId, true)
	if err != nil {
		return nil, err
	}
	v := f.v
	out := &api.GetObjectAttributesOutput{LastModified: &v.Modified, VersionId: v.publicID()}
	if f.bucket.Versioning != "" {
		out.VersionId = &v.ID
	}
	want := func(a string) bool { return slices.Contains(in.ObjectAttributes, a) }
	if want("ETag") {
		out.ETag = &v.ETag
	}
	if want("ObjectSize") {
		out.ObjectSize = &v.Size
	}
	if want("StorageClass") {
		out.StorageClass = new("STANDARD")
	}
	if want("Checksum") && v.Sum.Value != "" {
		sum := v.Sum
		sum.Value, _, _ = strings.Cut(sum.Value, "-")
		out.Checksum = &api.Checksum{}
		setChecksum(out.Checksum, sum)
	}
	if want("ObjectParts") && v.Parts > 0 {
		out.ObjectParts = partsPage(f, int(opt.Val(in.PartNumberMarker)), int(opt.Or(in.MaxParts, 1000)))
	}
	return out, nil
}

// partsPage lists an object's parts. As on AWS they are named one by one only if
// each has a checksum of its own, that is for composite checksums.
func partsPage(f found, after, max int) *api.GetObjectAttributesParts {
	out := &api.GetObjectAttributesParts{TotalPartsCount: new(int32(f.v.Parts))}
	if f.v.Sum.Type != composite {
		return out
	}
	max = min(max, 1000)
	out.MaxParts, out.PartNumberMarker, out.IsTruncated = new(int32(max)), new(int32(after)), new(false)
	last := after
	for _, p := range f.parts {
		if p.Number <= after {
			continue
		}
		if len(out.Parts) == max {
			out.IsTruncated = new(true)
			break
		}
		o := api.ObjectPart{PartNumber: new(int32(p.Number)), Size: new(p.Size)}
		setChecksum(&o, checksum{Algorithm: f.v.Sum.Algorithm, Value: p.Sum})
		out.Parts = append(out.Parts, o)
		last = p.Number
	}
	out.NextPartNumberMarker = new(int32(last))
	return out
}
