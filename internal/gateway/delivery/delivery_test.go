package delivery

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// groups is a room with as much of CloudWatch Logs as deliveries need.
type groups struct {
	mu      sync.Mutex
	streams map[string]map[string][]string // by group and stream
	batches int
	gate    chan struct{} // each batch takes one; nil lets all through
}

func (g *groups) Model() *model.Service { return &logs.Model }

func (g *groups) Bindings() []call.Binding {
	return []call.Binding{
		call.Bind(logs.CreateLogGroup, call.Any[logs.CreateLogGroupRequest]("logs:CreateLogGroup"), func(_ context.Context, _ *call.Authorized, in *logs.CreateLogGroupRequest) (*call.None, error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.streams[*in.LogGroupName] = map[string][]string{}
			return &call.None{}, nil
		}),
		call.Bind(logs.CreateLogStream, call.Any[logs.CreateLogStreamRequest]("logs:CreateLogStream"), func(_ context.Context, _ *call.Authorized, in *logs.CreateLogStreamRequest) (*call.None, error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.streams[*in.LogGroupName] == nil {
				return nil, logs.ResourceNotFoundException("The specified log group does not exist.")
			}
			g.streams[*in.LogGroupName][*in.LogStreamName] = nil
			return &call.None{}, nil
		}),
		call.Bind(logs.PutLogEvents, call.Any[logs.PutLogEventsRequest]("logs:PutLogEvents"), func(_ context.Context, _ *call.Authorized, in *logs.PutLogEventsRequest) (*logs.PutLogEventsResponse, error) {
			if g.gate != nil {
				<-g.gate
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			s := g.streams[*in.LogGroupName]
			if s == nil {
				return nil, logs.ResourceNotFoundException("The specified log group does not exist.")
			}
			g.batches++
			for _, e := range in.LogEvents {
				s[*in.LogStreamName] = append(s[*in.LogStreamName], *e.Message)
			}
			return &logs.PutLogEventsResponse{}, nil
		}),
	}
}

func (g *groups) lines(group, stream string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.streams[group][stream]
}

// root writes as the account's root.
func root(w *calltest.World) func(context.Context) (call.As, bool) {
	return func(context.Context) (call.As, bool) { return w.As, true }
}

func TestDelivery(t *testing.T) {
	w, g := calltest.New(), &groups{streams: map[string]map[string][]string{}}
	w.Plug(g)
	c := New(w.Clock, w.Board)
	s := c.Stream("here", "g", "s", root(w))
	s.Add(Event{w.Clock.Now(), "one"}, Event{w.Clock.Now(), "two"})
	s.Add(Event{w.Clock.Now().Add(-time.Hour), "three"})
	w.Clock.Sleepers(1)
	if got := g.lines("g", "s"); got != nil {
		t.Errorf("before the moment is over: %q", got)
	}
	w.Clock.Advance(Gather)
	// The end waits for what is under way.
	none := c.Stream("here", "none", "s", func(context.Context) (call.As, bool) { return call.As{}, false })
	none.Add(Event{w.Clock.Now(), "lost"})
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(g.lines("g", "s"), "|"); got != "one|two|three" || g.batches != 1 {
		t.Errorf("%q in %d batches", got, g.batches)
	}
	if g.streams["none"] != nil {
		t.Error("somebody who may not has made a group")
	}
	s.Add(Event{w.Clock.Now(), "late"})
	if got := g.lines("g", "s"); len(got) != 3 {
		t.Errorf("after the end: %q", got)
	}
}

// TestFlood: what cannot be kept is dropped and counted, and nobody waits.
func TestFlood(t *testing.T) {
	w, g := calltest.New(), &groups{streams: map[string]map[string][]string{}, gate: make(chan struct{})}
	w.Plug(g)
	c := New(w.Clock, w.Board)
	s := c.Stream("here", "g", "s", root(w))
	line := strings.Repeat("x", maxMessage+1)
	for range 20 {
		s.Add(Event{w.Clock.Now(), line})
	}
	close(g.gate)
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := g.lines("g", "s")
	if last := got[len(got)-1]; len(got) != 17 || !strings.HasPrefix(last, "[4 lines were dropped") {
		t.Errorf("%d lines, the last %.80q", len(got), last)
	}
	for _, l := range got {
		if len(l) > maxMessage {
			t.Errorf("a line of %d bytes", len(l))
		}
	}
}

// TestDeleted: a group that somebody deletes comes again with the next batch.
func TestDeleted(t *testing.T) {
	w, g := calltest.New(), &groups{streams: map[string]map[string][]string{}}
	w.Plug(g)
	c := New(w.Clock, w.Board)
	s := c.Stream("here", "g", "s", root(w))
	s.put(nil)
	delete(g.streams, "g")
	s.Add(Event{w.Clock.Now(), "one"})
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := g.lines("g", "s"); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// TestOpen: a stream of one's own, in the background of who opens it.
func TestOpen(t *testing.T) {
	w, g := calltest.New(), &groups{streams: map[string]map[string][]string{}}
	w.Plug(g)
	hurry := make(chan struct{})
	var work sync.WaitGroup
	late := false
	c := Under(w.Clock, w.Board, func(deliver func()) bool {
		if !late {
			work.Go(deliver)
		}
		return !late
	}, hurry)
	s, other := c.Open("g", "s", w.As), c.Open("g", "s", w.As)
	if s == other {
		t.Error("it is somebody else's")
	}
	s.Write(w.Clock.Now(), "one", "two")
	if !s.Waits() {
		t.Error("nothing waits")
	}
	close(hurry)
	work.Wait()
	if got := strings.Join(g.lines("g", "s"), "|"); got != "one\n|two\n" || s.Waits() {
		t.Errorf("%q", got)
	}
	late = true
	s.Write(w.Clock.Now(), "late")
	if s.Waits() || len(g.lines("g", "s")) != 2 {
		t.Error("it waits for what does not come")
	}
}
