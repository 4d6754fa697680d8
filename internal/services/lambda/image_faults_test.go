//go:build linux && (amd64 || arm64)

package lambda

import (
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
)

// TestImageFaults: settings and images whose program cannot be started are told to
// the caller and in the log in AWS's words.
func TestImageFaults(t *testing.T) {
	y := newYard(t)
	more := files(t, entry{"bin/text", "no program", 0o755}, entry{"bin/plain", "no program", 0}, entry{"bin/lost", "#!/bin/none\n", 0o755})
	uri := y.push("shop:v1", built(t, func(c *v1.Config) { c.Entrypoint = []string{"/bin/serve"} }, base(t), more))
	for i, c := range []struct {
		config     api.ImageConfig
		kind, says string
	}{
		{api.ImageConfig{WorkingDirectory: new("/none")}, "Runtime.InvalidWorkingDir", "chdir /none: no such file or directory"},
		{api.ImageConfig{WorkingDirectory: new("/srv/base.txt")}, "Runtime.InvalidWorkingDir", "chdir /srv/base.txt: not a directory"},
		{api.ImageConfig{EntryPoint: []string{"/bin/none"}}, "Runtime.InvalidEntrypoint", "fork/exec /bin/none: no such file or directory"},
		{api.ImageConfig{EntryPoint: []string{"none"}}, "Runtime.InvalidEntrypoint", "fork/exec none: no such file or directory"},
		{api.ImageConfig{EntryPoint: []string{"/bin/plain"}}, "Runtime.InvalidEntrypoint", "fork/exec /bin/plain: permission denied"},
		{api.ImageConfig{EntryPoint: []string{"/bin/text"}}, "Runtime.InvalidEntrypoint", "fork/exec /bin/text: exec format error"},
		{api.ImageConfig{EntryPoint: []string{"/bin/lost"}}, "Runtime.InvalidEntrypoint", "fork/exec /bin/lost: no such file or directory"},
		{api.ImageConfig{EntryPoint: []string{"/srv"}}, "Runtime.InvalidEntrypoint", "fork/exec /srv: permission denied"},
	} {
		name := "f" + strconv.Itoa(i)
		if _, err := y.image(name, uri, func(in *api.CreateFunctionRequest) { in.ImageConfig = &c.config }); err != nil {
			t.Fatal(err)
		}
		out, err := y.invoke(name, "{}")
		if err != nil {
			t.Errorf("%s: %v", c.says, err)
			continue
		}
		if out.FunctionError == nil || !strings.Contains(string(out.Payload), c.kind) || !strings.Contains(string(out.Payload), c.says) {
			t.Errorf("%s: %s", c.says, out.Payload)
		}
		if l := logTail(t, out); !strings.Contains(l, "Status: error\tError Type: "+c.kind) {
			t.Errorf("%s: log %q", c.says, l)
		}
	}
}
