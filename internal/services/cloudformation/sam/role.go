package sam

import (
	"reflect"
	"strconv"
)

// role is the execution role that a function gets if it names none.
type role struct {
	id      string
	props   object
	arns    []any
	inline  []any
	managed map[string]string
}

func trust(service string) object {
	return object{"Version": "2012-10-17", "Statement": []any{object{
		"Action": []any{"sts:AssumeRole"}, "Effect": "Allow", "Principal": object{"Service": []any{service}},
	}}}
}

func (m *macro) arn(policy string) string {
	return "arn:" + m.t.in.Partition + ":iam::aws:policy/" + policy
}

func (m *macro) role() *role {
	p := m.props
	r := &role{id: m.id + "Role", managed: m.t.managed, props: object{
		"AssumeRolePolicyDocument": p["AssumeRolePolicyDocument"], "Path": p["RolePath"], "PermissionsBoundary": p["PermissionsBoundary"],
		"Tags": m.functionTags(),
	}}
	if r.props["AssumeRolePolicyDocument"] == nil {
		r.props["AssumeRolePolicyDocument"] = trust("lambda.amazonaws.com")
	}
	basic := "service-role/AWSLambdaBasicExecutionRole"
	if truthy(p["DurableConfig"]) {
		basic = "service-role/AWSLambdaBasicDurableExecutionRolePolicy"
	}
	r.arns = []any{m.arn(basic)}
	if m.traced() {
		xray := "AWSXRayDaemonWriteAccess"
		if m.t.in.Partition == "aws" {
			xray = "AWSXrayWriteOnlyAccess"
		}
		r.arns = append(r.arns, m.arn(xray))
	}
	if truthy(p["VpcConfig"]) {
		r.arns = append(r.arns, m.arn("service-role/AWSLambdaVPCAccessExecutionRole"))
	}
	if dlq, ok := p["DeadLetterQueue"].(object); ok {
		action := map[any]string{"SQS": "sqs:SendMessage", "SNS": "sns:Publish"}[scalar(dlq["Type"])]
		r.inline = append(r.inline, object{"PolicyName": "DeadLetterQueuePolicy", "PolicyDocument": object{
			"Version": "2012-10-17", "Statement": []any{object{"Action": action, "Resource": dlq["TargetArn"], "Effect": "Allow"}},
		}})
	}
	policies, ok := p["Policies"].([]any)
	if !ok && truthy(p["Policies"]) {
		policies = []any{p["Policies"]}
	}
	for i, entry := range policies {
		m.policy(r, i, entry)
	}
	return r
}

// policy adds entry number i of Policies.
func (m *macro) policy(r *role, i int, entry any) {
	kind := m.policyKind(entry)
	if kind == templatedPolicy {
		entry = eachBranch(entry, func(v any) any {
			one := v.(object)
			name := keys(one)[0]
			return m.policyTemplate(name, one[name])
		})
		kind = policyDocument
	}
	switch kind {
	case policyDocument:
		name := r.id + "Policy" + strconv.Itoa(i)
		r.inline = append(r.inline, eachBranch(entry, func(v any) any { return object{"PolicyName": name, "PolicyDocument": v} }))
	case managedPolicy:
		r.attach(eachBranch(entry, func(v any) any {
			if s, ok := v.(string); ok && r.managed[s] != "" {
				return r.managed[s]
			}
			return v
		}))
	default:
		refuseProperty(m.id, "Policies", "Policy at index %d in the 'Policies' property is not valid", i)
	}
}

// attach adds a managed policy once.
func (r *role) attach(arn any) {
	for _, a := range r.arns {
		if reflect.DeepEqual(a, arn) {
			return
		}
	}
	r.arns = append(r.arns, arn)
}

// grant adds an inline policy that an event source takes, once.
func (r *role) grant(name string, document object) {
	for _, p := range r.inline {
		if m, ok := p.(object); ok && reflect.DeepEqual(m["PolicyDocument"], any(document)) {
			return
		}
	}
	r.inline = append(r.inline, object{"PolicyName": name, "PolicyDocument": document})
}

// write puts the role into the result.
func (m *macro) writeRole(r *role) {
	r.props["ManagedPolicyArns"] = r.arns
	if len(r.inline) > 0 {
		r.props["Policies"] = r.inline
	}
	m.add(r.id, "AWS::IAM::Role", m.passed(), r.props)
}
