package s3_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/blob"
	"github.com/tierra-cloud/tierra/internal/data/blob/memblob"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/services/s3"
)

// world is a board with an S3 room over stores in memory.
type world struct {
	*calltest.World
	S3    *s3.Service
	Store data.Store
	Blobs blob.Store
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return worldOver(t, mem.New(), memblob.New())
}

func worldOver(t testing.TB, store data.Store, blobs blob.Store) *world {
	t.Helper()
	w := &world{World: calltest.New(), Store: store, Blobs: blobs}
	w.S3 = s3.New(s3.Deps{Store: store, Blobs: blobs, Clock: w.Clock, IDs: w.IDs, Caller: w.Board, Host: "localhost:4566"})
	w.Plug(w.S3)
	return w
}

func body(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }

func (w *world) create(t testing.TB, bucket string) {
	t.Helper()
	calltest.Must(t, w.World, api.CreateBucket, &api.CreateBucketRequest{Bucket: &bucket})
}

func (w *world) put(t testing.TB, bucket, key, content string) *api.PutObjectOutput {
	t.Helper()
	return calltest.Must(t, w.World, api.PutObject, &api.PutObjectRequest{Bucket: &bucket, Key: &key, Body: body(content)})
}

func (w *world) get(t testing.TB, in *api.GetObjectRequest) string {
	t.Helper()
	return readAll(t, calltest.Must(t, w.World, api.GetObject, in))
}

func readAll(t testing.TB, out *api.GetObjectOutput) string {
	t.Helper()
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	if out.ContentLength != nil && *out.ContentLength != int64(len(b)) {
		t.Fatalf("ContentLength %d, but %d bytes came", *out.ContentLength, len(b))
	}
	return string(b)
}

// blobNames returns how many blobs there are.
func (w *world) blobNames(t testing.TB) []string {
	t.Helper()
	names, err := w.Blobs.Names(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func wantFault(t testing.TB, err error, code string) *fault.Fault {
	t.Helper()
	f := fault.As(err)
	if f == nil || f.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	return f
}

// pattern returns n bytes that repeat only after a long time.
func pattern(n int) string {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i*i)
	}
	return b.String()[:n]
}

// TestScripts runs the scripts in testdata. Beside the operations they have
//
//	put bucket=B key=K [type=T]      the body is the input
//	get bucket=B key=K [range=R] …   the members but Body, then the body
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := newWorld(t)
		calltest.Script(t, path, w.World, map[string]func(*testing.T, *datadriven.TestData) string{
			"put": func(t *testing.T, d *datadriven.TestData) string {
				in := &api.PutObjectRequest{Body: body(d.Input)}
				for _, a := range d.CmdArgs {
					v := a.Vals[0]
					switch a.Key {
					case "bucket":
						in.Bucket = &v
					case "key":
						in.Key = &v
					case "type":
						in.ContentType = &v
					case "tagging":
						in.Tagging = &v
					case "if-match":
						in.IfMatch = &v
					case "if-none-match":
						in.IfNoneMatch = &v
					case "md5":
						in.ContentMD5 = &v
					case "crc32":
						in.ChecksumCRC32 = &v
					case "sha256":
						in.ChecksumSHA256 = &v
					case "algorithm":
						in.ChecksumAlgorithm = &v
					case "acl":
						in.ACL = &v
					case "class":
						in.StorageClass = &v
					case "sse":
						in.ServerSideEncryption = &v
					default:
						d.Fatalf(t, "unknown argument %s", a.Key)
					}
				}
				out, err := calltest.Do(w.World, api.PutObject, in)
				return result(out, err)
			},
			"get": func(t *testing.T, d *datadriven.TestData) string {
				in := &api.GetObjectRequest{}
				for _, a := range d.CmdArgs {
					v := a.Vals[0]
					switch a.Key {
					case "bucket":
						in.Bucket = &v
					case "key":
						in.Key = &v
					case "range":
						in.Range = &v
					case "version":
						in.VersionId = &v
					case "if-match":
						in.IfMatch = &v
					case "if-none-match":
						in.IfNoneMatch = &v
					case "response-type":
						in.ResponseContentType = &v
					case "checksum":
						in.ChecksumMode = &v
					default:
						d.Fatalf(t, "unknown argument %s", a.Key)
					}
				}
				out, err := calltest.Do(w.World, api.GetObject, in)
				if err != nil {
					return result(out, err)
				}
				content := readAll(t, out)
				out.Body = nil
				return calltest.JSON(out) + content + "\n"
			},
		})
	})
}

func result(out any, err error) string {
	if f := fault.As(err); f != nil {
		return f.Code + ": " + f.Message + "\n"
	}
	if err != nil {
		return "internal: " + err.Error() + "\n"
	}
	return calltest.JSON(out)
}
