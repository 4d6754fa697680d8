package lambda

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	engine "github.com/tierra-cloud/tierra/internal/engine/runtime"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) managementBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetRuntimeManagementConfig, on("lambda:GetRuntimeManagementConfig", func(in *api.GetRuntimeManagementConfigRequest) (n, q *string) { return in.FunctionName, in.Qualifier }), s.getRuntimeManagementConfig),
		call.Bind(api.PutRuntimeManagementConfig, on("lambda:PutRuntimeManagementConfig", func(in *api.PutRuntimeManagementConfigRequest) (n, q *string) { return in.FunctionName, in.Qualifier }), s.putRuntimeManagementConfig),
		call.Bind(api.InvokeAsync, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.InvokeAsyncRequest) ([]call.Need, error) {
			return s.invokeNeeds(ctx, rq, &api.InvocationRequest{FunctionName: in.FunctionName})
		}, "lambda:InvokeFunction"), s.invokeAsync),
	}
}

// Runtimes are the machine's own interpreters, and a runtime version is the version
// of one of them (engine.Choice.VersionName). Auto takes the best that is there
// whenever an environment starts; FunctionUpdate holds on to the one that was the
// best when the function was last changed, Manual to the one that it names. What
// the machine has no more cannot be run, and that is said.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html

// runtimeARN names a runtime version; as on AWS it is a hash.
func (a area) runtimeARN(version string) string {
	sum := sha256.Sum256([]byte(version))
	return arn.Make("lambda", a.region, "", "runtime:"+hex.EncodeToString(sum[:]))
}

// updateMode is when a version's runtime changes.
func (v *version) updateMode() string {
	if v.RuntimeUpdate == "" {
		return api.UpdateRuntimeOnAuto
	}
	return v.RuntimeUpdate
}

// hold takes notice that a version was changed, its runtime having been before.
// Manual is of one runtime: with another one it ends.
func (s *Service) hold(ctx context.Context, v *version, before string) error {
	switch {
	case v.RuntimeUpdate == api.UpdateRuntimeOnManual && v.Runtime != before:
		v.RuntimeUpdate, v.RuntimeVersion = "", ""
	case v.RuntimeUpdate == api.UpdateRuntimeOnFunctionUpdate:
		all, err := s.runtimes.Versions(ctx, v.Runtime)
		if err != nil {
			return fmt.Errorf("runtime of a function: %w", err)
		}
		v.RuntimeVersion = all[0]
	}
	return nil
}

// runtimeVersion is the version of its runtime that v uses.
func (s *Service) runtimeVersion(a area, v *version) *api.RuntimeVersionConfig {
	if v.Image != nil {
		return nil
	}
	ctx := context.Background() // what is found is kept for the next call
	var name string
	var err error
	if v.RuntimeVersion != "" {
		name = v.RuntimeVersion
		_, err = s.runtimes.ResolveVersion(ctx, v.Runtime, name)
	} else {
		var all []string
		if all, err = s.runtimes.Versions(ctx, v.Runtime); err == nil {
			name = all[0]
		}
	}
	out := &api.RuntimeVersionConfig{}
	if name != "" {
		out.RuntimeVersionArn = new(a.runtimeARN(name))
	}
	if err != nil {
		out.Error = &api.RuntimeVersionError{ErrorCode: new("InvalidRuntime"), Message: new(err.Error())}
	}
	return out
}

// resolveRuntime finds what executes a version.
func (s *Service) resolveRuntime(ctx context.Context, v *version) (choice engine.Choice, err error) {
	if v.RuntimeVersion == "" {
		choice, err = s.runtimes.Resolve(ctx, v.Runtime)
	} else {
		choice, err = s.runtimes.ResolveVersion(ctx, v.Runtime, v.RuntimeVersion)
	}
	if missing := (*engine.UnavailableError)(nil); errors.As(err, &missing) {
		return choice, api.InvalidRuntimeException("%s", missing).With("Type", "User")
	}
	return choice, err
}

// lookVersion is look for operations that are of versions and not of aliases.
func (s *Service) lookVersion(ctx context.Context, rq *call.Authorized, name, qualifier *string) (*function, *version, error) {
	f, v, q, err := s.look(ctx, rq, name, qualifier)
	if err != nil {
		return nil, nil, err
	}
	if f.rec.Aliases[q] != nil {
		return nil, nil, api.InvalidParameterValueException("The qualifier %s is an alias; a runtime is managed for $LATEST or a published version.", q)
	}
	return f, v, nil
}

