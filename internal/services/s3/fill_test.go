package s3_test

import (
	"reflect"

	api "github.com/tierra-cloud/tierra/internal/gen/s3"
)

// fill sets the members that operations take for granted.
func fill(in any, bucket string) {
	set := map[string]any{
		"Bucket": &bucket, "Key": new("k"), "CopySource": new("demo/k"), "UploadId": new("u"), "PartNumber": new(int32(1)), "Policy": new("{}"),
		"Delete": &api.Delete{Objects: []api.ObjectIdentifier{{Key: new("k")}}}, "Tagging": &api.Tagging{TagSet: []api.Tag{}},
		"VersioningConfiguration":           &api.VersioningConfiguration{},
		"PublicAccessBlockConfiguration":    &api.PublicAccessBlockConfiguration{},
		"OwnershipControls":                 &api.OwnershipControls{Rules: []api.OwnershipControlsRule{}},
		"CORSConfiguration":                 &api.CORSConfiguration{CORSRules: []api.CORSRule{}},
		"WebsiteConfiguration":              &api.WebsiteConfiguration{},
		"LifecycleConfiguration":            &api.BucketLifecycleConfiguration{Rules: []api.LifecycleRule{}},
		"ServerSideEncryptionConfiguration": &api.ServerSideEncryptionConfiguration{Rules: []api.ServerSideEncryptionRule{}},
		"NotificationConfiguration":         &api.NotificationConfiguration{},
		"AccelerateConfiguration":           &api.AccelerateConfiguration{},
		"RequestPaymentConfiguration":       &api.RequestPaymentConfiguration{Payer: new("BucketOwner")},
		"BucketLoggingStatus":               &api.BucketLoggingStatus{},
		"ObjectAttributes":                  []string{"ETag"},
	}
	v := reflect.ValueOf(in).Elem()
	if v.Kind() != reflect.Struct {
		return
	}
	for name, x := range set {
		f := v.FieldByName(name)
		if f.IsValid() && f.Type() == reflect.TypeOf(x) {
			f.Set(reflect.ValueOf(x))
		}
	}
}
