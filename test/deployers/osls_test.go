package deployers

import (
	"regexp"
	"strings"
	"testing"
)

// TestOsls deploys, changes, calls and removes a service of the Serverless
// Framework's open fork.
func TestOsls(t *testing.T) {
	t.Parallel()
	b := open(t, "osls", "osls", "SLS_TELEMETRY_DISABLED=1", "SLS_NOTIFICATIONS_MODE=off", "HOME="+t.TempDir())
	out := b.run("deploy")
	m := regexp.MustCompile(`endpoint: \S* ?- (http\S+)|(http\S+/dev)\b`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no address in:\n%s", out)
	}
	url := m[1] + m[2] + "/hello/you"
	if got := b.get(url); got != "hello you" {
		t.Errorf("hello: %q", got)
	}
	b.has(b.run("invoke", "-f", "hello", "-d", `{"pathParameters":{"name":"all"}}`), "hello all")
	b.has(b.run("logs", "-f", "hello"), "greeting somebody")
	b.edit("index.js", "hello $", "salve $")
	b.run("deploy", "function", "-f", "hello")
	b.until(url, "salve you")
	b.edit("index.js", "salve $", "ave $")
	b.run("deploy")
	b.until(url, "ave you")
	b.run("remove")
	if left := b.aws("cloudformation", "list-stacks", "--query", "StackSummaries[?StackStatus!=`DELETE_COMPLETE`].StackName"); strings.TrimSpace(left) != "[]" {
		t.Errorf("remove left stacks: %s", left)
	}
}
