package apigateway

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// measures returns sums by "Name dimension dimension".
func (w *world) measures() map[string]call.Measure {
	all := map[string]call.Measure{}
	w.s.Measure(func(m *call.Measure) {
		name := m.Name
		for _, d := range m.Dimensions {
			name += " " + d.Value
		}
		all[name] = *m
	})
	return all
}

func TestMeasures(t *testing.T) {
	w := newWorld(t)
	w.s.ledgers.on = true
	id := w.newAPI(t, "GET /a", "GET /b")
	w.deploy(t, id, "prod")
	w.deploy(t, id, "dev")
	err := w.patchStage(id, "prod", patch("replace", "/~1a/GET/metrics/enabled", "true"))
	if err != nil {
		t.Fatal(err)
	}
	answer := `{"statusCode":200}`
	w.f.invoke = func(context.Context, string, []byte) (*lambda.InvocationResponse, error) {
		w.Clock.Advance(30 * time.Millisecond)
		return &lambda.InvocationResponse{Payload: []byte(answer)}, nil
	}
	w.send("GET", id, "/prod/a", "")
	w.send("GET", id, "/prod/b", "")
	w.send("GET", id, "/prod/none", "")
	w.deploy(t, id, "prod") // the numbers stay
	answer = "nonsense"
	w.send("GET", id, "/prod/a", "")
	w.send("GET", id, "/dev/b", "")
	check := func(want map[string]float64) {
		t.Helper()
		got := w.measures()
		for k, v := range want {
			if m, there := got[k]; v < 0 && there || v >= 0 && (!there || m.Sum != v) {
				t.Errorf("%s: %+v, not %v", k, m, v)
			}
		}
	}
	check(map[string]float64{
		"Count test": 5, "Count test prod": 4, "Count test dev": 1, "Count test prod GET /a": 2, "Count test prod GET /b": -1, "4XXError test": 1, "4XXError test prod": 1,
		"5XXError test": 2, "5XXError test prod GET /a": 1, "Latency test": 120, "IntegrationLatency test prod": 90, "CacheHitCount test": -1,
	})
	l := w.measures()["IntegrationLatency test"]
	if l.Count != 4 || l.Unit != call.UnitMilliseconds || l.Buckets[4] != 0 || l.Buckets[5] != 4 {
		t.Errorf("%+v", l)
	}
	calltest.Must(t, w.World, api.DeleteStage, &api.DeleteStageRequest{RestApiId: &id, StageName: new("prod")})
	check(map[string]float64{"Count test": 5, "Count test dev": 1, "Count test prod": -1, "Count test prod GET /a": -1})
	calltest.Must(t, w.World, api.DeleteRestApi, &api.DeleteRestApiRequest{RestApiId: &id})
	if got := w.measures(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestTrace(t *testing.T) {
	w := newWorld(t)
	id := w.newAPI(t, "GET /")
	w.deploy(t, id, "prod")
	event, _ := w.records(`{"statusCode":200}`)
	header := func(incoming string) string {
		t.Helper()
		a := w.send("GET", id, "/prod/", "", "X-Amzn-Trace-Id", incoming)
		h := decode(t, *event)["headers"].(map[string]any)["X-Amzn-Trace-Id"].(string)
		if a.Header.Get("X-Amzn-Trace-Id") != h {
			t.Errorf("answered %s, passed on %s", a.Header.Get("X-Amzn-Trace-Id"), h)
		}
		return h
	}
	const root = "Root=1-5759e988-bd862e3fe1be46a994272793"
	if h := header(""); strings.Contains(h, "Sampled") {
		t.Errorf("not traced: %s", h)
	}
	if err := w.patchStage(id, "prod", patch("replace", "/tracingEnabled", "true")); err != nil {
		t.Fatal(err)
	}
	for incoming, want := range map[string]string{
		root + ";Sampled=0;Parent=53995c3f42cd8ad8":           root + ";Parent=53995c3f42cd8ad8;Sampled=0",
		root + ";Parent=53995c3f42cd8ad8;Sampled=1;Lineage=x": root + ";Parent=*;Sampled=1;Lineage=x",
	} {
		h := header(incoming)
		if i := strings.Index(want, "*"); i >= 0 && len(h) > i+16 {
			if id := h[i : i+16]; id == "53995c3f42cd8ad8" || strings.Trim(id, "0123456789abcdef") != "" {
				t.Errorf("parent: %s", h)
			}
			h = h[:i] + "*" + h[i+16:]
		}
		if h != want {
			t.Errorf("%s: %s, not %s", incoming, h, want)
		}
	}
	// The first of a second is sampled, and few of the others.
	w.Clock.Advance(time.Second)
	sampled := 0
	for i := range 200 {
		h := header("")
		if !strings.HasPrefix(h, "Root=1-") {
			t.Fatal(h)
		}
		one := strings.HasSuffix(h, ";Sampled=1")
		if i == 0 && !one {
			t.Errorf("the first: %s", h)
		}
		if one {
			sampled++
		}
	}
	if sampled < 2 || sampled > 40 {
		t.Errorf("%d of 200 are sampled", sampled)
	}
}
