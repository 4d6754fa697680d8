package apigateway

import (
	"context"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) keyBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateApiKey, on(actionPost, func(*api.CreateApiKeyRequest) string { return "/apikeys" }), s.createApiKey),
		call.Bind(api.ImportApiKeys, on(actionPost, func(*api.ImportApiKeysRequest) string { return "/apikeys" }), s.importApiKeys),
		call.Bind(api.GetApiKey, on(actionGet, func(in *api.GetApiKeyRequest) string { return "/apikeys/" + opt.Val(in.ApiKey) }), s.getApiKey),
		call.Bind(api.GetApiKeys, on(actionGet, func(*api.GetApiKeysRequest) string { return "/apikeys" }), s.getApiKeys),
		call.Bind(api.UpdateApiKey, on(actionPatch, func(in *api.UpdateApiKeyRequest) string { return "/apikeys/" + opt.Val(in.ApiKey) }), s.updateApiKey),
		call.Bind(api.DeleteApiKey, on(actionDelete, func(in *api.DeleteApiKeyRequest) string { return "/apikeys/" + opt.Val(in.ApiKey) }), s.deleteApiKey),
	}
}

func (k *apiKey) answer(value bool) *api.ApiKey {
	out := &api.ApiKey{
		Id: &k.ID, Name: opt.NonZero(k.Name), Description: opt.NonZero(k.Description), CustomerId: opt.NonZero(k.Customer), Enabled: &k.Enabled,
		CreatedDate: seconds(k.Created), LastUpdatedDate: seconds(k.Updated), Tags: k.Tags, StageKeys: k.Stages,
	}
	if value {
		out.Value = &k.Value
	}
	return out
}

func loadKey(r data.Reader, a area, id string) (*apiKey, error) {
	k, err := data.Load[apiKey](r, a.apiKey(id))
	if err == nil && k == nil {
		err = api.NotFoundException("Invalid API Key identifier specified")
	}
	return k, err
}

// checkKeyValue checks the value of a key that somebody chose.
func checkKeyValue(v string) error {
	if v != "" && (len(v) < 20 || len(v) > 128) {
		return api.BadRequestException("API Key value should be at least 20 characters and at most 128")
	}
	return nil
}

// addStage lets a key open a stage, without any plan: "api/stage".
func (k *apiKey) addStage(r data.Reader, a area, name string) error {
	id, stage, _ := strings.Cut(name, "/")
	if _, err := loadStage(r, a, id, stage); err != nil {
		return api.BadRequestException("Invalid stage identifier specified: %s", name)
	}
	if !slices.Contains(k.Stages, name) {
		k.Stages = append(k.Stages, name)
	}
	return nil
}

// createApiKey makes a key. Its id and its value always differ, whatever
// generateDistinctId says.
func (s *Service) createApiKey(ctx context.Context, rq *call.Authorized, in *api.CreateApiKeyRequest) (*api.ApiKey, error) {
	err := checkTags(in.Tags)
	if err == nil {
		err = checkKeyValue(opt.Val(in.Value))
	}
	if err != nil {
		return nil, err
	}
	a, now := areaOf(rq), millis(rq.Time())
	k := &apiKey{
		V: 1, ID: s.ids.Of(ids.LowerAlnum, 10), Value: opt.Val(in.Value), Name: opt.Val(in.Name), Description: opt.Val(in.Description),
		Customer: opt.Val(in.CustomerId), Enabled: opt.Val(in.Enabled), Tags: in.Tags, Created: now, Updated: now,
	}
	if k.Value == "" {
		k.Value = s.ids.Of(ids.Alnum, 40)
	}
	err = s.store.Update(ctx, func(t data.Txn) error {
		all, err := data.LoadAll[apiKey](t, a.apiKeys())
		if err != nil {
			return err
		}
		for _, o := range all {
			if o.Value == k.Value {
				return api.ConflictException("API Key already exists")
			}
		}
		k.Stages = nil
		for _, st := range in.StageKeys {
			if err := k.addStage(t, a, opt.Val(st.RestApiId)+"/"+opt.Val(st.StageName)); err != nil {
				return err
			}
		}
		return data.Save(t, a.apiKey(k.ID), k)
	})
	if err != nil {
		return nil, err
	}
	return k.answer(true), s.publishKeys(ctx, a)
}

func (s *Service) getApiKey(ctx context.Context, rq *call.Authorized, in *api.GetApiKeyRequest) (out *api.ApiKey, err error) {
	err = s.store.View(ctx, func(r data.Reader) error {
		k, err := loadKey(r, areaOf(rq), *in.ApiKey)
		if err == nil {
			out = k.answer(opt.Val(in.IncludeValue))
		}
		return err
	})
	return out, err
}

func (s *Service) getApiKeys(ctx context.Context, rq *call.Authorized, in *api.GetApiKeysRequest) (*api.ApiKeys, error) {
	out := &api.ApiKeys{}
	err := s.store.View(ctx, func(r data.Reader) error {
		all, err := data.LoadAll[apiKey](r, areaOf(rq).apiKeys())
		if err != nil {
			return err
		}
		var match []*apiKey
		for _, k := range all {
			if strings.HasPrefix(k.Name, opt.Val(in.NameQuery)) && (in.CustomerId == nil || k.Customer == *in.CustomerId) {
				match = append(match, k)
			}
		}
		match, out.Position, err = pageOf(match, in.Position, in.Limit, func(k *apiKey) string { return k.ID })
		for _, k := range match {
			out.Items = append(out.Items, *k.answer(opt.Val(in.IncludeValues)))
		}
		return err
	})
	return out, err
}

func (s *Service) updateApiKey(ctx context.Context, rq *call.Authorized, in *api.UpdateApiKeyRequest) (out *api.ApiKey, err error) {
	a := areaOf(rq)
	err = s.store.Update(ctx, func(t data.Txn) error {
		k, err := loadKey(t, a, *in.ApiKey)
		if err != nil {
			return err
		}
		e := edits{
			"replace /name": text(&k.Name), "replace /description": text(&k.Description), "replace /customerId": text(&k.Customer),
			"replace /enabled": boolean(&k.Enabled),
			"add /stages":      func(_, v string) error { return k.addStage(t, a, v) },
			"remove /stages": func(_, v string) error {
				k.Stages = slices.DeleteFunc(k.Stages, func(st string) bool { return st == v })
				return nil
			},
		}
		if err := e.apply(in.PatchOperations, "/labels"); err != nil {
			return err
		}
		k.Updated = millis(rq.Time())
		out = k.answer(false)
		return data.Save(t, a.apiKey(k.ID), k)
	})
	if err != nil {
		return nil, err
	}
	return out, s.publishKeys(ctx, a)
}

func (s *Service) deleteApiKey(ctx context.Context, rq *call.Authorized, in *api.DeleteApiKeyRequest) (*call.None, error) {
	a := areaOf(rq)
	err := s.store.Update(ctx, func(t data.Txn) error {
		if _, err := loadKey(t, a, *in.ApiKey); err != nil {
			return err
		}
		plans, err := data.LoadAll[usagePlan](t, a.plans())
		if err != nil {
			return err
		}
		for _, p := range plans {
			if err := t.Delete(a.planKey(p.ID, *in.ApiKey)); err != nil {
				return err
			}
		}
		return t.Delete(a.apiKey(*in.ApiKey))
	})
	if err != nil {
		return nil, err
	}
	return &call.None{}, s.publishKeys(ctx, a)
}
