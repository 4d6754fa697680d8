package lambda

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// Lines of a function's log are gathered for a moment and then delivered to
// CloudWatch Logs as the function's role, which needs the permissions for it.
const (
	gather       = 200 * time.Millisecond
	maxBuffered  = 8 << 20 // bytes of lines that wait; more are dropped, and that is said
	batchBytes   = 1 << 20
	batchEvents  = 10_000
	lineOverhead = 26 // bytes that CloudWatch Logs counts for an event
	deliveries   = 3  // tries of a batch
)

// logStream is the log stream of one environment.
type logStream struct {
	p           *plane
	k           key
	role        string
	group, name string

	mu      sync.Mutex
	lines   []logs.InputLogEvent
	size    int
	dropped int
	running bool
	created bool // only the goroutine that delivers looks at it
}

// add takes lines of one time. It never waits.
func (l *logStream) add(at time.Time, lines ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ms *int64 // they share it
	for _, line := range lines {
		n := len(line) + 1 + lineOverhead
		if l.size+n > maxBuffered {
			l.dropped++
			continue
		}
		if ms == nil {
			ms = l.stamp(at)
		}
		l.append(ms, line)
	}
	if !l.running {
		l.running = l.p.work.Go(l.deliver)
	}
}

// stamp is the timestamp of lines that are appended: a batch must be in order.
func (l *logStream) stamp(at time.Time) *int64 {
	ms := at.UnixMilli()
	if n := len(l.lines); n > 0 {
		if last := l.lines[n-1].Timestamp; ms <= *last {
			return last
		}
	}
	return &ms
}

func (l *logStream) append(at *int64, line string) {
	l.lines = append(l.lines, logs.InputLogEvent{Timestamp: at, Message: new(line + "\n")})
	l.size += len(line) + 1 + lineOverhead
}

// deliver delivers what waits until nothing does.
func (l *logStream) deliver() {
	for {
		select {
		case <-l.p.s.clock.After(gather):
		case <-l.p.closing:
		}
		for {
			batch := l.batch()
			if len(batch) == 0 {
				break
			}
			l.put(batch)
		}
		l.mu.Lock()
		if len(l.lines) == 0 {
			l.running = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
}

// batch takes as many lines as one call may carry.
func (l *logStream) batch() []logs.InputLogEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, size := 0, 0
	for n < len(l.lines) && n < batchEvents {
		if size += len(*l.lines[n].Message) + lineOverhead; size > batchBytes {
			break
		}
		n++
	}
	out := l.lines[:n:n]
	l.lines = l.lines[n:]
	for _, e := range out {
		l.size -= len(*e.Message) + lineOverhead
	}
	if len(l.lines) == 0 {
		l.lines = nil
	}
	if l.dropped > 0 {
		lost := fmt.Sprintf("[%d lines were dropped: the log was written faster than it could be kept]", l.dropped)
		l.dropped = 0
		l.append(l.stamp(l.p.s.clock.Now()), lost)
	}
	return out
}

// put delivers a batch. A role that may not write logs has none, as on AWS.
func (l *logStream) put(batch []logs.InputLogEvent) {
	ctx := context.Background()
	as := call.AsRole(l.role, l.k.session(), principal, l.k.region)
	c := l.p.s.caller
	for range deliveries {
		if !l.created {
			_, err := call.Do(ctx, c, as, logs.CreateLogStream, &logs.CreateLogStreamRequest{LogGroupName: &l.group, LogStreamName: &l.name})
			if fault.Is(err, "ResourceNotFoundException") {
				if _, err = call.Do(ctx, c, as, logs.CreateLogGroup, &logs.CreateLogGroupRequest{LogGroupName: &l.group}); err == nil || fault.Is(err, "ResourceAlreadyExistsException") {
					continue
				}
			}
			if err != nil && !fault.Is(err, "ResourceAlreadyExistsException") {
				return
			}
			l.created = true
		}
		_, err := call.Do(ctx, c, as, logs.PutLogEvents, &logs.PutLogEventsRequest{LogGroupName: &l.group, LogStreamName: &l.name, LogEvents: batch})
		if !fault.Is(err, "ResourceNotFoundException") {
			return
		}
		l.created = false // somebody deleted it
	}
}

// tailBytes is how much of the log an Invoke with LogType Tail returns.
const tailBytes = 4 << 10

// tail keeps the end of an invocation's log. A nil tail has nothing.
type tail struct{ buf bytes.Buffer }

func (t *tail) add(line string) {
	t.buf.WriteString(line)
	t.buf.WriteByte('\n')
	if over := t.buf.Len() - tailBytes; over > tailBytes {
		t.buf.Next(over)
	}
}

func (t *tail) bytes() []byte {
	if t == nil {
		return nil
	}
	b := t.buf.Bytes()
	return b[max(0, len(b)-tailBytes):]
}
