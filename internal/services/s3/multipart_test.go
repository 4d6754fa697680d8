package s3_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	api "github.com/tierra-cloud/tierra/internal/gen/s3"
)

const mib = 1 << 20

// upload uploads parts under key and completes.
func upload(t *testing.T, w *world, in *api.CreateMultipartUploadRequest, parts []string) (*api.CompleteMultipartUploadOutput, error) {
	t.Helper()
	up := calltest.Must(t, w.World, api.CreateMultipartUpload, in)
	done := &api.CompleteMultipartUploadRequest{Bucket: in.Bucket, Key: in.Key, UploadId: up.UploadId, MultipartUpload: &api.CompletedMultipartUpload{}}
	for i, p := range parts {
		out := calltest.Must(t, w.World, api.UploadPart, &api.UploadPartRequest{
			Bucket: in.Bucket, Key: in.Key, UploadId: up.UploadId, PartNumber: new(int32(2*i + 1)), Body: body(p),
		})
		done.MultipartUpload.Parts = append(done.MultipartUpload.Parts, api.CompletedPart{PartNumber: new(int32(2*i + 1)), ETag: out.ETag})
	}
	return calltest.Do(w.World, api.CompleteMultipartUpload, done)
}

func TestMultipart(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	all := pattern(11*mib + 77)
	parts := []string{all[:5*mib], all[5*mib : 11*mib], all[11*mib:]}
	out, err := upload(t, w, &api.CreateMultipartUploadRequest{Bucket: new("demo"), Key: new("big file"), ContentType: new("x/y")}, parts)
	if err != nil {
		t.Fatal(err)
	}
	var sums []byte
	for _, p := range parts {
		sum := md5.Sum([]byte(p))
		sums = append(sums, sum[:]...)
	}
	if want := fmt.Sprintf(`"%x-3"`, md5.Sum(sums)); *out.ETag != want {
		t.Errorf("ETag %s, want %s", *out.ETag, want)
	}
	if *out.Location != "http://localhost:4566/demo/big%20file" {
		t.Errorf("Location %s", *out.Location)
	}
	single := w.put(t, "demo", "single", all)
	if *out.ChecksumCRC64NVME != *single.ChecksumCRC64NVME || *out.ChecksumType != "FULL_OBJECT" {
		t.Errorf("checksum %s of the parts, %s of the whole", *out.ChecksumCRC64NVME, *single.ChecksumCRC64NVME)
	}
	if got := w.get(t, &api.GetObjectRequest{Bucket: new("demo"), Key: new("big file")}); got != all {
		t.Error("the object is not what was uploaded")
	}
	for _, r := range [][2]int{{0, 1}, {5*mib - 3, 5*mib + 3}, {5 * mib, 5 * mib}, {11*mib - 1, 11*mib + 76}, {1, 11*mib + 5}} {
		got := w.get(t, &api.GetObjectRequest{Bucket: new("demo"), Key: new("big file"), Range: new(fmt.Sprintf("bytes=%d-%d", r[0], r[1]))})
		if got != all[r[0]:r[1]+1] {
			t.Errorf("range %v: got %d bytes that differ", r, len(got))
		}
	}
	part := calltest.Must(t, w.World, api.GetObject, &api.GetObjectRequest{Bucket: new("demo"), Key: new("big file"), PartNumber: new(int32(2))})
	if *part.PartsCount != 3 || *part.ContentRange != fmt.Sprintf("bytes %d-%d/%d", 5*mib, 11*mib-1, len(all)) || readAll(t, part) != parts[1] {
		t.Errorf("part 2: %s", *part.ContentRange)
	}
	_, err = calltest.Do(w.World, api.GetObject, &api.GetObjectRequest{Bucket: new("demo"), Key: new("big file"), PartNumber: new(int32(4))})
	wantFault(t, err, "InvalidPartNumber")

	// Copies are whole again; what is replaced or deleted leaves no bytes behind.
	calltest.Must(t, w.World, api.CopyObject, &api.CopyObjectRequest{Bucket: new("demo"), Key: new("big file"), CopySource: new("/demo/big%20file"), MetadataDirective: new("REPLACE")})
	if got := w.get(t, &api.GetObjectRequest{Bucket: new("demo"), Key: new("big file")}); got != all {
		t.Error("the copy is not what was copied")
	}
	if n := len(w.blobNames(t)); n != 2 {
		t.Errorf("%d blobs, want those of two objects", n)
	}
}

