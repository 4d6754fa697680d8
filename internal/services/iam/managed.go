package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) managedBindings() []call.Binding {
	return []call.Binding{
		bind(s, api.CreatePolicy, policyKind, s.createPolicy),
		bind(s, api.GetPolicy, policyKind, s.getPolicy),
		bindList(api.ListPolicies, policyKind, s.listPolicies),
		bind(s, api.DeletePolicy, policyKind, s.deletePolicy),
		bind(s, api.CreatePolicyVersion, policyKind, s.createPolicyVersion),
		bind(s, api.GetPolicyVersion, policyKind, s.getPolicyVersion),
		bind(s, api.ListPolicyVersions, policyKind, s.listPolicyVersions),
		bind(s, api.SetDefaultPolicyVersion, policyKind, s.setDefaultPolicyVersion),
		bind(s, api.DeletePolicyVersion, policyKind, s.deletePolicyVersion),
	}
}

// policyByARN reads a managed policy, AWS's or the account's own; nil if there is
// none. AWS's belong to no account.
func (s *Service) policyByARN(r data.Reader, account, policyARN string) (*managed, error) {
	a, ok := arn.Parse(policyARN)
	if !ok || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
		return nil, nil
	}
	if a.Account == "aws" {
		return s.aws.byARN(policyARN), nil
	}
	if a.Account != account {
		return nil, nil
	}
	p, err := named[managed](r, account, policyKind, lastName(a))
	if err != nil || p == nil || p.arn(account, policyKind) != policyARN {
		return nil, err
	}
	return p, nil
}

func (s *Service) thePolicy(r data.Reader, account, policyARN string) (*managed, error) {
	p, err := s.policyByARN(r, account, policyARN)
	if err == nil && p == nil {
		err = api.NoSuchEntityException("Policy %s was not found.", policyARN)
	}
	return p, err
}

// ownPolicy reads a policy that the account may change.
func (s *Service) ownPolicy(r data.Reader, account, policyARN string) (*managed, error) {
	if strings.HasPrefix(policyARN, awsPrefix) {
		return nil, fault.Of(fault.AccessDenied, "Policy %s is managed by AWS and cannot be changed.", policyARN)
	}
	return s.thePolicy(r, account, policyARN)
}

func (s *Service) changePolicy(ctx context.Context, account, policyARN string, f func(data.Txn, *managed) error) error {
	return s.update(ctx, func(t data.Txn) error {
		p, err := s.ownPolicy(t, account, policyARN)
		if err != nil {
			return err
		}
		if err := f(t, p); err != nil {
			return err
		}
		return write(t, thingKey(account, policyKind, p.Name), p)
	})
}

// policyARN is the ARN of a policy of the account, or of one of AWS's.
func (p *managed) policyARN(account string) string {
	if p.ID == "" || strings.HasPrefix(p.ID, awsIDs) {
		account = "aws"
	}
	return p.arn(account, policyKind)
}

// active is the default version's document.
func (p *managed) active() *version { return p.versionOf(p.Default) }

func (p *managed) versionOf(id string) *version {
	for i := range p.Versions {
		if p.Versions[i].ID == id {
			return &p.Versions[i]
		}
	}
	return nil
}

// usage counts how often policies are attached and are boundaries, by their ARNs.
type usage struct{ attached, bounds map[string]int32 }

func countUses(r data.Reader, account string) (usage, error) {
	u := usage{map[string]int32{}, map[string]int32{}}
	for how, counts := range map[string]map[string]int32{asPolicy: u.attached, asBoundary: u.bounds} {
		all, err := suffixes(r, usesPrefix(account, how), 3)
		if err != nil {
			return u, err
		}
		for _, parts := range all {
			counts[parts[0]]++
		}
	}
	return u, nil
}

func policyOut(account string, p *managed, u usage, full bool) *api.Policy {
	arn := p.policyARN(account)
	out := &api.Policy{
		PolicyName: &p.Name, PolicyId: &p.ID, Arn: &arn, Path: &p.Path, DefaultVersionId: &p.Default,
		AttachmentCount: new(u.attached[arn]), PermissionsBoundaryUsageCount: new(u.bounds[arn]),
		IsAttachable: new(true), CreateDate: &p.Created, UpdateDate: &p.Updated,
	}
	if full {
		out.Description, out.Tags = opt.NonZero(p.Description), someTags(p.Tags)
	}
	return out
}

