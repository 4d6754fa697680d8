package apigateway

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
)

// The seven metrics of APIs, stages and methods. They are counted only where
// somebody reads them, with atomic additions; names are put together when they
// are read.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html

// numbers are what is counted of an API, a stage or a method since it has been there.
type numbers struct {
	requests, badRequests, failures, hits, misses atomic.Uint64
	latency, integration                          timings
}

// timings count durations by how long they were.
type timings struct {
	sum     atomic.Uint64 // microseconds
	buckets [len(bounds) + 1]atomic.Uint64
}

// bounds are the upper bounds of the buckets, in milliseconds.
var bounds = [...]float64{1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000}

func (t *timings) add(d time.Duration) {
	t.sum.Add(uint64(max(d, 0).Microseconds()))
	ms := float64(d) / float64(time.Millisecond)
	i := 0
	for i < len(bounds) && ms > bounds[i] {
		i++
	}
	t.buckets[i].Add(1)
}

// add counts a request that was answered.
func (n *numbers) add(x *exchange, latency time.Duration) {
	n.requests.Add(1)
	switch x.status / 100 {
	case 4:
		n.badRequests.Add(1)
	case 5:
		n.failures.Add(1)
	}
	n.latency.add(latency)
	if x.notes.returned {
		n.integration.add(x.notes.latency)
	}
	switch x.notes.cached {
	case cacheHit:
		n.hits.Add(1)
	case cacheMiss:
		n.misses.Add(1)
	}
}

// ledger has the numbers of one API, for as long as that is there.
type ledger struct {
	area
	mu      sync.Mutex
	name    string // of the API
	all     numbers
	stages  map[string]*numbers
	methods map[counted]*numbers
}

// counted is a method of a stage with detailed metrics.
type counted struct{ stage, method, resource string }

// ledgers are those of all APIs; nothing is counted if on is false.
type ledgers struct {
	on  bool
	all sync.Map // API id -> *ledger
}

// of returns the ledger of an API that has a name; nil if nothing is counted.
func (l *ledgers) of(a area, id, name string) *ledger {
	if !l.on {
		return nil
	}
	x, _ := l.all.LoadOrStore(id, &ledger{area: a, stages: map[string]*numbers{}, methods: map[counted]*numbers{}})
	g := x.(*ledger)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.name = name
	return g
}

// retain forgets the stages that an API has no longer; without any stages map it
// forgets the API.
func (l *ledgers) retain(id string, stages map[string]*liveStage) {
	if !l.on {
		return
	}
	if stages == nil {
		l.all.Delete(id)
		return
	}
	x, ok := l.all.Load(id)
	if !ok {
		return
	}
	g := x.(*ledger)
	g.mu.Lock()
	defer g.mu.Unlock()
	gone := func(stage string) bool { return stages[strings.TrimSuffix(stage, canarySuffix)] == nil }
	for s := range g.stages {
		if gone(s) {
			delete(g.stages, s)
		}
	}
	for m := range g.methods {
		if gone(m.stage) {
			delete(g.methods, m)
		}
	}
}

// canarySuffix follows the stage's name in the numbers of its canary.
const canarySuffix = "/Canary"

// stage returns what counts the requests of a stage. Those of a canary count for
// the stage as well.
func (g *ledger) stage(name string, canary bool) []*numbers {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	one := func(name string) *numbers {
		if g.stages[name] == nil {
			g.stages[name] = new(numbers)
		}
		return g.stages[name]
	}
	all := []*numbers{&g.all, one(name)}
	if canary {
		all = append(all, one(name+canarySuffix))
	}
	return all
}

// method returns what counts the requests of a method.
func (g *ledger) method(stage, method, resource string) *numbers {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	c := counted{stage, method, resource}
	if g.methods[c] == nil {
		g.methods[c] = new(numbers)
	}
	return g.methods[c]
}

// Measure implements call.Measurer.
func (s *Service) Measure(yield func(*call.Measure)) {
	s.ledgers.all.Range(func(_, x any) bool {
		x.(*ledger).measure(yield)
		return true
	})
}

func (g *ledger) measure(yield func(*call.Measure)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	name := call.Dimension{Name: "ApiName", Value: g.name}
	g.all.measure(g.area, []call.Dimension{name}, yield)
	for stage, n := range g.stages {
		n.measure(g.area, []call.Dimension{name, {Name: "Stage", Value: stage}}, yield)
	}
	for c, n := range g.methods {
		n.measure(g.area, []call.Dimension{name, {Name: "Stage", Value: c.stage}, {Name: "Method", Value: c.method}, {Name: "Resource", Value: c.resource}}, yield)
	}
}

func (n *numbers) measure(a area, dimensions []call.Dimension, yield func(*call.Measure)) {
	requests := n.requests.Load()
	if requests == 0 {
		return
	}
	one := func(name string, count uint64, sum float64) *call.Measure {
		return &call.Measure{Namespace: "AWS/ApiGateway", Name: name, Unit: call.UnitCount, Account: a.account, Region: a.region, Dimensions: dimensions, Count: count, Sum: sum}
	}
	yield(one("Count", requests, float64(requests)))
	yield(one("4XXError", requests, float64(n.badRequests.Load())))
	yield(one("5XXError", requests, float64(n.failures.Load())))
	hits, misses := n.hits.Load(), n.misses.Load()
	if hits+misses > 0 {
		yield(one("CacheHitCount", hits+misses, float64(hits)))
		yield(one("CacheMissCount", hits+misses, float64(misses)))
	}
	for _, t := range []struct {
		name string
		of   *timings
	}{{"Latency", &n.latency}, {"IntegrationLatency", &n.integration}} {
		m := one(t.name, 0, float64(t.of.sum.Load())/1000)
		m.Unit, m.Bounds, m.Buckets = call.UnitMilliseconds, slices.Clone(bounds[:]), make([]uint64, len(bounds))
		for i := range t.of.buckets {
			m.Count += t.of.buckets[i].Load()
			if i < len(bounds) {
				m.Buckets[i] = m.Count
			}
		}
		if m.Count > 0 {
			yield(m)
		}
	}
}
