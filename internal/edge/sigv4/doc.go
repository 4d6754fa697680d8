// Package sigv4 makes and verifies AWS Signature Version 4: in the header, in the
// query (presigned), and over chunks with and without trailers. It knows requests
// as they stand on the wire and nothing of net/http.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
package sigv4

import (
	"time"

	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// Request is what takes part in a signature.
type Request struct {
	Method string
	// Path and Query are as they stand on the wire, without the "?" between them.
	Path, Query string
	Host        string
	// Bucket is the bucket that the host names, for Signature Version 2.
	Bucket string
	// Header returns all values of a header, whose name comes in lower case.
	Header func(name string) []string
}

func (r *Request) get(name string) string {
	if v := r.Header(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Style says how a service's clients form the canonical path.
type Style struct {
	// Raw leaves dots and double slashes in the path alone and encodes it once: S3.
	Raw bool
	// KeepDots leaves dots and double slashes alone but encodes as others do.
	KeepDots bool
}

// StyleOf returns the style of the service with that signing name.
func StyleOf(service string) Style {
	return Style{Raw: service == "s3" || service == "s3express" || service == "s3-outposts" || service == "s3-object-lambda"}
}

// Hashes that stand in x-amz-content-sha256 instead of a payload's hash.
const (
	Unsigned               = "UNSIGNED-PAYLOAD"
	Streaming              = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamingTrailer       = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	StreamingUnsignedTrail = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	EmptyHash              = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeLayout = "20060102T150405Z"
	// MaxSkew is how far a header signature's time may be from the server's.
	MaxSkew = 15 * time.Minute
	// MaxExpires is how long a presigned request may live.
	MaxExpires = 7 * 24 * time.Hour
)

// Scope is a credential scope.
type Scope struct{ AccessKey, Date, Region, Service string }

// String returns the scope without the access key, as it is signed.
func (s Scope) String() string { return s.Date + "/" + s.Region + "/" + s.Service + "/aws4_request" }

// Signature is a signature found in a request, not yet verified.
type Signature struct {
	Scope
	Time          time.Time
	SignedHeaders []string
	Value         string // 64 hexadecimal digits
	Token         string // the session token that came with it
	Presigned     bool
	Legacy        bool          // a presigned URL of Signature Version 2; Time is when it expires
	Expires       time.Duration // of a presigned request
	// PayloadHash is what x-amz-content-sha256 says; "" if it is absent.
	PayloadHash string
}

func incomplete(format string, args ...any) error {
	return fault.Of(fault.IncompleteSignature, format, args...)
}
