package apigateway

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func onPlan(plan *string, parts ...string) string {
	return "/usageplans/" + opt.Val(plan) + strings.Join(append([]string{""}, parts...), "/")
}

func (s *Service) planBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateUsagePlan, on(actionPost, func(*api.CreateUsagePlanRequest) string { return "/usageplans" }), s.createUsagePlan),
		call.Bind(api.GetUsagePlan, on(actionGet, func(in *api.GetUsagePlanRequest) string { return onPlan(in.UsagePlanId) }), s.getUsagePlan),
		call.Bind(api.GetUsagePlans, on(actionGet, func(*api.GetUsagePlansRequest) string { return "/usageplans" }), s.getUsagePlans),
		call.Bind(api.UpdateUsagePlan, on(actionPatch, func(in *api.UpdateUsagePlanRequest) string { return onPlan(in.UsagePlanId) }), s.updateUsagePlan),
		call.Bind(api.DeleteUsagePlan, on(actionDelete, func(in *api.DeleteUsagePlanRequest) string { return onPlan(in.UsagePlanId) }), s.deleteUsagePlan),
		call.Bind(api.CreateUsagePlanKey, on(actionPost, func(in *api.CreateUsagePlanKeyRequest) string { return onPlan(in.UsagePlanId, "keys") }), s.createUsagePlanKey),
		call.Bind(api.GetUsagePlanKey, on(actionGet, func(in *api.GetUsagePlanKeyRequest) string { return onPlan(in.UsagePlanId, "keys", *in.KeyId) }), s.getUsagePlanKey),
		call.Bind(api.GetUsagePlanKeys, on(actionGet, func(in *api.GetUsagePlanKeysRequest) string { return onPlan(in.UsagePlanId, "keys") }), s.getUsagePlanKeys),
		call.Bind(api.DeleteUsagePlanKey, on(actionDelete, func(in *api.DeleteUsagePlanKeyRequest) string { return onPlan(in.UsagePlanId, "keys", *in.KeyId) }), s.deleteUsagePlanKey),
		call.Bind(api.GetUsage, on(actionGet, func(in *api.GetUsageRequest) string { return onPlan(in.UsagePlanId, "usage") }), s.getUsage),
		call.Bind(api.UpdateUsage, on(actionPatch, func(in *api.UpdateUsageRequest) string { return onPlan(in.UsagePlanId, "keys", *in.KeyId, "usage") }), s.updateUsage),
	}
}

func (p *usagePlan) answer() *api.UsagePlan {
	out := &api.UsagePlan{Id: &p.ID, Name: &p.Name, Description: opt.NonZero(p.Description), Throttle: p.Throttle.answer(), Tags: p.Tags}
	if q := p.Quota; q != nil {
		out.Quota = &api.QuotaSettings{Limit: &q.Limit, Offset: &q.Offset, Period: &q.Period}
	}
	for _, st := range p.Stages {
		x := api.ApiStage{ApiId: &st.API, Stage: &st.Stage}
		for k, t := range st.Throttle {
			if x.Throttle == nil {
				x.Throttle = map[string]api.ThrottleSettings{}
			}
			x.Throttle[k] = *t.answer()
		}
		out.ApiStages = append(out.ApiStages, x)
	}
	return out
}

// check checks a plan against what there is.
func (p *usagePlan) check(r data.Reader, a area) error {
	if p.Name == "" {
		return api.BadRequestException("Usage Plan name cannot be blank")
	}
	if q := p.Quota; q != nil {
		last, ok := map[string]int32{"DAY": 0, "WEEK": 6, "MONTH": 27}[q.Period]
		switch {
		case !ok:
			return api.BadRequestException("Usage Plan quota period must be one of: DAY, WEEK, MONTH")
		case q.Limit < 0:
			return api.BadRequestException("Usage Plan quota limit must not be negative")
		case last == 0 && q.Offset != 0:
			return api.BadRequestException("Usage Plan quota offset must be zero in the DAY period")
		case q.Offset < 0 || q.Offset > last:
			return api.BadRequestException("Usage Plan quota offset must be between zero and %d inclusive in the %s period", last, q.Period)
		}
	}
	for i, st := range p.Stages {
		if _, err := loadStage(r, a, st.API, st.Stage); err != nil {
			return api.NotFoundException("Invalid API Stage %s:%s specified", st.API, st.Stage)
		}
		if slices.ContainsFunc(p.Stages[:i], func(o planStage) bool { return o.API == st.API && o.Stage == st.Stage }) {
			return api.ConflictException("API Stage %s:%s is already in the usage plan", st.API, st.Stage)
		}
	}
	return nil
}

