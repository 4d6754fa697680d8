package cloudformation

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	"github.com/tierra-cloud/tierra/internal/data/background"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// parallel is how many resources of one stack are worked on at a time.
const parallel = 32

// plane runs the stack operations.
type plane struct {
	*background.Runner

	mu   sync.Mutex
	jobs map[string]<-chan struct{} // by stack id; closed at the end
	// runs are the updates that can be cancelled, by stack id.
	runs map[string]*run
	// left is what interrupted creations had made, by stack and logical id, as
	// found at the start.
	left map[[2]string]resource.State
	// signals wake who waits for signals, by stack and logical id.
	signals map[[2]string]chan struct{}
}

func (p *plane) init() {
	p.Runner = background.New()
	p.jobs, p.runs, p.left = map[string]<-chan struct{}{}, map[string]*run{}, map[[2]string]resource.State{}
}

// Stop implements call.Worker. Operations that are under way stop between two
// steps and go on at the next start.
func (s *Service) Stop(ctx context.Context) error { return s.plane.Stop(ctx) }

// launch carries on with a stack's operation in the background. as is who it
// acts as; nil takes the stored one.
func (s *Service) launch(sc scope, id string, as *call.As) <-chan struct{} {
	return s.spawn(id, false, func(ctx context.Context) error { return s.operate(ctx, sc, id, as) })
}

