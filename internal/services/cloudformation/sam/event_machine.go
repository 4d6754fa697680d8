package sam

import "strings"

// startExecution is an event of a state machine: something that starts it, with
// a role that may.
func (e *event) startExecution() {
	switch e.kind {
	case "Schedule":
		e.startByRule(object{"ScheduleExpression": e.props["Schedule"], "Name": e.props["Name"], "Description": e.props["Description"]})
	case "CloudWatchEvent", "EventBridgeRule":
		e.startByRule(object{"EventBusName": e.props["EventBusName"], "EventPattern": e.props["Pattern"], "Name": e.props["RuleName"]})
	case "ScheduleV2":
		e.schedule("scheduler.amazonaws.com", "StartExecutionPolicy", "states:StartExecution")
	case "Api":
		e.startByAPI()
	}
}

// starter makes the role with which a service starts the state machine.
func (e *event) starter(service string) any {
	id := e.id + "Role"
	e.add(id, "AWS::IAM::Role", e.passed(), object{
		"AssumeRolePolicyDocument": trust(service), "PermissionsBoundary": e.macro.props["PermissionsBoundary"],
		"Policies": []any{object{"PolicyName": id + "StartExecutionPolicy", "PolicyDocument": allow("states:StartExecution", e.to.arn)}},
	})
	return getAtt(id, "Arn")
}

func (e *event) startByRule(props object) {
	props["State"] = e.state()
	target := pick(e.props, "Input", "InputPath", "RetryPolicy", "InputTransformer")
	target["Arn"], target["Id"] = e.to.arn, targetID(e.id, "StepFunctionsTarget")
	if t, ok := e.props["Target"].(object); ok && t["Id"] != nil {
		target["Id"] = t["Id"]
	}
	if v := e.props["DeadLetterConfig"]; truthy(v) {
		target["DeadLetterConfig"] = e.deadLetters(v)
	}
	if target["RoleArn"] = e.props["RoleArn"]; target["RoleArn"] == nil {
		target["RoleArn"] = e.starter("events.amazonaws.com")
	}
	props["Targets"] = []any{target}
	e.add(e.id, "AWS::Events::Rule", e.passed(), props)
}

