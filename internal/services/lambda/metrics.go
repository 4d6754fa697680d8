package lambda

import (
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// Metrics of functions since the server started, by FunctionName.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html

// The bounds of the histograms: durations in milliseconds, and numbers of
// invocations that run at the same time.
var (
	durationBounds    = [...]float64{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 900_000}
	concurrencyBounds = [...]float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}
)

// meter counts the invocations of one function.
type meter struct {
	invocations, errors, throttles, dropped atomic.Uint64
	provisioned, spillover                  atomic.Uint64

	// Of asynchronous events: that came, that were given up, and attempts to tell
	// their destinations that failed.
	received, lost, undelivered atomic.Uint64
	ages                        histogram[[len(durationBounds)]atomic.Uint64] // at each attempt

	running, runningAhead atomic.Int64 // at present, and of these in provisioned environments
	durations             histogram[[len(durationBounds)]atomic.Uint64]
	concurrency           histogram[[len(concurrencyBounds)]atomic.Uint64]
	concurrencyAhead      histogram[[len(concurrencyBounds)]atomic.Uint64]
}

// histogram counts values by bounds; each is counted in the least that it fits in.
type histogram[B any] struct {
	count, sum atomic.Uint64 // the sum in thousandths
	buckets    B
}

func (h *histogram[B]) add(v float64, bounds []float64, buckets []atomic.Uint64) {
	h.count.Add(1)
	h.sum.Add(uint64(math.Round(v * 1000)))
	if i, _ := slices.BinarySearch(bounds, v); i < len(bounds) {
		buckets[i].Add(1)
	}
}

// begin counts an invocation that runs; end is its end.
func (m *meter) begin() {
	n := m.running.Add(1)
	m.concurrency.add(float64(n), concurrencyBounds[:], m.concurrency.buckets[:])
}

func (m *meter) end(out outcome, err error) {
	m.running.Add(-1)
	switch {
	case err == nil:
		m.invocations.Add(1)
		if out.failure != "" {
			m.errors.Add(1)
		}
	default:
		m.refused(err)
	}
}

// refused counts an invocation that did not run.
func (m *meter) refused(err error) {
	f := fault.As(err)
	switch {
	case f == nil:
	case f.Code == "TooManyRequestsException":
		m.throttles.Add(1)
	case f.Code == "RecursiveInvocationException":
		m.dropped.Add(1)
	}
}

// placed counts in what kind of environment an invocation of p runs.
func (m *meter) placed(p *pool, e *environment) (left func()) {
	if !e.provisioned {
		if p.asked.Load() {
			m.spillover.Add(1)
		}
		return func() {}
	}
	m.provisioned.Add(1)
	n := m.runningAhead.Add(1)
	m.concurrencyAhead.add(float64(n), concurrencyBounds[:], m.concurrencyAhead.buckets[:])
	return func() { m.runningAhead.Add(-1) }
}

func (m *meter) took(d time.Duration) {
	m.durations.add(float64(d)/float64(time.Millisecond), durationBounds[:], m.durations.buckets[:])
}

// aged counts how long an event had waited when it was to run.
func (m *meter) aged(d time.Duration) {
	m.ages.add(float64(d)/float64(time.Millisecond), durationBounds[:], m.ages.buckets[:])
}

// Measure implements call.Measurer.
func (s *Service) Measure(yield func(*call.Measure)) {
	s.plane.pools.Range(func(k, x any) bool {
		x.(*pools).meter.measure(k.(key), yield)
		return true
	})
}

func (m *meter) measure(k key, yield func(*call.Measure)) {
	one := func(name, unit string, count uint64, sum float64) *call.Measure {
		return &call.Measure{
			Namespace: "AWS/Lambda", Name: name, Unit: unit, Account: k.account, Region: k.region,
			Dimensions: []call.Dimension{{Name: "FunctionName", Value: k.name}}, Count: count, Sum: sum,
		}
	}
	for _, c := range []struct {
		name string
		n    *atomic.Uint64
		of   *atomic.Uint64 // of how many, if it is counted for each of these
	}{
		{"Invocations", &m.invocations, nil}, {"Errors", &m.errors, &m.invocations}, {"Throttles", &m.throttles, nil},
		{"RecursiveInvocationsDropped", &m.dropped, nil}, {"ProvisionedConcurrencyInvocations", &m.provisioned, nil},
		{"ProvisionedConcurrencySpilloverInvocations", &m.spillover, nil}, {"AsyncEventsReceived", &m.received, nil},
		{"AsyncEventsDropped", &m.lost, nil}, {"DestinationDeliveryFailures", &m.undelivered, nil},
	} {
		n, of := c.n.Load(), c.n.Load()
		if c.of != nil {
			of = c.of.Load()
		}
		if of > 0 {
			yield(one(c.name, call.UnitCount, of, float64(n)))
		}
	}
	spread := func(name, unit string, count, sum uint64, bounds []float64, buckets []atomic.Uint64) {
		if count == 0 {
			return
		}
		x := one(name, unit, count, float64(sum)/1000)
		x.Bounds, x.Buckets = bounds, make([]uint64, len(bounds))
		for i, n := 0, uint64(0); i < len(bounds); i++ {
			n += buckets[i].Load()
			x.Buckets[i] = n
		}
		yield(x)
	}
	spread("Duration", call.UnitMilliseconds, m.durations.count.Load(), m.durations.sum.Load(), durationBounds[:], m.durations.buckets[:])
	spread("AsyncEventAge", call.UnitMilliseconds, m.ages.count.Load(), m.ages.sum.Load(), durationBounds[:], m.ages.buckets[:])
	spread("ConcurrentExecutions", call.UnitCount, m.concurrency.count.Load(), m.concurrency.sum.Load(), concurrencyBounds[:], m.concurrency.buckets[:])
	spread("ProvisionedConcurrentExecutions", call.UnitCount, m.concurrencyAhead.count.Load(), m.concurrencyAhead.sum.Load(), concurrencyBounds[:], m.concurrencyAhead.buckets[:])
}
