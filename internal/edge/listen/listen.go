// Package listen opens the server's doors: TCP listeners with limits that keep a
// slow or hostile client from holding a worker, and an orderly end. One port
// speaks HTTP and HTTPS: a connection's first byte tells which.
package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits of a connection.
const (
	headerTimeout = 10 * time.Second // to the first byte, of the handshake, of the header
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10 // bytes
)

// Server serves one handler on several listeners: HTTP/1.1 and HTTP/2, with TLS
// for clients that begin with its handshake and without for the others.
type Server struct {
	http *http.Server
	tls  *tls.Config // nil speaks no TLS
	wg   sync.WaitGroup
}

// New makes a server of h. configure chooses what a TLS connection is to be like
// by what its client says first; without it the server speaks no TLS.
func New(h http.Handler, configure func(*tls.ClientHelloInfo) (*tls.Config, error), log *slog.Logger) *Server {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	s := &Server{http: &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, Protocols: &p,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	if configure != nil {
		s.tls = &tls.Config{GetConfigForClient: configure, MinVersion: tls.VersionTLS12}
	}
	return s
}

// Protocols are what TLS connections may negotiate, the best first.
func Protocols() []string { return []string{"h2", "http/1.1"} }

// SetHeaderTimeout changes how long a client may take to send a request's header.
// It is called before Serve.
func (s *Server) SetHeaderTimeout(d time.Duration) { s.http.ReadHeaderTimeout = d }

// Serve accepts connections on l in the background until Shutdown.
func (s *Server) Serve(l net.Listener, failed func(error)) {
	if s.tls != nil {
		l = newSplit(l, s.tls)
	}
	s.wg.Go(func() {
		if err := s.http.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) && failed != nil {
			failed(err)
		}
	})
}

// Shutdown stops accepting and waits for requests under way until ctx ends, then
// cuts off what is left.
func (s *Server) Shutdown(ctx context.Context) {
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
	}
	s.wg.Wait()
}
