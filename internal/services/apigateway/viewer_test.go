package apigateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

func decode(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// TestEvent sends a request and compares the event with the one that AWS makes.
func TestEvent(t *testing.T) {
	w := newWorld(t)
	id := w.newAPI(t, "POST /pets/{id}")
	dep := w.deploy(t, id, "prod")
	calltest.Must(t, w.World, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &id, StageName: new("prod"), PatchOperations: []api.PatchOperation{
		{Op: new("replace"), Path: new("/variables/color"), Value: new("blue")},
	}})
	event, name := w.records(`{"statusCode":201,"headers":{"X-One":"1"},"body":"done"}`)
	got := w.send("POST", id, "/prod/pets/a%20b?x=1&y=%C3%A9+z&x=2&empty", "{\"a\": \"\u00fc\x01\xff\"}", "Content-Type", "application/json",
		"X-Many", "1", "X-Many", "2", "X-Forwarded-For", "198.51.100.1", "Connection", "close", "X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793")
	if got.StatusCode != 201 || got.body != "done" || got.Header.Get("X-One") != "1" || got.Header.Get("Content-Type") != "application/json" ||
		got.Header.Get("X-Amzn-Trace-Id") != "Root=1-5759e988-bd862e3fe1be46a994272793" {
		t.Errorf("answer: %d %q %v", got.StatusCode, got.body, got.Header)
	}
	if *name != functionARN+"f" {
		t.Errorf("function: %s", *name)
	}
	e := decode(t, *event)
	rc := e["requestContext"].(map[string]any)
	for k, v := range rc {
		switch k {
		case "requestId":
			if v != got.Header.Get("x-amzn-RequestId") {
				t.Errorf("request id: %v", v)
			}
		case "extendedRequestId":
			if v != got.Header.Get("x-amz-apigw-id") || len(v.(string)) != 16 {
				t.Errorf("extended request id: %v", v)
			}
		}
	}
	delete(rc, "requestId")
	delete(rc, "extendedRequestId")
	resource := rc["resourceId"]
	headers := map[string]any{
		"Content-Type": "application/json", "X-Many": "2", "X-Forwarded-For": "198.51.100.1, 192.0.2.7", "X-Forwarded-Port": "4566", "X-Forwarded-Proto": "http",
		"Host": id + ".execute-api.localhost:4566", "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
	}
	multi := map[string]any{}
	for k, v := range headers {
		multi[k] = []any{v}
	}
	multi["X-Many"] = []any{"1", "2"}
	want := map[string]any{
		"resource": "/pets/{id}", "path": "/pets/a%20b", "httpMethod": "POST", "headers": headers, "multiValueHeaders": multi,
		"queryStringParameters":           map[string]any{"x": "2", "y": "é z", "empty": ""},
		"multiValueQueryStringParameters": map[string]any{"x": []any{"1", "2"}, "y": []any{"é z"}, "empty": []any{""}},
		"pathParameters":                  map[string]any{"id": "a b"}, "stageVariables": map[string]any{"color": "blue"},
		"body": "{\"a\": \"\u00fc\x01\ufffd\"}", "isBase64Encoded": false,
		"requestContext": map[string]any{
			"resourceId": resource, "resourcePath": "/pets/{id}", "httpMethod": "POST", "requestTime": "01/Nov/2026:12:00:00 +0000",
			"path": "/prod/pets/a%20b", "accountId": calltest.Account, "protocol": "HTTP/1.1", "stage": "prod", "domainPrefix": id,
			"requestTimeEpoch": float64(calltest.Start.UnixMilli()), "domainName": id + ".execute-api.localhost:4566", "deploymentId": dep, "apiId": id,
			"identity": map[string]any{
				"cognitoIdentityPoolId": nil, "accountId": nil, "cognitoIdentityId": nil, "caller": nil, "sourceIp": "192.0.2.7", "principalOrgId": nil,
				"accessKey": nil, "cognitoAuthenticationType": nil, "cognitoAuthenticationProvider": nil, "userArn": nil, "userAgent": "test/1", "user": nil,
			},
		},
	}
	for k := range want {
		if !reflect.DeepEqual(e[k], want[k]) {
			t.Errorf("%s:\n got %v\nwant %v", k, e[k], want[k])
		}
	}
	if len(e) != len(want) {
		t.Errorf("members: %v", e)
	}

	got = w.send("POST", id, "/prod/pets/1", "")
	e = decode(t, *event)
	for _, k := range []string{"queryStringParameters", "multiValueQueryStringParameters", "body"} {
		if v, there := e[k]; v != nil || !there {
			t.Errorf("%s: %v, want null", k, v)
		}
	}
	trace := e["headers"].(map[string]any)["X-Amzn-Trace-Id"].(string)
	if !strings.HasPrefix(trace, "Root=1-") || len(trace) != len("Root=1-5759e988-bd862e3fe1be46a994272793") || got.Header.Get("X-Amzn-Trace-Id") != trace {
		t.Errorf("trace: %q", trace)
	}
}

