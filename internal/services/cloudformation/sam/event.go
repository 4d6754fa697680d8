package sam

import (
	"fmt"
	"reflect"
)

// event is the work on one event of a function.
type event struct {
	*macro
	name, id, kind string
	props          object
	to             target
	role           *role
}

func (e *event) fail(format string, args ...any) { refuseEvent(e.macro.id, e.name, format, args...) }

// failAs is fail with the event's logical id instead of its name: some of AWS's
// messages have it so.
func (e *event) failAs(format string, args ...any) {
	panic(Problem{ID: e.macro.id, Event: e.id, Text: fmt.Sprintf(format, args...), Path: []string{"Properties", "Events", e.name}})
}

// check refuses properties that are unknown, missing or of the wrong kind. AWS
// names the event as a resource then.
func (e *event) check(kinds propertyKinds) {
	kinds.check(e.props, e.t.keys(e.props, "Resources", e.macro.id, "Properties", "Events", e.name, "Properties"), e.kind, func(name, text string) {
		panic(Problem{ID: e.macro.id, Shown: e.id, Text: text, Path: []string{"Properties", "Events", e.name, "Properties", name}})
	})
}

func (e *event) transform() {
	switch e.kind {
	case "Api":
		e.api()
	case "HttpApi":
		e.httpAPI()
	case "S3":
		e.bucket()
	case "SNS":
		e.topic()
	case "Schedule":
		e.rule(object{"ScheduleExpression": e.props["Schedule"], "Name": e.props["Name"], "Description": e.props["Description"]})
	case "CloudWatchEvent", "EventBridgeRule":
		e.rule(object{"EventBusName": e.props["EventBusName"], "EventPattern": e.props["Pattern"], "Name": e.props["RuleName"]})
	case "Cognito":
		e.userPool()
	case "AlexaSkill":
		e.permission("alexa-appkit.amazon.com", object{"EventSourceToken": e.props["SkillId"]})
	case "CloudWatchLogs":
		p := e.permission("logs.amazonaws.com", object{"SourceArn": sub(
			"arn:"+e.t.in.Partition+":logs:${AWS::Region}:${AWS::AccountId}:log-group:${__LogGroupName__}:*", object{"__LogGroupName__": e.props["LogGroupName"]})})
		attributes := e.passed()
		attributes["DependsOn"] = []any{p}
		e.add(e.id, "AWS::Logs::SubscriptionFilter", attributes, object{
			"LogGroupName": e.props["LogGroupName"], "FilterPattern": e.props["FilterPattern"], "DestinationArn": e.to.arn,
		})
	case "ScheduleV2":
		e.schedule("scheduler.amazonaws.com", "LambdaPolicy", "lambda:InvokeFunction")
	case "MSK", "SelfManagedKafka", "MQ", "DocumentDB":
		e.broker()
	case "IoTRule":
		e.iot()
	case "SQS", "Kinesis", "DynamoDB":
		e.mapping()
	}
}

// permission lets a service invoke the function; it returns its logical id.
func (e *event) permission(service string, props object) string {
	return e.permissionAs(e.id+"Permission", service, props)
}

func (e *event) permissionAs(id, service string, props object) string {
	p := object{"Action": "lambda:InvokeFunction", "FunctionName": e.to.name, "Principal": service}
	for k, v := range props {
		p[k] = v
	}
	e.add(id, "AWS::Lambda::Permission", e.passed(), p)
	return id
}

// rule is a rule of EventBridge with the function as its target.
func (e *event) rule(props object) {
	props["State"] = e.state()
	target := pick(e.props, "Input", "InputPath", "RetryPolicy", "InputTransformer")
	target["Arn"], target["Id"] = e.to.arn, targetID(e.id, "LambdaTarget")
	if t, ok := e.props["Target"].(object); ok && t["Id"] != nil {
		target["Id"] = t["Id"]
	}
	if v := e.props["DeadLetterConfig"]; truthy(v) {
		target["DeadLetterConfig"] = e.deadLetters(v)
	}
	props["Targets"] = []any{target}
	e.add(e.id, "AWS::Events::Rule", e.passed(), props)
	e.permission("events.amazonaws.com", object{"SourceArn": getAtt(e.id, "Arn")})
}

// state is the State of a rule, which Enabled may say as well.
func (e *event) state() any {
	if truthy(e.props["State"]) && e.props["Enabled"] != nil {
		e.fail("State and Enabled Properties cannot both be specified.")
	}
	switch v := e.props["Enabled"]; {
	case truthy(v):
		return "ENABLED"
	case v != nil:
		return "DISABLED"
	}
	return or(e.props["State"])
}

