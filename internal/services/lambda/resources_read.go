package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Functions as they are, for drift, import and Cloud Control.

// found turns "there is none" into no properties.
func found[P any](p *P, st resource.State, err error) (*P, resource.State, error) {
	if err != nil {
		return nil, resource.State{}, unlessGone(err)
	}
	return p, st, nil
}

func tagProperties(m map[string]string) (out []tagProperty) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, tagProperty{k, m[k]})
	}
	return out
}

func readFunction(ctx context.Context, rq *resource.Request, name string, _ *functionProperties) (*functionProperties, resource.State, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetFunction, &api.GetFunctionRequest{FunctionName: &name})
	if err != nil {
		return found[functionProperties](nil, resource.State{}, err)
	}
	c := out.Configuration
	p := &functionProperties{
		FunctionName: c.FunctionName, Role: opt.Val(c.Role), Runtime: c.Runtime, Handler: c.Handler, Description: opt.NonZero(opt.Val(c.Description)),
		Timeout: c.Timeout, MemorySize: c.MemorySize, Architectures: c.Architectures, PackageType: c.PackageType, Tags: tagProperties(out.Tags),
	}
	if c.Environment != nil {
		p.Environment = &variablesProperty{c.Environment.Variables}
	}
	if c.EphemeralStorage != nil {
		p.EphemeralStorage = &sizeProperty{opt.Val(c.EphemeralStorage.Size)}
	}
	if l := c.LoggingConfig; l != nil {
		p.LoggingConfig = &loggingProperty{l.LogFormat, l.LogGroup, l.ApplicationLogLevel, l.SystemLogLevel}
	}
	if out.Concurrency != nil {
		p.ReservedConcurrentExecutions = out.Concurrency.ReservedConcurrentExecutions
	}
	if r := c.ImageConfigResponse; r != nil && r.ImageConfig != nil {
		p.ImageConfig = &imageProperty{r.ImageConfig.EntryPoint, r.ImageConfig.Command, r.ImageConfig.WorkingDirectory}
	}
	if c.TracingConfig != nil {
		p.TracingConfig = &modeProperty{c.TracingConfig.Mode}
	}
	for _, l := range c.Layers {
		p.Layers = append(p.Layers, *l.Arn)
	}
	if c.SnapStart != nil && opt.Val(c.SnapStart.ApplyOn) != "" {
		p.SnapStart = &snapStartProperty{*c.SnapStart.ApplyOn}
	}
	err = readBeside(ctx, rq, name, p)
	return found(p, functionState(rq, name), err)
}

// readBeside reads what operations of their own set.
func readBeside(ctx context.Context, rq *resource.Request, name string, p *functionProperties) error {
	loop, err := call.Do(ctx, rq.Caller, rq.As, api.GetFunctionRecursionConfig, &api.GetFunctionRecursionConfigRequest{FunctionName: &name})
	if err != nil {
		return err
	}
	p.RecursiveLoop = loop.RecursiveLoop
	if opt.Val(p.PackageType) == api.PackageTypeImage {
		return nil
	}
	managed, err := call.Do(ctx, rq.Caller, rq.As, api.GetRuntimeManagementConfig, &api.GetRuntimeManagementConfigRequest{FunctionName: &name})
	if err != nil {
		return err
	}
	p.RuntimeManagementConfig = &managedProperty{opt.Val(managed.UpdateRuntimeOn), managed.RuntimeVersionArn}
	return nil
}

// pages collects a paginated listing.
func pages[I, O any](ctx context.Context, rq *resource.Request, op call.Op[I, O], in *I, page func(*O) (ids []string, next *string), marker func(*I, *string)) (all []string, err error) {
	for {
		out, err := call.Do(ctx, rq.Caller, rq.As, op, in)
		if err != nil {
			return nil, unlessGone(err)
		}
		ids, next := page(out)
		all = append(all, ids...)
		if opt.Val(next) == "" {
			return all, nil
		}
		marker(in, next)
	}
}

func listFunctions(ctx context.Context, rq *resource.Request, _ *functionProperties) ([]string, error) {
	return pages(ctx, rq, api.ListFunctions, &api.ListFunctionsRequest{}, func(o *api.ListFunctionsResponse) (ids []string, next *string) {
		for _, f := range o.Functions {
			ids = append(ids, *f.FunctionName)
		}
		return ids, o.NextMarker
	}, func(in *api.ListFunctionsRequest, m *string) { in.Marker = m })
}

