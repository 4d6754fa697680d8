package cloudcontrol

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudcontrol"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/kernel/page"
)

func (s *Service) requestBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetResourceRequestStatus, access[api.GetResourceRequestStatusInput]("GetResourceRequestStatus", nil), s.getResourceRequestStatus),
		call.Bind(api.ListResourceRequests, access[api.ListResourceRequestsInput]("ListResourceRequests", nil), s.listResourceRequests),
		call.Bind(api.CancelResourceRequest, access[api.CancelResourceRequestInput]("CancelResourceRequest", nil), s.cancelResourceRequest),
	}
}

// kept is how long requests are remembered.
const kept = 7 * 24 * time.Hour

// accept fills in what all requests have.
func (s *Service) accept(rq *call.Authorized, operation string, t *resource.Type, role *string, client, what string) *requestRecord {
	in, now := rq.Incoming(), s.d.Clock.Now()
	sum := sha256.Sum256([]byte(operation + "\x00" + t.Name + "\x00" + opt.Val(role) + "\x00" + what))
	return &requestRecord{
		V: version, scope: scope{rq.Account(), rq.Region()}, Token: s.d.IDs.UUID(), Client: client, Sum: hex.EncodeToString(sum[:]),
		Operation: operation, Type: t.Name, Role: opt.Val(role), Identity: rq.Identity(), Scheme: in.Scheme, Host: in.Host,
		Status: api.OperationStatusInProgress, Begun: now, At: now,
	}
}

func (s *Service) createResource(ctx context.Context, rq *call.Authorized, in *api.CreateResourceInput) (*api.CreateResourceOutput, error) {
	t, err := s.typeOf(in.TypeName, in.TypeVersionId, "CREATE", func(*resource.Type) bool { return true })
	if err != nil {
		return nil, err
	}
	r := s.accept(rq, api.OperationCreate, t, in.RoleArn, opt.Val(in.ClientToken), opt.Val(in.DesiredState))
	if r.Wanted, err = object(opt.Val(in.DesiredState), "DesiredState"); err != nil {
		return nil, err
	}
	r.Model = modelOf(t.Readable(r.Wanted), resource.State{})
	e, err := s.begin(ctx, rq, r)
	return &api.CreateResourceOutput{ProgressEvent: e}, err
}

func (s *Service) updateResource(ctx context.Context, rq *call.Authorized, in *api.UpdateResourceInput) (*api.UpdateResourceOutput, error) {
	t, err := s.typeOf(in.TypeName, in.TypeVersionId, "UPDATE", func(t *resource.Type) bool { return t.Reads() && t.Updates() })
	if err != nil {
		return nil, err
	}
	patch := opt.Val(in.PatchDocument)
	props, _, err := s.read(ctx, s.request(rq, in.RoleArn, t.Name), t, opt.Val(in.Identifier))
	if err != nil {
		return nil, handled(err)
	}
	if props == nil {
		return nil, notFound(t.Name, opt.Val(in.Identifier))
	}
	if _, err := applyPatch(props, patch); err != nil {
		return nil, api.InvalidRequestException("Invalid patch document: %s", err.Error())
	}
	r := s.accept(rq, api.OperationUpdate, t, in.RoleArn, opt.Val(in.ClientToken), opt.Val(in.Identifier)+"\x00"+patch)
	r.Identifier, r.Patch = identifierText(t, opt.Val(in.Identifier)), patch
	e, err := s.begin(ctx, rq, r)
	return &api.UpdateResourceOutput{ProgressEvent: e}, err
}

func (s *Service) deleteResource(ctx context.Context, rq *call.Authorized, in *api.DeleteResourceInput) (*api.DeleteResourceOutput, error) {
	t, err := s.typeOf(in.TypeName, in.TypeVersionId, "DELETE", (*resource.Type).Reads)
	if err != nil {
		return nil, err
	}
	r := s.accept(rq, api.OperationDelete, t, in.RoleArn, opt.Val(in.ClientToken), opt.Val(in.Identifier))
	r.Identifier = identifierText(t, opt.Val(in.Identifier))
	e, err := s.begin(ctx, rq, r)
	return &api.DeleteResourceOutput{ProgressEvent: e}, err
}

