package apigateway

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-documentationpart.html
type partProperties struct {
	RestAPIID  string           `cfn:"RestApiId,required,replace"`
	Location   locationProperty `cfn:"Location,required,replace"`
	Properties string           `cfn:"Properties,required"`
}

type locationProperty struct {
	Type       *string `cfn:"Type"`
	Path       *string `cfn:"Path"`
	Method     *string `cfn:"Method"`
	StatusCode *string `cfn:"StatusCode"`
	Name       *string `cfn:"Name"`
}

func (l *locationProperty) settled() (definition.Location, error) {
	return definition.Location{Type: opt.Val(l.Type), Path: opt.Val(l.Path), Method: opt.Val(l.Method), Status: opt.Val(l.StatusCode), Name: opt.Val(l.Name)}.Settle()
}

func partState(id *string) resource.State {
	return resource.State{ID: *id, Attributes: map[string]any{"DocumentationPartId": *id}}
}

func createPart(ctx context.Context, rq *resource.Request, p *partProperties) (resource.State, error) {
	l := p.Location
	x, err := call.Do(ctx, rq.Caller, rq.As, api.CreateDocumentationPart, &api.CreateDocumentationPartRequest{
		RestApiId: &p.RestAPIID, Properties: &p.Properties,
		Location: &api.DocumentationPartLocation{Type: l.Type, Path: l.Path, Method: l.Method, StatusCode: l.StatusCode, Name: l.Name},
	})
	if err != nil {
		return resource.State{}, err
	}
	return partState(x.Id), nil
}

func updatePart(ctx context.Context, rq *resource.Request, id string, _, p *partProperties) (resource.State, error) {
	var ops patches
	ops.set("/properties", &p.Properties)
	_, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateDocumentationPart, &api.UpdateDocumentationPartRequest{RestApiId: &p.RestAPIID, DocumentationPartId: &id, PatchOperations: ops})
	return partState(&id), err
}

func deletePart(ctx context.Context, rq *resource.Request, id string, p *partProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteDocumentationPart, &api.DeleteDocumentationPartRequest{RestApiId: &p.RestAPIID, DocumentationPartId: &id})
	return unlessGone(err)
}

// leftPart finds the part at the properties' place.
func leftPart(ctx context.Context, rq *resource.Request, p *partProperties) ([]resource.State, error) {
	at, err := p.Location.settled()
	if err != nil {
		return nil, nil // nothing can have been made of it
	}
	in := &api.GetDocumentationPartsRequest{RestApiId: &p.RestAPIID, Type: &at.Type, Path: opt.NonZero(at.Path), Limit: new(int32(pageMax))}
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, api.GetDocumentationParts, in)
		if err != nil {
			return nil, unlessGone(err)
		}
		for _, x := range out.Items {
			l := x.Location
			if (definition.Location{Type: opt.Val(l.Type), Path: opt.Val(l.Path), Method: opt.Val(l.Method), Status: opt.Val(l.StatusCode), Name: opt.Val(l.Name)}) == at {
				return []resource.State{partState(x.Id)}, nil
			}
		}
		if in.Position = out.Position; in.Position == nil {
			return nil, nil
		}
	}
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-documentationversion.html
type docVersionProperties struct {
	RestAPIID   string  `cfn:"RestApiId,required,replace"`
	Version     string  `cfn:"DocumentationVersion,required,replace"`
	Description *string `cfn:"Description"`
}

func createDocVersion(ctx context.Context, rq *resource.Request, p *docVersionProperties) (resource.State, error) {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.CreateDocumentationVersion, &api.CreateDocumentationVersionRequest{RestApiId: &p.RestAPIID, DocumentationVersion: &p.Version, Description: p.Description})
	if err != nil {
		return resource.State{}, err
	}
	return resource.State{ID: p.Version}, nil
}

func updateDocVersion(ctx context.Context, rq *resource.Request, id string, _, p *docVersionProperties) (resource.State, error) {
	var ops patches
	ops.set("/description", new(opt.Val(p.Description)))
	_, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateDocumentationVersion, &api.UpdateDocumentationVersionRequest{RestApiId: &p.RestAPIID, DocumentationVersion: &id, PatchOperations: ops})
	return resource.State{ID: id}, err
}

func deleteDocVersion(ctx context.Context, rq *resource.Request, id string, p *docVersionProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteDocumentationVersion, &api.DeleteDocumentationVersionRequest{RestApiId: &p.RestAPIID, DocumentationVersion: &id})
	return unlessGone(err)
}

func leftDocVersion(ctx context.Context, rq *resource.Request, p *docVersionProperties) ([]resource.State, error) {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.GetDocumentationVersion, &api.GetDocumentationVersionRequest{RestApiId: &p.RestAPIID, DocumentationVersion: &p.Version})
	if err != nil {
		return nil, unlessGone(err)
	}
	return []resource.State{{ID: p.Version}}, nil
}
