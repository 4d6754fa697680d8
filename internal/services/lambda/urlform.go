package lambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The forms of a function URL's requests and responses.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads

type urlRequest struct {
	Version  string            `json:"version"`
	RouteKey string            `json:"routeKey"`
	RawPath  string            `json:"rawPath"`
	RawQuery string            `json:"rawQueryString"`
	Cookies  []string          `json:"cookies,omitempty"`
	Headers  map[string]string `json:"headers"`
	Query    map[string]string `json:"queryStringParameters,omitempty"`
	Context  urlContext        `json:"requestContext"`
	Body     *string           `json:"body,omitempty"`
	Base64   bool              `json:"isBase64Encoded"`
}

type urlContext struct {
	Account    string         `json:"accountId"`
	API        string         `json:"apiId"`
	Authorizer *urlAuthorizer `json:"authorizer,omitempty"`
	Domain     string         `json:"domainName"`
	Prefix     string         `json:"domainPrefix"`
	HTTP       urlHTTP        `json:"http"`
	Request    string         `json:"requestId"`
	RouteKey   string         `json:"routeKey"`
	Stage      string         `json:"stage"`
	Time       string         `json:"time"`
	Epoch      int64          `json:"timeEpoch"`
}

type urlHTTP struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

type urlAuthorizer struct {
	IAM urlIAM `json:"iam"`
}

type urlIAM struct {
	AccessKey string `json:"accessKey"`
	Account   string `json:"accountId"`
	Caller    string `json:"callerId"`
	ARN       string `json:"userArn"`
	User      string `json:"userId"`
}

// setBody puts the body into the event, as text if its type says that it is.
func (q *urlRequest) setBody(contentType string, body []byte) {
	if len(body) == 0 {
		return
	}
	if q.Base64 = !textual(contentType) || !utf8.Valid(body); q.Base64 {
		q.Body = new(base64.StdEncoding.EncodeToString(body))
		return
	}
	q.Body = new(string(body))
}

// textual reports whether a media type is text.
func textual(contentType string) bool {
	if contentType == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml") ||
		slices.Contains([]string{"application/json", "application/javascript", "application/xml", "application/graphql"}, kind)
}

// answer is what a function's response means for HTTP.
type answer struct {
	status  int
	headers [][2]string
	cookies []string
	body    []byte
}

// urlResponse is a response that tells its status.
type urlResponse struct {
	Status  json.RawMessage            `json:"statusCode"`
	Headers map[string]json.RawMessage `json:"headers"`
	Cookies []string                   `json:"cookies"`
	Body    json.RawMessage            `json:"body"`
	Base64  bool                       `json:"isBase64Encoded"`
}

var errAnswer = errors.New("the function's response is malformed")

// readAnswer reads what a function returned: an object with a status is an
// answer, anything else is the body of one.
func readAnswer(payload []byte) (*answer, error) {
	var r urlResponse
	var probe map[string]json.RawMessage
	if json.Unmarshal(payload, &probe) != nil || probe["statusCode"] == nil {
		if !validJSON(payload) {
			return nil, errAnswer
		}
		return &answer{status: 200, headers: [][2]string{{"Content-Type", "application/json"}}, body: payload}, nil
	}
	if err := json.Unmarshal(payload, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	a, err := r.head("application/json")
	if err != nil {
		return nil, err
	}
	var text *string
	switch {
	case len(r.Body) == 0:
	case json.Unmarshal(r.Body, &text) != nil:
		a.body = r.Body // an object: it is sent as JSON
	case text != nil && r.Base64:
		if a.body, err = base64.StdEncoding.DecodeString(*text); err != nil {
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
	case text != nil:
		a.body = []byte(*text)
	}
	return a, nil
}

// readPrelude reads what a streamed response says before its body.
func readPrelude(b []byte) (*answer, error) {
	var r urlResponse
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	if r.Status == nil {
		r.Status = json.RawMessage("200")
	}
	return r.head("application/octet-stream")
}

// hop are headers that belong to the connection and not to the answer.
var hop = []string{"connection", "content-length", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade"}

// head reads status, headers and cookies.
func (r *urlResponse) head(contentType string) (*answer, error) {
	status, err := strconv.Atoi(strings.Trim(string(r.Status), `"`))
	if err != nil || status < 200 || status > 599 {
		return nil, fmt.Errorf("%w: statusCode %s", errAnswer, r.Status)
	}
	a := &answer{status: status, cookies: r.Cookies}
	typed := false
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		var value any
		if err := json.Unmarshal(r.Headers[name], &value); err != nil {
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
		lower := strings.ToLower(name)
		if value == nil || slices.Contains(hop, lower) {
			continue
		}
		typed = typed || lower == "content-type"
		a.headers = append(a.headers, [2]string{name, fmt.Sprint(value)})
	}
	if !typed {
		a.headers = append(a.headers, [2]string{"Content-Type", contentType})
	}
	return a, nil
}
