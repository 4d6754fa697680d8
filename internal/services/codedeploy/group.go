package codedeploy

import (
	"context"
	"reflect"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/codedeploy"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) groupBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateDeploymentGroup, onGroup("CreateDeploymentGroup", func(in *api.CreateDeploymentGroupInput) (_, _ *string) {
			return in.ApplicationName, in.DeploymentGroupName
		},
			func(in *api.CreateDeploymentGroupInput) *string { return in.ServiceRoleArn }), s.createDeploymentGroup),
		call.Bind(api.UpdateDeploymentGroup, onGroup("UpdateDeploymentGroup", func(in *api.UpdateDeploymentGroupInput) (_, _ *string) {
			return in.ApplicationName, in.CurrentDeploymentGroupName
		},
			func(in *api.UpdateDeploymentGroupInput) *string { return in.ServiceRoleArn }), s.updateDeploymentGroup),
		call.Bind(api.GetDeploymentGroup, onGroup("GetDeploymentGroup", func(in *api.GetDeploymentGroupInput) (_, _ *string) {
			return in.ApplicationName, in.DeploymentGroupName
		}, nil), s.getDeploymentGroup),
		call.Bind(api.DeleteDeploymentGroup, onGroup("DeleteDeploymentGroup", func(in *api.DeleteDeploymentGroupInput) (_, _ *string) {
			return in.ApplicationName, in.DeploymentGroupName
		}, nil), s.deleteDeploymentGroup),
		call.Bind(api.ListDeploymentGroups, onApplication("ListDeploymentGroups", func(in *api.ListDeploymentGroupsInput) *string { return in.ApplicationName }), s.listDeploymentGroups),
	}
}

// settings is what CreateDeploymentGroup and UpdateDeploymentGroup say alike.
type settings struct {
	config, role *string
	rollback     *api.AutoRollbackConfiguration
	alarms       *api.AlarmConfiguration
	style        *api.DeploymentStyle
	triggers     int
	foreign      string // a member that is set and of other platforms, "" if there is none
}

// foreign finds a member of either input that is set and of other platforms.
func foreign(in any) string {
	v := reflect.ValueOf(in).Elem()
	for _, name := range []string{
		"AutoScalingGroups", "BlueGreenDeploymentConfiguration", "Ec2DeploymentOptions", "Ec2TagFilters", "Ec2TagSet", "EcsServices", "LoadBalancerInfo",
		"OnPremisesInstanceTagFilters", "OnPremisesTagSet", "OutdatedInstancesStrategy", "TerminationHookEnabled",
	} {
		x := v.FieldByName(name)
		off, is := x.Interface().(*bool)
		if !x.IsZero() && !(x.Kind() == reflect.Slice && x.Len() == 0) && !(is && !*off) {
			return strings.ToLower(name[:1]) + name[1:]
		}
	}
	return ""
}

// noAlarms refuses alarms, which nothing would watch.
func noAlarms(a *api.AlarmConfiguration) error {
	if a != nil && (len(a.Alarms) > 0 || opt.Val(a.Enabled)) {
		return api.InvalidAlarmConfigException("alarmConfiguration is not supported: there are no CloudWatch alarms on this platform yet")
	}
	return nil
}

// rollbackOf reads an AutoRollbackConfiguration.
func rollbackOf(in *api.AutoRollbackConfiguration) (*rollbackRecord, error) {
	if in == nil {
		return nil, nil
	}
	out := &rollbackRecord{Enabled: opt.Val(in.Enabled), Events: in.Events}
	if out.Enabled && len(out.Events) == 0 {
		return nil, api.InvalidAutoRollbackConfigException("The automatic rollback configuration is enabled, but names no events")
	}
	return out, nil
}

func (r *rollbackRecord) api() *api.AutoRollbackConfiguration {
	if r == nil {
		return nil
	}
	return &api.AutoRollbackConfiguration{Enabled: new(r.Enabled), Events: append([]string{}, r.Events...)}
}

// on reports whether an event is followed by a rollback.
func (r *rollbackRecord) on(event string) bool {
	if r != nil && r.Enabled {
		for _, e := range r.Events {
			if e == event {
				return true
			}
		}
	}
	return false
}

// lambdaStyle is how traffic always moves on Lambda.
func lambdaStyle() *api.DeploymentStyle {
	return &api.DeploymentStyle{DeploymentType: new(api.DeploymentTypeBlueGreen), DeploymentOption: new(api.DeploymentOptionWithTrafficControl)}
}

