package sam

import "strings"

// mappingProperties are what the events that Lambda polls have in common.
var mappingProperties = propertyKinds{
	"BatchSize": "int", "StartingPosition": "any", "StartingPositionTimestamp": "any", "Enabled": "bool", "MaximumBatchingWindowInSeconds": "int",
	"MaximumRetryAttempts": "int", "BisectBatchOnFunctionError": "bool", "MaximumRecordAgeInSeconds": "int", "ParallelizationFactor": "int",
	"DestinationConfig": "map", "Topics": "list", "Queues": "list", "SourceAccessConfigurations": "list", "SecretsManagerKmsKeyId": "str",
	"TumblingWindowInSeconds": "int", "FunctionResponseTypes": "list", "KafkaBootstrapServers": "list", "FilterCriteria": "map", "KmsKeyArn": "any",
	"ConsumerGroupId": "str", "ScalingConfig": "map", "ProvisionedPollerConfig": "map", "SchemaRegistryConfig": "map", "MetricsConfig": "map", "LoggingConfig": "map",
}

// mappingOf are the properties of an event that Lambda polls.
func mappingOf(own propertyKinds) propertyKinds {
	out := propertyKinds{}
	for k, v := range mappingProperties {
		out[k] = v
	}
	for k, v := range own {
		out[k] = v
		if k[0] == '*' {
			delete(out, strings.TrimLeft(k, "*"))
		}
	}
	return out
}

// eventProperties are the properties of an event of a function by the event's type.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-eventsource.html
func eventProperties(kind string) propertyKinds {
	switch kind {
	case "Api":
		return propertyKinds{"**Path": "str", "*Method": "str", "*RestApiId": "str", "Stage": "str", "Auth": "map", "RequestModel": "map", "RequestParameters": "list",
			"TimeoutInMillis": "int", "ResponseTransferMode": "str"}
	case "HttpApi":
		return propertyKinds{"Path": "str", "Method": "str", "ApiId": "str", "Stage": "str", "Auth": "map", "TimeoutInMillis": "int", "RouteSettings": "map", "PayloadFormatVersion": "str"}
	case "S3":
		return propertyKinds{"**Bucket": "str", "*Events": "!str|strs", "Filter": "table"}
	case "SNS":
		return propertyKinds{"*Topic": "str", "Region": "str", "FilterPolicy": "any", "FilterPolicyScope": "any", "RedrivePolicy": "map", "SqsSubscription": "bool|map"}
	case "Schedule":
		return propertyKinds{"*Schedule": "str", "RuleName": "str", "Input": "str", "Enabled": "bool", "State": "str", "Name": "str", "Description": "str",
			"DeadLetterConfig": "map", "RetryPolicy": "map"}
	case "CloudWatchEvent", "EventBridgeRule":
		return propertyKinds{"EventBusName": "str", "RuleName": "str", "Pattern": "map", "DeadLetterConfig": "map", "RetryPolicy": "map", "Input": "str", "InputPath": "str",
			"Target": "map", "Enabled": "bool", "State": "str", "InputTransformer": "map"}
	case "ScheduleV2":
		return scheduleProperties
	case "CloudWatchLogs":
		return propertyKinds{"**LogGroupName": "str", "*FilterPattern": "str"}
	case "Cognito":
		return propertyKinds{"**UserPool": "str", "*Trigger": "!str|strs"}
	case "AlexaSkill":
		return propertyKinds{"SkillId": "str"}
	case "IoTRule":
		return propertyKinds{"*Sql": "str", "AwsIotSqlVersion": "str"}
	case "SQS":
		return mappingOf(propertyKinds{"*Queue": "any"})
	case "Kinesis", "DynamoDB", "MSK":
		return mappingOf(propertyKinds{"**Stream": "any", "*StartingPosition": "any"})
	case "MQ":
		return mappingOf(propertyKinds{"*Broker": "any", "DynamicPolicyName": "!bool"})
	case "SelfManagedKafka":
		return mappingProperties
	case "DocumentDB":
		return mappingOf(propertyKinds{"**Cluster": "any", "*DatabaseName": "any", "CollectionName": "any", "FullDocument": "any"})
	}
	return nil
}

var scheduleProperties = propertyKinds{
	"*ScheduleExpression": "str", "FlexibleTimeWindow": "map", "Name": "str", "State": "str", "Description": "str", "StartDate": "str", "EndDate": "str",
	"ScheduleExpressionTimezone": "str", "GroupName": "str", "KmsKeyArn": "str", "Input": "str", "RoleArn": "str", "PermissionsBoundary": "str",
	"DeadLetterConfig": "map", "RetryPolicy": "map", "OmitName": "!bool",
}

// machineEventProperties are those of an event of a state machine.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-statemachine-statemachineeventsource.html
func machineEventProperties(kind string) propertyKinds {
	switch kind {
	case "Schedule":
		return propertyKinds{"*Schedule": "str", "Input": "str", "Enabled": "bool", "State": "str", "Name": "str", "Description": "str", "DeadLetterConfig": "map",
			"RetryPolicy": "map", "Target": "map", "RoleArn": "!str"}
	case "CloudWatchEvent", "EventBridgeRule":
		return propertyKinds{"EventBusName": "str", "RuleName": "str", "Pattern": "map", "DeadLetterConfig": "map", "RetryPolicy": "map", "Input": "str", "InputPath": "str",
			"Target": "map", "State": "str", "InputTransformer": "map"}
	case "ScheduleV2":
		return scheduleProperties
	case "Api":
		return propertyKinds{"**Path": "str", "*Method": "str", "*RestApiId": "str", "Stage": "str", "Auth": "map", "UnescapeMappingTemplate": "!bool"}
	}
	return nil
}
