package cloudformation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Imports take resources that exist into a stack, new or old, without touching
// them. A change set of the type IMPORT names them.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources.html

// maxImports is how many resources one change set may import.
const maxImports = 200

// toImport checks what a change set is to import and returns the identifiers by
// logical id. p is the plan of the template, recs what the stack has.
func (p *plan) toImport(list []api.ResourceToImport, recs map[string]*resourceRecord) (map[string]string, error) {
	out := map[string]string{}
	if len(list) == 0 {
		return nil, fault.Of(fault.Validation, "ResourcesToImport is required for change sets of the type IMPORT")
	}
	if len(list) > maxImports {
		return nil, fault.Of(fault.Validation, "At most %d resources can be imported at a time", maxImports)
	}
	for _, r := range list {
		id, kind := opt.Val(r.LogicalResourceId), opt.Val(r.ResourceType)
		if _, twice := out[id]; twice {
			return nil, fault.Of(fault.Validation, "Duplicate resource to import: %s", id)
		}
		if !p.active[id] {
			return nil, fault.Of(fault.Validation, "Resources [%s] to import do not exist in the template", id)
		}
		if rec := recs[id]; rec != nil && rec.Physical != "" {
			return nil, fault.Of(fault.Validation, "Resource %s is already in the stack", id)
		}
		if is := p.tmpl.Resources[id].Type; is != kind {
			return nil, fault.Of(fault.Validation, "Resource %s is of type %s in the template, not %s", id, is, kind)
		}
		t := p.types.of(kind)
		if !t.Reads() {
			return nil, fault.Of(fault.Validation, "ResourceTypes [%s] are not supported for Import", kind)
		}
		if p.tmpl.Resources[id].DeletionPolicy == nil {
			return nil, p.refuse("Resources ["+id+"] must have a DeletionPolicy attribute specified in the template to be imported", "Resources", id)
		}
		want := slices.Sorted(slices.Values(t.Identifier))
		if !slices.Equal(want, slices.Sorted(maps.Keys(r.ResourceIdentifier))) {
			return nil, fault.Of(fault.Validation, "Resource identifiers of %s must be: [%s]", id, strings.Join(t.Identifier, ", "))
		}
		parts := make([]string, len(t.Identifier))
		for i, name := range t.Identifier {
			if parts[i] = r.ResourceIdentifier[name]; parts[i] == "" {
				return nil, fault.Of(fault.Validation, "The identifier %s of resource %s is empty", name, id)
			}
		}
		out[id] = strings.Join(parts, "|")
	}
	var missing []string
	for id := range p.active {
		if _, imported := out[id]; p.active[id] && !imported && (recs[id] == nil || recs[id].Physical == "") {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		sort.Strings(missing)
		return nil, fault.Of(fault.Validation, "Resources [%s] is missing from ResourceToImport list", strings.Join(missing, ", "))
	}
	return out, nil
}

// imports turns the changes of a plan into those of an import, which makes none but
// that.
func imports(all []change, ids map[string]string) ([]change, error) {
	var modified []string
	var out []change
	for _, c := range all {
		if _, ok := ids[c.Logical]; ok {
			c.Action, c.Physical = api.ChangeActionImport, ids[c.Logical]
			if i := strings.LastIndex(c.Physical, "|"); i >= 0 {
				c.Physical = c.Physical[i+1:]
			}
			out = append(out, c)
			continue
		}
		modified = append(modified, c.Logical)
	}
	if len(modified) > 0 {
		sort.Strings(modified)
		return nil, fault.Of(fault.Validation, "You have modified resources [%s] in your template that are not being imported. Update, create or delete operations cannot be executed during import operations.", strings.Join(modified, ", "))
	}
	return out, nil
}

// adopt finds what a change set would create although it exists, by the names that
// the template gives, and turns those changes into imports. It returns the
// identifiers by logical id.
func (s *Service) adopt(ctx context.Context, rq *call.Authorized, st *stackRecord, c *changeSetRecord, p *plan) (map[string]string, error) {
	sc := scopeOf(rq.Decoded)
	at := &stackRecord{ID: c.Stack, Name: c.StackName, scope: sc}
	if st != nil {
		at = st
	}
	out := map[string]string{}
	var loose []string
	for i := range c.Changes {
		x := &c.Changes[i]
		t := p.types.of(x.Type)
		if x.Action != api.ChangeActionAdd || t == nil || !t.Reads() {
			continue
		}
		identifier, ok := p.named(x.Logical, t.Identifier)
		if !ok {
			continue
		}
		physical, known, ok := t.Identified(identifier)
		if !ok {
			continue
		}
		rec := &resourceRecord{ID: x.Logical, existing: existing{Type: x.Type, Physical: physical}}
		actual, _, err := t.Read(ctx, s.reader(rq, at, &c.Spec, rec), physical, known)
		if err != nil || actual == nil {
			continue // the creation says what is wrong
		}
		deletion, _, err := p.policies(x.Logical)
		if err != nil {
			return nil, err
		}
		if deletion != "Retain" && deletion != "RetainExceptOnCreate" {
			loose = append(loose, fmt.Sprintf("%s (%s)", x.Logical, identifier))
		}
		x.Action, x.Physical, out[x.Logical] = api.ChangeActionImport, physical, identifier
	}
	if len(loose) > 0 {
		return nil, fault.Of(fault.Validation, "CloudFormation is attempting to import some resources because they already exist in your account. The resources must have the DeletionPolicy attribute set to 'Retain' or 'RetainExceptOnCreate' in the template for successful import. The affected resources are %s", strings.Join(loose, ", "))
	}
	return out, nil
}

// named returns the identifier that a template gives a resource, if it is known
// before anything is made.
func (p *plan) named(id string, names []string) (string, bool) {
	var parts []string
	for _, name := range names {
		raw, given := p.tmpl.Resources[id].Properties[name]
		if !given {
			return "", false
		}
		v, err := p.eval.Eval(raw)
		text, ok := v.(string)
		if err != nil || !ok || text == "" {
			return "", false
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "|"), len(parts) > 0
}

// importAll takes the resources of the operation into the stack, one after the other.
func (r *run) importAll(ctx context.Context) error {
	if err := r.load(ctx, r.st.Spec); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return r.to(ctx, api.StackStatusImportRollbackInProgress, err.Error()+". ", nil)
	}
	for _, id := range r.plan.order {
		identifier, ok := r.st.Op.Import[id]
		if rec := r.rec(id); !ok || rec != nil && rec.Status == api.ResourceStatusImportComplete {
			continue
		}
		if err := r.importOne(ctx, id, identifier); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			return err
		}
		if len(r.st.Op.Failed) > 0 {
			return r.to(ctx, api.StackStatusImportRollbackInProgress, "The following resource(s) failed to import: ["+strings.Join(r.st.Op.Failed, ", ")+"]. ", nil)
		}
	}
	outputs, err := r.plan.outputs(r.live())
	if err != nil {
		return r.to(ctx, api.StackStatusImportRollbackInProgress, err.Error()+". ", nil)
	}
	old := r.st.Outputs
	r.st.Outputs, r.st.Description, r.st.Prior = outputs, r.plan.tmpl.Description, ""
	return r.to(ctx, api.StackStatusImportComplete, "", func(tx data.Txn) error { return r.publish(tx, old, outputs) })
}

