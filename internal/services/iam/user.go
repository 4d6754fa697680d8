package iam

import (
	"context"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

func (s *Service) userBindings() []call.Binding {
	return []call.Binding{
		bind(s, api.CreateUser, userKind, s.createUser),
		bind(s, api.GetUser, userKind, s.getUser),
		bindList(api.ListUsers, userKind, s.listUsers),
		bind(s, api.UpdateUser, userKind, s.updateUser),
		bind(s, api.DeleteUser, userKind, s.deleteUser),
	}
}

// theIdentity reads an identity that must exist.
func theIdentity(r data.Reader, account string, k kind, name string) (*identity, error) {
	id, err := named[identity](r, account, k, name)
	if err == nil && id == nil {
		err = api.NoSuchEntityException("The %s with name %s cannot be found.", k, name)
	}
	return id, err
}

// changeIdentity reads an identity, lets f change it and writes it back.
func (s *Service) changeIdentity(ctx context.Context, account string, k kind, name string, f func(data.Txn, *identity) error) error {
	return s.update(ctx, func(t data.Txn) error {
		id, err := theIdentity(t, account, k, name)
		if err != nil {
			return err
		}
		if err := f(t, id); err != nil {
			return err
		}
		return write(t, thingKey(account, k, id.Name), id)
	})
}

// isNew refuses a name that is taken, in whatever case, and more things of a
// kind than its quota.
func isNew(t data.Txn, account string, k kind, name, what string, quota int) error {
	_, taken, err := t.Get(thingKey(account, k, name))
	if err != nil {
		return err
	}
	if taken {
		return api.EntityAlreadyExistsException("%s with name %s already exists.", what, name)
	}
	others, err := suffixes(t, kindPrefix(account, k), 1)
	if err == nil && len(others) >= quota {
		err = api.LimitExceededException("Cannot exceed quota for %ssPerAccount: %d", what, quota)
	}
	return err
}

func (s *Service) createUser(ctx context.Context, rq *call.Authorized, in *api.CreateUserRequest) (*api.CreateUserResponse, error) {
	tags, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	id := &identity{head: s.newHead("AIDA", opt.Or(in.Path, "/"), *in.UserName, tags), Boundary: opt.Val(in.PermissionsBoundary)}
	if err := s.create(ctx, rq.Account(), userKind, id, "User", maxUsers); err != nil {
		return nil, err
	}
	return &api.CreateUserResponse{User: userOut(rq.Account(), id, true)}, nil
}

// create writes a new identity.
func (s *Service) create(ctx context.Context, account string, k kind, id *identity, what string, quota int) error {
	return s.update(ctx, func(t data.Txn) error {
		if err := isNew(t, account, k, id.Name, what, quota); err != nil {
			return err
		}
		if id.Boundary != "" {
			if err := s.setBoundary(t, account, k, id, id.Boundary); err != nil {
				return err
			}
		}
		return write(t, thingKey(account, k, id.Name), id)
	})
}

// userOut is a user as answers have it; full has what listings leave out.
func userOut(account string, id *identity, full bool) *api.User {
	u := &api.User{
		Path: &id.Path, UserName: &id.Name, UserId: &id.ID, Arn: new(id.arn(account, userKind)), CreateDate: &id.Created,
	}
	if full {
		u.PermissionsBoundary, u.Tags = boundaryOut(id), someTags(id.Tags)
	}
	return u
}

func (s *Service) getUser(ctx context.Context, rq *call.Authorized, in *api.GetUserRequest) (*api.GetUserResponse, error) {
	if p := rq.Principal(); in.UserName == nil && p.Kind == policy.Root {
		return &api.GetUserResponse{User: &api.User{Path: new("/"), UserId: &p.Account, Arn: &p.ARN}}, nil
	}
	name, err := ownName(rq, in.UserName)
	if err != nil {
		return nil, err
	}
	out := &api.GetUserResponse{}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		id, err := theIdentity(r, rq.Account(), userKind, name)
		if err == nil {
			out.User = userOut(rq.Account(), id, true)
		}
		return err
	})
}

