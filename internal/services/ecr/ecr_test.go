package ecr_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data/blob"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	"github.com/tierra-cloud/tierra/internal/engine/image"
	api "github.com/tierra-cloud/tierra/internal/gen/ecr"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/policy"
	"github.com/tierra-cloud/tierra/internal/services/ecr"
)

// world is a room with its registry at an address.
type world struct {
	*calltest.World
	t     *testing.T
	room  *ecr.Service
	blobs blob.Store
	host  string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: calltest.New(), t: t, blobs: memblob.New()}
	store := mem.New()
	t.Cleanup(func() { store.Close() })
	room, err := ecr.New(ecr.Deps{Store: store, Content: image.NewContent(w.blobs, store), Clock: w.Clock, IDs: w.IDs, Gate: w.Gate, Key: bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	w.room = room
	w.Plug(room)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		room.View(rw, r, call.Address{Kind: "ecr", Path: r.URL.EscapedPath(), In: call.Incoming{Scheme: "http", Host: r.Host, Time: w.Clock.Now(), Region: calltest.Region}})
	}))
	t.Cleanup(srv.Close)
	w.host = strings.TrimPrefix(srv.URL, "http://")
	w.Board.Host = w.host
	return w
}

// login gets a password as w.As.
func (w *world) login() authn.Authenticator {
	w.t.Helper()
	out := calltest.Must(w.t, w.World, api.GetAuthorizationToken, &api.GetAuthorizationTokenRequest{})
	b, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		w.t.Fatal(err)
	}
	user, password, _ := strings.Cut(string(b), ":")
	return &authn.Basic{Username: user, Password: password}
}

func (w *world) create(repository string) {
	w.t.Helper()
	calltest.Must(w.t, w.World, api.CreateRepository, &api.CreateRepositoryRequest{RepositoryName: &repository})
}

func (w *world) ref(text string) name.Reference {
	w.t.Helper()
	ref, err := name.ParseReference(w.host + "/" + text)
	if err != nil {
		w.t.Fatal(err)
	}
	return ref
}

