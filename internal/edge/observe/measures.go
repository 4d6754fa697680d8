package observe

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tierra-cloud/tierra/internal/call"
)

// Measure adds what rooms count themselves, read anew for every scrape: counts
// as counters, durations as histograms in seconds. "CacheHitCount" of
// "AWS/ApiGateway" is tierra_apigateway_cache_hit_count_total. Each of AWS's sets
// of dimensions is a series, the dimensions that it lacks being empty.
func (m *Metrics) Measure(services []call.Service) {
	var all measures
	for _, s := range services {
		if x, ok := s.(call.Measurer); ok {
			all = append(all, x)
		}
	}
	m.registry.MustRegister(all)
}

// measures collects from rooms. What there is changes with their resources, so it
// is not described beforehand.
type measures []call.Measurer

// Describe implements prometheus.Collector.
func (measures) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (all measures) Collect(ch chan<- prometheus.Metric) {
	series := map[string]*call.Measure{} // by name and labels: resources of the same name are one, as at AWS
	labels := map[string][]string{}      // the names of dimensions, by namespace
	for _, r := range all {
		r.Measure(func(m *call.Measure) {
			for _, d := range m.Dimensions {
				if !slices.Contains(labels[m.Namespace], d.Name) {
					labels[m.Namespace] = append(labels[m.Namespace], d.Name)
				}
			}
			key := identify(m)
			if was := series[key]; was != nil {
				merge(was, m)
			} else {
				series[key] = m
			}
		})
	}
	for _, m := range series {
		if metric, err := metric(m, labels[m.Namespace]); err == nil {
			ch <- metric
		}
	}
}

func identify(m *call.Measure) string {
	parts := []string{m.Namespace, m.Name, m.Account, m.Region}
	for _, d := range m.Dimensions {
		parts = append(parts, d.Name, d.Value)
	}
	return strings.Join(parts, "\x00")
}

func merge(into, m *call.Measure) {
	into.Count += m.Count
	into.Sum += m.Sum
	for i := range min(len(into.Buckets), len(m.Buckets)) {
		into.Buckets[i] += m.Buckets[i]
	}
}

func metric(m *call.Measure, dimensions []string) (prometheus.Metric, error) {
	names, values := []string{"account", "region"}, []string{m.Account, m.Region}
	for _, n := range dimensions {
		i := slices.IndexFunc(m.Dimensions, func(d call.Dimension) bool { return d.Name == n })
		names, values = append(names, snake(n)), append(values, "")
		if i >= 0 {
			values[len(values)-1] = strings.ToValidUTF8(m.Dimensions[i].Value, "\ufffd")
		}
	}
	_, room, _ := strings.Cut(m.Namespace, "/")
	name, help := "tierra_"+strings.ToLower(cmp.Or(room, m.Namespace))+"_"+snake(m.Name), m.Name+" of "+m.Namespace+", by each of its sets of dimensions."
	if m.Buckets == nil {
		return prometheus.NewConstMetric(prometheus.NewDesc(name+"_total", help, names, nil), prometheus.CounterValue, m.Sum, values...)
	}
	scale := 1.0
	if m.Unit == call.UnitMilliseconds {
		name, scale = name+"_seconds", 1000
	}
	buckets := make(map[float64]uint64, len(m.Bounds))
	for i, b := range m.Bounds {
		buckets[b/scale] = m.Buckets[i]
	}
	return prometheus.NewConstHistogram(prometheus.NewDesc(name, help, names, nil), m.Count, m.Sum/scale, buckets, values...)
}

// snake writes a name of CloudWatch as Prometheus has them: "4XXError" is
// "4xx_error".
func snake(name string) string {
	var b strings.Builder
	r := []rune(name)
	for i, c := range r {
		if i > 0 && unicode.IsUpper(c) && (!unicode.IsUpper(r[i-1]) && !unicode.IsDigit(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
