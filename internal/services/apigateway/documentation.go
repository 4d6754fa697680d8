package apigateway

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/openapi"
)

// Documentation parts describe places of an API, a version freezes them, and an
// export shows the version of its stage.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-documenting-api.html

func onPart(id, part *string) string { return below(id, "documentation", "parts", opt.Val(part)) }

func (s *Service) documentationBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateDocumentationPart, on(actionPost, func(in *api.CreateDocumentationPartRequest) string {
			return below(in.RestApiId, "documentation", "parts")
		}), s.createDocumentationPart),
		call.Bind(api.GetDocumentationPart, on(actionGet, func(in *api.GetDocumentationPartRequest) string { return onPart(in.RestApiId, in.DocumentationPartId) }), s.getDocumentationPart),
		call.Bind(api.GetDocumentationParts, on(actionGet, func(in *api.GetDocumentationPartsRequest) string {
			return below(in.RestApiId, "documentation", "parts")
		}), s.getDocumentationParts),
		call.Bind(api.UpdateDocumentationPart, on(actionPatch, func(in *api.UpdateDocumentationPartRequest) string {
			return onPart(in.RestApiId, in.DocumentationPartId)
		}), s.updateDocumentationPart),
		call.Bind(api.DeleteDocumentationPart, on(actionDelete, func(in *api.DeleteDocumentationPartRequest) string {
			return onPart(in.RestApiId, in.DocumentationPartId)
		}), s.deleteDocumentationPart),
		call.Bind(api.ImportDocumentationParts, on(actionPut, func(in *api.ImportDocumentationPartsRequest) string {
			return below(in.RestApiId, "documentation", "parts")
		}), s.importDocumentationParts),
	}
}

func partAnswer(p *definition.Part) *api.DocumentationPart {
	l := p.Location
	return &api.DocumentationPart{Id: opt.NonZero(p.ID), Properties: opt.NonZero(p.Properties), Location: &api.DocumentationPartLocation{
		Type: &l.Type, Path: opt.NonZero(l.Path), Method: opt.NonZero(l.Method), StatusCode: opt.NonZero(l.Status), Name: opt.NonZero(l.Name),
	}}
}

// loadParts loads the parts of an API, an empty record if there are none.
func loadParts(r data.Reader, a area, id string) (*documentation, error) {
	if _, err := loadAPI(r, a, id); err != nil {
		return nil, err
	}
	d, err := data.Load[documentation](r, a.parts(id))
	if err == nil && d == nil {
		d = &documentation{V: 1}
	}
	return d, err
}

func (d *documentation) find(id *string) (*definition.Part, error) {
	for i := range d.Parts {
		if d.Parts[i].ID == *id {
			return &d.Parts[i], nil
		}
	}
	return nil, api.NotFoundException("Invalid Documentation part identifier specified")
}

// addParts puts parts into the documentation of an API. Of two that stand at the
// same place, the new one stays, with the old one's id.
func addParts(t data.Txn, a area, id string, parts []definition.Part, overwrite bool) (ids []string, err error) {
	d, err := data.Load[documentation](t, a.parts(id))
	if err != nil {
		return nil, err
	}
	if d == nil {
		if len(parts) == 0 {
			return nil, nil
		}
		d = &documentation{V: 1}
	}
	at := map[definition.Location]int{}
	for i, p := range d.Parts {
		at[p.Location] = i
	}
	var fresh []definition.Part
	for _, p := range parts {
		i, has := at[p.Location]
		if has {
			p.ID = d.Parts[i].ID
		}
		ids = append(ids, p.ID)
		switch {
		case overwrite:
			fresh = append(fresh, p)
		case has:
			d.Parts[i] = p
		default:
			d.Parts = append(d.Parts, p)
		}
	}
	if overwrite {
		d.Parts = fresh
	}
	return ids, data.Save(t, a.parts(id), d)
}

// document changes the documentation of an API, unless f fails.
func (s *Service) document(ctx context.Context, rq *call.Authorized, id *string, f func(*documentation) error) error {
	a := areaOf(rq)
	return s.store.Update(ctx, func(t data.Txn) error {
		d, err := loadParts(t, a, *id)
		if err != nil {
			return err
		}
		if err := f(d); err != nil {
			return faultOf(err)
		}
		return data.Save(t, a.parts(*id), d)
	})
}

func (s *Service) createDocumentationPart(ctx context.Context, rq *call.Authorized, in *api.CreateDocumentationPartRequest) (out *api.DocumentationPart, err error) {
	l := in.Location
	at := definition.Location{Type: opt.Val(l.Type), Path: opt.Val(l.Path), Method: opt.Val(l.Method), Status: opt.Val(l.StatusCode), Name: opt.Val(l.Name)}
	err = s.document(ctx, rq, in.RestApiId, func(d *documentation) error {
		at, err := at.Settle()
		if err == nil {
			err = definition.CheckProperties(*in.Properties)
		}
		if err != nil {
			return err
		}
		if slices.ContainsFunc(d.Parts, func(p definition.Part) bool { return p.Location == at }) {
			return api.ConflictException("Documentation part already exists for the specified location: %s.", at.Named())
		}
		p := definition.Part{ID: s.newID(), Location: at, Properties: *in.Properties}
		d.Parts = append(d.Parts, p)
		out = partAnswer(&p)
		return nil
	})
	return out, err
}