func (w *world) push(text string, img v1.Image) {
	w.t.Helper()
	if err := remote.Write(w.ref(text), img, remote.WithAuth(w.login())); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) blobNames() []string {
	w.t.Helper()
	names, err := w.blobs.Names(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	return names
}

func picture(t *testing.T, layers int64) v1.Image {
	t.Helper()
	img, err := random.Image(1<<10, layers)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func digest(t *testing.T, img v1.Image) string {
	t.Helper()
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

func as(user string) call.As {
	return call.AsIdentity(call.Identity{Principal: policy.Principal{
		Kind: policy.User, Account: calltest.Account, ARN: "arn:aws:iam::" + calltest.Account + ":user/" + user, UserName: user,
	}}, calltest.Region)
}

func wantFault(t *testing.T, err error, code string) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}

func wantStatus(t *testing.T, err error, status int) {
	t.Helper()
	var e *transport.Error
	if !errors.As(err, &e) || e.StatusCode != status {
		t.Errorf("got %v, want the status %d", err, status)
	}
}

func TestScripts(t *testing.T) {
	w := newWorld(t)
	w.Board.Host = "127.0.0.1:4566"
	calltest.Script(t, "testdata/repositories.txt", w.World, nil)
}

// TestPushAndPull: what a client pushes it pulls again; a second push of the same
// image and one that shares layers work; tags are listed page by page.
func TestPushAndPull(t *testing.T) {
	w := newWorld(t)
	w.create("team/shop")
	img := picture(t, 3)
	w.push("team/shop:v1", img)
	w.push("team/shop:v1", img)
	w.push("team/shop:v2", img)
	layer, err := random.Layer(512, types.DockerLayer)
	if err != nil {
		t.Fatal(err)
	}
	more, err := mutate.AppendLayers(img, layer)
	if err != nil {
		t.Fatal(err)
	}
	w.push("team/shop:v3", more)
	for tag, want := range map[string]v1.Image{"v1": img, "v2": img, "v3": more} {
		got, err := remote.Image(w.ref("team/shop:"+tag), remote.WithAuth(w.login()))
		if err != nil {
			t.Fatal(err)
		}
		if digest(t, got) != digest(t, want) {
			t.Errorf("%s is another image", tag)
		}
		layers, err := got.Layers()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range layers {
			rc, err := l.Compressed() // its reader verifies the digest
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, rc); err != nil {
				t.Error(err)
			}
		}
	}
	tags, err := remote.List(w.ref("team/shop").Context(), remote.WithAuth(w.login()), remote.WithPageSize(2))
	if err != nil || strings.Join(tags, " ") != "v1 v2 v3" {
		t.Errorf("tags %v, %v", tags, err)
	}
	out := calltest.Must(t, w.World, api.DescribeImages, &api.DescribeImagesRequest{RepositoryName: new("team/shop")})
	if len(out.ImageDetails) != 2 {
		t.Errorf("%d images", len(out.ImageDetails))
	}
	// 3 layers and a configuration, and one each for the second image.
	if n := len(w.blobNames()); n != 6 {
		t.Errorf("%d blobs", n)
	}
	if err := remote.Delete(w.ref("team/shop@"+digest(t, img)), remote.WithAuth(w.login())); err != nil {
		t.Fatal(err)
	}
	if n := len(w.blobNames()); n != 5 {
		t.Errorf("%d blobs are left by an image that shares its layers", n)
	}
	calltest.Must(t, w.World, api.DeleteRepository, &api.DeleteRepositoryRequest{RepositoryName: new("team/shop"), Force: new(true)})
	if left := w.blobNames(); len(left) != 0 {
		t.Errorf("blobs are left: %v", left)
	}
}

// TestIndex: an index is pushed and pulled with its images, which cannot be
// deleted before it.
func TestIndex(t *testing.T) {
	w := newWorld(t)
	w.create("many")
	img := picture(t, 1)
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	if err := remote.WriteIndex(w.ref("many:all"), index, remote.WithAuth(w.login())); err != nil {
		t.Fatal(err)
	}
	got, err := remote.Image(w.ref("many:all"), remote.WithAuth(w.login()), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}))
	if err != nil || digest(t, got) != digest(t, img) {
		t.Fatal(err)
	}
	out := calltest.Must(t, w.World, api.BatchDeleteImage, &api.BatchDeleteImageRequest{RepositoryName: new("many"), ImageIds: []api.ImageIdentifier{{ImageDigest: new(digest(t, img))}}})
	if len(out.Failures) != 1 || *out.Failures[0].FailureCode != api.ImageFailureCodeImageReferencedByManifestList {
		t.Errorf("failures %v", out.Failures)
	}
	out = calltest.Must(t, w.World, api.BatchDeleteImage, &api.BatchDeleteImageRequest{RepositoryName: new("many"), ImageIds: []api.ImageIdentifier{{ImageTag: new("all")}, {ImageDigest: new(digest(t, img))}}})
	if len(out.Failures) != 0 || len(w.blobNames()) != 0 {
		t.Errorf("failures %v, blobs %v", out.Failures, w.blobNames())
	}
}

// TestCatalog: repositories and tags are listed, page by page, for who may.
func TestCatalog(t *testing.T) {
	w := newWorld(t)
	want := []string{"a/b", "a/b-c", "shop"}
	for _, name := range want {
		w.create(name)
	}
	reg, err := name.NewRegistry(w.host)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		got, err := remote.Catalog(t.Context(), reg, remote.WithAuth(w.login()), remote.WithPageSize(n+1))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("by %d: %v, %v", n+1, got, err)
		}
	}
	tags := []string{"a", "b", "c"}
	img := picture(t, 1)
	for _, tag := range tags {
		w.push("shop:"+tag, img)
	}
	got, err := remote.List(w.ref("shop").Context(), remote.WithAuth(w.login()), remote.WithPageSize(2))
	if err != nil || !slices.Equal(got, tags) {
		t.Errorf("tags: %v, %v", got, err)
	}
	mode := w.Gate.Mode
	w.As, w.Gate.Mode = as("nobody"), call.Off
	nobody := w.login()
	w.Gate.Mode = mode
	_, err = remote.Catalog(t.Context(), reg, remote.WithAuth(nobody))
	wantStatus(t, err, http.StatusForbidden)
}

