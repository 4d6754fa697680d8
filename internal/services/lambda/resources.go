package lambda

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
type functionProperties struct {
	FunctionName                 *string            `cfn:"FunctionName,replace"`
	Code                         codeProperty       `cfn:"Code,required"`
	Role                         string             `cfn:"Role,required"`
	Runtime                      *string            `cfn:"Runtime"`
	Handler                      *string            `cfn:"Handler"`
	Description                  *string            `cfn:"Description"`
	Timeout                      *int32             `cfn:"Timeout"`
	MemorySize                   *int32             `cfn:"MemorySize"`
	Environment                  *variablesProperty `cfn:"Environment"`
	EphemeralStorage             *sizeProperty      `cfn:"EphemeralStorage"`
	Architectures                []string           `cfn:"Architectures"`
	LoggingConfig                *loggingProperty   `cfn:"LoggingConfig"`
	ReservedConcurrentExecutions *int32             `cfn:"ReservedConcurrentExecutions"`
	PackageType                  *string            `cfn:"PackageType,replace"`
	ImageConfig                  *imageProperty     `cfn:"ImageConfig"`
	TracingConfig                *modeProperty      `cfn:"TracingConfig"`
	Layers                       []string           `cfn:"Layers"`
	Tags                         []tagProperty      `cfn:"Tags"`
	RecursiveLoop                *string            `cfn:"RecursiveLoop"`
	SnapStart                    *snapStartProperty `cfn:"SnapStart"`
	CodeSigningConfigArn         *string            `cfn:"CodeSigningConfigArn"`
	RuntimeManagementConfig      *managedProperty   `cfn:"RuntimeManagementConfig"`

	_ any `cfn:"CapacityProviderConfig,refused"`
	_ any `cfn:"DeadLetterConfig,refused"`
	_ any `cfn:"DurableConfig,refused"`
	_ any `cfn:"FileSystemConfigs,refused"`
	_ any `cfn:"FunctionScalingConfig,refused"`
	_ any `cfn:"KmsKeyArn,refused"`
	_ any `cfn:"PublishToLatestPublished,refused"`
	_ any `cfn:"TenancyConfig,refused"`
	_ any `cfn:"VpcConfig,refused"`
}

type codeProperty struct {
	ZipFile         *string `cfn:"ZipFile"`
	S3Bucket        *string `cfn:"S3Bucket"`
	S3Key           *string `cfn:"S3Key"`
	S3ObjectVersion *string `cfn:"S3ObjectVersion"`
	ImageURI        *string `cfn:"ImageUri"`

	_ any `cfn:"S3ObjectStorageMode,refused"`
	_ any `cfn:"SourceKMSKeyArn,refused"`
}

type imageProperty struct {
	EntryPoint       []string `cfn:"EntryPoint"`
	Command          []string `cfn:"Command"`
	WorkingDirectory *string  `cfn:"WorkingDirectory"`
}

type variablesProperty struct {
	Variables map[string]string `cfn:"Variables"`
}

type sizeProperty struct {
	Size int32 `cfn:"Size,required"`
}

type modeProperty struct {
	Mode *string `cfn:"Mode"`
}

type loggingProperty struct {
	LogFormat           *string `cfn:"LogFormat"`
	LogGroup            *string `cfn:"LogGroup"`
	ApplicationLogLevel *string `cfn:"ApplicationLogLevel"`
	SystemLogLevel      *string `cfn:"SystemLogLevel"`
}

