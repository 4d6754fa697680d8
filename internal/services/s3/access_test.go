package s3_test

import (
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// The test's identities have no policies of their own: roots may do everything in
// their account, users and strangers what the bucket's policy says.
var (
	nobody = call.AsIdentity(call.Identity{Principal: policy.Principal{Kind: policy.Anonymous}}, calltest.Region)
	user   = call.AsIdentity(call.Identity{Principal: policy.Principal{
		Kind: policy.User, Account: calltest.Account, ARN: "arn:aws:iam::" + calltest.Account + ":user/u", UserName: "u",
	}}, calltest.Region)
	other = call.AsIdentity(call.Identity{Principal: policy.Principal{
		Kind: policy.Root, Account: "111111111111", ARN: "arn:aws:iam::111111111111:root",
	}}, calltest.Region)
)

func (w *world) as(p call.As, f func()) {
	was := w.As
	w.As = p
	defer func() { w.As = was }()
	f()
}

func setPolicy(t *testing.T, w *world, statements string) {
	t.Helper()
	calltest.Must(t, w.World, api.PutBucketPolicy, &api.PutBucketPolicyRequest{Bucket: new("demo"), Policy: new(`{"Version":"2012-10-17","Statement":[` + statements + `]}`)})
}

func getAs(w *world, p call.As, key string) (err error) {
	w.as(p, func() {
		var out *api.GetObjectOutput
		if out, err = calltest.Do(w.World, api.GetObject, &api.GetObjectRequest{Bucket: new("demo"), Key: &key}); err == nil {
			out.Body.Close()
		}
	})
	return err
}

const everybodyReads = `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::demo/*"}`

func TestBucketPolicyDecides(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	w.put(t, "demo", "k", "x")
	wantFault(t, getAs(w, nobody, "k"), "AccessDeniedException")
	wantFault(t, getAs(w, user, "k"), "AccessDeniedException")

	_, err := calltest.Do(w.World, api.PutBucketPolicy, &api.PutBucketPolicyRequest{Bucket: new("demo"), Policy: new(`{"Statement":[` + everybodyReads + `]}`)})
	wantFault(t, err, "AccessDeniedException") // BlockPublicPolicy is on in new buckets
	calltest.Must(t, w.World, api.PutPublicAccessBlock, &api.PutPublicAccessBlockRequest{Bucket: new("demo"), PublicAccessBlockConfiguration: &api.PublicAccessBlockConfiguration{RestrictPublicBuckets: new(true)}})
	setPolicy(t, w, everybodyReads)
	// RestrictPublicBuckets: a public policy serves the own account only.
	wantFault(t, getAs(w, nobody, "k"), "AccessDeniedException")
	wantFault(t, getAs(w, other, "k"), "AccessDeniedException")
	if err := getAs(w, user, "k"); err != nil {
		t.Error(err)
	}
	calltest.Must(t, w.World, api.DeletePublicAccessBlock, &api.DeletePublicAccessBlockRequest{Bucket: new("demo")})
	for _, p := range []call.As{nobody, user, other} {
		if err := getAs(w, p, "k"); err != nil {
			t.Error(err)
		}
	}
	// Who may not list is not told that something does not exist.
	wantFault(t, getAs(w, nobody, "none"), "AccessDeniedException")
	wantFault(t, getAs(w, w.As, "none"), "NoSuchKey")
	setPolicy(t, w, everybodyReads+`,{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::demo"}`)
	wantFault(t, getAs(w, nobody, "none"), "NoSuchKey")
	wantFault(t, getAs(w, user, "none"), "NoSuchKey")

	// Conditions on listings.
	setPolicy(t, w, `{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::demo","Condition":{"StringLike":{"s3:prefix":"home/*"},"NumericLessThanEquals":{"s3:max-keys":"10"}}}`)
	list := func(prefix string, max int32) (err error) {
		w.as(nobody, func() {
			_, err = calltest.Do(w.World, api.ListObjectsV2, &api.ListObjectsV2Request{Bucket: new("demo"), Prefix: &prefix, MaxKeys: &max})
		})
		return err
	}
	if err := list("home/x", 10); err != nil {
		t.Error(err)
	}
	wantFault(t, list("home/x", 11), "AccessDeniedException")
	wantFault(t, list("", 1), "AccessDeniedException")

	// A Deny on tags that objects have.
	calltest.Must(t, w.World, api.PutObjectTagging, &api.PutObjectTaggingRequest{Bucket: new("demo"), Key: new("k"), Tagging: &api.Tagging{TagSet: []api.Tag{{Key: new("Class"), Value: new("secret")}}}})
	w.put(t, "demo", "open", "x")
	setPolicy(t, w, everybodyReads+`,{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::demo/*","Condition":{"StringEquals":{"s3:ExistingObjectTag/Class":"secret"}}}`)
	wantFault(t, getAs(w, nobody, "k"), "AccessDeniedException")
	if err := getAs(w, nobody, "open"); err != nil {
		t.Error(err)
	}

	// Nobody can lock the owner's root out of the policy.
	setPolicy(t, w, `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::demo","arn:aws:s3:::demo/*"]}`)
	wantFault(t, getAs(w, w.As, "k"), "AccessDeniedException")
	calltest.Must(t, w.World, api.DeleteBucketPolicy, &api.DeleteBucketPolicyRequest{Bucket: new("demo")})
	if err := getAs(w, w.As, "k"); err != nil {
		t.Error(err)
	}
}

func TestBucketsAreGlobal(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	w.as(other, func() {
		_, err := calltest.Do(w.World, api.CreateBucket, &api.CreateBucketRequest{Bucket: new("demo")})
		wantFault(t, err, "BucketAlreadyExists")
		_, err = calltest.Do(w.World, api.DeleteBucket, &api.DeleteBucketRequest{Bucket: new("demo")})
		wantFault(t, err, "AccessDeniedException")
		if out := calltest.Must(t, w.World, api.ListBuckets, &api.ListBucketsRequest{}); len(out.Buckets) != 0 {
			t.Error("another account's buckets are listed")
		}
	})
}

// TestCopyNeedsBoth has a user copy a tagged object, allowed one step after the other.
func TestCopyNeedsBoth(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	w.create(t, "target")
	calltest.Must(t, w.World, api.PutObject, &api.PutObjectRequest{Bucket: new("demo"), Key: new("k"), Body: body("x"), Tagging: new("a=b")})
	allow := func(bucket, actions string) {
		calltest.Must(t, w.World, api.PutBucketPolicy, &api.PutBucketPolicyRequest{Bucket: &bucket, Policy: new(
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + calltest.Account + `:user/u"},"Action":[` + actions + `],"Resource":"arn:aws:s3:::` + bucket + `/*"}}`)})
	}
	copyAs := func(tagging *string) (err error) {
		w.as(user, func() {
			_, err = calltest.Do(w.World, api.CopyObject, &api.CopyObjectRequest{Bucket: new("target"), Key: new("t"), CopySource: new("demo/k"), TaggingDirective: tagging})
		})
		return err
	}
	wantFault(t, copyAs(nil), "AccessDeniedException")
	allow("demo", `"s3:GetObject"`)
	wantFault(t, copyAs(nil), "AccessDeniedException")
	allow("target", `"s3:PutObject"`)
	wantFault(t, copyAs(nil), "AccessDeniedException") // the tags
	if err := copyAs(new("REPLACE")); err != nil {
		t.Error(err)
	}
	allow("demo", `"s3:GetObject","s3:GetObjectTagging"`)
	wantFault(t, copyAs(nil), "AccessDeniedException")
	allow("target", `"s3:PutObject","s3:PutObjectTagging"`)
	if err := copyAs(nil); err != nil {
		t.Error(err)
	}
}

// TestEveryBindingRefusesStrangers calls every operation as nobody, on a bucket
// that exists and on one that does not.
func TestEveryBindingRefusesStrangers(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	w.put(t, "demo", "k", "x")
	for _, b := range w.S3.Bindings() {
		for _, bucket := range []string{"demo", "none"} {
			in := b.NewInput()
			fill(in, bucket)
			var err error
			w.as(nobody, func() { _, err = w.Call(t.Context(), w.As, b.Service, b.Op, in) })
			if err == nil {
				t.Errorf("%s lets nobody in", b.Op.Name)
				continue
			}
			if !fault.Is(err, "AccessDeniedException") {
				t.Errorf("%s on %s: %v", b.Op.Name, bucket, err)
			}
		}
	}
}
