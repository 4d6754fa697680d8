package server

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"

	"github.com/tierra-cloud/tierra/internal/edge/listen"
	"github.com/tierra-cloud/tierra/internal/engine/authority"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// Trust returns the folder with the files that make clients trust the server:
// authority.CertificateFile and authority.BundleFile.
func (f Folder) Trust() string { return filepath.Join(f.Dir, "trust") }

// Publish makes the files in Trust. The server does, too; it need not run.
func (f Folder) Publish() error {
	return authority.New(f.Authority(), clock.System{}, WriteDurably).Publish(f.Trust())
}

// Authority returns the certificate, in PEM, that a client has to trust to reach
// the server over TLS, at the port where it speaks HTTP.
func (s *Server) Authority() ([]byte, error) { return s.authority.PEM() }

// ownNames are the names of the server itself, for which it has one certificate.
func ownNames() []string {
	return []string{"localhost", "*.localhost", "127.0.0.1", "::1"}
}

// maxName is the most that a name asked for may have, in bytes.
const maxName = 253

// handshake chooses what a TLS connection is like, by the name that its client
// asks for. Names that nobody set up get a certificate of the deployment's
// authority: what a client that reached us calls us is for it to know.
func (s *Server) handshake(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	name := strings.TrimSuffix(strings.ToLower(hello.ServerName), ".")
	if c, err := s.domains.Config(hello); c != nil || err != nil {
		if err != nil {
			s.log.Error("open a certificate", "name", name, "error", err)
		}
		return c, err
	}
	leaf, err := s.authority.Leaf(leafNames(name, hello.Conn.LocalAddr())...)
	if err != nil {
		s.log.Error("make a certificate", "name", name, "error", err)
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: listen.Protocols(), MinVersion: tls.VersionTLS12}, nil
}

// custom tells what stands behind a host that is a custom domain name.
func (s *Server) custom(host string) string {
	if s.domains.Find(host) == nil {
		return ""
	}
	return "execute-api"
}

// leafNames are the names in the certificate for a client that asked for name and
// reached us at an address.
func leafNames(name string, at net.Addr) []string {
	switch {
	case len(name) > maxName:
		return ownNames()
	case name == "":
		if t, ok := at.(*net.TCPAddr); ok && !t.IP.IsLoopback() {
			return append(ownNames(), t.IP.String())
		}
		return ownNames()
	case name == "localhost", strings.HasSuffix(name, ".localhost") && strings.Count(name, ".") == 1:
		return ownNames()
	}
	// Wildcards are for one label: "abc.execute-api.us-east-1.localhost" is below
	// "*.execute-api.us-east-1.localhost", one certificate for all APIs.
	if _, parent, ok := strings.Cut(name, "."); ok && strings.HasSuffix(parent, ".localhost") {
		return []string{"*." + parent}
	}
	return []string{name}
}
