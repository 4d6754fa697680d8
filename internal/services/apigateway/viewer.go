package apigateway

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// Kinds implements call.Face.
func (s *Service) Kinds() []string { return []string{"execute-api"} }

// View implements call.Face: it carries out a request to a stage of an API.
func (s *Service) View(w http.ResponseWriter, r *http.Request, at call.Address) {
	x := s.exchanges.Get().(*exchange)
	defer func() {
		x.reset()
		s.exchanges.Put(x)
	}()
	x.in, x.caller = at.In, at.Caller
	x.rq = proxy.Request{
		Method: r.Method, RawQuery: r.URL.RawQuery, Protocol: r.Proto, Header: r.Header, Time: at.In.Time, UserAgent: at.In.UserAgent,
	}
	x.identify()
	x.from(at)
	id, path, failed := at.ID, at.Path, (*failure)(nil)
	if at.Domain != "" {
		id, path, failed = s.arrive(x, r.TLS, at)
	}
	if failed == nil {
		failed = s.find(x, id, path)
	}
	s.watch(x)
	if failed == nil {
		failed = s.receive(w, r, x)
	}
	if failed == nil {
		failed = s.admit(r.Context(), x)
	}
	if failed == nil {
		failed = s.meter(r.Context(), x)
	}
	x.decided(s, failed)
	if failed == nil {
		failed = x.inflate()
	}
	s.carryOut(r.Context(), x, failed)
	s.deflate(x)
	if x.flow == nil {
		s.keep(x)
		x.write(w)
		return
	}
	x.write(w)
	err := x.pour(w)
	s.keep(x)
	if err != nil {
		panic(http.ErrAbortHandler) // so that the caller sees that it is not whole
	}
}

// pour sends the rest of the answer as it comes. An error is one of its source.
func (x *exchange) pour(w http.ResponseWriter) error {
	defer x.flow.close()
	c := http.NewResponseController(w)
	_ = c.Flush() // a writer that cannot sends all at the end
	for {
		b, err := x.flow.next()
		if len(b) > 0 && x.rq.Method != http.MethodHead {
			n, err := w.Write(b)
			if x.poured += n; err != nil {
				return nil // the caller has gone
			}
			_ = c.Flush()
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// from takes what the address tells: where the caller is and what it asked for.
func (x *exchange) from(at call.Address) {
	if at.In.SourceIP.IsValid() {
		x.rq.SourceIP = at.In.SourceIP.Unmap().String()
	}
	// The API's own name is the domain, also for callers that came by path.
	host := at.In.Host
	if _, authority, ok := strings.Cut(at.Base, "://"); ok && strings.HasPrefix(authority, at.ID+".") {
		host = authority
	} else {
		host = at.ID + ".execute-api." + call.PublicHost(host)
	}
	x.rq.DomainName, x.rq.DomainPrefix = host, at.ID
	forwarded := x.rq.SourceIP
	if before := x.rq.Header["X-Forwarded-For"]; len(before) > 0 {
		forwarded = strings.Join(before, ", ") + ", " + forwarded
	}
	port := "80"
	if at.In.Scheme == "https" {
		port = "443"
	}
	if _, p, err := net.SplitHostPort(at.In.Host); err == nil {
		port = p
	}
	x.extra = [...]proxy.Header{
		{Name: "Host", Value: at.In.Host}, {Name: "X-Forwarded-For", Value: forwarded}, {Name: "X-Forwarded-Port", Value: port},
		{Name: "X-Forwarded-Proto", Value: at.In.Scheme}, {Name: "X-Amzn-Trace-Id", Value: x.trace()},
	}
	x.rq.Extra = x.extra[:]
}

// receive reads the body, for which the caller has a time.
func (s *Service) receive(w http.ResponseWriter, r *http.Request, x *exchange) *failure {
	if r.ContentLength == 0 || r.Body == nil {
		return nil
	}
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(s.clock.Now().Add(s.bodyTimeout)) // a writer without a connection has none
	failed := x.read(r)
	if failed == nil {
		_ = c.SetReadDeadline(time.Time{})
	}
	return failed
}

// read reads the body whole.
func (x *exchange) read(r *http.Request) *failure {
	switch {
	case r.ContentLength > MaxBody:
		return tooLarge
	case r.ContentLength > 0:
		x.rq.Body = make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, x.rq.Body); err != nil {
			return unread(err)
		}
		return nil
	}
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r.Body, MaxBody+1))
	switch {
	case n > MaxBody:
		return tooLarge
	case err != nil:
		return unread(err)
	}
	x.rq.Body = b.Bytes()
	return nil
}

// unread is the failure of a body that could not be read whole.
func unread(err error) *failure {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return tooSlow
	}
	return badParameters
}

// write sends the answer.
func (x *exchange) write(w http.ResponseWriter) {
	h := w.Header()
	values := make([]string, 0, len(x.headers)+3) // that of each header line
	set := func(name, value string) {
		values = append(values, value)
		if had := h[name]; had != nil {
			h[name] = append(had, value)
			return
		}
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set("X-Amzn-Requestid", x.rq.ID)
	set("X-Amz-Apigw-Id", x.rq.ExtendedID)
	for _, l := range x.headers {
		set(http.CanonicalHeaderKey(l.Name), l.Value)
	}
	bodiless := x.status == http.StatusNoContent || x.status == http.StatusNotModified
	if !bodiless && x.flow == nil {
		set("Content-Length", strconv.Itoa(len(x.body)))
	}
	w.WriteHeader(x.status)
	if !bodiless && len(x.body) > 0 && x.rq.Method != http.MethodHead {
		_, _ = w.Write(x.body) // a caller that has gone does not want to know
	}
}
