package apigateway

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// functions is a room with Lambda's Invoke: functions are Go functions, and each
// may have a resource policy.
type functions struct {
	mu       sync.Mutex
	invoke   func(ctx context.Context, name string, event []byte) (*lambda.InvocationResponse, error)
	policies map[string]string
	// stream makes a streamed response; an error ends it.
	stream func(ctx context.Context, event []byte, send func(chunk string) error) error
}

func (f *functions) Model() *model.Service { return &lambda.Model }

func (f *functions) Bindings() []call.Binding {
	access := call.Rule(func(_ context.Context, rq *call.Decoded, in *lambda.InvocationRequest) ([]call.Need, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.policies == nil {
			return nil, nil
		}
		need := call.Need{Action: "lambda:InvokeFunction", Resource: *in.FunctionName, Owner: calltest.Account}
		if text := f.policies[*in.FunctionName]; text != "" {
			var err error
			if need.Policy, err = policy.Parse([]byte(text)); err != nil {
				return nil, err
			}
		}
		return []call.Need{need}, nil
	}, "lambda:InvokeFunction")
	return []call.Binding{call.Bind(lambda.Invoke, access, func(ctx context.Context, _ *call.Authorized, in *lambda.InvocationRequest) (*lambda.InvocationResponse, error) {
		return f.invoke(ctx, *in.FunctionName, in.Payload)
	}), call.Bind(lambda.InvokeWithResponseStream, call.Open[lambda.InvokeWithResponseStreamRequest]("a test"), func(_ context.Context, _ *call.Authorized, in *lambda.InvokeWithResponseStreamRequest) (*lambda.InvokeWithResponseStreamResponse, error) {
		return &lambda.InvokeWithResponseStreamResponse{EventStream: func(ctx context.Context, send func(string, any) error) error {
			done := &lambda.InvokeWithResponseStreamCompleteEvent{}
			err := f.stream(ctx, in.Payload, func(chunk string) error {
				return send("PayloadChunk", &lambda.InvokeResponseStreamUpdate{Payload: []byte(chunk)})
			})
			if err != nil {
				done.ErrorCode = new(err.Error())
			}
			return send("InvokeComplete", done)
		}}, nil
	})}
}

// world is the room with functions, as a server sees it.
type world struct {
	*calltest.World
	s *Service
	f *functions
}

// fixedKey seals what is sealed in tests.
var fixedKey = bytes.Repeat([]byte{7}, 32)

func newWorld(t testing.TB) *world {
	w := &world{World: calltest.New(), f: &functions{}}
	store := mem.New()
	t.Cleanup(func() { store.Close() })
	// The room's ids do not depend on how many calls were made.
	w.s = New(Deps{Store: store, Clock: w.Clock, IDs: ids.From(rand.NewChaCha8([32]byte{1})), Caller: w.Board, Gate: w.Gate, Key: fixedKey})
	w.Plug(w.s, w.f)
	return w
}

// unlimited lets the account send as many requests as it likes. It comes before
// the first stage.
func (w *world) unlimited() *world {
	w.s.accounts.rate, w.s.accounts.burst = 1e9, 1e9
	return w
}

// returns makes every function return a payload.
func (w *world) returns(payload string) {
	w.f.invoke = func(context.Context, string, []byte) (*lambda.InvocationResponse, error) {
		return &lambda.InvocationResponse{StatusCode: new(int32(200)), Payload: []byte(payload)}, nil
	}
}

// records makes every function return a payload, and returns where the last
// event and the name of the function come to stand.
func (w *world) records(payload string) (event *[]byte, name *string) {
	event, name = new([]byte), new(string)
	w.f.invoke = func(_ context.Context, n string, e []byte) (*lambda.InvocationResponse, error) {
		*event, *name = append([]byte(nil), e...), n
		return &lambda.InvocationResponse{Payload: []byte(payload)}, nil
	}
	return event, name
}

