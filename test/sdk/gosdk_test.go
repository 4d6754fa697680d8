package sdk

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/tierra-cloud/tierra/test/harness"
)

// configured loads the SDK's configuration as programs do, from the variables
// that `tierra env` prints.
func configured(t *testing.T, p *harness.Process, options ...func(*config.LoadOptions) error) aws.Config {
	t.Helper()
	for _, e := range p.Env() {
		if k, v, _ := strings.Cut(e, "="); strings.HasPrefix(k, "AWS_") {
			t.Setenv(k, v)
		}
	}
	t.Setenv("AWS_CA_BUNDLE", "") // it asks for an HTTP client of the SDK's own
	cfg, err := config.LoadDefaultConfig(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// wireLog notes what an HTTP client sends.
type wireLog struct {
	next http.RoundTripper
	seen []*http.Request
}

func (l *wireLog) Do(r *http.Request) (*http.Response, error) {
	l.seen = append(l.seen, r)
	return l.next.RoundTrip(r)
}

// localhost is a transport that finds every name at the loopback address, as
// browsers and systemd's resolver find *.localhost.
func localhost() *http.Transport {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	return tr
}

func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

// TestGoS3 puts and gets objects the SDK's way: checksums by default, trailers,
// by path and by host.
func TestGoS3(t *testing.T) {
	p := harness.Serve(t, "")
	seen := &wireLog{next: localhost()}
	cfg := configured(t, p, config.WithHTTPClient(seen))
	_, port, err := net.SplitHostPort(strings.TrimPrefix(p.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	big := make([]byte, 300_000)
	_, _ = rand.Read(big) // never fails
	for style, st := range map[string]*s3.Client{
		"path": s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
		"host": s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint = aws.String("http://s3.localhost:" + port) }),
	} {
		t.Run(style, func(t *testing.T) {
			ctx, bucket := t.Context(), aws.String("bucket-"+style)
			if _, err := st.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); err != nil {
				t.Fatal(err)
			}
			put := func(key string, body io.Reader, change func(*s3.PutObjectInput), options ...func(*s3.Options)) error {
				in := &s3.PutObjectInput{Bucket: bucket, Key: aws.String(key), Body: body, ContentType: aws.String("text/x-test"), Metadata: map[string]string{"a": "b"}}
				if change != nil {
					change(in)
				}
				_, err := st.PutObject(ctx, in, options...)
				return err
			}
			get := func(key string, want []byte) *s3.GetObjectOutput {
				t.Helper()
				out, err := st.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String(key), ChecksumMode: s3types.ChecksumModeEnabled})
				if err != nil {
					t.Fatalf("%s: %v", key, err)
				}
				defer out.Body.Close()
				got, err := io.ReadAll(out.Body)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes, not %d: %v", key, len(got), len(want), err)
				}
				return out
			}
			if err := put("default", bytes.NewReader(big), nil); err != nil {
				t.Fatal(err)
			}
			if out := get("default", big); aws.ToString(out.ChecksumCRC32) == "" || aws.ToString(out.ContentType) != "text/x-test" || out.Metadata["a"] != "b" || out.ContentEncoding != nil {
				t.Errorf("the object has %+v", out)
			}
			for _, algorithm := range []s3types.ChecksumAlgorithm{s3types.ChecksumAlgorithmCrc32c, s3types.ChecksumAlgorithmSha1, s3types.ChecksumAlgorithmSha256, s3types.ChecksumAlgorithmCrc64nvme} {
				if err := put(string(algorithm), bytes.NewReader(big), func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = algorithm }); err != nil {
					t.Errorf("%s: %v", algorithm, err)
					continue
				}
				get(string(algorithm), big)
			}
			last := seen.seen[len(seen.seen)-1]
			if byHost := strings.HasPrefix(last.URL.Host, *bucket+"."); byHost != (style == "host") {
				t.Errorf("the SDK asked %s", last.URL)
			}
			wrong := put("wrong", bytes.NewReader(big), func(in *s3.PutObjectInput) { in.ChecksumCRC32 = aws.String("AAAAAA==") })
			if code(wrong) != "BadDigest" {
				t.Errorf("a wrong checksum answers %v", wrong)
			}
			var missing *s3types.NoSuchKey
			if _, err := st.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("wrong")}); !errors.As(err, &missing) {
				t.Errorf("an object that was refused: %v", err)
			}
			for _, odd := range []string{"a b+c&d=e/ü/%41/☃", "dots/./../x", "//double"} {
				if err := put(odd, strings.NewReader(odd), nil); err != nil {
					t.Errorf("the key %q: %v", odd, err)
					continue
				}
				get(odd, []byte(odd))
			}
			listed, err := st.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
			if err != nil || len(listed.Contents) != 8 {
				t.Errorf("%d objects are listed: %v", len(listed.Contents), err)
			}
			signed, err := s3.NewPresignClient(st).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("default")})
			if err != nil {
				t.Fatal(err)
			}
			rs, err := (&http.Client{Transport: localhost()}).Get(signed.URL)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(rs.Body)
			if _ = rs.Body.Close(); err != nil || rs.StatusCode != 200 || !bytes.Equal(got, big) {
				t.Errorf("the presigned address answers %d, %d bytes, %v", rs.StatusCode, len(got), err)
			}
		})
	}
}

