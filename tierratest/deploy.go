package tierratest

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/dev/build"
	"github.com/tierra-cloud/tierra/internal/dev/client"
	"github.com/tierra-cloud/tierra/internal/dev/deploy"
	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
)

// Deploy builds and deploys an application as `tierra up` does, as a new stack
// that is named after the test, and returns the stack's outputs. The template is
// a file, a folder with a template.yaml, or the template's text, whose paths then
// start from the current folder. Parameters are "Name=value". The test fails,
// with the stack's events, if the stack does.
func (s *Server) Deploy(t testing.TB, template string, parameters ...string) map[string]string {
	t.Helper()
	return s.DeployStack(t, fmt.Sprintf("%s-%d", stackName(t.Name()), s.stacks.Add(1)), template, parameters...)
}

// DeployStack is Deploy to the stack of a given name, which is updated if it is
// there already.
func (s *Server) DeployStack(t testing.TB, stack, template string, parameters ...string) map[string]string {
	t.Helper()
	given := map[string]string{}
	for _, p := range parameters {
		k, v, ok := strings.Cut(p, "=")
		if !ok {
			t.Fatalf("tierratest: the parameter %q is not Name=value", p)
		}
		given[k] = v
	}
	key, secret := s.Credentials()
	u := &deploy.Up{
		Client: client.New(s.Endpoint(), s.Region(), sigv4.Credentials{AccessKey: key, Secret: secret}),
		// A stack at a time is built in its folder of the cache; tests run in parallel.
		Builder: &build.Builder{Cache: filepath.Join(s.dir, "build", stack), Run: build.Command},
		Report:  &reporter{t}, Stack: stack, Parameters: given, Account: s.Account(), Path: template,
	}
	if strings.ContainsAny(template, "\n{") {
		u.Path, u.Text = ".", template
	}
	done, err := u.Deploy(t.Context())
	if err != nil {
		t.Fatalf("tierratest: deploy %s: %v", stack, err)
	}
	outputs := map[string]string{}
	for _, o := range done.Outputs {
		outputs[o.Key] = o.Value
	}
	return outputs
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9]+`)

// stackName makes a stack's name of a test's: the last 100 bytes of it at most.
func stackName(test string) string {
	n := strings.Trim(notInNames.ReplaceAllString(test, "-"), "-")
	if len(n) > 100 {
		n = "T" + n[len(n)-99:]
	}
	return n
}

// reporter writes what matters of a deployment to the test's log.
type reporter struct{ t testing.TB }

func (r *reporter) Step(string)             {}
func (r *reporter) Line(string, string)     {}
func (r *reporter) Changes([]client.Change) {}
func (r *reporter) Done(text string)        { r.t.Helper(); r.t.Log(text) }
func (r *reporter) Problem(err error)       { r.t.Helper(); r.t.Error(err) }

func (r *reporter) Event(e client.Event) {
	r.t.Helper()
	if strings.HasSuffix(e.Status, "_FAILED") {
		r.t.Logf("%s %s %s: %s", e.Status, e.LogicalID, e.Type, e.Reason)
	}
}

var _ deploy.Reporter = (*reporter)(nil)
