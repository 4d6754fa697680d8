// Package iam is the room of Identity and Access Management: users, groups,
// roles, access keys and policies, and what the platform asks about them when it
// authenticates and authorises (call.Identities).
//
// IAM is global: there is no region in its ARNs and keys. Pages followed: the
// IAM API Reference, and of the User Guide reference_identifiers,
// reference_iam-quotas, id_roles*, access_policies*, id_credentials_temp*.
//
// # Sessions
//
// A session is carried by its token, sealed with a key of the platform, and is
// not stored. It ends when it expires or when its role or user is deleted, or its
// user renamed. Changes of policies act on running sessions at once.
//
// # Policies that AWS manages
//
// They exist under their ARNs, each with one version, v1. Their documents are
// written for this platform: they allow what AWS's policy is for, and are not
// copies.
//
// # What is not here
//
// Passwords, second factors, certificates, SSH keys, identity providers, service
// specific credentials, credential and access reports, delegation requests and
// the organization's features are not bound: such calls are answered as not
// implemented; their listings are bound and say that there are none. GetUser does not know when root was made. Roles and access keys do
// not say when they were used last (RoleLastUsed is absent).
//
// # Settings that have no meaning here
//
// An instance profile holds a role, and only a role; there are no machines that
// it could be given to.
package iam
