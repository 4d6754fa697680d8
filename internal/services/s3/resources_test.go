package s3_test

import (
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
)

func types(w *world) map[string]resource.Type {
	out := map[string]resource.Type{}
	for _, t := range w.S3.ResourceTypes() {
		out[t.Name] = t
	}
	return out
}

func TestBucketResource(t *testing.T) {
	w := newWorld(t)
	bucket, pol := types(w)["AWS::S3::Bucket"], types(w)["AWS::S3::BucketPolicy"]
	rq := &resource.Request{
		Caller: w.Board, As: w.As, Account: calltest.Account, Region: calltest.Region, StackTags: map[string]string{"stack": "s"},
		Name: func(int) string { return "Stack-Site-ABC" },
	}
	props := map[string]any{
		"WebsiteConfiguration":           map[string]any{"IndexDocument": "index.html", "RoutingRules": []any{map[string]any{"RedirectRule": map[string]any{"HostName": "example.com"}}}},
		"PublicAccessBlockConfiguration": map[string]any{"BlockPublicPolicy": "false", "RestrictPublicBuckets": false},
		"VersioningConfiguration":        map[string]any{"Status": "Enabled"},
		"CorsConfiguration":              map[string]any{"CorsRules": []any{map[string]any{"AllowedMethods": []any{"GET"}, "AllowedOrigins": []any{"*"}, "MaxAge": "5"}}},
		"LifecycleConfiguration":         map[string]any{"Rules": []any{map[string]any{"Status": "Enabled", "ExpirationInDays": 3, "Prefix": "tmp/"}}},
		"OwnershipControls":              map[string]any{"Rules": []any{map[string]any{"ObjectOwnership": "BucketOwnerEnforced"}}},
		"BucketEncryption":               map[string]any{"ServerSideEncryptionConfiguration": []any{map[string]any{"ServerSideEncryptionByDefault": map[string]any{"SSEAlgorithm": "AES256"}}}},
		"Tags":                           []any{map[string]any{"Key": "a", "Value": "b"}},
	}
	if bad := bucket.Check(props); len(bad) > 0 {
		t.Fatal(bad)
	}
	st, err := bucket.Create(t.Context(), rq, props)
	if err != nil {
		t.Fatal(err)
	}
	if st.ID != "stack-site-abc" || st.Attributes["WebsiteURL"] != "http://stack-site-abc.s3-website.localhost:4566" || st.Attributes["Arn"] != "arn:aws:s3:::stack-site-abc" {
		t.Errorf("%v", st)
	}
	tags := calltest.Must(t, w.World, api.GetBucketTagging, &api.GetBucketTaggingRequest{Bucket: &st.ID})
	if len(tags.TagSet) != 2 {
		t.Errorf("tags %s", calltest.JSON(tags))
	}
	life := calltest.Must(t, w.World, api.GetBucketLifecycleConfiguration, &api.GetBucketLifecycleConfigurationRequest{Bucket: &st.ID})
	if *life.Rules[0].Expiration.Days != 3 {
		t.Errorf("lifecycle %s", calltest.JSON(life))
	}

	pst, err := pol.Create(t.Context(), rq, map[string]any{"Bucket": st.ID, "PolicyDocument": map[string]any{
		"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::stack-site-abc/*"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	calltest.Must(t, w.World, api.CreateBucket, &api.CreateBucketRequest{Bucket: new("without-policy")})
	if ids, err := pol.List(t.Context(), rq, nil); err != nil || len(ids) != 1 || ids[0] != st.ID {
		t.Errorf("buckets with a policy: %v, %v", ids, err)
	}
	w.put(t, st.ID, "index.html", "hi")
	if res := visit(w, st.ID, "GET", "/other", st.Attributes["WebsiteURL"].(string), nil); res.StatusCode != 301 || !strings.HasPrefix(res.Header.Get("Location"), "http://example.com/") {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}

	next := map[string]any{"Tags": []any{}}
	if _, err := bucket.Update(t.Context(), rq, st.ID, props, next); err != nil {
		t.Fatal(err)
	}
	_, err = calltest.Do(w.World, api.GetBucketWebsite, &api.GetBucketWebsiteRequest{Bucket: &st.ID})
	wantFault(t, err, "NoSuchWebsiteConfiguration")
	if v := calltest.Must(t, w.World, api.GetBucketVersioning, &api.GetBucketVersioningRequest{Bucket: &st.ID}); *v.Status != "Suspended" {
		t.Errorf("versioning %s", *v.Status)
	}

	if err := pol.Delete(t.Context(), rq, pst.ID, map[string]any{"Bucket": st.ID, "PolicyDocument": map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	wantFault(t, bucket.Delete(t.Context(), rq, st.ID, next), "BucketNotEmpty")
	calltest.Must(t, w.World, api.DeleteObject, &api.DeleteObjectRequest{Bucket: &st.ID, Key: new("index.html")})
	versions := calltest.Must(t, w.World, api.ListObjectVersions, &api.ListObjectVersionsRequest{Bucket: &st.ID})
	var ids []api.ObjectIdentifier
	for _, v := range versions.Versions {
		ids = append(ids, api.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
	}
	for _, m := range versions.DeleteMarkers {
		ids = append(ids, api.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
	}
	calltest.Must(t, w.World, api.DeleteObjects, &api.DeleteObjectsRequest{Bucket: &st.ID, Delete: &api.Delete{Objects: ids}})
	for range 2 { // what is gone already is no error
		if err := bucket.Delete(t.Context(), rq, st.ID, next); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBucketResourceLeavesNothing has settings refused after the bucket was made.
func TestBucketResourceLeavesNothing(t *testing.T) {
	w := newWorld(t)
	bucket := types(w)["AWS::S3::Bucket"]
	rq := &resource.Request{Caller: w.Board, As: w.As, Account: calltest.Account, Region: calltest.Region}
	_, err := bucket.Create(t.Context(), rq, map[string]any{"BucketName": "demo", "OwnershipControls": map[string]any{"Rules": []any{map[string]any{"ObjectOwnership": "ObjectWriter"}}}})
	wantFault(t, err, "NotImplemented")
	_, err = calltest.Do(w.World, api.HeadBucket, &api.HeadBucketRequest{Bucket: new("demo")})
	wantFault(t, err, "NoSuchBucket")
	w.create(t, "demo")
	_, err = bucket.Create(t.Context(), rq, map[string]any{"BucketName": "demo"})
	wantFault(t, err, "AlreadyExists")
	if bad := bucket.Check(map[string]any{"ObjectLockEnabled": true}); len(bad) != 1 {
		t.Errorf("%v", bad)
	}
}
