package sam

import (
	"slices"
	"testing"
)

// TestWebSocketIDs are the logical ids of what a WebSocket API becomes: with AWS, a
// route's has but its first letter large. Of its attributes only DependsOn is taken.
func TestWebSocketIDs(t *testing.T) {
	out, err := Transform(load(t, `Resources:
  Chat:
    Type: AWS::Serverless::WebSocketApi
    DependsOn: Topic
    DeletionPolicy: Retain
    Properties:
      RouteSelectionExpression: $request.body.action
      StageName: v1
      RouteSettings: {sendMessage: {ThrottlingBurstLimit: 3}}
      Routes: {sendMessage: {FunctionArn: f}}
  Topic: {Type: AWS::SNS::Topic}
`), Input{Region: "us-east-1", Partition: "aws"})
	if err != nil {
		t.Fatal(err)
	}
	resources := out["Resources"].(object)
	want := []string{"Chat", "ChatSendmessageIntegration", "ChatSendmessagePermission", "ChatSendmessageRoute", "Chatv1Stage", "Topic"}
	if got := keys(resources); !slices.Equal(got, want) {
		t.Errorf("the resources are %v, not %v", got, want)
	}
	api := resources["Chat"].(object)
	if properties(api)["Name"] != "Chat" || api["DependsOn"] != "Topic" || api["DeletionPolicy"] != nil {
		t.Errorf("the API is %v", api)
	}
	if stage := resources["Chatv1Stage"].(object); python(stage["DependsOn"]) != "['ChatSendmessageRoute']" {
		t.Errorf("the stage, whose settings name the route, depends on %v", stage["DependsOn"])
	}
}
