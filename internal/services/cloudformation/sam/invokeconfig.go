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
	id := m.id + "EventInvokeConfig"
	qualifier := any("$LATEST")
	if to.alias != "" {
		qualifier = properties(m.t.out[to.alias].(object))["Name"]
	}
	config, _ = m.t.resolve(config).(object)
	props := pick(config, "MaximumEventAgeInSeconds", "MaximumRetryAttempts")
	out := object{}
	props["FunctionName"], props["Qualifier"], props["DestinationConfig"] = ref(m.id), qualifier, out
	if d := config["DestinationConfig"]; truthy(d) {
		given, ok := d.(object)
		if !ok {
			refuseProperty(m.id, "EventInvokeConfig", "Property 'EventInvokeConfig.DestinationConfig' should be a map.")
		}
		for _, when := range []string{"OnSuccess", "OnFailure"} {
			if given[when] == nil {
				continue
			}
			one, ok := given[when].(object)
			if !ok {
				refuseProperty(m.id, "EventInvokeConfig", "Property 'EventInvokeConfig.DestinationConfig.%s' should be a map.", when)
			}
			out[when] = object{"Destination": m.destination(id, when, one, r)}
		}
	}
	attributes := m.own()
	delete(attributes, "DependsOn")
	if to.alias != "" {
		attributes["DependsOn"] = []any{to.alias}
	}
	m.add(id, "AWS::Lambda::EventInvokeConfig", attributes, props)
}

// destination returns the ARN of a destination and lets the role send to it.
func (m *macro) destination(id, when string, config object, r *role) any {
	kind, _ := config["Type"].(string)
	action := map[string]string{"SQS": "sqs:SendMessage", "SNS": "sns:publish", "Lambda": "lambda:InvokeFunction", "EventBridge": "events:PutEvents", "S3Bucket": "s3:PutObject"}[kind]
	if action == "" {
		refuseProperty(m.id, "EventInvokeConfig", "'Type: %s' must be one of ['SQS', 'SNS', 'EventBridge', 'Lambda', 'S3Bucket']", plain(config["Type"]))
	}
	arn := config["Destination"]
	if f, isMap := arn.(object); isMap && len(f) == 1 && f["Fn::If"] != nil {
		if _, ok := branches(arn); !ok {
			panic(Problem{ID: m.id, Shown: id, Text: "Malformed 'Destination' property: Fn::If requires 3 arguments.", Path: []string{"Properties", "EventInvokeConfig"}})
		}
	}
	id += when
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
			name := hashed("NOT"+condition, id[:len(id)-len(when)])
			m.t.conditions()[name] = object{"Fn::Not": []any{object{"Condition": condition}}}
			condition = name
		}
		arn = object{"Fn::If": []any{condition, m.madeDestination(id, kind, condition), given}}
	case arn == nil:
		arn = m.madeDestination(id, kind, "")
	}
	document := allow(action, arn)
	if kind == "S3Bucket" {
		document = object{"Statement": []any{
			object{"Effect": "Allow", "Action": action, "Resource": object{"Fn::Join": []any{"/", []any{arn, "*"}}}},
			object{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn},
		}}
	}
	r.inline = append(r.inline, object{"PolicyName": id + strings.TrimSuffix(kind, "Bucket") + "Policy", "PolicyDocument": document})
	return arn
}

// madeDestination makes a destination, under a condition if there is one, and
// returns its ARN.
func (m *macro) madeDestination(id, kind, condition string) any {
	attributes := m.passed()
	if own := m.condition(); condition != "" {
		if own != "" {
			both := hashed(own+"AND"+condition, m.id)
			m.t.conditions()[both] = object{"Fn::And": []any{named(own), named(condition)}}
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

// named refers to a condition by its name, in the spelling that AWS's transform has
// for those of destinations.
func named(condition string) object { return object{"Condition": object{"Condition": condition}} }
