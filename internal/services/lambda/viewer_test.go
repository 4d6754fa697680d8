package lambda

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/test/conformance"
)

// door serves the room's addresses as the edge does: by /<id>/<path>. A caller
// who says that it is somebody is somebody.
func (st *stand) door(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, path, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
		st.room.View(w, r, call.Address{Kind: urlKind, ID: id, Path: "/" + path, Base: "http://" + id + ".lambda-url.localhost:4566", In: call.Incoming{
			RequestID: "11111111-2222-4333-8444-555555555555", Time: calltest.Start, Region: calltest.Region, SourceIP: netip.MustParseAddr("203.0.113.9"), UserAgent: r.UserAgent(), Scheme: "http", Host: id + ".lambda-url.localhost:4566",
		}, Caller: func(_ context.Context, body []byte) (call.Identity, error) {
			switch r.Header.Get("Authorization") {
			case "":
				return call.Identity{Principal: policy.Principal{Kind: policy.Anonymous}}, nil
			case "root":
				return call.Identity{AccessKey: "AKIA", Principal: policy.Principal{Kind: policy.Root, Account: calltest.Account, ARN: "arn:aws:iam::" + calltest.Account + ":root", UserID: calltest.Account}}, nil
			}
			return call.Identity{}, fault.Of(fault.SignatureDoesNotMatch, "The request signature we calculated does not match.")
		}})
	}))
	t.Cleanup(s.Close)
	return s
}

// url makes a URL and returns its id.
func (st *stand) url(t *testing.T, function string, change func(*api.CreateFunctionUrlConfigRequest)) string {
	t.Helper()
	in := &api.CreateFunctionUrlConfigRequest{FunctionName: &function, AuthType: new(authNone)}
	if change != nil {
		change(in)
	}
	out := calltest.Must(t, st.World, api.CreateFunctionUrlConfig, in)
	id, rest, ok := strings.Cut(strings.TrimPrefix(*out.FunctionUrl, "http://"), ".")
	if !ok || rest != "lambda-url.localhost:4566/" || len(id) != 32 {
		t.Fatalf("address: %s", *out.FunctionUrl)
	}
	return id
}

func (st *stand) open4(t *testing.T, function, auth string) {
	t.Helper()
	calltest.Must(t, st.World, api.AddPermission, &api.AddPermissionRequest{FunctionName: &function, StatementId: new("url" + auth), Action: new(actionURL), Principal: new("*"), FunctionUrlAuthType: new(auth)})
}

const urlFunction = `exports.handler = async (e) => {
  const q = e.queryStringParameters || {};
  if (q.do === 'raw') return 'text';
  if (q.do === 'throw') throw new Error('x');
  if (q.do === 'bad') return {statusCode: 'x'};
  if (q.do === 'full') return {statusCode: 201, headers: {'X-One': 1, 'Content-Type': 'text/plain', 'Content-Length': '999'}, cookies: ['a=1', 'b=2; Secure'], body: Buffer.from('bytes').toString('base64'), isBase64Encoded: true};
  return e;
}`

