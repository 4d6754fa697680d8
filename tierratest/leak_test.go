package tierratest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/tierratest"
)

// listing is one function of examples/tickets, with its route and its table: to build
// all of them is what takes the longest in a test.
const listing = `
Transform: AWS::Serverless-2016-10-31
Resources:
  Tickets: {Type: AWS::Serverless::SimpleTable, Properties: {PrimaryKey: {Name: id, Type: String}}}
  List:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: go1.x}
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      Timeout: 25
      CodeUri: ../examples/tickets/functions
      Environment: {Variables: {TABLE: !Ref Tickets}}
      Policies: [{DynamoDBReadPolicy: {TableName: !Ref Tickets}}]
      Events: {List: {Type: Api, Properties: {Path: /tickets, Method: get}}}
Outputs:
  Api: {Value: !Sub "https://${ServerlessRestApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/Prod"}
`

// TestNothingIsLeft holds that a test's end leaves neither goroutines nor processes
// nor files of its server. It is not parallel, so that no other test has a server.
func TestNothingIsLeft(t *testing.T) {
	// As in Start: the path of t.TempDir can be too long for the sockets of functions.
	temporary, err := os.MkdirTemp("", "left-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temporary)
	t.Setenv("TMPDIR", temporary)
	before := runtime.NumGoroutine()
	t.Run("server", func(t *testing.T) {
		s := tierratest.Start(t)
		rs, err := s.HTTP().Get(s.Deploy(t, listing)["Api"] + "/tickets")
		if err != nil {
			t.Fatal(err)
		}
		rs.Body.Close()
		if rs.StatusCode != http.StatusOK {
			t.Error(rs.Status)
		}
		if _, err := os.Stat("/proc/thread-self/children"); err == nil && children(t) == "" {
			t.Error("functions run, and there is no process of theirs")
		}
	})
	deadline := time.Now().Add(30 * time.Second)
	for runtime.NumGoroutine() > before || children(t) != "" {
		if time.Now().After(deadline) {
			_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
			t.Fatalf("there were %d goroutines and are %d; the processes [%s] are left", before, runtime.NumGoroutine(), children(t))
		}
		time.Sleep(10 * time.Millisecond)
	}
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}

// children are the ids of this process's children, where the system tells them.
func children(t *testing.T) string {
	t.Helper()
	paths, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, p := range paths {
		text, _ := os.ReadFile(p) // its thread may have ended
		all += string(text)
	}
	return strings.TrimSpace(all)
}