// TestEventShape holds that an event has every member that published example
// events have, except those of features that are refused.
func TestEventShape(t *testing.T) {
	dir := conformance(t, "lambda-events")
	text, err := os.ReadFile(filepath.Join(dir, "apigw-request.json"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	id := w.newAPI(t, "ANY /{proxy+}")
	w.deploy(t, id, "testStage")
	calltest.Must(t, w.World, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &id, StageName: new("testStage"), PatchOperations: []api.PatchOperation{
		{Op: new("add"), Path: new("/variables/stageVariableName"), Value: new("stageVariableValue")},
	}})
	event, _ := w.records(`{}`)
	w.send("POST", id, "/testStage/hello/world?name=me", "{\r\n\t\"a\": 1\r\n}", "Accept", "*/*", "Content-Type", "application/json", "headerName", "headerValue")
	compare(t, "", decode(t, text), decode(t, *event))
}

func compare(t *testing.T, path string, want, got map[string]any) {
	for k, v := range want {
		p := path + "." + k
		g, there := got[k]
		switch {
		case strings.HasSuffix(path, "eaders") || k == "authorizer" || k == "clientCert" || k == "apiKey" || k == "apiKeyId":
		case !there:
			t.Errorf("%s is missing", p)
		case g == nil:
		case reflect.TypeOf(g) != reflect.TypeOf(v):
			t.Errorf("%s is a %T, want a %T", p, g, v)
		default:
			if m, ok := v.(map[string]any); ok {
				compare(t, p, m, g.(map[string]any))
			}
		}
	}
}

func TestResponses(t *testing.T) {
	w := newWorld(t)
	id := w.newAPI(t, "ANY /")
	w.deploy(t, id, "s")
	const broken = `{"message":"Internal server error"}`
	for _, c := range []struct {
		payload string
		status  int
		body    string
		headers string // "Name: value|..."
	}{
		{`{"statusCode":200,"body":"hi"}`, 200, "hi", "Content-Type: application/json"},
		{`{}`, 200, "", ""},
		{`{"statusCode":"404","body":null}`, 404, "", ""},
		{`{"statusCode":200,"headers":{"content-type":"text/html","X-N":5,"X-B":true,"X-0":null}}`, 200, "", "Content-Type: text/html|X-N: 5|X-B: true"},
		{`{"headers":{"a":"1","b":"2"},"multiValueHeaders":{"A":["3","4"]}}`, 200, "", "A: 3, 4|B: 2"},
		{`{"headers":{"Connection":"x","Date":"d","Server":"s","WWW-Authenticate":"w","Transfer-Encoding":"chunked","Content-Length":"77"}}`, 200, "",
			"X-Amzn-Remapped-Connection: x|X-Amzn-Remapped-Date: d|X-Amzn-Remapped-Server: s|X-Amzn-Remapped-Www-Authenticate: w|Transfer-Encoding: |Content-Length: 0"},
		{`{"isBase64Encoded":true,"body":"aGk="}`, 200, "aGk=", ""},
		{`{"statusCode":204}`, 204, "", ""},
		{`{"statusCode":200,"message":"x"}`, 502, broken, "X-Amzn-Errortype: InternalServerErrorException"},
		{`"text"`, 502, broken, ""},
		{`null`, 502, broken, ""},
		{``, 502, broken, ""},
		{`{"statusCode":"abc"}`, 502, broken, ""},
		{`{"statusCode":99}`, 502, broken, ""},
		{`{"statusCode":200,"body":{"a":1}}`, 502, broken, ""},
		{`{"statusCode":200,"headers":{"a":{}}}`, 502, broken, ""},
	} {
		w.returns(c.payload)
		got := w.send("GET", id, "/s", "")
		if got.StatusCode != c.status || got.body != c.body {
			t.Errorf("%s: %d %q, want %d %q", c.payload, got.StatusCode, got.body, c.status, c.body)
		}
		for _, h := range strings.Split(c.headers, "|") {
			name, value, _ := strings.Cut(h, ": ")
			if name != "" && strings.Join(got.Header[http.CanonicalHeaderKey(name)], ", ") != value {
				t.Errorf("%s: %s is %q, want %q", c.payload, name, got.Header[name], value)
			}
		}
	}
	w.returns(`{"body":"hi"}`)
	if got := w.send("HEAD", id, "/s", ""); got.body != "" || got.Header.Get("Content-Length") != "2" {
		t.Errorf("HEAD: %q %v", got.body, got.Header)
	}
}

func TestFailures(t *testing.T) {
	w := newWorld(t)
	id := w.newAPI(t, "GET /pets")
	w.deploy(t, id, "s")
	w.returns(`{}`)
	check := func(got answer, status int, body, code string) {
		t.Helper()
		if got.StatusCode != status || got.body != body || got.Header.Get("x-amzn-ErrorType") != code {
			t.Errorf("%d %s %s, want %d %s %s", got.StatusCode, got.body, got.Header.Get("x-amzn-ErrorType"), status, body, code)
		}
	}
	token, missing := `{"message":"Missing Authentication Token"}`, "MissingAuthenticationTokenException"
	internal, server := `{"message":"Internal server error"}`, "InternalServerErrorException"
	check(w.send("GET", id, "/s/pets", ""), 200, "", "")
	check(w.send("POST", id, "/s/pets", ""), 403, token, missing)
	check(w.send("GET", id, "/s/dogs", ""), 403, token, missing)
	check(w.send("GET", id, "/none/pets", ""), 403, token, missing)
	check(w.send("GET", id, "/", ""), 403, token, missing)
	check(w.send("GET", "unknown", "/s/pets", ""), 403, `{"message":"Forbidden"}`, "ForbiddenException")
	check(w.send("GET", id, "/s/pets", strings.Repeat("x", MaxBody+1)), 413, `{"message":"Request Too Long"}`, "RequestTooLargeException")
	chunked := httptest.NewRequest("GET", "http://x/s/pets", struct{ *strings.Reader }{strings.NewReader(strings.Repeat("x", MaxBody+1))})
	chunked.ContentLength = -1
	check(w.view(id, chunked), 413, `{"message":"Request Too Long"}`, "RequestTooLargeException")

	w.f.invoke = func(context.Context, string, []byte) (*lambda.InvocationResponse, error) {
		return &lambda.InvocationResponse{FunctionError: new("Unhandled"), Payload: []byte(`{"errorMessage":"x"}`)}, nil
	}
	check(w.send("GET", id, "/s/pets", ""), 502, internal, server)
	for _, err := range []error{lambda.ResourceNotFoundException("no function"), lambda.TooManyRequestsException("slow"), errors.New("broken")} {
		w.f.invoke = func(context.Context, string, []byte) (*lambda.InvocationResponse, error) { return nil, err }
		check(w.send("GET", id, "/s/pets", ""), 500, internal, server)
	}
	w.f.invoke = func(context.Context, string, []byte) (*lambda.InvocationResponse, error) {
		return nil, lambda.RequestTooLargeException("over 6 MB")
	}
	check(w.send("GET", id, "/s/pets", ""), 413, `{"message":"Request Too Long"}`, "RequestTooLargeException")

	// The integration's time is up: the caller gets its answer, whatever the
	// function does.
	w.f.invoke = func(ctx context.Context, _ string, _ []byte) (*lambda.InvocationResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	done := make(chan answer)
	go func() { done <- w.send("GET", id, "/s/pets", "") }()
	w.Clock.Sleepers(1)
	w.Clock.Advance(29 * time.Second)
	check(<-done, 504, `{"message":"Endpoint request timed out"}`, server)
}

// TestPermission holds that a function's policy decides, on the ARN of the method.
func TestPermission(t *testing.T) {
	w := newWorld(t)
	id := w.newAPI(t, "GET /pets/{id}", "ANY /{proxy+}")
	w.deploy(t, id, "s")
	w.returns(`{"body":"yes"}`)
	statement := func(source string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"lambda:InvokeFunction",` +
			`"Resource":"` + functionARN + `f","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:execute-api:us-east-1:000000000000:` + id + source + `"}}}]}`
	}
	for _, c := range []struct {
		source, request string
		status          int
	}{
		{"/*/GET/pets/*", "GET /s/pets/1", 200}, {"/*/POST/pets/*", "GET /s/pets/1", 500}, {"/other/GET/pets/*", "GET /s/pets/1", 500},
		{"/*/*/*", "DELETE /s/anything/else", 200}, {"/s/DELETE/*", "DELETE /s/anything/else", 200}, {"/s/POST/*", "DELETE /s/anything/else", 500},
	} {
		w.f.policies = map[string]string{functionARN + "f": statement(c.source)}
		method, path, _ := strings.Cut(c.request, " ")
		if got := w.send(method, id, path, ""); got.StatusCode != c.status {
			t.Errorf("%s with %s: %d, want %d", c.request, c.source, got.StatusCode, c.status)
		}
	}
	w.f.policies = map[string]string{}
	if got := w.send("GET", id, "/s/pets/1", ""); got.StatusCode != 500 {
		t.Errorf("without a policy: %d", got.StatusCode)
	}
}

func TestBinary(t *testing.T) {
	w := newWorld(t)
	id := w.newAPI(t, "ANY /")
	calltest.Must(t, w.World, api.UpdateRestApi, &api.UpdateRestApiRequest{RestApiId: &id, PatchOperations: []api.PatchOperation{
		{Op: new("add"), Path: new("/binaryMediaTypes/image~1*")},
	}})
	w.deploy(t, id, "s")
	event, _ := w.records(`{"isBase64Encoded":true,"headers":{"Content-Type":"image/png"},"body":"AAH/"}`)
	got := w.send("POST", id, "/s", "\x00\xff", "Content-Type", "image/png; q=1", "Accept", "image/webp,*/*")
	if got.body != "\x00\x01\xff" {
		t.Errorf("body: %q", got.body)
	}
	if e := decode(t, *event); e["isBase64Encoded"] != true || e["body"] != "AP8=" {
		t.Errorf("event: %v %v", e["isBase64Encoded"], e["body"])
	}
	if got := w.send("POST", id, "/s", "\x00\xff", "Content-Type", "text/plain", "Accept", "text/html"); got.body != "AAH/" {
		t.Errorf("not accepted as binary: %q", got.body)
	}
	if e := decode(t, *event); e["isBase64Encoded"] != false || e["body"] != "\x00\ufffd" {
		t.Errorf("event: %v %q", e["isBase64Encoded"], e["body"])
	}
	if got := w.send("GET", id, "/s", ""); got.body != "\x00\x01\xff" {
		t.Errorf("without Accept: %q", got.body)
	}
}

// TestAddressByPath holds that the API's own name is the domain, however the
// caller came.
func TestAddressByPath(t *testing.T) {
	w := newWorld(t)
	id := w.newAPI(t, "GET /")
	w.deploy(t, id, "s")
	event, _ := w.records(`{}`)
	at := w.at(id, "/s/")
	at.Base, at.In.Host = "http://127.0.0.1:4566/_aws/execute-api/"+id, "127.0.0.1:4566"
	w.s.View(httptest.NewRecorder(), httptest.NewRequest("GET", "/s/", nil), at)
	rc := decode(t, *event)["requestContext"].(map[string]any)
	if rc["domainName"] != id+".execute-api.localhost:4566" || rc["domainPrefix"] != id || rc["path"] != "/s/" {
		t.Errorf("%v", rc)
	}
}

func BenchmarkProxy(b *testing.B) {
	w := newWorld(b)
	out := &lambda.InvocationResponse{Payload: []byte(`{"statusCode":200,"headers":{"Content-Type":"application/json"},"body":"{\"id\":\"1\",\"name\":\"Fido\"}","isBase64Encoded":false}`)}
	w.f.invoke = func(context.Context, string, []byte) (*lambda.InvocationResponse, error) { return out, nil }
	id := w.newAPI(b, "GET /pets/{id}", "ANY /{proxy+}")
	w.deploy(b, id, "prod")
	r := httptest.NewRequest("GET", "http://x/prod/pets/1?a=b", nil)
	for k, v := range map[string]string{"Accept": "*/*", "Accept-Encoding": "gzip", "User-Agent": "bench", "X-Request": "1"} {
		r.Header.Set(k, v)
	}
	at := w.at(id, "/prod/pets/1")
	direct := New(Deps{Store: w.s.store, Clock: w.Clock, IDs: w.IDs, Caller: straight{out}})
	if err := direct.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		s    *Service
	}{{"board", w.s}, {"gateway", direct}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rw := discard{h: http.Header{}}
				c.s.View(&rw, r, at)
				if rw.status != 200 {
					b.Fatal(rw.status)
				}
			}
		})
	}
}

// straight is a Caller with nothing between, to measure the gateway alone.
type straight struct{ out any }

func (s straight) Call(context.Context, call.As, *model.Service, *model.Operation, any) (any, error) {
	return s.out, nil
}

type discard struct {
	h      http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
