package logs

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/logs/pattern"
)

func (s *Service) tailBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.StartLiveTail, call.Rule(func(_ context.Context, rq *call.Decoded, in *api.StartLiveTailRequest) ([]call.Need, error) {
			var needs []call.Need
			for _, id := range in.LogGroupIdentifiers {
				needs = append(needs, call.Need{Action: "logs:StartLiveTail", Resource: streamARN(rq.Region(), rq.Account(), groupName(id), "")})
			}
			return needs, nil
		}, "logs:StartLiveTail"), s.startLiveTail),
	}
}

// Limits of a live tail.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html
const (
	tailSession = 3 * time.Hour
	tailEvery   = time.Second
	tailUpdate  = 500 // events in one update; more are sampled
)

// tail knows the sessions that are under way.
type tail struct {
	mu       sync.Mutex
	sessions map[*session]bool
	closed   bool
}

// session is one live tail.
type session struct {
	area     area
	groups   []string
	streams  []string
	prefixes []string
	match    *pattern.Pattern
	end      chan struct{}

	mu      sync.Mutex
	pending []api.LiveTailSessionLogEvent
	sampled bool
}

func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for s := range t.sessions {
		close(s.end)
		delete(t.sessions, s)
	}
}

func (t *tail) add(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		close(s.end)
		return
	}
	if t.sessions == nil {
		t.sessions = map[*session]bool{}
	}
	t.sessions[s] = true
}

func (t *tail) remove(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sessions, s)
}

// publish hands new events to the sessions. It never waits for them.
func (t *tail) publish(a area, group, stream string, now int64, events []api.InputLogEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.sessions {
		if s.area == a && s.wants(group, stream) {
			s.take(group, stream, now, events)
		}
	}
}

func (s *session) wants(group, stream string) bool {
	if !slices.Contains(s.groups, group) {
		return false
	}
	if len(s.streams) == 0 && len(s.prefixes) == 0 {
		return true
	}
	return slices.Contains(s.streams, stream) || slices.ContainsFunc(s.prefixes, func(p string) bool { return strings.HasPrefix(stream, p) })
}

func (s *session) take(group, stream string, now int64, events []api.InputLogEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		if !s.match.Match(*e.Message) {
			continue
		}
		if len(s.pending) == tailUpdate {
			s.sampled = true
			return
		}
		s.pending = append(s.pending, api.LiveTailSessionLogEvent{
			LogStreamName: new(stream), LogGroupIdentifier: new(s.area.account + ":" + group),
			Message: e.Message, Timestamp: e.Timestamp, IngestionTime: new(now),
		})
	}
}

func (s *session) update() *api.LiveTailSessionUpdate {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &api.LiveTailSessionUpdate{SessionMetadata: &api.LiveTailSessionMetadata{Sampled: new(s.sampled)}, SessionResults: s.pending}
	if u.SessionResults == nil {
		u.SessionResults = []api.LiveTailSessionLogEvent{}
	}
	s.pending, s.sampled = nil, false
	return u
}

func (s *Service) startLiveTail(ctx context.Context, rq *call.Authorized, in *api.StartLiveTailRequest) (*api.StartLiveTailResponse, error) {
	match, err := compile(in.LogEventFilterPattern)
	if err != nil {
		return nil, err
	}
	if (len(in.LogStreamNames) > 0 || len(in.LogStreamNamePrefixes) > 0) && len(in.LogGroupIdentifiers) != 1 {
		return nil, api.InvalidParameterException("logStreamNames and logStreamNamePrefixes need exactly one log group.")
	}
	t := &session{area: s.area(rq), streams: in.LogStreamNames, prefixes: in.LogStreamNamePrefixes, match: match, end: make(chan struct{})}
	for _, id := range in.LogGroupIdentifiers {
		if !arn.Is(id) {
			return nil, api.InvalidParameterException("Log group identifiers must be ARNs: %s", id)
		}
		if err := checkIdentifier(&id, rq.Region(), rq.Account()); err != nil {
			return nil, err
		}
		t.groups = append(t.groups, groupName(id))
	}
	err = s.store.View(ctx, func(r data.Reader) error {
		for _, g := range t.groups {
			if _, err := findGroup(r, t.area, g); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	start := &api.LiveTailSessionStart{
		RequestId: new(rq.RequestID()), SessionId: new(s.ids.UUID()), LogGroupIdentifiers: in.LogGroupIdentifiers,
		LogStreamNames: in.LogStreamNames, LogStreamNamePrefixes: in.LogStreamNamePrefixes, LogEventFilterPattern: new(opt.Val(in.LogEventFilterPattern)),
	}
	return &api.StartLiveTailResponse{ResponseStream: func(ctx context.Context, send func(string, any) error) error {
		s.tail.add(t)
		defer s.tail.remove(t)
		if err := send("sessionStart", start); err != nil {
			return err
		}
		over := s.clock.After(tailSession)
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-t.end:
				return nil
			case <-over:
				return send("SessionTimeoutException", api.SessionTimeoutException("The session has ended after three hours."))
			case <-s.clock.After(tailEvery):
				if err := send("sessionUpdate", t.update()); err != nil {
					return err
				}
			}
		}
	}}, nil
}
