package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const swapped = `AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Greeter:
    Type: AWS::Serverless::Function
    Metadata: {METADATA}
    Properties:
      CodeUri: code/
      Runtime: RUNTIME
      Handler: app.handler
      Events:
        Get: {Type: Api, Properties: {Path: /greet, Method: get}}
Outputs:
  Id: {Value: !Ref ServerlessRestApi}
`

// swap measures the time from a saved source under `tierra up` to its answer at
// the API's address, asked for every millisecond.
func (b *bench) swap() error {
	note("saving sources")
	table("Saving a source under tierra up", "function in", "median", "best", "worst", "goal")
	const saves = 15
	for _, c := range []struct {
		name, interpreter, flag, version, file, source, metadata, goal string
	}{
		{
			"Node.js", "node", "-e", `console.log("nodejs" + process.versions.node.split(".")[0] + ".x")`, "app.js",
			`exports.handler = async () => ({ statusCode: 200, body: "VERSION" });`, "", "under 300 ms",
		},
		{
			"TypeScript, with esbuild", "node", "-e", `console.log("nodejs" + process.versions.node.split(".")[0] + ".x")`, "app.ts",
			`export const handler = async (event: object) => ({ statusCode: 200, body: "VERSION" });`,
			"BuildMethod: esbuild, BuildProperties: {EntryPoints: [app.ts]}", "under 300 ms",
		},
		{
			"Python", "python3", "-c", "import sys; print('python%d.%d' % sys.version_info[:2])", "app.py",
			"def handler(event, context):\n    return {'statusCode': 200, 'body': 'VERSION'}\n", "", "under 300 ms",
		},
	} {
		out, err := exec.Command(c.interpreter, c.flag, c.version).Output()
		if err != nil {
			note(c.interpreter + " is not here")
			continue
		}
		took, err := b.saves(saves, strings.NewReplacer("METADATA", c.metadata, "RUNTIME", strings.TrimSpace(string(out))).Replace(swapped), c.file, c.source)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		row(c.name, ms(median(took)), ms(least(took)), ms(most(took)), c.goal)
	}
	return nil
}

// saves saves a source n times and returns how long its answers took.
func (b *bench) saves(n int, template, file, source string) ([]time.Duration, error) {
	dir, err := os.MkdirTemp(b.tmp, "swap-*")
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, "code"), 0o700); err != nil {
		return nil, err
	}
	save := func(version string) error {
		return os.WriteFile(filepath.Join(dir, "code", file), []byte(strings.ReplaceAll(source, "VERSION", version)), 0o600)
	}
	if err := os.WriteFile(filepath.Join(dir, "template.yaml"), []byte(template), 0o600); err != nil {
		return nil, err
	}
	if err := save("first"); err != nil {
		return nil, err
	}
	p, err := start(b.tierra, "up", dir, "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--stack", "swap")
	if err != nil {
		return nil, err
	}
	defer p.stop(syscall.SIGTERM)
	at, err := p.wrote(`Serving at (http://[0-9.:]+)`)
	if err != nil {
		return nil, err
	}
	id, err := p.wrote(`(?m)^  Id +(\S+)$`)
	if err == nil {
		_, err = p.wrote(`Ready\.\n`)
	}
	if err != nil {
		return nil, err
	}
	address := at[1] + "/_aws/execute-api/" + id[1] + "/Prod/greet"
	if _, err := until(address, "first"); err != nil {
		return nil, err
	}
	var took []time.Duration
	for i := range n {
		version := fmt.Sprintf("version %d", i)
		if err := save(version); err != nil {
			return nil, err
		}
		d, err := until(address, version)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	return took, nil
}

// until asks until the answer is the one that is wanted, and returns how long it took.
func until(address, want string) (time.Duration, error) {
	began := time.Now()
	for {
		rs, err := http.Get(address)
		if err != nil {
			return 0, err
		}
		body, err := io.ReadAll(rs.Body)
		rs.Body.Close()
		switch {
		case err != nil:
			return 0, err
		case string(body) == want:
			return time.Since(began), nil
		case time.Since(began) > time.Minute:
			return 0, fmt.Errorf("%s still answers %d %s", address, rs.StatusCode, body)
		}
		time.Sleep(time.Millisecond)
	}
}