// spawn carries out an operation in the background, under the id of what it works on. join
// takes what runs under the id already for the same.
func (s *Service) spawn(id string, join bool, operate func(context.Context) error) <-chan struct{} {
	p := &s.plane
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.jobs[id]; join && now != nil {
		return now
	}
	var done <-chan struct{}
	done = p.Go(func(ctx context.Context) {
		// An error of the store leaves the operation for the next start.
		_ = operate(ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.jobs[id] == done {
			delete(p.jobs, id)
		}
	})
	p.jobs[id] = done
	return done
}

// Wait returns once no stack operation is under way, or with ctx's error.
func (s *Service) Wait(ctx context.Context) error { return s.plane.Wait(ctx) }

// linger waits a moment for the end of an operation.
func (s *Service) linger(ctx context.Context, done <-chan struct{}) {
	if s.d.Linger <= 0 {
		return
	}
	select {
	case <-done:
	case <-s.d.Clock.After(s.d.Linger):
	case <-ctx.Done():
	}
}

// resume takes up what the last run left.
func (s *Service) resume(ctx context.Context) error {
	all, err := background.Left(ctx, s.d.Store, runningPrefix())
	if err != nil {
		return err
	}
	var half []broken
	for _, l := range all {
		b, err := s.broken(ctx, scope{l.Account, l.Region}, l.ID)
		if err != nil {
			return err
		}
		half = append(half, b...)
	}
	s.search(ctx, half)
	for _, l := range all {
		s.launch(scope{l.Account, l.Region}, l.ID, nil)
	}
	return nil
}

// run is a stack operation under way.
type run struct {
	s    *Service
	sc   scope
	as   call.As
	spec *specRecord
	// tagsChanged says that the stack's tags are not those that its resources have.
	tagsChanged bool
	plan        *plan

	mu   sync.Mutex
	st   *stackRecord
	recs map[string]*resourceRecord
	seq  int64     // of the latest event
	last time.Time // when that was said to be
	late bool      // the operation's time is over
	// failing ends when a resource has failed, or the update was cancelled; fail
	// ends it. halted says that the update was cancelled.
	failing context.Context
	fail    context.CancelFunc
	halted  bool
}

// operate drives a stack from phase to phase until its operation has ended. The
// status is the phase, so that this is also how an operation is resumed.
func (s *Service) operate(ctx context.Context, sc scope, id string, as *call.As) error {
	r, err := s.open(ctx, sc, id, as)
	if err != nil || r == nil {
		return err
	}
	for ctx.Err() == nil {
		var err error
		switch r.st.Status {
		case api.StackStatusCreateInProgress, api.StackStatusUpdateInProgress:
			err = r.forward(ctx)
		case api.StackStatusRollbackInProgress:
			err = r.rollbackCreate(ctx)
		case api.StackStatusUpdateRollbackInProgress:
			err = r.rollbackUpdate(ctx)
		case api.StackStatusUpdateCompleteCleanupInProgress, api.StackStatusUpdateRollbackCompleteCleanupInProgress:
			err = r.cleanup(ctx)
		case api.StackStatusImportInProgress:
			err = r.importAll(ctx)
		case api.StackStatusImportRollbackInProgress:
			err = r.importBack(ctx)
		case api.StackStatusDeleteInProgress:
			err = r.removeStack(ctx)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// open reads a stack to work on; nil if there is none.
func (s *Service) open(ctx context.Context, sc scope, id string, as *call.As) (*run, error) {
	r := &run{s: s, sc: sc}
	err := s.view(ctx, func(rd data.Reader) (err error) {
		if r.st, err = get[stackRecord](rd, sc.stackKey(id)); err != nil || r.st == nil {
			return err
		}
		if r.recs, err = sc.resources(rd, id); err != nil {
			return err
		}
		r.seq, r.last, err = sc.lastEvent(rd, id)
		return err
	})
	if err != nil || r.st == nil {
		return nil, err
	}
	r.as = s.principal(r.st, as)
	return r, nil
}

// principal is who an operation's calls are made as.
func (s *Service) principal(st *stackRecord, as *call.As) call.As {
	c := &st.Op.Caller
	in := call.Incoming{Region: st.Region, Scheme: c.Scheme, Host: c.Host, UserAgent: serviceName}
	switch {
	case c.Role != "":
		return call.AsRole(c.Role, "AWSCloudFormation", serviceName, st.Region).From(in)
	case as != nil:
		return *as
	}
	return call.AsIdentity(c.Identity, st.Region).From(in)
}

// load reads the specification that the stack is to have and makes its plan.
func (r *run) load(ctx context.Context, spec string) error {
	var now, prior *specRecord
	err := r.s.view(ctx, func(rd data.Reader) (err error) {
		if r.spec, err = get[specRecord](rd, r.sc.specKey(r.st.ID, spec)); err != nil || r.st.Prior == "" {
			return err
		}
		if now, err = get[specRecord](rd, r.sc.specKey(r.st.ID, r.st.Spec)); err != nil {
			return err
		}
		prior, err = get[specRecord](rd, r.sc.specKey(r.st.ID, r.st.Prior))
		return err
	})
	if err != nil {
		return err
	}
	if r.spec == nil {
		return fmt.Errorf("cloudformation: the specification of %s is gone", r.st.ID)
	}
	r.tagsChanged = now != nil && prior != nil && !sameTags(prior.Tags, now.Tags)
	r.plan, err = r.s.plan(ctx, r.sc, r.spec, nil, r.st.Name, r.st.ID)
	return err
}

func sameTags(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// finished reports a status in which no operation is under way.
func finished(status string) bool { return !strings.HasSuffix(status, "_IN_PROGRESS") }

// to brings the stack into a status and writes the event.
func (r *run) to(ctx context.Context, status, reason string, also func(data.Txn) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.st.Status, r.st.Reason = status, reason
	switch status {
	case api.StackStatusRollbackInProgress, api.StackStatusUpdateRollbackInProgress, api.StackStatusImportRollbackInProgress:
		r.st.Op.back(r.s.d.IDs.UUID(), api.OperationTypeRollback)
	}
	seq, at := r.seq+1, after(r.last, r.s.d.Clock.Now())
	err := r.s.d.Store.Update(ctx, func(tx data.Txn) error {
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		if finished(status) {
			if err := tx.Delete(r.sc.runningKey(r.st.ID)); err != nil {
				return err
			}
			if err := tx.Delete(r.sc.cancelKey(r.st.ID)); err != nil {
				return err
			}
			asked := r.sc.key("asked", r.st.ID)
			for p, err := range tx.Scan(asked, data.PrefixEnd(asked), false) {
				if err != nil {
					return err
				}
				if err := tx.Delete(p.Key); err != nil {
					return err
				}
			}
		}
		if err := put(tx, r.sc.stackKey(r.st.ID), r.st); err != nil {
			return err
		}
		return r.s.stackEvent(tx, r.st, seq, at)
	})
	if err == nil {
		r.seq, r.last = seq, at
	}
	return err
}

// stackEvent writes the event of a stack's own status.
func (s *Service) stackEvent(tx data.Txn, st *stackRecord, seq int64, at time.Time) error {
	op, kind := st.Op.going()
	return put(tx, st.eventKey(st.ID, seq), &eventRecord{
		ID: s.d.IDs.UUID(), Logical: st.Name, Physical: st.ID, Type: "AWS::CloudFormation::Stack",
		Status: st.Status, Reason: st.Reason, Token: st.Op.Token, Op: op, Kind: kind, At: at,
	})
}

// save writes a resource's record and events of it: status and reason in turns.
func (r *run) save(ctx context.Context, rec *resourceRecord, events ...eventRecord) error {
	r.mu.Lock()
	r.recs[rec.ID] = rec
	from := r.seq + 1
	r.seq += int64(len(events))
	now := r.s.d.Clock.Now()
	for i := range events {
		r.last = after(r.last, now)
		events[i].At = r.last
	}
	r.mu.Unlock()
	rec.Updated = now
	mask := r.mask()
	return r.s.d.Store.Update(ctx, func(tx data.Txn) error {
		for i := range events {
			e := events[i]
			e.ID = fmt.Sprintf("%s-%s-%s-%d", rec.ID, e.Status, e.At.UTC().Format("2006-01-02T15:04:05.000Z"), from+int64(i))
			e.Logical, e.Token = rec.ID, r.st.Op.Token
			e.Op, e.Kind = r.st.Op.going()
			if e.Type == "" {
				e.Type = rec.Type
			}
			e.Properties = mask.Replace(e.Properties)
			if err := put(tx, r.sc.eventKey(r.st.ID, from+int64(i)), &e); err != nil {
				return err
			}
		}
		return put(tx, r.sc.resourceKey(r.st.ID, rec.ID), rec)
	})
}

// mask hides the secrets in the properties that events show: attributes of custom
// resources that say so.
func (r *run) mask() *strings.Replacer {
	var pairs []string
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.recs {
		if !rec.NoEcho {
			continue
		}
		for _, v := range rec.Attributes {
			if text, ok := template.Text(v); ok && text != "" {
				quoted := template.JSON(text)
				pairs = append(pairs, quoted[1:len(quoted)-1], hidden)
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

// rec returns a copy of a resource's record, nil if there is none.
func (r *run) rec(id string) *resourceRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.recs[id]; rec != nil {
		c := *rec
		return &c
	}
	return nil
}

// live is what the resources give while the operation runs.
func (r *run) live() intrinsic.Resources {
	return &view{plan: r.plan, seen: map[string]bool{}, known: func(id string) *existing {
		if rec := r.rec(id); rec != nil && rec.Physical != "" {
			return &rec.existing
		}
		return nil
	}}
}

// failure notes that a resource failed; ids come out sorted in the reason.
func (r *run) failure(ids ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.st.Op.Failed = append(r.st.Op.Failed, ids...)
	if r.fail != nil { // there are further steps to be broken off
		r.fail()
	}
}

// failedWords is how the reasons of stack events name what failed.
func (r *run) failedWords() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	by := map[string][]string{}
	for _, id := range r.st.Op.Failed {
		verb := "create"
		if rec := r.recs[id]; rec != nil && strings.HasPrefix(rec.Status, "UPDATE") {
			verb = "update"
		}
		by[verb] = append(by[verb], id)
	}
	text := ""
	for _, verb := range []string{"create", "update"} {
		if ids := by[verb]; len(ids) > 0 {
			sort.Strings(ids)
			text += "The following resource(s) failed to " + verb + ": [" + strings.Join(ids, ", ") + "]. "
		}
	}
	return text
}
