package s3

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// siteKind is the kind of address of websites: http://BUCKET.s3-website.HOST.
const siteKind = "s3-website"

// Kinds implements call.Face.
func (s *Service) Kinds() []string { return []string{siteKind} }

// View implements call.Face: it serves a bucket as a website. It reads as nobody
// in particular, so what is seen is what the bucket's policy lets everybody see.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html
func (s *Service) View(w http.ResponseWriter, r *http.Request, at call.Address) {
	v := &visit{s: s, w: w, r: r, at: at, head: r.Method == http.MethodHead}
	if err := v.serve(r.Context()); err != nil {
		v.fail(err, nil)
	}
}

// visit is one request to a website.
type visit struct {
	s      *Service
	w      http.ResponseWriter
	r      *http.Request
	at     call.Address
	head   bool
	bucket *bucket
	as     call.As
	base   *url.URL // of at.Base
}

func (v *visit) serve(ctx context.Context) (err error) {
	h := v.w.Header()
	h.Set("x-amz-request-id", v.at.In.RequestID)
	if v.base, err = url.Parse(v.at.Base); err != nil {
		return fmt.Errorf("the address's base: %w", err)
	}
	if v.bucket, err = v.s.view(ctx, v.at.ID); err != nil {
		return err
	}
	site := v.bucket.Website
	if site == nil {
		return noWebsite(v.bucket.Name)
	}
	nobody := call.Identity{Principal: policy.Principal{Kind: policy.Anonymous}}
	v.as = call.AsIdentity(nobody, v.bucket.Region).From(v.at.In)
	if done, err := v.cors(); done || err != nil {
		return err
	}
	if v.r.Method != http.MethodGet && !v.head {
		h.Set("Allow", "GET, HEAD")
		return fault.New("MethodNotAllowed", 405, "The specified method is not allowed against this resource.").
			With("Method", v.r.Method).With("ResourceType", "OBJECT")
	}
	path, err := url.PathUnescape(v.at.Path)
	if err != nil {
		return fault.New("InvalidURI", 400, "Couldn't parse the specified URI.")
	}
	key := strings.TrimPrefix(path, "/")
	if all := site.RedirectAllRequestsTo; all != nil {
		to := opt.Or(all.Protocol, v.base.Scheme) + "://" + *all.HostName + "/" + escapePath(key)
		if v.r.URL.RawQuery != "" {
			to += "?" + v.r.URL.RawQuery
		}
		v.redirect(to, http.StatusMovedPermanently)
		return nil
	}
	if rule := route(site, key, 0); rule != nil {
		v.follow(rule, key)
		return nil
	}
	return v.page(ctx, site, key)
}

// page serves a key, or the index document of a folder.
func (v *visit) page(ctx context.Context, site *api.WebsiteConfiguration, key string) error {
	folder := key == "" || strings.HasSuffix(key, "/")
	name := key
	if folder {
		name += *site.IndexDocument.Suffix
	}
	err := v.object(ctx, name, http.StatusOK, true)
	f := fault.As(err)
	if f == nil || !missing(f) {
		return err
	}
	if !folder {
		// A folder that was asked for without its slash.
		index := key + "/" + *site.IndexDocument.Suffix
		_, e := call.Do(ctx, v.s.d.Caller, v.as, api.HeadObject, &api.HeadObjectRequest{Bucket: &v.bucket.Name, Key: &index})
		if e == nil {
			v.redirect(v.base.EscapedPath()+"/"+escapePath(key)+"/", http.StatusFound)
			return nil
		}
	}
	_, status := f.Spell(fault.S3)
	if rule := route(site, key, status); rule != nil {
		v.follow(rule, key)
		return nil
	}
	if site.ErrorDocument == nil {
		return err
	}
	if e := v.object(ctx, *site.ErrorDocument.Key, status, false); e != nil {
		v.fail(err, e)
	}
	return nil
}

// missing reports a fault that error documents and routing rules are about.
func missing(f *fault.Fault) bool {
	_, status := f.Spell(fault.S3)
	return status >= 400 && status != http.StatusPreconditionFailed && status != http.StatusRequestedRangeNotSatisfiable
}

