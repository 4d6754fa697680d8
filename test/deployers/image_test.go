package deployers

import (
	"archive/tar"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestImage builds an image with crane, without a daemon, and takes a function of
// it through its life: login, push, list, deploy with CloudFormation, update,
// pull back, delete.
func TestImage(t *testing.T) {
	t.Parallel()
	b := open(t, "crane", "image", "DOCKER_CONFIG="+t.TempDir())
	host := strings.TrimPrefix(b.server.URL, "http://")
	if got := strings.TrimSpace(b.aws("ecr", "create-repository", "--repository-name", "team/shop", "--query", "repository.repositoryUri", "--output", "text")); got != host+"/team/shop" {
		t.Errorf("the repository is at %q", got)
	}
	b.answer(b.aws("ecr", "get-login-password"), "auth", "login", "--username", "AWS", "--password-stdin", host)
	b.program()
	image := func(tag, greeting string) string {
		b.layer("layer.tar", greeting)
		at := host + "/team/shop:" + tag
		b.run("append", "--oci-empty-base", "--set-base-image-annotations=false", "-f", "layer.tar", "-t", at)
		b.run("mutate", at, "--set-platform", "linux/"+runtime.GOARCH, "--entrypoint", "/bin/bootstrap", "--workdir", "/srv", "--tag", at)
		return at
	}
	says := func(greeting string) {
		t.Helper()
		b.aws("lambda", "invoke", "--function-name", "hello", "--payload", `{"a":1}`, "out.json")
		got, err := os.ReadFile(filepath.Join(b.dir, "out.json"))
		if want := `{"command":["app.handler"],"event":{"a":1},"greeting":"` + greeting + `"}`; err != nil || string(got) != want {
			t.Errorf("answered %s, want %s; %v", got, want, err)
		}
	}
	deploy := func(uri string) {
		t.Helper()
		b.aws("cloudformation", "deploy", "--stack-name", "image", "--template-file", "template.yaml", "--capabilities", "CAPABILITY_IAM", "--parameter-overrides", "Image="+uri)
	}
	one := image("v1", "hello")
	b.has(b.run("catalog", host), "team/shop")
	deploy(one)
	says("hello")
	two := image("v2", "salve")
	if got := strings.Fields(b.run("ls", host+"/team/shop")); len(got) != 2 {
		t.Errorf("tags: %v", got)
	}
	deploy(two)
	says("salve")

	b.run("pull", two, "back.tar")
	b.run("validate", "--remote", two)
	b.run("validate", "--tarball", "back.tar")
	b.run("push", "back.tar", host+"/team/shop:v3")
	for _, tag := range []string{"v1", "v2", "v3"} {
		b.run("delete", host+"/team/shop:"+tag)
	}
	says("salve") // the function keeps what it needs
	b.aws("cloudformation", "delete-stack", "--stack-name", "image")
	b.aws("cloudformation", "wait", "stack-delete-complete", "--stack-name", "image")
	b.aws("ecr", "delete-repository", "--repository-name", "team/shop", "--force")
	if got := strings.TrimSpace(b.run("catalog", host)); got != "" {
		t.Errorf("left behind: %q", got)
	}
}

// program builds the program of the image.
func (b *bench) program() {
	b.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-o", "bootstrap", "main.go")
	cmd.Dir, cmd.Env = b.dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
}

// layer writes a layer with the program and a greeting.
func (b *bench) layer(name, greeting string) {
	b.Helper()
	program, err := os.ReadFile(filepath.Join(b.dir, "bootstrap"))
	if err != nil {
		b.Fatal(err)
	}
	f, err := os.Create(filepath.Join(b.dir, name))
	if err != nil {
		b.Fatal(err)
	}
	w := tar.NewWriter(f)
	for _, e := range []struct {
		name string
		mode int64
		body []byte
	}{{"bin/bootstrap", 0o755, program}, {"srv/greeting.txt", 0o644, []byte(greeting)}} {
		err := w.WriteHeader(&tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.body)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write(e.body)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// TestRegistryConformance runs the conformance tests of the OCI distribution
// specification: all but digests by SHA-512, which ECR does not take either. Layers
// go with their images, as in ECR: that they cannot be deleted alone is skipped.
// https://github.com/opencontainers/distribution-spec/tree/main/conformance
func TestRegistryConformance(t *testing.T) {
	t.Parallel()
	b := open(t, "conformance", "image")
	for _, name := range []string{"conformance/one", "conformance/two"} {
		b.aws("ecr", "create-repository", "--repository-name", name)
	}
	b.env = append(b.env,
		"OCI_REGISTRY="+strings.TrimPrefix(b.server.URL, "http://"), "OCI_TLS=disabled", "OCI_REPO1=conformance/one", "OCI_REPO2=conformance/two",
		"OCI_USERNAME=AWS", "OCI_PASSWORD="+strings.TrimSpace(b.aws("ecr", "get-login-password")),
		"OCI_DATA_SHA512=false", "OCI_API_BLOBS_UPLOAD_CANCEL=true", "OCI_API_BLOBS_DIGEST_HEADER=true", "OCI_API_MANIFESTS_DIGEST_HEADER=true",
		"OCI_RESULTS_DIR="+t.TempDir(), "OCI_VERSION=1.1")
	out := b.run()
	_, report, _ := strings.Cut(out, "OCI Conformance Result: ")
	if !strings.HasPrefix(report, "Pass") || strings.Contains(report, ": FAIL\n") {
		t.Errorf("%s", report)
	}
}
