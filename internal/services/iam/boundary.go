package iam

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
)

func (s *Service) boundaryBindings() []call.Binding {
	return []call.Binding{
		bind(s, api.PutUserPermissionsBoundary, userKind, func(ctx context.Context, rq *call.Authorized, in *api.PutUserPermissionsBoundaryRequest) (*call.None, error) {
			return s.putBoundary(ctx, rq, userKind, *in.UserName, *in.PermissionsBoundary)
		}),
		bind(s, api.PutRolePermissionsBoundary, roleKind, func(ctx context.Context, rq *call.Authorized, in *api.PutRolePermissionsBoundaryRequest) (*call.None, error) {
			return s.putBoundary(ctx, rq, roleKind, *in.RoleName, *in.PermissionsBoundary)
		}),
		bind(s, api.DeleteUserPermissionsBoundary, userKind, func(ctx context.Context, rq *call.Authorized, in *api.DeleteUserPermissionsBoundaryRequest) (*call.None, error) {
			return s.deleteBoundary(ctx, rq, userKind, *in.UserName)
		}),
		bind(s, api.DeleteRolePermissionsBoundary, roleKind, func(ctx context.Context, rq *call.Authorized, in *api.DeleteRolePermissionsBoundaryRequest) (*call.None, error) {
			return s.deleteBoundary(ctx, rq, roleKind, *in.RoleName)
		}),
	}
}

func boundaryOut(id *identity) *api.AttachedPermissionsBoundary {
	if id.Boundary == "" {
		return nil
	}
	return &api.AttachedPermissionsBoundary{PermissionsBoundaryType: new("Policy"), PermissionsBoundaryArn: &id.Boundary}
}

// setBoundary gives an identity a boundary, which must exist.
func (s *Service) setBoundary(t data.Txn, account string, k kind, id *identity, policyARN string) error {
	p, err := s.policyByARN(t, account, policyARN)
	if err != nil {
		return err
	}
	if p == nil {
		return api.NoSuchEntityException("Scope ARN: %s does not exist or is not attachable.", policyARN)
	}
	if id.Boundary != "" {
		if err := t.Delete(useKey(account, asBoundary, id.Boundary, k, id.Name)); err != nil {
			return err
		}
	}
	id.Boundary = policyARN
	return t.Put(useKey(account, asBoundary, policyARN, k, id.Name), nil)
}

func (s *Service) putBoundary(ctx context.Context, rq *call.Authorized, k kind, name, policyARN string) (*call.None, error) {
	return done(s.changeIdentity(ctx, rq.Account(), k, name, func(t data.Txn, id *identity) error {
		if err := notLinked(id); err != nil {
			return err
		}
		return s.setBoundary(t, rq.Account(), k, id, policyARN)
	}))
}

func (s *Service) deleteBoundary(ctx context.Context, rq *call.Authorized, k kind, name string) (*call.None, error) {
	return done(s.changeIdentity(ctx, rq.Account(), k, name, func(t data.Txn, id *identity) error {
		if err := notLinked(id); err != nil {
			return err
		}
		if id.Boundary == "" {
			return api.NoSuchEntityException("%s does not have a permissions boundary.", name)
		}
		old := id.Boundary
		id.Boundary = ""
		return t.Delete(useKey(rq.Account(), asBoundary, old, k, id.Name))
	}))
}
