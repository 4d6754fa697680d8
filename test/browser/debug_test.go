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
		"template.yaml": strings.NewReplacer("RUNTIME", strings.TrimSpace(string(out)), "Handler: app.handler", "Handler: app.handler\n      Timeout: 1").Replace(swapTemplate),
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
