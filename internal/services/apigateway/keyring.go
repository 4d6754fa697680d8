package apigateway

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/tierra-cloud/tierra/internal/data"
)

// keyrings are the API keys of every account and region with their plans, in
// memory: requests read them without a lock.
type keyrings struct {
	areas sync.Map // area -> keyring
	// publishing is held from reading the store to the swap.
	publishing sync.Mutex
}

// keyring are the keys of an account and region by their values.
type keyring map[string]*liveKey

// liveKey is a key with what it opens.
type liveKey struct {
	id      string
	enabled bool
	plans   map[planned]*usagePlan
	stages  []string // "api/stage" that it opens without a plan
}

// planned is a stage in a plan.
type planned struct{ api, stage string }

// publishKeys makes what the store says of the keys of an area act.
func (s *Service) publishKeys(ctx context.Context, a area) error {
	s.keys.publishing.Lock()
	defer s.keys.publishing.Unlock()
	ring, byID := keyring{}, map[string]*liveKey{}
	err := s.store.View(context.WithoutCancel(ctx), func(r data.Reader) error {
		clear(ring)
		keys, err := data.LoadAll[apiKey](r, a.apiKeys())
		if err != nil {
			return err
		}
		for _, k := range keys {
			x := &liveKey{id: k.ID, enabled: k.Enabled, plans: map[planned]*usagePlan{}, stages: k.Stages}
			ring[k.Value], byID[k.ID] = x, x
		}
		plans, err := data.LoadAll[usagePlan](r, a.plans())
		if err != nil {
			return err
		}
		for _, p := range plans {
			ids, err := keysOf(r, a, p.ID)
			if err != nil {
				return err
			}
			for _, id := range ids {
				for _, st := range p.Stages {
					if k := byID[id]; k != nil {
						k.plans[planned{st.API, st.Stage}] = p
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("publish the API keys: %w", err)
	}
	s.keys.areas.Store(a, ring)
	return nil
}

// keysOf returns the ids of the keys in a plan.
func keysOf(r data.Reader, a area, plan string) (ids []string, err error) {
	for p, err := range r.Scan(a.planKeys(plan), data.PrefixEnd(a.planKeys(plan)), false) {
		if err != nil {
			return nil, err
		}
		if parts, ok := data.Parts(p.Key); ok {
			ids = append(ids, parts[len(parts)-1])
		}
	}
	return ids, nil
}

func (s *Service) publishAllKeys(ctx context.Context) error {
	areas := map[area]bool{}
	err := s.store.View(ctx, func(r data.Reader) error {
		for p, err := range r.Scan(everything(), data.PrefixEnd(everything()), false) {
			if err != nil {
				return err
			}
			if parts, ok := data.Parts(p.Key); ok && len(parts) == 5 && parts[3] == "apikey" {
				areas[area{parts[1], parts[2]}] = true
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the API keys: %w", err)
	}
	for a := range areas {
		if err := s.publishKeys(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// The failures of keys and plans, with AWS's words.
var (
	noKey  = &failure{"INVALID_API_KEY", 403, "ForbiddenException", "Forbidden"}
	usedUp = &failure{"QUOTA_EXCEEDED", 429, "LimitExceededException", "Limit Exceeded"}
)

// meter decides whether a request is within its plan, if the method takes a key,
// within the method's own limit, and within the account's.
func (s *Service) meter(ctx context.Context, x *exchange) *failure {
	if x.end.keyRequired {
		if failed := s.meterKey(ctx, x); failed != nil {
			return failed
		}
	}
	now := s.clock.Now()
	if x.end.limiter != nil && !x.end.limiter.AllowN(now, 1) || !x.stage.bucket.AllowN(now, 1) {
		return throttled
	}
	return nil
}

func (s *Service) meterKey(ctx context.Context, x *exchange) *failure {
	value := ""
	switch {
	case !x.stage.keyFromAuthorizer:
		value = x.header("X-Api-Key")
	case x.verdict != nil:
		value = x.verdict.usageKey
	}
	ring, _ := s.keys.areas.Load(x.stage.area)
	keys, _ := ring.(keyring)
	k := keys[value]
	if value == "" || k == nil || !k.enabled {
		return noKey
	}
	p := k.plans[planned{x.stage.api, x.stage.name}]
	if p == nil && !slices.Contains(k.stages, x.stage.api+"/"+x.stage.name) {
		return noKey
	}
	x.rq.Identity.APIKey, x.rq.Identity.APIKeyID = value, k.id
	if p == nil {
		return nil
	}
	now := s.clock.Now()
	method := x.end.resource + "/" + x.rq.Method
	for _, st := range p.Stages {
		if st.API != x.stage.api || st.Stage != x.stage.name {
			continue
		}
		if !s.buckets.allow(p.ID+" "+k.id+" "+st.API+" "+st.Stage+" "+method, st.Throttle[method], now) {
			return throttled
		}
	}
	if !s.buckets.allow(p.ID+" "+k.id, p.Throttle, now) {
		return throttled
	}
	ok, err := s.count(ctx, usageID{x.stage.area, p.ID, k.id}, p.Quota, now)
	switch {
	case err != nil:
		x.note = err.Error()
		return misconfigure
	case !ok:
		return usedUp
	}
	return nil
}