type tagProperty struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-permission.html
type permissionProperties struct {
	FunctionName          string  `cfn:"FunctionName,required,replace"`
	Action                string  `cfn:"Action,required,replace"`
	Principal             string  `cfn:"Principal,required,replace"`
	SourceArn             *string `cfn:"SourceArn,replace"`
	SourceAccount         *string `cfn:"SourceAccount,replace"`
	EventSourceToken      *string `cfn:"EventSourceToken,replace"`
	PrincipalOrgID        *string `cfn:"PrincipalOrgID,replace"`
	FunctionURLAuthType   *string `cfn:"FunctionUrlAuthType,replace"`
	InvokedViaFunctionURL *bool   `cfn:"InvokedViaFunctionUrl,replace"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-version.html
type versionProperties struct {
	FunctionName string  `cfn:"FunctionName,required,replace"`
	CodeSha256   *string `cfn:"CodeSha256,replace"`
	Description  *string `cfn:"Description,replace"`

	ProvisionedConcurrencyConfig *provisionedProperty `cfn:"ProvisionedConcurrencyConfig"`

	_ any `cfn:"FunctionScalingConfig,refused"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-alias.html
type aliasProperties struct {
	FunctionName    string           `cfn:"FunctionName,required,replace"`
	Name            string           `cfn:"Name,required,replace"`
	FunctionVersion string           `cfn:"FunctionVersion,required"`
	Description     *string          `cfn:"Description"`
	RoutingConfig   *routingProperty `cfn:"RoutingConfig"`

	ProvisionedConcurrencyConfig *provisionedProperty `cfn:"ProvisionedConcurrencyConfig"`
}

type routingProperty struct {
	AdditionalVersionWeights []weightProperty `cfn:"AdditionalVersionWeights"`
}

type weightProperty struct {
	FunctionVersion string  `cfn:"FunctionVersion,required"`
	FunctionWeight  float64 `cfn:"FunctionWeight,required"`
}

// ResourceTypes implements resource.Provider.
func (s *Service) ResourceTypes() []resource.Type {
	types := []resource.Type{
		resource.Define("AWS::Lambda::Function", resource.Handlers[functionProperties]{
			Create: createFunctionResource, Find: leftFunction, Update: updateFunctionResource, Delete: deleteFunctionResource,
			Check: checkFunction, Attributes: []string{"Arn", "SnapStartResponse.ApplyOn", "SnapStartResponse.OptimizationStatus"},
			Identifier: []string{"FunctionName"}, Read: readFunction, List: listFunctions, WriteOnly: []string{"Code"},
		}),
		resource.Define("AWS::Lambda::Permission", resource.Handlers[permissionProperties]{
			Create: createPermissionResource, Delete: deletePermissionResource, Attributes: []string{"Id"},
			Identifier: []string{"FunctionName", "Id"}, Read: readPermission, List: listPermissions,
		}),
		resource.Define("AWS::Lambda::Version", resource.Handlers[versionProperties]{
			Create: s.createVersionResource, Update: s.updateVersionResource, Delete: deleteVersionResource, Attributes: []string{"Version", "FunctionArn"},
			Identifier: []string{"FunctionArn"}, Read: readVersion, List: listVersions,
		}),
		resource.Define("AWS::Lambda::Alias", resource.Handlers[aliasProperties]{
			Create: s.createAliasResource, Find: leftAlias, Update: s.updateAliasResource, Delete: deleteAliasResource, Attributes: []string{"AliasArn"},
			Identifier: []string{"AliasArn"}, Read: readAlias, List: listAliases,
		}),
	}
	return slices.Concat(types, layerResources(), urlResources(), asyncResources())
}

// inlineLimit is the greatest size of code in a template, in characters.
const inlineLimit = 4 << 20

func checkFunction(p *functionProperties) (bad []resource.Problem) {
	fail := func(text string, path ...string) { bad = append(bad, resource.Problem{Path: path, Text: text}) }
	if z := p.Code.ZipFile; z != nil {
		if _, err := inlineName(opt.Val(p.Runtime)); err != nil && p.Runtime != nil {
			fail(err.Error(), "Code", "ZipFile")
		}
		if len(*z) > inlineLimit {
			fail(fmt.Sprintf("has more than %d characters", inlineLimit), "Code", "ZipFile")
		}
	}
	if p.Runtime != nil {
		if f := fault.As(checkRuntime(*p.Runtime)); f != nil {
			fail(f.Message, "Runtime")
		}
	}
	return bad
}

func (p *functionProperties) code() (*api.FunctionCode, error) {
	c := &api.FunctionCode{S3Bucket: p.Code.S3Bucket, S3Key: p.Code.S3Key, S3ObjectVersion: p.Code.S3ObjectVersion, ImageUri: p.Code.ImageURI}
	if p.Code.ZipFile == nil {
		return c, nil
	}
	z, err := inline(opt.Val(p.Runtime), *p.Code.ZipFile)
	c.ZipFile = z
	return c, err
}

func (p *functionProperties) image() *api.ImageConfig {
	if p.ImageConfig == nil {
		return nil
	}
	return &api.ImageConfig{EntryPoint: p.ImageConfig.EntryPoint, Command: p.ImageConfig.Command, WorkingDirectory: p.ImageConfig.WorkingDirectory}
}

func (p *functionProperties) environment() *api.Environment {
	if p.Environment == nil {
		return nil
	}
	return &api.Environment{Variables: p.Environment.Variables}
}

func (p *functionProperties) ephemeral() *api.EphemeralStorage {
	if p.EphemeralStorage == nil {
		return nil
	}
	return &api.EphemeralStorage{Size: &p.EphemeralStorage.Size}
}

func (p *functionProperties) logging() *api.LoggingConfig {
	if p.LoggingConfig == nil {
		return nil
	}
	l := p.LoggingConfig
	return &api.LoggingConfig{LogFormat: l.LogFormat, LogGroup: l.LogGroup, ApplicationLogLevel: l.ApplicationLogLevel, SystemLogLevel: l.SystemLogLevel}
}

func (p *functionProperties) tracing() *api.TracingConfig {
	if p.TracingConfig == nil {
		return nil
	}
	return &api.TracingConfig{Mode: p.TracingConfig.Mode}
}

func (p *functionProperties) tags(rq *resource.Request) map[string]string {
	t := maps.Clone(rq.StackTags)
	if t == nil {
		t = map[string]string{}
	}
	for _, x := range p.Tags {
		t[x.Key] = x.Value
	}
	return t
}

func functionState(rq *resource.Request, name string) resource.State {
	// Snapshots are made of published versions only, and here of none.
	return resource.State{ID: name, Attributes: map[string]any{
		"Arn": key{rq.Account, rq.Region, name}.arn(""), "SnapStartResponse.ApplyOn": api.SnapStartApplyOnNone, "SnapStartResponse.OptimizationStatus": api.SnapStartOptimizationStatusOff,
	}}
}

func createFunctionResource(ctx context.Context, rq *resource.Request, p *functionProperties) (resource.State, error) {
	name := opt.Val(p.FunctionName)
	if name == "" {
		name = rq.Name(maxName)
	}
	code, err := p.code()
	if err != nil {
		return resource.State{}, err
	}
	_, err = call.Do(ctx, rq.Caller, rq.As, api.CreateFunction, &api.CreateFunctionRequest{
		FunctionName: &name, Runtime: p.Runtime, Role: &p.Role, Handler: p.Handler, Code: code, Description: p.Description,
		Timeout: p.Timeout, MemorySize: p.MemorySize, PackageType: p.PackageType, ImageConfig: p.image(), Environment: p.environment(), TracingConfig: p.tracing(),
		Tags: p.tags(rq), Layers: p.Layers, Architectures: p.Architectures, EphemeralStorage: p.ephemeral(), LoggingConfig: p.logging(),
		SnapStart: p.snapStart(), CodeSigningConfigArn: p.CodeSigningConfigArn,
	})
	if err != nil {
		return resource.State{}, err
	}
	return functionState(rq, name), setBeside(ctx, rq, name, &functionProperties{}, p)
}

// setBeside sets what operations of their own set.
func setBeside(ctx context.Context, rq *resource.Request, name string, old, p *functionProperties) error {
	if err := setReserved(ctx, rq, name, old.ReservedConcurrentExecutions, p.ReservedConcurrentExecutions); err != nil {
		return err
	}
	if loop := opt.Or(p.RecursiveLoop, api.RecursiveLoopTerminate); loop != opt.Or(old.RecursiveLoop, api.RecursiveLoopTerminate) {
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.PutFunctionRecursionConfig, &api.PutFunctionRecursionConfigRequest{FunctionName: &name, RecursiveLoop: &loop}); err != nil {
			return err
		}
	}
	if opt.Val(p.CodeSigningConfigArn) != opt.Val(old.CodeSigningConfigArn) && opt.Val(p.CodeSigningConfigArn) != "" {
		_, err := call.Do(ctx, rq.Caller, rq.As, api.PutFunctionCodeSigningConfig, &api.PutFunctionCodeSigningConfigRequest{FunctionName: &name, CodeSigningConfigArn: p.CodeSigningConfigArn})
		if err != nil {
			return err
		}
	}
	m := p.RuntimeManagementConfig
	if m == nil {
		return nil
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.PutRuntimeManagementConfig, &api.PutRuntimeManagementConfigRequest{
		FunctionName: &name, UpdateRuntimeOn: &m.UpdateRuntimeOn, RuntimeVersionArn: m.RuntimeVersionArn,
	})
	return err
}

