// A custom runtime for the tests: it does what the event says.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type event struct {
	Do     string        `json:"do"`
	Text   string        `json:"text"`
	Wait   time.Duration `json:"wait"` // milliseconds
	URL    string        `json:"url"`
	Number int           `json:"number"`
}

var calls int

func main() {
	if os.Getenv("FAIL_INIT") != "" {
		fmt.Println("giving up")
		os.Exit(3)
	}
	if strings.HasPrefix(os.Args[0], "/opt/extensions/") {
		extend()
	}
	if url := os.Getenv("CALL_INIT"); url != "" {
		res, err := http.Get(url)
		if err != nil {
			fmt.Println(err)
			os.Exit(4)
		}
		res.Body.Close()
	}
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		res, err := http.Get(api + "next")
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		id := res.Header.Get("Lambda-Runtime-Aws-Request-Id")
		out, err := handle(body, res.Header)
		path := id + "/response"
		if err != nil {
			path = id + "/error"
			out = map[string]string{"errorType": "TestError", "errorMessage": err.Error()}
		}
		b, err := json.Marshal(out)
		if err != nil {
			panic(err)
		}
		r, err := http.Post(api+path, "application/json", bytes.NewReader(b))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		io.Copy(io.Discard, r.Body) // or the connection is not used again
		r.Body.Close()
		res.Body.Close()
	}
}

func handle(body []byte, h http.Header) (any, error) {
	calls++
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, err
	}
	switch e.Do {
	case "count":
		return map[string]any{"calls": calls, "pid": os.Getpid()}, nil
	case "env":
		env := map[string]string{}
		for _, kv := range os.Environ() {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		return env, nil
	case "print":
		fmt.Println(e.Text)
		return e.Text, nil
	case "context":
		return map[string]string{"client": h.Get("Lambda-Runtime-Client-Context"), "arn": h.Get("Lambda-Runtime-Invoked-Function-Arn"), "trace": h.Get("Lambda-Runtime-Trace-Id")}, nil
	case "exit":
		os.Exit(e.Number)
	case "wait":
		fmt.Println("waiting")
		time.Sleep(e.Wait * time.Millisecond)
		return "waited", nil
	case "call":
		res, err := http.Get(e.URL)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return string(b), err
	case "memory":
		var all [][]byte
		for i := 0; i < e.Number; i++ {
			b := make([]byte, 1<<20)
			for j := range b {
				b[j] = byte(j)
			}
			all = append(all, b)
		}
		return len(all), nil
	case "fail":
		return nil, fmt.Errorf("%s", e.Text)
	case "file":
		b, err := os.ReadFile(e.Text)
		return string(b), err
	case "write":
		return nil, os.WriteFile(e.Text, make([]byte, e.Number), 0o600)
	}
	return json.RawMessage(body), nil
}

// extend is an external extension that says what events it gets.
func extend() {
	root := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2020-01-01/extension/"
	id := ""
	ask := func(method, path, body string) string {
		rq, err := http.NewRequest(method, root+path, strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		rq.Header.Set("Lambda-Extension-Name", filepath.Base(os.Args[0]))
		rq.Header.Set("Lambda-Extension-Identifier", id)
		res, err := http.DefaultClient.Do(rq)
		if err != nil {
			panic(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			panic(err)
		}
		id = res.Header.Get("Lambda-Extension-Identifier")
		return string(b)
	}
	ask("POST", "register", `{"events":["INVOKE"]}`)
	own := id
	for {
		id = own
		if event := ask("GET", "event/next", ""); strings.Contains(event, "INVOKE") {
			fmt.Println("extended")
		}
	}
}