func TestFunctionURL(t *testing.T) {
	st := newStand(t)
	st.needs(t, "nodejs20.x")
	st.function(t, "f", "nodejs20.x", "index.handler", nil, entry{"index.js", urlFunction, 0})
	id := st.url(t, "f", func(in *api.CreateFunctionUrlConfigRequest) {
		in.Cors = &api.Cors{AllowOrigins: []string{"https://one.example"}, AllowMethods: []string{"GET", "POST"}, AllowHeaders: []string{"x-a"}, ExposeHeaders: []string{"x-b"}, MaxAge: new(int32(60)), AllowCredentials: new(true)}
	})
	door := st.door(t)
	ask := func(method, path, body string, headers ...string) (*http.Response, string) {
		t.Helper()
		rq, err := http.NewRequest(method, door.URL+"/"+id+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			rq.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(rq)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(b)
	}
	if res, body := ask("GET", "/", ""); res.StatusCode != 403 || !strings.Contains(body, "Forbidden") {
		t.Errorf("without a permission: %d %s", res.StatusCode, body)
	}
	st.open4(t, "f", authNone)

	_, body := ask("POST", "/a%20b/c?x=1&x=2&y=%20", "hello", "Content-Type", "text/plain", "Cookie", "k=v; l=w", "X-Many", "one", "User-Agent", "agent")
	var e urlRequest
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if e.Version != "2.0" || e.RawPath != "/a%20b/c" || e.RawQuery != "x=1&x=2&y=%20" || e.Query["x"] != "1,2" || e.Query["y"] != " " || strings.Join(e.Cookies, "|") != "k=v|l=w" ||
		e.Headers["x-many"] != "one" || e.Headers["x-forwarded-for"] != "203.0.113.9" || *e.Body != "hello" || e.Base64 || e.Context.HTTP.Method != "POST" || e.Context.HTTP.SourceIP != "203.0.113.9" ||
		e.Context.Account != "anonymous" || e.Context.API != id || e.Context.Authorizer != nil || e.Context.Time != "01/Nov/2026:12:00:00 +0000" {
		t.Errorf("event: %s", body)
	}
	t.Run("shape", func(t *testing.T) { sameShape(t, body) })
	if _, body := ask("POST", "/", "\xff\x00", "Content-Type", "application/octet-stream"); !strings.Contains(body, `"body":"/wA=","isBase64Encoded":true`) {
		t.Errorf("bytes: %s", body)
	}

	for _, c := range []struct {
		query, body, kind string
		status            int
	}{
		{"raw", `"text"`, "application/json", 200}, {"throw", "Internal Server Error", "application/json", 502}, {"bad", "Internal Server Error", "application/json", 502},
		{"full", "bytes", "text/plain", 201},
	} {
		res, body := ask("GET", "/?do="+c.query, "")
		if res.StatusCode != c.status || body != c.body || res.Header.Get("Content-Type") != c.kind {
			t.Errorf("%s: %d %q %v", c.query, res.StatusCode, body, res.Header)
		}
		if c.query == "full" && (res.Header.Get("X-One") != "1" || strings.Join(res.Header["Set-Cookie"], "|") != "a=1|b=2; Secure" || res.Header.Get("X-Amzn-Trace-Id") == "") {
			t.Errorf("headers: %v", res.Header)
		}
	}

	// Browsers.
	res, body := ask("OPTIONS", "/", "", "Origin", "https://one.example", "Access-Control-Request-Method", "POST")
	if h := res.Header; res.StatusCode != 200 || body != "" || h.Get("Access-Control-Allow-Origin") != "https://one.example" || h.Get("Access-Control-Allow-Methods") != "GET,POST" ||
		h.Get("Access-Control-Allow-Headers") != "x-a" || h.Get("Access-Control-Max-Age") != "60" || h.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("preflight: %d %q %v", res.StatusCode, body, h)
	}
	if res, _ := ask("OPTIONS", "/", "", "Origin", "https://two.example", "Access-Control-Request-Method", "POST"); res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of a stranger: %v", res.Header)
	}
	if res, _ := ask("GET", "/?do=raw", "", "Origin", "https://one.example"); res.Header.Get("Access-Control-Allow-Origin") != "https://one.example" || res.Header.Get("Access-Control-Expose-Headers") != "x-b" {
		t.Errorf("after a preflight: %v", res.Header)
	}

	// The permission is for URLs without authentication only.
	calltest.Must(t, st.World, api.UpdateFunctionUrlConfig, &api.UpdateFunctionUrlConfigRequest{FunctionName: new("f"), AuthType: new(authIAM)})
	if res, _ := ask("GET", "/", ""); res.StatusCode != 403 {
		t.Errorf("anonymous: %d", res.StatusCode)
	}
	if res, body := ask("GET", "/", "", "Authorization", "forged"); res.StatusCode != 403 || !strings.Contains(body, "The request signature") {
		t.Errorf("forged: %d %s", res.StatusCode, body)
	}
	if _, body := ask("GET", "/", "", "Authorization", "root"); !strings.Contains(body, `"authorizer":{"iam":{"accessKey":"AKIA","accountId":"000000000000"`) {
		t.Errorf("signed: %s", body)
	}

	calltest.Must(t, st.World, api.DeleteFunctionUrlConfig, &api.DeleteFunctionUrlConfigRequest{FunctionName: new("f")})
	if res, _ := ask("GET", "/", ""); res.StatusCode != 404 {
		t.Errorf("when it is gone: %d", res.StatusCode)
	}
	for k := range st.all(t) {
		if strings.Contains(k, "url") {
			t.Errorf("left: %q", k)
		}
	}
}

// sameShape compares an event with AWS's own example.
func sameShape(t *testing.T, event string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(conformance.Dir(t, "lambda-events"), "lambda-urls-request.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got map[string]any
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(event), &got); err != nil {
		t.Fatal(err)
	}
	delete(want["requestContext"].(map[string]any), "authorizer") // of signed requests only
	var in func(path string, want, got map[string]any)
	in = func(path string, want, got map[string]any) {
		for k, w := range want {
			g, ok := got[k]
			if !ok {
				t.Errorf("the event lacks %s%s", path, k)
			}
			if w, isObject := w.(map[string]any); isObject && k != "headers" && k != "queryStringParameters" {
				g, _ := g.(map[string]any)
				in(path+k+".", w, g)
			}
		}
	}
	in("", want, got)
}

const streamFunction = `exports.handler = awslambda.streamifyResponse(async (e, out) => {
  const q = e.queryStringParameters || e;
  if (q.do === 'plain') { out.setContentType('text/plain'); out.write('a'); out.end('b'); return }
  out = awslambda.HttpResponseStream.from(out, {statusCode: 206, headers: {'X-A': 'b', 'Content-Type': 'text/event-stream'}, cookies: ['c=d']});
  out.write('first\n');
  if (q.do === 'break') throw new Error('x');
  await new Promise((ok) => { global.go = ok; setTimeout(ok, 50) });
  out.write('second\n');
  out.end();
})`

