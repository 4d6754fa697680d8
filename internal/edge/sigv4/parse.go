package sigv4

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// Find looks for a signature in a request. It returns nil, nil if the request
// carries none, and the fault to answer if what it carries is malformed.
func Find(r *Request) (*Signature, error) {
	auth := r.get("authorization")
	query := strings.Contains(r.Query, "X-Amz-Algorithm=") || strings.Contains(r.Query, "X-Amz-Signature=")
	switch {
	case auth != "" && query:
		return nil, fault.New("InvalidArgument", 400, "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified")
	case auth != "":
		return fromHeader(r, auth)
	case query:
		return fromQuery(r)
	case strings.Contains(r.Query, "Signature=") && strings.Contains(r.Query, "AWSAccessKeyId="):
		return findLegacy(r)
	}
	return nil, nil
}

func fromHeader(r *Request, auth string) (*Signature, error) {
	alg, rest, _ := strings.Cut(auth, " ")
	if alg != algorithm {
		return nil, incomplete("Unsupported AWS 'algorithm': '%s'.", alg)
	}
	s := &Signature{Token: r.get("x-amz-security-token"), PayloadHash: r.get("x-amz-content-sha256")}
	var missing []string
	fields := map[string]string{}
	for _, f := range strings.Split(rest, ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(f), "=")
		if !ok || fields[k] != "" {
			return nil, incomplete("'%s' not a valid key=value pair (missing equal-sign) in Authorization header: '%s'.", f, auth)
		}
		fields[k] = v
	}
	for _, k := range []string{"Credential", "Signature", "SignedHeaders"} {
		if fields[k] == "" {
			missing = append(missing, "Authorization header requires '"+k+"' parameter.")
		}
	}
	date := r.get("x-amz-date")
	if date == "" {
		date = r.get("date")
	}
	if date == "" {
		missing = append(missing, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if missing != nil {
		return nil, incomplete("%s Authorization=%s", strings.Join(missing, " "), alg)
	}
	var err error
	if s.Scope, err = parseScope(fields["Credential"]); err != nil {
		return nil, err
	}
	if s.Time, err = parseTime(date); err != nil {
		return nil, err
	}
	s.Value = fields["Signature"]
	return s, s.headers(fields["SignedHeaders"])
}

func fromQuery(r *Request) (*Signature, error) {
	q, err := url.ParseQuery(r.Query)
	if err != nil {
		return nil, incomplete("The query string cannot be parsed.")
	}
	if a := q.Get("X-Amz-Algorithm"); a != algorithm {
		return nil, incomplete("X-Amz-Algorithm only supports \"%s\"", algorithm)
	}
	s := &Signature{Presigned: true, Token: q.Get("X-Amz-Security-Token"), PayloadHash: q.Get("X-Amz-Content-Sha256")}
	for _, k := range []string{"X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		if len(q[k]) != 1 || q.Get(k) == "" {
			return nil, incomplete("AWS query-string parameters must include '%s'. Re-examine the query-string parameters.", k)
		}
	}
	if s.Scope, err = parseScope(q.Get("X-Amz-Credential")); err != nil {
		return nil, err
	}
	if s.Time, err = parseTime(q.Get("X-Amz-Date")); err != nil {
		return nil, err
	}
	// Clients of services other than S3 may leave the life of the URL out.
	s.Expires = MaxSkew
	if e := q.Get("X-Amz-Expires"); e != "" {
		n, err := strconv.Atoi(e)
		switch {
		case err != nil:
			return nil, fault.New("AuthorizationQueryParametersError", 400, "X-Amz-Expires should be a number")
		case n < 0:
			return nil, fault.New("AuthorizationQueryParametersError", 400, "X-Amz-Expires must be non-negative")
		case time.Duration(n)*time.Second > MaxExpires:
			return nil, fault.New("AuthorizationQueryParametersError", 400, "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
		}
		s.Expires = time.Duration(n) * time.Second
	}
	s.Value = q.Get("X-Amz-Signature")
	return s, s.headers(q.Get("X-Amz-SignedHeaders"))
}

func parseScope(c string) (Scope, error) {
	p := strings.Split(c, "/")
	if len(p) != 5 || p[0] == "" || p[4] != "aws4_request" || len(p[1]) != 8 {
		return Scope{}, incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", c)
	}
	return Scope{p[0], p[1], p[2], p[3]}, nil
}

func parseTime(s string) (time.Time, error) {
	if t, err := time.Parse(timeLayout, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.RFC1123, s); err == nil {
		return t.UTC(), nil
	}
	return time.Time{}, incomplete("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", s)
}

func (s *Signature) headers(list string) error {
	s.SignedHeaders = strings.Split(list, ";")
	host := false
	for i, h := range s.SignedHeaders {
		if h == "" || h != strings.ToLower(h) || i > 0 && s.SignedHeaders[i-1] >= h {
			return incomplete("SignedHeaders must be lower-case names in order, separated by ';', got '%s'", list)
		}
		host = host || h == "host"
	}
	if !host {
		return fault.Of(fault.SignatureDoesNotMatch, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	if s.Date != s.Time.Format("20060102") {
		return fault.Of(fault.SignatureDoesNotMatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", s.Date, s.Time.Format("20060102"), s.Time.Format(timeLayout))
	}
	return nil
}
