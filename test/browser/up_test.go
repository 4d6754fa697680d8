package browser

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

// page is an application without functions: nothing of it needs building.
const page = `Parameters:
  Greeting: {Type: String, Default: hello}
Resources:
  Site:
    Type: AWS::S3::Bucket
    Metadata:
      Content: {Folder: web/, Outputs: outputs.json}
    Properties:
      WebsiteConfiguration: {IndexDocument: index.html}
      PublicAccessBlockConfiguration: {BlockPublicPolicy: false, RestrictPublicBuckets: false}
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Site
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: "*", Action: "s3:GetObject", Resource: !Sub "${Site.Arn}/*"}]
Outputs:
  Bucket: {Value: !Ref Site}
  Greeting: {Value: !Ref Greeting}
`

func application(t *testing.T, template string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"template.yaml": template, "web/index.html": "<h1>one</h1>", "web/deep/a.css": "x"} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestUpBesideServe: `tierra up` uses the server that has the data folder, and
// leaves it running.
func TestUpBesideServe(t *testing.T) {
	s := harness.Serve(t, "")
	dir := application(t, page)
	p := harness.Start(t, s.Dir, "up", dir, "--stack", "page", "--parameter", "Greeting=salve")
	if p.URL != s.URL {
		t.Errorf("it serves at %s, and not at %s", p.URL, s.URL)
	}
	if got := output(p, "Greeting"); got != "salve" {
		t.Errorf("the parameter is %q", got)
	}
	site := s.URL + "/_aws/s3-website/" + output(p, "Bucket")
	answers(t, site+"/", http.StatusOK, "<h1>one</h1>")
	if status, body := get(t, site+"/outputs.json"); status != http.StatusOK || !strings.Contains(body, `"Greeting": "salve"`) {
		t.Errorf("the outputs are %d %s", status, body)
	}
	if err := os.WriteFile(filepath.Join(dir, "web", "index.html"), []byte("<h1>two</h1>"), 0o600); err != nil {
		t.Fatal(err)
	}
	answers(t, site+"/", http.StatusOK, "<h1>two</h1>")
	p.Stop()
	answers(t, site+"/", http.StatusOK, "<h1>two</h1>")
	again := harness.Start(t, s.Dir, "up", dir, "--stack", "page", "--no-watch") // nothing to change but the parameter
	answers(t, site+"/outputs.json", http.StatusOK, "")
	again.Stop()
}

// TestUpRefuses: a template with a mistake ends `tierra up` with the line and the
// reason, and leaves nothing behind.
func TestUpRefuses(t *testing.T) {
	for name, c := range map[string]struct{ old, new, says string }{
		"a wrong property":      {"WebsiteConfiguration:", "WebsiteConfigurations:", "WebsiteConfigurations"},
		"an unknown type":       {"AWS::S3::Bucket\n", "AWS::S3::Pail\n", "AWS::S3::Pail"},
		"an unknown parameter":  {"Greeting:", "Salutation:", "Greeting"},
		"a folder that is not":  {"web/", "nowhere/", "nowhere"},
		"an unknown reference":  {"!Ref Site", "!Ref Nobody", "Nobody"},
		"not YAML":              {"Resources:", "Resources: [", ""},
		"a source that is none": {"Outputs:\n  Bucket", "  F: {Type: AWS::Serverless::Function, Properties: {CodeUri: nowhere/, Runtime: python3.11, Handler: a.b}}\nTransform: AWS::Serverless-2016-10-31\nOutputs:\n  Bucket", "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := application(t, strings.Replace(page, c.old, c.new, 1))
			stdout, stderr, code := harness.Run(t, nil, "up", dir, "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--no-watch", "--stack", "page", "--parameter", "Greeting=x")
			if code == 0 || !strings.Contains(stderr+stdout, c.says) {
				t.Errorf("it ends with %d and says %s\n%s", code, stdout, stderr)
			}
			t.Logf("%s", stderr)
		})
	}
}
