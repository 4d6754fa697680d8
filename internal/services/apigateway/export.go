package apigateway

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/openapi"
)

func (s *Service) exportBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetExport, on(actionGet, func(in *api.GetExportRequest) string {
			return below(in.RestApiId, "stages", opt.Val(in.StageName), "exports", opt.Val(in.ExportType))
		}), s.getExport),
		call.Bind(api.GetSdk, on(actionGet, func(in *api.GetSdkRequest) string {
			return below(in.RestApiId, "stages", opt.Val(in.StageName), "sdks", opt.Val(in.SdkType))
		}), s.getSdk),
		call.Bind(api.GetSdkType, on(actionGet, func(in *api.GetSdkTypeRequest) string { return "/sdktypes/" + opt.Val(in.Id) }), s.getSdkType),
		call.Bind(api.GetSdkTypes, on(actionGet, func(*api.GetSdkTypesRequest) string { return "/sdktypes" }), s.getSdkTypes),
	}
}

// getExport writes the document of what a stage serves.
// https://docs.aws.amazon.com/apigateway/latest/api/API_GetExport.html
func (s *Service) getExport(ctx context.Context, rq *call.Authorized, in *api.GetExportRequest) (*api.ExportResponse, error) {
	var f openapi.Format
	switch *in.ExportType {
	case "oas30":
		f.Three = true
	case "swagger":
	default:
		return nil, api.BadRequestException("Invalid export type specified: %s. Must be one of: oas30, swagger", *in.ExportType)
	}
	typ, _, _ := strings.Cut(opt.Val(in.Accepts), ";")
	switch strings.TrimSpace(typ) {
	case "", "*/*", "application/json":
		typ = "application/json"
	case "application/yaml":
		f.YAML = true
	default:
		return nil, api.BadRequestException("Invalid content type specified: %s. Must be one of: application/json, application/yaml", typ)
	}
	for _, k := range slices.Sorted(maps.Keys(in.Parameters)) {
		if k != "extensions" {
			return nil, refuse("the export parameter " + k)
		}
		if err := f.Extensions(in.Parameters[k]); err != nil {
			return nil, faultOf(err)
		}
	}
	a, id := areaOf(rq), *in.RestApiId
	var src openapi.Source
	err := s.store.View(ctx, func(r data.Reader) error {
		st, err := loadStage(r, a, id, *in.StageName)
		if err != nil {
			return err
		}
		x, err := loadAPI(r, a, id)
		if err != nil {
			return err
		}
		d, err := data.Load[definition.API](r, a.snapshot(id, st.Deployment))
		if err != nil {
			return err
		}
		if d == nil {
			return api.NotFoundException("Invalid Deployment identifier specified")
		}
		src = openapi.Source{Title: x.Name, Description: x.Description, Version: x.Version, API: d, Base: "/" + st.Name}
		if src.Version == "" {
			src.Version = seconds(x.Created).Format(time.RFC3339)
		}
		if st.Documentation == "" {
			return nil
		}
		doc, err := loadDocVersion(r, a, id, st.Documentation)
		if err != nil {
			return err
		}
		src.Parts, src.Documentation, src.Created = doc.Parts, doc.Version, seconds(doc.Created).Format(time.RFC3339)
		return nil
	})
	if err != nil {
		return nil, err
	}
	src.Scheme, src.Host = servedAt(rq, id)
	body, err := openapi.Export(src, f)
	if err != nil {
		return nil, err
	}
	ext := "json"
	if f.YAML {
		ext, typ = "yaml", "application/yaml"
	}
	name := *in.ExportType + "_" + url.PathEscape(time.UnixMilli(millis(rq.Time())).UTC().Format("2006-01-02T15:04:05Z")) + "." + ext
	return &api.ExportResponse{Body: body, ContentType: &typ, ContentDisposition: new(`attachment; filename="` + name + `"`)}, nil
}

// servedAt is where an API is called, seen from the caller.
func servedAt(rq *call.Authorized, id string) (scheme, host string) {
	u, err := url.Parse(rq.Endpoint())
	if err != nil || u.Host == "" {
		return "https", id + ".execute-api." + rq.Region() + ".amazonaws.com"
	}
	host = "localhost"
	if u.Port() != "" {
		host += ":" + u.Port()
	}
	return u.Scheme, id + ".execute-api." + host
}

// SDKs are not generated: the document of GetExport is what generators read.

func (s *Service) getSdk(_ context.Context, _ *call.Authorized, in *api.GetSdkRequest) (*api.SdkResponse, error) {
	return nil, api.BadRequestException("Tierra does not generate SDKs (%s): give the document of GetExport to a generator", *in.SdkType)
}

func (s *Service) getSdkType(_ context.Context, _ *call.Authorized, in *api.GetSdkTypeRequest) (*api.SdkType, error) {
	return nil, api.NotFoundException("Invalid SDK type specified: %s", *in.Id)
}

// getSdkTypes answers that there is none.
func (s *Service) getSdkTypes(context.Context, *call.Authorized, *api.GetSdkTypesRequest) (*api.SdkTypes, error) {
	return &api.SdkTypes{Items: []api.SdkType{}}, nil
}
