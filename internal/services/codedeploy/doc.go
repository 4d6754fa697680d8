// Package codedeploy is the room of AWS CodeDeploy, for the Lambda platform: it moves
// the traffic of an alias from one version of a function to another, at once or in
// steps, with functions that are asked before and after.
//
// https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-steps-lambda.html
//
// A deployment is a record that says in which phase it is, how much traffic it has
// moved, and when it goes on. It is driven in the background on the platform's clock
// and goes on after a crash where it stood. Aliases are moved and hooks invoked as the
// service role of the deployment group. A hook's function answers with
// PutLifecycleEventHookExecutionStatus within an hour; it may be asked twice if the
// server ends just after it asked.
//
// # Rollback
//
// A deployment that fails, or is stopped, leaves the traffic as it is, unless the
// group's AutoRollbackConfiguration, or StopDeployment's autoRollbackEnabled, asks
// for a rollback: a deployment of its own then gives the alias back to the version
// that it had.
//
// # Refused by name
//
// The platforms Server and ECS, alarms (there are no CloudWatch alarms yet),
// triggers (there is no SNS yet), revisions on GitHub, and all members that only
// those take.
package codedeploy
