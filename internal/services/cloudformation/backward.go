package cloudformation

import (
	"context"
	"slices"
	"sort"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/graph"
)

// rollbackCreate removes what a creation made before it failed.
func (r *run) rollbackCreate(ctx context.Context) error {
	failed, err := r.removeAll(ctx, nil, r.st.Op.DeleteRetained)
	if err != nil {
		return err
	}
	if len(failed) > 0 {
		return r.to(ctx, api.StackStatusRollbackFailed, failedToDelete(failed), nil)
	}
	return r.to(ctx, api.StackStatusRollbackComplete, "", nil)
}

func failedToDelete(ids []string) string {
	return "The following resource(s) failed to delete: [" + strings.Join(ids, ", ") + "]. "
}

// removeStack removes all that a stack has, and the stack.
func (r *run) removeStack(ctx context.Context) error {
	failed, err := r.removeAll(ctx, r.st.Op.Retain, false)
	if err != nil {
		return err
	}
	if len(failed) > 0 {
		return r.to(ctx, api.StackStatusDeleteFailed, failedToDelete(failed), nil)
	}
	r.st.Deleted = r.s.d.Clock.Now()
	return r.to(ctx, api.StackStatusDeleteComplete, "", func(tx data.Txn) error {
		if err := r.publish(tx, r.st.Outputs, nil); err != nil {
			return err
		}
		sets, err := list[changeSetRecord](tx, r.sc.key("changeset", r.st.ID))
		if err != nil {
			return err
		}
		for _, c := range sets {
			if err := r.sc.dropNested(tx, c); err != nil {
				return err
			}
		}
		for _, kind := range []string{"changeset", "drift"} {
			below := r.sc.key(kind, r.st.ID)
			for p, err := range tx.Scan(below, data.PrefixEnd(below), false) {
				if err != nil {
					return err
				}
				if err := tx.Delete(p.Key); err != nil {
					return err
				}
			}
		}
		return tx.Delete(r.sc.nameKey(r.st.Name))
	})
}

// removeAll removes all resources but those to retain, each after what depends
// on it. It returns what could not be removed, sorted.
func (r *run) removeAll(ctx context.Context, retain []string, alsoRetained bool) ([]string, error) {
	g := graph.Graph{}
	for id, rec := range r.recs {
		if rec.Status != api.ResourceStatusDeleteComplete && rec.Status != api.ResourceStatusDeleteSkipped {
			g[id] = nil
		}
	}
	for id := range g {
		for _, d := range r.recs[id].DependsOn {
			if _, ok := g[d]; ok {
				g[id] = append(g[id], d)
			}
		}
	}
	return r.reverse(ctx, g, func(id string) (bool, error) {
		rec := r.rec(id)
		x := rec.existing
		if contains(retain, id) {
			x.Deletion = "Retain"
		}
		if alsoRetained && x.Deletion != "" {
			x.Deletion = "RetainExceptOnCreate"
		}
		for _, old := range rec.leftovers() {
			if ok, err := r.remove(ctx, rec, &old, old.Deletion == "Retain" || old.Replacement == "Retain"); !ok || err != nil {
				return ok, err
			}
		}
		ok, err := r.remove(ctx, rec, &x, x.Deletion == "Retain" || x.Deletion == "RetainExceptOnCreate" && r.st.Op.Kind != "create")
		if !ok && err == nil && r.st.Op.Force {
			return r.remove(ctx, r.rec(id), &x, true)
		}
		return ok, err
	})
}

// leftovers are what the resource was, or was to be, in updates that have not ended.
func (rec *resourceRecord) leftovers() []existing {
	out := slices.Clone(rec.Also)
	for _, x := range []*existing{rec.Before, rec.Discard} {
		if x != nil && x.Physical != "" && x.Physical != rec.Physical {
			out = append(out, *x)
		}
	}
	return out
}

