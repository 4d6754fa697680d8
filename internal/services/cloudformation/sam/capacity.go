package sam

import (
	"fmt"
	"strings"
)

const capacityProperties propertyKinds = "CapacityProviderName=str|map *VpcConfig=map OperatorRole=str|map Tags=map PropagateTags=!bool InstanceRequirements=map ScalingConfig=map " +
	"KmsKeyArn=str|map"

// capacityProvider is AWS::Serverless::CapacityProvider.
func (m *macro) capacityProvider() {
	p := m.props
	m.capacityShape()
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
	if v, ok := p["InstanceRequirements"].(object); ok && len(v) > 0 {
		props["InstanceRequirements"] = m.renamed("InstanceRequirements", v, map[string]string{
			"Architectures": "Architectures", "AllowedTypes": "AllowedInstanceTypes", "ExcludedTypes": "ExcludedInstanceTypes",
		})
	}
	if v, ok := p["ScalingConfig"].(object); ok && len(v) > 0 {
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

// capacityShape refuses what is missing or unknown in the properties, all of it at once.
func (m *macro) capacityShape() {
	of := shape{kind: record, members: []member{
		{"VpcConfig", false, recordOf("*SubnetIds", "SecurityGroupIds")},
		{"InstanceRequirements", false, recordOf("Architectures", "AllowedTypes", "ExcludedTypes")},
		{"ScalingConfig", false, recordOf("MaxVCpuCount", "AverageCPUUtilization")},
	}}
	var texts []string
	for _, f := range of.flaws("", pick(m.props, "VpcConfig", "InstanceRequirements", "ScalingConfig")) {
		switch f.kind {
		case missing:
			texts = append(texts, "Property '"+f.path+"' is required.")
		case unknownMember:
			texts = append(texts, "Property '"+f.path+"' is an invalid property.")
		}
	}
	if len(texts) > 0 {
		refuse(m.id, "%s", strings.Join(texts, " "))
	}
	if r, _ := m.props["InstanceRequirements"].(object); r["AllowedTypes"] != nil && r["ExcludedTypes"] != nil {
		refuse(m.id, "Cannot specify 'InstanceRequirements.AllowedTypes' and 'InstanceRequirements.ExcludedTypes' together.")
	}
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
	known := recordOf("*Arn", "PerExecutionEnvironmentMaxConcurrency", "ExecutionEnvironmentMemoryGiBPerVCpu")
	if flaws := known.flaws("", v); len(flaws) > 0 {
		text := fmt.Sprintf("Invalid CapacityProviderConfig: %d validation errors for CapacityProviderConfig", len(flaws))
		if len(flaws) == 1 {
			text = strings.Replace(text, "errors", "error", 1)
		}
		for _, f := range flaws {
			why := "extra fields not permitted (type=value_error.extra)"
			if f.kind == missing {
				why = "field required (type=value_error.missing)"
			}
			text += "\n" + f.path + "\n  " + why
		}
		refuseProperty(m.id, "CapacityProviderConfig", "%s", text)
	}
	return object{"LambdaManagedInstancesCapacityProviderConfig": m.renamed("CapacityProviderConfig", v, map[string]string{
		"Arn": "CapacityProviderArn", "PerExecutionEnvironmentMaxConcurrency": "PerExecutionEnvironmentMaxConcurrency",
		"ExecutionEnvironmentMemoryGiBPerVCpu": "ExecutionEnvironmentMemoryGiBPerVCpu",
	})}
}

const applicationProperties propertyKinds = "Location=str|map Parameters=map NotificationARNs=items Tags=map TimeoutInMinutes=int"

// application is AWS::Serverless::Application: a nested stack. One of the
// Serverless Application Repository is refused: this platform has none.
func (m *macro) application() {
	p := m.props
	if p["Location"] == nil {
		refuse(m.id, "Resource is missing the required [Location] property.")
	}
	url, ok := p["Location"].(string)
	at, isMap := p["Location"].(object)
	for _, k := range []string{"ApplicationId", "SemanticVersion"} {
		if at[k] == nil && isMap {
			refuseProperty(m.id, "Location", "Resource is missing the required [%s] property.", k)
		}
	}
	if !ok {
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
	attributes := m.passed()
	if v, ok := m.res["DependsOn"]; ok {
		attributes["DependsOn"] = v
	}
	m.add(m.id, "AWS::CloudFormation::Stack", attributes, props)
}
