package cloudformation

import (
	"regexp"

	"github.com/tierra-cloud/tierra/internal/call"
)

// awsAddress matches the addresses that AWS gives to what this platform serves
// itself: APIs, websites in S3, function URLs.
var awsAddress = regexp.MustCompile(`https?://([a-z0-9][a-z0-9.-]*)\.(?:(execute-api|lambda-url)\.[a-z0-9-]+|(s3-website)[.-][a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)\b`)

// local rewrites such addresses to those that work here, as seen by a caller that
// came as in; v stays as it is. Templates form them of an API's id, the region and AWS::URLSuffix.
func local(v any, in call.Incoming) any {
	switch v := v.(type) {
	case string:
		return awsAddress.ReplaceAllStringFunc(v, func(s string) string {
			m := awsAddress.FindStringSubmatch(s)
			return call.AddressOf(in, m[2]+m[3], m[1])
		})
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = local(v[i], in)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = local(v[k], in)
		}
		return out
	}
	return v
}
