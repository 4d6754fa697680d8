package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
)

// rawRef is a reference to a shape, with what may stand beside it.
type rawRef struct {
	Shape           string        `json:"shape"`
	Location        string        `json:"location"`
	LocationName    string        `json:"locationName"`
	QueryName       string        `json:"queryName"`
	Flattened       bool          `json:"flattened"`
	XMLAttribute    bool          `json:"xmlAttribute"`
	XMLNamespace    *rawNamespace `json:"xmlNamespace"`
	TimestampFormat string        `json:"timestampFormat"`
	JSONValue       bool          `json:"jsonvalue"`
	Idempotency     bool          `json:"idempotencyToken"`
	Streaming       bool          `json:"streaming"`
	EventHeader     bool          `json:"eventheader"`
	EventPayload    bool          `json:"eventpayload"`
	ResultWrapper   string        `json:"resultWrapper"`
}

type rawNamespace struct {
	URI    string `json:"uri"`
	Prefix string `json:"prefix"`
}

// UnmarshalJSON takes both forms of the AWS models: an object, or the URI alone.
func (n *rawNamespace) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &n.URI)
	}
	type plain rawNamespace
	return json.Unmarshal(b, (*plain)(n))
}

func (n *rawNamespace) uri() string {
	if n == nil {
		return ""
	}
	return n.URI
}

type rawShape struct {
	Type            string            `json:"type"`
	Members         map[string]rawRef `json:"members"`
	Required        []string          `json:"required"`
	Member          *rawRef           `json:"member"`
	Key             *rawRef           `json:"key"`
	Value           *rawRef           `json:"value"`
	Flattened       bool              `json:"flattened"`
	LocationName    string            `json:"locationName"`
	XMLNamespace    *rawNamespace     `json:"xmlNamespace"`
	TimestampFormat string            `json:"timestampFormat"`
	Payload         string            `json:"payload"`
	Exception       bool              `json:"exception"`
	Fault           bool              `json:"fault"`
	Error           *struct {
		Code   string `json:"code"`
		Status int    `json:"httpStatusCode"`
		Sender bool   `json:"senderFault"`
	} `json:"error"`
	QueryCode      string   `json:"awsQueryErrorCode"`
	Union          bool     `json:"union"`
	Streaming      bool     `json:"streaming"`
	RequiresLength bool     `json:"requiresLength"`
	Sensitive      bool     `json:"sensitive"`
	EventStream    bool     `json:"eventstream"`
	Document       bool     `json:"document"`
	Wrapper        bool     `json:"wrapper"`
	Min            *float64 `json:"min"`
	Max            *float64 `json:"max"`
	Pattern        string   `json:"pattern"`
	Enum           []string `json:"enum"`
}

type rawOperation struct {
	Name string `json:"name"`
	HTTP struct {
		Method string `json:"method"`
		URI    string `json:"requestUri"`
		Status int    `json:"responseCode"`
	} `json:"http"`
	Input    *rawRef  `json:"input"`
	Output   *rawRef  `json:"output"`
	Errors   []rawRef `json:"errors"`
	AuthType string   `json:"authtype"`
	Auth     []string `json:"auth"`
	Checksum *struct {
		RequestAlgorithmMember  string `json:"requestAlgorithmMember"`
		RequestChecksumRequired bool   `json:"requestChecksumRequired"`
	} `json:"httpChecksum"`
	ChecksumRequired bool `json:"httpChecksumRequired"`
	Unsigned         bool `json:"unsignedPayload"`
}

type rawModel struct {
	Metadata struct {
		APIVersion      string          `json:"apiVersion"`
		EndpointPrefix  string          `json:"endpointPrefix"`
		JSONVersion     string          `json:"jsonVersion"`
		Protocol        string          `json:"protocol"`
		Protocols       []string        `json:"protocols"`
		ServiceID       string          `json:"serviceId"`
		SigningName     string          `json:"signingName"`
		TargetPrefix    string          `json:"targetPrefix"`
		XMLNamespace    string          `json:"xmlNamespace"`
		QueryCompatible json.RawMessage `json:"awsQueryCompatible"`
		SmithyName      string          `json:"smithyName"`
	} `json:"metadata"`
	Operations map[string]rawOperation `json:"operations"`
	Shapes     map[string]rawShape     `json:"shapes"`
}

var protocols = map[string]Protocol{
	"json": JSON, "query": Query, "ec2": EC2, "rest-json": RestJSON,
	"rest-xml": RestXML, "smithy-rpc-v2-cbor": RPCv2CBOR,
}

