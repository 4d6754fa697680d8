package definition

import (
	"strings"

	"github.com/tierra-cloud/tierra/internal/services/apigateway/mapping"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/problem"
)

// ResponseTypes are the types of gateway response with their status codes; the
// two defaults have none of their own.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
var ResponseTypes = []struct{ Type, Status string }{
	{"ACCESS_DENIED", "403"},
	{"API_CONFIGURATION_ERROR", "500"},
	{"AUTHORIZER_CONFIGURATION_ERROR", "500"},
	{"AUTHORIZER_FAILURE", "500"},
	{"BAD_REQUEST_BODY", "400"},
	{"BAD_REQUEST_PARAMETERS", "400"},
	{"DEFAULT_4XX", ""},
	{"DEFAULT_5XX", ""},
	{"EXPIRED_TOKEN", "403"},
	{"INTEGRATION_FAILURE", "504"},
	{"INTEGRATION_TIMEOUT", "504"},
	{"INVALID_API_KEY", "403"},
	{"INVALID_SIGNATURE", "403"},
	{"MISSING_AUTHENTICATION_TOKEN", "403"},
	{"QUOTA_EXCEEDED", "429"},
	{"REQUEST_TOO_LARGE", "413"},
	{"RESOURCE_NOT_FOUND", "404"},
	{"THROTTLED", "429"},
	{"UNAUTHORIZED", "401"},
	{"UNSUPPORTED_MEDIA_TYPE", "415"},
	{"WAF_FILTERED", "403"},
}

// ResponseStatus returns the default status code of a type of gateway response.
func ResponseStatus(typ string) (status string, ok bool) {
	for _, t := range ResponseTypes {
		if t.Type == typ {
			return t.Status, true
		}
	}
	return "", false
}

// Check checks a gateway response.
func (g *GatewayResponse) Check() error {
	if g.Status != "" && (len(g.Status) != 3 || g.Status[0] < '2' || g.Status[0] > '5' || strings.Trim(g.Status, "0123456789") != "") {
		return problem.New("Invalid status code specified: %s", g.Status)
	}
	for dest, expr := range g.Parameters {
		if name, ok := strings.CutPrefix(dest, "gatewayresponse.header."); !ok || name == "" {
			return problem.New("Invalid gateway response parameter specified: %s", dest)
		}
		v, err := mapping.Parse(expr)
		if err != nil {
			return invalidMapping(err.Error())
		}
		if v.OfIntegration() {
			return invalidMapping("Invalid mapping expression specified: " + expr)
		}
	}
	for _, text := range g.Templates {
		if _, err := mapping.ParseText(text); err != nil {
			return invalidMapping(err.Error())
		}
	}
	return nil
}
