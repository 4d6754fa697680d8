package apigateway

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// Transport sends a request over the network and keeps connections.
type Transport = http.RoundTripper

// send implements backend. Redirects are answers as any other.
func (b httpBackend) send(ctx context.Context, s *Service, x *exchange, out *outgoing) (*result, *failure) {
	reply, failed := b.exchange(ctx, s, x, out)
	if failed != nil {
		return nil, failed
	}
	return &result{header: reply.header, body: reply.body, selects: strconv.Itoa(reply.status)}, nil
}

// reply is what came over the network.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (b httpBackend) exchange(ctx context.Context, s *Service, x *exchange, out *outgoing) (*reply, *failure) {
	rs, failed := b.begin(ctx, s, x, out)
	if failed != nil {
		return nil, failed
	}
	defer rs.Body.Close()
	body, err := whole(rs)
	x.returns(s, rs.StatusCode, rs.Header, body)
	switch {
	case err != nil:
		x.note = err.Error()
		return nil, networkFailure
	case len(body) > MaxBody:
		x.note = "the integration's response is larger than 10 MB"
		return nil, misconfigure
	}
	return &reply{rs.StatusCode, rs.Header, body}, nil
}

// whole reads the body of a response, and no more than a byte over MaxBody.
func whole(rs *http.Response) ([]byte, error) {
	if rs.Body == http.NoBody { // what the length of an answer to HEAD speaks of does not come
		return nil, nil
	}
	if n := rs.ContentLength; n >= 0 && n <= MaxBody {
		body := make([]byte, n)
		n, err := io.ReadFull(rs.Body, body)
		return body[:n], err
	}
	return io.ReadAll(io.LimitReader(rs.Body, MaxBody+1))
}

// begin sends a request and returns the response with its body to come.
func (b httpBackend) begin(ctx context.Context, s *Service, x *exchange, out *outgoing) (*http.Response, *failure) {
	u, err := b.target(x, out)
	transport := s.transport(x.stage)
	if err != nil || transport == nil {
		if err != nil {
			x.note = err.Error()
		}
		return nil, misconfigure
	}
	method := b.method
	if method == "ANY" {
		method = x.rq.Method
	}
	rq := (&http.Request{
		Method: method, URL: u, Host: u.Host, Header: b.headers(x, out), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	if h := rq.Header["Host"]; len(h) > 0 {
		rq.Host = h[0]
		delete(rq.Header, "Host")
	}
	if len(out.body) > 0 {
		rq.Body, rq.ContentLength = io.NopCloser(bytes.NewReader(out.body)), int64(len(out.body))
		body := out.body
		rq.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	if x.notes.on {
		x.departs(s, departure{uri: u.String(), header: rq.Header, body: out.body})
	}
	rs, err := transport.RoundTrip(rq)
	if err != nil {
		x.returns(s, 0, nil, nil)
		x.note = err.Error()
		return nil, networkFailure
	}
	return rs, nil
}

// httpProxy passes requests and answers on.
type httpProxy struct {
	httpBackend
	params  []placed
	timeout time.Duration
	stream  bool
}

func compileHTTPProxy(i *definition.Integration, b httpBackend) (*httpProxy, error) {
	params, err := compilePlaced(i.Parameters)
	return &httpProxy{b, params, time.Duration(i.TimeoutMillis()) * time.Millisecond, i.Stream}, err
}

func (p *httpProxy) run(ctx context.Context, s *Service, x *exchange) *failure {
	out := outgoing{body: x.rq.Body}
	x.place(p.params, &out)
	if p.stream {
		return p.begins(ctx, s, x, &out)
	}
	var got *reply
	_, failed := s.within(ctx, p.timeout, x, backendFunc(func(ctx context.Context) (failed *failure) {
		got, failed = p.exchange(ctx, s, x, &out)
		return failed
	}), &out)
	if failed != nil {
		return failed
	}
	x.body = got.body
	x.pass(got.status, got.header)
	return nil
}

// begins passes on what stands before the body, which comes later.
func (p *httpProxy) begins(ctx context.Context, s *Service, x *exchange, out *outgoing) *failure {
	ctx, g := s.guard(ctx, p.timeout)
	rs, failed := p.begin(ctx, s, x, out)
	if failed != nil {
		if g.end(); g.late() {
			return timedOut
		}
		return failed
	}
	x.returns(s, rs.StatusCode, rs.Header, nil)
	x.pass(rs.StatusCode, rs.Header)
	x.flow = &httpFlow{rs.Body, make([]byte, 32<<10), g}
	return nil
}

// httpFlow is a body that comes over the network.
type httpFlow struct {
	io.ReadCloser
	buffer []byte
	guard  *guard
}

func (f *httpFlow) next() ([]byte, error) {
	f.guard.beat()
	n, err := f.Read(f.buffer)
	return f.buffer[:n], err
}

func (f *httpFlow) close() {
	f.guard.end()
	_ = f.Close() // it is not read any more
}

// pass makes status and headers of a backend the answer's.
func (x *exchange) pass(status int, header http.Header) {
	x.status = status
	typed := false
	for name, values := range header {
		if !kept(name) {
			continue
		}
		typed = typed || name == "Content-Type"
		for _, v := range values {
			switch name {
			case "Date", "Server", "Www-Authenticate", "Via":
				x.headers = append(x.headers, proxy.Header{Name: "X-Amzn-Remapped-" + name, Value: v})
			default:
				x.headers = append(x.headers, proxy.Header{Name: name, Value: v})
			}
		}
	}
	if !typed {
		x.headers = append(x.headers, proxy.Header{Name: "Content-Type", Value: "application/json"})
	}
}

// backendFunc is a backend whose answer its function keeps.
type backendFunc func(ctx context.Context) *failure

func (f backendFunc) send(ctx context.Context, _ *Service, _ *exchange, _ *outgoing) (*result, *failure) {
	return nil, f(ctx)
}
