// Package delivery brings lines of logs to streams of CloudWatch Logs, in the
// background and in batches, so that a request never waits for its log.
package delivery

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// Lines are gathered for a moment and then delivered together.
const (
	gather        = 200 * time.Millisecond
	maxBuffered   = 4 << 20 // bytes of a stream's lines that wait; more are dropped, and that is said
	maxMessage    = 256<<10 - eventOverhead
	batchBytes    = 1 << 20
	batchEvents   = 10_000
	eventOverhead = 26 // bytes that CloudWatch Logs counts for an event
	tries         = 3  // of a batch
)

// Event is a line of a log.
type Event struct {
	Time time.Time
	Text string
}

// Courier delivers the lines of a room's streams.
type Courier struct {
	clock  clock.Clock
	caller call.Caller

	streams sync.Map // [3]string of scope, group and name -> *Stream

	mu      sync.Mutex
	running int           // streams that are being delivered
	closing chan struct{} // closed by Stop
	stopped bool
	idle    chan struct{} // closed when none runs any more, after Stop
}

// New makes a courier that calls CloudWatch Logs through c.
func New(k clock.Clock, c call.Caller) *Courier {
	return &Courier{clock: k, caller: c, closing: make(chan struct{}), idle: make(chan struct{})}
}

// Stop delivers what waits, and returns when that is done or ctx ends. Lines
// that are added later are dropped.
func (c *Courier) Stop(ctx context.Context) error {
	c.mu.Lock()
	if !c.stopped {
		c.stopped = true
		close(c.closing)
		if c.running == 0 {
			close(c.idle)
		}
	}
	c.mu.Unlock()
	select {
	case <-c.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter counts a delivery in; false once the courier was stopped.
func (c *Courier) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return false
	}
	c.running++
	return true
}

func (c *Courier) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running--; c.running == 0 && c.stopped {
		close(c.idle)
	}
}

// Stream is a stream of a log group. Both are made when the first line comes, if
// who writes may make them.
type Stream struct {
	c           *Courier
	group, name string
	as          func(context.Context) (call.As, bool)

	mu      sync.Mutex
	lines   []logs.InputLogEvent
	size    int
	dropped int
	running bool
	created bool // only the goroutine that delivers looks at it
}

// Stream returns the stream of a group in a scope, which names the account and
// the region: the same one each time, so that its lines keep their order. as says,
// for every batch, who writes; if it reports false the batch is dropped.
func (c *Courier) Stream(scope, group, name string, as func(context.Context) (call.As, bool)) *Stream {
	key := [3]string{scope, group, name}
	if s, ok := c.streams.Load(key); ok {
		return s.(*Stream)
	}
	s, _ := c.streams.LoadOrStore(key, &Stream{c: c, group: group, name: name, as: as})
	return s.(*Stream)
}

// Add takes lines, which stay together. It never waits: lines that come faster
// than they can be delivered are dropped, and the log says how many.
func (s *Stream) Add(events ...Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		if len(e.Text) > maxMessage {
			e.Text = e.Text[:maxMessage]
		}
		if s.size+len(e.Text)+eventOverhead > maxBuffered {
			s.dropped++
			continue
		}
		s.append(e)
	}
	if !s.running && len(s.lines) > 0 {
		if s.running = s.c.enter(); s.running {
			go s.deliver()
		} else {
			s.lines, s.size = nil, 0
		}
	}
}

func (s *Stream) append(e Event) {
	ms := e.Time.UnixMilli()
	if n := len(s.lines); n > 0 { // a batch must be in order
		ms = max(ms, *s.lines[n-1].Timestamp)
	}
	s.lines = append(s.lines, logs.InputLogEvent{Timestamp: &ms, Message: &e.Text})
	s.size += len(e.Text) + eventOverhead
}

// deliver delivers what waits until nothing does.
func (s *Stream) deliver() {
	defer s.c.leave()
	for {
		select {
		case <-s.c.clock.After(gather):
		case <-s.c.closing:
		}
		for {
			batch := s.batch()
			if len(batch) == 0 {
				break
			}
			s.put(batch)
		}
		s.mu.Lock()
		if len(s.lines) == 0 {
			s.running = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}

// batch takes as many lines as one call may carry.
func (s *Stream) batch() []logs.InputLogEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, size := 0, 0
	for n < len(s.lines) && n < batchEvents {
		if size += len(*s.lines[n].Message) + eventOverhead; size > batchBytes {
			break
		}
		n++
	}
	out := s.lines[:n:n]
	s.lines = s.lines[n:]
	for _, e := range out {
		s.size -= len(*e.Message) + eventOverhead
	}
	if len(s.lines) == 0 {
		s.lines = nil
	}
	if s.dropped > 0 {
		lost := fmt.Sprintf("[%d lines were dropped: the log was written faster than it could be kept]", s.dropped)
		s.dropped = 0
		s.append(Event{s.c.clock.Now(), lost})
	}
	return out
}

// put delivers a batch. Who may not write logs has none, as on AWS.
func (s *Stream) put(batch []logs.InputLogEvent) {
	ctx, c := context.Background(), s.c.caller
	as, ok := s.as(ctx)
	if !ok {
		return
	}
	for range tries {
		if !s.created {
			_, err := call.Do(ctx, c, as, logs.CreateLogStream, &logs.CreateLogStreamRequest{LogGroupName: &s.group, LogStreamName: &s.name})
			if fault.Is(err, "ResourceNotFoundException") {
				if _, err = call.Do(ctx, c, as, logs.CreateLogGroup, &logs.CreateLogGroupRequest{LogGroupName: &s.group}); err == nil || fault.Is(err, "ResourceAlreadyExistsException") {
					continue
				}
			}
			if err != nil && !fault.Is(err, "ResourceAlreadyExistsException") {
				return
			}
			s.created = true
		}
		_, err := call.Do(ctx, c, as, logs.PutLogEvents, &logs.PutLogEventsRequest{LogGroupName: &s.group, LogStreamName: &s.name, LogEvents: batch})
		if !fault.Is(err, "ResourceNotFoundException") {
			return
		}
		s.created = false // somebody deleted it
	}
}
