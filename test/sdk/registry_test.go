package sdk

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/tierra-cloud/tierra/test/harness"
)

// TestRegistry: a repository made with the SDK is pushed to where its address
// leads; a server that is killed in the middle of a push has nothing of the layer,
// and all of what was pushed before.
func TestRegistry(t *testing.T) {
	p := harness.Serve(t, "")
	client := func() *ecr.Client { return ecr.NewFromConfig(configured(t, p)) }
	shop := "team/shop"
	if _, err := client().CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &shop}); err != nil {
		t.Fatal(err)
	}
	password := func() *authn.Basic {
		out, err := client().GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
		if err != nil {
			t.Fatal(err)
		}
		user, secret, _ := strings.Cut(string(b), ":")
		return &authn.Basic{Username: user, Password: secret}
	}
	// The address changes with the port that the server gets.
	ref := func(tag string) name.Reference {
		out, err := client().DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{RepositoryNames: []string{shop}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := name.ParseReference(*out.Repositories[0].RepositoryUri + ":" + tag)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	img, err := random.Image(100_000, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref("v1"), img, remote.WithAuth(password())); err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		_ = filepath.WalkDir(filepath.Join(p.Dir, "blobs", "blobs"), func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.Contains(d.Name(), "image,sha256,") {
				n++
			}
			return nil
		})
		return n
	}
	if n := count(); n != 4 {
		t.Errorf("%d blobs", n)
	}

	half, whole := strings.Repeat("half", 1<<18), sha256.New()
	whole.Write([]byte(half + half))
	digest := "sha256:" + hex.EncodeToString(whole.Sum(nil))
	send := func(method, at string, body io.Reader) (*http.Response, error) {
		rq, err := http.NewRequest(method, at, body)
		if err != nil {
			t.Fatal(err)
		}
		pw := password()
		rq.SetBasicAuth(pw.Username, pw.Password)
		return http.DefaultClient.Do(rq)
	}
	begun, err := send("POST", p.URL+"/v2/"+shop+"/blobs/uploads/", nil)
	if err != nil || begun.StatusCode != http.StatusAccepted {
		t.Fatalf("%v, %v", begun, err)
	}
	begun.Body.Close()
	at := p.URL + begun.Header.Get("Location")
	first, err := send("PATCH", at, strings.NewReader(half))
	if err != nil || first.StatusCode != http.StatusAccepted {
		t.Fatalf("%v, %v", first, err)
	}
	first.Body.Close()
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		rsp, err := send("PUT", at+"?digest="+digest, r)
		if err == nil {
			rsp.Body.Close()
		}
		ended <- err
	}()
	if _, err := io.WriteString(w, half[:len(half)/2]); err != nil {
		t.Fatal(err)
	}
	p.Kill9()
	w.CloseWithError(io.ErrUnexpectedEOF)
	<-ended
	p.Restart()
	if n := count(); n != 4 {
		t.Errorf("%d blobs after the crash", n)
	}
	head, err := send("HEAD", p.URL+"/v2/"+shop+"/blobs/"+digest, nil)
	if err != nil || head.StatusCode != http.StatusNotFound {
		t.Errorf("the layer that was not pushed: %v, %v", head, err)
	}
	got, err := remote.Image(ref("v1"), remote.WithAuth(password()))
	if err != nil {
		t.Fatal(err)
	}
	have, _ := got.Digest()
	if want, _ := img.Digest(); have != want {
		t.Errorf("another image after the crash: %s", have)
	}
	again, err := send("POST", p.URL+"/v2/"+shop+"/blobs/uploads/?digest="+digest, strings.NewReader(half+half))
	if err != nil || again.StatusCode != http.StatusCreated {
		t.Errorf("the push after the crash: %v, %v", again, err)
	}
}