// begin stores a request and starts it, or finds the one that it repeats.
func (s *Service) begin(ctx context.Context, rq *call.Authorized, r *requestRecord) (*api.ProgressEvent, error) {
	var same *requestRecord
	err := s.d.Store.Update(ctx, func(tx data.Txn) error {
		same = nil
		if r.Client != "" {
			b, ok, err := tx.Get(r.clientKey(r.Client))
			if err != nil {
				return err
			}
			if ok {
				if same, err = r.request(tx, string(b)); err != nil {
					return err
				}
			}
			if same != nil && r.Begun.Sub(same.Begun) < kept {
				if same.Sum != r.Sum {
					return api.ClientTokenConflictException("The client token %s was used with another request", r.Client)
				}
				return nil
			}
			same = nil
			if err := tx.Put(r.clientKey(r.Client), []byte(r.Token)); err != nil {
				return err
			}
		}
		if r.Identifier != "" {
			if _, busy, err := tx.Get(r.busyKey(r.Type, r.Identifier)); err != nil || busy {
				if err == nil {
					err = api.ConcurrentOperationException("Another request on the resource %s is in progress", r.Identifier)
				}
				return err
			}
			if err := tx.Put(r.busyKey(r.Type, r.Identifier), []byte(r.Token)); err != nil {
				return err
			}
		}
		if err := s.forget(tx, r.scope); err != nil {
			return err
		}
		if err := tx.Put(r.runningKey(r.Token), []byte{1}); err != nil {
			return err
		}
		return data.Save(tx, r.requestKey(r.Token), r)
	})
	if err != nil {
		return nil, err
	}
	if same != nil {
		return same.event(), nil
	}
	as := rq.As()
	done := s.launch(r.scope, r.Token, &as)
	if s.d.Linger > 0 {
		select {
		case <-done:
		case <-s.d.Clock.After(s.d.Linger):
		case <-ctx.Done():
		}
	}
	now := r
	err = s.d.Store.View(ctx, func(rd data.Reader) error {
		x, err := r.request(rd, r.Token)
		if x != nil {
			now = x
		}
		return err
	})
	return now.event(), err
}