// pageOf reads a page of the things of a kind below a path.
func pageOf[T any, P interface {
	*T
	top() *head
}](ctx context.Context, s *Service, account string, k kind, prefix, marker *string, max *int32) (paged[P], error) {
	var out paged[P]
	err := s.d.Store.View(ctx, func(r data.Reader) error {
		found, err := scan[T](r, kindPrefix(account, k))
		if err != nil {
			return err
		}
		all := make([]P, len(found))
		for i, x := range found {
			all[i] = x
		}
		out, err = paginate(underPath(all, prefix), lowerName[P], marker, max)
		return err
	})
	return out, err
}

func (s *Service) listUsers(ctx context.Context, rq *call.Authorized, in *api.ListUsersRequest) (*api.ListUsersResponse, error) {
	p, err := pageOf[identity](ctx, s, rq.Account(), userKind, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListUsersResponse{Users: []api.User{}, IsTruncated: p.Truncated, Marker: p.Marker}
	for _, id := range p.Items {
		out.Users = append(out.Users, *userOut(rq.Account(), id, false))
	}
	return out, nil
}

// updateUser renames or moves a user. What names it elsewhere follows: groups,
// uses of policies and the owners of its access keys. Sessions that the user
// made before end.
func (s *Service) updateUser(ctx context.Context, rq *call.Authorized, in *api.UpdateUserRequest) (*call.None, error) {
	account := rq.Account()
	return done(s.update(ctx, func(t data.Txn) error {
		id, err := theIdentity(t, account, userKind, *in.UserName)
		if err != nil {
			return err
		}
		id.Path = opt.Or(in.NewPath, id.Path)
		if in.NewUserName != nil && *in.NewUserName != id.Name {
			if err := s.rename(t, account, userKind, id, *in.NewUserName, "User", maxUsers); err != nil {
				return err
			}
			for _, g := range id.Groups {
				if err := t.Delete(memberKey(account, g, *in.UserName)); err != nil {
					return err
				}
				if err := t.Put(memberKey(account, g, id.Name), nil); err != nil {
					return err
				}
			}
			for _, k := range id.Keys {
				if err := write(t, ownerKey(k.ID), owner{recordVersion, account, id.Name}); err != nil {
					return err
				}
			}
		}
		return write(t, thingKey(account, userKind, id.Name), id)
	}))
}

// rename takes an identity to another name, with the uses of policies.
func (s *Service) rename(t data.Txn, account string, k kind, id *identity, name, what string, quota int) error {
	old := id.Name
	if err := t.Delete(thingKey(account, k, old)); err != nil {
		return err
	}
	if err := isNew(t, account, k, name, what, quota); err != nil {
		return err
	}
	if err := dropUses(t, account, k, id); err != nil {
		return err
	}
	id.Name = name
	return putUses(t, account, k, id)
}

func (s *Service) deleteUser(ctx context.Context, rq *call.Authorized, in *api.DeleteUserRequest) (*call.None, error) {
	return done(s.update(ctx, func(t data.Txn) error {
		id, err := theIdentity(t, rq.Account(), userKind, *in.UserName)
		if err != nil {
			return err
		}
		switch {
		case len(id.Keys) > 0:
			return api.DeleteConflictException("Cannot delete entity, must delete access keys first.")
		case len(id.Groups) > 0:
			return api.DeleteConflictException("Cannot delete entity, must remove users from group first.")
		}
		return s.deleteIdentity(t, rq.Account(), userKind, id)
	}))
}

// deleteIdentity deletes an identity that has no policies any more.
func (s *Service) deleteIdentity(t data.Txn, account string, k kind, id *identity) error {
	switch {
	case len(id.Inline) > 0:
		return api.DeleteConflictException("Cannot delete entity, must delete policies first.")
	case len(id.Attached) > 0:
		return api.DeleteConflictException("Cannot delete entity, must detach all policies first.")
	}
	if err := dropUses(t, account, k, id); err != nil { // of the boundary
		return err
	}
	return t.Delete(thingKey(account, k, id.Name))
}

func without(list []string, x string) []string {
	return slices.DeleteFunc(list, func(y string) bool { return y == x })
}
