package apigateway

import (
	"context"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/arn"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

func (s *Service) accountBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetAccount, on(actionGet, func(*api.GetAccountRequest) string { return "/account" }), s.getAccount),
		call.Bind(api.UpdateAccount, call.Rule(updateAccountNeeds, actionPatch, "iam:PassRole"), s.updateAccount),
	}
}

func updateAccountNeeds(_ context.Context, rq *call.Decoded, in *api.UpdateAccountRequest) ([]call.Need, error) {
	needs := []call.Need{{Action: actionPatch, Resource: resourceARN(rq.Region(), "/account")}}
	for _, p := range in.PatchOperations {
		if opt.Val(p.Path) == rolePath && opt.Val(p.Value) != "" {
			needs = append(needs, passRole(*p.Value))
		}
	}
	return needs, nil
}

const rolePath = "/cloudwatchRoleArn"

func (s *Service) getAccount(ctx context.Context, rq *call.Authorized, _ *api.GetAccountRequest) (*api.Account, error) {
	acc := new(accountSettings)
	err := s.store.View(ctx, func(r data.Reader) error {
		got, err := data.Load[accountSettings](r, areaOf(rq).settings())
		if got != nil {
			acc = got
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.account(acc), nil
}

// account tells an account's settings, and what every account has: its limits
// are the server's.
func (s *Service) account(acc *accountSettings) *api.Account {
	return &api.Account{
		CloudwatchRoleArn: opt.NonZero(acc.Role),
		ApiKeyVersion:     new("4"), Features: []string{"UsagePlans"},
		ThrottleSettings: &api.ThrottleSettings{RateLimit: &s.accounts.rate, BurstLimit: &s.accounts.burst},
	}
}

// updateAccount sets the role that writes logs, if the service may be it.
func (s *Service) updateAccount(ctx context.Context, rq *call.Authorized, in *api.UpdateAccountRequest) (*api.Account, error) {
	acc, role := &accountSettings{V: 1}, new(string)
	e := edits{"replace " + rolePath: text(role), "add " + rolePath: text(role), "remove " + rolePath: func(_, _ string) error { *role = ""; return nil }}
	key := areaOf(rq).settings()
	err := s.store.View(ctx, func(r data.Reader) error {
		got, err := data.Load[accountSettings](r, key)
		if got != nil {
			*role = got.Role
		}
		return err
	})
	if err == nil {
		err = e.apply(in.PatchOperations, "/throttle", "/features")
	}
	if err == nil {
		err = s.checkWriter(ctx, rq.Account(), *role)
	}
	if err != nil {
		return nil, err
	}
	acc.Role = *role
	err = s.store.Update(ctx, func(t data.Txn) error { return data.Save(t, key, acc) })
	return s.account(acc), err
}

// checkWriter checks that the service may be a role of the account. It asks for
// that only: what the role may write is seen when it writes.
func (s *Service) checkWriter(ctx context.Context, account, role string) error {
	if role == "" {
		return nil
	}
	a, ok := arn.Parse(role)
	if !ok || a.Service != "iam" || a.Account != account || !strings.HasPrefix(a.Resource, "role/") {
		return api.BadRequestException("Invalid Role ARN specified: %s", role)
	}
	if _, err := s.gate.Identities.Assume(ctx, role, roleSession, servicePrincipal); err != nil {
		if fault.As(err) == nil {
			return err
		}
		return api.BadRequestException("The role ARN does not have required permissions configured. Please grant trust permission for API Gateway and add the required role policy.")
	}
	return nil
}
