package apigateway

import (
	"context"
	"regexp"

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
		CacheClusterEnabled: new(false), CacheClusterStatus: new(api.CacheClusterStatusNotAvailable), TracingEnabled: new(false),
		CreatedDate: seconds(st.Created), LastUpdatedDate: seconds(st.Updated), MethodSettings: st.settings(),
	}
}

func (st *stage) settings() map[string]api.MethodSetting {
	if len(st.Methods) == 0 {
		return nil
	}
	all := map[string]api.MethodSetting{}
	for k, m := range st.Methods {
		all[k] = m.answer()
	}
	return all
}

func (s *Service) createStage(ctx context.Context, rq *call.Authorized, in *api.CreateStageRequest) (*api.Stage, error) {
	err := refuseAny(
		given{"cacheClusterEnabled", opt.Val(in.CacheClusterEnabled)}, given{"cacheClusterSize", in.CacheClusterSize != nil},
		given{"canarySettings", in.CanarySettings != nil}, given{"tracingEnabled", opt.Val(in.TracingEnabled)},
		given{"documentationVersion", in.DocumentationVersion != nil},
	)
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
		Variables: in.Variables, Tags: in.Tags, Created: now, Updated: now,
	}
	err = s.store.Update(ctx, func(t data.Txn) error {
		if _, err := loadDeployment(t, a, *in.RestApiId, st.Deployment); err != nil {
			return err
		}
		old, err := load[stage](t, a.stage(*in.RestApiId, st.Name))
		if err != nil {
			return err
		}
		if old != nil {
			return api.ConflictException("Stage already exists")
		}
		return save(t, a.stage(*in.RestApiId, st.Name), st)
	})
	if err != nil {
		return nil, err
	}
	return st.answer(), s.publish(ctx, a, *in.RestApiId)
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
		all, err := list[stage](r, a.stages(*in.RestApiId))
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
		no := func(name string) func(_, v string) error {
			return func(_, v string) error {
				if v != "false" {
					return refuse(name)
				}
				return nil
			}
		}
		e := edits{
			"replace /description": text(&st.Description),
			"replace /deploymentId": func(_, v string) error {
				if _, err := loadDeployment(t, a, id, v); err != nil {
					return err
				}
				st.Deployment = v
				return nil
			},
			"replace /tracingEnabled":      no("tracingEnabled"),
			"replace /cacheClusterEnabled": no("cacheClusterEnabled"),
		}
		e.entries("/variables", &st.Variables)
		ops, err := st.setMethods(in.PatchOperations)
		if err != nil {
			return err
		}
		err = e.apply(ops, "/accessLogSettings", "/canarySettings",
			"/cacheCluster", "/clientCertificateId", "/documentationVersion", "/webAclArn")
		if err != nil {
			return err
		}
		if err := checkVariables(st.Variables); err != nil {
			return err
		}
		st.Updated = millis(rq.Time())
		out = st.answer()
		return save(t, a.stage(id, st.Name), st)
	})
	if err != nil {
		return nil, err
	}
	return out, s.publish(ctx, a, id)
}

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
