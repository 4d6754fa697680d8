package apigateway

import (
	"context"
	"regexp"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) stageBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateStage, on(actionPost, func(in *api.CreateStageRequest) string { return below(in.RestApiId, "stages") }), s.createStage),
		call.Bind(api.GetStage, on(actionGet, func(in *api.GetStageRequest) string { return below(in.RestApiId, "stages", *in.StageName) }), s.getStage),
		call.Bind(api.GetStages, on(actionGet, func(in *api.GetStagesRequest) string { return below(in.RestApiId, "stages") }), s.getStages),
		call.Bind(api.UpdateStage, on(actionPatch, func(in *api.UpdateStageRequest) string { return below(in.RestApiId, "stages", *in.StageName) }), s.updateStage),
		call.Bind(api.DeleteStage, on(actionDelete, func(in *api.DeleteStageRequest) string { return below(in.RestApiId, "stages", *in.StageName) }), s.deleteStage),
		call.Bind(api.FlushStageCache, on(actionDelete, func(in *api.FlushStageCacheRequest) string {
			return below(in.RestApiId, "stages", *in.StageName, "cache", "data")
		}), s.flushStageCache),
	}
}

var (
	stageName     = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	variableName  = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	variableValue = regexp.MustCompile(`^[A-Za-z0-9\-._~:/?#&=,]*$`)
)

func checkStage(name string, variables map[string]string) error {
	if !stageName.MatchString(name) {
		return api.BadRequestException("Stage name only allows a-zA-Z0-9_-")
	}
	return checkVariables(variables)
}

func checkVariables(variables map[string]string) error {
	for k, v := range variables {
		if !variableName.MatchString(k) {
			return api.BadRequestException("Invalid stage variable name: %s. Please use alphanumeric characters and underscores.", k)
		}
		if !variableValue.MatchString(v) || len(v) > 2048 {
			return api.BadRequestException("Invalid stage variable value: %s. Please use values with alphanumeric characters and the symbols ' ', -', '.', '_', ':', '/', '?', '&', '=', and ','.", v)
		}
	}
	return nil
}

func (st *stage) answer() *api.Stage {
	return &api.Stage{
		DeploymentId: &st.Deployment, StageName: &st.Name, Description: opt.NonZero(st.Description), Variables: st.Variables, Tags: st.Tags,
		CacheClusterEnabled: &st.Cached, CacheClusterSize: opt.NonZero(st.CacheSize), CacheClusterStatus: new(st.cacheStatus()), TracingEnabled: &st.Tracing, AccessLogSettings: st.AccessLog.answer(),
		ClientCertificateId: opt.NonZero(st.Certificate), CanarySettings: st.Canary.answer(), DocumentationVersion: opt.NonZero(st.Documentation), CreatedDate: seconds(st.Created), LastUpdatedDate: seconds(st.Updated), MethodSettings: st.settings(),
	}
}

func (s *Service) createStage(ctx context.Context, rq *call.Authorized, in *api.CreateStageRequest) (*api.Stage, error) {
	err := refuseAny()
	if err == nil {
		err = checkStage(*in.StageName, in.Variables)
	}
	if err == nil {
		err = checkTags(in.Tags)
	}
	if err != nil {
		return nil, err
	}
	a, now := areaOf(rq), millis(rq.Time())
	st := &stage{
		V: 1, Name: *in.StageName, Deployment: *in.DeploymentId, Description: opt.Val(in.Description),
		Variables: in.Variables, Tags: in.Tags, Created: now, Updated: now, Tracing: opt.Val(in.TracingEnabled), Documentation: opt.Val(in.DocumentationVersion),
	}
	if err := st.setCache(in.CacheClusterEnabled, in.CacheClusterSize); err != nil {
		return nil, err
	}
	if c := in.CanarySettings; c != nil {
		if st.Canary, err = newCanary(opt.Or(c.DeploymentId, st.Deployment), c.PercentTraffic, c.StageVariableOverrides, c.UseStageCache); err != nil {
			return nil, err
		}
	}
	err = s.store.Update(ctx, func(t data.Txn) error {
		if _, err := loadDeployment(t, a, *in.RestApiId, st.Deployment); err != nil {
			return err
		}
		old, err := data.Load[stage](t, a.stage(*in.RestApiId, st.Name))
		if err != nil {
			return err
		}
		if old != nil {
			return api.ConflictException("Stage already exists")
		}
		if st.Documentation != "" {
			if _, err := loadDocVersion(t, a, *in.RestApiId, st.Documentation); err != nil {
				return err
			}
		}
		if st.Canary != nil {
			if err := checkCanaryDeployment(t, a, *in.RestApiId, st.Canary.Deployment); err != nil {
				return err
			}
		}
		return data.Save(t, a.stage(*in.RestApiId, st.Name), st)
	})
	if err != nil {
		return nil, err
	}
	out := st.answer()
	st.cacheChanged(new(stage), out)
	return out, s.publish(ctx, a, *in.RestApiId)
}

