package restjson_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/restjson"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/route"
	"github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/gen/xray"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

func request(t testing.TB, s *model.Service, method, target, body string, headers ...string) *protocol.Request {
	t.Helper()
	r := httptest.NewRequest(method, "http://localhost"+target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	m, ok := route.New(s).Match(method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header)
	if !ok {
		t.Fatalf("no operation for %s %s", method, target)
	}
	return &protocol.Request{HTTP: r, Service: s, Op: m.Op, Labels: m.Labels, ID: "id-1"}
}

func TestDecode(t *testing.T) {
	var in lambda.InvocationRequest
	rq := request(t, &lambda.Model, "POST", "/2015-03-31/functions/f/invocations?Qualifier=live", `{"a": 1}`, "X-Amz-Invocation-Type", "Event")
	if err := (restjson.Codec{}).Decode(rq, &in); err != nil {
		t.Fatal(err)
	}
	want := lambda.InvocationRequest{FunctionName: new("f"), InvocationType: new("Event"), Payload: []byte(`{"a": 1}`), Qualifier: new("live")}
	if !reflect.DeepEqual(in, want) {
		t.Errorf("%+v", in)
	}

	var tags lambda.UntagResourceRequest
	rq = request(t, &lambda.Model, "DELETE", "/2017-03-31/tags/arn?tagKeys=a&tagKeys=b+c", "")
	if err := (restjson.Codec{}).Decode(rq, &tags); err != nil || !reflect.DeepEqual(tags.TagKeys, []string{"a", "b c"}) {
		t.Errorf("%v %+v", err, tags)
	}

	var create lambda.CreateFunctionRequest
	rq = request(t, &lambda.Model, "POST", "/2015-03-31/functions", `{"FunctionName":"f","Timeout":3,"Code":{"ZipFile":"AQI="},"Environment":{"Variables":{"A":"1","B":null}}}`)
	if err := (restjson.Codec{}).Decode(rq, &create); err != nil {
		t.Fatal(err)
	}
	if *create.Timeout != 3 || !bytes.Equal(create.Code.ZipFile, []byte{1, 2}) || !reflect.DeepEqual(create.Environment.Variables, map[string]string{"A": "1"}) {
		t.Errorf("%+v", create)
	}
}

func TestDecodeCompressed(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, `{"TraceSegmentDocuments":["{}"]}`)
	z.Close()
	var in xray.PutTraceSegmentsRequest
	rq := request(t, &xray.Model, "POST", "/TraceSegments", b.String(), "Content-Encoding", "gzip")
	if err := (restjson.Codec{}).Decode(rq, &in); err != nil || len(in.TraceSegmentDocuments) != 1 {
		t.Errorf("%v %+v", err, in)
	}
	// A bomb is stopped.
	b.Reset()
	z = gzip.NewWriter(&b)
	z.Write(make([]byte, 17<<20))
	z.Close()
	err := (restjson.Codec{}).Decode(request(t, &xray.Model, "POST", "/TraceSegments", b.String(), "Content-Encoding", "gzip"), &in)
	if f := fault.As(err); f == nil || f.Common != fault.RequestTooLarge {
		t.Error(err)
	}
	err = (restjson.Codec{}).Decode(request(t, &xray.Model, "POST", "/TraceSegments", "{}", "Content-Encoding", "gzip"), &in)
	if f := fault.As(err); f == nil || f.Common != fault.Serialization {
		t.Error(err)
	}
}

