package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"

	"github.com/tierra-cloud/tierra/internal/dev/client"
)

const (
	manyAPIs   = 1000
	manyRoutes = 50
)

// gateway compares a REST API's integrations that need no function with
// httputil.ReverseProxy in front of the same handler, and one API with many.
func (b *bench) gateway() error {
	handler, err := startRole("handler", "")
	if err != nil {
		return err
	}
	defer handler.stop(syscall.SIGKILL)
	reverse, err := startRole("proxy", "http://"+handler.addr)
	if err != nil {
		return err
	}
	defer reverse.stop(syscall.SIGKILL)
	few, err := b.openGateway("few")
	if err != nil {
		return err
	}
	defer few.stop(syscall.SIGTERM)
	id, err := few.deploy(document("kinds", map[string]any{
		"/proxy":      get200(map[string]any{"type": "http_proxy", "httpMethod": "GET", "uri": "http://" + handler.addr + "/"}),
		"/http":       get200(map[string]any{"type": "http", "httpMethod": "GET", "uri": "http://" + handler.addr + "/", "responses": map[string]any{"default": map[string]any{"statusCode": "200"}}}),
		"/mock/{id}":  get200(mock("things")),
		"/cache/{id}": get200(map[string]any{"type": "http_proxy", "httpMethod": "GET", "uri": "http://" + handler.addr + "/"}),
	}), "/cacheClusterEnabled", "true", "/cacheClusterSize", "0.5", "/~1cache~1{id}/GET/caching/enabled", "true")
	if err != nil {
		return err
	}
	targets := []target{
		get("httputil.ReverseProxy to a Go handler", reverse.addr, reverse.addr, "/"),
		few.get("HTTP_PROXY to the same handler", id, "/proxy"),
		few.get("HTTP to the same handler", id, "/http"),
		few.get("MOCK with mapping templates", id, "/mock/17?page=2"),
		few.get("a cache hit", id, "/cache/17"),
	}
	goals := []string{"", "at least 0.7×", "", "at least 1.5×", "at least 2×"}
	for _, n := range []int{1, 16, 64} {
		note(fmt.Sprintf("loading on %d connections", n))
		found, err := b.takeTurns(targets, n)
		if err != nil {
			return err
		}
		table(fmt.Sprintf("A GET through a REST API, %d connection(s)", n), "what", "per second", "p50", "p99", "throughput of the baseline's", "goal")
		for i, r := range found {
			row(targets[i].name, fmt.Sprintf("%.0f", r.perSecond), us(r.p50), us(r.p99), fmt.Sprintf("%.2f×", r.perSecond/found[0].perSecond), goals[i])
		}
	}
	return b.manyAPIs(few)
}

// manyAPIs deploys many APIs, and compares requests to one of them, and to all of
// them over all their routes, with requests to a server's only API. The last tells
// what the processor's caches are worth.
func (b *bench) manyAPIs(few *gatewayServer) error {
	note(fmt.Sprintf("deploying %d APIs", manyAPIs))
	many, err := b.openGateway("many", "--metrics", "127.0.0.1:0")
	if err != nil {
		return err
	}
	empty, err := many.heap()
	if err != nil {
		many.stop(syscall.SIGTERM)
		return err
	}
	ids := make([]string, manyAPIs)
	err = each(manyAPIs, 4, func(i int) (err error) {
		ids[i], err = many.deploy(document(fmt.Sprint("api", i), routes(manyRoutes)))
		return err
	})
	// A fresh start has in memory what it serves, and nothing of the deploying.
	many.stop(syscall.SIGTERM)
	if err != nil {
		return err
	}
	if many, err = b.openGateway("many", "--metrics", "127.0.0.1:0"); err != nil {
		return err
	}
	full, err := many.heap()
	many.stop(syscall.SIGTERM)
	if err != nil {
		return err
	}
	if many, err = b.openGateway("many"); err != nil { // measured as it is without numbers
		return err
	}
	defer many.stop(syscall.SIGTERM)
	id, err := few.deploy(document("one", routes(1)))
	if err != nil {
		return err
	}
	one := few.get("one API with one route", id, "/things/0/17")
	among := many.get(fmt.Sprintf("one route of %d APIs with %d routes each", manyAPIs, manyRoutes), ids[manyAPIs/2], "/things/0/17")
	all := target{fmt.Sprintf("all routes of %d APIs with %d routes each, in turn", manyAPIs, manyRoutes), many.addr, func(connection int) (rqs [][]byte) {
		for i := range ids {
			path := fmt.Sprintf("/things/%d/17", (i+connection)*2%manyRoutes)
			rqs = append(rqs, many.get("", ids[(i*7+connection)%manyAPIs], path).requests(0)...)
		}
		return rqs
	}}
	note("loading them")
	targets, goals := []target{one, among, all}, []string{"", "1×", ""}
	found, err := b.takeTurns(targets, 16)
	if err != nil {
		return err
	}
	table("One API and many (MOCK, 16 connections)", "what", "per second", "p50", "p99", "throughput of one's", "goal")
	for i, r := range found {
		row(targets[i].name, fmt.Sprintf("%.0f", r.perSecond), us(r.p50), us(r.p99), fmt.Sprintf("%.2f×", r.perSecond/found[0].perSecond), goals[i])
	}
	fmt.Printf("\nMemory per API with %d routes, on the heap after a start and a collection: %.1f KiB (goal: under 100 KiB).\n", manyRoutes, float64(full-empty)/manyAPIs/1024)
	return nil
}

