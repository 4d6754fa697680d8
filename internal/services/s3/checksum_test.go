package s3_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
)

// trailing is a body behind which the edge finds a checksum.
type trailing struct {
	io.Reader
	atEnd func()
}

func (t *trailing) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	if err == io.EOF && t.atEnd != nil {
		t.atEnd()
		t.atEnd = nil
	}
	return n, err
}

func (t *trailing) Close() error { return nil }

func TestTrailingChecksum(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	for _, size := range []int{10, 30000} {
		content := pattern(size)
		sum := sha256.Sum256([]byte(content))
		right := base64.StdEncoding.EncodeToString(sum[:])
		for _, announced := range []*string{nil, new("SHA256")} {
			for _, c := range []struct{ value, code string }{
				{right, ""},
				{base64.StdEncoding.EncodeToString(make([]byte, 32)), "BadDigest"},
				{"short", "InvalidRequest"},
			} {
				in := &api.PutObjectRequest{Bucket: new("demo"), Key: new("k"), ChecksumAlgorithm: announced}
				in.Body = &trailing{strings.NewReader(content), func() { in.ChecksumSHA256 = &c.value }}
				out, err := calltest.Do(w.World, api.PutObject, in)
				if c.code != "" {
					wantFault(t, err, c.code)
				} else if err != nil || *out.ChecksumSHA256 != right {
					t.Errorf("%v %v", out, err)
				}
			}
		}
	}
	if n := len(w.blobNames(t)); n != 1 {
		t.Errorf("%d blobs left, want 1", n)
	}
}

func TestRefusedBodies(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	for name, c := range map[string]struct {
		in   api.PutObjectRequest
		code string
	}{
		"short body":       {api.PutObjectRequest{Body: body("abc"), ContentLength: new(int64(4))}, "IncompleteBody"},
		"too large":        {api.PutObjectRequest{Body: body("abc"), ContentLength: new(int64(5<<30 + 1))}, "EntityTooLarge"},
		"xxhash":           {api.PutObjectRequest{Body: body("abc"), ChecksumXXHASH64: new("x")}, "NotImplemented"},
		"append":           {api.PutObjectRequest{Body: body("abc"), WriteOffsetBytes: new(int64(1))}, "NotImplemented"},
		"object lock":      {api.PutObjectRequest{Body: body("abc"), ObjectLockMode: new("GOVERNANCE")}, "NotImplemented"},
		"SSE-C":            {api.PutObjectRequest{Body: body("abc"), SSECustomerAlgorithm: new("AES256")}, "NotImplemented"},
		"grant":            {api.PutObjectRequest{Body: body("abc"), GrantRead: new("id=1")}, "AccessControlListNotSupported"},
		"if-none-match":    {api.PutObjectRequest{Body: body("abc"), IfNoneMatch: new(`"x"`)}, "NotImplemented"},
		"long key":         {api.PutObjectRequest{Body: body("abc"), Key: new(strings.Repeat("k", 1025))}, "KeyTooLongError"},
		"key not in UTF-8": {api.PutObjectRequest{Body: body("abc"), Key: new("\xff")}, "InvalidURI"},
		"metadata":         {api.PutObjectRequest{Body: body("abc"), Metadata: map[string]string{"a": strings.Repeat("b", 2048)}}, "MetadataTooLarge"},
		"redirect":         {api.PutObjectRequest{Body: body("abc"), WebsiteRedirectLocation: new("ftp://x")}, "InvalidArgument"},
		"tags":             {api.PutObjectRequest{Body: body("abc"), Tagging: new("a=1&a=2")}, "InvalidArgument"},
		"eleven tags":      {api.PutObjectRequest{Body: body("abc"), Tagging: new("a&b&c&d&e&f&g&h&i&j&k")}, "BadRequest"},
	} {
		c.in.Bucket = new("demo")
		if c.in.Key == nil {
			c.in.Key = new("k")
		}
		_, err := calltest.Do(w.World, api.PutObject, &c.in)
		t.Run(name, func(t *testing.T) { wantFault(t, err, c.code) })
	}
	if out := calltest.Must(t, w.World, api.ListObjectsV2, &api.ListObjectsV2Request{Bucket: new("demo")}); len(out.Contents) != 0 {
		t.Error("a refused request changed something")
	}
}
