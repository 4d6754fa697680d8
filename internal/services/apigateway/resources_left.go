package apigateway

import (
	"context"
	"encoding/json"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// What an interrupted creation may have made, for resource.Handlers.Find.

// leftRestAPIs finds the APIs of the name that the properties or the document give.
func leftRestAPIs(ctx context.Context, rq *resource.Request, p *restAPIProperties) ([]resource.State, error) {
	var doc struct{ Info struct{ Title string } }
	if body, err := p.document(ctx, rq); err != nil {
		return nil, err
	} else if body != nil {
		_ = json.Unmarshal(body, &doc) // a document in YAML has the name of the property
	}
	var all []resource.State
	in := &api.GetRestApisRequest{Limit: new(int32(500))}
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.GetRestApis, in)
		if err != nil {
			return nil, err
		}
		for _, x := range out.Items {
			if name := opt.Val(x.Name); name != "" && (name == opt.Val(p.Name) || name == doc.Info.Title) {
				all = append(all, resource.State{ID: *x.Id})
			}
		}
		if in.Position = out.Position; in.Position == nil {
			return all, nil
		}
	}
}

func leftPath(ctx context.Context, rq *resource.Request, p *pathProperties) ([]resource.State, error) {
	in := &api.GetResourcesRequest{RestApiId: &p.RestAPIID, Limit: new(int32(500))}
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.GetResources, in)
		if err != nil {
			return nil, unlessGone(err)
		}
		for _, x := range out.Items {
			if opt.Val(x.ParentId) == p.ParentID && opt.Val(x.PathPart) == p.PathPart {
				return []resource.State{{ID: *x.Id, Attributes: map[string]any{"ResourceId": *x.Id}}}, nil
			}
		}
		if in.Position = out.Position; in.Position == nil {
			return nil, nil
		}
	}
}

func leftMethod(ctx context.Context, rq *resource.Request, p *methodProperties) ([]resource.State, error) {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.GetMethod, &api.GetMethodRequest{RestApiId: &p.RestAPIID, ResourceId: &p.ResourceID, HttpMethod: &p.HTTPMethod})
	if err != nil {
		return nil, unlessGone(err)
	}
	return []resource.State{{ID: p.RestAPIID + "|" + p.ResourceID + "|" + p.HTTPMethod}}, nil
}

func leftModel(ctx context.Context, rq *resource.Request, p *modelProperties) ([]resource.State, error) {
	name := p.name(rq)
	_, err := call.Do(ctx, rq.Caller, rq.As, api.GetModel, &api.GetModelRequest{RestApiId: &p.RestAPIID, ModelName: &name})
	if err != nil {
		return nil, unlessGone(err)
	}
	return []resource.State{{ID: name}}, nil
}

// leftDeployments finds all deployments of the API: they have no names.
func leftDeployments(ctx context.Context, rq *resource.Request, p *deploymentProperties) ([]resource.State, error) {
	var all []resource.State
	in := &api.GetDeploymentsRequest{RestApiId: &p.RestAPIID, Limit: new(int32(500))}
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.GetDeployments, in)
		if err != nil {
			return nil, unlessGone(err)
		}
		for _, x := range out.Items {
			all = append(all, resource.State{ID: *x.Id})
		}
		if in.Position = out.Position; in.Position == nil {
			return all, nil
		}
	}
}

func leftStage(ctx context.Context, rq *resource.Request, p *stageProperties) ([]resource.State, error) {
	name := opt.Or(p.StageName, "default")
	_, err := call.Do(ctx, rq.Caller, rq.As, api.GetStage, &api.GetStageRequest{RestApiId: &p.RestAPIID, StageName: &name})
	if err != nil {
		return nil, unlessGone(err)
	}
	return []resource.State{{ID: name}}, nil
}