// TestGoMultipart uploads in parts with checksums, and reads over their border.
func TestGoMultipart(t *testing.T) {
	p := harness.Serve(t, "")
	st := s3.NewFromConfig(configured(t, p), func(o *s3.Options) { o.UsePathStyle = true })
	ctx := t.Context()
	if _, err := st.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	up, err := st.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("bucket"), Key: aws.String("k"), ChecksumAlgorithm: s3types.ChecksumAlgorithmCrc32})
	if err != nil {
		t.Fatal(err)
	}
	part := func(n int32, body []byte) s3types.CompletedPart {
		out, err := st.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String("bucket"), Key: aws.String("k"), UploadId: up.UploadId, PartNumber: aws.Int32(n),
			ChecksumAlgorithm: s3types.ChecksumAlgorithmCrc32, Body: bytes.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		return s3types.CompletedPart{PartNumber: aws.Int32(n), ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32}
	}
	first, second := bytes.Repeat([]byte("a"), 5<<20), []byte("the end")
	parts := []s3types.CompletedPart{part(1, first), part(2, second)}
	if _, err := st.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: aws.String("bucket"), Key: aws.String("k"), UploadId: up.UploadId,
		MultipartUpload: &s3types.CompletedMultipartUpload{Parts: parts}}); err != nil {
		t.Fatal(err)
	}
	out, err := st.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("k"), Range: aws.String("bytes=5242875-")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if got, err := io.ReadAll(out.Body); err != nil || string(got) != "aaaaathe end" || aws.ToString(out.ContentRange) != "bytes 5242875-5242886/5242887" {
		t.Errorf("the range is %q, %s, %v", got, aws.ToString(out.ContentRange), err)
	}
}

// TestTrailer sends what the SDK does not send over plain HTTP: chunks
// and a checksum in a trailer, as over TLS.
func TestTrailer(t *testing.T) {
	w := newWire(t)
	w.ok(t, object("PUT", "/kept", ""))
	w.ok(t, with(object("PUT", "/kept/trailer", "5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"), func(rq *request) {
		rq.hash = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
		rq.header = map[string]string{"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "11", "x-amz-trailer": "x-amz-checksum-crc32"}
	}))
	a := w.ok(t, with(object("GET", "/kept/trailer", ""), func(rq *request) { rq.header = map[string]string{"x-amz-checksum-mode": "ENABLED"} }))
	if a.body != "hello world" || a.header.Get("X-Amz-Checksum-Crc32") != "DUoRhQ==" || a.header.Get("Content-Encoding") != "" {
		t.Errorf("the object is %v %v", a, a.header)
	}
}

// TestGoDynamoDB makes the round trip, and tries again what may be tried again.
func TestGoDynamoDB(t *testing.T) {
	p := harness.Serve(t, "")
	cfg := configured(t, p)
	db := dynamodb.NewFromConfig(cfg)
	ctx, name := t.Context(), aws.String("t")
	table(t, db, "t")
	if err := dynamodb.NewTableExistsWaiter(db).Wait(ctx, &dynamodb.DescribeTableInput{TableName: name}, time.Minute); err != nil {
		t.Fatal(err)
	}
	item := map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "a"}, "n": &types.AttributeValueMemberN{Value: "3.14"},
		"b": &types.AttributeValueMemberB{Value: []byte{0, 255}}, "yes": &types.AttributeValueMemberBOOL{Value: true}, "no": &types.AttributeValueMemberNULL{Value: true},
		"l":  &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberS{Value: ""}}},
		"m":  &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"x": &types.AttributeValueMemberNS{Value: []string{"1", "2"}}}},
		"ss": &types.AttributeValueMemberSS{Value: []string{"x"}}, "bs": &types.AttributeValueMemberBS{Value: [][]byte{{1}}},
	}
	if _, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: name, Item: item}); err != nil {
		t.Fatal(err)
	}
	got, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: map[string]types.AttributeValue{"pk": item["pk"]}})
	if err != nil || len(got.Item) != len(item) || got.Item["n"].(*types.AttributeValueMemberN).Value != "3.14" {
		t.Errorf("GetItem = %v, %v", got, err)
	}
	_, err = db.PutItem(ctx, &dynamodb.PutItemInput{TableName: name, Item: item, ConditionExpression: aws.String("attribute_not_exists(pk)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld})
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) || len(failed.Item) != len(item) {
		t.Errorf("a condition that fails: %v", err)
	}
	var missing *types.ResourceNotFoundException
	if _, err := db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("none")}); !errors.As(err, &missing) {
		t.Errorf("a table that is not there: %v", err)
	}

	// A server that is gone for a moment is asked again until it is back.
	retrying := dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { o.RetryMaxAttempts = 20 })
	old := p.URL
	p.Kill9()
	done := make(chan error, 1)
	go func() {
		_, err := retrying.GetItem(ctx, &dynamodb.GetItemInput{TableName: name, Key: map[string]types.AttributeValue{"pk": item["pk"]}})
		done <- err
	}()
	p.Args[2] = strings.TrimPrefix(old, "http://")
	p.Restart()
	if err := <-done; err != nil {
		t.Errorf("a call while the server started: %v", err)
	}
}
