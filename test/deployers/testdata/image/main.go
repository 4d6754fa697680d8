// Bootstrap answers every event with what it finds in its image.
package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		r, err := http.Get(base + "next")
		if err != nil {
			os.Exit(1)
		}
		event, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			os.Exit(1)
		}
		greeting, err := os.ReadFile("greeting.txt")
		if err != nil {
			greeting = []byte(err.Error())
		}
		answer, err := json.Marshal(map[string]any{"greeting": strings.TrimSpace(string(greeting)), "command": os.Args[1:], "event": json.RawMessage(event)})
		if err != nil {
			os.Exit(1)
		}
		w, err := http.Post(base+r.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "application/json", strings.NewReader(string(answer)))
		if err != nil {
			os.Exit(1)
		}
		w.Body.Close()
	}
}
