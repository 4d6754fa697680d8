// Package observe holds the sinks of the one record that every call makes: a
// structured log, an audit trail, Prometheus metrics.
package observe

import (
	"context"
	"log/slog"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
)

// Log writes each call as a line of a structured log: refusals and failures
// always, the rest at debug level.
type Log struct{ L *slog.Logger }

// Observe implements call.Observer.
func (l Log) Observe(r *call.Record) {
	level := slog.LevelDebug
	switch {
	case r.Internal != "":
		level = slog.LevelError
	case r.WouldDeny != "" || r.Code == "AccessDenied" || r.Code == "AccessDeniedException":
		level = slog.LevelWarn
	case r.Status >= 400 && r.Door == "wire":
		level = slog.LevelInfo
	}
	ctx := context.Background()
	if !l.L.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("door", r.Door), slog.String("service", r.Service), slog.String("operation", r.Operation),
		slog.Int("status", r.Status), slog.Duration("took", r.Duration.Round(time.Microsecond)),
		slog.String("request", r.RequestID), slog.String("caller", caller(r)),
	}
	for _, a := range []struct{ k, v string }{
		{"code", r.Code}, {"message", r.Message}, {"error", r.Internal}, {"denied", r.WouldDeny},
		{"resource", r.Resource}, {"from", r.SourceIP},
	} {
		if a.v != "" {
			attrs = append(attrs, slog.String(a.k, a.v))
		}
	}
	l.L.LogAttrs(ctx, level, "call", attrs...)
}

func caller(r *call.Record) string {
	p := &r.Principal
	switch {
	case p.ARN != "":
		return p.ARN
	case p.Service != "":
		return p.Service
	}
	return "anonymous"
}
