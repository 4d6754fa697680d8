package apigateway

import (
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// IAM's actions are HTTP's methods, and resources are the paths of the API.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
const (
	actionGet    = "apigateway:GET"
	actionPost   = "apigateway:POST"
	actionPut    = "apigateway:PUT"
	actionPatch  = "apigateway:PATCH"
	actionDelete = "apigateway:DELETE"
)

// resourceARN is the ARN of a path: "/restapis/abc". It names no account.
func resourceARN(region, path string) string { return arn.Make("apigateway", region, "", path) }

// on is the rule of an operation on a path.
func on[I any](action string, path func(*I) string) call.Access[I] {
	return call.Allow(action, func(rq *call.Decoded, in *I) string { return resourceARN(rq.Region(), path(in)) })
}

// below forms the path of something of a REST API.
func below(id *string, parts ...string) string {
	return "/restapis/" + opt.Val(id) + strings.Join(append([]string{""}, parts...), "/")
}
