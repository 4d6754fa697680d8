package lambda

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) updateBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.UpdateFunctionCode, on("lambda:UpdateFunctionCode", func(in *api.UpdateFunctionCodeRequest) (n, q *string) { return in.FunctionName, nil }), s.updateFunctionCode),
		call.Bind(api.UpdateFunctionConfiguration, call.Rule(func(ctx context.Context, rq *call.Decoded, in *api.UpdateFunctionConfigurationRequest) ([]call.Need, error) {
			k, _, err := target(rq, in.FunctionName, nil)
			if err != nil {
				return nil, err
			}
			needs := []call.Need{{Action: "lambda:UpdateFunctionConfiguration", Resource: k.arn(""), Owner: k.account, Keys: layerKeys(nil, in.Layers)}}
			if in.Role != nil {
				needs = append(needs, passRole(*in.Role))
			}
			layers, err := s.layerNeeds(ctx, in.Layers)
			return append(needs, layers...), err
		}, "lambda:UpdateFunctionConfiguration", "iam:PassRole", "lambda:GetLayerVersion"), s.updateFunctionConfiguration),
	}
}

// unqualified refuses names of versions and aliases where only the function
// itself can be meant.
func unqualified(rq *call.Authorized, name *string) (key, error) {
	k, q, err := target(rq.Decoded, name, nil)
	if err == nil && q != "" && q != latest {
		err = api.InvalidParameterValueException("Only $LATEST can be changed, not %s.", q)
	}
	return k, err
}

// update rewrites $LATEST.
func (s *Service) update(ctx context.Context, k key, revision *string, publish bool, change func(data.Txn, *version) error) (*api.FunctionConfiguration, error) {
	made := ""
	next := s.ids.UUID()
	f, err := s.change(ctx, k, func(t data.Txn, f *function) error {
		if f == nil {
			return k.notFound("")
		}
		v := *f.versions[latest]
		if err := checkRevision(revision, v.Revision); err != nil {
			return err
		}
		before := f.versions[latest]
		if err := change(t, &v); err != nil {
			return err
		}
		if err := checkSize(&v); err != nil {
			return err
		}
		if err := s.hold(ctx, &v, before.Runtime); err != nil {
			return err
		}
		v.Modified, v.Revision = s.clock.Now(), next
		if err := unuse(t, k, before); err != nil {
			return err
		}
		f.versions[latest] = &v
		if err := s.putVersion(t, k, &v); err != nil {
			return err
		}
		if !publish {
			return nil
		}
		var err error
		made, err = s.publish(t, f, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	v := f.versions[latest]
	if publish {
		v = f.versions[made]
	}
	out := s.configuration(f, v, qualified(v))
	// The next invocation uses the new version; clients of AWS expect to wait.
	out.LastUpdateStatus, out.LastUpdateStatusReason, out.LastUpdateStatusReasonCode = new("InProgress"), s.stateReason(ctx, "The function is being updated.", v.Runtime), new("Updating")
	return out, nil
}

func (s *Service) updateFunctionCode(ctx context.Context, rq *call.Authorized, in *api.UpdateFunctionCodeRequest) (*api.FunctionConfiguration, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if err := refuse("UpdateFunctionCode", setting{"PublishTo", in.PublishTo != nil}); err != nil {
		return nil, err
	}
	src, err := codeSource(&api.FunctionCode{ZipFile: in.ZipFile, S3Bucket: in.S3Bucket, S3Key: in.S3Key, S3ObjectVersion: in.S3ObjectVersion, ImageUri: in.ImageUri, SourceKMSKeyArn: in.SourceKMSKeyArn}, "UpdateFunctionCode")
	if err != nil {
		return nil, err
	}
	if src.empty() {
		return nil, api.InvalidParameterValueException("Please provide a source for function code.")
	}
	f, err := s.existing(ctx, k, "")
	if err != nil {
		return nil, err
	}
	src.function = k
	if err := checkUpdate(f.versions[latest], &src); err != nil {
		return nil, err
	}
	arch := f.versions[latest].Arch
	if in.Architectures != nil {
		if arch, err = checkArchitectures(in.Architectures, f.versions[latest].Runtime); err != nil {
			return nil, err
		}
	}
	p, err := s.receive(ctx, rq, src)
	if err != nil {
		return nil, err
	}
	old := f.versions[latest]
	fresh := *old
	p.into(&fresh)
	defer func() {
		s.dropUnused(context.WithoutCancel(ctx), append(old.packages(k), fresh.packages(k)...)...)
	}()
	defer p.done()
	if err := s.checkCode(ctx, old.Runtime, p.hash); err != nil {
		return nil, err
	}
	if opt.Val(in.DryRun) {
		v := *old
		if err := checkRevision(in.RevisionId, v.Revision); err != nil {
			return nil, err
		}
		p.into(&v)
		return s.configuration(f, &v, ""), nil
	}
	if err := s.keep(ctx, k.area(), p); err != nil {
		return nil, err
	}
	return s.update(ctx, k, in.RevisionId, opt.Val(in.Publish), func(_ data.Txn, v *version) error {
		p.into(v)
		v.Arch = arch
		return nil
	})
}

func (s *Service) updateFunctionConfiguration(ctx context.Context, rq *call.Authorized, in *api.UpdateFunctionConfigurationRequest) (*api.FunctionConfiguration, error) {
	k, err := unqualified(rq, in.FunctionName)
	if err != nil {
		return nil, err
	}
	r := refused{in.VpcConfig, in.DeadLetterConfig, in.KMSKeyArn, in.TracingConfig, in.FileSystemConfigs, in.SnapStart, in.CapacityProviderConfig, in.DurableConfig, "UpdateFunctionConfiguration"}
	if err := r.check(); err != nil {
		return nil, err
	}
	f, err := s.existing(ctx, k, "")
	if err != nil {
		return nil, err
	}
	if err := checkImageUpdate(f.versions[latest], in); err != nil {
		return nil, err
	}
	if in.Role != nil {
		if err := s.checkRole(ctx, k, *in.Role); err != nil {
			return nil, err
		}
	}
	if in.Runtime != nil {
		if err := s.checkInterpreter(ctx, k, *in.Runtime); err != nil {
			return nil, err
		}
		if _, err := checkArchitectures([]string{f.versions[latest].Arch}, *in.Runtime); err != nil {
			return nil, err
		}
	}
	if in.Layers != nil {
		old := f.versions[latest].packages(k)
		defer func() { s.dropUnused(context.WithoutCancel(ctx), old...) }()
	}
	return s.update(ctx, k, in.RevisionId, false, func(t data.Txn, v *version) error {
		if in.Layers != nil {
			if err := attach(t, k, v, in.Layers); err != nil {
				return err
			}
		}
		if in.ImageConfig != nil {
			v.ImageConfig = newImageConfig(in.ImageConfig)
		}
		return s.configure(k, v, &configuration{
			Runtime: in.Runtime, Role: in.Role, Handler: in.Handler, Description: in.Description, Timeout: in.Timeout, MemorySize: in.MemorySize,
			Environment: in.Environment, EphemeralStorage: in.EphemeralStorage, LoggingConfig: in.LoggingConfig,
		})
	})
}