// object answers with an object. asked says that it is what was asked for, so that
// the request's range and conditions are about it.
func (v *visit) object(ctx context.Context, key string, status int, asked bool) error {
	in := &api.GetObjectRequest{Bucket: &v.bucket.Name, Key: &key}
	if asked {
		in.Range, in.IfMatch, in.IfNoneMatch = v.header("Range"), v.header("If-Match"), v.header("If-None-Match")
		in.IfModifiedSince, in.IfUnmodifiedSince = v.time("If-Modified-Since"), v.time("If-Unmodified-Since")
	}
	if v.head {
		out, err := call.Do(ctx, v.s.d.Caller, v.as, api.HeadObject, &api.HeadObjectRequest{
			Bucket: in.Bucket, Key: in.Key, Range: in.Range, IfMatch: in.IfMatch, IfNoneMatch: in.IfNoneMatch,
			IfModifiedSince: in.IfModifiedSince, IfUnmodifiedSince: in.IfUnmodifiedSince,
		})
		if err == nil {
			v.answer(out, nil, status)
		}
		return v.unmodified(err)
	}
	out, err := call.Do(ctx, v.s.d.Caller, v.as, api.GetObject, in)
	if err != nil {
		return v.unmodified(err)
	}
	defer out.Body.Close()
	v.answer(&api.HeadObjectOutput{
		LastModified: out.LastModified, ContentLength: out.ContentLength, ETag: out.ETag, VersionId: out.VersionId, CacheControl: out.CacheControl,
		ContentDisposition: out.ContentDisposition, ContentEncoding: out.ContentEncoding, ContentLanguage: out.ContentLanguage,
		ContentType: out.ContentType, ContentRange: out.ContentRange, Expires: out.Expires, Metadata: out.Metadata,
		WebsiteRedirectLocation: out.WebsiteRedirectLocation,
	}, out.Body, status)
	return nil
}

// unmodified answers 304 for the fault that says so.
func (v *visit) unmodified(err error) error {
	f := fault.As(err)
	if f == nil || f.Status != http.StatusNotModified {
		return err
	}
	if etag, ok := f.Fields["ETag"].(string); ok {
		v.w.Header().Set("ETag", etag)
	}
	if t, ok := f.Fields["LastModified"].(string); ok {
		v.w.Header().Set("Last-Modified", t)
	}
	v.w.WriteHeader(http.StatusNotModified)
	return nil
}

func (v *visit) answer(o *api.HeadObjectOutput, body io.Reader, status int) {
	if o.WebsiteRedirectLocation != nil {
		to := *o.WebsiteRedirectLocation
		if strings.HasPrefix(to, "/") {
			to = v.base.EscapedPath() + to
		}
		v.redirect(to, http.StatusMovedPermanently)
		return
	}
	h := v.w.Header()
	for name, value := range map[string]*string{
		"Content-Type": o.ContentType, "ETag": o.ETag, "Cache-Control": o.CacheControl, "Content-Disposition": o.ContentDisposition,
		"Content-Encoding": o.ContentEncoding, "Content-Language": o.ContentLanguage, "Expires": o.Expires,
		"Content-Range": o.ContentRange, "X-Amz-Version-Id": o.VersionId,
	} {
		if value != nil {
			h.Set(name, *value)
		}
	}
	for name, value := range o.Metadata {
		h.Set("X-Amz-Meta-"+name, value)
	}
	h.Set("Last-Modified", httpTime(*o.LastModified))
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Length", strconv.FormatInt(*o.ContentLength, 10))
	if o.ContentRange != nil && status == http.StatusOK {
		status = http.StatusPartialContent
	}
	v.w.WriteHeader(status)
	if body != nil {
		_, _ = io.Copy(v.w, body) // a visitor who left cannot be told
	}
}

func (v *visit) header(name string) *string {
	if s := v.r.Header.Get(name); s != "" {
		return &s
	}
	return nil
}

// time reads a header with a time; one that is none is ignored, as RFC 9110 says.
func (v *visit) time(name string) *time.Time {
	t, err := http.ParseTime(v.r.Header.Get(name))
	if err != nil {
		return nil
	}
	return &t
}

func (v *visit) follow(rule *api.RoutingRule, key string) {
	to, status := redirected(rule, v.base.Scheme, v.base.Host, v.base.EscapedPath(), key)
	v.redirect(to, status)
}

func (v *visit) redirect(to string, status int) {
	v.w.Header().Set("Location", to)
	v.w.Header().Set("Content-Length", "0")
	v.w.WriteHeader(status)
}

// cors answers preflights, and puts the headers on other requests of pages of
// another origin.
func (v *visit) cors() (done bool, err error) {
	origin := v.r.Header.Get("Origin")
	if v.r.Method != http.MethodOptions {
		if origin != "" {
			v.bucket.cors(origin, v.r.Method, nil).write(v.w.Header())
		}
		return false, nil
	}
	method := v.r.Header.Get("Access-Control-Request-Method")
	if origin == "" || method == "" {
		return true, fault.New("BadRequest", 400, "Insufficient information. Origin request header needed.")
	}
	var headers []string
	if list := v.r.Header.Get("Access-Control-Request-Headers"); list != "" {
		headers = strings.Split(list, ",")
	}
	a, err := v.bucket.preflight(origin, method, headers)
	if err != nil {
		return true, err
	}
	a.write(v.w.Header())
	v.w.WriteHeader(http.StatusOK)
	return true, nil
}

