// Package domain holds custom domain names as connections and requests meet them:
// which certificate a TLS client gets for a name, which versions it may speak,
// whose certificates it must show, and which API a path below the name leads to.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-custom-domains.html
package domain

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Domain is a custom domain name. It is not changed once it is in a Registry.
type Domain struct {
	Name            string // in lower case; "*.example.com" stands for all names right below
	ARN             string
	Account, Region string
	// Certificates are the ARNs of what it uses, the one that clients get first.
	Certificates []string
	Policy       Policy
	// Strict refuses requests whose TLS connection was for another name.
	Strict bool
	// Clients are the authorities of client certificates; nil asks for none.
	Clients *x509.CertPool
	// Mappings lead on, in any order.
	Mappings []Mapping
}

// Mapping leads from a path to an API.
type Mapping struct {
	Path  string // "orders/v1"; "" is what no other mapping takes
	API   string
	Stage string // "" if the path goes on with it
}

// Match finds the mapping with the longest path that the given one begins with,
// segment by segment, and what is left of it, beginning with a slash.
func (d *Domain) Match(path string) (m Mapping, rest string, ok bool) {
	path = strings.TrimPrefix(path, "/")
	best := -1
	for i, x := range d.Mappings {
		if len(x.Path) <= best || !strings.HasPrefix(path, x.Path) {
			continue
		}
		left := path[len(x.Path):]
		if x.Path != "" && left != "" && left[0] != '/' {
			continue
		}
		best, m, rest, ok = len(x.Path), d.Mappings[i], "/"+strings.TrimPrefix(left, "/"), true
	}
	return m, rest, ok
}

// Secure reports whether a request that came over a connection may go to the
// domain: one that asks clients for certificates takes no other connections than
// those that were asked.
func (d *Domain) Secure(c *tls.ConnectionState) bool {
	if d.Clients == nil && !d.Strict {
		return true
	}
	return c != nil && d.covers(host(c.ServerName)) && (d.Clients == nil || len(c.PeerCertificates) > 0)
}

// covers reports whether the domain is for a name.
func (d *Domain) covers(name string) bool {
	if d.Name == name {
		return true
	}
	_, parent, ok := strings.Cut(name, ".")
	return ok && d.Name == "*."+parent
}

// Registry knows the domains of a server. Reading takes no lock.
type Registry struct {
	// keyPair opens a certificate.
	keyPair func(ctx context.Context, arn string) (*tls.Certificate, error)
	domains sync.Map // name -> *Domain
	any     atomic.Bool
}

// NewRegistry makes an empty registry.
func NewRegistry(keyPair func(ctx context.Context, arn string) (*tls.Certificate, error)) *Registry {
	return &Registry{keyPair: keyPair}
}

// Put makes a domain reachable, in place of what its name had before.
func (r *Registry) Put(d *Domain) {
	r.domains.Store(d.Name, d)
	r.any.Store(true)
}

// Remove ends a domain.
func (r *Registry) Remove(name string) { r.domains.Delete(name) }

// Find returns the domain of a host as a request names it, with or without a
// port; nil if it is none.
func (r *Registry) Find(hostport string) *Domain {
	if !r.any.Load() {
		return nil
	}
	name := host(hostport)
	if d, ok := r.domains.Load(name); ok {
		return d.(*Domain)
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		if d, ok := r.domains.Load("*." + parent); ok {
			return d.(*Domain)
		}
	}
	return nil
}

// host is a name in the form in which domains are kept.
func host(s string) string {
	if h, _, err := net.SplitHostPort(s); err == nil {
		s = h
	}
	return strings.ToLower(strings.TrimSuffix(s, "."))
}

// Users returns the ARNs of the domains that use a certificate.
func (r *Registry) Users(certificate string) []string {
	var all []string
	for _, d := range r.domains.Range {
		if d := d.(*Domain); slices.Contains(d.Certificates, certificate) {
			all = append(all, d.ARN)
		}
	}
	slices.Sort(all)
	return all
}

// Config returns what the TLS connection of a client is to be like; nil if the
// name that it asks for is no domain's.
func (r *Registry) Config(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	d := r.Find(hello.ServerName)
	if d == nil {
		return nil, nil
	}
	c, err := r.keyPair(hello.Context(), d.Certificates[0])
	if err != nil {
		return nil, err
	}
	config := d.Policy.config()
	config.Certificates = []tls.Certificate{*c}
	if !slices.ContainsFunc(hello.SupportedVersions, func(v uint16) bool { return v >= tls.VersionTLS12 }) {
		config.NextProtos = []string{"http/1.1"} // HTTP/2 wants at least TLS 1.2
	}
	if d.Clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, d.Clients
		// A session that was resumed would not be asked again.
		config.SessionTicketsDisabled = true
	}
	return config, nil
}

// Certificate opens a certificate by its ARN.
func (r *Registry) Certificate(ctx context.Context, arn string) (*tls.Certificate, error) {
	return r.keyPair(ctx, arn)
}
