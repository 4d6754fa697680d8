package sam

import "strings"

// What functions that are deployed gradually share.
const (
	codeDeployApp       = "ServerlessDeploymentApplication"
	codeDeployRole      = "CodeDeployServiceRole"
	codeDeployCondition = "ServerlessCodeDeployCondition"
)

// codeDeploy collects the functions that are deployed gradually.
type codeDeploy struct {
	groups     []func()        // each makes the group of one function
	conditions map[string]bool // of the functions; "" stands for none
	role       bool            // whether one of them needs the role that they share
	tags       object          // of all of them
}

// shiftings are the deployment configurations that CodeDeploy has for Lambda.
const shiftings = " Canary10Percent5Minutes Canary10Percent10Minutes Canary10Percent15Minutes Canary10Percent30Minutes AllAtOnce " +
	"Linear10PercentEvery1Minute Linear10PercentEvery2Minutes Linear10PercentEvery3Minutes Linear10PercentEvery10Minutes "

// deploymentPreference makes an alias be moved by CodeDeploy.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-deploymentpreference.html
func (m *macro) deploymentPreference(alias string) {
	v := m.props["DeploymentPreference"]
	if !truthy(v) {
		return
	}
	p, ok := v.(object)
	if !ok {
		refuseProperty(m.id, "DeploymentPreference", "'DeploymentPreference' should be a map.")
	}
	condition := m.passthrough(p)
	if on, has := p["Enabled"]; has {
		if on = m.t.mapped(on); !truthy(on) || on == "false" || on == "False" {
			return
		}
	}
	kind, has := p["Type"]
	if !has {
		refuseProperty(m.id, "DeploymentPreference", "'DeploymentPreference' is missing required Property 'Type'")
	}
	hooks, ok := p["Hooks"].(object)
	if _, has := p["Hooks"]; has && !ok {
		refuseProperty(m.id, "DeploymentPreference", "'Hooks' property of 'DeploymentPreference' must be a dictionary")
	}
	if alias == "" {
		refuseProperty(m.id, "DeploymentPreference", "'DeploymentPreference' requires AutoPublishAlias property to be specified.")
	}
	d := &m.t.deploys
	if d.conditions == nil {
		d.conditions, d.tags = map[string]bool{}, object{}
	}
	d.conditions[condition] = true
	role := p["Role"]
	if !truthy(role) {
		d.role = true
		role = getAtt(codeDeployRole, "Arn")
	}
	attributes, tags := object{}, any(nil)
	if condition != "" {
		attributes["Condition"] = condition
	}
	if given, _ := m.props["Tags"].(object); truthy(m.props["PropagateTags"]) && len(given) > 0 {
		tags = tagList(given)
		for k, v := range given {
			d.tags[k] = v
		}
	}
	group := m.id + "DeploymentGroup"
	d.groups = append(d.groups, func() {
		m.add(group, "AWS::CodeDeploy::DeploymentGroup", attributes, object{
			"ApplicationName": ref(codeDeployApp), "ServiceRoleArn": role, "AlarmConfiguration": m.alarms(p["Alarms"]), "Tags": tags,
			"AutoRollbackConfiguration": object{"Enabled": true, "Events": []any{"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"}},
			"DeploymentConfigName":      shifting(m.t.mapped(kind), ""), "DeploymentStyle": object{"DeploymentType": "BLUE_GREEN", "DeploymentOption": "WITH_TRAFFIC_CONTROL"},
			"TriggerConfigurations": or(p["TriggerConfigurations"]),
		})
	})
	update := object{"ApplicationName": ref(codeDeployApp), "DeploymentGroupName": ref(group)}
	for name, as := range map[string]string{"PreTraffic": "BeforeAllowTrafficHook", "PostTraffic": "AfterAllowTrafficHook"} {
		if truthy(hooks[name]) {
			update[as] = hooks[name]
		}
	}
	m.t.out[alias].(object)["UpdatePolicy"] = object{"CodeDeployLambdaAliasUpdate": update}
}

// passthrough is the function's condition, if PassthroughCondition asks that what the
// deployment needs is there under it alone.
func (m *macro) passthrough(p object) string {
	v, has := p["PassthroughCondition"]
	if !has {
		return ""
	}
	switch on := m.t.mapped(v); {
	case on == true || on == "true" || on == "True" || on == int64(1):
		return m.condition()
	case on == false || on == "false" || on == "False" || on == int64(0):
		return ""
	case intrinsic(on):
		refuseProperty(m.id, "DeploymentPreference", "Unsupported intrinsic: the only intrinsic functions supported for property PassthroughCondition are FindInMap and parameter Refs.")
	}
	refuseProperty(m.id, "DeploymentPreference", "Invalid value for property PassthroughCondition.")
	return ""
}

// shifting names a deployment configuration: one of CodeDeploy's own in full, any
// other as it is, within functions too, of which in is the innermost.
func shifting(v any, in string) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = shifting(x, "")
		}
		return out
	case object:
		if !intrinsic(v) {
			return v
		}
		name := keys(v)[0]
		return object{name: shifting(v[name], name)}
	case string:
		if !strings.Contains(shiftings, " "+v+" ") {
			return v
		}
		full := sub("CodeDeployDefault.Lambda${ConfigName}", object{"ConfigName": v})
		if in == "Fn::Sub" {
			return full[in]
		}
		return full
	}
	return v
}

// alarms are those that stop a deployment.
func (m *macro) alarms(v any) any {
	if !truthy(v) || isNoValue(v) {
		return nil
	}
	one := func(v any) any {
		list, ok := v.([]any)
		if !ok {
			refuseProperty(m.id, "DeploymentPreference", "Alarms must be a list")
		}
		if len(list) == 0 || isNoValue(list[0]) {
			return object{}
		}
		out := []any{}
		for _, a := range list {
			out = append(out, object{"Name": a})
		}
		return object{"Enabled": true, "Alarms": out}
	}
	if f, ok := v.(object); ok && len(f) == 1 && f["Fn::If"] != nil {
		list, ok := branches(v)
		if !ok {
			refuseProperty(m.id, "DeploymentPreference", "Fn::If requires 3 arguments")
		}
		return object{"Fn::If": []any{list[0], one(list[1]), one(list[2])}}
	}
	return one(v)
}

// codeDeploy adds the groups of the functions that are deployed gradually, and the
// application and the role that they share.
func (t *transform) codeDeploy() {
	d := t.deploys
	if len(d.groups) == 0 {
		return
	}
	attributes := object{}
	if !d.conditions[""] {
		attributes["Condition"] = t.combined(d.conditions, codeDeployCondition)
	}
	var tags any
	if len(d.tags) > 0 {
		tags = tagList(d.tags)
	}
	m := &macro{t: t, made: map[string]string{}}
	m.add(codeDeployApp, "AWS::CodeDeploy::Application", attributes, object{"ComputePlatform": "Lambda", "Tags": tags})
	if d.role {
		m.add(codeDeployRole, "AWS::IAM::Role", attributes, object{
			"AssumeRolePolicyDocument": trust("codedeploy.amazonaws.com"), "ManagedPolicyArns": []any{m.arn("service-role/AWSCodeDeployRoleForLambda")}, "Tags": tags,
		})
	}
	for _, group := range d.groups {
		t.try(group)
	}
}
