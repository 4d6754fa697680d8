//go:build linux && (amd64 || arm64)

package lambda

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	ecrapi "github.com/tierra-cloud/tierra/internal/gen/ecr"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/ecr"
)

// yard is a stand with a registry.
type yard struct {
	*stand
	t    *testing.T
	host string
}

func newYard(t *testing.T, options ...option) *yard {
	t.Helper()
	y := &yard{t: t}
	y.stand = newStand(t, append(options, func(d *Deps) {
		d.Images, d.ImageDir = image.NewContent(d.Blobs, d.Store), filepath.Join(filepath.Dir(d.CodeDir), "images")
		d.Pull = &image.Puller{Content: d.Images, Transport: http.DefaultTransport}
	})...)
	if !y.deps.Launcher.Tier().OwnRoot {
		t.Skipf("this host isolates by %s", y.deps.Launcher.Tier().Name)
	}
	registry, err := ecr.New(ecr.Deps{Store: y.store, Content: y.deps.Images, Clock: y.World.Clock, IDs: y.IDs, Gate: y.Gate, Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	y.Plug(registry)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		registry.View(w, r, call.Address{Kind: "ecr", Path: r.URL.EscapedPath(), In: call.Incoming{Scheme: "http", Host: r.Host, Time: y.World.Clock.Now(), Region: calltest.Region}})
	}))
	t.Cleanup(srv.Close)
	y.host = strings.TrimPrefix(srv.URL, "http://")
	y.Board.Host = y.host
	calltest.Must(t, y.World, ecrapi.CreateRepository, &ecrapi.CreateRepositoryRequest{RepositoryName: new("shop")})
	return y
}

// push pushes an image with a password of w.As and returns its address.
func (y *yard) push(ref string, img v1.Image) string {
	y.t.Helper()
	out := calltest.Must(y.t, y.World, ecrapi.GetAuthorizationToken, &ecrapi.GetAuthorizationTokenRequest{})
	b, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		y.t.Fatal(err)
	}
	at, err := name.ParseReference(y.host + "/" + ref)
	if err != nil {
		y.t.Fatal(err)
	}
	if err := remote.Write(at, img, remote.WithAuth(&authn.Basic{Username: "AWS", Password: strings.TrimPrefix(string(b), "AWS:")})); err != nil {
		y.t.Fatal(err)
	}
	return y.host + "/" + ref
}

