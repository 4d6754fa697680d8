package runtime

import (
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/clock"
)

// Processors watches whether the machine's processors have time to spare. It looks
// only when it is asked.
type Processors struct {
	clock clock.Clock
	// times reads how long all processors together were idle, and how long there
	// were any, since some moment in the past and in the same unit; ok is false
	// where that is not known.
	times func() (idle, all uint64, ok bool)

	mu        sync.Mutex
	at        time.Time // of the last look
	idle, all uint64
	spare     float64 // the part of the time that was idle, of late; 1 if that is not known
}

// NewProcessors watches this machine's.
func NewProcessors(c clock.Clock) *Processors {
	return &Processors{clock: c, times: processorTimes, spare: 1}
}

// A look tells about the time since the last one, if that is not too short for the
// clock ticks that idleness is counted in, and not so long that it is history.
const (
	lookAfter  = 80 * time.Millisecond
	lookBefore = 400 * time.Millisecond
)

// Busy reports that hardly any processor time was to spare lately, by whomever it
// was used. It is false where, or while, that is not known.
func (p *Processors) Busy() bool {
	const hardly = 1. / 8
	now := p.clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	since := now.Sub(p.at)
	if since < lookAfter {
		return p.spare <= hardly
	}
	idle, all, ok := p.times()
	switch {
	case !ok || since >= lookBefore || all <= p.all || idle < p.idle:
		p.spare = 1
	case p.spare == 1:
		p.spare = float64(idle-p.idle) / float64(all-p.all)
	default: // one look alone counts few ticks
		p.spare += (float64(idle-p.idle)/float64(all-p.all) - p.spare) / 4
	}
	p.at, p.idle, p.all = now, idle, all
	return p.spare <= hardly
}
