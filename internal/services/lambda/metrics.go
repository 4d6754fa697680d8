package lambda

import (
	"github.com/tierra-cloud/tierra/internal/call"
)

// Metrics of functions since the server started: of a function, of each qualifier
// that it was invoked by (Resource), of each version that an alias came to mean
// (ExecutedVersion), and of all functions of an account in a region.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html

// tally is what meters have counted, added up.
type tally struct {
	counts  [counts]uint64
	spreads [spreads]spread
	part    spread
}

// spread is what a histogram has counted.
type spread struct {
	sum     uint64 // in thousandths
	buckets [len(durationBounds) + 1]uint64
}

func (t *tally) add(m *meter) {
	for i := range t.counts {
		t.counts[i] += m.counts[i].Load()
	}
	for i := range t.spreads {
		t.spreads[i].add(&m.spreads[i])
	}
	t.part.add(&m.part)
}

func (t *tally) join(other *tally) {
	for i := range t.counts {
		t.counts[i] += other.counts[i]
	}
	for i := range t.spreads {
		t.spreads[i].join(&other.spreads[i])
	}
	t.part.join(&other.part)
}

func (s *spread) add(h *histogram) {
	s.sum += h.sum.Load()
	for i := range s.buckets {
		s.buckets[i] += h.buckets[i].Load()
	}
}

func (s *spread) join(other *spread) {
	s.sum += other.sum
	for i := range s.buckets {
		s.buckets[i] += other.buckets[i]
	}
}

// Measure implements call.Measurer.
func (s *Service) Measure(yield func(*call.Measure)) {
	totals := map[area]*tally{}
	s.plane.past.Lock()
	defer s.plane.past.Unlock()
	s.plane.accounts.Range(func(k, x any) bool {
		a := x.(*account)
		total := a.past
		totals[k.(area)] = &total
		out := sink{k.(area), nil, yield}
		out.level("ConcurrentExecutions", &a.all.histogram)
		out.level("UnreservedConcurrentExecutions", &a.unreserved)
		out.level("ClaimedAccountConcurrency", &a.claimed)
		return true
	})
	s.plane.pools.Range(func(k, x any) bool {
		sum := x.(*pools).meters.measure(k.(key), yield)
		if total := totals[k.(key).area()]; total != nil {
			total.join(sum)
		}
		return true
	})
	for a, total := range totals {
		(&sink{a, nil, yield}).tally(total)
	}
}

// measure yields what a function has, and returns what that comes to.
func (ms *meters) measure(k key, yield func(*call.Measure)) *tally {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	of := func(more ...call.Dimension) *sink {
		return &sink{k.area(), append([]call.Dimension{{Name: "FunctionName", Value: k.name}}, more...), yield}
	}
	resource := func(qualifier string) call.Dimension {
		if qualifier == "" {
			return call.Dimension{Name: "Resource", Value: k.name}
		}
		return call.Dimension{Name: "Resource", Value: k.name + ":" + qualifier}
	}
	all := ms.past
	by := map[string]*tally{}
	for i, m := range ms.all() {
		all.add(m)
		if by[i.qualifier] == nil {
			by[i.qualifier] = &tally{}
		}
		by[i.qualifier].add(m)
		if i.version != "" && i.qualifier != "" && i.qualifier != i.version {
			var one tally
			one.add(m)
			of(resource(i.qualifier), call.Dimension{Name: "ExecutedVersion", Value: i.version}).tally(&one)
		}
	}
	for q, t := range by {
		out := of(resource(q))
		out.tally(t)
		out.levels(ms.qualifiers[q])
	}
	out := of()
	out.tally(&all)
	out.levels(&ms.own)
	return &all
}

// sink takes measures of the same dimensions.
type sink struct {
	area       area
	dimensions []call.Dimension
	yield      func(*call.Measure)
}

func (s *sink) one(name, unit string, count uint64, sum float64) *call.Measure {
	return &call.Measure{
		Namespace: "AWS/Lambda", Name: name, Unit: unit, Account: s.area.account, Region: s.area.region,
		Dimensions: s.dimensions, Count: count, Sum: sum,
	}
}

func (s *sink) tally(t *tally) {
	for i, name := range [counts]string{
		countInvocations: "Invocations", countErrors: "Errors", countThrottles: "Throttles", countLoops: "RecursiveInvocationsDropped",
		countAhead: "ProvisionedConcurrencyInvocations", countSpillover: "ProvisionedConcurrencySpilloverInvocations",
		countReceived: "AsyncEventsReceived", countLost: "AsyncEventsDropped", countUndelivered: "DestinationDeliveryFailures",
		countURL: "UrlRequestCount", countURL4xx: "Url4xxCount", countURL5xx: "Url5xxCount",
	} {
		n, of := t.counts[i], t.counts[i]
		switch i { // of how many, if it is counted for each of these
		case countErrors:
			of = t.counts[countInvocations]
		case countURL4xx, countURL5xx:
			of = t.counts[countURL]
		}
		if of > 0 {
			s.yield(s.one(name, call.UnitCount, of, float64(n)))
		}
	}
	for i, name := range [spreads]string{
		spreadDuration: "Duration", spreadExtensions: "PostRuntimeExtensionsDuration", spreadAge: "AsyncEventAge", spreadURL: "UrlRequestLatency",
	} {
		s.spread(name, call.UnitMilliseconds, &t.spreads[i], durationBounds[:])
	}
	s.spread("ProvisionedConcurrencyUtilization", call.UnitCount, &t.part, partBounds[:])
}

func (s *sink) levels(l *levels) {
	if l == nil {
		return
	}
	s.level("ConcurrentExecutions", &l.all.histogram)
	s.level("ProvisionedConcurrentExecutions", &l.ahead.histogram)
}

func (s *sink) level(name string, h *histogram) {
	var x spread
	x.add(h)
	s.spread(name, call.UnitCount, &x, concurrencyBounds[:])
}

func (s *sink) spread(name, unit string, x *spread, bounds []float64) {
	m := s.one(name, unit, 0, float64(x.sum)/1000)
	m.Bounds, m.Buckets = bounds, make([]uint64, len(bounds))
	for i := range bounds {
		m.Count += x.buckets[i]
		m.Buckets[i] = m.Count
	}
	if m.Count += x.buckets[len(bounds)]; m.Count > 0 {
		s.yield(m)
	}
}
