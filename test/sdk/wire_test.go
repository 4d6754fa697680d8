package sdk

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
	"github.com/tierra-cloud/tierra/test/harness"
)

// wire sends requests that are signed by hand, byte for byte as a case wants them.
type wire struct {
	*harness.Process
	key harness.Credentials
}

func newWire(t *testing.T, args ...string) *wire {
	p := harness.Serve(t, "", args...)
	return &wire{p, p.Credentials()}
}

// request is one request. What is left out has a sensible value.
type request struct {
	method, path, query, service, body string

	header map[string]string
	// target is the operation of a JSON service: "DynamoDB_20120810.ListTables".
	target string
	// form makes a request of a query service.
	form url.Values
	// unsigned leaves the signature out.
	unsigned bool
	// key, secret and token replace the root key's.
	key, secret, token string
	// skew moves the time of signing.
	skew time.Duration
	// hash replaces the payload's hash.
	hash string
	// after changes the request once it is signed.
	after func(*request)
}

// answer is what came back.
type answer struct {
	status int
	code   string // AWS's error code, from wherever the protocol puts it
	body   string
	header http.Header
}

func (a answer) String() string { return fmt.Sprintf("%d %s %q", a.status, a.code, a.body) }

// prepared returns the request with everything set and signed.
func (w *wire) prepared(rq request) request {
	h := map[string]string{}
	for k, v := range rq.header {
		h[strings.ToLower(k)] = v
	}
	rq.header = h
	set := func(k, v string) {
		if _, ok := h[k]; !ok {
			h[k] = v
		}
	}
	if rq.target != "" {
		set("x-amz-target", rq.target)
		set("content-type", "application/x-amz-json-1.0")
	}
	if rq.form != nil {
		rq.body = rq.form.Encode()
		set("content-type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	if rq.method == "" {
		rq.method = "POST"
	}
	if rq.path == "" {
		rq.path = "/"
	}
	set("host", strings.TrimPrefix(w.URL, "http://"))
	if !rq.unsigned {
		w.sign(&rq)
	}
	if rq.after != nil {
		rq.after(&rq)
	}
	return rq
}

func (w *wire) sign(rq *request) {
	now := time.Now().Add(rq.skew).UTC()
	c := sigv4.Credentials{AccessKey: w.key.AccessKey, Secret: w.key.Secret, Token: rq.token}
	if rq.key != "" {
		c.AccessKey = rq.key
	}
	if rq.secret != "" {
		c.Secret = rq.secret
	}
	sum := sha256.Sum256([]byte(rq.body))
	hash := hex.EncodeToString(sum[:])
	if rq.hash != "" {
		hash = rq.hash
	}
	h := rq.header
	h["x-amz-date"] = now.Format("20060102T150405Z")
	if rq.service == "s3" || rq.hash != "" {
		h["x-amz-content-sha256"] = hash
	}
	if rq.token != "" {
		h["x-amz-security-token"] = rq.token
	}
	names := make([]string, 0, len(h))
	for k := range h {
		names = append(names, k)
	}
	sort.Strings(names)
	h["authorization"] = sigv4.Sign(&sigv4.Request{
		Method: rq.method, Path: rq.path, Query: rq.query, Host: h["host"],
		Header: func(n string) []string {
			if v, ok := h[n]; ok {
				return []string{v}
			}
			return nil
		},
	}, c, w.key.Region, rq.service, hash, names, now)
}

// bytes returns the request as it goes over the wire.
func (rq *request) bytes() []byte {
	var b bytes.Buffer
	target := rq.path
	if rq.query != "" {
		target += "?" + rq.query
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", rq.method, target)
	names := make([]string, 0, len(rq.header))
	for k := range rq.header {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		fmt.Fprintf(&b, "%s: %s\r\n", k, rq.header[k])
	}
	if _, ok := rq.header["content-length"]; !ok {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(rq.body))
	}
	b.WriteString("\r\n" + rq.body)
	return b.Bytes()
}

func (w *wire) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(w.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(harness.Patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// do sends a request on a connection of its own.
func (w *wire) do(t *testing.T, rq request) answer {
	t.Helper()
	rq = w.prepared(rq)
	c := w.dial(t)
	defer c.Close()
	go func() { _, _ = c.Write(rq.bytes()) }() // the server may answer before it read everything
	return readAnswer(t, bufio.NewReader(c), rq.method)
}

func readAnswer(t *testing.T, r *bufio.Reader, method string) answer {
	t.Helper()
	rs, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer rs.Body.Close()
	body, err := io.ReadAll(rs.Body)
	if err != nil {
		t.Fatalf("the answer breaks off: %v", err)
	}
	return answer{status: rs.StatusCode, code: errorCode(rs.Header, body), body: string(body), header: rs.Header}
}

var (
	xmlCode  = regexp.MustCompile(`<Code>([^<]*)</Code>`)
	jsonType = regexp.MustCompile(`"__type"\s*:\s*"([^"]*)"`)
)

// errorCode finds AWS's error code in any protocol's answer.
func errorCode(h http.Header, body []byte) string {
	code := h.Get("X-Amzn-Errortype")
	if m := jsonType.FindSubmatch(body); m != nil {
		code = string(m[1])
	}
	if m := xmlCode.FindSubmatch(body); m != nil {
		code = string(m[1])
	}
	if h.Get("Smithy-Protocol") == "rpc-v2-cbor" {
		if _, rest, ok := bytes.Cut(body, []byte("f__type")); ok && len(rest) > 1 {
			n, at := int(rest[0]&0x1f), 1 // a text string: its length in the first byte, or in the next one
			if n == 24 {
				n, at = int(rest[1]), 2
			}
			if at+n <= len(rest) {
				code = string(rest[at : at+n])
			}
		}
	}
	if i := strings.IndexByte(code, '#'); i >= 0 {
		code = code[i+1:]
	}
	code, _, _ = strings.Cut(code, ":")
	return code
}

// ok sends a request that must succeed.
func (w *wire) ok(t *testing.T, rq request) answer {
	t.Helper()
	a := w.do(t, rq)
	if a.status/100 != 2 {
		t.Fatalf("%s %s%s: %v", rq.method, rq.path, rq.target, a)
	}
	return a
}

func dynamo(op, body string) request {
	return request{service: "dynamodb", target: "DynamoDB_20120810." + op, body: body}
}

func form(service, version, action string, more ...string) request {
	v := url.Values{"Action": {action}, "Version": {version}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return request{service: service, form: v}
}

func sts(action string, more ...string) request { return form("sts", "2011-06-15", action, more...) }

func object(method, path, body string) request {
	return request{service: "s3", method: method, path: path, body: body}
}

func matches(pattern, text string) bool {
	return regexp.MustCompile("(?s)" + pattern).MatchString(text)
}
