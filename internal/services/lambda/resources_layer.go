package lambda

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-layerversion.html
type layerProperties struct {
	LayerName               *string              `cfn:"LayerName,replace"`
	Content                 layerContentProperty `cfn:"Content,required,replace"`
	Description             *string              `cfn:"Description,replace"`
	LicenseInfo             *string              `cfn:"LicenseInfo,replace"`
	CompatibleRuntimes      []string             `cfn:"CompatibleRuntimes,replace"`
	CompatibleArchitectures []string             `cfn:"CompatibleArchitectures,replace"`
}

type layerContentProperty struct {
	S3Bucket        string  `cfn:"S3Bucket,required"`
	S3Key           string  `cfn:"S3Key,required"`
	S3ObjectVersion *string `cfn:"S3ObjectVersion"`

	_ any `cfn:"S3ObjectStorageMode,refused"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-layerversionpermission.html
type layerPermissionProperties struct {
	LayerVersionArn string  `cfn:"LayerVersionArn,required,replace"`
	Action          string  `cfn:"Action,required,replace"`
	Principal       string  `cfn:"Principal,required,replace"`
	OrganizationID  *string `cfn:"OrganizationId,replace"`
}

func layerResources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::Lambda::LayerVersion", resource.Handlers[layerProperties]{
			Create: createLayerResource, Delete: deleteLayerResource, Attributes: []string{"LayerVersionArn"},
			Identifier: []string{"LayerVersionArn"}, Read: readLayer, List: listLayers, WriteOnly: []string{"Content"},
		}),
		resource.Define("AWS::Lambda::LayerVersionPermission", resource.Handlers[layerPermissionProperties]{
			Create: createLayerPermissionResource, Delete: deleteLayerPermissionResource, Attributes: []string{"Id"},
			Identifier: []string{"LayerVersionArn", "Id"}, Read: readLayerPermission,
		}),
	}
}

func createLayerResource(ctx context.Context, rq *resource.Request, p *layerProperties) (resource.State, error) {
	name := opt.Val(p.LayerName)
	if name == "" {
		name = rq.Name(maxLayerName)
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.PublishLayerVersion, &api.PublishLayerVersionRequest{
		LayerName: &name, Description: p.Description, LicenseInfo: p.LicenseInfo, CompatibleRuntimes: p.CompatibleRuntimes, CompatibleArchitectures: p.CompatibleArchitectures,
		Content: &api.LayerVersionContentInput{S3Bucket: &p.Content.S3Bucket, S3Key: &p.Content.S3Key, S3ObjectVersion: p.Content.S3ObjectVersion},
	})
	if err != nil {
		return resource.State{}, err
	}
	return resource.State{ID: *out.LayerVersionArn, Attributes: map[string]any{"LayerVersionArn": *out.LayerVersionArn}}, nil
}

func deleteLayerResource(ctx context.Context, rq *resource.Request, id string, _ *layerProperties) error {
	l, n, err := parseLayerVersion(id)
	if err != nil {
		return err
	}
	_, err = call.Do(ctx, rq.Caller, rq.As, api.DeleteLayerVersion, &api.DeleteLayerVersionRequest{LayerName: new(l.arn()), VersionNumber: &n})
	return unlessGone(err)
}

func createLayerPermissionResource(ctx context.Context, rq *resource.Request, p *layerPermissionProperties) (resource.State, error) {
	l, n, err := parseLayerVersion(p.LayerVersionArn)
	if err != nil {
		return resource.State{}, err
	}
	statement := rq.Name(100)
	_, err = call.Do(ctx, rq.Caller, rq.As, api.AddLayerVersionPermission, &api.AddLayerVersionPermissionRequest{
		LayerName: new(l.arn()), VersionNumber: &n, StatementId: &statement, Action: &p.Action, Principal: &p.Principal, OrganizationId: p.OrganizationID,
	})
	// As with a function's permission, a statement that is there is this step's.
	if fault.Is(err, "ResourceConflictException") {
		err = nil
	}
	return resource.State{ID: statement, Attributes: map[string]any{"Id": statement}}, err
}

func deleteLayerPermissionResource(ctx context.Context, rq *resource.Request, id string, p *layerPermissionProperties) error {
	l, n, err := parseLayerVersion(p.LayerVersionArn)
	if err != nil {
		return err
	}
	_, err = call.Do(ctx, rq.Caller, rq.As, api.RemoveLayerVersionPermission, &api.RemoveLayerVersionPermissionRequest{LayerName: new(l.arn()), VersionNumber: &n, StatementId: &id})
	return unlessGone(err)
}