// Load reads a model in the JSON form of the AWS models. name is the service's
// IAM prefix. Shapes and operations are ordered by name; members as the file
// has them.
func Load(name string, doc []byte) (*Service, error) {
	var raw rawModel
	if err := json.Unmarshal(doc, &raw); err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	orders, err := memberOrders(doc)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	m := raw.Metadata
	s := &Service{
		ID: m.ServiceID, Name: name, SigningName: m.SigningName, EndpointPrefix: m.EndpointPrefix,
		APIVersion: m.APIVersion, TargetPrefix: m.TargetPrefix, JSONVersion: m.JSONVersion,
		XMLNamespace: m.XMLNamespace, QueryCompatible: m.QueryCompatible != nil, SmithyName: m.SmithyName,
	}
	if s.SigningName == "" {
		s.SigningName = m.EndpointPrefix
	}
	if s.SmithyName == "" {
		s.SmithyName = m.TargetPrefix
	}
	names := m.Protocols
	if len(names) == 0 {
		names = []string{m.Protocol}
	}
	if m.Protocol != "" && names[0] != m.Protocol {
		names = append([]string{m.Protocol}, names...)
	}
	for _, n := range names {
		p, ok := protocols[n]
		if !ok {
			return nil, fmt.Errorf("model %s: unknown protocol %q", name, n)
		}
		if !s.Speaks(p) {
			s.Protocols = append(s.Protocols, p)
		}
	}
	for _, p := range extraProtocols[s.ID] {
		if !s.Speaks(p) {
			s.Protocols = append(s.Protocols, p)
		}
	}
	l := &loader{raw: &raw, orders: orders, s: s, index: map[string]int{}}
	return s, l.load()
}

type loader struct {
	raw    *rawModel
	orders map[string][]string
	s      *Service
	index  map[string]int
}

func (l *loader) load() error {
	names := make([]string, 0, len(l.raw.Shapes))
	for n := range l.raw.Shapes {
		names = append(names, n)
	}
	sort.Strings(names)
	for i, n := range names {
		l.index[n] = i
	}
	for _, n := range names {
		sh, err := l.shape(n, l.raw.Shapes[n])
		if err != nil {
			return err
		}
		l.s.Shapes = append(l.s.Shapes, sh)
	}
	ops := make([]string, 0, len(l.raw.Operations))
	for n := range l.raw.Operations {
		ops = append(ops, n)
	}
	sort.Strings(ops)
	for _, n := range ops {
		op, err := l.operation(l.raw.Operations[n])
		if err != nil {
			return err
		}
		l.s.Operations = append(l.s.Operations, op)
	}
	l.s.older()
	return nil
}

func (l *loader) ref(name string) (int, error) {
	i, ok := l.index[name]
	if !ok {
		return None, fmt.Errorf("model %s: no shape %q", l.s.Name, name)
	}
	return i, nil
}

var kinds = map[string]Kind{
	"structure": Structure, "list": List, "map": Map, "string": String, "character": String,
	"byte": Integer, "short": Integer, "integer": Integer, "long": Long, "float": Float,
	"double": Double, "bigdecimal": Double, "boolean": Boolean, "blob": Blob, "timestamp": Timestamp,
}

var timeFormats = map[string]TimeFormat{
	"": Default, "iso8601": ISO8601, "rfc822": RFC822, "unixTimestamp": Unix,
}

func (l *loader) shape(name string, r rawShape) (Shape, error) {
	k, ok := kinds[r.Type]
	if !ok {
		return Shape{}, fmt.Errorf("model %s: shape %s has unknown type %q", l.s.Name, name, r.Type)
	}
	sh := Shape{
		Name: name, Kind: k, Elem: None, Key: None, Payload: None, Flat: r.Flattened, XMLName: r.LocationName,
		TimeFormat: timeFormats[r.TimestampFormat], Union: r.Union, Streaming: r.Streaming,
		RequiresLength: r.RequiresLength, Sensitive: r.Sensitive, Wrapper: r.Wrapper, Pattern: r.Pattern, Enum: r.Enum,
	}
	switch {
	case r.Document:
		sh.Kind = Document
	case r.EventStream:
		sh.Kind = Events
	}
	if r.XMLNamespace != nil {
		sh.XMLNamespace, sh.XMLPrefix = r.XMLNamespace.URI, r.XMLNamespace.Prefix
	}
	if r.Min != nil {
		sh.HasMin, sh.Min = true, *r.Min
	}
	if r.Max != nil {
		sh.HasMax, sh.Max = true, *r.Max
	}
	var err error
	switch k {
	case List:
		if sh.Elem, err = l.ref(r.Member.Shape); err != nil {
			return sh, err
		}
		sh.ElemName, sh.ElemNamespace = r.Member.LocationName, r.Member.XMLNamespace.uri()
		sh.Flat = sh.Flat || r.Member.Flattened
	case Map:
		if sh.Key, err = l.ref(r.Key.Shape); err != nil {
			return sh, err
		}
		if sh.Elem, err = l.ref(r.Value.Shape); err != nil {
			return sh, err
		}
		sh.KeyName, sh.ElemName = r.Key.LocationName, r.Value.LocationName
		sh.KeyNamespace, sh.ElemNamespace = r.Key.XMLNamespace.uri(), r.Value.XMLNamespace.uri()
	}
	required := map[string]bool{}
	for _, n := range r.Required {
		required[n] = true
	}
	for _, n := range l.orders[name] {
		m, err := l.member(n, r.Members[n])
		if err != nil {
			return sh, err
		}
		m.Required = required[n]
		if n == r.Payload {
			sh.Payload = len(sh.Members)
		}
		sh.Members = append(sh.Members, m)
	}
	if r.Exception || r.Fault || r.Error != nil {
		sh.Error = &Error{Code: name, Status: 400, Sender: true, QueryCode: r.QueryCode}
		if r.Fault {
			sh.Error.Status, sh.Error.Sender = 500, false
		}
		if e := r.Error; e != nil {
			if e.Code != "" {
				sh.Error.Code = e.Code
			}
			if e.Status != 0 {
				sh.Error.Status, sh.Error.Sender = e.Status, e.Sender || e.Status < 500
			}
		}
		// In query-compatible services the model's error code is the older protocol's.
		if l.s.QueryCompatible && sh.Error.Code != name {
			sh.Error.Code, sh.Error.QueryCode = name, sh.Error.Code
		}
	}
	return sh, nil
}

