package logs

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/logs"
)

// Keys, all below "logs", account and region:
//
//	group  <name>                      group
//	stream <group id> <name>           stream
//	id     <group id> <stream id>      the stream's name
//	event  <group id> + time, stream id, sequence (8 bytes each, big endian): events of that time
//	trash  <group id> [stream id]      what is left to delete
//
// Events stand in the order of time, over all streams of their group. Groups and
// streams have ids that are never used again, so that a name can be used anew
// while what was deleted still waits for the sweep.

// group is the record of a log group. Times are milliseconds since 1970.
type group struct {
	V         int               `json:"v"`
	Name      string            `json:"name"`
	ID        string            `json:"id"`
	Created   int64             `json:"created"`
	Days      int32             `json:"days,omitempty"` // retention; 0 keeps for ever
	Protected bool              `json:"protected,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
}

// oldest is the time before which the group keeps nothing.
func (g *group) oldest(now int64) int64 {
	if g.Days == 0 {
		return 0
	}
	return max(0, now-int64(g.Days)*24*60*60*1000)
}

// stream is the record of a log stream.
type stream struct {
	V        int    `json:"v"`
	Name     string `json:"name"`
	ID       string `json:"id"` // 8 bytes as hexadecimal digits
	Created  int64  `json:"created"`
	First    int64  `json:"first,omitempty"` // timestamps of the events
	Last     int64  `json:"last,omitempty"`
	Ingested int64  `json:"ingested,omitempty"` // when the last batch came
	Bytes    int64  `json:"bytes,omitempty"`
	Next     uint64 `json:"next,omitempty"` // sequence number of the next event
}

// event is one event as stored: its place is its key.
type event struct {
	at       place
	ingested int64
	message  string
}

// place is where an event stands among its group's.
type place struct {
	time     int64
	stream   uint64
	sequence uint64
}

const placeBytes = 24

func (p place) bytes() []byte {
	var b [placeBytes]byte
	binary.BigEndian.PutUint64(b[0:], uint64(p.time))
	binary.BigEndian.PutUint64(b[8:], p.stream)
	binary.BigEndian.PutUint64(b[16:], p.sequence)
	return b[:]
}

func placeOf(b []byte) place {
	return place{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])}
}

// after returns the smallest place that is greater.
func (p place) after() place {
	if p.sequence++; p.sequence == 0 {
		if p.stream++; p.stream == 0 {
			p.time++
		}
	}
	return p
}

// area forms the keys of one account and region.
type area struct{ account, region string }

func (a area) key(parts ...string) []byte {
	return data.Key(append([]string{"logs", a.account, a.region}, parts...)...)
}

func (a area) group(name string) []byte       { return a.key("group", name) }
func (a area) stream(g, name string) []byte   { return a.key("stream", g, name) }
func (a area) streamID(g, id string) []byte   { return a.key("id", g, id) }
func (a area) trash(parts ...string) []byte   { return a.key(append([]string{"trash"}, parts...)...) }
func (a area) events(g string) []byte         { return a.key("event", g) }
func (a area) event(g string, p place) []byte { return append(a.events(g), p.bytes()...) }

// groupsFrom is the key prefix of groups whose names begin with prefix.
func (a area) groupsFrom(prefix string) []byte {
	return data.AppendPartial(a.key("group"), prefix)
}

func (a area) streamsFrom(g, prefix string) []byte {
	return data.AppendPartial(a.key("stream", g), prefix)
}

// eventBounds are the keys of a group's events in a half-open range of time.
func (a area) eventBounds(g string, from, to int64) (lo, hi []byte) {
	lo = a.event(g, place{time: from})
	if to == math.MaxInt64 {
		return lo, data.PrefixEnd(a.events(g))
	}
	return lo, a.event(g, place{time: to})
}

// areaOf takes account and region out of any key of the room, and what follows.
func areaOf(key []byte) (a area, rest []string, ok bool) {
	p, ok := data.Parts(key)
	if !ok || len(p) < 4 {
		return area{}, nil, false
	}
	return area{p[1], p[2]}, p[3:], true
}

// everything is the prefix of all keys of the room.
func everything() []byte { return data.Key("logs") }

// The value of an event: a version byte, when it came (8 bytes), the message. The
// value of several that came together, of one time and one stream: a version byte,
// when they came, and for each the length of its message as a varint, and that.
// The key's sequence is that of the first; they have no gaps.
const (
	eventVersion  = 1
	eventsVersion = 2
	eventHeader   = 9
	// maxRecord is up to which size events are put together, in bytes.
	maxRecord = 32 << 10
)

func encodeEvent(ingested int64, message string) []byte {
	b := make([]byte, eventHeader, eventHeader+len(message))
	b[0] = eventVersion
	binary.BigEndian.PutUint64(b[1:], uint64(ingested))
	return append(b, message...)
}

// together is how many of a stream's events, which came together, one record holds.
func together(all []api.InputLogEvent) int {
	n, size := 1, len(*all[0].Message)
	for n < len(all) && *all[n].Timestamp == *all[0].Timestamp {
		if size += len(*all[n].Message) + binary.MaxVarintLen32; size > maxRecord {
			break
		}
		n++
	}
	return n
}

// encodeEvents encodes as many as together says.
func encodeEvents(ingested int64, all []api.InputLogEvent) []byte {
	if len(all) == 1 {
		return encodeEvent(ingested, *all[0].Message)
	}
	size := eventHeader
	for _, e := range all {
		size += len(*e.Message) + binary.MaxVarintLen32
	}
	b := make([]byte, eventHeader, size)
	b[0] = eventsVersion
	binary.BigEndian.PutUint64(b[1:], uint64(ingested))
	for _, e := range all {
		b = append(binary.AppendUvarint(b, uint64(len(*e.Message))), *e.Message...)
	}
	return b
}

// decodeEvents appends the events of a record to all.
func decodeEvents(all []event, p data.Pair) ([]event, error) {
	n := len(p.Key) - placeBytes
	if n < 0 || len(p.Value) < eventHeader {
		return all, unknownForm(p)
	}
	e := event{at: placeOf(p.Key[n:]), ingested: int64(binary.BigEndian.Uint64(p.Value[1:]))}
	rest := p.Value[eventHeader:]
	switch p.Value[0] {
	case eventVersion:
		e.message = string(rest)
		return append(all, e), nil
	case eventsVersion:
		for text := string(rest); len(rest) > 0; e.at.sequence++ {
			size, w := binary.Uvarint(rest)
			if w <= 0 || size > uint64(len(rest)-w) {
				return all, unknownForm(p)
			}
			at := len(text) - len(rest) + w
			e.message = text[at : at+int(size)]
			all = append(all, e)
			rest = rest[w+int(size):]
		}
		return all, nil
	}
	return all, unknownForm(p)
}

func unknownForm(p data.Pair) error {
	return fmt.Errorf("event %q is not of a form that is known", p.Key)
}

// scanEvents goes through a group's events from the place lo to before hi.
func scanEvents(r data.Reader, a area, group string, lo, hi place, reverse bool) iter.Seq2[*event, error] {
	return func(yield func(*event, error) bool) {
		to := a.event(group, hi)
		if hi.time == math.MaxInt64 {
			to = data.PrefixEnd(a.events(group))
		}
		var all []event
		// The first event may be in the middle of a record.
		for p, err := range r.Scan(a.event(group, place{time: lo.time, stream: lo.stream}), to, reverse) {
			if err == nil {
				all, err = decodeEvents(all[:0], p)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if reverse {
				slices.Reverse(all)
			}
			for _, e := range all {
				if less(e.at, lo) || !less(e.at, hi) {
					continue
				}
				if !yield(&e, nil) {
					return
				}
			}
		}
	}
}
