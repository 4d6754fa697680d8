package sdk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestHelp: each command's help tells its flags, and where their values come from.
func TestHelp(t *testing.T) {
	server := []string{"--data", "--listen", "--auth", "--metrics", "--log", "--network", "TIERRA_"}
	for command, has := range map[string][]string{
		"":        {"up", "serve", "env", "doctor", "version", "TIERRA_LISTEN"},
		"serve":   server,
		"up":      append([]string{"--stack", "--parameter", "--no-watch"}, server...),
		"env":     {"--data", "--profile", "TIERRA_"},
		"doctor":  {"isolat"},
		"version": {"version"},
	} {
		out, stderr, code := harness.Run(t, nil, append(strings.Fields(command), "--help")...)
		if code != 0 {
			t.Errorf("%s --help ends with %d: %s", command, code, stderr)
		}
		contains(t, "the help of tierra "+command, out, has...)
	}
	if out, _, code := harness.Run(t, nil, "version"); code != 0 || !regexp.MustCompile(`^tierra \d+\.\d+\.\d+\S*\n$`).MatchString(out) {
		t.Errorf("version: %d %q", code, out)
	}
	if out, stderr, code := harness.Run(t, nil, "doctor"); code != 0 || len(strings.Split(out, "\n")) < 5 {
		t.Errorf("doctor: %d %q %q", code, out, stderr)
	}
	for _, args := range [][]string{{"nope"}, {"serve", "--nope"}, {"serve", "--auth", "maybe"}, {"up", "/does/not/exist"}, {"env", "--data", t.TempDir()}} {
		if _, stderr, code := harness.Run(t, nil, args...); code == 0 || stderr == "" {
			t.Errorf("tierra %v ends with %d and says %q", args, code, stderr)
		}
	}
}

// TestFlagsAsVariables: every flag has a variable.
func TestFlagsAsVariables(t *testing.T) {
	dir := t.TempDir()
	_, stderr, code := harness.Run(t, []string{"TIERRA_LISTEN=no-address", "TIERRA_DATA=" + dir}, "serve")
	if code == 0 {
		t.Error("TIERRA_LISTEN=no-address is not read")
	}
	contains(t, "the message", stderr, "no-address")
	if _, err := os.Stat(filepath.Join(dir, "server.lock")); err != nil {
		t.Errorf("TIERRA_DATA is not read: %v", err)
	}
}

// TestEnv: what `tierra env` prints can be evaluated, and the profile that it
// writes leaves others alone.
func TestEnv(t *testing.T) {
	p := harness.Serve(t, "")
	c := p.Credentials()
	out, _, code := harness.Run(t, nil, "env", "--data", p.Dir)
	if code != 0 {
		t.Fatalf("env ends with %d", code)
	}
	shell := `eval "$(tierra env --data ` + p.Dir + `)"; echo "$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_REGION $AWS_ENDPOINT_URL"`
	got, err := command(t, append(p.Bare(), "AWS_PROFILE=other"), "", "sh", "-c", shell)
	if want := strings.Join([]string{c.AccessKey, c.Secret, c.Region, p.URL}, " ") + "\n"; err != nil || got != want {
		t.Errorf("the shell has %q, not %q (%v); env printed %s", got, want, err, out)
	}

	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(home, ".aws", "config")
	if err := os.WriteFile(config, []byte("[default]\nregion = eu-west-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // writing it again changes nothing
		if _, stderr, code := harness.Run(t, []string{"HOME=" + home}, "env", "--data", p.Dir, "--profile"); code != 0 {
			t.Fatalf("env --profile ends with %d: %s", code, stderr)
		}
	}
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "the configuration", string(text), "[default]\nregion = eu-west-1\n", "[profile tierra]\n", "endpoint_url = "+p.URL+"\n")
	if n := strings.Count(string(text), "[profile tierra]"); n != 1 {
		t.Errorf("the profile is there %d times", n)
	}
	private(t, filepath.Join(home, ".aws", "credentials"))
}

func private(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has the mode %v", path, info.Mode())
	}
}

// audit returns the records of the audit trail of a server that was stopped.
func audit(t *testing.T, p *harness.Process) []map[string]any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.Dir, "audit", "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no audit trail: %v", err)
	}
	var all []map[string]any
	for _, name := range files {
		private(t, name)
		doc, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(doc))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var r map[string]any
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Errorf("a line of the trail: %v: %s", err, lines.Text())
			}
			all = append(all, r)
		}
	}
	return all
}

// TestSecretsArePrivate: the key is new in every folder, for its owner's eyes
// only, and stays the same.
func TestSecretsArePrivate(t *testing.T) {
	p := harness.Serve(t, "")
	first := p.Credentials()
	private(t, filepath.Join(p.Dir, "credentials.json"))
	if other := harness.Serve(t, "").Credentials(); other.AccessKey == first.AccessKey || other.Secret == first.Secret {
		t.Error("two data folders have the same key")
	}
	p.Stop()
	p.Restart()
	if p.Credentials() != first {
		t.Error("the key changed with a restart")
	}
	if strings.Contains(p.Output(), first.Secret) {
		t.Error("the secret is in the log")
	}
}

const withoutRights = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:GetCallerIdentity","Resource":"*"}]}`

// limited makes a user who may do nothing to data, and returns its key.
func (w *wire) limited(t *testing.T) (key, secret string) {
	t.Helper()
	iam := func(action string, more ...string) answer {
		return w.ok(t, form("iam", "2010-05-08", action, append([]string{"UserName", "limited"}, more...)...))
	}
	iam("CreateUser")
	iam("PutUserPolicy", "PolicyName", "p", "PolicyDocument", withoutRights)
	made := iam("CreateAccessKey").body
	find := func(tag string) string {
		return regexp.MustCompile("<" + tag + ">([^<]*)<").FindStringSubmatch(made)[1]
	}
	return find("AccessKeyId"), find("SecretAccessKey")
}