// reverse walks a graph of dependencies backwards and collects what failed.
func (r *run) reverse(ctx context.Context, g graph.Graph, f func(id string) (bool, error)) ([]string, error) {
	var failed []string
	var lost error
	g.Reverse().Walk(parallel, func(id string) graph.Verdict {
		if ctx.Err() != nil {
			return graph.Halt
		}
		ok, err := f(id)
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case err != nil:
			lost = err
			return graph.Halt
		case !ok:
			failed = append(failed, id)
			return graph.Held
		}
		return graph.Done
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	sort.Strings(failed)
	return failed, lost
}

// remove removes x, which is or was rec's resource. The error is the store's.
func (r *run) remove(ctx context.Context, rec *resourceRecord, x *existing, keep bool) (bool, error) {
	own := rec.Physical == x.Physical
	if _, imported := r.st.Op.Import[rec.ID]; imported && own {
		keep = true // it was there before
	}
	status := func(s, reason string) error {
		c := *r.rec(rec.ID)
		if own {
			c.Status, c.Reason = s, reason
		}
		return r.save(ctx, &c, eventRecord{Physical: x.Physical, Type: x.Type, Status: s, Reason: reason})
	}
	if x.Physical == "" && own {
		if found, ok := r.unnoticed(ctx, rec); ok {
			x.Physical, rec.Physical = found.ID, found.ID
			if err := r.save(ctx, rec); err != nil {
				return false, err
			}
		}
	}
	switch {
	case x.Physical == "": // it was never made
		return true, status(api.ResourceStatusDeleteComplete, "")
	case keep:
		return true, status(api.ResourceStatusDeleteSkipped, "")
	}
	if err := status(api.ResourceStatusDeleteInProgress, ""); err != nil {
		return false, err
	}
	var err error
	if t := r.s.types().of(x.Type); t != nil {
		err = t.Delete(ctx, r.request(rec.ID, x.Type, "delete"), x.Physical, x.Properties)
	} else {
		err = invalid(errUnknownType(x.Type))
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return false, status(api.ResourceStatusDeleteFailed, r.reason(rec.ID, err))
	}
	return true, status(api.ResourceStatusDeleteComplete, "")
}

// unnoticed finds what a creation that was broken off had made.
func (r *run) unnoticed(ctx context.Context, rec *resourceRecord) (resource.State, bool) {
	if st, ok := r.left(rec); ok {
		return st, true
	}
	if rec.Status == api.ResourceStatusCreateFailed && rec.Reason == cancelled {
		return r.orphan(ctx, rec, map[[2]string]bool{})
	}
	return resource.State{}, false
}

type errUnknownType string

func (e errUnknownType) Error() string { return "Unrecognized resource type: " + string(e) }

// rollbackUpdate brings the resources that an update touched back to what they
// were. What it added goes in the cleanup.
func (r *run) rollbackUpdate(ctx context.Context) error {
	if err := r.load(ctx, r.st.Prior); err != nil && ctx.Err() == nil && r.spec == nil {
		return err
	}
	g := graph.Graph{}
	for id, rec := range r.recs {
		if r.st.Op.did(rec) && rec.Before != nil {
			g[id] = nil
		}
	}
	for id := range g {
		for _, d := range r.recs[id].Before.DependsOn {
			if _, ok := g[d]; ok {
				g[id] = append(g[id], d)
			}
		}
	}
	var failed []string
	var lost error
	g.Walk(parallel, func(id string) graph.Verdict {
		if ctx.Err() != nil {
			return graph.Halt
		}
		ok, err := r.revert(ctx, r.rec(id))
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil {
			lost = err
			return graph.Halt
		}
		if !ok {
			failed = append(failed, id)
			return graph.Held
		}
		return graph.Done
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case lost != nil:
		return lost
	case len(failed) > 0:
		sort.Strings(failed)
		return r.to(ctx, api.StackStatusUpdateRollbackFailed, "The following resource(s) failed to update: ["+strings.Join(failed, ", ")+"]. ", nil)
	}
	r.st.Spec = r.st.Prior
	return r.to(ctx, api.StackStatusUpdateRollbackCompleteCleanupInProgress, "", nil)
}

// revert brings one resource back to what it was before the update.
func (r *run) revert(ctx context.Context, rec *resourceRecord) (bool, error) {
	switch {
	case contains(r.st.Op.Skip, rec.ID):
		physical := rec.Physical
		rec.existing, rec.Attempt = *rec.Before, nil
		rec.Physical = physical
		rec.Status, rec.Reason = api.ResourceStatusUpdateComplete, ""
		return true, r.save(ctx, rec, eventRecord{Physical: rec.Physical, Status: rec.Status})
	case rec.Physical != rec.Before.Physical: // it was replaced: the old one is still there
		now := rec.existing
		rec.Discard, rec.existing = &now, *rec.Before
		rec.Status, rec.Reason = api.ResourceStatusUpdateComplete, ""
		return true, r.save(ctx, rec, eventRecord{Physical: rec.Physical, Status: rec.Status})
	case rec.Attempt == nil && len(changes(rec.Properties, rec.Before.Properties)) == 0 && !r.tagsChanged:
		if strings.HasPrefix(rec.Status, "UPDATE") && rec.Status != api.ResourceStatusUpdateComplete {
			rec.Status, rec.Reason = api.ResourceStatusUpdateComplete, ""
			rec.existing = *rec.Before
			return true, r.save(ctx, rec, eventRecord{Physical: rec.Physical, Status: rec.Status})
		}
		rec.existing = *rec.Before
		return true, r.save(ctx, rec)
	}
	from := rec.Attempt
	if from == nil {
		from = rec.Properties
	}
	rec.Status, rec.Reason, rec.Attempt = api.ResourceStatusUpdateInProgress, "", from
	if err := r.save(ctx, rec, eventRecord{Physical: rec.Physical, Status: rec.Status}); err != nil {
		return false, err
	}
	back := *rec
	back.existing, back.Attempt = *rec.Before, nil
	if err := r.amend(ctx, &back, rec.Physical, from, "revert"); ctx.Err() != nil {
		return false, ctx.Err()
	} else if err != nil {
		rec.Status, rec.Reason = api.ResourceStatusUpdateFailed, r.reason(rec.ID, err)
		return false, r.save(ctx, rec, eventRecord{Physical: rec.Physical, Status: rec.Status, Reason: rec.Reason})
	}
	back.Status, back.Reason = api.ResourceStatusUpdateComplete, ""
	return true, r.save(ctx, &back, eventRecord{Physical: back.Physical, Status: back.Status})
}

// cleanup removes what an update, or its rollback, has left over.
func (r *run) cleanup(ctx context.Context) error {
	forward := r.st.Status == api.StackStatusUpdateCompleteCleanupInProgress
	if r.spec == nil {
		if err := r.load(ctx, r.st.Spec); err != nil && (forward || r.spec == nil) {
			return err
		}
	}
	g := graph.Graph{}
	deps, leaves := map[string][]string{}, map[string]bool{} // what the stack no longer has
	for id, rec := range r.recs {
		leaves[id] = forward && !r.plan.active[id] || !forward && r.st.Op.did(rec) && rec.Before == nil && rec.Discard == nil
		left := rec.leftovers()
		switch {
		case leaves[id]:
			g[id], deps[id] = nil, rec.DependsOn
		case len(left) > 0:
			g[id], deps[id] = nil, left[0].DependsOn
		}
	}
	for id := range g {
		for _, d := range deps[id] {
			if _, ok := g[d]; ok {
				g[id] = append(g[id], d)
			}
		}
	}
	failed, err := r.reverse(ctx, g, func(id string) (bool, error) {
		rec := r.rec(id)
		for _, x := range rec.leftovers() {
			if ok, err := r.remove(ctx, rec, &x, forward && x.Replacement == "Retain"); !ok || err != nil {
				return ok, err
			}
		}
		if !leaves[id] {
			return true, nil
		}
		keep := rec.Deletion == "Retain" && (forward || !r.st.Op.DeleteRetained) || rec.Deletion == "RetainExceptOnCreate" && forward
		return r.remove(ctx, rec, &rec.existing, keep)
	})
	if err != nil {
		return err
	}
	status, reason := api.StackStatusUpdateComplete, ""
	if !forward {
		status = api.StackStatusUpdateRollbackComplete
	}
	if len(failed) > 0 {
		reason = "Update successful. One or more resources could not be deleted."
	}
	r.st.Prior = ""
	return r.to(ctx, status, reason, func(tx data.Txn) error {
		for id, rec := range r.recs {
			key := r.sc.resourceKey(r.st.ID, id)
			if leaves[id] {
				if err := tx.Delete(key); err != nil {
					return err
				}
				continue
			}
			if rec.Before != nil || rec.Discard != nil || rec.Attempt != nil || rec.Also != nil {
				c := *rec
				c.Before, c.Discard, c.Attempt, c.Also = nil, nil, nil, nil
				if err := put(tx, key, &c); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
