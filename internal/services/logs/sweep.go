package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/tierra-cloud/tierra/internal/data"
)

// trash says that the events of a deleted group or stream are still there.
type trash struct {
	V int `json:"v"`
	// First and Last bound a stream's events.
	First int64 `json:"first,omitempty"`
	Last  int64 `json:"last,omitempty"`
}

// sweepBatch is how many records one transaction of the sweep deletes at most.
const sweepBatch = 2000

// sweep deletes what has expired and what belongs to deleted groups and streams.
func (s *Service) sweep(ctx context.Context) error {
	type chore struct {
		a     area
		g     *group
		parts []string // of a trash key
		t     trash
	}
	var chores []chore
	err := s.store.View(ctx, func(r data.Reader) error {
		chores = chores[:0]
		// Accounts and regions are few; the scan jumps over their events.
		for from := everything(); ; {
			a, ok, err := firstArea(r, from)
			if err != nil || !ok {
				return err
			}
			for p, err := range r.Scan(a.groupsFrom(""), data.PrefixEnd(a.groupsFrom("")), false) {
				if err != nil {
					return err
				}
				g, err := data.Decode[group](p)
				if err != nil {
					return err
				}
				if g.Days > 0 {
					chores = append(chores, chore{a: a, g: g})
				}
			}
			for p, err := range r.Scan(a.trash(), data.PrefixEnd(a.trash()), false) {
				if err != nil {
					return err
				}
				c := chore{a: a}
				_, rest, ok := areaOf(p.Key)
				if !ok {
					return fmt.Errorf("trash %q is not of a form that is known", p.Key)
				}
				if err := json.Unmarshal(p.Value, &c.t); err != nil {
					return fmt.Errorf("trash %q: %w", p.Key, err)
				}
				c.parts = rest[1:]
				chores = append(chores, c)
			}
			from = data.PrefixEnd(a.key())
		}
	})
	for _, c := range chores {
		if err != nil {
			return err
		}
		switch len(c.parts) {
		case 0:
			err = s.expire(ctx, c.a, c.g)
		case 1:
			err = s.dropGroup(ctx, c.a, c.parts[0])
		default:
			err = s.dropStream(ctx, c.a, c.parts[0], c.parts[1], c.t)
		}
	}
	return err
}

// firstArea finds the account and region of the first key at or after from.
func firstArea(r data.Reader, from []byte) (area, bool, error) {
	for p, err := range r.Scan(from, data.PrefixEnd(everything()), false) {
		if err != nil {
			return area{}, false, err
		}
		// Keys of events end with raw bytes, so only the front is taken apart.
		a, ok := frontArea(p.Key)
		return a, ok, nil
	}
	return area{}, false, nil
}

func frontArea(key []byte) (area, bool) {
	parts, end := 0, 0
	for i := 0; i+1 < len(key); i++ {
		if key[i] == 0 && key[i+1] == 1 {
			if parts++; parts == 3 {
				end = i + 2
				break
			}
		}
	}
	p, ok := data.Parts(key[:end])
	if !ok || len(p) != 3 {
		return area{}, false
	}
	return area{p[1], p[2]}, true
}

// expire deletes the events that a group no longer keeps, and corrects what its
// streams are said to hold.
func (s *Service) expire(ctx context.Context, a area, g *group) error {
	lo, hi := a.eventBounds(g.ID, 0, g.oldest(s.now()))
	return s.inBatches(ctx, lo, hi, nil, func(t data.Txn, gone map[uint64]int64) error {
		for id, bytes := range gone {
			name, ok, err := t.Get(a.streamID(g.ID, fmt.Sprintf("%016x", id)))
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			st, err := data.Load[stream](t, a.stream(g.ID, string(name)))
			if err != nil || st == nil {
				return err
			}
			st.Bytes = max(0, st.Bytes-bytes)
			if err := data.Save(t, a.stream(g.ID, st.Name), st); err != nil {
				return err
			}
		}
		return nil
	})
}

// dropGroup deletes everything of a deleted group.
func (s *Service) dropGroup(ctx context.Context, a area, id string) error {
	lo, hi := a.eventBounds(id, 0, math.MaxInt64)
	if err := s.inBatches(ctx, lo, hi, nil, nil); err != nil {
		return err
	}
	for _, kind := range []string{"stream", "id"} {
		lo := a.key(kind, id)
		if err := s.inBatches(ctx, lo, data.PrefixEnd(lo), nil, nil); err != nil {
			return err
		}
	}
	lo = a.trash(id)
	return s.inBatches(ctx, lo, data.PrefixEnd(lo), nil, nil)
}

// dropStream deletes the events of a deleted stream.
func (s *Service) dropStream(ctx context.Context, a area, g, id string, t trash) error {
	number, err := strconv.ParseUint(id, 16, 64)
	if err != nil {
		return fmt.Errorf("trash of stream %q: %w", id, err)
	}
	lo, hi := a.eventBounds(g, t.First, t.Last+1)
	err = s.inBatches(ctx, lo, hi, func(p place) bool { return p.stream == number }, nil)
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(t data.Txn) error { return t.Delete(a.trash(g, id)) })
}

// inBatches deletes the keys from lo to hi, or those of events that want takes.
// after gets the bytes that went, by stream, in the same transaction.
func (s *Service) inBatches(ctx context.Context, lo, hi []byte, want func(place) bool, after func(data.Txn, map[uint64]int64) error) error {
	for more := true; more; {
		next := lo
		var events []event
		err := s.store.Update(ctx, func(t data.Txn) error {
			more, next = false, lo
			n, gone := 0, map[uint64]int64{}
			for p, err := range t.Scan(lo, hi, false) {
				if err != nil {
					return err
				}
				if n++; n > sweepBatch {
					more, next = true, p.Key
					break
				}
				if want != nil || after != nil {
					if events, err = decodeEvents(events[:0], p); err != nil {
						return err
					}
					if want != nil && len(events) > 0 && !want(events[0].at) {
						continue
					}
					for _, e := range events {
						gone[e.at.stream] += int64(len(e.message) + eventOverhead)
					}
				}
				if err := t.Delete(p.Key); err != nil {
					return err
				}
			}
			if after == nil {
				return nil
			}
			return after(t, gone)
		})
		if err != nil {
			return err
		}
		lo = next
	}
	return nil
}
