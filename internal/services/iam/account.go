package iam

import (
	"context"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

func (s *Service) accountBindings() []call.Binding {
	return []call.Binding{
		bindAny(api.CreateAccountAlias, s.createAccountAlias),
		bindAny(api.ListAccountAliases, s.listAccountAliases),
		bindAny(api.DeleteAccountAlias, s.deleteAccountAlias),
		bindAny(api.GetAccountSummary, s.getAccountSummary),
		bindAny(api.GetAccountAuthorizationDetails, s.getAccountAuthorizationDetails),
	}
}

func (s *Service) createAccountAlias(ctx context.Context, rq *call.Authorized, in *api.CreateAccountAliasRequest) (*call.None, error) {
	name := *in.AccountAlias
	if err := checkAccountAlias(name); err != nil {
		return nil, err
	}
	return done(s.update(ctx, func(t data.Txn) error {
		if isAccount(name) {
			return api.InvalidInputException("The account alias must not be a 12-digit number.")
		}
		key := aliasOwnerKey(name)
		other, err := read[owner](t, key)
		if err != nil {
			return err
		}
		if other != nil && other.Account != rq.Account() {
			return api.EntityAlreadyExistsException("The account alias %s already exists.", name)
		}
		old, err := read[alias](t, aliasKey(rq.Account()))
		if err != nil {
			return err
		}
		if old != nil {
			if err := t.Delete(aliasOwnerKey(old.Name)); err != nil {
				return err
			}
		}
		if err := write(t, key, owner{Version: recordVersion, Account: rq.Account()}); err != nil {
			return err
		}
		return write(t, aliasKey(rq.Account()), alias{recordVersion, name})
	}))
}

// checkAccountAlias checks the characters of an alias, by a pattern in a dialect
// of regular expressions that the constraints of models are not checked with.
func checkAccountAlias(name string) error {
	allowed := func(r rune) bool { return r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' }
	if strings.ContainsFunc(name, func(r rune) bool { return !allowed(r) }) || strings.Trim(name, "-") != name || strings.Contains(name, "--") {
		return fault.Of(fault.Validation, "1 validation error detected: Value '%s' at 'accountAlias' failed to satisfy constraint: "+
			"Member must satisfy regular expression pattern: ^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$", name)
	}
	return nil
}

func (s *Service) listAccountAliases(ctx context.Context, rq *call.Authorized, _ *api.ListAccountAliasesRequest) (*api.ListAccountAliasesResponse, error) {
	out := &api.ListAccountAliasesResponse{AccountAliases: []string{}, IsTruncated: new(false)}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		a, err := read[alias](r, aliasKey(rq.Account()))
		if a != nil {
			out.AccountAliases = append(out.AccountAliases, a.Name)
		}
		return err
	})
}

func (s *Service) deleteAccountAlias(ctx context.Context, rq *call.Authorized, in *api.DeleteAccountAliasRequest) (*call.None, error) {
	return done(s.update(ctx, func(t data.Txn) error {
		a, err := read[alias](t, aliasKey(rq.Account()))
		if err != nil {
			return err
		}
		if a == nil || a.Name != *in.AccountAlias {
			return api.NoSuchEntityException("The account alias %s cannot be found.", *in.AccountAlias)
		}
		if err := t.Delete(aliasOwnerKey(a.Name)); err != nil {
			return err
		}
		return t.Delete(aliasKey(rq.Account()))
	}))
}

func (s *Service) getAccountSummary(ctx context.Context, rq *call.Authorized, _ *call.None) (*api.GetAccountSummaryResponse, error) {
	account := rq.Account()
	m := map[string]int32{
		api.SummaryKeyTypeUsersQuota:                    maxUsers,
		api.SummaryKeyTypeGroupsQuota:                   maxGroupsPerAcct,
		api.SummaryKeyTypeRolesQuota:                    maxNamed,
		api.SummaryKeyTypeInstanceProfilesQuota:         maxNamed,
		api.SummaryKeyTypePoliciesQuota:                 maxPolicies,
		api.SummaryKeyTypeUserPolicySizeQuota:           maxInlineUser,
		api.SummaryKeyTypeGroupPolicySizeQuota:          maxInlineGroup,
		api.SummaryKeyTypeRolePolicySizeQuota:           maxInlineRole,
		api.SummaryKeyTypePolicySizeQuota:               maxManaged,
		api.SummaryKeyTypeAssumeRolePolicySizeQuota:     maxTrust,
		api.SummaryKeyTypeGroupsPerUserQuota:            maxGroups,
		api.SummaryKeyTypeAccessKeysPerUserQuota:        maxAccessKeys,
		api.SummaryKeyTypeAttachedPoliciesPerUserQuota:  maxAttached,
		api.SummaryKeyTypeAttachedPoliciesPerGroupQuota: maxAttached,
		api.SummaryKeyTypeAttachedPoliciesPerRoleQuota:  maxAttachedRole,
		api.SummaryKeyTypeVersionsPerPolicyQuota:        maxVersions,
		// What is not to be had here there is none of.
		api.SummaryKeyTypeMFADevices: 0, api.SummaryKeyTypeMFADevicesInUse: 0, api.SummaryKeyTypeAccountMFAEnabled: 0,
		api.SummaryKeyTypeServerCertificates: 0, api.SummaryKeyTypeProviders: 0, api.SummaryKeyTypeAccountPasswordPresent: 0,
		api.SummaryKeyTypeAccountSigningCertificatesPresent: 0, api.SummaryKeyTypeAccountAccessKeysPresent: 0,
	}
	if account == s.d.Root.Account {
		m[api.SummaryKeyTypeAccountAccessKeysPresent] = 1
	}
	out := &api.GetAccountSummaryResponse{SummaryMap: m}
	return out, s.d.Store.View(ctx, func(r data.Reader) error {
		for k, key := range map[kind]string{
			userKind: api.SummaryKeyTypeUsers, groupKind: api.SummaryKeyTypeGroups, roleKind: api.SummaryKeyTypeRoles,
			policyKind: api.SummaryKeyTypePolicies, profileKind: api.SummaryKeyTypeInstanceProfiles,
		} {
			all, err := suffixes(r, kindPrefix(account, k), 1)
			if err != nil {
				return err
			}
			m[key] = int32(len(all))
		}
		own, err := scan[managed](r, kindPrefix(account, policyKind))
		n := 0
		for _, p := range own {
			n += len(p.Versions)
		}
		m[api.SummaryKeyTypePolicyVersionsInUse] = int32(n)
		return err
	})
}
