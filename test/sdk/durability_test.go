package sdk

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tierra-cloud/tierra/test/harness"
)

// clients makes the SDK's clients for a server, without any configuration from
// the environment. They do not try again: what failed failed.
func clients(p *harness.Process) (*dynamodb.Client, *s3.Client) {
	c := p.Credentials()
	cfg := aws.Config{
		Region: c.Region, BaseEndpoint: aws.String(p.URL), Credentials: credentials.NewStaticCredentialsProvider(c.AccessKey, c.Secret, ""),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
	return dynamodb.NewFromConfig(cfg), s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

func table(t *testing.T, db *dynamodb.Client, name string) {
	t.Helper()
	_, err := db.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String(name), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// acknowledged is what a server said that it has.
type acknowledged struct {
	mu             sync.Mutex
	items, objects []string
	count          atomic.Int64
}

func body(name string) []byte { return bytes.Repeat([]byte(name+"\n"), 3000) }

// write puts items and objects until the server does not answer any more.
func (a *acknowledged) write(db *dynamodb.Client, st *s3.Client, writer, round int) {
	ctx := context.Background()
	for n := 0; ; n++ {
		name := fmt.Sprintf("%d-%d-%d", round, writer, n)
		var err error
		if writer%2 == 0 {
			_, err = db.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("t"), Item: map[string]types.AttributeValue{
				"pk": &types.AttributeValueMemberS{Value: name}, "n": &types.AttributeValueMemberN{Value: strconv.Itoa(n)},
			}})
		} else {
			_, err = st.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String(name), Body: bytes.NewReader(body(name))})
		}
		if err != nil {
			return
		}
		a.mu.Lock()
		if writer%2 == 0 {
			a.items = append(a.items, name)
		} else {
			a.objects = append(a.objects, name)
		}
		a.mu.Unlock()
		a.count.Add(1)
	}
}

// TestKill9 kills the server in the middle of writes, starts it again on the same
// folder, and asks for everything that it acknowledged; several times over.
func TestKill9(t *testing.T) {
	p := harness.Serve(t, "")
	db, st := clients(p)
	table(t, db, "t")
	if _, err := st.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	var a acknowledged
	for round := range 3 {
		db, st = clients(p)
		var writers sync.WaitGroup
		for w := range 8 {
			writers.Go(func() { a.write(db, st, w, round) })
		}
		for goal := a.count.Load() + 150; a.count.Load() < goal; {
			select {
			case <-t.Context().Done():
				t.Fatal("the writers do not get on")
			default:
			}
		}
		p.Kill9()
		writers.Wait()
		p.Restart()
	}
	db, st = clients(p)
	for _, name := range a.items {
		out, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: aws.String("t"), ConsistentRead: aws.Bool(true), Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: name}}})
		if err != nil || out.Item == nil {
			t.Errorf("the acknowledged item %s: %v, %v", name, out, err)
		}
	}
	for _, name := range a.objects {
		out, err := st.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String(name)})
		if err != nil {
			t.Errorf("the acknowledged object %s: %v", name, err)
			continue
		}
		got, err := io.ReadAll(out.Body)
		if err != nil || !bytes.Equal(got, body(name)) {
			t.Errorf("the acknowledged object %s has %d bytes, %v", name, len(got), err)
		}
		_ = out.Body.Close()
	}
	t.Logf("%d items and %d objects were acknowledged, and are there", len(a.items), len(a.objects))
}

// TestOneServerPerFolder: who comes second is told who was first.
func TestOneServerPerFolder(t *testing.T) {
	p := harness.Serve(t, "")
	_, stderr, code := harness.Run(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", p.Dir)
	if code == 0 {
		t.Error("a second server started on the same data folder")
	}
	contains(t, "the message", stderr, p.Dir, "in use by process "+strconv.Itoa(p.PID()), p.URL)
	p.Kill9()
	p.Restart() // a killed server leaves nothing in the way
	_, stderr, code = harness.Run(t, nil, "serve", "--listen", strings.TrimPrefix(p.URL, "http://"), "--data", t.TempDir())
	if code == 0 {
		t.Error("a second server started on the same address")
	}
	contains(t, "the message", stderr, strings.TrimPrefix(p.URL, "http://"), "--listen")
}

// TestNewerFormat: a folder that a newer version wrote is left alone.
func TestNewerFormat(t *testing.T) {
	for _, part := range []string{"store", "blobs"} {
		t.Run(part, func(t *testing.T) {
			p := harness.Serve(t, "")
			p.Stop()
			file := filepath.Join(p.Dir, part, "FORMAT")
			if err := os.WriteFile(file, []byte("9999\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, stderr, code := harness.Run(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", p.Dir)
			if code == 0 {
				t.Error("the server started over a newer format")
			}
			contains(t, "the message", stderr, "9999", filepath.Join(p.Dir, part), "newer")
		})
	}
}