// each lists what every function has, or the one that is named.
func each(ctx context.Context, rq *resource.Request, name string, of func(name string) ([]string, error)) (all []string, err error) {
	names := []string{name}
	if name == "" {
		if names, err = listFunctions(ctx, rq, nil); err != nil {
			return nil, err
		}
	}
	for _, n := range names {
		ids, err := of(n)
		if err != nil {
			return nil, err
		}
		all = append(all, ids...)
	}
	return all, nil
}

// readProvisioned reads what is provisioned for a version or alias; nil if nothing is.
func readProvisioned(ctx context.Context, rq *resource.Request, name, qualifier string) (*provisionedProperty, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetProvisionedConcurrencyConfig, &api.GetProvisionedConcurrencyConfigRequest{FunctionName: &name, Qualifier: &qualifier})
	switch {
	case fault.Is(err, "ProvisionedConcurrencyConfigNotFoundException"):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &provisionedProperty{opt.Val(out.RequestedProvisionedConcurrentExecutions)}, nil
}

// halves takes the ARN of a version or alias apart: the function's ARN and the qualifier.
func halves(id string) (name, qualifier string, ok bool) {
	k, q, region, valid := parseName(id, key{})
	if !valid || !arn.Is(id) || q == "" {
		return "", "", false
	}
	k.region = region
	return k.arn(""), q, true
}

func readVersion(ctx context.Context, rq *resource.Request, id string, known *versionProperties) (*versionProperties, resource.State, error) {
	name, version, ok := halves(id)
	if !ok {
		return nil, resource.State{}, nil
	}
	c, err := call.Do(ctx, rq.Caller, rq.As, api.GetFunctionConfiguration, &api.GetFunctionConfigurationRequest{FunctionName: &name, Qualifier: &version})
	if err != nil {
		return found[versionProperties](nil, resource.State{}, err)
	}
	p := &versionProperties{FunctionName: cmp.Or(known.FunctionName, *c.FunctionName), CodeSha256: c.CodeSha256, Description: opt.NonZero(opt.Val(c.Description))}
	p.ProvisionedConcurrencyConfig, err = readProvisioned(ctx, rq, name, version)
	return found(p, versionState(id), err)
}

func listVersions(ctx context.Context, rq *resource.Request, known *versionProperties) ([]string, error) {
	return each(ctx, rq, known.FunctionName, func(name string) ([]string, error) {
		return pages(ctx, rq, api.ListVersionsByFunction, &api.ListVersionsByFunctionRequest{FunctionName: &name}, func(o *api.ListVersionsByFunctionResponse) (ids []string, next *string) {
			for _, v := range o.Versions {
				if *v.Version != latest {
					ids = append(ids, *v.FunctionArn)
				}
			}
			return ids, o.NextMarker
		}, func(in *api.ListVersionsByFunctionRequest, m *string) { in.Marker = m })
	})
}

func readAlias(ctx context.Context, rq *resource.Request, id string, known *aliasProperties) (*aliasProperties, resource.State, error) {
	name, alias, ok := halves(id)
	if !ok {
		return nil, resource.State{}, nil
	}
	a, err := call.Do(ctx, rq.Caller, rq.As, api.GetAlias, &api.GetAliasRequest{FunctionName: &name, Name: &alias})
	if err != nil {
		return found[aliasProperties](nil, resource.State{}, err)
	}
	k, _, _, _ := parseName(id, key{})
	p := &aliasProperties{FunctionName: cmp.Or(known.FunctionName, k.name), Name: alias, FunctionVersion: *a.FunctionVersion, Description: opt.NonZero(opt.Val(a.Description))}
	if r := a.RoutingConfig; r != nil && len(r.AdditionalVersionWeights) > 0 {
		p.RoutingConfig = &routingProperty{}
		for _, v := range slices.Sorted(maps.Keys(r.AdditionalVersionWeights)) {
			p.RoutingConfig.AdditionalVersionWeights = append(p.RoutingConfig.AdditionalVersionWeights, weightProperty{v, r.AdditionalVersionWeights[v]})
		}
	}
	p.ProvisionedConcurrencyConfig, err = readProvisioned(ctx, rq, name, alias)
	return found(p, aliasState(id), err)
}

func listAliases(ctx context.Context, rq *resource.Request, known *aliasProperties) ([]string, error) {
	return each(ctx, rq, known.FunctionName, func(name string) ([]string, error) {
		return pages(ctx, rq, api.ListAliases, &api.ListAliasesRequest{FunctionName: &name}, func(o *api.ListAliasesResponse) (ids []string, next *string) {
			for _, a := range o.Aliases {
				ids = append(ids, *a.AliasArn)
			}
			return ids, o.NextMarker
		}, func(in *api.ListAliasesRequest, m *string) { in.Marker = m })
	})
}