func versionOut(p *managed, v *version, document bool) *api.PolicyVersion {
	out := &api.PolicyVersion{VersionId: &v.ID, IsDefaultVersion: new(v.ID == p.Default), CreateDate: &v.Created}
	if document {
		out.Document = encode(v.Document)
	}
	return out
}

func (s *Service) createPolicy(ctx context.Context, rq *call.Authorized, in *api.CreatePolicyRequest) (*api.CreatePolicyResponse, error) {
	tags, err := readTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := checkManaged(*in.PolicyDocument); err != nil {
		return nil, err
	}
	h := s.newHead("ANPA", opt.Or(in.Path, "/"), *in.PolicyName, tags)
	p := &managed{
		head: h, Description: opt.Val(in.Description), Updated: h.Created, Default: "v1", Last: 1,
		Versions: []version{{"v1", *in.PolicyDocument, h.Created}},
	}
	err = s.update(ctx, func(t data.Txn) error {
		err := isNew(t, rq.Account(), policyKind, p.Name, "Policy", maxPolicies)
		if fault.Is(err, "EntityAlreadyExists") {
			err = api.EntityAlreadyExistsException("A policy called %s already exists. Duplicate names are not allowed.", p.Name)
		}
		if err != nil {
			return err
		}
		return write(t, thingKey(rq.Account(), policyKind, p.Name), p)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreatePolicyResponse{Policy: policyOut(rq.Account(), p, usage{}, true)}, nil
}

func (s *Service) getPolicy(ctx context.Context, rq *call.Authorized, in *api.GetPolicyRequest) (*api.GetPolicyResponse, error) {
	out := &api.GetPolicyResponse{}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		p, err := s.thePolicy(r, rq.Account(), *in.PolicyArn)
		if err != nil {
			return err
		}
		u, err := countUses(r, rq.Account())
		out.Policy = policyOut(rq.Account(), p, u, true)
		return err
	})
}

func (s *Service) listPolicies(ctx context.Context, rq *call.Authorized, in *api.ListPoliciesRequest) (*api.ListPoliciesResponse, error) {
	account := rq.Account()
	out := &api.ListPoliciesResponse{Policies: []api.Policy{}}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		var all []*managed
		if opt.Val(in.Scope) != api.PolicyScopeTypeLocal {
			all = append(all, s.aws.all()...)
		}
		if opt.Val(in.Scope) != api.PolicyScopeTypeAws {
			own, err := scan[managed](r, kindPrefix(account, policyKind))
			if err != nil {
				return err
			}
			all = append(all, own...)
		}
		u, err := countUses(r, account)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(underPath(all, in.PathPrefix), func(p *managed) bool {
			arn := p.policyARN(account)
			switch opt.Val(in.PolicyUsageFilter) {
			case "PermissionsPolicy":
				if u.attached[arn] == 0 {
					return true
				}
			case "PermissionsBoundary":
				if u.bounds[arn] == 0 {
					return true
				}
			}
			return opt.Val(in.OnlyAttached) && u.attached[arn]+u.bounds[arn] == 0
		})
		name := func(p *managed) string { return p.policyARN(account) }
		slices.SortFunc(all, func(a, b *managed) int { return strings.Compare(name(a), name(b)) })
		p, err := paginate(all, name, in.Marker, in.MaxItems)
		out.IsTruncated, out.Marker = p.Truncated, p.Marker
		for _, p := range p.Items {
			out.Policies = append(out.Policies, *policyOut(account, p, u, false))
		}
		return err
	})
}

