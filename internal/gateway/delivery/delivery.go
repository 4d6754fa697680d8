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

// Gather is for how long lines are gathered before they are delivered together.
const Gather = 200 * time.Millisecond

const (
	maxBuffered   = 4 << 20 // bytes of a stream's lines that wait; more are dropped, and that is said
	maxOwn        = 8 << 20 // the same of a stream that was opened
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
	run    func(deliver func()) bool // in the background; false once it is too late
	hurry  <-chan struct{}           // closed when lines are gathered no longer

	streams sync.Map // [3]string of scope, group and name -> *Stream

	mu      sync.Mutex
	running int           // streams that are being delivered
	closing chan struct{} // closed by Stop
	stopped bool
	idle    chan struct{} // closed when none runs any more, after Stop
}

// New makes a courier that calls CloudWatch Logs through c.
func New(k clock.Clock, c call.Caller) *Courier {
	x := &Courier{clock: k, caller: c, closing: make(chan struct{}), idle: make(chan struct{})}
	x.hurry = x.closing
	x.run = func(deliver func()) bool {
		if !x.enter() {
			return false
		}
		go func() {
			defer x.leave()
			deliver()
		}()
		return true
	}
	return x
}

// Under is New for who counts the goroutines of its own: run starts one, and
// hurry is closed when it is about to wait for them. Stop is not for such a courier.
func Under(k clock.Clock, c call.Caller, run func(deliver func()) bool, hurry <-chan struct{}) *Courier {
	return &Courier{clock: k, caller: c, run: run, hurry: hurry}
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
	most        int // bytes of lines that may wait

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
	s, _ := c.streams.LoadOrStore(key, &Stream{c: c, group: group, name: name, as: as, most: maxBuffered})
	return s.(*Stream)
}

// Open returns a stream that nobody else gets, whose lines are written as as.
func (c *Courier) Open(group, name string, as call.As) *Stream {
	return &Stream{c: c, group: group, name: name, as: func(context.Context) (call.As, bool) { return as, true }, most: maxOwn}
}

// Waits tells whether there are lines that are not delivered yet.
func (s *Stream) Waits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
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
		s.take(s.stamp(e.Time), e.Text)
	}
	s.begin()
}

// Write is Add for lines of one time, each of which gets a line feed.
func (s *Stream) Write(at time.Time, lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ms := s.stamp(at) // they share it
	for _, line := range lines {
		s.take(ms, line+"\n")
	}
	s.begin()
}

// take takes a line, if there is room for it; s is locked.
func (s *Stream) take(at *int64, line string) {
	if s.size+len(line)+eventOverhead > s.most {
		s.dropped++
		return
	}
	s.append(at, line)
}

// begin lets what waits be delivered; s is locked.
func (s *Stream) begin() {
	if s.running || len(s.lines) == 0 {
		return
	}
	if s.running = s.c.run(s.deliver); !s.running {
		s.lines, s.size = nil, 0
	}
}

// stamp is the timestamp of a line that is appended: a batch must be in order.
func (s *Stream) stamp(at time.Time) *int64 {
	ms := at.UnixMilli()
	if n := len(s.lines); n > 0 {
		if last := s.lines[n-1].Timestamp; ms <= *last {
			return last
		}
	}
	return &ms
}

func (s *Stream) append(at *int64, line string) {
	s.lines = append(s.lines, logs.InputLogEvent{Timestamp: at, Message: &line})
	s.size += len(line) + eventOverhead
}

// deliver delivers what waits until nothing does.
func (s *Stream) deliver() {
	for {
		select {
		case <-s.c.clock.After(Gather):
		case <-s.c.hurry:
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
		s.append(s.stamp(s.c.clock.Now()), lost)
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
