// Package fault is the one error type that goes out on the wire.
//
// Rooms return the faults that their service's model names, made by the
// constructors in internal/gen; the platform returns the few common ones below.
// Anything else that reaches the wire is an InternalFailure whose details stay
// in the record of the call.
package fault

import (
	"errors"
	"fmt"
)

// Fault is an error that a caller gets to see.
type Fault struct {
	// Code is the wire code, "ResourceNotFoundException" say. For a common
	// fault it is the spelling of the JSON protocols; see Common.
	Code string
	// Message is for people. It says what was wrong with what was sent.
	Message string
	// Status is the HTTP status, 400 to 599.
	Status int
	// Sender says whose fault it is: the caller's (true) or the service's.
	Sender bool
	// QueryCode is the code in query-compatible JSON services, if it differs.
	QueryCode string
	// Fields are the further members that the fault's shape has, by member name.
	// Values are of the Go type that the generator gives such members, or pointers to it.
	Fields map[string]any
	// Shape names the fault's shape in its service's model; "" for a common fault.
	Shape string
	// Common is set on faults that every service can answer and whose code is
	// spelled differently in each protocol.
	Common Common
}

// Error implements error.
func (f *Fault) Error() string { return f.Code + ": " + f.Message }

// With returns a copy of f with a further member set.
func (f *Fault) With(member string, value any) *Fault {
	g := *f
	g.Fields = make(map[string]any, len(f.Fields)+1)
	for k, v := range f.Fields {
		g.Fields[k] = v
	}
	g.Fields[member] = value
	return &g
}

// New makes a fault that is not the caller's choice of words to change: code,
// status, message. Prefer the generated constructors.
func New(code string, status int, format string, args ...any) *Fault {
	return &Fault{Code: code, Status: status, Sender: status < 500, Message: fmt.Sprintf(format, args...)}
}

// As finds the fault in err's chain; nil if there is none.
func As(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return nil
}

// Is reports whether err is a fault with the given code.
func Is(err error, code string) bool {
	f := As(err)
	return f != nil && f.Code == code
}

// Common names a fault that every service can answer.
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
type Common uint8

// The common faults.
const (
	Modeled Common = iota
	AccessDenied
	InternalFailure
	InvalidAction
	InvalidClientTokenID
	IncompleteSignature
	MissingAuthenticationToken
	SignatureDoesNotMatch
	RequestExpired
	ExpiredToken
	Validation
	Serialization
	NotImplemented
	RequestTooLarge
	ServiceUnavailable
	Throttling
	// A query parameter or body member that does not belong, or is missing.
	MissingParameter
	InvalidParameterValue
)

type spelling struct {
	json, query, s3 string
	status          int
	// status in the query protocol and in S3, where it differs from status
	queryStatus, s3Status int
}

var spellings = [...]spelling{
	AccessDenied:               {json: "AccessDeniedException", query: "AccessDenied", s3: "AccessDenied", status: 400, queryStatus: 403, s3Status: 403},
	InternalFailure:            {json: "InternalFailure", query: "InternalFailure", s3: "InternalError", status: 500},
	InvalidAction:              {json: "UnknownOperationException", query: "InvalidAction", s3: "MethodNotAllowed", status: 400, s3Status: 405},
	InvalidClientTokenID:       {json: "UnrecognizedClientException", query: "InvalidClientTokenId", s3: "InvalidAccessKeyId", status: 400, queryStatus: 403, s3Status: 403},
	IncompleteSignature:        {json: "IncompleteSignatureException", query: "IncompleteSignature", s3: "AuthorizationHeaderMalformed", status: 400},
	MissingAuthenticationToken: {json: "MissingAuthenticationTokenException", query: "MissingAuthenticationToken", s3: "AccessDenied", status: 400, queryStatus: 403, s3Status: 403},
	SignatureDoesNotMatch:      {json: "InvalidSignatureException", query: "SignatureDoesNotMatch", s3: "SignatureDoesNotMatch", status: 400, queryStatus: 403, s3Status: 403},
	RequestExpired:             {json: "InvalidSignatureException", query: "SignatureDoesNotMatch", s3: "RequestTimeTooSkewed", status: 400, queryStatus: 403, s3Status: 403},
	ExpiredToken:               {json: "ExpiredTokenException", query: "ExpiredToken", s3: "ExpiredToken", status: 400, queryStatus: 403, s3Status: 400},
	Validation:                 {json: "ValidationException", query: "ValidationError", s3: "InvalidArgument", status: 400},
	Serialization:              {json: "SerializationException", query: "MalformedInput", s3: "MalformedXML", status: 400},
	NotImplemented:             {json: "NotImplementedException", query: "NotImplemented", s3: "NotImplemented", status: 501},
	RequestTooLarge:            {json: "RequestEntityTooLargeException", query: "RequestEntityTooLarge", s3: "EntityTooLarge", status: 413, s3Status: 400},
	ServiceUnavailable:         {json: "ServiceUnavailableException", query: "ServiceUnavailable", s3: "ServiceUnavailable", status: 503},
	Throttling:                 {json: "ThrottlingException", query: "Throttling", s3: "SlowDown", status: 400, s3Status: 503},
	MissingParameter:           {json: "ValidationException", query: "MissingParameter", s3: "InvalidArgument", status: 400},
	InvalidParameterValue:      {json: "ValidationException", query: "InvalidParameterValue", s3: "InvalidArgument", status: 400},
}

// Dialect is the family of spellings that a protocol uses for common faults.
type Dialect uint8

// The dialects. Rest differs from JSON only in status: 403 where query has it.
const (
	JSON Dialect = iota
	Rest
	Query
	S3
)

// Spell returns the code and status with which f goes out in dialect d.
func (f *Fault) Spell(d Dialect) (code string, status int) {
	if f.Common == Modeled {
		return f.Code, f.Status
	}
	s := spellings[f.Common]
	switch d {
	case Query:
		code, status = s.query, s.queryStatus
	case S3:
		code, status = s.s3, s.s3Status
	case Rest:
		code, status = s.json, s.queryStatus
	default:
		code, status = s.json, 0
	}
	if status == 0 {
		status = s.status
	}
	return code, status
}

// Of makes a common fault.
func Of(c Common, format string, args ...any) *Fault {
	s := spellings[c]
	return &Fault{Common: c, Code: s.json, Status: s.status, Sender: s.status < 500, Message: fmt.Sprintf(format, args...)}
}
