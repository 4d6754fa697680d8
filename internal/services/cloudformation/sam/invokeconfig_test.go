package sam

import (
	"reflect"
	"testing"
)

// TestEventInvokeConfig makes the destinations that have no ARN, and lets the
// function's role send to all of them.
func TestEventInvokeConfig(t *testing.T) {
	got, err := Transform(load(t, `
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      {Runtime: nodejs22.x, Handler: i.h, InlineCode: x, AutoPublishAlias: live, EventInvokeConfig: {MaximumRetryAttempts: 1,
       DestinationConfig: {OnSuccess: {Type: SQS}, OnFailure: {Type: Lambda, Destination: arn}}}}
`), Input{Region: "us-east-1", Partition: "aws"})
	if err != nil {
		t.Fatal(err)
	}
	resources := got["Resources"].(object)
	want := object{"FunctionName": ref("F"), "Qualifier": "live", "MaximumRetryAttempts": int64(1), "DestinationConfig": object{
		"OnSuccess": object{"Destination": getAtt("FEventInvokeConfigOnSuccessQueue", "Arn")}, "OnFailure": object{"Destination": "arn"},
	}}
	if config := resources["FEventInvokeConfig"].(object); !reflect.DeepEqual(config["Properties"], want) {
		t.Errorf("got %v, want %v", config["Properties"], want)
	}
	if _, ok := resources["FEventInvokeConfigOnSuccessQueue"]; !ok {
		t.Error("the queue is not made")
	}
	policies := properties(resources["FRole"].(object))["Policies"].([]any)
	if len(policies) != 2 {
		t.Errorf("the role has the policies %v", policies)
	}
}
