package s3

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

const day = 24 * time.Hour

// checkLifecycle follows
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html.
func checkLifecycle(rules []api.LifecycleRule) error {
	if len(rules) == 0 || len(rules) > 1000 {
		return malformedXML()
	}
	seen := map[string]bool{}
	for _, r := range rules {
		id := opt.Val(r.ID)
		switch {
		case len(id) > 255:
			return invalidArgument("ID", id, "ID length should not exceed allowed limit of 255")
		case id != "" && seen[id]:
			return invalidArgument("ID", id, "Rule ID must be unique. Found same ID for more than one rule")
		case len(r.Transitions) > 0:
			return notImplemented("A lifecycle Transition")
		case len(r.NoncurrentVersionTransitions) > 0:
			return notImplemented("A lifecycle NoncurrentVersionTransition")
		case r.Expiration == nil && r.NoncurrentVersionExpiration == nil && r.AbortIncompleteMultipartUpload == nil:
			return invalidRequest("At least one action needs to be specified in a rule")
		case r.Filter != nil && r.Prefix != nil:
			return malformedXML()
		}
		seen[id] = true
		if err := checkActions(&r); err != nil {
			return err
		}
	}
	return nil
}

func checkActions(r *api.LifecycleRule) error {
	f, err := filterOf(r)
	if err != nil {
		return err
	}
	if e := r.Expiration; e != nil {
		set := 0
		if e.Days != nil {
			set++
			if *e.Days <= 0 {
				return invalidArgument("Days", fmt.Sprint(*e.Days), "'Days' for Expiration action must be a positive integer")
			}
		}
		if e.Date != nil {
			set++
			if !e.Date.UTC().Equal(e.Date.UTC().Truncate(day)) {
				return invalidArgument("Date", e.Date.String(), "'Date' must be at midnight GMT")
			}
		}
		if e.ExpiredObjectDeleteMarker != nil {
			set++
			if len(f.tags) > 0 {
				return invalidRequest("ExpiredObjectDeleteMarker cannot be specified with tags.")
			}
		}
		if set != 1 {
			return malformedXML()
		}
	}
	if n := r.NoncurrentVersionExpiration; n != nil {
		if opt.Val(n.NoncurrentDays) <= 0 {
			return invalidArgument("NoncurrentDays", fmt.Sprint(opt.Val(n.NoncurrentDays)), "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
		}
		if k := n.NewerNoncurrentVersions; k != nil && (*k < 1 || *k > 100) {
			return invalidArgument("NewerNoncurrentVersions", fmt.Sprint(*k), "'NewerNoncurrentVersions' must be between 1 and 100")
		}
	}
	if a := r.AbortIncompleteMultipartUpload; a != nil {
		if opt.Val(a.DaysAfterInitiation) <= 0 {
			return invalidArgument("DaysAfterInitiation", fmt.Sprint(opt.Val(a.DaysAfterInitiation)), "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer")
		}
		if len(f.tags) > 0 || f.larger != nil || f.smaller != nil {
			return invalidRequest("AbortIncompleteMultipartUpload cannot be specified with tags or sizes.")
		}
	}
	return nil
}

// filter says which objects a rule is about.
type filter struct {
	prefix          string
	tags            []tag
	larger, smaller *int64
}

func filterOf(r *api.LifecycleRule) (filter, error) {
	f := filter{prefix: opt.Val(r.Prefix)}
	if r.Filter == nil {
		if r.Prefix == nil {
			return f, malformedXML()
		}
		return f, nil
	}
	set := 0
	for _, is := range []bool{r.Filter.Prefix != nil, r.Filter.Tag != nil, r.Filter.And != nil, r.Filter.ObjectSizeGreaterThan != nil, r.Filter.ObjectSizeLessThan != nil} {
		if is {
			set++
		}
	}
	if set > 1 {
		return f, malformedXML()
	}
	f.prefix, f.larger, f.smaller = opt.Val(r.Filter.Prefix), r.Filter.ObjectSizeGreaterThan, r.Filter.ObjectSizeLessThan
	var tags []api.Tag
	if r.Filter.Tag != nil {
		tags = []api.Tag{*r.Filter.Tag}
	}
	if a := r.Filter.And; a != nil {
		f.prefix, f.larger, f.smaller, tags = opt.Val(a.Prefix), a.ObjectSizeGreaterThan, a.ObjectSizeLessThan, a.Tags
	}
	var err error
	f.tags, err = readTags(tags, maxTags)
	return f, err
}

func (f *filter) matches(v *version) bool {
	if !strings.HasPrefix(v.Key, f.prefix) || f.larger != nil && v.Size <= *f.larger || f.smaller != nil && v.Size >= *f.smaller {
		return false
	}
	for _, want := range f.tags {
		ok := false
		for _, t := range v.Tags {
			ok = ok || t == want
		}
		if !ok {
			return false
		}
	}
	return true
}

// afterDays is when something that happened at t is n days old, rounded up to the
// next midnight in UTC.
func afterDays(t time.Time, n int32) time.Time {
	return t.Add(time.Duration(n) * day).Add(day - 1).Truncate(day)
}

// expiry returns when and by which rule a current object expires; ok is false if
// it does not.
func expiry(rules []api.LifecycleRule, v *version) (at time.Time, rule string, ok bool) {
	for _, r := range rules {
		if *r.Status != "Enabled" || r.Expiration == nil {
			continue
		}
		var t time.Time
		switch {
		case r.Expiration.Days != nil:
			t = afterDays(v.Modified, *r.Expiration.Days)
		case r.Expiration.Date != nil:
			t = r.Expiration.Date.UTC()
		default:
			continue
		}
		f, err := filterOf(&r)
		if err != nil || !f.matches(v) || ok && !t.Before(at) {
			continue
		}
		at, rule, ok = t, *r.ID, true
	}
	return at, rule, ok
}

// expirationOf is the header x-amz-expiration.
func expirationOf(b *bucket, v *version) *string {
	at, rule, ok := expiry(b.Lifecycle, v)
	if !ok || v.Marker {
		return nil
	}
	return new(fmt.Sprintf("expiry-date=%q, rule-id=%q", httpTime(at), rule))
}

// due returns which of a key's versions, newest first, the rules end now: for the
// current object of a bucket that keeps versions that means a delete marker.
func due(rules []api.LifecycleRule, versions []*version, now time.Time) []*version {
	var out []*version
	current := versions[0]
	switch at, _, ok := expiry(rules, current); {
	case current.Marker && len(versions) == 1:
		if ok && !now.Before(at) || cleansMarkers(rules, current) {
			out = append(out, current)
		}
	case !current.Marker && ok && !now.Before(at):
		out = append(out, current)
	}
	for i, v := range versions[1:] {
		for _, r := range rules {
			n := r.NoncurrentVersionExpiration
			if *r.Status != "Enabled" || n == nil || i < int(opt.Val(n.NewerNoncurrentVersions)) {
				continue
			}
			f, err := filterOf(&r)
			if err == nil && f.matches(v) && !now.Before(afterDays(versions[i].Modified, *n.NoncurrentDays)) {
				out = append(out, v)
				break
			}
		}
	}
	return out
}

func cleansMarkers(rules []api.LifecycleRule, m *version) bool {
	for _, r := range rules {
		if *r.Status == "Enabled" && r.Expiration != nil && opt.Val(r.Expiration.ExpiredObjectDeleteMarker) {
			if f, err := filterOf(&r); err == nil && f.matches(m) {
				return true
			}
		}
	}
	return false
}

// expire makes one round over all buckets that have a lifecycle.
func (s *Service) expire(ctx context.Context) error {
	var names []string
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		names = nil
		from := data.Key(room, "bucket")
		for p, err := range r.Scan(from, data.PrefixEnd(from), false) {
			if err != nil {
				return err
			}
			k, ok := data.Parts(p.Key)
			if !ok || len(k) != 3 {
				return fmt.Errorf("bucket record at %q is damaged", p.Key)
			}
			if b, err := s.bucket(r, k[2]); err != nil {
				return err
			} else if len(b.Lifecycle) > 0 {
				names = append(names, b.Name)
			}
		}
		return nil
	})
	for _, name := range names {
		if err == nil {
			err = s.expireObjects(ctx, name)
		}
		if err == nil {
			err = s.expireUploads(ctx, name)
		}
	}
	if err != nil {
		return fmt.Errorf("lifecycle: %w", err)
	}
	return nil
}

