package cloudformation

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// platform is the account that owns the bucket to which providers and waiting
// conditions are answered. It is nobody's: no access key belongs to it.
const platform = "999999999999"

// mailbox is a key of the platform's bucket: what is put there stays, in its
// versions, until it is read.
type mailbox struct {
	s      *Service
	region string
	key    string
}

func (m mailbox) bucket() string {
	return "cloudformation-custom-resource-response-" + strings.ReplaceAll(m.region, "-", "")
}

func (m mailbox) as() call.As {
	return call.AsIdentity(call.Identity{Principal: policy.Principal{
		Kind: policy.Root, Account: platform, ARN: "arn:aws:iam::" + platform + ":root", UserID: platform,
	}}, m.region)
}

// address is where an answer is put to, for so long.
func (m mailbox) address(valid time.Duration) string {
	return m.s.d.Presign(m.region, m.bucket(), m.key, valid)
}

// open makes the bucket, if there is none. Nobody but who signs the addresses may
// put anything there, and nobody but the platform may read it.
func (m mailbox) open(ctx context.Context) error {
	bucket := m.bucket()
	_, err := call.Do(ctx, m.s.d.Caller, m.as(), s3.GetBucketPolicy, &s3.GetBucketPolicyRequest{Bucket: &bucket})
	if err == nil {
		return nil
	}
	in := &s3.CreateBucketRequest{Bucket: &bucket}
	if m.region != "us-east-1" {
		in.CreateBucketConfiguration = &s3.CreateBucketConfiguration{LocationConstraint: &m.region}
	}
	if _, err := call.Do(ctx, m.s.d.Caller, m.as(), s3.CreateBucket, in); err != nil && !fault.Is(err, "BucketAlreadyOwnedByYou") {
		return fmt.Errorf("make the bucket for answers: %w", err)
	}
	_, err = call.Do(ctx, m.s.d.Caller, m.as(), s3.PutBucketVersioning, &s3.PutBucketVersioningRequest{
		Bucket: &bucket, VersioningConfiguration: &s3.VersioningConfiguration{Status: new(s3.BucketVersioningStatusEnabled)},
	})
	if err != nil {
		return fmt.Errorf("keep the versions of answers: %w", err)
	}
	rule := s3.LifecycleRule{
		ID: new("read long ago"), Status: new(s3.ExpirationStatusEnabled), Filter: &s3.LifecycleRuleFilter{Prefix: new("")},
		Expiration: &s3.LifecycleExpiration{Days: new(int32(2))}, NoncurrentVersionExpiration: &s3.NoncurrentVersionExpiration{NoncurrentDays: new(int32(2))},
	}
	_, err = call.Do(ctx, m.s.d.Caller, m.as(), s3.PutBucketLifecycleConfiguration, &s3.PutBucketLifecycleConfigurationRequest{
		Bucket: &bucket, LifecycleConfiguration: &s3.BucketLifecycleConfiguration{Rules: []s3.LifecycleRule{rule}},
	})
	if err != nil {
		return fmt.Errorf("let answers end: %w", err)
	}
	doc := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::%s/*"}]}`, m.s.d.Signer, bucket)
	if _, err := call.Do(ctx, m.s.d.Caller, m.as(), s3.PutBucketPolicy, &s3.PutBucketPolicyRequest{Bucket: &bucket, Policy: &doc}); err != nil {
		return fmt.Errorf("open the bucket to answers: %w", err)
	}
	return nil
}

// How often a mailbox is looked into: soon at first, then ever less often.
const (
	firstLook = 20 * time.Millisecond
	everyLook = time.Second
)

// wait returns what was put into the mailbox, the oldest first, once that is enough
// or the deadline has come.
func (m mailbox) wait(ctx context.Context, deadline time.Time, enough func([][]byte) bool) ([][]byte, error) {
	pause := firstLook
	for {
		got, err := m.read(ctx)
		if err != nil || enough(got) {
			return got, err
		}
		left := deadline.Sub(m.s.d.Clock.Now())
		if left <= 0 {
			return got, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-m.s.d.Clock.After(min(pause, left)):
		}
		pause = min(pause*2, everyLook)
	}
}

// read returns what is in the mailbox now, the oldest first.
func (m mailbox) read(ctx context.Context) ([][]byte, error) {
	bucket := m.bucket()
	out, err := call.Do(ctx, m.s.d.Caller, m.as(), s3.ListObjectVersions, &s3.ListObjectVersionsRequest{Bucket: &bucket, Prefix: &m.key})
	if err != nil {
		return nil, fmt.Errorf("look for answers: %w", err)
	}
	var all [][]byte
	for i := len(out.Versions) - 1; i >= 0; i-- {
		v := out.Versions[i]
		if opt.Val(v.Key) != m.key {
			continue
		}
		o, err := call.Do(ctx, m.s.d.Caller, m.as(), s3.GetObject, &s3.GetObjectRequest{Bucket: &bucket, Key: v.Key, VersionId: v.VersionId})
		if err != nil {
			return nil, fmt.Errorf("read an answer: %w", err)
		}
		b, err := io.ReadAll(io.LimitReader(o.Body, maxResponse+1))
		_ = o.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("read an answer: %w", err)
		}
		all = append(all, b)
	}
	return all, nil
}
