package cloudformation

import (
	"context"
	"fmt"
	"sync"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
)

// Operations on stack sets run in the background. What became of each target is in its
// record, so that one that was interrupted goes on where it stood.

// scheduleSet starts those operations of a stack set that no earlier one is in the way
// of. It returns what is closed at the end of the operation want, nil if that waits.
func (s *Service) scheduleSet(ctx context.Context, sc scope, id, want string) (done <-chan struct{}) {
	var ready []*setOperation
	err := s.d.Store.Update(ctx, func(tx data.Txn) error {
		ready = nil
		open, err := sc.openSetOps(tx, id)
		if err != nil {
			return err
		}
		for n, op := range open {
			if op.Status == api.StackSetOperationStatusQueued {
				targets, err := list[resultRecord](tx, sc.results(id, op.Seq))
				if err != nil {
					return err
				}
				at := make([]target, len(targets))
				for i, t := range targets {
					at[i] = t.target
				}
				waits := false
				for _, earlier := range open[:n] {
					waits = waits || conflict(tx, sc, earlier, at)
				}
				if waits {
					continue
				}
				op.Status = api.StackSetOperationStatusRunning
				if err := put(tx, sc.setOpKey(id, op.Seq), op); err != nil {
					return err
				}
			}
			ready = append(ready, op)
		}
		return nil
	})
	if err != nil {
		return nil // the next start takes it up
	}
	for _, op := range ready {
		ended := s.spawn(id+"/"+padded(op.Seq), true, func(ctx context.Context) error { return s.operateSet(ctx, sc, id, op.Seq) })
		if op.ID == want {
			done = ended
		}
	}
	return done
}

// resumeSets takes up the operations on stack sets that the last run left.
func (s *Service) resumeSets(ctx context.Context) error {
	type left struct {
		scope
		id string
	}
	all := map[left]bool{}
	err := s.view(ctx, func(rd data.Reader) error {
		for p, err := range rd.Scan(setRunningPrefix(), data.PrefixEnd(setRunningPrefix()), false) {
			if err != nil {
				return err
			}
			if parts, ok := data.Parts(p.Key); ok && len(parts) == 5 {
				all[left{scope{parts[1], parts[2]}, parts[3]}] = true
			}
		}
		return nil
	})
	for l := range all {
		s.scheduleSet(ctx, l.scope, l.id, "")
	}
	return err
}

// setRun is an operation on a stack set under way.
type setRun struct {
	s    *Service
	sc   scope
	set  *setRecord
	op   *setOperation
	spec *setSpec
}

// operateSet carries out an operation, from where it stands to its end, and starts those
// that waited for it.
func (s *Service) operateSet(ctx context.Context, sc scope, id string, seq int64) error {
	r := &setRun{s: s, sc: sc}
	by := map[string][]*resultRecord{}
	err := s.view(ctx, func(rd data.Reader) (err error) {
		if r.op, err = get[setOperation](rd, sc.setOpKey(id, seq)); err != nil || r.op == nil || r.op.ended() {
			return err
		}
		if r.set, err = get[setRecord](rd, sc.setKey(id)); err != nil {
			return err
		}
		if r.spec, err = get[setSpec](rd, sc.setSpecKey(id, r.op.Spec)); err != nil {
			return err
		}
		all, err := list[resultRecord](rd, sc.results(id, seq))
		for _, t := range all {
			by[t.Region] = append(by[t.Region], t)
		}
		return err
	})
	if err != nil || r.op == nil || r.op.ended() {
		return err
	}
	if r.set == nil || r.spec == nil {
		return fmt.Errorf("cloudformation: what the operation %s of %s needs is gone", r.op.ID, id)
	}
	exceeded, err := r.regions(ctx, by)
	if err != nil {
		return err
	}
	if err := r.finish(ctx, exceeded); err != nil {
		return err
	}
	s.scheduleSet(ctx, sc, id, "")
	return nil
}

