package apigateway

import (
	"context"
	"encoding/json"
	"regexp"
	"strconv"
)

// mockBackend answers by itself: what the request template makes says with which
// status code, and that selects an integration response.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html
type mockBackend struct{}

func (mockBackend) send(_ context.Context, _ *Service, x *exchange, out *outgoing) (*result, *failure) {
	status := mockStatus(out.body)
	if status == 0 {
		x.note = "the mock's request has no status code"
		return nil, misconfigure
	}
	return &result{selects: strconv.Itoa(status)}, nil
}

// looseStatus finds the status code in JSON whose name has no quotes, which AWS
// takes and the CDK writes.
var looseStatus = regexp.MustCompile(`^\s*\{\s*['"]?statusCode['"]?\s*:\s*['"]?([0-9]{3})['"]?\s*[,}]`)

// mockStatus reads the status code that a rendered request template, or a body
// that is passed through, asks for; 0 if it does not.
func mockStatus(text []byte) int {
	if m := looseStatus.FindSubmatch(text); m != nil {
		n, _ := strconv.Atoi(string(m[1])) // three digits
		return n
	}
	var v struct {
		StatusCode json.Number `json:"statusCode"`
	}
	if json.Unmarshal(text, &v) != nil {
		return 0
	}
	n, err := strconv.Atoi(v.StatusCode.String())
	if err != nil {
		return 0
	}
	return n
}
