package eventstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"github.com/tierra-cloud/tierra/internal/edge/protocol"
	"github.com/tierra-cloud/tierra/internal/edge/protocol/value"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// ContentType is the type of a body that is a stream of events.
const ContentType = "application/vnd.amazon.eventstream"

// Format writes structures into the payloads of frames.
type Format struct {
	ContentType string
	// Structure writes the members of src for which keep answers true. name is
	// the name of a document's root, where the format has one.
	Structure func(b []byte, s *model.Service, sh *model.Shape, name string, src *value.Source, keep func(*model.Member) bool) ([]byte, error)
	// Initial says that the other members of the output travel in a first frame
	// instead of HTTP's headers.
	Initial bool
}

// Member returns the index of a structure's member that is an event stream, or -1.
func Member(s *model.Service, shape int) int {
	if shape < 0 {
		return -1
	}
	sh := &s.Shapes[shape]
	for i := range sh.Members {
		if s.Shapes[sh.Members[i].Shape].Kind == model.Events {
			return i
		}
	}
	return -1
}

// Write answers with the stream of events that is member i of out. Events go
// out as they come. A fault that ends the stream goes out as its last frame;
// any other error breaks the answer off.
func Write(w http.ResponseWriter, rq *protocol.Request, out reflect.Value, i int, f Format) error {
	s := rq.Service
	sh := &s.Shapes[rq.Op.Output]
	src, err := value.Open(out, sh)
	if err != nil {
		return err
	}
	events := src.Events(i)
	if events == nil {
		return fmt.Errorf("eventstream: %s of %s has no stream", sh.Members[i].Name, sh.Name)
	}
	wr := writer{w: w, flush: http.NewResponseController(w), s: s, union: &s.Shapes[sh.Members[i].Shape], f: f}
	w.Header()["Content-Type"] = []string{ContentType}
	var initial []byte
	if f.Initial {
		if initial, err = wr.frame(sh, "event", ":event-type", "initial-response", &src, func(m *model.Member) bool { return m != &sh.Members[i] }); err != nil {
			return err
		}
	}
	w.WriteHeader(protocol.Status(rq.Op))
	if err := wr.write(initial); err != nil {
		return err
	}
	err = events(rq.HTTP.Context(), func(member string, event any) error { return wr.event(rq.HTTP.Context(), member, event) })
	if err == nil {
		return nil
	}
	var cut *protocol.Cut
	if errors.As(err, &cut) {
		return cut
	}
	if ft := fault.As(err); ft != nil {
		return wr.fault(ft)
	}
	return &protocol.Cut{Err: err}
}

type writer struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	s     *model.Service
	union *model.Shape
	f     Format
}

func (wr *writer) write(frame []byte) error {
	if len(frame) > 0 {
		if _, err := wr.w.Write(frame); err != nil {
			return &protocol.Cut{Err: err}
		}
	}
	if err := wr.flush.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return &protocol.Cut{Err: err}
	}
	return nil
}

// event sends one event, or a fault that is a member of the union.
func (wr *writer) event(ctx context.Context, member string, event any) error {
	if err := ctx.Err(); err != nil {
		return &protocol.Cut{Err: err}
	}
	if f, ok := event.(*fault.Fault); ok {
		return wr.fault(f)
	}
	for i := range wr.union.Members {
		m := &wr.union.Members[i]
		if m.Name != member {
			continue
		}
		sh := &wr.s.Shapes[m.Shape]
		src, err := value.Open(value.Deref(value.Of(event)), sh)
		if err != nil {
			return err
		}
		frame, err := wr.frame(sh, "event", ":event-type", m.WireName(), &src, nil)
		if err != nil {
			return err
		}
		return wr.write(frame)
	}
	return fmt.Errorf("eventstream: %s has no event %s", wr.union.Name, member)
}

// fault sends the frame that tells of a fault: as an exception if the stream's
// union names its shape.
func (wr *writer) fault(f *fault.Fault) error {
	code, _ := f.Spell(fault.JSON)
	for i := range wr.union.Members {
		m := &wr.union.Members[i]
		sh := &wr.s.Shapes[m.Shape]
		if sh.Error == nil || sh.Name != f.Shape {
			continue
		}
		src := value.OfFault(f, sh)
		frame, err := wr.frame(sh, "exception", ":exception-type", m.WireName(), &src, nil)
		if err != nil {
			return &protocol.Cut{Err: err}
		}
		return wr.write(frame)
	}
	frame, err := Append(nil, []Header{{":message-type", "error"}, {":error-code", code}, {":error-message", clip(f.Message)}}, nil)
	if err != nil {
		return &protocol.Cut{Err: err}
	}
	return wr.write(frame)
}

// clip keeps a message within what a header holds.
func clip(s string) string { return s[:min(len(s), 8<<10)] }

// frame makes the frame of a structure: members that are event headers become
// headers, the one that is the event's payload the payload as it is; without
// such a member the rest is written in the stream's format.
func (wr *writer) frame(sh *model.Shape, message, typeHeader, name string, src *value.Source, keep func(*model.Member) bool) ([]byte, error) {
	headers := []Header{{":message-type", message}, {typeHeader, name}}
	payload := -1
	rest := false
	for i := range sh.Members {
		m := &sh.Members[i]
		switch {
		case keep != nil && !keep(m):
		case m.EventHeader:
			if v := src.Member(i); v.IsValid() {
				headers = append(headers, Header{m.WireName(), v.Interface()})
			}
		case m.EventPayload:
			payload = i
		default:
			rest = true
		}
	}
	if payload < 0 {
		if !rest && len(headers) > 2 { // all there is are headers
			return Append(nil, headers, nil)
		}
		body, err := wr.f.Structure(nil, wr.s, sh, name, src, func(m *model.Member) bool {
			return !m.EventHeader && (keep == nil || keep(m))
		})
		if err != nil {
			return nil, err
		}
		if len(body) > 0 {
			headers = append(headers, Header{":content-type", wr.f.ContentType})
		}
		return Append(nil, headers, body)
	}
	m := &sh.Members[payload]
	target := &wr.s.Shapes[m.Shape]
	v := src.Member(payload)
	if !v.IsValid() {
		return Append(nil, headers, nil)
	}
	switch target.Kind {
	case model.Blob:
		return Append(nil, append(headers, Header{":content-type", "application/octet-stream"}), v.Bytes())
	case model.String:
		return Append(nil, append(headers, Header{":content-type", "text/plain"}), []byte(v.String()))
	}
	inner, err := value.Open(v, target)
	if err != nil {
		return nil, err
	}
	name = target.Name
	if target.XMLName != "" {
		name = target.XMLName
	}
	body, err := wr.f.Structure(nil, wr.s, target, name, &inner, nil)
	if err != nil {
		return nil, err
	}
	return Append(nil, append(headers, Header{":content-type", wr.f.ContentType}), body)
}
