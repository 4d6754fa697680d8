// Package model is the form in which the interface facts of an AWS service live
// at run time: operations, shapes, constraints, errors, HTTP bindings. The tables
// are generated (internal/gen) or loaded (Load), and drive the protocol codecs
// and the checks of input constraints. They hold no prose and no Go types: a
// generated struct's fields stand in the order of its shape's members.
package model

import "context"

// None stands for "no shape" in an index into Service.Shapes.
const None = -1

// Service holds the facts of one service.
type Service struct {
	ID             string // AWS's service id, "DynamoDB"
	Name           string // our room's name, which is the IAM prefix: "dynamodb"
	SigningName    string // the service in the credential scope
	EndpointPrefix string // the first label of the service's host name
	APIVersion     string
	Protocols      []Protocol // the first one is what current clients speak
	TargetPrefix   string     // X-Amz-Target of the JSON protocols, before the dot
	JSONVersion    string     // "1.0" or "1.1"
	XMLNamespace   string
	// QueryCompatible services answer the x-amzn-query-error header.
	QueryCompatible bool
	// SmithyName is the service's name in the path of rpc-v2-cbor.
	SmithyName string

	Shapes     []Shape
	Operations []Operation
}

// Protocol names a wire protocol.
type Protocol uint8

// The protocols.
const (
	JSON Protocol = iota + 1 // awsJson1_0 and awsJson1_1
	Query
	EC2
	RestJSON
	RestXML
	RPCv2CBOR
)

// String returns the name that the AWS models use.
func (p Protocol) String() string {
	return [...]string{"", "json", "query", "ec2", "rest-json", "rest-xml", "smithy-rpc-v2-cbor"}[p]
}

// Operation is one operation. Input and Output index Service.Shapes, or are None.
type Operation struct {
	Name   string
	Method string // of the HTTP binding
	Path   string // URI pattern of the HTTP binding, with {label}, {greedy+} and a constant query
	Status int    // of a successful response; 0 means 200
	Input  int
	Output int
	Errors []int
	// InputName and InputNamespace name the root element of a rest-xml request.
	InputName, InputNamespace string
	// ResultWrapper names the element around the result in the query protocol.
	ResultWrapper string
	// NoAuth says that the operation takes unsigned requests.
	NoAuth bool
	// ChecksumRequired says that the request must carry a checksum of its body.
	ChecksumRequired bool
	// ChecksumMember names the input member with the checksum algorithm, if any.
	ChecksumMember string
	// UnsignedPayload says that the body does not take part in the signature.
	UnsignedPayload bool
}

// Kind says what a shape is.
type Kind uint8

// The kinds, with the Go type that generated code uses.
const (
	Structure Kind = iota + 1 // struct; members are pointers unless slices, maps or interfaces
	List                      // []T
	Map                       // map[string]T
	String                    // string
	Integer                   // int32 (also byte and short)
	Long                      // int64
	Float                     // float32
	Double                    // float64
	Boolean                   // bool
	Blob                      // []byte, or io.ReadCloser where streaming
	Timestamp                 // time.Time
	Document                  // any: nil, bool, float64, string, []any, map[string]any
	Events                    // EventStream
)

// TimeFormat says how a timestamp is written; Default leaves it to the protocol.
type TimeFormat uint8

// The formats of timestamps.
const (
	Default TimeFormat = iota
	ISO8601
	RFC822 // IMF-fixdate, as in HTTP headers
	Unix   // seconds, with a fraction where there is one
)

// Shape is one shape.
type Shape struct {
	Name    string
	Kind    Kind
	Members []Member // of a Structure
	// Elem is the shape of a list's members or a map's values, Key of a map's keys.
	Elem, Key int
	// ElemName is the wire name of a list's members or a map's values, KeyName of
	// a map's keys; "" means the protocol's default.
	ElemName, KeyName string
	Flat              bool
	XMLName           string // locationName of a structure
	XMLNamespace      string
	XMLPrefix         string // of the namespace
	// ElemNamespace and KeyNamespace are those of the elements that ElemName and
	// KeyName name.
	ElemNamespace, KeyNamespace string
	TimeFormat                  TimeFormat
	Payload                     int // index of the member that is the HTTP body, or None
	Union                       bool
	Streaming                   bool
	RequiresLength              bool
	Sensitive                   bool
	Wrapper                     bool
	EventPayload                bool

	// Constraints. HasMin and HasMax say whether Min and Max count; they bound a
	// string's characters, a blob's bytes, a list's or map's entries, a number's value.
	HasMin, HasMax bool
	Min, Max       float64
	Pattern        string // a Java regular expression; "" means none
	Enum           []string

	// Error is set on shapes that are errors.
	Error *Error
}

// Error holds what is particular to an error shape.
type Error struct {
	Code   string // on the wire
	Status int    // HTTP status
	Sender bool   // the caller's fault
	// QueryCode is the code in the query-compatible header, if it differs.
	QueryCode string
}

// Location says where a member travels in an HTTP binding.
type Location uint8

// The locations.
const (
	Body Location = iota
	URI
	QueryString
	Header
	Headers // a map of headers with a common prefix
	StatusCode
)

// Member is one member of a structure.
type Member struct {
	Name      string // in the model and in errors
	Wire      string // locationName; "" means Name
	QueryName string // in the ec2 protocol, and where older clients' query protocol differs from Wire
	Shape     int
	Location  Location
	Required  bool
	Flat      bool
	Attribute bool // xmlAttribute
	// XMLNamespace and XMLPrefix override those of the shape.
	XMLNamespace, XMLPrefix string
	TimeFormat              TimeFormat
	JSONValue               bool // a header that holds base64 of JSON
	Idempotency             bool // clients fill it with a token
	Streaming               bool
	EventHeader             bool
	EventPayload            bool
}

// WireName returns the name that the member has on the wire.
func (m *Member) WireName() string {
	if m.Wire != "" {
		return m.Wire
	}
	return m.Name
}

// Shape returns shape i, or nil for None.
func (s *Service) Shape(i int) *Shape {
	if i < 0 {
		return nil
	}
	return &s.Shapes[i]
}

// Operation returns the operation with that name, or nil.
func (s *Service) Operation(name string) *Operation {
	for i := range s.Operations {
		if s.Operations[i].Name == name {
			return &s.Operations[i]
		}
	}
	return nil
}

// Speaks reports whether the service speaks p.
func (s *Service) Speaks(p Protocol) bool {
	for _, q := range s.Protocols {
		if p == q {
			return true
		}
	}
	return false
}

// EventStream is a member that streams events. It calls send for each, with the
// name of the union's member and a pointer to its generated struct, until it is
// done, ctx ends or send fails.
type EventStream func(ctx context.Context, send func(member string, event any) error) error
