package s3

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func invalidPart(u *upload, n int, etag string) error {
	return fault.New("InvalidPart", 400, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.").
		With("UploadId", u.ID).With("PartNumber", fmt.Sprint(n)).With("ETag", etag)
}

// choosePart returns those of an upload's parts that a completion names.
func choosePart(u *upload, have []*part, want []api.CompletedPart) ([]*part, error) {
	byNumber := make(map[int]*part, len(have))
	for _, p := range have {
		byNumber[p.Number] = p
	}
	for i, last := 0, 0; i < len(want); i++ {
		n := int(opt.Val(want[i].PartNumber))
		if n <= last {
			return nil, fault.New("InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number.").With("UploadId", u.ID)
		}
		last = n
	}
	chosen := make([]*part, len(want))
	for i := range want {
		w := &want[i]
		n := int(opt.Val(w.PartNumber))
		p := byNumber[n]
		if p == nil || !sameETag(opt.Val(w.ETag), p.ETag) {
			return nil, invalidPart(u, n, opt.Val(w.ETag))
		}
		for _, a := range algorithms() {
			sum := checksumMember(w, a.name)
			if sum == nil {
				continue
			}
			if a.name == u.Sum.Algorithm && *sum != p.Sum {
				return nil, invalidPart(u, n, opt.Val(w.ETag))
			}
			if u.Asked && a.name != u.Sum.Algorithm {
				return nil, fault.New("BadDigest", 400, "The %s you specified for part %d did not match what we received.", strings.ToLower(a.name), n)
			}
		}
		if i < len(want)-1 && p.Size < minPart {
			return nil, fault.New("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size").
				With("ETag", p.ETag).With("MinSizeAllowed", fmt.Sprint(int64(minPart))).With("PartNumber", fmt.Sprint(n)).With("ProposedSize", fmt.Sprint(p.Size))
		}
		chosen[i] = p
	}
	return chosen, nil
}

// assemble makes a version of an upload's parts.
func assemble(u *upload, parts []*part) (*version, []layoutPart, error) {
	v := &version{Key: u.Key, Headers: u.Headers, Metadata: u.Metadata, Tags: u.Tags, Parts: len(parts), Sum: u.Sum, Seal: u.Seal}
	etags := md5.New()
	a := algorithmsByName(u.Sum.Algorithm)
	sums := a.new()
	var crc uint64
	layout := make([]layoutPart, len(parts))
	for i, p := range parts {
		sum, err := hex.DecodeString(p.ETag)
		if err != nil {
			return nil, nil, fmt.Errorf("etag of part %d: %w", p.Number, err)
		}
		etags.Write(sum)
		if sum, err = base64.StdEncoding.DecodeString(p.Sum); err != nil || len(sum) != a.size {
			return nil, nil, fmt.Errorf("checksum of part %d is damaged", p.Number)
		}
		if u.Sum.Type == composite {
			sums.Write(sum)
		} else {
			crc = combineCRC(a.poly, 8*a.size, crc, binary.BigEndian.Uint64(append(make([]byte, 8-a.size), sum...)), p.Size)
		}
		v.Size += p.Size
		layout[i] = layoutPart{Number: p.Number, Size: p.Size, Blob: p.Blob, Sum: p.Sum}
	}
	v.ETag = fmt.Sprintf("%x-%d", etags.Sum(nil), len(parts))
	if u.Sum.Type == composite {
		v.Sum.Value = fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(sums.Sum(nil)), len(parts))
	} else {
		v.Sum.Value = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc)[8-a.size:])
	}
	return v, layout, nil
}

// checkWhole compares what a completion says of the whole object with what it is.
func checkWhole(in *api.CompleteMultipartUploadRequest, u *upload, v *version) error {
	if in.ChecksumType != nil && *in.ChecksumType != u.Sum.Type {
		return invalidRequest("The upload was created using the %s checksum mode. The complete request must use the same checksum mode.", u.Sum.Type)
	}
	for _, a := range algorithms() {
		sum := checksumMember(in, a.name)
		if sum == nil {
			continue
		}
		bare, _, _ := strings.Cut(v.Sum.Value, "-")
		if a.name != u.Sum.Algorithm || *sum != v.Sum.Value && *sum != bare {
			return badDigest(strings.ToLower(a.name))
		}
	}
	if in.MpuObjectSize != nil && *in.MpuObjectSize != v.Size {
		return invalidRequest("The provided 'x-amz-mp-object-size' header value %d does not match what was computed: %d", *in.MpuObjectSize, v.Size)
	}
	if v.Size > maxObject {
		return entityTooLarge(v.Size, maxObject)
	}
	return nil
}

func (s *Service) completeMultipartUpload(ctx context.Context, rq *call.Authorized, in *api.CompleteMultipartUploadRequest) (*api.CompleteMultipartUploadOutput, error) {
	if in.MultipartUpload == nil || len(in.MultipartUpload.Parts) == 0 || len(in.MultipartUpload.Parts) > maxParts {
		return nil, malformedXML()
	}
	if in.IfNoneMatch != nil && *in.IfNoneMatch != "*" {
		return nil, notImplemented("If-None-Match with anything but *, for writes,")
	}
	var v *version
	var b *bucket
	var g []garbage
	err := s.d.Store.Update(ctx, func(t data.Txn) (err error) {
		g = nil
		if b, err = s.bucket(t, *in.Bucket); err != nil {
			return err
		}
		u, err := findUpload(t, b.Name, *in.Key, *in.UploadId)
		if err != nil {
			return err
		}
		have, err := partsOf(t, u.ID, 0, maxParts)
		if err != nil {
			return err
		}
		chosen, err := choosePart(u, have, in.MultipartUpload.Parts)
		if err != nil {
			return err
		}
		var layout []layoutPart
		if v, layout, err = assemble(u, chosen); err != nil {
			return err
		}
		if err := checkWhole(in, u, v); err != nil {
			return err
		}
		if err := writeConditions(t, b.Name, u.Key, in.IfMatch, in.IfNoneMatch); err != nil {
			return err
		}
		v.Data, v.Modified = s.d.IDs.Of(ids.Hex, 32), s.now()
		keep := make(map[string]bool, len(layout))
		for _, p := range layout {
			keep[p.Blob] = true
		}
		if err := putJSON(t, partsKey(v.Data), layout); err != nil {
			return err
		}
		if err := s.putVersion(t, b, v, &g); err != nil {
			return err
		}
		return dropUpload(t, u, have, keep, &g)
	})
	if err != nil {
		return nil, err
	}
	s.discard(ctx, g)
	out := &api.CompleteMultipartUploadOutput{
		Bucket: in.Bucket, Key: in.Key, ETag: new(quote(v.ETag)), Location: new(s.endpoint(rq) + "/" + b.Name + "/" + escapePath(v.Key)),
		VersionId: v.publicID(), Expiration: expirationOf(b, v),
		ServerSideEncryption: v.Seal.algorithm(), SSEKMSKeyId: v.Seal.key(), BucketKeyEnabled: v.Seal.bucketKey(),
	}
	setChecksum(out, v.Sum)
	return out, nil
}

// endpoint is how the caller reached the server.
func (s *Service) endpoint(rq *call.Authorized) string {
	in := rq.Incoming()
	if in.Host == "" {
		return "http://" + s.d.Host
	}
	return rq.Endpoint()
}
