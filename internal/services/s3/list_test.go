package s3_test

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
)

// naive lists as the API's documentation says, over all keys in order.
func naive(keys []string, prefix, delimiter, after string, max int) (contents, prefixes []string, more bool) {
	for _, k := range keys {
		if !strings.HasPrefix(k, prefix) || after != "" && k <= after {
			continue
		}
		cp := ""
		if i := strings.Index(k[len(prefix):], delimiter); delimiter != "" && i >= 0 {
			cp = k[:len(prefix)+i+len(delimiter)]
			if after != "" && strings.HasPrefix(after, cp) || slices.Contains(prefixes, cp) {
				continue
			}
		}
		if len(contents)+len(prefixes) == max {
			return contents, prefixes, max > 0
		}
		if cp != "" {
			prefixes = append(prefixes, cp)
		} else {
			contents = append(contents, k)
		}
	}
	return contents, prefixes, false
}

func names(objects []api.Object, common []api.CommonPrefix) (contents, prefixes []string) {
	for _, o := range objects {
		contents = append(contents, *o.Key)
	}
	for _, p := range common {
		prefixes = append(prefixes, *p.Prefix)
	}
	return contents, prefixes
}

// TestListAgainstModel compares listings of random buckets, with versions and
// delete markers in them, with the naive ones.
func TestListAgainstModel(t *testing.T) {
	word := rapid.StringOfN(rapid.RuneFrom([]rune("ab/-\x01é")), 1, 6, -1)
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.create(t, "demo")
		if rapid.Bool().Draw(rt, "versioned") {
			calltest.Must(t, w.World, api.PutBucketVersioning, &api.PutBucketVersioningRequest{
				Bucket: new("demo"), VersioningConfiguration: &api.VersioningConfiguration{Status: new("Enabled")},
			})
		}
		live := map[string]bool{}
		for _, k := range rapid.SliceOfN(word, 0, 16).Draw(rt, "keys") {
			n := 1
			if k[0] == 'a' {
				n = 10 // more versions than a listing reads over
			}
			for range n {
				w.put(t, "demo", k, k)
			}
			live[k] = true
		}
		for _, k := range rapid.SliceOfN(word, 0, 8).Draw(rt, "deleted") {
			calltest.Must(t, w.World, api.DeleteObject, &api.DeleteObjectRequest{Bucket: new("demo"), Key: &k})
			delete(live, k)
		}
		var keys []string
		for k := range live {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		prefix := rapid.OneOf(rapid.Just(""), word).Draw(rt, "prefix")
		delimiter := rapid.SampledFrom([]string{"", "/", "-", "a/", "é"}).Draw(rt, "delimiter")
		after := rapid.OneOf(rapid.Just(""), word).Draw(rt, "after")
		max := rapid.IntRange(0, 5).Draw(rt, "max")

		out := calltest.Must(t, w.World, api.ListObjectsV2, &api.ListObjectsV2Request{
			Bucket: new("demo"), Prefix: &prefix, Delimiter: &delimiter, StartAfter: &after, MaxKeys: new(int32(max)),
		})
		contents, prefixes := names(out.Contents, out.CommonPrefixes)
		wantContents, wantPrefixes, more := naive(keys, prefix, delimiter, after, max)
		if !slices.Equal(contents, wantContents) || !slices.Equal(prefixes, wantPrefixes) || *out.IsTruncated != more {
			rt.Fatalf("keys %q\ngot  %q %q %v\nwant %q %q %v", keys, contents, prefixes, *out.IsTruncated, wantContents, wantPrefixes, more)
		}

		// All pages together are the whole.
		all, allPrefixes, _ := naive(keys, prefix, delimiter, "", 1<<20)
		contents, prefixes = nil, nil
		var token *string
		for page := 0; ; page++ {
			out := calltest.Must(t, w.World, api.ListObjectsV2, &api.ListObjectsV2Request{
				Bucket: new("demo"), Prefix: &prefix, Delimiter: &delimiter, ContinuationToken: token, MaxKeys: new(int32(max + 1)),
			})
			c, p := names(out.Contents, out.CommonPrefixes)
			contents, prefixes = append(contents, c...), append(prefixes, p...)
			if token = out.NextContinuationToken; token == nil {
				break
			}
			if page > len(keys) {
				rt.Fatal("the listing does not end")
			}
		}
		if !slices.Equal(contents, all) || !slices.Equal(prefixes, allPrefixes) {
			rt.Fatalf("keys %q\npages %q %q\nwant  %q %q", keys, contents, prefixes, all, allPrefixes)
		}
	})
}

// TestVersionPages walks over versions one page at a time.
func TestVersionPages(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	w.put(t, "demo", "b", "null")
	calltest.Must(t, w.World, api.PutBucketVersioning, &api.PutBucketVersioningRequest{
		Bucket: new("demo"), VersioningConfiguration: &api.VersioningConfiguration{Status: new("Enabled")},
	})
	for i := range 5 {
		w.put(t, "demo", "a", fmt.Sprint(i))
		w.put(t, "demo", "b", fmt.Sprint(i))
		w.put(t, "demo", "c/d", fmt.Sprint(i))
	}
	whole := calltest.Must(t, w.World, api.ListObjectVersions, &api.ListObjectVersionsRequest{Bucket: new("demo")})
	if len(whole.Versions) != 16 {
		t.Fatalf("%d versions, want 16", len(whole.Versions))
	}
	for size := int32(1); size < 8; size++ {
		var got []api.ObjectVersion
		in := &api.ListObjectVersionsRequest{Bucket: new("demo"), MaxKeys: &size}
		for {
			out := calltest.Must(t, w.World, api.ListObjectVersions, in)
			got = append(got, out.Versions...)
			if !*out.IsTruncated {
				break
			}
			in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
		}
		if calltest.JSON(got) != calltest.JSON(whole.Versions) {
			t.Fatalf("pages of %d differ from the whole", size)
		}
	}
	out := calltest.Must(t, w.World, api.ListObjectVersions, &api.ListObjectVersionsRequest{Bucket: new("demo"), Delimiter: new("/"), MaxKeys: new(int32(12))})
	if len(out.Versions) != 11 || len(out.CommonPrefixes) != 1 || *out.IsTruncated {
		t.Fatalf("with a delimiter: %s", calltest.JSON(out))
	}
}

func TestListEncodesKeys(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	w.put(t, "demo", "a b/c+d\x01é.txt", "x")
	out := calltest.Must(t, w.World, api.ListObjects, &api.ListObjectsRequest{Bucket: new("demo"), EncodingType: new("url")})
	if got := *out.Contents[0].Key; got != "a+b/c%2Bd%01%C3%A9.txt" {
		t.Fatalf("key %q", got)
	}
}
