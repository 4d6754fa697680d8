package apigateway

import (
	"context"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

func (s *Service) deploymentBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateDeployment, on(actionPost, func(in *api.CreateDeploymentRequest) string { return below(in.RestApiId, "deployments") }), s.createDeployment),
		call.Bind(api.GetDeployment, on(actionGet, func(in *api.GetDeploymentRequest) string { return below(in.RestApiId, "deployments", *in.DeploymentId) }), s.getDeployment),
		call.Bind(api.GetDeployments, on(actionGet, func(in *api.GetDeploymentsRequest) string { return below(in.RestApiId, "deployments") }), s.getDeployments),
		call.Bind(api.UpdateDeployment, on(actionPatch, func(in *api.UpdateDeploymentRequest) string {
			return below(in.RestApiId, "deployments", *in.DeploymentId)
		}), s.updateDeployment),
		call.Bind(api.DeleteDeployment, on(actionDelete, func(in *api.DeleteDeploymentRequest) string {
			return below(in.RestApiId, "deployments", *in.DeploymentId)
		}), s.deleteDeployment),
	}
}

func (d *deployment) answer() *api.Deployment {
	return &api.Deployment{Id: &d.ID, Description: opt.NonZero(d.Description), CreatedDate: seconds(d.Created)}
}

func (s *Service) createDeployment(ctx context.Context, rq *call.Authorized, in *api.CreateDeploymentRequest) (*api.Deployment, error) {
	name := opt.Val(in.StageName)
	if name == "" && in.CanarySettings != nil {
		return nil, api.BadRequestException("Invalid deployment content specified.Non null and non empty stageName must be provided for canary deployment. Provided value is %s", opt.Or(in.StageName, "null"))
	}
	if name == "" && (in.StageDescription != nil || len(in.Variables) > 0 || opt.Val(in.TracingEnabled)) {
		return nil, api.BadRequestException("Stage name is required when stage description, variables or tracing are given")
	}
	if name != "" {
		if err := checkStage(name, in.Variables); err != nil {
			return nil, err
		}
	}
	a, id := areaOf(rq), *in.RestApiId
	dep := &deployment{V: 1, ID: s.newID(), Description: opt.Val(in.Description), Created: millis(rq.Time())}
	err := s.store.Update(ctx, func(t data.Txn) error {
		d, err := loadDefinition(t, a, id)
		if err != nil {
			return err
		}
		if err := d.Ready(); err != nil {
			return faultOf(err)
		}
		if err := data.Save(t, a.snapshot(id, dep.ID), d); err != nil {
			return err
		}
		if err := data.Save(t, a.deployment(id, dep.ID), dep); err != nil {
			return err
		}
		if name == "" {
			return nil
		}
		st, err := data.Load[stage](t, a.stage(id, name))
		if err != nil {
			return err
		}
		c := in.CanarySettings
		switch {
		case c != nil && st == nil:
			return api.BadRequestException("Invalid deployment content specified.Stage %s must already be created before making a canary release deployment", name)
		case c != nil:
			if st.Canary, err = newCanary(dep.ID, c.PercentTraffic, c.StageVariableOverrides, c.UseStageCache); err != nil {
				return err
			}
		case st == nil:
			st = &stage{V: 1, Name: name, Created: dep.Created, Deployment: dep.ID}
		case st.Canary != nil:
			return api.BadRequestException("Invalid deployment content specified.Non canary deployment not supported on stage %s because Canary is enabled. Provide CanarySettings in deploymentInput.", name)
		default:
			st.Deployment = dep.ID
		}
		if err := st.setCache(in.CacheClusterEnabled, in.CacheClusterSize); err != nil {
			return err
		}
		if in.TracingEnabled != nil {
			st.Tracing = *in.TracingEnabled
		}
		st.Updated = dep.Created
		if in.StageDescription != nil {
			st.Description = *in.StageDescription
		}
		if in.Variables != nil {
			st.Variables = in.Variables
		}
		return data.Save(t, a.stage(id, name), st)
	})
	if err != nil {
		return nil, err
	}
	return dep.answer(), s.publish(ctx, a, id)
}

func (s *Service) getDeployment(ctx context.Context, rq *call.Authorized, in *api.GetDeploymentRequest) (out *api.Deployment, err error) {
	a := areaOf(rq)
	err = s.store.View(ctx, func(r data.Reader) error {
		dep, err := loadDeployment(r, a, *in.RestApiId, *in.DeploymentId)
		if err != nil {
			return err
		}
		out = dep.answer()
		if !slices.Contains(in.Embed, "apisummary") {
			return nil
		}
		d, err := data.Load[definition.API](r, a.snapshot(*in.RestApiId, dep.ID))
		if err != nil || d == nil {
			return err
		}
		out.ApiSummary = map[string]map[string]api.MethodSnapshot{}
		for _, x := range d.Resources {
			for name, m := range x.Methods {
				path := d.Path(x)
				if out.ApiSummary[path] == nil {
					out.ApiSummary[path] = map[string]api.MethodSnapshot{}
				}
				out.ApiSummary[path][name] = api.MethodSnapshot{AuthorizationType: new(m.Authorization), ApiKeyRequired: new(m.KeyRequired)}
			}
		}
		return nil
	})
	return out, err
}

func (s *Service) getDeployments(ctx context.Context, rq *call.Authorized, in *api.GetDeploymentsRequest) (*api.Deployments, error) {
	a := areaOf(rq)
	out := &api.Deployments{}
	err := s.store.View(ctx, func(r data.Reader) error {
		if _, err := loadAPI(r, a, *in.RestApiId); err != nil {
			return err
		}
		all, err := data.LoadAll[deployment](r, a.deployments(*in.RestApiId))
		if err != nil {
			return err
		}
		all, out.Position, err = pageOf(all, in.Position, in.Limit, func(d *deployment) string { return d.ID })
		for _, d := range all {
			out.Items = append(out.Items, *d.answer())
		}
		return err
	})
	return out, err
}

func (s *Service) updateDeployment(ctx context.Context, rq *call.Authorized, in *api.UpdateDeploymentRequest) (out *api.Deployment, err error) {
	a := areaOf(rq)
	err = s.store.Update(ctx, func(t data.Txn) error {
		dep, err := loadDeployment(t, a, *in.RestApiId, *in.DeploymentId)
		if err != nil {
			return err
		}
		if err := (edits{"replace /description": text(&dep.Description)}).apply(in.PatchOperations); err != nil {
			return err
		}
		out = dep.answer()
		return data.Save(t, a.deployment(*in.RestApiId, dep.ID), dep)
	})
	return out, err
}

func (s *Service) deleteDeployment(ctx context.Context, rq *call.Authorized, in *api.DeleteDeploymentRequest) (*call.None, error) {
	a, id := areaOf(rq), *in.RestApiId
	return &call.None{}, s.store.Update(ctx, func(t data.Txn) error {
		dep, err := loadDeployment(t, a, id, *in.DeploymentId)
		if err != nil {
			return err
		}
		stages, err := data.LoadAll[stage](t, a.stages(id))
		if err != nil {
			return err
		}
		for _, st := range stages {
			if st.Deployment == dep.ID {
				return api.BadRequestException("Active stages pointing to this deployment must be moved or deleted")
			}
			if st.Canary != nil && st.Canary.Deployment == dep.ID {
				return api.BadRequestException("Active stages with canary settings pointing to this deployment must be moved or deleted")
			}
		}
		if err := t.Delete(a.snapshot(id, dep.ID)); err != nil {
			return err
		}
		return t.Delete(a.deployment(id, dep.ID))
	})
}
