// Package sam is the transform AWS::Serverless-2016-10-31: it turns the
// AWS::Serverless types of a template into the CloudFormation types that they
// stand for. It is pure: a template and parameter values in, a template out.
//
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html
//
// Logical ids are those that AWS's transform makes, but for the suffix of an
// API's deployment: it is a hash of the API's definition as with AWS, which hashes
// another spelling of it.
//
// What is there: Function, Api, HttpApi, WebSocketApi, SimpleTable, LayerVersion,
// Connector, StateMachine, CapacityProvider, GraphQLApi, Application (of a URL),
// Globals, every policy template; events of the types Api, HttpApi, S3, SNS, SQS,
// Kinesis, DynamoDB, MSK, SelfManagedKafka, MQ, DocumentDB, Schedule, ScheduleV2,
// CloudWatchEvent, EventBridgeRule, CloudWatchLogs, Cognito, AlexaSkill, IoTRule.
// Applications of the Serverless Application Repository and AlwaysDeploy are refused
// by name. What there is no room for fails the stack later, by the type that it became.
//
// What a template gets wrong is told in AWS's words, resource by resource in the
// order in which the transform works on them: functions, state machines, APIs, the
// rest, connectors; among these in the template's order, or in that of a hash table
// (see hashOrder) where the template has a REST API.
//
// Where AWS's transform loses something, this one keeps it: the tags of a bucket of
// its own whose function propagates tags, the records of other APIs in the zone of a
// WebSocket API, the fraction of a capacity provider's ratio of memory, the Sync of a
// resolver. Two routes of a WebSocket API that would have the same logical id, and a
// private domain's Route53 without an endpoint to point at, are refused.
package sam
