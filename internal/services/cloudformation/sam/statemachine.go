package sam

import (
	"fmt"
	"strings"
)

const stateMachineProperties propertyKinds = "Definition=map DefinitionUri=str|map Logging=map Role=str RolePath=any DefinitionSubstitutions=map Events=records Name=str Type=str Tags=map " +
	"PropagateTags=bool Policies=str|items Tracing=map PermissionsBoundary=str AutoPublishAlias=any DeploymentPreference=any " +
	"UseAliasAsEventTarget=!bool"

// stateMachine is AWS::Serverless::StateMachine.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-statemachine.html
func (m *macro) stateMachine() {
	p := m.props
	props := object{
		"StateMachineName": p["Name"], "StateMachineType": p["Type"], "LoggingConfiguration": p["Logging"], "TracingConfiguration": p["Tracing"],
		"Tags": m.machineTags(),
	}
	substitutions, _ := clone(p["DefinitionSubstitutions"]).(object)
	switch {
	case truthy(p["Definition"]) && truthy(p["DefinitionUri"]):
		refuse(m.id, "Specify either 'Definition' or 'DefinitionUri' property and not both.")
	case truthy(p["Definition"]):
		text, found := definitionText(p["Definition"])
		props["DefinitionString"] = text
		for k, v := range found {
			if substitutions == nil {
				substitutions = object{}
			}
			substitutions[k] = v
		}
	case truthy(p["DefinitionUri"]):
		if path, ok := m.t.localPath(p["DefinitionUri"]); ok {
			props["DefinitionS3Location"] = path
			break
		}
		bucket, key, version := m.t.s3Object(m.id, m.id, p["DefinitionUri"], "DefinitionUri")
		at := object{"Bucket": bucket, "Key": key}
		if version != nil {
			at["Version"] = version
		}
		props["DefinitionS3Location"] = at
	default:
		refuse(m.id, "Either 'Definition' or 'DefinitionUri' property must be specified.")
	}
	if len(substitutions) > 0 {
		props["DefinitionSubstitutions"] = substitutions
	}
	if truthy(p["Role"]) && truthy(p["Policies"]) {
		refuse(m.id, "Specify either 'Role' or 'Policies' (but not both at the same time) or neither of them")
	}
	if props["RoleArn"] = p["Role"]; !truthy(p["Role"]) {
		props["RoleArn"] = m.machineRole()
	}
	m.add(m.id, "AWS::StepFunctions::StateMachine", m.own(), props)
	to := target{id: m.id, name: ref(m.id), arn: ref(m.id)}
	if alias := m.machineAlias(); alias != "" && p["UseAliasAsEventTarget"] == true {
		to.alias, to.arn = alias, ref(alias)
	} else if p["UseAliasAsEventTarget"] == true {
		refuse(m.id, "'UseAliasAsEventTarget' requires 'AutoPublishAlias' property to be specified.")
	}
	m.eachEvent(func(name, kind string, props object) {
		e := &event{macro: m, name: name, id: m.id + name, kind: kind, props: props, to: to}
		e.startExecution()
	})
	m.propagate()
}

func (m *macro) machineTags() []any {
	tags, _ := m.props["Tags"].(object)
	return append([]any{object{"Key": "stateMachine:createdBy", "Value": "SAM"}}, tagList(tags)...)
}

// machineRole makes the role that the state machine gets if it names none.
func (m *macro) machineRole() any {
	r := &role{id: m.id + "Role", managed: m.t.managed, arns: []any{}, props: object{
		"AssumeRolePolicyDocument": trust("states.amazonaws.com"), "Path": m.props["RolePath"], "PermissionsBoundary": m.props["PermissionsBoundary"],
		"Tags": m.machineTags(),
	}}
	if tracing, ok := m.props["Tracing"].(object); ok && tracing["Enabled"] == true {
		xray := "AWSXRayDaemonWriteAccess"
		if m.t.in.Partition == "aws" {
			xray = "AWSXrayWriteOnlyAccess"
		}
		r.arns = append(r.arns, m.arn(xray))
	}
	policies, ok := m.props["Policies"].([]any)
	switch {
	case ok:
	case truthy(m.props["Policies"]):
		policies = []any{m.props["Policies"]}
	}
	for i, entry := range policies {
		m.policy(r, i, entry)
	}
	m.writeRole(r)
	return getAtt(r.id, "Arn")
}

