package iam

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// detail is one entry of GetAccountAuthorizationDetails: its place in the
// listing, and how it is put into the answer.
type detail struct {
	order string
	put   func(*api.GetAccountAuthorizationDetailsResponse)
}

func (s *Service) getAccountAuthorizationDetails(ctx context.Context, rq *call.Authorized, in *api.GetAccountAuthorizationDetailsRequest) (*api.GetAccountAuthorizationDetailsResponse, error) {
	account := rq.Account()
	out := &api.GetAccountAuthorizationDetailsResponse{
		UserDetailList: []api.UserDetail{}, GroupDetailList: []api.GroupDetail{}, RoleDetailList: []api.RoleDetail{}, Policies: []api.ManagedPolicyDetail{},
	}
	wanted := func(filter string) bool { return len(in.Filter) == 0 || slices.Contains(in.Filter, filter) }
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		var all []detail
		for i, k := range []kind{userKind, groupKind, roleKind} {
			if !wanted([]string{"User", "Group", "Role"}[i]) {
				continue
			}
			found, err := scan[identity](r, kindPrefix(account, k))
			if err != nil {
				return err
			}
			for _, id := range found {
				put, err := s.identityDetail(r, account, k, id)
				if err != nil {
					return err
				}
				all = append(all, detail{string(rune('1'+i)) + lowerName(id), put})
			}
		}
		policies, err := s.policyDetails(r, account, wanted)
		if err != nil {
			return err
		}
		all = append(all, policies...)
		slices.SortFunc(all, func(a, b detail) int { return strings.Compare(a.order, b.order) })
		p, err := paginate(all, func(d detail) string { return d.order }, in.Marker, in.MaxItems)
		out.IsTruncated, out.Marker = p.Truncated, p.Marker
		for _, d := range p.Items {
			d.put(out)
		}
		return err
	})
}

func (s *Service) identityDetail(r data.Reader, account string, k kind, id *identity) (func(*api.GetAccountAuthorizationDetailsResponse), error) {
	policies, err := s.attachedOut(r, account, id)
	if err != nil {
		return nil, err
	}
	attached, inline := []api.AttachedPolicy{}, []api.PolicyDetail{}
	for _, p := range policies {
		attached = append(attached, api.AttachedPolicy{PolicyName: &p.Name, PolicyArn: new(p.policyARN(account))})
	}
	for _, name := range slices.Sorted(maps.Keys(id.Inline)) {
		inline = append(inline, api.PolicyDetail{PolicyName: &name, PolicyDocument: encode(id.Inline[name])})
	}
	arn := id.arn(account, k)
	switch k {
	case userKind:
		return func(out *api.GetAccountAuthorizationDetailsResponse) {
			out.UserDetailList = append(out.UserDetailList, api.UserDetail{
				Path: &id.Path, UserName: &id.Name, UserId: &id.ID, Arn: &arn, CreateDate: &id.Created, Tags: writeTags(id.Tags),
				UserPolicyList: inline, GroupList: append([]string{}, id.Groups...), AttachedManagedPolicies: attached, PermissionsBoundary: boundaryOut(id),
			})
		}, nil
	case groupKind:
		return func(out *api.GetAccountAuthorizationDetailsResponse) {
			out.GroupDetailList = append(out.GroupDetailList, api.GroupDetail{
				Path: &id.Path, GroupName: &id.Name, GroupId: &id.ID, Arn: &arn, CreateDate: &id.Created,
				GroupPolicyList: inline, AttachedManagedPolicies: attached,
			})
		}, nil
	}
	trust, err := trustNow(r, id)
	if err != nil {
		return nil, err
	}
	holders, err := profilesOf(r, account, id.Name)
	if err != nil {
		return nil, err
	}
	profiles := []api.InstanceProfile{}
	for _, h := range holders {
		p, err := profileOut(r, account, h, false)
		if err != nil {
			return nil, err
		}
		profiles = append(profiles, *p)
	}
	return func(out *api.GetAccountAuthorizationDetailsResponse) {
		out.RoleDetailList = append(out.RoleDetailList, api.RoleDetail{
			Path: &id.Path, RoleName: &id.Name, RoleId: &id.ID, Arn: &arn, CreateDate: &id.Created, Tags: writeTags(id.Tags),
			AssumeRolePolicyDocument: encode(trust), InstanceProfileList: profiles,
			RolePolicyList: inline, AttachedManagedPolicies: attached, PermissionsBoundary: boundaryOut(id),
		})
	}, nil
}

// policyDetails are the account's policies, and those of AWS's that it uses.
func (s *Service) policyDetails(r data.Reader, account string, wanted func(string) bool) ([]detail, error) {
	u, err := countUses(r, account)
	if err != nil {
		return nil, err
	}
	var all []*managed
	if wanted("LocalManagedPolicy") {
		if all, err = scan[managed](r, kindPrefix(account, policyKind)); err != nil {
			return nil, err
		}
	}
	if wanted("AWSManagedPolicy") {
		for _, p := range s.aws.all() {
			if arn := p.policyARN(account); u.attached[arn]+u.bounds[arn] > 0 {
				all = append(all, p)
			}
		}
	}
	var out []detail
	for _, p := range all {
		o := policyOut(account, p, u, false)
		versions := []api.PolicyVersion{}
		for i := range p.Versions {
			versions = append(versions, *versionOut(p, &p.Versions[i], true))
		}
		out = append(out, detail{"4" + *o.Arn, func(out *api.GetAccountAuthorizationDetailsResponse) {
			out.Policies = append(out.Policies, api.ManagedPolicyDetail{
				PolicyName: o.PolicyName, PolicyId: o.PolicyId, Arn: o.Arn, Path: o.Path, DefaultVersionId: o.DefaultVersionId,
				AttachmentCount: o.AttachmentCount, PermissionsBoundaryUsageCount: o.PermissionsBoundaryUsageCount, IsAttachable: o.IsAttachable,
				Description: opt.NonZero(p.Description), CreateDate: o.CreateDate, UpdateDate: o.UpdateDate, PolicyVersionList: versions,
			})
		}})
	}
	return out, nil
}
