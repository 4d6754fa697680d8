package call

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
)

// Board is the switchboard: it knows every binding of every room, and is the
// Caller through which they call each other. Rooms get it before they are on it,
// because they call each other in circles.
type Board struct {
	Gate     *Gate
	Clock    clock.Clock
	IDs      *ids.Source
	Observer Observer
	// Host is the address that callers from within are taken to have used.
	Host string

	services []Service
	bindings map[*model.Operation]*Binding
}

// Plug puts rooms on the board. It is called before the first request, once.
func (b *Board) Plug(services ...Service) {
	if b.bindings == nil {
		b.bindings = map[*model.Operation]*Binding{}
	}
	for _, s := range services {
		b.services = append(b.services, s)
		for _, bind := range s.Bindings() {
			if _, twice := b.bindings[bind.Op]; twice {
				panic("call: " + bind.Op.Name + " is bound twice")
			}
			b.bindings[bind.Op] = &bind
		}
	}
}

// Services returns the rooms, in the order in which they were plugged in.
func (b *Board) Services() []Service { return b.services }

// Binding returns the binding of an operation, or nil if no room has it.
func (b *Board) Binding(op *model.Operation) *Binding { return b.bindings[op] }

// NotImplemented is the answer for an operation that no room binds.
func NotImplemented(s *model.Service, op *model.Operation) *fault.Fault {
	return fault.Of(fault.NotImplemented, "%s of %s is not implemented by this version of Tierra; docs/COVERAGE.md lists what is.", op.Name, s.ID)
}

// Call implements Caller.
func (b *Board) Call(ctx context.Context, as As, service *model.Service, op *model.Operation, in any) (any, error) {
	bind := b.bindings[op]
	if bind == nil {
		return nil, NotImplemented(service, op)
	}
	inc := as.in
	inc.RequestID, inc.Time = b.IDs.UUID(), b.Clock.Now()
	if inc.Host == "" {
		inc.Scheme, inc.Host = "http", b.Host
	}
	rec := Record{Time: inc.Time, RequestID: inc.RequestID, Door: "room"}
	a, err := Authenticate(ctx, inc, func(ctx context.Context) (Identity, error) { return as.Identify(ctx, b.Gate.Identities) })
	var out any
	if err == nil {
		var d *Decoded
		if d, err = a.CallDecoded(bind, in); err == nil {
			out, err = b.Run(ctx, d, &rec)
		}
	}
	b.Finish(&rec, a, bind, err)
	return out, err
}

// Run authorises and handles; a panic in the room becomes an error.
func (b *Board) Run(ctx context.Context, d *Decoded, rec *Record) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	ctx = context.WithValue(ctx, recordKey{}, rec)
	az, err := d.Authorize(ctx, b.Gate)
	if err != nil {
		return nil, err
	}
	if len(az.needs) > 0 {
		rec.Action, rec.Resource = az.needs[0].Action, az.needs[0].Resource
	}
	return az.Handle(ctx)
}

type recordKey struct{}

// NoteDenied is a Gate.Denied that writes into the call's record.
func NoteDenied(ctx context.Context, _ *Decoded, _ Need, message string) {
	if rec, ok := ctx.Value(recordKey{}).(*Record); ok {
		rec.WouldDeny = message
	}
}

// Finish completes a call's record and hands it to the observer.
func (b *Board) Finish(rec *Record, a *Authenticated, bind *Binding, err error) {
	if b.Observer == nil {
		return
	}
	rec.Duration = b.Clock.Now().Sub(rec.Time)
	if bind != nil {
		rec.Service, rec.Operation = bind.Service.Name, bind.Op.Name
		rec.ReadOnly = ReadOnly(bind.Op.Name)
	}
	if a != nil {
		rec.Principal, rec.AccessKey = a.id.Principal, a.id.AccessKey
		rec.Account, rec.Region = a.Account(), a.in.Region
		rec.UserAgent = a.in.UserAgent
		if a.in.SourceIP.IsValid() {
			rec.SourceIP = a.in.SourceIP.String()
		}
	}
	if err != nil {
		if f := fault.As(err); f != nil {
			rec.Code, rec.Message = f.Code, f.Message
			if rec.Status == 0 { // the wire knows the status of its protocol
				rec.Status = f.Status
			}
		} else {
			rec.Status, rec.Code, rec.Internal = 500, "InternalFailure", err.Error()
		}
	}
	if rec.Status == 0 {
		rec.Status = 200
	}
	b.Observer.Observe(rec)
}

// ReadOnly tells from an operation's name whether it changes nothing, as
// CloudTrail's readOnly field does.
func ReadOnly(op string) bool {
	for _, p := range []string{"Get", "List", "Describe", "Head", "Lookup", "Query", "Scan", "BatchGet", "Filter", "Search", "Test", "Validate", "Simulate", "Estimate", "Detect"} {
		if strings.HasPrefix(op, p) {
			return true
		}
	}
	return false
}