func setReserved(ctx context.Context, rq *resource.Request, name string, old, n *int32) error {
	if n != nil {
		_, err := call.Do(ctx, rq.Caller, rq.As, api.PutFunctionConcurrency, &api.PutFunctionConcurrencyRequest{FunctionName: &name, ReservedConcurrentExecutions: n})
		return err
	}
	if old == nil {
		return nil
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteFunctionConcurrency, &api.DeleteFunctionConcurrencyRequest{FunctionName: &name})
	return err
}

// updateFunctionResource sets every property, so that one that was taken out of
// the template goes back to its default.
func updateFunctionResource(ctx context.Context, rq *resource.Request, name string, old, p *functionProperties) (resource.State, error) {
	code, err := p.code()
	if err != nil {
		return resource.State{}, err
	}
	env, eph, log, layers := p.environment(), p.ephemeral(), p.logging(), p.Layers
	if layers == nil {
		layers = []string{}
	}
	if env == nil {
		env = &api.Environment{}
	}
	if eph == nil {
		eph = &api.EphemeralStorage{Size: new(int32(defaultEphemeral))}
	}
	if log == nil {
		log = &api.LoggingConfig{LogGroup: new("/aws/lambda/" + name)}
	}
	img := p.image()
	if img == nil && old.ImageConfig != nil {
		img = &api.ImageConfig{}
	}
	_, err = call.Do(ctx, rq.Caller, rq.As, api.UpdateFunctionConfiguration, &api.UpdateFunctionConfigurationRequest{
		FunctionName: &name, Runtime: p.Runtime, Role: &p.Role, Handler: p.Handler, Description: new(opt.Val(p.Description)), ImageConfig: img,
		Timeout: new(opt.Or(p.Timeout, defaultTimeout)), MemorySize: new(opt.Or(p.MemorySize, defaultMemory)),
		Environment: env, TracingConfig: p.tracing(), Layers: layers, EphemeralStorage: eph, LoggingConfig: log,
		SnapStart: p.snapStart(),
	})
	if err != nil {
		return resource.State{}, err
	}
	if p.Code != (codeProperty{}) { // what was read back has no code, which then stays as it is
		_, err = call.Do(ctx, rq.Caller, rq.As, api.UpdateFunctionCode, &api.UpdateFunctionCodeRequest{
			FunctionName: &name, ZipFile: code.ZipFile, S3Bucket: code.S3Bucket, S3Key: code.S3Key, S3ObjectVersion: code.S3ObjectVersion,
			ImageUri: code.ImageUri, Architectures: p.Architectures,
		})
		if err != nil {
			return resource.State{}, err
		}
	} else if !slices.Equal(old.Architectures, p.Architectures) {
		return resource.State{}, api.InvalidParameterValueException("Architectures can only be changed together with Code.")
	}
	if err := setBeside(ctx, rq, name, old, p); err != nil {
		return resource.State{}, err
	}
	return functionState(rq, name), setTags(ctx, rq, name, old, p)
}

