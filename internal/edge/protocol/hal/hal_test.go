package hal

import (
	"net/url"
	"strings"
	"testing"
)

func TestLink(t *testing.T) {
	for _, c := range []struct{ method, at, body, want string }{
		{"GET", "/restapis/abc", `{"id":"abc","name":"n"}`, `{"_links":{"curies":[{"href":"https://docs.aws.amazon.com/apigateway/latest/developerguide/restapi-restapi-{rel}.html","name":"restapi","templated":true}],"restapi:delete":{"href":"/restapis/abc"},"restapi:update":{"href":"/restapis/abc"},"self":{"href":"/restapis/abc"}},"id":"abc","name":"n"}`},
		{"POST", "/restapis", `{"id":"abc"}`, `"self":{"href":"/restapis/abc"}`},
		{"GET", "/restapis/abc/stages/one", `{"stageName":"one"}`, `"stage:delete":{"href":"/restapis/abc/stages/one"}`},
		{"GET", "/restapis?limit=1", `{"item":[{"id":"abc"}],"position":"x y"}`, `{"_embedded":{"item":[{"_links":{"self":{"href":"/restapis/abc"}},"id":"abc"}]},"_links":{"curies":[{"href":"https://docs.aws.amazon.com/apigateway/latest/developerguide/restapi-restapi-{rel}.html","name":"restapi","templated":true}],"item":[{"href":"/restapis/abc"}],"next":{"href":"/restapis?limit=1\u0026position=x+y"},"restapi:create":{"href":"/restapis"},"self":{"href":"/restapis?limit=1"}},"position":"x y"}`},
		{"GET", "/apikeys", `{"item":[]}`, `"apikey:create":{"href":"/apikeys"}`},
	} {
		u, err := url.Parse(c.at)
		if err != nil {
			t.Fatal(err)
		}
		out, err := Link(c.method, u, []byte(c.body))
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s %s: %v\n%s\nwant %s", c.method, c.at, err, out, c.want)
		}
	}
	for _, body := range []string{"", "[]", `"x"`, "null"} {
		if out, err := Link("GET", &url.URL{Path: "/x"}, []byte(body)); err == nil {
			t.Errorf("%q became %s", body, out)
		}
	}
}
