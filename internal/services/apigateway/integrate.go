package apigateway

import (
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/proxy"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/route"
)

// integration makes a method's integration callable, with the stage's variables
// put in.
func (ls *liveStage) integration(r *definition.Resource, path, method string, m *definition.Method, known *compiled) (integration, error) {
	i := m.Integration
	switch i.Type {
	case definition.Mock:
		return compileTransformed(i, mockBackend{}, known)
	case definition.HTTP:
		return compileTransformed(i, newHTTPBackend(i.Address(ls.variables), i.HTTPMethod, false), known)
	case definition.HTTPProxy:
		return compileHTTPProxy(i, newHTTPBackend(i.Address(ls.variables), i.HTTPMethod, true))
	}
	if function, ok := i.Function(ls.variables); ok {
		if i.HTTPMethod != "POST" && i.HTTPMethod != route.Any {
			return misconfigured{}, nil
		}
		p := ls.invoker(function, path, method, i)
		if i.Type == definition.AWS {
			return compileTransformed(i, functionBackend{p}, known)
		}
		p.template = proxy.NewTemplate(ls.facts(r, path, m))
		if i.Stream {
			return lambdaStream{p}, nil
		}
		return p, nil
	}
	if b := ls.action(i); b != nil && i.Type == definition.AWS {
		return compileTransformed(i, b, known)
	}
	return misconfigured{}, nil
}

// invoker invokes a function on behalf of a method.
func (ls *liveStage) invoker(function, path, method string, i *definition.Integration) *lambdaProxy {
	function = strings.Clone(function) // without the URI that it is a part of
	p := &lambdaProxy{area: ls.area, function: function, timeout: time.Duration(i.TimeoutMillis()) * time.Millisecond}
	if i.Credentials != "" {
		p.role = new(call.AsRole(i.Credentials, "BackplaneAssumeRoleSession", servicePrincipal, ls.region))
		return p
	}
	verbs := []string{method}
	if method == route.Any {
		verbs = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
	}
	p.methods = make([]invoking, len(verbs))
	for n, v := range verbs {
		p.methods[n] = invoking{v, ls.methodARN(v, path)}
	}
	return p
}