// TestEnforce: what policies do not allow is refused, and recorded.
func TestEnforce(t *testing.T) {
	w := newWire(t)
	key, secret := w.limited(t)
	a := w.do(t, with(dynamo("ListTables", "{}"), func(rq *request) { rq.key, rq.secret = key, secret }))
	if a.status != 400 || a.code != "AccessDeniedException" || !strings.Contains(a.body, "user/limited is not authorized to perform: dynamodb:ListTables") {
		t.Errorf("a call without rights answers %v", a)
	}
	w.Stop()
	for _, r := range audit(t, w.Process) {
		if r["eventName"] == "ListTables" && strings.Contains(r["errorCode"].(string), "AccessDenied") {
			return
		}
	}
	t.Error("the refusal is not in the trail")
}

// TestAudit: what policies do not allow is let through, and recorded.
func TestAudit(t *testing.T) {
	w := newWire(t, "--auth", "audit")
	key, secret := w.limited(t)
	a := w.do(t, with(dynamo("ListTables", "{}"), func(rq *request) { rq.key, rq.secret = key, secret }))
	if a.status != 200 {
		t.Errorf("a call without rights answers %v", a)
	}
	if a := w.do(t, with(dynamo("ListTables", "{}"), func(rq *request) { rq.key, rq.secret = key, "wrong" })); a.status != 400 {
		t.Errorf("a wrong signature answers %v", a)
	}
	w.Stop()
	for _, r := range audit(t, w.Process) {
		if r["eventName"] == "ListTables" && r["wouldDeny"] != nil {
			contains(t, "the record", r["wouldDeny"].(string), "dynamodb:ListTables")
			return
		}
	}
	t.Errorf("what would have been refused is not in the trail: %v", audit(t, w.Process))
}

// TestOff: any key is accepted, twelve digits name the account, and no signature
// is needed.
func TestOff(t *testing.T) {
	w := newWire(t, "--auth", "off")
	as := func(rq request, key string) request { rq.key, rq.secret = key, "test"; return rq }
	for key, account := range map[string]string{"123456789012": "123456789012", "test": "000000000000"} {
		a := w.do(t, as(sts("GetCallerIdentity"), key))
		if a.status != 200 || !strings.Contains(a.body, "<Account>"+account+"</Account>") {
			t.Errorf("the key %s: %v", key, a)
		}
	}
	w.ok(t, as(dynamo("CreateTable", `{"TableName":"theirs","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],
		"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`), "123456789012"))
	if a := w.ok(t, as(dynamo("ListTables", "{}"), "test")); strings.Contains(a.body, "theirs") {
		t.Errorf("accounts see each other's tables: %v", a)
	}
	rq := dynamo("ListTables", "{}")
	rq.unsigned = true
	if a := w.do(t, rq); a.status != 200 {
		t.Errorf("an unsigned call answers %v", a)
	}
	w.ok(t, object("PUT", "/open", ""))
	put := object("PUT", "/open/k", "hello")
	put.unsigned = true
	if a := w.do(t, put); a.status != 200 {
		t.Errorf("an unsigned upload answers %v", a)
	}
	chunked := object("PUT", "/open/chunked", "5;chunk-signature=x\r\nhello\r\n0;chunk-signature=x\r\n\r\n")
	chunked.key, chunked.secret, chunked.hash = "test", "test", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	chunked.header = map[string]string{"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "5"}
	if a := w.do(t, chunked); a.status != 200 {
		t.Errorf("a chunked upload answers %v", a)
	}
	if a := w.do(t, object("GET", "/open/chunked", "")); a.body != "hello" {
		t.Errorf("the object is %v", a)
	}
}

// TestMetrics: Prometheus's text, at an address of its own.
func TestMetrics(t *testing.T) {
	w := newWire(t, "--metrics", "127.0.0.1:0", "--log", "info")
	w.ok(t, dynamo("ListTables", "{}"))
	w.do(t, dynamo("Nope", "{}"))
	at := w.WaitFor(`(http://[0-9.:]+/metrics)`)[1]
	rs, err := harness.Free().Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Body.Close()
	text, err := io.ReadAll(rs.Body)
	if err != nil || rs.StatusCode != http.StatusOK || !strings.HasPrefix(rs.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %q %v", rs.StatusCode, rs.Header, err)
	}
	if !regexp.MustCompile(`(?m)^tierra_\w+\{[^}]*operation="ListTables"[^}]*\} 1$`).Match(text) {
		t.Errorf("the call is not counted:\n%s", text)
	}
	if rs, err := harness.Free().Get(w.URL + "/metrics"); err != nil || rs.StatusCode == http.StatusOK {
		t.Errorf("the public address tells metrics: %v %v", rs, err)
	}
}

// TestPages: what tools made for port 4566 ask for.
func TestPages(t *testing.T) {
	w := newWire(t)
	for _, page := range []string{"/_localstack/health", "/_tierra/health", "/_localstack/info", "/_localstack/init"} {
		rs, err := harness.Free().Get(w.URL + page)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.NewDecoder(rs.Body).Decode(&doc); err != nil || rs.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %v", page, rs.StatusCode, err)
		}
		_ = rs.Body.Close()
		if s, ok := doc["services"].(map[string]any); page == "/_localstack/health" && (!ok || s["s3"] != "running") {
			t.Errorf("%s: %v", page, doc)
		}
	}
}