// readStatements reads the policy of a function or of a qualified one, as its
// permissions were given.
func readStatements(ctx context.Context, rq *resource.Request, name string) ([]statementText, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetPolicy, &api.GetPolicyRequest{FunctionName: &name})
	if err != nil {
		return nil, unlessGone(err)
	}
	var doc struct{ Statement []statementText }
	err = json.Unmarshal([]byte(*out.Policy), &doc)
	return doc.Statement, err
}

func readPermission(ctx context.Context, rq *resource.Request, id string, known *permissionProperties) (*permissionProperties, resource.State, error) {
	statements, err := readStatements(ctx, rq, known.FunctionName)
	for _, x := range statements {
		if x.Sid != id {
			continue
		}
		p := &permissionProperties{FunctionName: known.FunctionName, Action: x.Action, Principal: principalText(x.Principal, known.Principal)}
		value := func(operator, key string) *string { return opt.NonZero(x.Condition[operator][key]) }
		p.SourceArn, p.SourceAccount = value("ArnLike", "AWS:SourceArn"), value("StringEquals", "AWS:SourceAccount")
		p.FunctionURLAuthType = value("StringEquals", "lambda:FunctionUrlAuthType")
		if v := value("Bool", "lambda:InvokedViaFunctionUrl"); v != nil {
			p.InvokedViaFunctionURL = new(*v == "true")
		}
		return p, resource.State{ID: id, Attributes: map[string]any{"Id": id}}, nil
	}
	return nil, resource.State{}, err
}

// principalText is the principal of a statement as AddPermission takes it; as it was
// given, if that is the same: an account may be its number or its root's ARN.
func principalText(principal any, given string) string {
	text, _ := principal.(string)
	m, _ := principal.(map[string]any)
	for _, v := range m {
		text, _ = v.(string)
	}
	if accountID.MatchString(given) {
		if root, ok := principalOf(given, arn.Partition("")).(map[string]string); ok && root["AWS"] == text {
			return given
		}
	}
	return text
}

func listPermissions(ctx context.Context, rq *resource.Request, known *permissionProperties) (ids []string, err error) {
	statements, err := readStatements(ctx, rq, known.FunctionName)
	for _, x := range statements {
		ids = append(ids, known.FunctionName+"|"+x.Sid)
	}
	return ids, err
}

func readLayer(ctx context.Context, rq *resource.Request, id string, known *layerProperties) (*layerProperties, resource.State, error) {
	l, n, err := parseLayerVersion(id)
	if err != nil {
		return nil, resource.State{}, nil
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetLayerVersion, &api.GetLayerVersionRequest{LayerName: new(l.arn()), VersionNumber: &n})
	if err != nil {
		return found[layerProperties](nil, resource.State{}, err)
	}
	p := &layerProperties{
		LayerName: new(l.name), Description: opt.NonZero(opt.Val(out.Description)), LicenseInfo: opt.NonZero(opt.Val(out.LicenseInfo)),
		CompatibleRuntimes: out.CompatibleRuntimes, CompatibleArchitectures: out.CompatibleArchitectures,
	}
	if known.LayerName != nil && arn.Is(*known.LayerName) {
		p.LayerName = known.LayerName
	}
	return p, resource.State{ID: id, Attributes: map[string]any{"LayerVersionArn": id}}, nil
}

func listLayers(ctx context.Context, rq *resource.Request, _ *layerProperties) (all []string, err error) {
	names, err := pages(ctx, rq, api.ListLayers, &api.ListLayersRequest{}, func(o *api.ListLayersResponse) (ids []string, next *string) {
		for _, l := range o.Layers {
			ids = append(ids, *l.LayerArn)
		}
		return ids, o.NextMarker
	}, func(in *api.ListLayersRequest, m *string) { in.Marker = m })
	for _, name := range names {
		versions, err := pages(ctx, rq, api.ListLayerVersions, &api.ListLayerVersionsRequest{LayerName: &name}, func(o *api.ListLayerVersionsResponse) (ids []string, next *string) {
			for _, v := range o.LayerVersions {
				ids = append(ids, *v.LayerVersionArn)
			}
			return ids, o.NextMarker
		}, func(in *api.ListLayerVersionsRequest, m *string) { in.Marker = m })
		if err != nil {
			return nil, err
		}
		all = append(all, versions...)
	}
	return all, err
}