func TestMultipartComposite(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	parts := []string{pattern(5 * mib), "tail"}
	out, err := upload(t, w, &api.CreateMultipartUploadRequest{Bucket: new("demo"), Key: new("k"), ChecksumAlgorithm: new("SHA256")}, parts)
	if err != nil {
		t.Fatal(err)
	}
	var sums []byte
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p))
		sums = append(sums, sum[:]...)
	}
	whole := sha256.Sum256(sums)
	if want := base64.StdEncoding.EncodeToString(whole[:]) + "-2"; *out.ChecksumSHA256 != want || *out.ChecksumType != "COMPOSITE" {
		t.Errorf("checksum %s, want %s", *out.ChecksumSHA256, want)
	}
	a := calltest.Must(t, w.World, api.GetObjectAttributes, &api.GetObjectAttributesRequest{Bucket: new("demo"), Key: new("k"), ObjectAttributes: []string{"ObjectParts", "Checksum"}})
	if *a.ObjectParts.TotalPartsCount != 2 || len(a.ObjectParts.Parts) != 2 || *a.ObjectParts.Parts[1].PartNumber != 3 || *a.ObjectParts.Parts[1].Size != 4 {
		t.Errorf("attributes %s", calltest.JSON(a))
	}

	crc := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(parts[0]+parts[1])))
	out, err = upload(t, w, &api.CreateMultipartUploadRequest{Bucket: new("demo"), Key: new("k"), ChecksumAlgorithm: new("CRC32"), ChecksumType: new("FULL_OBJECT")}, parts)
	if err != nil {
		t.Fatal(err)
	}
	if want := base64.StdEncoding.EncodeToString(crc); *out.ChecksumCRC32 != want {
		t.Errorf("checksum %s, want %s", *out.ChecksumCRC32, want)
	}
	_, err = calltest.Do(w.World, api.CreateMultipartUpload, &api.CreateMultipartUploadRequest{Bucket: new("demo"), Key: new("k"), ChecksumAlgorithm: new("SHA1"), ChecksumType: new("FULL_OBJECT")})
	wantFault(t, err, "InvalidRequest")
}

func TestMultipartRefusals(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	up := calltest.Must(t, w.World, api.CreateMultipartUpload, &api.CreateMultipartUploadRequest{Bucket: new("demo"), Key: new("k")})
	put := func(n int32, content string) *string {
		return calltest.Must(t, w.World, api.UploadPart, &api.UploadPartRequest{Bucket: new("demo"), Key: new("k"), UploadId: up.UploadId, PartNumber: &n, Body: body(content)}).ETag
	}
	one, two := put(1, "small"), put(2, "last")
	replaced := put(2, "later")
	complete := func(parts ...api.CompletedPart) error {
		_, err := calltest.Do(w.World, api.CompleteMultipartUpload, &api.CompleteMultipartUploadRequest{
			Bucket: new("demo"), Key: new("k"), UploadId: up.UploadId, MultipartUpload: &api.CompletedMultipartUpload{Parts: parts},
		})
		return err
	}
	part := func(n int32, etag *string) api.CompletedPart { return api.CompletedPart{PartNumber: &n, ETag: etag} }
	wantFault(t, complete(), "MalformedXML")
	wantFault(t, complete(part(2, replaced), part(1, one)), "InvalidPartOrder")
	wantFault(t, complete(part(2, two)), "InvalidPart")
	wantFault(t, complete(part(3, two)), "InvalidPart")
	wantFault(t, complete(part(1, one), part(2, replaced)), "EntityTooSmall")

	_, err := calltest.Do(w.World, api.UploadPart, &api.UploadPartRequest{Bucket: new("demo"), Key: new("k"), UploadId: up.UploadId, PartNumber: new(int32(10001)), Body: body("x")})
	wantFault(t, err, "InvalidArgument")
	_, err = calltest.Do(w.World, api.UploadPart, &api.UploadPartRequest{Bucket: new("demo"), Key: new("k"), UploadId: new("none"), PartNumber: new(int32(1)), Body: body("x")})
	wantFault(t, err, "NoSuchUpload")

	list := calltest.Must(t, w.World, api.ListParts, &api.ListPartsRequest{Bucket: new("demo"), Key: new("k"), UploadId: up.UploadId, MaxParts: new(int32(1))})
	if len(list.Parts) != 1 || !*list.IsTruncated || *list.NextPartNumberMarker != 1 {
		t.Errorf("ListParts: %s", calltest.JSON(list))
	}
	if err := complete(part(2, replaced)); err != nil {
		t.Fatal(err)
	}
	if got := w.get(t, &api.GetObjectRequest{Bucket: new("demo"), Key: new("k")}); got != "later" {
		t.Errorf("got %q", got)
	}
	wantFault(t, complete(part(2, replaced)), "NoSuchUpload")
	if n := len(w.blobNames(t)); n != 1 {
		t.Errorf("%d blobs, want that of the chosen part", n)
	}

	calltest.Must(t, w.World, api.DeleteObject, &api.DeleteObjectRequest{Bucket: new("demo"), Key: new("k")})
	up = calltest.Must(t, w.World, api.CreateMultipartUpload, &api.CreateMultipartUploadRequest{Bucket: new("demo"), Key: new("k")})
	put(1, "x")
	calltest.Must(t, w.World, api.AbortMultipartUpload, &api.AbortMultipartUploadRequest{Bucket: new("demo"), Key: new("k"), UploadId: up.UploadId})
	if names := w.blobNames(t); len(names) != 0 {
		t.Errorf("blobs left: %v", names)
	}
}

