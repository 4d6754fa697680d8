package sigv4

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// boto3 and version 1 of the AWS CLI still presign S3 URLs of us-east-1 with
// Signature Version 2 unless told otherwise, so this form alone is verified.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html

// findLegacy reads a URL that was presigned with Signature Version 2.
func findLegacy(r *Request) (*Signature, error) {
	q, err := url.ParseQuery(r.Query)
	if err != nil {
		return nil, incomplete("The query string cannot be parsed.")
	}
	secs, err := strconv.ParseInt(q.Get("Expires"), 10, 64)
	if err != nil || q.Get("AWSAccessKeyId") == "" || q.Get("Signature") == "" {
		return nil, fault.New("AccessDenied", 403, "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")
	}
	return &Signature{
		Scope: Scope{AccessKey: q.Get("AWSAccessKeyId"), Service: "s3"}, Presigned: true, Legacy: true,
		Value: q.Get("Signature"), Token: q.Get("x-amz-security-token"), Time: time.Unix(secs, 0).UTC(), PayloadHash: Unsigned,
	}, nil
}

// signedParameters are the query parameters that are part of the resource.
var signedParameters = map[string]bool{
	"accelerate": true, "acl": true, "analytics": true, "cors": true, "defaultObjectAcl": true, "delete": true,
	"encryption": true, "inventory": true, "legal-hold": true, "lifecycle": true, "location": true, "logging": true,
	"metrics": true, "notification": true, "object-lock": true, "partNumber": true, "policy": true,
	"policyStatus": true, "publicAccessBlock": true, "replication": true, "requestPayment": true,
	"response-cache-control": true, "response-content-disposition": true, "response-content-encoding": true,
	"response-content-language": true, "response-content-type": true, "response-expires": true, "restore": true,
	"retention": true, "select": true, "select-type": true, "tagging": true, "torrent": true, "uploadId": true,
	"uploads": true, "versionId": true, "versioning": true, "versions": true, "website": true,
}

// verifyLegacy checks a Signature Version 2 over bucket, which a virtual-host
// style request names in its host.
func (s *Signature) verifyLegacy(r *Request, secret, bucket string, now time.Time) error {
	if now.After(s.Time) {
		return fault.New("AccessDenied", 403, "Request has expired").With("Expires", s.Time.Format(time.RFC3339))
	}
	given, err := base64.StdEncoding.DecodeString(s.Value)
	if err != nil {
		return mismatch()
	}
	q, err := url.ParseQuery(r.Query)
	if err != nil {
		return mismatch()
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n" + r.get("content-md5") + "\n" + r.get("content-type") + "\n" + q.Get("Expires") + "\n")
	var amz, sub []string
	for k, v := range q {
		if strings.HasPrefix(k, "x-amz-") {
			amz = append(amz, k+":"+strings.Join(v, ",")+"\n")
		}
		if signedParameters[k] {
			p := k
			if v[0] != "" {
				p += "=" + v[0]
			}
			sub = append(sub, p)
		}
	}
	sort.Strings(amz)
	sort.Strings(sub)
	b.WriteString(strings.Join(amz, ""))
	if bucket != "" {
		b.WriteString("/" + bucket)
	}
	b.WriteString(r.Path)
	if len(sub) > 0 {
		b.WriteString("?" + strings.Join(sub, "&"))
	}
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(b.String()))
	if !hmac.Equal(given, h.Sum(nil)) {
		return mismatch()
	}
	return nil
}
