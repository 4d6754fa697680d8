package sam

import "strings"

const capacityProperties propertyKinds = "CapacityProviderName=str|map *VpcConfig=map OperatorRole=str|map Tags=map PropagateTags=!bool InstanceRequirements=map ScalingConfig=map " +
	"KmsKeyArn=str|map"

// capacityProvider is AWS::Serverless::CapacityProvider.
func (m *macro) capacityProvider() {
	p := m.props
	given, _ := p["Tags"].(object)
	created := []any{object{"Key": "lambda:createdBy", "Value": "SAM"}}
	tags := append(tagList(given), created...)
	props := pick(p, "CapacityProviderName", "VpcConfig", "KmsKeyArn")
	props["Tags"] = tags
	role := p["OperatorRole"]
	if role == nil {
		roleTags := created
		if p["PropagateTags"] == true {
			roleTags = tags
		}
		id := m.id + "OperatorRole"
		m.add(id, "AWS::IAM::Role", m.passed(), object{
			"AssumeRolePolicyDocument": trust("lambda.amazonaws.com"), "ManagedPolicyArns": []any{m.arn("AWSLambdaManagedEC2ResourceOperator")}, "Tags": roleTags,
		})
		role = getAtt(id, "Arn")
	}
	props["PermissionsConfig"] = object{"CapacityProviderOperatorRoleArn": role}
	if v, ok := p["InstanceRequirements"].(object); ok {
		props["InstanceRequirements"] = m.renamed("InstanceRequirements", v, map[string]string{
			"Architectures": "Architectures", "AllowedTypes": "AllowedInstanceTypes", "ExcludedTypes": "ExcludedInstanceTypes",
		})
	}
	if v, ok := p["ScalingConfig"].(object); ok {
		config := m.renamed("ScalingConfig", v, map[string]string{"MaxVCpuCount": "MaxVCpuCount", "AverageCPUUtilization": "AverageCPUUtilization"})
		config["ScalingMode"] = "Auto"
		if usage := config["AverageCPUUtilization"]; usage != nil {
			config["ScalingMode"] = "Manual"
			config["ScalingPolicies"] = []any{object{"PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": usage}}
		}
		delete(config, "AverageCPUUtilization")
		props["CapacityProviderScalingConfig"] = config
	}
	m.add(m.id, "AWS::Lambda::CapacityProvider", m.own(), props)
}

// renamed gives the members of a property their names in CloudFormation, and
// refuses those that have none.
func (m *macro) renamed(property string, v object, names map[string]string) object {
	out := object{}
	for _, k := range keys(v) {
		if names[k] == "" {
			refuseProperty(m.id, property, "Property '%s.%s' is an invalid property.", property, k)
		}
		out[names[k]] = v[k]
	}
	return out
}

// capacity is a function's CapacityProviderConfig.
func (m *macro) capacity() any {
	v, _ := m.props["CapacityProviderConfig"].(object)
	if len(v) == 0 {
		return nil
	}
	return object{"LambdaManagedInstancesCapacityProviderConfig": m.renamed("CapacityProviderConfig", v, map[string]string{
		"Arn": "CapacityProviderArn", "PerExecutionEnvironmentMaxConcurrency": "PerExecutionEnvironmentMaxConcurrency",
		"ExecutionEnvironmentMemoryGiBPerVCpu": "ExecutionEnvironmentMemoryGiBPerVCpu",
	})}
}

const applicationProperties propertyKinds = "*Location=str|map Parameters=map NotificationARNs=items Tags=map TimeoutInMinutes=int"

// application is AWS::Serverless::Application: a nested stack. One of the
// Serverless Application Repository is refused: this platform has none.
func (m *macro) application() {
	p := m.props
	url, ok := p["Location"].(string)
	if !ok && !intrinsic(p["Location"]) {
		refuseProperty(m.id, "Location", "applications of the Serverless Application Repository are not supported yet; give the URL of a template.")
	}
	location := p["Location"]
	if ok && !strings.Contains(url, "://") && !m.t.in.Local {
		refuseProperty(m.id, "Location", "'Location' is not a valid URL of a template; package the application first.")
	}
	given, _ := p["Tags"].(object)
	props := pick(p, "Parameters", "NotificationARNs", "TimeoutInMinutes")
	props["TemplateURL"] = location
	props["Tags"] = append([]any{object{"Key": "lambda:createdBy", "Value": "SAM"}}, tagList(given)...)
	m.add(m.id, "AWS::CloudFormation::Stack", m.own(), props)
}