var locations = map[string]Location{
	"": Body, "uri": URI, "querystring": QueryString, "header": Header, "headers": Headers, "statusCode": StatusCode,
}

func (l *loader) member(name string, r rawRef) (Member, error) {
	i, err := l.ref(r.Shape)
	if err != nil {
		return Member{}, err
	}
	loc, ok := locations[r.Location]
	if !ok {
		return Member{}, fmt.Errorf("model %s: member %s has unknown location %q", l.s.Name, name, r.Location)
	}
	m := Member{
		Name: name, Wire: r.LocationName, QueryName: r.QueryName, Shape: i, Location: loc, Flat: r.Flattened,
		Attribute: r.XMLAttribute, TimeFormat: timeFormats[r.TimestampFormat], JSONValue: r.JSONValue,
		Idempotency: r.Idempotency, Streaming: r.Streaming, EventHeader: r.EventHeader, EventPayload: r.EventPayload,
	}
	if r.XMLNamespace != nil {
		m.XMLNamespace, m.XMLPrefix = r.XMLNamespace.URI, r.XMLNamespace.Prefix
	}
	return m, nil
}

func (l *loader) operation(r rawOperation) (Operation, error) {
	op := Operation{
		Name: r.Name, Method: r.HTTP.Method, Path: r.HTTP.URI, Status: r.HTTP.Status, Input: None, Output: None,
		NoAuth: r.AuthType == "none", ChecksumRequired: r.ChecksumRequired, UnsignedPayload: r.Unsigned,
	}
	if len(r.Auth) > 0 && r.Auth[0] == "smithy.api#noAuth" {
		op.NoAuth = true
	}
	if c := r.Checksum; c != nil {
		op.ChecksumRequired = op.ChecksumRequired || c.RequestChecksumRequired
		op.ChecksumMember = c.RequestAlgorithmMember
	}
	var err error
	if in := r.Input; in != nil {
		if op.Input, err = l.ref(in.Shape); err != nil {
			return op, err
		}
		op.InputName = in.LocationName
		if in.XMLNamespace != nil {
			op.InputNamespace = in.XMLNamespace.URI
		}
	}
	if out := r.Output; out != nil {
		if op.Output, err = l.ref(out.Shape); err != nil {
			return op, err
		}
		op.ResultWrapper = out.ResultWrapper
	}
	for _, e := range r.Errors {
		i, err := l.ref(e.Shape)
		if err != nil {
			return op, err
		}
		op.Errors = append(op.Errors, i)
	}
	return op, nil
}

// memberOrders reads, for each structure, the order in which the file lists its
// members: it is the order of elements in XML, which encoding/json's maps lose.
func memberOrders(doc []byte) (map[string][]string, error) {
	var top struct {
		Shapes map[string]struct {
			Members json.RawMessage `json:"members"`
		} `json:"shapes"`
	}
	if err := json.Unmarshal(doc, &top); err != nil {
		return nil, err
	}
	orders := make(map[string][]string, len(top.Shapes))
	for name, sh := range top.Shapes {
		if sh.Members == nil {
			continue
		}
		keys, err := keysOf(sh.Members)
		if err != nil {
			return nil, err
		}
		orders[name] = keys
	}
	return orders, nil
}

// keysOf lists the keys of a JSON object in the order of the text.
func keysOf(obj json.RawMessage) ([]string, error) {
	dec := json.NewDecoder(bytes.NewReader(obj))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var keys []string
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		keys = append(keys, t.(string))
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return nil, err
		}
	}
	return keys, nil
}
