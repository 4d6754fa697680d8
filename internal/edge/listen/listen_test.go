package listen_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/edge/listen"
)

// open serves what a request came in as, with and without TLS at one port.
func open(t *testing.T) (addr string, roots *x509.CertPool) {
	t.Helper()
	// The certificate of Go's own test server, which is for example.com and 127.0.0.1.
	given := httptest.NewUnstartedServer(nil)
	given.StartTLS()
	t.Cleanup(given.Close)
	roots = x509.NewCertPool()
	roots.AddCert(given.Certificate())
	s := listen.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "-"
		if r.TLS != nil {
			name = r.TLS.ServerName
		}
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s tls=%t %s %s", r.Proto, r.TLS != nil, name, b)
	}), func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: given.TLS.Certificates, NextProtos: listen.Protocols()}, nil
	}, slog.New(slog.DiscardHandler))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(l, func(err error) { t.Error(err) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		s.Shutdown(ctx)
	})
	return l.Addr().String(), roots
}

func TestOnePort(t *testing.T) {
	addr, roots := open(t)
	for _, x := range []struct {
		name, scheme string
		set          func(*http.Protocols)
		want         string
	}{
		{"http/1.1", "http", func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/1.1 tls=false - sent"},
		{"h2c", "http", func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }, "HTTP/2.0 tls=false - sent"},
		{"https, http/1.1", "https", func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/1.1 tls=true example.com sent"},
		{"https, h2", "https", func(p *http.Protocols) { p.SetHTTP2(true) }, "HTTP/2.0 tls=true example.com sent"},
	} {
		t.Run(x.name, func(t *testing.T) {
			var p http.Protocols
			x.set(&p)
			tr := &http.Transport{Protocols: &p, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}}
			defer tr.CloseIdleConnections()
			rs, err := (&http.Client{Transport: tr}).Post(x.scheme+"://"+addr, "text/plain", strings.NewReader("sent"))
			if err != nil {
				t.Fatal(err)
			}
			defer rs.Body.Close()
			if b, _ := io.ReadAll(rs.Body); string(b) != x.want {
				t.Errorf("got %q", b)
			}
		})
	}
}

// A client that says nothing, or begins a handshake and stops, holds nobody up,
// nor does it the end of the server.
func TestSilentClients(t *testing.T) {
	addr, _ := open(t)
	for _, say := range []string{"", "\x16", "\x16\x03\x01", "G"} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, say); err != nil {
			t.Fatal(err)
		}
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	rs, err := (&http.Client{Transport: tr}).Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	rs.Body.Close()
}

// What is neither HTTP nor TLS gets HTTP's answer.
func TestNeither(t *testing.T) {
	addr, _ := open(t)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "\x00\x01\x02 neither the one nor the other\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, " 400 ") {
		t.Errorf("got %q, %v", line, err)
	}
}