func loadPlan(r data.Reader, a area, id string) (*usagePlan, error) {
	p, err := data.Load[usagePlan](r, a.plan(id))
	if err == nil && p == nil {
		err = api.NotFoundException("Invalid Usage Plan ID specified")
	}
	return p, err
}

func (s *Service) createUsagePlan(ctx context.Context, rq *call.Authorized, in *api.CreateUsagePlanRequest) (*api.UsagePlan, error) {
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	a := areaOf(rq)
	p := &usagePlan{V: 1, ID: s.newID(), Name: *in.Name, Description: opt.Val(in.Description), Throttle: throttleOf(in.Throttle), Tags: in.Tags}
	if q := in.Quota; q != nil {
		p.Quota = &quota{Limit: opt.Val(q.Limit), Offset: opt.Val(q.Offset), Period: opt.Val(q.Period)}
	}
	for _, st := range in.ApiStages {
		x := planStage{API: opt.Val(st.ApiId), Stage: opt.Val(st.Stage)}
		for k, t := range st.Throttle {
			if x.Throttle == nil {
				x.Throttle = map[string]*throttle{}
			}
			x.Throttle[k] = throttleOf(&t)
		}
		p.Stages = append(p.Stages, x)
	}
	err := s.store.Update(ctx, func(t data.Txn) error {
		if err := p.check(t, a); err != nil {
			return err
		}
		return data.Save(t, a.plan(p.ID), p)
	})
	if err != nil {
		return nil, err
	}
	return p.answer(), s.publishKeys(ctx, a)
}

func (s *Service) getUsagePlan(ctx context.Context, rq *call.Authorized, in *api.GetUsagePlanRequest) (out *api.UsagePlan, err error) {
	err = s.store.View(ctx, func(r data.Reader) error {
		p, err := loadPlan(r, areaOf(rq), *in.UsagePlanId)
		if err == nil {
			out = p.answer()
		}
		return err
	})
	return out, err
}

func (s *Service) getUsagePlans(ctx context.Context, rq *call.Authorized, in *api.GetUsagePlansRequest) (*api.UsagePlans, error) {
	a, out := areaOf(rq), &api.UsagePlans{}
	err := s.store.View(ctx, func(r data.Reader) error {
		all, err := data.LoadAll[usagePlan](r, a.plans())
		if err != nil {
			return err
		}
		if in.KeyId != nil {
			all = slices.DeleteFunc(all, func(p *usagePlan) bool {
				_, in, e := r.Get(a.planKey(p.ID, *in.KeyId))
				if e != nil {
					err = e
				}
				return !in
			})
		}
		if err != nil {
			return err
		}
		all, out.Position, err = pageOf(all, in.Position, in.Limit, func(p *usagePlan) string { return p.ID })
		for _, p := range all {
			out.Items = append(out.Items, *p.answer())
		}
		return err
	})
	return out, err
}

func (s *Service) updateUsagePlan(ctx context.Context, rq *call.Authorized, in *api.UpdateUsagePlanRequest) (out *api.UsagePlan, err error) {
	a := areaOf(rq)
	err = s.store.Update(ctx, func(t data.Txn) error {
		p, err := loadPlan(t, a, *in.UsagePlanId)
		if err != nil {
			return err
		}
		if err := p.patch(in.PatchOperations); err != nil {
			return err
		}
		if err := p.check(t, a); err != nil {
			return err
		}
		out = p.answer()
		return data.Save(t, a.plan(p.ID), p)
	})
	if err != nil {
		return nil, err
	}
	return out, s.publishKeys(ctx, a)
}

