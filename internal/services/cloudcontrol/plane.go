package cloudcontrol

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/background"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudcontrol"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

// plane carries the requests out.
type plane struct {
	*background.Runner

	mu   sync.Mutex
	jobs map[string]context.CancelFunc // by request token
}

func (p *plane) cancelJob(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cancel := p.jobs[token]; cancel != nil {
		cancel()
	}
}

// Stop implements call.Worker. Requests under way go on at the next start.
func (s *Service) Stop(ctx context.Context) error { return s.plane.Stop(ctx) }

// launch carries a request out in the background. as is who it acts as; nil takes
// the stored identity.
func (s *Service) launch(sc scope, token string, as *call.As) <-chan struct{} {
	p := &s.plane
	ctx, cancel := context.WithCancel(p.Context())
	p.mu.Lock()
	p.jobs[token] = cancel
	p.mu.Unlock()
	return p.Go(func(context.Context) {
		defer cancel()
		// An error of the store leaves the request for the next start.
		_ = s.carryOut(ctx, sc, token, as)
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.jobs, token)
	})
}

func (s *Service) resume(ctx context.Context) error {
	all, err := background.Left(ctx, s.d.Store, runningPrefix())
	for _, l := range all {
		s.launch(scope{l.Account, l.Region}, l.ID, nil)
	}
	return err
}

// carryOut does what a request asks for and notes how it ended. Its error is the
// store's.
func (s *Service) carryOut(ctx context.Context, sc scope, token string, as *call.As) error {
	var r *requestRecord
	err := s.d.Store.View(ctx, func(rd data.Reader) (err error) {
		r, err = sc.request(rd, token)
		return err
	})
	if err != nil || r == nil || ended(r.Status) {
		return err
	}
	busy := r.Identifier
	t := s.types()[r.Type]
	err = fmt.Errorf("the type %s is no longer known", r.Type)
	if t != nil {
		err = s.do(ctx, r, t, s.handlerRequest(r, as))
	}
	if s.plane.Context().Err() != nil {
		return s.plane.Context().Err() // to be taken up
	}
	cancelled := ctx.Err() != nil
	return s.d.Store.Update(s.plane.Context(), func(tx data.Txn) error {
		r.At = s.d.Clock.Now()
		switch f := fault.As(err); {
		case err == nil:
			r.Status, r.Error, r.Message = api.OperationStatusSuccess, "", ""
		case cancelled:
			r.Status, r.Error, r.Message = api.OperationStatusCancelComplete, "", "The request was cancelled"
		case f != nil && f.Code == notUpdatable:
			r.Status, r.Error, r.Message = api.OperationStatusFailed, api.HandlerErrorCodeNotUpdatable, f.Message
		case f != nil:
			r.Status, r.Error, r.Message = api.OperationStatusFailed, handlerCode(f), f.Message
		default:
			message, _, _ := strings.Cut(err.Error(), "\n") // without the stack of a panic
			r.Status, r.Error, r.Message = api.OperationStatusFailed, api.HandlerErrorCodeInternalFailure, message
			if strings.HasPrefix(message, "Model validation failed") {
				r.Error = api.HandlerErrorCodeInvalidRequest
			}
		}
		r.Wanted, r.Patch, r.Others = nil, "", nil // they may hold secrets
		if busy != "" {
			if err := tx.Delete(r.busyKey(r.Type, busy)); err != nil {
				return err
			}
		}
		if err := tx.Delete(r.runningKey(r.Token)); err != nil {
			return err
		}
		return data.Save(tx, r.requestKey(r.Token), r)
	})
}

// handlerRequest is what a resource type is told of a stored request.
func (s *Service) handlerRequest(r *requestRecord, as *call.As) *resource.Request {
	in := call.Incoming{Region: r.Region, Scheme: r.Scheme, Host: r.Host, UserAgent: serviceName}
	who := call.AsIdentity(r.Identity, r.Region).From(in)
	switch {
	case r.Role != "":
		who = call.AsRole(r.Role, "AWSCloudFormation", serviceName, r.Region).From(in)
	case as != nil:
		who = *as
	}
	return &resource.Request{
		Caller: s.d.Caller, As: who, Account: r.Account, Region: r.Region, Type: r.Type, LogicalID: logicalName(r.Type),
		Token: strings.ReplaceAll(r.Token, "-", ""), Name: func(most int) string { return generatedName(r.Type, r.Token, most) },
	}
}

