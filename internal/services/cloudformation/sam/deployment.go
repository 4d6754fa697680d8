package sam

import "strings"

// What functions that are deployed gradually share.
const (
	codeDeployApp       = "ServerlessDeploymentApplication"
	codeDeployRole      = "CodeDeployServiceRole"
	codeDeployCondition = "ServerlessCodeDeployCondition"
)

// codeDeploy collects the functions that are deployed gradually: under which
// conditions the application and the role that they share have to be there.
type codeDeploy struct {
	application, role map[string]bool // conditions; "" stands for none
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
	if on := m.t.resolve(p["Enabled"]); on == false || on == "false" || on == "False" {
		return
	}
	if p["Type"] == nil {
		refuseProperty(m.id, "DeploymentPreference", "'DeploymentPreference' is missing required Property 'Type'")
	}
	if alias == "" {
		refuseProperty(m.id, "DeploymentPreference", "'DeploymentPreference' requires AutoPublishAlias property to be specified.")
	}
	condition := ""
	if through := m.t.resolve(p["PassthroughCondition"]); through == true || through == "true" || through == "True" {
		condition = m.condition()
	}
	d := &m.t.deploys
	if d.application == nil {
		d.application, d.role = map[string]bool{}, map[string]bool{}
	}
	d.application[condition] = true
	role := p["Role"]
	if role == nil {
		d.role[condition] = true
		role = getAtt(codeDeployRole, "Arn")
	}
	attributes := object{}
	if condition != "" {
		attributes["Condition"] = condition
	}
	group := m.id + "DeploymentGroup"
	m.add(group, "AWS::CodeDeploy::DeploymentGroup", attributes, object{
		"ApplicationName": ref(codeDeployApp), "ServiceRoleArn": role, "AlarmConfiguration": m.alarms(p["Alarms"]),
		"AutoRollbackConfiguration": object{"Enabled": true, "Events": []any{"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"}},
		"DeploymentConfigName":      shifting(m.t.resolve(p["Type"])), "DeploymentStyle": object{"DeploymentType": "BLUE_GREEN", "DeploymentOption": "WITH_TRAFFIC_CONTROL"},
		"TriggerConfigurations": or(p["TriggerConfigurations"]),
	})
	update := object{"ApplicationName": ref(codeDeployApp), "DeploymentGroupName": ref(group)}
	if h := p["Hooks"]; truthy(h) {
		hooks, ok := h.(object)
		if !ok {
			refuseProperty(m.id, "DeploymentPreference", "'Hooks' property of 'DeploymentPreference' must be a dictionary")
		}
		for name, as := range map[string]string{"PreTraffic": "BeforeAllowTrafficHook", "PostTraffic": "AfterAllowTrafficHook"} {
			if truthy(hooks[name]) {
				update[as] = hooks[name]
			}
		}
	}
	m.t.out[alias].(object)["UpdatePolicy"] = object{"CodeDeployLambdaAliasUpdate": update}
}

// shifting names a deployment configuration: one of CodeDeploy's own in full, any
// other as it is, in each branch of a Fn::If.
func shifting(v any) any {
	return eachBranch(v, func(v any) any {
		if _, ok := branches(v); ok {
			return shifting(v)
		}
		if s, ok := v.(string); !ok || !strings.Contains(shiftings, " "+s+" ") {
			return v
		}
		return sub("CodeDeployDefault.Lambda${ConfigName}", object{"ConfigName": v})
	})
}

func (m *macro) alarms(v any) any {
	if !truthy(v) {
		return nil
	}
	bad := func() {
		refuseProperty(m.id, "DeploymentPreference", "Alarms must be a list")
	}
	_, conditional := branches(v)
	return eachBranch(v, func(v any) any {
		list, ok := v.([]any)
		if !ok {
			bad()
		}
		out := []any{}
		for _, a := range list {
			if conditional || !isNoValue(a) {
				out = append(out, object{"Name": a})
			}
		}
		return object{"Enabled": true, "Alarms": out}
	})
}

// codeDeploy adds the application and the role that gradual deployments share.
func (t *transform) codeDeploy() {
	d := t.deploys
	attributes := func(all map[string]bool) object {
		if all[""] {
			return nil
		}
		return object{"Condition": t.combined(all, codeDeployCondition)}
	}
	m := &macro{t: t, made: map[string]string{}}
	if len(d.application) > 0 {
		m.add(codeDeployApp, "AWS::CodeDeploy::Application", attributes(d.application), object{"ComputePlatform": "Lambda"})
	}
	if len(d.role) > 0 {
		m.add(codeDeployRole, "AWS::IAM::Role", attributes(d.role), object{
			"AssumeRolePolicyDocument": trust("codedeploy.amazonaws.com"), "ManagedPolicyArns": []any{m.arn("service-role/AWSCodeDeployRoleForLambda")},
		})
	}
}