// document is an OpenAPI document of paths.
func document(title string, paths map[string]any) map[string]any {
	return map[string]any{"openapi": "3.0.1", "info": map[string]any{"title": title, "version": "1"}, "paths": paths}
}

func get200(integration map[string]any) map[string]any {
	return map[string]any{"get": map[string]any{"responses": map[string]any{"200": map[string]any{"description": "ok"}}, "x-amazon-apigateway-integration": integration}}
}

// mock is an integration with a template of its own.
func mock(things string) map[string]any {
	template := `#set($id = $input.params('id')){"id":"$id","page":"$input.params('page')","request":"$context.requestId",` +
		`"from":"$context.identity.sourceIp","links":[#foreach($n in ["self","next"])"/` + things + `/$id/$n"#if($foreach.hasNext),#end#end]}`
	return map[string]any{
		"type": "mock", "requestTemplates": map[string]any{"application/json": `{"statusCode": 200}`},
		"responses": map[string]any{"default": map[string]any{"statusCode": "200", "responseTemplates": map[string]any{"application/json": template}}},
	}
}

// routes are n paths: functions, and templates whose numbers are even.
func routes(n int) map[string]any {
	all := map[string]any{}
	for i := range n {
		in := mock(fmt.Sprint("things", i))
		if i%2 == 1 {
			in = map[string]any{"type": "aws_proxy", "httpMethod": "POST", "uri": fmt.Sprintf("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f%d/invocations", i)}
		}
		all[fmt.Sprintf("/things/%d/{id}", i)] = get200(in)
	}
	return all
}

// gatewayServer is a server with APIs that can be measured.
type gatewayServer struct {
	*process
	c    *client.Client
	port string
}

func (b *bench) openGateway(name string, more ...string) (*gatewayServer, error) {
	dir := filepath.Join(b.tmp, "gateway-"+name)
	p, err := b.serve(dir, more...)
	if err != nil {
		return nil, err
	}
	s := &gatewayServer{process: p}
	if s.c, err = b.client(p, dir); err == nil {
		_, s.port, err = net.SplitHostPort(p.addr)
	}
	if err != nil {
		p.stop(syscall.SIGTERM)
		return nil, err
	}
	return s, nil
}

// deploy makes an API of a document and deploys it to the stage "s", which edits change:
// paths of a patch, each with its value.
func (s *gatewayServer) deploy(doc map[string]any, edits ...string) (id string, err error) {
	var api struct{ ID string }
	ctx := context.Background()
	if err := s.c.REST(ctx, "apigateway", "POST", "/restapis", map[string]any{"name": "bench"}, &api); err != nil {
		return "", err
	}
	if err := s.c.REST(ctx, "apigateway", "PUT", "/restapis/"+api.ID, doc, nil); err != nil {
		return "", err
	}
	if err := s.c.REST(ctx, "apigateway", "POST", "/restapis/"+api.ID+"/deployments", map[string]any{"stageName": "s"}, nil); err != nil || len(edits) == 0 {
		return api.ID, err
	}
	var ops []map[string]string
	for i := 0; i < len(edits); i += 2 {
		ops = append(ops, map[string]string{"op": "replace", "path": edits[i], "value": edits[i+1]})
	}
	return api.ID, s.c.REST(ctx, "apigateway", "PATCH", "/restapis/"+api.ID+"/stages/s", map[string]any{"patchOperations": ops}, nil)
}

func (s *gatewayServer) get(name, id, path string) target {
	return get(name, s.addr, id+".execute-api.localhost:"+s.port, "/s"+path)
}

// heap is what is on the heap of a server with metrics after a collection, in bytes.
func (s *gatewayServer) heap() (int64, error) {
	at, err := s.wrote(`Metrics at (http://[0-9.:]+)/metrics`)
	if err != nil {
		return 0, err
	}
	var text []byte
	for range 2 { // the first empties the pools, the second frees what was in them
		rs, err := http.Get(at[1] + "/debug/pprof/heap?gc=1&debug=1")
		if err != nil {
			return 0, err
		}
		text, err = io.ReadAll(rs.Body)
		_ = rs.Body.Close()
		if err != nil {
			return 0, err
		}
	}
	m := regexp.MustCompile(`(?m)^# HeapAlloc = ([0-9]+)$`).FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("the heap's profile has no size: %s", text[:min(len(text), 200)])
	}
	return strconv.ParseInt(string(m[1]), 10, 64)
}
