package apigateway

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
)

// stack makes resources of templates' properties.
type stack struct {
	*world
	t  *testing.T
	rq *resource.Request
}

func newStack(t *testing.T, w *world) *stack {
	return &stack{w, t, &resource.Request{
		Caller: w.Board, As: w.As, Account: calltest.Account, Region: calltest.Region, StackName: "st", LogicalID: "L", Token: "t",
		StackTags: map[string]string{"stack": "st"}, Name: func(int) string { return "st-L-1" },
	}}
}

func (s *stack) typ(name string) *resource.Type {
	s.t.Helper()
	for _, x := range s.s.ResourceTypes() {
		if x.Name == "AWS::ApiGateway::"+name {
			return &x
		}
	}
	s.t.Fatalf("no type %s", name)
	return nil
}

type props = map[string]any

func (s *stack) create(name string, p props) resource.State {
	s.t.Helper()
	typ := s.typ(name)
	if bad := typ.Check(p); len(bad) > 0 {
		s.t.Fatalf("%s: %v", name, bad)
	}
	st, err := typ.Create(context.Background(), s.rq, p)
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	return st
}

func (s *stack) update(name, id string, old, p props) {
	s.t.Helper()
	if _, err := s.typ(name).Update(context.Background(), s.rq, id, old, p); err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
}

func (s *stack) remove(name, id string, p props) {
	s.t.Helper()
	for range 2 { // what is gone already is no error
		if err := s.typ(name).Delete(context.Background(), s.rq, id, p); err != nil {
			s.t.Fatalf("%s: %v", name, err)
		}
	}
}

func body(routes ...string) props {
	paths := props{}
	for _, r := range routes {
		method, path, _ := strings.Cut(r, " ")
		if paths[path] == nil {
			paths[path] = props{}
		}
		paths[path].(props)[strings.ToLower(method)] = props{"responses": props{}, "x-amazon-apigateway-integration": props{"type": "aws_proxy", "httpMethod": "POST", "uri": uri("f")}}
	}
	return props{"swagger": "2.0", "info": props{"title": "st", "version": "1.0"}, "paths": paths}
}

