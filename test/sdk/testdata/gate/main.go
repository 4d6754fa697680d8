// Command bootstrap is an account gate: it answers with the status that its
// environment says.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-account-gating.html
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		rs, err := http.Get(base + "next")
		if err != nil {
			log.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, rs.Body)
		_ = rs.Body.Close()
		rs, err = http.Post(base+rs.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "application/json", strings.NewReader(`{"Status":"`+os.Getenv("STATUS")+`"}`))
		if err != nil {
			log.Fatal(err)
		}
		_ = rs.Body.Close()
	}
}
