// Package inside is the door for requests that come from within and have the
// form of the wire: an API that calls another service's action with a body that
// a template made. There is no connection and no signature; who calls is vouched
// for by the room that does.
package inside

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/codecs"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/route"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 16 << 20

// Door implements call.Wire over the rooms of a board.
type Door struct {
	board    *call.Board
	services map[string]*model.Service
	codecs   map[model.Protocol]protocol.Codec
	routes   map[*model.Service]*route.Table
}

var _ call.Wire = (*Door)(nil)

// New makes a door to services.
func New(board *call.Board, services []*model.Service) *Door {
	d := &Door{board: board, services: map[string]*model.Service{}, codecs: codecs.All(), routes: map[*model.Service]*route.Table{}}
	for _, s := range services {
		d.services[s.EndpointPrefix] = s
		if s.Speaks(model.RestJSON) || s.Speaks(model.RestXML) {
			d.routes[s] = route.New(s)
		}
	}
	for _, s := range services { // a room's own name comes first
		d.services[s.Name] = s
	}
	return d
}

// Send implements call.Wire.
func (d *Door) Send(ctx context.Context, as call.As, w *call.WireRequest) (*call.WireResponse, error) {
	s := d.services[w.Service]
	if s == nil {
		return nil, fmt.Errorf("there is no service %q", w.Service)
	}
	r := &http.Request{
		Method: w.Method, URL: &url.URL{Path: w.Path, RawQuery: w.Query}, Header: w.Header, Host: w.Service,
		ContentLength: int64(len(w.Body)), Body: io.NopCloser(bytes.NewReader(w.Body)), Proto: "HTTP/1.1",
	}
	if p, err := url.PathUnescape(w.Path); err == nil {
		r.URL.Path, r.URL.RawPath = p, w.Path
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	p, op, labels, err := d.operation(s, w, r)
	if err != nil {
		return nil, err
	}
	bind := d.board.Binding(op)
	// A role that cannot be assumed is no answer of the service.
	id, err := as.Identify(ctx, d.board.Gate.Identities)
	if err != nil {
		return nil, fmt.Errorf("who calls: %w", err)
	}
	as = call.AsIdentity(id, as.Region()).From(as.Origin())
	codec := d.codecs[p]
	rq := &protocol.Request{HTTP: r.WithContext(ctx), Service: s, Op: op, Labels: labels, Body: r.Body, ID: as.Origin().RequestID}
	rec := &recorder{header: http.Header{}, left: maxAnswer}
	var out any
	if bind == nil {
		err = call.NotImplemented(s, op)
	} else {
		in := bind.NewInput()
		if err = codec.Decode(rq, in); err == nil {
			out, err = d.board.Call(ctx, as, s, op, in)
		}
	}
	if err == nil {
		err = codec.Encode(rec, rq, out)
		var cut *protocol.Cut
		if errors.As(err, &cut) {
			return nil, err
		}
	}
	if err != nil {
		f := fault.As(err)
		if f == nil {
			return nil, err
		}
		codec.EncodeFault(rec, rq, f)
	}
	return &call.WireResponse{Status: rec.status, Header: rec.header, Body: rec.body.Bytes()}, nil
}

// operation tells protocol and operation of a request.
func (d *Door) operation(s *model.Service, w *call.WireRequest, r *http.Request) (model.Protocol, *model.Operation, protocol.Labels, error) {
	form := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	target := r.Header.Get("X-Amz-Target")
	name := w.Action
	if _, after, ok := strings.Cut(target, "."); ok && name == "" {
		name = after
	}
	p := s.Protocols[0]
	switch {
	case s.Speaks(model.JSON) && (target != "" || w.Action != "" && !form):
		p = model.JSON
	case s.Speaks(model.Query):
		p = model.Query
	}
	if p == model.Query {
		given := r.URL.Query()
		if form {
			body, err := url.ParseQuery(string(w.Body))
			if err != nil {
				return 0, nil, nil, fmt.Errorf("read the form: %w", err)
			}
			for k, v := range body {
				given[k] = v
			}
		}
		if name == "" {
			name = given.Get("Action")
		}
		given.Set("Action", name)
		// The codec reads the parameters from the body.
		text := given.Encode()
		r.Method, r.URL.RawQuery = http.MethodPost, ""
		r.Header = r.Header.Clone()
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	}
	if t := d.routes[s]; t != nil && p != model.JSON && p != model.Query && name == "" {
		m, ok := t.Match(r.Method, w.Path, w.Query, r.Header)
		if !ok {
			return 0, nil, nil, fmt.Errorf("%s has no operation for %s %s", s.ID, w.Method, w.Path)
		}
		return p, m.Op, m.Labels, nil
	}
	op := s.Operation(name)
	if op == nil || d.routes[s] != nil && p != model.JSON && p != model.Query {
		return 0, nil, nil, fmt.Errorf("%s has no action %q", s.ID, name)
	}
	return p, op, nil, nil
}

// recorder holds an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	left   int
}

var errLarge = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.left -= len(b); r.left < 0 {
		return 0, errLarge
	}
	return r.body.Write(b)
}
