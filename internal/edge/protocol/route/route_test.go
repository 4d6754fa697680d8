package route_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/edge/protocol/route"
	"github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		service *model.Service
		request string // method, path and query; then headers that are there
		want    string // operation and labels; "" for none
	}{
		{&s3.Model, "GET /", "ListBuckets"},
		{&s3.Model, "GET /?max-buckets=3", "ListBuckets"},
		{&s3.Model, "GET /b", "ListObjects Bucket=b"},
		{&s3.Model, "GET /b/", "ListObjects Bucket=b"},
		{&s3.Model, "GET /b?list-type=2&prefix=x", "ListObjectsV2 Bucket=b"},
		{&s3.Model, "GET /b?prefix=x&list-type=2", "ListObjectsV2 Bucket=b"},
		{&s3.Model, "GET /b?acl", "GetBucketAcl Bucket=b"},
		{&s3.Model, "GET /b?acl=", "GetBucketAcl Bucket=b"},
		{&s3.Model, "GET /b?versions&prefix=x", "ListObjectVersions Bucket=b"},
		{&s3.Model, "GET /b?location", "GetBucketLocation Bucket=b"},
		{&s3.Model, "GET /b?lifecycle", "GetBucketLifecycleConfiguration Bucket=b"},
		{&s3.Model, "PUT /b?notification", "PutBucketNotificationConfiguration Bucket=b"},
		{&s3.Model, "GET /b?analytics", "ListBucketAnalyticsConfigurations Bucket=b"},
		{&s3.Model, "GET /b?analytics&id=1", "GetBucketAnalyticsConfiguration Bucket=b"},
		{&s3.Model, "GET /b?uploads", "ListMultipartUploads Bucket=b"},
		{&s3.Model, "HEAD /b", "HeadBucket Bucket=b"},
		{&s3.Model, "DELETE /b", "DeleteBucket Bucket=b"},
		{&s3.Model, "DELETE /b?policy", "DeleteBucketPolicy Bucket=b"},
		{&s3.Model, "DELETE /b?acl", ""}, // no operation, and surely not DeleteBucket
		{&s3.Model, "PUT /b/k?torrent", ""},
		{&s3.Model, "GET /b/k", "GetObject Bucket=b Key=k"},
		{&s3.Model, "GET /b/k?x-id=GetObject", "GetObject Bucket=b Key=k"},
		{&s3.Model, "GET /b/k?versionId=v&response-content-type=x", "GetObject Bucket=b Key=k"},
		{&s3.Model, "GET /b/a/b%2Fc%20d/", "GetObject Bucket=b Key=a/b/c d/"},
		{&s3.Model, "GET /b//k", "GetObject Bucket=b Key=/k"},
		{&s3.Model, "GET /b/k+1", "GetObject Bucket=b Key=k+1"},
		{&s3.Model, "GET /b/k?uploadId=u", "ListParts Bucket=b Key=k"},
		{&s3.Model, "GET /b/k?tagging&versionId=v", "GetObjectTagging Bucket=b Key=k"},
		{&s3.Model, "GET /b/k?attributes", "GetObjectAttributes Bucket=b Key=k"},
		{&s3.Model, "PUT /b/k", "PutObject Bucket=b Key=k"},
		{&s3.Model, "PUT /b/k?x-id=PutObject", "PutObject Bucket=b Key=k"},
		{&s3.Model, "PUT /b/k X-Amz-Copy-Source", "CopyObject Bucket=b Key=k"},
		{&s3.Model, "PUT /b/k?partNumber=1&uploadId=u", "UploadPart Bucket=b Key=k"},
		{&s3.Model, "PUT /b/k?partNumber=1", "UploadPart Bucket=b Key=k"}, // which then lacks a parameter
		{&s3.Model, "PUT /b/k?partNumber=1&uploadId=u X-Amz-Copy-Source", "UploadPartCopy Bucket=b Key=k"},
		{&s3.Model, "POST /b/k?uploads", "CreateMultipartUpload Bucket=b Key=k"},
		{&s3.Model, "POST /b/k?uploadId=u", "CompleteMultipartUpload Bucket=b Key=k"},
		{&s3.Model, "DELETE /b/k?uploadId=u", "AbortMultipartUpload Bucket=b Key=k"},
		{&s3.Model, "DELETE /b/k?versionId=v", "DeleteObject Bucket=b Key=k"},
		{&s3.Model, "POST /b?delete", "DeleteObjects Bucket=b"},
		{&s3.Model, "POST /b/k?select&select-type=2", "SelectObjectContent Bucket=b Key=k"},
		{&s3.Model, "POST /b", ""}, // an upload by a browser's form
		{&s3.Model, "GET //k", ""},
		{&s3.Model, "PATCH /b", ""},

		{&lambda.Model, "GET /2015-03-31/functions/", "ListFunctions"},
		{&lambda.Model, "GET /2015-03-31/functions", "ListFunctions"},
		{&lambda.Model, "GET /2015-03-31/functions/f", "GetFunction FunctionName=f"},
		{&lambda.Model, "GET /2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Af", "GetFunction FunctionName=arn:aws:lambda:us-east-1:1:function:f"},
		{&lambda.Model, "POST /2015-03-31/functions/f/invocations?Qualifier=1", "Invoke FunctionName=f"},
		{&lambda.Model, "POST /2015-03-31/functions//invocations", ""},
		{&lambda.Model, "GET /2015-03-31/functions/f/nothing", ""},
		{&lambda.Model, "GET /2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Af", "ListTags Resource=arn:aws:lambda:us-east-1:1:function:f"},

		{&apigateway.Model, "GET /restapis/r/resources/x/methods/GET/responses/200", "GetMethodResponse restApiId=r resourceId=x httpMethod=GET statusCode=200"},
		{&apigateway.Model, "PUT /restapis/r?mode=merge", "PutRestApi restApiId=r"},
		{&apigateway.Model, "POST /restapis?mode=import", "ImportRestApi"},
		{&apigateway.Model, "POST /restapis", "CreateRestApi"},
		{&apigateway.Model, "GET /tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Fr", "GetTags resourceArn=arn:aws:apigateway:us-east-1::/restapis/r"},
		{&apigateway.Model, "PUT /restapis/r/resources/x/methods/GET/integration", "PutIntegration restApiId=r resourceId=x httpMethod=GET"},
	} {
		parts := strings.Fields(c.request)
		path, query, _ := strings.Cut(parts[1], "?")
		h := http.Header{}
		for _, name := range parts[2:] {
			h.Set(name, "x")
		}
		got := ""
		if m, ok := route.New(c.service).Match(parts[0], path, query, h); ok {
			got = m.Op.Name
			for _, l := range m.Labels {
				// The models name some labels by their wire name.
				got += " " + strings.ReplaceAll(l.Name, "_", "") + "=" + l.Value
			}
		}
		if squash(got) != squash(c.want) {
			t.Errorf("%s:\n got  %s\n want %s", c.request, got, c.want)
		}
	}
}

func squash(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }

func FuzzMatch(f *testing.F) {
	f.Add("GET", "/b/k", "acl")
	f.Add("PUT", "/b//%2f%", "partNumber=1&uploadId=%zz")
	table := route.New(&s3.Model)
	f.Fuzz(func(t *testing.T, method, path, query string) {
		if m, ok := table.Match(method, path, query, nil); ok && m.Op.Method != method {
			t.Errorf("%s matched %s %s", method, m.Op.Method, m.Op.Name)
		}
	})
}

func BenchmarkGetObject(b *testing.B) {
	table := route.New(&s3.Model)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := table.Match("GET", "/bucket/some/key", "x-id=GetObject", nil); !ok {
			b.Fatal("no match")
		}
	}
}
