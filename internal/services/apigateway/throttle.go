package apigateway

import (
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Token buckets: of an account in a region, of methods at a stage, and of keys in
// a usage plan.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html

// throttle are the settings of a bucket: requests per second that flow in, and
// how many fit. A negative one, or one that is nil, sets no limit.
type throttle struct {
	Rate  *float64 `json:"rate,omitempty"`
	Burst *int32   `json:"burst,omitempty"`
}

// AWS's limits of an account in a region: requests per second, and how many at
// once. In a method's bucket they stand in for the one that is not set.
const (
	accountRate  float64 = 10_000
	accountBurst int32   = 5_000
)

// accounts are the buckets of accounts, by area.
type accounts struct {
	all   sync.Map // area -> *rate.Limiter
	rate  float64
	burst int32
}

// of returns the bucket of an account in a region.
func (b *accounts) of(a area) *rate.Limiter {
	if l, ok := b.all.Load(a); ok {
		return l.(*rate.Limiter)
	}
	l, _ := b.all.LoadOrStore(a, rate.NewLimiter(rate.Limit(b.rate), int(b.burst)))
	return l.(*rate.Limiter)
}

// limiter makes the bucket; nil if there is no limit.
func (t *throttle) limiter() *rate.Limiter {
	if t == nil || t.Rate == nil && t.Burst == nil {
		return nil
	}
	r, b := opt.Or(t.Rate, accountRate), opt.Or(t.Burst, accountBurst)
	switch {
	case r < 0 || b < 0:
		return nil
	case r == 0:
		b = 0
	}
	return rate.NewLimiter(rate.Limit(r), int(b))
}

func (t *throttle) answer() *api.ThrottleSettings {
	if t == nil {
		return nil
	}
	return &api.ThrottleSettings{RateLimit: t.Rate, BurstLimit: t.Burst}
}

func throttleOf(t *api.ThrottleSettings) *throttle {
	if t == nil {
		return nil
	}
	return &throttle{t.RateLimit, t.BurstLimit}
}

// set sets one of the two by its name in a patch.
func (t *throttle) set(name, value string) error {
	switch name {
	case "rateLimit":
		f, err := strconv.ParseFloat(value, 64)
		if err != nil || f != f {
			return api.BadRequestException("Invalid rate limit specified: %s", value)
		}
		t.Rate = &f
	case "burstLimit":
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			return api.BadRequestException("Invalid burst limit specified: %s", value)
		}
		t.Burst = new(int32(n))
	default:
		return api.BadRequestException("Invalid throttle setting specified: %s", name)
	}
	return nil
}

var throttled = &failure{"THROTTLED", 429, "TooManyRequestsException", "Too Many Requests"}

// buckets are those of keys in usage plans. They stay while their settings do.
type buckets struct{ all sync.Map }

// bucket is a bucket with the settings that it was made of.
type bucket struct {
	rate    float64
	burst   int32
	limiter *rate.Limiter
}

// allow takes a token at a time out of the bucket with a name.
func (b *buckets) allow(name string, t *throttle, now time.Time) bool {
	if t == nil {
		return true
	}
	r, n := opt.Or(t.Rate, -1), opt.Or(t.Burst, -1)
	if x, ok := b.all.Load(name); ok && x.(*bucket).rate == r && x.(*bucket).burst == n {
		return x.(*bucket).limiter.AllowN(now, 1)
	}
	l := t.limiter()
	if l == nil {
		return true
	}
	is := &bucket{r, n, l}
	if x, loaded := b.all.LoadOrStore(name, is); loaded {
		if was := x.(*bucket); was.rate != r || was.burst != n {
			b.all.Store(name, is)
		} else {
			l = was.limiter
		}
	}
	return l.AllowN(now, 1)
}
