package cloudformation

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// body returns a template's text, from the request or from S3, read as the caller.
func (s *Service) body(ctx context.Context, rq *call.Authorized, body, address *string) (string, error) {
	switch {
	case body != nil && address != nil:
		return "", fault.Of(fault.Validation, "You cannot specify both Template Body and Template URL.")
	case body != nil:
		if n := len(*body); n > template.MaxBody && ctx.Value(longBody{}) == nil {
			return "", fault.Of(fault.Validation, "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to %d (it has %d)", template.MaxBody, n)
		}
		return *body, nil
	case address == nil:
		return "", fault.Of(fault.Validation, "Either Template URL or Template Body must be specified.")
	}
	return s.object(ctx, rq, *address, template.MaxURL, "TemplateURL", "Template")
}

// object reads the text at the address of an object in S3, as the caller. member
// and what are the request's member and its meaning, for errors.
func (s *Service) object(ctx context.Context, rq *call.Authorized, address string, most int, member, what string) (string, error) {
	at, err := parseTemplateURL(address)
	if err != nil {
		return "", fault.Of(fault.Validation, "%s must be a supported URL.", member)
	}
	in := &s3.GetObjectRequest{Bucket: &at.bucket, Key: &at.key, VersionId: opt.NonZero(at.version)}
	out, err := call.Do(ctx, s.d.Caller, rq.As(), s3.GetObject, in)
	if err != nil {
		if f := fault.As(err); f != nil {
			return "", fault.Of(fault.Validation, "S3 error: %s\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html", f.Message)
		}
		return "", fmt.Errorf("read the object at %s: %w", address, err)
	}
	defer func() { _ = out.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(out.Body, int64(most)+1))
	if err != nil {
		return "", fmt.Errorf("read the object at %s: %w", address, err)
	}
	if len(text) > most {
		return "", fault.Of(fault.Validation, "%s may not exceed %d bytes in size.", what, most)
	}
	return string(text), nil
}

// s3Object names an object in S3.
type s3Object struct{ bucket, key, version string }

// parseTemplateURL reads the address of an object: by path or by virtual host,
// at AWS's endpoints or at one of our own.
func parseTemplateURL(address string) (s3Object, error) {
	u, err := url.Parse(address)
	if err != nil {
		return s3Object{}, err
	}
	bad := fmt.Errorf("%q is not the address of an object", address)
	if u.Scheme == "s3" {
		o := s3Object{bucket: u.Host, key: strings.TrimPrefix(u.Path, "/")}
		if o.bucket == "" || o.key == "" {
			return s3Object{}, bad
		}
		return o, nil
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return s3Object{}, bad
	}
	o := s3Object{bucket: hostBucket(u.Hostname()), key: strings.TrimPrefix(u.Path, "/"), version: u.Query().Get("versionId")}
	if o.bucket == "" {
		o.bucket, o.key, _ = strings.Cut(o.key, "/")
	}
	if o.bucket == "" || o.key == "" {
		return s3Object{}, bad
	}
	return o, nil
}

// hostBucket returns the bucket that a virtual host names, "" for path style.
func hostBucket(host string) string {
	if net.ParseIP(host) != nil || strings.HasPrefix(host, "s3.") || strings.HasPrefix(host, "s3-") {
		return ""
	}
	for _, mark := range []string{".s3.", ".s3-"} {
		if i := strings.Index(host, mark); i > 0 {
			return host[:i]
		}
	}
	for _, own := range []string{".localhost", ".localhost.localstack.cloud"} {
		if b, ok := strings.CutSuffix(host, own); ok {
			return b
		}
	}
	return ""
}
