package s3

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) listBindings() []call.Binding {
	return []call.Binding{
		bind(api.ListObjects, onList[api.ListObjectsRequest](s, "s3:ListBucket"), s.listObjects),
		bind(api.ListObjectsV2, onList[api.ListObjectsV2Request](s, "s3:ListBucket"), s.listObjectsV2),
		bind(api.ListObjectVersions, onList[api.ListObjectVersionsRequest](s, "s3:ListBucketVersions"), s.listObjectVersions),
	}
}

const maxPage = 1000

// onList is the rule of listings, which policies often bound to a prefix.
func onList[I any](s *Service, action string) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		var needs []call.Need
		err := s.d.Store.View(ctx, func(r data.Reader) error {
			t, err := s.look(r, rq, opt.Val(member(in, "Bucket")), member(in, "ExpectedBucketOwner"))
			if err != nil {
				return err
			}
			k := keys{}
			k.text("s3:prefix", member(in, "Prefix"))
			k.text("s3:delimiter", member(in, "Delimiter"))
			switch in := any(in).(type) {
			case *api.ListObjectsRequest:
				k.number("s3:max-keys", in.MaxKeys)
			case *api.ListObjectsV2Request:
				k.number("s3:max-keys", in.MaxKeys)
			case *api.ListObjectVersionsRequest:
				k.number("s3:max-keys", in.MaxKeys)
			}
			needs = []call.Need{t.need(action, nil, k)}
			return nil
		})
		return needs, err
	}, action)
}

// pageSize reads max-keys and its like: 0 to 1,000, what is more counting as 1,000.
func pageSize(name string, n *int32) (int, error) {
	if n != nil && *n < 0 {
		return 0, invalidArgument(name, "", "Argument %s must be an integer between 0 and 2147483647", name)
	}
	return min(int(opt.Or(n, maxPage)), maxPage), nil
}

// listing is a page of current objects.
type listing struct {
	bucket   *bucket
	objects  []*version
	prefixes []string
	more     bool
	last     string // the last key or common prefix of the page
}

// list makes a page of at most max current objects and common prefixes.
func (s *Service) list(ctx context.Context, bucket string, q query, max int) (l listing, err error) {
	q.base = versionsKey(bucket)
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		l = listing{}
		if l.bucket, err = s.bucket(r, bucket); err != nil || max == 0 {
			return err
		}
		return q.walk(r, func(key string, _ bool, p data.Pair) (move, error) {
			v, err := decodeVersion(p)
			if err != nil {
				return done, err
			}
			if v.Marker {
				return overKey, nil
			}
			if len(l.objects)+len(l.prefixes) == max {
				l.more = true
				return done, nil
			}
			if cp := q.commonPrefix(key); cp != "" {
				l.prefixes, l.last = append(l.prefixes, cp), cp
				return overRoll, nil
			}
			l.objects, l.last = append(l.objects, v), key
			return overKey, nil
		})
	})
	return l, err
}

func (l *listing) contents(enc encoding, withOwner bool) []api.Object {
	out := make([]api.Object, len(l.objects))
	for i, v := range l.objects {
		out[i] = api.Object{
			Key: new(enc.text(v.Key)), LastModified: &v.Modified, ETag: new(quote(v.ETag)), Size: &v.Size, StorageClass: new("STANDARD"),
		}
		if v.Sum.Algorithm != "" {
			out[i].ChecksumAlgorithm, out[i].ChecksumType = []string{v.Sum.Algorithm}, &v.Sum.Type
		}
		if withOwner {
			out[i].Owner = owner(l.bucket.Account)
		}
	}
	return out
}

func commonPrefixes(prefixes []string, enc encoding) []api.CommonPrefix {
	out := make([]api.CommonPrefix, len(prefixes))
	for i, p := range prefixes {
		out[i] = api.CommonPrefix{Prefix: new(enc.text(p))}
	}
	return out
}

func (s *Service) listObjects(ctx context.Context, _ *call.Authorized, in *api.ListObjectsRequest) (*api.ListObjectsOutput, error) {
	max, err := pageSize("max-keys", in.MaxKeys)
	if err != nil {
		return nil, err
	}
	q := query{prefix: opt.Val(in.Prefix), delimiter: opt.Val(in.Delimiter), after: opt.Val(in.Marker)}
	l, err := s.list(ctx, *in.Bucket, q, max)
	if err != nil {
		return nil, err
	}
	enc := encoding(in.EncodingType != nil)
	out := &api.ListObjectsOutput{
		Name: in.Bucket, Prefix: new(enc.text(q.prefix)), Marker: new(enc.text(q.after)), Delimiter: enc.optional(opt.NonZero(q.delimiter)),
		MaxKeys: new(int32(max)), EncodingType: in.EncodingType, IsTruncated: &l.more,
		Contents: l.contents(enc, true), CommonPrefixes: commonPrefixes(l.prefixes, enc),
	}
	if l.more && q.delimiter != "" {
		out.NextMarker = new(enc.text(l.last))
	}
	return out, nil
}

