package apigateway

import (
	"context"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/services/apigateway/definition"
)

func (s *Service) pathBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.CreateResource, on(actionPost, func(in *api.CreateResourceRequest) string { return below(in.RestApiId, "resources", *in.ParentId) }), s.createResource),
		call.Bind(api.GetResource, on(actionGet, func(in *api.GetResourceRequest) string { return below(in.RestApiId, "resources", *in.ResourceId) }), s.getResource),
		call.Bind(api.GetResources, on(actionGet, func(in *api.GetResourcesRequest) string { return below(in.RestApiId, "resources") }), s.getResources),
		call.Bind(api.UpdateResource, on(actionPatch, func(in *api.UpdateResourceRequest) string { return below(in.RestApiId, "resources", *in.ResourceId) }), s.updateResource),
		call.Bind(api.DeleteResource, on(actionDelete, func(in *api.DeleteResourceRequest) string { return below(in.RestApiId, "resources", *in.ResourceId) }), s.deleteResource),
	}
}

func findResource(d *definition.API, id string) (*definition.Resource, error) {
	if r := d.Resources[id]; r != nil {
		return r, nil
	}
	return nil, noResource()
}

func resourceAnswer(d *definition.API, r *definition.Resource, embed []string) *api.Resource {
	out := &api.Resource{Id: &r.ID, ParentId: opt.NonZero(r.Parent), PathPart: opt.NonZero(r.Part), Path: new(d.Path(r))}
	for name, m := range r.Methods {
		if out.ResourceMethods == nil {
			out.ResourceMethods = map[string]api.Method{}
		}
		out.ResourceMethods[name] = api.Method{}
		if slices.Contains(embed, "methods") {
			out.ResourceMethods[name] = *methodAnswer(r, name, m)
		}
	}
	return out
}

func (s *Service) createResource(ctx context.Context, rq *call.Authorized, in *api.CreateResourceRequest) (out *api.Resource, err error) {
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		parent, err := findResource(d, *in.ParentId)
		if err != nil {
			return err
		}
		if err := d.CheckPart(parent, *in.PathPart, ""); err != nil {
			return err
		}
		r := &definition.Resource{ID: s.newID(), Parent: parent.ID, Part: *in.PathPart}
		d.Resources[r.ID] = r
		out = resourceAnswer(d, r, nil)
		return nil
	})
	return out, err
}

func (s *Service) getResource(ctx context.Context, rq *call.Authorized, in *api.GetResourceRequest) (out *api.Resource, err error) {
	err = s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		r, err := findResource(d, *in.ResourceId)
		if err == nil {
			out = resourceAnswer(d, r, in.Embed)
		}
		return err
	})
	return out, err
}

func (s *Service) getResources(ctx context.Context, rq *call.Authorized, in *api.GetResourcesRequest) (*api.Resources, error) {
	out := &api.Resources{}
	err := s.view(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		all, next, err := pageOf(d.Sorted(), in.Position, in.Limit, d.Path)
		for _, r := range all {
			out.Items = append(out.Items, *resourceAnswer(d, r, in.Embed))
		}
		out.Position = next
		return err
	})
	return out, err
}

func (s *Service) updateResource(ctx context.Context, rq *call.Authorized, in *api.UpdateResourceRequest) (out *api.Resource, err error) {
	err = s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		r, err := findResource(d, *in.ResourceId)
		if err != nil {
			return err
		}
		move := func(parent *definition.Resource, part string) error {
			if r.ID == d.Root {
				return api.BadRequestException("Root resource cannot be updated.")
			}
			for p := parent; p != nil; p = d.Resources[p.Parent] {
				if p.ID == r.ID {
					return api.BadRequestException("A resource cannot be moved below itself.")
				}
			}
			if err := d.CheckPart(parent, part, r.ID); err != nil {
				return err
			}
			if c := d.Children(r.ID); len(c) > 0 {
				probe := definition.Resource{ID: r.ID, Part: part}
				if err := d.CheckPart(&probe, c[0].Part, c[0].ID); err != nil {
					return err // what stands below would come to stand below a greedy part
				}
			}
			r.Parent, r.Part = parent.ID, part
			return nil
		}
		err = edits{
			"replace /pathPart": func(_, v string) error { return move(d.Resources[r.Parent], v) },
			"replace /parentId": func(_, v string) error {
				parent, err := findResource(d, v)
				if err != nil {
					return err
				}
				return move(parent, r.Part)
			},
		}.apply(in.PatchOperations)
		out = resourceAnswer(d, r, nil)
		return err
	})
	return out, err
}

func (s *Service) deleteResource(ctx context.Context, rq *call.Authorized, in *api.DeleteResourceRequest) (*call.None, error) {
	return &call.None{}, s.edit(ctx, rq, *in.RestApiId, func(d *definition.API) error {
		r, err := findResource(d, *in.ResourceId)
		if err != nil {
			return err
		}
		if r.ID == d.Root {
			return api.BadRequestException("Root resource cannot be deleted.")
		}
		d.Remove(r.ID)
		return nil
	})
}
