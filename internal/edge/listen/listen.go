// Package listen opens the server's doors: TCP listeners with limits that keep a
// slow or hostile client from holding a worker, and an orderly end.
package listen

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits of a connection.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10 // bytes
)

// Server serves one handler on several listeners: HTTP/1.1, and HTTP/2 without
// TLS for clients that ask for it.
type Server struct {
	http *http.Server
	wg   sync.WaitGroup
}

// New makes a server of h.
func New(h http.Handler, log *slog.Logger) *Server {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return &Server{http: &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, Protocols: &p,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
}

// Serve accepts connections on l in the background until Shutdown.
func (s *Server) Serve(l net.Listener, failed func(error)) {
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
