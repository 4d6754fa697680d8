package apigateway

import (
	"context"
	"errors"
	"maps"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-gatewayresponse.html
type gatewayProperties struct {
	RestAPIID          string            `cfn:"RestApiId,required,replace"`
	ResponseType       string            `cfn:"ResponseType,required,replace"`
	StatusCode         *string           `cfn:"StatusCode"`
	ResponseParameters map[string]string `cfn:"ResponseParameters"`
	ResponseTemplates  map[string]string `cfn:"ResponseTemplates"`
}

func putGateway(ctx context.Context, rq *resource.Request, p *gatewayProperties) (resource.State, error) {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutGatewayResponse, &api.PutGatewayResponseRequest{
		RestApiId: &p.RestAPIID, ResponseType: &p.ResponseType, StatusCode: p.StatusCode, ResponseParameters: p.ResponseParameters, ResponseTemplates: p.ResponseTemplates,
	})
	id := p.RestAPIID + "|" + p.ResponseType
	return resource.State{ID: id, Attributes: map[string]any{"Id": id}}, err
}

func deleteGateway(ctx context.Context, rq *resource.Request, _ string, p *gatewayProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteGatewayResponse, &api.DeleteGatewayResponseRequest{RestApiId: &p.RestAPIID, ResponseType: &p.ResponseType})
	return unlessGone(err)
}

// A deployment is a snapshot: a change of anything but its description takes a
// new one, and so a new logical id, as SAM and the CDK make it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-deployment.html
type deploymentProperties struct {
	RestAPIID        string            `cfn:"RestApiId,required,replace"`
	Description      *string           `cfn:"Description"`
	StageName        *string           `cfn:"StageName,replace"`
	StageDescription *stageDescription `cfn:"StageDescription,replace"`
	Canary           *canaryProperty   `cfn:"DeploymentCanarySettings,replace"`
}

// stageDescription is a stage that a deployment makes. What it says of methods
// is about all that have no settings of their own.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-apigateway-deployment-stagedescription.html
type stageDescription struct {
	Description          *string                 `cfn:"Description"`
	Variables            map[string]string       `cfn:"Variables"`
	Tags                 []tagProperty           `cfn:"Tags"`
	CacheClusterEnabled  *bool                   `cfn:"CacheClusterEnabled"`
	CacheClusterSize     *string                 `cfn:"CacheClusterSize"`
	CacheDataEncrypted   *bool                   `cfn:"CacheDataEncrypted"`
	CacheTTLInSeconds    *int32                  `cfn:"CacheTtlInSeconds"`
	CachingEnabled       *bool                   `cfn:"CachingEnabled"`
	ThrottlingRateLimit  *float64                `cfn:"ThrottlingRateLimit"`
	ThrottlingBurstLimit *int32                  `cfn:"ThrottlingBurstLimit"`
	LoggingLevel         *string                 `cfn:"LoggingLevel"`
	DataTraceEnabled     *bool                   `cfn:"DataTraceEnabled"`
	MetricsEnabled       *bool                   `cfn:"MetricsEnabled"`
	TracingEnabled       *bool                   `cfn:"TracingEnabled"`
	MethodSettings       []methodSettingProperty `cfn:"MethodSettings"`
	CanarySetting        *canaryProperty         `cfn:"CanarySetting"`
	AccessLogSetting     *accessLogProperty      `cfn:"AccessLogSetting"`
	ClientCertificateID  *string                 `cfn:"ClientCertificateId"`
	DocumentationVersion *string                 `cfn:"DocumentationVersion"`
}

// patches are those that a new stage takes beside what makes it.
func (d *stageDescription) patches() (p patches) {
	all := methodSettingProperty{
		ThrottlingRateLimit: d.ThrottlingRateLimit, ThrottlingBurstLimit: d.ThrottlingBurstLimit, LoggingLevel: d.LoggingLevel, DataTraceEnabled: d.DataTraceEnabled,
		MetricsEnabled: d.MetricsEnabled, CachingEnabled: d.CachingEnabled, CacheTTLInSeconds: d.CacheTTLInSeconds, CacheDataEncrypted: d.CacheDataEncrypted,
	}
	p = all.patches()
	p.methodSettings(nil, d.MethodSettings)
	p.canary(nil, d.CanarySetting)
	p.accessLog(nil, d.AccessLogSetting)
	p.set(certificatePath, d.ClientCertificateID)
	p.set("/documentationVersion", d.DocumentationVersion)
	return p
}

