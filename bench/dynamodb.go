package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
)

// signer makes signed requests to a server.
type signer struct {
	c    credentials
	addr string
}

// request returns a request as it goes over the wire, signed now: it is good for
// a quarter of an hour.
func (s signer) request(method, path, service string, headers map[string]string, body string) []byte {
	now := time.Now().UTC()
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	h := map[string]string{"host": s.addr, "x-amz-date": now.Format("20060102T150405Z"), "x-amz-content-sha256": hash}
	for k, v := range headers {
		h[k] = v
	}
	signed := []string{"host", "x-amz-content-sha256", "x-amz-date"}
	if _, ok := h["x-amz-target"]; ok {
		signed = append(signed, "x-amz-target")
	}
	h["authorization"] = sigv4.Sign(&sigv4.Request{Method: method, Path: path, Host: s.addr, Header: func(n string) []string { return []string{h[n]} }},
		sigv4.Credentials{AccessKey: s.c.AccessKey, Secret: s.c.Secret}, s.c.Region, service, hash, signed, now)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, path)
	for k, v := range h {
		fmt.Fprintf(&b, "%s: %s\r\n", k, v)
	}
	fmt.Fprintf(&b, "content-length: %d\r\n\r\n%s", len(body), body)
	return []byte(b.String())
}

func (s signer) dynamo(op, body string) []byte {
	return s.request("POST", "/", "dynamodb", map[string]string{"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810." + op}, body)
}

// once sends requests in order on one connection.
func (s signer) once(requests ...[]byte) error {
	c, r, err := connect(s.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, rq := range requests {
		if _, err := c.Write(rq); err != nil {
			return err
		}
		if err := answer(r); err != nil {
			return err
		}
	}
	return nil
}

const createTable = `{"TableName":"t","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}`

func key(connection, n int) string { return fmt.Sprintf("item-%02d-%04d", connection, n) }

func item(pk string) string {
	return `{"TableName":"t","Item":{"pk":{"S":"` + pk + `"},"name":{"S":"Ada Lovelace"},"show":{"S":"The Tempest"},"seats":{"N":"3"},"note":{"S":"` + strings.Repeat("x", 60) + `"}}}`
}

// keysEach is how many items each connection writes and reads in turn.
const keysEach = 256

// dynamodb measures single items at 16 connections, every call signed.
func (b *bench) dynamodb() error {
	const connections = 16
	data := filepath.Join(b.tmp, "dynamodb")
	p, err := b.serve(data)
	if err != nil {
		return err
	}
	defer p.stop(syscall.SIGTERM)
	c, err := readCredentials(data)
	if err != nil {
		return err
	}
	s := signer{c, p.addr}
	if err := s.once(s.dynamo("CreateTable", createTable)); err != nil {
		return err
	}
	puts, gets := make([][][]byte, connections), make([][][]byte, connections)
	for i := range connections {
		for n := range keysEach {
			puts[i] = append(puts[i], s.dynamo("PutItem", item(key(i, n))))
			gets[i] = append(gets[i], s.dynamo("GetItem", `{"TableName":"t","ConsistentRead":true,"Key":{"pk":{"S":"`+key(i, n)+`"}}}`))
		}
		if err := s.once(puts[i]...); err != nil {
			return err
		}
	}
	note("loading DynamoDB")
	targets := []target{
		{"GetItem (consistent)", p.addr, func(i int) [][]byte { return gets[i] }},
		{"PutItem (durable: fsynced before the answer)", p.addr, func(i int) [][]byte { return puts[i] }},
	}
	found, err := b.takeTurns(targets, connections)
	if err != nil {
		return err
	}
	table("DynamoDB, 16 connections, signed", "what", "per second", "p50", "p99")
	for i, r := range found {
		row(targets[i].name, fmt.Sprintf("%.0f", r.perSecond), us(r.p50), us(r.p99))
	}
	perSecond, err := fsyncs(filepath.Join(b.tmp, "fsync"))
	if err != nil {
		return err
	}
	fmt.Printf("\nThe disk below the data folder takes %.0f small writes with fsync per second, one after another.\n", perSecond)
	return nil
}

// fsyncs measures what the disk gives by itself.
func fsyncs(path string) (float64, error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	began, n := time.Now(), 0
	for ; time.Since(began) < time.Second; n++ {
		if _, err := f.Write(make([]byte, 200)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// use fills a data folder: 10,000 items, 1,000 objects, a stack with functions.
func (b *bench) use(dir string) error {
	app := filepath.Join(b.tmp, "used-app")
	if err := b.app(app, languages()); err != nil {
		return err
	}
	if _, err := b.deployed(app, dir); err != nil {
		return err
	}
	p, err := b.serve(dir)
	if err != nil {
		return err
	}
	defer p.stop(syscall.SIGTERM)
	c, err := readCredentials(dir)
	if err != nil {
		return err
	}
	s := signer{c, p.addr}
	if err := s.once(s.dynamo("CreateTable", createTable), s.request(http.MethodPut, "/bucket", "s3", nil, "")); err != nil {
		return err
	}
	for i := range 10 {
		var all [][]byte
		for n := range 1000 {
			all = append(all, s.dynamo("PutItem", item(key(i, n))))
		}
		for n := range 100 {
			all = append(all, s.request(http.MethodPut, "/bucket/"+key(i, n), "s3", nil, "hello"))
		}
		if err := s.once(all...); err != nil {
			return err
		}
	}
	return nil
}
