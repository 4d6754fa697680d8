package apigateway

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// guarded is a backend that talks to nobody but who shows a certificate that it
// trusts, and a room that reaches it.
type guarded struct {
	*world
	*httptest.Server
	trusted *x509.CertPool
	closed  chan string // "" per transport that was closed
}

func newGuarded(t *testing.T) *guarded {
	g := &guarded{world: newWorld(t), trusted: x509.NewCertPool(), closed: make(chan string, 16)}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, r.TLS.PeerCertificates[0].Subject.String())
	}))
	g.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are the test's own
	g.TLS = &tls.Config{
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{Certificates: g.TLS.Certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: g.trusted, Time: g.Clock.Now}, nil
		},
	}
	g.StartTLS()
	t.Cleanup(g.Server.Close)
	g.outbound(t, g.s)
	return g
}

// outbound gives a room its ways to the backend.
func (g *guarded) outbound(t *testing.T, s *Service) {
	transport := func(c *tls.Certificate) Transport {
		roots := g.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		x := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
		if c != nil {
			x.TLSClientConfig.Certificates = []tls.Certificate{*c}
		}
		t.Cleanup(x.CloseIdleConnections)
		return closing{x, g.closed}
	}
	s.outbound, s.outboundWith = transport(nil), transport
}

// closing tells that it is closed.
type closing struct {
	*http.Transport
	closed chan string
}

func (c closing) CloseIdleConnections() {
	c.Transport.CloseIdleConnections()
	c.closed <- ""
}

// generate makes a certificate that the backend trusts.
func (g *guarded) generate(t *testing.T) string {
	t.Helper()
	c := calltest.Must(t, g.World, api.GenerateClientCertificate, &api.GenerateClientCertificateRequest{})
	if !g.trusted.AppendCertsFromPEM([]byte(*c.PemEncodedCertificate)) {
		t.Fatalf("no certificate: %s", *c.PemEncodedCertificate)
	}
	return *c.ClientCertificateId
}

func (g *guarded) patch(t *testing.T, id, stage, op, path string, value *string) {
	t.Helper()
	calltest.Must(t, g.World, api.UpdateStage, &api.UpdateStageRequest{RestApiId: &id, StageName: &stage, PatchOperations: []api.PatchOperation{{Op: &op, Path: &path, Value: value}}})
}

