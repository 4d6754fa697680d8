package sdk

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

const nobody = "AKIAIOSFODNN7EXAMPLE"

// bad is a case: a request, and the answer that AWS gives.
type bad struct {
	name   string
	rq     request
	status int
	code   string
	says   string // part of the body, if it matters
}

func with(rq request, change func(*request)) request { change(&rq); return rq }

// TestBadInput sends what no well-behaved client sends. Each case gets AWS's
// status and code in its service's protocol, and nothing changes.
func TestBadInput(t *testing.T) {
	w := newWire(t)
	w.ok(t, object("PUT", "/kept", ""))
	w.ok(t, dynamo("CreateTable", `{"TableName":"kept","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],
		"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`))
	before := w.state(t)

	put := dynamo("PutItem", `{"TableName":"kept","Item":{"pk":{"S":"a"}}}`)
	upload := object("PUT", "/kept/new", "hello")
	invoke := request{service: "lambda", path: "/2015-03-31/functions/none/invocations", body: "{}"}
	caller := sts("GetCallerIdentity")
	wrongSecret := func(rq *request) { rq.secret = "wrong" }
	unknownKey := func(rq *request) { rq.key = nobody }
	badToken := func(rq *request) { rq.token = "IQoJgarbage" }
	late := func(rq *request) { rq.skew = -time.Hour }
	early := func(rq *request) { rq.skew = time.Hour }
	tampered := func(rq *request) {
		rq.after = func(rq *request) { rq.body = strings.Replace(rq.body, "e", "f", 1) }
	}
	unsigned := func(rq *request) { rq.unsigned = true }
	twice := func(rq *request) {
		rq.query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=1&X-Amz-SignedHeaders=host&X-Amz-Signature=c"
	}
	cborHeader := map[string]string{"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor", "accept": "application/cbor"}

	cases := []bad{
		{"wrong signature, JSON", with(put, wrongSecret), 400, "InvalidSignatureException", ""},
		{"wrong signature, REST and JSON", with(invoke, wrongSecret), 403, "InvalidSignatureException", ""},
		{"wrong signature, query", with(caller, wrongSecret), 403, "SignatureDoesNotMatch", ""},
		{"wrong signature, S3", with(upload, wrongSecret), 403, "SignatureDoesNotMatch", ""},
		{"unknown key, JSON", with(put, unknownKey), 400, "UnrecognizedClientException", ""},
		{"unknown key, REST and JSON", with(invoke, unknownKey), 403, "UnrecognizedClientException", ""},
		{"unknown key, query", with(caller, unknownKey), 403, "InvalidClientTokenId", ""},
		{"unknown key, S3", with(upload, unknownKey), 403, "InvalidAccessKeyId", ""},
		{"garbled token, JSON", with(put, badToken), 400, "UnrecognizedClientException", ""},
		{"garbled token, query", with(caller, badToken), 403, "InvalidClientTokenId", ""},
		{"garbled token, S3", with(upload, badToken), 400, "InvalidToken", ""},
		{"clock behind, JSON", with(put, late), 400, "InvalidSignatureException", "Signature expired"},
		{"clock behind, query", with(caller, late), 403, "SignatureDoesNotMatch", "Signature expired"},
		{"clock behind, S3", with(upload, late), 403, "RequestTimeTooSkewed", ""},
		{"clock ahead, JSON", with(put, early), 400, "InvalidSignatureException", "Signature not yet current"},
		{"tampered body, JSON", with(put, tampered), 400, "InvalidSignatureException", ""},
		{"tampered body, query", with(caller, tampered), 403, "SignatureDoesNotMatch", ""},
		{"tampered body, S3", with(upload, tampered), 400, "XAmzContentSHA256Mismatch", ""},
		{"no signature, JSON", with(put, unsigned), 400, "MissingAuthenticationTokenException", ""},
		{"no signature, query", with(caller, unsigned), 403, "MissingAuthenticationToken", ""},
		{"no signature, S3", with(upload, unsigned), 403, "AccessDenied", ""},
		{"two ways to sign, S3", with(upload, twice), 400, "InvalidArgument", "Only one auth mechanism allowed"},
		{"not a signature", with(put, func(rq *request) {
			rq.after = func(rq *request) { rq.header["authorization"] = "AWS4-HMAC-SHA256 Credential=x" }
		}), 400, "IncompleteSignatureException", ""},

		{"malformed JSON", dynamo("PutItem", `{"TableName":`), 400, "SerializationException", ""},
		{"JSON of a wrong type", dynamo("PutItem", `{"TableName":7,"Item":{}}`), 400, "SerializationException", ""},
		{"JSON too deep", dynamo("PutItem", `{"TableName":"kept","Item":`+strings.Repeat(`{"a":`, 20000)), 400, "SerializationException", ""},
		{"malformed XML", object("PUT", "/kept?versioning", "<VersioningConfiguration><Status>").queried(), 400, "MalformedXML", ""},
		{"malformed form", with(sts("x"), func(rq *request) { rq.form = nil; rq.body = "Action=%zz"; rq.header = formType }), 400, "", ""},
		{"a form without action", form("sts", "2011-06-15", ""), 400, "InvalidAction", ""},
		{"malformed REST and JSON", request{service: "lambda", path: "/2015-03-31/functions", body: `{`}, 400, "", ""},
		{"missing member", dynamo("PutItem", `{"TableName":"kept"}`), 400, "ValidationException", "'item'"},
		{"missing table", dynamo("PutItem", `{"TableName":"none","Item":{"pk":{"S":"a"}}}`), 400, "ResourceNotFoundException", ""},
		{"a key too many", dynamo("GetItem", `{"TableName":"kept","Key":{"pk":{"S":"a"},"x":{"S":"b"}}}`), 400, "ValidationException", ""},
		{"body over the limit, JSON", dynamo("PutItem", strings.Repeat(" ", 16<<20+1)), 413, "RequestEntityTooLargeException", ""},
		{"body over the limit, query", sts("GetCallerIdentity", "x", strings.Repeat("x", 16<<20)), 413, "RequestEntityTooLarge", ""},

		{"unknown operation, JSON", dynamo("Nope", "{}"), 400, "UnknownOperationException", ""},
		{"unknown operation, query", sts("Nope"), 400, "InvalidAction", ""},
		{"unknown operation, REST and JSON", request{service: "lambda", method: "GET", path: "/nope"}, 404, "UnknownOperationException", ""},
		{"unknown service", request{service: "nosuch", body: "{}"}, 400, "UnknownOperationException", "nosuch"},
		{"no room, JSON 1.0", request{service: "sqs", target: "AmazonSQS.ListQueues", body: "{}"}, 501, "NotImplementedException", "ListQueues"},
		{"no room, JSON 1.1", request{service: "kinesis", target: "Kinesis_20131202.ListStreams", body: "{}"}, 501, "NotImplementedException", "ListStreams"},
		{"no room, query", form("sns", "2010-03-31", "ListTopics"), 501, "NotImplemented", "ListTopics"},
		{"no room, CBOR", request{service: "monitoring", path: "/service/GraniteServiceVersion20100801/operation/ListMetrics", header: cborHeader, body: "\xa0"}, 501, "NotImplementedException", "ListMetrics"},
		{"unknown service, EC2's protocol", form("ec2", "2016-11-15", "DescribeInstances"), 400, "InvalidAction", "<Response><Errors>"},
		{"operation that a room has not got", object("PUT", "/kept?metrics&id=x", "<MetricsConfiguration/>").queried(), 501, "NotImplemented", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := w.do(t, c.rq)
			if a.status != c.status || c.code != "" && a.code != c.code || !strings.Contains(a.body, c.says) {
				t.Errorf("the answer is %v\nnot %d %s %q", a, c.status, c.code, c.says)
			}
			if a.header.Get("X-Amzn-Requestid")+a.header.Get("X-Amz-Request-Id") == "" {
				t.Error("the answer has no request id")
			}
		})
	}
	if after := w.state(t); after != before {
		t.Errorf("bad input changed something: before %s\nafter %s", before, after)
	}
}

