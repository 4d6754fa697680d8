package definition

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/mapping"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// Limits.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
const (
	MaxResources   = 300
	maxCompression = 10 << 20 // bytes
	DefaultTimeout = 29_000   // milliseconds
	minTimeout     = 50
	maxTimeout     = 29_000
	maxStream      = 900_000 // milliseconds that a response may take that is streamed
)

// Integration types that act here.
const (
	Proxy     = "AWS_PROXY"
	Mock      = "MOCK"
	AWS       = "AWS"
	HTTP      = "HTTP"
	HTTPProxy = "HTTP_PROXY"
)

var (
	partPattern = regexp.MustCompile(`^(?:[a-zA-Z0-9._:~@$&'()*+,;=!%-]+|\{[a-zA-Z0-9._-]+\+?\})$`)
	methods     = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"}
	stagePart   = regexp.MustCompile(`\$\{stageVariables\.[A-Za-z0-9_]+\}`)
	streamURI   = regexp.MustCompile(`^arn:[a-z-]+:apigateway:[a-z0-9-]+:lambda:path/2021-11-15/functions/(.+)/response-streaming-invocations$`)
	functionURI = regexp.MustCompile(`^arn:[a-z-]+:apigateway:[a-z0-9-]+:lambda:path/2015-03-31/functions/(.+)/invocations$`)
)

// CheckPart checks whether a resource with a part may stand below parent. self
// is the id of the resource that gets the part, if it exists already.
func (a *API) CheckPart(parent *Resource, part, self string) error {
	if !partPattern.MatchString(part) {
		return problem.New("Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.")
	}
	if strings.HasSuffix(parent.Part, "+}") {
		return problem.New("Cannot create a child of a resource with a greedy path variable: %s", parent.Part)
	}
	if self == "" && len(a.Resources) >= MaxResources {
		return problem.New("Maximum number of resources for this API has been reached. Please contact AWS if you need additional resources.")
	}
	for _, c := range a.Children(parent.ID) {
		if c.ID == self {
			continue
		}
		if c.Part == part {
			return problem.Conflict("Another resource with the same parent already has this name: %s", part)
		}
		if kind(part) != literal && kind(c.Part) == kind(part) {
			return problem.New("A sibling (%s) of this resource already has a variable path part -- only one is allowed", c.Part)
		}
	}
	return nil
}

const (
	literal = iota
	variable
	greedy
)

func kind(part string) int {
	switch {
	case strings.HasSuffix(part, "+}"):
		return greedy
	case strings.HasPrefix(part, "{"):
		return variable
	}
	return literal
}

// CheckHTTPMethod checks the HTTP method of a method.
func CheckHTTPMethod(m string) error {
	if !slices.Contains(methods, m) {
		return problem.New("Invalid HttpMethod specified. Valid options are GET,POST,PUT,DELETE,PATCH,OPTIONS,HEAD,ANY")
	}
	return nil
}

// CheckStatus checks the status code of a response.
func CheckStatus(s string) error {
	if len(s) != 3 || s[0] < '2' || s[0] > '5' || s[1] < '0' || s[1] > '9' || s[2] < '0' || s[2] > '9' {
		return problem.New("Invalid status code specified: %s", s)
	}
	return nil
}

// CheckParameters checks the names of a method's request parameters.
func CheckParameters(names map[string]bool) error {
	for n := range names {
		rest, ok := strings.CutPrefix(n, "method.request.")
		place, name, dot := strings.Cut(rest, ".")
		if !ok || !dot || name == "" || !slices.Contains([]string{"header", "querystring", "path", "multivalueheader", "multivaluequerystring"}, place) {
			return problem.New("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s]", n)
		}
	}
	return nil
}

// CheckResponseParameters checks the names of a method response's parameters.
func CheckResponseParameters(names map[string]bool) error {
	for n := range names {
		if rest, ok := strings.CutPrefix(n, "method.response.header."); !ok || rest == "" {
			return problem.New("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s]", n)
		}
	}
	return nil
}

// CheckMapped checks the parameters of an integration's response: their method
// response must declare them, and their values must be ones that can be made.
func (m *Method) CheckMapped(status string, r *IntegrationResponse) error {
	mr := m.Responses[status]
	for dest, expr := range r.Parameters {
		switch {
		case mr == nil:
			return invalidMapping("No method response exists for method.")
		case !strings.HasPrefix(dest, "method.response.header."):
			return invalidMapping("Invalid mapping expression specified: " + dest)
		}
		if _, declared := mr.Parameters[dest]; !declared {
			return invalidMapping("Invalid mapping expression parameter specified: " + dest)
		}
		v, err := mapping.Parse(expr)
		if err != nil {
			return invalidMapping(err.Error())
		}
		if v.OfIntegration() && m.Integration != nil && m.Integration.Type == Mock {
			return problem.Unsupported("mapping " + expr + " of an integration of type " + Mock)
		}
	}
	if mr == nil {
		return problem.New("Invalid Response status code specified")
	}
	if r.Pattern != nil {
		if _, err := Selection(*r.Pattern); err != nil {
			return problem.New("Invalid selection pattern specified.")
		}
	}
	if err := checkConvert(r.Convert); err != nil {
		return err
	}
	return checkTemplates(r.Templates)
}