func TestStreamedURL(t *testing.T) {
	st := newStand(t, realTime)
	st.needs(t, "nodejs20.x")
	st.function(t, "f", "nodejs20.x", "index.handler", nil, entry{"index.js", streamFunction, 0})
	st.function(t, "plain", "nodejs20.x", "index.handler", nil, entry{"index.js", "exports.handler = async () => ({statusCode: 201})", 0})
	door := st.door(t)
	id := st.url(t, "f", func(in *api.CreateFunctionUrlConfigRequest) { in.InvokeMode = new(streamed) })
	plain := st.url(t, "plain", func(in *api.CreateFunctionUrlConfigRequest) { in.InvokeMode = new(streamed) })
	st.open4(t, "f", authNone)
	st.open4(t, "plain", authNone)
	get := func(path string) *http.Response {
		t.Helper()
		res, err := http.Get(door.URL + "/" + path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	res := get(id + "/")
	if res.StatusCode != 206 || res.Header.Get("X-A") != "b" || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Set-Cookie") != "c=d" {
		t.Errorf("head: %d %v", res.StatusCode, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	for _, want := range []string{"first", "second"} {
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("got %q %v, want %q", lines.Text(), lines.Err(), want)
		}
	}
	if b, err := io.ReadAll(get(id + "/?do=plain").Body); err != nil || string(b) != "ab" {
		t.Errorf("plain: %q %v", b, err)
	}
	if b, err := io.ReadAll(get(id + "/?do=break").Body); err == nil || string(b) != "first\n" {
		t.Errorf("a response that breaks off: %q %v", b, err)
	}
	if b, err := io.ReadAll(get(plain + "/").Body); err != nil || string(b) != `{"statusCode":201}` {
		t.Errorf("a function that does not stream: %q %v", b, err)
	}
}

func TestInvokeWithResponseStream(t *testing.T) {
	st := newStand(t, realTime)
	st.needs(t, "nodejs20.x")
	st.function(t, "f", "nodejs20.x", "index.handler", nil, entry{"index.js", streamFunction, 0})
	st.function(t, "plain", "nodejs20.x", "index.handler", nil, entry{"index.js", "exports.handler = async (e) => { if (e.fail) throw new Error('x'); return e }", 0})
	run := func(name, payload string) (*api.InvokeWithResponseStreamResponse, string, *api.InvokeWithResponseStreamCompleteEvent) {
		t.Helper()
		out := calltest.Must(t, st.World, api.InvokeWithResponseStream, &api.InvokeWithResponseStreamRequest{FunctionName: &name, Payload: []byte(payload), LogType: new("Tail")})
		var body strings.Builder
		var end *api.InvokeWithResponseStreamCompleteEvent
		err := out.EventStream(t.Context(), func(_ string, e any) error {
			switch e := e.(type) {
			case *api.InvokeResponseStreamUpdate:
				body.Write(e.Payload)
			case *api.InvokeWithResponseStreamCompleteEvent:
				end = e
			}
			return nil
		})
		if err != nil || end == nil {
			t.Fatalf("%s %s: %v", name, payload, err)
		}
		return out, body.String(), end
	}
	if out, body, end := run("f", `{"do":"plain"}`); body != "ab" || *out.ResponseStreamContentType != "text/plain" || *out.ExecutedVersion != "$LATEST" || end.ErrorCode != nil || end.LogResult == nil {
		t.Errorf("streamed: %q %s %s", body, calltest.JSON(out), calltest.JSON(end))
	}
	if _, body, end := run("f", `{"do":"break"}`); !strings.HasSuffix(body, "first\n") || *end.ErrorCode != "Unhandled" || !strings.Contains(*end.ErrorDetails, `"errorMessage":"x"`) {
		t.Errorf("broken off: %q %s", body, calltest.JSON(end))
	}
	if _, body, end := run("plain", `{"a":1}`); body != `{"a":1}` || end.ErrorCode != nil {
		t.Errorf("not streamed: %q %s", body, calltest.JSON(end))
	}
	if _, body, end := run("plain", `{"fail":1}`); body != "" || *end.ErrorCode != "Unhandled" {
		t.Errorf("failed: %q %s", body, calltest.JSON(end))
	}
	// A reader who goes away leaves the environment usable.
	out := calltest.Must(t, st.World, api.InvokeWithResponseStream, &api.InvokeWithResponseStreamRequest{FunctionName: new("f"), Payload: []byte(`{}`)})
	_ = out.EventStream(t.Context(), func(string, any) error { return io.ErrClosedPipe })
	if _, body, _ := run("f", `{"do":"plain"}`); body != "ab" {
		t.Errorf("afterwards: %q", body)
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte(`{"statusCode":200,"headers":{"a":"b"},"cookies":["c"],"body":"d"}`))
	f.Add([]byte(`"x"`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := readAnswer(b); err == nil && (a.status < 200 || a.status > 599) {
			t.Errorf("%s: status %d", b, a.status)
		}
	})
}