// files is a layer of files by their names.
func files(t *testing.T, all ...entry) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range all {
		mode := int64(e.mode)
		if mode == 0 {
			mode = 0o644
		}
		h := &tar.Header{Name: e.name, Mode: mode, Size: int64(len(e.body)), Typeflag: tar.TypeReg}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// built is an image of layers for this machine.
func built(t *testing.T, change func(*v1.Config), layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	f, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	f = f.DeepCopy()
	f.OS, f.Architecture = "linux", runtime.GOARCH
	if change != nil {
		change(&f.Config)
	}
	if img, err = mutate.ConfigFile(img, f); err != nil {
		t.Fatal(err)
	}
	return img
}

// base is the layer that the tests' images share.
func base(t *testing.T) v1.Layer {
	t.Helper()
	b, err := bootstrap()
	if err != nil {
		t.Fatal(err)
	}
	return files(t, entry{"bin/", "", 0}, entry{"bin/serve", string(b), 0o755}, entry{"srv/", "", 0}, entry{"srv/base.txt", "base", 0}, entry{"usr/", "", 0})
}

func (y *yard) image(function, uri string, change func(*api.CreateFunctionRequest)) (*api.FunctionConfiguration, error) {
	in := &api.CreateFunctionRequest{FunctionName: &function, PackageType: new("Image"), Role: new(testRole), Code: &api.FunctionCode{ImageUri: &uri}}
	if change != nil {
		change(in)
	}
	return calltest.Do(y.World, api.CreateFunction, in)
}

// unpacked counts the trees, and what is on its way to be one.
func (y *yard) unpacked() (n int) {
	y.t.Helper()
	all, err := os.ReadDir(y.deps.ImageDir)
	if err != nil {
		y.t.Fatal(err)
	}
	for _, e := range all {
		if e.IsDir() {
			n++
		}
	}
	return n
}

func (y *yard) kept() int {
	y.t.Helper()
	names, err := y.blobs.Names(y.t.Context(), "image/")
	if err != nil {
		y.t.Fatal(err)
	}
	return len(names)
}

// TestImage: a function of an image runs, is updated, outlives its tag and its
// repository, and leaves nothing.
func TestImage(t *testing.T) {
	y := newYard(t)
	shared := base(t)
	uri := y.push("shop:v1", built(t, func(c *v1.Config) {
		c.Entrypoint, c.Cmd, c.WorkingDir, c.User = []string{"serve"}, []string{"app.handler"}, "/srv", "root"
		c.Env = []string{"PATH=/bin", "FROM_IMAGE=yes", "BOTH=image"}
	}, shared, files(t, entry{"srv/data.txt", "one", 0})))
	c, err := y.image("f", uri, func(in *api.CreateFunctionRequest) {
		in.Environment = &api.Environment{Variables: map[string]string{"BOTH": "function"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(*c.CodeSha256) != 64 || *c.PackageType != "Image" || c.Runtime != nil || c.Handler != nil || *c.CodeSize != 0 {
		t.Errorf("configuration %s", calltest.JSON(c))
	}
	if got := y.answer(t, "f", `{"do":"file","text":"data.txt"}`); got != `"one"` {
		t.Errorf("read %s", got)
	}
	env := map[string]string{}
	if err := json.Unmarshal([]byte(y.answer(t, "f", `{"do":"env"}`)), &env); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{"FROM_IMAGE": "yes", "BOTH": "function", "PATH": "/bin", "_HANDLER": "app.handler", "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_EXECUTION_ENV": ""} {
		if env[k] != want {
			t.Errorf("%s is %q, want %q", k, env[k], want)
		}
	}
	out := calltest.Must(t, y.World, api.GetFunction, &api.GetFunctionRequest{FunctionName: new("f")})
	if *out.Code.RepositoryType != "ECR" || *out.Code.ImageUri != uri || *out.Code.ResolvedImageUri != y.host+"/shop@sha256:"+*c.CodeSha256 {
		t.Errorf("code %s", calltest.JSON(out.Code))
	}

	before := y.unpacked()
	// AWS's own form of the address is the same registry.
	y.push("shop:v2", built(t, func(c *v1.Config) { c.Entrypoint, c.WorkingDir = []string{"/bin/serve"}, "/srv" }, shared, files(t, entry{"srv/data.txt", "two", 0}, entry{"srv/.wh.base.txt", "", 0})))
	next := calltest.Account + ".dkr.ecr." + calltest.Region + ".amazonaws.com/shop:v2"
	calltest.Must(t, y.World, api.UpdateFunctionCode, &api.UpdateFunctionCodeRequest{FunctionName: new("f"), ImageUri: &next, Publish: new(true)})
	if got := y.answer(t, "f", `{"do":"file","text":"data.txt"}`); got != `"two"` {
		t.Errorf("after the update: %s", got)
	}
	if got, err := y.invoke("f", `{"do":"file","text":"/srv/base.txt"}`); err != nil || got.FunctionError == nil {
		t.Errorf("what the second image removes is there: %s, %v", got.Payload, err)
	}
	if y.deps.Launcher.Tier().Overlay {
		// The second layer has taken the place of the first; the lower one is the same.
		until(func() bool { return y.unpacked() == before })
	}
	calltest.Must(t, y.World, api.UpdateFunctionConfiguration, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"), ImageConfig: &api.ImageConfig{Command: []string{"other.handler"}, WorkingDirectory: new("/bin")}})
	if got := y.answer(t, "f", `{"do":"file","text":"../srv/data.txt"}`); got != `"two"` {
		t.Errorf("in another working folder: %s", got)
	}

	calltest.Must(t, y.World, ecrapi.DeleteRepository, &ecrapi.DeleteRepositoryRequest{RepositoryName: new("shop"), Force: new(true)})
	// A new environment begins.
	calltest.Must(t, y.World, api.UpdateFunctionConfiguration, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"), Description: new("new")})
	if got := y.answer(t, "f", `{"do":"file","text":"/srv/data.txt"}`); got != `"two"` {
		t.Errorf("without the repository: %s", got)
	}
	calltest.Must(t, y.World, api.DeleteFunction, &api.DeleteFunctionRequest{FunctionName: new("f")})
	until(func() bool { return y.unpacked() == 0 && y.kept() == 0 })
}

// TestImageExtension: an image brings its extensions with it.
func TestImageExtension(t *testing.T) {
	lines := make(chan string, 1000)
	y := newYard(t, func(d *Deps) { d.Tap = func(_, line string) { lines <- line } })
	b, err := bootstrap()
	if err != nil {
		t.Fatal(err)
	}
	uri := y.push("shop:extended", built(t, func(c *v1.Config) { c.Entrypoint = []string{"/bin/serve"} }, base(t), files(t, entry{"opt/extensions/", "", 0}, entry{"opt/extensions/watcher", string(b), 0o755})))
	if _, err := y.image("f", uri, nil); err != nil {
		t.Fatal(err)
	}
	if got := y.answer(t, "f", `{"a":1}`); got != `{"a":1}` {
		t.Errorf("answer: %s", got)
	}
	for line := range lines {
		if line == "extended" { // it got the event
			return
		}
	}
}

// TestImageRefused: what cannot be a function's image is told, and nothing is left.
func TestImageRefused(t *testing.T) {
	y := newYard(t)
	root := y.World.As
	good := y.push("shop:good", built(t, nil, files(t, entry{"a", "a", 0})))
	other := built(t, nil, files(t, entry{"a", "b", 0}))
	f, err := other.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	f = f.DeepCopy()
	f.Architecture = "s390x"
	if other, err = mutate.ConfigFile(other, f); err != nil {
		t.Fatal(err)
	}
	y.push("shop:other", other)
	f = f.DeepCopy()
	f.Architecture = runtime.GOARCH
	f.RootFS.DiffIDs = []v1.Hash{{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}}
	corrupt, err := mutate.ConfigFile(other, f)
	if err != nil {
		t.Fatal(err)
	}
	y.push("shop:corrupt", corrupt)
	kept := y.kept()
	refused := func(what, uri, says string, change func(*api.CreateFunctionRequest)) {
		t.Helper()
		_, err := y.image("f", uri, change)
		if f := fault.As(err); f == nil || f.Code != "InvalidParameterValueException" || !strings.Contains(f.Message, says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("no host", "shop:good", "not valid", nil)
	refused("no such tag", y.host+"/shop:none", "does not exist", nil)
	refused("no such repository", y.host+"/none:v1", "does not exist", nil)
	refused("another region", calltest.Account+".dkr.ecr.eu-west-1.amazonaws.com/shop:good", "region", nil)
	refused("another machine's", y.host+"/shop:other", "s390x", nil)
	refused("corrupt", y.host+"/shop:corrupt", "corrupt", nil)
	refused("with a runtime", good, "Runtime or Handler", func(in *api.CreateFunctionRequest) { in.Runtime = new("provided.al2023") })
	refused("a package", good, "PackageType is Zip", func(in *api.CreateFunctionRequest) {
		in.PackageType, in.Runtime, in.Handler = nil, new("provided.al2023"), new("x")
	})
	refused("no image", good, "provide ImageUri", func(in *api.CreateFunctionRequest) { in.Code = &api.FunctionCode{ZipFile: []byte("x")} })
	refused("both", good, "other FunctionCode", func(in *api.CreateFunctionRequest) { in.Code.ZipFile = []byte("x") })
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	refused("another registry that has none", strings.TrimPrefix(srv.URL, "http://")+"/x:v1", "cannot be pulled", nil)
	// An account whose repository does not let this one in.
	y.World.As = call.AsIdentity(call.Identity{Principal: policy.Principal{Kind: policy.Root, Account: "111111111111", ARN: "arn:aws:iam::111111111111:root", UserID: "111111111111"}}, calltest.Region)
	calltest.Must(t, y.World, ecrapi.CreateRepository, &ecrapi.CreateRepositoryRequest{RepositoryName: new("theirs")})
	y.World.As = root
	refused("another account's", "111111111111.dkr.ecr.us-east-1.amazonaws.com/theirs:v1", "permission", nil)
	if y.unpacked() != 0 || y.kept() != kept {
		t.Errorf("%d trees and %d of %d blobs are left", y.unpacked(), y.kept(), kept)
	}
	// The service was let in, by the caller of CreateFunction.
	p := calltest.Must(t, y.World, ecrapi.GetRepositoryPolicy, &ecrapi.GetRepositoryPolicyRequest{RepositoryName: new("shop")})
	if !strings.Contains(*p.PolicyText, "lambda.amazonaws.com") {
		t.Errorf("policy %s", *p.PolicyText)
	}
	if _, err := y.image("f", good, nil); err != nil {
		t.Fatal(err)
	}
	// It has no entry point: the function says so.
	out, err := y.invoke("f", "{}")
	if err != nil || out.FunctionError == nil {
		t.Errorf("without an entry point: %v, %v", out, err)
	}
}

// TestImageOfBaseShape: images of the shape of AWS's base images, an entry point
// that hands over to the runtime in /var/runtime.
func TestImageOfBaseShape(t *testing.T) {
	shell, err := os.ReadFile("/usr/bin/busybox")
	if err != nil {
		t.Skip("this test's image has busybox (Debian's busybox-static) for its shell")
	}
	y := newYard(t)
	b, err := bootstrap()
	if err != nil {
		t.Fatal(err)
	}
	img := built(t, func(c *v1.Config) {
		c.Entrypoint, c.Cmd, c.WorkingDir = []string{"/lambda-entrypoint.sh"}, []string{"app.handler"}, "/var/task"
		c.Env = []string{"PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin", "LAMBDA_TASK_ROOT=/var/task", "LAMBDA_RUNTIME_DIR=/var/runtime", "TZ=:/etc/localtime"}
	},
		files(t, entry{"bin/", "", 0}, entry{"bin/sh", string(shell), 0o755}, entry{"usr/", "", 0}, entry{"var/runtime/", "", 0}, entry{"var/runtime/bootstrap", string(b), 0o755},
			entry{"lambda-entrypoint.sh", "#!/bin/sh\n[ -n \"$AWS_LAMBDA_RUNTIME_API\" ] || exit 1\n[ $# -eq 1 ] || exit 142\nexport _HANDLER=\"$1\"\nexec /var/runtime/bootstrap\n", 0o755}),
		files(t, entry{"var/task/", "", 0}, entry{"var/task/app.txt", "the app", 0}))
	uri := y.push("shop:base", img)
	for _, handler := range []string{"app.handler", "app.other"} {
		_, err := y.image(strings.ReplaceAll(handler, ".", "-"), uri, func(in *api.CreateFunctionRequest) {
			if handler != "app.handler" {
				in.ImageConfig = &api.ImageConfig{Command: []string{handler}}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		env := map[string]string{}
		if err := json.Unmarshal([]byte(y.answer(t, strings.ReplaceAll(handler, ".", "-"), `{"do":"env"}`)), &env); err != nil {
			t.Fatal(err)
		}
		if env["_HANDLER"] != handler || env["LAMBDA_TASK_ROOT"] != "/var/task" {
			t.Errorf("%s: %v", handler, env)
		}
	}
	if got := y.answer(t, "app-handler", `{"do":"file","text":"app.txt"}`); got != `"the app"` {
		t.Errorf("read %s", got)
	}
}

// TestImageFromElsewhere: an image of another registry is pulled, and kept for the
// function.
func TestImageFromElsewhere(t *testing.T) {
	elsewhere, y := newYard(t), newYard(t)
	// The other registry lets everybody in.
	elsewhere.Gate.Mode = call.Off
	calltest.Must(t, elsewhere.World, ecrapi.SetRepositoryPolicy, &ecrapi.SetRepositoryPolicyRequest{RepositoryName: new("shop"), PolicyText: new(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:*"}]}`)})
	uri := elsewhere.push("shop:v1", built(t, func(c *v1.Config) { c.Entrypoint = []string{"/bin/serve"} }, base(t)))
	open := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := calltest.Must(t, elsewhere.World, ecrapi.GetAuthorizationToken, &ecrapi.GetAuthorizationTokenRequest{})
		r.Header.Set("Authorization", "Basic "+*out.AuthorizationData[0].AuthorizationToken)
		rq, err := http.NewRequest(r.Method, "http://"+elsewhere.host+r.URL.RequestURI(), nil)
		if err != nil {
			t.Error(err)
		}
		rq.Header = r.Header
		rsp, err := http.DefaultClient.Do(rq)
		if err != nil {
			t.Error(err)
			return
		}
		defer rsp.Body.Close()
		for k, v := range rsp.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(rsp.StatusCode)
		_, _ = io.Copy(w, rsp.Body)
	}))
	_, path, _ := strings.Cut(uri, "/")
	if _, err := y.image("f", strings.TrimPrefix(open.URL, "http://")+"/"+path, nil); err != nil {
		t.Fatal(err)
	}
	open.Close()
	if got := y.answer(t, "f", `{"do":"file","text":"/srv/base.txt"}`); got != `"base"` {
		t.Errorf("read %s", got)
	}
	calltest.Must(t, y.World, api.DeleteFunction, &api.DeleteFunctionRequest{FunctionName: new("f")})
	until(func() bool { return y.unpacked() == 0 && y.kept() == 0 })
}

// attemptsImage is an image of a program that tries what a function must not be
// able to do.
func attemptsImage(t *testing.T, prog []byte) v1.Image {
	t.Helper()
	return built(t, func(c *v1.Config) { c.Entrypoint = []string{"/app/bootstrap"} },
		files(t, entry{"app/", "", 0}, entry{"app/bootstrap", string(prog), 0o755}, entry{"usr/", "", 0}, entry{"var/task/", "", 0}))
}

func TestParseImageURI(t *testing.T) {
	hosts := []string{"127.0.0.1:4566"}
	for _, c := range []struct {
		text, account, region, name, id string
		own, bad                        bool
	}{
		{text: "000000000000.dkr.ecr.us-east-1.amazonaws.com/a/b:v1", account: "000000000000", region: "us-east-1", name: "a/b", id: "v1", own: true},
		{text: "000000000000.dkr.ecr.us-east-1.localhost:4566/a", account: "000000000000", region: "us-east-1", name: "a", id: "latest", own: true},
		{text: "127.0.0.1:4566/a:v1@sha256:00", name: "a", id: "sha256:00", own: true},
		{text: "localhost:4566/a:v1", name: "a", id: "v1", own: true},
		{text: "localhost:5000/a:v1", name: "a", id: "v1"},
		{text: "docker.io/library/alpine:3", name: "library/alpine", id: "3"},
		{text: "alpine:3", bad: true}, {text: "library/alpine", bad: true}, {text: "", bad: true}, {text: "a.b/", bad: true}, {text: "a.b/c:", bad: true}, {text: "a.b/c@", bad: true},
	} {
		at, ok := parseImageURI(c.text, hosts)
		if ok == c.bad {
			t.Errorf("%q: %v", c.text, ok)
			continue
		}
		id := ""
		if at.id.ImageTag != nil {
			id = *at.id.ImageTag
		} else if at.id.ImageDigest != nil {
			id = *at.id.ImageDigest
		}
		if !c.bad && (at.account != c.account || at.region != c.region || at.name != c.name || id != c.id || at.own != c.own) {
			t.Errorf("%q: %+v", c.text, at)
		}
	}
}
