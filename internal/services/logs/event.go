package logs

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) eventBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.PutLogEvents, onStream("logs:PutLogEvents", func(in *api.PutLogEventsRequest) (g, st *string) { return in.LogGroupName, in.LogStreamName }), s.putLogEvents),
		call.Bind(api.GetLogEvents, onStream("logs:GetLogEvents", func(in *api.GetLogEventsRequest) (g, st *string) {
			return either(in.LogGroupName, in.LogGroupIdentifier), in.LogStreamName
		}), s.getLogEvents),
	}
}

func (s *Service) putLogEvents(ctx context.Context, rq *call.Authorized, in *api.PutLogEventsRequest) (*api.PutLogEventsResponse, error) {
	a, now := s.area(rq), s.now()
	out := &api.PutLogEventsResponse{}
	if in.Entity != nil {
		out.RejectedEntityInfo = &api.RejectedEntityInfo{ErrorType: new("UnsupportedLogGroupType")}
	}
	var b batch
	var st *stream
	err := s.store.Update(ctx, func(t data.Txn) error {
		g, found, err := findStream(t, a, *in.LogGroupName, *in.LogStreamName)
		if err != nil {
			return err
		}
		st = found
		if b, err = checkBatch(in.LogEvents, now, g.oldest(now)); err != nil {
			return err
		}
		out.RejectedLogEventsInfo = b.rejected
		keep := in.LogEvents[b.first:max(b.first, b.end)]
		if len(keep) == 0 {
			return nil
		}
		if first := *keep[0].Timestamp; st.Next == 0 || first < st.First {
			st.First = first
		}
		st.Last = max(st.Last, *keep[len(keep)-1].Timestamp)
		for rest := keep; len(rest) > 0; {
			n := together(rest)
			at := place{*rest[0].Timestamp, st.number(), st.Next}
			if err := t.Put(a.event(g.ID, at), encodeEvents(now, rest[:n])); err != nil {
				return err
			}
			st.Next += uint64(n)
			rest = rest[n:]
		}
		st.Ingested, st.Bytes = now, st.Bytes+b.bytes
		return data.Save(t, a.stream(g.ID, st.Name), st)
	})
	if err != nil {
		return nil, err
	}
	out.NextSequenceToken = new(sequenceToken(st))
	s.tail.publish(a, *in.LogGroupName, st.Name, now, in.LogEvents[b.first:max(b.first, b.end)])
	return out, nil
}

// Tokens of GetLogEvents: "f/" or "b/" and a place, in hexadecimal digits. A
// forward token stands before the events that it goes on with, a backward token
// after them; one that leads to nothing is answered with itself.
func eventToken(direction string, at place) *string {
	return new(direction + "/" + hex.EncodeToString(at.bytes()) + "/s")
}

func readEventToken(token string) (direction string, at place, err error) {
	direction, rest, _ := strings.Cut(token, "/")
	raw, ok := strings.CutSuffix(rest, "/s")
	b, herr := hex.DecodeString(raw)
	if !ok || herr != nil || len(b) != placeBytes || direction != "f" && direction != "b" {
		return "", place{}, api.InvalidParameterException("The specified nextToken is invalid.")
	}
	return direction, placeOf(b), nil
}

func (s *Service) getLogEvents(ctx context.Context, rq *call.Authorized, in *api.GetLogEventsRequest) (*api.GetLogEventsResponse, error) {
	name, err := oneGroup(rq, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	forward, cursor := opt.Val(in.StartFromHead), (*place)(nil)
	if in.NextToken != nil {
		direction, at, err := readEventToken(*in.NextToken)
		if err != nil {
			return nil, err
		}
		forward, cursor = direction == "f", &at
	}
	a, limit := s.area(rq), int(opt.Or(in.Limit, maxPageEvents))
	var events []event
	var lo, hi place
	err = s.store.View(ctx, func(r data.Reader) error {
		g, st, err := findStream(r, a, name, *in.LogStreamName)
		if err != nil {
			return err
		}
		from, to := bounds(in.StartTime, in.EndTime, g.oldest(s.now()))
		// The stream's own bounds spare the rest of the group.
		from, to = max(from, st.First), min(to, st.Last+1)
		lo, hi = place{time: from}, place{time: max(from, to)}
		if cursor != nil {
			if forward {
				lo = maxPlace(lo, *cursor)
			} else {
				hi = minPlace(hi, *cursor)
			}
		}
		if st.Next == 0 {
			return nil
		}
		events, err = readPage(r, a, g, lo, hi, !forward, limit, func(e *event) bool { return e.at.stream == st.number() })
		return err
	})
	if err != nil {
		return nil, err
	}
	if !forward {
		slices.Reverse(events)
	}
	out := &api.GetLogEventsResponse{Events: []api.OutputLogEvent{}}
	for i := range events {
		e := &events[i]
		out.Events = append(out.Events, api.OutputLogEvent{Timestamp: &e.at.time, Message: &e.message, IngestionTime: &e.ingested})
	}
	switch {
	case len(events) > 0:
		out.NextBackwardToken = eventToken("b", events[0].at)
		out.NextForwardToken = eventToken("f", events[len(events)-1].at.after())
	case cursor != nil:
		out.NextBackwardToken, out.NextForwardToken = eventToken("b", *cursor), eventToken("f", *cursor)
	default:
		out.NextBackwardToken, out.NextForwardToken = eventToken("b", lo), eventToken("f", lo)
	}
	return out, nil
}

func maxPlace(x, y place) place {
	if less(x, y) {
		return y
	}
	return x
}

func minPlace(x, y place) place {
	if less(x, y) {
		return x
	}
	return y
}

func less(x, y place) bool {
	return cmp.Or(cmp.Compare(x.time, y.time), cmp.Compare(x.stream, y.stream), cmp.Compare(x.sequence, y.sequence)) < 0
}

// readPage reads events of a group between two places, as many as fit a page.
func readPage(r data.Reader, a area, g *group, lo, hi place, reverse bool, limit int, want func(*event) bool) ([]event, error) {
	if !less(lo, hi) {
		return nil, nil
	}
	var out []event
	size := 0
	for e, err := range scanEvents(r, a, g.ID, lo, hi, reverse) {
		if err != nil {
			return nil, err
		}
		if !want(e) {
			continue
		}
		if size += len(e.message) + eventOverhead; size > maxPageBytes && len(out) > 0 {
			break
		}
		if out = append(out, *e); len(out) == limit {
			break
		}
	}
	return out, nil
}
