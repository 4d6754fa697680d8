package s3

import (
	"context"
	"reflect"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// Actions, resources and condition keys follow
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html.

func bucketARN(region, name string) string { return "arn:" + arn.Partition(region) + ":s3:::" + name }

// target is what an access rule looks at: a bucket as its needs see it.
type target struct {
	rq     *call.Decoded
	name   string
	bucket *bucket // nil if there is none
}

// look reads a bucket for an access rule. A bucket that does not exist has no
// owner and no policy, so that strangers are told AccessDenied.
func (s *Service) look(r data.Reader, rq *call.Decoded, name string, expected *string) (target, error) {
	b, err := s.findBucket(r, name)
	if err != nil {
		return target{}, err
	}
	if b != nil && expected != nil && *expected != b.Account {
		return target{}, fault.Of(fault.AccessDenied, "Access Denied")
	}
	return target{rq, name, b}, nil
}

// need is a permission on the bucket, or on the object with the given key.
func (t target) need(action string, key *string, keys map[string][]string) call.Need {
	n := call.Need{Action: action, Resource: bucketARN(t.rq.Region(), t.name), Keys: keys}
	if key != nil {
		n.Resource += "/" + *key
	}
	if t.bucket == nil {
		return n
	}
	n.Owner, n.Policy = t.bucket.Account, t.bucket.policy
	if t.bucket.isPublic && opt.Val(t.bucket.publicBlock().RestrictPublicBuckets) {
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
		p := t.rq.Principal()
		if p.Kind != policy.Service && p.Account != t.bucket.Account {
			n.Policy = nil
		}
	}
	return n
}

// keys collects condition keys, leaving out what is absent.
type keys map[string][]string

func (k keys) text(name string, v *string) {
	if v != nil {
		k[name] = []string{*v}
	}
}

func (k keys) number(name string, v *int32) {
	if v != nil {
		k[name] = []string{strconv.Itoa(int(*v))}
	}
}

func (k keys) tags(kind string, tags []tag) {
	for _, t := range tags {
		k["s3:"+kind+"objecttag/"+lower(t.Key)] = []string{t.Value}
		if kind == "request" {
			k["s3:requestobjecttagkeys"] = append(k["s3:requestobjecttagkeys"], t.Key)
		}
	}
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// member returns a string member of a generated struct, nil if it has none such.
func member(in any, name string) *string {
	f := reflect.ValueOf(in).Elem().FieldByName(name)
	if !f.IsValid() {
		return nil
	}
	p, _ := f.Interface().(*string)
	return p
}

// onBucket is the rule of operations that take one permission on a bucket.
func onBucket[I any](s *Service, action string) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		var needs []call.Need
		err := s.d.Store.View(ctx, func(r data.Reader) error {
			t, err := s.look(r, rq, opt.Val(member(in, "Bucket")), member(in, "ExpectedBucketOwner"))
			if err != nil {
				return err
			}
			needs = []call.Need{t.need(action, nil, nil)}
			return nil
		})
		return needs, err
	}, action)
}

// onObject is the rule of operations that read or change what is there: the first
// action on the object, or the second on one of its versions. Who asks for an
// object that does not exist needs s3:ListBucket too, because the answer tells of it.
func onObject[I any](s *Service, reads bool, actions ...string) call.Access[I] {
	all := actions
	if reads {
		all = append(append([]string(nil), actions...), "s3:ListBucket")
	}
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		var needs []call.Need
		err := s.d.Store.View(ctx, func(r data.Reader) (err error) {
			needs, err = s.objectNeeds(r, rq, in, reads, actions...)
			return err
		})
		return needs, err
	}, all...)
}

func (s *Service) objectNeeds(r data.Reader, rq *call.Decoded, in any, reads bool, actions ...string) ([]call.Need, error) {
	key, id := member(in, "Key"), member(in, "VersionId")
	action := actions[0]
	if id != nil && len(actions) > 1 {
		action = actions[1]
	}
	t, err := s.look(r, rq, opt.Val(member(in, "Bucket")), member(in, "ExpectedBucketOwner"))
	if err != nil {
		return nil, err
	}
	return s.versionNeeds(r, t, action, key, id, reads)
}

func (s *Service) versionNeeds(r data.Reader, t target, action string, key, id *string, reads bool) ([]call.Need, error) {
	k := keys{}
	k.text("s3:versionid", id)
	needs := []call.Need{t.need(action, key, k)}
	if t.bucket == nil {
		return needs, nil
	}
	v, err := findVersion(r, t.name, opt.Val(key), opt.Val(id))
	switch {
	case fault.As(err) != nil:
		return needs, nil // an id that is none: the handler says so
	case err != nil:
		return nil, err
	}
	if v != nil {
		k.tags("existing", v.Tags)
	}
	if reads && (v == nil || v.Marker) {
		needs = append(needs, t.need("s3:ListBucket", nil, nil))
	}
	return needs, nil
}

// onWrite is the rule of operations that make an object: s3:PutObject, and
// s3:PutObjectTagging if they tag it.
func onWrite[I any](s *Service) call.Access[I] {
	return call.Rule(func(ctx context.Context, rq *call.Decoded, in *I) ([]call.Need, error) {
		var needs []call.Need
		err := s.d.Store.View(ctx, func(r data.Reader) (err error) {
			needs, err = s.writeNeeds(r, rq, in)
			return err
		})
		return needs, err
	}, "s3:PutObject", "s3:PutObjectTagging")
}

func (s *Service) writeNeeds(r data.Reader, rq *call.Decoded, in any) ([]call.Need, error) {
	t, err := s.look(r, rq, opt.Val(member(in, "Bucket")), member(in, "ExpectedBucketOwner"))
	if err != nil {
		return nil, err
	}
	k := keys{}
	k.text("s3:x-amz-acl", member(in, "ACL"))
	k.text("s3:x-amz-server-side-encryption", member(in, "ServerSideEncryption"))
	k.text("s3:x-amz-server-side-encryption-aws-kms-key-id", member(in, "SSEKMSKeyId"))
	k.text("s3:x-amz-storage-class", member(in, "StorageClass"))
	k.text("s3:x-amz-copy-source", member(in, "CopySource"))
	k.text("s3:x-amz-metadata-directive", member(in, "MetadataDirective"))
	k.text("s3:if-match", member(in, "IfMatch"))
	k.text("s3:if-none-match", member(in, "IfNoneMatch"))
	tags, err := readTagHeader(member(in, "Tagging"))
	if err != nil {
		return nil, err
	}
	k.tags("request", tags)
	key := member(in, "Key")
	needs := []call.Need{t.need("s3:PutObject", key, k)}
	if len(tags) > 0 {
		needs = append(needs, t.need("s3:PutObjectTagging", key, k))
	}
	return needs, nil
}
