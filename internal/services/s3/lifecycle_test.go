package s3_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
)

// TestLifecycleActs lets days pass, and the room's worker do what the rules say.
func TestLifecycleActs(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	calltest.Must(t, w.World, api.PutBucketLifecycleConfiguration, &api.PutBucketLifecycleConfigurationRequest{
		Bucket: new("demo"), LifecycleConfiguration: &api.BucketLifecycleConfiguration{Rules: []api.LifecycleRule{
			{ID: new("logs"), Status: new("Enabled"), Filter: &api.LifecycleRuleFilter{Prefix: new("logs/")}, Expiration: &api.LifecycleExpiration{Days: new(int32(2))}},
			{Status: new("Enabled"), Prefix: new(""), AbortIncompleteMultipartUpload: &api.AbortIncompleteMultipartUpload{DaysAfterInitiation: new(int32(1))}},
		}},
	})
	for i := range 300 { // more than a batch
		w.put(t, "demo", fmt.Sprintf("logs/%d", i), "x")
	}
	w.put(t, "demo", "data", pattern(10000))
	head := calltest.Must(t, w.World, api.HeadObject, &api.HeadObjectRequest{Bucket: new("demo"), Key: new("logs/1")})
	if want := `expiry-date="Wed, 04 Nov 2026 00:00:00 GMT", rule-id="logs"`; *head.Expiration != want {
		t.Errorf("x-amz-expiration %s, want %s", *head.Expiration, want)
	}
	up := calltest.Must(t, w.World, api.CreateMultipartUpload, &api.CreateMultipartUploadRequest{Bucket: new("demo"), Key: new("k")})
	if up.AbortDate == nil || !up.AbortDate.Equal(time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("AbortDate %v", up.AbortDate)
	}
	calltest.Must(t, w.World, api.UploadPart, &api.UploadPartRequest{Bucket: new("demo"), Key: new("k"), UploadId: up.UploadId, PartNumber: new(int32(1)), Body: body("x")})

	if err := w.S3.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer w.S3.Stop(t.Context())
	count := func() int {
		out := calltest.Must(t, w.World, api.ListObjectsV2, &api.ListObjectsV2Request{Bucket: new("demo")})
		return len(out.Contents)
	}
	pass := func(d time.Duration) {
		for ; d > 0; d -= time.Hour {
			w.Clock.Sleepers(1)
			w.Clock.Advance(time.Hour)
		}
		w.Clock.Sleepers(1)
	}
	pass(48 * time.Hour)
	if n := count(); n != 301 {
		t.Errorf("%d objects after two days, want all", n)
	}
	_, err := calltest.Do(w.World, api.ListParts, &api.ListPartsRequest{Bucket: new("demo"), Key: new("k"), UploadId: up.UploadId})
	wantFault(t, err, "NoSuchUpload")
	if n := len(w.blobNames(t)); n != 1 {
		t.Errorf("%d blobs, want that of the object", n)
	}
	pass(12 * time.Hour)
	if n := count(); n != 1 {
		t.Errorf("%d objects after the midnight, want the one without a rule", n)
	}
}