func setTags(ctx context.Context, rq *resource.Request, name string, old, p *functionProperties) error {
	arn, tags := key{rq.Account, rq.Region, name}.arn(""), p.tags(rq)
	var gone []string
	for k := range old.tags(rq) {
		if _, stays := tags[k]; !stays {
			gone = append(gone, k)
		}
	}
	if len(gone) > 0 {
		slices.Sort(gone)
		if _, err := call.Do(ctx, rq.Caller, rq.As, api.UntagResource, &api.UntagResourceRequest{Resource: &arn, TagKeys: gone}); err != nil {
			return err
		}
	}
	if len(tags) == 0 {
		return nil
	}
	_, err := call.Do(ctx, rq.Caller, rq.As, api.TagResource, &api.TagResourceRequest{Resource: &arn, Tags: tags})
	return err
}

func deleteFunctionResource(ctx context.Context, rq *resource.Request, name string, _ *functionProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteFunction, &api.DeleteFunctionRequest{FunctionName: &name})
	return unlessGone(err)
}

func unlessGone(err error) error {
	if fault.Is(err, "ResourceNotFoundException") {
		return nil
	}
	return err
}

func createPermissionResource(ctx context.Context, rq *resource.Request, p *permissionProperties) (resource.State, error) {
	id := rq.Name(100)
	_, err := call.Do(ctx, rq.Caller, rq.As, api.AddPermission, &api.AddPermissionRequest{
		FunctionName: &p.FunctionName, StatementId: &id, Action: &p.Action, Principal: &p.Principal, SourceArn: p.SourceArn, SourceAccount: p.SourceAccount,
		EventSourceToken: p.EventSourceToken, PrincipalOrgID: p.PrincipalOrgID, FunctionUrlAuthType: p.FunctionURLAuthType, InvokedViaFunctionUrl: p.InvokedViaFunctionURL,
	})
	// The id is made of the step's token, so a statement that has it already is
	// what this step made before the server was interrupted.
	if fault.Is(err, "ResourceConflictException") {
		err = nil
	}
	return resource.State{ID: id, Attributes: map[string]any{"Id": id}}, err
}