// TestClientCertificate: a backend that asks for a certificate is shown the
// stage's, with and without a proxy, by canaries, in tests and after a restart; and
// none by other stages.
func TestClientCertificate(t *testing.T) {
	g := newGuarded(t)
	g.trusted.AddCert(g.Certificate()) // a pool with nothing in it would take what the machine trusts
	c := g.generate(t)
	id := g.emptyAPI(t)
	for route, typ := range map[string]string{"GET /plain": "HTTP", "GET /proxy": "HTTP_PROXY"} {
		var all replies
		if typ == "HTTP" {
			all = replies{"200": {}}
		}
		g.method(t, id, route, api.PutIntegrationRequest{Type: &typ, IntegrationHttpMethod: new("GET"), Uri: new(g.URL)}, nil, all)
	}
	g.deploy(t, id, "with")
	g.deploy(t, id, "without")
	expect := func(s *Service, why, stage string, status int) {
		t.Helper()
		for _, path := range []string{"/plain", "/proxy"} {
			w := &world{World: g.World, s: s}
			got := w.send("GET", id, "/"+stage+path, "")
			if got.StatusCode != status || status == 200 && got.body != "CN=ApiGateway" {
				t.Errorf("%s: %s%s: %d %s", why, stage, path, got.StatusCode, got.body)
			}
		}
	}
	expect(g.s, "before", "with", 504)
	g.patch(t, id, "with", "replace", "/clientCertificateId", &c)
	expect(g.s, "a stage with", "with", 200)
	expect(g.s, "a stage without", "without", 504)

	// A stage that changes otherwise keeps its connections, one with another
	// certificate or without one closes them.
	was := (*g.s.live.find(id).stages.Load())["with"].identity
	g.patch(t, id, "with", "replace", "/description", new("changed"))
	if is := (*g.s.live.find(id).stages.Load())["with"].identity; is != was || len(g.closed) != 0 {
		t.Errorf("the connections are others: %v", is)
	}
	g.patch(t, id, "with", "replace", "/canarySettings/percentTraffic", new("100"))
	expect(g.s, "a canary", "with", 200)
	if len(g.closed) != 0 {
		t.Error("the canary closed the connections")
	}

	again := New(Deps{Store: g.s.store, Clock: g.Clock, IDs: g.IDs, Caller: g.Board, Gate: g.Gate, Key: fixedKey})
	g.outbound(t, again)
	if err := again.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(again, "after a restart", "with", 200)
	if err := again.Stop(t.Context()); err != nil || len(g.closed) != 1 {
		t.Errorf("stop: %v, %d closed", err, len(g.closed))
	}
	<-g.closed
	other := New(Deps{Store: g.s.store, Clock: g.Clock, IDs: g.IDs, Caller: g.Board, Gate: g.Gate, Key: make([]byte, 32)})
	if err := other.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be opened with this server's key") {
		t.Errorf("a start with another key: %v", err)
	}

	unknown := calltest.Must(t, g.World, api.GenerateClientCertificate, &api.GenerateClientCertificateRequest{}).ClientCertificateId
	g.patch(t, id, "with", "replace", "/clientCertificateId", unknown)
	<-g.closed
	expect(g.s, "another certificate", "with", 504)
	g.patch(t, id, "with", "remove", "/clientCertificateId", nil)
	<-g.closed
	expect(g.s, "removed", "with", 504)
	calltest.Must(t, g.World, api.DeleteClientCertificate, &api.DeleteClientCertificateRequest{ClientCertificateId: unknown})

	// A test of a method shows what it is told to.
	test := &api.TestInvokeMethodRequest{RestApiId: &id, ResourceId: new(g.resource(t, id, "/proxy")), HttpMethod: new("GET"), ClientCertificateId: &c}
	if out := calltest.Must(t, g.World, api.TestInvokeMethod, test); *out.Status != 200 || *out.Body != "CN=ApiGateway" {
		t.Errorf("a test with: %s", calltest.JSON(out))
	}
	<-g.closed
	test.ClientCertificateId = nil
	if out := calltest.Must(t, g.World, api.TestInvokeMethod, test); *out.Status != 504 {
		t.Errorf("a test without: %s", calltest.JSON(out))
	}
	test.ClientCertificateId = unknown
	if _, err := calltest.Do(g.World, api.TestInvokeMethod, test); err == nil || !strings.Contains(err.Error(), "NotFoundException") {
		t.Errorf("a test with one that is gone: %v", err)
	}

	// A stage that goes closes its connections.
	g.patch(t, id, "without", "replace", "/clientCertificateId", &c)
	expect(g.s, "the other stage", "without", 200)
	calltest.Must(t, g.World, api.DeleteRestApi, &api.DeleteRestApiRequest{RestApiId: &id})
	<-g.closed
}