func readLayerPermission(ctx context.Context, rq *resource.Request, id string, known *layerPermissionProperties) (*layerPermissionProperties, resource.State, error) {
	l, n, err := parseLayerVersion(known.LayerVersionArn)
	if err != nil {
		return nil, resource.State{}, nil
	}
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetLayerVersionPolicy, &api.GetLayerVersionPolicyRequest{LayerName: new(l.arn()), VersionNumber: &n})
	if err != nil {
		return found[layerPermissionProperties](nil, resource.State{}, err)
	}
	var doc struct{ Statement []statementText }
	if err := json.Unmarshal([]byte(*out.Policy), &doc); err != nil {
		return nil, resource.State{}, err
	}
	for _, x := range doc.Statement {
		if x.Sid == id {
			return &layerPermissionProperties{
				LayerVersionArn: known.LayerVersionArn, Action: x.Action, Principal: principalText(x.Principal, known.Principal),
				OrganizationID: opt.NonZero(x.Condition["StringEquals"]["aws:PrincipalOrgID"]),
			}, resource.State{ID: id, Attributes: map[string]any{"Id": id}}, nil
		}
	}
	return nil, resource.State{}, nil
}

// urlOwner names the function and alias whose URL an ARN stands for.
func urlOwner(id string) (name string, qualifier *string) {
	if name, q, ok := halves(id); ok {
		return name, &q
	}
	return id, nil
}

func readURL(ctx context.Context, rq *resource.Request, id string, known *urlProperties) (*urlProperties, resource.State, error) {
	name, qualifier := urlOwner(id)
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetFunctionUrlConfig, &api.GetFunctionUrlConfigRequest{FunctionName: &name, Qualifier: qualifier})
	if err != nil {
		return found[urlProperties](nil, resource.State{}, err)
	}
	p := &urlProperties{TargetFunctionArn: cmp.Or(known.TargetFunctionArn, name), Qualifier: qualifier, AuthType: *out.AuthType, InvokeMode: out.InvokeMode}
	if c := out.Cors; c != nil {
		p.Cors = &corsProperty{c.AllowCredentials, c.AllowHeaders, c.AllowMethods, c.AllowOrigins, c.ExposeHeaders, c.MaxAge}
	}
	return p, urlState(out.FunctionArn, out.FunctionUrl), nil
}

func listURLs(ctx context.Context, rq *resource.Request, known *urlProperties) ([]string, error) {
	return each(ctx, rq, known.TargetFunctionArn, func(name string) ([]string, error) {
		return pages(ctx, rq, api.ListFunctionUrlConfigs, &api.ListFunctionUrlConfigsRequest{FunctionName: &name}, func(o *api.ListFunctionUrlConfigsResponse) (ids []string, next *string) {
			for _, u := range o.FunctionUrlConfigs {
				ids = append(ids, *u.FunctionArn)
			}
			return ids, o.NextMarker
		}, func(in *api.ListFunctionUrlConfigsRequest, m *string) { in.Marker = m })
	})
}

func readAsync(ctx context.Context, rq *resource.Request, id string, known *asyncProperties) (*asyncProperties, resource.State, error) {
	out, err := call.Do(ctx, rq.Caller, rq.As, api.GetFunctionEventInvokeConfig, &api.GetFunctionEventInvokeConfigRequest{FunctionName: &known.FunctionName, Qualifier: &known.Qualifier})
	if err != nil {
		return found[asyncProperties](nil, resource.State{}, err)
	}
	p := &asyncProperties{
		FunctionName: known.FunctionName, Qualifier: known.Qualifier, MaximumEventAgeInSeconds: out.MaximumEventAgeInSeconds, MaximumRetryAttempts: out.MaximumRetryAttempts,
	}
	if d := out.DestinationConfig; d != nil {
		p.DestinationConfig = &destinationsProperty{}
		if d.OnSuccess != nil && d.OnSuccess.Destination != nil {
			p.DestinationConfig.OnSuccess = &destinationProperty{*d.OnSuccess.Destination}
		}
		if d.OnFailure != nil && d.OnFailure.Destination != nil {
			p.DestinationConfig.OnFailure = &destinationProperty{*d.OnFailure.Destination}
		}
	}
	return p, resource.State{ID: id}, nil
}

func listAsync(ctx context.Context, rq *resource.Request, known *asyncProperties) ([]string, error) {
	return pages(ctx, rq, api.ListFunctionEventInvokeConfigs, &api.ListFunctionEventInvokeConfigsRequest{FunctionName: &known.FunctionName},
		func(o *api.ListFunctionEventInvokeConfigsResponse) (ids []string, next *string) {
			for _, x := range o.FunctionEventInvokeConfigs {
				_, q, _, _ := parseName(*x.FunctionArn, key{})
				ids = append(ids, known.FunctionName+"|"+cmp.Or(q, latest))
			}
			return ids, o.NextMarker
		}, func(in *api.ListFunctionEventInvokeConfigsRequest, m *string) { in.Marker = m })
}
