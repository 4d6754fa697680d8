package codedeploy

import (
	"context"
	"maps"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/codedeploy"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

type tagProperty struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codedeploy-application.html
type applicationProperties struct {
	ApplicationName *string       `cfn:"ApplicationName,replace"`
	ComputePlatform *string       `cfn:"ComputePlatform,replace"`
	Tags            []tagProperty `cfn:"Tags"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codedeploy-deploymentgroup.html
type groupProperties struct {
	ApplicationName           string            `cfn:"ApplicationName,required,replace"`
	DeploymentGroupName       *string           `cfn:"DeploymentGroupName,replace"`
	ServiceRoleArn            string            `cfn:"ServiceRoleArn,required"`
	DeploymentConfigName      *string           `cfn:"DeploymentConfigName"`
	AlarmConfiguration        *alarmProperty    `cfn:"AlarmConfiguration"`
	AutoRollbackConfiguration *rollbackProperty `cfn:"AutoRollbackConfiguration"`
	DeploymentStyle           *styleProperty    `cfn:"DeploymentStyle"`
	TriggerConfigurations     []map[string]any  `cfn:"TriggerConfigurations"`
	Tags                      []tagProperty     `cfn:"Tags"`

	_ any `cfn:"AutoScalingGroups,refused"`
	_ any `cfn:"BlueGreenDeploymentConfiguration,refused"`
	_ any `cfn:"Deployment,refused"`
	_ any `cfn:"ECSServices,refused"`
	_ any `cfn:"Ec2TagFilters,refused"`
	_ any `cfn:"Ec2TagSet,refused"`
	_ any `cfn:"LoadBalancerInfo,refused"`
	_ any `cfn:"OnPremisesInstanceTagFilters,refused"`
	_ any `cfn:"OnPremisesTagSet,refused"`
	_ any `cfn:"OutdatedInstancesStrategy,refused"`
	_ any `cfn:"TerminationHookEnabled,refused"`
}

type alarmProperty struct {
	Alarms []struct {
		Name *string `cfn:"Name"`
	} `cfn:"Alarms"`
	Enabled                *bool `cfn:"Enabled"`
	IgnorePollAlarmFailure *bool `cfn:"IgnorePollAlarmFailure"`
}

type rollbackProperty struct {
	Enabled *bool    `cfn:"Enabled"`
	Events  []string `cfn:"Events"`
}

type styleProperty struct {
	DeploymentType   *string `cfn:"DeploymentType"`
	DeploymentOption *string `cfn:"DeploymentOption"`
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codedeploy-deploymentconfig.html
type configProperties struct {
	DeploymentConfigName *string          `cfn:"DeploymentConfigName,replace"`
	ComputePlatform      *string          `cfn:"ComputePlatform,replace"`
	TrafficRoutingConfig *routingProperty `cfn:"TrafficRoutingConfig,replace"`

	_ any `cfn:"MinimumHealthyHosts,refused"`
	_ any `cfn:"ZonalConfig,refused"`
}

type routingProperty struct {
	Type            string `cfn:"Type,required"`
	TimeBasedCanary *struct {
		CanaryInterval   int32 `cfn:"CanaryInterval,required"`
		CanaryPercentage int32 `cfn:"CanaryPercentage,required"`
	} `cfn:"TimeBasedCanary"`
	TimeBasedLinear *struct {
		LinearInterval   int32 `cfn:"LinearInterval,required"`
		LinearPercentage int32 `cfn:"LinearPercentage,required"`
	} `cfn:"TimeBasedLinear"`
}

// ResourceTypes implements resource.Provider.
func (s *Service) ResourceTypes() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::CodeDeploy::Application", resource.Handlers[applicationProperties]{
			Create: createApplication, Update: updateApplication, Delete: deleteApplication, Check: func(p *applicationProperties) []resource.Problem { return checkPlatform(p.ComputePlatform) },
			Identifier: []string{"ApplicationName"}, Read: readApplication, List: listApplications,
		}),
		resource.Define("AWS::CodeDeploy::DeploymentGroup", resource.Handlers[groupProperties]{
			Create: createGroup, Update: updateGroup, Delete: deleteGroup, Check: checkGroup,
			Identifier: []string{"ApplicationName", "DeploymentGroupName"}, Read: readGroup, List: listGroups,
		}),
		resource.Define("AWS::CodeDeploy::DeploymentConfig", resource.Handlers[configProperties]{
			Create: createConfig, Delete: deleteConfig, Check: checkConfig, Identifier: []string{"DeploymentConfigName"}, Read: readConfig, List: listConfigs,
		}),
	}
}

func checkPlatform(p *string) []resource.Problem {
	if opt.Val(p) == "" && p != nil { // not known yet
		return nil
	}
	if err := lambdaOnly(p); err != nil {
		return []resource.Problem{{Path: []string{"ComputePlatform"}, Text: fault.As(err).Message}}
	}
	return nil
}

func checkGroup(p *groupProperties) (bad []resource.Problem) {
	if p.AlarmConfiguration != nil && (len(p.AlarmConfiguration.Alarms) > 0 || opt.Val(p.AlarmConfiguration.Enabled)) {
		bad = append(bad, resource.Problem{Path: []string{"AlarmConfiguration"}, Text: "alarms are not supported: there are no CloudWatch alarms on this platform yet"})
	}
	if len(p.TriggerConfigurations) > 0 {
		bad = append(bad, resource.Problem{Path: []string{"TriggerConfigurations"}, Text: "triggers are not supported: there is no Amazon SNS on this platform yet"})
	}
	return bad
}

func checkConfig(p *configProperties) []resource.Problem {
	bad := checkPlatform(p.ComputePlatform)
	if p.TrafficRoutingConfig == nil {
		return append(bad, resource.Problem{Text: "required key [TrafficRoutingConfig] not found"})
	}
	return bad
}

func do[I, O any](ctx context.Context, rq *resource.Request, op call.Op[I, O], in *I) (*O, error) {
	return call.Do(ctx, rq.Caller, rq.As, op, in)
}

func wantedTags(rq *resource.Request, own []tagProperty) map[string]string {
	m := maps.Clone(rq.StackTags)
	if m == nil {
		m = map[string]string{}
	}
	for _, t := range own {
		m[t.Key] = t.Value
	}
	return m
}

func tagList(m map[string]string) (out []api.Tag) {
	for _, k := range sortedKeys(m) {
		out = append(out, api.Tag{Key: new(k), Value: new(m[k])})
	}
	return out
}

// retag gives a resource exactly these tags.
func retag(ctx context.Context, rq *resource.Request, arn string, want map[string]string) error {
	has, err := do(ctx, rq, api.ListTagsForResource, &api.ListTagsForResourceInput{ResourceArn: &arn})
	if err != nil {
		return err
	}
	var gone []string
	for _, t := range has.Tags {
		if _, stays := want[*t.Key]; !stays {
			gone = append(gone, *t.Key)
		}
	}
	if len(gone) > 0 {
		if _, err := do(ctx, rq, api.UntagResource, &api.UntagResourceInput{ResourceArn: &arn, TagKeys: gone}); err != nil {
			return err
		}
	}
	if len(want) > 0 {
		_, err = do(ctx, rq, api.TagResource, &api.TagResourceInput{ResourceArn: &arn, Tags: tagList(want)})
	}
	return err
}

func ownTags(ctx context.Context, rq *resource.Request, arn string) (out []tagProperty, err error) {
	has, err := do(ctx, rq, api.ListTagsForResource, &api.ListTagsForResourceInput{ResourceArn: &arn})
	if err != nil {
		return nil, err
	}
	for _, t := range has.Tags {
		out = append(out, tagProperty{*t.Key, opt.Val(t.Value)})
	}
	return out, nil
}

func applicationARN(rq *resource.Request, name string) string {
	return scope{rq.Account, rq.Region}.arn("application", name)
}

// again lets pass that something is there, if its name was generated: then an
// earlier attempt at this very step made it.
func again(err error, given *string) error {
	if f := fault.As(err); given == nil && f != nil && strings.HasSuffix(f.Code, "AlreadyExistsException") {
		return nil
	}
	return err
}

func gone(err error) error {
	if f := fault.As(err); f != nil && strings.HasSuffix(f.Code, "DoesNotExistException") {
		return nil
	}
	return err
}

func createApplication(ctx context.Context, rq *resource.Request, p *applicationProperties) (resource.State, error) {
	name := opt.Or(p.ApplicationName, rq.Name(100))
	_, err := do(ctx, rq, api.CreateApplication, &api.CreateApplicationInput{ApplicationName: &name, ComputePlatform: p.ComputePlatform, Tags: tagList(wantedTags(rq, p.Tags))})
	if again(err, p.ApplicationName) != nil {
		return resource.State{}, err
	}
	return resource.State{ID: name}, nil
}

func updateApplication(ctx context.Context, rq *resource.Request, name string, _, p *applicationProperties) (resource.State, error) {
	return resource.State{ID: name}, retag(ctx, rq, applicationARN(rq, name), wantedTags(rq, p.Tags))
}

func deleteApplication(ctx context.Context, rq *resource.Request, name string, _ *applicationProperties) error {
	_, err := do(ctx, rq, api.DeleteApplication, &api.DeleteApplicationInput{ApplicationName: &name})
	return gone(err)
}

func readApplication(ctx context.Context, rq *resource.Request, name string, _ *applicationProperties) (*applicationProperties, resource.State, error) {
	out, err := do(ctx, rq, api.GetApplication, &api.GetApplicationInput{ApplicationName: &name})
	if err != nil {
		return nil, resource.State{}, gone(err)
	}
	tags, err := ownTags(ctx, rq, applicationARN(rq, name))
	return &applicationProperties{ApplicationName: &name, ComputePlatform: out.Application.ComputePlatform, Tags: tags}, resource.State{ID: name}, err
}

func listApplications(ctx context.Context, rq *resource.Request, _ *applicationProperties) (out []string, err error) {
	in := &api.ListApplicationsInput{}
	for {
		page, err := do(ctx, rq, api.ListApplications, in)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Applications...)
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return out, nil
		}
	}
}

func (p *groupProperties) rollback() *api.AutoRollbackConfiguration {
	if p.AutoRollbackConfiguration == nil {
		return nil
	}
	return &api.AutoRollbackConfiguration{Enabled: p.AutoRollbackConfiguration.Enabled, Events: p.AutoRollbackConfiguration.Events}
}

func (p *groupProperties) style() *api.DeploymentStyle {
	if p.DeploymentStyle == nil {
		return nil
	}
	return &api.DeploymentStyle{DeploymentType: p.DeploymentStyle.DeploymentType, DeploymentOption: p.DeploymentStyle.DeploymentOption}
}

func createGroup(ctx context.Context, rq *resource.Request, p *groupProperties) (resource.State, error) {
	name := opt.Or(p.DeploymentGroupName, rq.Name(100))
	_, err := do(ctx, rq, api.CreateDeploymentGroup, &api.CreateDeploymentGroupInput{
		ApplicationName: &p.ApplicationName, DeploymentGroupName: &name, ServiceRoleArn: &p.ServiceRoleArn, DeploymentConfigName: p.DeploymentConfigName,
		AutoRollbackConfiguration: p.rollback(), DeploymentStyle: p.style(), Tags: tagList(wantedTags(rq, p.Tags)),
	})
	if again(err, p.DeploymentGroupName) != nil {
		return resource.State{}, err
	}
	return resource.State{ID: name}, nil
}

func updateGroup(ctx context.Context, rq *resource.Request, name string, _, p *groupProperties) (resource.State, error) {
	in := &api.UpdateDeploymentGroupInput{
		ApplicationName: &p.ApplicationName, CurrentDeploymentGroupName: &name, ServiceRoleArn: &p.ServiceRoleArn, AutoRollbackConfiguration: p.rollback(),
		DeploymentConfigName: new(opt.Or(p.DeploymentConfigName, "CodeDeployDefault.LambdaAllAtOnce")), DeploymentStyle: p.style(),
	}
	if in.AutoRollbackConfiguration == nil {
		in.AutoRollbackConfiguration = &api.AutoRollbackConfiguration{Enabled: new(false)}
	}
	if _, err := do(ctx, rq, api.UpdateDeploymentGroup, in); err != nil {
		return resource.State{ID: name}, err
	}
	return resource.State{ID: name}, retag(ctx, rq, scope{rq.Account, rq.Region}.groupARN(p.ApplicationName, name), wantedTags(rq, p.Tags))
}

func deleteGroup(ctx context.Context, rq *resource.Request, name string, p *groupProperties) error {
	_, err := do(ctx, rq, api.DeleteDeploymentGroup, &api.DeleteDeploymentGroupInput{ApplicationName: &p.ApplicationName, DeploymentGroupName: &name})
	return gone(err)
}

func readGroup(ctx context.Context, rq *resource.Request, name string, known *groupProperties) (*groupProperties, resource.State, error) {
	out, err := do(ctx, rq, api.GetDeploymentGroup, &api.GetDeploymentGroupInput{ApplicationName: &known.ApplicationName, DeploymentGroupName: &name})
	if err != nil {
		return nil, resource.State{}, gone(err)
	}
	g := out.DeploymentGroupInfo
	p := &groupProperties{
		ApplicationName: known.ApplicationName, DeploymentGroupName: &name, ServiceRoleArn: opt.Val(g.ServiceRoleArn), DeploymentConfigName: g.DeploymentConfigName,
		DeploymentStyle: &styleProperty{g.DeploymentStyle.DeploymentType, g.DeploymentStyle.DeploymentOption},
	}
	if r := g.AutoRollbackConfiguration; r != nil {
		p.AutoRollbackConfiguration = &rollbackProperty{r.Enabled, r.Events}
	}
	p.Tags, err = ownTags(ctx, rq, scope{rq.Account, rq.Region}.groupARN(known.ApplicationName, name))
	return p, resource.State{ID: name}, err
}

func listGroups(ctx context.Context, rq *resource.Request, known *groupProperties) (out []string, err error) {
	in := &api.ListDeploymentGroupsInput{ApplicationName: &known.ApplicationName}
	for {
		page, err := do(ctx, rq, api.ListDeploymentGroups, in)
		if err != nil {
			return nil, err
		}
		for _, g := range page.DeploymentGroups {
			out = append(out, known.ApplicationName+"|"+g)
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return out, nil
		}
	}
}

func createConfig(ctx context.Context, rq *resource.Request, p *configProperties) (resource.State, error) {
	name := opt.Or(p.DeploymentConfigName, rq.Name(100))
	r := p.TrafficRoutingConfig
	routing := &api.TrafficRoutingConfig{Type: &r.Type}
	if c := r.TimeBasedCanary; c != nil {
		routing.TimeBasedCanary = &api.TimeBasedCanary{CanaryInterval: &c.CanaryInterval, CanaryPercentage: &c.CanaryPercentage}
	}
	if l := r.TimeBasedLinear; l != nil {
		routing.TimeBasedLinear = &api.TimeBasedLinear{LinearInterval: &l.LinearInterval, LinearPercentage: &l.LinearPercentage}
	}
	_, err := do(ctx, rq, api.CreateDeploymentConfig, &api.CreateDeploymentConfigInput{DeploymentConfigName: &name, ComputePlatform: p.ComputePlatform, TrafficRoutingConfig: routing})
	if again(err, p.DeploymentConfigName) != nil {
		return resource.State{}, err
	}
	return resource.State{ID: name}, nil
}

func deleteConfig(ctx context.Context, rq *resource.Request, name string, _ *configProperties) error {
	_, err := do(ctx, rq, api.DeleteDeploymentConfig, &api.DeleteDeploymentConfigInput{DeploymentConfigName: &name})
	return gone(err)
}

func readConfig(ctx context.Context, rq *resource.Request, name string, _ *configProperties) (*configProperties, resource.State, error) {
	out, err := do(ctx, rq, api.GetDeploymentConfig, &api.GetDeploymentConfigInput{DeploymentConfigName: &name})
	if err != nil {
		return nil, resource.State{}, gone(err)
	}
	t := out.DeploymentConfigInfo.TrafficRoutingConfig
	r := &routingProperty{Type: *t.Type}
	if c := t.TimeBasedCanary; c != nil {
		r.TimeBasedCanary = &struct {
			CanaryInterval   int32 `cfn:"CanaryInterval,required"`
			CanaryPercentage int32 `cfn:"CanaryPercentage,required"`
		}{*c.CanaryInterval, *c.CanaryPercentage}
	}
	if l := t.TimeBasedLinear; l != nil {
		r.TimeBasedLinear = &struct {
			LinearInterval   int32 `cfn:"LinearInterval,required"`
			LinearPercentage int32 `cfn:"LinearPercentage,required"`
		}{*l.LinearInterval, *l.LinearPercentage}
	}
	return &configProperties{DeploymentConfigName: &name, ComputePlatform: new(api.ComputePlatformLambda), TrafficRoutingConfig: r}, resource.State{ID: name}, nil
}

func listConfigs(ctx context.Context, rq *resource.Request, _ *configProperties) (out []string, err error) {
	in := &api.ListDeploymentConfigsInput{}
	for {
		page, err := do(ctx, rq, api.ListDeploymentConfigs, in)
		if err != nil {
			return nil, err
		}
		for _, name := range page.DeploymentConfigsList {
			if _, ok := predefined(name); !ok {
				out = append(out, name)
			}
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return out, nil
		}
	}
}

var _ resource.Provider = (*Service)(nil)