func (s *Service) getStage(ctx context.Context, rq *call.Authorized, in *api.GetStageRequest) (out *api.Stage, err error) {
	err = s.store.View(ctx, func(r data.Reader) error {
		st, err := loadStage(r, areaOf(rq), *in.RestApiId, *in.StageName)
		if err == nil {
			out = st.answer()
		}
		return err
	})
	return out, err
}

func (s *Service) getStages(ctx context.Context, rq *call.Authorized, in *api.GetStagesRequest) (*api.Stages, error) {
	a := areaOf(rq)
	out := &api.Stages{}
	err := s.store.View(ctx, func(r data.Reader) error {
		if _, err := loadAPI(r, a, *in.RestApiId); err != nil {
			return err
		}
		all, err := data.LoadAll[stage](r, a.stages(*in.RestApiId))
		for _, st := range all {
			if in.DeploymentId == nil || *in.DeploymentId == st.Deployment {
				out.Item = append(out.Item, *st.answer())
			}
		}
		return err
	})
	return out, err
}

func (s *Service) updateStage(ctx context.Context, rq *call.Authorized, in *api.UpdateStageRequest) (out *api.Stage, err error) {
	a, id := areaOf(rq), *in.RestApiId
	err = s.store.Update(ctx, func(t data.Txn) error {
		st, err := loadStage(t, a, id, *in.StageName)
		if err != nil {
			return err
		}
		was := *st
		if err := st.patch(in.PatchOperations, t, a, id); err != nil {
			return err
		}
		if err := checkVariables(st.Variables); err != nil {
			return err
		}
		st.Updated = millis(rq.Time())
		out = st.answer()
		st.cacheChanged(&was, out)
		return data.Save(t, a.stage(id, st.Name), st)
	})
	if err != nil {
		return nil, err
	}
	return out, s.publish(ctx, a, id)
}

// patch carries patches out, of the stage itself and of its methods' settings.
// https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
func (st *stage) patch(ops []api.PatchOperation, r data.Reader, a area, id string) error {
	e := edits{
		"replace /description": text(&st.Description),
		"replace /deploymentId": func(_, v string) error {
			if _, err := loadDeployment(r, a, id, v); err != nil {
				return err
			}
			st.Deployment = v
			return nil
		},
		"replace /documentationVersion": func(_, v string) error {
			if _, err := loadDocVersion(r, a, id, v); v != "" && err != nil {
				return err
			}
			st.Documentation = v
			return nil
		},
		"remove /documentationVersion": func(_, _ string) error { st.Documentation = ""; return nil },
		"replace /tracingEnabled":      boolean(&st.Tracing),
		"replace /cacheClusterEnabled": func(name, v string) error {
			on, err := flag(name, v)
			if err != nil {
				return err
			}
			return st.setCache(&on, nil)
		},
		"replace /cacheClusterSize": func(_, v string) error { return st.setCache(nil, &v) },
	}
	e.entries("/variables", &st.Variables)
	st.canaryEdits(e, r, a, id)
	st.accessEdits(e)
	st.certificateEdits(e, r, a)
	for _, p := range ops {
		known, err := st.setMethod(p)
		if err == nil && !known {
			err = e.applyOr([]api.PatchOperation{p}, unknownStagePatch, "/webAclArn")
		}
		if err != nil {
			return err
		}
	}
	if st.Canary != nil {
		if err := st.Canary.check(); err != nil {
			return err
		}
	}
	return st.checkJournal(r, a, ops)
}

// unknownStagePatch is the error of a patch that stages do not know, in AWS's words.
func unknownStagePatch(p api.PatchOperation) error {
	switch path := *p.Path; *p.Op {
	case api.OpAdd:
		return api.BadRequestException("Invalid add operation with path: %s", path)
	case api.OpRemove:
		return api.BadRequestException("Cannot remove method setting %s because there is no method setting for this method ", strings.TrimPrefix(path, "/"))
	case api.OpCopy:
		return api.BadRequestException("Invalid copy operation with path: %s and from %s. Valid copy:path are [/deploymentId, /variables] and valid copy:from are [/canarySettings/deploymentId, /canarySettings/stageVariableOverrides]", path, opt.Val(p.From))
	default:
		return api.BadRequestException("Invalid method setting path: %s. Must be one of: [%s]", path, stagePaths)
	}
}

// stagePaths are the paths of a stage's patches as AWS lists them in its error.
const stagePaths = "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format, " +
	"/{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel, " +
	"/{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, " +
	"/{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, /{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, " +
	"/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled, /*/*/logging/dataTrace, /*/*/logging/loglevel, " +
	"/*/*/throttling/burstLimit /*/*/throttling/rateLimit /*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, " +
	"/*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, /variables/{variable_name}, /tracingEnabled"

func (s *Service) deleteStage(ctx context.Context, rq *call.Authorized, in *api.DeleteStageRequest) (*call.None, error) {
	a := areaOf(rq)
	err := s.store.Update(ctx, func(t data.Txn) error {
		if _, err := loadStage(t, a, *in.RestApiId, *in.StageName); err != nil {
			return err
		}
		return t.Delete(a.stage(*in.RestApiId, *in.StageName))
	})
	if err != nil {
		return nil, err
	}
	return &call.None{}, s.publish(ctx, a, *in.RestApiId)
}
