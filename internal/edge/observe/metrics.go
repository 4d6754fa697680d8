package observe

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// Metrics counts and times calls for Prometheus.
type Metrics struct {
	registry *prometheus.Registry
	calls    *prometheus.CounterVec
	took     *prometheus.HistogramVec
	denied   *prometheus.CounterVec
}

// NewMetrics makes a registry of its own: nothing is global.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tierra_calls_total", Help: "Calls by door (wire, room, or kind of public address), service, operation and status class.",
		}, []string{"door", "service", "operation", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tierra_call_duration_seconds", Help: "How long calls took.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"door", "service", "operation"}),
		denied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tierra_denied_total", Help: "Calls that no policy allowed, also those that audit mode let through.",
		}, []string{"service", "operation"}),
	}
	m.registry.MustRegister(m.calls, m.took, m.denied, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Observe implements call.Observer.
func (m *Metrics) Observe(r *call.Record) {
	m.calls.WithLabelValues(r.Door, r.Service, r.Operation, strconv.Itoa(r.Status/100)+"xx").Inc()
	m.took.WithLabelValues(r.Door, r.Service, r.Operation).Observe(r.Duration.Seconds())
	if r.WouldDeny != "" {
		m.denied.WithLabelValues(r.Service, r.Operation).Inc()
	}
}

// Handler serves the numbers in Prometheus's text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func principalType(r *call.Record) string {
	switch r.Principal.Kind {
	case policy.Root:
		return "Root"
	case policy.User:
		return "IAMUser"
	case policy.Role:
		return "AssumedRole"
	case policy.Federated:
		return "FederatedUser"
	case policy.Service:
		return "AWSService"
	}
	return "Unknown"
}
