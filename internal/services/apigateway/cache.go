package apigateway

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/gateway/cache"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/mapping"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
)

// What is kept is the answer that the integration came to, with any status, after
// the mapping of its response. The gateway's own failures are not kept.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html

// actionInvalidate is what callers are allowed who may have an answer made anew.
const actionInvalidate = "execute-api:InvalidateCache"

// keep says how the answers of a method are kept.
type keep struct {
	namespace string
	keys      []mapping.Value // on whose values an answer depends
	how       cache.How
	onlyGet   bool
	open      bool // every caller may have an answer made anew
	strategy  string
}

// keep returns how the answers of a method are kept; nil if they are not. GET's
// are if that is set for all methods, others' only by settings of their own.
func (st *stage) keep(r *definition.Resource, path, method string, i *definition.Integration) (*keep, error) {
	m, own := st.of(path, method)
	if !st.Cached || i.Stream || m == nil || !m.Caching.Enabled || m.Caching.ttl() == 0 || !own && method != "GET" && method != "ANY" {
		return nil, nil
	}
	k := &keep{
		namespace: i.Namespace(r), onlyGet: !own, open: m.Caching.Open, strategy: m.Caching.strategy(),
		how: cache.How{TTL: time.Duration(m.Caching.ttl()) * time.Second, Encrypted: m.Caching.Encrypted},
	}
	for _, name := range i.CacheKeys {
		if expr, mapped := i.Parameters[name]; mapped {
			name = expr
		}
		v, err := mapping.Parse(name)
		if err != nil {
			return nil, fmt.Errorf("cache key %s: %w", name, err)
		}
		k.keys = append(k.keys, v)
	}
	return k, nil
}

// key is the key of a request's answer.
func (k *keep) key(x *exchange) string {
	b := append(binary.AppendUvarint(make([]byte, 0, 128), uint64(len(k.namespace))), k.namespace...)
	b = append(append(b, x.rq.Method...), 0)
	for _, v := range k.keys {
		s := v.In(x)
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return string(b)
}

// cacheOf returns the cache of a stage: the one it had, if that is of its size.
func (s *Service) cacheOf(st *stage, was *liveStage) *cache.Cache {
	switch size := cacheBytes(st.CacheSize); {
	case !st.Cached:
		return nil
	case was.cache != nil && was.cache.Size() == size:
		return was.cache
	default:
		return cache.New(cache.Options{Clock: s.clock, Bytes: size, Random: s.ids.Bytes})
	}
}

// respond runs the integration, or answers as it did before.
func (s *Service) respond(ctx context.Context, x *exchange) *failure {
	k := x.end.keep
	if k == nil || x.stage.cache == nil || k.onlyGet && x.rq.Method != "GET" {
		return x.end.run.run(ctx, s, x)
	}
	how, warn := k.how, false
	if wantsFresh(x.rq.Header["Cache-Control"]) {
		switch {
		case k.open || s.mayInvalidate(ctx, x):
			how.Refresh = true
		case k.strategy == api.UnauthorizedCacheControlHeaderStrategyFailWith403:
			return denied
		default:
			warn = k.strategy == api.UnauthorizedCacheControlHeaderStrategySucceedWithResponseHeader
		}
	}
	var failed *failure
	kept, hit := x.stage.cache.Do(ctx, k.key(x), how, func() ([]byte, bool) {
		if failed = x.end.run.run(ctx, s, x); failed != nil {
			return nil, false
		}
		return x.pack(), true
	})
	if hit {
		x.hitCache()
		x.unpack(kept)
	} else {
		x.missedCache()
	}
	if failed == nil && warn {
		x.headers = append(x.headers, proxy.Header{Name: "Warning", Value: "199 Cache-control headers were ignored because the caller was unauthorized."})
	}
	return failed
}

// wantsFresh reports whether a Cache-Control header asks for a new answer.
func wantsFresh(lines []string) bool {
	for _, line := range lines {
		for d := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(d), "max-age=0") {
				return true
			}
		}
	}
	return false
}

// mayInvalidate decides whether the caller may have an answer made anew: by what
// an authorizer said, by the policies of who signed the request, or by the API's.
func (s *Service) mayInvalidate(ctx context.Context, x *exchange) bool {
	if x.verdict != nil {
		own := policy.Decision{}
		if x.stage.policy != nil {
			own = x.evaluate(actionInvalidate, policy.Anonymous, &policy.Sets{Resource: x.stage.policy})
		}
		if x.verdict.policy == nil || own.Reason.Explicit() {
			return own.Allowed
		}
		d := x.evaluate(actionInvalidate, policy.User, &policy.Sets{Identity: []*policy.Policy{x.verdict.policy}})
		return d.Allowed || own.Allowed && !d.Reason.Explicit()
	}
	id := call.Identity{Principal: policy.Principal{Kind: policy.Anonymous}}
	switch {
	case x.end.signed:
		var err error
		if id, err = x.caller(ctx, x.rq.Body); err != nil {
			return false
		}
	case x.stage.policy == nil:
		return false
	}
	need := x.need()
	need.Action = actionInvalidate
	return s.gate.Ask(ctx, x.in, id, need) == nil
}

// pack returns the answer as bytes of its own: the status, the headers but that
// of the trace, which is the request's, and the body.
func (x *exchange) pack() []byte {
	size := len(x.body) + 8
	for _, h := range x.headers {
		size += len(h.Name) + len(h.Value) + 6
	}
	traced := slices.ContainsFunc(x.headers, func(h proxy.Header) bool { return h.Name == traceHeader })
	n := uint64(len(x.headers)) << 1
	if traced {
		n = n - 2 | 1
	}
	b := binary.AppendUvarint(make([]byte, 0, size), uint64(x.status))
	b = binary.AppendUvarint(b, n)
	for _, h := range x.headers {
		if h.Name == traceHeader {
			continue
		}
		b = append(binary.AppendUvarint(b, uint64(len(h.Name))), h.Name...)
		b = append(binary.AppendUvarint(b, uint64(len(h.Value))), h.Value...)
	}
	return append(b, x.body...)
}

// unpack makes what pack made the answer. The body is not copied: nobody changes
// the body of an answer.
func (x *exchange) unpack(b []byte) {
	number := func() uint64 {
		n, size := binary.Uvarint(b)
		b = b[size:]
		return n
	}
	text := func() string {
		n := number()
		s := string(b[:n])
		b = b[n:]
		return s
	}
	x.status, x.headers = int(number()), x.headers[:0]
	n := number()
	if n&1 == 1 {
		x.headers = append(x.headers, proxy.Header{Name: traceHeader, Value: x.header(traceHeader)})
	}
	for range n >> 1 {
		name := text()
		x.headers = append(x.headers, proxy.Header{Name: name, Value: text()})
	}
	x.body = b
}

// flushStageCache forgets what the stage's cache holds, and its canary's.
func (s *Service) flushStageCache(ctx context.Context, rq *call.Authorized, in *api.FlushStageCacheRequest) (*call.None, error) {
	if _, err := s.getStage(ctx, rq, &api.GetStageRequest{RestApiId: in.RestApiId, StageName: in.StageName}); err != nil {
		return nil, err
	}
	if a := s.live.find(*in.RestApiId); a != nil {
		for _, st := range (*a.stages.Load())[*in.StageName].both() {
			if st.cache != nil {
				st.cache.Flush()
			}
		}
	}
	return &call.None{}, nil
}

// both are the stage and its canary.
func (ls *liveStage) both() []*liveStage {
	var all []*liveStage
	for ; ls != nil; ls = ls.canary {
		all = append(all, ls)
	}
	return all
}
