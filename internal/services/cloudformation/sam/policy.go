package sam

import (
	"sort"
	"strings"
)

// managedPolicies maps the names of AWS's managed policies to their ARNs, of those
// that templates commonly name.
func managedPolicies(partition string) map[string]string {
	out := map[string]string{}
	for path, names := range map[string]string{
		"service-role/": "AWSLambdaBasicExecutionRole AWSLambdaVPCAccessExecutionRole AWSLambdaDynamoDBExecutionRole AWSLambdaKinesisExecutionRole " +
			"AWSLambdaSQSQueueExecutionRole AWSLambdaRole AmazonAPIGatewayPushToCloudWatchLogs",
		"": "AdministratorAccess PowerUserAccess ReadOnlyAccess AmazonDynamoDBFullAccess AmazonDynamoDBReadOnlyAccess AmazonS3FullAccess AmazonS3ReadOnlyAccess " +
			"AmazonSQSFullAccess AmazonSQSReadOnlyAccess AmazonSNSFullAccess AmazonSNSReadOnlyAccess AmazonKinesisFullAccess AmazonKinesisReadOnlyAccess " +
			"CloudWatchFullAccess CloudWatchReadOnlyAccess CloudWatchLogsFullAccess CloudWatchLogsReadOnlyAccess AWSXrayWriteOnlyAccess AWSXRayDaemonWriteAccess " +
			"AWSLambda_FullAccess AWSLambda_ReadOnlyAccess AmazonSSMReadOnlyAccess AmazonSSMFullAccess SecretsManagerReadWrite AmazonEventBridgeFullAccess " +
			"AWSStepFunctionsFullAccess AWSStepFunctionsReadOnlyAccess AmazonCognitoReadOnly AmazonCognitoPowerUser AmazonAPIGatewayInvokeFullAccess " +
			"AmazonEC2ReadOnlyAccess AmazonVPCReadOnlyAccess IAMReadOnlyAccess CloudWatchLambdaInsightsExecutionRolePolicy",
	} {
		for _, n := range strings.Fields(names) {
			out[n] = "arn:" + partition + ":iam::aws:policy/" + path + n
		}
	}
	return out
}