func TestUploadPartCopy(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	all := pattern(6 * mib)
	w.put(t, "demo", "src", all)
	up := calltest.Must(t, w.World, api.CreateMultipartUpload, &api.CreateMultipartUploadRequest{Bucket: new("demo"), Key: new("k")})
	in := &api.UploadPartCopyRequest{Bucket: new("demo"), Key: new("k"), UploadId: up.UploadId, PartNumber: new(int32(1)), CopySource: new("demo/src")}
	for _, bad := range []string{"bytes=1-", "bytes=-5", "1-2", fmt.Sprintf("bytes=0-%d", 6*mib)} {
		in.CopySourceRange = &bad
		_, err := calltest.Do(w.World, api.UploadPartCopy, in)
		wantFault(t, err, "InvalidArgument")
	}
	in.CopySourceRange = new(fmt.Sprintf("bytes=1-%d", 5*mib))
	out := calltest.Must(t, w.World, api.UploadPartCopy, in)
	calltest.Must(t, w.World, api.CompleteMultipartUpload, &api.CompleteMultipartUploadRequest{
		Bucket: new("demo"), Key: new("k"), UploadId: up.UploadId,
		MultipartUpload: &api.CompletedMultipartUpload{Parts: []api.CompletedPart{{PartNumber: new(int32(1)), ETag: out.CopyPartResult.ETag}}},
	})
	if got := w.get(t, &api.GetObjectRequest{Bucket: new("demo"), Key: new("k")}); got != all[1:5*mib+1] {
		t.Error("the copied part differs")
	}
}

func TestListUploads(t *testing.T) {
	w := newWorld(t)
	w.create(t, "demo")
	for _, k := range []string{"a", "a", "b/1", "b/2", "c"} {
		calltest.Must(t, w.World, api.CreateMultipartUpload, &api.CreateMultipartUploadRequest{Bucket: new("demo"), Key: &k})
		w.Clock.Advance(1)
	}
	in := &api.ListMultipartUploadsRequest{Bucket: new("demo"), Delimiter: new("/"), MaxUploads: new(int32(1))}
	var got []string
	for {
		out := calltest.Must(t, w.World, api.ListMultipartUploads, in)
		for _, u := range out.Uploads {
			got = append(got, *u.Key)
		}
		for _, p := range out.CommonPrefixes {
			got = append(got, *p.Prefix)
		}
		if !*out.IsTruncated {
			break
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
	if strings.Join(got, " ") != "a a b/ c" {
		t.Errorf("got %v", got)
	}
}