var formType = map[string]string{"content-type": "application/x-www-form-urlencoded"}

// queried moves what stands behind "?" in the path into the query.
func (rq request) queried() request {
	rq.path, rq.query, _ = strings.Cut(rq.path, "?")
	if !strings.Contains(rq.query, "=") {
		rq.query += "="
	}
	return rq
}

// state is everything that bad input must not change, as text.
func (w *wire) state(t *testing.T) string {
	t.Helper()
	scan := w.ok(t, dynamo("Scan", `{"TableName":"kept"}`)).body
	list := w.ok(t, with(object("GET", "/kept", ""), func(rq *request) { rq.query = "list-type=2" })).body
	tables := w.ok(t, dynamo("ListTables", `{}`)).body
	functions := w.do(t, request{service: "lambda", method: "GET", path: "/2015-03-31/functions"}).body
	return scan + list + tables + functions
}

// TestChunkSignature: a body whose chunks are signed is stored only if every
// chunk's signature is right.
func TestChunkSignature(t *testing.T) {
	w := newWire(t)
	w.ok(t, object("PUT", "/kept", ""))
	const payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	zero := strings.Repeat("0", 64)
	body := "5;chunk-signature=" + zero + "\r\nhello\r\n0;chunk-signature=" + zero + "\r\n\r\n"
	a := w.do(t, with(object("PUT", "/kept/chunked", body), func(rq *request) {
		rq.hash = payload
		rq.header = map[string]string{"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "5"}
	}))
	if a.status != 403 || a.code != "SignatureDoesNotMatch" {
		t.Errorf("a wrong chunk signature answers %v", a)
	}
	if a := w.do(t, object("GET", "/kept/chunked", "")); a.status != 404 || a.code != "NoSuchKey" {
		t.Errorf("the object is there: %v", a)
	}
	body = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
	a = w.do(t, with(object("PUT", "/kept/trailer", body), func(rq *request) {
		rq.hash = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
		rq.header = map[string]string{"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "5", "x-amz-trailer": "x-amz-checksum-crc32"}
	}))
	if a.status != 400 || a.code != "BadDigest" {
		t.Errorf("a wrong checksum in a trailer answers %v", a)
	}
	if a := w.do(t, object("GET", "/kept/trailer", "")); a.status != 404 {
		t.Errorf("the object is there: %v", a)
	}
}

// TestConnections: what clients do to connections.
func TestConnections(t *testing.T) {
	w := newWire(t)
	t.Run("pipelined", func(t *testing.T) {
		c := w.dial(t)
		first, second := w.prepared(sts("GetCallerIdentity")), w.prepared(dynamo("ListTables", "{}"))
		if _, err := c.Write(append(first.bytes(), second.bytes()...)); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		if a := readAnswer(t, r, "POST"); a.status != 200 || !strings.Contains(a.body, "GetCallerIdentityResult") {
			t.Errorf("the first answer is %v", a)
		}
		if a := readAnswer(t, r, "POST"); a.status != 200 || !strings.Contains(a.body, "TableNames") {
			t.Errorf("the second answer is %v", a)
		}
	})
	t.Run("half closed", func(t *testing.T) {
		c := w.dial(t)
		rq := w.prepared(dynamo("ListTables", "{}"))
		if _, err := c.Write(rq.bytes()); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if a := readAnswer(t, bufio.NewReader(c), "POST"); a.status != 200 {
			t.Errorf("the answer is %v", a)
		}
	})
	t.Run("flood of headers", func(t *testing.T) {
		rq := request{service: "s3", method: "GET", unsigned: true, header: map[string]string{}}
		for i := range 100 {
			rq.header[fmt.Sprintf("x-flood-%d", i)] = strings.Repeat("x", 1024)
		}
		if a := w.do(t, rq); a.status != 431 {
			t.Errorf("the answer is %v", a)
		}
	})
	t.Run("not HTTP", func(t *testing.T) {
		c := w.dial(t)
		if _, err := c.Write([]byte("\x01\x03\x01 this is no request of HTTP at all\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if a := readAnswer(t, bufio.NewReader(c), "GET"); a.status != 400 {
			t.Errorf("the answer is %v", a)
		}
	})
	t.Run("a handshake that is none", func(t *testing.T) {
		c := w.dial(t)
		if _, err := c.Write([]byte("\x16\x03\x01\x00\x05hello")); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		// The server closes the connection, with an alert or without.
		if got, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) || len(got) > 7 {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("body shorter than announced", func(t *testing.T) {
		w.ok(t, object("PUT", "/short", ""))
		rq := object("PUT", "/short/object", "hello")
		rq.hash = "UNSIGNED-PAYLOAD"
		rq.header = map[string]string{"content-length": "500"}
		rq = w.prepared(rq)
		c := w.dial(t)
		if _, err := c.Write(rq.bytes()); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if a := readAnswer(t, bufio.NewReader(c), "PUT"); a.status != 400 {
			t.Errorf("the answer is %v", a)
		}
		if a := w.do(t, object("GET", "/short/object", "")); a.status != 404 {
			t.Errorf("half an object is there: %v", a)
		}
	})
}

// archive makes a zip of names and contents, base64-encoded.
func archive(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, body := range files {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o755)
		f, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// role makes a role that Lambda may assume, and returns its ARN.
func (w *wire) role(t *testing.T, name string) string {
	t.Helper()
	w.ok(t, form("iam", "2010-05-08", "CreateRole", "RoleName", name, "AssumeRolePolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`))
	return "arn:aws:iam::" + w.key.Account + ":role/" + name
}

func (w *wire) createFunction(name, role, runtime, zip string) request {
	doc, _ := json.Marshal(map[string]any{"FunctionName": name, "Role": role, "Runtime": runtime, "Handler": "index.handler", "Code": map[string]any{"ZipFile": zip}})
	return request{service: "lambda", path: "/2015-03-31/functions", body: string(doc)}
}

// TestBadFunctions: packages that are refused, and functions that do not start.
func TestBadFunctions(t *testing.T) {
	w := newWire(t)
	role := w.role(t, "runner")
	for name, body := range map[string]string{
		"climbs":    archive(t, map[string]string{"../../evil": "x", "bootstrap": "x"}),
		"absolute":  archive(t, map[string]string{"/etc/evil": "x"}),
		"not-a-zip": base64.StdEncoding.EncodeToString([]byte("hello")),
	} {
		a := w.do(t, w.createFunction(name, role, "provided.al2023", body))
		if a.status != 400 || a.code != "InvalidParameterValueException" {
			t.Errorf("the package %q answers %v", name, a)
		}
		if a := w.do(t, request{service: "lambda", method: "GET", path: "/2015-03-31/functions/" + name}); a.status != 404 || a.code != "ResourceNotFoundException" {
			t.Errorf("the function %q is there: %v", name, a)
		}
	}
	for name, c := range map[string]struct{ script, kind string }{
		"exits":   {"#!/bin/sh\necho dying >&2\nexit 3\n", "Runtime.ExitError"},
		"absent":  {"", "Runtime.InvalidEntrypoint"},
		"garbage": {"\x00\x01\x02", "Runtime.InvalidEntrypoint"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"bootstrap": c.script}
			if c.script == "" {
				files = map[string]string{"other": "x"}
			}
			w.ok(t, w.createFunction(name, role, "provided.al2023", archive(t, files)))
			a := w.do(t, request{service: "lambda", path: "/2015-03-31/functions/" + name + "/invocations", body: "{}"})
			if a.status != 200 || a.header.Get("X-Amz-Function-Error") != "Unhandled" || !strings.Contains(a.body, `"errorType":"`+c.kind+`"`) {
				t.Errorf("an invocation answers %v, X-Amz-Function-Error %q", a, a.header.Get("X-Amz-Function-Error"))
			}
		})
	}
}

// TestBadTemplates: a template with a mistake is refused with the line, the
// resource and what was expected, and leaves nothing behind.
func TestBadTemplates(t *testing.T) {
	w := newWire(t)
	cases := []struct{ name, template, says string }{
		{"unknown type", "Resources:\n  Queue:\n    Type: AWS::Nope::Thing\n", `(?i)line 3.*Queue|Queue.*line 3`},
		{"wrong property", "Resources:\n  T:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      TabelName: x\n      KeySchema: [{AttributeName: pk, KeyType: HASH}]\n", `TabelName`},
		{"not YAML", "Resources: [\n", `line`},
		{"unknown reference", "Resources:\n  B:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: !Ref Nope\n", `Nope`},
		{"no resources", "Description: x\n", `Resources`},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			stack := fmt.Sprintf("bad-%d", i)
			a := w.do(t, form("cloudformation", "2010-05-15", "CreateStack", "StackName", stack, "TemplateBody", c.template))
			if a.status != 400 || a.code != "ValidationError" || !matches(c.says, a.body) {
				t.Errorf("CreateStack answers %v", a)
			}
			t.Log(a.body)
			if a := w.do(t, form("cloudformation", "2010-05-15", "DescribeStacks", "StackName", stack)); a.status != 400 || a.code != "ValidationError" {
				t.Errorf("the stack is there: %v", a)
			}
		})
	}
	if a := w.ok(t, dynamo("ListTables", "{}")); a.body != `{"TableNames":[]}` {
		t.Errorf("something was left behind: %v", a)
	}
	if a := w.ok(t, object("GET", "/", "")); strings.Contains(a.body, "<Bucket>") {
		t.Errorf("something was left behind: %v", a)
	}
}
