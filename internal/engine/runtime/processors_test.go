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
	p := &Processors{clock: c, times: func() (uint64, uint64, bool) { return idle, all, known }}
	const (
		unknown = iota
		spare
		busy
	)
	for i, x := range []struct {
		after     time.Duration
		idle, all uint64 // more
		known     bool
		want      int
	}{
		{time.Hour, 1000, 5000, true, unknown},        // nothing to compare with
		{100 * time.Millisecond, 2, 20, true, busy},   // a tenth was idle
		{time.Millisecond, 1, 1, true, busy},          // too soon to look again
		{100 * time.Millisecond, 0, 20, true, busy},   // nothing
		{100 * time.Millisecond, 0, 20, true, busy},   //
		{100 * time.Millisecond, 5, 20, true, busy},   // a fourth, once
		{100 * time.Millisecond, 10, 20, true, spare}, // half
		{100 * time.Millisecond, 0, 20, true, spare},
		{100 * time.Millisecond, 0, 20, true, busy},
		{500 * time.Millisecond, 0, 100, true, unknown}, // long ago
		{100 * time.Millisecond, 0, 20, true, busy},
		{100 * time.Millisecond, 0, 20, false, unknown}, // not to be known any more
		{100 * time.Millisecond, 0, 0, true, unknown},   // the counters stand
		{100 * time.Millisecond, 20, 20, true, spare},
		{100 * time.Millisecond, ^uint64(0), 20, true, unknown}, // one went back
	} {
		c.Advance(x.after)
		idle, all, known = idle+x.idle, all+x.all, x.known
		got := unknown
		if b, ok := p.Busy(); b && ok {
			got = busy
		} else if ok {
			got = spare
		}
		if got != x.want {
			t.Errorf("%d: %d, want %d", i, got, x.want)
		}
	}
}
