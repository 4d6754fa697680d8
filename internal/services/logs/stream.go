package logs

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) streamBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateLogStream, onStream("logs:CreateLogStream", func(in *api.CreateLogStreamRequest) (g, st *string) { return in.LogGroupName, in.LogStreamName }), s.createLogStream),
		call.Bind(api.DeleteLogStream, onStream("logs:DeleteLogStream", func(in *api.DeleteLogStreamRequest) (g, st *string) { return in.LogGroupName, in.LogStreamName }), s.deleteLogStream),
		call.Bind(api.DescribeLogStreams, onGroup("logs:DescribeLogStreams", func(in *api.DescribeLogStreamsRequest) *string {
			return either(in.LogGroupName, in.LogGroupIdentifier)
		}), s.describeLogStreams),
	}
}

func noStream() error {
	return api.ResourceNotFoundException("The specified log stream does not exist.")
}

// findStream reads a group and one of its streams.
func findStream(r data.Reader, a area, groupName, name string) (*group, *stream, error) {
	g, err := findGroup(r, a, groupName)
	if err != nil {
		return nil, nil, err
	}
	st, err := data.Load[stream](r, a.stream(g.ID, name))
	if err == nil && st == nil {
		err = noStream()
	}
	return g, st, err
}

// number is the stream's id as it stands in the keys of events.
func (st *stream) number() uint64 {
	n, _ := strconv.ParseUint(st.ID, 16, 64)
	return n
}

func (s *Service) createLogStream(ctx context.Context, rq *call.Authorized, in *api.CreateLogStreamRequest) (*call.None, error) {
	a := s.area(rq)
	st := stream{V: 1, Name: *in.LogStreamName, ID: hex.EncodeToString(s.ids.Bytes(8)), Created: s.now()}
	return &call.None{}, s.store.Update(ctx, func(t data.Txn) error {
		g, err := findGroup(t, a, *in.LogGroupName)
		if err != nil {
			return err
		}
		key := a.stream(g.ID, st.Name)
		if _, there, err := t.Get(key); err != nil || there {
			if err == nil {
				err = api.ResourceAlreadyExistsException("The specified log stream already exists")
			}
			return err
		}
		if err := t.Put(a.streamID(g.ID, st.ID), []byte(st.Name)); err != nil {
			return err
		}
		return data.Save(t, key, &st)
	})
}

func (s *Service) deleteLogStream(ctx context.Context, rq *call.Authorized, in *api.DeleteLogStreamRequest) (*call.None, error) {
	a := s.area(rq)
	return &call.None{}, s.store.Update(ctx, func(t data.Txn) error {
		g, st, err := findStream(t, a, *in.LogGroupName, *in.LogStreamName)
		if err != nil {
			return err
		}
		if err := t.Delete(a.stream(g.ID, st.Name)); err != nil {
			return err
		}
		if err := t.Delete(a.streamID(g.ID, st.ID)); err != nil {
			return err
		}
		if st.Next == 0 {
			return nil
		}
		return data.Save(t, a.trash(g.ID, st.ID), trash{V: 1, First: st.First, Last: st.Last})
	})
}

// maxStreamsPage is the default and greatest page of DescribeLogStreams.
const maxStreamsPage = 50

func (s *Service) describeLogStreams(ctx context.Context, rq *call.Authorized, in *api.DescribeLogStreamsRequest) (*api.DescribeLogStreamsResponse, error) {
	name, err := oneGroup(rq, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	byTime := opt.Val(in.OrderBy) == "LastEventTime"
	if byTime && in.LogStreamNamePrefix != nil {
		return nil, api.InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	after, err := afterToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	a, limit := s.area(rq), int(opt.Or(in.Limit, maxStreamsPage))
	var found []*stream
	list := s.streamsByName
	if byTime {
		list = s.streamsByTime
	}
	err = s.store.View(ctx, func(r data.Reader) error {
		g, err := findGroup(r, a, name)
		if err != nil {
			return err
		}
		found, err = list(r, a, g, opt.Val(in.LogStreamNamePrefix), after, opt.Val(in.Descending), limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.DescribeLogStreamsResponse{LogStreams: []api.LogStream{}}
	if len(found) > limit {
		found = found[:limit]
		last := found[limit-1].Name
		if byTime {
			last = timeKey(found[limit-1])
		}
		out.NextToken = new(page.Token(last))
	}
	for _, st := range found {
		l := api.LogStream{
			LogStreamName: &st.Name, CreationTime: &st.Created, Arn: new(streamARN(a.region, a.account, name, st.Name)),
			StoredBytes: new(int64(0)), // always 0 on AWS since 2019
		}
		if st.Next > 0 {
			l.FirstEventTimestamp, l.LastEventTimestamp, l.LastIngestionTime = &st.First, &st.Last, &st.Ingested
			l.UploadSequenceToken = new(sequenceToken(st))
		}
		out.LogStreams = append(out.LogStreams, l)
	}
	return out, nil
}

// streamsByName lists streams in the order of their names.
func (s *Service) streamsByName(r data.Reader, a area, g *group, prefix, after string, descending bool, limit int) ([]*stream, error) {
	from := a.streamsFrom(g.ID, prefix)
	to := data.PrefixEnd(from)
	if after != "" {
		if descending {
			to = a.stream(g.ID, after)
		} else {
			from = append(a.stream(g.ID, after), 0)
		}
	}
	var out []*stream
	for p, err := range r.Scan(from, to, descending) {
		if err != nil {
			return nil, err
		}
		st, err := data.Decode[stream](p)
		if err != nil {
			return nil, err
		}
		if out = append(out, st); len(out) == limit {
			break
		}
	}
	return out, nil
}

// timeKey orders streams by their last event, streams without events by their
// creation, and streams of the same time by name.
func timeKey(st *stream) string {
	t := st.Last
	if st.Next == 0 {
		t = st.Created
	}
	return fmt.Sprintf("%020d%s", t, st.Name)
}

// streamsByTime lists streams in the order of their last events. There is no
// index of that order, because every batch would rewrite it.
func (s *Service) streamsByTime(r data.Reader, a area, g *group, _, after string, descending bool, limit int) ([]*stream, error) {
	all, err := s.streamsByName(r, a, g, "", "", false, -1)
	if err != nil {
		return nil, err
	}
	order := cmp.Compare[string]
	if descending {
		order = func(x, y string) int { return strings.Compare(y, x) }
	}
	slices.SortFunc(all, func(x, y *stream) int { return order(timeKey(x), timeKey(y)) })
	if after != "" {
		i := slices.IndexFunc(all, func(st *stream) bool { return order(timeKey(st), after) > 0 })
		if i < 0 {
			return nil, nil
		}
		all = all[i:]
	}
	return all[:min(limit, len(all))], nil
}

// sequenceToken is what AWS still answers, though nothing needs it any more.
func sequenceToken(st *stream) string { return fmt.Sprintf("%056d", st.Next+1) }

// oneGroup returns the name of the group that a request means: exactly one of
// name and identifier must be given.
func oneGroup(rq *call.Authorized, name, identifier *string) (string, error) {
	switch {
	case name != nil && identifier != nil:
		return "", api.InvalidParameterException("Only one of logGroupName and logGroupIdentifier may be given.")
	case name == nil && identifier == nil:
		return "", api.InvalidParameterException("One of logGroupName and logGroupIdentifier is required.")
	case name != nil:
		return *name, nil
	}
	if err := checkIdentifier(identifier, rq.Region(), rq.Account()); err != nil {
		return "", err
	}
	return groupName(*identifier), nil
}
