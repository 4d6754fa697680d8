// Package pipeline carries a request from the wire through the spine:
//
//	identify -> AUTHENTICATE -> DECODE -> AUTHORISE -> handler -> ENCODE -> observe
//
// or, at the second door, hands it to the room whose public face was asked for.
package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/edge/identify"
	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/codecs"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/route"
	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Config is what the pipeline is made of.
type Config struct {
	Board *call.Board
	// Services are the facts of every known service, with or without a room.
	Services []*model.Service
	// Domains are further host names of this server.
	Domains []string
	// Account and Region are the defaults, for callers that name none.
	Account, Region string
	// Custom tells the kind of public address behind a host that is a custom domain
	// name: "execute-api"; "" if it is none. Nil: there are none.
	Custom func(host string) string
	// Pages answers the platform's own pages ("/_localstack/health").
	Pages http.Handler
	Log   *slog.Logger
}

// Pipeline is an http.Handler.
type Pipeline struct {
	Config
	directory *identify.Directory
	keys      sigv4.Keys
	codecs    map[model.Protocol]protocol.Codec
	routes    map[*model.Service]*route.Table
	faces     map[string]call.Face
	cors      CORS
}

// CORS is a room whose data browsers reach across origins: S3.
type CORS interface {
	// Preflight answers a browser's question before a request; Allow puts the
	// headers on the answer to the request itself.
	Preflight(ctx context.Context, bucket, origin, method string, headers []string) (http.Header, error)
	Allow(ctx context.Context, bucket, origin, method string) http.Header
}

// New makes a pipeline over the rooms that are on the board.
func New(c Config) *Pipeline {
	p := &Pipeline{
		Config: c, directory: identify.NewDirectory(c.Services, c.Domains...), codecs: codecs.All(),
		routes: map[*model.Service]*route.Table{}, faces: map[string]call.Face{},
	}
	for _, s := range c.Services {
		if s.Speaks(model.RestJSON) || s.Speaks(model.RestXML) {
			p.routes[s] = route.New(s)
		}
	}
	for _, s := range c.Board.Services() {
		if f, ok := s.(call.Face); ok {
			for _, k := range f.Kinds() {
				p.faces[k] = f
			}
		}
		if x, ok := s.(CORS); ok {
			p.cors = x
		}
	}
	return p
}

// Limits of request bodies that are read whole, in bytes.
const (
	maxBody       = 16 << 20
	maxLambdaBody = 70 << 20 // 50 MB of zip in base64, and the JSON around it
	maxObject     = 5 << 30  // one S3 PutObject or UploadPart
)

// ServeHTTP implements http.Handler.
func (p *Pipeline) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
		// The request may have had a length as well, which net/http does not tell, and
		// who forwarded it may have believed that: nothing behind it is a request.
		// RFC 9112, section 6.1.
		w.Header().Set("Connection", "close")
	}
	t, ok := p.custom(r)
	if !ok {
		t = p.directory.Locate(r)
	}
	in := p.incoming(r, t.Region)
	switch {
	case t.Page != "":
		p.Pages.ServeHTTP(w, r)
	case t.Face != nil:
		p.face(w, r, t, in)
	default:
		p.api(w, r, t, in)
	}
}

// custom locates a request to a custom domain name, all of whose paths are the
// public address's.
func (p *Pipeline) custom(r *http.Request) (identify.Target, bool) {
	if p.Custom == nil {
		return identify.Target{}, false
	}
	kind := p.Custom(r.Host)
	if kind == "" {
		return identify.Target{}, false
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return identify.Target{Face: &call.Address{Kind: kind, Domain: r.Host, Path: r.URL.EscapedPath(), Base: scheme + "://" + r.Host}}, true
}

func (p *Pipeline) incoming(r *http.Request, region string) call.Incoming {
	in := call.Incoming{
		RequestID: p.Board.IDs.UUID(), Time: p.Board.Clock.Now(), Region: region, UserAgent: r.UserAgent(),
		Scheme: "http", Host: r.Host, TraceHeader: r.Header.Get("X-Amzn-Trace-Id"),
	}
	if r.TLS != nil {
		in.Scheme = "https"
	}
	if in.Region == "" {
		in.Region = p.Region
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		in.SourceIP, _ = netip.ParseAddr(host)
	}
	return in
}

// face hands a request to a room's public face and records it.
func (p *Pipeline) face(w http.ResponseWriter, r *http.Request, t identify.Target, in call.Incoming) {
	f := p.faces[t.Face.Kind]
	if f == nil {
		http.Error(w, "no service of this server has addresses of the kind "+t.Face.Kind, http.StatusNotFound)
		return
	}
	t.Face.In = in
	service := t.Face.Kind
	if service == "lambda-url" {
		service = "lambda" // what requests to function URLs are signed for
	}
	t.Face.Caller = p.caller(r, service, in)
	rec := call.Record{
		Time: in.Time, RequestID: in.RequestID, Door: t.Face.Kind, Service: t.Face.Kind, Operation: r.Method,
		Resource: t.Face.ID, Region: in.Region, UserAgent: in.UserAgent, SourceIP: in.SourceIP.String(), In: max(r.ContentLength, 0),
	}
	m := &meter{ResponseWriter: w}
	defer func() {
		if x := recover(); x != nil {
			if err, ok := x.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(x)
			}
			rec.Internal, rec.Code = fmt.Sprintf("panic: %v\n%s", x, debug.Stack()), "InternalFailure"
			if m.status == 0 {
				http.Error(m, `{"message": "Internal server error"}`, http.StatusInternalServerError)
			}
		}
		rec.Status, rec.Out = m.status, m.bytes
		rec.Duration = p.Board.Clock.Now().Sub(rec.Time)
		if p.Board.Observer != nil {
			p.Board.Observer.Observe(&rec)
		}
	}()
	f.View(m, r, *t.Face)
}

