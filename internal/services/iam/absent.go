package iam

import (
	"context"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/data"
	api "github.com/tierra-cloud/tierra/internal/gen/iam"
)

// absentBindings answer for what there is none of here, because no operation
// that makes it is bound. Tools ask before they delete a user or read an account.
func (s *Service) absentBindings() []call.Binding {
	return []call.Binding{
		bind(s, api.ListMFADevices, userKind, func(ctx context.Context, rq *call.Authorized, in *api.ListMFADevicesRequest) (*api.ListMFADevicesResponse, error) {
			return &api.ListMFADevicesResponse{MFADevices: []api.MFADevice{}, IsTruncated: new(false)}, s.ownUser(ctx, rq, in.UserName)
		}),
		bind(s, api.ListSSHPublicKeys, userKind, func(ctx context.Context, rq *call.Authorized, in *api.ListSSHPublicKeysRequest) (*api.ListSSHPublicKeysResponse, error) {
			return &api.ListSSHPublicKeysResponse{SSHPublicKeys: []api.SSHPublicKeyMetadata{}, IsTruncated: new(false)}, s.ownUser(ctx, rq, in.UserName)
		}),
		bind(s, api.ListSigningCertificates, userKind, func(ctx context.Context, rq *call.Authorized, in *api.ListSigningCertificatesRequest) (*api.ListSigningCertificatesResponse, error) {
			return &api.ListSigningCertificatesResponse{Certificates: []api.SigningCertificate{}, IsTruncated: new(false)}, s.ownUser(ctx, rq, in.UserName)
		}),
		bind(s, api.ListServiceSpecificCredentials, userKind, func(ctx context.Context, rq *call.Authorized, in *api.ListServiceSpecificCredentialsRequest) (*api.ListServiceSpecificCredentialsResponse, error) {
			return &api.ListServiceSpecificCredentialsResponse{ServiceSpecificCredentials: []api.ServiceSpecificCredentialMetadata{}, IsTruncated: new(false)}, s.ownUser(ctx, rq, in.UserName)
		}),
		bind(s, api.GetLoginProfile, userKind, func(ctx context.Context, rq *call.Authorized, in *api.GetLoginProfileRequest) (*api.GetLoginProfileResponse, error) {
			return nil, s.noLogin(ctx, rq, in.UserName)
		}),
		bind(s, api.DeleteLoginProfile, userKind, func(ctx context.Context, rq *call.Authorized, in *api.DeleteLoginProfileRequest) (*call.None, error) {
			return nil, s.noLogin(ctx, rq, in.UserName)
		}),
		bindAny(api.ListVirtualMFADevices, func(context.Context, *call.Authorized, *api.ListVirtualMFADevicesRequest) (*api.ListVirtualMFADevicesResponse, error) {
			return &api.ListVirtualMFADevicesResponse{VirtualMFADevices: []api.VirtualMFADevice{}, IsTruncated: new(false)}, nil
		}),
		bindAny(api.ListServerCertificates, func(context.Context, *call.Authorized, *api.ListServerCertificatesRequest) (*api.ListServerCertificatesResponse, error) {
			return &api.ListServerCertificatesResponse{ServerCertificateMetadataList: []api.ServerCertificateMetadata{}, IsTruncated: new(false)}, nil
		}),
		bindAny(api.ListOpenIDConnectProviders, func(context.Context, *call.Authorized, *api.ListOpenIDConnectProvidersRequest) (*api.ListOpenIDConnectProvidersResponse, error) {
			return &api.ListOpenIDConnectProvidersResponse{OpenIDConnectProviderList: []api.OpenIDConnectProviderListEntry{}}, nil
		}),
		bindAny(api.ListSAMLProviders, func(context.Context, *call.Authorized, *api.ListSAMLProvidersRequest) (*api.ListSAMLProvidersResponse, error) {
			return &api.ListSAMLProvidersResponse{SAMLProviderList: []api.SAMLProviderListEntry{}}, nil
		}),
		bindAny(api.GetAccountPasswordPolicy, func(_ context.Context, rq *call.Authorized, _ *call.None) (*api.GetAccountPasswordPolicyResponse, error) {
			return nil, api.NoSuchEntityException("The Password Policy with domain name %s cannot be found.", rq.Account())
		}),
	}
}

// ownUser refuses the name of a user that does not exist. Without one the caller
// is meant, who has nothing of the kind either.
func (s *Service) ownUser(ctx context.Context, rq *call.Authorized, name *string) error {
	if name == nil {
		return nil
	}
	return s.d.Store.View(ctx, func(r data.Reader) error {
		_, err := theIdentity(r, rq.Account(), userKind, *name)
		return err
	})
}

func (s *Service) noLogin(ctx context.Context, rq *call.Authorized, name *string) error {
	who, err := ownName(rq, name)
	if err != nil {
		return err
	}
	if err := s.ownUser(ctx, rq, &who); err != nil {
		return err
	}
	return api.NoSuchEntityException("Login Profile for User %s cannot be found.", who)
}