// targetID keeps to the 64 characters that a target's id may have.
func targetID(id, suffix string) string {
	if len(id)+len(suffix) <= 64 {
		return id + suffix
	}
	return id[:64-len(suffix)] + suffix
}

// bucket makes a bucket of the same template notify the function.
func (e *event) bucket() {
	bucket := e.linkedBucket()
	permission := e.permission("s3.amazonaws.com", object{"SourceAccount": ref("AWS::AccountId")})
	props := properties(bucket)
	if c := e.condition(); c != "" {
		tags, _ := props["Tags"].([]any)
		props["Tags"] = append(tags, object{
			"Key":   "sam:ConditionalDependsOn:" + permission,
			"Value": object{"Fn::If": []any{c, ref(permission), "no dependency"}},
		})
	} else {
		bucket["DependsOn"] = dependOn(bucket["DependsOn"], permission)
	}
	if tags, _ := e.macro.props["Tags"].(object); truthy(e.macro.props["PropagateTags"]) && len(tags) > 0 && props["Tags"] == nil {
		props["Tags"] = tagList(tags)
	}
	kinds, isList := e.props["Events"].([]any)
	if !isList {
		kinds = []any{e.props["Events"]}
	}
	config, ok := props["NotificationConfiguration"].(object)
	if !ok {
		config = object{}
		props["NotificationConfiguration"] = config
	}
	list, _ := config["LambdaConfigurations"].([]any)
next:
	for _, kind := range kinds {
		one := object{"Function": e.to.arn, "Event": kind}
		if f := e.props["Filter"]; f != nil {
			one["Filter"] = f
		}
		entry := when(e.condition(), one)
		for _, old := range list {
			if reflect.DeepEqual(old, entry) {
				continue next
			}
		}
		list = append(list, entry)
	}
	config["LambdaConfigurations"] = list
}

// linkedBucket is the bucket of the template that the event is of.
func (e *event) linkedBucket() object {
	b, _ := e.props["Bucket"].(object)
	id, ok := b["Ref"].(string)
	if _, has := b["Ref"]; has && !ok {
		e.fail("'Ref' value in S3 events is not a valid string.")
	}
	bucket, ok := e.t.src[id].(object)
	if !ok {
		e.fail("S3 events must reference an S3 bucket in the same template.")
	}
	return bucket
}

// linkedPool is the user pool of the template that the event is of, and its id.
func (e *event) linkedPool() (string, object) {
	u, _ := e.props["UserPool"].(object)
	id, ok := u["Ref"].(string)
	if _, has := u["Ref"]; has && !ok {
		e.failAs("Ref in Userpool is not a string.")
	}
	pool, ok := e.t.src[id].(object)
	if !ok {
		e.fail("Cognito events must reference a Cognito UserPool in the same template.")
	}
	return id, pool
}

// userPool makes a user pool of the same template call the function.
func (e *event) userPool() {
	id, pool := e.linkedPool()
	owner := e.macro.id
	if e.to.alias != "" {
		owner = e.to.alias
	}
	e.permissionAs(owner+"CognitoPermission", "cognito-idp.amazonaws.com", object{"SourceArn": getAtt(id, "Arn")})
	triggers, isList := e.props["Trigger"].([]any)
	if !isList {
		triggers = []any{e.props["Trigger"]}
	}
	config := child(properties(pool), "LambdaConfig")
	for _, x := range triggers {
		name, _ := x.(string)
		if _, twice := config[name]; twice {
			e.fail("Cognito trigger \"%s\" defined multiple times.", name)
		}
		config[name] = e.to.arn
	}
}

