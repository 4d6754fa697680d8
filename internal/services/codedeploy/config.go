package codedeploy

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/codedeploy"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) configBindings() []call.Binding {
	onConfig := func(sc scope, name *string) string { return sc.arn("deploymentconfig", opt.Val(name)) }
	return []call.Binding{
		call.Bind(api.CreateDeploymentConfig, call.Allow("codedeploy:CreateDeploymentConfig", func(rq *call.Decoded, in *api.CreateDeploymentConfigInput) string {
			return onConfig(scopeOf(rq), in.DeploymentConfigName)
		}), s.createDeploymentConfig),
		call.Bind(api.GetDeploymentConfig, call.Allow("codedeploy:GetDeploymentConfig", func(rq *call.Decoded, in *api.GetDeploymentConfigInput) string {
			return onConfig(scopeOf(rq), in.DeploymentConfigName)
		}), s.getDeploymentConfig),
		call.Bind(api.DeleteDeploymentConfig, call.Allow("codedeploy:DeleteDeploymentConfig", func(rq *call.Decoded, in *api.DeleteDeploymentConfigInput) string {
			return onConfig(scopeOf(rq), in.DeploymentConfigName)
		}), s.deleteDeploymentConfig),
		call.Bind(api.ListDeploymentConfigs, call.Any[api.ListDeploymentConfigsInput]("codedeploy:ListDeploymentConfigs"), s.listDeploymentConfigs),
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func (s *Service) createDeploymentConfig(ctx context.Context, rq *call.Authorized, in *api.CreateDeploymentConfigInput) (*api.CreateDeploymentConfigOutput, error) {
	sc, name := scopeOf(rq.Decoded), opt.Val(in.DeploymentConfigName)
	if !validName(name) || strings.HasPrefix(name, "CodeDeployDefault.") {
		return nil, api.InvalidDeploymentConfigNameException("Deployment configuration names may have up to 100 letters, numbers, and the characters . _ + = , @ -, and must not begin with CodeDeployDefault.")
	}
	if err := lambdaOnly(in.ComputePlatform); err != nil {
		return nil, err
	}
	if in.MinimumHealthyHosts != nil || in.ZonalConfig != nil {
		return nil, api.InvalidMinimumHealthyHostValueException("minimumHealthyHosts and zonalConfig are for instances: a Lambda deployment configuration has neither")
	}
	shift, err := shiftingOf(in.TrafficRoutingConfig)
	if err != nil {
		return nil, err
	}
	rec := &configRecord{V: version, ID: s.d.IDs.UUID(), Name: name, Created: s.d.Clock.Now(), shifting: shift}
	err = s.d.Store.Update(ctx, func(tx data.Txn) error {
		old, err := data.Load[configRecord](tx, sc.configKey(name))
		if err != nil {
			return err
		}
		if old != nil {
			return api.DeploymentConfigAlreadyExistsException("Deployment configuration already exists with name: %s", name)
		}
		return data.Save(tx, sc.configKey(name), rec)
	})
	return &api.CreateDeploymentConfigOutput{DeploymentConfigId: new(rec.ID)}, err
}

// config reads a configuration, a predefined one or one's own.
func (sc scope) config(rd data.Reader, name string) (*configRecord, error) {
	if shift, ok := predefined(name); ok {
		return &configRecord{ID: "00000000-0000-0000-0000-000000000000", Name: name, shifting: shift}, nil
	}
	c, err := data.Load[configRecord](rd, sc.configKey(name))
	if err == nil && c == nil {
		err = api.DeploymentConfigDoesNotExistException("No Deployment Configuration found for name: %s", name)
	}
	return c, err
}

func (s *Service) getDeploymentConfig(ctx context.Context, rq *call.Authorized, in *api.GetDeploymentConfigInput) (out *api.GetDeploymentConfigOutput, err error) {
	err = s.d.Store.View(ctx, func(rd data.Reader) error {
		c, err := scopeOf(rq.Decoded).config(rd, opt.Val(in.DeploymentConfigName))
		if err != nil {
			return err
		}
		info := &api.DeploymentConfigInfo{DeploymentConfigId: new(c.ID), DeploymentConfigName: new(c.Name), ComputePlatform: new(api.ComputePlatformLambda), TrafficRoutingConfig: c.api()}
		if !c.Created.IsZero() {
			info.CreateTime = new(c.Created)
		}
		out = &api.GetDeploymentConfigOutput{DeploymentConfigInfo: info}
		return nil
	})
	return out, err
}

func (s *Service) deleteDeploymentConfig(ctx context.Context, rq *call.Authorized, in *api.DeleteDeploymentConfigInput) (*call.None, error) {
	sc, name := scopeOf(rq.Decoded), opt.Val(in.DeploymentConfigName)
	if _, ok := predefined(name); ok {
		return nil, api.InvalidOperationException("The predefined deployment configuration %s cannot be deleted", name)
	}
	return &call.None{}, s.d.Store.Update(ctx, func(tx data.Txn) error {
		groups, err := data.LoadAll[groupRecord](tx, sc.key("group"))
		if err != nil {
			return err
		}
		for _, g := range groups {
			if g.Config == name {
				return api.DeploymentConfigInUseException("The deployment configuration %s is used by the deployment group %s", name, g.Name)
			}
		}
		return tx.Delete(sc.configKey(name))
	})
}

func (s *Service) listDeploymentConfigs(ctx context.Context, rq *call.Authorized, in *api.ListDeploymentConfigsInput) (*api.ListDeploymentConfigsOutput, error) {
	out := &api.ListDeploymentConfigsOutput{}
	err := s.d.Store.View(ctx, func(rd data.Reader) error {
		all, err := data.LoadAll[configRecord](rd, scopeOf(rq.Decoded).key("config"))
		if err != nil {
			return err
		}
		found := predefinedNames()
		for _, c := range all {
			found = append(found, c.Name)
		}
		slices.Sort(found)
		out.DeploymentConfigsList, out.NextToken, err = names(found, in.NextToken)
		return err
	})
	return out, err
}
