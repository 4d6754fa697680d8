package deployers

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestSAM takes an application through its life with SAM CLI: validate, build,
// deploy with questions and then without, sync, watch, logs, invoke, delete.
func TestSAM(t *testing.T) {
	t.Parallel()
	b := open(t, "sam", "sam", "SAM_CLI_TELEMETRY=0")
	b.has(b.run("validate"), "is a valid SAM Template")
	b.has(b.run("build"), "Build Succeeded")
	// Name, region, Greeting, confirm changes, role creation, rollback, the two
	// functions without an authorizer, save to samconfig.toml, file, environment.
	out := b.answer("app\n\nsalve\nn\ny\nn\ny\ny\ny\n\n\n", "deploy", "--guided")
	b.has(out, "Successfully created/updated stack - app", "Saved arguments to config file")
	url := output(b, out)
	if got := b.get(url + "/hello"); got != "salve one" {
		t.Errorf("hello: %q", got)
	}
	if got := b.get(url + "/again"); got != "salve again" {
		t.Errorf("again: %q", got)
	}
	b.has(b.run("deploy", "--no-fail-on-empty-changeset"), "No changes to deploy")

	b.edit("hello/index.js", "one", "two")
	b.has(b.run("build"), "Build Succeeded")
	b.has(b.run("deploy"), "Successfully created/updated stack - app", "* Modify", "Hello")
	if got := b.get(url + "/hello"); got != "salve two" {
		t.Errorf("after a second deployment: %q", got)
	}
	b.has(b.run("remote", "invoke", "Again", "--stack-name", "app", "--event", "{}"), `"body": "salve again"`, "REPORT RequestId")
	b.has(b.run("logs", "--stack-name", "app"), "greeting somebody", "REPORT RequestId")
	b.has(b.run("list", "stack-outputs", "--stack-name", "app", "--output", "json"), url)
	b.has(b.run("list", "endpoints", "--stack-name", "app"), "/hello")

	tail := harness.Follow(t, append(b.env, "PYTHONUNBUFFERED=1"), b.dir, "", b.tool, "logs", "-n", "Hello", "--stack-name", "app", "-t")
	b.edit("hello/index.js", "greeting somebody", "greeting anybody")
	b.has(b.answer("y\n", "sync", "--code", "--stack-name", "app"), "Finished syncing Lambda Function Hello")
	b.get(url + "/hello")
	tail.WaitFor("greeting anybody")
	tail.Kill()

	b.has(b.run("delete", "--stack-name", "app", "--no-prompts"), "Deleted successfully")
	if r, err := harness.Free().Get(url + "/hello"); err == nil {
		if r.Body.Close(); r.StatusCode == 200 {
			t.Error("the deleted application answers")
		}
	}
}

// TestSAMSync deploys with `sam sync --watch` and follows a change of the code.
func TestSAMSync(t *testing.T) {
	t.Parallel()
	b := open(t, "sam", "sam", "SAM_CLI_TELEMETRY=0", "PYTHONUNBUFFERED=1")
	watch := harness.Follow(t, b.env, b.dir, "y\n", b.tool, "sync", "--watch", "--stack-name", "app")
	url := output(b, watch.WaitFor(`(?s).*Infra sync completed.*`)[0])
	if got := b.get(url + "/hello"); got != "hello one" {
		t.Errorf("hello: %q", got)
	}
	b.edit("hello/index.js", "one", "two")
	b.until(url+"/hello", "hello two")
	b.edit("again/index.py", "again", "once more")
	b.until(url+"/again", "hello once more")
}

// output finds the value of the stack's output in what SAM CLI wrote.
func output(b *bench, text string) string {
	b.Helper()
	m := regexp.MustCompile(`Value +(http\S+)`).FindStringSubmatch(text)
	if m == nil {
		var stacks struct {
			Stacks []struct {
				Outputs []struct{ OutputValue string }
			}
		}
		if err := json.Unmarshal([]byte(b.aws("cloudformation", "describe-stacks", "--stack-name", "app")), &stacks); err != nil || len(stacks.Stacks) != 1 || len(stacks.Stacks[0].Outputs) == 0 {
			b.Fatalf("no output in:\n%s", text)
		}
		return strings.TrimSpace(stacks.Stacks[0].Outputs[0].OutputValue)
	}
	return m[1]
}