// machineAlias publishes a version and points an alias to it.
func (m *macro) machineAlias() string {
	p := m.props
	if !truthy(p["AutoPublishAlias"]) {
		if truthy(p["DeploymentPreference"]) {
			refuse(m.id, "'DeploymentPreference' requires 'AutoPublishAlias' property to be specified.")
		}
		return ""
	}
	name, ok := m.t.resolve(p["AutoPublishAlias"]).(string)
	if !ok {
		refuse(m.id, "'AutoPublishAlias' must be a string or a Ref to a template parameter")
	}
	attributes := m.passed()
	for _, k := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
		if attributes[k] == nil {
			attributes[k] = "Retain"
		}
	}
	version := m.id + "Version"
	m.add(version, "AWS::StepFunctions::StateMachineVersion", attributes, object{
		"StateMachineArn": ref(m.id), "StateMachineRevisionId": getAtt(m.id, "StateMachineRevisionId"),
	})
	preference, _ := clone(p["DeploymentPreference"]).(object)
	if preference == nil {
		preference = object{"Type": "ALL_AT_ONCE"}
	}
	preference["StateMachineVersionArn"] = ref(version)
	alias := m.id + "Alias" + letters(name)
	m.add(alias, "AWS::StepFunctions::StateMachineAlias", m.passed(), object{"Name": name, "DeploymentPreference": preference})
	return alias
}

// definitionText writes a definition as text, line by line as AWS's transform
// does. Functions in it become substitutions, which are returned.
func definitionText(v any) (text, substitutions object) {
	found := object{}
	var take func(v any) any
	take = func(v any) any {
		if text, ok := v.(string); intrinsic(v) || ok && dynamic(text) {
			name := fmt.Sprintf("definition_substitution_%d", len(found)+1)
			found[name] = v
			return "${" + name + "}"
		}
		switch v := v.(type) {
		case object:
			out := object{}
			for _, k := range keys(v) {
				out[k] = take(v[k])
			}
			return out
		case []any:
			out := make([]any, len(v))
			for i, x := range v {
				out[i] = take(x)
			}
			return out
		}
		return v
	}
	var b strings.Builder
	root := object{} // a function in the place of the whole definition is taken for the definition
	if m, ok := v.(object); ok {
		for _, k := range keys(m) {
			root[k] = take(m[k])
		}
	}
	writeIndented(&b, root, "\n")
	lines := []any{}
	for _, l := range strings.Split(b.String(), "\n") {
		lines = append(lines, l)
	}
	return object{"Fn::Join": []any{"\n", lines}}, found
}

// dynamic reports a text that is a dynamic reference and nothing else.
func dynamic(text string) bool {
	inner, begins := strings.CutPrefix(text, "{{resolve:")
	inner, ends := strings.CutSuffix(inner, "}}")
	service, key, _ := strings.Cut(inner, ":")
	return begins && ends && strings.Trim(service, "abcdefghijklmnopqrstuvwxyz-") == "" && service != "" && key != ""
}

func writeIndented(b *strings.Builder, v any, newline string) {
	inner := newline + "    "
	switch v := v.(type) {
	case object:
		if len(v) == 0 {
			b.WriteString("{}")
			return
		}
		for i, k := range keys(v) {
			b.WriteString([]string{"{", ","}[min(i, 1)] + inner)
			writeString(b, k)
			b.WriteString(": ")
			writeIndented(b, v[k], inner)
		}
		b.WriteString(newline + "}")
	case []any:
		if len(v) == 0 {
			b.WriteString("[]")
			return
		}
		for i, x := range v {
			b.WriteString([]string{"[", ","}[min(i, 1)] + inner)
			writeIndented(b, x, inner)
		}
		b.WriteString(newline + "]")
	default:
		writeJSON(b, v)
	}
}
