package lambda

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/lambda"
	"github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// bucket is as much of S3 as the room needs: objects by key and version.
type bucket struct {
	objects map[string][]byte
	who     policy.Principal
}

func (b *bucket) Model() *model.Service { return &s3.Model }

func (b *bucket) Bindings() []call.Binding {
	return []call.Binding{call.Bind(s3.GetObject, call.Open[s3.GetObjectRequest]("it is a test"), func(_ context.Context, rq *call.Authorized, in *s3.GetObjectRequest) (*s3.GetObjectOutput, error) {
		b.who = rq.Principal()
		o, ok := b.objects[*in.Key+"@"+opt.Val(in.VersionId)]
		if !ok {
			return nil, s3.NoSuchKey("The specified key does not exist.")
		}
		return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(o))}, nil
	})}
}

func TestCodeFromS3(t *testing.T) {
	st := newStand(t)
	b := &bucket{objects: map[string][]byte{
		"f.zip@": zipped(t, entry{"a", "1", 0}), "f.zip@v2": zipped(t, entry{"a", "2", 0}), "bad.zip@": []byte("no zip"),
	}}
	st.Plug(b)
	create := func(name, key string, version *string) error {
		_, err := calltest.Do(st.World, api.CreateFunction, &api.CreateFunctionRequest{
			FunctionName: &name, Runtime: new("provided.al2023"), Handler: new("x"), Role: new(testRole),
			Code: &api.FunctionCode{S3Bucket: new("bucket"), S3Key: &key, S3ObjectVersion: version},
		})
		return err
	}
	if err := create("one", "f.zip", nil); err != nil {
		t.Fatal(err)
	}
	if err := create("two", "f.zip", new("v2")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"one": "1", "two": "2"} {
		got, err := os.ReadFile(filepath.Join(st.deps.CodeDir, st.version(name).Hash, "a"))
		if err != nil || string(got) != want {
			t.Errorf("code of %s: %q, %v", name, got, err)
		}
	}
	if b.who.Kind != policy.Root {
		t.Errorf("read as %v", b.who)
	}
	for key, want := range map[string]string{
		"absent.zip": "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.",
		"bad.zip":    "Could not unzip uploaded file. Please check your file, then try to upload again.",
	} {
		err := create("three", key, nil)
		if f := fault.As(err); f == nil || f.Code != "InvalidParameterValueException" || f.Message != want {
			t.Errorf("%s: %v", key, err)
		}
	}
	names, err := st.blobs.Names(t.Context(), "")
	if err != nil || len(names) != 2 {
		t.Errorf("packages kept: %v %v", names, err)
	}
	if left, err := filepath.Glob(filepath.Join(st.deps.CodeDir, "*-*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v %v", left, err)
	}
}

// TestPackagesAreShared tells that a package goes with the last version that has it.
func TestPackagesAreShared(t *testing.T) {
	st := newStand(t)
	for _, name := range []string{"one", "two"} {
		st.function(t, name, "provided.al2023", "x", func(in *api.CreateFunctionRequest) { in.Publish = new(true) }, entry{"a", "same", 0})
	}
	hash := st.version("one").Hash
	there := func() bool {
		_, err := os.Stat(filepath.Join(st.deps.CodeDir, hash))
		_, berr := st.blobs.Stat(t.Context(), area{calltest.Account, calltest.Region}.blob(hash))
		if (err == nil) != (berr == nil) {
			t.Errorf("folder: %v, package: %v", err, berr)
		}
		return err == nil
	}
	calltest.Must(t, st.World, api.DeleteFunction, &api.DeleteFunctionRequest{FunctionName: new("one")})
	calltest.Must(t, st.World, api.UpdateFunctionCode, &api.UpdateFunctionCodeRequest{FunctionName: new("two"), ZipFile: zipped(t, entry{"a", "other", 0})})
	if !there() {
		t.Error("it is gone, but version 1 of two has it")
	}
	calltest.Must(t, st.World, api.DeleteFunction, &api.DeleteFunctionRequest{FunctionName: new("two:1")})
	if there() {
		t.Error("nobody has it, but it is there")
	}
}

// TestNothingOfARefusedPackage tells that a package that is refused leaves nothing.
func TestNothingOfARefusedPackage(t *testing.T) {
	st := newStand(t)
	_, err := calltest.Do(st.World, api.CreateFunction, &api.CreateFunctionRequest{
		FunctionName: new("f"), Runtime: new("provided.al2023"), Handler: new("x"), Role: new(testRole),
		Code: &api.FunctionCode{ZipFile: zipped(t, entry{"good", "x", 0}, entry{"../evil", "x", 0})},
	})
	if f := fault.As(err); f == nil || !strings.HasPrefix(f.Message, "Could not unzip uploaded file.") {
		t.Errorf("error: %v", err)
	}
	list, err := os.ReadDir(st.deps.CodeDir)
	names, nerr := st.blobs.Names(t.Context(), "")
	if err != nil || nerr != nil || len(list) != 0 || len(names) != 0 {
		t.Errorf("left: %v %v %v %v", list, names, err, nerr)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(st.deps.CodeDir), "evil")); err == nil {
		t.Error("a file was written outside")
	}
}

// TestSealed tells that environment variables are not in the store in the clear.
func TestSealed(t *testing.T) {
	st := newStand(t)
	st.function(t, "f", "provided.al2023", "x", func(in *api.CreateFunctionRequest) {
		in.Environment = &api.Environment{Variables: map[string]string{"PASSWORD": "opensesame"}}
	}, entry{"a", "x", 0})
	if got := calltest.JSON(st.version("f").Env); !strings.Contains(got, "opensesame") {
		t.Errorf("variables: %s", got)
	}
	for k, v := range st.all(t) {
		if strings.Contains(v, "opensesame") || strings.Contains(v, "PASSWORD") {
			t.Errorf("%q: %s", k, v)
		}
	}
}
