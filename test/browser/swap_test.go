package browser

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/test/harness"
)

const swapTemplate = `AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Greeter:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code/
      Runtime: RUNTIME
      Handler: app.handler
      Timeout: 60
      Events:
        Get: {Type: Api, Properties: {Path: /greet, Method: get}}
Outputs:
  Api:
    Value: !Sub https://${ServerlessRestApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/Prod
  Id:
    Value: !Ref ServerlessRestApi
`

// answers asks until status and answer are those that are wanted ("": any), and returns how
// long that took.
func answers(t *testing.T, address string, code int, want string) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		status, body := get(t, address)
		if status == code && (want == "" || body == want) {
			return time.Since(began)
		}
		if time.Since(began) > harness.Patience {
			t.Fatalf("%s still answers %d %q, not %q", address, status, body, want)
		}
		time.Sleep(5 * time.Millisecond) // between questions
	}
}

func get(t *testing.T, address string) (int, string) {
	t.Helper()
	rs, err := harness.Free().Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Body.Close()
	body, err := io.ReadAll(rs.Body)
	if err != nil {
		t.Fatal(err)
	}
	return rs.StatusCode, string(body)
}

// TestSwap changes a function's source while it runs, and sees the new answer;
// breaks it, and sees API Gateway's answer to that; and mends it.
func TestSwap(t *testing.T) {
	for name, c := range map[string]struct{ interpreter, version, file, source, broken string }{
		"node":   {"node", `console.log("nodejs" + process.versions.node.split(".")[0] + ".x")`, "app.js", `exports.handler = async () => ({ statusCode: 200, body: "hello from VERSION" });`, `exports.handler = async ( => {`},
		"python": {"python3", "import sys; print('python%d.%d' % sys.version_info[:2])", "app.py", "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello from VERSION'}\n", "def handler(:\n"},
	} {
		t.Run(name, func(t *testing.T) {
			flag := map[string]string{"node": "-e", "python": "-c"}[name]
			out, err := exec.Command(harness.Tool(t, require, c.interpreter), flag, c.version).Output()
			if err != nil {
				t.Fatal(err)
			}
			runtime := strings.TrimSpace(string(out)) // the machine's own
			dir := t.TempDir()
			write := func(name, text string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Mkdir(filepath.Join(dir, "code"), 0o700); err != nil {
				t.Fatal(err)
			}
			version := func(v string) string { return strings.ReplaceAll(c.source, "VERSION", v) }
			write("template.yaml", strings.ReplaceAll(swapTemplate, "RUNTIME", runtime))
			write("code/"+c.file, version("one"))
			p := up(t, dir, "--stack", "swap")
			// By path: not every machine's resolver knows *.localhost.
			address := p.URL + "/_aws/execute-api/" + output(p, "Id") + "/Prod/greet"
			answers(t, address, http.StatusOK, "hello from one")
			for _, v := range []string{"two", "three"} {
				write("code/"+c.file, version(v))
				t.Logf("%s: the new answer came %v after the change", runtime, answers(t, address, http.StatusOK, "hello from "+v).Round(time.Millisecond))
			}
			write("code/"+c.file, c.broken)
			answers(t, address, http.StatusBadGateway, "")
			write("code/"+c.file, version("three"))
			answers(t, address, http.StatusOK, "hello from three")
			write("code/more.txt", "a file that is new")
			write("template.yaml", strings.ReplaceAll(strings.ReplaceAll(swapTemplate, "RUNTIME", runtime), "/greet", "/hail"))
			hail := strings.Replace(address, "/greet", "/hail", 1)
			t.Logf("%s: the template's change came %v after it", runtime, answers(t, hail, http.StatusOK, "hello from three").Round(time.Millisecond))
			write("code/"+c.file, version("four"))
			answers(t, hail, http.StatusOK, "hello from four")
		})
	}
}
