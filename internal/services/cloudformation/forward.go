package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/graph"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/intrinsic"
	"github.com/tierra-cloud/tierra/internal/services/cloudformation/template"
)

// forward makes and changes resources until the stack is what its specification
// says.
func (r *run) forward(ctx context.Context) error {
	if err := r.load(ctx, r.st.Spec); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// What was sound when the operation began is no longer: an export is gone, say.
		return r.turnBack(ctx, err.Error()+". ")
	}
	steps, cancel := context.WithCancel(ctx)
	defer cancel()
	r.failing, r.fail = context.WithCancel(steps)
	defer r.fail()
	unlist, err := r.s.cancellable(ctx, r)
	if err != nil {
		return err
	}
	defer unlist()
	if r.st.Timeout > 0 && r.st.Op.Kind == "create" {
		left := r.st.Op.Started.Add(time.Duration(r.st.Timeout) * time.Minute).Sub(r.s.d.Clock.Now())
		stop := r.s.d.Clock.AfterFunc(left, func() {
			r.mu.Lock()
			r.late = true
			r.mu.Unlock()
			cancel()
		})
		defer stop()
	}
	if err := r.removalsDenied(ctx); err != nil {
		return err
	}
	var lost error // of the store
	todo := r.plan.deps
	if len(r.st.Op.Failed) > 0 { // the stack's policy keeps what is to be removed
		todo = nil
	}
	todo.Walk(parallel, func(id string) graph.Verdict {
		v, err := r.step(ctx, steps, id)
		if err != nil {
			r.mu.Lock()
			lost = err
			r.mu.Unlock()
			return graph.Halt
		}
		return v
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if lost != nil {
		return lost
	}
	if r.isHalted() {
		return r.to(ctx, api.StackStatusUpdateRollbackInProgress, "User Initiated", nil)
	}
	if len(r.st.Op.Failed) > 0 || r.late {
		words := r.failedWords()
		if r.late {
			words = fmt.Sprintf("Stack creation exceeded its timeout of %d minutes. ", r.st.Timeout) + words
		}
		return r.turnBack(ctx, words)
	}
	return r.arrive(ctx)
}

// arrive ends the forward phase: outputs, exports, imports.
func (r *run) arrive(ctx context.Context) error {
	outputs, err := r.plan.outputs(r.live())
	if err != nil {
		return r.turnBack(ctx, err.Error()+". ")
	}
	old := r.st.Outputs
	r.st.Outputs, r.st.Description = outputs, r.plan.tmpl.Description
	status := api.StackStatusCreateComplete
	if r.st.Op.Kind == "update" {
		status = api.StackStatusUpdateCompleteCleanupInProgress
	}
	err = r.to(ctx, status, "", func(tx data.Txn) error { return r.publish(tx, old, outputs) })
	var taken *exportError
	if errors.As(err, &taken) {
		r.st.Outputs = old
		r.st.Status = api.StackStatusCreateInProgress
		return r.turnBack(ctx, taken.Error()+". ")
	}
	return err
}

// turnBack leaves the forward phase because of a failure.
func (r *run) turnBack(ctx context.Context, why string) error {
	why = strings.ReplaceAll(why, "..", ".")
	if r.st.Op.Kind == "update" {
		if r.st.OnFailure == api.OnFailureDoNothing {
			return r.to(ctx, api.StackStatusUpdateFailed, strings.TrimSpace(why), nil)
		}
		return r.to(ctx, api.StackStatusUpdateRollbackInProgress, why, nil)
	}
	switch r.st.OnFailure {
	case api.OnFailureDoNothing:
		return r.to(ctx, api.StackStatusCreateFailed, why, nil)
	case api.OnFailureDelete:
		return r.to(ctx, api.StackStatusDeleteInProgress, why+"Delete requested by user.", nil)
	}
	return r.to(ctx, api.StackStatusRollbackInProgress, why+"Rollback requested by user.", nil)
}

// step brings one resource to what the plan says. Its error is the store's.
func (r *run) step(ctx, steps context.Context, id string) (graph.Verdict, error) {
	if steps.Err() != nil || r.isHalted() {
		return graph.Halt, nil
	}
	rec := r.rec(id)
	if rec != nil && rec.Op == r.st.Op.ID && (rec.Status == api.ResourceStatusCreateComplete || rec.Status == api.ResourceStatusUpdateComplete || rec.Status == api.ResourceStatusImportComplete) {
		return graph.Done, nil // done before a restart
	}
	if identifier, exists := r.st.Op.Import[id]; exists {
		if err := r.importOne(ctx, id, identifier); err != nil {
			return graph.Halt, err
		}
		if rec := r.rec(id); ctx.Err() != nil || rec.Status != api.ResourceStatusImportComplete {
			return graph.Halt, nil
		}
		return graph.Done, nil
	}
	props, err := r.plan.properties(id, r.live())
	var echo map[string]any
	if err == nil {
		echo = r.plan.echo(id, r.live(), props)
		err = r.plan.check(id, props)
	}
	deletion, replacement, perr := r.plan.policies(id)
	want := existing{
		Type: r.plan.tmpl.Resources[id].Type, Properties: props, Echo: echo, Deletion: deletion, Replacement: replacement,
		DependsOn: r.plan.deps[id], Metadata: metadata(r.plan.tmpl.Resources[id]),
	}
	if err == nil {
		err = perr
	}
	// Every resource has one step in a run, so one that is in progress was begun
	// before a restart.
	again := rec != nil && rec.Op == r.st.Op.ID && strings.HasSuffix(rec.Status, "_IN_PROGRESS")
	if rec == nil || rec.Physical == "" || again && rec.Status == api.ResourceStatusCreateInProgress {
		fresh := &resourceRecord{V: version, ID: id, existing: want, Op: r.st.Op.ID}
		if again {
			fresh.Making, fresh.Others = rec.Making, rec.Others
		}
		return r.create(ctx, steps, fresh, again, err)
	}
	rec.touch(&r.st.Op)
	if err != nil {
		rec.Status, rec.Reason = api.ResourceStatusUpdateFailed, err.Error()
		return r.fails(ctx, rec)
	}
	changed := changes(rec.Properties, props)
	if rec.Attempt != nil && !again { // an earlier update may have got that far
		changed = append(changed, changes(rec.Attempt, props)...)
	}
	t := r.plan.types.of(want.Type)
	if r.tagsChanged && t.InPlace([]string{"Tags"}) && hasProperty(t.Properties, "Tags") && !slices.Contains(changed, "Tags") {
		changed = append(changed, "Tags")
	}
	switch {
	case rec.Type != want.Type || !t.InPlace(changed):
		if no, v, err := r.refused(ctx, rec, updateReplace); no {
			return v, err
		}
		return r.replace(ctx, steps, rec, want, again)
	case len(changed) > 0:
		if no, v, err := r.refused(ctx, rec, updateModify); no {
			return v, err
		}
		return r.change(ctx, steps, rec, want)
	}
	if rec.Deletion != deletion || rec.Replacement != replacement || rec.Metadata != want.Metadata || !slices.Equal(rec.DependsOn, want.DependsOn) {
		rec.Deletion, rec.Replacement, rec.Metadata, rec.DependsOn = deletion, replacement, want.Metadata, want.DependsOn
		return graph.Done, r.save(ctx, rec)
	}
	return graph.Done, nil
}

func metadata(res *template.Resource) string {
	if res.Metadata == nil {
		return ""
	}
	return template.JSON(res.Metadata)
}

// changes returns the names of the properties that differ, sorted.
func changes(old, props map[string]any) []string {
	var out []string
	for k, v := range props {
		if o, ok := old[k]; !ok || !intrinsic.Same(o, v) {
			out = append(out, k)
		}
	}
	for k := range old {
		if _, ok := props[k]; !ok {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// fails records that a resource failed.
func (r *run) fails(ctx context.Context, rec *resourceRecord) (graph.Verdict, error) {
	r.failure(rec.ID)
	return graph.Halt, r.save(ctx, rec, eventRecord{Physical: rec.Physical, Status: rec.Status, Reason: rec.Reason})
}

// nothingHere is what is said of properties that are accepted and do nothing.
func (r *run) nothingHere(id string, props map[string]any) string {
	if names := r.plan.meaningless(id, props); len(names) > 0 {
		return "These properties have no meaning on this platform and do nothing: " + strings.Join(names, ", ")
	}
	return ""
}

func (r *run) create(ctx, steps context.Context, rec *resourceRecord, again bool, wrong error) (graph.Verdict, error) {
	text := rec.text()
	rec.Status, rec.Reason = api.ResourceStatusCreateInProgress, r.nothingHere(rec.ID, rec.Properties)
	if !again && wrong == nil {
		r.look(steps, rec, &rec.existing)
	}
	if err := r.save(ctx, rec, eventRecord{Status: rec.Status, Reason: rec.Reason, Properties: text}); err != nil {
		return graph.Halt, err
	}
	made := *rec
	err := wrong
	if err == nil {
		if err = r.make(steps, &made, again); err == nil {
			waits := steps
			if made.Type == waitType {
				waits = r.failing
			}
			err = r.await(waits, &made, again)
		}
	}
	if ctx.Err() != nil {
		return graph.Halt, nil // to be taken up with the same token
	}
	if err != nil {
		made.Status, made.Reason = api.ResourceStatusCreateFailed, r.reason(rec.ID, err)
		return r.fails(ctx, &made)
	}
	made.Status, made.Reason, made.Making, made.Others = api.ResourceStatusCreateComplete, "", nil, nil
	events := []eventRecord{{Physical: made.Physical, Status: made.Status, Properties: text}}
	if r.plan.tmpl.Resources[rec.ID].CreationPolicy == nil { // else that was said before the signals came
		events = append([]eventRecord{initiated(&made)}, events...)
	}
	return graph.Done, r.save(ctx, &made, events...)
}

// initiated is the event of a resource that is there, but not complete yet.
func initiated(made *resourceRecord) eventRecord {
	return eventRecord{
		Physical: made.Physical, Status: api.ResourceStatusCreateInProgress, Reason: "Resource creation Initiated", Properties: made.text(),
	}
}

func (r *run) replace(ctx, steps context.Context, rec *resourceRecord, want existing, again bool) (graph.Verdict, error) {
	const why = "Requested update requires the creation of a new physical resource; hence creating one."
	text := want.text()
	rec.Status, rec.Reason, rec.Attempt = api.ResourceStatusUpdateInProgress, why, nil
	if !again {
		r.look(steps, rec, &want)
	}
	if err := r.save(ctx, rec, eventRecord{Physical: rec.Physical, Type: want.Type, Status: rec.Status, Reason: why, Properties: text}); err != nil {
		return graph.Halt, err
	}
	next := *rec
	next.existing = want
	if rec.Before == nil || rec.Physical != rec.Before.Physical { // neither what was there nor what is to be
		next.Also = append(slices.Clone(rec.Also), rec.existing)
	}
	err := r.make(steps, &next, again)
	if ctx.Err() != nil {
		return graph.Halt, nil
	}
	if err != nil {
		rec.Status, rec.Reason = api.ResourceStatusUpdateFailed, r.reason(rec.ID, err)
		return r.fails(ctx, rec)
	}
	next.Status, next.Reason, next.Making, next.Others = api.ResourceStatusUpdateComplete, "", nil, nil
	events := []eventRecord{{Physical: next.Physical, Status: next.Status, Properties: text}}
	if next.Physical != rec.Physical {
		events = append([]eventRecord{{Physical: next.Physical, Status: api.ResourceStatusUpdateInProgress, Reason: "Resource creation Initiated", Properties: text}}, events...)
	}
	return graph.Done, r.save(ctx, &next, events...)
}

func (r *run) change(ctx, steps context.Context, rec *resourceRecord, want existing) (graph.Verdict, error) {
	text := want.text()
	rec.Status, rec.Reason, rec.Attempt = api.ResourceStatusUpdateInProgress, r.nothingHere(rec.ID, want.Properties), want.Properties
	if err := r.save(ctx, rec, eventRecord{Physical: rec.Physical, Status: rec.Status, Reason: rec.Reason, Properties: text}); err != nil {
		return graph.Halt, err
	}
	next := *rec
	next.existing, next.Attempt = want, nil
	err := r.shift(steps, &next, rec.Properties, "update")
	if err == nil {
		err = r.amend(steps, &next, rec.Physical, rec.Properties, "update")
	}
	if ctx.Err() != nil {
		return graph.Halt, nil
	}
	if err != nil {
		rec.Status, rec.Reason = api.ResourceStatusUpdateFailed, r.reason(rec.ID, err)
		return r.fails(ctx, rec)
	}
	next.Status, next.Reason = api.ResourceStatusUpdateComplete, ""
	events := []eventRecord{{Physical: next.Physical, Status: next.Status, Properties: text}}
	if next.Physical != rec.Physical { // the provider of a custom resource decides that
		const why = "Requested update required the provider to create a new physical resource"
		events = append([]eventRecord{{Physical: next.Physical, Status: api.ResourceStatusUpdateInProgress, Reason: why, Properties: text}}, events...)
	}
	return graph.Done, r.save(ctx, &next, events...)
}

// amend changes a resource in place to rec's properties.
func (r *run) amend(ctx context.Context, rec *resourceRecord, physical string, old map[string]any, step string) error {
	st, err := r.s.types().of(rec.Type).Update(ctx, r.request(rec.ID, rec.Type, step), physical, old, rec.Properties)
	rec.take(st)
	if rec.Physical == "" {
		rec.Physical = physical
	}
	return err
}