// patch carries patches of a plan out.
func (p *usagePlan) patch(ops []api.PatchOperation) error {
	number := func(f func(q *quota, n int32)) func(_, v string) error {
		return func(_, v string) error {
			n, err := strconv.ParseInt(v, 10, 32)
			if err != nil {
				return api.BadRequestException("Invalid quota setting specified: %s", v)
			}
			if p.Quota == nil {
				p.Quota = new(quota)
			}
			f(p.Quota, int32(n))
			return nil
		}
	}
	bucket := func(name string) func(_, v string) error {
		return func(_, v string) error {
			if p.Throttle == nil {
				p.Throttle = new(throttle)
			}
			return p.Throttle.set(name, v)
		}
	}
	e := edits{
		"replace /name": text(&p.Name), "replace /description": text(&p.Description),
		"add /apiStages": func(_, v string) error {
			id, stage, _ := strings.Cut(v, ":")
			p.Stages = append(p.Stages, planStage{API: id, Stage: stage})
			return nil
		},
		"remove /apiStages": func(_, v string) error {
			id, stage, _ := strings.Cut(v, ":")
			n := len(p.Stages)
			p.Stages = slices.DeleteFunc(p.Stages, func(st planStage) bool { return st.API == id && st.Stage == stage })
			if len(p.Stages) == n {
				return api.NotFoundException("Invalid API Stage %s specified", v)
			}
			return nil
		},
		"replace /throttle/rateLimit": bucket("rateLimit"), "replace /throttle/burstLimit": bucket("burstLimit"),
		"add /throttle/rateLimit": bucket("rateLimit"), "add /throttle/burstLimit": bucket("burstLimit"),
		"remove /throttle":     func(_, _ string) error { p.Throttle = nil; return nil },
		"replace /quota/limit": number(func(q *quota, n int32) { q.Limit = n }), "replace /quota/offset": number(func(q *quota, n int32) { q.Offset = n }),
		"replace /quota/period": func(_, v string) error {
			if p.Quota == nil {
				p.Quota = new(quota)
			}
			p.Quota.Period = v
			return nil
		},
		"remove /quota": func(_, _ string) error { p.Quota = nil; return nil },
	}
	for _, k := range []string{"limit", "offset", "period"} {
		e["add /quota/"+k] = e["replace /quota/"+k]
	}
	// "/apiStages/abc:prod/throttle/~1pets/GET/rateLimit"
	for i := range p.Stages {
		st := &p.Stages[i]
		base := "/apiStages/" + st.API + ":" + st.Stage + "/throttle"
		for _, o := range ops {
			path, ok := strings.CutPrefix(opt.Val(o.Path), base+"/")
			parts := strings.Split(path, "/")
			if !ok || len(parts) < 2 {
				continue
			}
			method := unescape.Replace(parts[0]) + "/" + parts[1]
			e["remove "+base+"/"+parts[0]+"/"+parts[1]] = func(_, _ string) error { delete(st.Throttle, method); return nil }
			if len(parts) == 3 {
				set := func(_, v string) error {
					if st.Throttle == nil {
						st.Throttle = map[string]*throttle{}
					}
					if st.Throttle[method] == nil {
						st.Throttle[method] = new(throttle)
					}
					return st.Throttle[method].set(parts[2], v)
				}
				e["replace "+*o.Path], e["add "+*o.Path] = set, set
			}
		}
	}
	return e.apply(ops, "/productCode")
}

func (s *Service) deleteUsagePlan(ctx context.Context, rq *call.Authorized, in *api.DeleteUsagePlanRequest) (*call.None, error) {
	a, id := areaOf(rq), *in.UsagePlanId
	err := s.store.Update(ctx, func(t data.Txn) error {
		p, err := loadPlan(t, a, id)
		if err != nil {
			return err
		}
		for _, st := range p.Stages {
			if _, err := loadStage(t, a, st.API, st.Stage); err == nil { // one that was deleted holds nobody
				return api.BadRequestException("Cannot delete Usage Plan %s because there are API Stages associated with it, including %s:%s", id, st.API, st.Stage)
			}
		}
		for _, prefix := range [][]byte{a.planKeys(id), a.usages(id)} {
			for p, err := range t.Scan(prefix, data.PrefixEnd(prefix), false) {
				if err != nil {
					return err
				}
				if err := t.Delete(p.Key); err != nil {
					return err
				}
			}
		}
		return t.Delete(a.plan(id))
	})
	if err != nil {
		return nil, err
	}
	s.forget(func(u usageID) bool { return u.area == a && u.plan == id })
	return &call.None{}, s.publishKeys(ctx, a)
}

