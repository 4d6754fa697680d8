package sam

import "testing"

// TestConnectorRefuses words what is wrong with a connector as AWS does.
func TestConnectorRefuses(t *testing.T) {
	for connector, want := range map[string]string{
		`{Source: {Id: Q}, Destination: {Id: F}, Permissions: [Read]}`:                        "Unsupported 'Permissions' provided for connector from AWS::SQS::Queue to AWS::Lambda::Function; valid combinations are: Read + Write.",
		`{Source: {Id: F}, Destination: {Id: Q}, Permissions: [Fly]}`:                         "Unsupported 'Permissions' provided for connector from AWS::Lambda::Function to AWS::SQS::Queue; valid values are: Read, Write.",
		`{Source: {Id: F}, Destination: {Id: Q}, Permissions: []}`:                            "'Permissions' cannot be empty; valid values are: Read, Write.",
		`{Source: {Id: Q}, Destination: {Id: Q}, Permissions: [Write]}`:                       "Unable to create connector from AWS::SQS::Queue to AWS::SQS::Queue; it's not supported or the template is invalid.",
		`{Source: {Id: X}, Destination: {Id: Q}, Permissions: [Write]}`:                       "Unable to find resource with logical ID 'X'.",
		`{Source: {Type: AWS::Lambda::Function}, Destination: {Id: Q}, Permissions: [Write]}`: "Unable to get IAM role name from 'Source' resource.",
	} {
		_, err := Transform(load(t, `
Resources:
  F: {Type: AWS::Serverless::Function, Properties: {Runtime: nodejs22.x, Handler: i.h, InlineCode: x}}
  Q: {Type: AWS::SQS::Queue}
  C: {Type: AWS::Serverless::Connector, Properties: `+connector+`}
`), Input{Region: "us-east-1", Partition: "aws"})
		want = "Invalid Serverless Application Specification document. Number of errors found: 1. Resource with id [C] is invalid. " + want
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", connector, err, want)
		}
	}
}
