package sts

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/sts"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
	"github.com/tierra-cloud/tierra/internal/policy"
)

const (
	defaultRoleSeconds = 3600
	// maxChained is how long a session may last that was made from a session.
	maxChained = 3600
)

func (s *Service) roleBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.AssumeRole, call.Rule(s.assumeNeeds, "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"), s.assumeRole),
	}
}

// assumeNeeds asks the role's trust policy, which decides.
func (s *Service) assumeNeeds(ctx context.Context, rq *call.Decoded, in *api.AssumeRoleRequest) ([]call.Need, error) {
	if rq.Principal().Kind == policy.Root && !s.d.Lenient {
		return nil, fault.Of(fault.AccessDenied, "Roles may not be assumed by root accounts.")
	}
	role, trust, _, err := s.d.Mint.Session(ctx, *in.RoleArn, *in.RoleSessionName)
	if err != nil {
		return nil, err
	}
	keys := map[string][]string{"sts:rolesessionname": {*in.RoleSessionName}}
	if in.ExternalId != nil {
		keys["sts:externalid"] = []string{*in.ExternalId}
	}
	for k, v := range role.Tags {
		keys["aws:resourcetag/"+strings.ToLower(k)] = []string{v}
		keys["iam:resourcetag/"+strings.ToLower(k)] = []string{v}
	}
	requestTags(keys, in.Tags)
	if len(in.TransitiveTagKeys) > 0 {
		keys["sts:transitivetagkeys"] = in.TransitiveTagKeys
	}
	source := sourceIdentity(rq.Identity(), in)
	if source != "" {
		keys["sts:sourceidentity"] = []string{source}
	}
	a, _ := arn.Parse(*in.RoleArn)
	need := call.Need{
		Action: "sts:AssumeRole", Resource: *in.RoleArn, Owner: a.Account,
		Policy: trust, PolicyDecides: true, Keys: keys,
	}
	needs := []call.Need{need}
	if len(in.Tags) > 0 || len(rq.Identity().Transitive) > 0 {
		need.Action = "sts:TagSession"
		needs = append(needs, need)
	}
	if source != "" {
		need.Action = "sts:SetSourceIdentity"
		needs = append(needs, need)
	}
	return needs, nil
}

// sourceIdentity is what the new session's will be: it stays through a chain.
func sourceIdentity(caller call.Identity, in *api.AssumeRoleRequest) string {
	return opt.Or(in.SourceIdentity, caller.SourceIdentity)
}

func (s *Service) assumeRole(ctx context.Context, rq *call.Authorized, in *api.AssumeRoleRequest) (*api.AssumeRoleResponse, error) {
	if in.SerialNumber != nil || in.TokenCode != nil {
		return nil, noSecondFactor()
	}
	if len(in.ProvidedContexts) > 0 {
		return nil, fault.Of(fault.Validation, "ProvidedContexts is not supported: there are no context providers here.")
	}
	caller := rq.Identity()
	id, trust, longest, err := s.d.Mint.Session(ctx, *in.RoleArn, *in.RoleSessionName)
	if err != nil {
		return nil, err
	}
	if trust == nil { // the role went between authorisation and now, or nobody asks (see --auth)
		return nil, fault.Of(fault.AccessDenied, "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", caller.Principal.String(), *in.RoleArn)
	}
	seconds := opt.Or(in.DurationSeconds, defaultRoleSeconds)
	switch {
	case time.Duration(seconds)*time.Second > longest && in.DurationSeconds != nil:
		return nil, fault.Of(fault.Validation, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	case caller.Principal.Kind == policy.Role && seconds > maxChained:
		return nil, fault.Of(fault.Validation, "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	case caller.SourceIdentity != "" && opt.Or(in.SourceIdentity, caller.SourceIdentity) != caller.SourceIdentity:
		return nil, fault.Of(fault.AccessDenied, "The source identity cannot be changed once it is set.")
	}
	id.SourceIdentity = sourceIdentity(caller, in)
	if err := sessionTags(&id, caller, in); err != nil {
		return nil, err
	}
	p, err := s.pass(ctx, id.Principal.Account, in.Policy, in.PolicyArns, id.Tags)
	if err != nil {
		return nil, err
	}
	c, err := s.credentials(ctx, id, p, seconds)
	if err != nil {
		return nil, err
	}
	return &api.AssumeRoleResponse{
		Credentials:      c,
		AssumedRoleUser:  &api.AssumedRoleUser{AssumedRoleId: &id.Principal.UserID, Arn: &id.Principal.ARN},
		PackedPolicySize: p.percent(),
		SourceIdentity:   opt.NonZero(id.SourceIdentity),
	}, nil
}

// sessionTags gives a session the tags that were passed and those that go on
// from the caller's session.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
func sessionTags(id *call.Identity, caller call.Identity, in *api.AssumeRoleRequest) error {
	tags, err := readTags(in.Tags)
	if err != nil {
		return err
	}
	id.Transitive = slices.Clone(caller.Transitive)
	for k, v := range caller.Tags {
		if !containsFold(caller.Transitive, k) {
			continue
		}
		if _, again := lookupFold(tags, k); again {
			return fault.Of(fault.Validation, "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		tags[k] = v
	}
	for _, k := range in.TransitiveTagKeys {
		if _, ok := lookupFold(tags, k); !ok {
			return fault.Of(fault.InvalidParameterValue, "The specified transitive tag key must be included in the requested tags.")
		}
		if !containsFold(id.Transitive, k) {
			id.Transitive = append(id.Transitive, k)
		}
	}
	id.Tags = maps.Clone(tags)
	return nil
}
