package apigateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
)

const streamedURI = "arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/" + functionARN + "f/response-streaming-invocations"

// served is the world behind a real HTTP server.
func (w *world) served(t *testing.T, id string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.s.View(rw, r, w.at(id, r.URL.EscapedPath()))
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func newStreamed(t *testing.T, w *world, in *api.PutIntegrationRequest) string {
	t.Helper()
	x := calltest.Must(t, w.World, api.CreateRestApi, &api.CreateRestApiRequest{Name: new("s")})
	calltest.Must(t, w.World, api.PutMethod, &api.PutMethodRequest{RestApiId: x.Id, ResourceId: x.RootResourceId, HttpMethod: new("GET"), AuthorizationType: new("NONE")})
	in.RestApiId, in.ResourceId, in.HttpMethod, in.ResponseTransferMode = x.Id, x.RootResourceId, new("GET"), new("STREAM")
	if out := calltest.Must(t, w.World, api.PutIntegration, in); *out.ResponseTransferMode != "STREAM" {
		t.Errorf("integration: %s", calltest.JSON(out))
	}
	w.deploy(t, *x.Id, "s")
	return *x.Id
}

// TestLambdaStream holds that the caller has the beginning of a response before
// the function has made its end.
func TestLambdaStream(t *testing.T) {
	w := newWorld(t)
	id := newStreamed(t, w, &api.PutIntegrationRequest{Type: new("AWS_PROXY"), IntegrationHttpMethod: new("POST"), Uri: new(streamedURI)})
	seen := make(chan struct{})
	w.f.stream = func(_ context.Context, event []byte, send func(string) error) error {
		if decode(t, event)["httpMethod"] != "GET" {
			return fmt.Errorf("event: %s", event)
		}
		for _, c := range []string{`{"statusCode":201,"headers":{"X-One":"1","Content-Type":"text/event-stream"},"multiValueHeaders":{"X-Two":["a","b"]},"cookies":["c=1"]}`, "\x00\x00\x00", "\x00\x00\x00\x00\x00first "} {
			if err := send(c); err != nil {
				return err
			}
		}
		<-seen
		return send("last")
	}
	rs, err := http.Get(w.served(t, id) + "/s")
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Body.Close()
	r := bufio.NewReader(rs.Body)
	first, err := r.ReadString(' ')
	if err != nil || first != "first " {
		t.Fatalf("%q, %v", first, err)
	}
	close(seen)
	rest, err := io.ReadAll(r)
	h := rs.Header
	if err != nil || string(rest) != "last" || rs.StatusCode != 201 || rs.ContentLength != -1 || h.Get("X-One") != "1" || len(h["X-Two"]) != 2 || h.Get("Set-Cookie") != "c=1" || h.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%d %q %v %v", rs.StatusCode, rest, h, err)
	}

	root := calltest.Must(t, w.World, api.GetRestApi, &api.GetRestApiRequest{RestApiId: &id}).RootResourceId
	out := calltest.Must(t, w.World, api.TestInvokeMethod, &api.TestInvokeMethodRequest{RestApiId: &id, ResourceId: root, HttpMethod: new("GET")})
	if *out.Status != 201 || *out.Body != "first last" {
		t.Errorf("test: %s", calltest.JSON(out))
	}
}

// TestLambdaStreamFails tells what becomes of responses that are not of the form,
// and of those that break off.
func TestLambdaStreamFails(t *testing.T) {
	w := newWorld(t)
	id := newStreamed(t, w, &api.PutIntegrationRequest{Type: new("AWS_PROXY"), IntegrationHttpMethod: new("POST"), Uri: new(streamedURI)})
	for name, says := range map[string]string{
		"no delimiter": `{"statusCode":200}`, "nothing": "", "no JSON": "text" + delimiter, "no object": "[]" + delimiter, "unknown members": `{"other":1}` + delimiter,
		"bad cookies": `{"cookies":1}` + delimiter, "too long": `{"headers":{"a":"` + strings.Repeat("x", maxPrelude) + `"}}` + delimiter,
	} {
		w.f.stream = func(_ context.Context, _ []byte, send func(string) error) error { return send(says) }
		if got := w.send("GET", id, "/s", ""); got.StatusCode != 502 || got.body != `{"message":"Internal server error"}` {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
		}
	}
	w.f.stream = func(_ context.Context, _ []byte, send func(string) error) error {
		if err := send("{}" + delimiter + "half"); err != nil {
			return err
		}
		return errors.New("broken")
	}
	rs, err := http.Get(w.served(t, id) + "/s")
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Body.Close()
	if b, err := io.ReadAll(rs.Body); err == nil || string(b) != "half" {
		t.Errorf("a response that broke off looks whole: %q", b)
	}
}

// TestHTTPStream holds that a response over the network goes on as it comes.
func TestHTTPStream(t *testing.T) {
	seen := make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(rw, "first ")
		rw.(http.Flusher).Flush()
		<-seen
		_, _ = io.WriteString(rw, "last")
	}))
	defer backend.Close()
	w := newWorld(t)
	w.s.outbound = backend.Client().Transport
	id := newStreamed(t, w, &api.PutIntegrationRequest{Type: new("HTTP_PROXY"), IntegrationHttpMethod: new("GET"), Uri: new(backend.URL), TimeoutInMillis: new(int32(900_000))})
	rs, err := http.Get(w.served(t, id) + "/s")
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Body.Close()
	r := bufio.NewReader(rs.Body)
	if first, err := r.ReadString(' '); err != nil || first != "first " {
		t.Fatalf("%q, %v", first, err)
	}
	close(seen)
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "last" || rs.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("%q %v %v", rest, rs.Header, err)
	}
}

// TestStreamRefuses tells which integrations cannot be streamed.
func TestStreamRefuses(t *testing.T) {
	w := newWorld(t)
	x := calltest.Must(t, w.World, api.CreateRestApi, &api.CreateRestApiRequest{Name: new("s")})
	calltest.Must(t, w.World, api.PutMethod, &api.PutMethodRequest{RestApiId: x.Id, ResourceId: x.RootResourceId, HttpMethod: new("GET"), AuthorizationType: new("NONE")})
	for _, in := range []api.PutIntegrationRequest{
		{Type: new("MOCK"), ResponseTransferMode: new("STREAM")},
		{Type: new("HTTP"), Uri: new("http://x"), ResponseTransferMode: new("STREAM")},
		{Type: new("AWS"), Uri: new(uri("f")), ResponseTransferMode: new("STREAM")},
		{Type: new("AWS_PROXY"), Uri: new(uri("f")), ResponseTransferMode: new("STREAM")},
		{Type: new("AWS_PROXY"), Uri: new(streamedURI)},
		{Type: new("HTTP_PROXY"), Uri: new("http://x"), ResponseTransferMode: new("STREAM"), TimeoutInMillis: new(int32(900_001))},
		{Type: new("HTTP_PROXY"), Uri: new("http://x"), TimeoutInMillis: new(int32(29_001))},
	} {
		in.RestApiId, in.ResourceId, in.HttpMethod, in.IntegrationHttpMethod = x.Id, x.RootResourceId, new("GET"), new("POST")
		if _, err := calltest.Do(w.World, api.PutIntegration, &in); err == nil {
			t.Errorf("%s is taken", calltest.JSON(in))
		}
	}
}
