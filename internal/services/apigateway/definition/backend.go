package definition

import (
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/mapping"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/vtl"
)

// maxTemplate is the most that a mapping template may hold, in bytes.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
const maxTemplate = 300 << 10

// Selection compiles a selection pattern, a Java regular expression that must
// match the whole of what it is asked about.
func Selection(pattern string) (*regexp.Regexp, error) {
	text, err := vtl.Pattern(pattern)
	if err != nil {
		return nil, err
	}
	return regexp.Compile(`(?s)\A(?:` + text + `)\z`)
}

// checkTemplates refuses what no template may do here. A template that cannot be
// read is taken, as AWS does, and fails when it is used.
func checkTemplates(t map[string]string) error {
	for typ, text := range t {
		if len(text) > maxTemplate {
			return problem.New("Mapping template for %s exceeds the maximum size of %d bytes", typ, maxTemplate)
		}
		var bad *vtl.Error
		if _, err := vtl.Compile(text); errors.As(err, &bad) && bad.Unsupported {
			return problem.Unsupported("the mapping template for " + typ + ": " + bad.Error())
		}
	}
	return nil
}

func checkConvert(how string) error {
	switch how {
	case "", "CONVERT_TO_TEXT", "CONVERT_TO_BINARY":
		return nil
	}
	return problem.New("Invalid content handling specified: %s", how)
}

// checkMappings checks what the request becomes on its way to the integration.
func (i *Integration) checkMappings() error {
	if err := checkConvert(i.Convert); err != nil {
		return err
	}
	switch {
	case i.Stream && i.Type != Proxy && i.Type != HTTPProxy:
		return problem.New("Invalid response transfer mode STREAM: it is for integrations of the types %s and %s only", HTTPProxy, Proxy)
	case i.Type == Proxy && i.Convert != "":
		return problem.Unsupported("contentHandling of an integration of type " + i.Type)
	case i.Type == Proxy && len(i.Parameters) > 0:
		return problem.Unsupported("requestParameters of an integration of type " + i.Type)
	}
	for dest, expr := range i.Parameters {
		rest, ok := strings.CutPrefix(dest, "integration.request.")
		place, name, _ := strings.Cut(rest, ".")
		if !ok || name == "" || place != "header" && place != "querystring" && place != "path" {
			return invalidMapping("Invalid mapping expression specified: " + dest)
		}
		v, err := mapping.Parse(expr)
		if err != nil {
			return invalidMapping(err.Error())
		}
		if v.OfIntegration() {
			return invalidMapping("Invalid mapping expression specified: " + expr)
		}
	}
	if i.Type == Proxy || i.Type == HTTPProxy {
		return nil // templates of a proxy do nothing
	}
	return checkTemplates(i.Templates)
}

// CheckDeclared checks that the method declares the parameters that its
// integration takes, and one of both those that its cache's keys consist of.
func (m *Method) CheckDeclared(i *Integration) error {
	for _, key := range i.CacheKeys {
		_, declared := m.Parameters[key]
		if _, mapped := i.Parameters[key]; !declared && !mapped {
			return problem.New("Invalid cache key parameter specified")
		}
	}
	for _, expr := range i.Parameters {
		v, err := mapping.Parse(expr)
		if err != nil {
			return invalidMapping(err.Error())
		}
		p := v.Parameter()
		if p == "" {
			continue
		}
		_, one := m.Parameters["method.request."+p]
		_, many := m.Parameters["method.request.multivalue"+p]
		if !one && !many {
			return invalidMapping("Invalid mapping expression parameter specified: " + expr)
		}
	}
	return nil
}

// plain is the URI with something in the place of stage variables and parameters.
func (i *Integration) plain() string {
	return pathPart.ReplaceAllString(stagePart.ReplaceAllString(i.URI, "stagevariable"), "parameter")
}

var pathPart = regexp.MustCompile(`\{[A-Za-z0-9._+-]+\}`)

func (i *Integration) checkMethod() error {
	if i.HTTPMethod == "" {
		return problem.New("Enumeration value for HttpMethod must be non-empty")
	}
	if CheckHTTPMethod(i.HTTPMethod) != nil {
		return problem.New("Invalid integration HTTP method specified: %s", i.HTTPMethod)
	}
	return nil
}

func (i *Integration) checkAction() error {
	if err := i.checkMethod(); err != nil {
		return err
	}
	a, ok := arn.Parse(i.plain())
	switch {
	case !ok:
		return problem.New("Invalid ARN specified in the request")
	case a.Service != "apigateway" || a.Account == "" || !strings.HasPrefix(a.Resource, "path/") && !strings.HasPrefix(a.Resource, "action/"):
		return problem.New("AWS ARN for integration must contain path or action")
	case a.Account == "lambda" && !functionURI.MatchString(i.plain()):
		return problem.New("Invalid function ARN or invalid uri")
	case strings.Contains(a.Account, "."):
		return problem.Unsupported("the subdomain in the integration URI " + i.URI)
	}
	return nil
}

func (i *Integration) checkAddress() error {
	if err := i.checkMethod(); err != nil {
		return err
	}
	u, err := url.Parse(i.plain())
	if stagePart.MatchString(i.URI) && strings.HasPrefix(i.URI, "${") {
		return nil // the variable may hold the whole beginning
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return problem.New("Invalid HTTP endpoint specified for URI")
	}
	return nil
}

// Address returns the URI with stage variables put in.
func (i *Integration) Address(variables map[string]string) string {
	if !strings.Contains(i.URI, "${") {
		return i.URI
	}
	return stagePart.ReplaceAllStringFunc(i.URI, func(ref string) string {
		return variables[strings.TrimSuffix(strings.TrimPrefix(ref, "${stageVariables."), "}")]
	})
}