func createDeployment(ctx context.Context, rq *resource.Request, p *deploymentProperties) (resource.State, error) {
	in := &api.CreateDeploymentRequest{RestApiId: &p.RestAPIID, Description: p.Description, StageName: p.StageName}
	if d := p.StageDescription; d != nil {
		in.StageDescription, in.Variables, in.TracingEnabled = d.Description, d.Variables, d.TracingEnabled
		in.CacheClusterEnabled, in.CacheClusterSize = d.CacheClusterEnabled, d.CacheClusterSize
	}
	if c := p.Canary; c != nil {
		in.CanarySettings = &api.DeploymentCanarySettings{PercentTraffic: c.PercentTraffic, StageVariableOverrides: c.StageVariableOverrides, UseStageCache: c.UseStageCache}
	}
	x, err := call.Do(ctx, rq.Caller, rq.As, api.CreateDeployment, in)
	if err != nil {
		return resource.State{}, err
	}
	state := resource.State{ID: *x.Id, Attributes: map[string]any{"DeploymentId": *x.Id}}
	d := p.StageDescription
	if d == nil || p.StageName == nil {
		return state, nil
	}
	if ops := d.patches(); len(ops) > 0 {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &p.RestAPIID, StageName: p.StageName, PatchOperations: ops}); err != nil {
			return state, err
		}
	}
	if len(d.Tags) > 0 {
		arn, t := resourceARN(rq.Region, below(&p.RestAPIID, "stages", *p.StageName)), map[string]string{}
		for _, x := range d.Tags {
			t[x.Key] = x.Value
		}
		_, err = call.Do(ctx, rq.Caller, rq.As, api.TagResource, &api.TagResourceRequest{ResourceArn: &arn, Tags: t})
	}
	return state, err
}

func updateDeployment(ctx context.Context, rq *resource.Request, id string, _, p *deploymentProperties) (resource.State, error) {
	var ops patches
	ops.set("/description", new(opt.Val(p.Description)))
	_, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateDeployment, &api.UpdateDeploymentRequest{RestApiId: &p.RestAPIID, DeploymentId: &id, PatchOperations: ops})
	return resource.State{ID: id, Attributes: map[string]any{"DeploymentId": id}}, err
}

// deleteDeployment also deletes the stage that the deployment made, or the canary,
// if that still points at it.
func deleteDeployment(ctx context.Context, rq *resource.Request, id string, p *deploymentProperties) error {
	if p.StageName != nil {
		st, err := call.Do(ctx, rq.Caller, rq.As, api.GetStage, &api.GetStageRequest{RestApiId: &p.RestAPIID, StageName: p.StageName})
		if err == nil && *st.DeploymentId == id {
			_, err = call.Do(ctx, rq.Caller, rq.As, api.DeleteStage, &api.DeleteStageRequest{RestApiId: &p.RestAPIID, StageName: p.StageName})
		} else if err == nil && st.CanarySettings != nil && *st.CanarySettings.DeploymentId == id {
			var ops patches
			ops.op(api.OpRemove, "/canarySettings", nil)
			_, err = call.Do(ctx, rq.Caller, rq.As, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &p.RestAPIID, StageName: p.StageName, PatchOperations: ops})
		}
		if err != nil && !fault.Is(err, "NotFoundException") {
			return err
		}
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteDeployment, &api.DeleteDeploymentRequest{RestApiId: &p.RestAPIID, DeploymentId: &id})
	return unlessGone(err)
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-stage.html
type stageProperties struct {
	RestAPIID            string                  `cfn:"RestApiId,required,replace"`
	StageName            *string                 `cfn:"StageName,replace"`
	DeploymentID         string                  `cfn:"DeploymentId,required"`
	Description          *string                 `cfn:"Description"`
	Variables            map[string]string       `cfn:"Variables"`
	TracingEnabled       *bool                   `cfn:"TracingEnabled"`
	MethodSettings       []methodSettingProperty `cfn:"MethodSettings"`
	AccessLogSetting     *accessLogProperty      `cfn:"AccessLogSetting"`
	CacheClusterEnabled  *bool                   `cfn:"CacheClusterEnabled"`
	CacheClusterSize     *string                 `cfn:"CacheClusterSize"`
	CanarySetting        *canaryProperty         `cfn:"CanarySetting"`
	DocumentationVersion *string                 `cfn:"DocumentationVersion"`
	ClientCertificateID  *string                 `cfn:"ClientCertificateId"`
	Tags                 []tagProperty           `cfn:"Tags"`
}

