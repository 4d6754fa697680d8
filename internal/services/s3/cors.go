package s3

import (
	"context"
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

// CORSAnswer are the headers with which a browser is told what a page of another
// origin may do. All but Vary stand for Access-Control-…; what is empty or zero
// is left out.
type CORSAnswer struct {
	AllowOrigin      string
	AllowCredentials bool
	AllowMethods     []string
	AllowHeaders     []string // of a preflight only: the headers that were asked for
	ExposeHeaders    []string
	MaxAge           int32 // seconds
}

// Vary is the header that goes with every CORSAnswer.
const Vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"

// CORS answers for a request to a bucket from a page of origin: the first rule
// that allows origin, method and headers. Headers are those that a preflight asks
// for (Access-Control-Request-Headers); other requests have none to ask for. It is
// nil if no rule allows it: no header is sent then. The one who asks needs no
// permission, as on AWS.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html
func (s *Service) CORS(ctx context.Context, bucket, origin, method string, headers []string) (*CORSAnswer, error) {
	b, err := s.view(ctx, bucket)
	if err != nil {
		return nil, err
	}
	return b.cors(origin, method, headers), nil
}

// Preflight is CORS for an OPTIONS request, which is refused if no rule allows
// what it asks: AccessForbidden, 403.
func (s *Service) Preflight(ctx context.Context, bucket, origin, method string, headers []string) (*CORSAnswer, error) {
	b, err := s.view(ctx, bucket)
	if err != nil {
		return nil, err
	}
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

func (b *bucket) cors(origin, method string, headers []string) *CORSAnswer {
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
		a := &CORSAnswer{AllowOrigin: origin, AllowCredentials: true, AllowMethods: r.AllowedMethods, ExposeHeaders: r.ExposeHeaders, MaxAge: opt.Val(r.MaxAgeSeconds)}
		if allowed == "*" {
			a.AllowOrigin, a.AllowCredentials = "*", false
		}
		for _, h := range headers {
			a.AllowHeaders = append(a.AllowHeaders, strings.ToLower(strings.TrimSpace(h)))
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