func deletePermissionResource(ctx context.Context, rq *resource.Request, id string, p *permissionProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.RemovePermission, &api.RemovePermissionRequest{FunctionName: &p.FunctionName, StatementId: &id})
	return unlessGone(err)
}

func (s *Service) createVersionResource(ctx context.Context, rq *resource.Request, p *versionProperties) (resource.State, error) {
	v, err := call.Do(ctx, rq.Caller, rq.As, api.PublishVersion, &api.PublishVersionRequest{FunctionName: &p.FunctionName, CodeSha256: p.CodeSha256, Description: p.Description})
	if err != nil {
		return resource.State{}, err
	}
	return versionState(*v.FunctionArn), s.setProvisioned(ctx, rq, *v.FunctionArn, nil, p.ProvisionedConcurrencyConfig)
}

func versionState(arn string) resource.State {
	return resource.State{ID: arn, Attributes: map[string]any{"Version": arn[strings.LastIndexByte(arn, ':')+1:], "FunctionArn": arn}}
}

func (s *Service) updateVersionResource(ctx context.Context, rq *resource.Request, id string, old, p *versionProperties) (resource.State, error) {
	return versionState(id), s.setProvisioned(ctx, rq, id, old.ProvisionedConcurrencyConfig, p.ProvisionedConcurrencyConfig)
}

func deleteVersionResource(ctx context.Context, rq *resource.Request, id string, _ *versionProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteFunction, &api.DeleteFunctionRequest{FunctionName: &id})
	return unlessGone(err)
}

func (p *aliasProperties) routing() *api.AliasRoutingConfiguration {
	r := &api.AliasRoutingConfiguration{}
	if p.RoutingConfig == nil {
		return r
	}
	r.AdditionalVersionWeights = map[string]float64{}
	for _, w := range p.RoutingConfig.AdditionalVersionWeights {
		r.AdditionalVersionWeights[w.FunctionVersion] = w.FunctionWeight
	}
	return r
}

func (s *Service) createAliasResource(ctx context.Context, rq *resource.Request, p *aliasProperties) (resource.State, error) {
	a, err := call.Do(ctx, rq.Caller, rq.As, api.CreateAlias, &api.CreateAliasRequest{
		FunctionName: &p.FunctionName, Name: &p.Name, FunctionVersion: &p.FunctionVersion, Description: p.Description, RoutingConfig: p.routing(),
	})
	if err != nil {
		return resource.State{}, err
	}
	return aliasState(*a.AliasArn), s.setProvisioned(ctx, rq, *a.AliasArn, nil, p.ProvisionedConcurrencyConfig)
}

func aliasState(arn string) resource.State {
	return resource.State{ID: arn, Attributes: map[string]any{"AliasArn": arn}}
}

func (s *Service) updateAliasResource(ctx context.Context, rq *resource.Request, id string, old, p *aliasProperties) (resource.State, error) {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.UpdateAlias, &api.UpdateAliasRequest{
		FunctionName: &p.FunctionName, Name: &p.Name, FunctionVersion: &p.FunctionVersion, Description: new(opt.Val(p.Description)), RoutingConfig: p.routing(),
	})
	if err != nil {
		return aliasState(id), err
	}
	return aliasState(id), s.setProvisioned(ctx, rq, id, old.ProvisionedConcurrencyConfig, p.ProvisionedConcurrencyConfig)
}

func deleteAliasResource(ctx context.Context, rq *resource.Request, _ string, p *aliasProperties) error {
	_, err := call.Do(ctx, rq.Caller, rq.As, api.DeleteAlias, &api.DeleteAliasRequest{FunctionName: &p.FunctionName, Name: &p.Name})
	return unlessGone(err)
}
