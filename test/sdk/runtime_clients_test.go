package sdk

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

// client returns the folder of one of AWS's clients of the Runtime API, which the
// continuous build puts below .cache/clients.
func client(t *testing.T, language string) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, ".cache", "clients", language)
	if _, err := os.Stat(dir); err != nil {
		harness.Missing(t, require, "the client of the Runtime API for %s is not in %s", language, dir)
	}
	return dir
}

// tree reads all files of a folder, to be packed below a prefix.
func tree(t *testing.T, files map[string]string, dir, prefix string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "__pycache__") {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		files[prefix+path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// call is an invocation and what it must answer.
type runtimeCall struct {
	function, event string
	fails           bool
	want            []string
}

func (w *wire) check(t *testing.T, calls []runtimeCall) {
	t.Helper()
	for _, c := range calls {
		a := w.do(t, request{service: "lambda", path: "/2015-03-31/functions/" + c.function + "/invocations", body: c.event})
		if a.status != 200 || (a.header.Get("X-Amz-Function-Error") != "") != c.fails {
			t.Errorf("%s of %s answers %v", c.function, c.event, a)
		}
		contains(t, c.function+" of "+c.event, a.body, c.want...)
	}
}

// deploy makes a function.
func (w *wire) deploy(t *testing.T, name, role, runtime, handler, zip string) answer {
	t.Helper()
	doc, err := json.Marshal(map[string]any{
		"FunctionName": name, "Role": role, "Runtime": runtime, "Handler": handler, "Code": map[string]any{"ZipFile": zip}, "MemorySize": 512, "Timeout": 30,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w.do(t, request{service: "lambda", path: "/2015-03-31/functions", body: string(doc)})
}

// TestPythonClient runs a function on awslambdaric, as it is published.
func TestPythonClient(t *testing.T) {
	dir := client(t, "python")
	const python = "/usr/bin/python3"
	if out, err := command(t, []string{"PYTHONPATH=" + dir, "PYTHONDONTWRITEBYTECODE=1"}, "", python, "-c", "import awslambdaric.bootstrap, runtime_client"); err != nil {
		harness.Missing(t, require, "%s does not run awslambdaric: %s", python, out)
	}
	w := newWire(t)
	role := w.role(t, "runner")
	files := map[string]string{"app.py": `
class Odd(Exception): pass
def handler(event, context):
    if event.get("fail"): raise Odd("no luck")
    return {"event": event, "id": len(context.aws_request_id), "arn": context.invoked_function_arn, "left": context.get_remaining_time_in_millis() > 0,
            "name": context.function_name, "memory": context.memory_limit_in_mb}
`, "bootstrap": "#!/bin/sh\ncd /var/task\nexec " + python + " -m awslambdaric \"$_HANDLER\"\n"}
	tree(t, files, dir, "")
	zip := archive(t, files)
	for name, handler := range map[string]string{"good": "app.handler", "bad": "missing.handler"} {
		if a := w.deploy(t, name, role, "provided.al2023", handler, zip); a.status != 201 {
			t.Fatal(a)
		}
	}
	w.check(t, []runtimeCall{
		{"good", `{"a":"ü"}`, false, []string{`"event": {"a": "\u00fc"}`, `"id": 36`, `function:good"`, `"left": true`, `"name": "good"`, `"memory": "512"`}},
		{"good", `{"fail":1}`, true, []string{`"errorMessage": "no luck"`, `"errorType": "Odd"`, `"stackTrace": ["  File \"/var/task/app.py\"`}},
		{"good", `{"again":1}`, false, []string{`"again": 1`}},
		{"bad", `{}`, true, []string{`"errorType": "Runtime.ImportModuleError"`, "missing"}},
	})
}

// TestJavaClient runs functions on AWS's client for Java, as it is published.
func TestJavaClient(t *testing.T) {
	dir := client(t, "java")
	javac := harness.Tool(t, require, "javac")
	build := t.TempDir()
	source := filepath.Join(build, "app", "Hello.java")
	if err := os.MkdirAll(filepath.Dir(source), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source, []byte(javaFunction), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(javac, "--release", "17", "-cp", filepath.Join(dir, "*"), "-d", filepath.Join(build, "classes"), source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w := newWire(t)
	role := w.role(t, "runner")
	files := map[string]string{}
	tree(t, files, filepath.Join(build, "classes"), "")
	without := archive(t, files)
	tree(t, files, dir, "lib/")
	zip := archive(t, files)
	if a := w.deploy(t, "without", role, "java17", "app.Hello::greet", without); a.status != 201 {
		// Where the Maven repository has the client, it is taken.
		contains(t, "the refusal", a.body, "aws-lambda-java-runtime-interface-client", "mvn dependency:get")
	}
	for name, handler := range map[string]string{"pojo": "app.Hello::greet", "stream": "app.Hello$Streams", "map": "app.Hello$Maps::handleRequest", "secure": "app.Hello::secure", "missing": "app.Nobody::x"} {
		if a := w.deploy(t, name, role, "java17", handler, zip); a.status != 201 {
			if strings.Contains(a.body, "cannot be executed here") {
				harness.Missing(t, require, "%s", a.body)
			}
			t.Fatal(a)
		}
	}
	w.check(t, []runtimeCall{
		{"pojo", `{"name":"Ada","times":2}`, false, []string{`{"greeting":"hello Ada, hello Ada","function":"pojo"}`}},
		{"pojo", `{"name":"","times":2}`, true, []string{`"errorType":"java.lang.IllegalArgumentException"`, `"errorMessage":"nobody"`, "app.Hello.greet(Hello.java:"}},
		{"pojo", `{"name":"Bo","times":1}`, false, []string{`"hello Bo"`}},
		{"stream", `{"a":1}`, false, []string{`{"a":1}`}},
		{"map", `{"a":1,"b":2}`, false, []string{`2`}},
		{"missing", `{}`, true, []string{`"errorType"`, `app.Nobody`}},
		// The deployment's own authority is trusted without further ado.
		{"secure", `{}`, false, []string{`200`}},
	})
}

const javaFunction = `package app;

import com.amazonaws.services.lambda.runtime.*;
import java.io.*;
import java.util.*;

public class Hello {
  public static class In {
    private String name; private int times;
    public String getName() { return name; }
    public void setName(String s) { name = s; }
    public int getTimes() { return times; }
    public void setTimes(int n) { times = n; }
  }
  public static class Out {
    private final String greeting, function;
    Out(String g, String f) { greeting = g; function = f; }
    public String getGreeting() { return greeting; }
    public String getFunction() { return function; }
  }
  public Out greet(In in, Context c) {
    if (in.getName().isEmpty()) throw new IllegalArgumentException("nobody");
    c.getLogger().log("greeting " + c.getAwsRequestId());
    return new Out(String.join(", ", Collections.nCopies(in.getTimes(), "hello " + in.getName())), c.getFunctionName());
  }
  public int secure(Map<String, Object> in) throws Exception {
    String at = System.getenv("AWS_ENDPOINT_URL").replace("http:", "https:");
    return ((java.net.HttpURLConnection) new java.net.URL(at + "/_tierra/health").openConnection()).getResponseCode();
  }
  public static class Streams implements RequestStreamHandler {
    public void handleRequest(InputStream in, OutputStream out, Context c) throws IOException { in.transferTo(out); }
  }
  public static class Maps implements RequestHandler<Map<String, Object>, Integer> {
    public Integer handleRequest(Map<String, Object> in, Context c) { return in.size(); }
  }
}
`
