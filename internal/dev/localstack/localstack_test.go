package localstack

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestRead tells what variables ask for, and which are refused.
func TestRead(t *testing.T) {
	for env, want := range map[string]Settings{
		"":                                {},
		"HOME=/root PATH=/bin":            {},
		"GATEWAY_LISTEN=127.0.0.1":        {Listen: "127.0.0.1:4566"},
		"GATEWAY_LISTEN=:4600":            {Listen: ":4600"},
		"EDGE_PORT=4600":                  {Listen: "0.0.0.0:4600"},
		"PERSISTENCE=1":                   {Persist: true},
		"LOCALSTACK_PERSISTENCE=1":        {Persist: true},
		"DATA_DIR=/tmp/localstack/data":   {Persist: true},
		"DEBUG=1":                         {Log: "debug"},
		"DEBUG=0":                         {},
		"DEBUG=1 LS_LOG=warning":          {Log: "warn"},
		"ENFORCE_IAM=1":                   {Auth: "enforce"},
		"ENFORCE_IAM=0":                   {Auth: "off"},
		"ENFORCE_IAM=1 IAM_SOFT_MODE=1":   {Auth: "audit"},
		"SERVICES=s3,dynamodb:4569":       {Services: []string{"s3", "dynamodb"}},
		"LAMBDA_DOCKER_FLAGS= USE_SSL=1":  {Unused: []string{"LAMBDA_DOCKER_FLAGS", "USE_SSL"}},
		"LOCALSTACK_HOST=localhost:4566":  {Unused: []string{"LOCALSTACK_HOST"}},
		"DISABLE_CORS_CHECKS=0":           {},
		"LOCALSTACK_HOSTNAME=a DEBUG=no":  {Unused: []string{"LOCALSTACK_HOSTNAME"}},
		"LOCALSTACK_AUTH_TOKEN=ls-secret": {Unused: []string{"LOCALSTACK_AUTH_TOKEN"}},
	} {
		if got, err := Read(strings.Fields(env)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", env, got, err)
		}
	}
	for env, says := range map[string]string{
		"GATEWAY_LISTEN=0.0.0.0:4566,0.0.0.0:443": "listens at one address",
		"GATEWAY_LISTEN=a:b:c":                    "GATEWAY_LISTEN=a:b:c",
		"LS_LOG=loud":                             "LS_LOG=loud is not one of",
		"DISABLE_CORS_CHECKS=1":                   "DISABLE_CORS_CHECKS asks for what Tierra has not",
		"LOCALSTACK_LAMBDA_KEEPALIVE_MS=100":      "LAMBDA_KEEPALIVE_MS asks for",
	} {
		if _, err := Read(strings.Fields(env)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", env, err)
		}
	}
}

// TestHooks runs hooks stage by stage, in the order of their names.
func TestHooks(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"ready.d/b.sh": "echo b $WHO", "ready.d/a.sh": "echo a $WHO; exit 3", "ready.d/more/c.sh": "echo c", "ready.d/read.me": "echo no", "boot.d/x.sh": "echo x",
	} {
		p := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(p), 0o700)
		if err == nil {
			err = os.WriteFile(p, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// This one can be executed, but does not say by what.
	if err := os.Chmod(filepath.Join(dir, "ready.d/more/c.sh"), 0o700); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	h, err := Find(dir, &out)
	if err != nil {
		t.Fatal(err)
	}
	h.Run(t.Context(), "BOOT", os.Environ())
	if out.String() != "x\n" {
		t.Errorf("at boot: %s", &out)
	}
	h.Run(t.Context(), "READY", append(os.Environ(), "WHO=there"))
	if got := out.String(); !strings.HasPrefix(got, "x\na there\nThe init hook ") || !strings.HasSuffix(got, "exit status 3\nb there\nc\n") {
		t.Errorf("in the end: %s", got)
	}
	doc, err := json.Marshal([]any{h.Report(""), h.Report("READY"), h.Report("SHUTDOWN"), h.Report("NEVER")})
	want := `[{"completed":{"BOOT":true,"READY":true,"SHUTDOWN":false,"START":false},"scripts":[` +
		`{"stage":"BOOT","name":"x.sh","state":"SUCCESSFUL"},{"stage":"READY","name":"a.sh","state":"ERROR"},{"stage":"READY","name":"b.sh","state":"SUCCESSFUL"},{"stage":"READY","name":"c.sh","state":"SUCCESSFUL"}]},` +
		`{"completed":true,"scripts":[{"stage":"READY","name":"a.sh","state":"ERROR"},{"stage":"READY","name":"b.sh","state":"SUCCESSFUL"},{"stage":"READY","name":"c.sh","state":"SUCCESSFUL"}]},` +
		`{"completed":false,"scripts":[]},null]`
	if err != nil || string(doc) != want {
		t.Errorf("%v\n%s\n%s", err, doc, want)
	}
	if none, err := Find(filepath.Join(dir, "nothing"), &out); err != nil || len(none.scripts) > 0 {
		t.Errorf("without a folder: %v", err)
	}
}
