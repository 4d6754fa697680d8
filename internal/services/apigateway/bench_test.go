package apigateway

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// BenchmarkView measures what a request costs between the edge and the backend, by
// kind of integration, without a connection on either side.
func BenchmarkView(b *testing.B) {
	const template = `#set($id = $input.params('id')){"id":"$id","page":"$input.params('page')","request":"$context.requestId",` +
		`"from":"$context.identity.sourceIp","links":[#foreach($n in ["self","next"])"/things/$id/$n"#if($foreach.hasNext),#end#end]}`
	w := newWorld(b).unlimited()
	id := *calltest.Must(b, w.World, api.CreateRestApi, &api.CreateRestApiRequest{Name: new("test")}).Id
	mock := api.PutIntegrationRequest{Type: new("MOCK"), RequestTemplates: map[string]string{"application/json": `{"statusCode": 200}`}}
	w.method(b, id, "GET /mock/{id}", mock, nil, replies{"200": {ResponseTemplates: map[string]string{"application/json": template}}})
	for _, path := range []string{"/proxy/{id}", "/cache/{id}"} {
		w.method(b, id, "GET "+path, api.PutIntegrationRequest{Type: new("HTTP_PROXY"), IntegrationHttpMethod: new("GET"), Uri: new("http://backend/")}, nil, nil)
	}
	w.addRoute(b, id, "GET /function/{id}", uri("f"))
	w.deploy(b, id, "s")
	calltest.Must(b, w.World, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &id, StageName: new("s"), PatchOperations: []api.PatchOperation{
		{Op: new("replace"), Path: new("/cacheClusterEnabled"), Value: new("true")},
		{Op: new("replace"), Path: new("/~1cache~1{id}/GET/caching/enabled"), Value: new("true")},
	}})
	out := &lambda.InvocationResponse{Payload: []byte(`{"statusCode":200,"headers":{"Content-Type":"application/json"},"body":"{}","isBase64Encoded":false}`)}
	s := New(Deps{Store: w.s.store, Clock: clock.System{}, IDs: w.IDs, Caller: straight{out}, Outbound: backendOf(func(*http.Request) *http.Response {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}, "Date": {"now"}}, ContentLength: 2, Body: io.NopCloser(strings.NewReader("{}"))}
	}), AccountRate: 1e9})
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, kind := range []string{"mock", "proxy", "cache", "function"} {
		b.Run(kind, func(b *testing.B) {
			r := httptest.NewRequest("GET", "http://host/s/"+kind+"/17?page=2", nil)
			r.Header.Set("User-Agent", "bench")
			r.Header.Set("Accept", "*/*")
			at := w.at(id, r.URL.EscapedPath())
			at.In.Time = clock.System{}.Now()
			out := &sink{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(out.header)
				s.View(out, r, at)
			}
			if out.status != 200 {
				b.Fatal(out.status)
			}
		})
	}
}

// backendOf answers requests over the network.
type backendOf func(*http.Request) *http.Response

func (f backendOf) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// sink takes answers and forgets them.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkHTTP compares the gateway, in front of a function that costs nothing,
// with the standard library's reverse proxy in front of a plain handler.
func BenchmarkHTTP(b *testing.B) {
	const body = `{"id":"1","name":"Fido"}`
	w := newWorld(b).unlimited()
	id := w.newAPI(b, "GET /pets/{id}")
	w.deploy(b, id, "prod")
	out := &lambda.InvocationResponse{Payload: []byte(`{"statusCode":200,"headers":{"Content-Type":"application/json"},"body":` + strconv.Quote(body) + `,"isBase64Encoded":false}`)}
	s := New(Deps{Store: w.s.store, Clock: clock.System{}, IDs: w.IDs, Caller: straight{out}})
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	gateway := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		at := call.Address{Kind: "execute-api", ID: id, Path: r.URL.EscapedPath(), Base: "http://" + r.Host}
		at.In = call.Incoming{RequestID: w.IDs.UUID(), Time: clock.System{}.Now(), Region: "us-east-1", Scheme: "http", Host: r.Host, UserAgent: r.UserAgent()}
		if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
			at.In.SourceIP, _ = netip.ParseAddr(host)
		}
		s.View(rw, r, at)
	}))
	defer gateway.Close()
	target := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, body)
	}))
	defer target.Close()
	to, err := url.Parse(target.URL)
	if err != nil {
		b.Fatal(err)
	}
	reverse := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }})
	defer reverse.Close()
	for _, c := range []struct{ name, url string }{{"gateway", gateway.URL}, {"reverseproxy", reverse.URL}} {
		b.Run(c.name, func(b *testing.B) {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			defer client.CloseIdleConnections()
			b.SetParallelism(8) // 16 connections on two cores
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					res, err := client.Get(c.url + "/prod/pets/1?a=b")
					if err != nil {
						b.Error(err)
						return
					}
					if n, _ := io.Copy(io.Discard, res.Body); n != int64(len(body)) {
						b.Errorf("%d: %d bytes", res.StatusCode, n)
					}
					res.Body.Close()
				}
			})
		})
	}
}
