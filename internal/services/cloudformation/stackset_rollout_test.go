package cloudformation

import (
	"slices"
	"testing"
)

// TestQuota holds how many accounts of a region are worked on at a time.
func TestQuota(t *testing.T) {
	n := func(v int32) *int32 { return &v }
	for _, c := range []struct {
		name                      string
		p                         preferences
		accounts, running, failed int
		room                      int
		exceeded                  bool
	}{
		{"by default one", preferences{}, 10, 0, 0, 1, false},
		{"by default not a second", preferences{}, 10, 1, 0, 0, false},
		{"by default none may fail", preferences{}, 10, 0, 1, 0, true},
		{"strictly one more than may fail", preferences{Most: n(5), Tolerance: n(2)}, 10, 0, 0, 3, false},
		{"strictly fewer after a failure", preferences{Most: n(5), Tolerance: n(2)}, 10, 0, 1, 2, false},
		{"strictly none while those may still fail", preferences{Most: n(5), Tolerance: n(2)}, 10, 2, 1, 0, false},
		{"softly as many as wanted", preferences{Most: n(5), Tolerance: n(2), Mode: "SOFT_FAILURE_TOLERANCE"}, 10, 0, 2, 5, false},
		{"softly not beyond what may fail", preferences{Most: n(5), Tolerance: n(2), Mode: "SOFT_FAILURE_TOLERANCE"}, 10, 1, 3, 0, true},
		{"percentages are rounded down", preferences{MostPercent: n(25), TolerancePercent: n(19)}, 10, 0, 1, 1, false},
		{"to one at least", preferences{MostPercent: n(1), TolerancePercent: n(5)}, 10, 0, 0, 1, false},
		{"all at once", preferences{MostPercent: n(100), TolerancePercent: n(100)}, 10, 0, 0, 10, false},
	} {
		q := c.p.quota(c.accounts)
		if got := q.room(c.running, c.failed); got != c.room {
			t.Errorf("%s: room for %d, not %d", c.name, got, c.room)
		}
		if got := q.exceeded(c.failed); got != c.exceeded {
			t.Errorf("%s: exceeded %v", c.name, got)
		}
	}
	p := preferences{Order: []string{"c", "x", "a"}}
	if got := p.order([]string{"a", "b", "c"}); !slices.Equal(got, []string{"c", "a", "b"}) {
		t.Errorf("order %v", got)
	}
}
