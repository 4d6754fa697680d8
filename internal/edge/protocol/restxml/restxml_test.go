package restxml_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/restxml"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/route"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

func request(t testing.TB, method, target, body string, headers ...string) *protocol.Request {
	t.Helper()
	r := httptest.NewRequest(method, "http://localhost"+target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	m, ok := route.New(&s3.Model).Match(method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header)
	if !ok {
		t.Fatalf("no operation for %s %s", method, target)
	}
	return &protocol.Request{HTTP: r, Service: &s3.Model, Op: m.Op, Labels: m.Labels, ID: "0123456789ABCDEF"}
}

func TestDecodePutObject(t *testing.T) {
	var in s3.PutObjectRequest
	rq := request(t, "PUT", "/b/a%20key", "content", "Content-Type", "text/plain", "X-Amz-Meta-Color", "red", "X-Amz-Meta-Two", "2",
		"x-amz-tagging", "a=b", "Expires", "Tue, 02 Jan 2024 03:04:05 GMT", "x-amz-object-lock-retain-until-date", "2024-01-02T03:04:05Z")
	if err := (restxml.Codec{}).Decode(rq, &in); err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(in.Body)
	if string(body) != "content" || *in.Bucket != "b" || *in.Key != "a key" || *in.ContentType != "text/plain" || *in.Tagging != "a=b" || *in.ContentLength != 7 {
		t.Errorf("%+v", in)
	}
	if !reflect.DeepEqual(in.Metadata, map[string]string{"color": "red", "two": "2"}) {
		t.Error(in.Metadata)
	}
	if at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC); !in.ObjectLockRetainUntilDate.Equal(at) {
		t.Error(in.ObjectLockRetainUntilDate)
	}
}

func TestDecodeXML(t *testing.T) {
	var in s3.DeleteObjectsRequest
	rq := request(t, "POST", "/b?delete", `<?xml version="1.0"?><!-- x --><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
		<Object><Key> a&amp;b&#x41; </Key></Object><Object><Key><![CDATA[<k>]]></Key><VersionId>v</VersionId></Object><Quiet>true</Quiet><Unknown/></Delete>`)
	if err := (restxml.Codec{}).Decode(rq, &in); err != nil {
		t.Fatal(err)
	}
	want := &s3.Delete{Quiet: new(true), Objects: []s3.ObjectIdentifier{{Key: new(" a&bA ")}, {Key: new("<k>"), VersionId: new("v")}}}
	if !reflect.DeepEqual(in.Delete, want) {
		t.Errorf("%+v", in.Delete)
	}

	var acl s3.PutBucketAclRequest
	rq = request(t, "PUT", "/b?acl", `<AccessControlPolicy><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>1</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>`)
	if err := (restxml.Codec{}).Decode(rq, &acl); err != nil {
		t.Fatal(err)
	}
	if g := acl.AccessControlPolicy.Grants; len(g) != 1 || *g[0].Grantee.Type != "CanonicalUser" || *g[0].Grantee.ID != "1" {
		t.Errorf("%+v", g)
	}
}

func TestDecodeMalformed(t *testing.T) {
	for _, c := range []struct{ target, body, code string }{
		{"POST /b?delete", `<Delete>`, "MalformedXML"},
		{"POST /b?delete", `<Other/>`, "MalformedXML"},
		{"POST /b?delete", `{}`, "MalformedXML"},
		{"POST /b?delete", `<Delete/><Delete/>`, "MalformedXML"},
		{"POST /b?delete", `<Delete><Quiet>maybe</Quiet></Delete>`, "MalformedXML"},
		{"POST /b?delete", `<!DOCTYPE x [<!ENTITY a "b">]><Delete>&a;</Delete>`, "MalformedXML"},
		{"POST /b?delete", "<Delete>\xff</Delete>", "MalformedXML"},
		{"POST /b?delete", strings.Repeat("<Delete>", 300) + strings.Repeat("</Delete>", 300), "MalformedXML"},
		{"GET /b?list-type=2&max-keys=x", ``, "InvalidArgument"},
	} {
		method, target, _ := strings.Cut(c.target, " ")
		rq := request(t, method, target, c.body)
		err := (restxml.Codec{}).Decode(rq, new(any))
		f := fault.As(err)
		if f == nil {
			t.Errorf("%.60s: %v", c.body, err)
			continue
		}
		if code, _ := f.Spell(fault.S3); code != c.code {
			t.Errorf("%.60s: %s, want %s", c.body, code, c.code)
		}
	}
}

