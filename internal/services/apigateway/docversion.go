package apigateway

import (
	"context"
	"unicode/utf8"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// maxDocVersion is how many characters the name of a version of the documentation may have.
const maxDocVersion = 1024

func onDocVersion(id, version *string) string {
	return below(id, "documentation", "versions", opt.Val(version))
}

func (s *Service) docVersionBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateDocumentationVersion, on(actionPost, func(in *api.CreateDocumentationVersionRequest) string {
			return below(in.RestApiId, "documentation", "versions")
		}), s.createDocumentationVersion),
		call.Bind(api.GetDocumentationVersion, on(actionGet, func(in *api.GetDocumentationVersionRequest) string {
			return onDocVersion(in.RestApiId, in.DocumentationVersion)
		}), s.getDocumentationVersion),
		call.Bind(api.GetDocumentationVersions, on(actionGet, func(in *api.GetDocumentationVersionsRequest) string {
			return below(in.RestApiId, "documentation", "versions")
		}), s.getDocumentationVersions),
		call.Bind(api.UpdateDocumentationVersion, on(actionPatch, func(in *api.UpdateDocumentationVersionRequest) string {
			return onDocVersion(in.RestApiId, in.DocumentationVersion)
		}), s.updateDocumentationVersion),
		call.Bind(api.DeleteDocumentationVersion, on(actionDelete, func(in *api.DeleteDocumentationVersionRequest) string {
			return onDocVersion(in.RestApiId, in.DocumentationVersion)
		}), s.deleteDocumentationVersion),
	}
}

func (d *documentation) answer() *api.DocumentationVersion {
	return &api.DocumentationVersion{Version: &d.Version, Description: opt.NonZero(d.Description), CreatedDate: seconds(d.Created)}
}

func loadDocVersion(r data.Reader, a area, id, version string) (*documentation, error) {
	if _, err := loadAPI(r, a, id); err != nil {
		return nil, err
	}
	d, err := data.Load[documentation](r, a.docVersion(id, version))
	if err == nil && d == nil {
		err = api.NotFoundException("Invalid Documentation version specified")
	}
	return d, err
}

// createDocumentationVersion freezes the parts, and shows them at a stage if one
// is named.
func (s *Service) createDocumentationVersion(ctx context.Context, rq *call.Authorized, in *api.CreateDocumentationVersionRequest) (out *api.DocumentationVersion, err error) {
	a, id, version := areaOf(rq), *in.RestApiId, *in.DocumentationVersion
	if version == "" {
		return nil, api.BadRequestException("Documentation version cannot be empty")
	}
	if utf8.RuneCountInString(version) > maxDocVersion {
		return nil, api.BadRequestException("Documentation version cannot have more than %d characters", maxDocVersion)
	}
	err = s.store.Update(ctx, func(t data.Txn) error {
		d, err := loadParts(t, a, id)
		if err != nil {
			return err
		}
		if _, taken, err := t.Get(a.docVersion(id, version)); err != nil {
			return err
		} else if taken {
			return api.ConflictException("Documentation version already exists: %s", version)
		}
		d.Version, d.Description, d.Created = version, opt.Val(in.Description), millis(rq.Time())
		out = d.answer()
		if in.StageName != nil {
			st, err := loadStage(t, a, id, *in.StageName)
			if err != nil {
				return err
			}
			st.Documentation, st.Updated = version, d.Created
			if err := data.Save(t, a.stage(id, st.Name), st); err != nil {
				return err
			}
		}
		return data.Save(t, a.docVersion(id, version), d)
	})
	return out, err
}

func (s *Service) getDocumentationVersion(ctx context.Context, rq *call.Authorized, in *api.GetDocumentationVersionRequest) (out *api.DocumentationVersion, err error) {
	err = s.store.View(ctx, func(r data.Reader) error {
		d, err := loadDocVersion(r, areaOf(rq), *in.RestApiId, *in.DocumentationVersion)
		if err == nil {
			out = d.answer()
		}
		return err
	})
	return out, err
}

func (s *Service) getDocumentationVersions(ctx context.Context, rq *call.Authorized, in *api.GetDocumentationVersionsRequest) (*api.DocumentationVersions, error) {
	a, out := areaOf(rq), &api.DocumentationVersions{}
	err := s.store.View(ctx, func(r data.Reader) error {
		if _, err := loadAPI(r, a, *in.RestApiId); err != nil {
			return err
		}
		all, err := data.LoadAll[documentation](r, a.docVersions(*in.RestApiId))
		if err != nil {
			return err
		}
		all, out.Position, err = pageOf(all, in.Position, in.Limit, func(d *documentation) string { return d.Version })
		for _, d := range all {
			out.Items = append(out.Items, *d.answer())
		}
		return err
	})
	return out, err
}

func (s *Service) updateDocumentationVersion(ctx context.Context, rq *call.Authorized, in *api.UpdateDocumentationVersionRequest) (out *api.DocumentationVersion, err error) {
	a := areaOf(rq)
	err = s.store.Update(ctx, func(t data.Txn) error {
		d, err := loadDocVersion(t, a, *in.RestApiId, *in.DocumentationVersion)
		if err != nil {
			return err
		}
		if err := (edits{"replace /description": text(&d.Description)}).apply(in.PatchOperations); err != nil {
			return err
		}
		out = d.answer()
		return data.Save(t, a.docVersion(*in.RestApiId, d.Version), d)
	})
	return out, err
}

func (s *Service) deleteDocumentationVersion(ctx context.Context, rq *call.Authorized, in *api.DeleteDocumentationVersionRequest) (*call.None, error) {
	a, id := areaOf(rq), *in.RestApiId
	return &call.None{}, s.store.Update(ctx, func(t data.Txn) error {
		d, err := loadDocVersion(t, a, id, *in.DocumentationVersion)
		if err != nil {
			return err
		}
		stages, err := data.LoadAll[stage](t, a.stages(id))
		if err != nil {
			return err
		}
		for _, st := range stages {
			if st.Documentation == d.Version {
				return api.ConflictException("Documentation version %s is in use by the stage %s", d.Version, st.Name)
			}
		}
		return t.Delete(a.docVersion(id, d.Version))
	})
}
