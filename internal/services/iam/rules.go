package iam

import (
	"strings"
	"unicode/utf8"

	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// Quotas.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	maxAccessKeys     = 2
	maxAttached       = 10 // of users and groups
	maxAttachedRole   = 20
	maxGroups         = 10 // of a user
	maxVersions       = 5
	maxManaged        = 6144 // characters without white space, as all sizes of documents
	maxInlineUser     = 2048
	maxInlineGroup    = 5120
	maxInlineRole     = 10240
	maxTrust          = 4096
	maxUsers          = 5000
	maxNamed          = 1000 // roles, instance profiles; 1500 policies, 300 groups
	maxPolicies       = 1500
	maxGroupsPerAcct  = 300
	defaultMaxSession = 3600 // seconds
)

// size counts a document's characters without white space.
func size(doc string) int {
	n := utf8.RuneCountInString(doc)
	for _, c := range doc {
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			n--
		}
	}
	return n
}

// encode writes a document as IAM's answers have it: percent-encoded by RFC 3986.
func encode(doc string) *string {
	const upper = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(doc) {
		switch c := doc[i]; {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(upper[c>>4])
			b.WriteByte(upper[c&15])
		}
	}
	return new(b.String())
}

func malformed(err error) error { return api.MalformedPolicyDocumentException("%s", err) }

// checkInline checks an inline policy.
func checkInline(doc string) error {
	p, err := policy.Parse([]byte(doc))
	if err == nil {
		err = policy.ValidateIdentity(p)
	}
	if err != nil {
		return malformed(err)
	}
	return nil
}

// checkManaged checks the document of a managed policy.
func checkManaged(doc string) error {
	p, err := policy.Parse([]byte(doc))
	if err == nil {
		err = policy.ValidateManaged(p)
	}
	if err != nil {
		return malformed(err)
	}
	if size(doc) > maxManaged {
		return api.LimitExceededException("Cannot exceed quota for PolicySize: %d", maxManaged)
	}
	return nil
}

// readTags checks tags and takes them over.
func readTags(in []api.Tag) ([]tag, error) {
	out := make([]tag, 0, len(in))
	set := make(map[string]string, len(in))
	for _, t := range in {
		k := strings.ToLower(opt.Val(t.Key))
		if _, twice := set[k]; twice {
			return nil, api.InvalidInputException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		set[k] = opt.Val(t.Value)
		out = append(out, tag{opt.Val(t.Key), opt.Val(t.Value)})
	}
	if len(set) > tags.MaxPerResource {
		return nil, api.LimitExceededException("The number of tags has reached the maximum limit.")
	}
	if err := tags.Check(set); err != nil {
		return nil, api.InvalidInputException("%s", err)
	}
	return out, nil
}

func writeTags(in []tag) []api.Tag {
	out := make([]api.Tag, len(in))
	for i, t := range in {
		out[i] = api.Tag{Key: &t.Key, Value: &t.Value}
	}
	return out
}

// someTags is writeTags for places where no tags are an absent member.
func someTags(in []tag) []api.Tag {
	if len(in) == 0 {
		return nil
	}
	return writeTags(in)
}

func tagMap(in []tag) map[string]string {
	if len(in) == 0 {
		return nil
	}
	m := make(map[string]string, len(in))
	for _, t := range in {
		m[t.Key] = t.Value
	}
	return m
}

// paged is one page of a listing.
type paged[T any] struct {
	Items     []T
	Truncated *bool
	Marker    *string
}

// paginate takes the page out of all, which are in order, that begins at marker.
func paginate[T any](all []T, name func(T) string, marker *string, max *int32) (paged[T], error) {
	after, err := page.After(opt.Val(marker))
	if err != nil {
		return paged[T]{}, fault.Of(fault.Validation, "Invalid Marker.")
	}
	start := 0
	if after != "" {
		for start < len(all) && name(all[start]) <= after {
			start++
		}
	}
	p := paged[T]{Items: all[start:], Truncated: new(false)}
	if n := int(opt.Or(max, 100)); len(p.Items) > n {
		p.Items = p.Items[:n]
		p.Truncated, p.Marker = new(true), new(page.Token(name(p.Items[n-1])))
	}
	return p, nil
}

// underPath keeps what lies below a path prefix.
func underPath[P interface{ top() *head }](all []P, prefix *string) []P {
	if opt.Val(prefix) == "" {
		return all
	}
	var out []P
	for _, x := range all {
		if strings.HasPrefix(x.top().Path, *prefix) {
			out = append(out, x)
		}
	}
	return out
}

func lowerName[P interface{ top() *head }](x P) string { return strings.ToLower(x.top().Name) }

func byName(a, b *identity) int { return strings.Compare(lowerName(a), lowerName(b)) }
