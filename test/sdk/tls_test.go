package sdk

import (
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestTLS is a session over TLS at the port where the server speaks HTTP, with
// what `tierra env --tls` says and no other preparation.
func TestTLS(t *testing.T) {
	harness.Tool(t, require, "aws")
	harness.Tool(t, require, "curl")
	p := harness.Serve(t, "")
	s := &shell{t: t, env: p.Bare(), dir: t.TempDir(), p: p}
	const secure = `eval "$(tierra env --tls --data ` + "$DATA" + `)"` + "\n"
	s.env = append(s.env, "DATA="+p.Dir)
	out := s.run(secure + `echo "$AWS_ENDPOINT_URL"
		aws s3 mb s3://tls
		curl -s --cacert "$NODE_EXTRA_CA_CERTS" -o /dev/null -w '%{http_version} %{http_code}\n' "$AWS_ENDPOINT_URL/_tierra/health"
		stat -c %a "$DATA/authority.pem"`)
	for _, want := range []string{"https://127.0.0.1:", "make_bucket: tls", "2 200", "600"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out, err := s.try(secure + "unset AWS_CA_BUNDLE; aws s3 ls"); err == nil {
		t.Errorf("a client that does not trust the authority went on:\n%s", out)
	}
}