// apply puts the settings into a group.
func (in *settings) apply(rd data.Reader, sc scope, g *groupRecord) error {
	if in.foreign != "" {
		return api.InvalidInputException("%s is not supported: it is for instances or ECS services, of which this platform has none", in.foreign)
	}
	if err := noAlarms(in.alarms); err != nil {
		return err
	}
	if in.triggers > 0 {
		return api.InvalidTriggerConfigException("triggerConfigurations is not supported: there is no Amazon SNS on this platform yet")
	}
	if st := in.style; st != nil {
		if opt.Or(st.DeploymentType, api.DeploymentTypeBlueGreen) != api.DeploymentTypeBlueGreen || opt.Or(st.DeploymentOption, api.DeploymentOptionWithTrafficControl) != api.DeploymentOptionWithTrafficControl {
			return api.InvalidDeploymentStyleException("For a Lambda deployment group the deployment type must be BLUE_GREEN and the deployment option WITH_TRAFFIC_CONTROL")
		}
	}
	if in.config != nil {
		g.Config = *in.config
	}
	if _, err := sc.config(rd, g.Config); err != nil {
		return err
	}
	if in.role != nil {
		g.Role = *in.role
	}
	r, err := rollbackOf(in.rollback)
	if r != nil {
		g.Rollback = r
	}
	return err
}

func (s *Service) createDeploymentGroup(ctx context.Context, rq *call.Authorized, in *api.CreateDeploymentGroupInput) (*api.CreateDeploymentGroupOutput, error) {
	sc, application, name := scopeOf(rq.Decoded), opt.Val(in.ApplicationName), opt.Val(in.DeploymentGroupName)
	if !validName(name) {
		return nil, api.InvalidDeploymentGroupNameException("Deployment group names may have up to 100 letters, numbers, and the characters . _ + = , @ -")
	}
	m, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	g := &groupRecord{V: version, ID: s.d.IDs.UUID(), Application: application, Name: name, Config: "CodeDeployDefault.LambdaAllAtOnce", Tags: m}
	set := &settings{
		config: in.DeploymentConfigName, role: in.ServiceRoleArn, rollback: in.AutoRollbackConfiguration, alarms: in.AlarmConfiguration,
		style: in.DeploymentStyle, triggers: len(in.TriggerConfigurations), foreign: foreign(in),
	}
	err = s.d.Store.Update(ctx, func(tx data.Txn) error {
		if _, err := sc.application(tx, application); err != nil {
			return err
		}
		old, err := data.Load[groupRecord](tx, sc.groupKey(application, name))
		if err != nil {
			return err
		}
		if old != nil {
			return api.DeploymentGroupAlreadyExistsException("Deployment Group already exists with name: %s", name)
		}
		if err := set.apply(tx, sc, g); err != nil {
			return err
		}
		return data.Save(tx, sc.groupKey(application, name), g)
	})
	return &api.CreateDeploymentGroupOutput{DeploymentGroupId: new(g.ID)}, err
}

// group reads a group, or fails.
func (sc scope) group(rd data.Reader, application, name string) (*groupRecord, error) {
	if _, err := sc.application(rd, application); err != nil {
		return nil, err
	}
	g, err := data.Load[groupRecord](rd, sc.groupKey(application, name))
	if err == nil && g == nil {
		err = api.DeploymentGroupDoesNotExistException("No Deployment Group found for name: %s", name)
	}
	return g, err
}

func (s *Service) updateDeploymentGroup(ctx context.Context, rq *call.Authorized, in *api.UpdateDeploymentGroupInput) (*api.UpdateDeploymentGroupOutput, error) {
	sc, application, name := scopeOf(rq.Decoded), opt.Val(in.ApplicationName), opt.Val(in.CurrentDeploymentGroupName)
	if in.NewDeploymentGroupName != nil && *in.NewDeploymentGroupName != name {
		return nil, api.InvalidInputException("newDeploymentGroupName is not supported: make a new group")
	}
	set := &settings{
		config: in.DeploymentConfigName, role: in.ServiceRoleArn, rollback: in.AutoRollbackConfiguration, alarms: in.AlarmConfiguration,
		style: in.DeploymentStyle, triggers: len(in.TriggerConfigurations), foreign: foreign(in),
	}
	return &api.UpdateDeploymentGroupOutput{}, s.d.Store.Update(ctx, func(tx data.Txn) error {
		g, err := sc.group(tx, application, name)
		if err != nil {
			return err
		}
		if err := set.apply(tx, sc, g); err != nil {
			return err
		}
		return data.Save(tx, sc.groupKey(application, name), g)
	})
}