func planKeyAnswer(k *apiKey) *api.UsagePlanKey {
	return &api.UsagePlanKey{Id: &k.ID, Type: new("API_KEY"), Value: &k.Value, Name: opt.NonZero(k.Name)}
}

// addPlanKey puts a key into a plan.
func addPlanKey(t data.Txn, a area, plan string, k *apiKey) error {
	p, err := loadPlan(t, a, plan)
	if err != nil {
		return err
	}
	plans, err := data.LoadAll[usagePlan](t, a.plans())
	if err != nil {
		return err
	}
	for _, o := range plans {
		_, has, err := t.Get(a.planKey(o.ID, k.ID))
		switch {
		case err != nil:
			return err
		case has && o.ID == p.ID:
			return api.ConflictException("Usage Plan %s cannot be added because API Key %s is already in it.", p.ID, k.ID)
		case has && slices.ContainsFunc(o.Stages, func(x planStage) bool {
			return slices.ContainsFunc(p.Stages, func(y planStage) bool { return x.API == y.API && x.Stage == y.Stage })
		}):
			return api.ConflictException("API Key %s cannot be in two usage plans with the same API stage: it is in %s.", k.ID, o.ID)
		}
	}
	return t.Put(a.planKey(p.ID, k.ID), []byte{})
}

func (s *Service) createUsagePlanKey(ctx context.Context, rq *call.Authorized, in *api.CreateUsagePlanKeyRequest) (out *api.UsagePlanKey, err error) {
	if *in.KeyType != "API_KEY" {
		return nil, api.BadRequestException("Invalid key type specified: %s. Must be API_KEY", *in.KeyType)
	}
	a := areaOf(rq)
	err = s.store.Update(ctx, func(t data.Txn) error {
		if _, err := loadPlan(t, a, *in.UsagePlanId); err != nil {
			return err
		}
		k, err := loadKey(t, a, *in.KeyId)
		if err != nil {
			return err
		}
		out = planKeyAnswer(k)
		return addPlanKey(t, a, *in.UsagePlanId, k)
	})
	if err != nil {
		return nil, err
	}
	return out, s.publishKeys(ctx, a)
}

// loadPlanKey loads a key that is in a plan.
func loadPlanKey(r data.Reader, a area, plan, key string) (*usagePlan, *apiKey, error) {
	p, err := loadPlan(r, a, plan)
	if err != nil {
		return nil, nil, err
	}
	_, has, err := r.Get(a.planKey(plan, key))
	if err == nil && !has {
		err = api.NotFoundException("Invalid Usage Plan Key ID specified")
	}
	if err != nil {
		return nil, nil, err
	}
	k, err := loadKey(r, a, key)
	return p, k, err
}

func (s *Service) getUsagePlanKey(ctx context.Context, rq *call.Authorized, in *api.GetUsagePlanKeyRequest) (out *api.UsagePlanKey, err error) {
	err = s.store.View(ctx, func(r data.Reader) error {
		_, k, err := loadPlanKey(r, areaOf(rq), *in.UsagePlanId, *in.KeyId)
		if err == nil {
			out = planKeyAnswer(k)
		}
		return err
	})
	return out, err
}

func (s *Service) getUsagePlanKeys(ctx context.Context, rq *call.Authorized, in *api.GetUsagePlanKeysRequest) (*api.UsagePlanKeys, error) {
	a, out := areaOf(rq), &api.UsagePlanKeys{}
	err := s.store.View(ctx, func(r data.Reader) error {
		if _, err := loadPlan(r, a, *in.UsagePlanId); err != nil {
			return err
		}
		all, err := keysOf(r, a, *in.UsagePlanId)
		if err != nil {
			return err
		}
		all, out.Position, err = pageOf(all, in.Position, in.Limit, func(id string) string { return id })
		for _, id := range all {
			k, err := loadKey(r, a, id)
			if err != nil {
				return err
			}
			if strings.HasPrefix(k.Name, opt.Val(in.NameQuery)) {
				out.Items = append(out.Items, *planKeyAnswer(k))
			}
		}
		return err
	})
	return out, err
}

