package iam

import (
	"context"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) groupBindings() []call.Binding {
	return []call.Binding{
		bind(s, api.CreateGroup, groupKind, s.createGroup),
		bind(s, api.GetGroup, groupKind, s.getGroup),
		bindList(api.ListGroups, groupKind, s.listGroups),
		bind(s, api.UpdateGroup, groupKind, s.updateGroup),
		bind(s, api.DeleteGroup, groupKind, s.deleteGroup),
		bind(s, api.AddUserToGroup, groupKind, s.addUserToGroup),
		bind(s, api.RemoveUserFromGroup, groupKind, s.removeUserFromGroup),
		bind(s, api.ListGroupsForUser, userKind, s.listGroupsForUser),
	}
}

func groupOut(account string, id *identity) *api.Group {
	return &api.Group{
		Path: &id.Path, GroupName: &id.Name, GroupId: &id.ID, Arn: new(id.arn(account, groupKind)), CreateDate: &id.Created,
	}
}

func (s *Service) createGroup(ctx context.Context, rq *call.Authorized, in *api.CreateGroupRequest) (*api.CreateGroupResponse, error) {
	id := &identity{head: s.newHead("AGPA", opt.Or(in.Path, "/"), *in.GroupName, nil)}
	if err := s.create(ctx, rq.Account(), groupKind, id, "Group", maxGroupsPerAcct); err != nil {
		return nil, err
	}
	return &api.CreateGroupResponse{Group: groupOut(rq.Account(), id)}, nil
}

// members reads the users of a group in the order of their names.
func members(r data.Reader, account, group string) ([]*identity, error) {
	names, err := suffixes(r, memberPrefix(account, group), 1)
	if err != nil {
		return nil, err
	}
	var all []*identity
	for _, n := range names {
		u, err := read[identity](r, thingKey(account, userKind, n[0]))
		if err != nil {
			return nil, err
		}
		if u != nil {
			all = append(all, u)
		}
	}
	return all, nil
}

func (s *Service) getGroup(ctx context.Context, rq *call.Authorized, in *api.GetGroupRequest) (*api.GetGroupResponse, error) {
	out := &api.GetGroupResponse{Users: []api.User{}}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		g, err := theIdentity(r, rq.Account(), groupKind, *in.GroupName)
		if err != nil {
			return err
		}
		out.Group = groupOut(rq.Account(), g)
		users, err := members(r, rq.Account(), g.Name)
		if err != nil {
			return err
		}
		p, err := paginate(users, lowerName[*identity], in.Marker, in.MaxItems)
		out.IsTruncated, out.Marker = p.Truncated, p.Marker
		for _, u := range p.Items {
			out.Users = append(out.Users, *userOut(rq.Account(), u, false))
		}
		return err
	})
}

func (s *Service) listGroups(ctx context.Context, rq *call.Authorized, in *api.ListGroupsRequest) (*api.ListGroupsResponse, error) {
	p, err := pageOf[identity](ctx, s, rq.Account(), groupKind, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &api.ListGroupsResponse{Groups: []api.Group{}, IsTruncated: p.Truncated, Marker: p.Marker}
	for _, id := range p.Items {
		out.Groups = append(out.Groups, *groupOut(rq.Account(), id))
	}
	return out, nil
}

func (s *Service) updateGroup(ctx context.Context, rq *call.Authorized, in *api.UpdateGroupRequest) (*call.None, error) {
	account := rq.Account()
	return done(s.update(ctx, func(t data.Txn) error {
		g, err := theIdentity(t, account, groupKind, *in.GroupName)
		if err != nil {
			return err
		}
		g.Path = opt.Or(in.NewPath, g.Path)
		if in.NewGroupName != nil && *in.NewGroupName != g.Name {
			old := g.Name
			users, err := members(t, account, old)
			if err != nil {
				return err
			}
			if err := s.rename(t, account, groupKind, g, *in.NewGroupName, "Group", maxGroupsPerAcct); err != nil {
				return err
			}
			for _, u := range users {
				if err := t.Delete(memberKey(account, old, u.Name)); err != nil {
					return err
				}
				if err := t.Put(memberKey(account, g.Name, u.Name), nil); err != nil {
					return err
				}
				u.Groups[slices.Index(u.Groups, old)] = g.Name
				if err := write(t, thingKey(account, userKind, u.Name), u); err != nil {
					return err
				}
			}
		}
		return write(t, thingKey(account, groupKind, g.Name), g)
	}))
}

func (s *Service) deleteGroup(ctx context.Context, rq *call.Authorized, in *api.DeleteGroupRequest) (*call.None, error) {
	return done(s.update(ctx, func(t data.Txn) error {
		g, err := theIdentity(t, rq.Account(), groupKind, *in.GroupName)
		if err != nil {
			return err
		}
		users, err := members(t, rq.Account(), g.Name)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return api.DeleteConflictException("Cannot delete entity, must remove users from group first.")
		}
		return s.deleteIdentity(t, rq.Account(), groupKind, g)
	}))
}

func (s *Service) addUserToGroup(ctx context.Context, rq *call.Authorized, in *api.AddUserToGroupRequest) (*call.None, error) {
	account := rq.Account()
	return done(s.changeIdentity(ctx, account, userKind, *in.UserName, func(t data.Txn, u *identity) error {
		g, err := theIdentity(t, account, groupKind, *in.GroupName)
		if err != nil || slices.Contains(u.Groups, g.Name) {
			return err
		}
		if len(u.Groups) >= maxGroups {
			return api.LimitExceededException("Cannot exceed quota for GroupsPerUser: %d", maxGroups)
		}
		u.Groups = append(u.Groups, g.Name)
		return t.Put(memberKey(account, g.Name, u.Name), nil)
	}))
}

func (s *Service) removeUserFromGroup(ctx context.Context, rq *call.Authorized, in *api.RemoveUserFromGroupRequest) (*call.None, error) {
	account := rq.Account()
	return done(s.changeIdentity(ctx, account, userKind, *in.UserName, func(t data.Txn, u *identity) error {
		g, err := theIdentity(t, account, groupKind, *in.GroupName)
		if err != nil {
			return err
		}
		u.Groups = without(u.Groups, g.Name)
		return t.Delete(memberKey(account, g.Name, u.Name))
	}))
}

func (s *Service) listGroupsForUser(ctx context.Context, rq *call.Authorized, in *api.ListGroupsForUserRequest) (*api.ListGroupsForUserResponse, error) {
	account := rq.Account()
	out := &api.ListGroupsForUserResponse{Groups: []api.Group{}}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		u, err := theIdentity(r, account, userKind, *in.UserName)
		if err != nil {
			return err
		}
		groups, err := groupsOf(r, account, u)
		if err != nil {
			return err
		}
		slices.SortFunc(groups, byName)
		p, err := paginate(groups, lowerName[*identity], in.Marker, in.MaxItems)
		out.IsTruncated, out.Marker = p.Truncated, p.Marker
		for _, g := range p.Items {
			out.Groups = append(out.Groups, *groupOut(account, g))
		}
		return err
	})
}

// groupsOf reads the groups of a user.
func groupsOf(r data.Reader, account string, u *identity) ([]*identity, error) {
	var all []*identity
	for _, name := range u.Groups {
		g, err := theIdentity(r, account, groupKind, name)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}
