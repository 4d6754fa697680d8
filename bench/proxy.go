package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// reply is what the handler and all functions answer with.
const reply = `{"hello":"world"}`

// serveRole is one side of the comparison, in a process of its own: a plain
// handler, or httputil.ReverseProxy in front of it.
func serveRole(role, upstream string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, reply) // the client went away
	})
	if role == "proxy" {
		to, err := url.Parse(upstream)
		if err != nil {
			return err
		}
		h = &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.SetXForwarded() },
			// The default keeps two idle connections and opens new ones all the
			// time: that would be measured, and be no fair comparison.
			Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		}
	}
	fmt.Printf("listens at http://%s\n", l.Addr())
	return http.Serve(l, h)
}

func startRole(role, upstream string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := start(self, "-role", role, "-upstream", upstream)
	if err != nil {
		return nil, err
	}
	m, err := p.wrote(`listens at http://([0-9.:]+)\n`)
	if err != nil {
		return nil, err
	}
	p.addr = m[1]
	return p, nil
}

const goFunction = `package main

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(context.Context, events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
		return events.APIGatewayProxyResponse{StatusCode: 200, Headers: map[string]string{"Content-Type": "application/json"}, Body: ` + "`" + reply + "`" + `}, nil
	})
}
`

const nodeFunction = `exports.handler = async () => ({ statusCode: 200, headers: { "Content-Type": "application/json" }, body: '` + reply + `' });
`

const pythonFunction = `def handler(event, context):
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": '` + reply + `'}
`

// language is a kind of function that this machine can run.
type language struct{ name, runtime, handler, file, source string }

// languages returns what this machine has interpreters for.
func languages() []language {
	out := []language{{"Go", "provided.al2023", "bootstrap", "", goFunction}}
	if v, err := exec.Command("node", "-p", `process.versions.node.split(".")[0]`).Output(); err == nil {
		out = append(out, language{"Node.js", "nodejs" + strings.TrimSpace(string(v)) + ".x", "app.handler", "app.js", nodeFunction})
	}
	if v, err := exec.Command("python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output(); err == nil {
		out = append(out, language{"Python", "python" + strings.TrimSpace(string(v)), "app.handler", "app.py", pythonFunction})
	}
	return out
}

// goBuild builds the folder's program as functions are built.
func (b *bench) goBuild(dir, out string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-buildvcs=false", "-o", out, ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", dir, err, text)
	}
	return nil
}

// app writes an application with a function of each language below dir.
func (b *bench) app(dir string, all []language) error {
	put := func(name, text string) error {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		return os.WriteFile(p, []byte(text), 0o644)
	}
	var t strings.Builder
	t.WriteString("AWSTemplateFormatVersion: \"2010-09-09\"\nTransform: AWS::Serverless-2016-10-31\nResources:\n")
	for _, l := range all {
		id := regexp.MustCompile(`\W`).ReplaceAllString(l.name, "")
		fmt.Fprintf(&t, `  %s:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: %s/
      Runtime: %s
      Handler: %s
      MemorySize: 256
      Events:
        Get: {Type: Api, Properties: {Path: /%s, Method: get}}
`, id, id, l.runtime, l.handler, strings.ToLower(id))
		if l.file != "" {
			if err := put(filepath.Join(id, l.file), l.source); err != nil {
				return err
			}
			continue
		}
		src := filepath.Join(dir, "src", id)
		if err := put(filepath.Join("src", id, "main.go"), l.source); err != nil {
			return err
		}
		for _, f := range []string{"go.mod", "go.sum"} { // the example's have the runtime client that is wanted
			doc, err := os.ReadFile(filepath.Join(b.root, "examples", "tickets", "functions", f))
			if err == nil {
				err = os.WriteFile(filepath.Join(src, f), doc, 0o644)
			}
			if err != nil {
				return err
			}
		}
		if err := b.goBuild(src, filepath.Join(dir, id, "bootstrap")); err != nil {
			return err
		}
	}
	t.WriteString("Outputs:\n  Id:\n    Value: !Ref ServerlessRestApi\n")
	return put("template.yaml", t.String())
}

// deployed brings the application up once on a data folder, and returns its API's id.
func (b *bench) deployed(app, data string) (string, error) {
	p, err := start(b.tierra, "up", app, "--stack", "bench", "--no-watch", "--listen", "127.0.0.1:0", "--data", data)
	if err != nil {
		return "", err
	}
	defer p.stop(syscall.SIGTERM)
	if _, err := p.wrote(`(?m)^Ready\.$`); err != nil {
		return "", err
	}
	m, err := p.wrote(`(?m)^ +Id +(\S+)$`)
	if err != nil {
		return "", err
	}
	return m[1], nil
}

// proxy compares a warm GET through API Gateway's proxy integration to functions
// with httputil.ReverseProxy in front of a plain handler.
func (b *bench) proxy() error {
	note("building and deploying functions")
	app, data := filepath.Join(b.tmp, "app"), filepath.Join(b.tmp, "proxy")
	all := languages()
	if err := b.app(app, all); err != nil {
		return err
	}
	id, err := b.deployed(app, data)
	if err != nil {
		return err
	}
	s, err := b.serve(data)
	if err != nil {
		return err
	}
	defer s.stop(syscall.SIGTERM)
	handler, err := startRole("handler", "")
	if err != nil {
		return err
	}
	defer handler.stop(syscall.SIGKILL)
	reverse, err := startRole("proxy", "http://"+handler.addr)
	if err != nil {
		return err
	}
	defer reverse.stop(syscall.SIGKILL)

	targets := []target{get("httputil.ReverseProxy to a Go handler", reverse.addr, reverse.addr, "/")}
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return err
	}
	for _, l := range all {
		path := strings.ToLower(regexp.MustCompile(`\W`).ReplaceAllString(l.name, ""))
		targets = append(targets, get("API Gateway to a "+l.name+" function", s.addr, id+".execute-api.localhost:"+port, "/Prod/"+path))
	}
	for _, n := range []int{1, 16, 64} {
		note(fmt.Sprintf("loading on %d connections", n))
		found, err := b.takeTurns(targets, n)
		if err != nil {
			return err
		}
		table(fmt.Sprintf("A warm GET, %d connection(s)", n), "what", "per second", "p50", "p99", "throughput of the baseline's", "goal")
		for i, r := range found {
			goal := "at least 0.8×, then 1×"
			switch {
			case i == 0:
				goal = ""
			case strings.Contains(targets[i].name, "Go function"): // over the HTTP Runtime API
				goal = "at least 0.5×"
			}
			row(targets[i].name, fmt.Sprintf("%.0f", r.perSecond), us(r.p50), us(r.p99), fmt.Sprintf("%.2f×", r.perSecond/found[0].perSecond), goal)
		}
	}
	fmt.Println("\nBaseline: two processes, proxy and handler, as the server and its function are two; the proxy keeps idle connections.")
	return nil
}