func (s *Service) getDocumentationPart(ctx context.Context, rq *call.Authorized, in *api.GetDocumentationPartRequest) (out *api.DocumentationPart, err error) {
	err = s.store.View(ctx, func(r data.Reader) error {
		d, err := loadParts(r, areaOf(rq), *in.RestApiId)
		if err != nil {
			return err
		}
		p, err := d.find(in.DocumentationPartId)
		if err == nil {
			out = partAnswer(p)
		}
		return err
	})
	return out, err
}

// getDocumentationParts lists parts, or with the status UNDOCUMENTED the places
// that have none.
func (s *Service) getDocumentationParts(ctx context.Context, rq *call.Authorized, in *api.GetDocumentationPartsRequest) (*api.DocumentationParts, error) {
	a, out := areaOf(rq), &api.DocumentationParts{}
	err := s.store.View(ctx, func(r data.Reader) error {
		d, err := loadParts(r, a, *in.RestApiId)
		if err != nil {
			return err
		}
		all := d.Parts
		if opt.Val(in.LocationStatus) == api.LocationStatusTypeUndocumented {
			def, err := loadDefinition(r, a, *in.RestApiId)
			if err != nil {
				return err
			}
			known := map[definition.Location]bool{}
			for _, p := range d.Parts {
				known[p.Location] = true
			}
			all = nil
			for _, l := range def.Places() {
				if !known[l] {
					all = append(all, definition.Part{Location: l})
				}
			}
		}
		all = slices.DeleteFunc(all, func(p definition.Part) bool {
			l := p.Location
			return in.Type != nil && l.Type != *in.Type || in.Path != nil && l.Path != *in.Path || !strings.Contains(l.Name, opt.Val(in.NameQuery))
		})
		key := func(p definition.Part) string { return cmp.Or(p.ID, p.Location.Named()) }
		slices.SortFunc(all, func(x, y definition.Part) int { return strings.Compare(key(x), key(y)) })
		all, out.Position, err = pageOf(all, in.Position, in.Limit, key)
		for i := range all {
			out.Items = append(out.Items, *partAnswer(&all[i]))
		}
		return err
	})
	return out, err
}

func (s *Service) updateDocumentationPart(ctx context.Context, rq *call.Authorized, in *api.UpdateDocumentationPartRequest) (out *api.DocumentationPart, err error) {
	err = s.document(ctx, rq, in.RestApiId, func(d *documentation) error {
		p, err := d.find(in.DocumentationPartId)
		if err != nil {
			return err
		}
		if err := (edits{"replace /properties": text(&p.Properties)}).apply(in.PatchOperations); err != nil {
			return err
		}
		out = partAnswer(p)
		return definition.CheckProperties(p.Properties)
	})
	return out, err
}

func (s *Service) deleteDocumentationPart(ctx context.Context, rq *call.Authorized, in *api.DeleteDocumentationPartRequest) (*call.None, error) {
	return &call.None{}, s.document(ctx, rq, in.RestApiId, func(d *documentation) error {
		if _, err := d.find(in.DocumentationPartId); err != nil {
			return err
		}
		d.Parts = slices.DeleteFunc(d.Parts, func(p definition.Part) bool { return p.ID == *in.DocumentationPartId })
		return nil
	})
}

func (s *Service) importDocumentationParts(ctx context.Context, rq *call.Authorized, in *api.ImportDocumentationPartsRequest) (*api.DocumentationPartIds, error) {
	parts, err := openapi.Documentation(in.Body, s.newID)
	if err != nil {
		return nil, faultOf(err)
	}
	a, out := areaOf(rq), &api.DocumentationPartIds{}
	err = s.store.Update(ctx, func(t data.Txn) error {
		d, err := loadDefinition(t, a, *in.RestApiId)
		if err != nil {
			return err
		}
		out.Warnings = nil
		places := map[definition.Location]bool{}
		for _, l := range d.Places() {
			places[l] = true
		}
		for _, p := range parts {
			if l := p.Location; l.Method != "*" && l.Status != "*" && !places[l] {
				out.Warnings = append(out.Warnings, "Documentation part is defined for a place that the API does not have: "+l.Named())
			}
		}
		if opt.Val(in.FailOnWarnings) && len(out.Warnings) > 0 {
			return api.BadRequestException("Warnings found during import:\n\t%s", strings.Join(out.Warnings, "\n\t"))
		}
		out.Ids, err = addParts(t, a, *in.RestApiId, parts, opt.Val(in.Mode) == api.PutModeOverwrite)
		return err
	})
	return out, err
}
