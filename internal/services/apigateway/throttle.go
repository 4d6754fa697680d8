package apigateway

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Token buckets, of methods at a stage and of keys in a usage plan. There is no
// bucket of the account: a server of one's own has no neighbours to protect.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html

// throttle are the settings of a bucket: requests per second that flow in, and
// how many fit. A negative one, or one that is nil, sets no limit.
type throttle struct {
	Rate  *float64 `json:"rate,omitempty"`
	Burst *int32   `json:"burst,omitempty"`
}

// AWS's limits of an account stand in for the one that is not set.
const (
	defaultRate  = 10_000
	defaultBurst = 5_000
)

// limiter makes the bucket; nil if there is no limit.
func (t *throttle) limiter() *rate.Limiter {
	if t == nil || t.Rate == nil && t.Burst == nil {
		return nil
	}
	r, b := opt.Or(t.Rate, defaultRate), opt.Or(t.Burst, defaultBurst)
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

// methodSetting are the settings of a method at a stage, or of all ("*/*").
type methodSetting struct {
	Throttle throttle `json:"throttle"`
}

func (m *methodSetting) answer() api.MethodSetting {
	return api.MethodSetting{
		MetricsEnabled: new(false), LoggingLevel: new("OFF"), DataTraceEnabled: new(false), CachingEnabled: new(false),
		ThrottlingRateLimit: m.Throttle.Rate, ThrottlingBurstLimit: m.Throttle.Burst,
	}
}

// settingKey names a method among the settings: "~1pets~1{id}/GET".
func settingKey(path, method string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(path) + "/" + method
}

// setMethods takes the patches of method settings out of ops and carries them
// out: "/~1pets/GET/throttling/rateLimit", "/*/*/throttling/burstLimit".
func (st *stage) setMethods(ops []api.PatchOperation) (rest []api.PatchOperation, err error) {
	for _, p := range ops {
		path, v := opt.Val(p.Path), opt.Val(p.Value)
		parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
		if opt.Val(p.Op) == "remove" && len(parts) == 2 && st.Methods[parts[0]+"/"+parts[1]] != nil {
			delete(st.Methods, parts[0]+"/"+parts[1])
			continue
		}
		if len(parts) != 4 || !slices.Contains([]string{"throttling", "logging", "metrics", "caching"}, parts[2]) {
			rest = append(rest, p)
			continue
		}
		switch setting := parts[2] + "/" + parts[3]; {
		case opt.Val(p.Op) != "replace":
			return nil, api.BadRequestException("Invalid patch operation specified for %s. Must be replace", path)
		case parts[2] == "throttling":
			key := parts[0] + "/" + parts[1]
			if parts[0] != "*" && !strings.HasPrefix(parts[0], "~1") {
				return nil, api.BadRequestException("Invalid method setting path: %s. Must be one of: [/deploymentId, /description, /*/*/{setting}, /{resource path}/{http method}/{setting}]", path)
			}
			if st.Methods == nil {
				st.Methods = map[string]*methodSetting{}
			}
			m := st.Methods[key]
			if m == nil {
				m = new(methodSetting)
				st.Methods[key] = m
			}
			if err := m.Throttle.set(parts[3], v); err != nil {
				return nil, err
			}
		case setting == "logging/loglevel" && v == "OFF", setting == "logging/dataTrace" && v == "false",
			setting == "metrics/enabled" && v == "false", setting == "caching/enabled" && v == "false":
		default:
			return nil, refuse("the method setting " + setting + " with the value " + v)
		}
	}
	return rest, nil
}

// methodThrottle returns the bucket of a method at the stage.
func (st *stage) methodThrottle(path, method string) *rate.Limiter {
	m := st.Methods[settingKey(path, method)]
	if m == nil {
		m = st.Methods["*/*"]
	}
	if m == nil {
		return nil
	}
	return m.Throttle.limiter()
}

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