func invalidMapping(text string) error {
	return problem.New("Invalid mapping expression specified: Validation Result: warnings : [], errors : [%s]", text)
}

// Check checks an integration as far as it does not depend on its method.
func (i *Integration) Check() error {
	switch i.Type {
	case Proxy:
		if err := i.checkURI(); err != nil {
			return err
		}
	case Mock:
	case AWS:
		if err := i.checkAction(); err != nil {
			return err
		}
	case HTTP, HTTPProxy:
		if err := i.checkAddress(); err != nil {
			return err
		}
	default:
		return problem.New("Invalid integration type specified: %s", i.Type)
	}
	switch i.Passthrough {
	case "", "WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER":
	default:
		return problem.New("Invalid passthrough behavior specified: %s", i.Passthrough)
	}
	if err := i.checkMappings(); err != nil {
		return err
	}
	most := int32(maxTimeout)
	if i.Stream {
		most = maxStream
	}
	if i.Timeout != 0 && (i.Timeout < minTimeout || i.Timeout > most) {
		return problem.New("Timeout should be between %d ms and %d ms", minTimeout, most)
	}
	if c := i.Credentials; c != "" {
		if i.Type == Mock || i.Type == HTTP || i.Type == HTTPProxy {
			return problem.Unsupported("credentials of an integration of type " + i.Type)
		}
		a, ok := arn.Parse(c)
		if !ok {
			return problem.New("Invalid ARN specified in the request")
		}
		if a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") || strings.Contains(c, "${") {
			return problem.Unsupported("the integration credentials " + c)
		}
	}
	return nil
}

func (i *Integration) checkURI() error {
	if i.HTTPMethod == "" {
		return problem.New("Enumeration value for HttpMethod must be non-empty")
	}
	if CheckHTTPMethod(i.HTTPMethod) != nil {
		return problem.New("Invalid integration HTTP method specified: %s", i.HTTPMethod)
	}
	plain := stagePart.ReplaceAllString(i.URI, "stagevariable")
	a, ok := arn.Parse(plain)
	switch {
	case !ok:
		return problem.New("Invalid ARN specified in the request")
	case a.Service != "apigateway" || !strings.Contains(a.Resource, "path/") && !strings.Contains(a.Resource, "action/"):
		return problem.New("AWS ARN for integration must contain path or action")
	case a.Account == "lambda" && !i.functionURI().MatchString(plain):
		return problem.New("Invalid function ARN or invalid uri")
	case a.Account != "lambda":
		return problem.New("Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.")
	}
	return nil
}

// CheckCompression checks the least size of answers that are compressed, in bytes.
func CheckCompression(n *int32) error {
	if n != nil && (*n < 0 || *n > maxCompression) {
		return problem.New("Invalid minimum compression size, must be between 0 and %d", maxCompression)
	}
	return nil
}

// functionURI is the form of the URI: streamed responses have one of their own.
func (i *Integration) functionURI() *regexp.Regexp {
	if i.Stream {
		return streamURI
	}
	return functionURI
}

// Function returns the function that the integration's URI names, with stage
// variables put in; ok is false if that is not the ARN of a function.
func (i *Integration) Function(variables map[string]string) (string, bool) {
	m := i.functionURI().FindStringSubmatch(i.Address(variables))
	if m == nil {
		return "", false
	}
	a, ok := arn.Parse(m[1])
	if !ok || a.Service != "lambda" || !strings.HasPrefix(a.Resource, "function:") || strings.HasSuffix(a.Resource, ":") {
		return "", false
	}
	return m[1], true
}

// Ready checks what a deployment takes: every method has an integration.
func (a *API) Ready() error {
	any := false
	for _, r := range a.Resources {
		for _, m := range r.Methods {
			any = true
			if _, err := a.Schemas(m); err != nil {
				return err
			}
			if m.Integration == nil {
				return problem.New("No integration defined for method")
			}
		}
	}
	if !any {
		return problem.New("The REST API doesn't contain any methods")
	}
	return nil
}