func (s *Service) getDeploymentGroup(ctx context.Context, rq *call.Authorized, in *api.GetDeploymentGroupInput) (out *api.GetDeploymentGroupOutput, err error) {
	sc := scopeOf(rq.Decoded)
	err = s.d.Store.View(ctx, func(rd data.Reader) error {
		g, err := sc.group(rd, opt.Val(in.ApplicationName), opt.Val(in.DeploymentGroupName))
		if err != nil {
			return err
		}
		info := &api.DeploymentGroupInfo{
			ApplicationName: new(g.Application), DeploymentGroupId: new(g.ID), DeploymentGroupName: new(g.Name), DeploymentConfigName: new(g.Config),
			ServiceRoleArn: new(g.Role), AutoRollbackConfiguration: g.Rollback.api(), DeploymentStyle: lambdaStyle(), ComputePlatform: new(api.ComputePlatformLambda),
			TriggerConfigurations: []api.TriggerConfig{}, TerminationHookEnabled: new(false),
		}
		for id, into := range map[string]**api.LastDeploymentInfo{g.Attempted: &info.LastAttemptedDeployment, g.Succeeded: &info.LastSuccessfulDeployment} {
			d, err := data.Load[deploymentRecord](rd, sc.deploymentKey(id))
			if err != nil {
				return err
			}
			if d != nil {
				*into = &api.LastDeploymentInfo{DeploymentId: new(d.ID), Status: new(d.Status), CreateTime: new(d.Created), EndTime: instant(d.Completed)}
			}
		}
		if g.Attempted == g.Succeeded {
			info.LastAttemptedDeployment = info.LastSuccessfulDeployment
		}
		if d, err := data.Load[deploymentRecord](rd, sc.deploymentKey(g.Succeeded)); err != nil {
			return err
		} else if d != nil {
			info.TargetRevision = d.Revision
		}
		out = &api.GetDeploymentGroupOutput{DeploymentGroupInfo: info}
		return nil
	})
	return out, err
}

// dropGroup removes a group that has no deployment under way.
func (s *Service) dropGroup(tx data.Txn, sc scope, g *groupRecord) error {
	id, active, err := tx.Get(sc.activeKey(g.Application, g.Name))
	if err != nil {
		return err
	}
	if active {
		return api.DeploymentLimitExceededException("The Deployment Group '%s' has an active Deployment '%s'", g.Name, id)
	}
	return tx.Delete(sc.groupKey(g.Application, g.Name))
}

func (s *Service) deleteDeploymentGroup(ctx context.Context, rq *call.Authorized, in *api.DeleteDeploymentGroupInput) (*api.DeleteDeploymentGroupOutput, error) {
	sc := scopeOf(rq.Decoded)
	return &api.DeleteDeploymentGroupOutput{HooksNotCleanedUp: []api.AutoScalingGroup{}}, s.d.Store.Update(ctx, func(tx data.Txn) error {
		g, err := data.Load[groupRecord](tx, sc.groupKey(opt.Val(in.ApplicationName), opt.Val(in.DeploymentGroupName)))
		if err != nil || g == nil { // one that is gone is fine
			return err
		}
		return s.dropGroup(tx, sc, g)
	})
}

func (s *Service) listDeploymentGroups(ctx context.Context, rq *call.Authorized, in *api.ListDeploymentGroupsInput) (*api.ListDeploymentGroupsOutput, error) {
	sc, out := scopeOf(rq.Decoded), &api.ListDeploymentGroupsOutput{ApplicationName: in.ApplicationName}
	err := s.d.Store.View(ctx, func(rd data.Reader) error {
		if _, err := sc.application(rd, opt.Val(in.ApplicationName)); err != nil {
			return err
		}
		all, err := data.LoadAll[groupRecord](rd, sc.key("group", opt.Val(in.ApplicationName)))
		if err != nil {
			return err
		}
		var found []string
		for _, g := range all {
			found = append(found, g.Name)
		}
		out.DeploymentGroups, out.NextToken, err = names(found, in.NextToken)
		return err
	})
	return out, err
}
