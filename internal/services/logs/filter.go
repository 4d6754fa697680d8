package logs

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
	"github.com/tierra-cloud/tierra/internal/services/logs/pattern"
)

func (s *Service) filterBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.FilterLogEvents, onGroup("logs:FilterLogEvents", func(in *api.FilterLogEventsRequest) *string {
			return either(in.LogGroupName, in.LogGroupIdentifier)
		}), s.filterLogEvents),
		call.Bind(api.TestMetricFilter, call.Any[api.TestMetricFilterRequest]("logs:TestMetricFilter"), s.testMetricFilter),
	}
}

// maxScan bounds the events that one call looks at; the page's token goes on.
const maxScan = 100_000

func compile(p *string) (*pattern.Pattern, error) {
	c, err := pattern.Compile(opt.Val(p))
	if err != nil {
		return nil, api.InvalidParameterException("Invalid filter pattern: %s", err)
	}
	return c, nil
}

func (s *Service) filterLogEvents(ctx context.Context, rq *call.Authorized, in *api.FilterLogEventsRequest) (*api.FilterLogEventsResponse, error) {
	name, err := oneGroup(rq, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if len(in.LogStreamNames) > 0 && in.LogStreamNamePrefix != nil {
		return nil, api.InvalidParameterException("logStreamNames and logStreamNamePrefix may not both be given.")
	}
	if in.StartTime != nil && in.EndTime != nil && *in.StartTime > *in.EndTime {
		return nil, api.InvalidParameterException("The start time is after the end time.")
	}
	match, err := compile(in.FilterPattern)
	if err != nil {
		return nil, err
	}
	var cursor *place
	if in.NextToken != nil {
		after, err := afterToken(in.NextToken)
		b, herr := hex.DecodeString(after)
		if err != nil || herr != nil || len(b) != placeBytes {
			return nil, api.InvalidParameterException("The specified nextToken is invalid.")
		}
		cursor = new(placeOf(b))
	}
	a, limit := s.area(rq), int(opt.Or(in.Limit, maxPageEvents))
	out := &api.FilterLogEventsResponse{Events: []api.FilteredLogEvent{}, SearchedLogStreams: []api.SearchedLogStream{}}
	err = s.store.View(ctx, func(r data.Reader) error {
		out.Events = out.Events[:0]
		g, err := findGroup(r, a, name)
		if err != nil {
			return err
		}
		for _, n := range in.LogStreamNames {
			if _, _, err := findStream(r, a, name, n); err != nil {
				return err
			}
		}
		from, to := bounds(in.StartTime, in.EndTime, g.oldest(s.now()))
		if in.EndTime != nil && to < math.MaxInt64 {
			to++ // the end is inclusive
		}
		lo := place{time: from}
		if cursor != nil {
			lo = maxPlace(lo, *cursor)
		}
		names := streamNames{r: r, a: a, g: g, known: map[uint64]string{}, want: func(n string) bool {
			if len(in.LogStreamNames) > 0 {
				return slices.Contains(in.LogStreamNames, n)
			}
			return strings.HasPrefix(n, opt.Val(in.LogStreamNamePrefix))
		}}
		size, seen := 0, 0
		for e, err := range scanEvents(r, a, g.ID, lo, place{time: to}, false) {
			if err != nil {
				return err
			}
			stop := func() {
				out.NextToken = new(page.Token(hex.EncodeToString(e.at.bytes())))
			}
			if seen++; seen > maxScan {
				stop()
				return nil
			}
			stream, err := names.of(e.at.stream)
			if err != nil {
				return err
			}
			if stream == "" || !match.Match(e.message) {
				continue
			}
			if size += len(e.message) + eventOverhead; len(out.Events) == limit || size > maxPageBytes && len(out.Events) > 0 {
				stop()
				return nil
			}
			out.Events = append(out.Events, api.FilteredLogEvent{
				LogStreamName: &stream, Timestamp: &e.at.time, Message: &e.message, IngestionTime: &e.ingested, EventId: new(e.at.id()),
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// id is an event's id in the form of AWS: 56 decimal digits that order by time.
func (p place) id() string {
	return fmt.Sprintf("%056s", new(big.Int).SetBytes(p.bytes()[1:]).String())
}

// streamNames finds the names of streams by the ids in the keys of events; ""
// for one that was deleted or is not wanted.
type streamNames struct {
	r     data.Reader
	a     area
	g     *group
	want  func(name string) bool
	known map[uint64]string
}

func (n *streamNames) of(id uint64) (string, error) {
	if name, ok := n.known[id]; ok {
		return name, nil
	}
	h := strconv.FormatUint(id, 16)
	b, ok, err := n.r.Get(n.a.streamID(n.g.ID, strings.Repeat("0", 16-len(h))+h))
	if err != nil {
		return "", err
	}
	name := string(b)
	if !ok || !n.want(name) {
		name = ""
	}
	n.known[id] = name
	return name, nil
}

func (s *Service) testMetricFilter(_ context.Context, _ *call.Authorized, in *api.TestMetricFilterRequest) (*api.TestMetricFilterResponse, error) {
	match, err := compile(in.FilterPattern)
	if err != nil {
		return nil, err
	}
	out := &api.TestMetricFilterResponse{Matches: []api.MetricFilterMatchRecord{}}
	for i, m := range in.LogEventMessages {
		if match.Match(m) {
			out.Matches = append(out.Matches, api.MetricFilterMatchRecord{EventNumber: new(int64(i + 1)), EventMessage: &m, ExtractedValues: match.Extract(m)})
		}
	}
	return out, nil
}
