package apigateway

import (
	"context"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
)

// Quotas count requests by day, so that a change of the period has something to
// go by. Counts are in memory and written a moment later: a crash forgets at
// most the requests of flushAfter.

// flushAfter is when counts are written after the first that changed.
const flushAfter = time.Second

// keepDays is for how many days counts are kept.
const keepDays = 100

// quota is how many requests a key has in a period.
type quota struct {
	Limit  int32  `json:"limit"`
	Offset int32  `json:"offset,omitempty"` // days by which weeks and months begin later
	Period string `json:"period"`           // DAY, WEEK, MONTH
}

// begin returns the day on which the period of a time began. Weeks begin on
// Sundays, months on their first, plus the offset.
func (q *quota) begin(t time.Time) time.Time {
	day := t.UTC().Truncate(24 * time.Hour)
	switch q.Period {
	case "WEEK":
		back := (int(day.Weekday()) - int(q.Offset) + 7) % 7
		return day.AddDate(0, 0, -back)
	case "MONTH":
		first := time.Date(day.Year(), day.Month(), 1+int(q.Offset), 0, 0, 0, 0, time.UTC)
		if first.After(day) {
			first = time.Date(day.Year(), day.Month()-1, 1+int(q.Offset), 0, 0, 0, 0, time.UTC)
		}
		return first
	}
	return day
}

const dayForm = time.DateOnly

// usage is what a key used of a plan.
type usage struct {
	V    int              `json:"v"`
	Days map[string]int64 `json:"days"` // requests by day: "2026-11-01"
	// Granted is what UpdateUsage added in the period that began on a day.
	Granted int64  `json:"granted,omitempty"`
	During  string `json:"during,omitempty"`
}

// remaining returns how many requests are left at the end of a day of a time.
func (u *usage) remaining(q *quota, t time.Time) int64 {
	begin := q.begin(t)
	left := int64(q.Limit)
	if u.During == begin.Format(dayForm) {
		left += u.Granted
	}
	for d := begin; !d.After(t); d = d.AddDate(0, 0, 1) {
		left -= u.Days[d.Format(dayForm)]
	}
	return max(left, 0)
}

// usageID names what a key used of a plan.
type usageID struct {
	area
	plan, key string
}

func (id usageID) record() []byte { return id.area.usage(id.plan, id.key) }

// usages are the counts that were asked for since the start.
type usages struct {
	mu    sync.Mutex
	all   map[usageID]*usage
	dirty map[usageID]bool
	stop  func() bool // of the timer that writes; nil if nothing is to be written
}

// use hands a count to f, which says whether it changed it.
func (s *Service) use(ctx context.Context, id usageID, f func(*usage) bool) error {
	u := &s.usages
	u.mu.Lock()
	defer u.mu.Unlock()
	x := u.all[id]
	if x == nil {
		err := s.store.View(ctx, func(r data.Reader) (err error) {
			x, err = data.Load[usage](r, id.record())
			return err
		})
		if err != nil {
			return err
		}
		if x == nil {
			x = &usage{V: 1, Days: map[string]int64{}}
		}
		if u.all == nil {
			u.all, u.dirty = map[usageID]*usage{}, map[usageID]bool{}
		}
		u.all[id] = x
	}
	if !f(x) {
		return nil
	}
	u.dirty[id] = true
	if u.stop == nil {
		u.stop = s.clock.AfterFunc(flushAfter, func() { _ = s.writeUsage(context.Background()) })
	}
	return nil
}

// count counts a request, unless the quota is used up.
func (s *Service) count(ctx context.Context, id usageID, q *quota, now time.Time) (ok bool, err error) {
	err = s.use(ctx, id, func(u *usage) bool {
		if ok = q == nil || u.remaining(q, now) > 0; ok {
			u.Days[now.UTC().Format(dayForm)]++
			if len(u.Days) > keepDays {
				old := now.AddDate(0, 0, -keepDays).UTC().Format(dayForm)
				for d := range u.Days {
					if d < old {
						delete(u.Days, d)
					}
				}
			}
		}
		return ok
	})
	return ok, err
}

// forget drops the counts that f names.
func (s *Service) forget(f func(usageID) bool) {
	u := &s.usages
	u.mu.Lock()
	defer u.mu.Unlock()
	for id := range u.all {
		if f(id) {
			delete(u.all, id)
			delete(u.dirty, id)
		}
	}
}

// writeUsage writes the counts that changed. What could not be written is tried
// again with the next change.
func (s *Service) writeUsage(ctx context.Context) error {
	u := &s.usages
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stop != nil {
		u.stop()
		u.stop = nil
	}
	if len(u.dirty) == 0 {
		return nil
	}
	err := s.store.Update(ctx, func(t data.Txn) error {
		for id := range u.dirty {
			if err := data.Save(t, id.record(), u.all[id]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		clear(u.dirty)
	}
	return err
}