func TestDecodeMalformed(t *testing.T) {
	for _, target := range []string{"/2015-03-31/functions/?MaxItems=x", "/2015-03-31/functions/?MaxItems=99999999999"} {
		err := (restjson.Codec{}).Decode(request(t, &lambda.Model, "GET", target, ""), &lambda.ListFunctionsRequest{})
		if f := fault.As(err); f == nil || f.Common != fault.Serialization {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		s                  *model.Service
		target             string
		out                any
		status             int
		body, header, text string
	}{
		{&lambda.Model, "POST /2015-03-31/functions/f/invocations", &lambda.InvocationResponse{StatusCode: new(int32(202)), FunctionError: new("Unhandled"), Payload: []byte("x")}, 202, "x", "X-Amz-Function-Error", "Unhandled"},
		{&lambda.Model, "POST /2015-03-31/functions/f/invocations", &lambda.InvocationResponse{StatusCode: new(int32(204))}, 204, "", "", ""},
		{&lambda.Model, "GET /2015-03-31/functions", &lambda.ListFunctionsResponse{Functions: []lambda.FunctionConfiguration{}}, 200, `{"Functions":[]}`, "Content-Type", "application/json"},
		{&lambda.Model, "POST /2015-03-31/functions", &lambda.FunctionConfiguration{FunctionName: new("f")}, 201, `{"FunctionName":"f"}`, "", ""},
		{&apigateway.Model, "GET /restapis", &apigateway.RestApis{Items: []apigateway.RestApi{{Id: new("a")}}}, 200, `{"item":[{"id":"a"}]}`, "", ""},
		{&apigateway.Model, "DELETE /restapis/a", nil, 202, ``, "", ""},
	} {
		method, target, _ := strings.Cut(c.target, " ")
		w := httptest.NewRecorder()
		if err := (restjson.Codec{}).Encode(w, request(t, c.s, method, target, ""), c.out); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.status || w.Body.String() != c.body || w.Header().Get(c.header) != c.text {
			t.Errorf("%s: %d %s %v", c.target, w.Code, w.Body, w.Header())
		}
	}
}

func TestFaults(t *testing.T) {
	w := httptest.NewRecorder()
	rq := request(t, &lambda.Model, "GET", "/2015-03-31/functions/f", "")
	(restjson.Codec{}).EncodeFault(w, rq, lambda.ResourceNotFoundException("gone").With("Type", "User"))
	if w.Code != 404 || w.Body.String() != `{"Type":"User","Message":"gone"}` || w.Header().Get("x-amzn-errortype") != "ResourceNotFoundException" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	w = httptest.NewRecorder()
	(restjson.Codec{}).EncodeFault(w, rq, lambda.TooManyRequestsException("slow").With("retryAfterSeconds", "1"))
	if w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	w = httptest.NewRecorder()
	(restjson.Codec{}).EncodeFault(w, rq, fault.Of(fault.AccessDenied, "no"))
	if w.Code != 403 || w.Body.String() != `{"Message":"no"}` || w.Header().Get("x-amzn-errortype") != "AccessDeniedException" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
}

func TestEventStream(t *testing.T) {
	out := &lambda.InvokeWithResponseStreamResponse{StatusCode: new(int32(200)), EventStream: func(ctx context.Context, send func(string, any) error) error {
		if err := send("PayloadChunk", &lambda.InvokeResponseStreamUpdate{Payload: []byte("part")}); err != nil {
			return err
		}
		return send("InvokeComplete", &lambda.InvokeWithResponseStreamCompleteEvent{ErrorCode: new("Oops")})
	}}
	w := httptest.NewRecorder()
	if err := (restjson.Codec{}).Encode(w, request(t, &lambda.Model, "POST", "/2021-11-15/functions/f/response-streaming-invocations", ""), out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := bytes.NewReader(w.Body.Bytes()); r.Len() > 0; {
		m, err := sdk.NewDecoder().Decode(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Headers.Get(":event-type").String()+" "+m.Headers.Get(":content-type").String()+" "+string(m.Payload))
	}
	want := []string{"PayloadChunk application/octet-stream part", `InvokeComplete application/json {"ErrorCode":"Oops"}`}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("MaxItems=1&Marker=%41", `{"a":1}`, "x")
	f.Add("", `{"Timeout":1.0,"Environment":{"Variables":{"A":"b"}}}`, `"a,b", c`)
	f.Fuzz(func(t *testing.T, query, body, header string) {
		for _, target := range []string{"POST /2015-03-31/functions", "GET /2015-03-31/functions"} {
			method, path, _ := strings.Cut(target, " ")
			rq := request(t, &lambda.Model, method, path, body)
			rq.HTTP.URL.RawQuery = query
			rq.HTTP.Header.Set("Content-Encoding", header)
			if err := (restjson.Codec{}).Decode(rq, new(any)); err != nil && fault.As(err) == nil {
				t.Fatalf("not a fault: %v", err)
			}
		}
	})
}
