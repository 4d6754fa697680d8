package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) bucketBindings() []call.Binding {
	return []call.Binding{
		bind(api.CreateBucket, call.Rule(s.createNeeds, "s3:CreateBucket", "s3:PutBucketOwnershipControls", "s3:TagResource"), s.createBucket),
		bind(api.DeleteBucket, onBucket[api.DeleteBucketRequest](s, "s3:DeleteBucket"), s.deleteBucket),
		bind(api.HeadBucket, onBucket[api.HeadBucketRequest](s, "s3:ListBucket"), s.headBucket),
		// The resource is every bucket, written so that policies may name it either way.
		bind(api.ListBuckets, call.Allow("s3:ListAllMyBuckets", func(rq *call.Decoded, _ *api.ListBucketsRequest) string {
			return bucketARN(rq.Region(), "*")
		}), s.listBuckets),
		bind(api.GetBucketLocation, onBucket[api.GetBucketLocationRequest](s, "s3:GetBucketLocation"), s.getBucketLocation),
	}
}

// owner is an account as S3 shows it: by its canonical user id.
func owner(account string) *api.Owner {
	sum := sha256.Sum256([]byte("canonical user " + account))
	return &api.Owner{ID: new(hex.EncodeToString(sum[:]))}
}

func (s *Service) createNeeds(_ context.Context, rq *call.Decoded, in *api.CreateBucketRequest) ([]call.Need, error) {
	k := keys{}
	k.text("s3:x-amz-acl", in.ACL)
	k.text("s3:x-amz-object-ownership", in.ObjectOwnership)
	resource := bucketARN(rq.Region(), opt.Val(in.Bucket))
	need := func(action string) call.Need { return call.Need{Action: action, Resource: resource, Keys: k} }
	needs := []call.Need{need("s3:CreateBucket")}
	if in.ObjectOwnership != nil {
		needs = append(needs, need("s3:PutBucketOwnershipControls"))
	}
	if c := in.CreateBucketConfiguration; c != nil {
		k.text("s3:locationconstraint", c.LocationConstraint)
		if len(c.Tags) > 0 {
			needs = append(needs, need("s3:TagResource"))
		}
	}
	return needs, nil
}

func (s *Service) createBucket(ctx context.Context, rq *call.Authorized, in *api.CreateBucketRequest) (*api.CreateBucketOutput, error) {
	name := *in.Bucket
	if err := checkBucketName(name); err != nil {
		return nil, err
	}
	region := rq.Region()
	var tags []tag
	if c := in.CreateBucketConfiguration; c != nil {
		if c.Location != nil || c.Bucket != nil {
			return nil, notImplemented("A directory bucket")
		}
		var err error
		if tags, err = readTags(c.Tags, 50); err != nil {
			return nil, err
		}
		if region, err = location(region, opt.Val(c.LocationConstraint)); err != nil {
			return nil, err
		}
	} else if region != "us-east-1" {
		if _, err := location(region, ""); err != nil {
			return nil, err
		}
	}
	b := &bucket{
		Name: name, Account: rq.Account(), Region: region, Created: s.now(), Ownership: true, Tags: tags,
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/creating-buckets-s3.html
		Public: &api.PublicAccessBlockConfiguration{
			BlockPublicAcls: new(true), IgnorePublicAcls: new(true), BlockPublicPolicy: new(true), RestrictPublicBuckets: new(true),
		},
	}
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		old, err := s.findBucket(t, name)
		switch {
		case err != nil:
			return err
		case old != nil && old.Account != b.Account:
			return api.BucketAlreadyExists("The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.").With("BucketName", name)
		case old != nil && rq.Region() == "us-east-1" && old.Region == region:
			return nil // as AWS has it in this region only
		case old != nil:
			return api.BucketAlreadyOwnedByYou("Your previous request to create the named bucket succeeded and you already own it.").With("BucketName", name)
		}
		n := 0
		from := data.Key(room, "owned", b.Account)
		for _, err := range t.Scan(from, data.PrefixEnd(from), false) {
			if err != nil {
				return err
			}
			n++
		}
		if n >= maxBuckets {
			return fault.New("TooManyBuckets", 400, "You have attempted to create more buckets than allowed")
		}
		if err := t.Put(ownedKey(b.Account, name), nil); err != nil {
			return err
		}
		return putBucket(t, b)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateBucketOutput{Location: new("/" + name), BucketArn: new(bucketARN(region, name))}, nil
}

// location checks a location constraint against the region that was asked.
func location(region, constraint string) (string, error) {
	if constraint == "EU" {
		constraint = "eu-west-1"
	}
	switch {
	case constraint == "" && region == "us-east-1", constraint == region:
		return region, nil
	case constraint == "":
		return "", fault.New("IllegalLocationConstraintException", 400, "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.")
	case region == "us-east-1":
		return constraint, nil
	}
	return "", fault.New("IllegalLocationConstraintException", 400, "The %s location constraint is incompatible for the region specific endpoint this request was sent to.", constraint)
}

