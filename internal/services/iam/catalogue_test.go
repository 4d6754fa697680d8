package iam

import (
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/policy"
)

// TestCatalogue reads every policy that AWS manages and asks some what they are for.
func TestCatalogue(t *testing.T) {
	c := newCatalogue()
	seen := map[string]bool{}
	for _, p := range c.all() {
		arn := p.policyARN("")
		if c.byARN(arn) != p || !strings.HasPrefix(arn, awsPrefix) || seen[p.ID] || len(p.ID) != 21 {
			t.Errorf("%s has the id %s", arn, p.ID)
		}
		seen[p.ID] = true
		doc, err := policy.Parse([]byte(p.active().Document))
		if err == nil {
			err = policy.ValidateManaged(doc)
		}
		if err != nil {
			t.Errorf("%s: %v", arn, err)
		}
	}
	for _, q := range []struct {
		name, action string
		want         bool
	}{
		{"AdministratorAccess", "iam:CreateUser", true},
		{"PowerUserAccess", "dynamodb:PutItem", true},
		{"PowerUserAccess", "iam:CreateUser", false},
		{"ReadOnlyAccess", "s3:GetObject", true},
		{"ReadOnlyAccess", "s3:PutObject", false},
		{"ReadOnlyAccess", "sqs:DeleteMessage", false},
		{"ReadOnlyAccess", "secretsmanager:GetSecretValue", false},
		{"ReadOnlyAccess", "sts:AssumeRole", false},
		{"ReadOnlyAccess", "lambda:InvokeFunction", false},
		{"AmazonS3ReadOnlyAccess", "s3:ListBucket", true},
		{"AmazonS3ReadOnlyAccess", "s3:DeleteObject", false},
		{"AmazonDynamoDBReadOnlyAccess", "dynamodb:Query", true},
		{"AmazonDynamoDBReadOnlyAccess", "dynamodb:UpdateItem", false},
		{"service-role/AWSLambdaBasicExecutionRole", "logs:PutLogEvents", true},
		{"service-role/AWSLambdaBasicExecutionRole", "logs:DeleteLogGroup", false},
		{"service-role/AWSLambdaSQSQueueExecutionRole", "sqs:ReceiveMessage", true},
		{"AWSXRayDaemonWriteAccess", "xray:PutTraceSegments", true},
	} {
		p := c.byARN(awsPrefix + q.name)
		if p == nil {
			t.Errorf("%s is missing", q.name)
			continue
		}
		doc := mustParse(p.active().Document)
		rq := policy.Request{Principal: policy.Principal{Kind: policy.User, Account: "000000000000"}, Action: q.action, Resource: "arn:aws:x:::y"}
		if d := policy.Evaluate(&rq, &policy.Sets{Identity: []*policy.Policy{doc}}); d.Allowed != q.want {
			t.Errorf("%s on %s: %v", q.name, q.action, d.Allowed)
		}
	}
}

func TestEncode(t *testing.T) {
	if got := *encode("a b+*~-_./é\n"); got != "a%20b%2B%2A~-_.%2F%C3%A9%0A" {
		t.Error(got)
	}
}

func FuzzAccountOf(f *testing.F) {
	f.Add("AKIAQAAAAAAANFUCUXW4")
	f.Add("ASIA3333333333333333")
	f.Add("")
	f.Fuzz(func(t *testing.T, id string) {
		if a, ok := accountOf(id); ok && !isAccount(a) {
			t.Errorf("%q gives %q", id, a)
		}
	})
}
