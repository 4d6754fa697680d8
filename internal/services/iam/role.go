package iam

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) roleBindings() []call.Binding {
	return []call.Binding{
		bind(s, api.CreateRole, roleKind, s.createRole),
		bind(s, api.GetRole, roleKind, s.getRole),
		bindList(api.ListRoles, roleKind, s.listRoles),
		bind(s, api.UpdateRole, roleKind, s.updateRole),
		bind(s, api.UpdateRoleDescription, roleKind, s.updateRoleDescription),
		bind(s, api.UpdateAssumeRolePolicy, roleKind, s.updateAssumeRolePolicy),
		bind(s, api.DeleteRole, roleKind, s.deleteRole),
	}
}

func (s *Service) createRole(ctx context.Context, rq *call.Authorized, in *api.CreateRoleRequest) (*api.CreateRoleResponse, error) {
	tags, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	path := opt.Or(in.Path, "/")
	if isLinked(path) {
		return nil, api.InvalidInputException("The path %s is reserved for service-linked roles. Use CreateServiceLinkedRole.", path)
	}
	id := &identity{
		head: s.newHead("AROA", path, *in.RoleName, tags), Boundary: opt.Val(in.PermissionsBoundary),
		Description: opt.Val(in.Description), MaxSession: opt.Or(in.MaxSessionDuration, defaultMaxSession),
	}
	if err := s.createRoleOf(ctx, rq.Account(), id, *in.AssumeRolePolicyDocument); err != nil {
		return nil, err
	}
	return &api.CreateRoleResponse{Role: roleOut(rq.Account(), id, id.Trust, true)}, nil
}

func (s *Service) createRoleOf(ctx context.Context, account string, id *identity, trust string) error {
	return s.update(ctx, func(t data.Txn) error {
		if err := isNew(t, account, roleKind, id.Name, "Role", maxNamed); err != nil {
			return err
		}
		if err := s.setTrust(t, account, id, trust); err != nil {
			return err
		}
		if id.Boundary != "" {
			if err := s.setBoundary(t, account, roleKind, id, id.Boundary); err != nil {
				return err
			}
		}
		return write(t, thingKey(account, roleKind, id.Name), id)
	})
}

// roleOut is a role as answers have it; full has what listings leave out.
func roleOut(account string, id *identity, trust string, full bool) *api.Role {
	r := &api.Role{
		Path: &id.Path, RoleName: &id.Name, RoleId: &id.ID, Arn: new(id.arn(account, roleKind)), CreateDate: &id.Created,
		AssumeRolePolicyDocument: encode(trust), MaxSessionDuration: &id.MaxSession, Description: opt.NonZero(id.Description),
	}
	if full {
		r.PermissionsBoundary, r.Tags = boundaryOut(id), someTags(id.Tags)
	}
	return r
}

// showRole is roleOut with the trust policy as it acts now.
func showRole(r data.Reader, account string, id *identity, full bool) (*api.Role, error) {
	trust, err := trustNow(r, id)
	if err != nil {
		return nil, err
	}
	return roleOut(account, id, trust, full), nil
}

func (s *Service) getRole(ctx context.Context, rq *call.Authorized, in *api.GetRoleRequest) (*api.GetRoleResponse, error) {
	out := &api.GetRoleResponse{}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		id, err := theIdentity(r, rq.Account(), roleKind, *in.RoleName)
		if err != nil {
			return err
		}
		out.Role, err = showRole(r, rq.Account(), id, true)
		return err
	})
}

func (s *Service) listRoles(ctx context.Context, rq *call.Authorized, in *api.ListRolesRequest) (*api.ListRolesResponse, error) {
	out := &api.ListRolesResponse{Roles: []api.Role{}}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		all, err := scan[identity](r, kindPrefix(rq.Account(), roleKind))
		if err != nil {
			return err
		}
		p, err := paginate(underPath(all, in.PathPrefix), lowerName[*identity], in.Marker, in.MaxItems)
		if err != nil {
			return err
		}
		out.IsTruncated, out.Marker = p.Truncated, p.Marker
		for _, id := range p.Items {
			role, err := showRole(r, rq.Account(), id, false)
			if err != nil {
				return err
			}
			out.Roles = append(out.Roles, *role)
		}
		return nil
	})
}

// changeRole is changeIdentity for roles that are not a service's own.
func (s *Service) changeRole(ctx context.Context, account, name string, f func(data.Txn, *identity) error) error {
	return s.changeIdentity(ctx, account, roleKind, name, func(t data.Txn, id *identity) error {
		if err := notLinked(id); err != nil {
			return err
		}
		return f(t, id)
	})
}

func (s *Service) updateRole(ctx context.Context, rq *call.Authorized, in *api.UpdateRoleRequest) (*api.UpdateRoleResponse, error) {
	err := s.changeIdentity(ctx, rq.Account(), roleKind, *in.RoleName, func(_ data.Txn, id *identity) error {
		if in.MaxSessionDuration != nil {
			if err := notLinked(id); err != nil {
				return err
			}
		}
		id.Description = opt.Or(in.Description, id.Description)
		id.MaxSession = opt.Or(in.MaxSessionDuration, id.MaxSession)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateRoleResponse{}, nil
}

func (s *Service) updateRoleDescription(ctx context.Context, rq *call.Authorized, in *api.UpdateRoleDescriptionRequest) (*api.UpdateRoleDescriptionResponse, error) {
	out := &api.UpdateRoleDescriptionResponse{}
	err := s.changeIdentity(ctx, rq.Account(), roleKind, *in.RoleName, func(t data.Txn, id *identity) (err error) {
		id.Description = opt.Val(in.Description)
		out.Role, err = showRole(t, rq.Account(), id, true)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) updateAssumeRolePolicy(ctx context.Context, rq *call.Authorized, in *api.UpdateAssumeRolePolicyRequest) (*call.None, error) {
	return done(s.changeRole(ctx, rq.Account(), *in.RoleName, func(t data.Txn, id *identity) error {
		return s.setTrust(t, rq.Account(), id, *in.PolicyDocument)
	}))
}

func (s *Service) deleteRole(ctx context.Context, rq *call.Authorized, in *api.DeleteRoleRequest) (*call.None, error) {
	return done(s.update(ctx, func(t data.Txn) error {
		id, err := theIdentity(t, rq.Account(), roleKind, *in.RoleName)
		if err != nil {
			return err
		}
		if err := notLinked(id); err != nil {
			return err
		}
		profiles, err := profilesOf(t, rq.Account(), id.Name)
		if err != nil {
			return err
		}
		if len(profiles) > 0 {
			return api.DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
		}
		return s.deleteIdentity(t, rq.Account(), roleKind, id)
	}))
}