// importOne takes one resource into the stack. Its error is the store's.
func (r *run) importOne(ctx context.Context, id, identifier string) error {
	res := r.plan.tmpl.Resources[id]
	rec := &resourceRecord{V: version, ID: id, Op: r.st.Op.ID, existing: existing{Type: res.Type, DependsOn: r.plan.deps[id], Metadata: metadata(res)}}
	t := r.plan.types.of(res.Type)
	physical, known, _ := t.Identified(identifier)
	rec.Status = api.ResourceStatusImportInProgress
	if err := r.save(ctx, rec, eventRecord{Physical: physical, Status: rec.Status, Reason: "Resource import started."}); err != nil {
		return err
	}
	err := func() (err error) {
		if rec.Properties, err = r.plan.properties(id, r.live()); err != nil {
			return err
		}
		rec.Echo = r.plan.echo(id, r.live(), rec.Properties)
		if err := r.plan.check(id, rec.Properties); err != nil {
			return err
		}
		if rec.Deletion, rec.Replacement, err = r.plan.policies(id); err != nil {
			return err
		}
		owned := map[string]bool{}
		if err := r.owned(ctx, res.Type, owned); err != nil {
			return err
		}
		if owned[physical] {
			return &saidError{fmt.Sprintf("Resource of type '%s' with identifier '%s' already exists in a stack of this account", res.Type, identifier)}
		}
		actual, st, err := t.Read(ctx, r.request(id, res.Type, "import"), physical, known)
		if err != nil {
			return err
		}
		if actual == nil {
			return &saidError{fmt.Sprintf("Resource of type '%s' with identifier '%s' was not found.", res.Type, identifier)}
		}
		for _, name := range t.Identifier {
			want, given := rec.Properties[name]
			is, readable := actual[name]
			if given && readable && driftText(want) != driftText(is) {
				return &saidError{fmt.Sprintf("The identifier %s of the resource to import is %s, but the template says %s", name, driftText(is), driftText(want))}
			}
		}
		if res.Type == nestedName {
			if err := r.s.nest(ctx, r.sc, st.ID, r.st.ID, r.st.root()); err != nil {
				return err
			}
		}
		rec.take(st)
		return nil
	}()
	if ctx.Err() != nil {
		return nil
	}
	text := rec.text()
	if err != nil {
		rec.Status, rec.Reason, rec.existing.Physical = api.ResourceStatusImportFailed, r.reason(id, err), ""
		r.failure(id)
		return r.save(ctx, rec, eventRecord{Physical: physical, Status: rec.Status, Reason: rec.Reason, Properties: text})
	}
	rec.Status, rec.Reason = api.ResourceStatusImportComplete, ""
	return r.save(ctx, rec, eventRecord{Physical: rec.Physical, Status: rec.Status, Reason: "Resource import completed.", Properties: text})
}

// importBack lets go of what an import that failed had taken in.
func (r *run) importBack(ctx context.Context) error {
	var ids []string
	for id, rec := range r.recs {
		if rec.Op == r.st.Op.ID {
			ids = append(ids, id)
		}
	}
	sort.Strings(ids)
	if r.st.Prior != "" {
		r.st.Spec, r.st.Prior = r.st.Prior, ""
	}
	for _, id := range ids {
		rec := r.rec(id)
		if rec.Type == nestedName && rec.Physical != "" {
			if err := r.s.nest(ctx, r.sc, rec.Physical, "", ""); err != nil {
				return err
			}
		}
		rec.Status, rec.Reason = api.ResourceStatusImportRollbackComplete, ""
		if err := r.save(ctx, rec, eventRecord{Physical: rec.Physical, Status: rec.Status}); err != nil {
			return err
		}
	}
	return r.to(ctx, api.StackStatusImportRollbackComplete, "", func(tx data.Txn) error {
		for _, id := range ids {
			if err := tx.Delete(r.sc.resourceKey(r.st.ID, id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// identifiers are the properties that name resources of a type for an import; nil
// if the type cannot be imported.
func identifiers(t *resource.Type) []string {
	if t == nil || !t.Reads() {
		return nil
	}
	return t.Identifier
}