// meter notes the status and counts the bytes of an answer.
type meter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader implements http.ResponseWriter.
func (m *meter) WriteHeader(status int) {
	if m.status == 0 {
		m.status = status
	}
	m.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (m *meter) Write(b []byte) (int, error) {
	if m.status == 0 {
		m.status = http.StatusOK
	}
	n, err := m.ResponseWriter.Write(b)
	m.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (m *meter) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// exchange is one API call on its way.
type exchange struct {
	p     *Pipeline
	r     *http.Request
	t     identify.Target
	in    call.Incoming
	sig   *sigv4.Signature
	codec protocol.Codec
	rq    protocol.Request
	path  string // the escaped path that routes
	form  map[string][]string
	bind  *call.Binding
	auth  *call.Authenticated
	// into is the decoded input, for trailers that arrive behind the body.
	into any
}

func (p *Pipeline) api(w http.ResponseWriter, r *http.Request, t identify.Target, in call.Incoming) {
	if r.Method == http.MethodOptions && r.Header.Get("Origin") != "" {
		p.preflight(w, r, t)
		return
	}
	x := &exchange{p: p, r: r, t: t, in: in}
	rec := call.Record{Time: in.Time, RequestID: in.RequestID, Door: "wire", In: max(r.ContentLength, 0)}
	m := &meter{ResponseWriter: w}
	out, err := x.run(&rec)
	if x.rq.ID != "" {
		rec.RequestID = x.rq.ID
	}
	if o := r.Header.Get("Origin"); o != "" && p.cors != nil && x.t.Service != nil && protocol.IsS3(x.t.Service) {
		for k, v := range p.cors.Allow(r.Context(), x.bucket(), o, r.Method) {
			w.Header()[k] = v
		}
	}
	if err == nil {
		err = x.codec.Encode(m, &x.rq, out)
	}
	var cut *protocol.Cut
	switch {
	case errors.As(err, &cut):
		rec.Status = m.status
		p.Board.Finish(&rec, x.auth, x.bind, err)
		panic(http.ErrAbortHandler)
	case err != nil:
		x.fail(m, err)
	}
	rec.Status, rec.Out = m.status, m.bytes
	if x.t.Service != nil {
		rec.Service = x.t.Service.Name
	}
	if x.rq.Op != nil {
		rec.Operation = x.rq.Op.Name
	}
	p.Board.Finish(&rec, x.auth, x.bind, err)
}

// fail answers with err as the protocol wants it; what is not a fault goes out
// as an InternalFailure, its details staying in the record.
func (x *exchange) fail(w http.ResponseWriter, err error) {
	f := fault.As(err)
	if f == nil {
		f = fault.Of(fault.InternalFailure, "The request failed for a reason within the server; its log has the details under the request id %s.", x.in.RequestID)
	}
	if x.codec == nil {
		x.guess()
	}
	x.codec.EncodeFault(w, &x.rq, f)
}

// guess chooses the protocol to answer in where no service was found: what the
// request looks like.
func (x *exchange) guess() {
	s, p := x.t.Service, x.t.Protocol
	if s == nil {
		s = &model.Service{}
		switch {
		case x.r.Header.Get("X-Amz-Target") != "":
			p = model.JSON
		case strings.HasPrefix(x.r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
			p = model.Query
			if x.sig != nil && x.sig.Service == "ec2" {
				p = model.EC2
			}
		case x.sig == nil:
			p = model.RestXML
		default:
			p = model.RestJSON
		}
	}
	x.codec = x.p.codecs[p]
	x.rq = protocol.Request{HTTP: x.r, Service: s, ID: x.in.RequestID}
}

// run takes the request through the stages up to the handler's output.
func (x *exchange) run(rec *call.Record) (any, error) {
	// A call that was begun is finished, whether or not its client still waits:
	// AWS does so too, and a client that has closed only its own side waits.
	ctx := context.WithoutCancel(x.r.Context())
	if err := x.identify(); err != nil {
		return nil, err
	}
	secret := ""
	var err error
	x.auth, err = call.Authenticate(ctx, x.in, func(ctx context.Context) (id call.Identity, err error) {
		id, secret, err = x.authenticate(ctx)
		return id, err
	})
	if err != nil {
		return nil, err
	}
	if err := x.operation(); err != nil {
		return nil, err
	}
	if err := x.openBody(secret); err != nil {
		return nil, err
	}
	d, err := x.auth.Decode(x.bind, func(into any) error {
		x.into = into
		return x.codec.Decode(&x.rq, into)
	})
	if err != nil {
		return nil, err
	}
	return x.p.Board.Run(ctx, d, rec)
}

// identify finds service, protocol and codec, and reads the body unless it is
// an object's.
func (x *exchange) identify() error {
	sreq := x.signed()
	var err error
	if x.sig, err = sigv4.Find(sreq); err != nil {
		x.t = x.p.directory.Service(x.t, x.r, nil, x.formValues)
		return err
	}
	x.t = x.p.directory.Service(x.t, x.r, x.sig, x.formValues)
	if x.t.Service == nil {
		if x.sig != nil {
			return fault.Of(fault.InvalidAction, "Tierra does not know the service %q that this request is signed for; docs/COVERAGE.md lists the services that it knows.", x.sig.Service)
		}
		return fault.Of(fault.MissingAuthenticationToken, "Missing Authentication Token")
	}
	x.codec = x.p.codecs[x.t.Protocol]
	x.rq = protocol.Request{HTTP: x.r, Service: x.t.Service, ID: x.in.RequestID, Body: x.r.Body}
	x.path = x.r.URL.EscapedPath()
	if protocol.IsS3(x.t.Service) {
		x.rq.ID = x.p.Board.IDs.Of("0123456789ABCDEF", 16)
		if x.t.Bucket != "" {
			x.path = "/" + x.t.Bucket + x.path
		}
	} else {
		x.path = sigv4.Normalize(x.path)
	}
	if x.sig != nil && x.sig.Region != "" {
		x.in.Region = x.sig.Region
	}
	return nil
}

// signed is the request as signatures see it.
func (x *exchange) signed() *sigv4.Request {
	h := x.r.Header
	path := x.r.RequestURI
	query := ""
	if i := bytes.IndexByte([]byte(path), '?'); i >= 0 {
		path, query = path[:i], path[i+1:]
	}
	if len(path) > 0 && path[0] != '/' { // absolute form
		path = x.r.URL.EscapedPath()
	}
	return &sigv4.Request{Method: x.r.Method, Path: path, Query: query, Host: x.r.Host, Bucket: x.t.Bucket, Header: func(name string) []string {
		if name == "content-length" {
			return []string{fmt.Sprint(x.r.ContentLength)}
		}
		return h[http.CanonicalHeaderKey(name)]
	}}
}

// operation finds the binding.
func (x *exchange) operation() error {
	var op *model.Operation
	switch x.t.Protocol {
	case model.Query, model.EC2:
		action := x.r.URL.Query().Get("Action")
		if v := x.formValues()["Action"]; len(v) > 0 {
			action = v[0]
		}
		x.t.Action = action
		op = x.t.Service.Operation(action)
	case model.RestJSON, model.RestXML:
		m, ok := x.p.routes[x.t.Service].Match(x.r.Method, x.path, x.r.URL.RawQuery, x.r.Header)
		if ok {
			op, x.rq.Labels = m.Op, m.Labels
		}
	default:
		op = x.t.Service.Operation(x.t.Action)
	}
	if op == nil {
		if x.t.Protocol == model.RestJSON {
			return fault.New("UnknownOperationException", http.StatusNotFound, "%s has no operation for %s %s.", x.t.Service.ID, x.r.Method, x.r.URL.Path)
		}
		if x.t.Action == "" {
			return fault.Of(fault.InvalidAction, "%s has no operation for %s %s.", x.t.Service.ID, x.r.Method, x.r.URL.Path)
		}
		if target := x.r.Header.Get("X-Amz-Target"); target != "" && !strings.HasPrefix(target, x.t.Service.TargetPrefix+".") {
			return fault.Of(fault.InvalidAction, "Tierra does not know the service of the X-Amz-Target %q; docs/COVERAGE.md lists the services that it knows.", target)
		}
		return fault.Of(fault.InvalidAction, "The action %s is not valid for this web service.", x.t.Action)
	}
	x.rq.Op = op
	if x.bind = x.p.Board.Binding(op); x.bind == nil {
		return call.NotImplemented(x.t.Service, op)
	}
	if x.auth.Identity().AccessKey == "" && x.sig == nil && x.p.Board.Gate.Mode != call.Off && !op.NoAuth && !protocol.IsS3(x.t.Service) {
		return fault.Of(fault.MissingAuthenticationToken, "Missing Authentication Token")
	}
	return nil
}

func (x *exchange) bucket() string {
	b, _ := x.rq.Labels.Get("Bucket")
	return b
}

// formValues returns the values of a form body, whose bytes stay readable.
func (x *exchange) formValues() map[string][]string {
	if x.form != nil {
		return x.form
	}
	x.form = map[string][]string{}
	w, ok := x.rq.Body.(whole)
	if !ok {
		body, err := io.ReadAll(io.LimitReader(x.r.Body, maxBody+1))
		if err != nil {
			return x.form
		}
		x.r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), x.r.Body))
		x.rq.Body = x.r.Body
		w.b = body
	}
	if v, err := parseForm(w.b); err == nil {
		x.form = v
	}
	return x.form
}
