package s3_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
)

// site makes a bucket whose objects everybody may read, and a website of it.
func site(t *testing.T, w *world, name string, conf *api.WebsiteConfiguration) {
	t.Helper()
	w.create(t, name)
	calltest.Must(t, w.World, api.DeletePublicAccessBlock, &api.DeletePublicAccessBlockRequest{Bucket: &name})
	calltest.Must(t, w.World, api.PutBucketPolicy, &api.PutBucketPolicyRequest{Bucket: &name, Policy: new(fmt.Sprintf(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*"}]}`, name))})
	calltest.Must(t, w.World, api.PutBucketWebsite, &api.PutBucketWebsiteRequest{Bucket: &name, WebsiteConfiguration: conf})
}

// visit asks a website for a path, below base.
func visit(w *world, bucket, method, path, base string, header http.Header) *http.Response {
	r := httptest.NewRequest(method, base+path, nil)
	for k, v := range header {
		r.Header[k] = v
	}
	rec := httptest.NewRecorder()
	p, _, _ := strings.Cut(path, "?")
	w.S3.View(rec, r, call.Address{
		Kind: "s3-website", ID: bucket, Path: p, Base: base,
		In: call.Incoming{RequestID: "rid", Time: w.Clock.Now(), Scheme: "http", Host: "localhost:4566", SourceIP: netip.MustParseAddr("10.1.2.3")},
	})
	return rec.Result()
}

const twin = "http://localhost:4566/_aws/s3-website/demo"

func TestWebsite(t *testing.T) {
	w := newWorld(t)
	site(t, w, "demo", &api.WebsiteConfiguration{
		IndexDocument: &api.IndexDocument{Suffix: new("index.html")}, ErrorDocument: &api.ErrorDocument{Key: new("oops.html")},
		RoutingRules: []api.RoutingRule{
			{Condition: &api.Condition{KeyPrefixEquals: new("old/")}, Redirect: &api.Redirect{ReplaceKeyPrefixWith: new("new/")}},
			{Condition: &api.Condition{KeyPrefixEquals: new("app/"), HttpErrorCodeReturnedEquals: new("403")}, Redirect: &api.Redirect{ReplaceKeyWith: new("index.html"), HttpRedirectCode: new("302"), Protocol: new("https"), HostName: new("example.com")}},
		},
	})
	html := new("text/html")
	for key, content := range map[string]string{"index.html": "<h1>home</h1>", "docs/index.html": "docs", "oops.html": "oops", "a b.txt": "spaced"} {
		calltest.Must(t, w.World, api.PutObject, &api.PutObjectRequest{Bucket: new("demo"), Key: &key, Body: body(content), ContentType: html, Metadata: map[string]string{"m": "v"}})
	}
	calltest.Must(t, w.World, api.PutObject, &api.PutObjectRequest{Bucket: new("demo"), Key: new("moved"), Body: body(""), WebsiteRedirectLocation: new("/docs/")})

	const base = "http://demo.s3-website.localhost:4566"
	etag := visit(w, "demo", "GET", "/", base, nil).Header.Get("ETag")
	for _, c := range []struct {
		method, path, base string
		header             http.Header
		status             int
		body, location     string
	}{
		{"GET", "/", base, nil, 200, "<h1>home</h1>", ""},
		{"GET", "/index.html?v=1", base, nil, 200, "<h1>home</h1>", ""},
		{"HEAD", "/index.html", base, nil, 200, "", ""},
		{"GET", "/a%20b.txt", base, nil, 200, "spaced", ""},
		{"GET", "/docs/", base, nil, 200, "docs", ""},
		{"GET", "/docs", base, nil, 302, "", "/docs/"},
		{"GET", "/docs", twin, nil, 302, "", "/_aws/s3-website/demo/docs/"},
		{"GET", "/moved", base, nil, 301, "", "/docs/"},
		{"GET", "/old/x%20y", base, nil, 301, "", base + "/new/x%20y"},
		{"GET", "/old/x", twin, nil, 301, "", twin + "/new/x"},
		{"GET", "/app/page", base, nil, 302, "", "https://example.com/index.html"},
		// Strangers may not list, so they are not told that it does not exist.
		{"GET", "/none", base, nil, 403, "oops", ""},
		{"HEAD", "/none", base, nil, 403, "", ""},
		{"GET", "/", base, http.Header{"Range": {"bytes=1-2"}}, 206, "h1", ""},
		{"GET", "/", base, http.Header{"Range": {"bytes=99-"}}, 416, "Code: InvalidRange", ""},
		{"GET", "/", base, http.Header{"If-None-Match": {etag}}, 304, "", ""},
		{"GET", "/", base, http.Header{"If-Match": {`"x"`}}, 412, "Code: PreconditionFailed", ""},
		{"GET", "/", base, http.Header{"If-Modified-Since": {"Sun, 01 Nov 2026 12:00:00 GMT"}}, 304, "", ""},
		{"POST", "/", base, nil, 405, "Code: MethodNotAllowed", ""},
	} {
		res := visit(w, "demo", c.method, c.path, c.base, c.header)
		b, _ := io.ReadAll(res.Body)
		if res.StatusCode != c.status || !strings.Contains(string(b), c.body) || c.body == "" && len(b) > 0 || res.Header.Get("Location") != c.location {
			t.Errorf("%s %s: %d %q %q, want %d %q %q", c.method, c.path, res.StatusCode, b, res.Header.Get("Location"), c.status, c.body, c.location)
		}
	}
	res := visit(w, "demo", "HEAD", "/", base, nil)
	for name, want := range map[string]string{
		"Content-Type": "text/html", "Content-Length": "13", "X-Amz-Meta-M": "v", "Last-Modified": "Sun, 01 Nov 2026 12:00:00 GMT", "X-Amz-Request-Id": "rid",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestWebsiteErrors(t *testing.T) {
	w := newWorld(t)
	w.create(t, "plain")
	site(t, w, "all", &api.WebsiteConfiguration{RedirectAllRequestsTo: &api.RedirectAllRequestsTo{HostName: new("example.com"), Protocol: new("https")}})
	site(t, w, "broken", &api.WebsiteConfiguration{IndexDocument: &api.IndexDocument{Suffix: new("i")}, ErrorDocument: &api.ErrorDocument{Key: new("<none>")}})
	site(t, w, "listed", &api.WebsiteConfiguration{IndexDocument: &api.IndexDocument{Suffix: new("i")}})
	calltest.Must(t, w.World, api.PutBucketPolicy, &api.PutBucketPolicyRequest{Bucket: new("listed"), Policy: new(
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::listed","arn:aws:s3:::listed/*"]}}`)})
	for _, c := range []struct {
		bucket, path string
		status       int
		want         string
	}{
		{"none", "/", 404, "<li>Code: NoSuchBucket</li>\n<li>Message: The specified bucket does not exist</li>\n<li>BucketName: none</li>"},
		{"plain", "/", 404, "<li>Code: NoSuchWebsiteConfiguration</li>"},
		{"listed", "/x%3Cb%3E", 404, "<title>404 Not Found</title></head>\n<body>\n<h1>404 Not Found</h1>\n<ul>\n<li>Code: NoSuchKey</li>\n<li>Message: The specified key does not exist.</li>\n<li>Key: x&lt;b&gt;</li>\n<li>RequestId: rid</li>"},
		{"broken", "/", 403, "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>"},
		{"all", "/x?y=1", 301, ""},
	} {
		res := visit(w, c.bucket, "GET", c.path, "http://"+c.bucket+".s3-website.localhost:4566", nil)
		b, _ := io.ReadAll(res.Body)
		if res.StatusCode != c.status || !strings.Contains(string(b), c.want) {
			t.Errorf("%s: %d\n%s", c.bucket, res.StatusCode, b)
		}
		if c.bucket == "all" && res.Header.Get("Location") != "https://example.com/x?y=1" {
			t.Errorf("Location %q", res.Header.Get("Location"))
		}
	}
}

func TestCORS(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	_, err := w.S3.Preflight(t.Context(), "demo", "https://a.example", "GET", nil)
	wantFault(t, err, "AccessForbidden")
	calltest.Must(t, w.World, api.PutBucketCors, &api.PutBucketCorsRequest{Bucket: new("demo"), CORSConfiguration: &api.CORSConfiguration{CORSRules: []api.CORSRule{
		{AllowedOrigins: []string{"https://*.example"}, AllowedMethods: []string{"PUT"}, AllowedHeaders: []string{"x-amz-*"}, MaxAgeSeconds: new(int32(60)), ExposeHeaders: []string{"ETag"}},
		{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"GET"}},
	}}})
	h, err := w.S3.Preflight(t.Context(), "demo", "https://a.example", "PUT", []string{" X-Amz-Date"})
	if err != nil || h.Get("Access-Control-Allow-Origin") != "https://a.example" || h.Get("Access-Control-Allow-Headers") != "x-amz-date" ||
		h.Get("Access-Control-Max-Age") != "60" || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Access-Control-Expose-Headers") != "ETag" {
		t.Errorf("%v %v", h, err)
	}
	if h := w.S3.Allow(t.Context(), "demo", "https://b.other", "GET"); h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%v", h)
	}
	_, err = w.S3.Preflight(t.Context(), "demo", "https://b.other", "PUT", nil)
	wantFault(t, err, "AccessForbidden")
	_, err = w.S3.Preflight(t.Context(), "demo", "https://a.example", "PUT", []string{"content-type"})
	wantFault(t, err, "AccessForbidden")
	if h := w.S3.Allow(t.Context(), "demo", "https://b.other", "DELETE"); len(h) != 0 {
		t.Errorf("%v", h)
	}
}
