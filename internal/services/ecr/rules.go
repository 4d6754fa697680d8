package ecr

import (
	"strings"

	"github.com/tierra-cloud/tierra/internal/engine/image"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

// Limits.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
const (
	maxLayer       = 52_000 << 20 // bytes
	minPart        = 5 << 20      // bytes of a part that is not the last
	partSize       = 10 << 20     // bytes, as told to clients
	maxTagsOfImage = 1000
	maxExclusions  = 5
	maxPolicy      = 10_240 // characters
	maxRepository  = 256
	maxTag         = 300
)

// checkRepositoryName checks a name that did not come through the API's model.
func checkRepositoryName(name string) bool {
	if len(name) < 2 || len(name) > maxRepository {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		separator := "/" // what stands since the last letter or digit
		for i := range len(part) {
			switch c := part[i]; {
			case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
				separator = ""
			case strings.IndexByte("._-", c) >= 0:
				separator += string(c)
				if separator != "." && separator != "_" && separator != "__" && strings.Trim(separator, "-") != "" {
					return false
				}
			default:
				return false
			}
		}
		if separator != "" {
			return false
		}
	}
	return true
}

// checkTag checks an image's tag: letters, digits, and "._-" but not at its beginning.
func checkTag(tag string) bool {
	if tag == "" || len(tag) > maxTag || strings.IndexByte(".-", tag[0]) >= 0 {
		return false
	}
	for i := range len(tag) {
		switch c := tag[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("._-", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// wildcard tells whether a pattern with "*" for any characters fits.
func wildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

func checkScanning(c *api.ImageScanningConfiguration) error {
	if c != nil && opt.Val(c.ScanOnPush) {
		return api.InvalidParameterException("Invalid parameter at 'imageScanningConfiguration' failed to satisfy constraint: 'scanOnPush is not supported by Tierra: images are not scanned; leave it out or set it to false'")
	}
	return nil
}

func checkEncryption(c *api.EncryptionConfiguration) error {
	if c != nil && opt.Or(c.EncryptionType, api.EncryptionTypeAes256) != api.EncryptionTypeAes256 {
		return api.InvalidParameterException("Invalid parameter at 'encryptionConfiguration' failed to satisfy constraint: 'encryptionType %s is not supported by Tierra; use AES256'", *c.EncryptionType)
	}
	if c != nil && opt.Val(c.KmsKey) != "" {
		return api.InvalidParameterException("Invalid parameter at 'encryptionConfiguration' failed to satisfy constraint: 'kmsKey goes with encryptionType KMS, which is not supported by Tierra'")
	}
	return nil
}

func checkExclusions(mutability string, filters []api.ImageTagMutabilityExclusionFilter) ([]string, error) {
	bad := func(text string) ([]string, error) {
		return nil, api.InvalidParameterException("Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: '%s'", text)
	}
	switch with := strings.HasSuffix(mutability, "_WITH_EXCLUSION"); {
	case with && len(filters) == 0:
		return bad(mutability + " needs at least one filter")
	case !with && len(filters) > 0:
		return bad("filters need IMMUTABLE_WITH_EXCLUSION or MUTABLE_WITH_EXCLUSION")
	case len(filters) > maxExclusions:
		return bad("at most 5 filters are allowed")
	}
	var out []string
	for _, f := range filters {
		if strings.Count(*f.Filter, "*") > 2 {
			return bad("a filter has at most 2 wildcards")
		}
		out = append(out, *f.Filter)
	}
	return out, nil
}

func tagMap(list []api.Tag) (map[string]string, error) {
	m := map[string]string{}
	for _, t := range list {
		k := opt.Val(t.Key)
		if _, twice := m[k]; twice {
			return nil, api.InvalidTagParameterException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		m[k] = opt.Val(t.Value)
	}
	if len(m) > tags.MaxPerResource {
		return nil, api.TooManyTagsException("A repository can have at most %d tags.", tags.MaxPerResource)
	}
	if err := tags.Check(m); err != nil {
		return nil, api.InvalidTagParameterException("%s", err)
	}
	return m, nil
}

// checkDigest reads a digest of a request; what is wrong with it is told by fault.
func checkDigest(s string) (image.Digest, bool) {
	d, err := image.ParseDigest(s)
	return d, err == nil
}
