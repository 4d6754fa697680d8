package lambda

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/gen/sts"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
	"github.com/tierra-cloud/tierra/internal/kernel/tags"
)

func (s *Service) functionBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateFunction, call.Rule(s.createNeeds, "lambda:CreateFunction", "iam:PassRole", "lambda:GetLayerVersion", "lambda:TagResource"), s.createFunction),
		call.Bind(api.GetFunction, on("lambda:GetFunction", func(in *api.GetFunctionRequest) (n, q *string) { return in.FunctionName, in.Qualifier }), s.getFunction),
		call.Bind(api.GetFunctionConfiguration, on("lambda:GetFunctionConfiguration", func(in *api.GetFunctionConfigurationRequest) (n, q *string) { return in.FunctionName, in.Qualifier }), s.getFunctionConfiguration),
		call.Bind(api.ListFunctions, call.Any[api.ListFunctionsRequest]("lambda:ListFunctions"), s.listFunctions),
		call.Bind(api.DeleteFunction, on("lambda:DeleteFunction", func(in *api.DeleteFunctionRequest) (n, q *string) { return in.FunctionName, in.Qualifier }), s.deleteFunction),
	}
}

func (s *Service) createNeeds(ctx context.Context, rq *call.Decoded, in *api.CreateFunctionRequest) ([]call.Need, error) {
	k, _, err := target(rq, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	needs := []call.Need{
		{Action: "lambda:CreateFunction", Resource: k.arn(""), Owner: k.account, Keys: layerKeys(tagKeys(in.Tags), in.Layers)},
		passRole(*in.Role),
	}
	layers, err := s.layerNeeds(ctx, in.Layers)
	if err != nil {
		return nil, err
	}
	needs = append(needs, layers...)
	if len(in.Tags) > 0 {
		needs = append(needs, call.Need{Action: "lambda:TagResource", Resource: k.arn(""), Owner: k.account, Keys: tagKeys(in.Tags)})
	}
	return needs, nil
}

func (s *Service) createFunction(ctx context.Context, rq *call.Authorized, in *api.CreateFunctionRequest) (*api.FunctionConfiguration, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	if q != "" {
		return nil, api.InvalidParameterValueException("A function is created without a qualifier: %s", *in.FunctionName)
	}
	v, err := s.newVersion(ctx, k, in)
	if err != nil {
		return nil, err
	}
	src, err := codeSource(in.Code, "CreateFunction")
	if err != nil {
		return nil, err
	}
	if err := checkCreate(in, &src); err != nil {
		return nil, err
	}
	if src.empty() {
		return nil, api.InvalidParameterValueException("Please provide a source for function code.")
	}
	// What is cheap to know comes first; the transaction asks again.
	if f, err := s.find(ctx, k); err != nil || f != nil {
		if err == nil {
			err = exists(k)
		}
		return nil, err
	}
	if err := s.checkRole(ctx, k, v.Role); err != nil {
		return nil, err
	}
	src.function = k
	p, err := s.receive(ctx, rq, src)
	if err != nil {
		return nil, err
	}
	defer p.done()
	if err := s.checkCode(ctx, v.Runtime, p.hash); err != nil {
		return nil, err
	}
	if err := s.keep(ctx, k.area(), p); err != nil {
		return nil, err
	}
	p.into(v)
	rec := &record{V: 1, Name: k.name, Next: 1, Tags: in.Tags}
	f, err := s.change(ctx, k, func(t data.Txn, f *function) error {
		if f != nil {
			return exists(k)
		}
		f = &function{key: k, rec: rec, versions: map[string]*version{latest: v}}
		rec.Next = 1
		if err := attach(t, k, v, in.Layers); err != nil {
			return err
		}
		if err := checkSize(v); err != nil {
			return err
		}
		if opt.Val(in.Publish) {
			published := *v
			published.Version, rec.Next = "1", 2
			if err := s.putVersion(t, k, &published); err != nil {
				return err
			}
		}
		if err := s.putVersion(t, k, v); err != nil {
			return err
		}
		return data.Save(t, k.record(), rec)
	})
	if err != nil {
		return nil, err
	}
	shown := v
	if opt.Val(in.Publish) {
		shown = f.versions["1"]
	}
	out := s.configuration(f, shown, qualified(shown))
	// The function is ready; clients of AWS expect to be told to wait.
	out.State, out.StateReason, out.StateReasonCode = new("Pending"), s.stateReason(ctx, "The function is being created.", v.Runtime), new("Creating")
	return out, nil
}

func exists(k key) error {
	return api.ResourceConflictException("Function already exist: %s", k.name).With("Type", "User")
}

// qualified is the qualifier with which operations that make a version name it.
func qualified(v *version) string {
	if v.Version == latest {
		return ""
	}
	return v.Version
}

// newVersion makes the first version of what CreateFunction was given.
func (s *Service) newVersion(ctx context.Context, k key, in *api.CreateFunctionRequest) (*version, error) {
	if err := checkName(k.name); err != nil {
		return nil, err
	}
	err := refuse("CreateFunction",
		setting{"CodeSigningConfigArn", opt.Val(in.CodeSigningConfigArn) != ""},
		setting{"PublishTo", in.PublishTo != nil},
		setting{"TenancyConfig", in.TenancyConfig != nil},
	)
	if err != nil {
		return nil, err
	}
	r := refused{in.VpcConfig, in.DeadLetterConfig, in.KMSKeyArn, in.TracingConfig, in.FileSystemConfigs, in.SnapStart, in.CapacityProviderConfig, in.DurableConfig, "CreateFunction"}
	if err := r.check(); err != nil {
		return nil, err
	}
	isImage := opt.Val(in.PackageType) == api.PackageTypeImage
	if !isImage && (in.Runtime == nil || in.Handler == nil) {
		return nil, api.InvalidParameterValueException("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	if err := tags.Check(in.Tags); err != nil {
		return nil, api.InvalidParameterValueException("Invalid tags: %s", err)
	}
	if isImage {
		if err := s.checkImages(in); err != nil {
			return nil, err
		}
	} else if err := s.checkInterpreter(ctx, k, *in.Runtime); err != nil {
		return nil, err
	}
	arch, err := checkArchitectures(in.Architectures, opt.Val(in.Runtime))
	if err != nil {
		return nil, err
	}
	v := &version{
		V: 1, Version: latest, Role: *in.Role, Timeout: defaultTimeout, Memory: defaultMemory, Ephemeral: defaultEphemeral, Arch: arch,
		Modified: s.clock.Now(), Revision: s.ids.UUID(), ImageConfig: newImageConfig(in.ImageConfig),
	}
	return v, s.configure(k, v, &configuration{
		Runtime: in.Runtime, Handler: in.Handler, Description: in.Description, Timeout: in.Timeout, MemorySize: in.MemorySize,
		Environment: in.Environment, EphemeralStorage: in.EphemeralStorage, LoggingConfig: in.LoggingConfig,
	})
}

// configuration is what CreateFunction and UpdateFunctionConfiguration share;
// what is nil stays as it is.
type configuration struct {
	Runtime, Role, Handler, Description *string
	Timeout, MemorySize                 *int32
	Environment                         *api.Environment
	EphemeralStorage                    *api.EphemeralStorage
	LoggingConfig                       *api.LoggingConfig
}

// configure applies c to v.
func (s *Service) configure(k key, v *version, c *configuration) error {
	if c.Runtime != nil {
		if err := checkRuntime(*c.Runtime); err != nil {
			return err
		}
		v.Runtime = *c.Runtime
	}
	if c.Timeout != nil {
		if err := checkTimeout(*c.Timeout); err != nil {
			return err
		}
		v.Timeout = *c.Timeout
	}
	if c.MemorySize != nil {
		if err := checkMemory(*c.MemorySize); err != nil {
			return err
		}
		v.Memory = *c.MemorySize
	}
	if c.EphemeralStorage != nil {
		v.Ephemeral = *c.EphemeralStorage.Size
	}
	if c.Environment != nil {
		env := maps.Clone(c.Environment.Variables)
		if err := checkEnvironment(env); err != nil {
			return err
		}
		sealed, err := s.seal.close(k, env)
		if err != nil {
			return err
		}
		v.Env, v.SealedEnv = env, sealed
	}
	v.Role, v.Handler, v.Description = opt.Or(c.Role, v.Role), opt.Or(c.Handler, v.Handler), opt.Or(c.Description, v.Description)
	l, err := checkLogging(c.LoggingConfig, k.name, v.logging)
	v.logging = l
	return err
}

// checkRole tries whether the service can assume the role.
func (s *Service) checkRole(ctx context.Context, k key, role string) error {
	_, err := s.assume(ctx, k, role)
	if f := fault.As(err); f != nil && f.Sender && f.Common != fault.NotImplemented {
		return api.InvalidParameterValueException("The role defined for the function cannot be assumed by Lambda.").With("Type", "User")
	}
	return err
}

// session is the name of the function's role sessions: its own, which may be
// shorter than those of sessions.
func (k key) session() string {
	if len(k.name) < 2 {
		return k.name + "_"
	}
	return k.name
}

// assume gets credentials of a function's role.
func (s *Service) assume(ctx context.Context, k key, role string) (*sts.Credentials, error) {
	as := call.AsService(principal, k.arn(""), k.account, k.region)
	out, err := call.Do(ctx, s.caller, as, sts.AssumeRole, &sts.AssumeRoleRequest{RoleArn: &role, RoleSessionName: new(k.session())})
	if err != nil {
		return nil, err
	}
	return out.Credentials, nil
}

// putVersion writes a version and that it uses its packages.
func (s *Service) putVersion(t data.Txn, k key, v *version) error {
	if err := data.Save(t, k.version(v.Version), v); err != nil {
		return err
	}
	for _, p := range v.packages(k) {
		if err := t.Put(p.use(k, v.Version), []byte{1}); err != nil {
			return err
		}
	}
	return nil
}

// unuse writes that a version uses its packages no more.
func unuse(t data.Txn, k key, v *version) error {
	for _, p := range v.packages(k) {
		if err := t.Delete(p.use(k, v.Version)); err != nil {
			return err
		}
	}
	return nil
}

// timeForm is how Lambda writes times.
const timeForm = "2006-01-02T15:04:05.000-0700"

// configuration shows a version, its ARN with the qualifier.
func (s *Service) configuration(f *function, v *version, qualifier string) *api.FunctionConfiguration {
	c := &api.FunctionConfiguration{
		FunctionName: &f.key.name, FunctionArn: new(f.key.arn(qualifier)), Runtime: &v.Runtime, Role: &v.Role, Handler: &v.Handler,
		CodeSize: &v.CodeSize, Description: &v.Description, Timeout: &v.Timeout, MemorySize: &v.Memory,
		LastModified: new(v.Modified.Format(timeForm)), CodeSha256: new(v.sum()), Version: &v.Version,
		TracingConfig: &api.TracingConfigResponse{Mode: new("PassThrough")}, RevisionId: &v.Revision,
		State: new("Active"), LastUpdateStatus: new("Successful"), PackageType: new("Zip"), Architectures: []string{v.Arch},
		EphemeralStorage: &api.EphemeralStorage{Size: &v.Ephemeral},
		SnapStart:        &api.SnapStartResponse{ApplyOn: new("None"), OptimizationStatus: new("Off")},
		LoggingConfig:    v.logging.config(), RuntimeVersionConfig: s.runtimeVersion(f.key.area(), v),
	}
	v.showImage(c)
	for i := range v.Layers {
		c.Layers = append(c.Layers, api.Layer{Arn: &v.Layers[i].ARN, CodeSize: &v.Layers[i].Size})
	}
	if len(v.Env) > 0 {
		c.Environment = &api.EnvironmentResponse{Variables: maps.Clone(v.Env)}
	}
	return c
}

// look finds a function and the version that a qualifier means.
func (s *Service) look(ctx context.Context, rq *call.Authorized, name, qualifier *string) (*function, *version, string, error) {
	k, q, err := target(rq.Decoded, name, qualifier)
	if err != nil {
		return nil, nil, "", err
	}
	f, err := s.existing(ctx, k, q)
	if err != nil {
		return nil, nil, "", err
	}
	return f, f.resolve(q, func() float64 { return 1 }), q, nil
}

func (s *Service) getFunctionConfiguration(ctx context.Context, rq *call.Authorized, in *api.GetFunctionConfigurationRequest) (*api.FunctionConfiguration, error) {
	f, v, q, err := s.look(ctx, rq, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return s.configuration(f, v, q), nil
}

func (s *Service) getFunction(ctx context.Context, rq *call.Authorized, in *api.GetFunctionRequest) (*api.GetFunctionResponse, error) {
	f, v, q, err := s.look(ctx, rq, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	out := &api.GetFunctionResponse{Configuration: s.configuration(f, v, q), Code: v.location()}
	if len(f.rec.Tags) > 0 {
		out.Tags = maps.Clone(f.rec.Tags)
	}
	if f.rec.Reserved != nil {
		out.Concurrency = &api.Concurrency{ReservedConcurrentExecutions: f.rec.Reserved}
	}
	return out, nil
}

// maxPage is the greatest page of the listings.
const maxPage = 50

func pageSize(n *int32) int { return int(min(opt.Or(n, maxPage), maxPage)) }

// after reads a marker.
func after(marker *string) (string, error) {
	a, err := page.After(opt.Val(marker))
	if err != nil {
		return "", api.InvalidParameterValueException("The provided marker is invalid.")
	}
	return a, nil
}

func (s *Service) listFunctions(ctx context.Context, rq *call.Authorized, in *api.ListFunctionsRequest) (*api.ListFunctionsResponse, error) {
	marker, err := after(in.Marker)
	if err != nil {
		return nil, err
	}
	all := opt.Val(in.FunctionVersion) == "ALL"
	if in.MasterRegion != nil && !all {
		return nil, api.InvalidParameterValueException("FunctionVersion must be set to ALL when MasterRegion is given.")
	}
	out := &api.ListFunctionsResponse{Functions: []api.FunctionConfiguration{}}
	if in.MasterRegion != nil && *in.MasterRegion != "ALL" && *in.MasterRegion != rq.Region() {
		return out, nil // nothing is replicated from other regions
	}
	lastName, lastVersion, _ := strings.Cut(marker, ":")
	a := area{rq.Account(), rq.Region()}
	limit, last := pageSize(in.MaxItems), ""
	err = s.store.View(ctx, func(r data.Reader) error {
		for p, err := range r.Scan(a.key("function", lastName), data.PrefixEnd(a.functions()), false) {
			if err != nil {
				return err
			}
			rec, err := data.Decode[record](p)
			if err != nil {
				return err
			}
			f, err := s.read(r, key{a.account, a.region, rec.Name})
			if err != nil {
				return err
			}
			for _, v := range f.sorted() {
				if !all && v.Version != latest || rec.Name == lastName && padded(v.Version) <= padded(lastVersion) {
					continue
				}
				if len(out.Functions) == limit {
					out.NextMarker = new(page.Token(last))
					return nil
				}
				q := ""
				if all {
					q = v.Version
				}
				out.Functions = append(out.Functions, *s.configuration(f, v, q))
				last = rec.Name + ":" + v.Version
			}
		}
		return nil
	})
	return out, err
}

// sorted returns the versions, $LATEST first.
func (f *function) sorted() []*version {
	return slices.SortedFunc(maps.Values(f.versions), func(a, b *version) int {
		return strings.Compare(padded(a.Version), padded(b.Version))
	})
}

func (s *Service) deleteFunction(ctx context.Context, rq *call.Authorized, in *api.DeleteFunctionRequest) (*api.DeleteFunctionResponse, error) {
	k, q, err := target(rq.Decoded, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	var unused []pkg
	_, err = s.change(ctx, k, func(t data.Txn, f *function) error {
		unused = unused[:0]
		if f == nil {
			return k.notFound(q)
		}
		gone := f.sorted()
		if q != "" {
			if err := f.deletable(q); err != nil {
				return err
			}
			gone = []*version{f.versions[q]}
			delete(f.rec.Provisioned, q)
			delete(f.rec.Policies, q)
			delete(f.rec.Async, q)
			if err := data.Save(t, k.record(), f.rec); err != nil {
				return err
			}
		} else {
			for q := range f.rec.URLs {
				if err := f.dropURL(t, q); err != nil {
					return err
				}
			}
			if err := t.Delete(k.record()); err != nil {
				return err
			}
		}
		for _, v := range gone {
			unused = append(unused, v.packages(k)...)
			if err := t.Delete(k.version(v.Version)); err != nil {
				return err
			}
			if err := unuse(t, k, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.dropUnused(context.WithoutCancel(ctx), unused...)
	if err := s.plane.recount(context.WithoutCancel(ctx), k.area()); err != nil {
		return nil, err
	}
	return &api.DeleteFunctionResponse{StatusCode: new(int32(204))}, nil
}

// deletable says whether a version can be deleted on its own.
func (f *function) deletable(q string) error {
	if q == latest {
		return api.InvalidParameterValueException("$LATEST version cannot be deleted without deleting the function.")
	}
	if f.rec.Aliases[q] != nil {
		return api.InvalidParameterValueException("Deletion of aliases is not currently supported.")
	}
	if f.versions[q] == nil {
		return f.key.notFound(q)
	}
	var uses []string
	for _, a := range f.rec.Aliases {
		if _, weighted := a.Weights[q]; weighted || a.Version == q {
			uses = append(uses, a.Name)
		}
	}
	if len(uses) > 0 {
		slices.Sort(uses)
		return api.ResourceConflictException("Version %s is referenced by alias(es): %s", q, strings.Join(uses, ", ")).With("Type", "User")
	}
	return nil
}
