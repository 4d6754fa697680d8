package cloudformation

import (
	"context"
	"fmt"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/cloudformation"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) exportBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.ListExports, call.Any[api.ListExportsInput]("cloudformation:ListExports"), s.listExports),
		call.Bind(api.ListImports, call.Any[api.ListImportsInput]("cloudformation:ListImports"), s.listImports),
	}
}

// exportError is an export that cannot be made, changed or taken away.
type exportError struct{ text string }

func (e *exportError) Error() string { return e.text }

func hasProperty(props []resource.Property, name string) bool {
	for _, p := range props {
		if p.Name == name {
			return true
		}
	}
	return false
}

// publish brings a stack's exports and imports from its old outputs to the new.
func (r *run) publish(tx data.Txn, old, outputs []outputRecord) error {
	wanted := map[string]string{}
	for _, o := range outputs {
		if o.Export == "" {
			continue
		}
		if _, twice := wanted[o.Export]; twice {
			return &exportError{fmt.Sprintf("Duplicate Export names: [%s]", o.Export)}
		}
		wanted[o.Export] = o.Value
		e, err := get[exportRecord](tx, r.sc.exportKey(o.Export))
		if err != nil {
			return err
		}
		if e != nil && e.Stack != r.st.ID {
			return &exportError{fmt.Sprintf("Export with name %s is already exported by stack %s", o.Export, stackNameOf(e.Stack))}
		}
		if e != nil && e.Value != o.Value {
			if err := r.unused(tx, o.Export, "Export %s cannot be updated as it is in use by %s"); err != nil {
				return err
			}
		}
		if err := put(tx, r.sc.exportKey(o.Export), &exportRecord{Stack: r.st.ID, Name: o.Export, Value: o.Value}); err != nil {
			return err
		}
	}
	for _, o := range old {
		if _, still := wanted[o.Export]; still || o.Export == "" {
			continue
		}
		if err := r.unused(tx, o.Export, "Export %s cannot be deleted as it is in use by %s"); err != nil {
			return err
		}
		if err := tx.Delete(r.sc.exportKey(o.Export)); err != nil {
			return err
		}
	}
	return r.noteImports(tx)
}

func (r *run) unused(tx data.Reader, export, format string) error {
	users, err := r.sc.importers(tx, export)
	if err == nil && len(users) > 0 {
		return &exportError{fmt.Sprintf(format, export, users[0])}
	}
	return err
}

// noteImports records which exports the stack uses; none once it is removed.
func (r *run) noteImports(tx data.Txn) error {
	prefix := r.sc.key("import")
	var stale [][]byte
	for p, err := range tx.Scan(prefix, data.PrefixEnd(prefix), false) {
		if err != nil {
			return err
		}
		if parts, ok := data.Parts(p.Key); ok && parts[len(parts)-1] == r.st.ID {
			stale = append(stale, p.Key)
		}
	}
	for _, k := range stale {
		if err := tx.Delete(k); err != nil {
			return err
		}
	}
	if r.plan == nil {
		return nil
	}
	for name := range r.plan.imports {
		if err := tx.Put(r.sc.importKey(name, r.st.ID), []byte(r.st.Name)); err != nil {
			return err
		}
	}
	return nil
}

// importers returns the names of the stacks that use an export.
func (sc scope) importers(rd data.Reader, export string) ([]string, error) {
	var out []string
	prefix := sc.key("import", export)
	for p, err := range rd.Scan(prefix, data.PrefixEnd(prefix), false) {
		if err != nil {
			return nil, err
		}
		out = append(out, string(p.Value))
	}
	return out, nil
}

func (s *Service) listExports(ctx context.Context, rq *call.Authorized, in *api.ListExportsInput) (*api.ListExportsOutput, error) {
	sc, out := scopeOf(rq.Decoded), &api.ListExportsOutput{}
	err := s.view(ctx, func(rd data.Reader) error {
		all, next, err := pageOf[exportRecord](rd, sc.key("export"), in.NextToken, 100)
		for _, e := range all {
			out.Exports = append(out.Exports, api.Export{ExportingStackId: new(e.Stack), Name: new(e.Name), Value: new(e.Value)})
		}
		out.NextToken = next
		return err
	})
	return out, err
}

func (s *Service) listImports(ctx context.Context, rq *call.Authorized, in *api.ListImportsInput) (*api.ListImportsOutput, error) {
	sc, out, name := scopeOf(rq.Decoded), &api.ListImportsOutput{}, opt.Val(in.ExportName)
	err := s.view(ctx, func(rd data.Reader) (err error) {
		out.Imports, err = sc.importers(rd, name)
		return err
	})
	if err == nil && len(out.Imports) == 0 {
		err = fault.Of(fault.Validation, "Export '%s' is not imported by any stack.", name)
	}
	return out, err
}