// regions goes through the regions, and reports whether too many accounts failed in one.
func (r *setRun) regions(ctx context.Context, by map[string][]*resultRecord) (exceeded bool, err error) {
	if r.op.Prefs.Concurrency != api.RegionConcurrencyTypeParallel {
		for _, region := range r.op.Regions {
			if exceeded, err = r.region(ctx, by[region]); exceeded || err != nil {
				return exceeded, err
			}
		}
		return false, nil
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, region := range r.op.Regions {
		wg.Go(func() {
			over, e := r.region(ctx, by[region])
			mu.Lock()
			defer mu.Unlock()
			exceeded = exceeded || over
			if err == nil {
				err = e
			}
		})
	}
	wg.Wait()
	return exceeded, err
}

// region goes through the accounts of one region, as many at a time as the preferences
// allow.
func (r *setRun) region(ctx context.Context, all []*resultRecord) (exceeded bool, err error) {
	type outcome struct {
		failed bool
		err    error
	}
	q, failed, running := r.op.Prefs.quota(len(all)), 0, 0
	done := make(chan outcome, len(all))
	begin := func(t target) {
		running++
		go func() {
			f, err := r.one(ctx, t)
			done <- outcome{f, err}
		}()
	}
	var todo []target
	for _, t := range all {
		switch t.Status {
		case api.StackSetOperationResultStatusFailed:
			failed++
		case api.StackSetOperationResultStatusRunning: // before the last start
			begin(t.target)
		case api.StackSetOperationResultStatusPending:
			todo = append(todo, t.target)
		}
	}
	for {
		for len(todo) > 0 && err == nil && q.room(running, failed) > 0 {
			stopped := false
			if stopped, err = r.stopping(ctx); stopped || err != nil {
				todo = nil
				break
			}
			begin(todo[0])
			todo = todo[1:]
		}
		if running == 0 {
			return q.exceeded(failed), err
		}
		o := <-done
		running--
		if o.failed {
			failed++
		}
		if err == nil {
			err = o.err
		}
	}
}

// stopping reports whether the operation is to begin nothing more.
func (r *setRun) stopping(ctx context.Context) (is bool, err error) {
	err = r.s.view(ctx, func(rd data.Reader) error {
		op, err := get[setOperation](rd, r.sc.setOpKey(r.set.ID, r.op.Seq))
		is = op != nil && op.Status == api.StackSetOperationStatusStopping
		return err
	})
	return is, err
}

// one carries the operation out at one target. It returns an error only if it is to be
// done again at the next start.
func (r *setRun) one(ctx context.Context, t target) (failed bool, err error) {
	key := r.sc.instanceKey(r.set.ID, t)
	var i *instanceRecord
	res := &resultRecord{V: version, target: t, Status: api.StackSetOperationResultStatusRunning}
	err = r.s.d.Store.Update(ctx, func(tx data.Txn) (err error) {
		if i, err = get[instanceRecord](tx, key); err != nil {
			return err
		}
		if i != nil {
			i.Detail, i.Op, i.Reason = api.StackInstanceDetailedStatusRunning, r.op.ID, ""
			if err := put(tx, key, i); err != nil {
				return err
			}
		}
		return put(tx, r.sc.resultKey(r.set.ID, r.op.Seq, t), res)
	})
	if err != nil {
		return false, err
	}
	e := effect{}
	if i == nil { // an operation that came before took it away
		if r.op.Action != api.StackSetOperationActionDelete {
			e.reason = said(noInstance(r.set.ID, t))
		}
	} else if e, err = r.act(ctx, i, res); err != nil {
		return false, err
	}
	if ctx.Err() != nil {
		return false, ctx.Err() // whatever failed, that may be why
	}
	res.Status, res.Reason = api.StackSetOperationResultStatusSucceeded, e.reason
	if e.reason != "" {
		res.Status = api.StackSetOperationResultStatusFailed
	}
	return e.reason != "", r.s.d.Store.Update(ctx, func(tx data.Txn) error {
		if err := put(tx, r.sc.resultKey(r.set.ID, r.op.Seq, t), res); err != nil || i == nil {
			return err
		}
		if e.gone {
			return r.forget(tx, i)
		}
		set, err := get[setRecord](tx, r.sc.setKey(r.set.ID))
		if err != nil {
			return err
		}
		r.settle(i, set, e)
		if e.drifts != nil {
			if err := r.noteDrifts(tx, t, e.drifts); err != nil {
				return err
			}
		}
		return put(tx, key, i)
	})
}

// effect is what an operation did to an instance.
type effect struct {
	reason string // why it failed, "" if it did not
	gone   bool   // the set has the instance no more
	broken bool   // its stack can be worked on no more
	// differs says that the stack is not all that the stack set says.
	differs bool
	drifts  []setDriftRecord
}

// settle writes an effect into an instance's record.
func (r *setRun) settle(i *instanceRecord, set *setRecord, e effect) {
	i.Detail, i.Reason = api.StackInstanceDetailedStatusSucceeded, e.reason
	switch {
	case e.broken:
		i.Status, i.Detail = api.StackInstanceStatusInoperable, api.StackInstanceDetailedStatusInoperable
	case e.reason != "":
		i.Detail = api.StackInstanceDetailedStatusFailed
	case r.op.Action == api.StackSetOperationActionDetectDrift:
	case set.Spec == r.op.Spec && !e.differs:
		i.Status = api.StackInstanceStatusCurrent
	default: // the stack set has been changed meanwhile
		i.Status = api.StackInstanceStatusOutdated
	}
}

// forget takes an instance out of the set.
func (r *setRun) forget(tx data.Txn, i *instanceRecord) error {
	if i.Stack != "" {
		if err := tx.Delete(memberKey(i.Stack)); err != nil {
			return err
		}
	}
	if err := clearAll(tx, r.sc.setDrifts(r.set.ID, i.target)); err != nil {
		return err
	}
	return tx.Delete(r.sc.instanceKey(r.set.ID, i.target))
}

// Why targets were left out.
const (
	cancelledByFailures = "Cancelled since failure tolerance has exceeded"
	cancelledByStop     = "Cancelled since the operation was stopped"
)

// finish ends the operation.
func (r *setRun) finish(ctx context.Context, exceeded bool) error {
	return r.s.d.Store.Update(ctx, func(tx data.Txn) error {
		op, err := get[setOperation](tx, r.sc.setOpKey(r.set.ID, r.op.Seq))
		if err != nil {
			return err
		}
		stopped := op.Status == api.StackSetOperationStatusStopping
		results, err := list[resultRecord](tx, r.sc.results(r.set.ID, op.Seq))
		if err != nil {
			return err
		}
		op.Failed = 0
		for _, res := range results {
			switch res.Status {
			case api.StackSetOperationResultStatusFailed:
				op.Failed++
			case api.StackSetOperationResultStatusPending:
				if err := r.cancel(tx, res, stopped); err != nil {
					return err
				}
			}
		}
		op.Ended, op.Status = r.s.d.Clock.Now(), api.StackSetOperationStatusSucceeded
		switch {
		case stopped:
			op.Status = api.StackSetOperationStatusStopped
		case exceeded:
			op.Status = api.StackSetOperationStatusFailed
		}
		if op.Action == api.StackSetOperationActionDetectDrift {
			if err := r.countDrift(tx, op, results); err != nil {
				return err
			}
		}
		if err := put(tx, r.sc.setOpKey(r.set.ID, op.Seq), op); err != nil {
			return err
		}
		if err := tx.Delete(r.sc.setRunningKey(r.set.ID, op.Seq)); err != nil {
			return err
		}
		return r.prune(tx)
	})
}

// cancel notes that a target was left out.
func (r *setRun) cancel(tx data.Txn, res *resultRecord, stopped bool) error {
	res.Status, res.Reason = api.StackSetOperationResultStatusCancelled, cancelledByFailures
	if stopped {
		res.Reason = cancelledByStop
	}
	if err := put(tx, r.sc.resultKey(r.set.ID, r.op.Seq, res.target), res); err != nil {
		return err
	}
	key := r.sc.instanceKey(r.set.ID, res.target)
	i, err := get[instanceRecord](tx, key)
	if err != nil || i == nil || i.Op != r.op.ID {
		return err
	}
	if r.op.Import != nil {
		return r.forget(tx, i)
	}
	i.Detail, i.Reason = api.StackInstanceDetailedStatusCancelled, res.Reason
	return put(tx, key, i)
}

// prune deletes the versions of what the stacks are made of that nothing needs any more.
func (r *setRun) prune(tx data.Txn) error {
	set, err := get[setRecord](tx, r.sc.setKey(r.set.ID))
	if err != nil {
		return err
	}
	open, err := r.sc.openSetOps(tx, r.set.ID)
	if err != nil {
		return err
	}
	least := set.Spec
	for _, op := range open {
		least = min(least, op.Spec)
	}
	for p, err := range tx.Scan(r.sc.key("setspec", set.ID), r.sc.setSpecKey(set.ID, least), false) {
		if err != nil {
			return err
		}
		if err := tx.Delete(p.Key); err != nil {
			return err
		}
	}
	return nil
}

// origin is where the calls of the operation come from.
func (r *setRun) origin(region string) call.Incoming {
	return call.Incoming{Region: region, Scheme: r.op.Scheme, Host: r.op.Host, UserAgent: serviceName}
}
