package apigateway

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// people are users by name with their policies.
type people struct {
	call.Identities
	policies map[string]*policy.Policy
}

func (p people) Policies(_ context.Context, id call.Identity) (policy.Sets, error) {
	var s policy.Sets
	if x := p.policies[id.Principal.UserName]; x != nil {
		s.Identity = []*policy.Policy{x}
	}
	return s, nil
}

func user(account, name string) call.Identity {
	return call.Identity{AccessKey: "AKIA", Principal: policy.Principal{
		Kind: policy.User, Account: account, ARN: "arn:aws:iam::" + account + ":user/" + name, UserID: "AIDA" + name, UserName: name,
	}}
}

// sendAs sends a request that somebody signed; err is what is wrong with the signature.
func (w *world) sendAs(id call.Identity, err error, method, api, target string, header ...string) answer {
	r := httptest.NewRequest(method, "http://x"+target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	at := w.at(api, r.URL.EscapedPath())
	at.Caller = func(context.Context, []byte) (call.Identity, error) { return id, err }
	w.s.View(rec, r, at)
	return answer{rec.Result(), rec.Body.String()}
}

func parse(t *testing.T, doc string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func authorizedBy(t *testing.T, w *world, id, path, typ string) {
	t.Helper()
	rid := w.resource(t, id, path)
	calltest.Must(t, w.World, api.UpdateMethod, &api.UpdateMethodRequest{RestApiId: &id, ResourceId: &rid, HttpMethod: new("GET"), PatchOperations: []api.PatchOperation{
		{Op: new("replace"), Path: new("/authorizationType"), Value: &typ},
	}})
}

func setResourcePolicy(t *testing.T, w *world, id, doc string) {
	t.Helper()
	calltest.Must(t, w.World, api.UpdateRestApi, &api.UpdateRestApiRequest{RestApiId: &id, PatchOperations: []api.PatchOperation{
		{Op: new("replace"), Path: new("/policy"), Value: &doc},
	}})
	w.deploy(t, id, "s")
}

func TestIAM(t *testing.T) {
	w := newWorld(t)
	w.Gate.Identities = people{w.Gate.Identities, map[string]*policy.Policy{
		"ann": parse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/s/GET/pets/*"}]}`),
	}}
	event, _ := w.records(`{"body":"in"}`)
	id := w.newAPI(t, "GET /pets/{id}", "GET /dogs/{id}", "GET /open")
	authorizedBy(t, w, id, "/pets/{id}", "AWS_IAM")
	authorizedBy(t, w, id, "/dogs/{id}", "AWS_IAM")
	w.deploy(t, id, "s")
	nobody := call.Identity{Principal: policy.Principal{Kind: policy.Anonymous}}
	check := func(got answer, status int, body, code string) {
		t.Helper()
		if got.StatusCode != status || got.body != body || got.Header.Get("x-amzn-ErrorType") != code {
			t.Errorf("%d %s %s, want %d %s %s", got.StatusCode, got.body, got.Header.Get("x-amzn-ErrorType"), status, body, code)
		}
	}
	no := func(who, path string) string {
		return `{"Message":"User: arn:aws:iam::000000000000:user/` + who + ` is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********0000:` +
			id + `/s/GET/` + path + ` because no identity-based policy allows the execute-api:Invoke action"}`
	}
	ann := user(calltest.Account, "ann")
	check(w.sendAs(ann, nil, "GET", id, "/s/pets/1"), 200, "in", "")
	who := decode(t, *event)["requestContext"].(map[string]any)["identity"].(map[string]any)
	for k, want := range map[string]any{"accessKey": "AKIA", "accountId": calltest.Account, "caller": "AIDAann", "user": "AIDAann", "userArn": ann.Principal.ARN} {
		if who[k] != want {
			t.Errorf("identity.%s: %v, want %v", k, who[k], want)
		}
	}
	check(w.sendAs(ann, nil, "GET", id, "/s/dogs/1"), 403, no("ann", "dogs/1"), "AccessDeniedException")
	check(w.sendAs(user(calltest.Account, "bob"), nil, "GET", id, "/s/pets/1"), 403, no("bob", "pets/1"), "AccessDeniedException")
	const missing = `{"message":"Missing Authentication Token"}`
	check(w.sendAs(nobody, nil, "GET", id, "/s/pets/1"), 403, missing, "MissingAuthenticationTokenException")
	check(w.send("GET", id, "/s/pets/1", ""), 403, missing, "MissingAuthenticationTokenException")
	wrong := fault.Of(fault.SignatureDoesNotMatch, "no match")
	check(w.sendAs(nobody, wrong, "GET", id, "/s/pets/1"), 403, `{"message":"no match"}`, "InvalidSignatureException")
	check(w.sendAs(nobody, fault.Of(fault.InvalidClientTokenID, "no key"), "GET", id, "/s/pets/1"), 403, `{"message":"no key"}`, "UnrecognizedClientException")
	check(w.sendAs(nobody, fault.Of(fault.ExpiredToken, "old"), "GET", id, "/s/pets/1"), 403, `{"message":"old"}`, "ExpiredTokenException")
	// A bad signature matters to nobody where IAM does not decide.
	check(w.sendAs(nobody, wrong, "GET", id, "/s/open"), 200, "in", "")

	// Across accounts both sides must allow.
	there := user("111111111111", "ann")
	if got := w.sendAs(there, nil, "GET", id, "/s/pets/1"); got.StatusCode != 403 {
		t.Errorf("another account: %d %s", got.StatusCode, got.body)
	}
	setResourcePolicy(t, w, id, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"execute-api:Invoke","Resource":"execute-api:/s/GET/*"}]}`)
	check(w.sendAs(there, nil, "GET", id, "/s/pets/1"), 200, "in", "")
	if got := w.sendAs(there, nil, "GET", id, "/s/dogs/1"); got.StatusCode != 403 {
		t.Errorf("another account, what its own policy does not allow: %d %s", got.StatusCode, got.body)
	}
	check(w.sendAs(ann, nil, "GET", id, "/s/pets/1"), 200, "in", "")
}

func TestResourcePolicy(t *testing.T) {
	w := newWorld(t)
	w.returns(`{"body":"in"}`)
	id := w.newAPI(t, "GET /pets", "GET /dogs")
	statement := func(effect, resource, more string) string {
		return `{"Effect":"` + effect + `","Principal":"*","Action":"execute-api:Invoke","Resource":"` + resource + `"` + more + `}`
	}
	from := func(cidr string) string { return `,"Condition":{"IpAddress":{"aws:SourceIp":"` + cidr + `"}}` }
	for _, c := range []struct {
		statements string
		pets, dogs int
	}{
		{statement("Allow", "execute-api:/*", ""), 200, 200},
		{statement("Allow", "execute-api:/s/GET/pets", ""), 200, 403},
		{statement("Allow", "execute-api:/other/*", ""), 403, 403},
		{statement("Allow", "arn:aws:execute-api:us-east-1:000000000000:"+id+"/*", from("192.0.2.0/24")), 200, 200},
		{statement("Allow", "execute-api:/*", from("198.51.100.0/24")), 403, 403},
		{statement("Allow", "execute-api:/*", "") + "," + statement("Deny", `execute-api:\/s/GET/pets`, from("192.0.2.7")), 403, 200},
	} {
		setResourcePolicy(t, w, id, `{"Version":"2012-10-17","Statement":[`+c.statements+`]}`)
		for path, want := range map[string]int{"pets": c.pets, "dogs": c.dogs} {
			got := w.send("GET", id, "/s/"+path, "")
			if got.StatusCode != want {
				t.Errorf("%s %s: %d %s, want %d", c.statements, path, got.StatusCode, got.body, want)
			}
			if want == 403 && (!strings.Contains(got.body, `"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********0000:`+id) ||
				got.Header.Get("x-amzn-ErrorType") != "AccessDeniedException") {
				t.Errorf("%s: %s %s", path, got.body, got.Header.Get("x-amzn-ErrorType"))
			}
		}
	}
	setResourcePolicy(t, w, id, "")
	if got := w.send("GET", id, "/s/pets", ""); got.StatusCode != 200 {
		t.Errorf("without a policy: %d", got.StatusCode)
	}
	for _, bad := range []string{"x", "{}", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}]}`} {
		_, err := calltest.Do(w.World, api.UpdateRestApi, &api.UpdateRestApiRequest{RestApiId: &id, PatchOperations: []api.PatchOperation{{Op: new("replace"), Path: new("/policy"), Value: &bad}}})
		if !fault.Is(err, "BadRequestException") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestResourcePolicyAndAuthorizer follows AWS's table of how the two go together.
func TestResourcePolicyAndAuthorizer(t *testing.T) {
	const other = "arn:aws:execute-api:us-east-1:000000000000:other/*"
	for _, c := range []struct {
		authorizer, own string
		status          int
	}{
		{says("Allow", "*", ""), "Allow", 200}, {says("Allow", "*", ""), "", 200}, {says("Allow", "*", ""), "Deny", 403},
		{says("Allow", other, ""), "Allow", 200}, {says("Allow", other, ""), "", 403}, {says("Allow", other, ""), "Deny", 403},
		{says("Deny", "*", ""), "Allow", 403}, {says("Deny", "*", ""), "", 403}, {says("Deny", "*", ""), "Deny", 403},
	} {
		g := newGated(t, &api.CreateAuthorizerRequest{Type: new("TOKEN"), IdentitySource: new("method.request.header.Authorization")}, "GET /")
		g.says = c.authorizer
		resource, effect := "execute-api:/*", c.own
		if effect == "" {
			resource, effect = "execute-api:/none/*", "Allow"
		}
		setResourcePolicy(t, g.world, g.id, `{"Version":"2012-10-17","Statement":[{"Effect":"`+effect+`","Principal":"*","Action":"execute-api:Invoke","Resource":"`+resource+`"}]}`)
		got := g.send("GET", g.id, "/s/", "", "Authorization", "t")
		if got.StatusCode != c.status {
			t.Errorf("%s with %q: %d %s, want %d", c.authorizer, c.own, got.StatusCode, got.body, c.status)
		}
		if asked := c.own != "Deny"; asked != (g.asked == 1) {
			t.Errorf("with %q the authorizer was asked %d times", c.own, g.asked)
		}
	}
}
