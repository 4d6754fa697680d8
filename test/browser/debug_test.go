package browser

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestDebug attaches to the inspector of a function in Node.js that stops at a
// debugger statement, for longer than its timeout, and lets it go on.
func TestDebug(t *testing.T) {
	node := harness.Tool(t, require, "node")
	out, err := exec.Command(node, "-e", `console.log("nodejs" + process.versions.node.split(".")[0] + ".x")`).Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"template.yaml": strings.NewReplacer("RUNTIME", strings.TrimSpace(string(out)), "Timeout: 60", "Timeout: 1").Replace(swapTemplate),
		"code/app.js":   `exports.handler = async () => { debugger; return { statusCode: 200, body: "stopped" } }`,
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	p := up(t, dir, "--stack", "debug", "--debug", "Greeter", "--debug-port", port)
	p.WaitFor(`Debugging Greeter at 127.0.0.1:` + port + `[^{]*\{[^}]*"remoteRoot": "/var/task"`)

	// Node.js's own client of the inspector.
	cmd := exec.Command(node, "inspect", "127.0.0.1:"+port)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	hear := func(want string) {
		t.Helper()
		var heard strings.Builder
		for part := make([]byte, 4096); !strings.Contains(heard.String(), want); {
			n, err := stdout.Read(part)
			if heard.Write(part[:n]); err != nil {
				t.Fatalf("the inspector says no %q: %v\n%s", want, err, &heard)
			}
		}
	}
	say := func(text string) {
		t.Helper()
		if _, err := io.WriteString(stdin, text+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	hear("debug> ")
	answer := make(chan string, 1)
	go func() {
		_, body := get(t, p.URL+"/_aws/execute-api/"+output(p, "Id")+"/Prod/greet")
		answer <- body
	}()
	hear("break in /var/task/app.js:1")
	// Time goes on, past the function's timeout of a second.
	say(`exec("const until = Date.now() + 1500; while (Date.now() < until); 'later'")`)
	hear("'later'")
	select {
	case a := <-answer:
		t.Fatalf("it answered while it was stopped: %s", a)
	default:
	}
	say("cont")
	if a := <-answer; a != "stopped" {
		t.Errorf("it answers %q", a)
	}
	// The next one has the same environment, where the client is attached still.
	go func() {
		_, body := get(t, p.URL+"/_aws/execute-api/"+output(p, "Id")+"/Prod/greet")
		answer <- body
	}()
	hear("break in /var/task/app.js:1")
	say("cont")
	if a := <-answer; a != "stopped" {
		t.Errorf("it answers %q", a)
	}
}

// TestDebugRefuses names what cannot be debugged.
func TestDebugRefuses(t *testing.T) {
	dir := application(t, page)
	for name, c := range map[string]struct{ args, says string }{
		"no function":       {"--debug Nobody", "there is no function Nobody"},
		"a private network": {"--debug Nobody --network private", "--network host"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"up", dir, "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--stack", "page"}, strings.Fields(c.args)...)
			_, stderr, code := harness.Run(t, nil, args...)
			if code == 0 || !strings.Contains(stderr, c.says) {
				t.Errorf("it ends with %d and says %s", code, stderr)
			}
		})
	}
	s := harness.Serve(t, "")
	if _, stderr, code := harness.Run(t, nil, "up", dir, "--data", s.Dir, "--debug", "Nobody"); code == 0 || !strings.Contains(stderr, "--debug needs a server that tierra up starts itself") {
		t.Errorf("it ends with %d and says %s", code, stderr)
	}
}

// TestDebugAdapters attaches an editor to debugpy and to Delve: a breakpoint stops
// the function for longer than its timeout, and it goes on, event after event.
func TestDebugAdapters(t *testing.T) {
	const goSource = `package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
)

func main() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		rs, err := http.Get(base + "next")
		if err != nil {
			panic(err)
		}
		rs.Body.Close()
		answer, err := http.Post(base+rs.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", "application/json", strings.NewReader(greet("stopped")))
		if err != nil {
			panic(err)
		}
		answer.Body.Close()
	}
}

func greet(word string) string {
	return fmt.Sprintf("{\"statusCode\": 200, \"body\": %q}", word)
}
`
	for name, c := range map[string]struct {
		tool, runtime, kind, file, source string
		line                              int
		more                              map[string]string
		value                             string
	}{
		"debugpy": {"python3", "", "debugpy", "app.py", "def handler(event, context):\n    word = 'stopped'\n    return {'statusCode': 200, 'body': word}\n", 3, nil, `'stopped'`},
		"Delve":   {"dlv", "provided.al2023", "go", "main.go", goSource, 26, map[string]string{"code/go.mod": "module app\n\ngo 1.21\n"}, `"stopped"`},
	} {
		t.Run(name, func(t *testing.T) {
			tool := harness.Tool(t, require, c.tool)
			runtime := c.runtime
			if c.tool == "python3" {
				out, err := exec.Command(tool, "-c", "import debugpy, sys; print('python%d.%d' % sys.version_info[:2])").Output()
				if err != nil {
					harness.Missing(t, require, "debugpy is not installed")
				}
				runtime = strings.TrimSpace(string(out))
			}
			template := strings.NewReplacer("RUNTIME", runtime, "Timeout: 60", "Timeout: 1").Replace(swapTemplate)
			if c.kind == "go" {
				template = strings.Replace(template, "    Properties:", "    Metadata: {BuildMethod: go1.x}\n    Properties:", 1)
			}
			dir := t.TempDir()
			files := map[string]string{"template.yaml": template, "code/" + c.file: c.source}
			for name, text := range c.more {
				files[name] = text
			}
			for name, text := range files {
				p := filepath.Join(dir, name)
				err := os.MkdirAll(filepath.Dir(p), 0o700)
				if err == nil {
					err = os.WriteFile(p, []byte(text), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
			l.Close()
			p := up(t, dir, "--stack", "adapters", "--debug", "Greeter", "--debug-port", port)
			p.WaitFor(`Debugging Greeter at 127.0.0.1:` + port)

			d := dial(t, port)
			file := filepath.Join(dir, "code", c.file)
			if c.kind == "go" {
				d.attach(map[string]any{"mode": "remote"}, file, c.line)
			} else {
				d.attach(map[string]any{"justMyCode": false, "pathMappings": []map[string]string{{"localRoot": filepath.Join(dir, "code"), "remoteRoot": "/var/task"}}}, file, c.line)
			}
			for range 2 {
				answer := make(chan string, 1)
				go func() {
					_, body := get(t, p.URL+"/_aws/execute-api/"+output(p, "Id")+"/Prod/greet")
					answer <- body
				}()
				thread := d.stopped()
				if got := d.variable(thread, "word"); got != c.value {
					t.Errorf("word is %s", got)
				}
				// Time goes on, past the function's timeout of a second.
				time.Sleep(1200 * time.Millisecond)
				select {
				case a := <-answer:
					t.Fatalf("it answered while it was stopped: %s", a)
				default:
				}
				d.say("continue", map[string]any{"threadId": thread})
				d.hear("response", "continue")
				if a := <-answer; a != "stopped" {
					t.Errorf("it answers %q", a)
				}
			}
		})
	}
}