func (s *Service) listObjectsV2(ctx context.Context, _ *call.Authorized, in *api.ListObjectsV2Request) (*api.ListObjectsV2Output, error) {
	max, err := pageSize("max-keys", in.MaxKeys)
	if err != nil {
		return nil, err
	}
	q := query{prefix: opt.Val(in.Prefix), delimiter: opt.Val(in.Delimiter), after: opt.Val(in.StartAfter)}
	if in.ContinuationToken != nil {
		if q.after, err = page.After(*in.ContinuationToken); err != nil || q.after == "" {
			return nil, invalidArgument("continuation-token", *in.ContinuationToken, "The continuation token provided is incorrect")
		}
	}
	l, err := s.list(ctx, *in.Bucket, q, max)
	if err != nil {
		return nil, err
	}
	enc := encoding(in.EncodingType != nil)
	out := &api.ListObjectsV2Output{
		Name: in.Bucket, Prefix: new(enc.text(q.prefix)), Delimiter: enc.optional(opt.NonZero(q.delimiter)), StartAfter: enc.optional(in.StartAfter),
		MaxKeys: new(int32(max)), EncodingType: in.EncodingType, IsTruncated: &l.more, ContinuationToken: in.ContinuationToken,
		KeyCount: new(int32(len(l.objects) + len(l.prefixes))),
		Contents: l.contents(enc, opt.Val(in.FetchOwner)), CommonPrefixes: commonPrefixes(l.prefixes, enc),
	}
	if l.more {
		out.NextContinuationToken = new(page.Token(l.last))
	}
	return out, nil
}

func (s *Service) listObjectVersions(ctx context.Context, _ *call.Authorized, in *api.ListObjectVersionsRequest) (*api.ListObjectVersionsOutput, error) {
	max, err := pageSize("max-keys", in.MaxKeys)
	if err != nil {
		return nil, err
	}
	if opt.Val(in.VersionIdMarker) != "" && opt.Val(in.KeyMarker) == "" {
		return nil, invalidArgument("version-id-marker", *in.VersionIdMarker, "A version-id marker cannot be specified without a key marker.")
	}
	q := query{base: versionsKey(*in.Bucket), prefix: opt.Val(in.Prefix), delimiter: opt.Val(in.Delimiter), after: opt.Val(in.KeyMarker)}
	enc := encoding(in.EncodingType != nil)
	out := &api.ListObjectVersionsOutput{
		Name: in.Bucket, Prefix: new(enc.text(q.prefix)), Delimiter: enc.optional(opt.NonZero(q.delimiter)), KeyMarker: new(enc.text(q.after)),
		VersionIdMarker: new(opt.Val(in.VersionIdMarker)), MaxKeys: new(int32(max)), EncodingType: in.EncodingType, IsTruncated: new(false),
	}
	var prefixes []string
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		b, err := s.bucket(r, *in.Bucket)
		if err != nil || max == 0 {
			return err
		}
		if id := opt.Val(in.VersionIdMarker); id != "" {
			if q.within, err = markerPair(r, b.Name, q.after, id); err != nil {
				return err
			}
		}
		lastKey, lastID := "", ""
		return q.walk(r, func(key string, first bool, p data.Pair) (move, error) {
			if len(out.Versions)+len(out.DeleteMarkers)+len(prefixes) == max {
				out.IsTruncated, out.NextKeyMarker, out.NextVersionIdMarker = new(true), new(enc.text(lastKey)), opt.NonZero(lastID)
				return done, nil
			}
			if cp := q.commonPrefix(key); cp != "" {
				prefixes, lastKey, lastID = append(prefixes, cp), cp, ""
				return overRoll, nil
			}
			v, err := decodeVersion(p)
			if err != nil {
				return done, err
			}
			lastKey, lastID = key, v.ID
			if v.Marker {
				out.DeleteMarkers = append(out.DeleteMarkers, api.DeleteMarkerEntry{
					Key: new(enc.text(key)), VersionId: &v.ID, IsLatest: &first, LastModified: &v.Modified, Owner: owner(b.Account),
				})
				return step, nil
			}
			x := api.ObjectVersion{
				Key: new(enc.text(key)), VersionId: &v.ID, IsLatest: &first, LastModified: &v.Modified, Owner: owner(b.Account),
				ETag: new(quote(v.ETag)), Size: &v.Size, StorageClass: new("STANDARD"),
			}
			if v.Sum.Algorithm != "" {
				x.ChecksumAlgorithm, x.ChecksumType = []string{v.Sum.Algorithm}, &v.Sum.Type
			}
			out.Versions = append(out.Versions, x)
			return step, nil
		})
	})
	if err != nil {
		return nil, err
	}
	out.CommonPrefixes = commonPrefixes(prefixes, enc)
	return out, nil
}

// markerPair returns the key of the pair that a version-id marker names. A null
// version that is gone is taken to have been the key's last.
func markerPair(r data.Reader, bucket, key, id string) ([]byte, error) {
	if id != nullVersion {
		seq, ok := versionSeq(id)
		if !ok {
			return nil, invalidArgument("version-id-marker", id, "Invalid version id specified")
		}
		return versionKey(bucket, key, seq), nil
	}
	v, err := findVersion(r, bucket, key, id)
	if err != nil || v == nil {
		return objectKey(bucket, key), err
	}
	return versionKey(bucket, key, v.Seq), nil
}
