package apigateway

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func tagMap(rq *resource.Request, own []tagProperty) map[string]string {
	t := merged(rq.StackTags, nil)
	for _, x := range own {
		t[x.Key] = x.Value
	}
	return t
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-apikey.html
type apiKeyProperties struct {
	Name               *string       `cfn:"Name,replace"`
	Description        *string       `cfn:"Description"`
	CustomerID         *string       `cfn:"CustomerId"`
	Enabled            *bool         `cfn:"Enabled"`
	GenerateDistinctID *bool         `cfn:"GenerateDistinctId,meaningless"`
	Value              *string       `cfn:"Value,replace"`
	Tags               []tagProperty `cfn:"Tags"`

	_ any `cfn:"StageKeys,refused"`
}

func (p *apiKeyProperties) name(rq *resource.Request) string { return opt.Or(p.Name, rq.Name(128)) }

func createAPIKey(ctx context.Context, rq *resource.Request, p *apiKeyProperties) (resource.State, error) {
	x, err := call.Do(ctx, rq.Caller, rq.As, api.CreateApiKey, &api.CreateApiKeyRequest{
		Name: new(p.name(rq)), Description: p.Description, CustomerId: p.CustomerID, Enabled: p.Enabled, Value: p.Value, Tags: tagMap(rq, p.Tags),
	})
	if err != nil {
		return resource.State{}, err
	}
	return resource.State{ID: *x.Id, Attributes: map[string]any{"APIKeyId": *x.Id}}, nil
}

func updateAPIKey(ctx context.Context, rq *resource.Request, id string, _, p *apiKeyProperties) (resource.State, error) {
	var ops patches
	ops.set("/description", new(opt.Val(p.Description)))
	ops.set("/customerId", new(opt.Val(p.CustomerID)))
	ops.set("/enabled", new(strconv.FormatBool(opt.Val(p.Enabled))))
	state := resource.State{ID: id, Attributes: map[string]any{"APIKeyId": id}}
	x, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateApiKey, &api.UpdateApiKeyRequest{ApiKey: &id, PatchOperations: ops})
	if err != nil {
		return state, err
	}
	return state, retag(ctx, rq, resourceARN(rq.Region, "/apikeys/"+id), x.Tags, tagMap(rq, p.Tags))
}

func deleteAPIKey(ctx context.Context, rq *resource.Request, id string, _ *apiKeyProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteApiKey, &api.DeleteApiKeyRequest{ApiKey: &id})
	return unlessGone(err)
}

// leftAPIKeys finds the keys of the same name.
func leftAPIKeys(ctx context.Context, rq *resource.Request, p *apiKeyProperties) (all []resource.State, err error) {
	in := &api.GetApiKeysRequest{NameQuery: new(p.name(rq)), Limit: new(int32(pageMax))}
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.GetApiKeys, in)
		if err != nil {
			return nil, err
		}
		for _, x := range out.Items {
			if opt.Val(x.Name) == p.name(rq) {
				all = append(all, resource.State{ID: *x.Id, Attributes: map[string]any{"APIKeyId": *x.Id}})
			}
		}
		if in.Position = out.Position; in.Position == nil {
			return all, nil
		}
	}
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-usageplan.html
type planProperties struct {
	UsagePlanName *string             `cfn:"UsagePlanName"`
	Description   *string             `cfn:"Description"`
	APIStages     []planStageProperty `cfn:"ApiStages"`
	Throttle      *throttleProperty   `cfn:"Throttle"`
	Quota         *quotaProperty      `cfn:"Quota"`
	Tags          []tagProperty       `cfn:"Tags"`
}

type planStageProperty struct {
	APIID    *string                     `cfn:"ApiId"`
	Stage    *string                     `cfn:"Stage"`
	Throttle map[string]throttleProperty `cfn:"Throttle"`
}

type throttleProperty struct {
	RateLimit  *float64 `cfn:"RateLimit"`
	BurstLimit *int32   `cfn:"BurstLimit"`
}

type quotaProperty struct {
	Limit  *int32  `cfn:"Limit"`
	Offset *int32  `cfn:"Offset"`
	Period *string `cfn:"Period"`
}

func (p *planProperties) name(rq *resource.Request) string {
	return opt.Or(p.UsagePlanName, rq.Name(128))
}

func createPlan(ctx context.Context, rq *resource.Request, p *planProperties) (resource.State, error) {
	in := &api.CreateUsagePlanRequest{Name: new(p.name(rq)), Description: p.Description, Tags: tagMap(rq, p.Tags)}
	if t := p.Throttle; t != nil {
		in.Throttle = &api.ThrottleSettings{RateLimit: t.RateLimit, BurstLimit: t.BurstLimit}
	}
	if q := p.Quota; q != nil {
		in.Quota = &api.QuotaSettings{Limit: q.Limit, Offset: q.Offset, Period: q.Period}
	}
	for _, st := range p.APIStages {
		x := api.ApiStage{ApiId: st.APIID, Stage: st.Stage}
		for k, t := range st.Throttle {
			if x.Throttle == nil {
				x.Throttle = map[string]api.ThrottleSettings{}
			}
			x.Throttle[k] = api.ThrottleSettings{RateLimit: t.RateLimit, BurstLimit: t.BurstLimit}
		}
		in.ApiStages = append(in.ApiStages, x)
	}
	x, err := call.Do(ctx, rq.Caller, rq.As, api.CreateUsagePlan, in)
	if err != nil {
		return resource.State{}, err
	}
	return resource.State{ID: *x.Id, Attributes: map[string]any{"Id": *x.Id}}, nil
}

