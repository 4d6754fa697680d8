package sam

// profile says what a connector between two types stands for.
type profile struct {
	how connection
	// service is the principal of a permission or of a resource's policy.
	service string
	// from is the SourceArn of a permission.
	from   string
	grants []grant
	// valid lists the combinations of permissions that may be asked for; nil: any.
	valid [][]string
	// first is what has to wait for the policy: "mapping" for the event source
	// mappings between the two, "source" for the source.
	first string
}

type connection uint8

const (
	sourceRole      connection = iota // a policy of the source's role
	destinationRole                   // a policy of the destination's role
	permission                        // a permission of the destination, a function
	topicPolicy                       // a policy of the destination, a topic
	queuePolicy                       // a policy of the destination, a queue
)

// grant is one statement: "service:Action Action -> resources", in which S and D
// stand for the ARNs of source and destination and {Name} for the destination's
// name.
type grant struct{ category, text string }

const (
	executions = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:{Name}:*"
	syncRule   = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
	apiOfThis  = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:{Id}/{Qualifier}"
)

// profiles are the pairs of types that connectors know.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/reference-sam-connector.html
func profiles(source, destination string) (profile, bool) {
	readObjects := grant{"Read", "s3:GetObject GetObjectAcl GetObjectLegalHold GetObjectRetention GetObjectTorrent GetObjectVersion GetObjectVersionAcl " +
		"GetObjectVersionForReplication GetObjectVersionTorrent ListBucket ListBucketMultipartUploads ListBucketVersions ListMultipartUploadParts -> D D/*"}
	writeObjects := grant{"Write", "s3:AbortMultipartUpload DeleteObject DeleteObjectVersion PutObject PutObjectLegalHold PutObjectRetention RestoreObject -> D D/*"}
	readItems := grant{"Read", "dynamodb:GetItem Query Scan BatchGetItem ConditionCheckItem PartiQLSelect -> D D/index/*"}
	writeItems := grant{"Write", "dynamodb:PutItem UpdateItem DeleteItem BatchWriteItem PartiQLDelete PartiQLInsert PartiQLUpdate -> D D/index/*"}
	invoke := grant{"Write", "lambda:InvokeAsync InvokeFunction -> D"}
	publish := grant{"Write", "sns:Publish -> D"}
	putEvents := grant{"Write", "events:PutEvents -> D"}
	start := grant{"Write", "states:StartExecution -> D"}
	stop := grant{"Write", "states:StopExecution -> " + executions}
	write := []grant{{"Write", ""}}

	p, ok := map[string]profile{
		"Lambda::Function Lambda::Function": {grants: []grant{invoke}},
		"Lambda::Function S3::Bucket":       {grants: []grant{readObjects, writeObjects}},
		"Lambda::Function DynamoDB::Table":  {grants: []grant{readItems, writeItems}},
		"Lambda::Function SQS::Queue": {grants: []grant{{"Read", "sqs:ReceiveMessage GetQueueAttributes -> D"},
			{"Write", "sqs:DeleteMessage SendMessage ChangeMessageVisibility PurgeQueue -> D"}}},
		"Lambda::Function SNS::Topic":       {grants: []grant{publish}},
		"Lambda::Function Events::EventBus": {grants: []grant{putEvents}},
		"Lambda::Function StepFunctions::StateMachine": {grants: []grant{{"Write", "states:StartExecution StartSyncExecution -> D"}, stop,
			{"Read", "states:DescribeStateMachine ListExecutions -> D"},
			{"Read", "states:DescribeExecution DescribeStateMachineForExecution GetExecutionHistory -> " + executions}}},
		"Lambda::Function Location::PlaceIndex": {grants: []grant{
			{"Read", "geo:DescribePlaceIndex GetPlace SearchPlaceIndexForPosition SearchPlaceIndexForSuggestions SearchPlaceIndexForText -> D"}}},

		"StepFunctions::StateMachine Lambda::Function": {grants: []grant{invoke}},
		"StepFunctions::StateMachine S3::Bucket":       {grants: []grant{readObjects, writeObjects}},
		"StepFunctions::StateMachine DynamoDB::Table":  {grants: []grant{readItems, writeItems}},
		"StepFunctions::StateMachine SQS::Queue":       {grants: []grant{{"Write", "sqs:SendMessage -> D"}}},
		"StepFunctions::StateMachine SNS::Topic":       {grants: []grant{publish}},
		"StepFunctions::StateMachine Events::EventBus": {grants: []grant{putEvents}},
		"StepFunctions::StateMachine StepFunctions::StateMachine": {first: "source", valid: [][]string{{"Read"}, {"Read", "Write"}}, grants: []grant{
			{"Read", "states:DescribeExecution -> " + executions}, {"Read", "events:DescribeRule -> " + syncRule},
			start, stop, {"Write", "events:PutTargets PutRule -> " + syncRule}}},

		"Events::Rule Events::EventBus":            {grants: []grant{putEvents}},
		"Events::Rule StepFunctions::StateMachine": {grants: []grant{start}},
		"Events::Rule Lambda::Function":            {how: permission, service: "events", from: "S", grants: write},
		"Events::Rule SNS::Topic":                  {how: topicPolicy, service: "events", grants: write},
		"Events::Rule SQS::Queue":                  {how: queuePolicy, service: "events", grants: write},

		"SNS::Topic Lambda::Function":          {how: permission, service: "sns", from: "S", grants: write},
		"SNS::Topic SQS::Queue":                {how: queuePolicy, service: "sns", grants: write},
		"S3::Bucket Lambda::Function":          {how: permission, service: "s3", from: "S", grants: write},
		"ApiGateway::RestApi Lambda::Function": {how: permission, service: "apigateway", from: apiOfThis, grants: write},
		"ApiGatewayV2::Api Lambda::Function":   {how: permission, service: "apigateway", from: apiOfThis, grants: write},
		"AppSync::DataSource Lambda::Function": {grants: []grant{{"Write", "lambda:InvokeAsync InvokeFunction -> D D:*"}}},
		"AppSync::DataSource DynamoDB::Table":  {grants: []grant{readItems, writeItems}},
		"AppSync::GraphQLApi Lambda::Function": {how: permission, service: "appsync", grants: write,
			from: "arn:${AWS::Partition}:appsync:${AWS::Region}:${AWS::AccountId}:apis/{Id}"},
		"SQS::Queue Lambda::Function": {how: destinationRole, first: "mapping", valid: [][]string{{"Read", "Write"}}, grants: []grant{
			{"Write", "sqs:DeleteMessage -> S"}, {"Read", "sqs:ReceiveMessage GetQueueAttributes -> S"}}},
		"DynamoDB::Table Lambda::Function": {how: destinationRole, first: "mapping", grants: []grant{
			{"Read", "dynamodb:DescribeStream GetRecords GetShardIterator ListStreams -> S/stream/*"}}},
	}[source+" "+destination]
	return p, ok
}