// policyTemplates are SAM's policy templates, of the services that this platform
// has or is to have. Each is a list of statements "ACTIONS -> RESOURCES"; actions
// share the service's name, {Name} is a parameter, a resource is in the caller's
// region and account unless it begins with a slash, and a list of one resource is
// marked by a comma at its end.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-policy-template-list.html
var policyTemplates = map[string][]string{
	"AWSSecretsManagerGetSecretValuePolicy": {"secretsmanager: GetSecretValue -> ={SecretArn}"},
	"AMIDescribePolicy":                     {"ec2: DescribeImages -> *"},
	"CloudFormationDescribeStacksPolicy":    {"cloudformation: DescribeStacks -> cloudformation:stack/*"},
	"CloudWatchDashboardPolicy":             {"cloudwatch: GetDashboard ListDashboards PutDashboard ListMetrics -> *"},
	"CloudWatchDescribeAlarmHistoryPolicy":  {"cloudwatch: DescribeAlarmHistory -> *"},
	"CloudWatchPutMetricPolicy":             {"cloudwatch: PutMetricData -> *"},
	"DynamoDBBackupFullAccessPolicy": {
		"dynamodb: CreateBackup DescribeContinuousBackups -> dynamodb:table/{TableName}",
		"dynamodb: DeleteBackup DescribeBackup ListBackups -> dynamodb:table/{TableName}/backup/*",
	},
	"DynamoDBCrudPolicy": {
		"dynamodb: GetItem DeleteItem PutItem Scan Query UpdateItem BatchWriteItem BatchGetItem DescribeTable ConditionCheckItem -> dynamodb:table/{TableName} dynamodb:table/{TableName}/index/*",
	},
	"DynamoDBReadPolicy":        {"dynamodb: GetItem Scan Query BatchGetItem DescribeTable -> dynamodb:table/{TableName} dynamodb:table/{TableName}/index/*"},
	"DynamoDBReconfigurePolicy": {"dynamodb: UpdateTable -> dynamodb:table/{TableName}"},
	"DynamoDBRestoreFromBackupPolicy": {
		"dynamodb: RestoreTableFromBackup -> dynamodb:table/{TableName}/backup/*",
		"dynamodb: PutItem UpdateItem DeleteItem GetItem Query Scan BatchWriteItem -> dynamodb:table/{TableName}",
	},
	"DynamoDBStreamReadPolicy": {
		"dynamodb: DescribeStream GetRecords GetShardIterator -> dynamodb:table/{TableName}/stream/{StreamName}",
		"dynamodb: ListStreams -> dynamodb:table/{TableName}/stream/*",
	},
	"DynamoDBWritePolicy":        {"dynamodb: PutItem UpdateItem BatchWriteItem -> dynamodb:table/{TableName} dynamodb:table/{TableName}/index/*"},
	"EC2DescribePolicy":          {"ec2: DescribeRegions DescribeInstances -> *"},
	"EventBridgePutEventsPolicy": {"events: =PutEvents -> events:event-bus/{EventBusName}"},
	"FilterLogEventsPolicy":      {"logs: FilterLogEvents -> logs:log-group:{LogGroupName}:log-stream:*"},
	"KMSDecryptPolicy":           {"kms: =Decrypt -> kms:key/{KeyId}"},
	"KMSEncryptPolicy":           {"kms: =Encrypt -> kms:key/{KeyId}"},
	"KMSEncryptPolicy_v2":        {"kms: Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext -> kms:key/{KeyId}"},
	"KinesisCrudPolicy": {
		"kinesis: AddTagsToStream CreateStream DecreaseStreamRetentionPeriod DeleteStream DescribeStream DescribeStreamSummary GetShardIterator IncreaseStreamRetentionPeriod ListTagsForStream MergeShards PutRecord PutRecords SplitShard RemoveTagsFromStream -> kinesis:stream/{StreamName}",
	},
	"KinesisStreamReadPolicy": {
		"kinesis: ListStreams DescribeLimits -> kinesis:stream/*",
		"kinesis: DescribeStream DescribeStreamSummary GetRecords GetShardIterator -> kinesis:stream/{StreamName}",
	},
	"LambdaInvokePolicy": {"lambda: InvokeFunction -> lambda:function:{FunctionName}*"},
	"S3CrudPolicy": {
		"s3: GetObject ListBucket GetBucketLocation GetObjectVersion PutObject PutObjectAcl GetLifecycleConfiguration PutLifecycleConfiguration DeleteObject -> /s3:::{BucketName} /s3:::{BucketName}/*",
	},
	"S3FullAccessPolicy": {
		"s3: GetObject GetObjectAcl GetObjectVersion PutObject PutObjectAcl DeleteObject DeleteObjectTagging DeleteObjectVersionTagging GetObjectTagging GetObjectVersionTagging PutObjectTagging PutObjectVersionTagging -> /s3:::{BucketName}/*,",
		"s3: ListBucket GetBucketLocation GetLifecycleConfiguration PutLifecycleConfiguration -> /s3:::{BucketName},",
	},
	"S3ReadPolicy":            {"s3: GetObject ListBucket GetBucketLocation GetObjectVersion GetLifecycleConfiguration -> /s3:::{BucketName} /s3:::{BucketName}/*"},
	"S3WritePolicy":           {"s3: PutObject PutObjectAcl PutLifecycleConfiguration -> /s3:::{BucketName} /s3:::{BucketName}/*"},
	"SNSCrudPolicy":           {"sns: ListSubscriptionsByTopic CreateTopic SetTopicAttributes Subscribe Publish -> sns:{TopicName}*"},
	"SNSPublishMessagePolicy": {"sns: Publish -> sns:{TopicName}"},
	"SQSPollerPolicy":         {"sqs: ChangeMessageVisibility ChangeMessageVisibilityBatch DeleteMessage DeleteMessageBatch GetQueueAttributes ReceiveMessage -> sqs:{QueueName}"},
	"SQSSendMessagePolicy":    {"sqs: SendMessage* -> sqs:{QueueName}"},
	"SSMParameterReadPolicy": {
		"ssm: DescribeParameters -> *",
		"ssm: GetParameters GetParameter GetParametersByPath -> ssm:parameter/{ParameterName}",
	},
	"SSMParameterWithSlashPrefixReadPolicy": {
		"ssm: DescribeParameters -> *",
		"ssm: GetParameters GetParameter GetParametersByPath -> ssm:parameter{ParameterName}",
	},
	"StepFunctionsCallbackPolicy":     {"states: SendTaskFailure SendTaskHeartbeat SendTaskSuccess -> states:stateMachine:{StateMachineName}"},
	"StepFunctionsExecutionPolicy":    {"states: StartExecution -> states:stateMachine:{StateMachineName}"},
	"StepFunctionsExecutionPolicy_v2": {"states: StartExecution StartSyncExecution -> states:stateMachine:{StateMachineName}"},
	"VPCAccessPolicy":                 {"ec2: CreateNetworkInterface DeleteNetworkInterface DescribeNetworkInterfaces DetachNetworkInterface -> *"},
}

