// Package client calls a server's API over the wire, signed, as any AWS client
// does: what `tierra up` does to an application, another tool could do as well.
package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
)

// Client calls one server as one principal.
type Client struct {
	Endpoint    string // "http://127.0.0.1:4566"
	Region      string
	Credentials sigv4.Credentials
	HTTP        *http.Client
}

// New makes a client.
func New(endpoint, region string, c sigv4.Credentials) *Client {
	return &Client{Endpoint: strings.TrimSuffix(endpoint, "/"), Region: region, Credentials: c, HTTP: &http.Client{Timeout: 2 * time.Minute}}
}

// Error is a fault that the server answered.
type Error struct {
	Status        int
	Code, Message string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("%s (HTTP %d)", e.Code, e.Status)
	}
	return e.Code + ": " + e.Message
}

// request is one call before it is signed.
type request struct {
	service, method, path, query string
	header                       map[string]string
	body                         []byte
}

func (c *Client) send(ctx context.Context, rq request) (*http.Response, error) {
	target := c.Endpoint + rq.path
	if rq.query != "" {
		target += "?" + rq.query
	}
	hr, err := http.NewRequestWithContext(ctx, rq.method, target, bytes.NewReader(rq.body))
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	sum := sha256.Sum256(rq.body)
	hash := hex.EncodeToString(sum[:])
	hr.Header.Set("X-Amz-Date", now.Format("20060102T150405Z"))
	hr.Header.Set("X-Amz-Content-Sha256", hash)
	signed := []string{"host", "x-amz-content-sha256", "x-amz-date"}
	for k, v := range rq.header {
		hr.Header.Set(k, v)
	}
	if c.Credentials.Token != "" {
		hr.Header.Set("X-Amz-Security-Token", c.Credentials.Token)
		signed = append(signed, "x-amz-security-token")
	}
	if rq.header["X-Amz-Target"] != "" {
		signed = append(signed, "x-amz-target")
	}
	hr.Header.Set("Authorization", sigv4.Sign(&sigv4.Request{
		Method: rq.method, Path: hr.URL.EscapedPath(), Query: rq.query, Host: hr.URL.Host,
		Header: func(n string) []string { return hr.Header[http.CanonicalHeaderKey(n)] },
	}, c.Credentials, c.Region, rq.service, hash, signed, now))
	resp, err := c.HTTP.Do(hr)
	if err != nil {
		return nil, fmt.Errorf("reach the server at %s: %w", c.Endpoint, err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return nil, faultOf(resp, body)
}

// faultOf reads the forms in which the protocols put a fault.
func faultOf(resp *http.Response, body []byte) error {
	e := &Error{Status: resp.StatusCode, Code: resp.Header.Get("X-Amzn-Errortype")}
	var x struct {
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
		Error   struct {
			Code    string `xml:"Code"`
			Message string `xml:"Message"`
		} `xml:"Error"`
	}
	var j struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Upper   string `json:"Message"`
	}
	if json.Unmarshal(body, &j) == nil {
		if j.Type != "" {
			e.Code = j.Type[strings.LastIndexByte(j.Type, '#')+1:]
		}
		e.Message = j.Message + j.Upper
		if j.Message == j.Upper {
			e.Message = j.Message
		}
	} else if xml.Unmarshal(body, &x) == nil {
		e.Code, e.Message = x.Code+x.Error.Code, x.Message+x.Error.Message
	}
	e.Code, _, _ = strings.Cut(e.Code, ":")
	if e.Code == "" {
		e.Code = http.StatusText(resp.StatusCode)
	}
	return e
}

// Query calls an operation of a service that speaks the query protocol and
// reads its result, the element OPERATIONResult, into out.
func (c *Client) Query(ctx context.Context, service, version, action string, params url.Values, out any) error {
	form := url.Values{"Action": {action}, "Version": {version}}
	for k, v := range params {
		form[k] = v
	}
	resp, err := c.send(ctx, request{service: service, method: "POST", path: "/", body: []byte(form.Encode()),
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	dec := xml.NewDecoder(resp.Body)
	for {
		t, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: read the answer: %w", action, err)
		}
		if s, ok := t.(xml.StartElement); ok && s.Name.Local == action+"Result" {
			return dec.DecodeElement(out, &s)
		}
	}
}

// JSON calls an operation of a service that speaks the JSON protocol.
func (c *Client) JSON(ctx context.Context, service, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	resp, err := c.send(ctx, request{service: service, method: "POST", path: "/", body: body,
		header: map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(out)
}

// REST calls an operation with an HTTP binding and a JSON body.
func (c *Client) REST(ctx context.Context, service, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	resp, err := c.send(ctx, request{service: service, method: method, path: path, body: body,
		header: map[string]string{"Content-Type": "application/json"}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// escapePath encodes a key for the path, its slashes left alone.
func escapePath(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.QueryEscape(p), "+", "%20")
	}
	return strings.Join(parts, "/")
}

// CreateBucket makes a bucket, or finds that the caller has it already.
func (c *Client) CreateBucket(ctx context.Context, bucket string) error {
	rq := request{service: "s3", method: "PUT", path: "/" + bucket}
	if c.Region != "us-east-1" { // which has no name here
		rq.body = []byte("<CreateBucketConfiguration><LocationConstraint>" + c.Region + "</LocationConstraint></CreateBucketConfiguration>")
	}
	resp, err := c.send(ctx, rq)
	if e, ok := err.(*Error); ok && e.Code == "BucketAlreadyOwnedByYou" {
		return nil
	}
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// HasBucket reports whether a bucket exists.
func (c *Client) HasBucket(ctx context.Context, bucket string) (bool, error) {
	resp, err := c.send(ctx, request{service: "s3", method: "HEAD", path: "/" + bucket})
	if e, ok := err.(*Error); ok && e.Status == http.StatusNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, resp.Body.Close()
}

// HasObject reports whether a key exists.
func (c *Client) HasObject(ctx context.Context, bucket, key string) (bool, error) {
	resp, err := c.send(ctx, request{service: "s3", method: "HEAD", path: "/" + bucket + "/" + escapePath(key)})
	if e, ok := err.(*Error); ok && e.Status == http.StatusNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, resp.Body.Close()
}

// PutObject writes an object.
func (c *Client) PutObject(ctx context.Context, bucket, key, contentType string, body []byte) error {
	h := map[string]string{}
	if contentType != "" {
		h["Content-Type"] = contentType
	}
	resp, err := c.send(ctx, request{service: "s3", method: "PUT", path: "/" + bucket + "/" + escapePath(key), body: body, header: h})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
