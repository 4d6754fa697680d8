package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/egress"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
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

// openEgress opens the way out of private networks that the policy allows.
func (s *Server) openEgress(tier sandbox.Tier) error {
	p := s.config.Egress
	if s.config.Network != sandbox.NetworkPrivate {
		if s.config.StrictEgress {
			return errors.New("--egress is for functions in private networks; with --network host they reach what this machine reaches")
		}
		return nil
	}
	if !p.None() && !tier.Egress {
		if s.config.StrictEgress {
			return fmt.Errorf("functions cannot have the egress %s on this machine (tierra doctor says why); --egress none keeps them inside", p)
		}
		s.log.Warn("functions reach this server and nothing else, as this machine gives private networks no way out (tierra doctor says why)")
		p = egress.Policy{}
	}
	s.tier += ", egress " + p.String()
	if !p.None() {
		s.out = egress.NewGateway(p, "/etc/resolv.conf")
	}
	return nil
}

// outbound is how HTTP integrations reach their backends. It keeps connections
// for as many requests as one backend is likely to get at once, and leaves
// compression to caller and backend.
func (s *Server) outbound() http.RoundTripper {
	t := newTransport()
	s.later(t.CloseIdleConnections)
	return t
}

// outboundWith is how they reach them with a client certificate; who asks for it
// closes it.
func outboundWith(c *tls.Certificate) http.RoundTripper {
	t := newTransport()
	t.TLSClientConfig = &tls.Config{
		// Whatever authorities a backend names: it may trust the certificate itself.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c, nil },
	}
	return t
}

func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:     (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConns:    1024,
		IdleConnTimeout: 60 * time.Second, MaxIdleConnsPerHost: 256,
		TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		DisableCompression: true,
	}
}