// write writes the answer's headers, for nil none.
func (a *corsAnswer) write(h http.Header) {
	if a == nil {
		return
	}
	const name = "Access-Control-"
	h.Set(name+"Allow-Origin", a.allowOrigin)
	h.Set(name+"Allow-Methods", strings.Join(a.allowMethods, ", "))
	if a.allowCredentials {
		h.Set(name+"Allow-Credentials", "true")
	}
	if len(a.allowHeaders) > 0 {
		h.Set(name+"Allow-Headers", strings.Join(a.allowHeaders, ", "))
	}
	if len(a.exposeHeaders) > 0 {
		h.Set(name+"Expose-Headers", strings.Join(a.exposeHeaders, ", "))
	}
	if a.maxAge > 0 {
		h.Set(name+"Max-Age", strconv.Itoa(int(a.maxAge)))
	}
	h.Set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
}

// Preflight answers a browser's question before a request to the S3 API from a
// page of origin: the headers to send, or AccessForbidden (403) or NoSuchBucket.
// Nobody needs a permission to ask. headers are those of
// Access-Control-Request-Headers.
func (s *Service) Preflight(ctx context.Context, bucket, origin, method string, headers []string) (http.Header, error) {
	b, err := s.view(ctx, bucket)
	if err != nil {
		return nil, err
	}
	a, err := b.preflight(origin, method, headers)
	h := http.Header{}
	a.write(h)
	return h, err
}

// Allow returns the headers that go on the answer to a request to the S3 API from
// a page of origin; none if no rule allows it.
func (s *Service) Allow(ctx context.Context, bucket, origin, method string) http.Header {
	h := http.Header{}
	if b, err := s.view(ctx, bucket); err == nil {
		b.cors(origin, method, nil).write(h)
	}
	return h
}

// fail answers with S3's page for an error; nested is what kept the site's own
// error document from being shown instead.
func (v *visit) fail(err, nested error) {
	code, status, message, details := tell(err)
	var b strings.Builder
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	fmt.Fprintf(&b, "<html>\n<head><title>%s</title></head>\n<body>\n<h1>%s</h1>\n<ul>\n", title, title)
	list := func(code, message string, details [][2]string) {
		fmt.Fprintf(&b, "<li>Code: %s</li>\n<li>Message: %s</li>\n", code, html.EscapeString(message))
		for _, d := range details {
			fmt.Fprintf(&b, "<li>%s: %s</li>\n", d[0], html.EscapeString(d[1]))
		}
	}
	list(code, message, details)
	fmt.Fprintf(&b, "<li>RequestId: %s</li>\n<li>HostId: %s</li>\n</ul>\n", html.EscapeString(v.at.In.RequestID), html.EscapeString(v.at.In.RequestID))
	if nested != nil {
		code, _, message, details := tell(nested)
		b.WriteString("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n")
		list(code, message, details)
		b.WriteString("</ul>\n")
	}
	b.WriteString("<hr/>\n</body>\n</html>\n")

	h := v.w.Header()
	h.Set("x-amz-error-code", code)
	h.Set("x-amz-error-message", message)
	for _, d := range details {
		h.Set("x-amz-error-detail-"+d[0], url.PathEscape(d[1]))
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	v.w.WriteHeader(status)
	if !v.head {
		_, _ = io.WriteString(v.w, b.String())
	}
}

// tell words an error for a visitor, who is told no more than a stranger should know.
func tell(err error) (code string, status int, message string, details [][2]string) {
	f := fault.As(err)
	switch {
	case f == nil && errors.Is(err, context.Canceled):
		return "RequestTimeout", 400, "The visitor left.", nil
	case f == nil:
		return "InternalError", 500, "We encountered an internal error. Please try again.", nil
	}
	code, status = f.Spell(fault.S3)
	if status == http.StatusForbidden {
		return code, status, "Access Denied", nil
	}
	for _, name := range []string{"BucketName", "Key", "Method", "ResourceType", "Condition", "RangeRequested", "ActualObjectSize"} {
		if x, ok := f.Fields[name]; ok {
			details = append(details, [2]string{name, fmt.Sprint(x)})
		}
	}
	return code, status, f.Message, details
}
