package apigateway

import (
	"context"
	"maps"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

// APIs, stages, API keys, domain names, usage plans and client certificates have
// tags.

func (s *Service) tagBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetTags, onTags(actionGet, func(in *api.GetTagsRequest) *string { return in.ResourceArn }), s.getTags),
		call.Bind(api.TagResource, onTags(actionPut, func(in *api.TagResourceRequest) *string { return in.ResourceArn }), s.tagResource),
		call.Bind(api.UntagResource, onTags(actionDelete, func(in *api.UntagResourceRequest) *string { return in.ResourceArn }), s.untagResource),
	}
}

// onTags is the rule of the tag operations: their resource is "/tags/" and the
// ARN with its slashes and colons escaped.
func onTags[I any](action string, of func(*I) *string) call.Access[I] {
	return on(action, func(in *I) string {
		return "/tags/" + strings.NewReplacer(":", "%3A", "/", "%2F").Replace(*of(in))
	})
}

func checkTags(t map[string]string) error {
	if err := tags.Check(t); err != nil {
		return api.BadRequestException("Invalid tags: %s", err)
	}
	return nil
}

// changeTags hands the tags of what has some to f, and stores them if keep.
func (s *Service) changeTags(ctx context.Context, rq *call.Authorized, resource string, keep bool, f func(t map[string]string) (map[string]string, error)) error {
	a := areaOf(rq)
	x, ok := arn.Parse(resource)
	if !ok || x.Service != "apigateway" || x.Region != a.region {
		return api.BadRequestException("Invalid ARN specified in the request")
	}
	do := func(r data.Reader, put func(key []byte, v any) error) error {
		key, record, of, err := a.tagged(r, strings.Split(x.Resource, "/"))
		if err != nil {
			return err
		}
		if *of, err = f(*of); err != nil {
			return err
		}
		return put(key, record)
	}
	if !keep {
		return s.store.View(ctx, func(r data.Reader) error {
			return do(r, func([]byte, any) error { return nil })
		})
	}
	return s.store.Update(ctx, func(t data.Txn) error {
		return do(t, func(key []byte, v any) error { return data.Save(t, key, v) })
	})
}

// tagged finds the record at a path that may have tags.
func (a area) tagged(r data.Reader, path []string) (key []byte, record any, of *map[string]string, err error) {
	switch {
	case len(path) == 3 && path[1] == "restapis":
		x, err := loadAPI(r, a, path[2])
		if err != nil {
			return nil, nil, nil, err
		}
		return a.api(x.ID), x, &x.Tags, nil
	case len(path) == 5 && path[1] == "restapis" && path[3] == "stages":
		st, err := loadStage(r, a, path[2], path[4])
		if err != nil {
			return nil, nil, nil, err
		}
		return a.stage(path[2], st.Name), st, &st.Tags, nil
	case len(path) == 3 && path[1] == "apikeys":
		k, err := loadKey(r, a, path[2])
		if err != nil {
			return nil, nil, nil, err
		}
		return a.apiKey(k.ID), k, &k.Tags, nil
	case len(path) == 3 && path[1] == "domainnames":
		x, err := loadDomain(r, a, path[2])
		if err != nil {
			return nil, nil, nil, err
		}
		return a.domain(x.Name), x, &x.Tags, nil
	case len(path) == 3 && path[1] == "clientcertificates":
		c, err := loadCertificate(r, a, path[2])
		if err != nil {
			return nil, nil, nil, err
		}
		return a.clientCertificate(c.ID), c, &c.Tags, nil
	case len(path) == 3 && path[1] == "usageplans":
		p, err := loadPlan(r, a, path[2])
		if err != nil {
			return nil, nil, nil, err
		}
		return a.plan(p.ID), p, &p.Tags, nil
	}
	return nil, nil, nil, api.BadRequestException("Invalid ARN specified in the request")
}

func (s *Service) getTags(ctx context.Context, rq *call.Authorized, in *api.GetTagsRequest) (*api.Tags, error) {
	out := &api.Tags{Tags: map[string]string{}}
	return out, s.changeTags(ctx, rq, *in.ResourceArn, false, func(t map[string]string) (map[string]string, error) {
		maps.Copy(out.Tags, t)
		return t, nil
	})
}

func (s *Service) tagResource(ctx context.Context, rq *call.Authorized, in *api.TagResourceRequest) (*call.None, error) {
	return &call.None{}, s.changeTags(ctx, rq, *in.ResourceArn, true, func(t map[string]string) (map[string]string, error) {
		if err := checkTags(in.Tags); err != nil {
			return nil, err
		}
		t = merged(t, in.Tags)
		return t, checkTags(t)
	})
}

func (s *Service) untagResource(ctx context.Context, rq *call.Authorized, in *api.UntagResourceRequest) (*call.None, error) {
	return &call.None{}, s.changeTags(ctx, rq, *in.ResourceArn, true, func(t map[string]string) (map[string]string, error) {
		for _, k := range in.TagKeys {
			delete(t, k)
		}
		return t, nil
	})
}
