package lambda

import (
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// The bounds of the histograms: durations in milliseconds, numbers of invocations
// that run at the same time, and parts of a whole.
var (
	durationBounds    = [...]float64{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 900_000}
	concurrencyBounds = [...]float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}
	partBounds        = [...]float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1}
)

// What is counted.
const (
	countInvocations = iota
	countErrors
	countThrottles
	countLoops // invocations that were stopped because they were of a loop
	countAhead // invocations in provisioned environments
	countSpillover
	countReceived    // asynchronous events
	countLost        // asynchronous events that were given up
	countUndelivered // attempts to tell destinations that failed
	countURL
	countURL4xx
	countURL5xx
	counts
)

// What is spread over durationBounds.
const (
	spreadDuration   = iota
	spreadExtensions // after the runtime was done
	spreadAge        // of asynchronous events, at each attempt
	spreadURL
	spreads
)

// meter counts what came of one qualifier of a function and was executed by one
// version. The version is "" in what no version has seen.
type meter struct {
	counts  [counts]atomic.Uint64
	spreads [spreads]histogram
	part    histogram  // of what is provisioned for the version that was in use
	levels  [2]*levels // the function's and the qualifier's
	account *account
	next    atomic.Pointer[meter] // that has taken what this one has counted
}

// now is the meter that counts in the place of m, for who has had m for long.
func (m *meter) now() *meter {
	for n := m.next.Load(); n != nil; n = m.next.Load() {
		m = n
	}
	return m
}

// histogram counts values by bounds, each in the least that it fits in; the
// bucket after the last bound has the others.
type histogram struct {
	sum     atomic.Uint64 // in thousandths
	buckets [len(durationBounds) + 1]atomic.Uint64
}

func (h *histogram) add(v float64, bounds []float64) {
	h.sum.Add(uint64(math.Round(v * 1000)))
	i, _ := slices.BinarySearch(bounds, v)
	h.buckets[i].Add(1)
}

// level is how many invocations run at present, and how many did when each began.
type level struct {
	running atomic.Int64
	histogram
}

func (l *level) begin() { l.add(float64(l.running.Add(1)), concurrencyBounds[:]) }
func (l *level) end()   { l.running.Add(-1) }

// levels are those of all invocations and of those in provisioned environments.
type levels struct{ all, ahead level }

// begin counts an invocation that runs; end is its end.
func (m *meter) begin() {
	m.levels[0].all.begin()
	m.levels[1].all.begin()
	m.account.all.begin()
}

func (m *meter) end(out outcome, err error) {
	m.levels[0].all.end()
	m.levels[1].all.end()
	m.account.all.end()
	m = m.now()
	switch {
	case err == nil:
		m.counts[countInvocations].Add(1)
		if out.failure != "" {
			m.counts[countErrors].Add(1)
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
		m.counts[countThrottles].Add(1)
	case f.Code == "RecursiveInvocationException":
		m.counts[countLoops].Add(1)
	}
}

// placed counts in what kind of environment an invocation of p runs.
func (m *meter) placed(p *pool, e *environment) (left func()) {
	if !e.provisioned {
		if p.asked.Load() {
			m.counts[countSpillover].Add(1)
		}
		return func() {}
	}
	m.counts[countAhead].Add(1)
	m.levels[0].ahead.begin()
	m.levels[1].ahead.begin()
	if all := p.granted.Load(); all > 0 {
		m.part.add(min(1, float64(p.inside.Load())/float64(all)), partBounds[:])
	}
	return func() {
		m.levels[0].ahead.end()
		m.levels[1].ahead.end()
	}
}

// took spreads a duration.
func (m *meter) took(what int, d time.Duration) {
	m.now().spreads[what].add(float64(max(0, d))/float64(time.Millisecond), durationBounds[:])
}

// answered counts an answer of a function URL.
func (m *meter) answered(status int, d time.Duration) {
	m.counts[countURL].Add(1)
	switch {
	case status >= 500:
		m.counts[countURL5xx].Add(1)
	case status >= 400:
		m.counts[countURL4xx].Add(1)
	}
	m.took(spreadURL, d)
}

// invoked is how a function was invoked, and what that came to mean.
type invoked struct{ qualifier, version string }

// meters are those of one function. Each is made when it is first needed, and
// found without a lock.
type meters struct {
	account *account
	by      atomic.Pointer[map[invoked]*meter]

	mu         sync.Mutex // of who changes by
	own        levels
	qualifiers map[string]*levels
	past       tally // of qualifiers that are no more
}

// of returns the meter of a qualifier and a version.
func (ms *meters) of(qualifier, version string) *meter {
	k := invoked{qualifier, version}
	if m := ms.all()[k]; m != nil {
		return m
	}
	ms.mu.Lock()
	defer ms.mu.Unlock()
	all := maps.Clone(ms.all())
	if m := all[k]; m != nil {
		return m
	}
	if all == nil {
		all = map[invoked]*meter{}
	}
	if ms.qualifiers == nil {
		ms.qualifiers = map[string]*levels{}
	}
	if ms.qualifiers[qualifier] == nil {
		ms.qualifiers[qualifier] = &levels{}
	}
	m := &meter{account: ms.account, levels: [2]*levels{&ms.own, ms.qualifiers[qualifier]}}
	all[k] = m
	ms.by.Store(&all)
	return m
}

func (ms *meters) all() map[invoked]*meter {
	if all := ms.by.Load(); all != nil {
		return *all
	}
	return nil
}

// retain forgets the meters of qualifiers that the function has no more, and of
// versions that an alias means no more; what they counted stays a part of what it is
// a part of. f is nil if the function is gone. It returns what those have counted
// that are no more.
func (ms *meters) retain(f *function) *tally {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	kept := map[invoked]*meter{}
	for k, m := range ms.all() {
		switch {
		case f == nil || f.has(k.qualifier) != nil:
			ms.past.add(m)
			delete(ms.qualifiers, k.qualifier)
		case k.version != "" && !f.means(k):
			rest := invoked{qualifier: k.qualifier}
			if kept[rest] == nil {
				kept[rest] = &meter{account: m.account, levels: m.levels}
			}
			m.next.Store(kept[rest])
			kept[rest].take(m)
		case kept[k] != nil:
			m.next.Store(kept[k])
			kept[k].take(m)
		default:
			kept[k] = m
		}
	}
	ms.by.Store(&kept)
	return &ms.past
}

// means tells whether a qualifier may still come to mean the version.
func (f *function) means(k invoked) bool {
	a := f.rec.Aliases[k.qualifier]
	if a == nil {
		return true
	}
	_, weighted := a.Weights[k.version]
	return weighted || a.Version == k.version
}

// take adds what another meter has counted.
func (m *meter) take(other *meter) {
	for i := range m.counts {
		m.counts[i].Add(other.counts[i].Load())
	}
	for i := range m.spreads {
		m.spreads[i].take(&other.spreads[i])
	}
	m.part.take(&other.part)
}

func (h *histogram) take(other *histogram) {
	h.sum.Add(other.sum.Load())
	for i := range h.buckets {
		h.buckets[i].Add(other.buckets[i].Load())
	}
}