func (s *Service) deletePolicy(ctx context.Context, rq *call.Authorized, in *api.DeletePolicyRequest) (*call.None, error) {
	account := rq.Account()
	return done(s.update(ctx, func(t data.Txn) error {
		p, err := s.ownPolicy(t, account, *in.PolicyArn)
		if err != nil {
			return err
		}
		u, err := countUses(t, account)
		switch {
		case err != nil:
			return err
		case u.attached[*in.PolicyArn]+u.bounds[*in.PolicyArn] > 0:
			return api.DeleteConflictException("Cannot delete a policy attached to entities.")
		case len(p.Versions) > 1:
			return api.DeleteConflictException("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		return t.Delete(thingKey(account, policyKind, p.Name))
	}))
}

func (s *Service) createPolicyVersion(ctx context.Context, rq *call.Authorized, in *api.CreatePolicyVersionRequest) (*api.CreatePolicyVersionResponse, error) {
	out := &api.CreatePolicyVersionResponse{}
	err := s.changePolicy(ctx, rq.Account(), *in.PolicyArn, func(_ data.Txn, p *managed) error {
		if err := checkManaged(*in.PolicyDocument); err != nil {
			return err
		}
		if len(p.Versions) >= maxVersions {
			return api.LimitExceededException("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
		}
		p.Last++
		v := version{fmt.Sprintf("v%d", p.Last), *in.PolicyDocument, s.now()}
		p.Versions, p.Updated = append(p.Versions, v), v.Created
		if opt.Val(in.SetAsDefault) {
			p.Default = v.ID
		}
		out.PolicyVersion = versionOut(p, &v, false)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// theVersion reads a version that must exist.
func (p *managed) theVersion(policyARN, id string) (*version, error) {
	v := p.versionOf(id)
	if v == nil {
		return nil, api.NoSuchEntityException("Policy %s version %s does not exist or is not attachable.", policyARN, id)
	}
	return v, nil
}

func (s *Service) getPolicyVersion(ctx context.Context, rq *call.Authorized, in *api.GetPolicyVersionRequest) (*api.GetPolicyVersionResponse, error) {
	out := &api.GetPolicyVersionResponse{}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		p, err := s.thePolicy(r, rq.Account(), *in.PolicyArn)
		if err != nil {
			return err
		}
		v, err := p.theVersion(*in.PolicyArn, *in.VersionId)
		if err == nil {
			out.PolicyVersion = versionOut(p, v, true)
		}
		return err
	})
}

func (s *Service) listPolicyVersions(ctx context.Context, rq *call.Authorized, in *api.ListPolicyVersionsRequest) (*api.ListPolicyVersionsResponse, error) {
	out := &api.ListPolicyVersionsResponse{Versions: []api.PolicyVersion{}}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		p, err := s.thePolicy(r, rq.Account(), *in.PolicyArn)
		if err != nil {
			return err
		}
		// The newest comes first. A marker counts down, so it sorts by what is left.
		newest := slices.Clone(p.Versions)
		slices.Reverse(newest)
		rank := func(v version) string { return fmt.Sprintf("%08d", 1<<26-number(v.ID)) }
		page, err := paginate(newest, rank, in.Marker, in.MaxItems)
		out.IsTruncated, out.Marker = page.Truncated, page.Marker
		for _, v := range page.Items {
			out.Versions = append(out.Versions, *versionOut(p, &v, false))
		}
		return err
	})
}

// number is n of the version vn.
func number(version string) (n int) {
	_, _ = fmt.Sscanf(version, "v%d", &n)
	return n
}

func (s *Service) setDefaultPolicyVersion(ctx context.Context, rq *call.Authorized, in *api.SetDefaultPolicyVersionRequest) (*call.None, error) {
	return done(s.changePolicy(ctx, rq.Account(), *in.PolicyArn, func(_ data.Txn, p *managed) error {
		v, err := p.theVersion(*in.PolicyArn, *in.VersionId)
		if err != nil {
			return err
		}
		p.Default, p.Updated = v.ID, s.now()
		return nil
	}))
}

func (s *Service) deletePolicyVersion(ctx context.Context, rq *call.Authorized, in *api.DeletePolicyVersionRequest) (*call.None, error) {
	return done(s.changePolicy(ctx, rq.Account(), *in.PolicyArn, func(_ data.Txn, p *managed) error {
		v, err := p.theVersion(*in.PolicyArn, *in.VersionId)
		if err != nil {
			return err
		}
		if v.ID == p.Default {
			return api.DeleteConflictException("Cannot delete the default version of a policy.")
		}
		id := v.ID // v is in the slice that changes
		p.Versions = slices.DeleteFunc(p.Versions, func(w version) bool { return w.ID == id })
		p.Updated = s.now()
		return nil
	}))
}
