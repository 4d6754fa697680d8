package cloudformation

import (
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
)

func TestLocal(t *testing.T) {
	in := call.Incoming{Scheme: "http", Host: "127.0.0.1:4566"}
	for _, c := range []struct{ text, want string }{
		{"https://abc123.execute-api.us-east-1.amazonaws.com/Prod/x", "http://abc123.execute-api.localhost:4566/Prod/x"},
		{"https://abc123.execute-api.cn-north-1.amazonaws.com.cn/Prod", "http://abc123.execute-api.localhost:4566/Prod"},
		{"http://my.site.s3-website-us-east-1.amazonaws.com", "http://my.site.s3-website.localhost:4566"},
		{"http://site.s3-website.eu-central-1.amazonaws.com/", "http://site.s3-website.localhost:4566/"},
		{"https://u1.lambda-url.us-east-1.on.aws/", "http://u1.lambda-url.localhost:4566/"},
		{"origins: https://a.execute-api.us-east-1.amazonaws.com, https://b.execute-api.us-east-1.amazonaws.com", "origins: http://a.execute-api.localhost:4566, http://b.execute-api.localhost:4566"},
		{"arn:aws:execute-api:us-east-1:000000000000:abc/Prod/GET/x", "arn:aws:execute-api:us-east-1:000000000000:abc/Prod/GET/x"},
		{"lambda.amazonaws.com", "lambda.amazonaws.com"},
		{"https://sqs.us-east-1.amazonaws.com/1/q", "https://sqs.us-east-1.amazonaws.com/1/q"},
	} {
		if got := local(c.text, in); got != c.want {
			t.Errorf("%s became %v, want %s", c.text, got, c.want)
		}
	}
	nested := local(map[string]any{"a": []any{"https://x.execute-api.us-east-1.amazonaws.com", 1.5}}, call.Incoming{Scheme: "http", Host: "localhost.localstack.cloud:4566"})
	if got := nested.(map[string]any)["a"].([]any)[0]; got != "http://x.execute-api.localhost.localstack.cloud:4566" {
		t.Errorf("nested: %v", got)
	}
}
