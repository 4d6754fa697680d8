package server

import (
	"net"
	"net/http"
	"strings"
	"time"
)

// issuer returns the address of who issues the tokens of a user pool: that of the
// ARN itself, or of the longest pattern that it matches.
func (c *Config) issuer(pool string) string {
	best, address := -1, ""
	for p, a := range c.Issuers {
		if p == pool {
			return a
		}
		if begin, ok := strings.CutSuffix(p, "*"); ok && strings.HasPrefix(pool, begin) && len(begin) > best {
			best, address = len(begin), a
		}
	}
	return address
}

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