// notUpdatable is the code of a change that would need a new resource.
const notUpdatable = "NotUpdatable"

func (s *Service) do(ctx context.Context, r *requestRecord, t *resource.Type, rq *resource.Request) error {
	switch r.Operation {
	case api.OperationCreate:
		return s.create(ctx, r, t, rq)
	case api.OperationUpdate:
		return s.change(ctx, r, t, rq)
	}
	props, st, err := s.read(ctx, rq, t, r.Identifier)
	if err != nil {
		return err
	}
	if props == nil {
		return notFound(r.Type, r.Identifier)
	}
	return t.DeleteRead(ctx, rq, st.ID, props)
}

func (s *Service) create(ctx context.Context, r *requestRecord, t *resource.Type, rq *resource.Request) error {
	if bad := t.Check(r.Wanted); len(bad) > 0 {
		return invalidModel(bad)
	}
	st, made, err := s.left(ctx, r, t, rq)
	if err != nil {
		return err
	}
	if !made {
		if st, err = t.Create(ctx, rq, r.Wanted); err != nil {
			if f := fault.As(err); st.ID != "" && (f == nil || handlerCode(f) != api.HandlerErrorCodeAlreadyExists) {
				_ = t.Delete(context.WithoutCancel(ctx), rq, st.ID, r.Wanted) // it was made in part: nothing is to stay
			}
			return err
		}
	}
	props := t.Readable(r.Wanted)
	r.Identifier = t.IdentifierOf(st, props)
	if t.Reads() {
		if now, live, err := t.Read(ctx, rq, st.ID, props); err == nil && now != nil {
			props, st = now, live
		}
	}
	r.Identifier, r.Model = t.IdentifierOf(st, props), modelOf(props, st)
	return nil
}

// left finds what an interrupted attempt at a creation made, and completes it.
// Before the first attempt it notes what there is already.
func (s *Service) left(ctx context.Context, r *requestRecord, t *resource.Type, rq *resource.Request) (resource.State, bool, error) {
	if !t.Finds() {
		return resource.State{}, false, nil
	}
	found, err := t.Find(ctx, rq, r.Wanted)
	if err != nil {
		return resource.State{}, false, nil // who may not ask goes without
	}
	if r.Looked {
		for _, st := range found {
			if !slices.Contains(r.Others, st.ID) {
				st, err := t.Adopt(ctx, rq, st, r.Wanted)
				return st, true, err
			}
		}
		return resource.State{}, false, nil
	}
	r.Looked = true
	for _, st := range found {
		r.Others = append(r.Others, st.ID)
	}
	return resource.State{}, false, s.d.Store.Update(ctx, func(tx data.Txn) error {
		now, err := r.request(tx, r.Token)
		if err != nil || now == nil || now.Cancelled {
			return err
		}
		return data.Save(tx, r.requestKey(r.Token), r)
	})
}

func (s *Service) change(ctx context.Context, r *requestRecord, t *resource.Type, rq *resource.Request) error {
	old, st, err := s.read(ctx, rq, t, r.Identifier)
	if err != nil {
		return err
	}
	if old == nil {
		return notFound(r.Type, r.Identifier)
	}
	old = plain(old)
	props, err := applyPatch(old, r.Patch)
	if err != nil {
		return api.InvalidRequestException("Invalid patch document: %s", err.Error())
	}
	if bad := t.CheckRead(props); len(bad) > 0 {
		return invalidModel(bad)
	}
	var changed []string
	for _, p := range t.Properties {
		if !reflect.DeepEqual(old[p.Name], props[p.Name]) {
			changed = append(changed, p.Name)
		}
	}
	if !t.InPlace(changed) {
		sort.Strings(changed)
		return fault.New(notUpdatable, 400, "Invalid patch update: createOnlyProperties [%s] cannot be updated", strings.Join(changed, ", "))
	}
	if st, err = t.Amend(ctx, rq, st.ID, old, props); err != nil {
		return err
	}
	if now, live, err := s.read(ctx, rq, t, r.Identifier); err == nil && now != nil {
		props, st = now, live
	}
	r.Model = modelOf(props, st)
	return nil
}