func updatePlan(ctx context.Context, rq *resource.Request, id string, _, p *planProperties) (resource.State, error) {
	was, err := call.Do(ctx, rq.Caller, rq.As, api.GetUsagePlan, &api.GetUsagePlanRequest{UsagePlanId: &id})
	if err != nil {
		return resource.State{}, err
	}
	var ops patches
	ops.set("/name", new(p.name(rq)))
	ops.set("/description", new(opt.Val(p.Description)))
	for _, st := range was.ApiStages {
		ops.op("remove", "/apiStages", new(*st.ApiId+":"+*st.Stage))
	}
	for _, st := range p.APIStages {
		ops.op("add", "/apiStages", new(opt.Val(st.APIID)+":"+opt.Val(st.Stage)))
	}
	ops.op("remove", "/throttle", nil)
	ops.throttle("/throttle", p.Throttle)
	ops.op("remove", "/quota", nil)
	if q := p.Quota; q != nil {
		ops.set("/quota/limit", new(strconv.Itoa(int(opt.Val(q.Limit)))))
		ops.set("/quota/offset", new(strconv.Itoa(int(opt.Val(q.Offset)))))
		ops.set("/quota/period", new(opt.Val(q.Period)))
	}
	if _, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateUsagePlan, &api.UpdateUsagePlanRequest{UsagePlanId: &id, PatchOperations: ops}); err != nil {
		return resource.State{}, err
	}
	ops = nil // the buckets of stages, which are there only now
	for _, st := range p.APIStages {
		for k, t := range st.Throttle {
			i := strings.LastIndexByte(k, '/')
			ops.throttle(fmt.Sprintf("/apiStages/%s:%s/throttle/%s/%s", opt.Val(st.APIID), opt.Val(st.Stage), escape.Replace(k[:max(i, 0)]), k[i+1:]), &t)
		}
	}
	if len(ops) > 0 {
		_, err = call.Do(ctx, rq.Caller, rq.As, api.UpdateUsagePlan, &api.UpdateUsagePlanRequest{UsagePlanId: &id, PatchOperations: ops})
	}
	state := resource.State{ID: id, Attributes: map[string]any{"Id": id}}
	if err != nil {
		return state, err
	}
	return state, retag(ctx, rq, resourceARN(rq.Region, "/usageplans/"+id), was.Tags, tagMap(rq, p.Tags))
}

// throttle sets a bucket at a path.
func (p *patches) throttle(path string, t *throttleProperty) {
	if t == nil {
		return
	}
	if t.RateLimit != nil {
		p.set(path+"/rateLimit", new(strconv.FormatFloat(*t.RateLimit, 'g', -1, 64)))
	}
	if t.BurstLimit != nil {
		p.set(path+"/burstLimit", new(strconv.Itoa(int(*t.BurstLimit))))
	}
}

// deletePlan takes the stages from the plan first, which could not be deleted with them.
func deletePlan(ctx context.Context, rq *resource.Request, id string, p *planProperties) error {
	plan, err := call.Do(ctx, rq.Caller, rq.As, api.GetUsagePlan, &api.GetUsagePlanRequest{UsagePlanId: &id})
	if err != nil {
		return unlessGone(err)
	}
	var ops patches
	for _, st := range plan.ApiStages {
		ops = append(ops, api.PatchOperation{Op: new("remove"), Path: new("/apiStages"), Value: new(*st.ApiId + ":" + *st.Stage)})
	}
	if len(ops) > 0 {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateUsagePlan, &api.UpdateUsagePlanRequest{UsagePlanId: &id, PatchOperations: ops}); err != nil {
			return unlessGone(err)
		}
	}
	_, err = call.Do(ctx, rq.Caller, rq.As, api.DeleteUsagePlan, &api.DeleteUsagePlanRequest{UsagePlanId: &id})
	return unlessGone(err)
}

// leftPlans finds the plans of the same name.
func leftPlans(ctx context.Context, rq *resource.Request, p *planProperties) (all []resource.State, err error) {
	in := &api.GetUsagePlansRequest{Limit: new(int32(pageMax))}
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.GetUsagePlans, in)
		if err != nil {
			return nil, err
		}
		for _, x := range out.Items {
			if *x.Name == p.name(rq) {
				all = append(all, resource.State{ID: *x.Id, Attributes: map[string]any{"Id": *x.Id}})
			}
		}
		if in.Position = out.Position; in.Position == nil {
			return all, nil
		}
	}
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-usageplankey.html
type planKeyProperties struct {
	UsagePlanID string `cfn:"UsagePlanId,required,replace"`
	KeyID       string `cfn:"KeyId,required,replace"`
	KeyType     string `cfn:"KeyType,required,replace"`
}

func (p *planKeyProperties) state() resource.State {
	id := p.KeyID + ":" + p.UsagePlanID
	return resource.State{ID: id, Attributes: map[string]any{"Id": id}}
}

func createPlanKey(ctx context.Context, rq *resource.Request, p *planKeyProperties) (resource.State, error) {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.CreateUsagePlanKey, &api.CreateUsagePlanKeyRequest{UsagePlanId: &p.UsagePlanID, KeyId: &p.KeyID, KeyType: &p.KeyType})
	return p.state(), err
}

func deletePlanKey(ctx context.Context, rq *resource.Request, _ string, p *planKeyProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteUsagePlanKey, &api.DeleteUsagePlanKeyRequest{UsagePlanId: &p.UsagePlanID, KeyId: &p.KeyID})
	return unlessGone(err)
}

// leftPlanKey finds the key if it is in the plan.
func leftPlanKey(ctx context.Context, rq *resource.Request, p *planKeyProperties) ([]resource.State, error) {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.GetUsagePlanKey, &api.GetUsagePlanKeyRequest{UsagePlanId: &p.UsagePlanID, KeyId: &p.KeyID})
	if err != nil {
		return nil, unlessGone(err)
	}
	return []resource.State{p.state()}, nil
}