// topic subscribes the function to a topic, or a queue between them: one of its
// own (SqsSubscription: true) or one that exists.
func (e *event) topic() {
	subscribe := func(protocol string, endpoint any) {
		p := pick(e.props, "Region", "FilterPolicy", "FilterPolicyScope", "RedrivePolicy")
		p["Protocol"], p["Endpoint"], p["TopicArn"] = protocol, endpoint, e.props["Topic"]
		e.add(e.id, "AWS::SNS::Subscription", e.passed(), p)
	}
	queue := e.props["SqsSubscription"]
	if !truthy(queue) {
		e.permission("sns.amazonaws.com", object{"SourceArn": e.props["Topic"]})
		subscribe("lambda", e.to.arn)
		return
	}
	var arn, url any = getAtt(e.id+"Queue", "Arn"), ref(e.id + "Queue")
	policy, batch := e.id+"QueuePolicy", any(int64(10))
	switch q := queue.(type) {
	case bool:
		props := object{}
		if e.fifoTopic() {
			props["FifoQueue"] = true
		}
		e.add(e.id+"Queue", "AWS::SQS::Queue", e.passed(), props)
	case object:
		if arn, url = q["QueueArn"], q["QueueUrl"]; !truthy(arn) || !truthy(url) {
			e.fail("No QueueARN or QueueURL provided.")
		}
		if id, ok := q["QueuePolicyLogicalId"].(string); ok {
			policy = id
		}
		if truthy(q["BatchSize"]) {
			batch = q["BatchSize"]
		}
	default:
		e.fail("Property 'SqsSubscription' should be a map.")
	}
	e.add(policy, "AWS::SQS::QueuePolicy", e.passed(), object{"Queues": []any{url}, "PolicyDocument": object{
		"Version": "2012-10-17", "Statement": []any{object{
			"Effect": "Allow", "Action": "sqs:SendMessage", "Principal": "*", "Resource": arn,
			"Condition": object{"ArnEquals": object{"aws:SourceArn": e.props["Topic"]}},
		}},
	}})
	subscribe("sqs", arn)
	e.add(e.id+"EventSourceMapping", "AWS::Lambda::EventSourceMapping", e.passed(), object{
		"FunctionName": e.to.name, "EventSourceArn": arn, "BatchSize": batch, "Enabled": true,
	})
	e.role.attach(e.arn("service-role/AWSLambdaSQSQueueExecutionRole"))
}

// fifoTopic reports whether the topic is one of the template's that is first in, first out.
func (e *event) fifoTopic() bool {
	r, _ := e.props["Topic"].(object)
	id, _ := r["Ref"].(string)
	topic, _ := e.t.src[id].(object)
	props, _ := topic["Properties"].(object)
	return truthy(e.t.resolve(props["FifoTopic"]))
}

// dependOn adds an id to a DependsOn, which may be a string or a list.
func dependOn(on any, id string) []any {
	list, ok := on.([]any)
	if s, one := on.(string); one {
		list, ok = []any{s}, true
	}
	if ok {
		for _, x := range list {
			if x == id {
				return list
			}
		}
	}
	return append(list, id)
}

// mapping is an event source that Lambda polls.
func (e *event) mapping() {
	source := map[string]string{"SQS": "Queue", "Kinesis": "Stream", "DynamoDB": "Stream"}[e.kind]
	p := e.mappingCommon()
	p["EventSourceArn"] = e.props[source]
	e.add(e.id, "AWS::Lambda::EventSourceMapping", e.passed(), p)
	e.role.attach(e.arn("service-role/" + map[string]string{
		"SQS": "AWSLambdaSQSQueueExecutionRole", "Kinesis": "AWSLambdaKinesisExecutionRole", "DynamoDB": "AWSLambdaDynamoDBExecutionRole",
	}[e.kind]))
}

// failures lets the role send the records that were given up on to where
// DestinationConfig says.
func (e *event) failures(p object) {
	d, ok := p["DestinationConfig"].(object)
	if !ok || len(d) == 0 {
		return
	}
	failure, ok := d["OnFailure"].(object)
	if !ok {
		e.failAs("Property 'DestinationConfig.OnFailure' should be a map.")
	}
	switch failure["Type"] {
	case nil:
	case "SQS":
		e.role.grant(e.id+"SQSPolicy", allow("sqs:SendMessage", failure["Destination"]))
	case "SNS":
		e.role.grant(e.id+"SNSPolicy", allow("sns:publish", failure["Destination"]))
	case "S3":
		bucket := failure["Destination"]
		e.role.grant(e.id+"S3Policy", object{"Statement": []any{
			object{"Effect": "Allow", "Action": "s3:PutObject", "Resource": object{"Fn::Join": []any{"/", []any{bucket, "*"}}}},
			object{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket},
		}})
	case "Kafka":
	default:
		e.failAs("The only valid values for 'Type' are 'SQS', 'SNS', 'S3', and 'Kafka'")
	}
	delete(failure, "Type")
}

func allow(action string, resource any) object {
	return object{"Statement": []any{object{"Action": action, "Effect": "Allow", "Resource": resource}}}
}