// TestSAMStack makes, changes and removes what SAM makes of one API.
func TestSAMStack(t *testing.T) {
	w := newWorld(t)
	w.returns(`{"body":"ok"}`)
	s := newStack(t, w)
	apiProps := props{
		"Body": body("GET /a"), "Parameters": props{"endpointConfigurationTypes": "REGIONAL"}, "EndpointConfiguration": props{"Types": []any{"REGIONAL"}},
		"BinaryMediaTypes": []any{"image/png"}, "Tags": []any{props{"Key": "k", "Value": "v"}},
	}
	x := s.create("RestApi", apiProps)
	got := calltest.Must(t, w.World, api.GetRestApi, &api.GetRestApiRequest{RestApiId: &x.ID})
	if *got.Name != "st" || fmt.Sprint(got.Tags) != "map[k:v stack:st]" || fmt.Sprint(got.BinaryMediaTypes) != "[image/png]" ||
		got.EndpointConfiguration.Types[0] != "REGIONAL" || x.Attributes["RootResourceId"] != *got.RootResourceId {
		t.Errorf("API: %s", calltest.JSON(got))
	}
	depProps := props{"RestApiId": x.ID, "StageName": "Stage", "Description": "d"}
	dep := s.create("Deployment", depProps)
	stageProps := props{"RestApiId": x.ID, "StageName": "Prod", "DeploymentId": dep.ID, "Variables": props{"a": "1", "b": "2"}}
	stage := s.create("Stage", stageProps)
	if stage.ID != "Prod" || w.send("GET", x.ID, "/Prod/a", "").StatusCode != 200 || w.send("GET", x.ID, "/Stage/a", "").StatusCode != 200 {
		t.Errorf("stage: %+v", stage)
	}

	// An update brings a new document, a new deployment, and moves the stage.
	newProps := props{"Body": body("GET /b"), "Name": "renamed", "BinaryMediaTypes": []any{"image/gif"}}
	s.update("RestApi", x.ID, apiProps, newProps)
	got = calltest.Must(t, w.World, api.GetRestApi, &api.GetRestApiRequest{RestApiId: &x.ID})
	if *got.Name != "renamed" || fmt.Sprint(got.Tags) != "map[stack:st]" || fmt.Sprint(got.BinaryMediaTypes) != "[image/gif]" {
		t.Errorf("API: %s", calltest.JSON(got))
	}
	dep2 := s.create("Deployment", depProps)
	newStage := props{"RestApiId": x.ID, "StageName": "Prod", "DeploymentId": dep2.ID, "Variables": props{"b": "3"}}
	s.update("Stage", "Prod", stageProps, newStage)
	s.remove("Deployment", dep.ID, depProps)
	st := calltest.Must(t, w.World, api.GetStage, &api.GetStageRequest{RestApiId: &x.ID, StageName: new("Prod")})
	if *st.DeploymentId != dep2.ID || fmt.Sprint(st.Variables) != "map[b:3]" || w.send("GET", x.ID, "/Prod/b", "").StatusCode != 200 || w.send("GET", x.ID, "/Prod/a", "").StatusCode != 403 {
		t.Errorf("stage: %s", calltest.JSON(st))
	}

	s.remove("Stage", "Prod", newStage)
	s.remove("Deployment", dep2.ID, depProps)
	s.remove("RestApi", x.ID, newProps)
	if left := w.keys(t); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

// TestCDKStack makes an API of single resources, as the CDK does.
func TestCDKStack(t *testing.T) {
	w := newWorld(t)
	w.returns(`{"body":"ok"}`)
	s := newStack(t, w)
	x := s.create("RestApi", props{"Name": "cdk"})
	pets := s.create("Resource", props{"RestApiId": x.ID, "ParentId": x.Attributes["RootResourceId"], "PathPart": "pets"})
	get := props{
		"RestApiId": x.ID, "ResourceId": pets.ID, "HttpMethod": "GET", "AuthorizationType": "NONE",
		"Integration": props{"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": uri("f")},
	}
	m := s.create("Method", get)
	s.create("Method", props{
		"RestApiId": x.ID, "ResourceId": pets.ID, "HttpMethod": "OPTIONS", "ApiKeyRequired": false,
		"Integration": props{"Type": "MOCK", "RequestTemplates": props{"application/json": "{ statusCode: 200 }"}, "IntegrationResponses": []any{
			props{"StatusCode": "204", "ResponseParameters": props{"method.response.header.Access-Control-Allow-Origin": "'*'"}},
		}},
		"MethodResponses": []any{props{"StatusCode": "204", "ResponseParameters": props{"method.response.header.Access-Control-Allow-Origin": true}}},
	})
	s.create("GatewayResponse", props{"RestApiId": x.ID, "ResponseType": "DEFAULT_4XX", "ResponseParameters": props{"gatewayresponse.header.A": "'b'"}})
	s.Gate.Identities = writers{}
	s.create("Account", props{"CloudWatchRoleArn": writer})
	s.create("Model", props{"RestApiId": x.ID, "ContentType": "application/json", "Schema": props{"type": "object"}})
	dep := s.create("Deployment", props{"RestApiId": x.ID})
	s.create("Stage", props{
		"RestApiId": x.ID, "StageName": "prod", "DeploymentId": dep.ID, "TracingEnabled": true,
		"AccessLogSetting": props{"DestinationArn": logARN + "calls:*", "Format": "$context.requestId"},
		"MethodSettings":   []any{props{"HttpMethod": "*", "ResourcePath": "/*", "LoggingLevel": "INFO", "DataTraceEnabled": true, "MetricsEnabled": true}},
	})
	set := calltest.Must(t, w.World, api.GetStage, &api.GetStageRequest{RestApiId: &x.ID, StageName: new("prod")})
	if m := set.MethodSettings["*/*"]; *set.AccessLogSettings.DestinationArn != logARN+"calls" || !*set.TracingEnabled || *m.LoggingLevel != "INFO" || !*m.DataTraceEnabled || !*m.MetricsEnabled {
		t.Errorf("stage: %+v, %+v", set, m)
	}
	if got := w.send("GET", x.ID, "/prod/pets", ""); got.StatusCode != 200 || got.body != "ok" {
		t.Errorf("GET: %d %s", got.StatusCode, got.body)
	}
	if got := w.send("OPTIONS", x.ID, "/prod/pets", ""); got.StatusCode != 204 || got.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("OPTIONS: %d %v", got.StatusCode, got.Header)
	}
	if got := w.send("PUT", x.ID, "/prod/pets", ""); got.Header.Get("A") != "b" {
		t.Errorf("PUT: %d %v", got.StatusCode, got.Header)
	}
	s.remove("Method", m.ID, get)
}

// TestStackRefuses holds that a property that would not act fails the stack by
// name, and leaves nothing.
func TestStackRefuses(t *testing.T) {
	w := newWorld(t)
	s := newStack(t, w)
	for _, c := range []struct {
		typ   string
		props props
		want  string
	}{
		{"RestApi", props{}, "one of the keys"},
		{"RestApi", props{"Name": "a", "Policy": props{}}, "Invalid policy document"},
		{"RestApi", props{"Name": "a", "MinimumCompressionSize": -5}, "Invalid minimum compression size"},
		{"RestApi", props{"Name": "a", "CloneFrom": "b"}, "Invalid API identifier"},
		{"RestApi", props{"Name": "a", "SecurityPolicy": "TLS_1_2"}, "[SecurityPolicy] is not supported"},
		{"RestApi", props{"Name": "a", "Clone": "b"}, "extraneous key [Clone]"},
		{"RestApi", props{"Name": "a", "EndpointConfiguration": props{"Types": []any{"PRIVATE"}}}, "endpoint type PRIVATE"},
		{"RestApi", props{"Body": props{"swagger": "2.0", "info": props{"title": "t"}, "x-amazon-apigateway-policy": props{}}}, "Invalid policy document"},
	} {
		typ := s.typ(c.typ)
		var err error
		if bad := typ.Check(c.props); len(bad) > 0 {
			err = fmt.Errorf("%v", bad)
		} else {
			_, err = typ.Create(context.Background(), s.rq, c.props)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v, want %s", c.typ, c.props, err, c.want)
		}
	}
	if left := w.keys(t); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}
