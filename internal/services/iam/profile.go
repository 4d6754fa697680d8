package iam

import (
	"context"
	"slices"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) profileBindings() []call.Binding {
	return []call.Binding{
		bind(s, api.CreateInstanceProfile, profileKind, s.createInstanceProfile),
		bind(s, api.GetInstanceProfile, profileKind, s.getInstanceProfile),
		bindList(api.ListInstanceProfiles, profileKind, s.listInstanceProfiles),
		bind(s, api.ListInstanceProfilesForRole, roleKind, s.listInstanceProfilesForRole),
		bind(s, api.DeleteInstanceProfile, profileKind, s.deleteInstanceProfile),
		call.Bind(api.AddRoleToInstanceProfile, call.Rule(s.addRoleNeeds, "iam:AddRoleToInstanceProfile", "iam:PassRole"), s.addRoleToInstanceProfile),
		bind(s, api.RemoveRoleFromInstanceProfile, profileKind, s.removeRoleFromInstanceProfile),
	}
}

// addRoleNeeds: who puts a role into a profile passes it on.
func (s *Service) addRoleNeeds(ctx context.Context, rq *call.Decoded, in *api.AddRoleToInstanceProfileRequest) ([]call.Need, error) {
	profile, err := s.need(ctx, rq, "iam:AddRoleToInstanceProfile", profileKind, inputOf(in))
	if err != nil {
		return nil, err
	}
	pass, err := s.need(ctx, rq, "iam:PassRole", roleKind, inputOf(in))
	pass.Keys["iam:passedtoservice"] = []string{"ec2.amazonaws.com"}
	return []call.Need{profile, pass}, err
}

func theProfile(r data.Reader, account, name string) (*instanceProfile, error) {
	p, err := named[instanceProfile](r, account, profileKind, name)
	if err == nil && p == nil {
		err = api.NoSuchEntityException("Instance Profile %s cannot be found.", name)
	}
	return p, err
}

func (s *Service) changeProfile(ctx context.Context, account, name string, f func(data.Txn, *instanceProfile) error) error {
	return s.update(ctx, func(t data.Txn) error {
		p, err := theProfile(t, account, name)
		if err != nil {
			return err
		}
		if err := f(t, p); err != nil {
			return err
		}
		return write(t, thingKey(account, profileKind, p.Name), p)
	})
}

func profileOut(r data.Reader, account string, p *instanceProfile, full bool) (*api.InstanceProfile, error) {
	out := &api.InstanceProfile{
		Path: &p.Path, InstanceProfileName: &p.Name, InstanceProfileId: &p.ID, Arn: new(p.arn(account, profileKind)),
		CreateDate: &p.Created, Roles: []api.Role{},
	}
	if full {
		out.Tags = someTags(p.Tags)
	}
	if p.Role == "" {
		return out, nil
	}
	id, err := theIdentity(r, account, roleKind, p.Role)
	if err != nil {
		return nil, err
	}
	role, err := showRole(r, account, id, false)
	if err != nil {
		return nil, err
	}
	out.Roles = append(out.Roles, *role)
	return out, nil
}

func (s *Service) createInstanceProfile(ctx context.Context, rq *call.Authorized, in *api.CreateInstanceProfileRequest) (*api.CreateInstanceProfileResponse, error) {
	tags, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	p := &instanceProfile{head: s.newHead("AIPA", opt.Or(in.Path, "/"), *in.InstanceProfileName, tags)}
	out := &api.CreateInstanceProfileResponse{}
	return out, s.update(ctx, func(t data.Txn) error {
		err := isNew(t, rq.Account(), profileKind, p.Name, "Instance Profile", maxNamed)
		if err != nil {
			return err
		}
		if out.InstanceProfile, err = profileOut(t, rq.Account(), p, true); err != nil {
			return err
		}
		return write(t, thingKey(rq.Account(), profileKind, p.Name), p)
	})
}

