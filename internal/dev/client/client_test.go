package client_test

import (
	"testing"

	"github.com/tierra-cloud/tierra/internal/dev/client"
	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
	"github.com/tierra-cloud/tierra/tierratest"
)

// TestCreateBucket makes buckets in the region that names none and in others, and
// takes one that is there.
func TestCreateBucket(t *testing.T) {
	s := tierratest.Start(t)
	key, secret := s.Credentials()
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		c := client.New(s.Endpoint(), region, sigv4.Credentials{AccessKey: key, Secret: secret})
		for range 2 {
			if err := c.CreateBucket(t.Context(), "bucket-of-"+region); err != nil {
				t.Errorf("%s: %v", region, err)
			}
		}
		if err := c.PutObject(t.Context(), "bucket-of-"+region, "k", "text/plain", []byte("v")); err != nil {
			t.Errorf("%s: %v", region, err)
		}
		if ok, err := c.HasObject(t.Context(), "bucket-of-"+region, "k"); !ok || err != nil {
			t.Errorf("%s: %v, %v", region, ok, err)
		}
	}
}
