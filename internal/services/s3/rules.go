package s3

import (
	"fmt"
	"net/netip"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

const (
	maxKey      = 1024
	maxPut      = 5 << 30
	maxObject   = 5 << 40
	minPart     = 5 << 20
	maxParts    = 10000
	maxMetadata = 2 << 10
	maxTags     = 10 // of an object
	maxBuckets  = 10000
	maxPolicy   = 20 << 10
)

// checkBucketName follows
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html.
func checkBucketName(name string) error {
	bad := len(name) < 3 || len(name) > 63 || strings.Contains(name, "..") ||
		strings.HasPrefix(name, "xn--") || strings.HasPrefix(name, "sthree-") || strings.HasPrefix(name, "amzn-s3-demo-") ||
		strings.HasSuffix(name, "-s3alias") || strings.HasSuffix(name, "--ol-s3") ||
		strings.HasSuffix(name, ".mrap") || strings.HasSuffix(name, "--x-s3") || strings.HasSuffix(name, "--table-s3")
	for i := 0; i < len(name) && !bad; i++ {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == '-' || c == '.':
			bad = i == 0 || i == len(name)-1
		default:
			bad = true
		}
	}
	if !bad {
		_, err := netip.ParseAddr(name)
		bad = err == nil
	}
	if bad {
		return invalidBucketName(name)
	}
	return nil
}

func checkKey(key string) error {
	switch {
	case len(key) > maxKey:
		return keyTooLong(key)
	case key == "" || !utf8.ValidString(key):
		return fault.New("InvalidURI", 400, "Couldn't parse the specified URI.")
	}
	return nil
}

func checkMetadata(m map[string]string) error {
	n := 0
	for k, v := range m {
		n += len(k) + len(v)
	}
	if n > maxMetadata {
		return fault.New("MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size").
			With("Size", fmt.Sprint(n)).With("MaxSizeAllowed", fmt.Sprint(maxMetadata))
	}
	return nil
}

// tag is a tag in records.
type tag struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}

// readTagHeader reads x-amz-tagging, which is written as a query string.
func readTagHeader(h *string) ([]tag, error) {
	if opt.Val(h) == "" {
		return nil, nil
	}
	q, err := url.ParseQuery(*h)
	if err != nil {
		return nil, invalidArgument("x-amz-tagging", *h, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
	}
	var tags []tag
	for k, v := range q {
		if len(v) != 1 {
			return nil, invalidArgument("x-amz-tagging", *h, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
		}
		tags = append(tags, tag{k, v[0]})
	}
	sort.Slice(tags, func(i, j int) bool { return tags[i].Key < tags[j].Key })
	return tags, checkTags(tags, maxTags)
}

func readTagging(t *api.Tagging, max int) ([]tag, error) {
	if t == nil {
		return nil, malformedXML()
	}
	return readTags(t.TagSet, max)
}

func readTags(set []api.Tag, max int) ([]tag, error) {
	var tags []tag
	for _, t := range set {
		tags = append(tags, tag{opt.Val(t.Key), opt.Val(t.Value)})
	}
	return tags, checkTags(tags, max)
}

func checkTags(tags []tag, max int) error {
	if len(tags) > max {
		if max == maxTags {
			return fault.New("BadRequest", 400, "Object tags cannot be greater than %d", max)
		}
		return fault.New("BadRequest", 400, "Bucket tag count cannot be greater than %d", max)
	}
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "" || utf8.RuneCountInString(t.Key) > 128:
			return invalidTag("The TagKey you have provided is invalid").With("TagKey", t.Key)
		case utf8.RuneCountInString(t.Value) > 256:
			return invalidTag("The TagValue you have provided is invalid").With("TagKey", t.Key).With("TagValue", t.Value)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return invalidTag("System tags cannot be added/updated by requester").With("TagKey", t.Key)
		case seen[t.Key]:
			return invalidTag("Cannot provide multiple Tags with the same key").With("TagKey", t.Key)
		}
		seen[t.Key] = true
	}
	return nil
}

func tagsOut(tags []tag) []api.Tag {
	out := make([]api.Tag, len(tags))
	for i, t := range tags {
		out[i] = api.Tag{Key: new(t.Key), Value: new(t.Value)}
	}
	return out
}

// span is a part of an object: bytes [from, from+n).
type span struct{ from, n int64 }

// parseRange reads a Range header for an object of size bytes. ok is false if
// the header is to be ignored: not in bytes, malformed, or of several ranges,
// which S3 does not serve.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func parseRange(h string, size int64) (r span, ok bool, err error) {
	spec, found := strings.CutPrefix(strings.TrimSpace(h), "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !found || !dash || strings.Contains(spec, ",") {
		return span{}, false, nil
	}
	first, last = strings.TrimSpace(first), strings.TrimSpace(last)
	if first == "" {
		n, bad := digits(last)
		switch {
		case bad:
			return span{}, false, nil
		case n == 0 || size == 0:
			return span{}, false, invalidRange(h, size)
		}
		n = min(n, size)
		return span{size - n, n}, true, nil
	}
	from, bad := digits(first)
	if bad {
		return span{}, false, nil
	}
	to := size - 1
	if last != "" {
		t, bad := digits(last)
		if bad || t < from {
			return span{}, false, nil
		}
		to = min(t, to)
	}
	if from >= size {
		return span{}, false, invalidRange(h, size)
	}
	return span{from, to - from + 1}, true, nil
}

// digits reads a number of decimal digits only; one that does not fit is as
// large as can be.
func digits(s string) (n int64, bad bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, true
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 1<<63 - 1, false
	}
	return n, false
}

// parseCopySource reads x-amz-copy-source: [/]bucket/key[?versionId=id], escaped
// as in a URL.
func parseCopySource(s string) (bucket, key, versionID string, err error) {
	s = strings.TrimPrefix(s, "/")
	raw, query, _ := strings.Cut(s, "?")
	path, e := url.PathUnescape(raw)
	if e != nil {
		return "", "", "", invalidArgument("x-amz-copy-source", s, "Invalid copy source encoding")
	}
	bucket, key, ok := strings.Cut(path, "/")
	if !ok || bucket == "" || key == "" {
		return "", "", "", invalidArgument("x-amz-copy-source", s, "Invalid copy source object key")
	}
	if strings.HasPrefix(path, "arn:") {
		return "", "", "", notImplemented("A copy source that is an access point's ARN")
	}
	if query != "" {
		q, e := url.ParseQuery(query)
		if versionID = q.Get("versionId"); e != nil || versionID == "" {
			return "", "", "", invalidArgument("x-amz-copy-source", s, "Invalid version id specified")
		}
	}
	return bucket, key, versionID, nil
}

// sameETag compares an entity tag from a header, quoted or not, with an object's.
func sameETag(header, etag string) bool {
	header = strings.TrimPrefix(strings.TrimSpace(header), "W/")
	return strings.Trim(header, `"`) == etag
}

// anyETag reports whether a header's list of entity tags, or *, matches.
func anyETag(header, etag string) bool {
	for h := range strings.SplitSeq(header, ",") {
		if strings.TrimSpace(h) == "*" || sameETag(h, etag) {
			return true
		}
	}
	return false
}
