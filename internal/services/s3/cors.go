package s3

import (
	"strings"

	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// checkCORS follows
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html.
func checkCORS(rules []api.CORSRule) error {
	if len(rules) == 0 || len(rules) > 100 {
		return malformedXML()
	}
	for _, r := range rules {
		if len(r.AllowedMethods) == 0 || len(r.AllowedOrigins) == 0 {
			return malformedXML()
		}
		for _, m := range r.AllowedMethods {
			switch m {
			case "GET", "PUT", "HEAD", "POST", "DELETE":
			default:
				return invalidRequest("Found unsupported HTTP method in CORS config. Unsupported method is %s", m)
			}
		}
		for _, o := range r.AllowedOrigins {
			if strings.Count(o, "*") > 1 {
				return invalidRequest("AllowedOrigin %q can not have more than one wildcard.", o)
			}
		}
		for _, h := range r.AllowedHeaders {
			if strings.Count(h, "*") > 1 {
				return invalidRequest("AllowedHeader %q can not have more than one wildcard.", h)
			}
		}
		for _, h := range r.ExposeHeaders {
			if strings.Contains(h, "*") {
				return invalidRequest("ExposeHeader %q contains wildcard. We currently do not support wildcard for ExposeHeader.", h)
			}
		}
		if len(opt.Val(r.ID)) > 255 || opt.Val(r.MaxAgeSeconds) < 0 {
			return malformedXML()
		}
	}
	return nil
}

// corsAnswer are the headers with which a browser is told what a page of another
// origin may do. What is empty or zero is left out.
type corsAnswer struct {
	allowOrigin      string
	allowCredentials bool
	allowMethods     []string
	allowHeaders     []string // of a preflight only: the headers that were asked for
	exposeHeaders    []string
	maxAge           int32 // seconds
}

// preflight is cors for an OPTIONS request, which is refused if no rule allows
// what it asks: AccessForbidden, 403.
func (b *bucket) preflight(origin, method string, headers []string) (*corsAnswer, error) {
	if len(b.CORS) == 0 {
		return nil, fault.New("AccessForbidden", 403, "CORSResponse: CORS is not enabled for this bucket.").With("Method", method).With("ResourceType", "BUCKET")
	}
	a := b.cors(origin, method, headers)
	if a == nil {
		return nil, fault.New("AccessForbidden", 403, "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.").
			With("Method", method).With("ResourceType", "OBJECT")
	}
	return a, nil
}

// cors answers a request from a page of origin by the first rule that allows
// origin, method and headers; headers are those that a preflight asks for. It is
// nil if no rule allows them.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html
func (b *bucket) cors(origin, method string, headers []string) *corsAnswer {
	for _, r := range b.CORS {
		allowed := ""
		for _, o := range r.AllowedOrigins {
			if oneStar(o, origin) {
				allowed = o
				break
			}
		}
		if allowed == "" || !containsFold(r.AllowedMethods, method) || !allHeaders(r.AllowedHeaders, headers) {
			continue
		}
		a := &corsAnswer{allowOrigin: origin, allowCredentials: true, allowMethods: r.AllowedMethods, exposeHeaders: r.ExposeHeaders, maxAge: opt.Val(r.MaxAgeSeconds)}
		if allowed == "*" {
			a.allowOrigin, a.allowCredentials = "*", false
		}
		for _, h := range headers {
			a.allowHeaders = append(a.allowHeaders, strings.ToLower(strings.TrimSpace(h)))
		}
		return a
	}
	return nil
}

func allHeaders(allowed, asked []string) bool {
	for _, h := range asked {
		ok := false
		for _, a := range allowed {
			ok = ok || oneStar(strings.ToLower(a), strings.ToLower(strings.TrimSpace(h)))
		}
		if !ok {
			return false
		}
	}
	return true
}

func containsFold(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}

// oneStar matches s with a pattern that has at most one *.
func oneStar(pattern, s string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	return len(s) >= len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after)
}