// at is the address of a path below an API: "/prod/pets".
func (w *world) at(id, path string) call.Address {
	return call.Address{
		Kind: "execute-api", ID: id, Path: path, Base: "http://" + id + ".execute-api.localhost:4566",
		In: call.Incoming{
			RequestID: w.IDs.UUID(), Time: w.Clock.Now(), Region: calltest.Region, SourceIP: netip.MustParseAddr("192.0.2.7"),
			UserAgent: "test/1", Scheme: "http", Host: id + ".execute-api.localhost:4566",
		},
	}
}

type answer struct {
	*http.Response
	body string
}

// send sends a request to "/stage/path?query" of an API.
func (w *world) send(method, id, target, body string, header ...string) answer {
	r := httptest.NewRequest(method, "http://"+id+".execute-api.localhost:4566"+target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return w.view(id, r)
}

func (w *world) view(id string, r *http.Request) answer {
	rec := httptest.NewRecorder()
	at := w.at(id, r.URL.EscapedPath())
	at.In.TraceHeader = r.Header.Get("X-Amzn-Trace-Id")
	w.s.View(rec, r, at)
	b, _ := io.ReadAll(rec.Result().Body)
	return answer{rec.Result(), string(b)}
}

const functionARN = "arn:aws:lambda:us-east-1:000000000000:function:"

func uri(function string) string {
	return "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + functionARN + function + "/invocations"
}

// newAPI makes an API whose routes ("GET /pets/{id}") call the function f.
func (w *world) newAPI(t testing.TB, routes ...string) (id string) {
	t.Helper()
	x := calltest.Must(t, w.World, api.CreateRestApi, &api.CreateRestApiRequest{Name: new("test")})
	for _, r := range routes {
		w.addRoute(t, *x.Id, r, uri("f"))
	}
	return *x.Id
}

// resource returns the id of the resource at a path, making what is missing.
func (w *world) resource(t testing.TB, id, path string) string {
	t.Helper()
	all := calltest.Must(t, w.World, api.GetResources, &api.GetResourcesRequest{RestApiId: &id, Limit: new(int32(500))})
	ids := map[string]string{}
	for _, r := range all.Items {
		ids[*r.Path] = *r.Id
	}
	at, rid := "", ids["/"]
	for _, part := range strings.Split(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		at += "/" + part
		if ids[at] == "" {
			ids[at] = *calltest.Must(t, w.World, api.CreateResource, &api.CreateResourceRequest{RestApiId: &id, ParentId: &rid, PathPart: &part}).Id
		}
		rid = ids[at]
	}
	return rid
}

func (w *world) addRoute(t testing.TB, id, route, uri string) {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	rid := w.resource(t, id, path)
	calltest.Must(t, w.World, api.PutMethod, &api.PutMethodRequest{RestApiId: &id, ResourceId: &rid, HttpMethod: &method, AuthorizationType: new("NONE")})
	calltest.Must(t, w.World, api.PutIntegration, &api.PutIntegrationRequest{
		RestApiId: &id, ResourceId: &rid, HttpMethod: &method, Type: new("AWS_PROXY"), IntegrationHttpMethod: new("POST"), Uri: &uri,
	})
}

func (w *world) deploy(t testing.TB, id, stage string) string {
	t.Helper()
	in := &api.CreateDeploymentRequest{RestApiId: &id, StageName: opt.NonZero(stage)}
	return *calltest.Must(t, w.World, api.CreateDeployment, in).Id
}

// conformance returns a folder of the conformance data, or skips the test.
func conformance(t *testing.T, folder string) string {
	dir := os.Getenv("TIERRA_CONFORMANCE")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil || root == filepath.Dir(root) {
				break
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared", "conformance")
	}
	dir = filepath.Join(dir, folder)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the conformance data is not here: %v", err)
	}
	return dir
}

// keys yields every key of the store.
func (w *world) keys(t *testing.T) (keys []string) {
	t.Helper()
	err := w.s.store.View(t.Context(), func(r data.Reader) error {
		for p, err := range r.Scan(nil, nil, false) {
			if err != nil {
				return err
			}
			keys = append(keys, string(p.Key))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