// expireBatch is how many keys one transaction of the lifecycle looks at.
const expireBatch = 256

func (s *Service) expireObjects(ctx context.Context, name string) error {
	for after, more := "", true; more; {
		var ended []string // keys of which some version ends
		more = false
		err := s.d.Store.View(ctx, func(r data.Reader) error {
			b, err := s.findBucket(r, name)
			if err != nil || b == nil {
				return err
			}
			n, last := 0, ""
			var versions []*version
			flush := func() {
				if len(versions) > 0 && len(due(b.Lifecycle, versions, s.now())) > 0 {
					ended = append(ended, last)
				}
				versions = nil
			}
			q := query{base: versionsKey(name), after: after}
			err = q.walk(r, func(key string, first bool, p data.Pair) (move, error) {
				if first {
					flush()
					if n++; n > expireBatch {
						more = true
						return done, nil
					}
				}
				v, err := decodeVersion(p)
				versions, last = append(versions, v), key
				return step, err
			})
			flush()
			after = last
			return err
		})
		if err != nil {
			return err
		}
		if err := s.endVersions(ctx, name, ended); err != nil {
			return err
		}
	}
	return nil
}

// endVersions carries out what due says of the keys, looking anew.
func (s *Service) endVersions(ctx context.Context, name string, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	var g []garbage
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		g = nil
		b, err := s.findBucket(t, name)
		if err != nil || b == nil {
			return err
		}
		for _, key := range keys {
			var versions []*version
			from := objectKey(name, key)
			for p, err := range t.Scan(from, data.PrefixEnd(from), false) {
				if err != nil {
					return err
				}
				v, err := decodeVersion(p)
				if err != nil {
					return err
				}
				versions = append(versions, v)
			}
			if len(versions) == 0 {
				continue
			}
			for _, v := range due(b.Lifecycle, versions, s.now()) {
				id := v.ID
				if v == versions[0] && !v.Marker {
					id = "" // as a caller deletes the current object
				}
				if _, err := s.remove(t, b, key, id, &g); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.discard(ctx, g)
	return nil
}

func (s *Service) expireUploads(ctx context.Context, name string) error {
	var g []garbage
	err := s.d.Store.Update(ctx, func(t data.Txn) error {
		g = nil
		b, err := s.findBucket(t, name)
		if err != nil || b == nil {
			return err
		}
		from := uploadsKey(name)
		for p, err := range t.Scan(from, data.PrefixEnd(from), false) {
			if err != nil {
				return err
			}
			u, err := decodeUpload(p)
			if err != nil {
				return err
			}
			if at, _, ok := abortDate(b, u); !ok || s.now().Before(at) {
				continue
			}
			parts, err := partsOf(t, u.ID, 0, maxParts)
			if err != nil {
				return err
			}
			if err := dropUpload(t, u, parts, nil, &g); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.discard(ctx, g)
	return nil
}

// abortDate returns when and by which rule an upload under way is given up.
func abortDate(b *bucket, u *upload) (at time.Time, rule string, ok bool) {
	for _, r := range b.Lifecycle {
		if *r.Status != "Enabled" || r.AbortIncompleteMultipartUpload == nil {
			continue
		}
		f, err := filterOf(&r)
		t := afterDays(u.Initiated, *r.AbortIncompleteMultipartUpload.DaysAfterInitiation)
		if err != nil || !strings.HasPrefix(u.Key, f.prefix) || ok && !t.Before(at) {
			continue
		}
		at, rule, ok = t, *r.ID, true
	}
	return at, rule, ok
}
