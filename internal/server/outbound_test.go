package server

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestOutboundWith: a backend is shown the certificate even if the authorities that
// it names are others.
func TestOutboundWith(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, r.TLS.PeerCertificates[0].Subject.String())
	}))
	others := x509.NewCertPool()
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, ClientCAs: others}
	s.StartTLS()
	defer s.Close()
	others.AddCert(&x509.Certificate{Raw: []byte("other"), RawSubject: []byte{0x30, 0}})
	shown := s.TLS.Certificates[0]
	transport := outboundWith(&shown).(*http.Transport)
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig.RootCAs = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	rq, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := transport.RoundTrip(rq)
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Body.Close()
	if b, err := io.ReadAll(rs.Body); err != nil || string(b) != s.Certificate().Subject.String() {
		t.Errorf("the backend saw %q %v", b, err)
	}
}
