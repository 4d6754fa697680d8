package s3_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	kmsapi "github.com/tierra-cloud/tierra/internal/gen/kms"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/services/kms"
)

// TestKMS stores objects with SSE-KMS: who may not use the key cannot read them,
// nor write, and without the key nobody can.
func TestKMS(t *testing.T) {
	w := newWorld(t)
	room, err := kms.New(kms.Deps{Store: w.Store, Clock: w.Clock, IDs: w.IDs, Key: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	w.Plug(room)
	w.create(t, "demo")
	key := calltest.Must(t, w.World, kmsapi.CreateKey, &kmsapi.CreateKeyRequest{}).KeyMetadata

	// Asked for by the request.
	out := calltest.Must(t, w.World, api.PutObject, &api.PutObjectRequest{Bucket: new("demo"), Key: new("own"), Body: body("hello"), ServerSideEncryption: new("aws:kms"), SSEKMSKeyId: key.KeyId})
	sum := md5.Sum([]byte("hello"))
	if *out.ServerSideEncryption != "aws:kms" || *out.SSEKMSKeyId != *key.Arn || out.BucketKeyEnabled != nil || strings.Contains(*out.ETag, hex.EncodeToString(sum[:])) {
		t.Errorf("put: %s", calltest.JSON(out))
	}
	if got := w.get(t, &api.GetObjectRequest{Bucket: new("demo"), Key: new("own"), Range: new("bytes=1-3")}); got != "ell" {
		t.Errorf("range: %q", got)
	}
	head := calltest.Must(t, w.World, api.HeadObject, &api.HeadObjectRequest{Bucket: new("demo"), Key: new("own")})
	if *head.ServerSideEncryption != "aws:kms" || *head.SSEKMSKeyId != *key.Arn || *head.ETag != *out.ETag {
		t.Errorf("head: %s", calltest.JSON(head))
	}
	// As the bucket's default, with the key of the account.
	calltest.Must(t, w.World, api.PutBucketEncryption, &api.PutBucketEncryptionRequest{Bucket: new("demo"), ServerSideEncryptionConfiguration: &api.ServerSideEncryptionConfiguration{
		Rules: []api.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &api.ServerSideEncryptionByDefault{SSEAlgorithm: new("aws:kms")}, BucketKeyEnabled: new(true)}},
	}})
	if out = w.put(t, "demo", "default", "hello"); !strings.Contains(*out.SSEKMSKeyId, ":key/") || !*out.BucketKeyEnabled {
		t.Errorf("by default: %s", calltest.JSON(out))
	}
	all := pattern(5*mib + 9)
	done, err := upload(t, w, &api.CreateMultipartUploadRequest{Bucket: new("demo"), Key: new("big")}, []string{all[:5*mib], all[5*mib:]})
	if err != nil || *done.ServerSideEncryption != "aws:kms" {
		t.Fatalf("in parts: %v", err)
	}
	if w.get(t, &api.GetObjectRequest{Bucket: new("demo"), Key: new("big")}) != all {
		t.Error("in parts: not what was uploaded")
	}
	copied := calltest.Must(t, w.World, api.CopyObject, &api.CopyObjectRequest{Bucket: new("demo"), Key: new("copy"), CopySource: new("demo/own"), ServerSideEncryption: new("AES256")})
	if *copied.ServerSideEncryption != "AES256" || w.get(t, &api.GetObjectRequest{Bucket: new("demo"), Key: new("copy")}) != "hello" {
		t.Errorf("copy: %s", calltest.JSON(copied))
	}

	// The bucket lets everybody of the account in, the key does not.
	setPolicy(t, w, `{"Effect":"Allow","Principal":{"AWS":"`+"arn:aws:iam::"+calltest.Account+":user/u"+`"},"Action":"s3:*","Resource":"arn:aws:s3:::demo/*"}`)
	wantFault(t, getAs(w, user, "own"), "AccessDeniedException")
	if err := getAs(w, user, "default"); err != nil {
		t.Errorf("through S3 everybody of the account may use the managed key: %v", err)
	}
	w.as(user, func() {
		_, err := calltest.Do(w.World, api.PutObject, &api.PutObjectRequest{Bucket: new("demo"), Key: new("no"), Body: body("x"), ServerSideEncryption: new("aws:kms"), SSEKMSKeyId: key.KeyId})
		wantFault(t, err, "AccessDeniedException")
	})
	_, err = calltest.Do(w.World, api.HeadObject, &api.HeadObjectRequest{Bucket: new("demo"), Key: new("no")})
	wantFault(t, err, "NoSuchKey")

	calltest.Must(t, w.World, kmsapi.DisableKey, &kmsapi.DisableKeyRequest{KeyId: key.KeyId})
	_, err = calltest.Do(w.World, api.GetObject, &api.GetObjectRequest{Bucket: new("demo"), Key: new("own")})
	wantFault(t, err, "KMS.DisabledException")
	for _, in := range []*api.PutObjectRequest{
		{SSEKMSKeyId: new("no-key"), ServerSideEncryption: new("aws:kms")},
		{SSEKMSKeyId: key.KeyId, ServerSideEncryption: new("AES256")},
		{SSEKMSEncryptionContext: new("?"), ServerSideEncryption: new("aws:kms")},
		{SSEKMSEncryptionContext: new("bnVsbA=="), ServerSideEncryption: new("aws:kms")},
	} {
		in.Bucket, in.Key, in.Body = new("demo"), new("bad"), body("x")
		if _, err := calltest.Do(w.World, api.PutObject, in); err == nil {
			t.Errorf("taken: %s", calltest.JSON(in))
		}
	}
}