func (p *stageProperties) tags(rq *resource.Request) map[string]string {
	t := maps.Clone(rq.StackTags)
	if t == nil {
		t = map[string]string{}
	}
	for _, x := range p.Tags {
		t[x.Key] = x.Value
	}
	return t
}

func createStage(ctx context.Context, rq *resource.Request, p *stageProperties) (resource.State, error) {
	name := opt.Or(p.StageName, "default")
	_, err := call.Do(ctx, rq.Caller, rq.As, api.CreateStage, &api.CreateStageRequest{
		RestApiId: &p.RestAPIID, StageName: &name, DeploymentId: &p.DeploymentID, Description: p.Description, Variables: p.Variables,
		TracingEnabled: p.TracingEnabled, CacheClusterEnabled: p.CacheClusterEnabled, CacheClusterSize: p.CacheClusterSize,
		CanarySettings: p.CanarySetting.settings(), DocumentationVersion: p.DocumentationVersion, Tags: p.tags(rq),
	})
	if err != nil {
		return resource.State{}, err
	}
	var ops patches
	ops.methodSettings(nil, p.MethodSettings)
	ops.set(certificatePath, p.ClientCertificateID)
	if ops.accessLog(nil, p.AccessLogSetting); len(ops) > 0 {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &p.RestAPIID, StageName: &name, PatchOperations: ops}); err != nil {
			return resource.State{}, errors.Join(err, deleteStage(ctx, rq, name, p))
		}
	}
	return resource.State{ID: name}, nil
}

func updateStage(ctx context.Context, rq *resource.Request, name string, old, p *stageProperties) (resource.State, error) {
	var ops patches
	ops.set("/deploymentId", &p.DeploymentID)
	ops.set("/description", new(opt.Val(p.Description)))
	ops.flag("/tracingEnabled", new(opt.Val(p.TracingEnabled)))
	ops.set("/cacheClusterSize", p.CacheClusterSize)
	ops.flag("/cacheClusterEnabled", new(opt.Val(p.CacheClusterEnabled)))
	ops.canary(old.CanarySetting, p.CanarySetting)
	ops.accessLog(old.AccessLogSetting, p.AccessLogSetting)
	if p.DocumentationVersion != nil {
		ops.set("/documentationVersion", p.DocumentationVersion)
	} else if old.DocumentationVersion != nil {
		ops.op(api.OpRemove, "/documentationVersion", nil)
	}
	if ops.set(certificatePath, p.ClientCertificateID); p.ClientCertificateID == nil && old.ClientCertificateID != nil {
		ops.op(api.OpRemove, certificatePath, nil)
	}
	ops.entries("/variables", old.Variables, p.Variables)
	ops.methodSettings(old.MethodSettings, p.MethodSettings)
	x, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &p.RestAPIID, StageName: &name, PatchOperations: ops})
	if err != nil {
		return resource.State{}, err
	}
	return resource.State{ID: name}, retag(ctx, rq, resourceARN(rq.Region, below(&p.RestAPIID, "stages", name)), x.Tags, p.tags(rq))
}

func deleteStage(ctx context.Context, rq *resource.Request, name string, p *stageProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteStage, &api.DeleteStageRequest{RestApiId: &p.RestAPIID, StageName: &name})
	return unlessGone(err)
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-account.html
type accountProperties struct {
	CloudWatchRoleARN *string `cfn:"CloudWatchRoleArn"`
}

func putAccount(ctx context.Context, rq *resource.Request, p *accountProperties) (resource.State, error) {
	var ops patches
	ops.set(rolePath, new(opt.Val(p.CloudWatchRoleARN)))
	_, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateAccount, &api.UpdateAccountRequest{PatchOperations: ops})
	return resource.State{ID: rq.Account, Attributes: map[string]any{"Id": rq.Account}}, err
}
