package sam

import (
	"slices"
	"strings"
)

// mappingProperties are what the events that Lambda polls have in common.
const mappingProperties propertyKinds = "BatchSize=int StartingPosition=any StartingPositionTimestamp=any Enabled=bool MaximumBatchingWindowInSeconds=int MaximumRetryAttempts=int " +
	"BisectBatchOnFunctionError=bool MaximumRecordAgeInSeconds=int DestinationConfig=map ParallelizationFactor=int Topics=list Queues=list " +
	"SourceAccessConfigurations=list SecretsManagerKmsKeyId=str TumblingWindowInSeconds=int FunctionResponseTypes=list KafkaBootstrapServers=list " +
	"FilterCriteria=map KmsKeyArn=any ConsumerGroupId=str ScalingConfig=map ProvisionedPollerConfig=map SchemaRegistryConfig=map " +
	"MetricsConfig=map LoggingConfig=map"

// mappingOf are the properties of an event that Lambda polls.
func mappingOf(own propertyKinds) propertyKinds {
	all := strings.Fields(string(mappingProperties))
	for _, one := range strings.Fields(string(own)) {
		name, _, _ := strings.Cut(strings.TrimPrefix(one, "*"), "=")
		i := slices.IndexFunc(all, func(p string) bool { return strings.HasPrefix(p, name+"=") })
		if i < 0 {
			all = append(all, one)
		} else {
			all[i] = one
		}
	}
	return propertyKinds(strings.Join(all, " "))
}

// eventProperties are the properties of an event of a function by the event's type.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-eventsource.html
func eventProperties(kind string) propertyKinds {
	switch kind {
	case "Api":
		return "*Path=str *Method=str *RestApiId=str Stage=str Auth=map RequestModel=map RequestParameters=list TimeoutInMillis=int ResponseTransferMode=str"
	case "HttpApi":
		return "Path=str Method=str ApiId=str Stage=str Auth=map TimeoutInMillis=int RouteSettings=map PayloadFormatVersion=str"
	case "S3":
		return "*Bucket=str *Events=!str|strs Filter=table"
	case "SNS":
		return "*Topic=str Region=str FilterPolicy=any FilterPolicyScope=any SqsSubscription=bool|map RedrivePolicy=map"
	case "Schedule":
		return "*Schedule=str RuleName=str Input=str Enabled=bool State=str Name=str Description=str DeadLetterConfig=map RetryPolicy=map"
	case "CloudWatchEvent", "EventBridgeRule":
		return "EventBusName=str RuleName=str Pattern=map DeadLetterConfig=map RetryPolicy=map Input=str InputPath=str Target=map Enabled=bool State=str " +
			"InputTransformer=map"
	case "ScheduleV2":
		return scheduleProperties
	case "CloudWatchLogs":
		return "*LogGroupName=str *FilterPattern=str"
	case "Cognito":
		return "*UserPool=str *Trigger=!str|strs"
	case "AlexaSkill":
		return "SkillId=str"
	case "IoTRule":
		return "*Sql=str AwsIotSqlVersion=str"
	case "SQS":
		return mappingOf("*Queue=any")
	case "Kinesis", "DynamoDB", "MSK":
		return mappingOf("*StartingPosition=any *Stream=any")
	case "MQ":
		return mappingOf("*Broker=any DynamicPolicyName=!bool")
	case "SelfManagedKafka":
		return mappingProperties
	case "DocumentDB":
		return mappingOf("*Cluster=any *DatabaseName=any CollectionName=any FullDocument=any")
	}
	return ""
}

const scheduleProperties propertyKinds = "PermissionsBoundary=str *ScheduleExpression=str FlexibleTimeWindow=map Name=str State=str Description=str StartDate=str EndDate=str " +
	"ScheduleExpressionTimezone=str GroupName=str KmsKeyArn=str Input=str RoleArn=str DeadLetterConfig=map RetryPolicy=map OmitName=!bool"

// machineEventProperties are those of an event of a state machine.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-statemachine-statemachineeventsource.html
func machineEventProperties(kind string) propertyKinds {
	switch kind {
	case "Schedule":
		return "*Schedule=str Input=str Enabled=bool State=str Name=str Description=str DeadLetterConfig=map RetryPolicy=map Target=map RoleArn=!str"
	case "CloudWatchEvent", "EventBridgeRule":
		return "EventBusName=str RuleName=str Pattern=map Input=str InputPath=str DeadLetterConfig=map RetryPolicy=map State=str Target=map " +
			"InputTransformer=map"
	case "ScheduleV2":
		return scheduleProperties
	case "Api":
		return "*Path=str *Method=str *RestApiId=str Stage=str Auth=map UnescapeMappingTemplate=!bool"
	}
	return ""
}
