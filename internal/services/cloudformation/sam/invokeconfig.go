package sam

import "strings"

// invokeConfig is a function's EventInvokeConfig: what becomes of asynchronous
// invocations. A destination without an ARN is made: a queue or a topic.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-eventinvokeconfiguration.html
func (m *macro) invokeConfig(to target, r *role) {
	v := m.props["EventInvokeConfig"]
	if !truthy(v) {
		return
	}
	config, ok := v.(object)
	if !ok {
		refuseProperty(m.id, "EventInvokeConfig", "'EventInvokeConfig' should be a map.")
	}
	for _, k := range keys(config) {
		if k != "MaximumEventAgeInSeconds" && k != "MaximumRetryAttempts" && k != "DestinationConfig" {
			refuseProperty(m.id, "EventInvokeConfig", "property EventInvokeConfig.%s not defined for resource of type %s", k, m.res["Type"])
		}
	}
	id := m.id + "EventInvokeConfig"
	qualifier := any("$LATEST")
	if to.alias != "" {
		qualifier = properties(m.t.out[to.alias].(object))["Name"]
	}
	props := pick(config, "MaximumEventAgeInSeconds", "MaximumRetryAttempts")
	props["FunctionName"], props["Qualifier"] = ref(m.id), qualifier
	if d := config["DestinationConfig"]; truthy(d) {
		given, ok := d.(object)
		if !ok {
			refuseProperty(m.id, "EventInvokeConfig", "Property 'EventInvokeConfig.DestinationConfig' should be a map.")
		}
		out := object{}
		for _, when := range keys(given) {
			if when != "OnSuccess" && when != "OnFailure" {
				refuseProperty(m.id, "EventInvokeConfig", "'DestinationConfig' requires one of OnSuccess, OnFailure.")
			}
			one, ok := given[when].(object)
			if !ok {
				refuseProperty(m.id, "EventInvokeConfig", "Property 'EventInvokeConfig.DestinationConfig.%s' should be a map.", when)
			}
			out[when] = object{"Destination": m.destination(id+when, one, r)}
		}
		props["DestinationConfig"] = out
	}
	m.add(id, "AWS::Lambda::EventInvokeConfig", m.passed(), props)
}

// destination returns the ARN of a destination and lets the role send to it.
func (m *macro) destination(id string, config object, r *role) any {
	kind, _ := config["Type"].(string)
	action := map[string]string{"SQS": "sqs:SendMessage", "SNS": "sns:publish", "Lambda": "lambda:InvokeFunction", "EventBridge": "events:PutEvents", "S3Bucket": "s3:PutObject"}[kind]
	if action == "" {
		refuseProperty(m.id, "EventInvokeConfig", "'Type: %s' must be one of ['SQS', 'SNS', 'EventBridge', 'Lambda', 'S3Bucket']", plain(config["Type"]))
	}
	arn := config["Destination"]
	list, ok := branches(arn)
	conditional := ok && isNoValue(list[1]) != isNoValue(list[2])
	if (arn == nil || conditional) && kind != "SQS" && kind != "SNS" {
		refuseProperty(m.id, "EventInvokeConfig", "Destination is required if Type is not ['SQS', 'SNS']")
	}
	switch {
	case conditional:
		condition, _ := list[0].(string)
		given := list[1]
		if isNoValue(given) {
			given = list[2]
		} else { // what is made is there in the other case
			name := hashed("NOT"+condition, m.id+"EventInvokeConfig")
			m.t.conditions()[name] = object{"Fn::Not": []any{object{"Condition": condition}}}
			condition = name
		}
		arn = object{"Fn::If": []any{condition, m.madeDestination(id, kind, condition), given}}
	case arn == nil:
		arn = m.madeDestination(id, kind, "")
	}
	resource := arn
	if kind == "S3Bucket" {
		resource = sub("${Bucket}/*", object{"Bucket": arn})
	}
	r.grant(id+strings.TrimSuffix(kind, "Bucket")+"Policy", allow(action, resource))
	return arn
}

// madeDestination makes a destination, under a condition if there is one, and
// returns its ARN.
func (m *macro) madeDestination(id, kind, condition string) any {
	attributes := m.passed()
	if own := m.condition(); condition != "" {
		if own != "" {
			both := hashed(own+"AND"+condition, m.id)
			m.t.conditions()[both] = object{"Fn::And": []any{object{"Condition": own}, object{"Condition": condition}}}
			condition = both
		}
		attributes["Condition"] = condition
	}
	if kind == "SQS" {
		m.add(id+"Queue", "AWS::SQS::Queue", attributes, object{})
		return getAtt(id+"Queue", "Arn")
	}
	m.add(id+"Topic", "AWS::SNS::Topic", attributes, object{})
	return ref(id + "Topic")
}
