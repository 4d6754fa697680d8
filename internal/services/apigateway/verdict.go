package apigateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// verdict is what an authorizer's function said about a caller.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
type verdict struct {
	principal string
	policy    *policy.Policy
	document  string // the policy as the function wrote it
	context   map[string]string
	usageKey  string // the value of an API key
	ttl       time.Duration
}

// parseVerdict reads a function's answer.
func parseVerdict(payload []byte) (*verdict, error) {
	var out struct {
		Principal *string         `json:"principalId"`
		Policy    json.RawMessage `json:"policyDocument"`
		Context   map[string]any  `json:"context"`
		UsageKey  *string         `json:"usageIdentifierKey"`
	}
	if err := json.Unmarshal(payload, &out); err != nil {
		return nil, fmt.Errorf("the answer is not an authorizer's: %w", err)
	}
	if out.Principal == nil {
		return nil, errors.New("the answer has no principalId")
	}
	p, err := policy.Parse(out.Policy)
	if err == nil {
		err = policy.ValidateIdentity(p)
	}
	if err != nil {
		return nil, fmt.Errorf("the policy document: %w", err)
	}
	v := &verdict{principal: *out.Principal, policy: p, document: string(out.Policy), context: make(map[string]string, len(out.Context))}
	if out.UsageKey != nil {
		v.usageKey = *out.UsageKey
	}
	for k, x := range out.Context {
		switch x := x.(type) {
		case nil:
		case string:
			v.context[k] = x
		case bool:
			v.context[k] = strconv.FormatBool(x)
		case float64:
			v.context[k] = strconv.FormatFloat(x, 'f', -1, 64)
		default:
			return nil, fmt.Errorf("the context's %s is neither a string nor a number nor a boolean", k)
		}
	}
	return v, nil
}

// object is the verdict as events tell it: the context, whose values are strings
// there, beside the principal and how long the authorizer took.
func (v *verdict) object(latency time.Duration) []byte {
	b := proxy.AppendString([]byte(`{"principalId":`), v.principal)
	b = strconv.AppendInt(append(b, `,"integrationLatency":`...), latency.Milliseconds(), 10)
	for _, k := range slices.Sorted(maps.Keys(v.context)) {
		if k == "principalId" || k == "integrationLatency" {
			continue
		}
		b = append(proxy.AppendString(append(b, ','), k), ':')
		b = proxy.AppendString(b, v.context[k])
	}
	return append(b, '}')
}

// verdicts keeps what authorizers said, for as long as they allow.
type verdicts struct {
	kept *otter.Cache[verdictKey, *verdict]
}

// verdictKey is whom a verdict is about, and at which deployment, so that a new
// one begins afresh.
type verdictKey struct{ api, stage, deployment, authorizer, identity string }

// maxVerdicts is how many verdicts are kept; those that are used least give way.
const maxVerdicts = 100_000

func newVerdicts(c clock.Clock) verdicts {
	return verdicts{otter.Must(&otter.Options[verdictKey, *verdict]{
		MaximumSize: maxVerdicts, Clock: cacheClock{c},
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[verdictKey, *verdict]) time.Duration { return e.Value.ttl }),
	})}
}

// flush forgets the verdicts of a stage.
func (v verdicts) flush(api, stage string) {
	for k := range v.kept.Keys() {
		if k.api == api && k.stage == stage {
			v.kept.Invalidate(k)
		}
	}
}

// cacheClock is the room's clock as the cache library knows clocks. It never
// ticks: what has expired is dropped when the cache is used.
type cacheClock struct{ clock.Clock }

// NowNano implements otter.Clock.
func (c cacheClock) NowNano() int64 { return c.Now().UnixNano() }

// Tick implements otter.Clock.
func (c cacheClock) Tick(time.Duration) <-chan time.Time { return nil }