// TestReferrers: what is pushed about an image is found.
func TestReferrers(t *testing.T) {
	w := newWorld(t)
	w.create("signed")
	img := picture(t, 1)
	w.push("signed:v1", img)
	desc, err := remote.Head(w.ref("signed:v1"), remote.WithAuth(w.login()))
	if err != nil {
		t.Fatal(err)
	}
	about, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, "application/vnd.example.signature"), types.OCIManifestSchema1), static.NewLayer([]byte("signature"), "text/plain"))
	if err != nil {
		t.Fatal(err)
	}
	signature := mutate.Subject(about, *desc).(v1.Image)
	w.push("signed:sig", signature)
	index, err := remote.Referrers(w.ref("signed@"+digest(t, img)).(name.Digest), remote.WithAuth(w.login()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil || len(m.Manifests) != 1 || m.Manifests[0].Digest.String() != digest(t, signature) {
		t.Errorf("referrers %v, %v", m, err)
	}
}

// TestImmutable: a tag of an immutable repository stays where it is.
func TestImmutable(t *testing.T) {
	w := newWorld(t)
	calltest.Must(t, w.World, api.CreateRepository, &api.CreateRepositoryRequest{RepositoryName: new("fixed"), ImageTagMutability: new("IMMUTABLE_WITH_EXCLUSION"),
		ImageTagMutabilityExclusionFilters: []api.ImageTagMutabilityExclusionFilter{{FilterType: new("WILDCARD"), Filter: new("dev-*")}}})
	img := picture(t, 1)
	w.push("fixed:v1", img)
	w.push("fixed:v1", img)
	w.push("fixed:dev-1", img)
	w.push("fixed:dev-1", picture(t, 1))
	err := remote.Write(w.ref("fixed:v1"), picture(t, 1), remote.WithAuth(w.login()))
	wantStatus(t, err, http.StatusBadRequest)
	if err == nil || !strings.Contains(err.Error(), "immutable") {
		t.Error(err)
	}
}

// TestPasswords: without a password, with a wrong one, with one that has expired
// nobody gets in; a password has the rights of who got it, as the repository's
// policy says.
func TestPasswords(t *testing.T) {
	w := newWorld(t)
	w.create("shop")
	img := picture(t, 1)
	root := w.As
	w.push("shop:v1", img)
	head := func(a authn.Authenticator) error {
		_, err := remote.Head(w.ref("shop:v1"), remote.WithAuth(a))
		return err
	}
	old := w.login()
	if err := head(old); err != nil {
		t.Error(err)
	}
	wantStatus(t, head(authn.Anonymous), http.StatusUnauthorized)
	wantStatus(t, head(&authn.Basic{Username: "AWS", Password: "guess"}), http.StatusUnauthorized)
	w.Clock.Advance(12*time.Hour + time.Second)
	wantStatus(t, head(old), http.StatusUnauthorized)

	calltest.Must(t, w.World, api.SetRepositoryPolicy, &api.SetRepositoryPolicyRequest{RepositoryName: new("shop"), PolicyText: new(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"]}]}`)})
	// The test's identities have no policies that would let anybody get a password.
	password := func(user string) authn.Authenticator {
		w.As = root
		mode := w.Gate.Mode
		w.Gate.Mode = call.Off
		w.As = as(user)
		defer func() { w.As, w.Gate.Mode = root, mode }()
		return w.login()
	}
	ann, bob := password("ann"), password("bob")
	if err := head(ann); err != nil {
		t.Error(err)
	}
	if _, err := remote.Image(w.ref("shop:v1"), remote.WithAuth(ann)); err != nil {
		t.Error(err)
	}
	wantStatus(t, head(bob), http.StatusForbidden)
	wantStatus(t, remote.Write(w.ref("shop:v2"), img, remote.WithAuth(ann)), http.StatusForbidden)
	w.As = as("bob")
	_, err := calltest.Do(w.World, api.GetAuthorizationToken, &api.GetAuthorizationTokenRequest{})
	wantFault(t, err, "AccessDeniedException")
}

// TestDownloadURL: the address of a layer is good for whoever has it, for an hour,
// and for that layer alone.
func TestDownloadURL(t *testing.T) {
	w := newWorld(t)
	w.create("shop")
	w.create("other")
	img := picture(t, 1)
	w.push("shop:v1", img)
	layers, _ := img.Layers()
	d, _ := layers[0].Digest()
	at := *calltest.Must(t, w.World, api.GetDownloadUrlForLayer, &api.GetDownloadUrlForLayerRequest{RepositoryName: new("shop"), LayerDigest: new(d.String())}).DownloadUrl
	get := func(at string) int {
		t.Helper()
		rsp, err := http.Get(at)
		if err != nil {
			t.Fatal(err)
		}
		defer rsp.Body.Close()
		_, _ = io.Copy(io.Discard, rsp.Body)
		return rsp.StatusCode
	}
	if s := get(at); s != http.StatusOK {
		t.Errorf("status %d", s)
	}
	if s := get(strings.Replace(at, "/shop/", "/other/", 1)); s != http.StatusUnauthorized {
		t.Errorf("another repository: status %d", s)
	}
	w.Clock.Advance(time.Hour + time.Second)
	if s := get(at); s != http.StatusUnauthorized {
		t.Errorf("after an hour: status %d", s)
	}
}

// request makes one request of the registry protocol.
func (w *world) request(method, path string, body io.Reader, header ...string) *http.Response {
	w.t.Helper()
	rq, err := http.NewRequest(method, "http://"+w.host+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := w.login().Authorization()
	if err != nil {
		w.t.Fatal(err)
	}
	rq.SetBasicAuth(b.Username, b.Password)
	for i := 0; i < len(header); i += 2 {
		rq.Header.Set(header[i], header[i+1])
	}
	rsp, err := http.DefaultClient.Do(rq)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { rsp.Body.Close() })
	return rsp
}

// TestUploads: in one request, in parts, with parts in the wrong place, with a
// wrong digest, given up; nothing is left of what did not become a layer.
func TestUploads(t *testing.T) {
	w := newWorld(t)
	w.create("up")
	text := strings.Repeat("layer", 1000)
	d := string(image.DigestOf([]byte(text)))
	want := func(what string, rsp *http.Response, status int) {
		t.Helper()
		if rsp.StatusCode != status {
			b, _ := io.ReadAll(rsp.Body)
			t.Errorf("%s: status %d, want %d: %s", what, rsp.StatusCode, status, b)
		}
	}
	want("a layer that is not there", w.request("HEAD", "/v2/up/blobs/"+d, nil), 404)
	want("a repository that is not there", w.request("POST", "/v2/none/blobs/uploads/", nil), 404)
	want("a bad name", w.request("POST", "/v2/Up/blobs/uploads/", nil), 400)
	want("another digest, at once", w.request("POST", "/v2/up/blobs/uploads/?digest="+d, strings.NewReader("other")), 400)
	begun := w.request("POST", "/v2/up/blobs/uploads/", nil)
	want("begin", begun, 202)
	at := begun.Header.Get("Location")
	one := w.request("PATCH", at, strings.NewReader(text[:2000]), "Content-Range", "0-1999")
	want("first part", one, 202)
	if r := one.Header.Get("Range"); r != "0-1999" {
		t.Errorf("range %q", r)
	}
	want("a part that leaves a gap", w.request("PATCH", at, strings.NewReader(text[3000:]), "Content-Range", "3000-4999"), 416)
	if r := w.request("GET", at, nil); r.StatusCode != 204 || r.Header.Get("Range") != "0-1999" {
		t.Errorf("progress: %d %v", r.StatusCode, r.Header)
	}
	want("the rest", w.request("PATCH", at, strings.NewReader(text[2000:])), 202)
	want("end", w.request("PUT", at+"?digest="+d, nil), 201)
	want("again", w.request("PUT", at+"?digest="+d, nil), 404)
	want("the layer", w.request("HEAD", "/v2/up/blobs/"+d, nil), 200)
	part := w.request("GET", "/v2/up/blobs/"+d, nil, "Range", "bytes=5-9")
	want("a part of it", part, 206)
	if b, _ := io.ReadAll(part.Body); string(b) != "layer" {
		t.Errorf("a part of it: %q", b)
	}
	want("layers are not deleted", w.request("DELETE", "/v2/up/blobs/"+d, nil), 405)
	gone := w.request("POST", "/v2/up/blobs/uploads/", nil).Header.Get("Location")
	want("give up", w.request("DELETE", gone, nil), 204)
	want("given up", w.request("PATCH", gone, strings.NewReader("x")), 404)
	w.create("to")
	want("mount", w.request("POST", "/v2/to/blobs/uploads/?from=up&mount="+d, nil), 201)
	want("mounted", w.request("HEAD", "/v2/to/blobs/"+d, nil), 200)
	want("nothing to mount", w.request("POST", "/v2/to/blobs/uploads/?from=up&mount="+string(image.DigestOf(nil)), nil), 202)
	manifest := fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"a/b","digest":%q,"size":5000},"layers":[{"mediaType":"a/b","digest":%q,"size":1}]}`, d, image.DigestOf([]byte("no")))
	want("a manifest without its layers", w.request("PUT", "/v2/up/manifests/v1", strings.NewReader(manifest), "Content-Type", image.OCIManifest), 400)
	want("not a manifest", w.request("PUT", "/v2/up/manifests/v1", strings.NewReader("{}"), "Content-Type", image.OCIManifest), 400)
	want("another digest", w.request("PUT", "/v2/up/manifests/"+d, strings.NewReader(strings.Replace(manifest, string(image.DigestOf([]byte("no"))), d, 1)), "Content-Type", image.OCIManifest), 400)
	if names := w.blobNames(); len(names) != 1 {
		t.Errorf("blobs %v", names)
	}
	// Layers whose image never came go after a day.
	w.Clock.Advance(25 * time.Hour)
	if err := w.room.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if names := w.blobNames(); len(names) != 0 {
		t.Errorf("blobs %v", names)
	}
}

// TestLayerAPI pushes a layer by the operations of the API.
func TestLayerAPI(t *testing.T) {
	w := newWorld(t)
	w.create("up")
	begin := func() *string {
		return calltest.Must(t, w.World, api.InitiateLayerUpload, &api.InitiateLayerUploadRequest{RepositoryName: new("up")}).UploadId
	}
	part := func(id *string, first int64, text string) error {
		_, err := calltest.Do(w.World, api.UploadLayerPart, &api.UploadLayerPartRequest{RepositoryName: new("up"), UploadId: id, PartFirstByte: &first, PartLastByte: new(first + int64(len(text)) - 1), LayerPartBlob: []byte(text)})
		return err
	}
	complete := func(id *string, text string) error {
		_, err := calltest.Do(w.World, api.CompleteLayerUpload, &api.CompleteLayerUploadRequest{RepositoryName: new("up"), UploadId: id, LayerDigests: []string{string(image.DigestOf([]byte(text)))}})
		return err
	}
	id := begin()
	wantFault(t, complete(id, "x"), "EmptyUploadException")
	wantFault(t, part(id, 5, "x"), "InvalidLayerPartException")
	if err := part(id, 0, "text"); err != nil {
		t.Error(err)
	}
	wantFault(t, part(id, 4, "more"), "LayerPartTooSmallException")
	wantFault(t, complete(id, "other"), "InvalidLayerException")
	wantFault(t, complete(id, "text"), "UploadNotFoundException")
	id = begin()
	if err := part(id, 0, "text"); err != nil {
		t.Error(err)
	}
	if err := complete(id, "text"); err != nil {
		t.Error(err)
	}
	id = begin()
	if err := part(id, 0, "text"); err != nil {
		t.Error(err)
	}
	wantFault(t, complete(id, "text"), "LayerAlreadyExistsException")
	out := calltest.Must(t, w.World, api.BatchCheckLayerAvailability, &api.BatchCheckLayerAvailabilityRequest{RepositoryName: new("up"), LayerDigests: []string{string(image.DigestOf([]byte("text"))), string(image.DigestOf(nil)), "sha256:0"}})
	if len(out.Layers) != 2 || *out.Layers[0].LayerAvailability != "AVAILABLE" || *out.Layers[1].LayerAvailability != "UNAVAILABLE" || len(out.Failures) != 1 {
		t.Errorf("availability %s", calltest.JSON(out))
	}
}

// TestLifecycle: a policy shows what it would take away, and takes it away.
func TestLifecycle(t *testing.T) {
	w := newWorld(t)
	w.create("old")
	for _, tag := range []string{"v1", "v2", "v3", "keep"} {
		w.push("old:"+tag, picture(t, 1))
		w.Clock.Advance(time.Hour)
	}
	text := `{"rules":[
		{"rulePriority":1,"selection":{"tagStatus":"tagged","tagPrefixList":["v"],"countType":"imageCountMoreThan","countNumber":2},"action":{"type":"expire"}},
		{"rulePriority":2,"selection":{"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}]}`
	calltest.Must(t, w.World, api.StartLifecyclePolicyPreview, &api.StartLifecyclePolicyPreviewRequest{RepositoryName: new("old"), LifecyclePolicyText: &text})
	preview := func() string {
		out := calltest.Must(t, w.World, api.GetLifecyclePolicyPreview, &api.GetLifecyclePolicyPreviewRequest{RepositoryName: new("old")})
		var tags []string
		for _, r := range out.PreviewResults {
			tags = append(tags, fmt.Sprint(r.ImageTags[0], *r.AppliedRulePriority))
		}
		return strings.Join(tags, " ")
	}
	if got := preview(); got != "v11" {
		t.Errorf("preview %q", got)
	}
	calltest.Must(t, w.World, api.PutLifecyclePolicy, &api.PutLifecyclePolicyRequest{RepositoryName: new("old"), LifecyclePolicyText: &text})
	w.Clock.Advance(48 * time.Hour)
	if got := preview(); got != "v11 keep2" {
		t.Errorf("preview %q", got)
	}
	if err := w.room.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	tags, err := remote.List(w.ref("old").Context(), remote.WithAuth(w.login()))
	if err != nil || strings.Join(tags, " ") != "v2 v3" || len(w.blobNames()) != 4 {
		t.Errorf("tags %v, %v; blobs %v", tags, err, w.blobNames())
	}
}

func TestResources(t *testing.T) {
	w := newWorld(t)
	ty := w.room.ResourceTypes()[0]
	rq := &resource.Request{Caller: w, As: w.As, Account: calltest.Account, Region: calltest.Region, StackTags: map[string]string{"stack": "yes"}, Name: func(int) string { return "Stack-Repo-ABC" }}
	ctx := t.Context()
	rules := `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`
	props := map[string]any{"LifecyclePolicy": map[string]any{"LifecyclePolicyText": rules}, "RepositoryPolicyText": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}, "Action": []any{"ecr:BatchGetImage"}}}}}
	st, err := ty.Create(ctx, rq, props)
	if err != nil || st.ID != "stack-repo-abc" || st.Attributes["RepositoryUri"] != w.host+"/stack-repo-abc" {
		t.Fatalf("%v, %v", st, err)
	}
	if found, err := ty.Find(ctx, rq, props); err != nil || len(found) != 1 {
		t.Errorf("find: %v, %v", found, err)
	}
	if st, err = ty.Update(ctx, rq, st.ID, props, map[string]any{"ImageTagMutability": "IMMUTABLE"}); err != nil {
		t.Fatal(err)
	}
	_, err = calltest.Do(w.World, api.GetRepositoryPolicy, &api.GetRepositoryPolicyRequest{RepositoryName: &st.ID})
	wantFault(t, err, "RepositoryPolicyNotFoundException")
	_, err = calltest.Do(w.World, api.GetLifecyclePolicy, &api.GetLifecyclePolicyRequest{RepositoryName: &st.ID})
	wantFault(t, err, "LifecyclePolicyNotFoundException")
	w.push(st.ID+":v1", picture(t, 1))
	wantFault(t, ty.Delete(ctx, rq, st.ID, map[string]any{}), "RepositoryNotEmptyException")
	for range 2 {
		if err := ty.Delete(ctx, rq, st.ID, map[string]any{"EmptyOnDelete": true}); err != nil {
			t.Error(err)
		}
	}
	if n := len(ty.Check(map[string]any{"ImageScanningConfiguration": map[string]any{"ScanOnPush": true}})); n != 1 {
		t.Errorf("scanOnPush: %d problems", n)
	}
}
