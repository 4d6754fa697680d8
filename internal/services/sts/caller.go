package sts

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	api "github.com/tierra-cloud/tierra/internal/gen/sts"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
)

func (s *Service) callerBindings() []call.Binding {
	return []call.Binding{
		call.Bind(api.GetCallerIdentity, call.Open[api.GetCallerIdentityRequest]("https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html: no permissions are required"), s.getCallerIdentity),
		call.Bind(api.GetAccessKeyInfo, call.Any[api.GetAccessKeyInfoRequest]("sts:GetAccessKeyInfo"), s.getAccessKeyInfo),
	}
}

func (s *Service) getCallerIdentity(_ context.Context, rq *call.Authorized, _ *api.GetCallerIdentityRequest) (*api.GetCallerIdentityResponse, error) {
	p := rq.Principal()
	return &api.GetCallerIdentityResponse{UserId: &p.UserID, Account: &p.Account, Arn: &p.ARN}, nil
}

func (s *Service) getAccessKeyInfo(_ context.Context, _ *call.Authorized, in *api.GetAccessKeyInfoRequest) (*api.GetAccessKeyInfoResponse, error) {
	account, ok := s.d.Mint.Owner(*in.AccessKeyId)
	if !ok {
		return nil, fault.Of(fault.Validation, "Access key ID %s is not valid.", *in.AccessKeyId)
	}
	return &api.GetAccessKeyInfoResponse{Account: &account}, nil
}