// deadLetters is where a rule's events go that could not be delivered. A queue that
// is made for them takes them from the rule.
func (e *event) deadLetters(v any) object {
	arn, queue := e.deadLetterQueue(v)
	if queue != "" {
		e.add(e.id+"QueuePolicy", "AWS::SQS::QueuePolicy", e.passed(), object{"Queues": []any{ref(queue)}, "PolicyDocument": object{
			"Version": "2012-10-17", "Statement": []any{object{
				"Effect": "Allow", "Principal": object{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
				"Condition": object{"ArnEquals": object{"aws:SourceArn": getAtt(e.id, "Arn")}},
			}},
		}})
	}
	return object{"Arn": arn}
}

// deadLetterQueue returns the ARN of the queue that a DeadLetterConfig names, or of
// one that is made (Type: SQS), whose logical id it returns too.
func (e *event) deadLetterQueue(v any) (arn any, made string) {
	config, _ := v.(object)
	arn, kind := config["Arn"], config["Type"]
	switch {
	case arn != nil && kind != nil:
		e.failAs("You can either define 'Arn' or 'Type' property of DeadLetterConfig.")
	case arn != nil:
		return arn, ""
	case kind == nil:
		e.failAs("No 'Arn' or 'Type' property provided for DeadLetterConfig.")
	case kind != "SQS":
		e.failAs("The only valid value for 'Type' property of DeadLetterConfig is 'SQS'.")
	}
	made = e.id + "Queue"
	if v := config["QueueLogicalId"]; truthy(v) {
		var ok bool
		if made, ok = v.(string); !ok {
			e.failAs("QueueLogicalId must be a string")
		}
	}
	e.add(made, "AWS::SQS::Queue", e.passed(), object{})
	return getAtt(made, "Arn"), made
}

// schedule is a schedule of EventBridge Scheduler (ScheduleV2).
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-statemachine-statemachineschedulev2.html
func (e *event) schedule(service, policy, action string) {
	props := pick(e.props, "ScheduleExpression", "FlexibleTimeWindow", "State", "Name", "Description", "StartDate", "EndDate", "ScheduleExpressionTimezone", "GroupName", "KmsKeyArn")
	if props["FlexibleTimeWindow"] == nil {
		props["FlexibleTimeWindow"] = object{"Mode": "OFF"}
	}
	if props["Name"] == nil && e.props["OmitName"] != true {
		props["Name"] = e.id
	}
	target := pick(e.props, "Input", "RetryPolicy")
	target["Arn"] = e.to.arn
	policies := []any{object{"PolicyName": e.id + policy, "PolicyDocument": allow(action, e.to.arn)}}
	if v := e.props["DeadLetterConfig"]; truthy(v) {
		arn, _ := e.deadLetterQueue(v)
		target["DeadLetterConfig"] = object{"Arn": arn}
		policies = append(policies, object{"PolicyName": e.id + "SQSPolicy", "PolicyDocument": allow("sqs:SendMessage", arn)})
	}
	if target["RoleArn"] = e.props["RoleArn"]; target["RoleArn"] == nil {
		e.add(e.id+"Role", "AWS::IAM::Role", e.passed(), object{
			"AssumeRolePolicyDocument": trust(service), "Policies": policies, "PermissionsBoundary": e.props["PermissionsBoundary"],
		})
		target["RoleArn"] = getAtt(e.id+"Role", "Arn")
	}
	props["Target"] = target
	e.add(e.id, "AWS::Scheduler::Schedule", e.passed(), props)
}

// startByAPI lets a method of a REST API start the state machine.
func (e *event) startByAPI() {
	path, name := e.props["Path"].(string), strings.ToLower(e.props["Method"].(string))
	id, _ := apiOf(e.props["RestApiId"]).(string)
	resource, _ := e.t.src[id].(object)
	api := properties(resource)
	role := e.starter("apigateway.amazonaws.com")
	body, ok := api["DefinitionBody"].(object)
	if !ok || api[managed] != true {
		return
	}
	if !validDefinition(body) {
		panic(Problem{Text: "Structure of the SAM template is invalid. Invalid Swagger document or the Swagger document is not explicitly defined in 'DefinitionBody'."})
	}
	ed := newEditor(body)
	if ed.has(path, name) {
		e.fail("API method \"%s\" defined multiple times for path \"%s\".", name, path)
	}
	auth, ok := e.props["Auth"].(object)
	if !ok && truthy(e.props["Auth"]) {
		e.fail("Property 'Auth' should be a map.")
	}
	machine := "${" + e.to.id + "}"
	if e.to.alias != "" {
		machine = "${" + e.to.alias + "}"
	}
	input := `$util.escapeJavaScript($input.json('$'))`
	if truthy(e.props["UnescapeMappingTemplate"]) {
		input += `.replaceAll("\\'","'")`
	}
	ed.addPath(path, name)
	condition := e.condition()
	for _, item := range ed.items(path) {
		def, ok := item[method(name)].(object)
		if !ok {
			continue
		}
		def[integration] = object{
			"type": "aws", "httpMethod": "POST", "credentials": role,
			"uri":              when(condition, sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:states:action/StartExecution", nil)),
			"requestTemplates": object{"application/json": sub(`{"input": "`+input+`", "stateMachineArn": "`+machine+`"}`, nil)},
			"responses":        object{"200": object{"statusCode": "200"}, "400": object{"statusCode": "400"}},
		}
		def["responses"] = object{"200": object{"description": "OK"}, "400": object{"description": "Bad Request"}}
		if condition != "" {
			item[method(name)] = when(condition, def)
		}
	}
	if len(auth) > 0 {
		e.auth(ed, api, auth, path, name, e.props["Stage"]) // null without one, as with AWS
	}
}
