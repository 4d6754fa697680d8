// Command gofunc is a function on the official Go client, for the tests.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do string `json:"do"`
	N  int    `json:"n"`
}

type failed struct{ why string }

func (f failed) Error() string { return f.why }

var count int

func handle(ctx context.Context, e event) (any, error) {
	count++
	switch e.Do {
	case "count":
		return count, nil
	case "error":
		return nil, errors.New("no luck")
	case "typed":
		return nil, failed{"no luck"}
	case "panic":
		panic("oh")
	case "exit":
		os.Exit(e.N)
	case "loop":
		fmt.Println("looping")
		for {
			time.Sleep(time.Second)
		}
	case "big":
		return strings.Repeat("x", e.N), nil
	case "log":
		fmt.Println("one\ntwo")
		fmt.Fprint(os.Stderr, "three")
	case "child":
		return nil, exec.Command("sleep", "86399.875").Start()
	case "context":
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, ok := ctx.Deadline()
		return map[string]any{
			"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "identity": lc.Identity.CognitoIdentityID,
			"custom": lc.ClientContext.Custom, "deadline": deadline.UnixMilli(), "ok": ok, "trace": os.Getenv("_X_AMZN_TRACE_ID"),
		}, nil
	}
	return e, nil
}

func main() {
	switch os.Getenv("AT_START") {
	case "exit":
		os.Exit(3)
	case "loop":
		select {}
	}
	lambda.Start(handle)
}