func (s *Service) deleteUsagePlanKey(ctx context.Context, rq *call.Authorized, in *api.DeleteUsagePlanKeyRequest) (*call.None, error) {
	a := areaOf(rq)
	err := s.store.Update(ctx, func(t data.Txn) error {
		p, k, err := loadPlanKey(t, a, *in.UsagePlanId, *in.KeyId)
		if err != nil {
			return err
		}
		return t.Delete(a.planKey(p.ID, k.ID))
	})
	if err != nil {
		return nil, err
	}
	return &call.None{}, s.publishKeys(ctx, a)
}

// getUsage answers what keys used, day by day, and what was left at each day's
// end; nothing is left of a plan without a quota.
func (s *Service) getUsage(ctx context.Context, rq *call.Authorized, in *api.GetUsageRequest) (*api.Usage, error) {
	from, err := time.Parse(dayForm, *in.StartDate)
	var to time.Time
	if err == nil {
		to, err = time.Parse(dayForm, *in.EndDate)
	}
	if err != nil || to.Before(from) || to.Sub(from) > 90*24*time.Hour {
		return nil, api.BadRequestException("Invalid date range specified: dates must be YYYY-MM-DD, in order, and at most 90 days apart")
	}
	a, out := areaOf(rq), &api.Usage{UsagePlanId: in.UsagePlanId, StartDate: in.StartDate, EndDate: in.EndDate, Items: map[string][][]int64{}}
	var p *usagePlan
	var keys []string
	err = s.store.View(ctx, func(r data.Reader) error {
		if p, err = loadPlan(r, a, *in.UsagePlanId); err != nil {
			return err
		}
		if in.KeyId != nil {
			_, k, err := loadPlanKey(r, a, p.ID, *in.KeyId)
			if err == nil {
				keys = []string{k.ID}
			}
			return err
		}
		if keys, err = keysOf(r, a, p.ID); err != nil {
			return err
		}
		keys, out.Position, err = pageOf(keys, in.Position, in.Limit, func(id string) string { return id })
		return err
	})
	for _, k := range keys {
		if err != nil {
			return nil, err
		}
		err = s.use(ctx, usageID{a, p.ID, k}, func(u *usage) bool {
			for d := from; !d.After(to); d = d.AddDate(0, 0, 1) {
				day := []int64{u.Days[d.Format(dayForm)], 0}
				if p.Quota != nil {
					day[1] = u.remaining(p.Quota, d)
				}
				out.Items[k] = append(out.Items[k], day)
			}
			return false
		})
	}
	return out, err
}

// updateUsage sets what a key has left in the period that is now.
func (s *Service) updateUsage(ctx context.Context, rq *call.Authorized, in *api.UpdateUsageRequest) (*api.Usage, error) {
	a := areaOf(rq)
	var p *usagePlan
	err := s.store.View(ctx, func(r data.Reader) (err error) {
		p, _, err = loadPlanKey(r, a, *in.UsagePlanId, *in.KeyId)
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.Quota == nil {
		return nil, api.BadRequestException("Usage Plan %s has no quota", p.ID)
	}
	left := int64(-1)
	err = edits{"replace /remaining": func(_, v string) error {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < 0 {
			return api.BadRequestException("Invalid remaining quota specified: %s", v)
		}
		left = n
		return nil
	}}.apply(in.PatchOperations)
	if err != nil {
		return nil, err
	}
	today := rq.Time().UTC().Format(dayForm)
	if left >= 0 {
		err = s.use(ctx, usageID{a, p.ID, *in.KeyId}, func(u *usage) bool {
			begin := p.Quota.begin(rq.Time())
			used := int64(0)
			for d := begin; !d.After(rq.Time()); d = d.AddDate(0, 0, 1) {
				used += u.Days[d.Format(dayForm)]
			}
			u.During, u.Granted = begin.Format(dayForm), left-int64(p.Quota.Limit)+used
			return true
		})
		if err == nil {
			err = s.writeUsage(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	return s.getUsage(ctx, rq, &api.GetUsageRequest{UsagePlanId: in.UsagePlanId, KeyId: in.KeyId, StartDate: &today, EndDate: &today})
}
