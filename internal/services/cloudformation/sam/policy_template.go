package sam

import (
	"sort"
	"strings"
)

// templateStatements returns the statements of one of SAM's policy templates, nil if there
// is none of that name. It is a list of statements
// "ACTIONS -> RESOURCES if KEY VALUE", without the last part if there is no
// condition. Actions share the service's name, and one that begins with "=" stands
// alone instead of in a list. {Name} is a parameter, {variable=Name} one that goes by
// another name in Fn::Sub. A resource is in the caller's region and account unless it
// begins with a slash, and is taken as it is after a "="; a list of one resource is
// marked by a comma at its end.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-policy-template-list.html
func templateStatements(name string) []string {
	switch name {
	case "AWSSecretsManagerGetSecretValuePolicy":
		return []string{"secretsmanager: GetSecretValue -> ={SecretArn}"}
	case "AMIDescribePolicy":
		return []string{"ec2: DescribeImages -> *"}
	case "CloudFormationDescribeStacksPolicy":
		return []string{"cloudformation: DescribeStacks -> cloudformation:stack/*"}
	case "CloudWatchDashboardPolicy":
		return []string{"cloudwatch: GetDashboard ListDashboards PutDashboard ListMetrics -> *"}
	case "CloudWatchDescribeAlarmHistoryPolicy":
		return []string{"cloudwatch: DescribeAlarmHistory -> *"}
	case "CloudWatchPutMetricPolicy":
		return []string{"cloudwatch: PutMetricData -> *"}
	case "DynamoDBBackupFullAccessPolicy":
		return []string{
			"dynamodb: CreateBackup DescribeContinuousBackups -> dynamodb:table/{TableName}",
			"dynamodb: DeleteBackup DescribeBackup ListBackups -> dynamodb:table/{TableName}/backup/*",
		}
	case "DynamoDBCrudPolicy":
		return []string{
			"dynamodb: GetItem DeleteItem PutItem Scan Query UpdateItem BatchWriteItem BatchGetItem DescribeTable ConditionCheckItem -> dynamodb:table/{TableName} dynamodb:table/{TableName}/index/*",
		}
	case "DynamoDBReadPolicy":
		return []string{"dynamodb: GetItem Scan Query BatchGetItem DescribeTable -> dynamodb:table/{TableName} dynamodb:table/{TableName}/index/*"}
	case "DynamoDBReconfigurePolicy":
		return []string{"dynamodb: UpdateTable -> dynamodb:table/{TableName}"}
	case "DynamoDBRestoreFromBackupPolicy":
		return []string{
			"dynamodb: RestoreTableFromBackup -> dynamodb:table/{TableName}/backup/*",
			"dynamodb: PutItem UpdateItem DeleteItem GetItem Query Scan BatchWriteItem -> dynamodb:table/{TableName}",
		}
	case "DynamoDBStreamReadPolicy":
		return []string{
			"dynamodb: DescribeStream GetRecords GetShardIterator -> dynamodb:table/{TableName}/stream/{StreamName}",
			"dynamodb: ListStreams -> dynamodb:table/{TableName}/stream/*",
		}
	case "DynamoDBWritePolicy":
		return []string{"dynamodb: PutItem UpdateItem BatchWriteItem -> dynamodb:table/{TableName} dynamodb:table/{TableName}/index/*"}
	case "EC2DescribePolicy":
		return []string{"ec2: DescribeRegions DescribeInstances -> *"}
	case "EventBridgePutEventsPolicy":
		return []string{"events: =PutEvents -> events:event-bus/{EventBusName}"}
	case "FilterLogEventsPolicy":
		return []string{"logs: FilterLogEvents -> logs:log-group:{LogGroupName}:log-stream:*"}
	case "KMSDecryptPolicy":
		return []string{"kms: =Decrypt -> kms:key/{KeyId}"}
	case "KMSEncryptPolicy":
		return []string{"kms: =Encrypt -> kms:key/{KeyId}"}
	case "KMSEncryptPolicy_v2":
		return []string{"kms: Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext -> kms:key/{KeyId}"}
	case "KinesisCrudPolicy":
		return []string{
			"kinesis: AddTagsToStream CreateStream DecreaseStreamRetentionPeriod DeleteStream DescribeStream DescribeStreamSummary GetShardIterator IncreaseStreamRetentionPeriod ListTagsForStream MergeShards PutRecord PutRecords SplitShard RemoveTagsFromStream -> kinesis:stream/{StreamName}",
		}
	case "KinesisStreamReadPolicy":
		return []string{
			"kinesis: ListStreams DescribeLimits -> kinesis:stream/*",
			"kinesis: DescribeStream DescribeStreamSummary GetRecords GetShardIterator -> kinesis:stream/{StreamName}",
		}
	case "LambdaInvokePolicy":
		return []string{"lambda: InvokeFunction -> lambda:function:{FunctionName}*"}
	case "S3CrudPolicy":
		return []string{
			"s3: GetObject ListBucket GetBucketLocation GetObjectVersion PutObject PutObjectAcl GetLifecycleConfiguration PutLifecycleConfiguration DeleteObject -> /s3:::{BucketName} /s3:::{BucketName}/*",
		}
	case "S3FullAccessPolicy":
		return []string{
			"s3: GetObject GetObjectAcl GetObjectVersion PutObject PutObjectAcl DeleteObject DeleteObjectTagging DeleteObjectVersionTagging GetObjectTagging GetObjectVersionTagging PutObjectTagging PutObjectVersionTagging -> /s3:::{BucketName}/*,",
			"s3: ListBucket GetBucketLocation GetLifecycleConfiguration PutLifecycleConfiguration -> /s3:::{BucketName},",
		}
	case "S3ReadPolicy":
		return []string{"s3: GetObject ListBucket GetBucketLocation GetObjectVersion GetLifecycleConfiguration -> /s3:::{BucketName} /s3:::{BucketName}/*"}
	case "S3WritePolicy":
		return []string{"s3: PutObject PutObjectAcl PutLifecycleConfiguration -> /s3:::{BucketName} /s3:::{BucketName}/*"}
	case "SNSCrudPolicy":
		return []string{"sns: ListSubscriptionsByTopic CreateTopic SetTopicAttributes Subscribe Publish -> sns:{TopicName}*"}
	case "SNSPublishMessagePolicy":
		return []string{"sns: Publish -> sns:{TopicName}"}
	case "SQSPollerPolicy":
		return []string{"sqs: ChangeMessageVisibility ChangeMessageVisibilityBatch DeleteMessage DeleteMessageBatch GetQueueAttributes ReceiveMessage -> sqs:{QueueName}"}
	case "SQSSendMessagePolicy":
		return []string{"sqs: SendMessage* -> sqs:{QueueName}"}
	case "SSMParameterReadPolicy":
		return []string{
			"ssm: DescribeParameters -> *",
			"ssm: GetParameters GetParameter GetParametersByPath -> ssm:parameter/{ParameterName}",
		}
	case "SSMParameterWithSlashPrefixReadPolicy":
		return []string{
			"ssm: DescribeParameters -> *",
			"ssm: GetParameters GetParameter GetParametersByPath -> ssm:parameter{ParameterName}",
		}
	case "StepFunctionsCallbackPolicy":
		return []string{"states: SendTaskFailure SendTaskHeartbeat SendTaskSuccess -> states:stateMachine:{StateMachineName}"}
	case "StepFunctionsExecutionPolicy":
		return []string{"states: StartExecution -> states:stateMachine:{StateMachineName}"}
	case "StepFunctionsExecutionPolicy_v2":
		return []string{"states: StartExecution StartSyncExecution -> states:stateMachine:{StateMachineName}"}
	case "VPCAccessPolicy":
		return []string{"ec2: CreateNetworkInterface DeleteNetworkInterface DescribeNetworkInterfaces DetachNetworkInterface -> *"}
	case "AWSSecretsManagerRotationPolicy":
		return []string{
			"secretsmanager: DescribeSecret GetSecretValue PutSecretValue UpdateSecretVersionStage -> secretsmanager:secret:* if secretsmanager:resource/AllowRotationLambdaArn lambda:function:{FunctionName}",
			"secretsmanager: GetRandomPassword -> *",
		}
	case "AcmGetCertificatePolicy":
		return []string{"acm: GetCertificate -> ={CertificateArn}"}
	case "AthenaQueryPolicy":
		return []string{
			"athena: ListWorkGroups GetExecutionEngine GetExecutionEngines GetNamespace GetCatalogs GetNamespaces GetTables GetTable -> *",
			"athena: StartQueryExecution GetQueryResults DeleteNamedQuery GetNamedQuery ListQueryExecutions StopQueryExecution GetQueryResultsStream ListNamedQueries CreateNamedQuery GetQueryExecution BatchGetNamedQuery BatchGetQueryExecution GetWorkGroup -> athena:workgroup/{workgroupName=WorkGroupName}",
		}
	case "CodeCommitCrudPolicy":
		return []string{
			"codecommit: GitPull GitPush CreateBranch DeleteBranch GetBranch ListBranches MergeBranchesByFastForward MergeBranchesBySquash MergeBranchesByThreeWay UpdateDefaultBranch BatchDescribeMergeConflicts CreateUnreferencedMergeCommit DescribeMergeConflicts GetMergeCommit GetMergeOptions BatchGetPullRequests CreatePullRequest DescribePullRequestEvents GetCommentsForPullRequest GetCommitsFromMergeBase GetMergeConflicts GetPullRequest ListPullRequests MergePullRequestByFastForward MergePullRequestBySquash MergePullRequestByThreeWay PostCommentForPullRequest UpdatePullRequestDescription UpdatePullRequestStatus UpdatePullRequestTitle DeleteFile GetBlob GetFile GetFolder PutFile DeleteCommentContent GetComment GetCommentsForComparedCommit PostCommentForComparedCommit PostCommentReply UpdateComment BatchGetCommits CreateCommit GetCommit GetCommitHistory GetDifferences GetObjectIdentifier GetReferences GetTree GetRepository UpdateRepositoryDescription ListTagsForResource TagResource UntagResource GetRepositoryTriggers PutRepositoryTriggers TestRepositoryTriggers GetBranch GetCommit UploadArchive GetUploadArchiveStatus CancelUploadArchive -> codecommit:{RepositoryName}",
		}
	case "CodeCommitReadPolicy":
		return []string{
			"codecommit: GitPull GetBranch ListBranches BatchDescribeMergeConflicts DescribeMergeConflicts GetMergeCommit GetMergeOptions BatchGetPullRequests DescribePullRequestEvents GetCommentsForPullRequest GetCommitsFromMergeBase GetMergeConflicts GetPullRequest ListPullRequests GetBlob GetFile GetFolder GetComment GetCommentsForComparedCommit BatchGetCommits GetCommit GetCommitHistory GetDifferences GetObjectIdentifier GetReferences GetTree GetRepository ListTagsForResource GetRepositoryTriggers TestRepositoryTriggers GetBranch GetCommit GetUploadArchiveStatus -> codecommit:{RepositoryName}",
		}
	case "CodePipelineLambdaExecutionPolicy":
		return []string{"codepipeline: PutJobSuccessResult PutJobFailureResult -> *"}
	case "CodePipelineReadOnlyPolicy":
		return []string{"codepipeline: ListPipelineExecutions -> codepipeline:{pipelinename=PipelineName}"}
	case "ComprehendBasicAccessPolicy":
		return []string{
			"comprehend: BatchDetectKeyPhrases DetectDominantLanguage DetectEntities BatchDetectEntities DetectKeyPhrases DetectSentiment BatchDetectDominantLanguage BatchDetectSentiment -> *",
		}
	case "CostExplorerReadOnlyPolicy":
		return []string{
			"ce: GetCostAndUsage GetDimensionValues GetReservationCoverage GetReservationPurchaseRecommendation GetReservationUtilization GetTags -> *",
		}
	case "EC2CopyImagePolicy":
		return []string{"ec2: CopyImage -> ec2:image/{ImageId}"}
	case "EFSWriteAccessPolicy":
		return []string{
			"elasticfilesystem: ClientMount ClientWrite -> elasticfilesystem:file-system/{FileSystem=FileSystem} if elasticfilesystem:AccessPointArn elasticfilesystem:access-point/{AccessPoint=AccessPoint}",
		}
	case "EKSDescribePolicy":
		return []string{"eks: DescribeCluster ListClusters -> *"}
	case "EcsRunTaskPolicy":
		return []string{"ecs: RunTask -> ecs:task-definition/{TaskDefinition}"}
	case "ElasticMapReduceAddJobFlowStepsPolicy":
		return []string{"elasticmapreduce: =AddJobFlowSteps -> elasticmapreduce:cluster/{ClusterId}"}
	case "ElasticMapReduceCancelStepsPolicy":
		return []string{"elasticmapreduce: =CancelSteps -> elasticmapreduce:cluster/{ClusterId}"}
	case "ElasticMapReduceModifyInstanceFleetPolicy":
		return []string{"elasticmapreduce: ModifyInstanceFleet ListInstanceFleets -> elasticmapreduce:cluster/{ClusterId}"}
	case "ElasticMapReduceModifyInstanceGroupsPolicy":
		return []string{"elasticmapreduce: ModifyInstanceGroups ListInstanceGroups -> elasticmapreduce:cluster/{ClusterId}"}
	case "ElasticMapReduceSetTerminationProtectionPolicy":
		return []string{"elasticmapreduce: =SetTerminationProtection -> elasticmapreduce:cluster/{ClusterId}"}
	case "ElasticMapReduceTerminateJobFlowsPolicy":
		return []string{"elasticmapreduce: =TerminateJobFlows -> elasticmapreduce:cluster/{ClusterId}"}
	case "ElasticsearchHttpPostPolicy":
		return []string{"es: ESHttpPost ESHttpPut -> es:domain/{DomainName}/*"}
	case "FirehoseCrudPolicy":
		return []string{
			"firehose: CreateDeliveryStream DeleteDeliveryStream DescribeDeliveryStream PutRecord PutRecordBatch UpdateDestination -> firehose:deliverystream/{DeliveryStreamName}",
		}
	case "FirehoseWritePolicy":
		return []string{"firehose: PutRecord PutRecordBatch -> firehose:deliverystream/{DeliveryStreamName}"}
	case "MobileAnalyticsWriteOnlyAccessPolicy":
		return []string{"mobileanalytics: PutEvents -> *"}
	case "OrganizationsListAccountsPolicy":
		return []string{"organizations: ListAccounts -> *"}
	case "PinpointEndpointAccessPolicy":
		return []string{
			"mobiletargeting: GetEndpoint UpdateEndpoint UpdateEndpointsBatch -> mobiletargeting:apps/{PinpointApplicationId}/endpoints/*",
		}
	case "PollyFullAccessPolicy":
		return []string{
			"polly: GetLexicon DeleteLexicon -> polly:lexicon/{LexiconName},",
			"polly: DescribeVoices ListLexicons PutLexicon SynthesizeSpeech -> polly:lexicon/*,",
		}
	case "RekognitionDetectOnlyPolicy":
		return []string{"rekognition: DetectFaces DetectLabels DetectModerationLabels DetectText -> *"}
	case "RekognitionFacesManagementPolicy":
		return []string{"rekognition: IndexFaces DeleteFaces SearchFaces SearchFacesByImage ListFaces -> rekognition:collection/{CollectionId}"}
	case "RekognitionFacesPolicy":
		return []string{"rekognition: CompareFaces DetectFaces -> *"}
	case "RekognitionLabelsPolicy":
		return []string{"rekognition: DetectLabels DetectModerationLabels -> *"}
	case "RekognitionNoDataAccessPolicy":
		return []string{"rekognition: CompareFaces DetectFaces DetectLabels DetectModerationLabels -> rekognition:collection/{CollectionId}"}
	case "RekognitionReadPolicy":
		return []string{"rekognition: ListCollections ListFaces SearchFaces SearchFacesByImage -> rekognition:collection/{CollectionId}"}
	case "RekognitionWriteOnlyAccessPolicy":
		return []string{"rekognition: CreateCollection IndexFaces -> rekognition:collection/{CollectionId}"}
	case "Route53ChangeResourceRecordSetsPolicy":
		return []string{"route53: ChangeResourceRecordSets -> /route53:::hostedzone/{HostedZoneId=HostedZoneId}"}
	case "SESBulkTemplatedCrudPolicy":
		return []string{
			"ses: GetIdentityVerificationAttributes SendEmail SendRawEmail SendTemplatedEmail SendBulkTemplatedEmail VerifyEmailIdentity -> ses:identity/{IdentityName}",
		}
	case "SESBulkTemplatedCrudPolicy_v2":
		return []string{
			"ses: SendEmail SendRawEmail SendTemplatedEmail SendBulkTemplatedEmail -> ses:identity/{IdentityName} ses:template/{TemplateName}",
			"ses: GetIdentityVerificationAttributes VerifyEmailIdentity -> *",
		}
	case "SESCrudPolicy":
		return []string{"ses: GetIdentityVerificationAttributes SendEmail SendRawEmail VerifyEmailIdentity -> ses:identity/{IdentityName}"}
	case "SESEmailTemplateCrudPolicy":
		return []string{"ses: CreateTemplate GetTemplate ListTemplates UpdateTemplate DeleteTemplate TestRenderTemplate -> *"}
	case "SESSendBouncePolicy":
		return []string{"ses: SendBounce -> ses:identity/{IdentityName}"}
	case "SageMakerCreateEndpointConfigPolicy":
		return []string{"sagemaker: CreateEndpointConfig -> sagemaker:endpoint-config/{EndpointConfigName}"}
	case "SageMakerCreateEndpointPolicy":
		return []string{"sagemaker: CreateEndpoint -> sagemaker:endpoint/{EndpointName}"}
	case "ServerlessRepoReadWriteAccessPolicy":
		return []string{
			"serverlessrepo: CreateApplication CreateApplicationVersion UpdateApplication GetApplication ListApplications ListApplicationVersions ListApplicationDependencies -> serverlessrepo:applications/*,",
		}
	case "TextractDetectAnalyzePolicy":
		return []string{"textract: DetectDocumentText StartDocumentTextDetection StartDocumentAnalysis AnalyzeDocument -> *"}
	case "TextractGetResultPolicy":
		return []string{"textract: GetDocumentTextDetection GetDocumentAnalysis -> *"}
	case "TextractPolicy":
		return []string{"textract: * -> *"}
	}
	return nil
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
	for _, line := range templateStatements(name) {
		service, rest, _ := strings.Cut(line, ": ")
		actions, resources, _ := strings.Cut(rest, " -> ")
		resources, condition, conditional := strings.Cut(resources, " if ")
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
		if conditional {
			key, value, _ := strings.Cut(condition, " ")
			st["Condition"] = object{"StringEquals": object{key: m.policyResource(value, values, used, &missing)}}
		}
		statements = append(statements, st)
	}
	if len(missing) > 0 {
		sort.Strings(missing)
		refuseProperty(m.id, "Policies", "Following required parameters of template '%s' don't have values: ['%s']", name, strings.Join(missing, "', '"))
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
		variable, name, renamed := strings.Cut(text[i+1:end], "=")
		if !renamed {
			name = variable
			variable = strings.ToLower(name[:1]) + name[1:]
		}
		v, ok := values[name]
		if !ok && !used[name] {
			*missing = append(*missing, name)
		}
		used[name] = true
		variables[variable] = v
		b.WriteString(text[:i] + "${" + variable + "}")
		text = text[end+1:]
	}
}
