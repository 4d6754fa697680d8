// Command bootstrap speaks the Runtime API by hand. It answers through API
// Gateway's proxy integration, and fails or takes its time when it is
// asked to.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package main

import (
	"bytes"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	post := func(path string, answer any) {
		body, err := json.Marshal(answer)
		if err != nil {
			log.Fatal(err)
		}
		rs, err := http.Post(base+path, "application/json", bytes.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		_ = rs.Body.Close()
	}
	for {
		rs, err := http.Get(base + "next")
		if err != nil {
			log.Fatal(err)
		}
		var rq struct {
			Path, Fail string
			Sleep      int // seconds
		}
		err = json.NewDecoder(rs.Body).Decode(&rq)
		_ = rs.Body.Close()
		id := rs.Header.Get("Lambda-Runtime-Aws-Request-Id")
		log.Printf("asked for %q", rq.Path)
		time.Sleep(time.Duration(rq.Sleep) * time.Second)
		switch {
		case err != nil:
			post(id+"/error", map[string]string{"errorMessage": err.Error(), "errorType": "Malformed"})
		case rq.Fail != "":
			post(id+"/error", map[string]string{"errorMessage": rq.Fail, "errorType": "errorString"})
		default:
			body, err := json.Marshal(map[string]string{"hello": rq.Path})
			if err != nil {
				log.Fatal(err)
			}
			post(id+"/response", map[string]any{"statusCode": 200, "headers": map[string]string{"Content-Type": "application/json"}, "body": string(body)})
		}
	}
}