func TestEncode(t *testing.T) {
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		target string
		out    any
		status int
		body   string
	}{
		{"GET /", &s3.ListBucketsOutput{Buckets: []s3.Bucket{{Name: new("b"), CreationDate: &at}}, Owner: &s3.Owner{ID: new("1")}}, 200,
			`<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Buckets><Bucket><Name>b</Name><CreationDate>2024-01-02T03:04:05.000Z</CreationDate></Bucket></Buckets><Owner><ID>1</ID></Owner></ListAllMyBucketsResult>`},
		{"GET /b?list-type=2", &s3.ListObjectsV2Output{Name: new("b"), Contents: []s3.Object{{Key: new("k\r"), Size: new(int64(3)), LastModified: &at}}, CommonPrefixes: []s3.CommonPrefix{{Prefix: new("p/")}}}, 200,
			`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Contents><Key>k&#13;</Key><LastModified>2024-01-02T03:04:05.000Z</LastModified><Size>3</Size></Contents><Name>b</Name><CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>`},
		{"GET /b?location", &s3.GetBucketLocationOutput{LocationConstraint: new("eu-west-1")}, 200,
			`<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>`},
		{"GET /b?location", &s3.GetBucketLocationOutput{}, 200, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>`},
		{"GET /b?acl", &s3.GetBucketAclOutput{Grants: []s3.Grant{{Grantee: &s3.Grantee{Type: new("CanonicalUser"), ID: new("1")}}}}, 200,
			`<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>1</ID></Grantee></Grant></AccessControlList></AccessControlPolicy>`},
		{"GET /b?policy", &s3.GetBucketPolicyOutput{Policy: new("{}")}, 200, `{}`},
		{"GET /b?versioning", &s3.GetBucketVersioningOutput{}, 200, `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></VersioningConfiguration>`},
		{"DELETE /b", nil, 204, ``},
		{"PUT /b/k", &s3.PutObjectOutput{ETag: new(`"x"`)}, 200, ``},
		{"PUT /b?versioning", nil, 200, ``},
	} {
		method, target, _ := strings.Cut(c.target, " ")
		w := httptest.NewRecorder()
		if err := (restxml.Codec{}).Encode(w, request(t, method, target, ""), c.out); err != nil {
			t.Fatal(err)
		}
		body := strings.TrimPrefix(w.Body.String(), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
		if w.Code != c.status || body != c.body {
			t.Errorf("%s: %d\n%s\nwant %d\n%s", c.target, w.Code, body, c.status, c.body)
		}
		if w.Header().Get("x-amz-request-id") != "0123456789ABCDEF" || w.Header().Get("x-amz-id-2") == "" {
			t.Error(w.Header())
		}
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestEncodeObject(t *testing.T) {
	body := &closing{Reader: strings.NewReader("content")}
	out := &s3.GetObjectOutput{Body: body, ContentLength: new(int64(7)), ContentType: new("text/plain"), Metadata: map[string]string{"color": "red"}, LastModified: new(time.Unix(0, 5e8)), ETag: new(`"e"`)}
	w := httptest.NewRecorder()
	if err := (restxml.Codec{}).Encode(w, request(t, "GET", "/b/k", ""), out); err != nil {
		t.Fatal(err)
	}
	h := w.Header()
	color := map[string][]string(h)["x-amz-meta-color"] // users' metadata keeps its spelling
	if w.Body.String() != "content" || !body.closed || h.Get("Content-Length") != "7" || h.Get("Content-Type") != "text/plain" ||
		len(color) != 1 || color[0] != "red" || h.Get("Last-Modified") != "Thu, 01 Jan 1970 00:00:00 GMT" || h.Get("ETag") != `"e"` {
		t.Errorf("%v %s %t", h, w.Body, body.closed)
	}

	broken := &closing{Reader: io.MultiReader(strings.NewReader("con"), errReader{})}
	err := (restxml.Codec{}).Encode(httptest.NewRecorder(), request(t, "GET", "/b/k", ""), &s3.GetObjectOutput{Body: broken})
	var cut *protocol.Cut
	if !errors.As(err, &cut) || !broken.closed {
		t.Error(err, broken.closed)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

func TestFaults(t *testing.T) {
	w := httptest.NewRecorder()
	(restxml.Codec{}).EncodeFault(w, request(t, "GET", "/b/k", ""), s3.NoSuchKey("The specified key does not exist.").With("Key", "k"))
	want := "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>k</Key><Resource>/b/k</Resource><RequestId>0123456789ABCDEF</RequestId><HostId>MDEyMzQ1Njc4OUFCQ0RFRg==</HostId></Error>"
	if w.Code != 404 || w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// An answer to HEAD, and 304, have no body.
	w = httptest.NewRecorder()
	(restxml.Codec{}).EncodeFault(w, request(t, "HEAD", "/b/k", ""), fault.New("NotFound", 404, ""))
	if w.Code != 404 || w.Body.Len() > 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	(restxml.Codec{}).EncodeFault(w, request(t, "GET", "/b/k", ""), fault.New("NotModified", 304, "Not Modified"))
	if w.Code != 304 || w.Body.Len() > 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	rq := &protocol.Request{HTTP: httptest.NewRequest("GET", "/x", nil), ID: "1"}
	(restxml.Codec{}).EncodeFault(w, rq, fault.Of(fault.AccessDenied, "Access Denied"))
	if w.Code != 403 || !strings.Contains(w.Body.String(), "<Code>AccessDenied</Code>") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestEventStream(t *testing.T) {
	out := &s3.SelectObjectContentOutput{Payload: func(ctx context.Context, send func(string, any) error) error {
		if err := send("Records", &s3.RecordsEvent{Payload: []byte("a,b\n")}); err != nil {
			return err
		}
		if err := send("Stats", &s3.StatsEvent{Details: &s3.Stats{BytesScanned: new(int64(4))}}); err != nil {
			return err
		}
		return send("End", &s3.EndEvent{})
	}}
	w := httptest.NewRecorder()
	if err := (restxml.Codec{}).Encode(w, request(t, "POST", "/b/k?select&select-type=2", ""), out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := bytes.NewReader(w.Body.Bytes()); r.Len() > 0; {
		m, err := sdk.NewDecoder().Decode(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Headers.Get(":event-type").String()+" "+string(m.Payload))
	}
	want := []string{"Records a,b\n", "Stats <Stats><BytesScanned>4</BytesScanned></Stats>", "End "}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`<Delete><Object><Key>a</Key></Object></Delete>`)
	f.Add(`<Delete xmlns="x"><Quiet>true</Quiet><!-- --><?x y?>&#13;<![CDATA[]]></Delete>`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, into := range []any{new(s3.DeleteObjectsRequest), new(any)} {
			if err := (restxml.Codec{}).Decode(request(t, "POST", "/b?delete", body), into); err != nil && fault.As(err) == nil {
				t.Fatalf("not a fault: %v", err)
			}
		}
	})
}