func (s *Service) getInstanceProfile(ctx context.Context, rq *call.Authorized, in *api.GetInstanceProfileRequest) (*api.GetInstanceProfileResponse, error) {
	out := &api.GetInstanceProfileResponse{}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		p, err := theProfile(r, rq.Account(), *in.InstanceProfileName)
		if err == nil {
			out.InstanceProfile, err = profileOut(r, rq.Account(), p, true)
		}
		return err
	})
}

func profilesOut(r data.Reader, account string, all []*instanceProfile, marker *string, max *int32) (paged[api.InstanceProfile], error) {
	p, err := paginate(all, lowerName[*instanceProfile], marker, max)
	out := paged[api.InstanceProfile]{[]api.InstanceProfile{}, p.Truncated, p.Marker}
	if err != nil {
		return out, err
	}
	for _, x := range p.Items {
		o, err := profileOut(r, account, x, false)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, *o)
	}
	return out, nil
}

func (s *Service) listInstanceProfiles(ctx context.Context, rq *call.Authorized, in *api.ListInstanceProfilesRequest) (*api.ListInstanceProfilesResponse, error) {
	out := &api.ListInstanceProfilesResponse{}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		all, err := scan[instanceProfile](r, kindPrefix(rq.Account(), profileKind))
		if err != nil {
			return err
		}
		p, err := profilesOut(r, rq.Account(), underPath(all, in.PathPrefix), in.Marker, in.MaxItems)
		out.InstanceProfiles, out.IsTruncated, out.Marker = p.Items, p.Truncated, p.Marker
		return err
	})
}

// profilesOf reads the instance profiles that hold a role.
func profilesOf(r data.Reader, account, role string) ([]*instanceProfile, error) {
	all, err := scan[instanceProfile](r, kindPrefix(account, profileKind))
	return slices.DeleteFunc(all, func(p *instanceProfile) bool { return p.Role != role }), err
}

func (s *Service) listInstanceProfilesForRole(ctx context.Context, rq *call.Authorized, in *api.ListInstanceProfilesForRoleRequest) (*api.ListInstanceProfilesForRoleResponse, error) {
	out := &api.ListInstanceProfilesForRoleResponse{}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		id, err := theIdentity(r, rq.Account(), roleKind, *in.RoleName)
		if err != nil {
			return err
		}
		all, err := profilesOf(r, rq.Account(), id.Name)
		if err != nil {
			return err
		}
		p, err := profilesOut(r, rq.Account(), all, in.Marker, in.MaxItems)
		out.InstanceProfiles, out.IsTruncated, out.Marker = p.Items, p.Truncated, p.Marker
		return err
	})
}

func (s *Service) deleteInstanceProfile(ctx context.Context, rq *call.Authorized, in *api.DeleteInstanceProfileRequest) (*call.None, error) {
	return done(s.update(ctx, func(t data.Txn) error {
		p, err := theProfile(t, rq.Account(), *in.InstanceProfileName)
		if err != nil {
			return err
		}
		if p.Role != "" {
			return api.DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
		}
		return t.Delete(thingKey(rq.Account(), profileKind, p.Name))
	}))
}

func (s *Service) addRoleToInstanceProfile(ctx context.Context, rq *call.Authorized, in *api.AddRoleToInstanceProfileRequest) (*call.None, error) {
	return done(s.changeProfile(ctx, rq.Account(), *in.InstanceProfileName, func(t data.Txn, p *instanceProfile) error {
		id, err := theIdentity(t, rq.Account(), roleKind, *in.RoleName)
		if err != nil {
			return err
		}
		if err := notLinked(id); err != nil {
			return err
		}
		if p.Role != "" {
			return api.LimitExceededException("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
		}
		p.Role = id.Name
		return nil
	}))
}

func (s *Service) removeRoleFromInstanceProfile(ctx context.Context, rq *call.Authorized, in *api.RemoveRoleFromInstanceProfileRequest) (*call.None, error) {
	return done(s.changeProfile(ctx, rq.Account(), *in.InstanceProfileName, func(_ data.Txn, p *instanceProfile) error {
		if p.Role != *in.RoleName {
			return api.NoSuchEntityException("The role with name %s cannot be found.", *in.RoleName)
		}
		p.Role = ""
		return nil
	}))
}
