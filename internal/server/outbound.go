package server

import (
	"net"
	"net/http"
	"time"
)

// outbound is how HTTP integrations reach their backends. It keeps connections
// for as many requests as one backend is likely to get at once, and leaves
// compression to caller and backend.
func (s *Server) outbound() http.RoundTripper {
	t := &http.Transport{
		DialContext:     (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConns:    1024,
		IdleConnTimeout: 60 * time.Second, MaxIdleConnsPerHost: 256,
		TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		DisableCompression: true,
	}
	s.later(t.CloseIdleConnections)
	return t
}