// policyTemplate makes the statements of a template with the values given.
func (m *macro) policyTemplate(name string, given any) object {
	values, ok := given.(object)
	if !ok {
		refuseProperty(m.id, "Policies", "Must specify valid parameter values for policy template '%s'", name)
	}
	var missing []string
	used := map[string]bool{}
	statements := []any{}
	for _, line := range policyTemplates[name] {
		service, rest, _ := strings.Cut(line, ": ")
		actions, resources, _ := strings.Cut(rest, " -> ")
		var list []any
		var action any
		for _, a := range strings.Fields(actions) {
			if one, single := strings.CutPrefix(a, "="); single {
				action = service + ":" + one
				continue
			}
			list = append(list, service+":"+a)
		}
		if list != nil {
			action = list
		}
		var on []any
		for _, r := range strings.Fields(strings.TrimSuffix(resources, ",")) {
			on = append(on, m.policyResource(r, values, used, &missing))
		}
		st := object{"Effect": "Allow", "Action": action, "Resource": any(on)}
		if len(on) == 1 && !strings.HasSuffix(resources, ",") {
			st["Resource"] = on[0]
		}
		statements = append(statements, st)
	}
	if len(missing) > 0 {
		sort.Strings(missing)
		refuseProperty(m.id, "Policies", "Following required parameters of policy template '%s' don't have values: ['%s']", name, strings.Join(missing, "', '"))
	}
	return object{"Statement": statements}
}

func (m *macro) policyResource(r string, values object, used map[string]bool, missing *[]string) any {
	if r == "*" {
		return r
	}
	text := ""
	switch {
	case r[0] == '=':
		text = r[1:]
	case r[0] == '/':
		text = "arn:${AWS::Partition}:" + r[1:]
	default:
		service, rest, _ := strings.Cut(r, ":")
		text = "arn:${AWS::Partition}:" + service + ":${AWS::Region}:${AWS::AccountId}:" + rest
	}
	variables := object{}
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '{')
		if i > 0 && text[i-1] == '$' { // AWS's own
			end := strings.IndexByte(text, '}')
			b.WriteString(text[:end+1])
			text = text[end+1:]
			continue
		}
		if i < 0 {
			b.WriteString(text)
			return sub(b.String(), variables)
		}
		end := strings.IndexByte(text, '}')
		name := text[i+1 : end]
		v, ok := values[name]
		if !ok && !used[name] {
			*missing = append(*missing, name)
		}
		used[name] = true
		lower := strings.ToLower(name[:1]) + name[1:]
		variables[lower] = v
		b.WriteString(text[:i] + "${" + lower + "}")
		text = text[end+1:]
	}
}

// policyKind says what an entry of Policies is.
type policyKind uint8

const (
	unknownPolicy policyKind = iota
	managedPolicy
	policyDocument
	templatedPolicy
)

func (m *macro) policyKind(p any) policyKind {
	if list, ok := branches(p); ok {
		a, b := m.policyKind(list[1]), m.policyKind(list[2])
		switch {
		case a == b || isNoValue(list[2]):
			return a
		case isNoValue(list[1]):
			return b
		}
		refuseProperty(m.id, "Policies", "Different policy types within the same Fn::If statement is unsupported. Separate different policy types into different Fn::If statements")
	}
	switch v := p.(type) {
	case string:
		return managedPolicy
	case object:
		if intrinsic(v) {
			return managedPolicy
		}
		if _, ok := v["Statement"]; ok {
			return policyDocument
		}
		if len(v) == 1 {
			if _, ok := policyTemplates[keys(v)[0]]; ok {
				return templatedPolicy
			}
		}
	}
	return unknownPolicy
}

// eachBranch applies f to a value, or to the branches of a Fn::If.
func eachBranch(v any, f func(any) any) any {
	list, ok := branches(v)
	if !ok {
		return f(v)
	}
	out := []any{list[0], list[1], list[2]}
	for i := 1; i < 3; i++ {
		if !isNoValue(out[i]) {
			out[i] = f(out[i])
		}
	}
	return object{"Fn::If": out}
}
