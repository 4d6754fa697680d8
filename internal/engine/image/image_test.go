package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/klauspost/compress/zstd"

	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	"github.com/tierra-cloud/tierra/internal/engine/image"
)

type world struct {
	t       *testing.T
	store   data.Store
	blobs   blob.Store
	content *image.Content
	dir     string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, store: mem.New(), blobs: memblob.New(), dir: t.TempDir()}
	t.Cleanup(func() { w.store.Close() })
	w.content = image.NewContent(w.blobs, w.store)
	return w
}

// put stores bytes that stay pinned.
func (w *world) put(b []byte) image.Digest {
	w.t.Helper()
	x, err := w.content.Create(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer x.Abort()
	if _, err := x.Write(b); err != nil {
		w.t.Fatal(err)
	}
	release, err := x.Commit(image.DigestOf(b))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(release)
	return image.DigestOf(b)
}

// entry is one entry of an archive: "name" a file, "name/" a folder, "name > to" a
// symbolic link, "name = to" a hard link, "name | dev" a device.
func archive(t *testing.T, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e, Mode: 0o644, Typeflag: tar.TypeReg}
		content := ""
		switch f := strings.SplitN(e, " ", 3); {
		case len(f) == 3 && f[1] == ">":
			h.Name, h.Typeflag, h.Linkname = f[0], tar.TypeSymlink, f[2]
		case len(f) == 3 && f[1] == "=":
			h.Name, h.Typeflag, h.Linkname = f[0], tar.TypeLink, f[2]
		case len(f) == 3 && f[1] == "|":
			h.Name, h.Typeflag = f[0], tar.TypeBlock
		case strings.HasSuffix(e, "/"):
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		default:
			content = "content of " + e
			h.Size, h.Uid = int64(len(content)), 1234
			h.Mode = 0o4711
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// layer stores an archive, compressed.
func (w *world) layer(entries ...string) image.Layer {
	w.t.Helper()
	a := archive(w.t, entries...)
	return image.Layer{Digest: w.put(zipped(w.t, a)), Diff: image.DigestOf(a)}
}

func (w *world) trees(overlay bool) *image.Trees {
	w.t.Helper()
	t := image.NewTrees(w.content, filepath.Join(w.dir, "trees"), overlay)
	if err := t.Open(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(t.Close)
	return t
}

// left lists the trees, and what is on its way to be one.
func (w *world) left() []string {
	w.t.Helper()
	all, err := filepath.Glob(filepath.Join(w.dir, "trees", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(name string) bool {
		base := filepath.Base(name)
		return base == "whole" || strings.HasPrefix(base, "note-")
	})
}

// list lists a folder in the words of archive, without what every root has.
func list(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		if err != nil || rel == "." {
			return err
		}
		if first, _, _ := strings.Cut(rel, "/"); slices.Contains([]string{"dev", "proc", "tmp", "etc"}, first) {
			return nil
		}
		switch {
		case d.IsDir():
			rel += "/"
		case d.Type()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(path)
			rel += " > " + to
		case d.Type()&fs.ModeCharDevice != 0:
			rel += " gone"
		}
		out = append(out, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, ", ")
}

// TestCopied: what becomes of layers in one folder.
func TestCopied(t *testing.T) {
	for _, c := range []struct {
		name   string
		layers [][]string
		want   string
		bad    string // what the error says
	}{
		{"files", [][]string{{"a/", "a/b", "c/d"}}, "a/, a/b, c/, c/d", ""},
		{"links", [][]string{{"a", "b > a", "c > /etc/shadow", "d = a"}}, "a, b > a, c > /etc/shadow, d", ""},
		{"devices are left out", [][]string{{"a", "disk | x"}}, "a", ""},
		{"a file is replaced", [][]string{{"a > /elsewhere"}, {"a"}}, "a", ""},
		{"a folder is replaced", [][]string{{"a/", "a/b"}, {"a"}}, "a", ""},
		{"a file becomes a folder", [][]string{{"a"}, {"a/", "a/b"}}, "a/, a/b", ""},
		{"a link of a lower layer makes way", [][]string{{"lib > usr/lib", "usr/lib/x"}, {"lib/y"}}, "lib/, lib/y, usr/, usr/lib/, usr/lib/x", ""},
		{"removals", [][]string{{"a/b", "a/c", "d"}, {"a/.wh.b", ".wh.d"}}, "a/, a/c", ""},
		{"a removal is of lower layers", [][]string{{"a"}, {"a", ".wh.a"}}, "a", ""},
		{"a removal of nothing", [][]string{{"a"}, {".wh.b"}}, "a", ""},
		{"a folder is emptied", [][]string{{"a/b", "a/c/d"}, {"a/e", "a/.wh..wh..opq"}}, "a/, a/e", ""},
		{"a folder is made anew", [][]string{{"a/b"}, {".wh.a", "a/", "a/c"}}, "a/, a/c", ""},
		{"a hard link over layers", [][]string{{"a"}, {"b = a"}}, "a, b", ""},

		{"out of the folder", [][]string{{"../a"}}, "", "leads out"},
		{"out of the folder, deep", [][]string{{"a/../../b"}}, "", "leads out"},
		{"from the root", [][]string{{"/a"}}, "a", ""},
		{"through a link", [][]string{{"a > /tmp", "a/b"}}, "", "writes through"},
		{"through a link within", [][]string{{"d/", "a > d", "a/b"}}, "", "writes through"},
		{"through a file", [][]string{{"a", "a/b"}}, "", "writes through"},
		{"a hard link out", [][]string{{"a = ../../etc/passwd"}}, "", "leads out"},
		{"a hard link to nothing", [][]string{{"a = /etc/passwd"}}, "", "leads to"},
		{"a hard link through a link", [][]string{{"a > /etc", "b = a/passwd"}}, "", "hard link"},
		{"a hard link to a folder", [][]string{{"a/", "b = a"}}, "", "hard link"},
		{"removes itself", [][]string{{".wh.."}}, "", "removes"},
		{"removes above", [][]string{{"a/.wh..."}}, "", "removes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			var layers []image.Layer
			for _, entries := range c.layers {
				layers = append(layers, w.layer(entries...))
			}
			trees := w.trees(false)
			root, _, release, err := trees.Root(t.Context(), layers)
			if c.bad != "" {
				var bad *image.CorruptError
				if !errors.As(err, &bad) || !strings.Contains(bad.Reason, c.bad) {
					t.Errorf("got %v", err)
				}
				if left := w.left(); len(left) != 0 {
					t.Errorf("left behind: %v", left)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := list(t, root.Dir); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			release()
			if err := trees.Drop(layers, func(image.Layer) bool { return false }); err != nil {
				t.Fatal(err)
			}
			if left := w.left(); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestJoined: each layer has a folder of its own, in overlayfs's words, and layers
// are shared by images.
func TestJoined(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("marking what a layer removes takes root")
	}
	w := newWorld(t)
	base := w.layer("a/b", "a/c", "d", "old/x")
	first := w.layer("a/.wh.b", ".wh.d", "e", ".wh.old", "old/")
	second := w.layer("f")
	trees := w.trees(true)
	one, n, releaseOne, err := trees.Root(t.Context(), []image.Layer{base, first})
	if err != nil || len(one.Layers) != 2 {
		t.Fatalf("%v, %v", one, err)
	}
	if want := int64(len("content of a/b") + len("content of a/c") + len("content of d") + len("content of old/x") + len("content of e")); n != want {
		t.Errorf("%d bytes, want %d", n, want)
	}
	two, _, releaseTwo, err := trees.Root(t.Context(), []image.Layer{base, second})
	if err != nil || two.Layers[0] != one.Layers[0] {
		t.Fatalf("the lower layer is not shared: %v %v, %v", one, two, err)
	}
	if got, want := list(t, one.Layers[1]), "a/, a/b gone, d gone, e, old/"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	info, err := os.Stat(filepath.Join(one.Layers[0], "a/b"))
	if err != nil || info.Mode() != 0o711 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// What is in use stays.
	if err := trees.Drop([]image.Layer{base, first}, func(image.Layer) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(one.Layers[0]); err != nil {
		t.Error(err)
	}
	releaseOne()
	releaseTwo()
	if err := trees.Drop([]image.Layer{base, first}, func(l image.Layer) bool { return l == base }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(one.Layers[1]); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an unused layer is left")
	}
	if _, err := os.Stat(one.Layers[0]); err != nil {
		t.Error(err)
	}
}

// TestCorrupt: layers that are cut off, changed, of another digest or lost are
// told apart from what the machine does wrong, and leave nothing.
func TestCorrupt(t *testing.T) {
	w := newWorld(t)
	a := archive(t, "a", "b/c")
	z := zipped(t, a)
	broken := bytes.Clone(z)
	broken[len(broken)/2] ^= 0xff
	for what, l := range map[string]image.Layer{
		"cut off":    {Digest: w.put(z[:len(z)/2]), Diff: image.DigestOf(a)},
		"changed":    {Digest: w.put(broken), Diff: image.DigestOf(a)},
		"other":      {Digest: w.put(z), Diff: image.DigestOf(nil)},
		"no archive": {Digest: w.put([]byte("text")), Diff: image.DigestOf([]byte("text"))},
	} {
		_, _, _, err := w.trees(true).Root(t.Context(), []image.Layer{l})
		var bad *image.CorruptError
		if !errors.As(err, &bad) || bad.Layer != l.Digest {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, _, _, err := w.trees(true).Root(t.Context(), []image.Layer{{Digest: image.DigestOf([]byte("lost")), Diff: image.DigestOf(nil)}}); !errors.Is(err, image.ErrNotFound) {
		t.Errorf("lost: %v", err)
	}
	if left := w.left(); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestCompression: layers come as they are, and by gzip or zstd.
func TestCompression(t *testing.T) {
	w := newWorld(t)
	a := archive(t, "a")
	var z bytes.Buffer
	enc, err := zstd.NewWriter(&z)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = enc.Write(a)
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{a, zipped(t, a), z.Bytes()} {
		root, _, _, err := w.trees(false).Root(t.Context(), []image.Layer{{Digest: w.put(b), Diff: image.DigestOf(a)}})
		if err != nil {
			t.Fatal(err)
		}
		if got := list(t, root.Dir); got != "a" {
			t.Errorf("got %s", got)
		}
	}
}

// TestHolders: bytes stay as long as somebody holds or pins them.
func TestHolders(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	create := func(text string) (image.Digest, func()) {
		x, err := w.content.Create(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(x, text)
		if _, err := x.Commit(image.DigestOf([]byte("other"))); !errors.Is(err, image.ErrDigest) {
			t.Errorf("another digest: %v", err)
		}
		release, err := x.Commit(image.DigestOf([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		return image.DigestOf([]byte(text)), release
	}
	there := func(d image.Digest) bool {
		_, err := w.content.Size(ctx, d)
		return err == nil
	}
	update := func(f func(data.Txn) error) {
		if err := w.store.Update(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	d, release := create("held")
	if err := w.content.Collect(ctx); err != nil || !there(d) {
		t.Errorf("what is pinned is gone: %v", err)
	}
	update(func(t data.Txn) error { return image.Hold(t, d, "x/1") })
	release()
	if err := w.content.Collect(ctx); err != nil || !there(d) {
		t.Errorf("what is held is gone: %v", err)
	}
	err := w.store.View(ctx, func(r data.Reader) error {
		for prefix, want := range map[string]bool{"x/": true, "x/1": true, "y": false, "": true} {
			if got, err := image.Held(r, d, prefix); got != want || err != nil {
				t.Errorf("held by %q: %v, %v", prefix, got, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	update(func(t data.Txn) error { return image.Release(t, d, "x/1") })
	if err := w.content.Drop(ctx, d); err != nil || there(d) {
		t.Errorf("what nobody holds is there: %v", err)
	}
	if _, err := w.content.Pin(ctx, d); !errors.Is(err, image.ErrNotFound) {
		t.Errorf("pinned what is gone: %v", err)
	}
}

// TestPull fetches from another registry, what is there already not again.
func TestPull(t *testing.T) {
	w := newWorld(t)
	blobs := 0
	reg := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			blobs++
		}
		reg.ServeHTTP(rw, r)
	}))
	defer srv.Close()
	img, err := random.Image(1000, 3)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.TrimPrefix(srv.URL, "http://") + "/some/where:v1"
	ref, err := name.ParseReference(at)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	p := &image.Puller{Content: w.content, Transport: http.DefaultTransport}
	got, release, err := p.Pull(context.Background(), at, image.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if d, _ := img.Digest(); string(got.Digest) != d.String() || len(got.Layers) != 3 || blobs != 4 {
		t.Errorf("%+v, %d blobs", got, blobs)
	}
	again, release, err := p.Pull(context.Background(), at, image.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil || again.Digest != got.Digest || blobs != 5 { // the configuration
		t.Errorf("%v, %d blobs", err, blobs)
	}
	release()
	var refused *image.RefusedError
	if _, _, err := p.Pull(context.Background(), at+"none", image.Platform{OS: "linux", Architecture: "amd64"}); !errors.As(err, &refused) {
		t.Errorf("what is not there: %v", err)
	}
}

// TestLogins: registries that do not let everybody in are logged in to as a file
// says, which is read at every pull; layers that are not what they should be leave nothing.
func TestLogins(t *testing.T) {
	w := newWorld(t)
	reg := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	spoil := false
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ann" || password != "secret" {
			rw.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		if spoil && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			_, _ = rw.Write([]byte("other bytes"))
			return
		}
		reg.ServeHTTP(rw, r)
	}))
	defer srv.Close()
	img, err := random.Image(1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(srv.URL, "http://")
	ref, err := name.ParseReference(host + "/some/where:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithAuth(&authn.Basic{Username: "ann", Password: "secret"})); err != nil {
		t.Fatal(err)
	}
	var file string
	p := &image.Puller{Content: w.content, Transport: http.DefaultTransport, Logins: func() (*image.Logins, error) { return image.ReadLogins([]byte(file)) }}
	pull := func() error {
		_, release, err := p.Pull(t.Context(), host+"/some/where:v1", image.Platform{OS: "linux", Architecture: "amd64"})
		if err == nil {
			release()
		}
		return err
	}
	ann, bob := base64.StdEncoding.EncodeToString([]byte("ann:secret")), base64.StdEncoding.EncodeToString([]byte("bob:secret"))
	for _, c := range []struct {
		file   string
		in     bool
		closed bool
	}{
		{`{}`, false, true},
		{`{"auths":{"elsewhere":{"auth":"` + ann + `"}}}`, false, true},
		{`{"auths":{"` + host + `":{}}}`, false, true},
		{`{"auths":{"` + host + `":{"auth":"` + bob + `"}}}`, false, true},
		{`{"auths":{"` + host + `":{"auth":"` + ann + `"}}}`, true, false},
		{`{"auths":{"http://` + host + `/v1/":{"username":"ann","password":"secret"}}}`, true, false},
		{`{"auths":{"` + host + `":{"auth":"` + bob + `"},"` + host + `/some":{"auth":"` + ann + `"}}}`, true, false},
		{`{"auths":{"` + host + `":{"auth":"` + ann + `"},"` + host + `/some/where":{"auth":"` + bob + `"}}}`, false, true},
		{`{"auths":{},"credsStore":"desktop"}`, false, false},
		{`{"credHelpers":{"` + host + `":"gcloud"}}`, false, false},
		{`no JSON`, false, false},
	} {
		file = c.file
		err := pull()
		var refused *image.RefusedError
		if (err == nil) != c.in || (errors.As(err, &refused) && refused.Closed()) != c.closed {
			t.Errorf("%s: %v", c.file, err)
		}
	}

	file = `{"auths":{"` + host + `":{"auth":"` + ann + `"}}}`
	if err := w.content.Collect(t.Context()); err != nil { // what was pulled is held by nobody
		t.Fatal(err)
	}
	spoil = true
	var refused *image.RefusedError
	if err := pull(); !errors.As(err, &refused) || refused.Closed() {
		t.Errorf("other bytes: %v", err)
	}
	if names, err := w.blobs.Names(t.Context(), ""); err != nil || len(names) != 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func FuzzLogins(f *testing.F) {
	f.Add([]byte(`{"auths":{"a":{"auth":"YTpi"}}}`))
	f.Add([]byte(`{"auths":{"a":{"auth":"YTpi"}}} {}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := image.ReadLogins(b)
		if err != nil {
			return
		}
		ref, err := name.ParseReference("a/b:c")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Resolve(ref.Context()); err != nil {
			t.Error(err)
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := image.ParseManifest(b, "")
		if err == nil && m.MediaType == "" {
			t.Error("no media type")
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte("not an archive"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w := newWorld(t)
		_, _, release, err := w.trees(false).Root(t.Context(), []image.Layer{{Digest: w.put(b), Diff: image.DigestOf(b)}})
		if err == nil {
			release()
		} else if bad := (*image.CorruptError)(nil); !errors.As(err, &bad) && !errors.Is(err, image.ErrTooBig) {
			t.Errorf("%v", err)
		}
	})
}
