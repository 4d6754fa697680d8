// Command bootstrap answers through API Gateway's proxy integration, and fails
// when it is asked to.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"

	"github.com/aws/aws-lambda-go/lambda"
)

type request struct {
	Path string `json:"path"`
	Fail string `json:"fail"`
}

type response struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
}

func main() {
	lambda.Start(func(_ context.Context, rq request) (response, error) {
		log.Printf("asked for %q", rq.Path)
		if rq.Fail != "" {
			return response{}, errors.New(rq.Fail)
		}
		body, err := json.Marshal(map[string]string{"hello": rq.Path})
		return response{StatusCode: 200, Headers: map[string]string{"Content-Type": "application/json"}, Body: string(body)}, err
	})
}
