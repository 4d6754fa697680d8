package apigateway

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
)

func (s *Service) accountBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetAccount, on(actionGet, func(*api.GetAccountRequest) string { return "/account" }), s.getAccount),
		call.Bind(api.UpdateAccount, on(actionPatch, func(*api.UpdateAccountRequest) string { return "/account" }), s.updateAccount),
	}
}

func (s *Service) getAccount(context.Context, *call.Authorized, *api.GetAccountRequest) (*api.Account, error) {
	return s.account(), nil
}

// account tells what every account has: its limits are the server's.
func (s *Service) account() *api.Account {
	return &api.Account{
		ApiKeyVersion: new("4"), Features: []string{"UsagePlans"},
		ThrottleSettings: &api.ThrottleSettings{RateLimit: &s.accounts.rate, BurstLimit: &s.accounts.burst},
	}
}

func (s *Service) updateAccount(_ context.Context, _ *call.Authorized, in *api.UpdateAccountRequest) (*api.Account, error) {
	if err := (edits{}).apply(in.PatchOperations, "/cloudwatchRoleArn", "/throttle", "/features"); err != nil {
		return nil, err
	}
	return s.account(), nil
}
