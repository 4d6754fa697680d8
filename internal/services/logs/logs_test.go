package logs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

func room(t *testing.T) (*calltest.World, *Service) {
	w := calltest.New()
	store := mem.New()
	t.Cleanup(func() { store.Close() })
	s := New(Deps{Store: store, Clock: w.Clock, IDs: w.IDs})
	w.Plug(s)
	return w, s
}

func TestScripts(t *testing.T) {
	for _, name := range []string{"groups", "events"} {
		t.Run(name, func(t *testing.T) {
			w, _ := room(t)
			calltest.Script(t, "testdata/"+name+".txt", w, nil)
		})
	}
}

// write makes a group and a stream if need be, and puts one event a message.
func write(t *testing.T, w *calltest.World, group, stream string, messages ...string) {
	t.Helper()
	_, err := calltest.Do(w, api.CreateLogGroup, &api.CreateLogGroupRequest{LogGroupName: &group})
	if err != nil && !fault.Is(err, "ResourceAlreadyExistsException") {
		t.Fatal(err)
	}
	_, err = calltest.Do(w, api.CreateLogStream, &api.CreateLogStreamRequest{LogGroupName: &group, LogStreamName: &stream})
	if err != nil && !fault.Is(err, "ResourceAlreadyExistsException") {
		t.Fatal(err)
	}
	now := w.Clock.Now().UnixMilli()
	in := &api.PutLogEventsRequest{LogGroupName: &group, LogStreamName: &stream}
	for _, m := range messages {
		in.LogEvents = append(in.LogEvents, api.InputLogEvent{Timestamp: &now, Message: &m})
	}
	calltest.Must(t, w, api.PutLogEvents, in)
}

func messages(t *testing.T, w *calltest.World, group string) string {
	t.Helper()
	out := calltest.Must(t, w, api.FilterLogEvents, &api.FilterLogEventsRequest{LogGroupName: &group})
	var all []string
	for _, e := range out.Events {
		all = append(all, *e.Message)
	}
	return strings.Join(all, " ")
}

// TestPages reads a stream in pages, forward and backward, and a group with a
// filter; every event comes once, and a token that leads to nothing is its own:
// whether events came one by one or together.
func TestPages(t *testing.T) {
	for _, together := range []int{1, 2, 7, 25} {
		t.Run(fmt.Sprint(together), func(t *testing.T) { testPages(t, together) })
	}
}

func testPages(t *testing.T, together int) {
	w, s := room(t)
	var want, batch []string
	records := 0
	for i := range 25 {
		m := fmt.Sprintf("m%02d", i)
		want = append(want, m)
		if batch = append(batch, m); len(batch) == together || i == 24 {
			write(t, w, "g", "s", batch...)
			batch = nil
			records++
		}
		write(t, w, "g", "noise", "noise")
		if i%3 == 0 {
			w.Clock.Advance(time.Second)
		}
	}
	if n := count(t, s); n != records+25 {
		t.Errorf("%d records, want %d", n, records+25)
	}
	collect := func(head bool) []string {
		var got []string
		in := &api.GetLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s"), StartFromHead: &head, Limit: new(int32(4))}
		for range 20 {
			out := calltest.Must(t, w, api.GetLogEvents, in)
			var pageOf []string
			for _, e := range out.Events {
				pageOf = append(pageOf, *e.Message)
			}
			next := out.NextForwardToken
			if head {
				got = append(got, pageOf...)
			} else {
				got = append(pageOf, got...)
				next = out.NextBackwardToken
			}
			if in.NextToken != nil && *next == *in.NextToken {
				if len(pageOf) != 0 {
					t.Errorf("events came with the token that ends: %v", pageOf)
				}
				return got
			}
			in.NextToken = next
		}
		t.Fatal("the tokens do not end")
		return nil
	}
	for _, head := range []bool{true, false} {
		if got := collect(head); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("from head %v: %v", head, got)
		}
	}

	var got []string
	in := &api.FilterLogEventsRequest{LogGroupName: new("g"), FilterPattern: new("-noise"), Limit: new(int32(4))}
	for {
		out := calltest.Must(t, w, api.FilterLogEvents, in)
		for _, e := range out.Events {
			got = append(got, *e.Message)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("filtered: %v", got)
	}
}