// TestClientCertificateSealed: the private key is nowhere in the clear.
func TestClientCertificateSealed(t *testing.T) {
	w := newWorld(t)
	c := calltest.Must(t, w.World, api.GenerateClientCertificate, &api.GenerateClientCertificateRequest{})
	b, _ := pem.Decode([]byte(*c.PemEncodedCertificate))
	leaf, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if days := leaf.NotAfter.Sub(leaf.NotBefore).Hours() / 24; days != 365 || !leaf.NotAfter.Equal(*c.ExpirationDate) || leaf.Subject.String() != "CN=ApiGateway" {
		t.Errorf("valid for %v days, of %s", days, leaf.Subject)
	}
	a := area{calltest.Account, calltest.Region}
	err = w.s.store.View(t.Context(), func(r data.Reader) error {
		record, err := loadCertificate(r, a, *c.ClientCertificateId)
		if err != nil {
			return err
		}
		if _, err := x509.ParsePKCS8PrivateKey(record.Key); err == nil {
			t.Error("the key is not sealed")
		}
		if pair, err := w.s.pair(a, record); err != nil || !leaf.PublicKey.(*rsa.PublicKey).Equal(pair.PrivateKey.(*rsa.PrivateKey).Public()) {
			t.Errorf("the pair does not match: %v", err)
		}
		// A key is sealed for its certificate only.
		moved := *record
		moved.ID = "other1"
		if _, err := w.s.pair(a, &moved); err == nil {
			t.Error("the key opens for another certificate")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	none := New(Deps{Store: w.s.store, Clock: w.Clock, IDs: w.IDs})
	if err := none.mint(a, &clientCertificate{ID: "a"}); err == nil {
		t.Error("a certificate without a key to seal it")
	}
}

// TestClientCertificateScript runs the operations; what differs each time is not
// shown.
func TestClientCertificateScript(t *testing.T) {
	w := newWorld(t)
	show := func(x *api.ClientCertificate) {
		if strings.HasPrefix(opt.Val(x.PemEncodedCertificate), "-----BEGIN CERTIFICATE-----\n") {
			x.PemEncodedCertificate = new("a certificate")
		}
	}
	extra := map[string]func(*testing.T, *datadriven.TestData) string{}
	for name, op := range map[string]func(in string) (any, error){
		"GenerateClientCertificate": certificateStep(w, api.GenerateClientCertificate, show),
		"GetClientCertificate":      certificateStep(w, api.GetClientCertificate, show),
		"UpdateClientCertificate":   certificateStep(w, api.UpdateClientCertificate, show),
		"GetClientCertificates": certificateStep(w, api.GetClientCertificates, func(x *api.ClientCertificates) {
			for i := range x.Items {
				show(&x.Items[i])
			}
		}),
	} {
		extra[name] = func(_ *testing.T, d *datadriven.TestData) string {
			out, err := op(d.Input)
			if err != nil {
				return err.Error() + "\n"
			}
			return calltest.JSON(out)
		}
	}
	calltest.Script(t, "testdata/clientcertificates.txt", w.World, extra)
}

// TestClientCertificateStack makes, changes and removes a certificate and the
// stage that shows it as a stack does.
func TestClientCertificateStack(t *testing.T) {
	w := newWorld(t)
	s := newStack(t, w)
	plain := props{"Description": "one"}
	c := s.create("ClientCertificate", plain)
	tagged := props{"Description": "two", "Tags": []any{props{"Key": "k", "Value": "v"}}}
	s.update("ClientCertificate", c.ID, plain, tagged)
	got := calltest.Must(t, w.World, api.GetClientCertificate, &api.GetClientCertificateRequest{ClientCertificateId: &c.ID})
	if *got.Description != "two" || got.Tags["k"] != "v" || got.Tags["stack"] != "st" || c.Attributes["ClientCertificateId"] != c.ID {
		t.Errorf("changed: %s", calltest.JSON(got))
	}
	if left, err := s.typ("ClientCertificate").Find(context.Background(), s.rq, tagged); err != nil || len(left) != 1 || left[0].ID != c.ID {
		t.Errorf("left: %v %v", left, err)
	}
	x := s.create("RestApi", props{"Body": body("GET /a")})
	dep := s.create("Deployment", props{"RestApiId": x.ID})
	with := props{"RestApiId": x.ID, "StageName": "s", "DeploymentId": dep.ID, "ClientCertificateId": c.ID}
	without := props{"RestApiId": x.ID, "StageName": "s", "DeploymentId": dep.ID}
	of := func(stage string) string {
		return opt.Val(calltest.Must(t, w.World, api.GetStage, &api.GetStageRequest{RestApiId: &x.ID, StageName: &stage}).ClientCertificateId)
	}
	s.create("Stage", with)
	if got := of("s"); got != c.ID {
		t.Errorf("a new stage has %q", got)
	}
	s.update("Stage", "s", with, without)
	if got := of("s"); got != "" {
		t.Errorf("a stage without has %q", got)
	}
	s.update("Stage", "s", without, with)
	if got := of("s"); got != c.ID {
		t.Errorf("a changed stage has %q", got)
	}
	described := props{"RestApiId": x.ID, "StageName": "d", "StageDescription": props{"ClientCertificateId": c.ID}}
	d := s.create("Deployment", described)
	if got := of("d"); got != c.ID {
		t.Errorf("a deployment's stage has %q", got)
	}
	s.remove("Deployment", d.ID, described)
	if err := s.typ("ClientCertificate").Delete(context.Background(), s.rq, c.ID, tagged); err == nil {
		t.Error("the certificate of a stage was deleted")
	}
	s.remove("Stage", "s", with)
	s.remove("ClientCertificate", c.ID, tagged)
}

// certificateStep is an operation of a script whose answer is changed before it is
// shown.
func certificateStep[I, O any](w *world, op call.Op[I, O], show func(*O)) func(string) (any, error) {
	return func(input string) (any, error) {
		in := new(I)
		if err := json.Unmarshal([]byte(input), in); err != nil {
			return nil, err
		}
		out, err := calltest.Do(w.World, op, in)
		if err == nil {
			show(out)
		}
		return out, err
	}
}
