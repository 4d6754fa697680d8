package browser

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestShop clicks through examples/shop, and promotes a canary with the commands of
// its README in between.
func TestShop(t *testing.T) {
	chromium(t)
	harness.Tool(t, require, "aws")
	p := up(t, filepath.Join("..", "..", "examples", "shop"), "--no-watch")
	site, api, plan := output(p, "Website"), output(p, "ApiId"), output(p, "PlanId")
	s := &stages{t: t, p: p, api: api}
	click(t, "shop.mjs", site)

	// What the page does not show: a body that its model refuses, and a key that is
	// none.
	if status, body := s.ask("POST", "/prod/goods", `{"name": "", "cents": 1.5}`); status != http.StatusBadRequest || !strings.Contains(body, "Invalid request body") {
		t.Errorf("a good that is none: %d %s", status, body)
	}
	if status, body := s.askAs("nobody-knows-this-key", "GET", "/prod/goods", ""); status != http.StatusForbidden {
		t.Errorf("without the key: %d %s", status, body)
	}
	day := time.Now().UTC().Format(time.DateOnly)
	var usage struct{ Items map[string][][]int64 }
	if err := json.Unmarshal([]byte(s.aws("apigateway", "get-usage", "--usage-plan-id", plan, "--start-date", day, "--end-date", day)), &usage); err != nil {
		t.Fatal(err)
	}
	for _, days := range usage.Items {
		if len(days) != 1 || days[0][0] < 4 {
			t.Errorf("the page's key was used %v", days)
		}
	}

	// A canary gets all requests with the other alias, and becomes the stage.
	s.aws("apigateway", "create-deployment", "--rest-api-id", api, "--stage-name", "prod", "--canary-settings", "percentTraffic=100,stageVariableOverrides={alias=next}")
	if status, body := s.ask("GET", "/prod/offer", ""); status != http.StatusOK || !strings.Contains(body, `"alias":"next"`) {
		t.Errorf("the canary's offer: %d %s", status, body)
	}
	s.aws("apigateway", "update-stage", "--rest-api-id", api, "--stage-name", "prod", "--patch-operations",
		"op=copy,from=/canarySettings/stageVariableOverrides,path=/variables", "op=copy,from=/canarySettings/deploymentId,path=/deploymentId")
	s.aws("apigateway", "update-stage", "--rest-api-id", api, "--stage-name", "prod", "--patch-operations", "op=remove,path=/canarySettings")
	s.aws("apigateway", "flush-stage-cache", "--rest-api-id", api, "--stage-name", "prod")
	click(t, "shop.mjs", site, "promoted")
}

// stages asks an API's stages, and configures them.
type stages struct {
	t   *testing.T
	p   *harness.Process
	api string
}

func (s *stages) aws(args ...string) string {
	s.t.Helper()
	var out, bad bytes.Buffer
	cmd := exec.Command("aws", args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.p.Env(), &out, &bad
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, bad.String())
	}
	return out.String()
}

func (s *stages) ask(method, path, body string) (int, string) {
	s.t.Helper()
	return s.askAs(output(s.p, "PageKey"), method, path, body)
}

func (s *stages) askAs(key, method, path, body string) (int, string) {
	s.t.Helper()
	at, err := url.Parse(output(s.p, "Api"))
	if err != nil {
		s.t.Fatal(err)
	}
	rq, err := http.NewRequestWithContext(s.t.Context(), method, at.String()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	rq.Header.Set("Content-Type", "application/json")
	rq.Header.Set("X-Api-Key", key)
	rs, err := harness.Free().Do(rq)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = rs.Body.Close() }()
	b, err := io.ReadAll(rs.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return rs.StatusCode, string(b)
}
