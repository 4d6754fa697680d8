package sigv4

import (
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Credentials are what a request is signed with.
type Credentials struct{ AccessKey, Secret, Token string }

// Sign returns the Authorization header for a request whose x-amz-date header
// (and x-amz-security-token, if there is one) is already set. headers are the
// names to sign in order, "host" among them.
func Sign(r *Request, c Credentials, region, service, payloadHash string, headers []string, now time.Time) string {
	s := &Signature{
		Scope: Scope{c.AccessKey, now.UTC().Format("20060102"), region, service},
		Time:  now.UTC(), SignedHeaders: headers,
	}
	sig := mac(signingKey(c.Secret, s.Scope), stringToSign(s, canonical(r, s, StyleOf(service), payloadHash, false)))
	return algorithm + " Credential=" + c.AccessKey + "/" + s.Scope.String() +
		", SignedHeaders=" + strings.Join(headers, ";") + ", Signature=" + hex.EncodeToString(sig)
}

// Presign returns the query of a presigned request that is valid for expires.
// r.Query holds the parameters that the request has without the signature.
func Presign(r *Request, c Credentials, region, service string, expires time.Duration, now time.Time) string {
	s := &Signature{
		Scope: Scope{c.AccessKey, now.UTC().Format("20060102"), region, service},
		Time:  now.UTC(), SignedHeaders: []string{"host"}, Presigned: true,
	}
	q := r.Query
	add := func(k, v string) {
		if q != "" {
			q += "&"
		}
		q += k + "=" + url.QueryEscape(v)
	}
	add("X-Amz-Algorithm", algorithm)
	add("X-Amz-Credential", c.AccessKey+"/"+s.Scope.String())
	add("X-Amz-Date", s.Time.Format(timeLayout))
	add("X-Amz-Expires", strconv.Itoa(int(expires/time.Second)))
	if c.Token != "" {
		add("X-Amz-Security-Token", c.Token)
	}
	add("X-Amz-SignedHeaders", "host")
	signed := *r
	signed.Query = q
	sig := mac(signingKey(c.Secret, s.Scope), stringToSign(s, canonical(&signed, s, StyleOf(service), Unsigned, false)))
	return q + "&X-Amz-Signature=" + hex.EncodeToString(sig)
}
