package observe

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
)

// counting is a room that counts and does nothing else.
type counting struct {
	call.Service
	all []call.Measure
}

func (c counting) Measure(yield func(*call.Measure)) {
	for i := range c.all {
		m := c.all[i]
		m.Buckets = append([]uint64(nil), m.Buckets...)
		yield(&m)
	}
}

func TestMeasures(t *testing.T) {
	api := []call.Dimension{{Name: "ApiName", Value: "pets"}}
	stage := append(api[:1:1], call.Dimension{Name: "Stage", Value: "prod"})
	one := func(name string, d []call.Dimension, sum float64) call.Measure {
		return call.Measure{Namespace: "AWS/ApiGateway", Name: name, Unit: call.UnitCount, Account: "1", Region: "us-east-1", Dimensions: d, Count: 9, Sum: sum}
	}
	took := one("IntegrationLatency", api, 30)
	took.Unit, took.Bounds, took.Buckets, took.Count = call.UnitMilliseconds, []float64{10, 100}, []uint64{1, 2}, 2
	m := NewMetrics()
	m.Measure([]call.Service{counting{all: []call.Measure{one("4XXError", api, 3), one("4XXError", stage, 2), one("4XXError", stage, 5), took}}})
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	text := rec.Body.String()
	for _, want := range []string{
		`tierra_apigateway_4xx_error_total{account="1",api_name="pets",region="us-east-1",stage=""} 3`,
		`tierra_apigateway_4xx_error_total{account="1",api_name="pets",region="us-east-1",stage="prod"} 7`,
		`tierra_apigateway_integration_latency_seconds_bucket{account="1",api_name="pets",region="us-east-1",stage="",le="0.01"} 1`,
		`tierra_apigateway_integration_latency_seconds_sum{account="1",api_name="pets",region="us-east-1",stage=""} 0.03`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no line %s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestSnake(t *testing.T) {
	for name, want := range map[string]string{"4XXError": "4xx_error", "CacheHitCount": "cache_hit_count", "ApiName": "api_name", "Count": "count", "5XXError": "5xx_error"} {
		if got := snake(name); got != want {
			t.Errorf("%s: %s, not %s", name, got, want)
		}
	}
}