func (s *Service) deleteBucket(ctx context.Context, _ *call.Authorized, in *api.DeleteBucketRequest) (*call.None, error) {
	name := *in.Bucket
	var g []garbage
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		g = nil
		b, err := s.bucket(t, name)
		if err != nil {
			return err
		}
		from := versionsKey(name)
		for _, err := range t.Scan(from, data.PrefixEnd(from), false) {
			if err == nil {
				err = bucketNotEmpty(b)
			}
			return err
		}
		// Uploads under way do not keep a bucket; they end with it.
		from = uploadsKey(name)
		for p, err := range t.Scan(from, data.PrefixEnd(from), false) {
			if err != nil {
				return err
			}
			u, err := decodeUpload(p)
			if err != nil {
				return err
			}
			parts, err := partsOf(t, u.ID, 0, maxParts)
			if err != nil {
				return err
			}
			if err := dropUpload(t, u, parts, nil, &g); err != nil {
				return err
			}
		}
		if err := t.Delete(ownedKey(b.Account, name)); err != nil {
			return err
		}
		return t.Delete(bucketKey(name))
	})
	if err != nil {
		return nil, err
	}
	s.buckets.Delete(name)
	s.discard(ctx, g)
	return &call.None{}, nil
}

func bucketNotEmpty(b *bucket) error {
	msg := "The bucket you tried to delete is not empty"
	if b.Versioning != "" {
		msg += ". You must delete all versions in the bucket."
	}
	return fault.New("BucketNotEmpty", 409, "%s", msg).With("BucketName", b.Name)
}

// view reads a bucket's record for a handler.
func (s *Service) view(ctx context.Context, name string) (b *bucket, err error) {
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		b, err = s.bucket(r, name)
		return err
	})
	return b, err
}

// change changes a bucket's record; f gets a copy.
func (s *Service) change(ctx context.Context, name string, f func(*bucket) error) error {
	return s.d.Store.Update(ctx, func(t data.Txn) error {
		old, err := s.bucket(t, name)
		if err != nil {
			return err
		}
		b := *old
		if err := f(&b); err != nil {
			return err
		}
		return putBucket(t, &b)
	})
}

func (s *Service) headBucket(ctx context.Context, _ *call.Authorized, in *api.HeadBucketRequest) (*api.HeadBucketOutput, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	return &api.HeadBucketOutput{BucketRegion: &b.Region, BucketArn: new(bucketARN(b.Region, b.Name)), AccessPointAlias: new(false)}, nil
}

func (s *Service) getBucketLocation(ctx context.Context, _ *call.Authorized, in *api.GetBucketLocationRequest) (*api.GetBucketLocationOutput, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	out := &api.GetBucketLocationOutput{}
	if b.Region != "us-east-1" {
		out.LocationConstraint = &b.Region
	}
	return out, nil
}

func (s *Service) listBuckets(ctx context.Context, rq *call.Authorized, in *api.ListBucketsRequest) (*api.ListBucketsOutput, error) {
	out := &api.ListBucketsOutput{Owner: owner(rq.Account()), Prefix: in.Prefix, Buckets: []api.Bucket{}}
	after, err := page.After(opt.Val(in.ContinuationToken))
	if err != nil {
		return nil, invalidArgument("continuation-token", *in.ContinuationToken, "The continuation token provided is incorrect")
	}
	max := int(opt.Or(in.MaxBuckets, maxBuckets))
	prefix := opt.Val(in.Prefix)
	base := data.Key(room, "owned", rq.Account())
	from := data.AppendPartial(base, prefix)
	if after > prefix {
		from = data.PrefixEnd(ownedKey(rq.Account(), after))
	}
	err = s.d.Store.View(ctx, func(r data.Reader) error {
		for p, err := range r.Scan(from, data.PrefixEnd(data.AppendPartial(base, prefix)), false) {
			if err != nil {
				return err
			}
			k, ok := data.Parts(p.Key)
			if !ok || len(k) != 4 || !strings.HasPrefix(k[3], prefix) {
				return fmt.Errorf("record at %q is damaged", p.Key)
			}
			b, err := s.bucket(r, k[3])
			if err != nil {
				return err
			}
			if in.BucketRegion != nil && *in.BucketRegion != b.Region {
				continue
			}
			if len(out.Buckets) == max {
				out.ContinuationToken = new(page.Token(*out.Buckets[max-1].Name))
				return nil
			}
			out.Buckets = append(out.Buckets, api.Bucket{Name: &b.Name, CreationDate: &b.Created, BucketRegion: &b.Region, BucketArn: new(bucketARN(b.Region, b.Name))})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
