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
	known     bool
	spare     float64 // the part of the time that was idle of late, if that is known
}

// NewProcessors watches this machine's.
func NewProcessors(c clock.Clock) *Processors {
	return &Processors{clock: c, times: processorTimes}
}

// A look tells about the time since the last one, if that is not too short for the
// clock ticks that idleness is counted in, and not so long that it is history.
const (
	lookAfter  = 80 * time.Millisecond
	lookBefore = 400 * time.Millisecond
)

// Busy reports that hardly any processor time was to spare lately, by whomever it
// was used; known is false where, or while, that is not known.
func (p *Processors) Busy() (busy, known bool) {
	const hardly = 1. / 8
	now := p.clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if since := now.Sub(p.at); since >= lookAfter {
		idle, all, ok := p.times()
		part := float64(idle-p.idle) / float64(all-p.all)
		switch {
		case !ok || since >= lookBefore || all <= p.all || idle < p.idle:
			p.known = false
		case p.known: // one look alone counts few ticks
			p.spare += (part - p.spare) / 4
		default:
			p.known, p.spare = true, part
		}
		p.at, p.idle, p.all = now, idle, all
	}
	return p.known && p.spare <= hardly, p.known
}