func (s *Service) getRuntimeManagementConfig(ctx context.Context, rq *call.Authorized, in *api.GetRuntimeManagementConfigRequest) (*api.GetRuntimeManagementConfigResponse, error) {
	f, v, err := s.lookVersion(ctx, rq, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	out := &api.GetRuntimeManagementConfigResponse{UpdateRuntimeOn: new(v.updateMode()), FunctionArn: new(f.key.arn(v.Version))}
	if v.RuntimeUpdate == api.UpdateRuntimeOnManual {
		out.RuntimeVersionArn = new(f.key.area().runtimeARN(v.RuntimeVersion))
	}
	return out, nil
}

func (s *Service) putRuntimeManagementConfig(ctx context.Context, rq *call.Authorized, in *api.PutRuntimeManagementConfigRequest) (*api.PutRuntimeManagementConfigResponse, error) {
	f, v, err := s.lookVersion(ctx, rq, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	mode, held := *in.UpdateRuntimeOn, ""
	named := opt.Val(in.RuntimeVersionArn)
	switch {
	case mode != api.UpdateRuntimeOnManual && named != "":
		return nil, api.InvalidParameterValueException("RuntimeVersionArn is only valid when UpdateRuntimeOn is Manual.")
	case mode == api.UpdateRuntimeOnAuto:
		mode = ""
	case v.Image != nil:
		return nil, api.InvalidParameterValueException("UpdateRuntimeOn: %s is not supported for functions of package type Image: their runtime is in the image.", mode)
	case mode == api.UpdateRuntimeOnManual && named == "":
		return nil, api.InvalidParameterValueException("RuntimeVersionArn is required when UpdateRuntimeOn is Manual.")
	default:
		all, err := s.runtimes.Versions(ctx, v.Runtime)
		if missing := (*engine.UnavailableError)(nil); errors.As(err, &missing) {
			return nil, api.InvalidParameterValueException("%s", missing)
		}
		if err != nil {
			return nil, fmt.Errorf("runtime of %s: %w", f.key.name, err)
		}
		held = all[0]
		if named != "" {
			i := slices.IndexFunc(all, func(x string) bool { return f.key.area().runtimeARN(x) == named })
			if i < 0 {
				return nil, api.InvalidParameterValueException("The runtime version %s is not on this machine. What %s has here: %s.", named, v.Runtime, nameVersions(f.key.area(), all))
			}
			held = all[i]
		}
	}
	k, number, next := f.key, v.Version, s.ids.UUID()
	_, err = s.change(ctx, k, func(t data.Txn, f *function) error {
		if f == nil || f.versions[number] == nil {
			return k.notFound(number)
		}
		v := *f.versions[number]
		v.RuntimeUpdate, v.RuntimeVersion, v.Revision = mode, held, next
		f.versions[number] = &v
		return data.Save(t, k.version(number), &v)
	})
	if err != nil {
		return nil, err
	}
	return &api.PutRuntimeManagementConfigResponse{UpdateRuntimeOn: in.UpdateRuntimeOn, FunctionArn: new(f.key.arn(number)), RuntimeVersionArn: in.RuntimeVersionArn}, nil
}

// nameVersions names runtime versions with their ARNs.
func nameVersions(a area, all []string) string {
	list := make([]string, len(all))
	for i, x := range all {
		list[i] = x + " (" + a.runtimeARN(x) + ")"
	}
	return strings.Join(list, ", ")
}

// invokeAsync is the old form of an Invoke of type Event.
func (s *Service) invokeAsync(ctx context.Context, rq *call.Authorized, in *api.InvokeAsyncRequest) (*api.InvokeAsyncResponse, error) {
	var payload []byte
	if in.InvokeArgs != nil {
		defer in.InvokeArgs.Close()
		var err error
		if payload, err = io.ReadAll(io.LimitReader(in.InvokeArgs, maxEventPayload+1)); err != nil {
			return nil, err
		}
	}
	out, err := s.invoke(ctx, rq, &api.InvocationRequest{FunctionName: in.FunctionName, InvocationType: new("Event"), Payload: payload})
	if err != nil {
		return nil, err
	}
	return &api.InvokeAsyncResponse{Status: out.StatusCode}, nil
}