// forget removes the requests that ended long ago.
func (s *Service) forget(tx data.Txn, sc scope) error {
	prefix := sc.key("request")
	for p, err := range tx.Scan(prefix, data.PrefixEnd(prefix), false) {
		if err != nil {
			return err
		}
		var old requestRecord
		if err := decode(p.Value, &old); err != nil {
			return err
		}
		if ended(old.Status) && s.d.Clock.Now().Sub(old.At) > kept {
			if err := tx.Delete(p.Key); err != nil {
				return err
			}
			if old.Client != "" {
				if err := tx.Delete(sc.clientKey(old.Client)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ended reports a status in which nothing more happens.
func ended(status string) bool {
	return status == api.OperationStatusSuccess || status == api.OperationStatusFailed || status == api.OperationStatusCancelComplete
}

func (r *requestRecord) event() *api.ProgressEvent {
	return &api.ProgressEvent{
		TypeName: new(r.Type), Identifier: opt.NonZero(r.Identifier), RequestToken: new(r.Token), Operation: new(r.Operation), OperationStatus: new(r.Status),
		EventTime: new(r.At), ResourceModel: opt.NonZero(r.Model), StatusMessage: opt.NonZero(r.Message), ErrorCode: opt.NonZero(r.Error),
	}
}

func (s *Service) getResourceRequestStatus(ctx context.Context, rq *call.Authorized, in *api.GetResourceRequestStatusInput) (*api.GetResourceRequestStatusOutput, error) {
	sc, token := scope{rq.Account(), rq.Region()}, opt.Val(in.RequestToken)
	var r *requestRecord
	err := s.d.Store.View(ctx, func(rd data.Reader) (err error) {
		r, err = sc.request(rd, token)
		return err
	})
	if err == nil && r == nil {
		err = api.RequestTokenNotFoundException("Request with token %s was not found", token)
	}
	if err != nil {
		return nil, err
	}
	return &api.GetResourceRequestStatusOutput{ProgressEvent: r.event()}, nil
}

func (s *Service) listResourceRequests(ctx context.Context, rq *call.Authorized, in *api.ListResourceRequestsInput) (*api.ListResourceRequestsOutput, error) {
	sc, out := scope{rq.Account(), rq.Region()}, &api.ListResourceRequestsOutput{ResourceRequestStatusSummaries: []api.ProgressEvent{}}
	after, err := page.After(opt.Val(in.NextToken))
	if err != nil {
		return nil, api.InvalidRequestException("Invalid NextToken")
	}
	wanted := func(list []string, s string) bool {
		for _, x := range list {
			if x == s {
				return true
			}
		}
		return len(list) == 0
	}
	f := opt.Val(in.ResourceRequestStatusFilter)
	err = s.d.Store.View(ctx, func(rd data.Reader) error {
		from, prefix := sc.key("request"), sc.key("request")
		if after != "" {
			from = append(sc.requestKey(after), 0)
		}
		for p, err := range rd.Scan(from, data.PrefixEnd(prefix), false) {
			if err != nil {
				return err
			}
			var r requestRecord
			if err := decode(p.Value, &r); err != nil {
				return err
			}
			if !wanted(f.Operations, r.Operation) || !wanted(f.OperationStatuses, r.Status) || s.d.Clock.Now().Sub(r.At) > kept {
				continue
			}
			if n := len(out.ResourceRequestStatusSummaries); n == int(opt.Or(in.MaxResults, 20)) {
				out.NextToken = new(page.Token(*out.ResourceRequestStatusSummaries[n-1].RequestToken))
				return nil
			}
			out.ResourceRequestStatusSummaries = append(out.ResourceRequestStatusSummaries, *r.event())
		}
		return nil
	})
	return out, err
}

func (s *Service) cancelResourceRequest(ctx context.Context, rq *call.Authorized, in *api.CancelResourceRequestInput) (*api.CancelResourceRequestOutput, error) {
	sc, token := scope{rq.Account(), rq.Region()}, opt.Val(in.RequestToken)
	var r *requestRecord
	err := s.d.Store.Update(ctx, func(tx data.Txn) (err error) {
		if r, err = sc.request(tx, token); err != nil {
			return err
		}
		switch {
		case r == nil:
			return api.RequestTokenNotFoundException("Request with token %s was not found", token)
		case ended(r.Status):
			return api.ConcurrentModificationException("Request %s has ended as %s and cannot be cancelled", token, r.Status)
		}
		r.Status, r.Cancelled, r.At = api.OperationStatusCancelInProgress, true, s.d.Clock.Now()
		return data.Save(tx, sc.requestKey(token), r)
	})
	if err != nil {
		return nil, err
	}
	s.plane.cancelJob(token)
	return &api.CancelResourceRequestOutput{ProgressEvent: r.event()}, nil
}

// generatedName makes the name of a resource that was given none.
func generatedName(kind, token string, most int) string {
	h := sha256.Sum256([]byte(token))
	name := fmt.Sprintf("%s-%s", logicalName(kind), hex.EncodeToString(h[:8]))
	return name[max(0, len(name)-most):]
}

// logicalName is what stands for the logical id: the type's last part.
func logicalName(kind string) string {
	for i := len(kind) - 1; i >= 0; i-- {
		if kind[i] == ':' {
			return kind[i+1:]
		}
	}
	return kind
}

// plain turns numbers of any kind into those of JSON.
func plain(props map[string]any) map[string]any {
	b, err := json.Marshal(props)
	if err != nil {
		return props
	}
	var out map[string]any
	if json.Unmarshal(b, &out) != nil {
		return props
	}
	return out
}
