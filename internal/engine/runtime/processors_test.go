package runtime

import (
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

func TestProcessors(t *testing.T) {
	c := clock.NewFake(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	var idle, all uint64
	known := true
	p := &Processors{clock: c, spare: 1, times: func() (uint64, uint64, bool) { return idle, all, known }}
	for i, x := range []struct {
		after     time.Duration
		idle, all uint64 // more
		known     bool
		want      bool
	}{
		{time.Hour, 1000, 5000, true, false},        // nothing to compare with
		{100 * time.Millisecond, 2, 20, true, true}, // a tenth was idle
		{time.Millisecond, 1, 1, true, true},        // too soon to look again
		{100 * time.Millisecond, 0, 20, true, true},
		{100 * time.Millisecond, 0, 20, true, true},   // nothing
		{100 * time.Millisecond, 10, 20, true, false}, // half
		{500 * time.Millisecond, 0, 100, true, false}, // long ago
		{100 * time.Millisecond, 0, 20, true, true},
		{100 * time.Millisecond, 0, 20, false, false}, // not to be known any more
		{100 * time.Millisecond, 0, 0, true, false},   // the counters stand
		{100 * time.Millisecond, 0, 20, true, true},
		{100 * time.Millisecond, ^uint64(0), 20, true, false}, // one went back
	} {
		c.Advance(x.after)
		idle, all, known = idle+x.idle, all+x.all, x.known
		if got := p.Busy(); got != x.want {
			t.Errorf("%d: %t, want %t", i, got, x.want)
		}
	}
}
