package logs

import (
	"math"
	"regexp"
	"time"

	api "github.com/tierra-cloud/tierra/internal/gen/logs"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Limits of PutLogEvents.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
const (
	maxBatchBytes = 1 << 20
	eventOverhead = 26 // bytes that are counted for each event
	maxBatchSpan  = 24 * time.Hour
	maxEventAge   = 14 * 24 * time.Hour
	maxEventAhead = 2 * time.Hour
)

// Limits of a page of events.
const (
	maxPageBytes  = 1 << 20
	maxPageEvents = 10_000
)

// retentions are the days that PutRetentionPolicy takes.
var retentions = [...]int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func checkRetention(days int32) error {
	for _, d := range retentions {
		if d == days {
			return nil
		}
	}
	return api.InvalidParameterException("1 validation error detected: Value '%d' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: %v", days, retentions)
}

// batch is what a PutLogEvents may keep of its events: those from first to end.
type batch struct {
	first, end int
	bytes      int64
	rejected   *api.RejectedLogEventsInfo
}

// checkBatch checks a batch as a whole and finds the events that are too old or
// too new. oldest is the time before which the group keeps nothing.
func checkBatch(events []api.InputLogEvent, now, oldest int64) (batch, error) {
	size := 0
	for i := range events {
		size += len(*events[i].Message) + eventOverhead
		if i > 0 && *events[i].Timestamp < *events[i-1].Timestamp {
			return batch{}, api.InvalidParameterException("Log events in a single PutLogEvents request must be in chronological order.")
		}
	}
	if size > maxBatchBytes {
		return batch{}, api.InvalidParameterException("Upload too large: %d bytes exceeds limit of %d", size, maxBatchBytes)
	}
	if n := len(events); *events[n-1].Timestamp-*events[0].Timestamp > maxBatchSpan.Milliseconds() {
		return batch{}, api.InvalidParameterException("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	b := batch{end: len(events)}
	var rej api.RejectedLogEventsInfo
	tooOld := now - maxEventAge.Milliseconds()
	old, expired := 0, 0
	for i := range events {
		t := *events[i].Timestamp
		if t < tooOld {
			old = i + 1
		}
		if t < oldest {
			expired = i + 1
		}
		if t > now+maxEventAhead.Milliseconds() {
			b.end = i
			rej.TooNewLogEventStartIndex = new(int32(i))
			break
		}
	}
	rej.TooOldLogEventEndIndex, rej.ExpiredLogEventEndIndex = opt.NonZero(int32(old)), opt.NonZero(int32(expired))
	b.first = max(old, expired)
	if rej != (api.RejectedLogEventsInfo{}) {
		b.rejected = &rej
	}
	for _, e := range events[b.first:b.end] {
		b.bytes += int64(len(*e.Message) + eventOverhead)
	}
	return b, nil
}

// bounds reads the half-open range of time that a reading names; oldest is the
// time before which the group keeps nothing. FilterLogEvents, whose end is
// inclusive, adds one.
func bounds(start, end *int64, oldest int64) (from, to int64) {
	from, to = max(opt.Val(start), oldest), math.MaxInt64
	if end != nil {
		to = *end
	}
	return from, max(from, to)
}

// checkIdentifier refuses ARNs of groups that belong to another account or region.
func checkIdentifier(id *string, region, account string) error {
	if id == nil || !arn.Is(*id) {
		return nil
	}
	a, ok := arn.Parse(*id)
	if !ok || a.Service != "logs" {
		return api.InvalidParameterException("Invalid log group identifier: %s", *id)
	}
	if a.Account != account || a.Region != region {
		return api.ResourceNotFoundException("The specified log group does not exist.")
	}
	return nil
}

// namePattern is what logGroupNamePattern and similar may hold.
var namePattern = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]*$`)
