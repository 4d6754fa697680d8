package s3

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
)

func (s *Service) aclBindings() []call.Binding {
	return []call.Binding{
		bind(api.GetBucketAcl, onBucket[api.GetBucketAclRequest](s, "s3:GetBucketAcl"), s.getBucketAcl),
		bind(api.PutBucketAcl, onBucket[api.PutBucketAclRequest](s, "s3:PutBucketAcl"), s.putBucketAcl),
		bind(api.GetObjectAcl, onObject[api.GetObjectAclRequest](s, true, "s3:GetObjectAcl", "s3:GetObjectVersionAcl"), s.getObjectAcl),
		bind(api.PutObjectAcl, onObject[api.PutObjectAclRequest](s, true, "s3:PutObjectAcl", "s3:PutObjectVersionAcl"), s.putObjectAcl),
		bind(api.PutBucketOwnershipControls, onBucket[api.PutBucketOwnershipControlsRequest](s, "s3:PutBucketOwnershipControls"), s.putBucketOwnershipControls),
		bind(api.GetBucketOwnershipControls, onBucket[api.GetBucketOwnershipControlsRequest](s, "s3:GetBucketOwnershipControls"), s.getBucketOwnershipControls),
		bind(api.DeleteBucketOwnershipControls, onBucket[api.DeleteBucketOwnershipControlsRequest](s, "s3:PutBucketOwnershipControls"), s.deleteBucketOwnershipControls),
	}
}

// ACLs are off, as with BucketOwnerEnforced on AWS: what they say is always that
// the bucket's owner has full control, and nothing else can be put.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html

func ownerGrants(account string) []api.Grant {
	o := owner(account)
	return []api.Grant{{Grantee: &api.Grantee{Type: new("CanonicalUser"), ID: o.ID}, Permission: new("FULL_CONTROL")}}
}

// checkACL refuses every access control policy but the owner's.
func checkACL(b *bucket, acl *string, p *api.AccessControlPolicy) error {
	switch {
	case acl != nil:
		return nil // the guard let only the owner's pass
	case p == nil:
		return invalidRequest("Your request was missing a required header: x-amz-acl")
	}
	own := *owner(b.Account).ID
	if len(p.Grants) != 1 || p.Grants[0].Grantee == nil || p.Grants[0].Permission == nil ||
		p.Grants[0].Grantee.ID == nil || *p.Grants[0].Grantee.ID != own || *p.Grants[0].Permission != "FULL_CONTROL" {
		return aclNotSupported()
	}
	return nil
}

func (s *Service) getBucketAcl(ctx context.Context, _ *call.Authorized, in *api.GetBucketAclRequest) (*api.GetBucketAclOutput, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	return &api.GetBucketAclOutput{Owner: owner(b.Account), Grants: ownerGrants(b.Account)}, nil
}

func (s *Service) putBucketAcl(ctx context.Context, _ *call.Authorized, in *api.PutBucketAclRequest) (*call.None, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err == nil {
		err = checkACL(b, in.ACL, in.AccessControlPolicy)
	}
	return &call.None{}, err
}

func (s *Service) getObjectAcl(ctx context.Context, _ *call.Authorized, in *api.GetObjectAclRequest) (*api.GetObjectAclOutput, error) {
	f, err := s.find(ctx, *in.Bucket, *in.Key, in.VersionId, false)
	if err != nil {
		return nil, err
	}
	return &api.GetObjectAclOutput{Owner: owner(f.bucket.Account), Grants: ownerGrants(f.bucket.Account)}, nil
}

func (s *Service) putObjectAcl(ctx context.Context, _ *call.Authorized, in *api.PutObjectAclRequest) (*api.PutObjectAclOutput, error) {
	f, err := s.find(ctx, *in.Bucket, *in.Key, in.VersionId, false)
	if err == nil {
		err = checkACL(f.bucket, in.ACL, in.AccessControlPolicy)
	}
	return &api.PutObjectAclOutput{}, err
}

func (s *Service) putBucketOwnershipControls(ctx context.Context, _ *call.Authorized, in *api.PutBucketOwnershipControlsRequest) (*call.None, error) {
	rules := in.OwnershipControls.Rules
	if len(rules) != 1 {
		return nil, malformedXML()
	}
	if o := *rules[0].ObjectOwnership; o != "BucketOwnerEnforced" {
		return nil, notImplemented("Object ownership " + o + " (only BucketOwnerEnforced is)")
	}
	return &call.None{}, s.change(ctx, *in.Bucket, func(b *bucket) error { b.Ownership = true; return nil })
}

func (s *Service) getBucketOwnershipControls(ctx context.Context, _ *call.Authorized, in *api.GetBucketOwnershipControlsRequest) (*api.GetBucketOwnershipControlsOutput, error) {
	b, err := s.view(ctx, *in.Bucket)
	if err != nil {
		return nil, err
	}
	if !b.Ownership {
		return nil, noSuch("OwnershipControlsNotFoundError", "The bucket ownership controls were not found", b.Name)
	}
	return &api.GetBucketOwnershipControlsOutput{OwnershipControls: &api.OwnershipControls{
		Rules: []api.OwnershipControlsRule{{ObjectOwnership: new("BucketOwnerEnforced")}},
	}}, nil
}

// deleteBucketOwnershipControls would turn ACLs on, which are not implemented.
func (s *Service) deleteBucketOwnershipControls(context.Context, *call.Authorized, *api.DeleteBucketOwnershipControlsRequest) (*call.None, error) {
	return nil, notImplemented("A bucket without ownership controls, whose ACLs would count,")
}
