package openapi

import (
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// integration reads x-amazon-apigateway-integration.
func (im *importer) integration(at place, m *definition.Method, o object) error {
	i := &definition.Integration{
		Type: strings.ToUpper(text(o["type"])), HTTPMethod: strings.ToUpper(text(o["httpMethod"])), URI: text(o["uri"]), Credentials: text(o["credentials"]),
		Templates: texts(o["requestTemplates"]), Passthrough: strings.ToUpper(text(o["passthroughBehavior"])),
		Parameters: texts(o["requestParameters"]), Convert: strings.ToUpper(text(o["contentHandling"])),
		CacheNamespace: text(o["cacheNamespace"]), CacheKeys: list(o["cacheKeyParameters"]),
	}
	if text(o["httpMethod"]) == anyMethod {
		i.HTTPMethod = "ANY"
	}
	for _, k := range sorted(o) {
		switch k {
		case "type", "httpMethod", "uri", "credentials", "requestTemplates", "passthroughBehavior", "responses", "payloadFormatVersion", "requestParameters", "contentHandling", "cacheNamespace", "cacheKeyParameters":
		case "timeoutInMillis":
			n, ok := number(o[k])
			if !ok || n < 1 {
				n = -1
			}
			i.Timeout = n
		case "connectionType":
			if !strings.EqualFold(text(o[k]), "INTERNET") {
				return problem.Unsupported(k + " " + text(o[k]))
			}
		case "responseTransferMode":
			mode := strings.ToUpper(text(o[k]))
			if i.Stream = mode == "STREAM"; !i.Stream && mode != "BUFFERED" {
				return problem.New("Invalid response transfer mode specified: %s", text(o[k]))
			}
		default:
			return problem.Unsupported("the integration's " + k)
		}
	}
	if i.Type == "" {
		return problem.New("Invalid integration type specified: ")
	}
	if err := i.Check(); err != nil {
		return err
	}
	if err := m.CheckDeclared(i); err != nil {
		return err
	}
	m.Integration = i
	responses := child(o, "responses")
	for _, pattern := range sorted(responses) {
		r, _ := responses[pattern].(object)
		status := text(r["statusCode"])
		x := &definition.IntegrationResponse{
			Parameters: texts(r["responseParameters"]), Templates: texts(r["responseTemplates"]), Convert: strings.ToUpper(text(r["contentHandling"])),
		}
		if pattern != "default" {
			x.Pattern = &pattern
		}
		if i.Type != definition.Proxy && i.Type != definition.HTTPProxy {
			if m.Responses[status] == nil && definition.CheckStatus(status) == nil && len(x.Parameters) == 0 {
				im.methodResponse(at, m, status, nil, nil)
			}
			if err := m.CheckMapped(status, x); err != nil {
				return err
			}
		} else if err := definition.CheckStatus(status); err != nil {
			return err
		}
		if i.Responses == nil {
			i.Responses = map[string]*definition.IntegrationResponse{}
		}
		i.Responses[status] = x
	}
	return nil
}