// TestForwardTokenGoesOn tells that a token at the end finds what comes later.
func TestForwardTokenGoesOn(t *testing.T) {
	w, _ := room(t)
	write(t, w, "g", "s", "one")
	in := &api.GetLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s"), StartFromHead: new(true)}
	in.NextToken = calltest.Must(t, w, api.GetLogEvents, in).NextForwardToken
	if out := calltest.Must(t, w, api.GetLogEvents, in); len(out.Events) != 0 || *out.NextForwardToken != *in.NextToken {
		t.Errorf("at the end: %s", calltest.JSON(out))
	}
	write(t, w, "g", "s", "two")
	if out := calltest.Must(t, w, api.GetLogEvents, in); len(out.Events) != 1 || *out.Events[0].Message != "two" {
		t.Errorf("later: %s", calltest.JSON(out))
	}
}

func TestBatchLimits(t *testing.T) {
	w, _ := room(t)
	write(t, w, "g", "s", "first")
	now := w.Clock.Now().UnixMilli()
	put := func(events ...api.InputLogEvent) error {
		_, err := calltest.Do(w, api.PutLogEvents, &api.PutLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s"), LogEvents: events})
		return err
	}
	fits := strings.Repeat("x", maxBatchBytes-eventOverhead)
	if err := put(api.InputLogEvent{Timestamp: &now, Message: &fits}); err != nil {
		t.Error(err)
	}
	if err := put(api.InputLogEvent{Timestamp: &now, Message: new(fits + "x")}); !fault.Is(err, "InvalidParameterException") {
		t.Errorf("a batch over the limit: %v", err)
	}
	many := make([]api.InputLogEvent, 10_001)
	for i := range many {
		many[i] = api.InputLogEvent{Timestamp: &now, Message: new("x")}
	}
	if err := put(many...); !fault.Is(err, "InvalidParameterException") {
		t.Errorf("too many events: %v", err)
	}
	if err := put(many[:10_000]...); err != nil {
		t.Error(err)
	}
}

// TestRetention moves the clock past what a group keeps: reads hide it at once,
// the worker deletes it.
func TestRetention(t *testing.T) {
	w, s := room(t)
	write(t, w, "g", "s", "old")
	write(t, w, "forever", "s", "old")
	calltest.Must(t, w, api.PutRetentionPolicy, &api.PutRetentionPolicyRequest{LogGroupName: new("g"), RetentionInDays: new(int32(1))})
	w.Clock.Advance(23 * time.Hour)
	write(t, w, "g", "s", "new")
	if got := messages(t, w, "g"); got != "old new" {
		t.Errorf("before: %q", got)
	}
	w.Clock.Advance(2 * time.Hour)
	if got := messages(t, w, "g"); got != "new" {
		t.Errorf("after: %q", got)
	}
	if n := count(t, s); n != 3 {
		t.Fatalf("%d events are stored", n)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Clock.Sleepers(1) // it sleeps when the sweep is done
	if n := count(t, s); n != 2 {
		t.Errorf("%d events are stored after the sweep", n)
	}
	w.Clock.Advance(23 * time.Hour)
	w.Clock.Sleepers(1)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := messages(t, w, "forever"); got != "old" {
		t.Errorf("without a policy: %q", got)
	}
	out := calltest.Must(t, w, api.DescribeLogGroups, &api.DescribeLogGroupsRequest{LogGroupNamePrefix: new("g")})
	if *out.LogGroups[0].StoredBytes != 0 {
		t.Errorf("stored bytes: %d", *out.LogGroups[0].StoredBytes)
	}
}

// TestExpired tells that what a group would not keep is not taken.
func TestExpired(t *testing.T) {
	w, _ := room(t)
	write(t, w, "g", "s", "x")
	calltest.Must(t, w, api.PutRetentionPolicy, &api.PutRetentionPolicyRequest{LogGroupName: new("g"), RetentionInDays: new(int32(1))})
	at := w.Clock.Now().Add(-25 * time.Hour).UnixMilli()
	out := calltest.Must(t, w, api.PutLogEvents, &api.PutLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s"), LogEvents: []api.InputLogEvent{{Timestamp: &at, Message: new("y")}}})
	if r := out.RejectedLogEventsInfo; r == nil || r.ExpiredLogEventEndIndex == nil || *r.ExpiredLogEventEndIndex != 1 {
		t.Errorf("rejected: %s", calltest.JSON(out))
	}
}

// TestDeletedIsGone tells that a group made anew under an old name is empty, and
// that the sweep leaves no record of what was deleted.
func TestDeletedIsGone(t *testing.T) {
	w, s := room(t)
	write(t, w, "g", "s", "a", "b")
	write(t, w, "h", "s", "c", "d")
	write(t, w, "h", "t", "e")
	calltest.Must(t, w, api.DeleteLogGroup, &api.DeleteLogGroupRequest{LogGroupName: new("g")})
	calltest.Must(t, w, api.DeleteLogStream, &api.DeleteLogStreamRequest{LogGroupName: new("h"), LogStreamName: new("s")})
	write(t, w, "g", "s", "new")
	if got := messages(t, w, "g") + "|" + messages(t, w, "h"); got != "new|e" {
		t.Errorf("left: %q", got)
	}
	if err := s.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := messages(t, w, "g") + "|" + messages(t, w, "h"); got != "new|e" {
		t.Errorf("left after the sweep: %q", got)
	}
	// Two groups, two streams with their ids, two events.
	if n := countAll(t, s); n != 8 {
		t.Errorf("%d records are left", n)
	}
}

func count(t *testing.T, s *Service) (n int) {
	t.Helper()
	a := area{calltest.Account, calltest.Region}
	return scan(t, s, a.key("event"))
}

func countAll(t *testing.T, s *Service) int { return scan(t, s, everything()) }

func scan(t *testing.T, s *Service, prefix []byte) (n int) {
	t.Helper()
	err := s.store.View(context.Background(), func(r data.Reader) error {
		for _, err := range r.Scan(prefix, data.PrefixEnd(prefix), false) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLiveTail(t *testing.T) {
	w, _ := room(t)
	write(t, w, "g", "s", "before")
	out := calltest.Must(t, w, api.StartLiveTail, &api.StartLiveTailRequest{
		LogGroupIdentifiers: []string{groupARN(calltest.Region, calltest.Account, "g")}, LogEventFilterPattern: new("ERROR"),
	})
	type sent struct {
		member string
		event  any
	}
	events := make(chan sent)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- out.ResponseStream(ctx, func(member string, event any) error {
			events <- sent{member, event}
			return nil
		})
	}()
	if e := <-events; e.member != "sessionStart" {
		t.Errorf("first event: %s", e.member)
	}
	w.Clock.Sleepers(2)
	write(t, w, "g", "s", "fine", "an ERROR")
	w.Clock.Advance(tailEvery)
	u, ok := (<-events).event.(*api.LiveTailSessionUpdate)
	if !ok || len(u.SessionResults) != 1 || *u.SessionResults[0].Message != "an ERROR" {
		t.Errorf("update: %s", calltest.JSON(u))
	}
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("the end: %v", err)
	}
}

// TestLargeTogether has events of one time that are too large for one record.
func TestLargeTogether(t *testing.T) {
	w, s := room(t)
	var all []string
	for i := range 10 {
		all = append(all, fmt.Sprint(i)+strings.Repeat("x", 10<<10))
	}
	write(t, w, "g", "s", all...)
	if n := count(t, s); n != 4 {
		t.Errorf("%d records", n)
	}
	if got := messages(t, w, "g"); got != strings.Join(all, " ") {
		t.Errorf("%d bytes came back", len(got))
	}
}

func FuzzDecodeEvents(f *testing.F) {
	key := area{"1", "r"}.event("g", place{1, 2, 3})
	now, one, two := int64(1), "one", ""
	f.Add(encodeEvents(7, []api.InputLogEvent{{Timestamp: &now, Message: &one}}))
	f.Add(encodeEvents(7, []api.InputLogEvent{{Timestamp: &now, Message: &one}, {Timestamp: &now, Message: &two}}))
	f.Fuzz(func(t *testing.T, value []byte) {
		all, err := decodeEvents(nil, data.Pair{Key: key, Value: value})
		if err != nil || len(all) == 0 {
			return
		}
		var in []api.InputLogEvent
		for i := range all {
			if e := all[i]; e.at != (place{1, 2, 3 + uint64(i)}) || e.ingested != all[0].ingested {
				t.Errorf("%d: %+v", i, e)
			}
			in = append(in, api.InputLogEvent{Timestamp: &now, Message: &all[i].message})
		}
		again, err := decodeEvents(nil, data.Pair{Key: key, Value: encodeEvents(all[0].ingested, in)})
		if err != nil || !slices.Equal(again, all) {
			t.Errorf("%q: %v, %+v became %+v", value, err, all, again)
		}
	})
}

func FuzzEventToken(f *testing.F) {
	f.Add("f/000000000000000000000000000000000000000000000000/s")
	f.Add("b/zz/s")
	f.Fuzz(func(t *testing.T, token string) {
		direction, at, err := readEventToken(token)
		if err == nil && !strings.EqualFold(*eventToken(direction, at), token) {
			t.Errorf("%q is read as %v", token, at)
		}
	})
}
