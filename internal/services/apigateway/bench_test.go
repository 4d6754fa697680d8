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
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

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
